//! A gateway's node is lost: others answer, and another one takes its place.

use std::time::Instant;

use ragline_crds::ConditionType;
use serde_json::Value;

use super::{
    PACE, answers,
    cut::{CutOff, FIRST, Placed, Placing, SECOND, pods, second_is_ready, settled},
    until,
};
use crate::e2e::{
    api::Gateway,
    load::{Load, Outcome},
    programs::kubectl,
    rollout,
    world::World,
};

/// Requests may fail for so many seconds.
const GAP: f64 = 60.0;

fn spec(gateways: u32) -> Value {
    let mut spec = rollout::spec("info");
    spec["gateway"]["replicas"] = gateways.into();
    spec
}

fn on<'a>(pods: &'a [Placed], node: &str) -> Option<&'a Placed> {
    pods.iter().find(|pod| pod.node.as_deref() == Some(node) && !pod.ending)
}

/// All on the first node, with one gateway.
async fn start(world: &World) {
    world.apply("a", spec(1)).await.unwrap();
    world.wait("a", ConditionType::Ready, "True", 300).await;
    world.wait("a", ConditionType::Reconciling, "False", 120).await;
    settled(world, "gateway", &[FIRST]).await;
    Gateway::of(world, "a").await.ingest(&[("a.md", "# Lighthouse\n\nThe lighthouse is lit at dusk.\n")]).await;
}

/// Cuts the second node off until so many gateways are ready on the first, and lets it come back; all under questions.
async fn lose(world: &World, gateways: usize) -> Outcome {
    let documents = Gateway::of(world, "a").await.get("/v1/documents").await;
    let load = Load::begin(world, PACE, true).await;
    let gone = on(&pods(world, "gateway").await, SECOND).expect("a gateway on the second node").name.clone();
    let cut = CutOff::second();
    let cut_at = Instant::now();
    until("others have taken over", 120, async || {
        let pods = pods(world, "gateway").await;
        pods.iter().filter(|pod| pod.ready && !pod.ending && pod.node.as_deref() == Some(FIRST)).count() == gateways
    })
    .await;
    let replaced = cut_at.elapsed();
    until("requests are answered", 60, async || answers(world).await).await;
    drop(cut);
    until("the node is back", 60, async || second_is_ready(world).await).await;
    until("the lost gateway has ended", 240, async || pods(world, "gateway").await.iter().all(|pod| pod.name != gone)).await;
    let outcome = load.end().await;
    println!(
        "node of a gateway lost, {gateways} wanted: {} of {} questions failed, within {:.1} s; replaced after {replaced:.1?}",
        outcome.failures.len(),
        outcome.sent,
        outcome.gap(),
    );
    assert!(outcome.gap() < GAP, "{:.1} s: {:?}", outcome.gap(), outcome.failures.last());
    assert_eq!(Gateway::of(world, "a").await.get("/v1/documents").await, documents, "what was stored is there");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_node_costs_less_than_a_minute_with_two_gateways_and_with_one() {
    let world = World::alone("gateway").await;
    start(&world).await;
    let placing = Placing::on(SECOND);
    world.apply("a", spec(2)).await.unwrap();
    settled(&world, "gateway", &[FIRST, SECOND]).await;
    drop(placing);
    lose(&world, 2).await;

    // One alone, on the node that is lost.
    world.apply("a", spec(1)).await.unwrap();
    settled(&world, "gateway", &[FIRST]).await;
    let placing = Placing::on(SECOND);
    kubectl(&["-n", &world.namespace, "delete", "pods", "-l", "app.kubernetes.io/component=gateway"]);
    settled(&world, "gateway", &[SECOND]).await;
    drop(placing);
    lose(&world, 1).await;
    world.end().await;
}
