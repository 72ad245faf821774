//! Looks after the postings, on any gateway: makes those that are missing or were made by an older analyzer, and merges.

use std::time::Duration;

use sqlx::Row;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    corrupt,
    merge::{facts, put_together, remove},
    unsigned,
    write::{CHUNKS_AT_ONCE, index_document, insert_small},
};
use crate::{
    backends::{
        lexical::{
            segment::decode_members,
            tiers::{CROWDED, FANOUT, Facts, MOST_SMALL, MOST_SMALL_CHUNKS, Merge, large_merge, rewrite, small_merge},
            words::ANALYZER,
        },
        pgvector::{
            Store, failed,
            session::{Tx, commit},
        },
    },
    traits::search::{StoreError, WorkspaceId},
};

/// How often work is looked for.
const EVERY: Duration = Duration::from_secs(10);
/// Every so many times, what is gone is counted too.
const THOROUGH_EVERY: u32 = 60;
/// Documents that one transaction gives their postings.
const DOCUMENTS_AT_ONCE: i64 = 20;

const UPKEEP: &str = "SELECT workspace_id FROM lexical_upkeep($1, $2, $3, $4, $5)";

/// What another gateway is at is left to it.
const PENDING: &str = "SELECT document_id FROM lex_pending WHERE workspace_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED";

const OLD_SEGMENT: &str = "SELECT seg, n, ids FROM lex_seg WHERE workspace_id = $1 AND analyzer < $2 ORDER BY seg LIMIT 1";

/// What keeps two mergers apart. Merges of level 0 are short and often, and must not wait for the long ones above it.
#[derive(Clone, Copy)]
enum Lock {
    Small,
    Large,
}

impl Store {
    /// Looks after the postings of all workspaces now and then, for ever.
    pub(in crate::backends::pgvector) async fn tend_postings(&self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in (0..THOROUGH_EVERY).cycle() {
            ticks.tick().await;
            if let Err(error) = self.tend_all(tick == 0).await {
                warn!(error = %error, "the postings could not be looked after, trying again later");
            }
        }
    }

