//! What `verify` sees of the database, as the application role under the workspace's policy. Nothing stays changed but what
//! [`Inspector::forget_jobs`] removes.

use async_trait::async_trait;
use ragline_config::index::IndexKind;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Store, failed, session::commit};
use crate::traits::{
    inspect::{Explained, Inspector, Rehearsal, ServerFacts, Serving, StoredChunk, Tally},
    search::{NearestQuery, StoreError, WorkspaceId},
};

const TALLY: &str = "SELECT (SELECT count(*) FROM document), (SELECT count(*) FROM chunk), (SELECT count(*) FROM embeddings), \
    (SELECT count(*) FROM job), (SELECT count(*) FROM blob)";

const FOREIGN: &str = "SELECT EXISTS (SELECT 1 FROM document WHERE workspace_id IS DISTINCT FROM $1) \
    OR EXISTS (SELECT 1 FROM chunk WHERE workspace_id IS DISTINCT FROM $1) \
    OR EXISTS (SELECT 1 FROM embeddings WHERE workspace_id IS DISTINCT FROM $1)";

const SERVING: &str = "SELECT s.kind, s.lists, s.m, s.ef_construction, s.rows_at_build, s.index_name, f.row_count, f.index_valid, \
      s.building_index IS NOT NULL AS building \
    FROM workspace w JOIN index_state s ON s.relation_id = w.relation_id JOIN relation_figures() f ON f.relation_id = w.relation_id \
    WHERE w.id = $1";

const SOME_VECTOR: &str = "SELECT embedding::vector FROM embeddings \
    WHERE relation_id = (SELECT relation_id FROM workspace WHERE id = $1) AND workspace_id = $1 AND space_id = $2 LIMIT 1";

const CHUNKS: &str = "SELECT c.position, c.text, c.tokens, ARRAY(SELECT e.embedding::vector FROM embeddings e \
      WHERE e.relation_id = (SELECT relation_id FROM workspace WHERE id = $1) AND e.chunk_id = c.id AND e.space_id = $3 \
      ORDER BY e.window_number) AS vectors \
    FROM chunk c WHERE c.document_id = $2 ORDER BY c.position";

/// Ends with the file under way, if there is one: its row is locked until it is published.
const FORGET_JOBS: &str = "DELETE FROM job WHERE created_at <= now() - make_interval(secs => $2) \
    AND id IN (SELECT job_id FROM job_item WHERE starts_with(source, $1))";

const DOCUMENTS_OF: &str =
    "SELECT id FROM document WHERE starts_with(source, $1) AND created_at <= now() - make_interval(secs => $2)";

#[async_trait]
impl Inspector for Store {
    async fn server(&self) -> Result<ServerFacts, StoreError> {
        let error = |error| failed("asking the server what it is", error);
        let found = sqlx::query(
            "SELECT current_setting('server_version') AS server, current_user::text AS role, \
               (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector",
        )
        .fetch_one(&mut *self.connection().await?)
        .await;
        let row = match found {
            Ok(row) => row,
            Err(error) => return Err(self.not_begun(error).await),
        };
        let vector_version: Option<String> = row.try_get("vector").map_err(error)?;
        Ok(ServerFacts {
            server_version: row.try_get("server").map_err(error)?,
            role: row.try_get("role").map_err(error)?,
            iterative_scans: vector_version.as_deref().is_some_and(scans_iteratively),
            vector_version,
        })
    }

