//! More than there is room for: whatever comes, a refusal says when to come back, the probes stay green, and nothing accepted is lost.

use std::{net::SocketAddr, time::Duration};

use futures::future::join_all;
use ragline_config::{Limits, Seconds};
use ragline_gateway::http::serve::{MOST_CONNECTIONS, serve};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    http_fakes::FIRST_KEY,
    http_fixture::{Api, Field, api_with, get, limits, upload},
    http_live_fixture::live,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Requests that the gateway under test works on at once.
const ROOM: u32 = 32;

struct Served {
    api: Api,
    address: SocketAddr,
    _stop: DropGuard,
}

async fn served() -> Served {
    let limits = Limits { concurrent_requests: ROOM, request_timeout_seconds: Seconds(30), ..limits() };
    let (api, stop) = (api_with(limits), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, None, api.router.clone(), stop.clone()));
    Served { api, address, _stop: stop.drop_guard() }
}

fn search(query: &str, close: bool) -> String {
    let body = json!({"query": query}).to_string();
    let connection = if close { "close" } else { "keep-alive" };
    format!(
        "POST /v1/search HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FIRST_KEY}\r\ncontent-type: application/json\r\n\
         connection: {connection}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One request on a connection of its own, and everything that came back.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let talk = async {
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        // A reset after the answer is an end, too.
        let _ = caller.read_to_end(&mut reply).await;
        String::from_utf8_lossy(&reply).into_owned()
    };
    timeout(PATIENCE, talk).await.expect("no answer")
}

fn status(reply: &str) -> u16 {
    reply.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {reply:?}"))
}

/// The answer of a probe, which must come at once.
async fn probe(address: SocketAddr, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    status(&timeout(Duration::from_secs(5), exchange(address, &request)).await.expect("a probe had to wait"))
}

fn is_told_when(reply: &str) -> bool {
    matches!(status(reply), 429 | 503) && reply.to_ascii_lowercase().contains("\r\nretry-after: ")
}

