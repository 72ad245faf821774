//! An API on fakes, and requests to it that read as speech.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header, request::Builder},
};
use futures::{StreamExt, stream};
use ragline_config::{Chunking, Limits, SearchMode, Seconds};
use ragline_gateway::{
    answer::{
        AnswerError, AnswerEvent, AnswerEvents, AnswerOutcome, AnswerRequest, Citation, Expense, Mark, Rewritten, SearchOutcome,
        SearchRequest,
    },
    backends::{limiter::LocalLimiter, oidc::NoTokens},
    http::{
        routes,
        state::{Answering, ApiState, IndexReporter, Parts},
    },
    metrics::Metrics,
    traits::{
        generator::{Finish, Usage},
        place::{ChunkKind, Place},
        search::{Match, Principal, SearchPlan, StoreError},
        tokens::TokenVerifier,
    },
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    http_fake_ranking::LongestFirst,
    http_fakes::{FIRST_KEY, FakeStore},
    http_models::WordEmbedder,
};

/// What the fake answerer does next.
#[derive(Debug, Default)]
pub(crate) struct FakeAnswering {
    pub(crate) failure: Mutex<Option<AnswerError>>,
    /// The last request.
    pub(crate) asked: Mutex<Option<SearchRequest>>,
    /// The last question.
    pub(crate) questioned: Mutex<Option<AnswerRequest>>,
    /// A stream breaks off by this after its first words.
    pub(crate) breaks: Mutex<Option<AnswerError>>,
    /// A search for `wait` is not answered before this; a question `wait` is begun to be answered, and no more.
    pub(crate) go: Notify,
    /// A question `wait`, or `later`, which is answered after `go`, was begun.
    pub(crate) begun: Notify,
    /// A question `wait` was dropped before its answer.
    pub(crate) dropped: Arc<Notify>,
}

struct TellDrop(Arc<Notify>);

impl Drop for TellDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

pub(crate) fn passage() -> Match {
    Match {
        chunk_id: 1,
        similarity: Some(0.5),
        lexical: None,
        score: Some(0.9),
        calibrated: true,
        text: "The notice period is three months.".into(),
        tokens: None,
        position: 4,
        heading_path: vec!["Contract".into()],
        place: Place { page: Some(2), sheet: None, lines: None },
        kind: ChunkKind::Doc,
        metadata: serde_json::Map::new(),
        document_id: Uuid::nil(),
        file_id: None,
        filename: "contract.pdf".into(),
        content_type: "application/pdf".into(),
        ingested_at: chrono::DateTime::UNIX_EPOCH,
    }
}

#[async_trait]
impl Answering for FakeAnswering {
    async fn search(&self, _: &Principal, request: SearchRequest) -> Result<SearchOutcome, AnswerError> {
        match request.query.as_str() {
            "panic" => panic!("asked to"),
            "wait" => {
                let _tell = TellDrop(Arc::clone(&self.dropped));
                self.begun.notify_one();
                self.go.notified().await;
            }
            _ => {}
        }
        if let Some(failure) = self.failure.lock().unwrap().take() {
            return Err(failure);
        }
        let mode = request.mode.unwrap_or_default();
        *self.asked.lock().unwrap() = Some(request);
        let (matches, plan, expansion) = (vec![passage()].into(), SearchPlan::Exact, Usage::default());
        Ok(SearchOutcome { matches, cache_hit: false, mode, plan, took_ms: 1.5, expansion })
    }

    async fn answer(&self, _: &Principal, request: AnswerRequest) -> Result<AnswerOutcome, AnswerError> {
        let finish = if request.question == "cut" { Finish::Length } else { Finish::Stop };
        *self.questioned.lock().unwrap() = Some(request);
        if let Some(failure) = self.failure.lock().unwrap().take() {
            return Err(failure);
        }
        Ok(AnswerOutcome {
            mode: SearchMode::Hybrid,
            query_id: Uuid::nil(),
            answer: "Three months [1].".into(),
            citations: vec![Citation { number: 1, source: passage() }],
            marks: vec![Mark { number: 1, at: 13 }],
            grounded: true,
            confidence: 0.8,
            model: "extractive".into(),
            usage: Usage { prompt_tokens: 10, completion_tokens: 3 },
            cost_usd: Some(0.0),
            finish,
            cache_hit: false,
            retrieval_time_ms: 1.0,
            llm_time_ms: 2.0,
            total_time_ms: 3.5,
        })
    }

    async fn stream(&self, principal: &Principal, request: AnswerRequest) -> Result<AnswerEvents, AnswerError> {
        let (waits, later) = (request.question == "wait", request.question == "later");
        let outcome = self.answer(principal, request).await?;
        let found = AnswerEvent::Found {
            query_id: outcome.query_id,
            model: outcome.model.clone(),
            confidence: outcome.confidence,
            sources: outcome.citations.clone(),
        };
        let text = AnswerEvent::Text { text: outcome.answer.clone(), marks: outcome.marks.clone() };
        if waits {
            let tell = TellDrop(Arc::clone(&self.dropped));
            self.begun.notify_one();
            let never = stream::once(async move {
                let _tell = tell;
                std::future::pending().await
            });
            return Ok(stream::iter([Ok(found), Ok(text)]).chain(never).boxed());
        }
        if later {
            self.begun.notify_one();
            self.go.notified().await;
        }
        if let Some(error) = self.breaks.lock().unwrap().take() {
            return Ok(stream::iter([Ok(found), Ok(text), Err(error)]).boxed());
        }
        Ok(stream::iter([found, text, AnswerEvent::End(Box::new(outcome))].map(Ok)).boxed())
    }

