//! A document becomes searchable whole or not at all.

use std::time::Duration;

use ragline_gateway::traits::{
    ingest::{BlobStore, DocumentStore, Fault, JobStatus, JobStore},
    place::{ChunkKind, Lines, Place},
    search::{Searcher, StoreError},
};
use serde_json::json;

use crate::{
    database::{default_workspace, fresh},
    lexical_fixture::matching,
    store_fixture::{
        FINGERPRINT, LEASE, chunk, claimed, document, document_of, hash, nearest, queued, stored, stored_in_stages, texts,
    },
};

#[tokio::test]
async fn a_published_document_is_found_with_all_that_it_carries() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let before = store.store_version(workspace).await.unwrap();
    let published = stored(&store, workspace, "a.txt", vec![chunk(0, "far", 100), chunk(1, "near", 2)]).await;
    assert_eq!((published.chunks, published.reused), (2, 0));
    let found = nearest(&store, workspace, 0, 10).await;
    assert_eq!(found.store_version, before + 1);
    assert_eq!(store.store_version(workspace).await.unwrap(), before + 1);
    let best = &found.matches[0];
    let place = Place { page: Some(2), sheet: Some("Sheet".into()), lines: Some(Lines { from: 1, to: 9 }) };
    assert_eq!((best.text.as_str(), best.position, &best.place, best.kind), ("near", 1, &place, ChunkKind::Comment));
    assert_eq!(best.heading_path, ["Chapter \"one\"", "Section 1"]);
    assert_eq!(serde_json::Value::Object(best.metadata.clone()), json!({ "source": "a.txt", "chunk": 1 }));
    assert_eq!(
        (best.document_id, best.filename.as_str(), best.content_type.as_str()),
        (published.document_id, "a.txt", "text/plain")
    );
    assert!((best.similarity.unwrap() - 0.02_f32.cos()).abs() < 1e-3, "{}", best.similarity.unwrap());
    let document = store.document(workspace, published.document_id).await.unwrap().unwrap();
    assert_eq!((document.chunks, document.title.as_deref(), document.size_bytes), (2, Some("A title"), 5));
}

#[tokio::test]
async fn a_document_is_the_same_whether_it_was_staged_or_not() {
    let chunks = |first: u32| -> Vec<_> {
        let mut chunks: Vec<_> = (0..4).map(|n| chunk(n, &format!("text {n}"), first + n)).collect();
        chunks[1].windows = Some((0..3).map(|n| crate::store_fixture::vector(n * 20)).collect());
        (chunks[2].heading_path, chunks[3].heading_path) =
            (Vec::new(), vec![r#"a "quoted", {braced} \ name"#.into(), String::new()]);
        chunks[2].place = Place::default();
        chunks[3].text = "with a nul \0 in it".to_owned();
        chunks
    };
    let rows = "SELECT jsonb_agg(to_jsonb(c) - 'id' - 'document_id' || jsonb_build_object('vectors', e.vectors, 'attributes', a.attributes) \
          ORDER BY c.position)::text FROM chunk c \
        CROSS JOIN LATERAL (SELECT array_agg(window_number || embedding::text ORDER BY window_number) AS vectors FROM embeddings \
          WHERE chunk_id = c.id) e \
        CROSS JOIN LATERAL (SELECT array_agg(key || ' ' || number_value ORDER BY key) AS attributes FROM attribute \
          WHERE chunk_id = c.id) a";
    let mut stored_rows = Vec::new();
    for staged in [0, 2, 4] {
        let database = fresh().await;
        let store = database.store();
        let workspace = default_workspace(&store).await;
        stored(&store, workspace, "a.txt", vec![chunk(0, "ancient text", 50)]).await;
        let claim = claimed(&store, workspace, "a.txt", json!({ "source": "a.txt" })).await;
        let (first, rest) = (chunks(0)[..staged].to_vec(), chunks(0)[staged..].to_vec());
        if !first.is_empty() {
            store.stage(&claim, first).await.unwrap();
        }
        let published = store.publish(&claim, document_of(rest), &FINGERPRINT).await.unwrap();
        assert_eq!((published.chunks, published.reused), (4, 0));
        let found = async |word| matching(&store, workspace, word, 10).await.hits.len();
        assert_eq!((found("ancient").await, found("text").await, found("nul").await), (0, 3, 1));
        stored_rows.push(sqlx::query_scalar::<_, String>(rows).fetch_one(&database.owner()).await.unwrap());
    }
    assert_eq!(stored_rows[0], stored_rows[1]);
    assert_eq!(stored_rows[0], stored_rows[2]);
    let stored: serde_json::Value = serde_json::from_str(&stored_rows[0]).unwrap();
    assert_eq!(stored[3]["heading_path"], json!([r#"a "quoted", {braced} \ name"#, ""]));
    assert_eq!((&stored[2]["heading_path"], &stored[3]["text"]), (&json!([]), &json!("with a nul \u{fffd} in it")));
    assert_eq!((stored[1]["vectors"].as_array().map(Vec::len), &stored[0]["attributes"]), (Some(3), &json!(["chunk 0"])));
}

#[tokio::test]
async fn the_best_window_counts_for_its_chunk() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let mut wide = chunk(0, "wide", 0);
    wide.windows = Some((0..7).map(|n| crate::store_fixture::vector(n * 20)).collect());
    stored(&store, workspace, "a.txt", vec![wide, chunk(1, "narrow", 50)]).await;
    let found = nearest(&store, workspace, 120, 10).await;
    let texts: Vec<_> = found.matches.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["wide", "narrow"]);
    assert!(found.matches[0].similarity.unwrap() > 0.999);
}

#[tokio::test]
async fn the_same_source_again_replaces() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let first = stored(&store, workspace, "a.txt", vec![chunk(0, "old", 0), chunk(1, "older", 1)]).await;
    let second = stored(&store, workspace, "a.txt", vec![chunk(0, "new", 0)]).await;
    assert_eq!(first.document_id, second.document_id);
    assert_eq!(texts(&store, workspace, 0, 10).await, ["new"]);
    let counts: (i64, i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM chunk), (SELECT count(*) FROM embeddings), (SELECT count(*) FROM blob)")
            .fetch_one(&database.owner())
            .await
            .unwrap();
    assert_eq!(counts, (1, 1, 1));
}

#[tokio::test]
async fn a_chunk_of_a_known_hash_keeps_its_vectors() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "same", 30)]).await;
    let known = store.embedded(workspace, &[hash("same"), hash("other")]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [hash("same")]);
    // Twice in another document, and once more in the document that is being replaced.
    let mut again = chunk(0, "same", 0);
    again.windows = None;
    let mut twice = again.clone();
    twice.position = 2;
    let chunks = vec![again.clone(), chunk(1, "fresh", 90), twice];
    let published = stored(&store, workspace, "b.txt", chunks.clone()).await;
    assert_eq!((published.chunks, published.reused), (3, 2));
    let published = stored_in_stages(&store, workspace, "c.txt", chunks).await;
    assert_eq!((published.chunks, published.reused), (3, 2));
    let replaced = stored(&store, workspace, "a.txt", vec![again]).await;
    assert_eq!((replaced.chunks, replaced.reused), (1, 1));
    let found = nearest(&store, workspace, 30, 10).await;
    let near: Vec<_> = found.matches.iter().filter(|m| m.similarity.unwrap() > 0.999).map(|m| m.text.as_str()).collect();
    assert_eq!(near, ["same"; 5]);
}

