//! The routes of workspaces and keys on a real PostgreSQL, and the commands that use them.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::{
    http_fakes::{READING_KEY, THEIR_KEY},
    http_fixture::{Reply, api, get, post, refused, request, request_as},
    http_live_fixture::{Live, live},
};

fn delete(path: &str) -> Request<Body> {
    request("DELETE", path).body(Body::empty()).unwrap()
}

fn search_as(key: &str) -> Request<Body> {
    let search = request_as(key, "POST", "/v1/search").header(header::CONTENT_TYPE, "application/json");
    search.body(Body::from(r#"{"query": "anything"}"#)).unwrap()
}

async fn made(live: &Live, path: &str, body: Value) -> Value {
    let Reply { status, headers: _, body } = live.send(post(path, body)).await;
    assert_eq!(status, 201, "{body}");
    body
}

/// Nothing but the workspace is in the way of erasing it, so a few pieces are enough.
pub(crate) async fn erased(live: &Live) {
    for _ in 0..50 {
        if live.store.erase_piece().await.unwrap() == 0 {
            return;
        }
    }
    panic!("there is no end to the erasure");
}

#[tokio::test]
async fn a_workspace_is_made_listed_and_deleted() {
    let live = live().await;
    let workspace = made(&live, "/v1/workspaces", json!({"name": "team-a"})).await;
    assert_eq!((&workspace["name"], &workspace["status"]), (&json!("team-a"), &json!("active")));
    refused(&live.send(post("/v1/workspaces", json!({"name": "team-a"}))).await, 409, "workspace_exists", Some("name"));
    refused(&live.send(post("/v1/workspaces", json!({"name": "Team A"}))).await, 400, "invalid_value", Some("name"));
    let names = |reply: Reply| -> Vec<String> {
        reply.body["data"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(live.send(get("/v1/workspaces")).await), ["default", "team-a"]);
    assert_eq!(names(live.send(get("/v1/workspaces?limit=1")).await), ["default"]);
    assert_eq!(names(live.send(get("/v1/workspaces?limit=1&after=default")).await), ["team-a"]);
    assert_eq!(live.send(get("/v1/workspaces/team-a")).await.body, workspace);
    for path in ["/v1/workspaces/nobody", "/v1/workspaces/%C3%A4", "/v1/workspaces/nobody/keys"] {
        refused(&live.send(get(path)).await, 404, "workspace_not_found", Some("name"));
    }
    let key = made(&live, "/v1/workspaces/team-a/keys", json!({"name": "k"})).await["key"].as_str().unwrap().to_owned();
    assert_eq!(live.send(search_as(&key)).await.status, 200);
    let reply = live.send(delete("/v1/workspaces/team-a")).await;
    assert_eq!((reply.status.as_u16(), &reply.body["status"]), (202, &json!("deleting")));
    refused(&live.send(search_as(&key)).await, 401, "invalid_api_key", None);
    assert_eq!(live.send(get("/v1/workspaces/team-a")).await.body["status"], "deleting");
    refused(&live.send(post("/v1/workspaces", json!({"name": "team-a"}))).await, 409, "workspace_exists", Some("name"));
    refused(&live.send(post("/v1/workspaces/team-a/keys", json!({"name": "k"}))).await, 404, "workspace_not_found", Some("name"));
    erased(&live).await;
    refused(&live.send(delete("/v1/workspaces/team-a")).await, 404, "workspace_not_found", Some("name"));
    made(&live, "/v1/workspaces", json!({"name": "team-a"})).await;
}

#[tokio::test]
async fn the_first_workspace_cannot_be_deleted() {
    let live = live().await;
    refused(&live.send(delete("/v1/workspaces/default")).await, 409, "workspace_needed", Some("name"));
    assert_eq!(live.send(get("/v1/documents")).await.status, 200);
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_its_hash() {
    let live = live().await;
    let body = json!({"name": "website", "scope": "write", "expires_in_days": 30});
    let key = made(&live, "/v1/workspaces/default/keys", body).await;
    let secret = key["key"].as_str().unwrap();
    assert!(secret.starts_with("rl_") && secret.len() == 46, "{secret}");
    let list = live.send(get("/v1/workspaces/default/keys")).await.body;
    let listed = &list["data"][0];
    assert_eq!((&listed["id"], &listed["name"], &listed["scope"]), (&key["id"], &json!("website"), &json!("write")));
    assert!(listed["expires_at"].is_string() && listed["revoked_at"].is_null(), "{listed}");
    assert!(!list.to_string().contains(secret) && listed.get("key").is_none());
    let kept: String =
        sqlx::query_scalar("SELECT string_agg(k::text, ' ') FROM api_key k").fetch_one(&live.database.owner()).await.unwrap();
    assert!(!kept.contains(secret), "the secret is in the table");
    let bad = [
        (json!({"name": ""}), "name"),
        (json!({"name": "a", "scope": "root"}), "scope"),
        (json!({"name": "a", "expires_in_days": 0}), "expires_in_days"),
    ];
    for (body, param) in bad {
        refused(&live.send(post("/v1/workspaces/default/keys", body)).await, 400, "invalid_value", Some(param));
    }
}

#[tokio::test]
async fn a_revoked_key_has_no_force_and_is_listed_as_such() {
    let live = live().await;
    let key = made(&live, "/v1/workspaces/default/keys", json!({"name": "k"})).await;
    let secret = key["key"].as_str().unwrap();
    assert_eq!(live.send(search_as(secret)).await.status, 200);
    let path = format!("/v1/keys/{}", key["id"].as_str().unwrap());
    assert_eq!(live.send(delete(&path)).await.body["deleted"], true);
    refused(&live.send(search_as(secret)).await, 401, "invalid_api_key", None);
    refused(&live.send(delete(&path)).await, 404, "key_not_found", Some("id"));
    let list = live.send(get("/v1/workspaces/default/keys")).await.body;
    assert!(list["data"][0]["revoked_at"].is_string(), "{list}");
}

#[tokio::test]
async fn an_administrators_key_may_be_made_in_the_first_workspace_alone() {
    let live = live().await;
    made(&live, "/v1/workspaces", json!({"name": "team-a"})).await;
    let admin = json!({"name": "k", "scope": "admin"});
    refused(&live.send(post("/v1/workspaces/team-a/keys", admin.clone())).await, 400, "invalid_value", Some("scope"));
    let key = made(&live, "/v1/workspaces/default/keys", admin).await;
    let manage = request_as(key["key"].as_str().unwrap(), "GET", "/v1/workspaces").body(Body::empty()).unwrap();
    assert_eq!(live.send(manage).await.status, 200);
    // One that was put into the table by hand writes there and manages nothing.
    let insert = "INSERT INTO api_key (id, workspace_id, name, key_sha256, scope) \
        SELECT gen_random_uuid(), id, 'k', sha256('by-hand'), 'admin' FROM workspace WHERE name = 'team-a'";
    sqlx::raw_sql(insert).execute(&live.database.owner()).await.unwrap();
    let manage = request_as("by-hand", "GET", "/v1/workspaces").body(Body::empty()).unwrap();
    refused(&live.send(manage).await, 403, "admin_required", None);
}

#[tokio::test]
async fn each_route_takes_the_scope_that_its_description_says() {
    let api = api();
    let description = api.send(get("/openapi.json")).await.body;
    let mut seen = std::collections::BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(scope) = operation["security"][0]["bearer"][0].as_str() else {
                assert_eq!(operation["security"], json!([{}]), "{method} {path} says nothing of its scope");
                continue;
            };
            seen.insert(scope.to_owned());
            for key in [READING_KEY, THEIR_KEY] {
                let path = path.replace("{id}", "x").replace("{name}", "theirs");
                let request = request_as(key, &method.to_uppercase(), &path).body(Body::empty()).unwrap();
                let reply = api.send(request).await;
                match (scope, key) {
                    ("admin", _) => refused(&reply, 403, "admin_required", None),
                    ("write", READING_KEY) => refused(&reply, 403, "write_required", None),
                    _ => assert_ne!(reply.status, 403, "{method} {path}: {}", reply.body),
                }
            }
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["admin", "read", "write"]);
}
