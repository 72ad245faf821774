//! Which passages an answer is made of: the field `retrieval` of a chat, and what the tool `file_search` says.

use ragline_config::SearchMode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{store_files::expired, vector_stores::find};
use crate::{
    answer::{AnswerRequest, Preference},
    http::{
        answers::MOST_PASSAGES,
        error::{ApiError, ErrorCode},
        filter::{self, FilterView},
        ids::VectorStoreId,
        search::{check_limit, check_threshold, checked_mode},
        state::ApiState,
    },
    traits::{filter::Filter, ingest::Metadata, search::Principal},
};

/// Vector stores of one request.
const MOST_STORES: usize = 32;

/// Which passages to answer from.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrievalBody {
    /// Passages to answer from, 1 to 20; the pipeline's `search.answerLimit` when absent.
    #[schema(minimum = 1, maximum = 20)]
    limit: Option<u32>,
    /// `vector`, `lexical` or `hybrid`; the pipeline's `search.mode` when absent.
    mode: Option<String>,
    /// Only passages that pass.
    #[schema(value_type = Option<FilterView>)]
    filter: Option<Metadata>,
    /// Leave passages out whose score is lower, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    threshold: Option<f32>,
    /// Only passages of these vector stores, at most 32; of the whole workspace when absent.
    vector_store_ids: Option<Vec<String>>,
}

/// The same, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Retrieving {
    pub(super) limit: Option<u32>,
    pub(super) mode: Option<SearchMode>,
    pub(super) filter: Option<Filter>,
    pub(super) threshold: Option<f32>,
    pub(super) stores: Stores,
    pub(super) preference: Preference,
}

/// Vector stores, and the parameter that names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Stores {
    param: &'static str,
    pub(super) ids: Vec<Uuid>,
}

impl RetrievalBody {
    pub(super) fn checked(self) -> Result<Retrieving, ApiError> {
        let Self { limit, mode, filter, threshold, vector_store_ids } = self;
        let mode = checked_mode(mode.as_deref())?;
        check_limit(limit, MOST_PASSAGES)?;
        check_threshold(threshold)?;
        let filter = filter::parse("retrieval.filter", filter)?;
        let stores = match vector_store_ids {
            Some(ids) => stores("retrieval.vector_store_ids", &ids)?,
            None => Stores::default(),
        };
        Ok(Retrieving { limit, mode, filter, threshold, stores, preference: Preference::default() })
    }
}

/// Reads the ids of vector stores, one at least.
pub(super) fn stores(param: &'static str, ids: &[String]) -> Result<Stores, ApiError> {
    if !(1..=MOST_STORES).contains(&ids.len()) {
        return Err(ApiError::invalid(param, format!("{param} has {} ids; it must have 1 to {MOST_STORES}", ids.len())));
    }
    let read = |id: &String| id.parse::<VectorStoreId>().map(|id| id.0).map_err(|_| unknown_store(param, id));
    Ok(Stores { param, ids: ids.iter().map(read).collect::<Result<_, _>>()? })
}

fn unknown_store(param: &str, id: &str) -> ApiError {
    // What was sent may be long; what is sent back is not.
    let id: String = id.chars().take(64).collect();
    ApiError::new(ErrorCode::VectorStoreNotFound, format!("there is no vector store {id:?}")).of(param)
}

/// Why a store cannot be searched.
async fn unsearchable(state: &ApiState, principal: &Principal, id: VectorStoreId) -> ApiError {
    match find(state, principal, id).await {
        Ok(_) => expired(),
        Err(error) => error,
    }
}

impl Retrieving {
    /// Narrows a question down.
    pub(super) async fn apply(
        self,
        state: &ApiState,
        principal: &Principal,
        request: AnswerRequest,
    ) -> Result<AnswerRequest, ApiError> {
        let Self { limit, mode, filter, threshold, stores, preference } = self;
        let Stores { param, ids } = stores;
        let mut collections = Vec::with_capacity(ids.len());
        if !ids.is_empty() {
            let found = state.parts.vector_stores.collections(principal.workspace, &ids).await?;
            for (id, collection) in ids.into_iter().zip(found) {
                match collection {
                    Some(collection) => collections.push(collection),
                    None => return Err(unsearchable(state, principal, VectorStoreId(id)).await.of(param)),
                }
            }
        }
        Ok(AnswerRequest { limit, mode, filter, threshold, collections, preference, ..request })
    }
}
