//! How a metadata filter is applied: exactly where few chunks pass it, by the index where many do. Row-level security keeps `@>`
//! from using an index of its own, so the number that pass is found by reading.

use serde_json::{Map, Value};

use super::{
    failed,
    search_sql::{ALLOWED, PASSING},
    session::Tx,
};
use crate::traits::{filter::Filter, search::StoreError};

/// What a filter leaves.
pub(super) enum Allowed {
    /// The ids of all chunks that pass, in order.
    Few(Vec<i64>),
    /// More than were to be counted.
    Many,
}

/// The chunks of the transaction's workspace that pass, where they are `at_most` so many.
pub(super) async fn allowed(tx: &mut Tx, filter: &Filter, at_most: u32) -> Result<Allowed, StoreError> {
    let mut ids: Vec<i64> = sqlx::query_scalar(ALLOWED)
        .bind(Value::Object(contained(filter)?.clone()))
        .bind(i64::from(at_most) + 1)
        .fetch_all(&mut **tx)
        .await
        .map_err(|error| failed("filtering", error))?;
    if ids.len() > at_most as usize {
        return Ok(Allowed::Many);
    }
    ids.sort_unstable();
    Ok(Allowed::Few(ids))
}

/// Those of the ids that pass, in order.
pub(super) async fn passing(tx: &mut Tx, filter: &Filter, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    sqlx::query_scalar(PASSING)
        .bind(Value::Object(contained(filter)?.clone()))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await
        .map_err(|error| failed("filtering", error))
}

pub(super) fn contained(filter: &Filter) -> Result<&Map<String, Value>, StoreError> {
    match filter {
        Filter::Contains(metadata) => Ok(metadata),
        Filter::Compare { .. } | Filter::All(_) | Filter::Any(_) => Err(StoreError::NotFound { what: "typed filter" }),
    }
}
