//! The index follows the data: a pipeline with lowered limits goes from exact search over ivfflat to HNSW while it is searched.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use ragline_crds::{ConditionType, status::IndexType};
use serde_json::json;

use super::{api::Gateway, world::World};

/// Texts that are each a document of one vector or a few.
fn texts(from: usize, count: usize) -> Vec<(String, String)> {
    let subjects = ["harbour", "orchard", "quarry", "library", "glacier", "market", "foundry", "meadow"];
    (from..from + count)
        .map(|n| {
            let subject = subjects[n % subjects.len()];
            (
                format!("{n}.txt"),
                format!("Note {n} is about the {subject} of the town number {n}, which has {} gates.", n * 7 % 97),
            )
        })
        .collect()
}

async fn ingest(gateway: &Gateway, from: usize, count: usize) {
    for part in texts(from, count).chunks(50) {
        let files: Vec<_> = part.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        gateway.ingest(&files).await;
    }
}

async fn wait_index(world: &World, wanted: IndexType) {
    world
        .wait_for("a", &format!("an active index {wanted:?}"), 240, |pipeline| {
            let active = pipeline.status.as_ref()?.index.as_ref()?.active.as_ref()?;
            (active.type_ == wanted).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_follows_the_data_while_it_is_searched() {
    let world = World::new("index").await;
    let spec = json!({
        "index": {"exactBelow": 100, "smallBelow": 200, "mediumBelow": 300},
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}}},
        "cache": {"disabled": {}},
        "gateway": {"replicas": 1, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}},
    });
    world.apply("a", spec).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    let gateway = Arc::new(Gateway::of(&world, "a").await);
    ingest(&gateway, 0, 50).await;
    wait_index(&world, IndexType::Exact).await;

    let (stop, searches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let searcher = tokio::spawn({
        let (gateway, stop, searches) = (gateway.clone(), stop.clone(), searches.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                let found = gateway.search("Which town has an orchard?").await;
                assert!(!found["data"].as_array().unwrap().is_empty(), "{found:#}");
                searches.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    });
    ingest(&gateway, 50, 100).await;
    wait_index(&world, IndexType::IvfFlat).await;
    ingest(&gateway, 150, 200).await;
    wait_index(&world, IndexType::Hnsw).await;
    stop.store(true, Ordering::Relaxed);
    searcher.await.expect("no search failed or came back empty meanwhile");
    println!("{} searches while the index changed twice", searches.load(Ordering::Relaxed));
    let ready = world.wait("a", ConditionType::IndexReady, "True", 30).await;
    assert_eq!(ready.reason, "Hnsw");
    let relations = world
        .wait_for("a", "a relation with an HNSW index", 60, |pipeline| {
            pipeline.status.as_ref()?.index.as_ref()?.relations.clone().filter(|relations| relations.hnsw == 1)
        })
        .await;
    assert_eq!(relations.largest[0].type_, IndexType::Hnsw, "{relations:?}");
    world.end().await;
}