    /// Does all that the postings of all workspaces want done. `thorough`: gets rid of postings of what is gone, too.
    ///
    /// # Errors
    /// A database that does not answer, or damaged postings; the other workspaces are looked after all the same.
    pub async fn tend_all(&self, thorough: bool) -> Result<(), StoreError> {
        let workspaces: Vec<i32> = sqlx::query_scalar(UPKEEP)
            .bind(ANALYZER)
            .bind(i64::try_from(MOST_SMALL).unwrap_or(i64::MAX))
            .bind(i64::try_from(MOST_SMALL_CHUNKS).unwrap_or(i64::MAX))
            .bind(i64::try_from(FANOUT).unwrap_or(i64::MAX))
            .bind(thorough)
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(|error| failed("looking for postings to merge", error))?;
        let mut outcome = Ok(());
        for workspace in workspaces.into_iter().map(WorkspaceId) {
            if let Err(error) = self.tend(workspace, thorough).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn tend(&self, workspace: WorkspaceId, thorough: bool) -> Result<(), StoreError> {
        let mut indexed = 0;
        loop {
            match self.index_pending(workspace).await? {
                0 => break,
                documents => indexed += documents,
            }
            while self.merge_small(workspace).await? {}
        }
        if indexed > 0 {
            info!(indexed, "gave documents of an earlier version their postings");
        }
        while self.analyze_anew(workspace).await? {
            while self.merge_small(workspace).await? {}
        }
        while self.merge_small(workspace).await? {}
        while self.merge_large(workspace).await? {}
        if thorough {
            self.rewrite(workspace).await?;
        }
        Ok(())
    }

    /// Merges at once where an ingest outruns the upkeep. What goes wrong is the upkeep's to try again: the document is stored.
    pub(in crate::backends::pgvector) async fn merge_if_crowded(&self, workspace: WorkspaceId, small_segments: i64) {
        if usize::try_from(small_segments).unwrap_or(0) <= CROWDED {
            return;
        }
        if let Err(error) = self.merge_small(workspace).await {
            warn!(error = %error, "small segments could not be merged, leaving it to the upkeep");
        }
    }

    /// Gives some of the documents that wait their postings; says how many.
    async fn index_pending(&self, workspace: WorkspaceId) -> Result<usize, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let documents: Vec<Uuid> = sqlx::query_scalar(PENDING)
            .bind(workspace.0)
            .bind(DOCUMENTS_AT_ONCE)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| failed("looking for documents without postings", error))?;
        if documents.is_empty() {
            return Ok(0);
        }
        for document in &documents {
            index_document(&mut tx, workspace, *document, 0).await?;
        }
        sqlx::query("DELETE FROM lex_pending WHERE document_id = ANY($1)")
            .bind(&documents)
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("indexing words", error))?;
        commit(tx, "indexing words").await?;
        Ok(documents.len())
    }

    /// Replaces a segment of an older analyzer by what the texts of its chunks are now. `false`: there is none, or another gateway
    /// is at it.
    async fn analyze_anew(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let done = lock(&mut tx, workspace, &[Lock::Small, Lock::Large]).await? && analyze_oldest(&mut tx, workspace).await?;
        // Also when nothing was done: a transaction that is dropped holds its locks until the server hears of it.
        commit(tx, "analyzing anew").await?;
        Ok(done)
    }

    /// Merges level 0 if that is due. `false`: it is not, or another gateway is at it.
    async fn merge_small(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        self.merge(workspace, &[Lock::Small], small_merge).await
    }

    async fn merge_large(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        self.merge(workspace, &[Lock::Large], large_merge).await
    }

    async fn rewrite(&self, workspace: WorkspaceId) -> Result<(), StoreError> {
        let mut tx = self.begin(workspace).await?;
        let live: i64 = sqlx::query_scalar("SELECT count(*) FROM chunk WHERE workspace_id = $1")
            .bind(workspace.0)
            .fetch_one(&mut *tx)
            .await
            .map_err(|error| failed("counting chunks", error))?;
        commit(tx, "counting chunks").await?;
        self.merge(workspace, &[Lock::Small, Lock::Large], |segments| rewrite(segments, live.unsigned_abs())).await?;
        Ok(())
    }

    async fn merge(
        &self,
        workspace: WorkspaceId,
        locks: &[Lock],
        due: impl Fn(&[Facts]) -> Option<Merge> + Send,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin(workspace).await?;
        let mut done = false;
        if lock(&mut tx, workspace, locks).await?
            && let Some(merge) = due(&facts(&mut tx, workspace).await?)
        {
            put_together(&mut tx, workspace, &merge).await?;
            done = true;
        }
        commit(tx, "merging segments").await?;
        Ok(done)
    }
}

async fn analyze_oldest(tx: &mut Tx, workspace: WorkspaceId) -> Result<bool, StoreError> {
    let error = |error| failed("analyzing anew", error);
    let row = sqlx::query(OLD_SEGMENT).bind(workspace.0).bind(ANALYZER).fetch_optional(&mut **tx).await.map_err(error)?;
    let Some(row) = row else { return Ok(false) };
    let n = unsigned(row.try_get("n").map_err(error)?);
    let members = decode_members(row.try_get("ids").map_err(error)?, n).map_err(corrupt)?;
    for members in members.chunks(usize::try_from(CHUNKS_AT_ONCE).unwrap_or(usize::MAX)) {
        let texts: Vec<(i64, String)> = sqlx::query_as("SELECT id, text FROM chunk WHERE id = ANY($1) ORDER BY id")
            .bind(members.iter().map(|member| member.chunk_id).collect::<Vec<_>>())
            .fetch_all(&mut **tx)
            .await
            .map_err(error)?;
        if !texts.is_empty() {
            insert_small(tx, workspace, texts).await?;
        }
    }
    remove(tx, workspace, &[row.try_get("seg").map_err(error)?]).await?;
    Ok(true)
}

/// Takes the locks until the transaction ends, unless somebody has one of them.
async fn lock(tx: &mut Tx, workspace: WorkspaceId, locks: &[Lock]) -> Result<bool, StoreError> {
    for lock in locks {
        let kind = match lock {
            Lock::Small => "small merge",
            Lock::Large => "large merge",
        };
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext(current_schema() || ' ' || $2), $1)")
            .bind(workspace.0)
            .bind(kind)
            .fetch_one(&mut **tx)
            .await
            .map_err(|error| failed("locking the postings", error))?;
        if !taken {
            return Ok(false);
        }
    }
    Ok(true)
}
