//! `POST /v1/rerank` and `/v2/rerank`: texts that the caller brings, by relevance. In the shape that Cohere's and Jina's clients speak.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::JsonBody,
    error::{ApiError, ErrorBody, ErrorCode},
    search::check_question,
    state::ApiState,
};
use crate::answer::{RankRequest, Ranked, RankedBy};

/// Texts of one request.
const MOST_DOCUMENTS: usize = 1_000;
/// Tokens of a text that are looked at when the request does not say, and at most.
const TOKENS_PER_DOCUMENT: u32 = 4_096;
const MOST_TOKENS_PER_DOCUMENT: u32 = 100_000;
/// Characters of an unknown model that its refusal repeats.
const MOST_MODEL_CHARS: usize = 100;
/// Texts that Cohere bills as one search.
const DOCUMENTS_PER_SEARCH_UNIT: usize = 100;

/// Texts to be ranked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "query": "How long is the notice period?",
    "documents": ["The notice period is three months.", {"text": "Lunch is at noon."}],
    "top_n": 1,
    "return_documents": true
}))]
pub(super) struct RerankBody {
    /// What the texts are ranked by, at most 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    query: String,
    /// 1 to 1,000 texts.
    #[schema(value_type = Vec<RerankDocument>, min_items = 1, max_items = 1_000)]
    documents: Vec<Value>,
    /// The model that `GET /v1/models` or a refusal names; the pipeline's one when absent. Another is refused.
    model: Option<String>,
    /// Results wanted; all when absent.
    #[schema(minimum = 1)]
    top_n: Option<u32>,
    /// Whether each result repeats its text.
    return_documents: Option<bool>,
    /// Tokens of a text that are looked at, 1 to 100,000; 4,096 when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    max_tokens_per_doc: Option<u32>,
    /// Refused: a text is a string or has a field `text`.
    #[schema(value_type = Option<Vec<String>>, max_items = 0)]
    rank_fields: Option<Value>,
    /// Accepted for the sake of clients and ignored: a text is always looked at in pieces, of which the best counts.
    #[expect(dead_code, reason = "a field of Cohere's request that means nothing here")]
    max_chunks_per_doc: Option<u32>,
    /// Accepted for the sake of clients and ignored.
    #[expect(dead_code, reason = "a field of Cohere's request that means nothing here")]
    priority: Option<u32>,
}

/// A text, or an object with one; its other fields are ignored.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(super) enum RerankDocument {
    Bare(String),
    Object(RerankText),
}

/// An object with a text.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankText {
    #[schema(example = "The notice period is three months.")]
    pub text: String,
}

/// The texts by relevance.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankView {
    #[schema(example = "0198f2a4-52c5-7d8e-9c51-3f0f8b2f6a10")]
    pub id: String,
    #[schema(example = "list")]
    pub object: String,
    /// The model that ranked.
    #[schema(example = "all-MiniLM-L6-v2")]
    pub model: String,
    /// The most relevant first; equally relevant ones in the order in which they came.
    pub results: Vec<RerankResult>,
    pub usage: RerankUsage,
    pub meta: RerankMeta,
}

/// A text's relevance.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankResult {
    /// The text's place in the request, from 0.
    pub index: usize,
    /// 0 to 1 from an embedding model; from a reranking model what it gives.
    #[schema(example = 0.87)]
    pub relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<RerankText>,
}

/// Tokens that were looked at.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankUsage {
    pub total_tokens: u64,
}

/// How it was ranked.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankMeta {
    pub api_version: RerankVersion,
    pub billed_units: RerankUnits,
    /// `reranker`: the pipeline's reranking model; `embedding`: the cosine of its embedding model, as a score from 0 to 1.
    #[schema(example = "embedding")]
    pub ranked_by: String,
    /// Whether the scores rest on measurements of the embedding model; absent for a reranking model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<bool>,
}

/// The version whose shape this is.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankVersion {
    #[schema(example = "2")]
    pub version: String,
}

/// What Cohere would bill; nothing is billed here.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RerankUnits {
    /// One for each hundred texts begun.
    pub search_units: usize,
}

/// Ranks texts by their relevance to a query.
#[utoipa::path(post, path = "/v1/rerank", tag = "search", request_body = RerankBody,
    responses((status = 200, body = RerankView), (status = 404, body = ErrorBody), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody)))]
pub(super) async fn rerank(
    State(state): State<Arc<ApiState>>,
    JsonBody(body): JsonBody<RerankBody>,
) -> Result<Json<RerankView>, ApiError> {
    rank(&state, body).await
}

/// The same as `/v1/rerank`, where Cohere's newer clients look for it.
#[utoipa::path(post, path = "/v2/rerank", tag = "search", request_body = RerankBody,
    responses((status = 200, body = RerankView), (status = 404, body = ErrorBody), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody)))]