    async fn count(&self, _: &Principal, request: AnswerRequest) -> Result<u64, AnswerError> {
        let tokens = request.question.len() as u64;
        *self.questioned.lock().unwrap() = Some(request);
        Ok(tokens)
    }

    async fn rewrite(&self, _: &Principal, question: &str) -> Rewritten {
        Rewritten { query: format!("about {question}"), expense: Expense::default(), failed: false }
    }

    fn model_name(&self) -> Option<&str> {
        Some("extractive")
    }
}

#[derive(Debug)]
struct FakeIndex;

#[async_trait]
impl IndexReporter for FakeIndex {
    async fn report(&self) -> Result<Value, StoreError> {
        Ok(json!({ "relations": [] }))
    }
}

/// An API with what is behind it.
pub(crate) struct Api {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) answering: Arc<FakeAnswering>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) state: Arc<ApiState>,
    pub(crate) router: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Small limits, so that tests reach them.
pub(crate) fn limits() -> Limits {
    Limits {
        file_bytes: 3 << 20,
        request_bytes: 8 << 20,
        json_bytes: 4_096,
        files_per_request: 3,
        request_timeout_seconds: Seconds(5),
        ..Limits::default()
    }
}

pub(crate) fn api() -> Api {
    api_with(limits())
}

pub(crate) fn api_with(limits: Limits) -> Api {
    api_trusting(limits, Arc::new(NoTokens))
}

/// One that takes tokens, too.
pub(crate) fn api_trusting(limits: Limits, tokens: Arc<dyn TokenVerifier>) -> Api {
    let (store, answering) = (crate::http_fakes::store(), Arc::<FakeAnswering>::default());
    let registry = prometheus::Registry::new();
    let shutdown = CancellationToken::new();
    let parts = Parts {
        answering: Arc::clone(&answering) as _,
        embedder: Arc::new(WordEmbedder::new(8)),
        blobs: Arc::clone(&store) as _,
        jobs: Arc::clone(&store) as _,
        documents: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        workspaces: Arc::clone(&store) as _,
        vector_stores: Arc::clone(&store) as _,
        files: Arc::clone(&store) as _,
        index: Arc::new(FakeIndex),
        first_key: Arc::new(|| Some(SecretString::from(FIRST_KEY))),
        chunking_fingerprint: [0; 32],
        chunking: Chunking::default(),
        limits,
        metrics: Metrics::register(&registry).unwrap(),
        registry,
        shutdown: shutdown.clone(),
        limiter: Arc::new(LocalLimiter::default()),
        tokens,
        ranking: Arc::new(LongestFirst),
        passages: Arc::clone(&store) as _,
        uploads: Arc::clone(&store) as _,
        responses: Arc::clone(&store) as _,
    };
    let state = ApiState::new(parts);
    Api { store, answering, shutdown, router: routes::router(Arc::clone(&state)), state }
}

/// A request with our key.
pub(crate) fn request(method: &str, path: &str) -> Builder {
    request_as(FIRST_KEY, method, path)
}

pub(crate) fn request_as(key: &str, method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {key}"))
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, body: Value) -> Request<Body> {
    post_text(path, body.to_string())
}

pub(crate) fn post_text(path: &str, body: impl Into<Body>) -> Request<Body> {
    request("POST", path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// A field of a form: name, file name, content.
pub(crate) type Field<'a> = (&'a str, Option<&'a str>, &'a [u8]);

pub(crate) fn upload(fields: &[Field<'_>]) -> Request<Body> {
    upload_to("/v1/documents", fields)
}

pub(crate) fn upload_to(path: &str, fields: &[Field<'_>]) -> Request<Body> {
    let mut body = Vec::new();
    for (name, file, content) in fields {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend_from_slice(format!("--BOUND\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--BOUND--\r\n");
    let kind = "multipart/form-data; boundary=BOUND";
    request("POST", path).header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
}

impl Api {
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        send(&self.router, request).await
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, 16 << 20).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    assert!(head.headers.contains_key("x-request-id"), "an answer without a request id: {body}");
    Reply { status: head.status, headers: head.headers, body }
}

/// Asserts a refusal: status, code and parameter, in the whole envelope.
pub(crate) fn refused(reply: &Reply, status: u16, code: &str, param: Option<&str>) {
    let error = &reply.body["error"];
    let found = (reply.status.as_u16(), error["code"].as_str(), error["param"].as_str());
    assert_eq!(found, (status, Some(code), param), "{}", reply.body);
    let fields: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["code", "message", "param", "type"]);
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
}
