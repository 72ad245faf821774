//! What the cache keeps of a search: a line that says what was found and how good it is, then a line for each passage. Without the
//! values of the search, a passage is the same bytes for every question, so that the cache can keep it once.

use bytes::Bytes;
use ragline_config::SearchMode;
use serde::{Deserialize, Serialize};

use super::{bill::Bill, matches::Matches};
use crate::traits::search::{Match, SearchPlan};

/// A search as it is remembered.
#[derive(Clone, Debug)]
pub struct Remembered {
    pub(super) matches: Matches,
    pub(super) mode: SearchMode,
    pub(super) plan: SearchPlan,
    /// The version that it is true of; not kept, since the key has it.
    pub(super) version: Option<i64>,
    /// What the language model spent on it, for the first who takes it; not kept.
    pub(super) bill: Bill,
}

/// The first line.
#[derive(Deserialize, Serialize)]
struct Head {
    mode: SearchMode,
    plan: SearchPlan,
    values: Vec<Values>,
}

/// What is true of a passage in this search alone: similarity, lexical, score, calibrated.
type Values = (Option<f32>, Option<f32>, Option<f32>, bool);

impl Remembered {
    /// The lines; JSON has no line breaks of its own. `None` for what is no JSON.
    pub(super) fn to_bytes(&self) -> Option<Bytes> {
        let values = self.matches.iter().map(|one| (one.similarity, one.lexical, one.score, one.calibrated)).collect();
        let mut bytes = serde_json::to_vec(&Head { mode: self.mode, plan: self.plan, values }).ok()?;
        for found in self.matches.iter() {
            bytes.push(b'\n');
            let plain = Match { similarity: None, lexical: None, score: None, calibrated: false, ..found.clone() };
            serde_json::to_writer(&mut bytes, &plain).ok()?;
        }
        Some(bytes.into())
    }

    /// `None` for bytes that are something else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let Head { mode, plan, values } = serde_json::from_slice(lines.next()?).ok()?;
        let passages: Vec<Match> = lines.map(serde_json::from_slice).collect::<Result<_, _>>().ok()?;
        if passages.len() != values.len() {
            return None;
        }
        let valued =
            |(passage, (similarity, lexical, score, calibrated))| Match { similarity, lexical, score, calibrated, ..passage };
        let matches: Vec<Match> = passages.into_iter().zip(values).map(valued).collect();
        Some(Self { matches: matches.into(), mode, plan, version: None, bill: Bill::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixtures::found;

    fn remembered(score: f32) -> Remembered {
        let matches = ["one\ntwo", "three"].map(|text| Match {
            score: Some(score),
            similarity: Some(0.1),
            calibrated: true,
            ..found(text)
        });
        let (mode, plan) = (SearchMode::Hybrid, SearchPlan::Exact);
        Remembered { matches: matches.to_vec().into(), mode, plan, version: Some(3), bill: Bill::default() }
    }

    #[test]
    fn what_was_found_is_read_as_it_was_written() {
        let before = remembered(0.734_251_6);
        let after = Remembered::from_bytes(&before.to_bytes().unwrap()).unwrap();
        assert_eq!((&*after.matches, after.mode, after.plan), (&*before.matches, before.mode, before.plan));
    }

    #[test]
    fn passages_are_the_same_bytes_in_every_search() {
        let lines = |score| -> Vec<Vec<u8>> {
            let bytes = remembered(score).to_bytes().unwrap();
            bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        };
        let (some, others) = (lines(0.1), lines(0.9));
        assert_eq!((some.len(), &some[1..]), (3, &others[1..]));
        assert_ne!(some[0], others[0]);
    }

    #[test]
    fn other_bytes_are_no_search() {
        let whole = remembered(0.5).to_bytes().unwrap();
        let cut = whole.split(|byte| *byte == b'\n').next().unwrap();
        for bytes in [b"".as_slice(), b"{}", b"value 1", cut] {
            assert!(Remembered::from_bytes(bytes).is_none());
        }
    }
}
