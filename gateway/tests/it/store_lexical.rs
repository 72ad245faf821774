//! The search by words: BM25 as in the book, whatever was ingested, deleted and merged, for its own workspace alone.

use ragline_gateway::{
    backends::pgvector::Store,
    traits::{
        filter::Filter,
        ingest::{DocumentStore, StagedChunk},
        search::{LexicalQuery, SearchPlan, Searcher, StoreError, WorkspaceId},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    database::{TestDatabase, default_workspace, fresh},
    lexical_fixture::{WORDS, astray, by_the_book, check, chunks, found, levels, matching, question, text},
    store_fixture::{chunk, object, stored},
};

fn document(random: &mut StdRng) -> Vec<StagedChunk> {
    (0..random.random_range(1..4)).map(|position| chunk(position, &text(random), position)).collect()
}

#[tokio::test]
async fn a_document_is_found_by_its_words_at_once_on_every_gateway() {
    let database = fresh().await;
    let (here, there) = (database.store(), database.store());
    let workspace = default_workspace(&here).await;
    let published =
        stored(&here, workspace, "a.txt", vec![chunk(0, "The cat sat.", 0), chunk(1, "Dogs and cats, cats!", 1)]).await;
    let leg = matching(&there, workspace, "What does a cat do?", 10).await;
    assert_eq!((leg.hits.len(), leg.plan), (2, SearchPlan::Lexical));
    assert_eq!(leg.store_version, here.store_version(workspace).await.unwrap());
    assert_eq!(found(&there, workspace, "cat").await, ["Dogs and cats, cats!", "The cat sat."]);
    assert_eq!(found(&there, workspace, "the of and").await, [""; 0]);
    assert_eq!(matching(&there, workspace, "cat", 1).await.hits.len(), 1);
    stored(&here, workspace, "a.txt", vec![chunk(0, "A horse.", 0)]).await;
    assert_eq!(found(&there, workspace, "cat").await, [""; 0]);
    assert_eq!(found(&there, workspace, "horses").await, ["A horse."]);
    here.delete(workspace, published.document_id).await.unwrap();
    assert_eq!(found(&there, workspace, "horses").await, [""; 0]);
}

#[tokio::test]
async fn scores_are_those_of_the_book_through_ingests_and_merges() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    let mut random = StdRng::seed_from_u64(7);
    for n in 0..150 {
        stored(&store, workspace, &format!("{n}.txt"), document(&mut random)).await;
        if n % 7 == 0 {
            store.tend_all(false).await.unwrap();
        }
        if n % 10 == 0 {
            let asked = text(&mut random);
            let expected = by_the_book(&chunks(&owner, workspace).await, &asked);
            check(&matching(&store, workspace, &asked, 20).await.hits, &expected, 20);
        }
    }
    assert_eq!(astray(&owner).await, (0, 0));
    let levels = levels(&owner).await;
    assert!(levels.iter().any(|(level, ..)| *level >= 2), "four merges make another level: {levels:?}");
}

#[tokio::test]
async fn what_is_gone_is_never_found_and_leaves_the_postings_in_time() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    let mut random = StdRng::seed_from_u64(11);
    let mut documents = Vec::new();
    for n in 0..120 {
        match random.random_range(0..4) {
            0 if !documents.is_empty() => {
                let gone = documents.swap_remove(random.random_range(0..documents.len()));
                store.delete(workspace, gone).await.unwrap();
            }
            1 => store.tend_all(random.random_bool(0.3)).await.unwrap(),
            _ => {
                // The same source again replaces.
                let source = format!("{}.txt", random.random_range(0..60));
                let published = stored(&store, workspace, &source, document(&mut random)).await;
                documents.retain(|id| *id != published.document_id);
                documents.push(published.document_id);
            }
        }
        if n % 5 == 0 {
            let asked = text(&mut random);
            let expected = by_the_book(&chunks(&owner, workspace).await, &asked);
            let mut hits: Vec<_> = matching(&store, workspace, &asked, 1_000).await.hits.iter().map(|hit| hit.chunk_id).collect();
            hits.sort_unstable();
            assert_eq!(hits, expected.into_keys().collect::<Vec<_>>(), "step {n}");
        }
    }
    for document in documents.drain(..documents.len() / 2) {
        store.delete(workspace, document).await.unwrap();
    }
    store.tend_all(true).await.unwrap();
    let left = chunks(&owner, workspace).await;
    assert_eq!(levels(&owner).await.iter().map(|(.., n)| n).sum::<i64>(), left.len() as i64);
    let expected = by_the_book(&left, "red white gold");
    check(&matching(&store, workspace, "red white gold", 50).await.hits, &expected, 50);
    for document in documents {
        store.delete(workspace, document).await.unwrap();
    }
    store.tend_all(true).await.unwrap();
    assert!(levels(&owner).await.is_empty());
    assert!(matching(&store, workspace, "red", 10).await.hits.is_empty());
}

#[tokio::test]
async fn a_foreign_workspace_finds_nothing_and_an_unknown_one_is_not_found() {
    let database = fresh().await;
    let store = database.store();
    let (mine, foreign) = (default_workspace(&store).await, database.workspace("foreign").await);
    stored(&store, mine, "a.txt", vec![chunk(0, "red", 0)]).await;
    stored(&store, foreign, "a.txt", vec![chunk(0, "red red", 0)]).await;
    assert_eq!(found(&store, mine, "red").await, ["red"]);
    assert_eq!(found(&store, foreign, "red").await, ["red red"]);
    assert!(matching(&store, database.workspace("empty").await, "red", 10).await.hits.is_empty());
    let unknown = store.matching(&question(WorkspaceId(99), "red", 10)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "workspace" })), "{unknown:?}");
}

