//! The gateway as the commands see it: requests with the key, and refusals as readable errors.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::{ConnectionArgs, events::Events};
use crate::http::error::{ErrorBody, ErrorCode};

/// A connection must be there by then.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Silence for so long ends a request.
const SILENCE: Duration = Duration::from_secs(180);
/// An answer larger than this is none of the gateway's.
const MOST_ANSWER_BYTES: usize = 64 << 20;

/// A gateway.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    base: Url,
}

/// What the gateway says no with.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({}{request})", code.map_or_else(|| status.to_string(), ErrorCode::word))]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: Option<ErrorCode>,
    pub(super) retry_after: Option<Duration>,
    message: String,
    request: String,
}

/// There is nothing to be let in with.
#[derive(Debug, thiserror::Error)]
#[error("there is no API key; set RAGLINE_API_KEY or give --key-file FILE")]
pub(super) struct NoKey;

/// The gateway was not there, or went away.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Unreachable {
    what: String,
    source: reqwest::Error,
}

impl Refusal {
    /// What went wrong after the gateway had begun to answer.
    pub(super) fn late(ErrorBody { error }: ErrorBody) -> Self {
        let (code, message) = (error.code, error.message);
        Self { status: code.status(), code: Some(code), retry_after: None, message, request: String::new() }
    }
}

impl Api {
    /// Prepares the connection; nothing is sent yet.
    pub(super) fn open(arguments: &ConnectionArgs) -> anyhow::Result<Self> {
        let key = key(arguments)?;
        let mut headers = header::HeaderMap::new();
        let mut value =
            header::HeaderValue::from_str(&format!("Bearer {key}")).context("the API key has characters that no key has")?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
        let mut builder = Client::builder().default_headers(headers).connect_timeout(CONNECT_WITHIN).read_timeout(SILENCE);
        if let Some(path) = &arguments.ca_file {
            let pem = read_bounded(path)?;
            for certificate in reqwest::Certificate::from_pem_bundle(pem.as_bytes()).with_context(|| unreadable(path))? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().context("the HTTP client cannot be set up")?;
        let mut base = arguments.url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { client, base })
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.at(path))
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.at(path))
    }

    pub(super) fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(self.at(path))
    }

    /// Sends and reads the answer.
    pub(super) async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = self.accepted(request).await?;
        let body = self.bounded(response).await?;
        serde_json::from_slice(&body).context("the gateway's answer cannot be read; is the address that of a gateway?")
    }

    /// Sends, and leaves the answer to be read as it comes.
    pub(super) async fn stream(&self, request: RequestBuilder) -> anyhow::Result<Events<'_>> {
        Ok(Events::new(self, self.accepted(request).await?))
    }

    /// Sends; what is not taken is an error.
    async fn accepted(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let request_id = header_text(&response, "x-request-id");
        let retry_after = header_text(&response, "retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = self.bounded(response).await?;
        let request = request_id.map(|id| format!(", request {id}")).unwrap_or_default();
        let (code, message) = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error }) => (Some(error.code), error.message),
            Err(_) => (None, "the gateway refused the request".to_owned()),
        };
        Err(Refusal { status, code, retry_after, message, request }.into())
    }

    fn at(&self, path: &str) -> Url {
        self.base.join(path).expect("the paths are constants, ids and names")
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let what = if error.is_connect() {
            format!("the gateway at {} cannot be reached; is it running, and is --url or RAGLINE_URL right?", self.base)
        } else {
            format!("the gateway at {} broke off", self.base)
        };
        Unreachable { what, source: error.without_url() }.into()
    }

    async fn bounded(&self, mut response: Response) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + piece.len() > MOST_ANSWER_BYTES {
                bail!("the gateway's answer is larger than {MOST_ANSWER_BYTES} bytes");
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn key(arguments: &ConnectionArgs) -> anyhow::Result<String> {
    let key = match (&arguments.key_file, &arguments.key) {
        (Some(path), _) => read_bounded(path)?,
        (None, key) => key.clone().unwrap_or_default(),
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(NoKey.into());
    }
    Ok(key.to_owned())
}

fn read_bounded(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path).with_context(|| unreadable(path))?.len();
    if size > 1 << 20 {
        bail!("{} is too large for a key or a certificate", path.display());
    }
    std::fs::read_to_string(path).with_context(|| unreadable(path))
}

fn unreadable(path: &Path) -> String {
    format!("{} cannot be read", path.display())
}
