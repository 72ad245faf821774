//! What only a superuser may do. The bootstrap makes the database, the extension and the two roles; run again it brings their passwords
//! in line with the URLs. A login role that another one has taken the place of is retired.

use std::time::Duration;

use ragline_config::Database;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};

use super::{
    migrate::{MigrateError, connect_until},
    pool,
};

/// A role as it is to be: the name and password of a URL.
#[derive(Debug)]
pub(super) struct RoleWanted {
    pub(super) name: String,
    pub(super) password: String,
}

/// The oldest pgvector: iterative scans came with it.
const PGVECTOR_OLDEST: (u32, u32) = (0, 8);
/// The oldest PostgreSQL, as `server_version_num` has it.
const POSTGRES_OLDEST: i32 = 150_000;

/// One transaction: all of it or nothing.
pub(super) async fn bootstrap(
    options: &PgConnectOptions,
    schema: &str,
    owner: &RoleWanted,
    application: &RoleWanted,
    deadline: tokio::time::Instant,
) -> Result<(), MigrateError> {
    let mut connection = connect_or_create(options, deadline).await?;
    check_server(&mut connection).await?;
    let failed = |source| MigrateError::Bootstrap { source };
    let mut tx = connection.begin().await.map_err(failed)?;
    // Roles are the whole server's, an advisory lock a database's alone: pipelines that share a server wait for each other here.
    sqlx::raw_sql("SET LOCAL lock_timeout = '60s'; LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    extension(&mut tx).await?;
    for role in [owner, application] {
        sqlx::query("SELECT set_config('ragline.role', $1, true), set_config('ragline.password', $2, true)")
            .bind(&role.name)
            .bind(&role.password)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::raw_sql(ROLE).execute(&mut *tx).await.map_err(failed)?;
    }
    sqlx::query("SELECT set_config('ragline.role', $1, true), set_config('ragline.schema', $2, true), set_config('ragline.other', $3, true)")
        .bind(&owner.name)
        .bind(schema)
        .bind(&application.name)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    sqlx::raw_sql(OWNER).execute(&mut *tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    // What was committed stays; a connection that does not part cleanly is no failure.
    connection.close().await.ok();
    Ok(())
}

/// Locks a login role out and ends its sessions; gives how many there were. A later bootstrap with its name lets it in again.
///
/// # Errors
/// PostgreSQL does not answer, or the role does not exist or may do more than an application.
pub async fn retire(database: &Database, url: &SecretString, role: &str, patience: Duration) -> Result<i64, MigrateError> {
    let options = pool::options(database, url).map_err(MigrateError::Url)?;
    let mut connection = connect_until(&options, "DATABASE_BOOTSTRAP_URL", tokio::time::Instant::now() + patience).await?;
    let failed = |source| MigrateError::Retire { role: role.to_owned(), source };
    let ordinary: Option<bool> = sqlx::query_scalar(
        "SELECT NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication) \
           AND NOT EXISTS (SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND deptype = 'o') \
         FROM pg_roles r WHERE rolname = $1",
    )
    .bind(role)
    .fetch_optional(&mut connection)
    .await
    .map_err(failed)?;
    if ordinary != Some(true) {
        return Err(MigrateError::NotRetired { role: role.to_owned() });
    }
    sqlx::query("SELECT set_config('ragline.role', $1, false)").bind(role).execute(&mut connection).await.map_err(failed)?;
    sqlx::raw_sql(RETIRED).execute(&mut connection).await.map_err(failed)?;
    let ended = sqlx::query_scalar("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1")
        .bind(role)
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.ok();
    Ok(ended)
}

// Names and passwords come as settings, since DDL takes no parameters; `format` quotes them.
const ROLE: &str = r"DO $$
DECLARE
  wanted name := current_setting('ragline.role');
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
    EXECUTE format('CREATE ROLE %I', wanted);
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD %L', wanted,
                 current_setting('ragline.password'));
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted AND rolconnlimit = 0) THEN
    EXECUTE format('ALTER ROLE %I CONNECTION LIMIT -1', wanted);
  END IF;
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), wanted);
END $$";

/// The bound stays where somebody gives the role a password again, as PostgreSQL's start command may with that of a Secret of before.
const RETIRED: &str = r"DO $$
BEGIN
  EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL CONNECTION LIMIT 0', current_setting('ragline.role'));
END $$";

const OWNER: &str = r"DO $$
DECLARE
  owner name := current_setting('ragline.role');
  schema name := current_setting('ragline.schema');
BEGIN
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', schema, owner);
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I WITH GRANT OPTION', schema, owner);
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', schema, current_setting('ragline.other')::name);
  EXECUTE format('GRANT pg_monitor TO %I', owner);
END $$";

/// Figures of statements, where the server was started with the library that takes them.
const STATISTICS: &str = r"DO $$
BEGIN
  IF current_setting('shared_preload_libraries') ~ '\mpg_stat_statements\M'
     AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
  END IF;
END $$";

async fn connect_or_create(options: &PgConnectOptions, deadline: tokio::time::Instant) -> Result<PgConnection, MigrateError> {
    match connect_until(options, "DATABASE_BOOTSTRAP_URL", deadline).await {
        Err(MigrateError::NoDatabase { source, name }) => {
            let mut connection = options
                .clone()
                .database("postgres")
                .connect()
                .await
                .map_err(|_| MigrateError::NoDatabase { source, name: name.clone() })?;
            let sql = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .map_err(|source| MigrateError::Bootstrap { source })?;
            connection.close().await.ok();
            connect_until(options, "DATABASE_BOOTSTRAP_URL", deadline).await
        }
        other => other,
    }
}

async fn extension(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let available = sqlx::query("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(|source| MigrateError::Bootstrap { source })?;
    if available.is_none() {
        return Err(MigrateError::NoPgvector);
    }
    for sql in ["CREATE EXTENSION IF NOT EXISTS vector; ALTER EXTENSION vector UPDATE", STATISTICS] {
        sqlx::raw_sql(sql).execute(&mut *connection).await.map_err(|source| MigrateError::Bootstrap { source })?;
    }
    check_extension(connection).await
}

/// Refuses a server that is too old, by name.
pub(super) async fn check_server(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let row =
        sqlx::query("SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS name")
            .fetch_one(connection)
            .await
            .map_err(|source| MigrateError::Inspect { source })?;
    let number: i32 = row.try_get("number").map_err(|source| MigrateError::Inspect { source })?;
    let found: String = row.try_get("name").map_err(|source| MigrateError::Inspect { source })?;
    if number < POSTGRES_OLDEST { Err(MigrateError::TooOld { found }) } else { Ok(()) }
}

/// Refuses a database without pgvector, or with one that is too old, by name.
pub(super) async fn check_extension(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let found: Option<String> = sqlx::query_scalar("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        .fetch_optional(connection)
        .await
        .map_err(|source| MigrateError::Inspect { source })?;
    match found {
        None => Err(MigrateError::NoPgvector),
        Some(found) if version(&found) < PGVECTOR_OLDEST => Err(MigrateError::PgvectorTooOld { found }),
        Some(_) => Ok(()),
    }
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("0.7.4") < PGVECTOR_OLDEST);
        assert!(version("0.8.0") >= PGVECTOR_OLDEST && version("0.10.0") >= PGVECTOR_OLDEST && version("1.0") >= PGVECTOR_OLDEST);
    }
}
