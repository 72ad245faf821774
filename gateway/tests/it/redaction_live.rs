//! From an upload to what is stored and told, without what redaction takes out.

use std::sync::Arc;

use ragline_config::{Chunking, Redaction};
use ragline_gateway::{
    ingest::{cut::Cutter, text::TextCutter},
    redact::Redactor,
};
use serde_json::json;

use crate::{
    http_fixture::{get, post},
    http_live_fixture::live,
    http_models::WordEmbedder,
};

#[tokio::test]
async fn what_is_stored_and_told_has_no_card_in_it() {
    let live = live().await;
    live.work();
    let text = b"# Card 4111 1111 1111 1111\n\nThe guest paid with 5555 5555 5555 4444 and left.\n";
    let job = live.ended(&live.upload(&[("file", Some("guest.md"), text)]).await).await;
    assert_eq!(job["status"], json!("completed"), "{job}");
    let reply = live.send(post("/v1/search", json!({"query": "Who paid with 5555 5555 5555 4444?"}))).await;
    let told = reply.body.to_string();
    assert!(told.contains("The guest paid with [CARD] and left.") && told.contains("Card [CARD]"), "{told}");
    let document = live.send(get(&format!("/v1/documents/{}", job["files"][0]["document_id"].as_str().unwrap()))).await.body;
    assert_eq!(document["title"], json!("Card [CARD]"));
    assert!(!format!("{told}{document}").contains("5555"), "{told} {document}");
    // The title, the heading, the paragraph and the question.
    assert_eq!(live.parts.metrics.redacted.with_label_values(&["card"]).get(), 4);
}

#[test]
fn a_document_is_stale_when_another_kind_is_switched_on() {
    let fingerprint = |redaction: Redaction| {
        let redactor = Redactor::new(&redaction);
        TextCutter { chunking: Chunking::default(), embedder: Arc::new(WordEmbedder::new(8)), redactor }.fingerprint()
    };
    let default = Redaction::default();
    assert_eq!(fingerprint(default), fingerprint(default));
    assert_ne!(fingerprint(default), fingerprint(Redaction { emails: true, ..default }));
}
