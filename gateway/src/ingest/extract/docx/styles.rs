//! The styles of paragraphs: which are headings, and which make lists.

use std::collections::HashMap;

use super::{
    ExtractError, FORMAT,
    xml::{self, Node},
};

/// Styles that a style can be based on, one on the other.
const MOST_BASES: usize = 20;

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline: Option<u8>,
    list: Option<String>,
}

/// By their ids.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

impl Styles {
    pub(super) fn read(part: &[u8]) -> Result<Self, ExtractError> {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        xml::walk(FORMAT, part, |node| {
            match node {
                Node::Open(element) => match (element.name(), &mut open) {
                    ("style", open) => *open = element.attribute("styleId").map(|id| (id, Style::default())),
                    ("name", Some((_, style))) => style.name = element.attribute("val").unwrap_or_default().to_lowercase(),
                    ("basedOn", Some((_, style))) => style.based_on = element.attribute("val"),
                    ("outlineLvl", Some((_, style))) => style.outline = element.attribute("val").and_then(|val| val.parse().ok()),
                    ("numId", Some((_, style))) => style.list = element.attribute("val"),
                    _ => {}
                },
                Node::Close("style") => styles.extend(open.take()),
                Node::Close(_) | Node::Text(_) => {}
            }
            Ok(())
        })?;
        Ok(Self(styles))
    }

    /// The level of the headings that a style makes.
    pub(super) fn heading(&self, id: &str) -> Option<u8> {
        self.bases(id).find_map(|style| {
            let numbered = style.name.strip_prefix("heading ").and_then(|level| level.trim().parse().ok());
            match style.name.as_str() {
                "title" => Some(1),
                _ => numbered.or(style.outline.and_then(level)),
            }
        })
    }

    /// The list that a style puts paragraphs into.
    pub(super) fn list(&self, id: &str) -> Option<&str> {
        self.bases(id).find_map(|style| style.list.as_deref())
    }

    /// A style and those that it is based on.
    fn bases(&self, id: &str) -> impl Iterator<Item = &Style> {
        let next = |style: &&Style| style.based_on.as_ref().and_then(|base| self.0.get(base));
        std::iter::successors(self.0.get(id), next).take(MOST_BASES)
    }
}

/// The level of a heading by its place in the outline, from 0; 9 is the body.
pub(super) fn level(outline: u8) -> Option<u8> {
    (outline < 9).then(|| (outline + 1).min(6))
}
