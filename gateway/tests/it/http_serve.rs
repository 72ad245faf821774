//! Over a real connection: a caller that goes away, a shutdown, a head that never ends.

use std::time::Duration;

use ragline_config::Server;
use ragline_gateway::http::{serve::serve, tls::Tls};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    http_fakes::FIRST_KEY,
    http_fixture::{Api, api},
};

const PATIENCE: Duration = Duration::from_secs(10);

async fn served(api: &Api) -> (std::net::SocketAddr, CancellationToken, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let server = tokio::spawn(serve(listener, None, api.router.clone(), stop.clone()));
    (address, stop, server)
}

fn search(query: &str) -> String {
    let body = json!({"query": query}).to_string();
    format!(
        "POST /v1/search HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FIRST_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_its_request() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    caller.write_all(search("wait").as_bytes()).await.unwrap();
    timeout(PATIENCE, api.answering.begun.notified()).await.unwrap();
    drop(caller);
    timeout(PATIENCE, api.answering.dropped.notified()).await.expect("the request goes on without its caller");
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_what_is_written_for_it() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    let body = json!({"model": "ragline", "stream": true, "messages": [{"role": "user", "content": "wait"}]}).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FIRST_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    caller.write_all((head + &body).as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("Three months") {
        assert_ne!(timeout(PATIENCE, caller.read_buf(&mut read)).await.unwrap().unwrap(), 0);
    }
    drop(caller);
    timeout(PATIENCE, api.answering.dropped.notified()).await.expect("it goes on without its caller");
}

#[tokio::test]
async fn a_shutdown_lets_requests_under_way_end() {
    let api = api();
    let (address, stop, server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    caller.write_all(search("wait").as_bytes()).await.unwrap();
    timeout(PATIENCE, api.answering.begun.notified()).await.unwrap();
    stop.cancel();
    api.answering.go.notify_one();
    let mut reply = String::new();
    timeout(PATIENCE, caller.read_to_string(&mut reply)).await.unwrap().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    timeout(PATIENCE, server).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_refused_upload_can_be_read_while_it_is_still_being_sent() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let client = reqwest::Client::new();
    let part = reqwest::multipart::Part::bytes(vec![b'x'; 6 << 20]).file_name("large.txt");
    let request = client.post(format!("http://{address}/v1/documents")).bearer_auth(FIRST_KEY);
    let reply =
        timeout(PATIENCE, request.multipart(reqwest::multipart::Form::new().part("file", part)).send()).await.unwrap().unwrap();
    assert_eq!(reply.status(), 413);
    let body: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "file_too_large");
    let again = client.get(format!("http://{address}/v1/documents")).bearer_auth(FIRST_KEY).send().await.unwrap();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn an_upload_whose_caller_goes_away_leaves_no_bytes_behind() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FIRST_KEY}\r\ncontent-length: 2000000\r\n\
         content-type: multipart/form-data; boundary=B\r\n\r\n\
         --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    caller.write_all(&vec![b'x'; 1_500_000]).await.unwrap();
    until(|| api.store.inner().blobs.values().any(|(_, pieces)| !pieces.is_empty())).await;
    drop(caller);
    until(|| api.store.inner().blobs.is_empty()).await;
    assert!(api.store.inner().jobs.is_empty());
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("in vain");
}

#[tokio::test]
async fn the_api_is_served_over_tls_with_the_configured_certificate() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let config = Server { tls_certificate_file: Some(certificate.clone()), tls_key_file: Some(key.clone()), ..Server::default() };
    let tls = Tls::load(&config).unwrap();
    assert!(Tls::load(&Server::default()).unwrap().is_none());

    let api = api();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _server = tokio::spawn(serve(listener, tls, api.router.clone(), CancellationToken::new()));
    let trusted = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().add_root_certificate(trusted).resolve("localhost", address).build().unwrap();
    let reply = client.get(format!("https://localhost:{}/livez", address.port())).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(client.get(format!("http://localhost:{}/livez", address.port())).send().await.is_err());

    std::fs::write(&key, "nothing").unwrap();
    let error = Tls::load(&config).unwrap_err();
    assert!(error.to_string().contains("tls.key"), "{error}");
}

