//! Each variable of the environment changes what the real process does. What needs no process is in `settings/tests.rs`.

use std::{collections::BTreeSet, time::Duration};

use redis::AsyncCommands;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::path};

use crate::{
    database::fresh_for,
    database_servers::servers,
    env_fixture::{database, serve, serve_with_config},
    env_tls,
    verify_fixture::valkey_connection,
};

/// Databases of Valkey that no other test uses: those of `verify` count up from 1.
const SEARCHED: u32 = 15;
const UNSEARCHED: u32 = 14;
const OVER_TLS: u32 = 13;

const QUESTION: &str = "When is the gate of the orchard opened?";

async fn keys(database: u32) -> Vec<String> {
    redis::cmd("KEYS").arg("*").query_async(&mut valkey_connection(database).await).await.unwrap()
}

#[tokio::test]
async fn a_question_logs_the_described_fields_with_its_outcome_and_cost_and_no_text_of_it() {
    let database = database().await;
    let gateway = serve(&database, &[]).await;
    gateway.ingest("orchard.txt", "The gate of the orchard is opened at seven in the morning. It is closed at dusk.").await;
    let answer = gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    assert_eq!(answer["grounded"], json!(true), "{answer}");
    let lines = gateway.logged("RAG query completed");
    assert_eq!(lines.len(), 1, "{}", gateway.log());
    let fields: BTreeSet<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    let described = [
        "query_id",
        "cache_hit",
        "retrieval_time_ms",
        "num_results",
        "avg_similarity",
        "llm_time_ms",
        "total_time_ms",
        "tokens_used",
        "workspace_id",
    ];
    let beside = ["outcome", "cost_usd"];
    let of_every_line = ["timestamp", "level", "message", "target"];
    assert_eq!(fields, described.into_iter().chain(beside).chain(of_every_line).collect());
    assert_eq!((&lines[0]["outcome"], &lines[0]["cost_usd"]), (&json!("grounded"), &json!(0.0)));
    assert_eq!(lines[0]["query_id"], answer["id"]);
    assert_eq!(lines[0]["num_results"], json!(1));
    assert!(!gateway.log().contains("orchard is opened") && !gateway.log().contains(QUESTION), "{}", gateway.log());
}

#[tokio::test]
async fn the_text_of_a_question_is_logged_when_that_is_switched_on() {
    let database = database().await;
    let gateway = serve_with_config(&database, "logging:\n  queryText: true\n", &[]).await;
    gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    assert_eq!(gateway.logged("RAG query completed")[0]["query"], json!(QUESTION));
}

#[tokio::test]
async fn enable_logging_switches_the_line_of_each_question_off() {
    let database = database().await;
    let gateway = serve(&database, &[("ENABLE_LOGGING", "false")]).await;
    gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    assert_eq!(gateway.logged("serving").len(), 1);
    assert_eq!(gateway.logged("RAG query completed"), Vec::<Value>::new());
}

#[tokio::test]
async fn log_level_decides_what_is_logged() {
    let database = database().await;
    let gateway = serve(&database, &[("LOG_LEVEL", "warn")]).await;
    gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    assert_eq!(gateway.log(), "");
}

#[tokio::test]
async fn valkey_db_cache_ttl_and_the_described_keys_show_in_valkey() {
    let database = database().await;
    let number = SEARCHED.to_string();
    let gateway = serve(&database, &[("VALKEY_DB", number.as_str()), ("CACHE_TTL", "77")]).await;
    gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    let (mut connection, keys) = (valkey_connection(SEARCHED).await, keys(SEARCHED).await);
    for (prefix, seconds) in [("vector:search:", 77), ("embedding:", 86_400), ("rag:context:", 1_800)] {
        let key = keys.iter().find(|key| key.starts_with(prefix)).unwrap_or_else(|| panic!("no {prefix} in {keys:?}"));
        let left: i64 = connection.ttl(key).await.unwrap();
        assert!((seconds - 30..=seconds).contains(&left), "{key} stays for {left} s");
    }
    let again = gateway.post("/v1/answers", json!({"question": QUESTION})).await;
    assert_eq!(again["cache_hit"], json!(true));
}

