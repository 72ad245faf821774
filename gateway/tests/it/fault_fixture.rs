//! Documents that can be counted, sent to a real gateway, and the proof that each is stored whole and once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use reqwest::{Method, multipart};
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};

use crate::{
    env_fixture::{Gateway, serve_at},
    fault_provider::{MARK, Provider},
};

/// All of a job must have ended by then.
const PATIENCE: Duration = Duration::from_secs(240);
/// Chunks as small as the configuration allows, so that a short document has many.
const SMALL_CHUNKS: &str = "chunking:\n  minTokens: 16\n  maxTokens: 64\n";

/// A gateway on this database that embeds at the provider.
pub(crate) async fn gateway(database_url: &str, provider: &Provider, variables: &[(&str, &str)]) -> Gateway {
    gateway_that_cuts(SMALL_CHUNKS, database_url, provider, variables).await
}

/// The same with a `chunking` of its own.
pub(crate) async fn gateway_that_cuts(
    chunking: &str,
    database_url: &str,
    provider: &Provider,
    variables: &[(&str, &str)],
) -> Gateway {
    let key = [("OPENAI_API_KEY", "sk-test")];
    let config = format!("{}{chunking}", provider.config());
    serve_at(database_url, &config, &[&key, variables].concat()).await
}

/// A document of so many paragraphs, none of which is in another document.
pub(crate) fn text(name: &str, paragraphs: usize) -> String {
    let paragraph = |n: usize| {
        let filler: Vec<String> = (0..24).map(|word| format!("word{}", (n * 31 + word * 7) % 97)).collect();
        format!("This is {MARK} {n} of {name}, says {}.\n\n", filler.join(" "))
    };
    (0..paragraphs).map(paragraph).collect()
}

/// Sends documents as one job and gives its path.
pub(crate) async fn upload(gateway: &Gateway, documents: &[(String, String)]) -> String {
    let part = |(name, text): &(String, String)| multipart::Part::text(text.clone()).file_name(name.clone());
    let form = documents.iter().fold(multipart::Form::new(), |form, document| form.part("file", part(document)));
    let response = gateway.request(Method::POST, "/v1/documents").multipart(form).send().await.unwrap();
    assert_eq!(response.status(), 202, "{}", gateway.log());
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// The job once it has ended, whatever it is answered meanwhile.
pub(crate) async fn ended(gateway: &Gateway, job: &str) -> Value {
    let (mut done, mut moved) = (Value::Null, Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        let response = gateway.request(Method::GET, job).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        if matches!(body["status"].as_str(), Some("completed" | "failed" | "cancelled")) {
            return body;
        }
        if body["done"] != done {
            (done, moved) = (body["done"].clone(), Instant::now());
        }
        assert!(moved.elapsed() < PATIENCE, "in vain: {body}\n{}", gateway.log());
    }
}

/// Gives every lease up, as a minute would.
pub(crate) async fn leases_run_out(superuser_url: &str) {
    let sql =
        "UPDATE job_item SET lease_until = now() - interval '1 s' WHERE status = 'running'; SELECT pg_notify('ragline_work', '')";
    let mut connection = PgConnection::connect(superuser_url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// Expects these documents and no others, each once, with every paragraph in its chunks, every chunk in its place with vectors,
/// and nothing left in the staging area.
pub(crate) async fn stored_whole_and_once(superuser_url: &str, documents: &[(String, String)]) {
    let sql = "SELECT d.source, d.chunks, count(c.id) AS found, array_agg(c.position ORDER BY c.position) AS positions, \
          string_agg(c.text, ' ' ORDER BY c.position) AS text, \
          count(c.id) FILTER (WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.chunk_id = c.id)) AS bare \
        FROM document d JOIN chunk c ON c.document_id = d.id GROUP BY d.id ORDER BY d.source";
    let mut connection = PgConnection::connect(superuser_url).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let sources: Vec<String> = rows.iter().map(|row| row.get("source")).collect();
    let expected: BTreeMap<&str, &str> = documents.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(sources, expected.keys().copied().collect::<Vec<_>>());
    for row in &rows {
        let (source, chunks, found): (&str, i32, i64) = (row.get("source"), row.get("chunks"), row.get("found"));
        assert_eq!((i64::from(chunks), row.get::<i64, _>("bare")), (found, 0), "{source}");
        assert_eq!(row.get::<Vec<i32>, _>("positions"), (0..chunks).collect::<Vec<_>>(), "{source}");
        let text: &str = row.get("text");
        let marks = expected[source].split("\n\n").filter_map(|paragraph| paragraph.split(',').next()).filter(|m| !m.is_empty());
        for mark in marks {
            assert!(text.contains(mark), "{source} lacks {mark:?}");
        }
    }
    let left = "SELECT (SELECT count(*) FROM stage_chunk) + (SELECT count(*) FROM stage_embedding) \
        + (SELECT count(*) FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = e.chunk_id))";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&mut connection).await.unwrap(), 0, "something is left over");
}

/// The number that a statement gives.
pub(crate) async fn number(superuser_url: &str, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(superuser_url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// Documents that are told apart by a number.
pub(crate) fn numbered(count: usize, paragraphs: usize) -> Vec<(String, String)> {
    (0..count).map(|n| format!("report-{n:03}.txt")).map(|name| (name.clone(), text(&name, paragraphs))).collect()
}
