//! The operator is killed at every request that it makes, and another one begins without memory: it must come to what an operator
//! that was left in peace comes to. A request is cut off before it leaves; what a lost answer leaves in the cluster is the same as
//! a crash at the next request.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the figures")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};

use super::{
    door::{Call, Door, Fate},
    normal::{Exactness, Snapshot, differences},
    operator::Operator,
    server::Server,
    world::World,
};

/// Namespaces in which things go wrong at a time.
const AT_ONCE: usize = 6;

/// A pipeline with every kind of object that needs nothing but Kubernetes.
pub(super) fn large() -> Value {
    json!({"ingest": {"workers": {}}, "gateway": {"ingress": {"host": "docs.example.com"}}})
}

/// The same with other numbers, fewer parts, another schema Job and Secrets that go with it.
fn small() -> Value {
    json!({
        "cache": {"disabled": {}}, "gateway": {"replicas": 1, "image": "example.org/ragline-gateway:2"},
        "postgres": {"managed": {"parameters": {"work_mem": "32MB"}}}, "networkPolicy": {"enabled": false},
        "deletionPolicy": "Delete",
    })
}

/// An operator that is killed at its request of this number, of all or of those that write.
async fn doomed(world: &World, number: usize, counts: fn(&Call) -> bool) -> Operator {
    let seen = AtomicUsize::new(0);
    let judge = move |_, call: &Call| {
        let is_it = counts(call) && seen.fetch_add(1, Ordering::SeqCst) + 1 == number;
        if is_it { Fate::Crash } else { Fate::Pass }
    };
    Operator::new(Door::new(&world.server, judge).await)
}

/// What a pipeline comes to when nothing goes wrong: its objects and status, its Events, and the requests that it takes.
pub(super) async fn undisturbed(server: &Arc<Server>, spec: &Value) -> (Snapshot, Vec<String>, usize) {
    let world = World::new(server, "peace").await;
    world.apply("a", spec).await.unwrap();
    let operator = world.operator().await;
    assert!(world.converge(&operator, "a").await);
    let seen = (world.told("a", Exactness::Way).await, world.events("a").await, operator.door.calls().len());
    assert!(seen.0["status"]["phase"] == "Ready", "{:#}", seen.0["status"]);
    world.end().await;
    seen
}

/// Nothing but what is told in peace, and nothing twice.
pub(super) fn no_event_is_doubled(peaceful: &[String], told: &[String], when: &str) {
    for (at, event) in told.iter().enumerate() {
        assert!(!told[..at].contains(event), "{when}: told twice: {event}");
        assert!(peaceful.contains(event), "{when}: not told in peace: {event}; {peaceful:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_operator_is_killed_the_next_one_comes_to_the_same() {
    let server = Server::shared().await;
    let (wanted, events, calls) = undisturbed(&server, &large()).await;
    let (server, wanted, events) = (&server, &wanted, &events);
    let crashes: usize = stream::iter(1..=calls)
        .map(|number| async move {
            let world = World::new(server, &format!("crash-{number}")).await;
            world.apply("a", &large()).await.unwrap();
            let survived = world.converge(&doomed(&world, number, |_| true).await, "a").await;
            assert!(world.converge(&world.operator().await, "a").await);
            let when = format!("killed at request {number} of {calls}");
            assert_eq!(differences(wanted, &world.told("a", Exactness::Way).await), Vec::<String>::new(), "{when}");
            no_event_is_doubled(events, &world.events("a").await, &when);
            world.end().await;
            usize::from(!survived)
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, one| async move { sum + one })
        .await;
    println!("killed at {crashes} requests while a pipeline was made");
    assert!(crashes * 10 > calls * 9, "{crashes} crashes of {calls} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_spec_survives_a_crash_at_every_write() {
    let server = Server::shared().await;
    let worlds = (0..AT_ONCE).map(|first| {
        let server = Arc::clone(&server);
        async move {
            let world = World::new(&server, "change").await;
            let mut wanted = Vec::new();
            for spec in [large(), small(), large()] {
                world.apply("a", &spec).await.unwrap();
                assert!(world.converge(&world.operator().await, "a").await);
                wanted.push(world.told("a", Exactness::State).await);
            }
            let mut crashes = 0;
            for number in (first + 1..).step_by(AT_ONCE) {
                let mut survived = true;
                for (spec, wanted) in [(small(), &wanted[1]), (large(), &wanted[2])] {
                    world.apply("a", &spec).await.unwrap();
                    if !world.converge(&doomed(&world, number, Call::writes).await, "a").await {
                        (survived, crashes) = (false, crashes + 1);
                        assert!(world.converge(&world.operator().await, "a").await);
                    }
                    let found = world.told("a", Exactness::State).await;
                    assert_eq!(differences(wanted, &found), Vec::<String>::new(), "killed at write {number} to {spec}");
                }
                if survived {
                    break;
                }
            }
            world.end().await;
            crashes
        }
    });
    let crashes: usize = join_all(worlds).await.into_iter().sum();
    println!("killed at {crashes} writes while a pipeline was changed");
    assert!(crashes > 20, "{crashes} crashes");
}
