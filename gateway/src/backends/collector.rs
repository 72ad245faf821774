//! A collector of traces, spoken to by OTLP over HTTP with protobuf. Its headers, which may hold a key, are read anew for each request.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use opentelemetry_proto::{
    tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    transform::{common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use prost::Message;
use reqwest::{
    Certificate, Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::settings::{SettingsError, secret::Secret};

/// What is asked below the collector's address.
const PATH: &str = "v1/traces";
/// One request may take this long.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one answer.
const MOST_BYTES: usize = 64 << 10;

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    #[error("the certificates in {path} (tracing.tlsCaFile) cannot be read")]
    ReadCertificates {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the certificates in {path} (tracing.tlsCaFile) are no certificates as PEM")]
    Certificates {
        path: PathBuf,
        #[source]
        source: reqwest::Error,
    },
    #[error("no HTTP client could be made for tracing.endpoint")]
    Client(#[source] reqwest::Error),
    #[error("the headers for the collector cannot be read")]
    ReadHeaders(#[source] SettingsError),
    #[error("OTEL_EXPORTER_OTLP_HEADERS must look like name=value,other=value with values as in an address")]
    Headers,
    #[error("{url} does not answer")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answers {status}")]
    Refused { url: String, status: u16 },
}

impl CollectorError {
    /// Whether the same spans may be taken a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::ReadCertificates { .. }
            | Self::Certificates { .. }
            | Self::Client(_)
            | Self::ReadHeaders(_)
            | Self::Headers => false,
        }
    }
}

/// A collector.
#[derive(Debug)]
pub struct Collector {
    client: Client,
    url: String,
    headers: Option<Secret>,
    resource: ResourceAttributesWithSchema,
}

impl Collector {
    /// The collector at an address, told of this process by `resource`.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(
        endpoint: &Url,
        tls_ca_file: Option<&Path>,
        headers: Option<Secret>,
        resource: &Resource,
    ) -> Result<Self, CollectorError> {
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            // A redirect would carry the key to a host that nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ragline-gateway/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = tls_ca_file {
            let unread = |source| CollectorError::ReadCertificates { path: path.to_owned(), source };
            let unusable = |source| CollectorError::Certificates { path: path.to_owned(), source };
            let pem = std::fs::read(path).map_err(unread)?;
            for certificate in Certificate::from_pem_bundle(&pem).map_err(unusable)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(CollectorError::Client)?;
        let url = format!("{}/{PATH}", endpoint.as_str().trim_end_matches('/'));
        Ok(Self { client, url, headers, resource: resource.into() })
    }

    /// Spans as they are sent.
    pub fn message(&self, spans: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// Sends a message. Gives the number of its spans that the collector did not want.
    ///
    /// # Errors
    /// The collector takes none of them.
    pub async fn send(&self, message: Bytes) -> Result<u64, CollectorError> {
        let unreachable =
            |source: reqwest::Error| CollectorError::Unreachable { url: self.url.clone(), source: source.without_url() };
        let headers = match &self.headers {
            Some(secret) => headers(&secret.read().map_err(CollectorError::ReadHeaders)?)?,
            None => HeaderMap::new(),
        };
        let request = self.client.post(&self.url).headers(headers).header(CONTENT_TYPE, "application/x-protobuf");
        let mut reply = request.body(message).send().await.map_err(unreachable)?;
        if !reply.status().is_success() {
            return Err(CollectorError::Refused { url: self.url.clone(), status: reply.status().as_u16() });
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = reply.chunk().await.map_err(unreachable)? {
            if bytes.len() + piece.len() > MOST_BYTES {
                return Ok(0);
            }
            bytes.extend_from_slice(&piece);
        }
        // Whatever else a collector says, it has taken them.
        let said = ExportTraceServiceResponse::decode(bytes.freeze()).unwrap_or_default();
        Ok(said.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or_default()))
    }
}

/// Reads `name=value,other=value`, values percent-encoded, as OTEL_EXPORTER_OTLP_HEADERS is defined.
fn headers(secret: &SecretString) -> Result<HeaderMap, CollectorError> {
    let mut headers = HeaderMap::new();
    for pair in secret.expose_secret().split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(CollectorError::Headers)?;
        let name: HeaderName = name.trim().parse().map_err(|_| CollectorError::Headers)?;
        let value = decoded(value.trim()).ok_or(CollectorError::Headers)?;
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| CollectorError::Headers)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// `None`: a percent sign without two digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((&byte, behind)) = left.split_first() {
        left = behind;
        if byte == b'%' {
            let digits = left.get(..2)?;
            bytes.extend(hex::decode(digits).ok()?);
            left = &left[2..];
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_with_encoded_values() {
        let read = |text: &str| headers(&SecretString::from(text));
        let found = read("Authorization=Basic%20abc=, x-scope = a%2Cb ,\n").unwrap();
        assert_eq!((found["authorization"].as_bytes(), found["x-scope"].as_bytes()), (&b"Basic abc="[..], &b"a,b"[..]));
        assert!(found.values().all(HeaderValue::is_sensitive));
        assert!(read("").unwrap().is_empty());
        for wrong in ["authorization", "a b=c", "a=%2", "a=%zz", "a=%0A"] {
            assert!(matches!(read(wrong), Err(CollectorError::Headers)), "{wrong}");
        }
    }
}
