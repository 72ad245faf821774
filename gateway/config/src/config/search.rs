//! How passages are found.

use serde::{Deserialize, Serialize};

/// Defaults of a search, and how its two legs become one list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Search {
    /// How a search that names no mode finds its passages.
    pub mode: SearchMode,
    /// Results of a search that names no limit, 1 to 100.
    pub limit: u32,
    /// Passages that an answer is made of, 1 to 20.
    pub answer_limit: u32,
    pub fusion: Fusion,
    pub expansion: Expansion,
}

/// How passages are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SearchMode {
    /// By meaning: the nearest vectors.
    Vector,
    /// By words: BM25.
    Lexical,
    /// By both, fused.
    #[default]
    Hybrid,
}

impl SearchMode {
    /// Every mode, in the order in which people are told of them.
    pub const ALL: [Self; 3] = [Self::Vector, Self::Lexical, Self::Hybrid];

    /// The word for it in the API and in this file.
    pub fn label(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Lexical => "lexical",
            Self::Hybrid => "hybrid",
        }
    }

    /// The mode of a word, `None` for any other.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.label() == label)
    }
}

/// How the two legs of a hybrid search become one list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fusion {
    pub method: FusionMethod,
    /// What the search by vector counts, 0 to 1.
    pub vector_weight: f32,
    /// What the search by words counts, 0 to 1. Only its relation to the other weight matters.
    pub lexical_weight: f32,
    /// `reciprocalRank` alone, 1 to 1000: the larger, the less the first places stand out.
    pub k: u32,
}

/// What a place in a leg is worth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FusionMethod {
    /// The leg's own value, scaled so that its best hit has 1 and its last 0.
    #[default]
    RelativeScore,
    /// 1 / (k + place).
    ReciprocalRank,
}

/// Searching for more than the words of the question.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Expansion {
    pub method: ExpansionMethod,
    /// `feedback` alone: passages of the first search by words that terms are taken from, 1 to 20.
    pub passages: u32,
    /// `feedback` alone: terms that are added to the question, 1 to 50.
    pub terms: u32,
    /// `generator` alone: other wordings that are searched beside the question, 1 to 5.
    pub queries: u32,
}

/// Where the further words come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExpansionMethod {
    #[default]
    Disabled,
    /// From the best passages of a first search by words; needs no model.
    Feedback,
    /// The language model words the question otherwise.
    Generator,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            mode: SearchMode::default(),
            limit: 10,
            answer_limit: 5,
            fusion: Fusion::default(),
            expansion: Expansion::default(),
        }
    }
}

impl Default for Expansion {
    fn default() -> Self {
        Self { method: ExpansionMethod::default(), passages: 5, terms: 10, queries: 3 }
    }
}

impl Default for Fusion {
    fn default() -> Self {
        Self { method: FusionMethod::default(), vector_weight: 0.5, lexical_weight: 0.5, k: 10 }
    }
}
