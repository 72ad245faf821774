//! Traces of the real process, as a collector of the test sees them.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::{
    database::TestDatabase,
    env_fixture::{Gateway, database, serve_with_config},
    providers::stream_fake::{KEY, Mishap, StreamFake},
    traces_collector::{Collector, Seen},
};

const QUESTION: &str = "Which port does the harbour database listen on?";
const PASSAGE: &str = "The harbour database listens on port 5432, since 5432 is the port of its kind.";
const OTHER: &str = "The lighthouse of the harbour database project was painted white.";
/// What the model answers, but for its citation.
const WORDS: &str = "It is 5432";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const HEADERS: (&str, &str) = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector-key");

/// A server that ranks two passages.
async fn reranker() -> MockServer {
    let server = MockServer::start().await;
    let ranks = json!([{"index": 0, "score": 0.9}, {"index": 1, "score": 0.1}]);
    Mock::given(path("/rerank")).respond_with(ResponseTemplate::new(200).set_body_json(ranks)).mount(&server).await;
    server
}

fn config(generator: &StreamFake, reranker: &str) -> String {
    format!(
        "generation:\n  provider:\n    openAiCompatible: {{baseUrl: '{}/v1', model: writer}}\n  retryAttempts: 0\n\
         rerank: {{provider: textEmbeddingsInference, baseUrl: '{reranker}'}}\n",
        generator.address
    )
}

/// A gateway with two documents that sends its traces to the address.
async fn traced(database: &TestDatabase, endpoint: &str, config: &str) -> Gateway {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), HEADERS, ("RAGLINE_GENERATION_API_KEY", KEY)];
    let gateway = serve_with_config(database, config, &variables).await;
    gateway.ingest("harbour.txt", PASSAGE).await;
    gateway.ingest("lighthouse.txt", OTHER).await;
    gateway
}

async fn ask(gateway: &Gateway, parent: &str) -> Value {
    let request = gateway.request(Method::POST, "/v1/answers").header("traceparent", parent);
    let answer = request.json(&json!({"question": QUESTION})).send().await.unwrap();
    answer.json().await.unwrap()
}

/// Every span below the first has a parent that was sent, and says what it is about.
fn hang_together(first: &Seen, others: &[Seen], about: &[&str]) {
    let known: BTreeSet<&str> = others.iter().chain([first]).map(|span| span.span_id.as_str()).collect();
    for span in others {
        assert!(known.contains(span.parent.as_str()), "{span:?} has lost its parent");
        assert_eq!(span.events, 0, "{span:?}: events have texts");
        for name in about {
            assert!(!span.attribute(name).is_empty() && span.attribute(name) == first.attribute(name), "{name} of {span:?}");
        }
    }
}

/// All but `remember`: what a search finds while upkeep changes the store is good for once.
fn stages(spans: &[Seen]) -> BTreeSet<String> {
    let named = |span: &Seen| match span.attribute("leg") {
        "" => span.name.clone(),
        leg => format!("{} {leg}", span.name),
    };
    spans.iter().filter(|span| span.name != "remember").map(named).collect()
}

fn all(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn one<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    found[0]
}

const RETRIEVAL: [&str; 10] =
    ["retrieve", "cache", "expand", "embed", "search vector", "search lexical", "fuse", "hydrate", "rerank", "POST"];

