//! Numbers of payment cards: a known issuer's beginning and length, grouped as on a card or not at all, and the check digit.

use std::ops::Range;

use super::{checks, digits::Run};

/// Groups as they are printed; a number in one piece comes besides.
const SHAPES: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 1]];
const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;

pub(super) fn find(run: Run<'_>, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while at < run.groups.len() {
        match card(run, at) {
            Some(count) => {
                add(run.range(at, count));
                at += count;
            }
            None => at += 1,
        }
    }
}

/// How many groups from `at` on are a card's number.
fn card(run: Run<'_>, at: usize) -> Option<usize> {
    let length = run.groups[at].len();
    let counts = SHAPES.iter().rev().filter(|shape| run.shape(at, shape).is_some()).map(|shape| shape.len());
    let one = LENGTHS.contains(&length).then_some(1);
    counts.chain(one).find(|count| {
        let mut digits = [0; 19];
        let Some(digits) = run.digits(at, *count, &mut digits) else { return false };
        is_issued(digits) && checks::luhn(digits) && run.is_whole(at, *count)
    })
}

/// Whether an issuer gives out numbers that begin so and are so long.
fn is_issued(digits: &[u8]) -> bool {
    if !LENGTHS.contains(&digits.len()) {
        return false;
    }
    let lengths: &[usize] = match checks::number(&digits[..4]) {
        4000..=4999 => &[13, 16, 19],
        5100..=5599 | 2221..=2720 => &[16],
        3400..=3499 | 3700..=3799 => &[15],
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => &[14, 16],
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 | 8100..=8171 => &[16, 17, 18, 19],
        2200..=2204 | 9792 => &[16],
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => &[13, 14, 15, 16, 17, 18, 19],
        _ => &[],
    };
    lengths.contains(&digits.len()) && digits.iter().any(|digit| *digit != digits[0])
}
