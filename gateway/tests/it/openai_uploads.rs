//! Files that come in parts, on a real PostgreSQL.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    http_fixture::{Field, Reply, get, post, refused, request, upload_to},
    http_live_fixture::{Live, live},
};

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

async fn ok(live: &Live, request: Request<Body>) -> Value {
    let reply = live.send(request).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

fn announced(bytes: usize) -> Value {
    json!({"filename": "numbers.txt", "bytes": bytes, "mime_type": "text/plain", "purpose": "assistants"})
}

async fn begun(live: &Live, bytes: usize) -> String {
    id(&ok(live, post("/v1/uploads", announced(bytes))).await)
}

fn part(upload: &str, data: &[u8]) -> Request<Body> {
    upload_to(&format!("/v1/uploads/{upload}/parts"), &[("data", Some("blob"), data)])
}

async fn added(live: &Live, upload: &str, data: &[u8]) -> String {
    id(&ok(live, part(upload, data)).await)
}

async fn completed(live: &Live, upload: &str, body: Value) -> Reply {
    live.send(post(&format!("/v1/uploads/{upload}/complete"), body)).await
}

async fn count(live: &Live, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&live.database.owner())
        .await
        .unwrap()
}

#[tokio::test]
async fn parts_that_come_at_once_become_a_file_in_the_order_that_is_named() {
    let live = live().await;
    let made = ok(&live, post("/v1/uploads", announced(13))).await;
    assert_eq!(
        (&made["object"], &made["status"], &made["bytes"], &made["filename"], made.get("file")),
        (&json!("upload"), &json!("pending"), &json!(13), &json!("numbers.txt"), None)
    );
    assert_eq!(made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap(), 3_600);
    let upload = id(&made);
    let (three, one, two, twice) = tokio::join!(
        added(&live, &upload, b"three"),
        added(&live, &upload, b"one "),
        added(&live, &upload, b"two "),
        added(&live, &upload, b"two "),
    );
    let wrong = json!({"part_ids": [one, two, three], "md5": "00000000000000000000000000000000"});
    refused(&completed(&live, &upload, wrong).await, 400, "invalid_value", Some("md5"));
    let body = json!({"part_ids": [one, two, three], "md5": md5(b"one two three").to_uppercase()});
    let done = completed(&live, &upload, body.clone()).await;
    assert_eq!((done.status.as_u16(), &done.body["status"]), (200, &json!("completed")), "{}", done.body);
    let file = &done.body["file"];
    assert_eq!((&file["object"], &file["bytes"], &file["filename"]), (&json!("file"), &json!(13), &json!("numbers.txt")));
    let content = live.send(get(&format!("/v1/files/{}/content", id(file)))).await;
    assert_eq!(content.body, "one two three");
    // What is no part of it is gone, and so is what the parts were.
    assert_eq!((count(&live, "upload_part").await, count(&live, "blob").await, count(&live, "blob_piece").await), (0, 1, 3));
    // The answer may have been lost; the same call gives it again, and any other is too late.
    assert_eq!(completed(&live, &upload, body).await.body, done.body);
    refused(&live.send(part(&upload, b"x")).await, 400, "upload_closed", Some("id"));
    let cancel = post(&format!("/v1/uploads/{upload}/cancel"), json!({}));
    refused(&live.send(cancel).await, 400, "upload_closed", Some("id"));
    assert_ne!(twice, two);
    // It is a file like any other.
    let deleted = ok(&live, request("DELETE", &format!("/v1/files/{}", id(file))).body(Body::empty()).unwrap()).await;
    assert_eq!((&deleted["deleted"], count(&live, "blob").await), (&json!(true), 0));
}

fn md5(bytes: &[u8]) -> String {
    use md5::{Digest, Md5};
    hex::encode(Md5::digest(bytes))
}

