//! Blocks out of the tags and texts of a page.

use html5ever::Attribute;

use super::elements;
use crate::ingest::extract::{Block, BlockKind};

/// Lists that are indented; deeper ones are not indented further.
const MOST_INDENT: usize = 8;

/// Collects the text of one block after the other.
#[derive(Default)]
pub(super) struct Writer {
    blocks: Vec<Block>,
    text: String,
    title: Option<String>,
    in_title: bool,
    /// The next number of each open list, `None` for bullets.
    lists: Vec<Option<u32>>,
    tables: usize,
    /// Whether the first row of the table is made of headers only.
    header: Option<bool>,
    /// A cell stands in the row already.
    has_cell: bool,
    preformatted: usize,
    heading: Option<u8>,
    /// A blank is due before the next word.
    blank: bool,
    /// The line has nothing but its bullet.
    bare: bool,
}

impl Writer {
    /// The title and the blocks.
    pub(super) fn end(mut self) -> (Option<String>, Vec<Block>) {
        self.flush();
        let title =
            self.title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|title| !title.is_empty());
        let first =
            || self.blocks.iter().find(|block| matches!(block.kind, BlockKind::Heading(_))).map(|block| block.text.clone());
        (title.or_else(first), self.blocks)
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.in_title {
            self.title.get_or_insert_default().push_str(text);
        } else if self.preformatted > 0 {
            self.text.push_str(text);
            self.bare = false;
        } else {
            for (number, word) in text.split(|character: char| character.is_whitespace()).enumerate() {
                self.blank |= number > 0;
                if !word.is_empty() {
                    self.word(word);
                }
            }
        }
    }

    fn word(&mut self, word: &str) {
        if std::mem::take(&mut self.blank) && !self.text.is_empty() && !self.text.ends_with(['\n', ' ']) {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.bare = false;
    }

    pub(super) fn void(&mut self, name: &str) {
        match name {
            "br" => self.text.push('\n'),
            "hr" => self.part(),
            _ => {}
        }
    }

    pub(super) fn start(&mut self, name: &str, attributes: &[Attribute]) {
        if elements::is_block(name) {
            self.part();
        }
        match name {
            "title" if self.title.is_none() => self.in_title = true,
            "ul" | "dl" | "menu" | "dir" => self.lists.push(None),
            "ol" => {
                let first = attributes.iter().find(|attribute| &*attribute.name.local == "start");
                self.lists.push(Some(first.and_then(|first| first.value.parse().ok()).unwrap_or(1)));
            }
            "li" => self.bullet(),
            "dd" => self.indent(1),
            "table" => self.tables += 1,
            "tr" => self.has_cell = false,
            "td" | "th" => {
                if self.tables == 1 && !self.text.contains('\n') {
                    self.header = Some(name == "th" && self.header != Some(false));
                }
                if self.has_cell {
                    self.text.truncate(self.text.trim_end().len());
                    self.text.push_str(" | ");
                }
                self.has_cell = true;
                self.bare = true;
            }
            "pre" => self.preformatted += 1,
            _ => {
                if let Some(level) = elements::heading(name) {
                    self.heading = Some(level);
                }
            }
        }
    }

    pub(super) fn finish(&mut self, name: &str) {
        if elements::is_block(name) {
            self.part();
        }
        let was_nested = self.is_nested();
        match name {
            "title" => self.in_title = false,
            "ul" | "ol" | "dl" | "menu" | "dir" => {
                if self.lists.len() == 1 && self.tables == 0 {
                    self.flush();
                }
                self.lists.pop();
            }
            "table" => {
                if self.tables == 1 && self.lists.is_empty() {
                    self.flush();
                }
                self.tables = self.tables.saturating_sub(1);
            }
            "pre" => {
                if !was_nested {
                    self.flush();
                }
                self.preformatted = self.preformatted.saturating_sub(1);
            }
            _ => {
                if elements::heading(name).is_some() {
                    self.heading = None;
                }
            }
        }
    }

    fn is_nested(&self) -> bool {
        self.tables > 0 || !self.lists.is_empty()
    }

    /// Between two blocks: a new one, or inside of lists and tables a new line.
    fn part(&mut self) {
        self.blank = false;
        if !self.is_nested() {
            self.flush();
        } else if !self.bare {
            self.line();
        }
    }

    fn line(&mut self) {
        self.text.truncate(self.text.trim_end().len());
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn bullet(&mut self) {
        self.line();
        self.indent(0);
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.text.push_str(&format!("{number}. "));
                *number = number.saturating_add(1);
            }
            Some(None) | None => self.text.push_str("- "),
        }
        self.bare = true;
    }

    fn indent(&mut self, more: usize) {
        let depth = (self.lists.len().saturating_sub(1) + more).min(MOST_INDENT);
        self.text.push_str(&"  ".repeat(depth));
        self.bare = true;
    }

    fn flush(&mut self) {
        let kind = if self.tables > 0 {
            BlockKind::Table
        } else if !self.lists.is_empty() {
            BlockKind::List
        } else if self.preformatted > 0 {
            BlockKind::Code
        } else {
            self.heading.map_or(BlockKind::Paragraph, BlockKind::Heading)
        };
        let text = std::mem::take(&mut self.text);
        let text = if kind == BlockKind::Code { text.trim_end().trim_start_matches(['\n', '\r']) } else { text.trim() };
        let text =
            if matches!(kind, BlockKind::Heading(_)) { text.trim_end_matches('¶').replace('\n', " ") } else { text.to_owned() };
        if !text.trim().is_empty() {
            let has_header = kind == BlockKind::Table && self.header == Some(true) && text.contains('\n');
            self.blocks.push(Block { has_header, ..Block::new(kind, text) });
        }
        self.header = None;
        self.bare = false;
        self.blank = false;
    }
}
