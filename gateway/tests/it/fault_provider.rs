//! An embedding server for faults: it counts what it embeds, and can be held so that a fault falls between two known requests.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// Numbers in a vector.
pub(crate) const DIMENSIONS: u32 = 32;
/// The name of the model.
pub(crate) const MODEL: &str = "fake";
/// What every passage has in it, and no question: only passages are held.
pub(crate) const MARK: &str = "paragraph";

/// The server.
#[derive(Debug)]
pub(crate) struct Provider {
    base_url: String,
    /// Every text of every request that was answered.
    embedded: Mutex<Vec<String>>,
    /// Requests for passages that have come.
    asked: watch::Sender<usize>,
    /// Requests for passages that are answered.
    allowed: watch::Sender<usize>,
}

impl Provider {
    /// A server that answers at once.
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Arc::new(Self {
            base_url: format!("http://{}/v1", listener.local_addr().unwrap()),
            embedded: Mutex::default(),
            asked: watch::Sender::new(0),
            allowed: watch::Sender::new(usize::MAX),
        });
        let routes = Router::new()
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/models", get(|| async { Json(json!({"object": "list", "data": []})) }))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    /// Answers so many more requests for passages and holds the rest.
    pub(crate) fn hold_after(&self, more: usize) {
        self.allowed.send_replace(*self.asked.borrow() + more);
    }

    /// Answers everything, what is held included.
    pub(crate) fn flow(&self) {
        self.allowed.send_replace(usize::MAX);
    }

    /// Resolves once a request is held.
    pub(crate) async fn holds(&self) {
        let allowed = *self.allowed.borrow();
        self.asked.subscribe().wait_for(|asked| *asked > allowed).await.unwrap();
    }

    /// Passages that were embedded, and forgets them.
    pub(crate) fn take_passages(&self) -> Vec<String> {
        let texts = std::mem::take(&mut *self.embedded.lock().unwrap());
        texts.into_iter().filter(|text| text.contains(MARK)).collect()
    }

    /// The configuration of a gateway that embeds here, in small chunks and without many retries of its own.
    pub(crate) fn config(&self) -> String {
        format!(
            "embedding:\n  batchSize: 16\n  concurrentRequests: 2\n  retryAttempts: 1\n  useCache: false\n  provider:\n    \
             openAiCompatible:\n      baseUrl: {}\n      model: {MODEL}\n      dimensions: {DIMENSIONS}\n",
            self.base_url
        )
    }
}

async fn embeddings(State(provider): State<Arc<Provider>>, Json(request): Json<Value>) -> Json<Value> {
    let texts: Vec<String> = request["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    if texts.iter().any(|text| text.contains(MARK)) {
        let mut number = 0;
        provider.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        provider.allowed.subscribe().wait_for(|allowed| number <= *allowed).await.unwrap();
    }
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)}))
        .collect();
    provider.embedded.lock().unwrap().extend(texts);
    Json(json!({"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
}

/// Texts that share words are near each other.
fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.01; DIMENSIONS as usize];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let place = usize::from(Sha256::digest(word.to_lowercase())[0]) % DIMENSIONS as usize;
        vector[place] += 1.0;
    }
    vector
}
