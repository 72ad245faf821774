//! Certificates of cert-manager's, in its own words, and what is said of them.

use super::*;
use crate::plan::build::certificate::CertificateSeen;

const NAME: &str = "docs-gateway-tls";

/// As cert-manager writes its conditions: type, status, reason and message.
fn told(conditions: &[[&str; 4]]) -> CertificateSeen {
    let condition = |[type_, status, reason, message]: &[&str; 4]| json!({"type": type_, "status": status, "reason": reason, "message": message});
    typed(json!({"status": {"conditions": conditions.iter().map(condition).collect::<Vec<_>>()}}))
}

fn waiting(seen: Option<CertificateSeen>) -> Observed {
    let certificates = seen.map(|seen| (NAME.to_owned(), seen)).into_iter().collect();
    Observed { unissued: vec![NAME.to_owned()], certificates, ..Observed::default() }
}

fn spec() -> Value {
    json!({"gateway": {"tls": {"enabled": true, "issuerRef": {"name": "company"}}}})
}

const ABSENT: [&str; 4] = ["Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"];

#[test]
fn a_certificate_that_is_being_issued_is_waited_for() {
    let wanted = [(Ready, "False", Reason::CertificatePending), (SecretsResolved, "False", Reason::CertificatePending)];
    let issuing = told(&[["Issuing", "True", "DoesNotExist", "Issuing certificate as Secret does not exist"], ABSENT]);
    for (name, seen, words) in [
        ("unseen", None, "not looked at it yet"),
        ("without conditions", Some(told(&[])), "not looked at it yet"),
        ("not ready", Some(told(&[ABSENT])), "Secret does not exist"),
        ("issuing", Some(issuing), "Secret does not exist"),
    ] {
        check(name, spec(), &waiting(seen), &wanted, &[NAME, words]);
    }
}

#[test]
fn a_refusal_is_told_in_its_words() {
    let wanted = [
        (Ready, "False", Reason::CertificateNotIssued),
        (SecretsResolved, "False", Reason::CertificateNotIssued),
        (Stalled, "False", Reason::NothingStalled),
    ];
    let failed = told(&[ABSENT, ["Issuing", "False", "Failed", "The certificate request has failed: no such domain"]]);
    check("failed", spec(), &waiting(Some(failed)), &wanted, &[NAME, "no such domain"]);
    let denied = told(&[["Ready", "False", "Denied", "a policy denies it"]]);
    check("denied", spec(), &waiting(Some(denied)), &wanted, &[NAME, "a policy denies it"]);
    let silent = told(&[["Issuing", "False", "Failed", ""]]);
    check("without a message", spec(), &waiting(Some(silent)), &wanted, &["Failed"]);
    let incomplete = told(&[["Ready", "True", "Ready", "Certificate is up to date"]]);
    check("without its authority", spec(), &waiting(Some(incomplete)), &wanted, &["ca.crt"]);
}

#[test]
fn a_renewal_is_warned_of_when_it_fails_and_not_while_it_is_under_way() {
    let renewing = |conditions: &[[&str; 4]]| {
        let certificates = [(NAME.to_owned(), told(conditions))].into();
        Observed { certificates, ..running() }
    };
    let changed = renewing(&[["Ready", "False", "RequestChanged", "Fields changed"], ["Issuing", "True", "RequestChanged", ""]]);
    check("under way", spec(), &changed, &[(ConfigurationWarning, "False", Reason::NothingToWarnOf)], &[]);
    let wanted = [(ConfigurationWarning, "True", Reason::CertificateNotRenewed), (Ready, "True", Reason::AllComponentsReady)];
    let failed = renewing(&[["Ready", "True", "Ready", ""], ["Issuing", "False", "Failed", "the issuer is away"]]);
    check("failed", spec(), &failed, &wanted, &[]);
    check("ended", spec(), &renewing(&[["Ready", "False", "Expired", "Certificate expired"]]), &wanted, &[]);
}
