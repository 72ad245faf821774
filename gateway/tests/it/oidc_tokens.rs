//! Which tokens hold, against an identity provider on the loopback.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ragline_config::Oidc;
use ragline_gateway::{
    backends::oidc::{OidcVerifier, Pace},
    traits::{
        tokens::{TokenError, TokenVerifier},
        workspaces::Scope,
    },
};
use serde_json::{Value, json};

use crate::oidc_issuer::{Issuer, Signer};

fn verifier(oidc: &Oidc) -> OidcVerifier {
    OidcVerifier::new(oidc, Pace::default()).unwrap()
}

/// With a pace that a test can wait for.
fn hasty(oidc: &Oidc) -> OidcVerifier {
    let short = Duration::from_millis(100);
    OidcVerifier::new(oidc, Pace { stale_after: short, least: short, least_at_first: short }).unwrap()
}

fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_hold() {
    let signers =
        [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(|algorithm| Signer::new(&format!("{algorithm:?}"), algorithm));
    let issuer = Issuer::start(&signers.each_ref()).await;
    let verifier = verifier(&issuer.oidc());
    for signer in &signers {
        let text = signer.sign(&issuer.claims());
        assert!(verifier.takes(&text));
        let token = verifier.verify(&text).await.unwrap();
        assert_eq!((token.workspace.as_str(), token.scope), ("theirs", Scope::Read), "{:?}", signer.algorithm);
    }
    let many = changed(&issuer.claims(), "aud", json!(["other", "ragline"]));
    verifier.verify(&signers[0].sign(&many)).await.unwrap();
    // The clocks may differ by half a minute.
    let now = jsonwebtoken::get_current_timestamp();
    for (name, value) in [("exp", now - 20), ("nbf", now + 20)] {
        verifier.verify(&signers[0].sign(&changed(&issuer.claims(), name, json!(value)))).await.unwrap();
    }
    for key in ["rgl_key", "a.b.c", "eyJ", "eyJ.b", "eyJ.b.c.d"] {
        assert!(!verifier.takes(key), "{key} is an API key");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn no_other_token_holds() {
    let (good, stranger) = (Signer::new("good", Algorithm::RS256), Signer::new("good", Algorithm::ES256));
    let unused = Signer::new("for-encryption", Algorithm::EdDSA);
    let issuer = Issuer::start(&[&good]).await;
    let mut keys = vec![good.published(), unused.published(), json!({"kty": "new", "kid": "new"}), json!("nonsense")];
    keys[1]["use"] = json!("enc");
    // A provider that publishes a secret has lost it.
    keys.push(json!({"kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode("secret"), "alg": "HS256"}));
    *issuer.keys.lock().unwrap() = keys;
    let verifier = verifier(&issuer.oidc());
    let (claims, now) = (issuer.claims(), jsonwebtoken::get_current_timestamp());
    let sign = |name: &str, value: Value| good.sign(&changed(&claims, name, value));
    let text = good.sign(&claims);
    verifier.verify(&text).await.unwrap();
    let parts: Vec<&str> = text.split('.').collect();
    let base64 = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with_header = |header: Value| format!("{}.{}.{}", base64(&header), parts[1], parts[2]);
    let hmac = |id: &str, secret: &[u8]| {
        let header = Header { kid: Some(id.into()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(secret).unwrap()).unwrap()
    };
    let modulus = good.published()["n"].as_str().unwrap().to_owned();
    let cases = [
        ("expired", sign("exp", json!(now - 60)), "expired"),
        ("not yet", sign("nbf", json!(now + 60)), "not valid yet"),
        ("other audience", sign("aud", json!("other")), "another audience"),
        ("other audiences", sign("aud", json!(["other", "ragline-admin"])), "another audience"),
        ("other issuer", sign("iss", json!("https://id.example.com")), "another issuer"),
        ("issuer with a slash", sign("iss", json!(format!("{}/", issuer.name))), "another issuer"),
        ("no exp", sign("exp", Value::Null), "\"exp\""),
        ("exp that is no number", sign("exp", json!("tomorrow")), "\"exp\""),
        ("no aud", sign("aud", Value::Null), "\"aud\""),
        ("no iss", sign("iss", Value::Null), "\"iss\""),
        ("no sub", sign("sub", Value::Null), "\"sub\""),
        ("no workspace", sign("workspace", Value::Null), "\"workspace\""),
        ("no scope of ours", sign("scope", json!("openid")), "none of the scopes"),
        (
            "content of another",
            format!("{}.{}.{}", parts[0], base64(&changed(&claims, "workspace", json!("default"))), parts[2]),
            "signature",
        ),
        ("signature cut", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..parts[2].len() - 2]), "signature"),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), "signature"),
        ("unsigned", format!("{}.{}.", base64(&json!({"alg": "none", "kid": "good"})), parts[1]), "RS, PS, ES or EdDSA"),
        ("unsigned, in capitals", with_header(json!({"alg": "NONE", "kid": "good"})), "RS, PS, ES or EdDSA"),
        ("signed by the public key", hmac("good", modulus.as_bytes()), "RS, PS, ES or EdDSA"),
        ("signed by a published secret", hmac("oct", b"secret"), "RS, PS, ES or EdDSA"),
        ("another algorithm of the key", with_header(json!({"alg": "RS512", "kid": "good"})), "does not publish"),
        ("another key of the same name", stranger.sign(&claims), "does not publish"),
        ("a name that is not published", with_header(json!({"alg": "RS256", "kid": "bad"})), "does not publish"),
        ("a key for encryption", unused.sign(&claims), "does not publish"),
        ("no JSON", "eyJ.eyJ.eyJ".to_owned(), "signed"),
        ("no text", format!("{}.\u{fffd}.{}", parts[0], parts[2]), "signature"),
    ];
    for (what, token, reason) in cases {
        let error = verifier.verify(&token).await.expect_err(what).to_string();
        assert!(error.contains(reason), "{what}: {error}");
    }
    assert_eq!(issuer.asked(), 1, "made-up names of keys make nobody call the provider");
}

#[tokio::test]
async fn a_token_without_a_key_name_means_the_only_key() {
    let (one, two) = (Signer::new("one", Algorithm::ES256), Signer::new("two", Algorithm::ES256));
    let issuer = Issuer::start(&[&one]).await;
    let nameless = |signer: &Signer| encode(&Header::new(signer.algorithm), &issuer.claims(), &signer.key).unwrap();
    verifier(&issuer.oidc()).verify(&nameless(&one)).await.unwrap();
    issuer.publishes(&[&one, &two]);
    let error = verifier(&issuer.oidc()).verify(&nameless(&one)).await.unwrap_err();
    assert!(matches!(error, TokenError::UnknownKey), "{error}");
}

#[tokio::test]
async fn rotated_keys_are_fetched_when_they_are_named_and_old_ones_end() {
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let issuer = Issuer::start(&[&old]).await;
    let patient = verifier(&issuer.oidc());
    let hasty = hasty(&issuer.oidc());
    for verifier in [&patient, &hasty] {
        verifier.verify(&old.sign(&issuer.claims())).await.unwrap();
    }
    issuer.publishes(&[&new]);
    tokio::time::sleep(Duration::from_millis(150)).await;
    hasty.verify(&new.sign(&issuer.claims())).await.unwrap();
    let error = hasty.verify(&old.sign(&issuer.claims())).await.unwrap_err();
    assert!(matches!(error, TokenError::UnknownKey), "a key that was taken back: {error}");
    let error = patient.verify(&new.sign(&issuer.claims())).await.unwrap_err();
    assert!(matches!(error, TokenError::UnknownKey), "it asks once a minute: {error}");
}

#[tokio::test]
async fn a_key_made_anew_under_its_old_name_is_fetched_at_the_first_token_that_it_signs() {
    let [old, new] = [(); 2].map(|()| Signer::new("one", Algorithm::ES256));
    let issuer = Issuer::start(&[&old]).await;
    let at_once = Pace { least: Duration::ZERO, ..Pace::default() };
    let [patient, verifier] = [Pace::default(), at_once].map(|pace| OidcVerifier::new(&issuer.oidc(), pace).unwrap());
    for verifier in [&patient, &verifier] {
        verifier.verify(&old.sign(&issuer.claims())).await.unwrap();
    }
    issuer.publishes(&[&new]);
    verifier.verify(&old.sign(&issuer.claims())).await.expect("nothing tells yet that it ended");
    verifier.verify(&new.sign(&issuer.claims())).await.unwrap();
    let error = verifier.verify(&old.sign(&issuer.claims())).await.unwrap_err();
    assert!(matches!(error, TokenError::Signature), "a key that was taken back: {error}");
    let asked = issuer.asked();
    let error = patient.verify(&new.sign(&issuer.claims())).await.unwrap_err();
    assert!(matches!(error, TokenError::Signature), "it asks once a minute: {error}");
    assert_eq!(issuer.asked(), asked);
}

#[tokio::test]
async fn while_the_provider_is_away_its_last_keys_serve() {
    let signer = Signer::new("one", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    let verifier = hasty(&issuer.oidc());
    issuer.away.store(true, Ordering::Relaxed);
    let token = signer.sign(&issuer.claims());
    let error = verifier.verify(&token).await.unwrap_err();
    assert!(matches!(error, TokenError::NoKeys(_)), "nobody could be asked yet: {error}");
    issuer.away.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(150)).await;
    verifier.verify(&token).await.unwrap();
    issuer.away.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        verifier.verify(&token).await.unwrap();
    }
    assert_eq!(issuer.asked(), 1);
    let unknown = Signer::new("two", Algorithm::ES256).sign(&issuer.claims());
    assert!(matches!(verifier.verify(&unknown).await.unwrap_err(), TokenError::UnknownKey));
}

#[tokio::test]
async fn many_at_once_ask_the_provider_once() {
    let signer = Signer::new("one", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    let verifier = Arc::new(verifier(&issuer.oidc()));
    let token = signer.sign(&issuer.claims());
    let all = futures::future::join_all((0..50).map(|_| verifier.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_provider_that_is_another_or_too_talkative_gives_no_keys() {
    let signer = Signer::new("one", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    let keys = format!("{}/keys", issuer.name);
    for (description, reason) in [
        (json!({"issuer": "https://id.example.com", "jwks_uri": keys}), "https://id.example.com"),
        (json!({"issuer": issuer.name, "jwks_uri": "http://id.example.com/keys"}), "not https"),
        (json!({"issuer": issuer.name}), "not what it should be"),
        (json!({"issuer": issuer.name, "jwks_uri": keys, "more": "x".repeat(300_000)}), "bytes"),
    ] {
        *issuer.description.lock().unwrap() = Some(description);
        let error = verifier(&issuer.oidc()).verify(&signer.sign(&issuer.claims())).await.unwrap_err();
        let TokenError::NoKeys(cause) = &error else { panic!("{error}") };
        assert!(cause.to_string().contains(reason), "{reason}: {cause}");
    }
    let direct = Oidc { jwks_url: Some(keys.parse().unwrap()), ..issuer.oidc() };
    verifier(&direct).verify(&signer.sign(&issuer.claims())).await.unwrap();
}
