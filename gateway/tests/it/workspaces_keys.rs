//! What a gateway remembers of keys: no query for each request, and none too long.

use std::{sync::atomic::Ordering, time::Duration};

use axum::body::Body;
use ragline_gateway::traits::{
    search::Directory,
    workspaces::{NewKey, Scope, WorkspaceName, WorkspaceStore},
};
use sqlx::Connection;

use crate::{
    database::{fresh, superuser_runs},
    http_fakes::{THEIR_KEY, UNHEARD},
    http_fixture::{api, request_as},
    store_fixture::hash,
};

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_key_is_looked_up_once_until_keys_change() {
    let api = api();
    let ask = || api.send(request_as(THEIR_KEY, "GET", "/v1/documents").body(Body::empty()).unwrap());
    let look_ups = || api.store.key_look_ups.load(Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(ask().await.status, 200);
    }
    assert_eq!(look_ups(), 1);
    api.store.keys_version.store(1, Ordering::Relaxed);
    ask().await;
    ask().await;
    assert_eq!(look_ups(), 2);
    api.store.keys_version.store(UNHEARD, Ordering::Relaxed);
    ask().await;
    ask().await;
    assert_eq!(look_ups(), 4, "a store that hears nothing is asked each time");
}

fn name(text: &str) -> WorkspaceName {
    text.parse().unwrap()
}

fn key(secret: &str) -> NewKey {
    NewKey { name: "k".into(), scope: Scope::Write, sha256: hash(secret), expires_in_days: None }
}

/// Resolves when the store hears of changes, or hears of one after `seen`.
async fn heard(store: &impl Directory, seen: Option<u64>) -> u64 {
    let wait = async {
        loop {
            match store.keys_version() {
                Some(version) if Some(version) != seen => return version,
                Some(_) | None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("nothing was heard of the keys")
}

#[tokio::test]
async fn another_gateway_hears_of_every_change_of_a_key() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    here.create_workspace(&name("team")).await.unwrap().unwrap();
    let start = heard(&there, None).await;
    let made = here.create_key(&name("team"), key("secret")).await.unwrap().unwrap();
    let after_making = heard(&there, Some(start)).await;
    assert_eq!(there.key_holder(&hash("secret")).await.unwrap().unwrap().scope, Scope::Write);
    assert!(here.revoke_key(made.id).await.unwrap());
    let after_revoking = heard(&there, Some(after_making)).await;
    assert!(there.key_holder(&hash("secret")).await.unwrap().is_none());
    here.create_key(&name("team"), key("another")).await.unwrap().unwrap();
    let after_another = heard(&there, Some(after_revoking)).await;
    here.delete_workspace(&name("team")).await.unwrap();
    heard(&there, Some(after_another)).await;
    assert!(there.key_holder(&hash("another")).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_missed_while_nobody_listened_counts() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    here.create_workspace(&name("team")).await.unwrap().unwrap();
    let made = here.create_key(&name("team"), key("secret")).await.unwrap().unwrap();
    let start = heard(&there, None).await;
    superuser_runs(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database.name)).await;
    let owner = database.url("DATABASE_OWNER_URL");
    let mut connection = sqlx::PgConnection::connect(secrecy::ExposeSecret::expose_secret(&owner)).await.unwrap();
    // By the hand of the owner and without a word: only the new connection can tell.
    sqlx::query("UPDATE api_key SET revoked_at = now() WHERE id = $1").bind(made.id).execute(&mut connection).await.unwrap();
    heard(&there, Some(start)).await;
    assert!(there.key_holder(&hash("secret")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_that_expired_has_no_force() {
    let database = fresh().await;
    let store = database.store();
    store.create_key(&name("default"), NewKey { expires_in_days: Some(1), ..key("secret") }).await.unwrap().unwrap();
    assert!(store.key_holder(&hash("secret")).await.unwrap().is_some());
    sqlx::raw_sql("UPDATE api_key SET expires_at = now() - interval '1 second'").execute(&database.owner()).await.unwrap();
    assert!(store.key_holder(&hash("secret")).await.unwrap().is_none());
    sqlx::raw_sql("UPDATE api_key SET expires_at = now() - interval '31 days'").execute(&database.owner()).await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 1);
}
