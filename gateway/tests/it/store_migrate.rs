//! The schema: made, made again, refused for another model.

use std::time::Duration;

use futures::future::join_all;
use ragline_config::Database;
use ragline_gateway::{
    backends::pgvector::{
        Store,
        migrate::{MigrateError, Urls, migrate},
        roles,
    },
    traits::search::{Directory, Searcher, StoreError},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    database::{default_workspace, fresh, migrate_database, space, superuser_runs, unused_name, urls},
    database_servers::servers,
    store_fixture::{chunk, stored, vector},
};

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let (name, space) = (unused_name("migrated"), space("test-model", 16));
    let first = migrate_database(&name, &space).await;
    assert!(first.applied > 0);
    let second = migrate_database(&name, &space).await;
    assert_eq!((second.applied, second.schema_version), (0, first.schema_version));
}

#[tokio::test]
async fn pipelines_that_share_a_server_are_made_at_the_same_time() {
    let space = space("test-model", 16);
    let names: Vec<_> = (0..6).map(|_| unused_name("shared")).collect();
    for _ in 0..3 {
        join_all(names.iter().map(|name| migrate_database(name, &space))).await;
    }
}

/// An index that one of them builds waits for every statement that is under way in the database.
#[tokio::test]
async fn schemas_of_one_database_are_made_at_the_same_time() {
    let (name, space) = (unused_name("schemas"), space("test-model", 16));
    migrate_database(&name, &space).await;
    let [bootstrap, owner, application] = urls(servers(), &name);
    let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
    let databases = ["one", "two", "three"].map(|schema| Database { schema: schema.to_owned(), ..Database::default() });
    for made in join_all(databases.iter().map(|database| migrate(database, &urls, &space, Duration::from_secs(60)))).await {
        assert!(made.unwrap().applied > 0);
    }
}

#[tokio::test]
async fn an_index_whose_building_was_cut_short_is_built_anew() {
    let database = fresh().await;
    let owner = database.owner();
    sqlx::raw_sql("DROP INDEX attribute_number_own; DELETE FROM _sqlx_migrations WHERE version = 21")
        .execute(&owner)
        .await
        .unwrap();
    let mut writing = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE attribute IN ROW EXCLUSIVE MODE").execute(&mut *writing).await.unwrap();
    let mut building = owner.acquire().await.unwrap();
    sqlx::raw_sql("SET statement_timeout = '1s'").execute(&mut *building).await.unwrap();
    let build = include_str!("../../../migrations/0021_attribute_number_own.sql");
    assert!(sqlx::raw_sql(build).execute(&mut *building).await.is_err(), "it waits for the writer");
    sqlx::raw_sql("RESET statement_timeout").execute(&mut *building).await.unwrap();
    writing.rollback().await.unwrap();
    drop(building);
    let valid = async || {
        let found = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'attribute_number_own'::regclass";
        sqlx::query_scalar::<_, bool>(found).fetch_one(&owner).await.unwrap()
    };
    assert!(!valid().await);
    assert_eq!(migrate_database(&database.name, &database.space).await.applied, 1);
    assert!(valid().await);
}

#[tokio::test]
async fn another_model_is_refused_once_there_are_documents() {
    let database = fresh().await;
    let [bootstrap, owner, application] = urls(servers(), &database.name);
    let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
    let other = space("other-model", 32);
    let run = || migrate(&database.config, &urls, &other, Duration::from_secs(10));
    let store = database.store();
    stored(&store, default_workspace(&store).await, "a.txt", vec![chunk(0, "one", 0)]).await;
    let error = run().await.unwrap_err();
    let MigrateError::WrongModel(StoreError::WrongModel { stored, wanted, .. }) = &error else { panic!("{error}") };
    assert_eq!((stored.as_str(), wanted.as_str()), ("test-model", "other-model"));
}

#[tokio::test]
async fn another_model_takes_over_an_empty_database() {
    let mut database = fresh().await;
    database.space = space("other-model", 4);
    migrate_database(&database.name, &database.space).await;
    database.store().prove().await.unwrap();
    let old = crate::database::TestDatabase {
        name: database.name.clone(),
        space: space("test-model", 16),
        config: Database::default(),
    };
    assert!(matches!(old.store().prove().await, Err(StoreError::WrongModel { .. })));
}

#[tokio::test]
async fn a_schema_of_its_own_holds_everything() {
    let name = unused_name("schema");
    let config = Database { schema: "ragline_test".into(), ..Database::default() };
    let [bootstrap, owner, application] = urls(servers(), &name);
    let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
    let space = space("test-model", 16);
    migrate(&config, &urls, &space, Duration::from_secs(60)).await.unwrap();
    let store = crate::database::TestDatabase { name, space, config }.store();
    store.prove().await.unwrap();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    let query = ragline_gateway::traits::search::NearestQuery { workspace, vector: vector(0), limit: 3, filter: None };
    assert_eq!(store.nearest(&query).await.unwrap().matches.len(), 1);
}

