//! Plain text: paragraphs are parted by empty lines. Lines that were broken to fit a width are joined again.

use super::{Block, BlockKind};

/// A text whose longest line is shorter was not broken to fit.
const LEAST_WIDTH: usize = 50;
/// A line that is longer than this share of the longest, in percent, goes on in the next.
const FULL_PERCENT: usize = 70;

/// Prose.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    groups(text).iter().map(|lines| prose(lines)).collect()
}

/// Text whose lines mean something.
pub(super) fn lines(text: &str, kind: BlockKind) -> Vec<Block> {
    groups(text).iter().map(|lines| Block { text: lines.join("\n"), kind, page: None }).collect()
}

/// The lines between two empty ones.
fn groups(text: &str) -> Vec<Vec<&str>> {
    let mut groups = Vec::new();
    let mut group: Vec<&str> = Vec::new();
    for line in text.split(['\n', '\u{0C}']).chain([""]) {
        if !line.trim().is_empty() {
            group.push(line.trim_end());
        } else if !group.is_empty() {
            groups.push(std::mem::take(&mut group));
        }
    }
    groups
}

fn prose(lines: &[&str]) -> Block {
    let indented = lines.iter().filter(|line| line.starts_with(['\t', ' '])).count();
    // A drawing or a program keeps its shape; an indented first line is a paragraph's.
    if indented > 1 && lines.iter().any(|line| line.trim_start().len() + 1 < line.len() && line.trim().contains("  ")) {
        return Block { text: lines.join("\n"), kind: BlockKind::Code, page: None };
    }
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut is_full = false;
    for line in lines {
        let trimmed = line.trim();
        if !text.is_empty() {
            let begins_item = trimmed.starts_with(['-', '*', '+', '\u{2022}', '|']);
            text.push(if is_full && !begins_item { ' ' } else { '\n' });
        }
        text.push_str(trimmed);
        is_full = longest >= LEAST_WIDTH && line.chars().count() * 100 >= longest * FULL_PERCENT;
    }
    Block { text, kind: BlockKind::Paragraph, page: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_joined_and_short_ones_kept() {
        let text = "This is a line that was broken because it had become too\nlong to fit.\n\nName: a\nPlace: b\n";
        let texts: Vec<String> = blocks(text).into_iter().map(|block| block.text).collect();
        assert_eq!(texts, ["This is a line that was broken because it had become too long to fit.", "Name: a\nPlace: b"]);
    }

    #[test]
    fn items_of_a_list_stay_on_their_lines() {
        let text =
            "- the first item of a list that is quite as long as a line\n- the second item of a list that is as long as well";
        assert_eq!(blocks(text)[0].text.lines().count(), 2);
    }
}
