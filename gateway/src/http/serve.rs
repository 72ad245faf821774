//! Serving connections: bounded in number, with a deadline for the handshake and for the head of each request, drained on shutdown.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, extract::Request, response::Response};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    connections::{Connections, Place, Watched},
    held::Held,
    tls::Tls,
};

/// Connections at once. One more takes the place of the one that has kept us waiting longest.
pub const MOST_CONNECTIONS: usize = 4_096;
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
    raise_open_files();
    let connections = Connections::new(MOST_CONNECTIONS);
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error.cause = %error, "a connection could not be accepted");
                connections.send_one_away();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = tokio::select! {
            place = connections.place() => place,
            () = shutdown.cancelled() => break,
        };
        // Small answers must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let (stream, tls, router, watcher) = (place.watch(stream), tls.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            tokio::select! {
                () = converse(stream, tls.as_deref(), router, watcher, &place) => {}
                () = place.taken_away() => tracing::debug!("a connection that said nothing, or was not read, made room"),
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way {} s after the shutdown began", DRAIN_WITHIN.as_secs());
    }
    Ok(())
}

/// Each connection is an open file, and many a runtime starts its processes with 1,024 of them where they may have more.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(error.cause = %error, "the process keeps its limit of {current:?} open files");
    }
}

async fn converse(stream: Watched, tls: Option<&Tls>, router: Router, watcher: Watcher, place: &Place) {
    let Some(tls) = tls else { return answer(stream, router, watcher, place).await };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    match tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await {
        Ok(Ok(stream)) => answer(stream, router, watcher, place).await,
        Ok(Err(error)) => tracing::debug!(error.cause = %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took longer than {} s", HANDSHAKE_WITHIN.as_secs()),
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router, watcher: Watcher, place: &Place) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        let under_way = place.request();
        let answering = router.call(request);
        async move {
            let response: Response = answering.await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| Held::new(body, under_way)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error.cause = %error, "a connection ended early");
    }
}