#[tokio::test]
async fn a_vector_of_other_dimensions_is_refused_by_the_table() {
    let database = fresh().await;
    let error = sqlx::raw_sql("INSERT INTO embeddings VALUES (1, 1, 1, 1, 0, 1, '[1,2,3]')")
        .execute(&database.owner())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("embeddings_space_1"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let database = fresh().await;
    let [_, owner, application] = urls(servers(), &database.name);
    let mut wrong = url::Url::parse(owner.expose_secret()).unwrap();
    wrong.set_password(Some("wrong")).unwrap();
    let wrong = SecretString::from(String::from(wrong));
    let urls = Urls { bootstrap: None, owner: &wrong, application: &application };
    let error = migrate(&database.config, &urls, &database.space, Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unauthorized { url: "DATABASE_OWNER_URL", .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_until_the_deadline() {
    let nowhere = SecretString::from("postgres://owner:o@127.0.0.1:1/d");
    let application = SecretString::from("postgres://app:a@127.0.0.1:1/d");
    let urls = Urls { bootstrap: None, owner: &nowhere, application: &application };
    let begun = std::time::Instant::now();
    let error = migrate(&Database::default(), &urls, &space("m", 3), Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_database_without_a_schema_says_to_migrate() {
    let name = unused_name("bare");
    superuser_runs(&format!("CREATE DATABASE {name}")).await;
    let bare = crate::database::TestDatabase { name, space: space("m", 3), config: Database::default() };
    let error = bare.store().ready().await.unwrap_err();
    assert!(matches!(error, StoreError::WrongSchema { found: 0, .. }), "{error}");
    assert!(error.to_string().contains("ragline-gateway migrate"), "{error}");
}

/// The URL of another role of the same database.
fn url_of(url: &SecretString, role: &str, password: &str) -> SecretString {
    let mut url = url::Url::parse(url.expose_secret()).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some(password)).unwrap();
    SecretString::from(String::from(url))
}

#[tokio::test]
async fn two_login_roles_take_turns_and_the_retired_one_is_locked_out_until_its_turn_comes() {
    let database = fresh().await;
    let [bootstrap, owner, first] = urls(servers(), &database.name);
    // Roles belong to the whole server, and other tests use its first one.
    let role = unused_name("second");
    let run = async |password: &str| {
        let second = url_of(&first, &role, password);
        let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &second };
        migrate(&database.config, &urls, &database.space, Duration::from_secs(10)).await.unwrap();
        second
    };
    let connect = |url: &SecretString| Store::connect(&database.config, url, database.space.clone()).unwrap();
    let retire = || roles::retire(&database.config, &bootstrap, &role, Duration::from_secs(10));

    let second = run("a").await;
    let (before, after) = (database.store(), connect(&second));
    let workspace = default_workspace(&before).await;
    stored(&before, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    after.prove().await.unwrap();
    stored(&after, workspace, "b.txt", vec![chunk(0, "two", 1)]).await;
    before.prove().await.unwrap();

    assert!(retire().await.unwrap() > 0, "it had sessions");
    assert!(connect(&second).prove().await.is_err());
    assert_eq!(retire().await.unwrap(), 0, "again changes nothing");
    // As a start of PostgreSQL does with a Secret of before.
    superuser_runs(&format!("ALTER ROLE {role} LOGIN PASSWORD 'a'")).await;
    assert!(connect(&second).prove().await.is_err());
    stored(&before, workspace, "c.txt", vec![chunk(0, "three", 2)]).await;

    let again = run("b").await;
    connect(&again).prove().await.unwrap();
    assert!(connect(&second).prove().await.is_err(), "its old password is none any more");
}

#[tokio::test]
async fn a_role_that_may_do_more_than_an_application_is_not_retired() {
    let [bootstrap, ..] = urls(servers(), "postgres");
    for role in ["postgres", "ragline_owner_of_nothing"] {
        let error = roles::retire(&Database::default(), &bootstrap, role, Duration::from_secs(10)).await.unwrap_err();
        assert!(matches!(&error, MigrateError::NotRetired { role: named } if named == role), "{error}");
    }
    let database = fresh().await;
    let owner = url::Url::parse(database.url("DATABASE_OWNER_URL").expose_secret()).unwrap().username().to_owned();
    let maker = unused_name("maker");
    superuser_runs(&format!("CREATE ROLE {maker} LOGIN CREATEDB")).await;
    for role in [&owner, &maker] {
        let refused = roles::retire(&Database::default(), &bootstrap, role, Duration::from_secs(10)).await;
        assert!(matches!(refused, Err(MigrateError::NotRetired { .. })), "{role}: {refused:?}");
    }
}
