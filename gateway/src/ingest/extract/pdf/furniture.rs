//! Running heads, feet and page numbers are left out: lines at the edge of a page that come back on other pages.

use std::collections::HashMap;

use super::{Page, lines::Line};

/// Lines looked at on either edge.
const EDGE_LINES: usize = 2;
/// Pages on which a line must stand to be furniture, at least.
const LEAST_PAGES: usize = 3;
/// And one page in so many.
const ONE_IN: usize = 40;

pub(super) fn remove(pages: &mut [Page]) {
    let mut counts: HashMap<(bool, String), usize> = HashMap::new();
    for page in &*pages {
        for (index, is_top) in edges(&page.lines) {
            *counts.entry((is_top, key(&page.lines[index]))).or_default() += 1;
        }
    }
    let least = LEAST_PAGES.max(pages.len() / ONE_IN);
    for page in pages {
        let mut furniture: Vec<usize> = edges(&page.lines)
            .into_iter()
            .filter(|(index, is_top)| counts.get(&(*is_top, key(&page.lines[*index]))).is_some_and(|count| *count >= least))
            .map(|(index, _)| index)
            .collect();
        furniture.sort_unstable();
        furniture.dedup();
        for index in furniture.into_iter().rev() {
            page.lines.remove(index);
        }
    }
}

/// The lines at the top (`true`) and at the bottom of a page, by their heights.
fn edges(lines: &[Line]) -> Vec<(usize, bool)> {
    let mut order: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].turn == 0).collect();
    order.sort_by(|a, b| lines[*b].base.total_cmp(&lines[*a].base));
    let mut edges = Vec::new();
    for (is_top, order) in [(true, order.clone()), (false, order.into_iter().rev().collect())] {
        let mut heights = 0;
        let mut last = f64::INFINITY;
        for index in order {
            let Line { base, size, .. } = lines[index];
            if (base - last).abs() >= size * 0.5 {
                heights += 1;
            }
            if heights > EDGE_LINES {
                break;
            }
            last = base;
            edges.push((index, is_top));
        }
    }
    edges
}

/// The text with every number the same.
fn key(line: &Line) -> String {
    let words = line.text.split_whitespace().map(|word| {
        let is_roman = word.len() <= 6 && word.bytes().all(|byte| b"ivxlc".contains(&byte));
        if is_roman {
            "#".to_owned()
        } else {
            word.replace(|character: char| character.is_ascii_digit(), "#").replace("##", "#").replace("##", "#")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
