//! The search by vector. One snapshot holds the workspace's version, the plan and the matches.

mod filtered;
mod opened;
mod rehearse;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{
    Arguments, AssertSqlSafe, Row,
    postgres::{PgArguments, PgRow},
};

pub(super) use self::opened::{Opened, open, windows};
use self::rows::matches;
use super::{
    Store, failed,
    filter::{Builder, push_in_set, push_one_by_one},
    lexical::matching_on,
    replicas::Reading,
    search_sql::Statements,
    session::{Server, Tx, commit},
    space::Space,
};
use crate::traits::{
    filter::Filter,
    search::{
        Calibration, Hit, Leg, LexicalQuery, Nearest, NearestQuery, Passages, SearchPlan, Searcher, StoreError, WorkspaceId,
    },
};

/// Times that an index is asked for four times as much, before every row is compared.
const WIDENINGS: u32 = 2;

const PLANNER_DECIDES: &str = "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_sort = on";

#[async_trait]
impl Searcher for Store {
    async fn nearest(&self, query: &NearestQuery) -> Result<Nearest, StoreError> {
        self.searching(query.workspace, |reading| self.nearest_on(reading, query)).await
    }

    async fn nearest_hits(&self, query: &NearestQuery) -> Result<Leg, StoreError> {
        self.searching(query.workspace, |reading| self.nearest_hits_on(reading, query)).await
    }

    async fn matching(&self, query: &LexicalQuery) -> Result<Leg, StoreError> {
        self.searching(query.workspace, |reading| matching_on(reading, query)).await
    }

    async fn passages(&self, workspace: WorkspaceId, vector: Option<&[f32]>, chunk_ids: &[i64]) -> Result<Passages, StoreError> {
        self.searching(workspace, |reading| self.passages_on(reading, workspace, vector, chunk_ids)).await
    }

    async fn calibration(&self) -> Result<Calibration, StoreError> {
        Ok(self.space().await?.0.calibration)
    }

    async fn store_version(&self, workspace: WorkspaceId) -> Result<i64, StoreError> {
        if let Some(version) = self.inner.signals.version(workspace.0) {
            return Ok(version);
        }
        let before = self.inner.signals.epoch();
        let read = |server: Arc<Server>| async move {
            let mut tx = server.begin(workspace).await?;
            let version: Option<i64> = sqlx::query_scalar("SELECT store_version FROM workspace WHERE id = $1")
                .bind(workspace.0)
                .fetch_optional(&mut *tx)
                .await
                .map_err(|error| failed("reading the version", error))?;
            commit(tx, "reading the version").await?;
            let version = version.ok_or(StoreError::NotFound { what: "workspace" })?;
            Ok((version, Arc::ptr_eq(&server, &self.inner.primary)))
        };
        let (version, is_newest) = self.reading(read).await?;
        Ok(self.inner.signals.learn_read(workspace.0, version, before.filter(|_| is_newest)))
    }
}

impl Store {
    async fn nearest_on(&self, reading: Reading, query: &NearestQuery) -> Result<Nearest, StoreError> {
        let (space, sql) = self.space().await?;
        let (rows, store_version, plan) = self.compare(&reading, query, space, &sql.whole).await?;
        Ok(Nearest { matches: matches(&rows, space)?, store_version, plan })
    }

    async fn nearest_hits_on(&self, reading: Reading, query: &NearestQuery) -> Result<Leg, StoreError> {
        let (space, sql) = self.space().await?;
        let (rows, store_version, plan) = self.compare(&reading, query, space, &sql.hits).await?;
        let hit = |row: &PgRow| Ok(Hit { chunk_id: row.try_get("chunk_id")?, value: space.similarity(row.try_get("distance")?) });
        let hits = rows.iter().map(hit).collect::<Result<_, _>>().map_err(|error| failed("reading hits", error))?;
        Ok(Leg { hits, store_version, plan })
    }

    /// Runs one search in a snapshot of its own.
    async fn compare(
        &self,
        reading: &Reading,
        query: &NearestQuery,
        space: &Space,
        sql: &Statements,
    ) -> Result<(Vec<PgRow>, i64, SearchPlan), StoreError> {
        check_dimensions(&query.vector, space)?;
        let mut tx = reading.server.begin_snapshot().await?;
        let opened = open(&mut tx, query.workspace, windows(query.limit).saturating_mul(space.candidates_per_row())).await?;
        reading.check(opened.store_version)?;
        let mut search = Search { tx, query, space, sql, opened, few_allowed: self.few_allowed };
        let (rows, plan) = search.run().await?;
        commit(search.tx, "searching").await?;
        Ok((rows, search.opened.store_version, plan))
    }

    async fn passages_on(
        &self,
        reading: Reading,
        workspace: WorkspaceId,
        vector: Option<&[f32]>,
        chunk_ids: &[i64],
    ) -> Result<Passages, StoreError> {
        let (space, sql) = self.space().await?;
        if let Some(vector) = vector {
            check_dimensions(vector, space)?;
        }
        let mut tx = reading.server.begin_snapshot().await?;
        let opened = open(&mut tx, workspace, 0).await?;
        reading.check(opened.store_version)?;
        let rows = sqlx::query(AssertSqlSafe(sql.passages.clone()))
            .bind(vector.map(|vector| pgvector::Vector::from(vector.to_vec())))
            .bind(opened.relation)
            .bind(chunk_ids)
            .bind(space.id.0)
            .fetch_all(&mut *tx)
            .await
            .map_err(|error| failed("reading passages", error))?;
        commit(tx, "reading passages").await?;
        Ok(Passages { matches: matches(&rows, space)?, store_version: opened.store_version })
    }
}

