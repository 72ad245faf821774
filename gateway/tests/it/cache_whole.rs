//! Whole gateways on each kind of cache: they share what they found, a new document empties it, and no search fails because of what
//! happens to the servers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    cache_fixture::{Servers, Topology},
    cache_servers::{Certificates, PASSWORD, Program, SENTINEL_PASSWORD, eventually},
    database::{TestDatabase, fresh_for},
    env_fixture::Gateway,
    fault_fixture::{ended, gateway_that_cuts, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

/// Clients that search at once.
const CLIENTS: usize = 4;
/// So many requests that none is refused, and yet each is counted.
const MANY: &str =
    "limits:\n  rate:\n    perKey:\n      requestsPerMinute: 60000000\n    perWorkspace:\n      requestsPerMinute: 60000000\n";
const AWAY: &str = "Valkey does not answer; going on without it";

/// A gateway on these servers that keeps nothing in its own memory.
async fn gateway(database: &TestDatabase, provider: &Provider, cache: &ragline_config::Cache) -> Gateway {
    let cache = ragline_config::Cache { memory_bytes: 0, timeout_ms: 200, ..cache.clone() };
    let config = format!("cache: {}\n{MANY}", serde_json::to_string(&cache).unwrap());
    let one_server = cache.sentinel.is_none() && cache.cluster.is_none();
    let (host, port) = if one_server { (cache.host, cache.port.to_string()) } else { (String::new(), String::new()) };
    let variables = [
        ("VALKEY_HOST", host.as_str()),
        ("VALKEY_PORT", &port),
        ("VALKEY_PASSWORD", PASSWORD),
        ("VALKEY_SENTINEL_PASSWORD", SENTINEL_PASSWORD),
    ];
    gateway_that_cuts(&config, database.url("DATABASE_URL").expose_secret(), provider, &variables).await
}

async fn search(gateway: &Gateway, query: &str) -> Value {
    let answer = gateway.post("/v1/search", json!({"query": query})).await;
    assert!(!answer["data"].as_array().unwrap().is_empty(), "{answer}");
    answer
}

async fn take_in(gateway: &Gateway, name: &str) {
    let job = upload(gateway, &[(name.to_owned(), text(name, 3))]).await;
    assert_eq!(ended(gateway, &job).await["status"], "completed");
}

async fn shared_and_emptied(servers: &Servers) {
    let (database, provider) = (fresh_for(MODEL, DIMENSIONS).await, Provider::start().await);
    let config = servers.config();
    let (one, two) = (gateway(&database, &provider, &config).await, gateway(&database, &provider, &config).await);
    take_in(&one, "first.txt").await;
    for n in 0..12 {
        let query = format!("question {n}");
        assert_eq!(search(&one, &query).await["cache_hit"], json!(false), "{query}");
        assert_eq!(search(&two, &query).await["cache_hit"], json!(true), "{query}: {}", two.log());
    }
    take_in(&one, "second.txt").await;
    for n in 0..12 {
        let answer = search(&one, &format!("question {n}")).await;
        assert_eq!(answer["cache_hit"], json!(false), "a result outlives a new document");
    }
    assert_eq!(one.metric("valkey_connection_error_total").await, Some(0.0), "{}", one.log());
}

#[tokio::test]
async fn what_one_gateway_found_is_found_by_another_through_sentinels_until_a_document_comes() {
    shared_and_emptied(&Servers::start(Topology::Sentinel, Program::Valkey, false).await).await;
}

#[tokio::test]
async fn what_one_gateway_found_is_found_by_another_in_a_cluster_until_a_document_comes() {
    shared_and_emptied(&Servers::start(Topology::Cluster, Program::Valkey, false).await).await;
}

#[tokio::test]
async fn what_one_gateway_found_is_found_by_another_in_redis_over_tls_until_a_document_comes() {
    shared_and_emptied(&Servers::start(Topology::Single, Program::Redis, true).await).await;
}

/// Searches from several clients until told to stop; gives how many there were. Every one of them must succeed.
async fn load(gateway: &Gateway, stop: &AtomicBool) -> usize {
    let count = AtomicUsize::new(0);
    let count_in = &count;
    let client = |client: usize| async move {
        while !stop.load(Ordering::Relaxed) {
            let n = count_in.fetch_add(1, Ordering::Relaxed);
            search(gateway, &format!("question {} of client {client}", n % 40)).await;
        }
    };
    futures::future::join_all((0..CLIENTS).map(client)).await;
    count.into_inner()
}

/// Whether a question that is asked again comes from the cache, several times in a row.
async fn is_used(gateway: &Gateway, round: usize) -> bool {
    for n in 0..8 {
        let query = format!("is it used again? {round} {n}");
        search(gateway, &query).await;
        if search(gateway, &query).await["cache_hit"] != json!(true) {
            return false;
        }
    }
    true
}

/// Does something to the servers while a gateway is searched; gives how many searches there were before the cache was used again.
async fn under_load(servers: &mut Servers, fault: impl AsyncFnOnce(&mut Servers)) -> usize {
    let (database, provider) = (fresh_for(MODEL, DIMENSIONS).await, Provider::start().await);
    let gateway = gateway(&database, &provider, &servers.config()).await;
    take_in(&gateway, "first.txt").await;
    assert!(is_used(&gateway, 0).await, "{}", gateway.log());
    let (stop, round) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fault = async {
        fault(servers).await;
        eventually("the gateway notices", async || !gateway.logged(AWAY).is_empty()).await;
        eventually("the cache is used again", async || is_used(&gateway, round.fetch_add(1, Ordering::Relaxed) + 1).await).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (searches, ()) = tokio::join!(load(&gateway, &stop), fault);
    assert!(gateway.metric("valkey_connection_success_total").await.unwrap() >= 2.0, "{}", gateway.log());
    searches
}

#[tokio::test]
async fn a_killed_master_costs_no_search_and_the_one_that_takes_its_place_is_used() {
    let mut servers = Servers::start(Topology::Sentinel, Program::Valkey, false).await;
    let searches = under_load(&mut servers, async |servers| servers.data[0].kill()).await;
    assert!(searches > 20, "{searches}");
    let role: String = servers.data[1].ask(&["INFO", "replication"]).await;
    assert!(role.contains("role:master"), "{role}");
}

#[tokio::test]
async fn a_killed_node_of_a_cluster_costs_no_search_and_is_used_again() {
    let mut servers = Servers::start(Topology::Cluster, Program::Valkey, false).await;
    let again = async |servers: &mut Servers| {
        servers.data[2].kill();
        eventually("the others do without it", async || {
            servers.data[0].ask::<String>(&["CLUSTER", "INFO"]).await.contains("cluster_state:fail")
        })
        .await;
        servers.data[2].start_again().await;
    };
    let searches = under_load(&mut servers, again).await;
    assert!(searches > 20, "{searches}");
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_named_in_the_log_and_costs_no_search() {
    let servers = Servers::start(Topology::Single, Program::Redis, true).await;
    let (database, provider) = (fresh_for(MODEL, DIMENSIONS).await, Provider::start().await);
    let stranger = Certificates::new();
    let cache = ragline_config::Cache { tls_ca_file: Some(stranger.file("ca.crt").into()), ..servers.config() };
    let gateway = gateway(&database, &provider, &cache).await;
    take_in(&gateway, "first.txt").await;
    for _ in 0..2 {
        assert_eq!(search(&gateway, "a question").await["cache_hit"], json!(false));
    }
    let logged = gateway.logged(AWAY);
    let error = logged[0]["error"].as_str().unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert!(!gateway.log().contains(PASSWORD), "{}", gateway.log());
    assert!(gateway.metric("valkey_connection_error_total").await.unwrap() > 0.0);
}