#[tokio::test]
async fn a_question_is_one_trace_from_its_caller_to_the_servers_of_models() {
    let (database, collector) = (database().await, Collector::start().await);
    let (generator, reranker) = (StreamFake::start([]).await, reranker().await);
    let gateway = traced(&database, &collector.address, &config(&generator, &reranker.uri())).await;
    let answer = ask(&gateway, &format!("00-{TRACE}-{CALLER}-01")).await;
    assert!(answer["answer"].as_str().is_some_and(|text| text.starts_with(WORDS)), "{answer}");

    let (first, others) = collector.trace("POST /v1/answers", |_| true).await;
    assert_eq!((first.trace_id.as_str(), first.parent.as_str(), first.kind), (TRACE, CALLER, 2));
    assert_eq!(first.attribute("query_id"), answer["id"]);
    let attributes = ["http.request.method", "http.route", "http.response.status_code"].map(|name| first.attribute(name));
    assert_eq!(attributes, ["POST", "/v1/answers", "200"]);
    hang_together(&first, &others, &["query_id", "workspace_id"]);
    assert_eq!(stages(&others), &all(&RETRIEVAL) | &all(&["condense", "prompt", "generate", "cite"]));

    let generate = one(&others, "generate");
    let said = ["gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"];
    assert_eq!(said.map(|name| generate.attribute(name)), ["chat", "writer", "20", "7"]);
    let call = others.iter().find(|span| span.kind == 3 && span.parent == generate.span_id).expect("the call of the model");
    assert_eq!(call.attribute("http.response.status_code"), "200");
    let asked = generator.asked();
    assert_eq!(asked[0].headers["traceparent"], format!("00-{TRACE}-{}-01", call.span_id));
    let ranked = reranker.received_requests().await.unwrap();
    let of_rerank = others.iter().find(|span| span.parent == one(&others, "rerank").span_id).unwrap();
    assert_eq!(ranked[0].headers["traceparent"], format!("00-{TRACE}-{}-01", of_rerank.span_id).as_str());

    let line = &gateway.logged("RAG query completed")[0];
    assert_eq!(line["trace_id"], json!(TRACE), "{line}");
}

#[tokio::test]
async fn searches_streams_and_files_are_traced_stage_by_stage_and_no_text_leaves_the_house() {
    let (database, collector) = (database().await, Collector::start().await);
    let (generator, reranker) = (StreamFake::start([]).await, reranker().await);
    let config = format!("{}logging: {{queryText: true, level: debug}}\n", config(&generator, &reranker.uri()));
    let gateway = traced(&database, &collector.address, &config).await;

    let (file, stages_of_file) = collector.trace("ingest", |_| true).await;
    assert_eq!((file.kind, file.parent.as_str(), file.attribute("workspace_id")), (5, "", "1"));
    hang_together(&file, &stages_of_file, &["workspace_id"]);
    assert_eq!(stages(&stages_of_file), all(&["read", "extract", "redact", "chunk", "embed", "publish"]));

    gateway.post("/v1/search", json!({"query": QUESTION})).await;
    let (search, stages_of_search) = collector.trace("POST /v1/search", |_| true).await;
    assert!(search.parent.is_empty(), "it begins here");
    hang_together(&search, &stages_of_search, &["query_id", "workspace_id"]);
    assert_eq!(stages(&stages_of_search), all(&RETRIEVAL));

    let body =
        json!({"model": "writer", "stream": true, "messages": [{"role": "user", "content": format!("{QUESTION} Tell me!")}]});
    let stream = gateway.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap().text().await.unwrap();
    assert!(stream.contains("[DONE]"), "{stream}");
    let (streamed, stages_of_stream) = collector.trace("POST /v1/chat/completions", |_| true).await;
    hang_together(&streamed, &stages_of_stream, &["query_id", "workspace_id"]);
    assert_eq!(one(&stages_of_stream, "generate").attribute("gen_ai.usage.output_tokens"), "7");

    let taken = collector.taken();
    assert_eq!(taken.headers["authorization"], "Bearer collector-key");
    assert_eq!(taken.resource["service.name"], "ragline-gateway");
    assert!(!taken.spans.iter().any(|span| span.name.contains("/readyz")), "probes are not traced");
    for text in [QUESTION, PASSAGE, OTHER, "harbour", "lighthouse", WORDS, KEY, "rgl_test", "collector-key"] {
        let found = taken.bytes.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(!found, "{text:?} was sent to the collector");
    }
}

