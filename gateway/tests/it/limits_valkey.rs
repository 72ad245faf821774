//! Shares that several gateways count together in a real Valkey, and what each does while it is away.

use std::sync::Arc;

use futures::FutureExt;
use ragline_config::Cache as CacheConfig;
use ragline_gateway::{
    backends::{
        cache::{TimesToLive, ValkeyCache},
        limiter::SharedLimiter,
    },
    metrics::Metrics,
    traits::{
        limiter::{Budget, BudgetId, Limiter, Measure, Payer},
        search::{KeyPrint, WorkspaceId},
    },
};
use secrecy::SecretString;
use tokio::process::Command;
use uuid::Uuid;

use crate::database_servers::{OwnServers, Servers, servers};

/// One gateway's limiter and its figures.
struct Gateway {
    limiter: SharedLimiter,
    metrics: Metrics,
}

fn gateway(servers: &Servers, realm: &str) -> Gateway {
    let config = CacheConfig {
        host: servers.value("VALKEY_HOST").to_owned(),
        port: servers.value("VALKEY_PORT").parse().unwrap(),
        timeout_ms: 2_000,
        ..CacheConfig::default()
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let password = Some(SecretString::from(servers.value("VALKEY_PASSWORD")));
    let valkey = ValkeyCache::open(&config, password, TimesToLive::new(&config), metrics.clone()).unwrap();
    Gateway { limiter: SharedLimiter::new(Arc::new(valkey), realm.to_owned(), metrics.clone()), metrics }
}

fn realm() -> String {
    Uuid::new_v4().to_string()
}

fn requests(key: u8, per_minute: u32) -> Budget {
    Budget { id: BudgetId { payer: Payer::Key(KeyPrint([key; 32])), measure: Measure::Requests }, per_minute }
}

fn tokens(per_minute: u32) -> Budget {
    Budget { id: BudgetId { payer: Payer::Workspace(WorkspaceId(1)), measure: Measure::Tokens }, per_minute }
}

async fn connection(servers: &Servers) -> redis::aio::MultiplexedConnection {
    let value = |name| servers.value(name);
    let url = format!("redis://:{}@{}:{}/0", value("VALKEY_PASSWORD"), value("VALKEY_HOST"), value("VALKEY_PORT"));
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn two_gateways_share_one_budget() {
    let realm = realm();
    let (one, two) = (gateway(servers(), &realm), gateway(servers(), &realm));
    let budgets = [requests(1, 10), requests(2, 1_000)];
    let mut admitted = 0;
    for _ in 0..8 {
        for gateway in [&one, &two] {
            let verdict = gateway.limiter.admit(&budgets).await;
            admitted += usize::from(verdict.admitted);
        }
    }
    // A slow machine sees one come back after six seconds.
    assert!((10..=11).contains(&admitted), "{admitted} of 10");
    let other = gateway(servers(), "another installation");
    assert!(other.limiter.admit(&budgets).await.admitted, "installations on one Valkey do not share");
    assert_eq!((one.metrics.rate_limit_fallbacks.get(), two.metrics.rate_limit_fallbacks.get()), (0, 0));
}

#[tokio::test]
async fn requests_at_once_from_two_gateways_get_no_more_than_there_is() {
    let realm = realm();
    let (one, two) = (gateway(servers(), &realm), gateway(servers(), &realm));
    let budgets = [requests(1, 20)];
    let asks = (0..60).map(|n| if n % 2 == 0 { &one } else { &two }).map(|gateway| gateway.limiter.admit(&budgets));
    let admitted = futures::future::join_all(asks).await.into_iter().filter(|verdict| verdict.admitted).count();
    assert!((20..=21).contains(&admitted), "{admitted} of 20");
}

#[tokio::test]
async fn a_valkey_that_refuses_scripts_is_still_used_as_a_cache() {
    let own = tokio::task::spawn_blocking(OwnServers::start).await.unwrap();
    let mut connection = connection(&own.servers).await;
    redis::cmd("ACL").arg(&["SETUSER", "default", "-eval"]).query_async::<()>(&mut connection).await.unwrap();
    let gateway = gateway(&own.servers, &realm());
    let budgets = [requests(1, 2)];
    let verdicts =
        [gateway.limiter.admit(&budgets).await, gateway.limiter.admit(&budgets).await, gateway.limiter.admit(&budgets).await];
    assert_eq!(verdicts.map(|verdict| verdict.admitted), [true, true, false]);
    assert_eq!(gateway.metrics.rate_limit_fallbacks.get(), 2, "the third was refused without asking");
    assert_eq!(gateway.metrics.valkey_connection_error.get(), 0, "it would not be asked for cached results either");
}

#[tokio::test]
async fn far_from_the_end_nobody_waits_for_valkey_and_all_is_told_to_it() {
    let realm = realm();
    let (one, two) = (gateway(servers(), &realm), gateway(servers(), &realm));
    let budgets = [requests(1, 6_000)];
    let begun = std::time::Instant::now();
    for gateway in [&one, &two] {
        assert!(gateway.limiter.admit(&budgets).await.admitted, "the first asks");
        for _ in 1..500 {
            let verdict = gateway.limiter.admit(&budgets).now_or_never().expect("no round trip");
            assert!(verdict.admitted);
        }
    }
    // A thousand of six thousand a minute come back in ten seconds.
    let mut told = 0;
    while told < 10_000_000 {
        assert!(begun.elapsed().as_secs() < 10, "only {told} µs are told");
        let (elapsed, verdict) = (begun.elapsed(), gateway(servers(), &realm).limiter.admit(&budgets).await);
        told = verdict.debts[0] + u64::try_from(elapsed.as_micros()).unwrap();
    }
    assert_eq!((one.metrics.rate_limit_fallbacks.get(), two.metrics.rate_limit_fallbacks.get()), (0, 0));
}

#[tokio::test]
async fn tokens_spent_at_one_gateway_close_the_other() {
    let realm = realm();
    let (one, two) = (gateway(servers(), &realm), gateway(servers(), &realm));
    let budgets = [requests(1, 1_000), tokens(1_000)];
    assert!(two.limiter.admit(&budgets).await.admitted);
    one.limiter.charge(&[tokens(1_000)], 3_000).await;
    let mut verdict = two.limiter.admit(&budgets).await;
    // Far from the end it is let through on what was heard before, and what it tells then brings the news.
    let mut more = 0;
    while verdict.admitted {
        more += 1;
        assert!(more < 100, "the news never came: {verdict:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        verdict = two.limiter.admit(&budgets).await;
    }
    let wait = budgets[1].wait(verdict.debts[1]).as_secs();
    assert!(budgets[1].remaining(verdict.debts[1]) == 0 && (110..=120).contains(&wait), "{wait} s");
    let before = verdict.debts[0];
    assert!(two.limiter.admit(&budgets).await.debts[0] <= before, "a refused request takes nothing");
}

#[tokio::test]
async fn a_valkey_that_forgets_or_is_killed_leaves_each_gateway_the_configured_rate_and_no_more() {
    let own = tokio::task::spawn_blocking(OwnServers::start).await.unwrap();
    let realm = realm();
    let (one, two) = (gateway(&own.servers, &realm), gateway(&own.servers, &realm));
    let budgets = [requests(1, 10)];
    for _ in 0..4 {
        assert!(one.limiter.admit(&budgets).await.admitted);
    }
    // Hears of what the other took.
    assert!(two.limiter.admit(&budgets).await.admitted);
    let mut connection = connection(&own.servers).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let [key] = keys.as_slice() else { panic!("one budget is one key: {keys:?}") };
    let left_ms: i64 = redis::cmd("PTTL").arg(key).query_async(&mut connection).await.unwrap();
    assert!((1..=30_000).contains(&left_ms), "a budget is kept until it is full again, not for {left_ms} ms");
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    let verdict = two.limiter.admit(&budgets).await;
    let remaining = budgets[0].remaining(verdict.debts[0]);
    assert!((4..=5).contains(&remaining), "an evicted budget is not a new one: {remaining} of 10 remain");
    let remaining = budgets[0].remaining(one.limiter.admit(&budgets).await.debts[0]);
    assert!((3..=4).contains(&remaining), "nor for the other gateway: {remaining} of 10 remain");
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    assert!(Command::new("kill").args(["-KILL", pid]).status().await.unwrap().success());
    redis::cmd("PING").query_async::<String>(&mut connection).await.unwrap_err();
    for (gateway, left) in [(&one, 3), (&two, 4)] {
        let begun = std::time::Instant::now();
        let mut admitted = 0;
        for _ in 0..20 {
            admitted += usize::from(gateway.limiter.admit(&budgets).await.admitted);
        }
        assert!((left..=left + 1).contains(&admitted), "{admitted} where {left} were left");
        assert!(gateway.metrics.rate_limit_fallbacks.get() > 0);
        assert!(begun.elapsed().as_secs() < 5, "nobody waits for it: {:?}", begun.elapsed());
    }
}
