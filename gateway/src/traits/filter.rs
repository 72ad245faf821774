//! Which passages a search may return, by their metadata: the document's with the chunk's on top.

use serde::Serialize;

use super::ingest::Metadata;

/// A condition on metadata.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The metadata contain this object.
    Contains(Metadata),
    /// The value of a key of the outermost object; a passage without the key passes `Ne` and `Nin` alone.
    Compare { key: String, comparison: Comparison },
    /// Every one holds. Without any: holds.
    All(Vec<Filter>),
    /// One at least holds. Without any: does not hold.
    Any(Vec<Filter>),
}

/// How a value is compared. A value of another type is unequal, and neither greater nor less.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Eq(Scalar),
    Ne(Scalar),
    Gt(Scalar),
    Gte(Scalar),
    Lt(Scalar),
    Lte(Scalar),
    In(Vec<Scalar>),
    Nin(Vec<Scalar>),
}

/// A value that can be compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Number(f64),
    Text(String),
}

impl From<Metadata> for Filter {
    fn from(metadata: Metadata) -> Self {
        Self::Contains(metadata)
    }
}

impl Filter {
    /// The same bytes for the same condition, for keys of caches.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("a filter has keys of text and finite numbers")
    }
}
