//! Filters: that the store's SQL means what `Filter::holds` means, on every way that a search can take, and finds what is near.

use std::collections::BTreeSet;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use ragline_config::Index;
use ragline_gateway::{
    backends::pgvector::Store,
    index,
    traits::{
        filter::{Comparison, Filter, Scalar},
        ingest::{DocumentStore, Metadata},
        search::{CollectionId, NearestQuery, SearchPlan, Searcher, WorkspaceId},
    },
};
use serde_json::{Value, json};

use crate::{
    database::{default_workspace, fresh},
    store_fixture::{FINGERPRINT, chunk, claimed, document, object, vector},
};

/// Stores a document; the chunks are called by the source and their place.
pub(crate) async fn stored_with(store: &Store, workspace: WorkspaceId, source: &str, metadata: Value, chunks: Vec<Value>) {
    let claim = claimed(store, workspace, source, metadata).await;
    let staged = chunks.into_iter().enumerate().map(|(place, metadata)| {
        let place = place as u32;
        let mut staged = chunk(place, &format!("{source} {place}"), place);
        staged.metadata = object(metadata);
        staged
    });
    store.stage(&claim, staged.collect()).await.unwrap();
    store.publish(&claim, document(), &FINGERPRINT).await.unwrap();
}

/// Values that are easily taken for one another.
fn values() -> Vec<Value> {
    let long = "long ".repeat(60);
    vec![
        json!("a"),
        json!("B"),
        json!("é"),
        json!(""),
        json!("5"),
        json!("true"),
        json!(format!("{long}a")),
        json!(format!("{long}b")),
        json!(5),
        json!(-1.5),
        json!(0.1),
        json!(9_007_199_254_740_993_u64),
        json!(5e-324),
        json!(true),
        json!(false),
        json!(null),
        json!([]),
        json!(["a", 5, true]),
        json!(["B", null, ["a"], {"x": 1}]),
        json!({"x": 1, "y": ["a"]}),
    ]
}

/// Documents and chunks with each value under `k`, some chunks with another on top, and some keys missing.
async fn fill(store: &Store, workspace: WorkspaceId) -> Vec<(String, Metadata)> {
    let mut expected = Vec::new();
    let all = values();
    for (number, value) in all.iter().enumerate() {
        let other = &all[(number * 7 + 3) % all.len()];
        let of_document = match number % 3 {
            0 => json!({ "k": value }),
            1 => json!({ "k": value, "l": other }),
            _ => json!({ "l": value }),
        };
        let of_chunks = match number % 4 {
            0 => vec![json!({})],
            1 => vec![json!({}), json!({ "k": other })],
            2 => vec![json!({ "l": other }), json!({ "m": number })],
            _ => vec![json!({ "k": null }), json!({ "k": other, "m": value })],
        };
        let source = format!("{number}.txt");
        stored_with(store, workspace, &source, of_document.clone(), of_chunks.clone()).await;
        for (place, own) in of_chunks.into_iter().enumerate() {
            let mut metadata = object(of_document.clone());
            metadata.extend(object(own));
            expected.push((format!("{source} {place}"), metadata));
        }
    }
    expected
}

async fn passing(store: &Store, workspace: WorkspaceId, filter: &Filter) -> BTreeSet<String> {
    let query = NearestQuery { workspace, vector: vector(0), limit: 100, filter: Some(filter.clone()) };
    store.nearest(&query).await.unwrap().matches.into_iter().map(|found| found.text).collect()
}

fn scalars() -> impl Strategy<Value = Scalar> {
    let all: Vec<Scalar> =
        values().iter().filter_map(Scalar::of).chain([Scalar::Number(5.5), Scalar::Text("aa".into())]).collect();
    prop::sample::select(all)
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    let list = || prop::collection::vec(scalars(), 0..4);
    prop_oneof![
        scalars().prop_map(Comparison::Eq),
        scalars().prop_map(Comparison::Ne),
        scalars().prop_map(Comparison::Gt),
        scalars().prop_map(Comparison::Gte),
        scalars().prop_map(Comparison::Lt),
        scalars().prop_map(Comparison::Lte),
        list().prop_map(Comparison::In),
        list().prop_map(Comparison::Nin),
    ]
}

