//! What a store may read from a replica.

use ragline_config::Database;
use ragline_gateway::{
    backends::pgvector::{ReplicaFigures, Store, pool},
    traits::search::{LexicalQuery, Searcher, StoreError, WorkspaceId},
};
use secrecy::SecretString;

use crate::{
    database::{DIMENSIONS, default_workspace, space},
    replica_fixture::{Replicated, until},
    store_fixture::{chunk, stored, texts},
};

fn connect(servers: &Replicated, replicas: &[SecretString]) -> Store {
    let wanted = space("test-model", DIMENSIONS);
    Store::connect_with_replicas(&Database::default(), &servers.application, replicas, wanted).unwrap()
}

#[tokio::test]
async fn a_replica_shows_each_workspace_its_own_rows_alone() {
    let servers = Replicated::start(1, "test-model", DIMENSIONS).await;
    let store = connect(&servers, &servers.replicas);
    let first = default_workspace(&store).await;
    let owner = pool::owner(&Database::default(), &servers.owner).unwrap();
    let id = sqlx::query_scalar("SELECT create_workspace('second')").fetch_one(&owner).await.unwrap();
    let second = WorkspaceId(id);
    for (workspace, text) in [(first, "the first workspace"), (second, "the second workspace")] {
        stored(&store, workspace, "a.txt", vec![chunk(0, text, 1)]).await;
    }
    until("the replica is fit", || async { store.replicas()[0].healthy }).await;
    // A search may come before its workspace's version has reached the replica; then it is made on the primary.
    until("the replica answers", || async {
        let before = store.moved_from_replicas();
        for workspace in [first, second] {
            texts(&store, workspace, 1, 10).await;
        }
        store.moved_from_replicas() == before
    })
    .await;
    let moved = store.moved_from_replicas();
    for (workspace, text) in [(first, "the first workspace"), (second, "the second workspace")] {
        assert_eq!(texts(&store, workspace, 1, 10).await, [text]);
        let query = LexicalQuery { workspace, text: "workspace".into(), limit: 10, filter: None };
        let leg = store.matching(&query).await.unwrap();
        assert_eq!((leg.hits.len(), leg.store_version), (1, store.store_version(workspace).await.unwrap()));
    }
    let unknown = LexicalQuery { workspace: WorkspaceId(9_999), text: "workspace".into(), limit: 10, filter: None };
    assert!(matches!(store.matching(&unknown).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.moved_from_replicas(), moved + 1, "what a replica does not know is asked of the primary");
}

#[tokio::test]
async fn a_replica_that_row_level_security_does_not_bind_is_never_read_from() {
    let servers = Replicated::start(1, "test-model", DIMENSIONS).await;
    let superuser = SecretString::from(servers.superuser_of(0));
    let store = connect(&servers, &[superuser, servers.application.clone()]);
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "a text", 1)]).await;
    until("the replica's lag is known", || async { store.replicas()[0].lag.is_some() }).await;
    assert_eq!(texts(&store, workspace, 1, 10).await, ["a text"]);
    // The second is the primary itself, which takes writes.
    let left_out = |figures: &ReplicaFigures| !figures.healthy;
    assert!(store.replicas().iter().all(left_out), "{:?}", store.replicas());
}