#[tokio::test]
async fn what_the_caller_does_not_sample_is_not_sent_and_a_failure_shows_as_one() {
    let (database, collector) = (database().await, Collector::start().await);
    let overloaded = || Mishap::Status(500, None, json!({"error": {"message": QUESTION}}));
    let generator = StreamFake::start([overloaded(), overloaded()]).await;
    let gateway = traced(&database, &collector.address, &config(&generator, "http://127.0.0.1:9")).await;

    ask(&gateway, &format!("00-{TRACE}-{CALLER}-00")).await;
    assert_eq!(generator.asked()[0].headers["traceparent"].to_str().unwrap()[..36], format!("00-{TRACE}-"));
    assert!(generator.asked()[0].headers["traceparent"].to_str().unwrap().ends_with("-00"));

    ask(&gateway, "nonsense").await;
    let (first, others) = collector.trace("POST /v1/answers", |_| true).await;
    assert!(first.failed && first.trace_id != TRACE, "{first:?}");
    assert!(!first.attribute("error.type").is_empty() && first.attribute("http.response.status_code").starts_with('5'));
    let generate = one(&others, "generate");
    assert_eq!((generate.failed, generate.attribute("error.type")), (true, "refused"));
    let rerank = one(&others, "rerank");
    assert_eq!((rerank.failed, rerank.attribute("error.type")), (true, "unreachable"));
    let taken = collector.taken();
    assert!(!taken.spans.iter().any(|span| span.trace_id == TRACE));
    assert!(!taken.bytes.windows(7).any(|bytes| bytes == b"harbour"), "the text of an error was sent");
}

#[tokio::test]
async fn a_request_that_is_given_up_says_whose_it_was() {
    let (database, collector) = (database().await, Collector::start().await);
    let generator = StreamFake::start([Mishap::Hang]).await;
    let gateway = traced(&database, &collector.address, &config(&generator, "http://127.0.0.1:9")).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let is_asked = async {
        while generator.count() == 0 {
            ticks.tick().await;
        }
    };
    tokio::select! {
        answer = ask(&gateway, "") => panic!("{answer}"),
        () = is_asked => {}
    }
    let (first, others) = collector.trace("POST /v1/answers", |_| true).await;
    hang_together(&first, &others, &["query_id", "workspace_id"]);
    assert_eq!((first.attribute("workspace_id"), first.attribute("http.response.status_code")), ("1", ""));
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_request_and_is_told_of_once() {
    let database = database().await;
    let generator = StreamFake::start([]).await;
    // Nobody listens there.
    let gateway = traced(&database, "http://127.0.0.1:9", &config(&generator, "http://127.0.0.1:9")).await;
    let dropped = "ragline_spans_dropped_total{reason=\"unsent\"}";
    let mut before = 0.0;
    for _ in 0..2 {
        let answer = ask(&gateway, "").await;
        assert!(answer["answer"].as_str().is_some_and(|text| text.starts_with(WORDS)), "{answer}");
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let counted = async {
            loop {
                ticks.tick().await;
                let now = gateway.metric(dropped).await.unwrap_or_default();
                if now > before {
                    break now;
                }
            }
        };
        before = tokio::time::timeout(Duration::from_secs(60), counted).await.expect("dropped spans are not counted");
    }
    let told = gateway.logged("the collector of traces takes no spans; they are dropped until it does");
    assert_eq!(told.len(), 1, "{}", gateway.log());
}

#[tokio::test]
async fn the_spans_of_the_last_request_are_sent_before_the_end() {
    let (database, collector) = (database().await, Collector::start().await);
    let gateway = serve_with_config(&database, "", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address)]).await;
    gateway.post("/v1/search", json!({"query": QUESTION})).await;
    let status = gateway.terminate().await;
    assert!(status.success(), "{status}");
    let spans = collector.taken().spans;
    assert!(spans.iter().any(|span| span.name == "POST /v1/search"), "{spans:#?}");
}
