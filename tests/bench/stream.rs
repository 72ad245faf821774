//! Streams of answers through the gateway beside the same provider asked directly, and what a stream that is held weighs. The overhead
//! to the first token is without the retrieval; every piece of the provider's is a sentence, so none is held back to be checked.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, future::try_join_all};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{
    bare::Bare,
    figure::{Bound, Figure},
    load, provider,
    search::Parts,
    surroundings::Surroundings,
    texts, weights,
};

const GROUP: &str = "Streams";
/// Answers that are timed each way.
const ANSWERS: usize = 20;
/// Between two sentences of a timed answer.
const EVERY: Duration = Duration::from_millis(5);
/// And of one that is held.
const SLOWLY: Duration = Duration::from_millis(200);
/// Streams that are held at once: fewer than requests may be under way.
const HELD: usize = 250;
/// What the overhead should at most be, p50.
const OVERHEAD_MS: f64 = 0.4;

/// One answer as it came.
struct Heard {
    /// Until the first sentence came.
    first_ms: f64,
    /// Of each sentence after the first, from the provider to us.
    delays_ms: Vec<f64>,
    /// What the gateway says of finding the passages; 0 from the provider.
    retrieval_ms: f64,
}

/// Times answers each way, in turn, then holds many.
pub(crate) async fn measure(around: &Surroundings) -> anyhow::Result<()> {
    let pace = provider::serve(around.provider_port).await?;
    let client = load::client()?;
    let question = grounded(around, &client).await?;
    pace.set(EVERY);
    let provider = format!("http://127.0.0.1:{}", around.provider_port);
    let relay = Bare::relaying(&provider).await?;
    let (mut direct, mut relayed, mut through) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ANSWERS {
        through.push(hear(Instant::now(), ask_gateway(around, &client, &question).await?).await?);
        for (url, heard) in [(&provider, &mut direct), (&relay.url, &mut relayed)] {
            heard.push(hear(Instant::now(), ask_provider(url, &client, pace.asked_bytes()).await?).await?);
        }
    }
    let first = |heard: &[Heard]| median(heard.iter().map(|one| one.first_ms - one.retrieval_ms).collect());
    let each = |heard: &[Heard]| median(heard.iter().flat_map(|one| one.delays_ms.iter().copied()).collect());
    let overheads = [
        ("to the first token, retrieval excluded", first(&through) - first(&direct), first(&relayed) - first(&direct)),
        ("per token", each(&through) - each(&direct), each(&relayed) - each(&direct)),
    ];
    for (name, overhead, bare) in overheads {
        Figure::new(GROUP, format!("overhead {name}, p50"), overhead, "ms")
            .described(Bound::AtMost(OVERHEAD_MS))
            .keep(&around.folder)?;
        Figure::new(GROUP, format!("the same of a bare relay: {name}"), bare, "ms").keep(&around.folder)?;
    }
    pace.set(SLOWLY);
    held(around, &client, &question).await
}

/// Many streams at once, all of which end well; the memory while they are held beside that before.
async fn held(around: &Surroundings, client: &Client, question: &str) -> anyhow::Result<()> {
    let before = weights::resident_kib(around.streams_pid)?;
    let open = (0..HELD).map(|_| ask_gateway(around, client, question));
    let streams = try_join_all(open).await?;
    let during = weights::resident_kib(around.streams_pid)?;
    let begun = Instant::now();
    let ended = try_join_all(streams.into_iter().map(|stream| hear(begun, stream))).await?;
    ensure!(ended.iter().all(|one| one.delays_ms.len() + 1 >= provider::SENTENCES as usize), "a stream was cut off");
    Figure::new(GROUP, "held at once", HELD as f64, "streams").keep(&around.folder)?;
    let each = (during - before).max(0.0) / HELD as f64;
    Figure::new(GROUP, "memory of the gateway for each", each, "KiB").keep(&around.folder)
}

