//! The node of PostgreSQL and Valkey is cut off for a minute: searches go on at the read replica, writes are told 503 until the node is
//! back, and nothing that was taken is lost.

use std::time::{Duration, Instant};

use ragline_crds::ConditionType;
use serde_json::Value;

use super::{
    PACE,
    cut::{CutOff, FIRST, Placing, SECOND, pods, second_is_ready, settled},
    until,
    writes::{Became, Write, Writes, lost, takes_writes},
};
use crate::e2e::{
    api::Gateway,
    load::{Load, Outcome},
    replicas::{primary, searched},
    rollout,
    world::World,
};

/// The node is off for so long.
const OFF: Duration = Duration::from_secs(60);
/// No search may take longer.
const LONGEST_SEARCH: Duration = Duration::from_secs(10);
/// Whoever writes is told within this time that it is not possible.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// Writes are taken again so soon after the node is back.
const BACK_WITHIN: Duration = Duration::from_secs(30);

fn spec(replicas: u32) -> Value {
    let mut spec = rollout::spec("info");
    spec["postgres"]["managed"]["replicas"] = replicas.into();
    spec
}

/// PostgreSQL and Valkey on the second node, a replica and two gateways on the first.
async fn start(world: &World) {
    let placing = Placing::on(SECOND);
    world.apply("a", spec(0)).await.unwrap();
    for component in ["postgres", "cache"] {
        until(&format!("{component} has a node"), 120, async || {
            pods(world, component).await.iter().any(|pod| pod.node.is_some())
        })
        .await;
    }
    drop(placing);
    world.wait("a", ConditionType::Ready, "True", 300).await;
    world.apply("a", spec(1)).await.unwrap();
    world.wait_reason("a", ConditionType::DatabaseReady, "Replicated", 180).await;
    world.wait("a", ConditionType::Reconciling, "False", 180).await;
    for (component, nodes) in
        [("postgres", &[SECOND][..]), ("cache", &[SECOND]), ("replica", &[FIRST]), ("gateway", &[FIRST, FIRST])]
    {
        settled(world, component, nodes).await;
    }
    searched(world, 1).await;
    Gateway::of(world, "a").await.ingest(&[("a.md", "# Lighthouse\n\nThe lighthouse is lit at dusk.\n")]).await;
}

/// Whether a write was told as it should be that it is not possible now.
fn is_told(write: &Write) -> bool {
    let Became::Refused { status: 503, code, retry_after: true } = &write.became else { return false };
    code.starts_with("database_") && write.took < TOLD_WITHIN
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_go_on_and_writes_wait_while_the_node_of_the_database_is_cut_off() {
    let world = World::alone("database").await;
    start(&world).await;
    let before = primary(&world).await;
    let load = Load::begin(&world, PACE, true).await;
    let writes = Writes::begin(&world).await;
    until("writes are taken", 30, async || takes_writes(&world).await).await;

    let cut = CutOff::second();
    let cut_at = Instant::now();
    let noticed = until("the node counts as lost", 60, async || !second_is_ready(&world).await).await;
    tokio::time::sleep(OFF.saturating_sub(cut_at.elapsed())).await;
    drop(cut);
    let mended_at = Instant::now();
    until("the node is back", 60, async || second_is_ready(&world).await).await;
    world.wait_reason("a", ConditionType::DatabaseReady, "Replicated", 120).await;
    until("writes are taken again", 120, async || takes_writes(&world).await).await;
    let Outcome { sent, failures, slowest, .. } = load.end().await;
    let writes = writes.end().await;

    let lost = lost(&world, &writes).await;
    let meanwhile: Vec<_> = writes.iter().filter(|write| write.sent > cut_at && write.sent < mended_at).collect();
    let slowest_write = meanwhile.iter().map(|write| write.took).max().unwrap_or_default();
    let again = writes.iter().find(|write| write.sent > mended_at && write.is_taken()).expect("no write was taken afterwards");
    let again = again.sent.duration_since(mended_at) + again.took;
    println!(
        "node of PostgreSQL and Valkey cut off for {:.0} s, noticed after {noticed:.0} s: {} of {sent} searches failed, the slowest took \
         {slowest:.1?}; {} writes told 503, the slowest after {slowest_write:.1?}; taken again {again:.1?} after the node was back; {} of {} \
         documents lost",
        mended_at.duration_since(cut_at).as_secs_f64(),
        failures.len(),
        meanwhile.len(),
        lost.len(),
        writes.iter().filter(|write| write.is_taken()).count(),
    );
    assert!(failures.is_empty(), "{} searches failed: {:?}", failures.len(), failures.first());
    assert!(slowest < LONGEST_SEARCH, "{slowest:?}");
    assert!(meanwhile.len() > 30, "{}", meanwhile.len());
    let strange: Vec<_> = meanwhile.iter().filter(|write| !is_told(write)).collect();
    assert!(strange.is_empty(), "{} of {}: {:?}", strange.len(), meanwhile.len(), strange.first());
    assert!(again < BACK_WITHIN, "{again:?}");
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(primary(&world).await, before, "PostgreSQL was started again");
    world.end().await;
}
