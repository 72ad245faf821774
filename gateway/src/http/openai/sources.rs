//! Passages as OpenAI's clients see them: where a document can be read, the place of a marker in the text, and what we tell beyond OpenAI's
//! fields, all in one field `ragline`.

use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use crate::{
    answer::{AnswerOutcome, Citation, Mark},
    http::{
        answers::CitationView,
        ids::{DocumentId, FileId},
    },
    traits::search::Match,
};

/// Keys of the metadata that may say where a document can be read.
const ADDRESSES: [&str; 2] = ["url", "source_url"];

/// Where a passage can be read: the document's own address where its metadata has one, else its place in this API.
pub(super) fn address(found: &Match) -> String {
    let said = ADDRESSES.iter().find_map(|key| found.metadata.get(*key)?.as_str());
    let usable = said.and_then(|text| Url::parse(text).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
    match (usable, found.file_id) {
        (Some(url), _) => url.to_string(),
        (None, Some(file)) => format!("/v1/files/{}/content", FileId(file)),
        (None, None) => format!("/v1/documents/{}", DocumentId(found.document_id)),
    }
}

/// A marker of the answer with what it names.
pub(super) struct Named<'a> {
    /// Characters before the marker.
    pub(super) start: usize,
    /// Characters up to its end.
    pub(super) end: usize,
    pub(super) source: &'a Match,
}

/// The markers of an answer whose passage is known, in the order of the text.
pub(super) fn named<'a>(text: &str, marks: &[Mark], citations: &'a [Citation]) -> Vec<Named<'a>> {
    let of = |mark: &Mark| {
        let source = &citations.iter().find(|citation| citation.number == mark.number)?.source;
        Some(Named { start: mark.at, end: end_of_marker(text, mark.at), source })
    };
    marks.iter().filter_map(of).collect()
}

/// The characters up to the end of the marker that begins after `at` of them.
fn end_of_marker(text: &str, at: usize) -> usize {
    let length = text.chars().skip(at).take_while(|&c| c != ']').count();
    at + length + usize::from(text.chars().nth(at + length).is_some())
}

/// What Ragline knows of an answer beyond OpenAI's fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RaglineView {
    /// The `query_id` of the log line.
    query_id: String,
    /// Whether the answer rests on passages; false for "I don't know".
    grounded: bool,
    /// 0 to 1: how sure it is that the passages carry an answer.
    confidence: f32,
    /// Whether the passages came from the cache.
    cache_hit: bool,
    /// What the answer cost by the price table; null when its model has no price.
    cost_usd: Option<f64>,
    /// How the passages were found.
    #[schema(example = "hybrid")]
    mode: &'static str,
    /// The passages that the answer's `[n]` name.
    citations: Vec<CitationView>,
}

impl RaglineView {
    pub(super) fn of(outcome: &AnswerOutcome) -> Self {
        Self {
            query_id: outcome.query_id.to_string(),
            grounded: outcome.grounded,
            confidence: outcome.confidence,
            cache_hit: outcome.cache_hit,
            cost_usd: outcome.cost_usd,
            mode: outcome.mode.label(),
            citations: outcome.citations.iter().cloned().map(Into::into).collect(),
        }
    }
}

/// What is known before a word is written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatFoundView {
    query_id: String,
    confidence: f32,
    /// The passages that the answer may cite.
    sources: Vec<CitationView>,
}

impl ChatFoundView {
    pub(super) fn of(query_id: uuid::Uuid, confidence: f32, sources: Vec<Citation>) -> Self {
        Self { query_id: query_id.to_string(), confidence, sources: sources.into_iter().map(Into::into).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_ends_with_its_bracket() {
        assert_eq!(end_of_marker("Über drei [1]. Ja [2, 3].", 10), 13);
        assert_eq!(end_of_marker("Über drei [1]. Ja [2, 3].", 18), 24);
        assert_eq!(end_of_marker("cut [1", 4), 6);
        assert_eq!(end_of_marker("", 4), 4);
    }
}
