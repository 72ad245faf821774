//! What the operator says of itself over HTTP: `/livez`, `/readyz` and `/metrics`. Nothing here changes anything.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::State, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use prometheus::TEXT_FORMAT;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// Why the server is not there.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the server of metrics and probes ended")]
    Serve(#[source] std::io::Error),
}

/// Whether the operator can do its work: it reaches the API server, and leads or waits to lead.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    fn ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone, Debug)]
struct Shared {
    metrics: Metrics,
    readiness: Readiness,
}

/// Serves until `stop` resolves.
///
/// # Errors
/// The address is taken, or the server broke.
pub async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), AdminError> {
    let listener = TcpListener::bind(address).await.map_err(|source| AdminError::Listen { address, source })?;
    axum::serve(listener, routes(metrics, readiness)).with_graceful_shutdown(stop).await.map_err(AdminError::Serve)
}

fn routes(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Shared { metrics, readiness })
}

async fn readyz(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if shared.readiness.ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the Kubernetes API has not been reached yet")
    }
}

async fn text(State(shared): State<Shared>) -> axum::response::Response {
    match shared.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(readiness: &Readiness, path: &str) -> (StatusCode, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new().unwrap();
        metrics.leader.set(1);
        let server = tokio::spawn(axum::serve(listener, routes(metrics, readiness.clone())).into_future());
        let reply = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        let answer = (StatusCode::from_u16(reply.status().as_u16()).unwrap(), reply.text().await.unwrap());
        server.abort();
        answer
    }

    #[tokio::test]
    async fn ready_follows_the_flag_and_live_does_not() {
        let readiness = Readiness::default();
        assert_eq!(ask(&readiness, "/livez").await.0, StatusCode::OK);
        assert_eq!(ask(&readiness, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        readiness.set(true);
        assert_eq!(ask(&readiness, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_in_the_text_format() {
        let (status, text) = ask(&Readiness::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("ragline_operator_leader 1"), "{text}");
    }
}
