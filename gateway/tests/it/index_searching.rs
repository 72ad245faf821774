//! Searches that never stop while an index changes, and how many of the true neighbours they find.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ragline_gateway::{
    backends::pgvector::Store,
    traits::search::{NearestQuery, Searcher, WorkspaceId},
};
use sqlx::PgPool;

use crate::store_fixture::vector;

/// A unit vector of the plane, and a little beside it.
pub(crate) fn spread(n: u32) -> Vec<f32> {
    let mut spread = vector(n % 300);
    for (place, number) in spread.iter_mut().enumerate().skip(2) {
        *number = ((n as usize * 31 + place * 17) % 97) as f32 / 400.0;
    }
    let length = spread.iter().map(|number| number * number).sum::<f32>().sqrt();
    spread.iter().map(|number| number / length).collect()
}

/// Vectors that are searched for; none of them is stored.
fn query(step: u32) -> Vec<f32> {
    spread(40_000 + step)
}

/// The similarity of the tenth of the true neighbours of each query.
pub(crate) async fn truth(owner: &PgPool) -> HashMap<u32, f32> {
    let sql = "SELECT 1 - max(distance) FROM (SELECT (embedding <=> $1::vector::halfvec) + 0 AS distance FROM embeddings_1 \
               ORDER BY 1 LIMIT 10) nearest";
    let mut tenths = HashMap::new();
    for step in (0..300).step_by(6) {
        let tenth: f64 = sqlx::query_scalar(sql).bind(pgvector::Vector::from(query(step))).fetch_one(owner).await.unwrap();
        tenths.insert(step, tenth as f32);
    }
    tenths
}

/// What the searches of one stretch of time found, and how long they took.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    found: usize,
    pub(crate) wanted: usize,
    pub(crate) took_ms: Vec<f64>,
}

impl Stretch {
    pub(crate) fn recall(&self) -> f64 {
        self.found as f64 / self.wanted.max(1) as f64
    }

    pub(crate) fn p95_ms(&mut self) -> f64 {
        self.took_ms.sort_by(f64::total_cmp);
        self.took_ms.get(self.took_ms.len() * 95 / 100).copied().unwrap_or_default()
    }
}

/// The similarity of the tenth neighbour of the queries, and what was found of them.
type Known = Mutex<(HashMap<u32, f32>, Stretch)>;

/// Searches all the time until told to stop; every one must give ten chunks. Where the true neighbours are known, and nobody writes,
/// it is counted how many of them were found.
pub(crate) struct Searching {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    known: Arc<Known>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Searching {
    pub(crate) fn start(store: &Store, workspace: WorkspaceId) -> Self {
        let (stop, done, known) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::default());
        let task = |worker: u32| {
            let (store, stop, done, known) = (store.clone(), Arc::clone(&stop), Arc::clone(&done), Arc::clone(&known));
            tokio::spawn(async move {
                let mut step = worker;
                while !stop.load(Ordering::Relaxed) {
                    step = (step + 6) % 300;
                    let tenth = known_of(&known).0.get(&step).copied();
                    let query = NearestQuery { workspace, vector: query(step), limit: 10, filter: None };
                    let begun = Instant::now();
                    let found = store.nearest(&query).await.expect("a search failed");
                    let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
                    assert_eq!(found.matches.len(), 10, "a search came back short under {:?}", found.plan);
                    let mut known = known_of(&known);
                    // The same before and after: nobody wrote in between.
                    if let Some(tenth) = tenth.filter(|tenth| known.0.get(&step) == Some(tenth)) {
                        let near = |similarity: f32| similarity >= tenth - 1e-5;
                        known.1.found += found.matches.iter().filter(|m| m.similarity.is_some_and(near)).count();
                        known.1.wanted += 10;
                        known.1.took_ms.push(took_ms);
                    }
                    drop(known);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        // Both go through queries whose neighbours are known.
        let tasks = [0, 150].map(task).into();
        Self { stop, done, known, tasks }
    }

    /// Begins another stretch; gives the one that ends. Nothing is known while somebody writes.
    pub(crate) fn turn(&self, known: HashMap<u32, f32>) -> Stretch {
        std::mem::replace(&mut *known_of(&self.known), (known, Stretch::default())).1
    }

    /// A stretch of some searches under which nothing changes.
    pub(crate) async fn calm(&self, known: &HashMap<u32, f32>) -> Stretch {
        self.turn(known.clone());
        let aim = self.done.load(Ordering::Relaxed) + 100;
        while self.done.load(Ordering::Relaxed) < aim && self.tasks.iter().all(|task| !task.is_finished()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.turn(HashMap::new())
    }

    pub(crate) async fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.done.load(Ordering::Relaxed)
    }
}

fn known_of(known: &Known) -> MutexGuard<'_, (HashMap<u32, f32>, Stretch)> {
    known.lock().unwrap()
}
