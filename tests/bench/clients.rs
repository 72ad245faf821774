//! So many clients inside this process, each of which does the next thing when the last is done, for a bounded time.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinSet;

use crate::{load::Rate, surroundings::Surroundings};

/// What clients do: the number says which of the things to be done in turn.
pub(crate) trait Work: Send + Sync + 'static {
    fn once(&self, number: usize) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The rate at which it is done.
pub(crate) async fn rate<W: Work>(around: &Surroundings, work: &Arc<W>, clients: usize) -> anyhow::Result<Rate> {
    // Connections are made and statements prepared before the clock runs.
    let mut warm = JoinSet::new();
    for client in 0..clients {
        let work = Arc::clone(work);
        warm.spawn(async move { work.once(client).await });
    }
    while let Some(ended) = warm.join_next().await {
        ended??;
    }
    let (begin, lasts) = (Instant::now(), around.lasts);
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let work = Arc::clone(work);
        tasks.spawn(async move {
            let mut times_ms = Vec::new();
            let mut number = client * 7;
            while begin.elapsed() < lasts {
                let asked = Instant::now();
                work.once(number).await?;
                times_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
                number += 1;
            }
            anyhow::Ok(times_ms)
        });
    }
    let mut times_ms = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times_ms.extend(ended??);
    }
    Rate::of(times_ms, begin.elapsed())
}
