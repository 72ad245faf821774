//! A pipeline is deleted at every write of a trip, which goes on with what it knew. The operator has no finalizer: what it makes
//! after the deletion must go as well.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the figures")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use kube::api::DeleteParams;
use serde_json::json;

use super::{
    crash::large,
    door::{Call, Door, Fate},
    normal::Exactness,
    operator::{Operator, Trip},
    server::Server,
    world::World,
};

const AT_ONCE: usize = 6;
/// Kubernetes looks for new kinds every 30 s, and cannot collect the children of one that it does not know.
const COLLECTED: Duration = Duration::from_secs(120);

/// An operator whose write of this number is held.
async fn held_at(server: &Server, number: usize) -> Operator {
    let seen = AtomicUsize::new(0);
    let judge = move |_, call: &Call| {
        let is_it = call.writes() && seen.fetch_add(1, Ordering::SeqCst) + 1 == number;
        if is_it { Fate::Hold } else { Fate::Pass }
    };
    Operator::new(Door::new(server, judge).await)
}

/// Deletes the pipeline at this write of its first trips; gives what stays, or `None` where there are not so many writes.
async fn deleted_at(world: &World, policy: &str, number: usize) -> Option<BTreeSet<String>> {
    let name = format!("p{number}");
    let mut spec = large();
    spec["deletionPolicy"] = json!(policy);
    world.apply(&name, &spec).await.unwrap();
    let operator = held_at(&world.server, number).await;
    let (mut stands, mut at_rest, mut was_held) = (false, false, false);
    while !at_rest && !was_held {
        let trip = world.trip(&operator, &name);
        let deletion = async {
            operator.door.held().await;
            world.pipelines().delete(&name, &DeleteParams::background()).await.unwrap();
            while world.pipelines().get_opt(&name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            operator.door.release();
            std::future::pending::<()>().await;
        };
        let wrote = tokio::select! {
            trip = trip => match trip {
                Trip::Done { writes } => writes > 0,
                // A pod cannot be told of any more, or a status not written: all the same.
                Trip::Failed(_) => true,
                Trip::Crashed => unreachable!("nobody kills it"),
            },
            () = deletion => true,
        };
        was_held = world.pipelines().get_opt(&name).await.unwrap().is_none();
        if !was_held {
            at_rest = stands && !wrote;
            world.settle(&name).await;
            stands = true;
        }
    }
    was_held.then_some(())?;
    let begun = Instant::now();
    loop {
        let left: BTreeSet<String> = world.snapshot(&name, Exactness::Way).await.into_keys().collect();
        let may_stay =
            |what: &String| policy == "Retain" && (what.starts_with("Secret ") || what.starts_with("PersistentVolumeClaim "));
        if left.iter().all(may_stay) {
            return Some(left);
        }
        assert!(begun.elapsed() < COLLECTED, "{name} was deleted at its write {number}, and this is left: {left:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_deleted_in_the_middle_of_a_trip_leaves_only_what_it_shall() {
    let server = Server::shared().await;
    for policy in ["Delete", "Retain"] {
        let world = Arc::new(World::new(&server, &policy.to_lowercase()).await);
        // More than the writes until the gateways are there.
        let left: Vec<_> = stream::iter(1..60)
            .map(|number| {
                let world = Arc::clone(&world);
                async move { deleted_at(&world, policy, number).await }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let deleted = left.iter().flatten().count();
        println!("deleted at {deleted} writes with {policy}");
        assert!((25..59).contains(&deleted), "{deleted} deletions");
        let most = left.iter().flatten().map(BTreeSet::len).max();
        assert_eq!(most, Some(if policy == "Delete" { 0 } else { 7 }), "six Secrets and the volume");
    }
}
