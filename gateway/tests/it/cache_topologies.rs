//! The cache and the shared budgets behave alike on every kind of server, of Valkey and of Redis, with and without TLS.

use std::sync::Arc;

use bytes::Bytes;
use ragline_gateway::{
    backends::{
        cache::{TimesToLive, ValkeyCache},
        limiter::SharedLimiter,
    },
    metrics::Metrics,
    traits::{
        cache::{CacheKey, Namespace},
        limiter::{Budget, BudgetId, Limiter, Measure, Payer},
        search::{KeyPrint, WorkspaceId},
    },
};

use crate::{
    cache_fixture::{Servers, Topology, passwords},
    cache_servers::Program,
};

/// Enough for every node of a cluster to have some.
const ENTRIES: usize = 300;
const WORKSPACES: i32 = 12;

fn client(servers: &Servers) -> (Arc<ValkeyCache>, Metrics) {
    let config = servers.config();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let client = ValkeyCache::open(&config, &passwords(), TimesToLive::new(&config), metrics.clone()).unwrap();
    (Arc::new(client), metrics)
}

async fn check(topology: Topology, program: Program, tls: bool) {
    let servers = Servers::start(topology, program, tls).await;
    keeps_and_forgets(&servers).await;
    shares_budgets(&servers).await;
}

async fn keeps_and_forgets(servers: &Servers) {
    let (client, metrics) = client(servers);
    let (namespace, entry) =
        (Namespace::VectorSearch, |n: usize| (CacheKey(format!("{n:064x}")), Bytes::from(format!("value {n}"))));
    let keys: Vec<_> = (0..=ENTRIES).map(|n| entry(n).0).collect();
    assert!(client.is_reachable().await);
    assert_eq!(client.load_many(namespace, &keys).await, vec![None; ENTRIES + 1]);
    client.store_many(namespace, (0..ENTRIES).map(entry).collect()).await;
    let mut expected: Vec<_> = (0..ENTRIES).map(|n| Some(entry(n).1)).collect();
    expected.push(None);
    assert_eq!(client.load_many(namespace, &keys).await, expected);
    let left = client.time_to_live(namespace, &keys[0]).await.unwrap().as_secs();
    assert!((3_500..=3_600).contains(&left), "{left} s");
    let figures = client.figures().await.unwrap();
    assert!(figures.memory_used_bytes > 100_000.0, "{figures:?}");
    assert_eq!(client.remove_many(namespace, &keys).await, Some(ENTRIES as u64));
    assert_eq!(client.load_many(namespace, &keys).await, vec![None; ENTRIES + 1]);
    assert_eq!((metrics.valkey_connection_success.get(), metrics.valkey_connection_error.get()), (1, 0));
}

/// What a request of a workspace is counted on.
fn budgets(workspace: i32) -> [Budget; 3] {
    let workspace = WorkspaceId(workspace);
    let key = Payer::Key(KeyPrint([7; 32]), workspace);
    let budget = |payer, measure, per_minute| Budget { id: BudgetId { payer, measure }, per_minute };
    [
        budget(key, Measure::Requests, 5),
        budget(Payer::Workspace(workspace), Measure::Requests, 1_000),
        budget(Payer::Workspace(workspace), Measure::Tokens, 1_000),
    ]
}

async fn shares_budgets(servers: &Servers) {
    let ((one, one_metrics), (two, two_metrics)) = (client(servers), client(servers));
    let limiter = |client, metrics: &Metrics| SharedLimiter::new(client, "realm".to_owned(), metrics.clone());
    let gateways = [limiter(one, &one_metrics), limiter(two, &two_metrics)];
    for workspace in 1..=WORKSPACES {
        let mut admitted = 0;
        for n in 0..8 {
            admitted += usize::from(gateways[n % 2].admit(&budgets(workspace)).await.admitted);
        }
        // A slow machine sees one come back after twelve seconds.
        assert!((5..=6).contains(&admitted), "{admitted} of 5 in workspace {workspace}");
    }
    gateways[0].charge(&budgets(99)[2..], 3_000).await;
    assert!(!gateways[1].admit(&budgets(99)).await.admitted, "tokens that are spent at one gateway close the other");
    for metrics in [one_metrics, two_metrics] {
        assert_eq!((metrics.rate_limit_fallbacks.get(), metrics.valkey_connection_error.get()), (0, 0));
    }
}

#[tokio::test]
async fn one_valkey() {
    check(Topology::Single, Program::Valkey, false).await;
}

#[tokio::test]
async fn one_redis() {
    check(Topology::Single, Program::Redis, false).await;
}

#[tokio::test]
async fn one_redis_over_tls() {
    check(Topology::Single, Program::Redis, true).await;
}

#[tokio::test]
async fn a_valkey_that_sentinels_name() {
    check(Topology::Sentinel, Program::Valkey, false).await;
}

#[tokio::test]
async fn a_redis_that_sentinels_name_over_tls() {
    check(Topology::Sentinel, Program::Redis, true).await;
}

#[tokio::test]
async fn a_cluster_of_valkey() {
    check(Topology::Cluster, Program::Valkey, false).await;
}

#[tokio::test]
async fn a_cluster_of_redis() {
    check(Topology::Cluster, Program::Redis, false).await;
}

#[tokio::test]
async fn a_cluster_of_redis_over_tls() {
    check(Topology::Cluster, Program::Redis, true).await;
}

#[tokio::test]
async fn a_demoted_master_is_left_for_the_new_one_although_it_answers() {
    let servers = Servers::start(Topology::Sentinel, Program::Valkey, false).await;
    let (client, _) = client(&servers);
    assert!(client.is_reachable().await);
    // Nobody ends the connection: only what is written tells.
    servers.data[1].ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    for sentinel in &servers.sentinels {
        sentinel.ask::<()>(&["SENTINEL", "REMOVE", "main"]).await;
        let (port, quorum) = (servers.data[1].port.to_string(), "2");
        sentinel.ask::<()>(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &port, quorum]).await;
        sentinel.ask::<()>(&["SENTINEL", "SET", "main", "auth-pass", crate::cache_servers::PASSWORD]).await;
    }
    servers.data[0].ask::<()>(&["REPLICAOF", "127.0.0.1", &servers.data[1].port.to_string()]).await;
    let key = CacheKey("0".repeat(64));
    crate::cache_servers::eventually("what is stored is on the new master", async || {
        client.store_many(Namespace::VectorSearch, vec![(key.clone(), Bytes::from_static(b"value"))]).await;
        servers.data[1].ask::<Option<String>>(&["GET", &format!("vector:search:{}", key.0)]).await.as_deref() == Some("value")
    })
    .await;
}
