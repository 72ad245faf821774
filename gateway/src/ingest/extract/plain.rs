//! Plain text: paragraphs are parted by empty lines. Lines that were broken to fit a width are joined again.

use super::{Block, BlockKind, LineMap};

/// A text whose longest line is shorter was not broken to fit.
const LEAST_WIDTH: usize = 50;
/// A line that is longer than this share of the longest, in percent, goes on in the next.
const FULL_PERCENT: usize = 70;

/// Prose.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    groups(text).iter().map(|(first, lines)| prose(lines, *first)).collect()
}

/// The lines between two empty ones, with the number of the first.
fn groups(text: &str) -> Vec<(u32, Vec<&str>)> {
    let mut groups = Vec::new();
    let mut group: Vec<&str> = Vec::new();
    let mut first = 1;
    for (number, line) in (1..).zip(text.split('\n').chain([""])) {
        // A page ends at a form feed.
        for (part, line) in line.split('\u{0C}').enumerate() {
            if part > 0 && !group.is_empty() {
                groups.push((first, std::mem::take(&mut group)));
            }
            if !line.trim().is_empty() {
                if group.is_empty() {
                    first = number;
                }
                group.push(line.trim_end());
            } else if !group.is_empty() {
                groups.push((first, std::mem::take(&mut group)));
            }
        }
    }
    groups
}

fn prose(lines: &[&str], first: u32) -> Block {
    let indented = lines.iter().filter(|line| line.starts_with(['\t', ' '])).count();
    // A drawing or a program keeps its shape; an indented first line is a paragraph's.
    if indented > 1 && lines.iter().any(|line| line.trim_start().len() + 1 < line.len() && line.trim().contains("  ")) {
        let text = lines.join("\n");
        return Block { lines: LineMap::each(&text, first), ..Block::new(BlockKind::Code, text) };
    }
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut map = LineMap::default();
    let mut is_full = false;
    for (number, line) in (first..).zip(lines) {
        let trimmed = line.trim();
        if !text.is_empty() {
            let begins_item = trimmed.starts_with(['-', '*', '+', '\u{2022}', '|']);
            text.push(if is_full && !begins_item { ' ' } else { '\n' });
        }
        map.mark(text.len(), number);
        text.push_str(trimmed);
        is_full = longest >= LEAST_WIDTH && line.chars().count() * 100 >= longest * FULL_PERCENT;
    }
    Block { lines: map, ..Block::new(BlockKind::Paragraph, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_joined_and_short_ones_kept() {
        let text = "This is a line that was broken because it had become too\nlong to fit.\n\nName: a\nPlace: b\n";
        let blocks = blocks(text);
        let texts: Vec<_> = blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["This is a line that was broken because it had become too long to fit.", "Name: a\nPlace: b"]);
        let line_of = |block: usize, word| blocks[block].lines.at(texts[block].find(word).unwrap());
        assert_eq!([line_of(0, "This"), line_of(0, "fit"), line_of(1, "Place")], [Some(1), Some(2), Some(5)]);
    }

    #[test]
    fn items_of_a_list_stay_on_their_lines() {
        let text =
            "- the first item of a list that is quite as long as a line\n- the second item of a list that is as long as well";
        assert_eq!(blocks(text)[0].text.lines().count(), 2);
    }
}
