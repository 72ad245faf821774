//! One condition's content, before it is compared with what was said before.

use ragline_crds::{ConditionType, Reason};

/// Longest message of a condition, in bytes.
const MESSAGE_BYTES: usize = 1_024;
/// Longest quotation of what others say: Kubernetes, another operator, or a container with its last words.
pub(super) const WORDS_BYTES: usize = 400;

/// A condition's status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        match word {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// What is to be said of one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Judgement {
    pub(super) truth: Truth,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// Whether a person must do something.
    pub(super) stalled: bool,
}

/// A judgement with what it is about.
pub(super) type Judged = (ConditionType, Judgement);

impl Judgement {
    pub(super) fn new(truth: Truth, reason: Reason, message: &str) -> Self {
        Self { truth, reason, message: shortened(message, MESSAGE_BYTES), stalled: false }
    }

    pub(super) fn stalled(self) -> Self {
        Self { stalled: true, ..self }
    }
}

/// What others say, as it stands in a message.
pub(super) fn quoted(words: &str) -> String {
    shortened(words, WORDS_BYTES)
}

/// The text, cut between characters where it is too long.
pub(super) fn shortened(text: &str, bytes: usize) -> String {
    let text = text.trim();
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(bytes)]) }
}
