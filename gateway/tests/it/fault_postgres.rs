//! PostgreSQL is killed and started again under a serving gateway. Crash recovery empties the staging area, which is unlogged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ragline_config::Database;
use ragline_gateway::backends::pgvector::migrate::{Urls, migrate};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::process::Command;

use crate::{
    database::{space, urls},
    database_servers::OwnServers,
    fault_askers::{Answered, Askers},
    fault_fixture::{ended, gateway, number, numbered, stored_whole_and_once, text, upload},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

/// No request may take longer, whatever becomes of the database.
const LONGEST: Duration = Duration::from_secs(15);

/// A PostgreSQL of its own.
struct Postgres {
    own: Arc<OwnServers>,
    superuser: String,
    application: String,
}

impl Postgres {
    async fn start() -> Self {
        let own = Arc::new(tokio::task::spawn_blocking(OwnServers::start).await.unwrap());
        let [bootstrap, owner, application] = urls(&own.servers, "ragline");
        let urls = Urls { bootstrap: Some(&bootstrap), owner: &owner, application: &application };
        migrate(&Database::default(), &urls, &space(MODEL, DIMENSIONS), Duration::from_secs(60)).await.unwrap();
        Self { superuser: bootstrap.expose_secret().to_owned(), application: application.expose_secret().to_owned(), own }
    }

    async fn number(&self, sql: &'static str) -> i64 {
        number(&self.superuser, sql).await
    }

    /// Sends a signal to the postmaster or to one backend of the gateway.
    async fn signal(&self, signal: &str, whom: &'static str) {
        let pid = self.number(whom).await;
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().await.unwrap();
        assert!(sent.success());
    }

    async fn start_again(&self) {
        let own = Arc::clone(&self.own);
        tokio::task::spawn_blocking(move || own.start_again()).await.unwrap();
    }
}

const POSTMASTER: &str = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint";
const BACKEND: &str = "SELECT pid::bigint FROM pg_stat_activity WHERE usename = 'ragline_app' \
    AND application_name = 'ragline' AND query NOT LIKE 'LISTEN%' LIMIT 1";

/// Expects answers that are right or name the database, soon, and with a request id.
fn right_or_unavailable(answers: &[Answered]) {
    let mut counts: BTreeMap<(u16, Option<&str>), usize> = BTreeMap::new();
    for Answered { status, code, request_id, took } in answers {
        *counts.entry((*status, code.as_deref())).or_default() += 1;
        assert!(*request_id && *took < LONGEST, "{status} {code:?} after {took:?}");
    }
    let expected =
        |(status, code): &(u16, Option<&str>)| matches!((status, code), (200, None) | (503, Some("database_unavailable")));
    assert!(counts.keys().all(expected), "{counts:?}");
}

#[tokio::test]
async fn a_database_that_crashes_and_restarts_costs_nobody_a_document_or_a_500() {
    let postgres = Postgres::start().await;
    let provider = Provider::start().await;
    let gateway = Arc::new(gateway(&postgres.application, &provider, &[("ENABLE_VECTOR_CACHE", "false")]).await);
    let before = ("before.txt".to_owned(), text("before.txt", 3));
    ended(&gateway, &upload(&gateway, std::slice::from_ref(&before)).await).await;
    // One file that is too large to be held whole, so that something of it is staged when the server crashes.
    let long = ("long.txt".to_owned(), text("long.txt", 2_500));
    let documents: Vec<_> = [long].into_iter().chain(numbered(15, 6)).collect();
    // A request has 16 texts, and 1,000 chunks are held.
    provider.hold_after(70);
    let job = upload(&gateway, &documents).await;
    provider.holds().await;
    let staged = postgres.number("SELECT count(*) FROM stage_chunk").await;
    assert!(staged > 0 && postgres.number("SELECT staged::bigint FROM job_item WHERE status = 'running'").await == staged);

    let askers = Askers::start(&gateway);
    askers.succeed(50).await;
    postgres.signal("QUIT", POSTMASTER).await;
    postgres.start_again().await;
    assert_eq!(postgres.number("SELECT count(*) FROM stage_chunk").await, 0, "the staging area outlived the crash");
    askers.succeed(50).await;
    provider.flow();
    let job = ended(&gateway, &job).await;
    right_or_unavailable(&askers.end().await);

    assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    let all: Vec<_> = documents.into_iter().chain([before]).collect();
    stored_whole_and_once(&postgres.superuser, &all).await;
}

#[tokio::test]
async fn a_backend_that_is_killed_takes_every_connection_along_and_all_come_back() {
    let postgres = Postgres::start().await;
    let provider = Provider::start().await;
    let gateway = Arc::new(gateway(&postgres.application, &provider, &[("ENABLE_VECTOR_CACHE", "false")]).await);
    let askers = Askers::start(&gateway);
    let mut all = Vec::new();
    for round in 0..3 {
        askers.succeed(50).await;
        provider.hold_after(3);
        let names = (0..8).map(|n| format!("round-{round}-{n}.txt"));
        let documents: Vec<_> = names.map(|name| (name.clone(), text(&name, 6))).collect();
        let job = upload(&gateway, &documents).await;
        all.extend(documents);
        provider.holds().await;
        postgres.signal("KILL", BACKEND).await;
        provider.flow();
        let job = ended(&gateway, &job).await;
        assert_eq!((&job["status"], &job["failed"]), (&json!("completed"), &json!(0)), "{job}");
    }
    askers.succeed(50).await;
    right_or_unavailable(&askers.end().await);
    stored_whole_and_once(&postgres.superuser, &all).await;
}