/// A caller that sends all of a body before it looks for an answer, as many do.
#[tokio::test]
async fn a_refusal_reaches_a_caller_that_is_still_sending() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    let body = vec![b'x'; 300_000];
    let head = format!("POST /v1/no-such-route HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    caller.write_all(head.as_bytes()).await.unwrap();
    for piece in body.chunks(100_000) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        caller.write_all(piece).await.expect("the connection was closed while the body was sent");
    }
    // The same connection serves the next request.
    caller.write_all(search("again").replace("\r\nhost", "\r\nconnection: close\r\nhost").as_bytes()).await.unwrap();
    let mut replies = String::new();
    timeout(PATIENCE, caller.read_to_string(&mut replies)).await.unwrap().unwrap();
    assert!(replies.starts_with("HTTP/1.1 404") && replies.contains("HTTP/1.1 200"), "{replies}");
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_keep_a_refusal() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let mut caller = TcpStream::connect(address).await.unwrap();
    caller.write_all(b"POST /v1/no-such-route HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx").await.unwrap();
    let mut reply = [0; 12];
    timeout(PATIENCE, caller.read_exact(&mut reply)).await.unwrap().unwrap();
    assert_eq!(&reply, b"HTTP/1.1 404");
}

/// Sends all of a body before it reads a byte, as many clients do, and gives the answer.
async fn sent_whole(address: std::net::SocketAddr, head: &str, bytes: usize) -> String {
    let mut caller = TcpStream::connect(address).await.unwrap();
    caller.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..bytes >> 20 {
        timeout(PATIENCE, caller.write_all(&piece)).await.unwrap().expect("the connection was closed while the body was sent");
    }
    let mut reply = Vec::new();
    while !String::from_utf8_lossy(&reply).ends_with("}}") {
        assert_ne!(timeout(PATIENCE, caller.read_buf(&mut reply)).await.unwrap().unwrap(), 0, "the answer broke off");
    }
    String::from_utf8(reply).unwrap()
}

#[tokio::test]
async fn a_large_upload_that_is_refused_hears_why() {
    let api = api();
    let (address, _stop, _server) = served(&api).await;
    let client = reqwest::Client::new();
    for mebibytes in [9, 40, 100] {
        let bytes = mebibytes << 20;
        for (path, kind, code) in [
            ("/v1/documents", "multipart/form-data; boundary=B", "upload_too_large"),
            ("/v1/files", "multipart/form-data; boundary=B", "upload_too_large"),
            ("/v1/search", "application/json", "body_too_large"),
        ] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {FIRST_KEY}\r\ncontent-type: {kind}\r\n\
                 content-length: {bytes}\r\n\r\n"
            );
            let reply = sent_whole(address, &head, bytes).await;
            assert!(reply.starts_with("HTTP/1.1 413") && reply.contains(code), "{path}, {mebibytes} MiB: {reply}");
            let request = client.post(format!("http://{address}{path}")).bearer_auth(FIRST_KEY).header("content-type", kind);
            let reply = timeout(PATIENCE, request.body(vec![b'x'; bytes]).send()).await.unwrap().unwrap();
            assert_eq!(reply.status(), 413, "{path}, {mebibytes} MiB");
            let body: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
            assert_eq!(body["error"]["code"], code, "{path}, {mebibytes} MiB");
        }
        // Without a length that tells beforehand.
        let pieces = futures::stream::iter((0..mebibytes).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1 << 20])));
        let part = reqwest::multipart::Part::stream(reqwest::Body::wrap_stream(pieces)).file_name("large.txt");
        let request = client.post(format!("http://{address}/v1/documents")).bearer_auth(FIRST_KEY);
        let reply = timeout(PATIENCE, request.multipart(reqwest::multipart::Form::new().part("file", part)).send())
            .await
            .unwrap()
            .unwrap();
        let status = reply.status();
        let body: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        assert_eq!((status.as_u16(), &body["error"]["code"]), (413, &json!("file_too_large")), "{mebibytes} MiB");
    }
}