/// Fills every place with a question that waits.
async fn full(served: &Served) -> Vec<TcpStream> {
    let mut waiting = Vec::new();
    for _ in 0..ROOM {
        let mut caller = TcpStream::connect(served.address).await.unwrap();
        caller.write_all(search("wait", true).as_bytes()).await.unwrap();
        timeout(PATIENCE, served.api.answering.begun.notified()).await.unwrap();
        waiting.push(caller);
    }
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_at_once_are_answered_or_told_when_to_come_back() {
    let served = served().await;
    let request = search("notice", true);
    let replies = join_all((0..1_000).map(|_| exchange(served.address, &request))).await;
    let answered = replies.iter().filter(|reply| status(reply) == 200).count();
    let refused = replies.iter().filter(|reply| is_told_when(reply)).count();
    assert_eq!(answered + refused, 1_000);
    assert!(answered >= ROOM as usize, "only {answered} were answered");
    assert_eq!(probe(served.address, "/livez").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_over_the_limit_are_refused_while_those_under_way_go_on() {
    let served = served().await;
    let waiting = full(&served).await;
    let request = search("notice", false);
    let caller = |_| async {
        let mut caller = TcpStream::connect(served.address).await.unwrap();
        let mut refused = 0;
        for _ in 0..100 {
            caller.write_all(request.as_bytes()).await.unwrap();
            let mut reply = Vec::new();
            while !ends(&reply) {
                assert_ne!(caller.read_buf(&mut reply).await.unwrap(), 0, "the connection of a refused caller was closed");
            }
            refused += usize::from(is_told_when(&String::from_utf8_lossy(&reply)));
        }
        refused
    };
    let refused: usize = timeout(PATIENCE, join_all((0..100).map(caller))).await.unwrap().into_iter().sum();
    assert_eq!(refused, 10_000);
    for path in ["/livez", "/metrics", "/openapi.json"] {
        assert_eq!(probe(served.address, path).await, 200, "{path}");
    }
    served.api.answering.go.notify_waiters();
    for mut caller in waiting {
        let mut reply = String::new();
        timeout(PATIENCE, caller.read_to_string(&mut reply)).await.unwrap().unwrap();
        assert_eq!(status(&reply), 200, "{reply}");
    }
}

/// Whether a whole answer with a length is there.
fn ends(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_say_half_or_read_nothing_hold_no_place() {
    let served = served().await;
    let mut held = Vec::new();
    for beginning in ["", "GET /livez HTT", "POST /v1/search HTTP/1.1\r\nhost: x\r\nauthorization: Bea"] {
        for _ in 0..200 {
            let mut caller = TcpStream::connect(served.address).await.unwrap();
            caller.write_all(beginning.as_bytes()).await.unwrap();
            held.push(caller);
        }
    }
    // These ask for much and read none of it.
    for _ in 0..200 {
        let mut caller = TcpStream::connect(served.address).await.unwrap();
        for _ in 0..20 {
            caller.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        }
        held.push(caller);
    }
    let request = search("notice", true);
    for reply in join_all((0..ROOM / 2).map(|_| exchange(served.address, &request))).await {
        assert_eq!(status(&reply), 200, "{reply}");
    }
    assert_eq!(probe(served.address, "/livez").await, 200);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_silent_callers_than_there_are_places_keep_nobody_out() {
    let served = served().await;
    let waiting = full(&served).await;
    let mut held = Vec::new();
    for n in 0..MOST_CONNECTIONS + 500 {
        let mut caller = TcpStream::connect(served.address).await.unwrap();
        caller.write_all(["", "GET /livez HTT"][n % 2].as_bytes()).await.unwrap();
        held.push(caller);
    }
    assert_eq!(probe(served.address, "/livez").await, 200);
    let first = timeout(PATIENCE, held[0].read(&mut [0; 1])).await.expect("the first to be silent kept its place");
    assert!(matches!(first, Ok(0) | Err(_)), "{first:?}");
    served.api.answering.go.notify_waiters();
    for mut caller in waiting {
        let mut reply = String::new();
        timeout(PATIENCE, caller.read_to_string(&mut reply)).await.unwrap().unwrap();
        assert_eq!(status(&reply), 200, "a caller who was being answered had to leave: {reply}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_ends_its_own_connection_alone() {
    let served = served().await;
    let filler = "x".repeat(1 << 20);
    let many: String = (0..1_000).map(|n| format!("x-{n}: y\r\n")).collect();
    for head in [format!("x-filler: {filler}\r\n"), many] {
        let reply = exchange(served.address, &format!("GET /v1/documents HTTP/1.1\r\nhost: x\r\n{head}\r\n")).await;
        assert!(reply.is_empty() || status(&reply) == 431, "{}", reply.get(..200).unwrap_or(&reply));
        assert_eq!(probe(served.address, "/livez").await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_upload_that_was_accepted_is_stored() {
    let live = live().await;
    live.work();
    let send = |number: u32| {
        let live = &live;
        async move {
            let (source, text) = (format!("{number}.txt"), format!("Note {number} of the lighthouse keeper."));
            let fields: [Field<'_>; 1] = [("file", Some(&source), text.as_bytes())];
            let reply = live.send(upload(&fields)).await;
            match reply.status.as_u16() {
                202 => Some(reply.headers["location"].to_str().unwrap().to_owned()),
                status => {
                    assert!(matches!(status, 429 | 503) && reply.headers.contains_key("retry-after"), "{status}: {}", reply.body);
                    None
                }
            }
        }
    };
    let accepted: Vec<String> = join_all((0..300).map(send)).await.into_iter().flatten().collect();
    assert!(!accepted.is_empty());
    for job in &accepted {
        assert_eq!(live.ended(job).await["status"], "completed", "{job}");
    }
    let listed = live.send(get("/v1/documents?limit=100")).await.body;
    let first = listed["data"].as_array().unwrap().len();
    assert_eq!((first, listed["has_more"].as_bool()), (accepted.len().min(100), Some(accepted.len() > 100)));
}
