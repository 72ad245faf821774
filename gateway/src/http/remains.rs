//! A refused request whose body is still on its way: the answer goes at once, and what remains of the body is read, within bounds, and
//! thrown away. Many clients send all of a body before they look for an answer; a connection that was closed meanwhile would hide the
//! reason from them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    extract::Request,
    http::header,
    response::Response,
};
use futures::{StreamExt, stream};
use tokio::time::timeout;

/// What is read of a refused request at most, for how long, and how long its next bytes are waited for. Whoever is slower than that, or
/// sends more, loses the connection; the answer was there to be read before.
const MOST_BYTES: usize = 256 << 20;
const WITHIN: Duration = Duration::from_secs(20);
const NEXT_WITHIN: Duration = Duration::from_secs(5);

/// Answers, and reads what is left of the body where the answer is a refusal.
pub(super) async fn read<F: Future<Output = Response>>(request: Request, next: impl FnOnce(Request) -> F) -> Response {
    // A client that waits for a word before it sends is told by the answer itself.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let lent = Arc::clone(&body);
    let lent = Body::from_stream(stream::poll_fn(move |context| locked(&lent, |body| body.poll_next_unpin(context))));
    let response = next(Request::from_parts(head, lent)).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        // There are no more of these than connections, and each ends by itself.
        tokio::spawn(timeout(WITHIN, throw_away(body)));
    }
    response
}

async fn throw_away(body: Arc<Mutex<BodyDataStream>>) {
    let mut pieces = stream::poll_fn(|context| locked(&body, |body| body.poll_next_unpin(context)));
    let mut size = 0;
    while let Ok(Some(Ok(piece))) = timeout(NEXT_WITHIN, pieces.next()).await {
        size += piece.len();
        if size > MOST_BYTES {
            return;
        }
    }
}

fn locked<T>(body: &Mutex<BodyDataStream>, act: impl FnOnce(&mut BodyDataStream) -> T) -> T {
    act(&mut body.lock().unwrap_or_else(PoisonError::into_inner))
}
