//! What is said to a reranking server and what it answers. Pure.

use ragline_config::RerankProvider;
use serde::{Deserialize, Serialize};

/// What a server speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Cohere,
    TextEmbeddingsInference,
}

/// A request in either dialect.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Request<'a> {
    Cohere { model: &'a str, query: &'a str, documents: &'a [&'a str], top_n: usize },
    TextEmbeddingsInference { query: &'a str, texts: &'a [&'a str], truncate: bool },
}

#[derive(Deserialize)]
struct CohereReply {
    results: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

impl Dialect {
    pub(super) fn of(provider: RerankProvider) -> Option<Self> {
        match provider {
            RerankProvider::Disabled => None,
            RerankProvider::Cohere => Some(Self::Cohere),
            RerankProvider::TextEmbeddingsInference => Some(Self::TextEmbeddingsInference),
        }
    }

    pub(super) fn request<'a>(self, model: &'a str, query: &'a str, documents: &'a [&'a str]) -> Request<'a> {
        match self {
            Self::Cohere => Request::Cohere { model, query, documents, top_n: documents.len() },
            // Without it a passage longer than the model sees fails the whole request; Cohere cuts by itself.
            Self::TextEmbeddingsInference => Request::TextEmbeddingsInference { query, texts: documents, truncate: true },
        }
    }

    /// The relevances in the order of the documents; one that a server leaves out is the least.
    pub(super) fn relevances(self, body: &[u8], documents: usize) -> Result<Vec<f32>, String> {
        let items = match self {
            Self::Cohere => serde_json::from_slice::<CohereReply>(body).map(|reply| reply.results),
            Self::TextEmbeddingsInference => serde_json::from_slice::<Vec<Item>>(body),
        };
        let items = items.map_err(|error| error.to_string())?;
        let mut relevances: Vec<Option<f32>> = vec![None; documents];
        for Item { index, score } in items {
            match relevances.get_mut(index) {
                Some(place @ None) => *place = Some(score),
                Some(Some(_)) => return Err(format!("document {index} comes twice")),
                None => return Err(format!("there is a document {index} for {documents}")),
            }
        }
        if relevances.iter().all(Option::is_none) && documents > 0 {
            return Err("it ranks nothing".to_owned());
        }
        Ok(relevances.into_iter().map(|relevance| relevance.unwrap_or(f32::MIN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_dialect_has_its_request() {
        let cohere = serde_json::to_value(Dialect::Cohere.request("m", "q", &["a", "b"])).unwrap();
        assert_eq!(cohere, json!({"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2}));
        let tei = serde_json::to_value(Dialect::TextEmbeddingsInference.request("m", "q", &["a"])).unwrap();
        assert_eq!(tei, json!({"query": "q", "texts": ["a"], "truncate": true}));
    }

    #[test]
    fn a_reply_is_put_in_the_order_of_the_documents() {
        let cohere = br#"{"id": "x", "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}"#;
        assert_eq!(Dialect::Cohere.relevances(cohere, 3).unwrap(), [0.1, f32::MIN, 0.9]);
        let tei = br#"[{"index": 1, "score": 4.5}, {"index": 0, "score": -2.0}]"#;
        assert_eq!(Dialect::TextEmbeddingsInference.relevances(tei, 2).unwrap(), [-2.0, 4.5]);
    }

    #[test]
    fn a_reply_that_cannot_be_meant_is_refused() {
        let cases = [
            (r#"[{"index": 0, "score": 1}, {"index": 0, "score": 2}]"#, "document 0 comes twice"),
            (r#"[{"index": 5, "score": 1}]"#, "there is a document 5 for 2"),
            ("[]", "it ranks nothing"),
        ];
        for (body, expected) in cases {
            assert_eq!(Dialect::TextEmbeddingsInference.relevances(body.as_bytes(), 2).unwrap_err(), expected);
        }
        assert!(Dialect::Cohere.relevances(b"<html>", 2).is_err());
    }
}