#[tokio::test]
async fn enable_vector_cache_false_leaves_no_key_in_valkey() {
    let database = database().await;
    let number = UNSEARCHED.to_string();
    let gateway = serve(&database, &[("VALKEY_DB", number.as_str()), ("ENABLE_VECTOR_CACHE", "false")]).await;
    for _ in 0..2 {
        let answer = gateway.post("/v1/answers", json!({"question": QUESTION})).await;
        assert_eq!(answer["cache_hit"], json!(false));
    }
    assert_eq!(keys(UNSEARCHED).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_valkey_password_or_host_is_counted_and_answers_come_all_the_same() {
    let database = database().await;
    for wrong in [("VALKEY_PASSWORD", "wrong"), ("VALKEY_HOST", "127.0.0.2")] {
        let gateway = serve(&database, &[wrong]).await;
        gateway.post("/v1/answers", json!({"question": QUESTION})).await;
        let errors = gateway.metric("valkey_connection_error_total").await;
        assert!(errors.is_some_and(|errors| errors > 0.0), "{wrong:?}: {errors:?}");
    }
}

#[tokio::test]
async fn an_upstash_address_is_spoken_to_with_tls() {
    let database = database().await;
    let stand_in = env_tls::stand_in(servers().value("VALKEY_PORT").parse().unwrap()).await;
    let config = format!("cache:\n  tlsCaFile: {}\n", stand_in.certificate.path().display());
    let (address, number) = (format!("https://localhost:{}", stand_in.port), OVER_TLS.to_string());
    let variables = [
        ("UPSTASH_REDIS_REST_URL", address.as_str()),
        ("UPSTASH_REDIS_REST_TOKEN", servers().value("VALKEY_PASSWORD")),
        ("VALKEY_DB", number.as_str()),
        // An empty variable counts as none.
        ("VALKEY_HOST", ""),
        ("VALKEY_PORT", ""),
        ("VALKEY_PASSWORD", ""),
    ];
    let gateway = serve_with_config(&database, &config, &variables).await;
    gateway.post("/v1/search", json!({"query": QUESTION})).await;
    let keys = keys(OVER_TLS).await;
    assert!(keys.iter().any(|key| key.starts_with("vector:search:")), "{keys:?}\n{}", gateway.log());
}

#[tokio::test]
async fn pg_pool_size_bounds_the_connections() {
    const POOL: usize = 3;
    let database = database().await;
    let size = POOL.to_string();
    let gateway = serve(&database, &[("PG_POOL_SIZE", size.as_str()), ("ENABLE_VECTOR_CACHE", "false")]).await;
    let searches = (0..24).map(|n| gateway.post("/v1/search", json!({"query": format!("{QUESTION} {n}")})));
    futures::future::join_all(searches).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = 'ragline_app' AND application_name = 'ragline' \
        AND query NOT LIKE 'LISTEN%'";
    let mut connection = {
        use sqlx::Connection;
        sqlx::PgConnection::connect(&servers().url("DATABASE_BOOTSTRAP_URL", "postgres")).await.unwrap()
    };
    let connections: i64 = sqlx::query_scalar(sql).bind(&database.name).fetch_one(&mut connection).await.unwrap();
    assert!((1..=POOL as i64).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn the_password_of_the_database_may_come_by_itself() {
    let database = database().await;
    let mut url = url::Url::parse(database.url("DATABASE_URL").expose_secret()).unwrap();
    let password = url.password().unwrap().to_owned();
    url.set_password(None).unwrap();
    // `serve` waits until it is ready.
    serve(&database, &[("DATABASE_URL", url.as_str()), ("POSTGRES_PASSWORD", &password)]).await;
}

/// Answers in OpenAI's shape, with one made-up vector a text.
struct Vectors;

impl Respond for Vectors {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let texts = body["input"].as_array().map_or(1, Vec::len);
        let data: Vec<Value> = (0..texts)
            .map(|n| json!({"object": "embedding", "index": n, "embedding": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]}))
            .collect();
        ResponseTemplate::new(200).set_body_json(
            json!({"object": "list", "data": data, "model": "fake", "usage": {"prompt_tokens": 1, "total_tokens": 1}}),
        )
    }
}

#[tokio::test]
async fn the_openai_key_and_the_batch_size_show_in_what_the_provider_is_sent() {
    let provider = MockServer::start().await;
    Mock::given(path("/v1/embeddings")).respond_with(Vectors).mount(&provider).await;
    let database = fresh_for("fake", 8).await;
    let config = format!(
        "embedding:\n  provider:\n    openAiCompatible:\n      baseUrl: {}/v1\n      model: fake\n      dimensions: 8\n",
        provider.uri()
    );
    let variables = [("OPENAI_API_KEY", "sk-test"), ("EMBEDDING_BATCH_SIZE", "3"), ("ENABLE_VECTOR_CACHE", "false")];
    let gateway = serve_with_config(&database, &config, &variables).await;
    let texts: Vec<String> = (0..10).map(|n| format!("text {n}")).collect();
    let answer = gateway.post("/v1/embeddings", json!({"model": "fake", "input": texts})).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 10);
    let requests = provider.received_requests().await.unwrap();
    let mut sizes: Vec<usize> = Vec::new();
    for request in &requests {
        assert_eq!(request.headers["authorization"], "Bearer sk-test");
        let body: Value = request.body_json().unwrap();
        sizes.push(body["input"].as_array().unwrap().len());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 3, 3, 3]);
}

#[tokio::test]
async fn an_impossible_value_ends_the_process_with_a_word_on_which() {
    let output = tokio::time::timeout(
        Duration::from_secs(30),
        tokio::process::Command::new(env!("CARGO_BIN_EXE_ragline-gateway"))
            .arg("check-config")
            .env("PG_POOL_SIZE", "ten")
            .output(),
    );
    let output = output.await.unwrap().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("PG_POOL_SIZE is \"ten\"; it must be a whole number"), "{text}");
}
