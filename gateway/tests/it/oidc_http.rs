//! Callers with tokens of an identity provider: what they may, and what they are told.

use std::sync::{Arc, atomic::Ordering};

use axum::{body::Body, http::header};
use jsonwebtoken::Algorithm;
use ragline_config::{Limits, Oidc, Rate, RateLimit};
use ragline_gateway::backends::oidc::{OidcVerifier, Pace};
use serde_json::{Value, json};

use crate::{
    http_fakes::THEIR_KEY,
    http_fixture::{Api, Reply, api_trusting, get, limits, refused, request_as},
    oidc_issuer::{Issuer, Signer},
};

struct Staff {
    signer: Signer,
    issuer: Arc<Issuer>,
}

async fn staff() -> Staff {
    let signer = Signer::new("one", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    Staff { signer, issuer }
}

impl Staff {
    fn api(&self, oidc: &Oidc, limits: Limits) -> Api {
        api_trusting(limits, Arc::new(OidcVerifier::new(oidc, Pace::default()).unwrap()))
    }

    /// A token of somebody in a workspace with a scope.
    fn token(&self, subject: &str, workspace: &str, scope: &str) -> String {
        let mut claims = self.issuer.claims();
        for (name, value) in [("sub", subject), ("workspace", workspace), ("scope", scope)] {
            claims[name] = json!(value);
        }
        self.signer.sign(&claims)
    }
}

async fn ask(api: &Api, token: &str, method: &str, path: &str) -> Reply {
    api.send(request_as(token, method, path).body(Body::empty()).unwrap()).await
}

fn message(reply: &Reply) -> &str {
    reply.body["error"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_token_may_what_its_scopes_say_in_its_workspace_alone() {
    let staff = staff().await;
    let api = staff.api(&staff.issuer.oidc(), limits());
    let reader = staff.token("alice", "theirs", "ragline:read");
    let writer = staff.token("bob", "theirs", "ragline:write");
    assert_eq!(ask(&api, &reader, "GET", "/v1/documents").await.status, 200);
    let path = "/v1/documents/00000000-0000-0000-0000-000000000000";
    refused(&ask(&api, &reader, "DELETE", path).await, 403, "write_required", None);
    refused(&ask(&api, &writer, "DELETE", path).await, 404, "document_not_found", Some("id"));
    refused(&ask(&api, &writer, "GET", "/v1/workspaces").await, 403, "admin_required", None);
    // Keys go on as before.
    assert_eq!(ask(&api, THEIR_KEY, "GET", "/v1/documents").await.status, 200);
    assert_eq!(api.send(get("/v1/workspaces")).await.status, 200);
}

#[tokio::test]
async fn a_token_makes_an_administrator_only_where_that_is_configured_and_only_in_the_first_workspace() {
    let staff = staff().await;
    let boss = staff.token("carol", "default", "ragline:admin ragline:write");
    let api = staff.api(&staff.issuer.oidc(), limits());
    refused(&ask(&api, &boss, "GET", "/v1/workspaces").await, 403, "admin_required", None);
    let oidc = Oidc { admin_scope: Some("ragline:admin".into()), ..staff.issuer.oidc() };
    let api = staff.api(&oidc, limits());
    assert_eq!(ask(&api, &boss, "GET", "/v1/workspaces").await.status, 200);
    let elsewhere = staff.token("carol", "theirs", "ragline:admin");
    refused(&ask(&api, &elsewhere, "GET", "/v1/workspaces").await, 403, "admin_required", None);
}

#[tokio::test]
async fn a_token_for_no_workspace_is_told_so_and_makes_none() {
    let staff = staff().await;
    let api = staff.api(&staff.issuer.oidc(), limits());
    for name in ["new", "", "Theirs", "theirs\n", "../theirs", "theirs%"] {
        let reply = ask(&api, &staff.token("alice", name, "ragline:write"), "GET", "/v1/documents").await;
        refused(&reply, 403, "token_not_admitted", None);
        assert!(message(&reply).contains("does not have"), "{}", message(&reply));
    }
    let reply = ask(&api, &staff.token("alice", "theirs", "openid"), "GET", "/v1/documents").await;
    refused(&reply, 403, "token_not_admitted", None);
    let list = api.send(get("/v1/workspaces")).await.body;
    let names: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["default", "theirs"]);
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_told_why() {
    let staff = staff().await;
    let api = staff.api(&staff.issuer.oidc(), limits());
    let mut claims = staff.issuer.claims();
    claims["exp"] = json!(1);
    let reply = ask(&api, &staff.signer.sign(&claims), "GET", "/v1/documents").await;
    refused(&reply, 401, "invalid_token", None);
    assert!(message(&reply).contains("expired"), "{}", message(&reply));
    assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    let long = format!("eyJ.{}.x", "x".repeat(9_000));
    refused(&ask(&api, &long, "GET", "/v1/documents").await, 401, "invalid_api_key", None);
}

#[tokio::test]
async fn without_its_provider_no_token_can_be_checked_and_keys_can() {
    let staff = staff().await;
    staff.issuer.away.store(true, Ordering::Relaxed);
    let api = staff.api(&staff.issuer.oidc(), limits());
    let reply = ask(&api, &staff.token("alice", "theirs", "ragline:read"), "GET", "/v1/documents").await;
    refused(&reply, 503, "identity_provider_unavailable", None);
    assert_eq!(reply.headers["retry-after"], "5");
    assert!(!message(&reply).contains("127.0.0.1"), "where it is is for the log: {}", message(&reply));
    assert_eq!(ask(&api, THEIR_KEY, "GET", "/v1/documents").await.status, 200);
}

#[tokio::test]
async fn subjects_have_shares_of_their_own_whatever_token_they_show() {
    let staff = staff().await;
    let per_key = RateLimit { requests_per_minute: 2, tokens_per_minute: 0 };
    let rate = Rate { per_key, per_workspace: RateLimit::default() };
    let api = staff.api(&staff.issuer.oidc(), Limits { rate, ..limits() });
    for scope in ["ragline:read", "ragline:write"] {
        assert_eq!(ask(&api, &staff.token("alice", "theirs", scope), "GET", "/v1/documents").await.status, 200);
    }
    let reply = ask(&api, &staff.token("alice", "theirs", "ragline:read openid"), "GET", "/v1/documents").await;
    refused(&reply, 429, "rate_limit_exceeded", None);
    assert_eq!(ask(&api, &staff.token("bob", "theirs", "ragline:read"), "GET", "/v1/documents").await.status, 200);
}
