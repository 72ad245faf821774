//! Rows of cells become the lines of a table, with the lines or rows of the file that they came from.

use std::sync::Arc;

use super::{Block, BlockKind, ExtractError, LineMap, MAX_CHARACTERS};

/// A longer cell does not head a column.
const MOST_HEADER_CHARACTERS: usize = 100;

/// Collects rows. Empty ones are left out, and so are empty cells at a row's end.
#[derive(Debug, Default)]
pub(super) struct Rows {
    text: String,
    lines: LineMap,
    has_header: bool,
    sheet: Option<Arc<str>>,
}

impl Rows {
    pub(super) fn of_sheet(sheet: Arc<str>) -> Self {
        Self { sheet: Some(sheet), ..Self::default() }
    }

    /// Adds a row that stands on a line of the file.
    pub(super) fn push(&mut self, cells: &[impl AsRef<str>], line: u32) -> Result<(), ExtractError> {
        let filled = cells.iter().rposition(|cell| !cell.as_ref().trim().is_empty());
        let Some(last) = filled else { return Ok(()) };
        let cells = &cells[..=last];
        if self.text.is_empty() {
            self.has_header = is_header(cells);
        } else {
            self.text.push('\n');
        }
        self.lines.mark(self.text.len(), line);
        for (column, cell) in cells.iter().enumerate() {
            if column > 0 {
                self.text.push_str(" | ");
            }
            for (number, word) in cell.as_ref().split_whitespace().enumerate() {
                if number > 0 {
                    self.text.push(' ');
                }
                self.text.push_str(word);
            }
        }
        if self.text.len() > MAX_CHARACTERS { Err(ExtractError::TooLong) } else { Ok(()) }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The table, unless it is empty.
    pub(super) fn end(self) -> Option<Block> {
        let Self { text, lines, has_header, sheet } = self;
        let has_header = has_header && text.contains('\n');
        (!text.trim().is_empty()).then(|| Block { has_header, lines, sheet, ..Block::new(BlockKind::Table, text) })
    }
}

/// Whether the first row names columns: none of its cells is empty, a number or long.
fn is_header(cells: &[impl AsRef<str>]) -> bool {
    cells
        .iter()
        .map(|cell| cell.as_ref().trim())
        .all(|cell| cell.contains(char::is_alphabetic) && cell.chars().nth(MOST_HEADER_CHARACTERS).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> Block {
        let mut table = Rows::default();
        for (line, row) in (1..).zip(rows) {
            table.push(row, line).unwrap();
        }
        table.end().unwrap()
    }

    #[test]
    fn rows_are_lines_and_know_theirs() {
        let block = table(&[&["Name", "Note"], &["", ""], &["a", "two\nlines"], &["b", ""]]);
        assert_eq!(block.text, "Name | Note\na | two lines\nb");
        assert_eq!(block.lines.at(block.text.find("two").unwrap()), Some(3));
        assert!(block.has_header);
    }

    #[test]
    fn a_first_row_of_numbers_heads_nothing() {
        assert!(!table(&[&["a", "1"], &["b", "2"]]).has_header);
        assert!(!table(&[&["Name"]]).has_header);
    }
}
