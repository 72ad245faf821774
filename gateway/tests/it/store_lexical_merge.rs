//! Merges while others search, merge, ingest, or the merger dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ragline_gateway::{
    backends::pgvector::Store,
    traits::search::{Searcher, WorkspaceId},
};
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    database::{default_workspace, fresh},
    lexical_fixture::{astray, levels, matching, question},
    store_fixture::{chunk, stored},
};

async fn ingest(store: &Store, workspace: WorkspaceId, documents: std::ops::Range<u32>) {
    for n in documents {
        stored(store, workspace, &format!("{n}.txt"), vec![chunk(0, &format!("red number{n}"), n)]).await;
    }
}

/// Waits for a fact of the database.
async fn until(owner: &PgPool, fact: &str) {
    tokio::time::timeout(Duration::from_secs(60), async {
        while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(fact.to_owned())).fetch_one(owner).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("waited in vain for {fact}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_comes_back_short_while_segments_are_merged() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    stored(&store, workspace, "pink.txt", (0..50).map(|n| chunk(n, &format!("pink {n}"), n)).collect()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let search = || {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(matching(&store, workspace, "pink", 100).await.hits.len(), 50);
            }
        })
    };
    let searches = [search(), search()];
    // Two gateways ingest and merge, each as fast as it can.
    let other = database.store();
    let merging = async {
        while !stop.load(Ordering::Relaxed) {
            other.tend_all(false).await.unwrap();
        }
    };
    let ingesting = async {
        ingest(&store, workspace, 0..140).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(merging, ingesting);
    for search in searches {
        search.await.unwrap();
    }
    assert_eq!(astray(&owner).await, (0, 0));
    assert_eq!(matching(&store, workspace, "red", 200).await.hits.len(), 140);
}

#[tokio::test]
async fn an_ingest_that_outruns_the_upkeep_merges_by_itself() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    ingest(&store, workspace, 0..64).await;
    assert_eq!(levels(&owner).await, [(0, 64, 64)]);
    ingest(&store, workspace, 64..65).await;
    assert_eq!(levels(&owner).await, [(0, 1, 1), (1, 1, 64)]);
    assert_eq!(matching(&store, workspace, "red", 100).await.hits.len(), 65);
}

#[tokio::test]
async fn of_two_mergers_one_leaves() {
    let database = fresh().await;
    let (here, there, owner) = (database.store(), database.store(), database.owner());
    let workspace = default_workspace(&here).await;
    ingest(&here, workspace, 0..40).await;
    // One of them stands still in the middle: it cannot write.
    let mut hold = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE lex_post IN SHARE MODE").execute(&mut *hold).await.unwrap();
    let first = tokio::spawn(async move { here.tend_all(false).await });
    until(&owner, "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'lex_post'::regclass)").await;
    tokio::time::timeout(Duration::from_secs(20), there.tend_all(true)).await.expect("the second waits").unwrap();
    assert_eq!(matching(&there, workspace, "red", 100).await.hits.len(), 40);
    assert_eq!(levels(&owner).await, [(0, 40, 40)]);
    hold.rollback().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(levels(&owner).await, [(1, 1, 40)]);
    assert_eq!(matching(&there, workspace, "red", 100).await.hits.len(), 40);
}

#[tokio::test]
async fn a_merger_that_dies_leaves_everything_as_it_was() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    ingest(&store, workspace, 0..40).await;
    let mut hold = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE lex_post IN SHARE MODE").execute(&mut *hold).await.unwrap();
    let merger = database.store();
    let merging = tokio::spawn(async move { merger.tend_all(false).await });
    let waiting = "pid IN (SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'lex_post'::regclass)";
    until(&owner, &format!("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE {waiting})")).await;
    let superuser = database.superuser().await;
    sqlx::raw_sql(AssertSqlSafe(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}")))
        .execute(&superuser)
        .await
        .unwrap();
    merging.await.unwrap().unwrap_err();
    hold.rollback().await.unwrap();
    assert_eq!(levels(&owner).await, [(0, 40, 40)]);
    assert_eq!(matching(&store, workspace, "red", 100).await.hits.len(), 40);
    store.tend_all(false).await.unwrap();
    assert_eq!(levels(&owner).await, [(1, 1, 40)]);
    assert_eq!(astray(&owner).await, (0, 0));
    assert_eq!(matching(&store, workspace, "red", 100).await.hits.len(), 40);
}

#[tokio::test]
async fn segments_of_an_older_analyzer_serve_until_they_are_made_anew() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    ingest(&store, workspace, 0..40).await;
    store.tend_all(false).await.unwrap();
    sqlx::raw_sql("UPDATE lex_seg SET analyzer = 0").execute(&owner).await.unwrap();
    ingest(&store, workspace, 40..42).await;
    assert_eq!(matching(&store, workspace, "red", 100).await.hits.len(), 42);
    store.tend_all(false).await.unwrap();
    let old: i64 = sqlx::query_scalar("SELECT count(*) FROM lex_seg WHERE analyzer = 0").fetch_one(&owner).await.unwrap();
    assert_eq!((old, astray(&owner).await), (0, (0, 0)));
    assert_eq!(matching(&store, workspace, "red", 100).await.hits.len(), 42);
}

#[tokio::test]
async fn no_search_reads_all_postings_before_or_after_the_statistics() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    // So many terms that reading them all is dearer than asking the index; a table of one page is rightly read whole.
    for documents in 0..2 {
        for n in documents * 32..(documents + 1) * 32 {
            let words: Vec<_> = (0..200).map(|word| format!("number{}", n * 200 + word)).collect();
            stored(&store, workspace, &format!("{n}.txt"), vec![chunk(0, &words.join(" "), n)]).await;
        }
        store.tend_all(false).await.unwrap();
    }
    // A connection hands in what it counted at its end at the latest; merges are none of this test's business.
    store.pool().close().await;
    let gone = "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ragline_app' \
        AND application_name = 'ragline' AND query NOT LIKE 'LISTEN%')";
    until(&owner, gone).await;
    sqlx::raw_sql("SELECT pg_stat_reset_single_table_counters('lex_post'::regclass)")
        .execute(&database.superuser().await)
        .await
        .unwrap();
    let store = database.store();
    for statistics in ["SELECT 1", "ANALYZE lex_post, lex_seg, chunk"] {
        sqlx::raw_sql(statistics).execute(&owner).await.unwrap();
        let scans =
            || sqlx::query_as::<_, (i64, i64)>("SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'lex_post'");
        let (_, before) = scans().fetch_one(&owner).await.unwrap();
        // The counters are handed in by a later transaction.
        tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                store.matching(&question(workspace, "number7 number8000", 10)).await.unwrap();
                let (whole, by_index) = scans().fetch_one(&owner).await.unwrap();
                assert_eq!(whole, 0);
                if by_index > before {
                    break;
                }
            }
        })
        .await
        .expect("no scan was counted");
    }
}
