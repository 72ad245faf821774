//! A workspace leaves the pool while it is searched and written, and whatever kills the run in between.

#![expect(clippy::print_stdout, reason = "figures for the reader of the log")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ragline_config::{Index, index::IndexKind};
use ragline_gateway::{
    backends::pgvector::Store,
    index,
    traits::{
        ingest::DocumentStore,
        search::{NearestQuery, SearchPlan, Searcher, WorkspaceId},
    },
};
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    database::{TestDatabase, fresh, fresh_for},
    store_fixture::{chunk, nearest, stored},
};

/// A workspace leaves the pool with more than this.
const ABOVE: u64 = 300;

fn limits() -> Index {
    Index { exact_below: ABOVE, small_below: 100_000, medium_below: 1_000_000, ..Index::default() }
}

async fn document(store: &Store, workspace: WorkspaceId, name: &str, count: u32) {
    let chunks = (0..count).map(|n| chunk(n, &format!("{name} {n}"), n % 300)).collect();
    stored(store, workspace, name, chunks).await;
}

/// The relation of a workspace, its vectors there and elsewhere, and its chunks without any.
async fn rows(owner: &PgPool, workspace: WorkspaceId) -> (i32, i64, i64, i64) {
    sqlx::query_as(
        "SELECT w.relation_id, (SELECT count(*) FROM embeddings e WHERE e.workspace_id = w.id AND e.relation_id = w.relation_id), \
           (SELECT count(*) FROM embeddings e WHERE e.workspace_id = w.id AND e.relation_id <> w.relation_id), \
           (SELECT count(*) FROM chunk c WHERE c.workspace_id = w.id AND NOT EXISTS \
             (SELECT 1 FROM embeddings e WHERE e.relation_id = w.relation_id AND e.chunk_id = c.id)) \
         FROM workspace w WHERE w.id = $1",
    )
    .bind(workspace.0)
    .fetch_one(owner)
    .await
    .unwrap()
}

async fn relations(owner: &PgPool) -> BTreeSet<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relname ~ '^embeddings_[0-9]+$' AND relkind = 'r'";
    sqlx::query_scalar(sql).fetch_all(owner).await.unwrap().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_moves_out_of_the_pool_while_it_is_searched_and_written() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = database.workspace("large").await;
    let neighbour = database.workspace("neighbour").await;
    document(&store, neighbour, "theirs", 200).await;
    document(&store, workspace, "keep", 3_000).await;
    document(&store, workspace, "doomed", 200).await;
    let stop = Arc::new(AtomicBool::new(false));
    let searcher = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let mut searches = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let found = nearest(&store, workspace, searches % 300, 10).await;
                assert_eq!(found.matches.len(), 10, "a search came back short under {:?}", found.plan);
                let mine = ["keep", "doomed", "new"];
                assert!(found.matches.iter().all(|m| mine.iter().any(|name| m.text.starts_with(name))));
                searches += 1;
            }
            searches
        }
    });
    // One after the other: a claim takes the oldest file of any workspace.
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let page = store.list(workspace, None, 10).await.unwrap();
            let doomed = page.documents.iter().find(|document| document.source == "doomed").unwrap().id;
            let (mut written, mut deleted) = (0_u32, false);
            while !stop.load(Ordering::Relaxed) {
                document(&store, workspace, &format!("new-{}", written % 7), 5 + written % 5).await;
                written += 1;
                if written == 3 {
                    deleted = store.delete(workspace, doomed).await.unwrap();
                }
            }
            (written, deleted)
        }
    });
    let report = index::run(&owner, &limits()).await.unwrap();
    let moved = &report.moves[0];
    assert!(moved.done && moved.workspace == workspace.0 && report.moves.len() == 1, "{report:?}");
    stop.store(true, Ordering::Relaxed);
    let searches = searcher.await.unwrap();
    let (written, _) = writer.await.unwrap();
    assert!(searches > 3 && written > 0, "{searches} searches, {written} documents");
    let (relation, here, elsewhere, bare) = rows(&owner, workspace).await;
    let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM chunk WHERE workspace_id = $1")
        .bind(workspace.0)
        .fetch_one(&owner)
        .await
        .unwrap();
    // Each chunk has one window here.
    assert_eq!((here, elsewhere, bare), (chunks, 0, 0));
    assert!(relation > 1);
    assert_eq!(rows(&owner, neighbour).await, (0, 200, 0, 0));
    // The same run has built its index; the neighbour is still searched exactly, and neither sees the other.
    assert_eq!(nearest(&store, workspace, 1, 10).await.plan, SearchPlan::IvfFlat);
    let theirs = nearest(&store, neighbour, 1, 10).await;
    assert!(theirs.plan == SearchPlan::Exact && theirs.matches.iter().all(|m| m.text.starts_with("theirs")));
    let status = index::status(&database.application(), &limits()).await.unwrap();
    assert_eq!(status.report.largest[0].workspace.as_deref(), Some("large"));
    assert!(status.relations.iter().all(|relation| relation.moving.is_none()));
    println!("{searches} searches and {written} documents during a move of {here} rows; writers waited {} ms", moved.locked_ms);
}

