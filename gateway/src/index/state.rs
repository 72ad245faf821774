//! The table index_state: what serves each relation. Searches read it; this module alone writes it.

use ragline_config::index::{IndexKind, Plan, QueryParameters};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgRow};

use super::{
    IndexError,
    definition::{quoted, table},
};

/// What serves a relation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Serving {
    pub(super) relation: i32,
    pub(super) kind: IndexKind,
    pub(super) index_name: Option<String>,
    pub(super) rows_at_build: u64,
    /// The index that a run began to build and did not swap in.
    pub(super) building_index: Option<String>,
}

/// An index that is recorded but gone or invalid serves nothing: the row is mended on the way.
const MEND: &str = "UPDATE index_state s SET kind = 'exact', index_name = NULL, lists = NULL, m = NULL, ef_construction = NULL, \
      probes = NULL, ef_search = NULL, rows_at_build = 0, built_at = NULL, updated_at = now() \
    WHERE s.index_name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_index i \
      WHERE i.indexrelid = to_regclass(quote_ident(s.index_name)) AND i.indisvalid)";

const ALL: &str =
    "SELECT relation_id, kind, index_name, lists, m, ef_construction, rows_at_build, building_index FROM index_state ORDER BY 1";

const SWAP: &str = "UPDATE index_state SET kind = $2, index_name = $3, lists = $4, m = $5, ef_construction = $6, probes = $7, \
      ef_search = $8, rows_at_build = $9, built_at = CASE WHEN $3 IS NULL THEN NULL ELSE now() END, building_index = NULL, \
      last_error = NULL, updated_at = now() WHERE relation_id = $1";

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
        building_index: row.try_get("building_index")?,
    })
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
pub(super) async fn swap(
    connection: &mut PgConnection,
    relation: i32,
    index_name: Option<&str>,
    plan: &Plan,
    rows: u64,
) -> Result<(), IndexError> {
    let error = |source| IndexError::Sql { act: "swapping the index in", source };
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let (word, lists, m, ef_construction) = match plan.kind {
        IndexKind::Exact => ("exact", None, None, None),
        IndexKind::IvfFlat { lists } => ("ivfflat", Some(number(lists)), None, None),
        IndexKind::Hnsw { m, ef_construction } => ("hnsw", None, Some(number(m)), Some(number(ef_construction))),
    };
    let (probes, ef_search) = match plan.query {
        QueryParameters::Exact => (None, None),
        QueryParameters::IvfFlat { probes } => (Some(number(probes)), None),
        QueryParameters::Hnsw { ef_search } => (None, Some(number(ef_search))),
    };
    let rows_at_build = if index_name.is_some() { i64::try_from(rows).unwrap_or(i64::MAX) } else { 0 };
    let mut tx = connection.begin().await.map_err(error)?;
    sqlx::query(SWAP)
        .bind(relation)
        .bind(word)
        .bind(index_name)
        .bind(lists)
        .bind(m)
        .bind(ef_construction)
        .bind(probes)
        .bind(ef_search)
        .bind(rows_at_build)
        .execute(&mut *tx)
        .await
        .map_err(error)?;
    // In the order of their numbers, so that two transactions cannot wait for each other.
    sqlx::query("SELECT bump_store_version(id) FROM (SELECT id FROM workspace WHERE relation_id = $1 ORDER BY id) changed")
        .bind(relation)
        .execute(&mut *tx)
        .await
        .map_err(error)?;
    tx.commit().await.map_err(error)
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
