//! A refused request whose body is still on its way: what remains is read, within bounds, before the answer goes. Many clients
//! send all of a body before they look for an answer; a connection that was closed meanwhile would hide the reason from them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};
use futures::{StreamExt, stream};

/// What is read of a refused request at most, and for how long.
const MOST_BYTES: usize = 8 << 20;
const WITHIN: Duration = Duration::from_secs(2);

/// Answers, and reads what is left of the body where the answer is a refusal.
pub(super) async fn read(request: Request, next: Next) -> Response {
    // A client that waits for a word before it sends is told by the answer itself.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let lent = Arc::clone(&body);
    let lent = Body::from_stream(stream::poll_fn(move |context| locked(&lent, |body| body.poll_next_unpin(context))));
    let response = next.run(Request::from_parts(head, lent)).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        // Whoever is slower than that, or sends more, loses the connection.
        let _ = tokio::time::timeout(WITHIN, throw_away(&body)).await;
    }
    response
}

async fn throw_away(body: &Mutex<BodyDataStream>) {
    let mut pieces = stream::poll_fn(|context| locked(body, |body| body.poll_next_unpin(context)));
    let mut size = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        size += piece.len();
        if size > MOST_BYTES {
            return;
        }
    }
}

fn locked<T>(body: &Mutex<BodyDataStream>, act: impl FnOnce(&mut BodyDataStream) -> T) -> T {
    act(&mut body.lock().unwrap_or_else(PoisonError::into_inner))
}