/// Runs until it waits for a lock, and kills its connection there.
async fn killed_while_waiting(database: &TestDatabase) {
    let run = tokio::spawn({
        let owner = database.owner();
        async move { index::run(&owner, &limits()).await }
    });
    let watcher = database.owner();
    let waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'";
    let found = async {
        loop {
            let pid: Option<i32> = sqlx::query_scalar(waiting).fetch_optional(&watcher).await.unwrap();
            if let Some(pid) = pid {
                return pid;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let pid = tokio::time::timeout(Duration::from_secs(30), found).await.expect("the run never waited");
    sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&watcher).await.unwrap();
    run.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_at_any_step_is_taken_up() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = database.workspace("large").await;
    document(&store, workspace, "all", 600).await;
    let phase = || async {
        let phases: Vec<String> = sqlx::query_scalar("SELECT move_phase FROM index_state WHERE move_phase IS NOT NULL")
            .fetch_all(&database.owner())
            .await
            .unwrap();
        phases.join(" ")
    };
    let due = || async { index::status(&database.application(), &limits()).await.unwrap().report.due };
    assert!(due().await);
    // What each step waits for: making the relation, the switch, copying, removing what was moved.
    let steps = [
        ("LOCK TABLE index_state IN SHARE MODE", ""),
        ("SELECT 1 FROM workspace WHERE name = 'large' FOR KEY SHARE", "copying"),
        ("LOCK TABLE embeddings IN SHARE MODE", "copying"),
        ("SELECT 1 FROM embeddings_0 WHERE workspace_id = (SELECT max(id) FROM workspace) LIMIT 1 FOR UPDATE", "clearing"),
    ];
    for (number, (lock, left)) in steps.into_iter().enumerate() {
        let mut blocker = owner.begin().await.unwrap();
        sqlx::raw_sql(lock).execute(&mut *blocker).await.unwrap();
        killed_while_waiting(&database).await;
        blocker.rollback().await.unwrap();
        assert_eq!(phase().await, left, "{lock}");
        assert!(due().await, "nothing is due after {lock}");
        assert_eq!(nearest(&store, workspace, 1, 10).await.matches.len(), 10, "{lock}");
        // Written between the runs.
        document(&store, workspace, &format!("after {number}"), 3).await;
    }
    let report = index::run(&owner, &limits()).await.unwrap();
    assert!(report.moves.iter().all(|moved| moved.done), "{report:?}");
    let (relation, here, elsewhere, bare) = rows(&owner, workspace).await;
    assert!(relation > 1 && (here, elsewhere, bare) == (612, 0, 0), "{:?}", (relation, here, elsewhere, bare));
    assert_eq!(phase().await, "");
    assert!(!due().await);
    assert_eq!(relations(&owner).await.len(), 3, "a relation was left behind");
}

#[tokio::test]
async fn the_relation_of_a_workspace_that_is_gone_is_dropped_and_one_in_use_is_not() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = database.workspace("large").await;
    document(&store, workspace, "all", 400).await;
    index::run(&owner, &limits()).await.unwrap();
    let (relation, ..) = rows(&owner, workspace).await;
    for in_use in [0, 1, relation] {
        assert!(!index::drop_relation(&owner, in_use).await.unwrap());
    }
    let searched = tokio::spawn({
        let store = store.clone();
        async move { nearest(&store, workspace, 1, 10).await }
    });
    searched.await.unwrap();
    remove_workspace(&owner, workspace).await;
    assert!(index::drop_relation(&owner, relation).await.unwrap());
    assert_eq!(relations(&owner).await.len(), 2);
    // Once more is no failure, and the report goes on without it.
    assert!(index::drop_relation(&owner, relation).await.unwrap());
    let status = index::status(&database.application(), &limits()).await.unwrap();
    assert_eq!((status.relations.len(), status.report.vectors), (2, 0));
}

#[tokio::test]
async fn a_workspace_that_goes_while_it_moves_leaves_nothing() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = database.workspace("large").await;
    document(&store, workspace, "all", 400).await;
    let mut blocker = owner.begin().await.unwrap();
    sqlx::raw_sql("SELECT 1 FROM workspace WHERE name = 'large' FOR KEY SHARE").execute(&mut *blocker).await.unwrap();
    killed_while_waiting(&database).await;
    blocker.rollback().await.unwrap();
    assert_eq!(relations(&owner).await.len(), 3);
    remove_workspace(&owner, workspace).await;
    let report = index::run(&owner, &limits()).await.unwrap();
    assert!(report.moves.is_empty(), "{report:?}");
    assert_eq!(relations(&owner).await.len(), 2);
}