    async fn tally(&self, workspace: WorkspaceId) -> Result<Tally, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let (documents, chunks, embeddings, jobs, blobs) =
            sqlx::query_as(TALLY).fetch_one(&mut *tx).await.map_err(|error| failed("counting rows", error))?;
        commit(tx, "counting rows").await?;
        Ok(Tally { documents, chunks, embeddings, jobs, blobs })
    }

    async fn sees_foreign_rows(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        let error = |error| failed("looking for rows of other workspaces", error);
        let unchosen: bool =
            sqlx::query_scalar(FOREIGN).bind(None::<i32>).fetch_one(&mut *self.connection().await?).await.map_err(error)?;
        let mut tx = Self::begin(self, workspace).await?;
        let foreign: bool = sqlx::query_scalar(FOREIGN).bind(workspace.0).fetch_one(&mut *tx).await.map_err(error)?;
        commit(tx, "looking for rows of other workspaces").await?;
        Ok(unchosen || foreign)
    }

    async fn serving(&self, workspace: WorkspaceId) -> Result<Serving, StoreError> {
        let error = |error| failed("asking which index serves", error);
        let mut tx = Self::begin(self, workspace).await?;
        let row = sqlx::query(SERVING).bind(workspace.0).fetch_optional(&mut *tx).await.map_err(error)?;
        commit(tx, "asking which index serves").await?;
        serving(&row.ok_or(StoreError::NotFound { what: "workspace" })?).map_err(error)
    }

    async fn explain(&self, query: &NearestQuery) -> Result<Explained, StoreError> {
        self.explain_nearest(query).await
    }

    async fn some_vector(&self, workspace: WorkspaceId) -> Result<Option<Vec<f32>>, StoreError> {
        let (space, _) = self.space().await?;
        let mut tx = Self::begin(self, workspace).await?;
        let vector: Option<pgvector::Vector> = sqlx::query_scalar(SOME_VECTOR)
            .bind(workspace.0)
            .bind(space.id.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| failed("reading a vector", error))?;
        commit(tx, "reading a vector").await?;
        Ok(vector.map(Into::into))
    }

    async fn rehearse(&self, vectors: &[Vec<f32>], query: &NearestQuery) -> Result<Rehearsal, StoreError> {
        self.rehearse_and_roll_back(vectors, query).await
    }

    async fn chunks(&self, workspace: WorkspaceId, document: Uuid) -> Result<Vec<StoredChunk>, StoreError> {
        let error = |error| failed("reading chunks", error);
        let (space, _) = self.space().await?;
        let mut tx = Self::begin(self, workspace).await?;
        let rows =
            sqlx::query(CHUNKS).bind(workspace.0).bind(document).bind(space.id.0).fetch_all(&mut *tx).await.map_err(error)?;
        commit(tx, "reading chunks").await?;
        rows.iter().map(chunk).collect::<Result<_, _>>().map_err(error)
    }

    async fn forget_jobs(&self, workspace: WorkspaceId, source_prefix: &str, older_than_seconds: u32) -> Result<u64, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let done = sqlx::query(FORGET_JOBS)
            .bind(source_prefix)
            .bind(f64::from(older_than_seconds))
            .execute(&mut *tx)
            .await
            .map_err(|error| failed("removing jobs", error))?;
        commit(tx, "removing jobs").await?;
        Ok(done.rows_affected())
    }

    async fn documents_of(
        &self,
        workspace: WorkspaceId,
        source_prefix: &str,
        older_than_seconds: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut tx = Self::begin(self, workspace).await?;
        let found = sqlx::query_scalar(DOCUMENTS_OF)
            .bind(source_prefix)
            .bind(f64::from(older_than_seconds))
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| failed("looking for documents", error))?;
        commit(tx, "looking for documents").await?;
        Ok(found)
    }
}

/// 0.8 was the first.
fn scans_iteratively(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (0, 8)
}

fn serving(row: &PgRow) -> Result<Serving, sqlx::Error> {
    let number = |name: &str| row.try_get::<Option<i32>, _>(name).map(|n| n.unwrap_or_default().unsigned_abs());
    let kind = match row.try_get::<&str, _>("kind")? {
        "ivfflat" => IndexKind::IvfFlat { lists: number("lists")? },
        "hnsw" => IndexKind::Hnsw { m: number("m")?, ef_construction: number("ef_construction")? },
        _ => IndexKind::Exact,
    };
    Ok(Serving {
        rows: row.try_get::<i64, _>("row_count")?.max(0).unsigned_abs(),
        kind,
        rows_at_build: row.try_get::<i64, _>("rows_at_build")?.unsigned_abs(),
        index_name: row.try_get("index_name")?,
        index_valid: row.try_get::<Option<bool>, _>("index_valid")?.unwrap_or(false),
        building: row.try_get("building")?,
    })
}

fn chunk(row: &PgRow) -> Result<StoredChunk, sqlx::Error> {
    let vectors: Vec<pgvector::Vector> = row.try_get("vectors")?;
    Ok(StoredChunk {
        position: row.try_get::<i32, _>("position")?.unsigned_abs(),
        text: row.try_get("text")?,
        tokens: row.try_get::<i32, _>("tokens")?.unsigned_abs(),
        vectors: vectors.into_iter().map(Into::into).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterative_scans_came_with_0_8() {
        for (version, expected) in [("0.7.4", false), ("0.8.0", true), ("0.10.0", true), ("1.0", true), ("", false)] {
            assert_eq!(scans_iteratively(version), expected, "{version}");
        }
    }
}