#[tokio::test]
async fn vectors_that_vanished_refuse_the_publish() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    let mut bare = chunk(0, "never embedded", 0);
    bare.windows = None;
    let direct = store.publish(&claim, document_of(vec![bare.clone()]), &FINGERPRINT).await.unwrap_err();
    store.stage(&claim, vec![bare]).await.unwrap();
    let staged = store.publish(&claim, document(), &FINGERPRINT).await.unwrap_err();
    for error in [direct, staged] {
        assert!(matches!(error, StoreError::Conflict { what: "set of stored vectors" }) && error.is_transient(), "{error}");
    }
    assert_eq!(texts(&store, workspace, 0, 10).await, [""; 0]);
}

#[tokio::test]
async fn a_deleted_document_is_gone_at_once() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let published = stored(&store, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    stored(&store, workspace, "b.txt", vec![chunk(0, "two", 1)]).await;
    let before = store.store_version(workspace).await.unwrap();
    assert!(store.delete(workspace, published.document_id).await.unwrap());
    assert!(!store.delete(workspace, published.document_id).await.unwrap());
    assert_eq!(texts(&store, workspace, 0, 10).await, ["two"]);
    assert_eq!(store.store_version(workspace).await.unwrap(), before + 1);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM embeddings").fetch_one(&database.owner()).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn an_unchanged_document_is_recognised_and_costs_nothing() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let published = stored(&store, workspace, "a.txt", vec![chunk(0, "one", 0)]).await;
    let job = queued(&store, workspace, &["a.txt"], json!({ "source": "a.txt" })).await;
    let claim = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert_eq!(store.is_unchanged(&claim, &[0; 32]).await.unwrap(), None);
    assert_eq!(store.is_unchanged(&claim, &FINGERPRINT).await.unwrap(), Some(published.document_id));
    store.complete_unchanged(&claim, published.document_id).await.unwrap();
    let job = store.job(workspace, job).await.unwrap().unwrap();
    assert_eq!((job.status, job.items[0].document_id), (JobStatus::Completed, Some(published.document_id)));
    assert!(store.piece(workspace, claim.blob.unwrap(), 0).await.unwrap().is_none(), "the bytes uploaded again are kept");
    let other = claimed(&store, workspace, "a.txt", json!({ "source": "other" })).await;
    assert_eq!(store.is_unchanged(&other, &FINGERPRINT).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_of_a_lost_lease_is_stored() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    queued(&store, workspace, &["a.txt"], json!({})).await;
    let slow = store.claim(Duration::from_millis(1), 3).await.unwrap().unwrap();
    store.stage(&slow, vec![chunk(0, "slow", 0)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let fast = store.claim(LEASE, 3).await.unwrap().unwrap();
    assert_eq!((fast.item_id, fast.attempt), (slow.item_id, 2));
    assert!(!store.renew(&slow, LEASE, 1, None).await.unwrap());
    for refused in [
        store.stage(&slow, vec![chunk(1, "more", 0)]).await.unwrap_err(),
        store.publish(&slow, document(), &FINGERPRINT).await.unwrap_err(),
        store.publish(&slow, document_of(vec![chunk(0, "slow", 0)]), &FINGERPRINT).await.unwrap_err(),
        store.fail(&slow, Fault::File, "reason").await.unwrap_err(),
        store.release(&slow, LEASE, "reason").await.unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::Conflict { what: "lease" }), "{refused}");
    }
    store.publish(&fast, document_of(vec![chunk(0, "fast", 0)]), &FINGERPRINT).await.unwrap();
    assert_eq!(texts(&store, workspace, 0, 10).await, ["fast"]);
}

#[tokio::test]
async fn a_publish_that_is_cut_off_leaves_nothing_to_be_found() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, "old", 0)]).await;
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    store.stage(&claim, (0..50).map(|n| chunk(n, &format!("new {n}"), n)).collect()).await.unwrap();
    assert_eq!(texts(&store, workspace, 0, 10).await, ["old"], "what is staged can be found");
    // The last statement but one waits for this lock; then every connection of the application is cut.
    let owner = database.owner();
    let mut blocker = owner.begin().await.unwrap();
    sqlx::raw_sql("SELECT 1 FROM job FOR UPDATE").execute(&mut *blocker).await.unwrap();
    let publishing = tokio::spawn({
        let (store, claim) = (store.clone(), claim.clone());
        async move { store.publish(&claim, document(), &FINGERPRINT).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ragline_app' AND wait_event_type = 'Lock'";
    let mut superuser = <sqlx::PgConnection as sqlx::Connection>::connect(secrecy::ExposeSecret::expose_secret(
        &database.url("DATABASE_BOOTSTRAP_URL"),
    ))
    .await
    .unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut superuser).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    sqlx::raw_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ragline_app'",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    let error = publishing.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    blocker.rollback().await.unwrap();
    assert_eq!(texts(&store, workspace, 0, 10).await, ["old"]);
    // The same try goes on where it was.
    let published = store.publish(&claim, document(), &FINGERPRINT).await.unwrap();
    assert_eq!(published.chunks, 50);
    assert!(!texts(&store, workspace, 0, 100).await.contains(&"old".to_owned()));
}

#[tokio::test]
async fn a_staging_area_that_the_server_lost_is_noticed() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    store.stage(&claim, vec![chunk(0, "one", 0)]).await.unwrap();
    sqlx::raw_sql("TRUNCATE stage_chunk, stage_embedding").execute(&database.owner()).await.unwrap();
    let error = store.publish(&claim, document(), &FINGERPRINT).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { what: "staging area" }), "{error}");
}

