//! How a metadata filter is applied: exactly where few chunks pass it, by the index where many do. Row-level security keeps `@>`
//! from using an index of its own, so the number that pass is found by reading.

use serde_json::{Map, Value};

use super::{failed, search_sql::ALLOWED, session::Tx};
use crate::traits::search::StoreError;

/// Up to this many allowed chunks are compared one by one, which is exact and no slower than an index.
const FEW: usize = 10_000;

/// What a filter leaves.
pub(super) enum Allowed {
    Few(Vec<i64>),
    Many,
}

pub(super) async fn allowed(tx: &mut Tx, filter: &Map<String, Value>) -> Result<Allowed, StoreError> {
    let ids: Vec<i64> = sqlx::query_scalar(ALLOWED)
        .bind(Value::Object(filter.clone()))
        .bind(FEW as i64 + 1)
        .fetch_all(&mut **tx)
        .await
        .map_err(|error| failed("filtering", error))?;
    Ok(if ids.len() > FEW { Allowed::Many } else { Allowed::Few(ids) })
}
