//! Plain text: paragraphs are parted by empty lines.

use super::{Block, BlockKind};

pub(super) fn blocks(text: &str) -> (Option<String>, Vec<Block>) {
    let mut blocks = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.split(['\n', '\u{0C}']).chain([""]) {
        if !line.trim().is_empty() {
            paragraph.push(line.trim_end());
        } else if !paragraph.is_empty() {
            blocks.push(block(&paragraph));
            paragraph.clear();
        }
    }
    (None, blocks)
}

/// Lines that are mostly indented or drawn keep their shape.
fn block(lines: &[&str]) -> Block {
    let indented = lines.iter().filter(|line| line.starts_with(['\t', ' '])).count();
    let kind = if indented * 2 > lines.len() && lines.len() > 1 { BlockKind::Code } else { BlockKind::Paragraph };
    Block { text: lines.join("\n"), kind, page: None }
}
