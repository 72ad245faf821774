//! Blocks out of the paragraphs and tables of a document.

use super::{Block, BlockKind, Numbering, Styles, office::one_line, styles};

/// A paragraph that is being read.
#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    outline: Option<u8>,
    list: Option<String>,
    level: usize,
}

/// A heading is no longer than this; longer ones are paragraphs in a wrong style.
const MOST_HEADING_CHARACTERS: usize = 300;

#[derive(Debug)]
pub(super) struct Writer {
    styles: Styles,
    numbering: Numbering,
    blocks: Vec<Block>,
    /// A text box stands inside of a paragraph.
    open: Vec<Paragraph>,
    /// The items of the list so far.
    items: String,
    /// Tables that are open; those inside of a cell are part of its text.
    tables: usize,
    rows: String,
    cells: Vec<String>,
    characters: usize,
}

impl Writer {
    pub(super) fn new(styles: Styles, numbering: Numbering) -> Self {
        Self {
            styles,
            numbering,
            blocks: Vec::new(),
            open: Vec::new(),
            items: String::new(),
            tables: 0,
            rows: String::new(),
            cells: Vec::new(),
            characters: 0,
        }
    }

    pub(super) fn end(mut self) -> Vec<Block> {
        self.end_list();
        self.blocks
    }

    /// Bytes written so far.
    pub(super) fn characters(&self) -> usize {
        self.characters
    }

    pub(super) fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.text.push_str(text);
            self.characters += text.len();
        }
    }

    pub(super) fn begin_paragraph(&mut self) {
        self.open.push(Paragraph::default());
    }

    pub(super) fn style(&mut self, id: Option<String>) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.style = id;
        }
    }

    pub(super) fn outline(&mut self, level: Option<String>) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.outline = level.and_then(|level| level.parse().ok());
        }
    }

    pub(super) fn level(&mut self, level: Option<String>) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.level = level.and_then(|level| level.parse().ok()).unwrap_or(0).min(8);
        }
    }

    pub(super) fn list(&mut self, id: Option<String>) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.list = id;
        }
    }

    pub(super) fn end_paragraph(&mut self) {
        let Some(Paragraph { text, style, outline, list, level }) = self.open.pop() else { return };
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if self.tables > 0 {
            if let Some(cell) = self.cells.last_mut() {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(&one_line(text));
            }
            return;
        }
        let heading = outline.map_or_else(|| style.as_ref().and_then(|id| self.styles.heading(id)), styles::level);
        if let Some(heading) = heading.filter(|_| text.chars().nth(MOST_HEADING_CHARACTERS).is_none()) {
            self.block(BlockKind::Heading(heading.clamp(1, 6)), one_line(text));
            return;
        }
        let list = list.or_else(|| style.as_ref().and_then(|id| self.styles.list(id)).map(str::to_owned));
        // The list 0 takes a paragraph out of its style's list.
        let Some(list) = list.filter(|list| list != "0") else {
            self.block(BlockKind::Paragraph, text.to_owned());
            return;
        };
        let bullet = self.numbering.bullet(&list, level);
        if !self.items.is_empty() {
            self.items.push('\n');
        }
        self.items.push_str(&"  ".repeat(level));
        self.items.push_str(&bullet);
        self.items.push_str(&one_line(text));
    }

    pub(super) fn begin_table(&mut self) {
        self.tables += 1;
        if self.tables == 1 {
            self.end_list();
        }
    }

    pub(super) fn begin_cell(&mut self) {
        if self.tables == 1 {
            self.cells.push(String::new());
            self.characters += 1;
        }
    }

    pub(super) fn end_row(&mut self) {
        if self.tables != 1 {
            return;
        }
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            if !self.rows.is_empty() {
                self.rows.push('\n');
            }
            self.rows.push_str(cells.join(" | ").trim_end_matches([' ', '|']));
        }
    }

    pub(super) fn end_table(&mut self) {
        if self.tables == 1 {
            let rows = std::mem::take(&mut self.rows);
            self.block(BlockKind::Table, rows);
        }
        self.tables = self.tables.saturating_sub(1);
    }

    fn end_list(&mut self) {
        let items = std::mem::take(&mut self.items);
        if !items.is_empty() {
            self.blocks.push(Block::new(BlockKind::List, items));
        }
    }

    fn block(&mut self, kind: BlockKind, text: String) {
        self.end_list();
        if !text.trim().is_empty() {
            let has_header = kind == BlockKind::Table && text.contains('\n');
            self.blocks.push(Block { has_header, ..Block::new(kind, text) });
        }
    }
}
