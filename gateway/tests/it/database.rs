//! A database of its own for each test, copied from a migrated template.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ragline_config::{
    Database,
    index::{DistanceMetric, ElementType, Quantization},
};
use ragline_gateway::{
    backends::pgvector::{
        Store,
        migrate::{Migrated, Urls, migrate},
        pool::{self, Suspicion},
        space::SpaceWanted,
    },
    traits::search::{Directory, WorkspaceId},
};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::database_servers::{Servers, servers};

/// Numbers in the vectors of most tests.
pub(crate) const DIMENSIONS: u32 = 16;

/// A migrated database.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    pub(crate) name: String,
    pub(crate) space: SpaceWanted,
    pub(crate) config: Database,
}

/// A database for a model that is made up.
pub(crate) async fn fresh() -> TestDatabase {
    fresh_for("test-model", DIMENSIONS).await
}

/// A database for a given model.
pub(crate) async fn fresh_for(model: &str, dimensions: u32) -> TestDatabase {
    fresh_in(space(model, dimensions)).await
}

/// A database for a given space.
pub(crate) async fn fresh_in(space: SpaceWanted) -> TestDatabase {
    static TEMPLATES: Mutex<Option<HashMap<String, String>>> = Mutex::const_new(None);
    let mut guard = TEMPLATES.lock().await;
    let templates = guard.get_or_insert_default();
    let key = format!("{space:?}");
    if !templates.contains_key(&key) {
        let name = unused_name("template");
        migrate_database(&name, &space).await;
        templates.insert(key.clone(), name);
    }
    // Copies one after another: PostgreSQL refuses to copy a database that somebody is connected to.
    let name = unused_name("it");
    superuser_runs(&format!("CREATE DATABASE {name} TEMPLATE {} STRATEGY FILE_COPY", templates[&key])).await;
    TestDatabase { name, space, config: Database::default() }
}

pub(crate) fn space(model: &str, dimensions: u32) -> SpaceWanted {
    SpaceWanted {
        model: model.to_owned(),
        dimensions,
        element_type: ElementType::default(),
        distance_metric: DistanceMetric::default(),
        quantization: Quantization::default(),
    }
}

/// A name that no test uses.
pub(crate) fn unused_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs one statement in the database `postgres`.
pub(crate) async fn superuser_runs(sql: &str) {
    let mut connection = PgConnection::connect(&servers().url("DATABASE_BOOTSTRAP_URL", "postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Makes and migrates a database, bootstrap included.
pub(crate) async fn migrate_database(name: &str, space: &SpaceWanted) -> Migrated {
    let [bootstrap, owner, application] = urls(servers(), name);
    let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
    migrate(&Database::default(), &urls, space, Duration::from_secs(60)).await.unwrap()
}

/// The URLs of superuser, owner and application.
pub(crate) fn urls(servers: &Servers, database: &str) -> [SecretString; 3] {
    ["DATABASE_BOOTSTRAP_URL", "DATABASE_OWNER_URL", "DATABASE_URL"].map(|name| SecretString::from(servers.url(name, database)))
}

impl TestDatabase {
    /// The application's store.
    pub(crate) fn store(&self) -> Store {
        Store::connect(&self.config, &self.url("DATABASE_URL"), self.space.clone()).unwrap()
    }

    /// A URL of this database, as `DATABASE_URL`.
    pub(crate) fn url(&self, name: &str) -> SecretString {
        SecretString::from(servers().url(name, &self.name))
    }

    /// The pool of the owner role.
    pub(crate) fn owner(&self) -> PgPool {
        pool::owner(&self.config, &self.url("DATABASE_OWNER_URL")).unwrap()
    }

    /// A pool of the superuser.
    pub(crate) async fn superuser(&self) -> PgPool {
        use secrecy::ExposeSecret;
        PgPool::connect(self.url("DATABASE_BOOTSTRAP_URL").expose_secret()).await.unwrap()
    }

    /// A pool of the application role without the store around it.
    pub(crate) fn application(&self) -> PgPool {
        pool::application(&self.config, pool::options(&self.config, &self.url("DATABASE_URL")).unwrap(), Suspicion::default())
    }

    /// Another workspace.
    pub(crate) async fn workspace(&self, name: &str) -> WorkspaceId {
        let id = sqlx::query_scalar("SELECT create_workspace($1)").bind(name).fetch_one(&self.owner()).await.unwrap();
        WorkspaceId(id)
    }
}

/// The workspace `default`.
pub(crate) async fn default_workspace(store: &Store) -> WorkspaceId {
    store.workspace("default").await.unwrap().unwrap()
}
