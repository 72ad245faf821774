//! A ranking by length, and the passages of the documents in memory.

use async_trait::async_trait;
use ragline_gateway::{
    answer::{RankError, RankRequest, Ranked, RankedBy},
    http::state::Ranking,
    traits::{
        passages::PassageStore,
        reranker::RerankError,
        search::{StoreError, WorkspaceId},
    },
};
use uuid::Uuid;

use crate::http_fakes::FakeStore;

/// The longer a text, the more relevant. A query `away` finds the model away.
#[derive(Debug)]
pub(crate) struct LongestFirst;

#[async_trait]
impl Ranking for LongestFirst {
    fn model(&self) -> Option<&str> {
        Some("length")
    }

    async fn rank(&self, request: RankRequest) -> Result<Ranked, RankError> {
        let RankRequest { query, documents, tokens_per_document } = request;
        if query == "away" {
            let error = RerankError::Unreachable { host: "models.internal".into(), source: "switched off".into() };
            return Err(RankError::Rerank(error));
        }
        let relevance = documents.iter().map(|text| text.len() as f32 / 100.0).collect();
        Ok(Ranked { relevance, by: RankedBy::Reranker, tokens: tokens_per_document as u64 })
    }
}

#[async_trait]
impl PassageStore for FakeStore {
    async fn texts(&self, workspace: WorkspaceId, document: Uuid, from: u32, limit: u32) -> Result<Vec<String>, StoreError> {
        let inner = self.inner();
        let found = inner.documents.iter().find(|one| one.workspace == workspace && one.view.id == document);
        let texts = found.into_iter().flat_map(|one| &one.chunks).map(|chunk| chunk.text.clone());
        Ok(texts.skip(from as usize).take(limit as usize).collect())
    }
}
