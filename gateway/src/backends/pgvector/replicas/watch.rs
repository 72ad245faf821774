//! The task that asks every server how it stands. A server that hangs holds up nobody but itself.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::future::join_all;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{OnceCell, watch as channel},
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use super::{
    Replica, State,
    lag::{MOST_LAG, Positions, Replayed},
    lock,
    probe::{Answer, Probe, Silence},
};
use crate::{
    backends::pgvector::{proof::prove_bound, signals::Signals},
    traits::search::StoreError,
};

const EVERY: Duration = Duration::from_millis(250);
/// A primary that is slow once is busy; one that is slow so often in a row is away.
const SILENCES: u32 = 2;
/// A server that is no replica is asked again after this, whether the address leads to another one by then.
const NO_REPLICA: Duration = Duration::from_secs(1);
/// A replica may take this long to show that row-level security binds its role.
const PROOF: Duration = Duration::from_secs(5);

/// All that the task needs.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) primary: PgConnectOptions,
    pub(super) replicas: Vec<Arc<Replica>>,
    pub(super) away: Arc<channel::Sender<bool>>,
    pub(super) signals: Arc<Signals>,
}

/// Why no search goes to a replica.
#[derive(Debug, thiserror::Error)]
enum LeftOut {
    #[error("it does not answer")]
    Silent(#[source] Silence),
    #[error("it is no replica, since it takes writes")]
    TakesWrites,
    #[error("how late it is cannot be told yet")]
    Unknown,
    #[error("it is {:.1} s late", .0.as_secs_f32())]
    Late(Duration),
    #[error("it must not be read from")]
    Unbound(#[source] StoreError),
    #[error("it has not shown within {} s that row-level security binds the role", PROOF.as_secs())]
    ProofTimedOut,
}

/// Why nothing goes to the primary first.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("it does not answer")]
    Silent(#[source] Silence),
    #[error("it has become a replica")]
    IsReplica,
}

impl Watch {
    /// For ever.
    pub(super) async fn run(self) {
        let positions = Mutex::new(Positions::default());
        let each = self.replicas.iter().enumerate();
        let replicas = each.map(|(index, replica)| watch_replica(index, replica, &self.away, &positions));
        tokio::join!(self.watch_primary(&positions), join_all(replicas));
    }

    async fn watch_primary(&self, positions: &Mutex<Positions>) {
        let mut probe = Probe::new(self.primary.clone());
        let mut ticks = ticks();
        let mut silences = 0;
        loop {
            ticks.tick().await;
            let verdict = match probe.ask().await {
                Ok(Answer::Primary(position)) => {
                    lock(positions).add(position, Instant::now());
                    Ok(())
                }
                Ok(Answer::Replica(_)) => {
                    probe.let_go();
                    Err(Away::IsReplica)
                }
                Err(Silence::TimedOut) if silences + 1 < SILENCES => {
                    silences += 1;
                    continue;
                }
                Err(silence) => Err(Away::Silent(silence)),
            };
            silences = 0;
            if verdict.is_err() {
                // What it tells may be missed, and a connection that hangs would not say so for hours.
                self.signals.doubt();
            }
            let was_away = self.away.send_replace(verdict.is_err());
            match &verdict {
                Err(error) if !was_away => {
                    let error = error as &dyn Error;
                    warn!(error, "the primary is away: replicas go on serving searches, and nothing can be written");
                }
                Ok(()) if was_away => info!("the primary is back"),
                Ok(()) | Err(_) => {}
            }
        }
    }
}

async fn watch_replica(index: usize, replica: &Replica, away: &channel::Sender<bool>, positions: &Mutex<Positions>) {
    let mut probe = Probe::new(replica.options.clone());
    let mut proven = OnceCell::new();
    let mut ticks = ticks();
    let mut was_fit = None;
    let mut is_another = false;
    loop {
        ticks.tick().await;
        let answer = probe.ask().await;
        if answer.is_ok() && (is_another || !replica.state.borrow().answers) {
            replica.renew();
            proven = OnceCell::new();
            is_another = false;
        }
        let takes_writes = matches!(answer, Ok(Answer::Primary(_)));
        let (lag, verdict) = match answer {
            // It has just taken the primary's place, whose address does not lead to it yet.
            Ok(Answer::Primary(_)) if *away.borrow() => (None, bound(replica, &proven).await),
            Ok(Answer::Primary(_)) => (None, Err(LeftOut::TakesWrites)),
            Ok(Answer::Replica(replayed)) => judged(replica, replayed, positions, &proven).await,
            Err(silence) => (None, Err(LeftOut::Silent(silence))),
        };
        let answers = !matches!(verdict, Err(LeftOut::Silent(_)));
        replica.state.send_replace(State { answers, fit: verdict.is_ok(), takes_writes, lag });
        if was_fit.replace(verdict.is_ok()) != Some(verdict.is_ok()) {
            match &verdict {
                Ok(()) => info!(replica = index, "searches go to replica {index}"),
                Err(error) => warn!(replica = index, error = error as &dyn Error, "no search goes to replica {index}"),
            }
        }
        if matches!(verdict, Err(LeftOut::TakesWrites)) {
            let mut away = away.subscribe();
            if timeout(NO_REPLICA, away.wait_for(|away| *away)).await.is_err() {
                probe.let_go();
                is_another = true;
            }
        }
    }
}

/// How late a replica is, and whether it is fit.
async fn judged(
    replica: &Replica,
    replayed: Replayed,
    positions: &Mutex<Positions>,
    proven: &OnceCell<()>,
) -> (Option<Duration>, Result<(), LeftOut>) {
    let Some(lag) = lock(positions).lag(replayed) else { return (None, Err(LeftOut::Unknown)) };
    if lag > MOST_LAG {
        return (Some(lag), Err(LeftOut::Late(lag)));
    }
    (Some(lag), bound(replica, proven).await)
}

/// Whether row-level security binds the role there.
async fn bound(replica: &Replica, proven: &OnceCell<()>) -> Result<(), LeftOut> {
    let server = replica.server();
    match timeout(PROOF, proven.get_or_try_init(|| prove_bound(&server))).await {
        Ok(proof) => proof.copied().map_err(LeftOut::Unbound),
        Err(_) => Err(LeftOut::ProofTimedOut),
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
