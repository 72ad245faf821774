//! The operator is killed at every request that it makes to change something, and another one begins without memory: it must come to
//! what an operator that was left in peace comes to. A request is cut off before it leaves; what a lost answer leaves in the
//! cluster is the same as a crash at the next request, and a crash while it reads the same as one at its next write.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the figures")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
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
/// How many writes an operator lives to make before it is killed at its next one. With one write each, every state that a crash can
/// leave behind is one that an operator begins with; the others end trips at other places.
const WRITES_OF_A_LIFE: [usize; 6] = [1, 2, 3, 5, 8, 13];

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

/// An operator that is killed at its write of this number.
async fn doomed(world: &World, number: usize) -> Operator {
    let seen = AtomicUsize::new(0);
    let judge = move |_, call: &Call| {
        let is_it = call.writes() && seen.fetch_add(1, Ordering::SeqCst) + 1 == number;
        if is_it { Fate::Crash } else { Fate::Pass }
    };
    Operator::new(Door::new(&world.server, judge).await)
}

/// What a pipeline comes to when nothing goes wrong: its objects and status, its Events, and the writes that it takes.
pub(super) async fn undisturbed(server: &Arc<Server>, spec: &Value) -> (Snapshot, Vec<String>, usize) {
    let world = World::new(server, "peace").await;
    world.apply("a", spec).await.unwrap();
    let operator = world.operator().await;
    assert!(world.converge(&operator, "a").await);
    let seen = (world.told("a", Exactness::Way).await, world.events("a").await, operator.door.writes());
    assert!(seen.0["status"]["phase"] == "Ready", "{:#}", seen.0["status"]);
    world.end().await;
    seen
}

/// Nothing but what is told in peace, and nothing twice.
pub(super) fn no_event_is_doubled(peaceful: &[String], told: &[String], when: &str) {
    let expected: Vec<String> = peaceful.iter().map(|event| in_passing(event)).collect();
    for (at, event) in told.iter().enumerate() {
        assert!(!told[..at].contains(event), "{when}: told twice: {event}");
        assert!(expected.contains(&in_passing(event)), "{when}: not told in peace: {event}; {peaceful:#?}");
    }
}

/// The Event without what depends on the moment at which somebody looks. In peace that is when all is made or all is there; an
/// operator that begins anew also sees a volume that is being provided, and the first of two gateways.
fn in_passing(event: &str) -> String {
    event.replace("; its volume data-a-postgres-0 is being provided", "").replace(" 1 of 2 gateways ", " 2 of 2 gateways ")
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_operator_is_killed_the_next_one_comes_to_the_same() {
    let server = Server::shared().await;
    let (wanted, events, writes) = undisturbed(&server, &large()).await;
    let (server, wanted, events) = (&server, &wanted, &events);
    let ends = WRITES_OF_A_LIFE.map(|life| async move {
        let world = World::new(server, &format!("crash-{life}")).await;
        world.apply("a", &large()).await.unwrap();
        let mut crashes = 0;
        while !world.converge(&doomed(&world, life + 1).await, "a").await {
            crashes += 1;
            assert!(crashes < 10 * writes, "with {life} writes each, {crashes} operators bring nothing to its end");
        }
        let when = format!("killed after {life} writes each, {crashes} times");
        assert_eq!(differences(wanted, &world.told("a", Exactness::Way).await), Vec::<String>::new(), "{when}");
        no_event_is_doubled(events, &world.events("a").await, &when);
        world.end().await;
        crashes
    });
    let crashes = join_all(ends).await;
    println!("killed {crashes:?} times while a pipeline of {writes} writes was made");
    assert!(crashes[0] * 10 > writes * 7, "an Event that is not told for a crash is one write less");
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
                    if !world.converge(&doomed(&world, number).await, "a").await {
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