#[tokio::test]
async fn documents_are_listed_newest_first_by_cursor() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    for source in ["a", "b", "c"] {
        stored(&store, workspace, source, vec![chunk(0, source, 0)]).await;
    }
    let first = store.list(workspace, None, 2).await.unwrap();
    let sources: Vec<_> = first.documents.iter().map(|d| d.source.as_str()).collect();
    assert_eq!((sources, first.has_more), (vec!["c", "b"], true));
    let second = store.list(workspace, Some(first.documents[1].id), 2).await.unwrap();
    let sources: Vec<_> = second.documents.iter().map(|d| d.source.as_str()).collect();
    assert_eq!((sources, second.has_more), (vec!["a"], false));
}

#[tokio::test]
async fn a_vector_of_the_wrong_shape_is_refused() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let claim = claimed(&store, workspace, "a.txt", json!({})).await;
    for vector in [vec![1.0; 3], vec![f32::NAN; 16]] {
        let mut wrong = chunk(0, "one", 0);
        wrong.windows = Some(vec![vector]);
        assert!(matches!(store.stage(&claim, vec![wrong.clone()]).await, Err(StoreError::Failed { .. })));
        let published = store.publish(&claim, document_of(vec![wrong]), &FINGERPRINT).await;
        assert!(matches!(published, Err(StoreError::Failed { .. })));
    }
}