/// The copy names its columns: whoever adds one to the table adds it to the copy in `index/moves.rs`, then here.
#[tokio::test]
async fn every_column_moves() {
    let database = fresh().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'embeddings'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )
    .fetch_all(&database.owner())
    .await
    .unwrap();
    let copied = ["relation_id", "workspace_id", "collection_id", "chunk_id", "window_number", "space_id", "embedding"];
    assert_eq!(columns, copied);
}

async fn remove_workspace(owner: &PgPool, workspace: WorkspaceId) {
    for table in ["job_item", "job", "embeddings", "chunk", "document", "blob", "collection"] {
        let sql = format!("DELETE FROM {table} WHERE workspace_id = {}", workspace.0);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
    }
    sqlx::query("DELETE FROM workspace WHERE id = $1").bind(workspace.0).execute(owner).await.unwrap();
}

/// Prints how long a real size takes; the bounds are wide, for machines that do other things too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_rows_move_within_a_minute() {
    let database = fresh_for("wide", 384).await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = database.workspace("large").await;
    crate::index_recall::fill(&owner, workspace, 20_000, 384).await;
    let begun = Instant::now();
    let config = Index { exact_below: 10_000, ..Index::default() };
    let report = index::run(&owner, &config).await.unwrap();
    let moved = &report.moves[0];
    println!(
        "moved {} rows of 384 numbers in {} ms, writers waited {} ms; with the index {} ms",
        moved.rows,
        moved.took_ms,
        moved.locked_ms,
        begun.elapsed().as_millis()
    );
    assert!(moved.done && moved.rows == 20_000 && moved.locked_ms < 10_000 && moved.took_ms < 60_000, "{report:?}");
    let relation = report.relations.iter().find(|relation| relation.relation == moved.relation).unwrap();
    assert_eq!(relation.after, IndexKind::IvfFlat { lists: 100 });
    let query = NearestQuery { workspace, vector: vec![0.05; 384], limit: 10, filter: None };
    // Without texts behind the vectors there is nothing to show; the search must run by the index all the same.
    store.nearest(&query).await.unwrap();
}
