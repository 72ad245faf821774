//! Documents in memory, published when their job's item has ended.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::Utc;
use ragline_gateway::traits::{
    ingest::{Claim, Document, DocumentPage, DocumentStore, Hash, JobStatus, NewDocument, Published, Rechunk, StagedChunk},
    search::{StoreError, WorkspaceId},
};
use uuid::Uuid;

use crate::http_fakes::{FakeDocument, FakeStore};

#[async_trait]
impl DocumentStore for FakeStore {
    async fn is_unchanged(&self, claim: &Claim, fingerprint: &Hash) -> Result<Option<Uuid>, StoreError> {
        let inner = self.here()?;
        let same = |document: &&FakeDocument| {
            document.workspace == claim.workspace
                && document.view.source == claim.source
                && document.view.metadata == claim.metadata
                && document.content_hash == claim.content_hash
                && document.fingerprint == *fingerprint
        };
        Ok(inner.documents.iter().find(same).map(|document| document.view.id))
    }

    async fn complete_unchanged(&self, claim: &Claim, document: Uuid) -> Result<(), StoreError> {
        self.held(claim, |item| {
            item.view.status = JobStatus::Completed;
            item.view.document_id = Some(document);
            item.lease = None;
        })
    }

    async fn embedded(&self, workspace: WorkspaceId, hashes: &[Hash]) -> Result<HashSet<Hash>, StoreError> {
        let inner = self.here()?;
        let stored =
            inner.documents.iter().filter(|document| document.workspace == workspace).flat_map(|document| &document.chunks);
        Ok(stored.map(|chunk| chunk.content_hash).filter(|hash| hashes.contains(hash)).collect())
    }

    async fn stage(&self, claim: &Claim, chunks: Vec<StagedChunk>) -> Result<(), StoreError> {
        self.held(claim, |_| {})?;
        self.here()?.staged.entry(claim.item_id).or_default().extend(chunks);
        Ok(())
    }

    async fn publish(&self, claim: &Claim, document: NewDocument, fingerprint: &Hash) -> Result<Published, StoreError> {
        let mut chunks = self.here()?.staged.remove(&claim.item_id).unwrap_or_default();
        chunks.extend(document.rest);
        let id = Uuid::now_v7();
        let published = Published {
            document_id: id,
            chunks: chunks.len() as u32,
            reused: chunks.iter().filter(|chunk| chunk.windows.is_none()).count() as u32,
        };
        self.held(claim, |item| {
            item.view.status = JobStatus::Completed;
            item.view.reason = None;
            item.view.document_id = Some(id);
            (item.view.chunks_done, item.view.chunks_total) = (published.chunks, Some(published.chunks));
            item.lease = None;
        })?;
        let view = Document {
            id,
            source: claim.source.clone(),
            content_type: document.content_type,
            title: document.title,
            metadata: claim.metadata.clone(),
            size_bytes: claim.size_bytes,
            chunks: published.chunks,
            chunking_fingerprint: *fingerprint,
            has_bytes: true,
            created_at: Utc::now(),
            updated_at: Utc::now(),
        };
        let mut inner = self.here()?;
        inner.documents.retain(|old| old.workspace != claim.workspace || old.view.source != claim.source);
        let (workspace, content_hash, fingerprint) = (claim.workspace, claim.content_hash, *fingerprint);
        inner.documents.push(FakeDocument { workspace, view, chunks, content_hash, fingerprint });
        Ok(published)
    }

    async fn list(&self, workspace: WorkspaceId, after: Option<Uuid>, limit: u32) -> Result<DocumentPage, StoreError> {
        let inner = self.here()?;
        let ours =
            inner.documents.iter().rev().filter(|document| document.workspace == workspace).map(|document| document.view.clone());
        let rest: Vec<_> = match after {
            None => ours.collect(),
            Some(id) => ours.skip_while(|view| view.id != id).skip(1).collect(),
        };
        let has_more = rest.len() > limit as usize;
        Ok(DocumentPage { documents: rest.into_iter().take(limit as usize).collect(), has_more })
    }

    async fn list_stale(
        &self,
        workspace: WorkspaceId,
        fingerprint: &Hash,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<DocumentPage, StoreError> {
        let mut page = self.list(workspace, after, limit).await?;
        page.documents.retain(|document| document.chunking_fingerprint != *fingerprint);
        Ok(page)
    }

    async fn rechunk(&self, _: WorkspaceId, _: &Hash) -> Result<Rechunk, StoreError> {
        Ok(Rechunk::default())
    }

    async fn document(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<Document>, StoreError> {
        let inner = self.here()?;
        Ok(inner
            .documents
            .iter()
            .find(|found| found.workspace == workspace && found.view.id == id)
            .map(|found| found.view.clone()))
    }

    async fn delete(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool, StoreError> {
        let mut inner = self.here()?;
        let before = inner.documents.len();
        inner.documents.retain(|found| found.workspace != workspace || found.view.id != id);
        Ok(inner.documents.len() < before)
    }
}
