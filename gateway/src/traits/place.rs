//! Where in its file a passage stands, and what kind of text it is.

use serde::{Deserialize, Serialize};

/// A place in a file; what its format does not have is absent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Place {
    /// Page or slide of its beginning, from 1.
    pub page: Option<u32>,
    /// The sheet of a spreadsheet.
    pub sheet: Option<String>,
    pub lines: Option<Lines>,
}

/// Lines of a text, both included, from 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lines {
    pub from: u32,
    pub to: u32,
}

/// What a passage is made of for the most part.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// A program.
    Code,
    /// Everything else.
    #[default]
    Doc,
    /// Comments of a program that stand alone.
    Comment,
}

impl ChunkKind {
    /// Its name in the store and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Doc => "doc",
            Self::Comment => "comment",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Code, Self::Doc, Self::Comment].into_iter().find(|kind| kind.name() == name)
    }
}