fn keys() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["k".to_owned(), "l".to_owned(), "m".to_owned(), "none".to_owned()])
}

fn filters() -> impl Strategy<Value = Filter> {
    let compare = (keys(), comparisons()).prop_map(|(key, comparison)| Filter::Compare { key, comparison });
    let contains = prop::collection::vec((keys(), prop::sample::select(values())), 1..3)
        .prop_map(|pairs| Filter::Contains(pairs.into_iter().collect()));
    prop_oneof![4 => compare, 1 => contains].prop_recursive(3, 12, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![list().prop_map(Filter::All), list().prop_map(Filter::Any)]
    })
}

/// Each way of a search: chunk by chunk, all that pass at once, and along an index.
async fn ways(database: &crate::database::TestDatabase, store: &Store) -> Vec<(SearchPlan, Store)> {
    let one_by_one = store.clone();
    let at_once = database.store().with_few_allowed(0);
    let config = Index { exact_below: 1, small_below: 2, medium_below: 3, ..Index::default() };
    index::run(&database.owner(), &config).await.unwrap();
    vec![(SearchPlan::Exact, one_by_one), (SearchPlan::Hnsw, at_once)]
}

async fn agrees(store: &Store, workspace: WorkspaceId, expected: &[(String, Metadata)], filter: &Filter) {
    let holds: BTreeSet<_> =
        expected.iter().filter(|(_, metadata)| filter.holds(CollectionId(0), metadata)).map(|(text, _)| text.clone()).collect();
    assert_eq!(passing(store, workspace, filter).await, holds, "{}", filter.canonical());
}

/// One filter for each operator and each value.
fn every_comparison() -> Vec<Filter> {
    let all: Vec<Scalar> = values().iter().filter_map(Scalar::of).collect();
    let of = |value: &Scalar| {
        [
            Comparison::Eq(value.clone()),
            Comparison::Ne(value.clone()),
            Comparison::Gt(value.clone()),
            Comparison::Gte(value.clone()),
            Comparison::Lt(value.clone()),
            Comparison::Lte(value.clone()),
            Comparison::In(vec![value.clone(), Scalar::Text("a".into())]),
            Comparison::Nin(vec![value.clone(), Scalar::Text("a".into())]),
        ]
    };
    all.iter().flat_map(of).map(|comparison| Filter::Compare { key: "k".into(), comparison }).collect()
}

#[tokio::test]
async fn every_comparison_of_every_value_means_what_it_says_on_every_way() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let expected = fill(&store, workspace).await;
    let at_once = database.store().with_few_allowed(0);
    for filter in every_comparison() {
        agrees(&store, workspace, &expected, &filter).await;
        agrees(&at_once, workspace, &expected, &filter).await;
    }
    for value in values() {
        agrees(&store, workspace, &expected, &object(json!({ "k": value })).into()).await;
        agrees(&at_once, workspace, &expected, &object(json!({ "k": value })).into()).await;
    }
}

#[tokio::test]
async fn filters_at_random_mean_what_they_say_on_every_way() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let expected = fill(&store, workspace).await;
    let mut runner = TestRunner::deterministic();
    let at_random: Vec<Filter> = (0..150).map(|_| filters().new_tree(&mut runner).unwrap().current()).collect();
    let exact_at_once = database.store().with_few_allowed(0);
    for filter in &at_random {
        agrees(&exact_at_once, workspace, &expected, filter).await;
    }
    for (_, store) in ways(&database, &store).await {
        for filter in &at_random {
            agrees(&store, workspace, &expected, filter).await;
        }
    }
}