#[tokio::test]
async fn a_large_file_is_searched_for_as_if_it_had_come_whole() {
    let live = live().await;
    live.work();
    let text = format!("{}\n\nThe lighthouse stands on the northern cliff.", "Number after number. ".repeat(90_000));
    let upload = begun(&live, text.len()).await;
    let mut parts = Vec::new();
    // Cut within pieces, and not at their borders.
    for data in text.as_bytes().chunks(700_000) {
        parts.push(added(&live, &upload, data).await);
    }
    let done = completed(&live, &upload, json!({"part_ids": parts, "md5": md5(text.as_bytes())})).await;
    let file = id(&done.body["file"]);
    let content = live.send(get(&format!("/v1/files/{file}/content"))).await;
    assert_eq!(content.body.as_str(), Some(text.as_str()));
    let (stored, whole): (Vec<u8>, Vec<u8>) =
        (sqlx::query_scalar("SELECT content_hash FROM file").fetch_one(&live.database.owner()).await.unwrap(), {
            use sha2::{Digest, Sha256};
            Sha256::digest(text.as_bytes()).to_vec()
        });
    assert_eq!(stored, whole);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_field() {
    let live = live().await;
    let with = |field: &str, value: Value| {
        let mut body = announced(13);
        body[field] = value;
        post("/v1/uploads", body)
    };
    let many = "x".repeat(300);
    let cases = [
        (with("bytes", json!(0)), 400, "invalid_value", "bytes"),
        (with("bytes", json!(65 << 20)), 413, "file_too_large", "bytes"),
        (with("bytes", json!(-1)), 400, "invalid_value", "bytes"),
        (with("purpose", json!("batch")), 400, "invalid_value", "purpose"),
        (with("filename", json!("")), 400, "invalid_value", "filename"),
        (with("filename", json!("a\u{0}b")), 400, "invalid_value", "filename"),
        (with("mime_type", json!(many)), 400, "invalid_value", "mime_type"),
        (with("mime_type", json!("text/\u{0}")), 400, "invalid_value", "mime_type"),
        (with("expires_after", json!({"anchor": "created_at", "seconds": 60})), 400, "invalid_value", "expires_after"),
        (with("colour", json!("red")), 400, "unknown_field", "colour"),
    ];
    for (request, status, code, param) in cases {
        refused(&live.send(request).await, status, code, Some(param));
    }
    let upload = begun(&live, 8).await;
    let path = format!("/v1/uploads/{upload}/parts");
    let forms: [(&[Field<'_>], u16, &str, &str); 4] = [
        (&[], 400, "missing_file", "data"),
        (&[("file", Some("a"), b"x")], 400, "unknown_field", "file"),
        (&[("data", Some("a"), b"x"), ("data", Some("b"), b"x")], 400, "too_many_files", "data"),
        (&[("data", Some("a"), b"nine bytes")], 413, "file_too_large", "data"),
    ];
    for (fields, status, code, param) in forms {
        refused(&live.send(upload_to(&path, fields)).await, status, code, Some(param));
    }
    let (one, other) = (added(&live, &upload, b"12345678").await, begun(&live, 8).await);
    added(&live, &upload, b"12345678").await;
    refused(&live.send(part(&upload, b"1")).await, 400, "invalid_value", Some("data"));
    let foreign = added(&live, &other, b"12345678").await;
    for (part_ids, why) in [
        (json!([]), "1 to 1000"),
        (json!([one, one]), "twice"),
        (json!([foreign]), "does not have"),
        (json!(["part_x"]), "does not have"),
        (json!([one, foreign]), "does not have"),
    ] {
        let reply = completed(&live, &upload, json!({"part_ids": part_ids})).await;
        refused(&reply, 400, "invalid_value", Some("part_ids"));
        assert!(reply.body["error"]["message"].as_str().unwrap().contains(why), "{}", reply.body);
    }
    let short = begun(&live, 9).await;
    let part_ids = json!([added(&live, &short, b"12345678").await]);
    refused(&completed(&live, &short, json!({"part_ids": part_ids})).await, 400, "invalid_value", Some("part_ids"));
    refused(&completed(&live, &short, json!({"part_ids": part_ids, "md5": "12"})).await, 400, "invalid_value", Some("md5"));
    let nobodys = "upload_00000000-0000-7000-8000-000000000000";
    refused(&live.send(part(nobodys, b"1")).await, 404, "upload_not_found", Some("id"));
    refused(&completed(&live, nobodys, json!({"part_ids": ["x"]})).await, 404, "upload_not_found", Some("id"));
}

#[tokio::test]
async fn nothing_half_made_stays() {
    let live = live().await;
    let cancelled = begun(&live, 8).await;
    added(&live, &cancelled, b"12345678").await;
    let body = ok(&live, post(&format!("/v1/uploads/{cancelled}/cancel"), json!({}))).await;
    assert_eq!((&body["status"], count(&live, "blob").await), (&json!("cancelled"), 0));
    refused(&live.send(part(&cancelled, b"1")).await, 400, "upload_closed", Some("id"));

    let late = begun(&live, 8).await;
    let part_ids = json!([added(&live, &late, b"12345678").await]);
    live.store.sweep().await.unwrap();
    assert_eq!((count(&live, "upload_part").await, count(&live, "blob").await), (1, 1), "its hour has not passed");
    let hours = |hours: i32| {
        let owner = live.database.owner();
        async move {
            for table in ["upload SET expires_at = expires_at", "blob SET created_at = created_at"] {
                let sql = format!("UPDATE {table} - make_interval(hours => {hours})");
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&owner).await.unwrap();
            }
        }
    };
    hours(2).await;
    refused(&completed(&live, &late, json!({"part_ids": part_ids})).await, 400, "upload_closed", Some("id"));
    let reply = live.send(part(&late, b"1")).await;
    refused(&reply, 400, "upload_closed", Some("id"));
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("expired"), "{}", reply.body);
    live.store.sweep().await.unwrap();
    live.store.sweep().await.unwrap();
    assert_eq!((count(&live, "upload_part").await, count(&live, "blob").await, count(&live, "upload").await), (0, 0, 2));
    hours(24).await;
    live.store.sweep().await.unwrap();
    assert_eq!(count(&live, "upload").await, 0);
    refused(&live.send(part(&late, b"1")).await, 404, "upload_not_found", Some("id"));
}
