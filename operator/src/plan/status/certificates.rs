//! Whether cert-manager has issued what it is asked for, and renews it.

use ragline_crds::Reason;

use super::judgement::{Judgement, Truth, shortened};
use crate::plan::observed::Observed;

/// Longest quotation of cert-manager's words.
const WORDS_BYTES: usize = 400;

/// Why nothing is made yet, if certificates are waited for.
pub(super) fn unissued(observed: &Observed) -> Option<Judgement> {
    let is_refused = |name: &&String| observed.certificates.get(*name).is_some_and(|seen| seen.trouble().is_some());
    let name = observed.unissued.iter().find(is_refused).or_else(|| observed.unissued.first())?;
    if observed.missing_kinds.contains("Certificate") {
        let message = "An issuerRef is set, and the cluster has no cert-manager (cert-manager.io/v1). Install it, or leave issuerRef \
                       out to have the operator make the certificates; the pipeline goes on within five minutes.";
        return Some(Judgement::new(Truth::False, Reason::CertManagerMissing, message).stalled());
    }
    let told = observed.certificates.get(name);
    let words = match told.and_then(|seen| seen.trouble()) {
        Some(words) => shortened(words, WORDS_BYTES),
        None if told.is_some_and(|seen| !seen.status.conditions.is_empty()) => {
            format!("Secret {name} lacks tls.crt, tls.key or ca.crt; the issuer must give the certificate of its authority.")
        }
        None => "cert-manager has not looked at it yet.".to_owned(),
    };
    let message = format!("Certificate {name} is not issued: {words} See kubectl describe certificate {name}.");
    Some(Judgement::new(Truth::False, Reason::CertificateNotIssued, &message))
}

/// What is wrong with a certificate that still serves.
pub(super) fn unrenewed(observed: &Observed) -> Option<Judgement> {
    let (name, words) = observed.certificates.iter().find_map(|(name, seen)| Some((name, seen.trouble()?)))?;
    let words = shortened(words, WORDS_BYTES);
    let message = format!(
        "Certificate {name} is not renewed: {words} What it issued last serves until it ends. See kubectl describe certificate {name}."
    );
    Some(Judgement::new(Truth::True, Reason::CertificateNotRenewed, &message))
}
