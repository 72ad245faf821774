//! The keys of the provider. Fetched when first needed, then once an hour in the background, and when a token names one that is not
//! known or does not fit the one that it names, but not more often than once a minute: whoever makes up names or signatures cannot make
//! us call. While the provider is down, the last keys serve.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::Value;
use tracing::{info, warn};

use super::{
    ALGORITHMS,
    fetch::{FetchError, Provider},
};
use crate::traits::tokens::TokenError;

/// Keys of one provider; more are left out.
const MOST_KEYS: usize = 100;

/// How often keys are fetched.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Keys of this age are fetched anew.
    pub stale_after: Duration,
    /// The least time from one try to the next.
    pub least: Duration,
    /// The same as long as there were never any.
    pub least_at_first: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { stale_after: Duration::from_secs(3_600), least: Duration::from_secs(60), least_at_first: Duration::from_secs(5) }
    }
}

/// The keys as they were published last.
#[derive(Clone, Debug)]
pub(super) struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: Provider,
    pace: Pace,
    known: RwLock<Known>,
    /// One fetches, the others wait for what it gets.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Vec<Key>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
    /// Why the last try failed.
    failure: Option<Arc<FetchError>>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What the provider uses it for, where it says so.
    algorithm: Option<String>,
    key: Arc<DecodingKey>,
}

impl Keys {
    pub(super) fn new(provider: Provider, pace: Pace) -> Self {
        let inner = Inner { provider, pace, known: RwLock::default(), turn: tokio::sync::Mutex::default() };
        Self(Arc::new(inner))
    }

    /// The key of this name for this algorithm. A token without a name means the only key.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<DecodingKey>, TokenError> {
        if let Some(key) = self.known(id, algorithm) {
            if self.0.is_stale() {
                let inner = Arc::clone(&self.0);
                tokio::spawn(async move { inner.fetch().await });
            }
            return Ok(key);
        }
        self.0.fetch().await;
        self.known(id, algorithm).ok_or_else(|| self.0.absent())
    }

    /// The same key as it is published now, for a token whose signature the one that was known did not make.
    pub(super) async fn renewed(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
        self.0.fetch().await;
        self.known(id, algorithm)
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = known.keys.iter().filter(|key| key.fits(id, algorithm));
        let first = fitting.next()?;
        // Without a name nothing tells which of several it is.
        if id.is_none() && fitting.next().is_some() { None } else { Some(Arc::clone(&first.key)) }
    }
}

impl Key {
    /// A published key, `None` for one that signs nothing that is taken here.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if jwk.common.public_key_use.as_ref().is_some_and(|meant| *meant != PublicKeyUse::Signature) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let taken = ALGORITHMS.iter().any(|algorithm| algorithm.family() == key.family());
        let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        taken.then(|| Self { id: jwk.common.key_id, algorithm, key: Arc::new(key) })
    }

    fn fits(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        let named = id.is_none() || self.id.as_deref() == id;
        let meant = self.algorithm.as_ref().is_none_or(|meant| meant.parse() == Ok(algorithm));
        named && meant && self.key.family() == algorithm.family()
    }
}

impl Inner {
    /// Fetches, unless it was tried a moment ago; waits while somebody else does.
    async fn fetch(&self) {
        let _turn = self.turn.lock().await;
        if !self.may_try() {
            return;
        }
        let fetched = self.provider.keys().await;
        let now = Instant::now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tried = Some(now);
        match fetched {
            Ok(values) => {
                if known.failure.take().is_some() {
                    info!("the identity provider answers again");
                }
                known.keys = values.into_iter().filter_map(Key::read).take(MOST_KEYS).collect();
                known.fetched = Some(now);
            }
            Err(error) => {
                if known.failure.is_none() {
                    warn!(error = %chain(&error), "the keys of the identity provider cannot be fetched; those of before serve on");
                }
                known.failure = Some(Arc::new(error));
            }
        }
    }

    fn may_try(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let least = if known.fetched.is_some() { self.pace.least } else { self.pace.least_at_first };
        known.tried.is_none_or(|tried| tried.elapsed() >= least)
    }

    fn is_stale(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let stale = known.fetched.is_none_or(|fetched| fetched.elapsed() >= self.pace.stale_after);
        drop(known);
        stale && self.may_try()
    }

    /// Why a key is not there: nobody could be asked ever, or it is not published.
    fn absent(&self) -> TokenError {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match (&known.failure, known.fetched) {
            (Some(failure), None) => TokenError::NoKeys(Box::new(Arc::clone(failure))),
            (Some(_) | None, _) => TokenError::UnknownKey,
        }
    }
}

/// The error and its causes, as one line.
fn chain(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
