//! The one tool there is: `file_search`.

use ragline_config::SearchMode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    answer::Preference,
    http::{
        answers::MOST_PASSAGES,
        error::{ApiError, ErrorCode},
        filter::{self, FilterView},
        openai::{
            parameters::unsupported,
            retrieval::{Retrieving, stores},
        },
    },
    traits::{filter::Filter, ingest::Metadata},
};

/// Passages that the tool may be asked for.
const MOST_RESULTS: u32 = 50;
/// Names of rankers that mean the pipeline's own.
const RANKERS: [&str; 3] = ["auto", "default-2024-11-15", "none"];

/// Looks for passages in vector stores.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSearchBody {
    #[serde(rename = "type")]
    #[schema(example = "file_search")]
    kind: String,
    /// 1 to 32.
    vector_store_ids: Vec<String>,
    /// Only passages that pass: a condition or `and` and `or` of conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FilterView>)]
    filters: Option<Metadata>,
    /// 1 to 50; an answer is made of 20 at most. The pipeline's `search.answerLimit` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_num_results: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking_options: Option<RankingBody>,
}

/// How passages are ranked.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankingBody {
    /// `auto` and `default-2024-11-15` are the pipeline's own; `none` leaves its reranking model out, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ranker: Option<String>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    score_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hybrid_search: Option<HybridBody>,
}

/// What meaning and words count when both are searched by, by their relation alone; with 0 for one, the other is searched by alone.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HybridBody {
    embedding_weight: f64,
    text_weight: f64,
}

/// Reads the tools of a request: none, or one `file_search`.
pub(super) fn checked(tools: Option<Vec<Value>>) -> Result<Option<(FileSearchBody, Retrieving)>, ApiError> {
    let tools = tools.unwrap_or_default();
    for (place, tool) in tools.iter().enumerate() {
        if tool["type"] != "file_search" {
            return Err(unsupported(&format!("tools[{place}]"), "file_search is the only tool"));
        }
    }
    let Some(tool) = tools.first() else { return Ok(None) };
    if tools.len() > 1 {
        return Err(ApiError::invalid("tools", "tools has file_search twice; name all vector stores in one"));
    }
    let tool = read(tool)?;
    let retrieving = tool.retrieving()?;
    Ok(Some((tool, retrieving)))
}

fn read(tool: &Value) -> Result<FileSearchBody, ApiError> {
    serde_path_to_error::deserialize(tool).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => "tools[0]".to_owned(),
            path => format!("tools[0].{path}"),
        };
        let said = error.inner().to_string();
        let code = match said.as_str() {
            said if said.starts_with("unknown field") => ErrorCode::UnknownField,
            said if said.starts_with("missing field") => ErrorCode::MissingField,
            _ => ErrorCode::InvalidValue,
        };
        ApiError::new(code, format!("{path}: {said}")).of(path)
    })
}

impl FileSearchBody {
    fn retrieving(&self) -> Result<Retrieving, ApiError> {
        let Self { kind: _, vector_store_ids, filters, max_num_results, ranking_options } = self;
        let stores = stores("tools[0].vector_store_ids", vector_store_ids)?;
        let filter = filter::parse("tools[0].filters", filters.clone())?;
        if matches!(filter, Some(Filter::Contains(_))) {
            let message = "tools[0].filters must be a condition with type, key and value, or and or or with filters";
            return Err(ApiError::invalid("tools[0].filters", message));
        }
        if let Some(wanted) = max_num_results.filter(|wanted| !(1..=MOST_RESULTS).contains(wanted)) {
            let message = format!("tools[0].max_num_results is {wanted}; it must be 1 to {MOST_RESULTS}");
            return Err(ApiError::invalid("tools[0].max_num_results", message));
        }
        let limit = max_num_results.map(|wanted| wanted.min(MOST_PASSAGES));
        let found = Retrieving { limit, filter, stores, ..Retrieving::default() };
        ranking_options.as_ref().map_or(Ok(found.clone()), |ranking| ranking.applied(found))
    }
}

