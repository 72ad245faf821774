//! Serving connections: bounded in number, with a deadline for the handshake and for the head of each request, drained on shutdown.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::tls::Tls;

/// Connections at once; one more waits in the kernel's queue.
const MOST_CONNECTIONS: usize = 4_096;
/// A TLS handshake must have ended by then.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The head of a request must have come by then.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Requests under way may take this long after a shutdown was asked for.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(25);
/// Pause after a connection could not be accepted, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is cancelled and the requests under way have ended, or their time is over. With `tls`, over TLS alone.
///
/// # Errors
/// None that ends the service; what a single connection suffers is its own.
pub async fn serve(listener: TcpListener, tls: Option<Arc<Tls>>, router: Router, shutdown: CancellationToken) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit.expect("the semaphore is never closed"),
            () = shutdown.cancelled() => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error.cause = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            converse(stream, tls.as_deref(), router, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way {} s after the shutdown began", DRAIN_WITHIN.as_secs());
    }
    Ok(())
}

async fn converse(stream: TcpStream, tls: Option<&Tls>, router: Router, watcher: Watcher) {
    // Small answers must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return answer(stream, router, watcher).await };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    match tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await {
        Ok(Ok(stream)) => answer(stream, router, watcher).await,
        Ok(Err(error)) => tracing::debug!(error.cause = %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took longer than {} s", HANDSHAKE_WITHIN.as_secs()),
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error.cause = %error, "a connection ended early");
    }
}
