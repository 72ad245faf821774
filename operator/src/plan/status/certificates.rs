//! Whether cert-manager has issued what it is asked for, and renews it.

use ragline_crds::Reason;

use super::judgement::{Judgement, Truth, quoted};
use crate::plan::{build::certificate::CertificateSeen, observed::Observed};

/// Why nothing is made yet, if certificates are waited for.
pub(super) fn unissued(observed: &Observed) -> Option<Judgement> {
    let first = observed.unissued.first()?;
    if observed.missing_kinds.contains("Certificate") {
        let message = "An issuerRef is set, and the cluster has no cert-manager (cert-manager.io/v1). Install it, or leave issuerRef \
                       out to have the operator make the certificates; the pipeline goes on within five minutes.";
        return Some(Judgement::new(Truth::False, Reason::CertManagerMissing, message).stalled());
    }
    let seen = |name: &String| observed.certificates.get(name);
    let refused = observed.unissued.iter().find_map(|name| Some((name, refusal(name, seen(name)?)?)));
    if let Some((name, words)) = refused {
        let message = format!("Certificate {name} is not issued: {words}. See kubectl describe certificate {name}.");
        return Some(Judgement::new(Truth::False, Reason::CertificateNotIssued, &message));
    }
    let words = seen(first).and_then(CertificateSeen::progress).unwrap_or("cert-manager has not looked at it yet");
    let message = format!(
        "Certificate {first} is waited for: {}. See kubectl describe certificate {first}, and whether its issuer exists.",
        quoted(words)
    );
    Some(Judgement::new(Truth::False, Reason::CertificatePending, &message))
}

/// Why waiting alone brings no certificate that can be used.
fn refusal(name: &str, seen: &CertificateSeen) -> Option<String> {
    let incomplete =
        || format!("Secret {name} lacks tls.crt, tls.key or ca.crt; the issuer must give the certificate of its authority");
    seen.refusal().map(quoted).or_else(|| seen.is_ready().then(incomplete))
}

/// What is wrong with a certificate that still serves.
pub(super) fn unrenewed(observed: &Observed) -> Option<Judgement> {
    let (name, words) = observed.certificates.iter().find_map(|(name, seen)| Some((name, seen.refusal()?)))?;
    let words = quoted(words);
    let message = format!(
        "Certificate {name} is not renewed: {words}. What it issued last serves until it ends. See kubectl describe certificate {name}."
    );
    Some(Judgement::new(Truth::True, Reason::CertificateNotRenewed, &message))
}
