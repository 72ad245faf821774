//! Every request of the operator is refused once, or never answered. The same operator goes on: it comes to what it comes to in
//! peace, and tells nobody of what passes by itself.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the figures")]

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ragline_crds::ConditionType;

use super::{
    crash::{large, no_event_is_doubled, undisturbed},
    door::{Call, Door, Fate},
    normal::{Exactness, differences},
    operator::{Operator, Trip},
    server::Server,
    world::World,
};

/// Rounds of trouble until a pipeline is at rest, at most.
const MOST_ROUNDS: usize = 12;

/// Trip after trip, each of which meets its trouble one request later than the one before, until one meets none; and so on until
/// the pipeline is at rest. Gives how often there was trouble.
async fn through(server: &Arc<Server>, fate: Fate, deadline: Duration) -> usize {
    let (wanted, events, _) = undisturbed(server, &large()).await;
    let world = World::new(server, "errors").await;
    world.apply("a", &large()).await.unwrap();
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let judge = {
        let counts = Arc::clone(&counts);
        move |_, _: &Call| {
            let (seen, at) = (counts.0.fetch_add(1, Ordering::SeqCst) + 1, counts.1.load(Ordering::SeqCst));
            if seen == at { fate } else { Fate::Pass }
        }
    };
    let operator = Operator::patient(Door::new(server, judge).await, deadline);
    let (mut troubles, mut is_at_rest) = (0, false);
    for _ in 0..MOST_ROUNDS {
        let before = operator.door.writes();
        for at in 1.. {
            counts.0.store(0, Ordering::SeqCst);
            counts.1.store(at, Ordering::SeqCst);
            let ended = world.trip(&operator, "a").await;
            assert!(!matches!(ended, Trip::Crashed), "nobody kills it");
            if counts.0.load(Ordering::SeqCst) < at {
                break;
            }
            troubles += 1;
            let told = world.pipelines().get("a").await.unwrap().status.unwrap_or_default();
            let stalled = told.conditions.iter().find(|condition| condition.type_ == ConditionType::Stalled.as_str());
            assert!(stalled.is_none_or(|condition| condition.status == "False"), "{fate:?} at {at}: {stalled:?}");
        }
        // Out of trouble, until nothing is left to do.
        counts.1.store(0, Ordering::SeqCst);
        // A trip at rest meets its trouble in what it reads.
        is_at_rest = operator.door.writes() == before;
        if is_at_rest {
            break;
        }
        world.settle("a").await;
    }
    assert!(is_at_rest, "{fate:?}: not at rest after {MOST_ROUNDS} rounds of trouble");
    assert!(world.converge(&operator, "a").await);
    assert_eq!(differences(&wanted, &world.told("a", Exactness::Way).await), Vec::<String>::new(), "{fate:?}");
    no_event_is_doubled(&events, &world.events("a").await, &format!("{fate:?}"));
    world.end().await;
    println!("{fate:?} at {troubles} requests");
    troubles
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_refused_or_lost_delay_a_pipeline_and_change_nothing() {
    let server = Server::shared().await;
    let patient = Duration::from_secs(20);
    // A conflict and a broken API server; one that did what it says it could not; one that says nothing. After a 504 the client asks
    // again by itself, see below.
    let fates = [
        (Fate::Refused(409, None), patient),
        (Fate::Refused(500, None), patient),
        (Fate::DoneAndRefused(500), patient),
        (Fate::Silence, Duration::from_millis(300)),
    ];
    let all = fates.map(|(fate, deadline)| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { through(&server, fate, deadline).await })
    });
    for one in all {
        assert!(one.await.unwrap() > 60, "too few requests met trouble");
    }
}

/// A pipeline that comes to what it is in peace, although each request meets this when it is made for the first time.
async fn at_first_sight(server: &Arc<Server>, fate: Fate, name: &str) -> Operator {
    let (wanted, events, _) = undisturbed(server, &large()).await;
    let world = World::new(server, name).await;
    world.apply("a", &large()).await.unwrap();
    let met = Mutex::new(HashSet::new());
    let judge = move |_, call: &Call| {
        let is_new = met.lock().unwrap().insert((call.method.clone(), call.path.clone()));
        if is_new { fate } else { Fate::Pass }
    };
    let operator = Operator::new(Door::new(server, judge).await);
    assert!(world.converge(&operator, "a").await);
    assert_eq!(differences(&wanted, &world.told("a", Exactness::Way).await), Vec::<String>::new());
    no_event_is_doubled(&events, &world.events("a").await, name);
    world.end().await;
    operator
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_told_to_be_late_is_not_done_twice() {
    let operator = at_first_sight(&Server::shared().await, Fate::DoneAndRefused(504), "late").await;
    let calls = operator.door.calls();
    let different: HashSet<_> = calls.iter().map(|call| (&call.method, &call.path)).collect();
    println!("{} requests were done and answered 504", different.len());
    assert!(different.len() > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_api_server_is_asked_again_when_it_says() {
    let operator = at_first_sight(&Server::shared().await, Fate::Refused(429, Some(1)), "busy").await;
    let calls = operator.door.calls();
    let mut asked_again = 0;
    for (at, first) in calls.iter().enumerate() {
        let is_same = |call: &&Call| (&call.method, &call.path) == (&first.method, &first.path);
        if calls[..at].iter().any(|call| is_same(&call)) {
            continue;
        }
        let again = calls[at + 1..].iter().find(is_same).unwrap_or_else(|| panic!("{first:?} is not asked again"));
        assert!(again.at - first.at >= Duration::from_secs(1), "{first:?} is asked again too soon");
        asked_again += 1;
    }
    println!("{asked_again} requests were refused with 429 and asked again after what the server said");
    assert!(asked_again > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_lags_behind_has_nothing_told_twice() {
    let server = Server::shared().await;
    let (wanted, events, _) = undisturbed(&server, &large()).await;
    let world = World::new(&server, "old").await;
    world.apply("a", &large()).await.unwrap();
    let operator = world.operator().await;
    let (mut stands, mut at_rest) = (false, false);
    while !at_rest {
        // The second trip sees the pipeline as it was before the first one.
        let view = world.view("a").await;
        let mut writes = 0;
        for _ in 0..2 {
            match Box::pin(operator.trip(view.clone())).await {
                Trip::Done { writes: some } => writes += some,
                other => panic!("{other:?}"),
            }
        }
        at_rest = stands && writes == 0;
        world.settle("a").await;
        stands = true;
    }
    assert_eq!(differences(&wanted, &world.told("a", Exactness::Way).await), Vec::<String>::new());
    no_event_is_doubled(&events, &world.events("a").await, "old");
    world.end().await;
}
