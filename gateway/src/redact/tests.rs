//! What holds for every text.

use std::borrow::Cow;

use proptest::prelude::*;
use ragline_config::Redaction;

use super::*;

fn all() -> Redactor {
    Redactor::new(&Redaction {
        emails: true,
        phones: true,
        ibans: true,
        cards: true,
        ip_addresses: true,
        national_ids: true,
        api_keys: true,
    })
}

fn redact(text: &str) -> String {
    all().redact(text).text.into_owned()
}

#[test]
fn each_kind_is_replaced_by_its_name() {
    let cases = [
        ("Write to jane.doe@example.com.", "Write to [EMAIL]."),
        ("Call +49 30 1234567 today", "Call [PHONE] today"),
        ("IBAN DE89 3704 0044 0532 0130 00, please", "IBAN [IBAN], please"),
        ("Visa 4111-1111-1111-1111 12/27", "Visa [CARD] 12/27"),
        ("from 203.0.113.77 and 2001:db8::1", "from [IP_ADDRESS] and [IP_ADDRESS]"),
        ("SSN 536-22-1234", "SSN [NATIONAL_ID]"),
        ("AKIAIOSFODNN7EXAMPLE is the id", "[API_KEY] is the id"),
    ];
    for (text, expected) in cases {
        assert_eq!(redact(text), expected);
    }
}

#[test]
fn only_what_is_switched_on_is_looked_for() {
    let text = "jane@example.com paid with 4111 1111 1111 1111";
    let redacted = Redactor::new(&Redaction::default()).redact(text);
    assert_eq!(redacted.text, "jane@example.com paid with [CARD]");
    assert_eq!((redacted.counts.of(Kind::Card), redacted.counts.of(Kind::Email)), (1, 0));
}

#[test]
fn a_text_without_values_is_not_copied() {
    let text = "Version 10.2.3.4 came out on 2024-05-01 at 12:30:45; see std::net and user@localhost.";
    assert!(matches!(all().redact(text).text, Cow::Borrowed(borrowed) if borrowed == text));
}

#[test]
fn a_private_key_is_taken_out_whole() {
    let key = format!("-----BEGIN RSA {0}-----\nMIIEow\nIBAAKC\n-----END RSA {0}-----", "PRIVATE KEY");
    assert_eq!(redact(&format!("before\n{key}\nafter")), "before\n[API_KEY]\nafter");
    assert_eq!(redact(&format!("before\n{}", &key[..45])), "before\n[API_KEY]");
}

#[test]
fn places_are_told_for_every_round() {
    let mut told = Vec::new();
    let text = "a@b.com and c@d.org";
    all().redact_telling(text, |found| told.extend(found.iter().map(|found| found.range.clone())));
    assert_eq!(told, [0..7, 12..19]);
}

/// Pieces that patterns are made of, put together by chance.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[0-9]{1,16}",
        "[A-Za-z0-9]{1,40}",
        "[-+ ./:@=()\\[\\]\n]{1,3}",
        "\\PC{1,4}",
        prop::sample::select(vec![
            "+49",
            "(030) ",
            "4111 1111 1111 1111",
            "jane@example.com",
            "DE89370400440532013000",
            "-----BEGIN RSA PRIVATE KEY-----",
            "token: ",
            "://a:b@",
            "eyJhbGciOi.",
            "sk-",
            "192.0.2.1",
            "2001:db8::",
            "é",
            "\u{a0}",
            "tel ",
            "SSN ",
            "12345678Z",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "\\PC*") {
        all().redact(&text);
    }

    #[test]
    fn redacting_twice_changes_nothing_more(text in pieces()) {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn what_is_told_leads_from_the_text_to_its_redaction(text in pieces()) {
        let redactor = all();
        let mut rounds = Vec::new();
        let redacted = redactor.redact_telling(&text, |found| rounds.push(found.to_vec()));
        let rebuilt = rounds.iter().fold(text.clone(), |text, found| replace(&text, found));
        prop_assert_eq!(&rebuilt, &*redacted.text);
        prop_assert_eq!(rounds.is_empty(), matches!(redacted.text, Cow::Borrowed(_)));
    }
}
