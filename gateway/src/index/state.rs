//! The table index_state: what serves each relation. Searches read it; this module alone writes it.

use ragline_config::{
    index::{IndexKind, QueryParameters},
    recall::LastMeasure,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgRow};

use super::{
    IndexError,
    definition::{quoted, table},
};

/// What serves a relation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Serving {
    pub(super) relation: i32,
    pub(super) kind: IndexKind,
    pub(super) index_name: Option<String>,
    pub(super) rows_at_build: u64,
    /// How a query uses it.
    pub(super) query: QueryParameters,
    pub(super) recall: Option<f32>,
    pub(super) measured: Option<LastMeasure>,
    /// The index that a run began to build and did not swap in.
    pub(super) building_index: Option<String>,
    /// An index that gave way may still be there.
    pub(super) is_retiring: bool,
}

/// What is to serve a relation from now on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Served {
    pub(super) kind: IndexKind,
    pub(super) index_name: Option<String>,
    pub(super) rows: u64,
    pub(super) found: Found,
}

/// How an index is to be searched, and how much that finds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) query: QueryParameters,
    /// `None`: there is no index, or it could not be measured.
    pub(super) recall: Option<f32>,
    pub(super) target: f32,
    /// Where it falls short of the target.
    pub(super) warning: Option<String>,
}

/// An index that is recorded but gone or invalid serves nothing: the row is mended on the way.
const MEND: &str = "UPDATE index_state s SET kind = 'exact', index_name = NULL, lists = NULL, m = NULL, ef_construction = NULL, \
      probes = NULL, ef_search = NULL, rows_at_build = 0, built_at = NULL, recall = NULL, recall_target = NULL, measured_at = NULL, \
      rows_at_measure = NULL, warning = NULL, updated_at = now() \
    WHERE s.index_name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_index i \
      WHERE i.indexrelid = to_regclass(quote_ident(s.index_name)) AND i.indisvalid)";

/// A relation that a workspace is still moving into is nobody's yet.
const ALL: &str = "SELECT relation_id, kind, index_name, lists, m, ef_construction, probes, ef_search, rows_at_build, recall, \
      recall_target, rows_at_measure, extract(epoch FROM now() - measured_at)::bigint AS measured_ago, building_index, \
      retiring_index IS NOT NULL AS is_retiring \
    FROM index_state WHERE move_phase IS DISTINCT FROM 'copying' ORDER BY 1";

/// What served keeps its name and its parameters on record until it is dropped.
const SWAP: &str = "UPDATE index_state SET retiring_index = index_name, retiring_probes = probes, retiring_ef_search = ef_search, \
      kind = $2, index_name = $3, lists = $4, m = $5, ef_construction = $6, probes = $7, ef_search = $8, rows_at_build = $9, \
      built_at = CASE WHEN $3 IS NULL THEN NULL ELSE now() END, recall = $10, recall_target = $11, \
      measured_at = CASE WHEN $3 IS NULL THEN NULL ELSE now() END, rows_at_measure = CASE WHEN $3 IS NULL THEN NULL ELSE $9 END, \
      warning = $12, building_index = NULL, last_error = NULL, updated_at = now() WHERE relation_id = $1";

const RETUNE: &str = "UPDATE index_state SET probes = $2, ef_search = $3, recall = $4, recall_target = $5, measured_at = now(), \
      rows_at_measure = $6, warning = $7, updated_at = now() WHERE relation_id = $1";

/// In the order of their numbers, so that two transactions cannot wait for each other.
const BUMP: &str = "SELECT bump_store_version(id) FROM (SELECT id FROM workspace WHERE relation_id = $1 ORDER BY id) changed";

/// Every relation, in order.
pub(super) async fn all(connection: &mut PgConnection) -> Result<Vec<Serving>, IndexError> {
    let error = |source| IndexError::Sql { act: "reading the state of the indexes", source };
    sqlx::query(MEND).execute(&mut *connection).await.map_err(error)?;
    let rows = sqlx::query(ALL).fetch_all(connection).await.map_err(error)?;
    rows.iter().map(serving).collect::<Result<_, _>>().map_err(error)
}

fn serving(row: &PgRow) -> Result<Serving, sqlx::Error> {
    Ok(Serving {
        relation: row.try_get("relation_id")?,
        kind: kind(row)?,
        index_name: row.try_get("index_name")?,
        rows_at_build: row.try_get::<i64, _>("rows_at_build")?.unsigned_abs(),
        query: query(row)?,
        recall: row.try_get("recall")?,
        measured: measured(row)?,
        building_index: row.try_get("building_index")?,
        is_retiring: row.try_get("is_retiring")?,
    })
}

/// How a query uses what serves, from a row of index_state.
pub(super) fn query(row: &PgRow) -> Result<QueryParameters, sqlx::Error> {
    let number = |column: &str| row.try_get::<Option<i32>, _>(column).map(|n| n.unwrap_or_default().unsigned_abs());
    Ok(match kind(row)? {
        IndexKind::Exact => QueryParameters::Exact,
        IndexKind::IvfFlat { .. } => QueryParameters::IvfFlat { probes: number("probes")? },
        IndexKind::Hnsw { .. } => QueryParameters::Hnsw { ef_search: number("ef_search")? },
    })
}

/// The last measure of what serves, from a row of index_state with its age in `measured_ago`.
pub(super) fn measured(row: &PgRow) -> Result<Option<LastMeasure>, sqlx::Error> {
    let (Some(age), Some(rows), Some(target)) = (
        row.try_get::<Option<i64>, _>("measured_ago")?,
        row.try_get::<Option<i64>, _>("rows_at_measure")?,
        row.try_get::<Option<f32>, _>("recall_target")?,
    ) else {
        return Ok(None);
    };
    Ok(Some(LastMeasure { age_seconds: age.max(0).unsigned_abs(), rows: rows.unsigned_abs(), target }))
}

