//! Which passages a search may return, by their metadata: what the document is (source, filename, title, content_type, created_at,
//! updated_at), the document's metadata on top, and the chunk's on top of both. [`Filter::holds`] is the meaning; the store's SQL
//! is held to it by a test.

mod holds;

use serde::Serialize;

use super::{ingest::Metadata, search::CollectionId};

/// A condition on metadata.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The metadata contain this object, as PostgreSQL's `@>` has it. What the document is by itself is no part of them here.
    Contains(Metadata),
    /// The value of a key of the outermost object. One value of a list is enough, so `Ne` and `Nin` want none that is equal; a
    /// passage without the key passes these two alone.
    Compare { key: String, comparison: Comparison },
    /// Every one holds. Without any: holds.
    All(Vec<Filter>),
    /// One at least holds. Without any: does not hold.
    Any(Vec<Filter>),
    /// The passage is of one of these collections.
    Within(Vec<CollectionId>),
}

/// How a value is compared. A value of another type is unequal, and neither greater nor less. Texts are in the order of their code
/// points, and false is less than true.
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

impl Scalar {
    /// A string, a number or a boolean; `None` for null, a list and an object.
    pub fn of(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Bool(truth) => Some(Self::Bool(*truth)),
            serde_json::Value::Number(number) => number.as_f64().map(Self::Number),
            serde_json::Value::String(text) => Some(Self::Text(text.clone())),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        }
    }
}

impl Filter {
    /// The same bytes for the same condition, for keys of caches.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("a filter has keys of text and finite numbers")
    }

    /// What passes the filter and is of one of these collections; without any: of whichever.
    pub fn within(collections: &[CollectionId], filter: Option<Self>) -> Option<Self> {
        if collections.is_empty() {
            return filter;
        }
        let within = Self::Within(collections.to_vec());
        Some(match filter {
            Some(filter) => Self::All(vec![within, filter]),
            None => within,
        })
    }

    /// Lets everything pass, whatever the metadata.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Contains(object) => object.is_empty(),
            Self::All(filters) => filters.iter().all(Self::is_empty),
            Self::Compare { .. } | Self::Any(_) | Self::Within(_) => false,
        }
    }
}