fn check_dimensions(vector: &[f32], space: &Space) -> Result<(), StoreError> {
    if vector.len() == space.dimensions as usize {
        return Ok(());
    }
    Err(StoreError::Failed { action: "searching", source: "the vector has the wrong dimensions".into() })
}

struct Search<'a> {
    tx: Tx,
    query: &'a NearestQuery,
    space: &'a Space,
    sql: &'a Statements,
    opened: Opened,
    /// Chunks that a filter may leave to be compared one by one, where it is not by the rows.
    few_allowed: Option<u32>,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<(Vec<PgRow>, SearchPlan), StoreError> {
        let query = self.query;
        match query.filter.as_ref().filter(|filter| !filter.is_empty()) {
            Some(filter) => self.filtered(filter).await,
            None => match self.opened.plan {
                SearchPlan::Exact => self.exact(None).await,
                SearchPlan::IvfFlat | SearchPlan::Hnsw | SearchPlan::Lexical => self.indexed_or_exact(None).await,
            },
        }
    }

    async fn indexed_or_exact(&mut self, filter: Option<&Filter>) -> Result<(Vec<PgRow>, SearchPlan), StoreError> {
        if let Some(rows) = self.indexed(filter).await? {
            return Ok((rows, self.opened.plan));
        }
        self.planner_decides().await?;
        self.exact(filter).await
    }

    async fn exact(&mut self, filter: Option<&Filter>) -> Result<(Vec<PgRow>, SearchPlan), StoreError> {
        let rows = match filter {
            None => self.bind(&self.sql.exact)?.fetch_all(&mut *self.tx).await,
            Some(filter) => {
                let [before, after] = &self.sql.exact_around;
                let mut sql = Builder::with_arguments(before.as_str(), self.arguments()?);
                push_in_set(&mut sql, "chunk_id", filter);
                sql.push(after).build().persistent(false).fetch_all(&mut *self.tx).await
            }
        };
        exactly(rows)
    }

    /// `None`: the index gave fewer chunks than were asked for and cannot give more.
    async fn indexed(&mut self, filter: Option<&Filter>) -> Result<Option<Vec<PgRow>>, StoreError> {
        let wanted = self.query.limit as usize;
        let mut asked = windows(self.query.limit);
        for _ in 0..=WIDENINGS {
            let rows = match filter {
                None => self.bind(&self.sql.indexed)?.bind(i64::from(asked)).fetch_all(&mut *self.tx).await,
                Some(filter) => {
                    let [before, after] = &self.sql.indexed_around;
                    let mut arguments = self.arguments()?;
                    add(&mut arguments, i64::from(asked))?;
                    let mut sql = Builder::with_arguments(before.as_str(), arguments);
                    push_one_by_one(&mut sql, "e.chunk_id", filter);
                    sql.push(after).build().persistent(false).fetch_all(&mut *self.tx).await
                }
            };
            let rows = rows.map_err(|error| failed("searching by the index", error))?;
            if rows.len() >= wanted {
                return Ok(Some(rows));
            }
            let looked_at: i64 = rows
                .first()
                .map_or(Ok(0), |row| row.try_get("windows"))
                .map_err(|error| failed("searching by the index", error))?;
            if looked_at < i64::from(asked) {
                return Ok(None);
            }
            asked = asked.saturating_mul(4);
        }
        Ok(None)
    }

    /// Takes back what `open_search` forbade in favour of the index.
    async fn planner_decides(&mut self) -> Result<(), StoreError> {
        if self.opened.plan == SearchPlan::Exact {
            return Ok(());
        }
        self.set(PLANNER_DECIDES).await
    }

    async fn set(&mut self, settings: &'static str) -> Result<(), StoreError> {
        sqlx::raw_sql(settings).execute(&mut *self.tx).await.map_err(|error| failed("searching", error))?;
        Ok(())
    }

    fn bind(&self, sql: &str) -> Result<sqlx::query::Query<'static, sqlx::Postgres, PgArguments>, StoreError> {
        // Made from constants, the type, the operator and the dimensions of the space.
        Ok(sqlx::query_with(AssertSqlSafe(sql.to_owned()), self.arguments()?))
    }

    /// The values that every statement begins with.
    fn arguments(&self) -> Result<PgArguments, StoreError> {
        let mut arguments = PgArguments::default();
        add(&mut arguments, pgvector::Vector::from(self.query.vector.clone()))?;
        add(&mut arguments, self.opened.relation)?;
        add(&mut arguments, self.query.workspace.0)?;
        add(&mut arguments, self.space.id.0)?;
        add(&mut arguments, i64::from(self.query.limit))?;
        Ok(arguments)
    }
}

fn add<'a, T>(arguments: &mut PgArguments, value: T) -> Result<(), StoreError>
where
    T: sqlx::Encode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + 'a,
{
    arguments.add(value).map_err(|source| StoreError::Failed { action: "searching", source })
}

fn exactly(rows: Result<Vec<PgRow>, sqlx::Error>) -> Result<(Vec<PgRow>, SearchPlan), StoreError> {
    rows.map(|rows| (rows, SearchPlan::Exact)).map_err(|error| failed("searching exactly", error))
}
