//! Lines become paragraphs and headings, by their distance, size and indentation.

use std::collections::HashMap;

use super::{Block, BlockKind, Page, lines::Line};

/// Letters larger than the body's by this factor make a heading.
const HEADING: f64 = 1.12;
/// A heading is no longer than this.
const MOST_HEADING_CHARACTERS: usize = 200;
const MOST_HEADING_LINES: usize = 4;
/// A distance of lines larger than the usual one by this factor parts paragraphs.
const APART: f64 = 1.3;
/// A line that ends this share of the width before the margin was ended on purpose.
const SHORT: f64 = 0.2;

/// The blocks of all pages.
pub(super) fn blocks(pages: Vec<Page>) -> Vec<Block> {
    let sizes = Sizes::of(&pages);
    let mut blocks: Vec<Block> = Vec::new();
    for Page { number, lines } in pages {
        let leading = leading(&lines);
        let mut from = 0;
        for at in 1..=lines.len() {
            if at < lines.len() && !is_apart(&lines[from..at], &lines[at], leading) {
                continue;
            }
            let group = &lines[from..at];
            from = at;
            if let Some(block) = block(group, number, &sizes) {
                add(&mut blocks, block);
            }
        }
    }
    blocks
}

/// Appends a block; one that goes on with the sentence of the one before joins it.
fn add(blocks: &mut Vec<Block>, block: Block) {
    let goes_on = block.kind == BlockKind::Paragraph && block.text.starts_with(char::is_lowercase);
    if let Some(last) = blocks.last_mut()
        && goes_on
        && last.kind == BlockKind::Paragraph
        && last.page != block.page
        && !last.text.ends_with(['.', '!', '?', ':', ';'])
    {
        join(&mut last.text, &block.text, " ");
    } else {
        blocks.push(block);
    }
}

fn block(lines: &[Line], page: u32, sizes: &Sizes) -> Option<Block> {
    let first = lines.first()?;
    let margin = lines.iter().map(|line| line.end).fold(f64::MIN, f64::max);
    let left = lines.iter().map(|line| line.start).fold(f64::MAX, f64::min);
    let level = sizes.level(first.size).filter(|_| {
        let characters: usize = lines.iter().map(|line| line.characters).sum();
        lines.len() <= MOST_HEADING_LINES
            && characters <= MOST_HEADING_CHARACTERS
            && lines.iter().any(|line| line.text.contains(char::is_alphabetic))
    });
    let mut text = first.text.clone();
    for pair in lines.windows(2) {
        let is_same_row = (pair[0].base - pair[1].base).abs() < pair[1].size * 0.5;
        let is_full = pair[0].end >= margin - SHORT * (margin - left);
        join(&mut text, &pair[1].text, if level.is_some() || is_same_row || is_full { " " } else { "\n" });
    }
    let kind = level.map_or(BlockKind::Paragraph, BlockKind::Heading);
    Some(Block { page: Some(page), ..Block::new(kind, text) })
}

/// Joins two lines; a word that was broken at the line's end is made whole.
fn join(text: &mut String, next: &str, between: &str) {
    let broken = text.strip_suffix(['-', '\u{AD}', '\u{2010}']).filter(|word| word.ends_with(char::is_alphabetic));
    if let Some(word) = broken
        && next.starts_with(char::is_lowercase)
    {
        text.truncate(word.len());
    } else {
        text.push_str(between);
    }
    text.push_str(next);
}

/// Whether a line begins a new paragraph.
fn is_apart(paragraph: &[Line], next: &Line, leading: f64) -> bool {
    let Some(last) = paragraph.last() else { return false };
    let ratio = next.size / last.size;
    if next.turn != last.turn || !(1.0 / HEADING..=HEADING).contains(&ratio) {
        return true;
    }
    let step = last.base - next.base;
    if step.abs() < next.size * 0.5 {
        return false;
    }
    let usual = leading.clamp(next.size, next.size * 2.5);
    if step < 0.0 || step > usual * APART {
        return true;
    }
    let has_ended = last.text.ends_with(['.', '!', '?', ':', ';']);
    let left = paragraph.iter().map(|line| line.start).fold(f64::MAX, f64::min);
    let indent = next.start - left;
    is_bullet(&next.text) || (has_ended && (indent > next.size * 0.8 || is_numbered(&next.text)))
}

fn is_bullet(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| "•▪◦‣·●○■–*".contains(first)) && characters.next() == Some(' ')
}

fn is_numbered(text: &str) -> bool {
    let Some((number, _)) = text.split_once(' ') else { return false };
    let digits = number.trim_start_matches('(').trim_end_matches(['.', ')']);
    digits.len() < number.len() && digits.len() <= 3 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The usual distance of two lines of a page.
fn leading(lines: &[Line]) -> f64 {
    let mut steps: Vec<f64> = lines
        .windows(2)
        .map(|pair| pair[0].base - pair[1].base)
        .zip(lines)
        .filter(|(step, line)| *step > line.size * 0.5)
        .map(|(step, _)| step)
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len().saturating_sub(1) / 4).copied().unwrap_or(0.0)
}

/// The sizes of letters in a document.
struct Sizes {
    /// Sizes of headings in halves of a unit, largest first.
    headings: Vec<u32>,
}

impl Sizes {
    fn of(pages: &[Page]) -> Self {
        let mut characters: HashMap<u32, usize> = HashMap::new();
        for line in pages.iter().flat_map(|page| &page.lines) {
            *characters.entry(halves(line.size)).or_default() += line.characters;
        }
        let body = characters.iter().max_by_key(|(size, count)| (**count, **size)).map_or(0, |(size, _)| *size);
        let mut headings: Vec<u32> =
            characters.into_keys().filter(|size| f64::from(*size) >= f64::from(body) * HEADING && *size > body).collect();
        headings.sort_unstable_by(|a, b| b.cmp(a));
        Self { headings }
    }

    /// The level of a heading of this size, `None` for the body's.
    fn level(&self, size: f64) -> Option<u8> {
        let rank = self.headings.iter().position(|heading| *heading == halves(size))?;
        Some(u8::try_from(rank + 1).unwrap_or(6).min(6))
    }
}

fn halves(size: f64) -> u32 {
    (size * 2.0).round().clamp(0.0, 10_000.0) as u32
}
