//! Asking the provider for its keys: first where they are, unless that is configured, then for them. Bounded in time and size; redirects
//! are not followed.

use std::{path::PathBuf, time::Duration};

use bytes::BytesMut;
use ragline_config::{Oidc, is_trustworthy};
use reqwest::{Certificate, Client};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

/// Where a provider describes itself, after its name.
const DISCOVERY: &str = ".well-known/openid-configuration";
/// One answer may take this long.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one answer.
const MOST_BYTES: usize = 256 << 10;

/// Why tokens cannot be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("the certificates in {path} (auth.oidc.tlsCaFile) cannot be read")]
    ReadCertificates {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the certificates in {path} (auth.oidc.tlsCaFile) are no certificates as PEM")]
    Certificates {
        path: PathBuf,
        #[source]
        source: reqwest::Error,
    },
    #[error("no HTTP client could be made for auth.oidc")]
    Client(#[source] reqwest::Error),
    #[error("auth.oidc.issuer {0:?} is no address")]
    Issuer(String),
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{url} does not answer")]
    Unreachable {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answers {status}")]
    Refused { url: Url, status: u16 },
    #[error("the answer of {url} has more than {MOST_BYTES} bytes")]
    TooLarge { url: Url },
    #[error("the answer of {url} is not what it should be")]
    Malformed {
        url: Url,
        #[source]
        source: serde_json::Error,
    },
    #[error("{url} speaks for the issuer {found:?}; auth.oidc.issuer must be that, to the letter")]
    OtherIssuer { url: Url, found: String },
    #[error("the keys are said to be at {0}, which is not https")]
    Untrustworthy(Url),
}

/// A provider to ask.
#[derive(Debug)]
pub(super) struct Provider {
    client: Client,
    issuer: String,
    discovery: Url,
    jwks: Option<Url>,
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl Provider {
    pub(super) fn new(oidc: &Oidc) -> Result<Self, OidcError> {
        let discovery = format!("{}/{DISCOVERY}", oidc.issuer.trim_end_matches('/'));
        let discovery = Url::parse(&discovery).map_err(|_| OidcError::Issuer(oidc.issuer.clone()))?;
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ragline-gateway/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &oidc.tls_ca_file {
            let pem = std::fs::read(path).map_err(|source| OidcError::ReadCertificates { path: path.clone(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem);
            for certificate in certificates.map_err(|source| OidcError::Certificates { path: path.clone(), source })? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(OidcError::Client)?;
        Ok(Self { client, issuer: oidc.issuer.clone(), discovery, jwks: oidc.jwks_url.clone() })
    }

    /// The published keys, each as it is.
    pub(super) async fn keys(&self) -> Result<Vec<Value>, FetchError> {
        let url = match &self.jwks {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        self.get::<Published>(url).await.map(|published| published.keys)
    }

    async fn discover(&self) -> Result<Url, FetchError> {
        let Description { issuer, jwks_uri } = self.get(self.discovery.clone()).await?;
        if issuer != self.issuer {
            return Err(FetchError::OtherIssuer { url: self.discovery.clone(), found: issuer });
        }
        if is_trustworthy(&jwks_uri) { Ok(jwks_uri) } else { Err(FetchError::Untrustworthy(jwks_uri)) }
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, FetchError> {
        let unreachable = |source: reqwest::Error| FetchError::Unreachable { url: url.clone(), source: source.without_url() };
        let mut reply = self.client.get(url.clone()).send().await.map_err(unreachable)?;
        if !reply.status().is_success() {
            return Err(FetchError::Refused { status: reply.status().as_u16(), url });
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = reply.chunk().await.map_err(unreachable)? {
            if bytes.len() + piece.len() > MOST_BYTES {
                return Err(FetchError::TooLarge { url });
            }
            bytes.extend_from_slice(&piece);
        }
        serde_json::from_slice(&bytes).map_err(|source| FetchError::Malformed { url, source })
    }
}