/// The kind of a row of index_state. The table's CHECKs see to it that the columns fit the kind.
pub(super) fn kind(row: &PgRow) -> Result<IndexKind, sqlx::Error> {
    let number = |column: &str| row.try_get::<Option<i32>, _>(column).map(|n| n.unwrap_or_default().unsigned_abs());
    Ok(match row.try_get::<&str, _>("kind")? {
        "ivfflat" => IndexKind::IvfFlat { lists: number("lists")? },
        "hnsw" => IndexKind::Hnsw { m: number("m")?, ef_construction: number("ef_construction")? },
        _ => IndexKind::Exact,
    })
}

/// Rows of a relation.
pub(super) async fn rows(connection: &mut PgConnection, relation: i32) -> Result<u64, IndexError> {
    let sql = format!("SELECT count(*) FROM {}", quoted(&table(relation)));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .map_err(|source| IndexError::Sql { act: "counting vectors", source })?;
    Ok(count.unsigned_abs())
}

/// Makes an index the one that serves, and raises the versions of the relation's workspaces, so that no cache holds what the old one
/// found. One transaction: a search sees both or neither.
pub(super) async fn swap(connection: &mut PgConnection, relation: i32, served: &Served) -> Result<(), IndexError> {
    let error = |source| IndexError::Sql { act: "swapping the index in", source };
    let Served { kind, index_name, rows, found: Found { query, recall, target, warning } } = served;
    let (word, lists, m, ef_construction) = match *kind {
        IndexKind::Exact => ("exact", None, None, None),
        IndexKind::IvfFlat { lists } => ("ivfflat", Some(int(lists)), None, None),
        IndexKind::Hnsw { m, ef_construction } => ("hnsw", None, Some(int(m)), Some(int(ef_construction))),
    };
    let (probes, ef_search) = numbers(*query);
    let rows_at_build = if index_name.is_some() { i64::try_from(*rows).unwrap_or(i64::MAX) } else { 0 };
    let mut tx = connection.begin().await.map_err(error)?;
    sqlx::query(SWAP)
        .bind(relation)
        .bind(word)
        .bind(index_name.as_deref())
        .bind(lists)
        .bind(m)
        .bind(ef_construction)
        .bind(probes)
        .bind(ef_search)
        .bind(rows_at_build)
        .bind(*recall)
        .bind(*target)
        .bind(warning.as_deref())
        .execute(&mut *tx)
        .await
        .map_err(error)?;
    sqlx::query(BUMP).bind(relation).execute(&mut *tx).await.map_err(error)?;
    tx.commit().await.map_err(error)
}

/// Notes a measure of what serves. Other parameters find other passages, so the caches go then.
pub(super) async fn retune(connection: &mut PgConnection, serving: &Serving, rows: u64, found: &Found) -> Result<(), IndexError> {
    let error = |source| IndexError::Sql { act: "noting a measure of the index", source };
    let Found { query, recall, target, warning } = found;
    let (probes, ef_search) = numbers(*query);
    let mut tx = connection.begin().await.map_err(error)?;
    sqlx::query(RETUNE)
        .bind(serving.relation)
        .bind(probes)
        .bind(ef_search)
        .bind(*recall)
        .bind(*target)
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .bind(warning.as_deref())
        .execute(&mut *tx)
        .await
        .map_err(error)?;
    if *query != serving.query {
        sqlx::query(BUMP).bind(serving.relation).execute(&mut *tx).await.map_err(error)?;
    }
    tx.commit().await.map_err(error)
}

/// Notes that the index that gave way is gone.
pub(super) async fn retired(connection: &mut PgConnection, relation: i32) -> Result<(), IndexError> {
    sqlx::query(
        "UPDATE index_state SET retiring_index = NULL, retiring_probes = NULL, retiring_ef_search = NULL WHERE relation_id = $1",
    )
    .bind(relation)
    .execute(connection)
    .await
    .map_err(|source| IndexError::Sql { act: "noting that an index is gone", source })?;
    Ok(())
}

/// `probes` and `ef_search`.
fn numbers(query: QueryParameters) -> (Option<i32>, Option<i32>) {
    match query {
        QueryParameters::Exact => (None, None),
        QueryParameters::IvfFlat { probes } => (Some(int(probes)), None),
        QueryParameters::Hnsw { ef_search } => (None, Some(int(ef_search))),
    }
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Notes what is about to be built, before it exists: a run that is killed leaves its name.
pub(super) async fn begin_build(connection: &mut PgConnection, relation: i32, index_name: &str) -> Result<(), IndexError> {
    sqlx::query(
        "UPDATE index_state SET building_index = $2, building_since = now(), last_error = NULL, updated_at = now() WHERE relation_id = $1",
    )
    .bind(relation)
    .bind(index_name)
    .execute(connection)
    .await
    .map_err(|source| IndexError::Sql { act: "noting a build", source })?;
    Ok(())
}

/// Notes that nothing is being built any more, and why, where it failed.
pub(super) async fn end_build(connection: &mut PgConnection, relation: i32, reason: Option<&str>) -> Result<(), IndexError> {
    sqlx::query(
        "UPDATE index_state SET building_index = NULL, building_since = coalesce(building_since, now()), \
           last_error = coalesce($2, last_error), updated_at = now() WHERE relation_id = $1",
    )
    .bind(relation)
    .bind(reason)
    .execute(connection)
    .await
    .map_err(|source| IndexError::Sql { act: "noting the end of a build", source })?;
    Ok(())
}
