//! What the routes answer when all is well, and that the description says so.

use axum::{
    body::Body,
    http::{HeaderValue, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    http_fakes::THEIR_KEY,
    http_fixture::{Reply, api, get, post, refused, request, request_as, upload},
};

#[tokio::test]
async fn a_search_shows_passages_with_their_place() {
    let api = api();
    let body = json!({"query": "notice period", "limit": 3, "mode": "vector", "filter": {"team": "legal"}, "threshold": 0.5});
    let reply = api.send(post("/v1/search", body)).await;
    let expected = json!({
        "object": "list",
        "data": [{
            "score": 0.9,
            "calibrated": true,
            "scores": {"vector": 0.5, "lexical": null},
            "text": "The notice period is three months.",
            "source": {
                "document_id": "doc_00000000-0000-0000-0000-000000000000",
                "filename": "contract.pdf",
                "content_type": "application/pdf",
                "position": 4,
                "page": 2,
                "kind": "doc",
                "heading_path": ["Contract"],
                "ingested_at": "1970-01-01T00:00:00Z"
            },
            "metadata": {}
        }],
        "mode": "vector",
        "plan": "exact",
        "cache_hit": false,
        "took_ms": 1.5
    });
    assert_eq!((reply.status.as_u16(), reply.body), (200, expected));
    let asked = api.answering.asked.lock().unwrap().clone().unwrap();
    let filter = asked.filter.unwrap().canonical();
    assert_eq!((asked.limit, asked.threshold, filter.as_str()), (Some(3), Some(0.5), r#"{"contains":{"team":"legal"}}"#));
}

#[tokio::test]
async fn an_answer_names_its_sources() {
    let reply = api().send(post("/v1/answers", json!({"question": "How long?"}))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["answer"], "Three months [1].");
    assert_eq!(reply.body["citations"][0]["number"], 1);
    assert_eq!(reply.body["citations"][0]["filename"], "contract.pdf");
    assert_eq!(reply.body["citations"][0]["document_id"], "doc_00000000-0000-0000-0000-000000000000");
    assert_eq!(reply.body["grounded"], true);
    assert_eq!(reply.body["usage"]["total_tokens"], 13);
}

#[tokio::test]
async fn tokens_are_embedded_as_the_text_that_they_are() {
    let api = api();
    let embed = |input| api.send(post("/v1/embeddings", json!({"model": "words", "input": input})));
    let vectors = |reply: Reply| reply.body["data"].clone();
    let text = vectors(embed(json!(["hello world"])).await);
    assert_eq!(vectors(embed(json!([15339, 1917])).await), text);
    assert_eq!(vectors(embed(json!([[15339, 1917]])).await), text);
    for input in [json!([1_000_000]), json!([-1]), json!([[0.5]]), json!([[]]), json!([15339, "a"])] {
        refused(&embed(input).await, 400, "invalid_value", Some("input"));
    }
}

#[tokio::test]
async fn embeddings_are_the_same_as_numbers_and_as_bytes() {
    let api = api();
    let body = |format| json!({"model": "words", "input": ["one two", "three"], "encoding_format": format});
    let numbers = api.send(post("/v1/embeddings", body("float"))).await.body;
    let bytes = api.send(post("/v1/embeddings", body("base64"))).await.body;
    assert_eq!(numbers["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    for index in 0..2 {
        let vector: Vec<f32> = serde_json::from_value(numbers["data"][index]["embedding"].clone()).unwrap();
        let decoded = STANDARD.decode(bytes["data"][index]["embedding"].as_str().unwrap()).unwrap();
        let decoded: Vec<f32> = decoded.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!((vector.len(), &vector), (8, &decoded));
        assert_eq!(numbers["data"][index]["index"], index);
    }
}

#[tokio::test]
async fn a_vector_is_as_short_as_the_caller_asks_where_the_model_allows_it() {
    let api = api();
    let api = &api;
    let embed = |dimensions: Option<u32>| async move {
        let reply =
            api.send(post("/v1/embeddings", json!({"model": "words", "input": "one two three", "dimensions": dimensions})));
        serde_json::from_value::<Vec<f32>>(reply.await.body["data"][0]["embedding"].clone()).unwrap()
    };
    let (whole, short) = (embed(None).await, embed(Some(4)).await);
    assert_eq!((whole.len(), short.len(), embed(Some(8)).await), (8, 4, whole.clone()));
    let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length(&short) - 1.0).abs() < 1e-6, "{short:?}");
    let scale = length(&whole[..4]);
    assert!(short.iter().zip(&whole).all(|(short, whole)| (short * scale - whole).abs() < 1e-6), "{short:?} {whole:?}");
}

#[tokio::test]
async fn an_upload_becomes_a_job_that_only_its_workspace_sees() {
    let api = api();
    let content = vec![b'x'; (1 << 20) + 7];
    let fields: [(&str, Option<&str>, &[u8]); 3] = [
        ("file", Some("guide/ä \u{201c}b\u{201d}.txt"), &content),
        ("metadata", None, b"{\"team\": \"legal\"}"),
        ("file", Some("empty.md"), b""),
    ];
    let reply = api.send(upload(&fields)).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let job = &reply.body["job"];
    let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(reply.headers[header::LOCATION], path.as_str());
    assert_eq!((&job["status"], &job["total"], &job["done"]), (&json!("queued"), &json!(2), &json!(0)));
    assert_eq!(job["files"][0]["source"], "guide/ä \u{201c}b\u{201d}.txt");
    let sizes: Vec<_> =
        api.store.inner().blobs.values().map(|(_, pieces)| pieces.iter().map(bytes::Bytes::len).collect::<Vec<_>>()).collect();
    assert_eq!(sizes, [vec![1 << 20, 7], vec![]]);

    assert_eq!(api.send(get(&path)).await.body["status"], "queued");
    for (method, path) in [("GET", path.clone()), ("POST", format!("{path}/cancel"))] {
        let theirs = request_as(THEIR_KEY, method, &path).body(Body::empty()).unwrap();
        refused(&api.send(theirs).await, 404, "job_not_found", Some("id"));
    }
    let cancelled = api.send(request("POST", &format!("{path}/cancel")).body(Body::empty()).unwrap()).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["status"]), (200, &json!("cancelled")));
}