/// Chunks as an earlier version stored them: without postings.
async fn stored_before(database: &TestDatabase, workspace: WorkspaceId, source: &str, text: &str, metadata: Value, count: i32) {
    let sql = "WITH d AS (INSERT INTO document (id, workspace_id, collection_id, source, content_type, metadata, size_bytes, \
          content_hash, chunking_fingerprint, space_id, chunks) \
        SELECT gen_random_uuid(), $1, id, $2, 'text/plain', $3, 1, sha256(''), '', (SELECT id FROM embedding_space), $5 FROM collection \
        WHERE workspace_id = $1 RETURNING *) \
      INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash) \
        SELECT workspace_id, collection_id, id, n, repeat($4, 1 + n % 7), 1, sha256('') FROM d, generate_series(0, $5 - 1) n";
    let query = sqlx::query(sql).bind(workspace.0).bind(source).bind(metadata).bind(text).bind(count);
    query.execute(&database.owner()).await.unwrap();
}

#[tokio::test]
async fn documents_of_an_earlier_version_get_their_postings() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let mine = default_workspace(&store).await;
    let foreign = database.workspace("foreign").await;
    for n in 0..45 {
        stored_before(&database, mine, &format!("{n}.txt"), "red ", json!({}), 3).await;
    }
    stored_before(&database, foreign, "a.txt", "gold ", json!({}), 1_001).await;
    stored(&store, mine, "new.txt", vec![chunk(0, "red pink", 0)]).await;
    assert_eq!(matching(&store, mine, "red", 1_000).await.hits.len(), 1);
    let (here, there) = (database.store(), database.store());
    let (one, other) = tokio::join!(here.tend_all(false), there.tend_all(false));
    one.and(other).unwrap();
    assert_eq!(matching(&store, mine, "red", 1_000).await.hits.len(), 136);
    assert_eq!(matching(&store, foreign, "gold", 2_000).await.hits.len(), 1_001);
    assert_eq!(astray(&owner).await, (0, 0));
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM lex_pending").fetch_one(&owner).await.unwrap();
    assert_eq!(waiting, 0);
}

async fn filtered(store: &Store, workspace: WorkspaceId, text: &str, filter: Value) -> Vec<i64> {
    let filter = Some(Filter::from(object(filter)));
    let leg = store.matching(&LexicalQuery { filter, ..question(workspace, text, 50) }).await.unwrap();
    leg.hits.into_iter().map(|hit| hit.chunk_id).collect()
}

#[tokio::test]
async fn every_filter_gives_the_best_of_what_it_allows() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    stored_before(&database, workspace, "many", "red gold ", json!({ "all": true, "size": "many" }), 10_500).await;
    stored_before(&database, workspace, "few", "red red ", json!({ "all": true, "size": "few" }), 900).await;
    stored_before(&database, workspace, "one", "red pink ", json!({ "all": true, "size": "one" }), 1).await;
    store.tend_all(true).await.unwrap();
    let all = matching(&store, workspace, "red", 20_000).await.hits;
    assert_eq!(all.len(), 11_401);
    for (filter, allowed) in [
        (json!({}), "true"),
        (json!({ "all": true }), "true"),
        (json!({ "size": "many" }), "source = 'many'"),
        (json!({ "size": "few" }), "source = 'few'"),
        (json!({ "size": "one" }), "source = 'one'"),
        (json!({ "size": "none" }), "false"),
    ] {
        let sql = format!("SELECT c.id FROM chunk c JOIN document d ON d.id = document_id WHERE {allowed} ORDER BY 1");
        let allowed: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&owner).await.unwrap();
        let passing = all.iter().map(|hit| hit.chunk_id).filter(|id| allowed.binary_search(id).is_ok());
        assert_eq!(filtered(&store, workspace, "red", filter.clone()).await, passing.take(50).collect::<Vec<_>>(), "{filter}");
    }
    // Many are allowed, and none of them has the word.
    assert_eq!(filtered(&store, workspace, "pink", json!({ "size": "many" })).await, [0_i64; 0]);
    assert_eq!(filtered(&store, workspace, "gold", json!({ "size": "few" })).await, [0_i64; 0]);
}

#[tokio::test]
async fn damaged_bytes_are_an_error() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "a.txt", vec![chunk(0, &WORDS.join(" "), 0)]).await;
    for damage in [
        "blob = ''",
        "blob = '\\x02'",
        "blob = substring(blob FROM 1 FOR length(blob) / 2)",
        "ids = ''",
        "n = 7",
        "n = 2147483647",
    ] {
        let mut tx = owner.begin().await.unwrap();
        sqlx::raw_sql("CREATE TABLE kept AS SELECT seg AS old, blob, ids, n FROM lex_seg").execute(&mut *tx).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("UPDATE lex_seg SET {damage}"))).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let outcome = store.matching(&question(workspace, &WORDS.join(" "), 10)).await;
        assert!(matches!(outcome, Err(StoreError::Failed { action: "reading postings", .. })), "{damage}: {outcome:?}");
        sqlx::raw_sql("UPDATE lex_seg SET (blob, ids, n) = (kept.blob, kept.ids, kept.n) FROM kept; DROP TABLE kept")
            .execute(&owner)
            .await
            .unwrap();
    }
    assert_eq!(matching(&store, workspace, "red", 10).await.hits.len(), 1);
}
