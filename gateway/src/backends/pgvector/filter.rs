//! How a filter is applied. Conditions are asked of the table `attribute` in one of two forms: the set of the chunks that pass, found
//! through its indexes, and whether one chunk passes, found by the chunk. Few that pass are then compared one by one, which is exact; more
//! are looked up in the set while the vector index is walked; of still more each is asked.

mod condition;
mod sql;

use sqlx::{Postgres, QueryBuilder};

use self::sql::push_holds;
pub(super) use self::sql::{is_found, push_set};
use super::{failed, session::Tx};
use crate::traits::{filter::Filter, search::StoreError};

/// A statement that is being put together from constants and bound values.
pub(super) type Builder = QueryBuilder<Postgres>;

/// What a filter leaves.
#[derive(Debug)]
pub(super) enum Allowed {
    /// The ids of all chunks that pass, in order.
    Few(Vec<i64>),
    /// More than were to be counted.
    Many,
}

/// The chunks of the transaction's workspace that pass, where they are `at_most` so many.
pub(super) async fn allowed(tx: &mut Tx, filter: &Filter, at_most: u32) -> Result<Allowed, StoreError> {
    let mut sql = Builder::new("");
    push_set(&mut sql, filter);
    sql.push(" LIMIT ").push_bind(i64::from(at_most) + 1);
    let mut ids: Vec<i64> =
        sql.build_query_scalar().persistent(false).fetch_all(&mut **tx).await.map_err(|error| failed("filtering", error))?;
    if ids.len() > at_most as usize {
        return Ok(Allowed::Many);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Allowed::Few(ids))
}

/// Those of the ids that pass, in order.
pub(super) async fn passing(tx: &mut Tx, filter: &Filter, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let mut sql = Builder::new("SELECT c.id FROM chunk c WHERE c.id = ANY(");
    sql.push_bind(ids.to_vec()).push("::bigint[]) AND ");
    push_holds(&mut sql, filter);
    sql.push(" ORDER BY 1");
    sql.build_query_scalar().persistent(false).fetch_all(&mut **tx).await.map_err(|error| failed("filtering", error))
}

/// ` AND chunk_id IN (…)`, for a statement that may read every chunk that passes.
pub(super) fn push_in_set(sql: &mut Builder, chunk_id: &'static str, filter: &Filter) {
    sql.push(" AND ").push(chunk_id).push(" IN (");
    push_set(sql, filter);
    sql.push(") ");
}

/// ` AND …` that is asked of one chunk after another: a scalar subquery, since the planner would turn EXISTS or IN into a join over
/// all chunks that pass.
pub(super) fn push_one_by_one(sql: &mut Builder, chunk_id: &'static str, filter: &Filter) {
    sql.push(" AND (SELECT ");
    push_holds(sql, filter);
    sql.push(" FROM chunk c WHERE c.id = ").push(chunk_id).push(") ");
}