#[tokio::test]
async fn a_request_id_is_given_or_kept() {
    let api = api();
    let given = request("GET", "/v1/documents").header("x-request-id", "mine-1").body(Body::empty()).unwrap();
    assert_eq!(api.send(given).await.headers["x-request-id"], "mine-1");
    let odd = HeaderValue::from_bytes(b"a b\"c").unwrap();
    let odd = request("GET", "/v1/nothing").header("x-request-id", odd).body(Body::empty()).unwrap();
    assert!(api.send(odd).await.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn the_index_report_is_for_administrators() {
    let api = api();
    assert_eq!(api.send(get("/internal/index")).await.body, json!({"relations": []}));
    let theirs = request_as(THEIR_KEY, "GET", "/internal/index").body(Body::empty()).unwrap();
    refused(&api.send(theirs).await, 403, "admin_required", None);
}

#[tokio::test]
async fn probes_and_figures_need_no_key() {
    let api = api();
    let bare = |path: &str| axum::http::Request::builder().uri(path).body(Body::empty()).unwrap();
    assert_eq!(api.send(bare("/livez")).await.body, json!({"status": "ok"}));
    assert_eq!(api.send(bare("/readyz")).await.body, json!({"status": "ready"}));
    let figures = api.send(bare("/metrics")).await.body;
    assert!(figures.as_str().unwrap().contains("ragline_http_requests_total{route=\"/livez\",status=\"200\"} 1"), "{figures}");
    api.shutdown.cancel();
    refused(&api.send(bare("/readyz")).await, 503, "shutting_down", None);
}

#[tokio::test]
async fn every_described_route_is_there_and_every_route_is_described() {
    let api = api();
    let description = api.send(get("/openapi.json")).await.body;
    let paths = description["paths"].as_object().unwrap();
    let mut described = 0;
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            described += 1;
            let path = path.replace("{id}", "doc_0");
            let reply = api.send(request(&method.to_uppercase(), &path).body(Body::empty()).unwrap()).await;
            let code = reply.body["error"]["code"].as_str().unwrap_or_default();
            assert!(!matches!(code, "unknown_route" | "method_not_allowed"), "{method} {path} is described, but not there");
            let open = matches!(path.as_str(), "/livez" | "/readyz" | "/metrics" | "/openapi.json");
            assert_eq!(operation["security"] == json!([{}]), open, "{method} {path}");
            let bare =
                axum::http::Request::builder().method(method.to_uppercase().as_str()).uri(&path).body(Body::empty()).unwrap();
            assert_eq!(api.send(bare).await.status == 401, !open, "{method} {path}");
        }
    }
    // `routes!` is the only way by which the table grows, and each handler that it takes is described once.
    let sources = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http")).into_iter().map(Result::unwrap);
    let mut added = 0;
    for file in sources.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rs")) {
        let source = std::fs::read_to_string(file.path()).unwrap();
        let table = source.split("#[cfg(test)]").next().unwrap();
        let names =
            |(at, _): (usize, &str)| table[at..].split(')').next().unwrap().split(',').filter(|s| !s.trim().is_empty()).count();
        added += table.match_indices("routes!(").map(names).sum::<usize>();
        assert!(!table.contains(".route(") && !table.contains(".nest("), "{} adds a route by itself", file.path().display());
    }
    assert_eq!(added, described);
    assert_eq!(description["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    for code in ragline_gateway::http::error::ErrorCode::ALL {
        assert!(description["info"]["description"].as_str().unwrap().contains(&code.word()));
    }
    assert_eq!(unresolved(&description, &description), Vec::<String>::new());
}

/// References that lead nowhere.
fn unresolved(root: &Value, value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some(path)) if root.pointer(path.trim_start_matches('#')).is_none() => vec![path.to_owned()],
                _ => unresolved(root, value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| unresolved(root, value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
