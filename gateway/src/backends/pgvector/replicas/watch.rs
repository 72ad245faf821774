//! The task that asks every server how it stands. A server that hangs holds up nobody but itself.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    sync::{OnceCell, watch as channel},
    time::{Interval, MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use super::{
    Replica, Standing, State,
    lag::{MOST_LAG, Positions, Replayed},
    lock,
    probe::{Answer, Probe, Silence},
};
use crate::{
    backends::pgvector::{proof::prove_bound, session::Server, signals::Signals},
    traits::search::StoreError,
};

const EVERY: Duration = Duration::from_millis(250);
/// The same of a primary without replicas.
const EVERY_ALONE: Duration = Duration::from_secs(1);
/// A primary that is slow once is busy; one that is slow so often in a row is away.
const SILENCES: u32 = 2;
/// After so many in a row whoever waits for it is told that it does not answer.
const GIVEN_UP_AFTER: u32 = 8;
/// A server that is no replica is asked again after this, whether the address leads to another one by then.
const NO_REPLICA: Duration = Duration::from_secs(1);
/// A replica may take this long to show that row-level security binds its role.
const PROOF: Duration = Duration::from_secs(5);

/// All that the task needs.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) primary: Arc<Server>,
    pub(super) replicas: Vec<Arc<Replica>>,
    pub(super) standing: Arc<channel::Sender<Standing>>,
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
        let replicas = each.map(|(index, replica)| watch_replica(index, replica, &self.standing, &positions));
        tokio::join!(self.watch_primary(&positions), join_all(replicas));
    }

    async fn watch_primary(&self, positions: &Mutex<Positions>) {
        let primary = Arc::clone(&self.primary);
        let alone = self.replicas.is_empty();
        let (mut probe, mut ticks) =
            if alone { (Probe::alone(primary), ticks(EVERY_ALONE)) } else { (Probe::new(primary), ticks(EVERY)) };
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
                Err(silence) => Err(Away::Silent(silence)),
            };
            silences = if matches!(verdict, Err(Away::Silent(Silence::TimedOut))) { silences + 1 } else { 0 };
            if (1..SILENCES).contains(&silences) {
                continue;
            }
            let before = *self.standing.borrow();
            let now = match &verdict {
                Ok(()) => Standing::Here,
                Err(_) if silences >= GIVEN_UP_AFTER || before == Standing::GivenUp => Standing::GivenUp,
                Err(_) => Standing::Away,
            };
            self.becomes(before, now);
            match &verdict {
                Err(error) if before == Standing::Here && !alone => {
                    let error = error as &dyn Error;
                    warn!(error, "the primary is away: replicas go on serving searches, and nothing can be written");
                }
                Err(error) if now != before && now == Standing::GivenUp => {
                    let error = error as &dyn Error;
                    warn!(error, "the primary has been silent for too long: whoever waits for it is told so");
                }
                Ok(()) if before == Standing::GivenUp || (before == Standing::Away && !alone) => info!("the primary is back"),
                Ok(()) | Err(_) => {}
            }
        }
    }

    fn becomes(&self, before: Standing, now: Standing) {
        // Away and without replicas it refuses or ends connections, and the one that listens is told so itself.
        if now == Standing::GivenUp || (now == Standing::Away && !self.replicas.is_empty()) {
            // What it tells may be missed, and a connection that hangs would not say so for hours.
            self.signals.doubt();
        }
        if (before, now) == (Standing::GivenUp, Standing::Here) {
            self.primary.renew();
        }
        self.standing.send_replace(now);
    }
}

async fn watch_replica(index: usize, replica: &Replica, primary: &channel::Sender<Standing>, positions: &Mutex<Positions>) {
    let mut probe = Probe::new(Arc::clone(&replica.server));
    let mut proven = OnceCell::new();
    let mut ticks = ticks(EVERY);
    let mut was_fit = None;
    let mut is_another = false;
    loop {
        ticks.tick().await;
        let answer = probe.ask().await;
        if answer.is_ok() && (is_another || !replica.state.borrow().answers) {
            replica.server.renew();
            proven = OnceCell::new();
            is_another = false;
        }
        let takes_writes = matches!(answer, Ok(Answer::Primary(_)));
        let (lag, verdict) = match answer {
            // It has just taken the primary's place, whose address does not lead to it yet.
            Ok(Answer::Primary(_)) if *primary.borrow() != Standing::Here => (None, bound(replica, &proven).await),
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
            let mut primary = primary.subscribe();
            if timeout(NO_REPLICA, primary.wait_for(|standing| *standing != Standing::Here)).await.is_err() {
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
    match timeout(PROOF, proven.get_or_try_init(|| prove_bound(&replica.server))).await {
        Ok(proof) => proof.copied().map_err(LeftOut::Unbound),
        Err(_) => Err(LeftOut::ProofTimedOut),
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