#[tokio::test]
async fn what_a_document_is_can_be_compared_and_its_metadata_come_first() {
    let database = fresh().await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    stored_with(&store, workspace, "a.txt", json!({}), vec![json!({})]).await;
    stored_with(&store, workspace, "b.txt", json!({ "title": "Mine", "created_at": 7 }), vec![json!({})]).await;
    let text = |text: &str| Scalar::Text(text.to_owned());
    let cases = [
        ("source", Comparison::Eq(text("a.txt")), vec!["a.txt 0"]),
        ("filename", Comparison::In(vec![text("a.txt"), text("b.txt")]), vec!["a.txt 0", "b.txt 0"]),
        ("content_type", Comparison::Eq(text("text/plain")), vec!["a.txt 0", "b.txt 0"]),
        ("title", Comparison::Eq(text("A title")), vec!["a.txt 0"]),
        ("title", Comparison::Eq(text("Mine")), vec!["b.txt 0"]),
        ("created_at", Comparison::Gt(Scalar::Number(1.7e9)), vec!["a.txt 0"]),
        ("created_at", Comparison::Gt(text("2024-01-01")), vec!["a.txt 0"]),
        ("created_at", Comparison::Eq(Scalar::Number(7.0)), vec!["b.txt 0"]),
    ];
    for (key, comparison, expected) in cases {
        let filter = Filter::Compare { key: key.into(), comparison };
        let found = passing(&store, workspace, &filter).await;
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{}", filter.canonical());
    }
}

#[tokio::test]
async fn rows_of_attributes_come_and_go_with_their_document() {
    let database = fresh().await;
    let (store, owner) = (database.store(), database.owner());
    let workspace = default_workspace(&store).await;
    let rows = || async {
        sqlx::query_as::<_, (String, bool)>(
            "SELECT a.key || '=' || coalesce(a.text_value, a.number_value::text, a.boolean_value::text), a.chunk_id = 0 \
             FROM attribute a WHERE key IN ('k', 'l') ORDER BY 1, a.chunk_id",
        )
        .fetch_all(&owner)
        .await
        .unwrap()
    };
    stored_with(&store, workspace, "a.txt", json!({ "k": 1, "l": [true, "x"] }), vec![json!({}), json!({ "k": 2 })]).await;
    let first = [("k=1", false), ("k=2", false), ("l=true", true), ("l=x", true)].map(|(row, whole)| (row.to_owned(), whole));
    assert_eq!(rows().await, first);
    stored_with(&store, workspace, "a.txt", json!({ "k": 3 }), vec![json!({}), json!({ "l": 4 })]).await;
    assert_eq!(rows().await, [("k=3".to_owned(), true), ("l=4".to_owned(), false)]);
    // What was stored before there were attributes gets them from the same function as the migration calls.
    sqlx::raw_sql("DELETE FROM attribute; SELECT fill_attributes(array_agg(id)) FROM document").execute(&owner).await.unwrap();
    assert_eq!(rows().await, [("k=3".to_owned(), true), ("l=4".to_owned(), false)]);
    let page = store.list(workspace, None, 1).await.unwrap();
    store.delete(workspace, page.documents[0].id).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM attribute").fetch_one(&owner).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn attributes_are_the_workspaces_own() {
    let database = fresh().await;
    let store = database.store();
    let (mine, other) = (default_workspace(&store).await, database.workspace("other").await);
    stored_with(&store, other, "secret.txt", json!({ "k": "x" }), vec![json!({})]).await;
    stored_with(&store, mine, "mine.txt", json!({ "k": "x" }), vec![json!({})]).await;
    let filter = Filter::Compare { key: "k".into(), comparison: Comparison::Eq(Scalar::Text("x".into())) };
    assert_eq!(passing(&store, mine, &filter).await, BTreeSet::from(["mine.txt 0".to_owned()]));
    assert_eq!(passing(&store, other, &filter).await, BTreeSet::from(["secret.txt 0".to_owned()]));
}
