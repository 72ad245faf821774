//! What a killed run left behind: an index that is not valid is dropped; one that was finished and is still wanted is taken up.

use ragline_config::index::{Action, Plan};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    IndexError,
    definition::{any_prefix, prefix, quoted, table},
    state::{Serving, end_build, retired},
};

const OURS: &str = "SELECT c.relname::text, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE i.indrelid = to_regclass($1) AND starts_with(c.relname::text, $2) AND c.relname::text IS DISTINCT FROM $3";

/// Drops what is there beside the serving index, but for a finished one that the plan asks for: its name.
pub(super) async fn settle(connection: &mut PgConnection, serving: &Serving, plan: &Plan) -> Result<Option<String>, IndexError> {
    let relation = serving.relation;
    let found: Vec<(String, bool)> = sqlx::query_as(OURS)
        .bind(table(relation))
        .bind(any_prefix(relation))
        .bind(serving.index_name.as_deref())
        .fetch_all(&mut *connection)
        .await
        .map_err(|source| IndexError::Sql { act: "looking for leftovers", source })?;
    let mut adopted = None;
    for (name, valid) in found {
        let finished = valid && serving.building_index.as_deref() == Some(name.as_str());
        let wanted = matches!(plan.action, Action::Build | Action::Rebuild) && name.starts_with(&prefix(relation, &plan.kind));
        if finished && wanted && adopted.is_none() {
            tracing::info!(index = name, "an index that a killed run had finished is taken up");
            adopted = Some(name);
        } else {
            tracing::info!(index = name, valid, "dropping what a killed run left behind");
            drop_index(connection, &name).await?;
        }
    }
    if adopted.is_none() && serving.building_index.is_some() {
        end_build(connection, relation, None).await?;
    }
    if serving.is_retiring {
        retired(connection, relation).await?;
    }
    Ok(adopted)
}

/// Drops an index without keeping searches out.
pub(super) async fn drop_index(connection: &mut PgConnection, name: &str) -> Result<(), IndexError> {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quoted(name))))
        .execute(connection)
        .await
        .map_err(|source| IndexError::Sql { act: "dropping an index", source })?;
    Ok(())
}
