//! `ragline-gateway migrate`: bootstrap where a superuser's URL is given, then the migrations and the embedding space with the
//! owner's. Running it again changes nothing; two runs at once wait for each other.

use std::time::Duration;

use ragline_config::Database;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, migrate::Migrator, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    calibrations,
    error::{code, is_starting},
    pool,
    roles::{RoleWanted, bootstrap, check_extension, check_server},
    space::{SpaceWanted, distance_metric_word, element_type_word, from_row, quantization_word, wrong_model},
};
use crate::traits::search::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");
/// Another run in the same database may take this long.
const LOCK_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const GRANTS: &str = include_str!("../../../../migrations/grants.sql");

/// The URLs of the three roles.
#[derive(Debug)]
pub struct Urls<'a> {
    /// Superuser; absent where somebody else made the extension and the roles.
    pub bootstrap: Option<&'a SecretString>,
    pub owner: &'a SecretString,
    pub application: &'a SecretString,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Migrated {
    pub schema_version: i64,
    /// Migrations that this run applied.
    pub applied: usize,
}

/// Why the schema is not there.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Url(StoreError),
    #[error("{name} must carry a user and a password that are not those of another role")]
    Role { name: &'static str },
    #[error("PostgreSQL did not answer for {url} within the deadline")]
    Unreachable {
        url: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("PostgreSQL refuses the credentials of {url}; correct its password")]
    Unauthorized {
        url: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("there is no database {name:?}; create it, or give DATABASE_BOOTSTRAP_URL")]
    NoDatabase {
        name: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("PostgreSQL {found} is older than the oldest supported version, 15; use a newer server")]
    TooOld { found: String },
    #[error(
        "PostgreSQL has no pgvector; install it on the server and run `CREATE EXTENSION vector`, or use an image that has it"
    )]
    NoPgvector,
    #[error(
        "pgvector {found} is older than the oldest supported version, 0.8; install a newer one and run `ALTER EXTENSION vector UPDATE`"
    )]
    PgvectorTooOld { found: String },
    #[error("reading the server's version failed")]
    Inspect {
        #[source]
        source: sqlx::Error,
    },
    #[error("making the extension and the roles failed; DATABASE_BOOTSTRAP_URL must be a superuser's")]
    Bootstrap {
        #[source]
        source: sqlx::Error,
    },
    #[error("the role {role} does not exist, or may do more than an application; it is left as it is")]
    NotRetired { role: String },
    #[error("locking the role {role} out failed; DATABASE_BOOTSTRAP_URL must be a superuser's")]
    Retire {
        role: String,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "another run has been migrating this database for {} s, building an index perhaps; run it again once that has ended",
        LOCK_WITHIN.as_secs()
    )]
    Locked,
    #[error("building an index that an earlier run did not finish failed; run it again")]
    Unfinished {
        #[source]
        source: sqlx::Error,
    },
    #[error("a migration failed; once the cause is mended, run it again")]
    Migration {
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error("granting rights to the application role failed; does the role of DATABASE_URL exist?")]
    Grants {
        #[source]
        source: sqlx::Error,
    },
    #[error("making the embedding space failed")]
    Space {
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    WrongModel(StoreError),
}

/// The version that this program's statements are written for.
pub(super) fn wanted_version() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the database to the schema of this program. PostgreSQL may still be starting: it is waited for until `patience` ends.
///
/// # Errors
/// The first step that failed; [`MigrateError`] says how to mend it.
pub async fn migrate(
    database: &Database,
    urls: &Urls<'_>,
    space: &SpaceWanted,
    patience: Duration,
) -> Result<Migrated, MigrateError> {
    let deadline = Instant::now() + patience;
    let owner = role(urls.owner, "DATABASE_OWNER_URL")?;
    let application = role(urls.application, "DATABASE_URL")?;
    if owner.name == application.name {
        return Err(MigrateError::Role { name: "DATABASE_URL" });
    }
    if let Some(url) = urls.bootstrap {
        let options = pool::options(database, url).map_err(MigrateError::Url)?;
        bootstrap(&options, &database.schema, &owner, &application, deadline).await?;
    }
    let options = pool::options(database, urls.owner).map_err(MigrateError::Url)?;
    let mut connection = connect_until(&options, "DATABASE_OWNER_URL", deadline).await?;
    check_server(&mut connection).await?;
    check_extension(&mut connection).await?;
    lock(&mut connection).await?;
    let migrated = apply(&mut connection, &application.name, space).await?;
    connection.close().await.ok();
    Ok(migrated)
}

