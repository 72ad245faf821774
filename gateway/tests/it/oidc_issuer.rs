//! An identity provider on the loopback whose keys, and whether it answers, a test decides.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use ragline_config::Oidc;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// A key that signs, and its name.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl Signer {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::ES256 => {
                EncodingKey::from_ec_der(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_der())
            }
            Algorithm::EdDSA => {
                // Any 32 bytes are a key; before them PKCS#8 has a head of 16.
                let head = hex::decode("302e020100300506032b657004220420").unwrap();
                EncodingKey::from_ed_der(&[head.as_slice(), &rand::random::<[u8; 32]>()].concat())
            }
            // Making one takes a second without optimisation.
            Algorithm::RS256 => {
                static KEY: OnceLock<EncodingKey> = OnceLock::new();
                KEY.get_or_init(|| {
                    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
                    // PKCS#1, which is asked for, lies in PKCS#8 after a head of 26 bytes.
                    EncodingKey::from_rsa_der(&pair.serialize_der()[26..])
                })
                .clone()
            }
            _ => panic!("no test needs {algorithm:?}"),
        };
        Self { id: id.to_owned(), algorithm, key }
    }

    /// As it is published.
    pub(crate) fn published(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) keys: Mutex<Vec<Value>>,
    pub(crate) away: AtomicBool,
    /// Times that the keys were asked for.
    pub(crate) asked: AtomicU64,
    /// What it says of itself in place of the truth.
    pub(crate) description: Mutex<Option<Value>>,
}

impl Issuer {
    pub(crate) async fn start(signers: &[&Signer]) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Arc::new(Self {
            name: format!("http://{}/realm", listener.local_addr().unwrap()),
            keys: Mutex::new(signers.iter().map(|signer| signer.published()).collect()),
            away: AtomicBool::default(),
            asked: AtomicU64::default(),
            description: Mutex::default(),
        });
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(describe))
            .route("/realm/keys", get(publish))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        issuer
    }

    pub(crate) fn publishes(&self, signers: &[&Signer]) {
        *self.keys.lock().unwrap() = signers.iter().map(|signer| signer.published()).collect();
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A configuration that trusts it.
    pub(crate) fn oidc(&self) -> Oidc {
        Oidc::new(&self.name, "ragline")
    }

    /// Claims of a token that holds, for another to change.
    pub(crate) fn claims(&self) -> Value {
        let now = get_current_timestamp();
        json!({
            "iss": self.name, "aud": "ragline", "sub": "alice", "exp": now + 300, "nbf": now,
            "workspace": "theirs", "scope": "openid ragline:read",
        })
    }
}

async fn describe(State(issuer): State<Arc<Issuer>>) -> Response {
    if issuer.away.load(Ordering::Relaxed) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let truth = json!({"issuer": issuer.name, "jwks_uri": format!("{}/keys", issuer.name)});
    Json(issuer.description.lock().unwrap().clone().unwrap_or(truth)).into_response()
}

async fn publish(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    issuer.asked.fetch_add(1, Ordering::Relaxed);
    // So that requests at once meet.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    Json(json!({"keys": issuer.keys.lock().unwrap().clone()}))
}
