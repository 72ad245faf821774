//! A server that speaks OpenAI's wire format on the loopback and misbehaves on demand.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

/// The key that the fake takes.
pub(crate) const KEY: &str = "sk-test";

/// What the fake does with one request instead of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Mishap {
    Status(u16, Option<&'static str>, Value),
    /// Never answers.
    Hang,
    /// Breaks the connection in the middle of the body.
    Truncate,
    /// Answers with this body.
    Body(Value),
    /// Answers with this many bytes.
    Flood(usize),
}

#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) base_url: Url,
    /// Bodies of the requests, in order of arrival.
    pub(crate) requests: Mutex<Vec<Value>>,
    mishaps: Mutex<VecDeque<Mishap>>,
    dimensions: usize,
    under_way: AtomicUsize,
    most_under_way: watch::Sender<usize>,
    /// Embedding requests are answered once so many were under way together.
    gather: usize,
}

impl Fake {
    /// Starts a fake whose model gives vectors of this length; the mishaps befall its first requests.
    pub(crate) async fn start(dimensions: usize, mishaps: impl IntoIterator<Item = Mishap>) -> Arc<Self> {
        Self::gathering(0, dimensions, mishaps).await
    }

    /// A fake that answers nobody before `gather` embedding requests have been under way at once.
    pub(crate) async fn gathering(gather: usize, dimensions: usize, mishaps: impl IntoIterator<Item = Mishap>) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            base_url: Url::parse(&format!("http://{}/v1", listener.local_addr().unwrap())).unwrap(),
            requests: Mutex::default(),
            mishaps: Mutex::new(mishaps.into_iter().collect()),
            dimensions,
            under_way: AtomicUsize::new(0),
            most_under_way: watch::Sender::new(0),
            gather,
        });
        let routes = Router::new()
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/chat/completions", post(chat))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        *self.most_under_way.borrow()
    }

    /// Checks the key, notes the request, and lets a mishap befall it.
    async fn receive(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Response> {
        let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if key != Some(&format!("Bearer {KEY}")) {
            let body = json!({"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}});
            return Err((StatusCode::UNAUTHORIZED, Json(body)).into_response());
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.requests.lock().unwrap().push(body.clone());
        let mishap = self.mishaps.lock().unwrap().pop_front();
        match mishap {
            None => Ok(body),
            Some(Mishap::Status(status, retry_after, body)) => {
                let mut reply = (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
                if let Some(value) = retry_after {
                    reply.headers_mut().insert(header::RETRY_AFTER, value.parse().unwrap());
                }
                Err(reply)
            }
            Some(Mishap::Hang) => std::future::pending().await,
            Some(Mishap::Truncate) => {
                let pieces = [Ok(Bytes::from_static(b"{\"data\": [")), Err(std::io::Error::other("gone"))];
                Err(Response::new(Body::from_stream(futures::stream::iter(pieces))))
            }
            Some(Mishap::Body(body)) => Err(Json(body).into_response()),
            Some(Mishap::Flood(bytes)) => Err(Response::new(Body::from(vec![b' '; bytes]))),
        }
    }
}

async fn embeddings(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Response> {
    let under_way = fake.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    fake.most_under_way.send_modify(|most| *most = under_way.max(*most));
    let mut most = fake.most_under_way.subscribe();
    let gathered = most.wait_for(|most| *most >= fake.gather);
    tokio::time::timeout(Duration::from_secs(10), gathered)
        .await
        .expect("the requests come together")
        .expect("the fake lives on");
    let received = fake.receive(&headers, &body).await;
    fake.under_way.fetch_sub(1, Ordering::SeqCst);
    let request = received?;
    let texts = request["input"].as_array().cloned().unwrap_or_default();
    // Last first: the order of a reply is not the order of the texts.
    let data: Vec<Value> = (0..texts.len())
        .rev()
        .map(|index| json!({"object": "embedding", "index": index, "embedding": vector(texts[index].as_str().unwrap(), fake.dimensions)}))
        .collect();
    let usage = json!({"prompt_tokens": 5, "total_tokens": 5});
    Ok(Json(json!({"object": "list", "data": data, "model": request["model"], "usage": usage})))
}

/// Twice the unit vector whose axis is the text's length.
pub(crate) fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimensions];
    vector[text.len() % dimensions] = 2.0;
    vector
}

async fn chat(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Response> {
    let request = fake.receive(&headers, &body).await?;
    Ok(Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "It is 5432 [1]."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 42, "completion_tokens": 7, "total_tokens": 49},
    })))
}

async fn models(State(fake): State<Arc<Fake>>, headers: HeaderMap) -> Result<Json<Value>, Response> {
    fake.receive(&headers, b"").await?;
    Ok(Json(json!({"object": "list", "data": []})))
}
