//! Makes certificates and judges those that are there. The time comes in as an argument; keys are drawn at random.
//!
//! The authority does not end: renewed with the same key it would be what it was. Whoever wants another one deletes its Secret, and
//! every part gets a new certificate. A part's certificate ends, and is made anew, with a new key, long before.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    jiff::{SignedDuration, Timestamp, tz::TimeZone},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret, SecretString};

use crate::plan::{
    certificates::{self, AUTHORITY_KEY, CERTIFICATE_KEY, Certificates, Issued, PRIVATE_KEY, Pair, Wanted, wanted},
    names::{self, Component},
    pipeline::Pipeline,
};

/// Days that a part's certificate is good for, and left at which it is made anew.
const DAYS: i64 = 365;
const DAYS_LEFT: i64 = DAYS / 3;

/// No certificate can be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made for {name}")]
pub struct CertificateError {
    name: String,
    source: rcgen::Error,
}

/// The certificates that a pipeline needs: those of `existing` (Secrets by name) that still do, and new ones for the rest.
///
/// # Errors
/// The operating system gives no randomness.
pub fn keep(pipeline: &Pipeline, existing: &BTreeMap<String, Secret>, now: Timestamp) -> Result<Certificates, CertificateError> {
    let wanted = wanted(pipeline);
    let issued = issued(pipeline, existing);
    if wanted.is_empty() {
        return Ok(Certificates { issued, ..Certificates::default() });
    }
    let found = |name: String| existing.get(&name).and_then(pair);
    let parts = |authority: &Pair| {
        let part = |Wanted { part, names, by: _ }: &Wanted| {
            let kept = found(names::certificate_secret(&pipeline.name, *part)).filter(|kept| serves(kept, authority, names, now));
            let pair = kept.map_or_else(|| signed(pipeline, authority, names, now), Ok)?;
            Ok((*part, pair))
        };
        wanted.iter().map(part).collect::<Result<BTreeMap<_, _>, rcgen::Error>>()
    };
    let whole = |authority: &Pair, parts: &BTreeMap<_, _>| {
        wanted.iter().all(|wanted| parts.get(&wanted.part).is_some_and(|pair| serves(pair, authority, &wanted.names, now)))
    };
    let failed = |source| CertificateError { name: pipeline.name.clone(), source };
    // An authority whose Secret was tampered with signs what nobody trusts, if it signs at all.
    let kept = found(names::authority_secret(&pipeline.name)).filter(|authority| has_key(authority) == Some(true));
    let kept = kept.and_then(|authority| Some((parts(&authority).ok()?, authority)));
    let (parts, authority) = match kept.filter(|(parts, authority)| whole(authority, parts)) {
        Some(kept) => kept,
        None => {
            let authority = authority(pipeline, now).map_err(failed)?;
            (parts(&authority).map_err(failed)?, authority)
        }
    };
    Ok(Certificates { authority: Some(authority), parts, issued })
}

/// What cert-manager has issued. A Secret without the authority's certificate is of no use: nobody could trust what it holds.
fn issued(pipeline: &Pipeline, existing: &BTreeMap<String, Secret>) -> BTreeMap<Component, Issued> {
    let found = |Wanted { part, names: _, by: _ }: Wanted| {
        let secret = existing.get(&names::certificate_secret(&pipeline.name, part))?;
        text(secret, PRIVATE_KEY)?;
        Some((part, Issued { certificate: text(secret, CERTIFICATE_KEY)?, authority: text(secret, AUTHORITY_KEY)? }))
    };
    certificates::issued(pipeline).into_iter().filter_map(found).collect()
}

/// What a Secret holds.
fn pair(secret: &Secret) -> Option<Pair> {
    Some(Pair { certificate: text(secret, CERTIFICATE_KEY)?, key: SecretString::from(text(secret, PRIVATE_KEY)?) })
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let ByteString(bytes) = secret.data.as_ref()?.get(key)?;
    String::from_utf8(bytes.clone()).ok().filter(|text| !text.is_empty())
}

fn authority(pipeline: &Pipeline, now: Timestamp) -> Result<Pair, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = authority_params(pipeline);
    let (year, month, day) = date(now, -1);
    params.not_before = date_time_ymd(year, month, day);
    // By RFC 5280, of what does not end.
    params.not_after = date_time_ymd(9_999, 12, 31);
    Ok(Pair { certificate: params.self_signed(&key)?.pem(), key: SecretString::from(key.serialize_pem()) })
}

/// What signing needs to know of the authority besides its key.
fn authority_params(pipeline: &Pipeline) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(pipeline, format!("{} authority", pipeline.name));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn signed(pipeline: &Pipeline, authority: &Pair, names: &[String], now: Timestamp) -> Result<Pair, rcgen::Error> {
    let issuer = Issuer::new(authority_params(pipeline), KeyPair::from_pem(authority.key.expose_secret())?);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name(pipeline, names.first().cloned().unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Clocks differ, so it is good from yesterday.
    let (year, month, day) = date(now, -1);
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = date(now, DAYS);
    params.not_after = date_time_ymd(year, month, day);
    let key = KeyPair::generate()?;
    Ok(Pair { certificate: params.signed_by(&key, &issuer)?.pem(), key: SecretString::from(key.serialize_pem()) })
}

fn name(pipeline: &Pipeline, common: String) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, pipeline.namespace.clone());
    name.push(DnType::CommonName, common);
    name
}

/// Year, month and day in UTC, so many days from now.
fn date(now: Timestamp, after_days: i64) -> (i32, u8, u8) {
    let then = now.checked_add(SignedDuration::from_hours(24 * after_days)).unwrap_or(now);
    let date = then.to_zoned(TimeZone::UTC).date();
    let part = |number: i8| u8::try_from(number).unwrap_or(1);
    (date.year().into(), part(date.month()), part(date.day()))
}

/// Whether a client that trusts the authority accepts the certificate by each name, now and for long enough, and its key is the one
/// beside it.
fn serves(pair: &Pair, authority: &Pair, names: &[String], now: Timestamp) -> bool {
    accepted(pair, authority, names, now).is_some() && has_key(pair) == Some(true)
}

fn accepted(pair: &Pair, authority: &Pair, names: &[String], now: Timestamp) -> Option<()> {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok()?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).ok()?).ok()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
    let left = SignedDuration::from_hours(24 * DAYS_LEFT);
    for moment in [now, now.checked_add(left).ok()?] {
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(moment.as_second()).ok()?));
        for name in names {
            let name = ServerName::try_from(name.as_str()).ok()?;
            verifier.verify_server_cert(&certificate, &[], &name, &[], moment).ok()?;
        }
    }
    Some(())
}

/// Whether the key belongs to the certificate.
fn has_key(pair: &Pair) -> Option<bool> {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok()?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose_secret().as_bytes()).ok()?;
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).ok()?;
    Some(CertifiedKey::new(vec![certificate], key).keys_match().is_ok())
}

#[cfg(test)]
mod tests;
