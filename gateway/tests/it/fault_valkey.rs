//! Valkey is killed under a serving gateway. Nobody waits for it, and it is used again once it is back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::process::Command;

use crate::{
    database::fresh_for,
    database_servers::OwnServers,
    fault_fixture::{ended, gateway, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

/// Kills the server with SIGKILL.
async fn kill(own: &OwnServers) {
    let value = |name| own.servers.value(name);
    let url = format!("redis://:{}@{}:{}/0", value("VALKEY_PASSWORD"), value("VALKEY_HOST"), value("VALKEY_PORT"));
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    assert!(Command::new("kill").args(["-KILL", pid]).status().await.unwrap().success());
    // The connection ends with the server.
    redis::cmd("PING").query_async::<String>(&mut connection).await.unwrap_err();
}

#[tokio::test]
async fn a_killed_valkey_costs_no_question_an_answer_and_is_asked_once_a_second() {
    let own = Arc::new(tokio::task::spawn_blocking(OwnServers::start).await.unwrap());
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let provider = Provider::start().await;
    let names = ["VALKEY_HOST", "VALKEY_PORT", "VALKEY_PASSWORD"];
    let valkey = names.map(|name| (name, own.servers.value(name)));
    let gateway = gateway(database.url("DATABASE_URL").expose_secret(), &provider, &valkey).await;
    let document = ("before.txt".to_owned(), text("before.txt", 3));
    ended(&gateway, &upload(&gateway, &[document]).await).await;
    let errors = async || gateway.metric("valkey_connection_error_total").await.unwrap();
    let found = async |query: &str| {
        let answer = gateway.post("/v1/search", json!({"query": query})).await;
        assert!(!answer["data"].as_array().unwrap().is_empty(), "{answer}");
    };
    found("before the fault").await;
    assert_eq!(errors().await, 0.0, "{}", gateway.log());

    kill(&own).await;
    let killed = Instant::now();
    found("the first after the fault").await;
    let most = 1 + killed.elapsed().as_secs();
    let asked = errors().await;
    assert!(asked >= 1.0 && asked <= most as f64, "a Valkey that is down was asked {asked} times in {:?}", killed.elapsed());
    for n in 0..200 {
        found(&format!("question {n} after the fault")).await;
    }
    let most = 1 + killed.elapsed().as_secs();
    let asked = errors().await;
    assert!(asked <= most as f64, "200 questions asked it {asked} times in {:?}", killed.elapsed());
    assert_eq!(gateway.logged("Valkey does not answer; going on without it").len(), 1);

    let servers = Arc::clone(&own);
    tokio::task::spawn_blocking(move || servers.start_again()).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let begun = Instant::now();
    while gateway.metric("valkey_connection_success_total").await.unwrap() < 2.0 {
        ticks.tick().await;
        found("is it back?").await;
        assert!(begun.elapsed() < Duration::from_secs(30), "Valkey is not used again\n{}", gateway.log());
    }
}
