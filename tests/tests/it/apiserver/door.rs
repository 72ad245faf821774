//! The way of one operator to the API server, on which a test stands: it counts every request and decides what becomes of it.
//! What the client does by itself, such as asking again after a 429, lies above and counts as well.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use http::{Method, Request, Response, StatusCode};
use kube::{
    Client,
    client::{Body, retry::RetryPolicy},
};
use serde_json::json;
use tokio::sync::Notify;
use tower::{BoxError, ServiceBuilder, retry::RetryLayer, service_fn};

use super::server::Server;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It goes through.
    Pass,
    /// The operator is killed before the request leaves it.
    Crash,
    /// The API server refuses it with this status and does nothing; with a Retry-After in seconds, if named.
    Refused(u16, Option<u32>),
    /// The API server does what it is asked for and answers that it could not.
    DoneAndRefused(u16),
    /// No answer ever comes.
    Silence,
    /// It waits until the test lets it go on.
    Hold,
}

/// One request that came by.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) at: Instant,
}

impl Call {
    /// Whether it would change something. A kind that this API server lacks is asked for in every trip and never written.
    pub(super) fn writes(&self) -> bool {
        let lacks = ["/apis/gateway.networking.k8s.io/", "/apis/postgresql.cnpg.io/", "/apis/cert-manager.io/"];
        self.method != Method::GET && !lacks.iter().any(|kind| self.path.starts_with(kind))
    }
}

/// Decides by the number of the request, from one on, and by the request itself.
type Judge = dyn Fn(usize, &Call) -> Fate + Send + Sync;

/// See above.
pub(super) struct Door {
    inner: Client,
    judge: Box<Judge>,
    count: AtomicUsize,
    calls: Mutex<Vec<Call>>,
    crashed: Notify,
    held: Notify,
    released: Notify,
    is_dead: AtomicBool,
}

impl Door {
    pub(super) async fn new(server: &Server, judge: impl Fn(usize, &Call) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        let mut config = server.config().await;
        config.default_retry = false;
        Arc::new(Self {
            inner: Client::try_from(config).unwrap(),
            judge: Box::new(judge),
            count: AtomicUsize::new(0),
            calls: Mutex::new(Vec::new()),
            crashed: Notify::new(),
            held: Notify::new(),
            released: Notify::new(),
            is_dead: AtomicBool::new(false),
        })
    }

    /// One through which everything passes.
    pub(super) async fn open(server: &Server) -> Arc<Self> {
        Self::new(server, |_, _| Fate::Pass).await
    }

    /// A client that goes through it, with the retries of an ordinary one.
    pub(super) fn client(self: &Arc<Self>) -> Client {
        let door = Arc::clone(self);
        let service = ServiceBuilder::new().layer(RetryLayer::new(RetryPolicy::server_retry())).service(service_fn(
            move |request: Request<Body>| {
                let door = Arc::clone(&door);
                async move { door.pass(request).await }
            },
        ));
        Client::new(service, "default")
    }

    /// Waits until the operator is killed.
    pub(super) async fn crash(&self) {
        self.crashed.notified().await;
    }

    /// Waits until a request is held.
    pub(super) async fn held(&self) {
        self.held.notified().await;
    }

    /// Lets the held request go on.
    pub(super) fn release(&self) {
        self.released.notify_one();
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// How many of them were to change something.
    pub(super) fn writes(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.writes()).count()
    }

    async fn pass(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        if self.has_crashed() {
            // The dead ask nothing.
            return std::future::pending().await;
        }
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let call = Call { method: request.method().clone(), path, at: Instant::now() };
        self.calls.lock().unwrap().push(call.clone());
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        match (self.judge)(number, &call) {
            Fate::Pass => Ok(self.inner.send(request).await?),
            Fate::Crash => {
                self.is_dead.store(true, Ordering::SeqCst);
                self.crashed.notify_one();
                std::future::pending().await
            }
            Fate::Refused(code, retry_after) => Ok(refusal(code, retry_after)),
            Fate::DoneAndRefused(code) => {
                self.inner.send(request).await?;
                Ok(refusal(code, None))
            }
            Fate::Silence => std::future::pending().await,
            Fate::Hold => {
                self.held.notify_one();
                self.released.notified().await;
                Ok(self.inner.send(request).await?)
            }
        }
    }
}

/// What the API server answers where it does not do something.
fn refusal(code: u16, retry_after: Option<u32>) -> Response<Body> {
    let status = StatusCode::from_u16(code).unwrap();
    let reason = match code {
        409 => "Conflict",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": format!("the test refuses this with {code}"), "metadata": {},
    });
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(Body::from(body.to_string().into_bytes())).unwrap()
}
