//! Lists: which have bullets and which have numbers, and the next number of each.

use std::collections::HashMap;

use super::{
    ExtractError, FORMAT,
    xml::{self, Node},
};

/// Levels that a list can have.
const MOST_LEVELS: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Numbering {
    /// Whether the levels of a kind of list have numbers, by the kind's id.
    kinds: HashMap<String, [bool; MOST_LEVELS]>,
    /// The kind of each list.
    lists: HashMap<String, String>,
    /// The last number on each level of a list.
    counts: HashMap<String, [u32; MOST_LEVELS]>,
}

impl Numbering {
    pub(super) fn read(part: &[u8]) -> Result<Self, ExtractError> {
        let mut numbering = Self::default();
        let mut kind: Option<(String, [bool; MOST_LEVELS])> = None;
        let mut list = None;
        let mut level = 0;
        xml::walk(FORMAT, part, |node| {
            match node {
                Node::Open(element) => match element.name() {
                    "abstractNum" => kind = element.attribute("abstractNumId").map(|id| (id, [false; MOST_LEVELS])),
                    "lvl" => level = element.attribute("ilvl").and_then(|level| level.parse().ok()).unwrap_or(0),
                    "numFmt" => {
                        let is_numbered = element.attribute("val").is_some_and(|val| val != "bullet" && val != "none");
                        if let Some(numbered) = kind.as_mut().and_then(|(_, levels)| levels.get_mut(level)) {
                            *numbered = is_numbered;
                        }
                    }
                    "num" => list = element.attribute("numId"),
                    "abstractNumId" => {
                        if let Some((list, kind)) = list.take().zip(element.attribute("val")) {
                            numbering.lists.insert(list, kind);
                        }
                    }
                    _ => {}
                },
                Node::Close("abstractNum") => numbering.kinds.extend(kind.take()),
                Node::Close(_) | Node::Text(_) => {}
            }
            Ok(())
        })?;
        Ok(numbering)
    }

    /// What stands before the next item of a list.
    pub(super) fn bullet(&mut self, list: &str, level: usize) -> String {
        let level = level.min(MOST_LEVELS - 1);
        let is_numbered = self.lists.get(list).and_then(|kind| self.kinds.get(kind)).is_some_and(|levels| levels[level]);
        if !is_numbered {
            return "- ".to_owned();
        }
        let counts = self.counts.entry(list.to_owned()).or_default();
        counts[level] = counts[level].saturating_add(1);
        counts[level + 1..].fill(0);
        format!("{}. ", counts[level])
    }
}