/// Keeps two runs in one database apart, and lets go once this process is gone, whatever the server is doing for it. Asks again and again:
/// a statement that waited would be waited for by an index that the other run builds concurrently.
async fn lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let deadline = Instant::now() + LOCK_WITHIN;
    let failed = |source| MigrateError::Inspect { source };
    sqlx::raw_sql("SET client_connection_check_interval = '2s'").execute(&mut *connection).await.map_err(failed)?;
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock(hashtext('ragline migrate'))")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?
    {
        if Instant::now() > deadline {
            return Err(MigrateError::Locked);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn apply(connection: &mut PgConnection, application: &str, space: &SpaceWanted) -> Result<Migrated, MigrateError> {
    let before = applied(connection).await;
    // A newer program may have migrated further already; its migrations only expand.
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    rebuild_unfinished(connection).await.map_err(|source| MigrateError::Unfinished { source })?;
    migrator.run(&mut *connection).await.map_err(|source| MigrateError::Migration { source })?;
    sqlx::query("SELECT set_config('ragline.application_role', $1, false)")
        .bind(application)
        .execute(&mut *connection)
        .await
        .map_err(|source| MigrateError::Grants { source })?;
    sqlx::raw_sql(GRANTS).execute(&mut *connection).await.map_err(|source| MigrateError::Grants { source })?;
    ensure_space(connection, space).await?;
    calibrations::write(connection, &space.model, space.dimensions).await.map_err(|source| MigrateError::Space { source })?;
    let after = applied(connection).await;
    Ok(Migrated { schema_version: wanted_version(), applied: after.saturating_sub(before) })
}

/// An index whose building was cut short is there and serves nothing; the migration that makes it takes it for its own. So it is dropped
/// and made once more.
async fn rebuild_unfinished(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = current_schema()::regnamespace AND c.relowner = current_user::regrole",
    )
    .fetch_all(&mut *connection)
    .await?;
    for name in names {
        let makes_it = |sql: &str| sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
        let Some(migration) = MIGRATOR.iter().find(|migration| migration.no_tx && makes_it(migration.sql.as_str())) else {
            continue;
        };
        tracing::info!(index = name, "an index that was not finished is built anew");
        let drop = AssertSqlSafe(format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"));
        sqlx::raw_sql(drop).execute(&mut *connection).await?;
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Migrations applied so far; none where the table is not there yet, though the schema of the extension may have one of another pipeline.
async fn applied(connection: &mut PgConnection) -> usize {
    let applied = "SELECT count(*) FROM _sqlx_migrations \
        WHERE success AND tableoid = to_regclass(format('%I._sqlx_migrations', current_schema()))";
    let count: Result<i64, _> = sqlx::query_scalar(applied).fetch_one(connection).await;
    count.map_or(0, |count| usize::try_from(count).unwrap_or(0))
}

/// Makes the space, with the CHECK of its dimensions. A space of another model gives way as long as it holds no vector.
async fn ensure_space(connection: &mut PgConnection, wanted: &SpaceWanted) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::Space { source };
    let mut tx = connection.begin().await.map_err(failed)?;
    let stored = sqlx::query("SELECT * FROM embedding_space ORDER BY id LIMIT 1 FOR UPDATE")
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
    if let Some(row) = stored {
        let stored = from_row(&row).map_err(failed)?;
        if stored.model == wanted.model && stored.dimensions == wanted.dimensions {
            return Ok(());
        }
        let used: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM document)").fetch_one(&mut *tx).await.map_err(failed)?;
        if used {
            return Err(MigrateError::WrongModel(wrong_model(&stored, wanted)));
        }
        let sql = format!(
            "ALTER TABLE embeddings DROP CONSTRAINT IF EXISTS embeddings_space_{0}; DELETE FROM embedding_space WHERE id = {0}",
            stored.id.0
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.map_err(failed)?;
    }
    let id: i32 = sqlx::query_scalar(
        "INSERT INTO embedding_space (model, dimensions, element_type, distance_metric, quantization) VALUES ($1, $2, $3, $4, $5) RETURNING id",
    )
    .bind(&wanted.model)
    .bind(i32::try_from(wanted.dimensions).unwrap_or(i32::MAX))
    .bind(element_type_word(wanted.element_type))
    .bind(distance_metric_word(wanted.distance_metric))
    .bind(quantization_word(wanted.quantization))
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    // There is no vector yet, so neither statement rewrites anything.
    let element = element_type_word(wanted.element_type);
    let sql = format!(
        "ALTER TABLE embeddings ALTER COLUMN embedding TYPE {element}; \
         ALTER TABLE embeddings ADD CONSTRAINT embeddings_space_{id} CHECK (space_id <> {id} OR vector_dims(embedding) = {})",
        wanted.dimensions
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

fn role(url: &SecretString, name: &'static str) -> Result<RoleWanted, MigrateError> {
    let decode = |text: &str| percent_decode(text).ok_or(MigrateError::Role { name });
    let parsed = url::Url::parse(url.expose_secret()).map_err(|_| MigrateError::Role { name })?;
    match (parsed.username(), parsed.password()) {
        ("", _) => Err(MigrateError::Role { name }),
        // Only the bootstrap needs a password; a role of somebody else's making may get in by a certificate.
        (user, password) => Ok(RoleWanted { name: decode(user)?, password: decode(password.unwrap_or_default())? }),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

/// Connects, again and again while the server is starting.
pub(super) async fn connect_until(
    options: &PgConnectOptions,
    url: &'static str,
    deadline: Instant,
) -> Result<PgConnection, MigrateError> {
    let mut pause = Duration::from_millis(100);
    loop {
        let attempt = Instant::now() + Duration::from_secs(10);
        let error = match timeout_at(attempt.min(deadline.max(Instant::now() + Duration::from_secs(1))), options.connect()).await
        {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        match code(&error).as_deref() {
            Some("28P01" | "28000") => return Err(MigrateError::Unauthorized { url, source: error }),
            Some("3D000") => {
                return Err(MigrateError::NoDatabase {
                    name: options.get_database().unwrap_or_default().to_owned(),
                    source: error,
                });
            }
            _ if !is_starting(&error) || Instant::now() + pause >= deadline => {
                return Err(MigrateError::Unreachable { url, source: error });
            }
            _ => tracing::info!(error = %error, "PostgreSQL does not answer yet, trying again"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_decoded() {
        let role = role(&SecretString::from("postgres://a%2Fb:p%40%C3%A4@h/d"), "DATABASE_URL").unwrap();
        assert_eq!((role.name.as_str(), role.password.as_str()), ("a/b", "p@ä"));
    }

    #[test]
    fn versions_of_the_migrations_rise_without_gaps() {
        let versions: Vec<i64> = MIGRATOR.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=wanted_version()).collect::<Vec<_>>());
    }
}
