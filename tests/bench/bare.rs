//! The barest service that does what a gateway does from outside: what is beyond its time is the gateway's own. A process, as the gateway is.

use std::{io::Read, process::Stdio};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::post,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::load;

/// A process with one route. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) url: String,
    _process: Child,
}

impl Bare {
    /// `POST /v1/search` reads the body and answers these bytes, and no more.
    pub(crate) async fn answering(answer: &[u8]) -> anyhow::Result<Self> {
        Self::start(&["bare", "answer", &answer.len().to_string()], answer).await
    }

    /// `POST /v1/chat/completions` passes the body on and streams back what comes.
    pub(crate) async fn relaying(to: &str) -> anyhow::Result<Self> {
        Self::start(&["bare", "relay", to], &[]).await
    }

    async fn start(arguments: &[&str], input: &[u8]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn()?;
        process.stdin.as_mut().context("no input")?.write_all(input).await?;
        let mut said = BufReader::new(process.stdout.take().context("no output")?).lines();
        let url = said.next_line().await?.context("the bare service ended early")?;
        Ok(Self { url, _process: process })
    }
}

/// What the process of [`Bare::answering`] does: reads so many bytes and answers them.
pub(crate) async fn answer(bytes: usize) -> anyhow::Result<()> {
    let mut answer = vec![0; bytes];
    std::io::stdin().read_exact(&mut answer)?;
    let answer = Bytes::from(answer);
    let handler = move |_: Bytes| {
        let answer = answer.clone();
        async move { ([("content-type", "application/json")], answer) }
    };
    serve(Router::new().route("/v1/search", post(handler))).await
}

/// What the process of [`Bare::relaying`] does.
pub(crate) async fn relay(to: &str) -> anyhow::Result<()> {
    let (client, url) = (load::client()?, format!("{to}/v1/chat/completions"));
    let handler = move |body: Bytes| {
        let request = client.post(&url).header("content-type", "application/json").body(body);
        async move {
            let reply = request.send().await.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
            Ok::<_, (StatusCode, String)>(Body::from_stream(reply.bytes_stream()))
        }
    };
    serve(Router::new().route("/v1/chat/completions", post(handler))).await
}

/// Says the address and serves until the input ends.
async fn serve(routes: Router) -> anyhow::Result<()> {
    // It comes to an end with whoever started it.
    let _: std::thread::JoinHandle<()> = std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        std::process::exit(0)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}
