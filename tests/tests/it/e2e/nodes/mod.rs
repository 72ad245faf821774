//! Nodes are lost and cut off under traffic, and the operator is exchanged and away. `tests/nodes/run.sh` makes the cluster: the control
//! plane, the name server and the operator are on the first node, and the second takes pods only while a story wants some there.

use std::time::{Duration, Instant};

mod cut;
mod database;
mod gateway;
mod operands;
mod operator;
mod writes;

use super::{
    load::{client, way_in},
    world::World,
};

/// Time between two questions, each of which is embedded and searched.
const PACE: Duration = Duration::from_millis(50);

/// Whether a gateway of the pipeline `a` answers and is ready, from outside the cluster's network.
async fn answers(world: &World) -> bool {
    let (url, _) = way_in(world).await;
    let reply = client(Duration::from_secs(5)).get(format!("{url}/readyz")).send().await;
    reply.is_ok_and(|reply| reply.status().is_success())
}

/// Waits until it holds; gives the seconds that it took.
async fn until(what: &str, seconds: u64, holds: impl AsyncFn() -> bool) -> f64 {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    begun.elapsed().as_secs_f64()
}
