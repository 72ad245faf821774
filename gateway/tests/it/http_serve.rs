//! Over a real connection: a caller that goes away, a shutdown, a head that never ends.

use std::time::Duration;

use ragline_gateway::http::serve::serve;
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
    let server = tokio::spawn(serve(listener, api.router.clone(), stop.clone()));
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
