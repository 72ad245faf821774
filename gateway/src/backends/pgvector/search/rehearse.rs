//! The search looked at from inside: how it would be planned, and what it gives in a transaction that is rolled back. Runs the very
//! statements of a search.

use std::time::Instant;

use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Opened, Search, matches, open, windows};
use crate::{
    backends::pgvector::{Store, failed, session::Tx},
    traits::{
        inspect::{Explained, Rehearsal, RehearsedMatch},
        search::{NearestQuery, SearchPlan, StoreError, WorkspaceId},
    },
};

/// 32 bytes that no content has.
const NO_HASH: [u8; 32] = [0; 32];

const INSERT_DOCUMENT: &str = "INSERT INTO document \
      (id, workspace_id, collection_id, source, content_type, size_bytes, content_hash, chunking_fingerprint, space_id, chunks) \
    SELECT $1, $2, id, 'rehearsal/' || $1, 'text/plain', 0, $3, $3, $4, $5 FROM collection WHERE workspace_id = $2 AND name = 'default'";

const INSERT_CHUNKS: &str = "INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash) \
    SELECT d.workspace_id, d.collection_id, d.id, n, 'rehearsal', 1, $2 FROM document d, generate_series(0, $3 - 1) n WHERE d.id = $1";

const INSERT_EMBEDDINGS: &str = "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
    SELECT $2, c.workspace_id, c.collection_id, c.id, 0, $3, v.embedding \
    FROM unnest($4::vector[]) WITH ORDINALITY AS v(embedding, n) JOIN chunk c ON c.document_id = $1 AND c.position = v.n - 1";

impl Store {
    /// Explains the statement that the search would run first.
    pub(in crate::backends::pgvector) async fn explain_nearest(&self, query: &NearestQuery) -> Result<Explained, StoreError> {
        let error = |error| failed("explaining a search", error);
        let (space, sql) = self.space().await?;
        let mut tx = self.begin_snapshot().await?;
        let opened = open(&mut tx, query.workspace, windows(query.limit)).await?;
        let plan = opened.plan;
        let mut search = Search { tx, query, space, sql: &sql.whole, opened, few_allowed: self.few_allowed };
        let statement = if plan == SearchPlan::Exact { sql.whole.exact.clone() } else { sql.whole.indexed.clone() };
        let keys = [search.opened.relation, query.workspace.0, space.id.0];
        let mut counts = vec![i64::from(query.limit)];
        if plan != SearchPlan::Exact {
            counts.push(i64::from(windows(query.limit)));
        }
        let mut explain = sqlx::query_scalar::<_, Value>(AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {statement}")));
        explain = explain.bind(pgvector::Vector::from(query.vector.clone()));
        for key in keys {
            explain = explain.bind(key);
        }
        for &count in &counts {
            explain = explain.bind(count);
        }
        let explained = explain.fetch_one(&mut *search.tx).await.map_err(error)?;
        search.tx.rollback().await.map_err(error)?;
        let mut index_names = Vec::new();
        collect_index_names(&explained, &mut index_names);
        let parameters = keys.into_iter().map(i64::from).chain(counts).collect();
        Ok(Explained { plan, index_names, statement, parameters })
    }

    /// Inserts, searches, and rolls back.
    pub(in crate::backends::pgvector) async fn rehearse_and_roll_back(
        &self,
        vectors: &[Vec<f32>],
        query: &NearestQuery,
    ) -> Result<Rehearsal, StoreError> {
        let (space, sql) = self.space().await?;
        let mut tx = Self::begin(self, query.workspace).await?;
        let opened = open(&mut tx, query.workspace, windows(query.limit)).await?;
        let document = Uuid::now_v7();
        let begin = Instant::now();
        let inserted = insert(&mut tx, &opened, query.workspace, space.id.0, document, vectors).await?;
        let insert_ms = elapsed_ms(begin);
        let begin = Instant::now();
        let mut search = Search { tx, query, space, sql: &sql.whole, opened, few_allowed: self.few_allowed };
        let (rows, plan) = search.run().await?;
        let search_ms = elapsed_ms(begin);
        search.tx.rollback().await.map_err(|error| failed("rolling back", error))?;
        let matches = matches(&rows, space)?;
        let found = matches.iter().map(|m| RehearsedMatch {
            inserted: (m.document_id == document).then_some(m.position as usize),
            similarity: m.similarity.unwrap_or_default(),
        });
        Ok(Rehearsal { insert_ms, search_ms, inserted, plan, found: found.collect() })
    }
}

async fn insert(
    tx: &mut Tx,
    opened: &Opened,
    workspace: WorkspaceId,
    space: i32,
    document: Uuid,
    vectors: &[Vec<f32>],
) -> Result<u64, StoreError> {
    let error = |error| failed("inserting vectors", error);
    let number = i32::try_from(vectors.len()).unwrap_or(i32::MAX);
    sqlx::query(INSERT_DOCUMENT)
        .bind(document)
        .bind(workspace.0)
        .bind(NO_HASH.as_slice())
        .bind(space)
        .bind(number)
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    sqlx::query(INSERT_CHUNKS).bind(document).bind(NO_HASH.as_slice()).bind(number).execute(&mut **tx).await.map_err(error)?;
    let vectors: Vec<_> = vectors.iter().cloned().map(pgvector::Vector::from).collect();
    let done = sqlx::query(INSERT_EMBEDDINGS)
        .bind(document)
        .bind(opened.relation)
        .bind(space)
        .bind(vectors)
        .execute(&mut **tx)
        .await
        .map_err(error)?;
    Ok(done.rows_affected())
}

/// Every `Index Name` of a plan in JSON.
fn collect_index_names(plan: &Value, names: &mut Vec<String>) {
    match plan {
        Value::Array(values) => values.iter().for_each(|value| collect_index_names(value, names)),
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("Index Name") {
                names.push(name.clone());
            }
            fields.values().for_each(|value| collect_index_names(value, names));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn elapsed_ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_indexes_of_a_plan_are_found_at_any_depth() {
        let plan = json!([{"Plan": {"Node Type": "Limit", "Plans": [
            {"Node Type": "Index Scan", "Index Name": "a"}, {"Plans": [{"Index Name": "b"}]}]}}]);
        let mut names = Vec::new();
        collect_index_names(&plan, &mut names);
        assert_eq!(names, ["a", "b"]);
    }
}