pub(super) async fn rerank_v2(
    State(state): State<Arc<ApiState>>,
    JsonBody(body): JsonBody<RerankBody>,
) -> Result<Json<RerankView>, ApiError> {
    rank(&state, body).await
}

async fn rank(state: &ApiState, body: RerankBody) -> Result<Json<RerankView>, ApiError> {
    let ranking = &state.parts.ranking;
    let model = ranking.model();
    check_model(model, body.model.as_deref())?;
    let model = model.map(str::to_owned).or_else(|| body.model.clone()).unwrap_or_else(|| "reranker".to_owned());
    let (top, repeat) = (body.top_n, body.return_documents == Some(true));
    let request = checked(body)?;
    let documents = if repeat { request.documents.clone() } else { Vec::new() };
    let count = request.documents.len();
    let Ranked { relevance, by, tokens } = ranking.rank(request).await?;
    let order = ordered(&relevance, top.map_or(count, |top| top as usize));
    let result = |index: usize| RerankResult {
        index,
        relevance_score: relevance[index],
        document: documents.get(index).map(|text| RerankText { text: text.clone() }),
    };
    let (ranked_by, calibrated) = match by {
        RankedBy::Reranker => ("reranker", None),
        RankedBy::Embedding { calibrated } => ("embedding", Some(calibrated)),
    };
    Ok(Json(RerankView {
        id: Uuid::now_v7().to_string(),
        object: "list".into(),
        model,
        results: order.into_iter().map(result).collect(),
        usage: RerankUsage { total_tokens: tokens },
        meta: RerankMeta {
            api_version: RerankVersion { version: "2".into() },
            billed_units: RerankUnits { search_units: count.div_ceil(DOCUMENTS_PER_SEARCH_UNIT) },
            ranked_by: ranked_by.into(),
            calibrated,
        },
    }))
}

/// The places of the most relevant texts; equal ones as they came.
fn ordered(relevance: &[f32], top: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..relevance.len()).collect();
    order.sort_by(|a, b| relevance[*b].total_cmp(&relevance[*a]));
    order.truncate(top);
    order
}

fn check_model(ours: Option<&str>, asked: Option<&str>) -> Result<(), ApiError> {
    match (ours, asked) {
        (Some(ours), Some(asked)) if ours != asked => {
            // What was sent may be long; what is sent back is not.
            let asked: String = asked.chars().take(MOST_MODEL_CHARS).collect();
            let message = format!("there is no model {asked:?} here; this pipeline ranks with {ours:?}");
            Err(ApiError::new(ErrorCode::ModelNotFound, message).of("model"))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn checked(body: RerankBody) -> Result<RankRequest, ApiError> {
    let RerankBody { query, documents, top_n, max_tokens_per_doc, rank_fields, .. } = body;
    check_question("query", &query)?;
    if rank_fields.is_some_and(|fields| fields.as_array().is_none_or(|fields| !fields.is_empty())) {
        let message = "rank_fields is not offered; send each document as a string, or as an object with a field `text`";
        return Err(ApiError::invalid("rank_fields", message));
    }
    if documents.is_empty() || documents.len() > MOST_DOCUMENTS {
        let message = format!("documents has {} texts; it must have 1 to {MOST_DOCUMENTS}", documents.len());
        return Err(ApiError::invalid("documents", message));
    }
    if top_n == Some(0) {
        return Err(ApiError::invalid("top_n", "top_n is 0; it must be 1 at least"));
    }
    let tokens = max_tokens_per_doc.unwrap_or(TOKENS_PER_DOCUMENT);
    if !(1..=MOST_TOKENS_PER_DOCUMENT).contains(&tokens) {
        let message = format!("max_tokens_per_doc is {tokens}; it must be 1 to {MOST_TOKENS_PER_DOCUMENT}");
        return Err(ApiError::invalid("max_tokens_per_doc", message));
    }
    let documents = documents.into_iter().enumerate().map(text).collect::<Result<_, _>>()?;
    Ok(RankRequest { query, documents, tokens_per_document: tokens as usize })
}

fn text((index, document): (usize, Value)) -> Result<String, ApiError> {
    let param = format!("documents[{index}]");
    let text = match document {
        Value::String(text) => text,
        Value::Object(mut fields) => match fields.remove("text") {
            Some(Value::String(text)) => text,
            Some(_) | None => return Err(ApiError::invalid(&param, format!("{param} has no string `text`"))),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(ApiError::invalid(&param, format!("{param} is neither a string nor an object with a field `text`")));
        }
    };
    if text.trim().is_empty() {
        return Err(ApiError::invalid(&param, format!("{param} is empty")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_relevant_come_first_and_equal_ones_as_they_came() {
        assert_eq!(ordered(&[0.2, 0.9, 0.2, 0.5], 4), [1, 3, 0, 2]);
        assert_eq!(ordered(&[0.2, 0.9, 0.2, 0.5], 2), [1, 3]);
        assert_eq!(ordered(&[0.2], 9), [0]);
    }
}
