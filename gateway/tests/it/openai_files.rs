//! Files in OpenAI's shape, on a real PostgreSQL.

use std::time::Duration;

use serde_json::json;

use crate::{
    http_fixture::{Field, get, refused, upload_to},
    http_live_fixture::live,
    openai_vector_stores::{BAKERY, LIGHTHOUSE, delete, kept, ok},
};

#[tokio::test]
async fn a_file_is_kept_listed_given_back_and_deleted() {
    let live = live().await;
    let first = kept(&live, "a.txt", LIGHTHOUSE).await;
    let second = kept(&live, "a.txt", BAKERY).await;
    let shown = ok(&live, get(&format!("/v1/files/{first}"))).await;
    assert_eq!(
        (&shown["filename"], &shown["purpose"], &shown["status"]),
        (&json!("a.txt"), &json!("assistants"), &json!("processed"))
    );
    assert_eq!(shown["bytes"], LIGHTHOUSE.len());
    let content = live.send(get(&format!("/v1/files/{first}/content"))).await;
    assert_eq!(
        (content.body.as_str(), content.headers["content-type"].to_str().unwrap()),
        (Some(LIGHTHOUSE), "application/octet-stream")
    );
    let page = ok(&live, get("/v1/files?limit=1")).await;
    assert_eq!((&page["first_id"], &page["has_more"]), (&json!(second), &json!(true)));
    let rest = ok(&live, get(&format!("/v1/files?after={second}"))).await;
    assert_eq!((&rest["data"][0]["id"], &rest["has_more"]), (&json!(first), &json!(false)));
    let oldest = ok(&live, get("/v1/files?order=asc&purpose=assistants")).await;
    assert_eq!(oldest["first_id"], first.as_str());
    assert_eq!(ok(&live, get("/v1/files?purpose=user_data")).await["data"], json!([]));
    let gone = ok(&live, delete(&format!("/v1/files/{first}"))).await;
    assert_eq!(gone, json!({"id": first, "object": "file", "deleted": true}));
    for request in
        [get(&format!("/v1/files/{first}")), get(&format!("/v1/files/{first}/content")), delete(&format!("/v1/files/{first}"))]
    {
        refused(&live.send(request).await, 404, "file_not_found", Some("id"));
    }
}

#[tokio::test]
async fn a_form_that_is_no_file_is_refused_with_the_field() {
    let live = live().await;
    let cases: [(&[Field<'_>], u16, &str, Option<&str>); 6] = [
        (&[("purpose", None, b"assistants")], 400, "missing_file", Some("file")),
        (&[("file", Some("a"), b"x")], 400, "missing_field", Some("purpose")),
        (&[("file", Some("a"), b"x"), ("purpose", None, b"batch")], 400, "invalid_value", Some("purpose")),
        (&[("file", Some("a"), b"x"), ("file", Some("b"), b"x")], 400, "too_many_files", Some("file")),
        (
            &[("file", Some("a"), b"x"), ("purpose", None, b"assistants"), ("expires_after[seconds]", None, b"60")],
            400,
            "invalid_value",
            Some("expires_after"),
        ),
        (&[("colour", None, b"red")], 400, "unknown_field", Some("colour")),
    ];
    for (fields, status, code, param) in cases {
        refused(&live.send(upload_to("/v1/files", fields)).await, status, code, param);
    }
    // They are removed in the background.
    let removed = async {
        while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM blob").fetch_one(&live.database.owner()).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), removed).await.expect("a refused file left bytes behind");
}