impl RankingBody {
    fn applied(&self, found: Retrieving) -> Result<Retrieving, ApiError> {
        let invalid = |field: &str, what: &str| {
            let param = format!("tools[0].ranking_options.{field}");
            ApiError::invalid(&param, format!("{param} {what}"))
        };
        let Self { ranker, score_threshold, hybrid_search } = self;
        if ranker.as_ref().is_some_and(|ranker| !RANKERS.contains(&ranker.as_str())) {
            return Err(invalid("ranker", "must be auto or default-2024-11-15"));
        }
        if score_threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err(invalid("score_threshold", "must be 0 to 1"));
        }
        let (mode, weights) = match hybrid_search {
            None => (None, None),
            Some(HybridBody { embedding_weight: meaning, text_weight: words }) => {
                let most = meaning.max(*words);
                if *meaning < 0.0 || *words < 0.0 || most <= 0.0 {
                    return Err(invalid("hybrid_search", "must have weights of 0 or more, and one above 0"));
                }
                match (*meaning, *words) {
                    (_, 0.0) => (Some(SearchMode::Vector), None),
                    (0.0, _) => (Some(SearchMode::Lexical), None),
                    (meaning, words) => (Some(SearchMode::Hybrid), Some([meaning, words].map(|weight| (weight / most) as f32))),
                }
            }
        };
        let threshold = score_threshold.filter(|threshold| *threshold > 0.0).map(|threshold| threshold as f32);
        let without_reranker = ranker.as_deref() == Some("none");
        Ok(Retrieving { mode, threshold, preference: Preference { without_reranker, weights }, ..found })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STORE: &str = "vs_0198f2a4-7b12-7e44-9a03-1c2d3e4f5a6b";

    fn tool(extra: Value) -> Result<Retrieving, ApiError> {
        let mut tool = json!({"type": "file_search", "vector_store_ids": [STORE]});
        tool.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        checked(Some(vec![tool])).map(|found| found.unwrap().1)
    }

    #[test]
    fn the_tool_says_what_to_look_for() {
        let ranking =
            json!({"ranker": "auto", "score_threshold": 0.5, "hybrid_search": {"embedding_weight": 1, "text_weight": 0}});
        let filters = json!({"type": "eq", "key": "team", "value": "legal"});
        let found = tool(json!({"max_num_results": 50, "filters": filters, "ranking_options": ranking})).unwrap();
        assert_eq!((found.limit, found.threshold, found.mode), (Some(20), Some(0.5), Some(SearchMode::Vector)));
        assert_eq!((found.stores.ids.len(), found.filter.is_some()), (1, true));
    }

    #[test]
    fn weights_count_by_their_relation() {
        let found = |meaning: f64, words: f64, ranker: &str| {
            let hybrid = json!({"embedding_weight": meaning, "text_weight": words});
            let found = tool(json!({"ranking_options": {"ranker": ranker, "hybrid_search": hybrid}})).unwrap();
            (found.mode, found.preference)
        };
        let preference = |without_reranker, weights| Preference { without_reranker, weights };
        assert_eq!(found(1.0, 4.0, "auto"), (Some(SearchMode::Hybrid), preference(false, Some([0.25, 1.0]))));
        assert_eq!(found(1e308, 1e308, "none"), (Some(SearchMode::Hybrid), preference(true, Some([1.0, 1.0]))));
        assert_eq!(found(0.0, 2.0, "none"), (Some(SearchMode::Lexical), preference(true, None)));
    }

    #[test]
    fn what_the_tool_cannot_do_is_named() {
        let ranking = |ranking: Value| json!({"ranking_options": ranking});
        let cases = [
            (json!({"vector_store_ids": []}), ErrorCode::InvalidValue, "tools[0].vector_store_ids"),
            (json!({"vector_store_ids": ["x"]}), ErrorCode::VectorStoreNotFound, "tools[0].vector_store_ids"),
            (json!({"max_num_results": 51}), ErrorCode::InvalidValue, "tools[0].max_num_results"),
            (json!({"filters": {"team": "legal"}}), ErrorCode::InvalidValue, "tools[0].filters"),
            (json!({"filterz": {}}), ErrorCode::UnknownField, "tools[0].filterz"),
            (ranking(json!({"ranker": "x"})), ErrorCode::InvalidValue, "tools[0].ranking_options.ranker"),
            (ranking(json!({"score_threshold": 2})), ErrorCode::InvalidValue, "tools[0].ranking_options.score_threshold"),
            (
                ranking(json!({"hybrid_search": {"embedding_weight": 0, "text_weight": 0}})),
                ErrorCode::InvalidValue,
                "tools[0].ranking_options.hybrid_search",
            ),
            (
                ranking(json!({"hybrid_search": {"embedding_weight": -1, "text_weight": 2}})),
                ErrorCode::InvalidValue,
                "tools[0].ranking_options.hybrid_search",
            ),
        ];
        for (extra, code, param) in cases {
            let error = tool(extra.clone()).unwrap_err();
            assert_eq!((error.code, error.param.as_deref()), (code, Some(param)), "{extra}: {}", error.message);
        }
        let error = checked(Some(vec![json!({"type": "function", "name": "f"})])).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (ErrorCode::UnsupportedParameter, Some("tools[0]")));
        assert!(checked(None).unwrap().is_none());
    }
}