/// A question that the documents answer, so that the provider is asked.
async fn grounded(around: &Surroundings, client: &Client) -> anyhow::Result<String> {
    for question in texts::questions() {
        if hear(Instant::now(), ask_gateway(around, client, &question).await?).await.is_ok() {
            return Ok(question);
        }
    }
    anyhow::bail!("the documents answer none of the questions")
}

async fn ask_gateway(around: &Surroundings, client: &Client, question: &str) -> anyhow::Result<Response> {
    let body = json!({"question": question, "stream": true, "max_tokens": 4_000});
    let request = client.post(format!("{}/v1/answers", around.streams_url)).bearer_auth(&around.api_key).json(&body);
    Ok(request.send().await?.error_for_status()?)
}

/// As many bytes as the gateway has sent.
async fn ask_provider(url: &str, client: &Client, bytes: usize) -> anyhow::Result<Response> {
    let body = json!({"model": "bench", "stream": true, "messages": [{"role": "user", "content": "x".repeat(bytes)}]});
    Ok(client.post(format!("{url}/v1/chat/completions")).json(&body).send().await?.error_for_status()?)
}

/// Reads a stream of events, which was asked for at `begin`, to its end, and only then what it says: reading JSON is not the gateway's
/// time.
async fn hear(begin: Instant, response: Response) -> anyhow::Result<Heard> {
    let mut stream = response.bytes_stream();
    let mut pieces = Vec::new();
    while let Some(bytes) = stream.next().await {
        pieces.push((provider::now(), begin.elapsed().as_secs_f64() * 1_000.0, bytes?));
    }
    let (mut pending, mut events) = (String::new(), Vec::new());
    for (arrived, after_ms, bytes) in pieces {
        pending.push_str(std::str::from_utf8(&bytes).context("an event is no UTF-8")?);
        while let Some((event, rest)) = pending.split_once("\n\n") {
            events.push((arrived, after_ms, event.to_owned()));
            pending = rest.to_owned();
        }
    }
    let mut heard = Heard { first_ms: -1.0, delays_ms: Vec::new(), retrieval_ms: 0.0 };
    for (arrived, after_ms, event) in events {
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
        let value: Value = serde_json::from_str(data).unwrap_or_default();
        if let Some(milliseconds) = value["timing"]["retrieval_ms"].as_f64() {
            heard.retrieval_ms = milliseconds;
        }
        match (said(&value).and_then(provider::stamp), heard.first_ms < 0.0) {
            (Some(_), true) => heard.first_ms = after_ms,
            (Some(sent), false) => heard.delays_ms.push(arrived.saturating_sub(sent) as f64 / 1_000.0),
            (None, _) => {}
        }
    }
    ensure!(heard.first_ms >= 0.0, "the provider was not asked");
    Ok(heard)
}

/// The text of an event, the gateway's or the provider's.
fn said(event: &Value) -> Option<&str> {
    event["text"].as_str().or_else(|| event["choices"][0]["delta"]["content"].as_str())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// `POST /v1/embeddings` beside the engine alone, on the same texts.
pub(crate) async fn measure_embeddings(around: &Surroundings, parts: &Parts) -> anyhow::Result<()> {
    let texts: Vec<String> =
        texts::questions().into_iter().take(100).enumerate().map(|(n, text)| format!("{n} {text}")).collect();
    let client = load::client()?;
    let begin = Instant::now();
    let body = json!({"model": ragline_gateway::backends::builtin::MODEL_NAME, "input": texts, "encoding_format": "base64"});
    let request = client.post(format!("{}/v1/embeddings", around.uncached_url)).bearer_auth(&around.api_key).json(&body);
    request.send().await?.error_for_status()?.bytes().await?;
    let through = texts.len() as f64 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    parts.embedder.embed_batch(&texts).await?;
    let alone = texts.len() as f64 / begin.elapsed().as_secs_f64();
    Figure::new("Embedding", "100 short texts by POST /v1/embeddings", through, "texts/s")
        .beside("the engine alone", alone)
        .keep(&around.folder)
}
