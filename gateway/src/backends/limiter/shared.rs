//! Budgets that all gateways share through Valkey, with those of the process before and behind them. Before: who is known to have
//! nothing left is refused without asking, and who has more than half left is let through and Valkey told afterwards, so that a round
//! trip is waited for only where it can change the verdict. Behind: while Valkey does not answer, each gateway keeps to the configured
//! rate by itself; when Valkey evicted a budget, it is told how it stood.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::local::{LocalLimiter, counts};
use crate::{
    backends::cache::ValkeyCache,
    metrics::Metrics,
    traits::limiter::{Budget, BudgetId, Limiter, MOST_DEBT_MICROS, Payer, Verdict, WINDOW_MICROS},
};

/// Atomic, and by Valkey's own clock, so that those of the gateways do not matter.
const TAKE: &str = include_str!("take.lua");
/// What the keys begin with.
const PREFIX: &str = "rate:";
/// Between two times that Valkey is told of requests that were let through: many go with one script.
const TELL_EVERY: Duration = Duration::from_millis(20);
/// Callers whose requests may wait to be told at once; those of others are asked for.
const MOST_UNTOLD: usize = 1_024;

/// Budgets in Valkey.
#[derive(Clone, Debug)]
pub struct SharedLimiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    local: LocalLimiter,
    valkey: Arc<ValkeyCache>,
    /// Tells installations that share a Valkey apart.
    realm: String,
    metrics: Metrics,
    untold: Mutex<Untold>,
}

/// Requests that were let through, and that Valkey does not know of yet.
#[derive(Debug, Default)]
struct Untold {
    /// How many, by what they take from.
    requests: HashMap<Vec<Budget>, u64>,
    /// Whether somebody is telling.
    is_told: bool,
}

impl SharedLimiter {
    /// Budgets of the installation that `realm` names.
    pub fn new(valkey: Arc<ValkeyCache>, realm: String, metrics: Metrics) -> Self {
        Self(Arc::new(Shared { local: LocalLimiter::default(), valkey, realm, metrics, untold: Mutex::default() }))
    }

    /// Notes a request that was let through, and sees to it that Valkey is told. `false` when too many wait to be.
    fn note(&self, budgets: &[Budget]) -> bool {
        let mut untold = self.0.untold();
        if untold.requests.len() >= MOST_UNTOLD {
            return false;
        }
        *untold.requests.entry(budgets.to_vec()).or_default() += 1;
        if !std::mem::replace(&mut untold.is_told, true) {
            tokio::spawn(Arc::clone(&self.0).tell());
        }
        true
    }
}

impl Shared {
    /// Tells what is untold until nothing is.
    async fn tell(self: Arc<Self>) {
        while let Some(requests) = self.next_untold() {
            for (budgets, amount) in requests {
                let told = self.ask(&budgets, true, |budget| if counts(budget) { amount } else { 0 }).await;
                if told.is_none() {
                    self.stand_alone(&budgets);
                }
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    }

    fn next_untold(&self) -> Option<HashMap<Vec<Budget>, u64>> {
        let mut untold = self.untold();
        untold.is_told = !untold.requests.is_empty();
        untold.is_told.then(|| std::mem::take(&mut untold.requests))
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what this process knows for what is shared, so that a Valkey that comes back empty is told of it.
    fn stand_alone(&self, budgets: &[Budget]) {
        self.local.hear(budgets, &self.local.debts(budgets), self.local.now());
    }

    /// Valkey's verdict, `None` when it does not answer.
    async fn ask(&self, budgets: &[Budget], whatever: bool, amount: impl Fn(&Budget) -> u64) -> Option<Verdict> {
        let keys: Vec<_> = budgets.iter().map(|budget| self.key(&budget.id)).collect();
        let mut arguments = vec![u64::from(whatever), WINDOW_MICROS, MOST_DEBT_MICROS];
        for (budget, heard) in budgets.iter().zip(self.local.heard(budgets)) {
            arguments.extend([budget.micros_of(1), budget.micros_of(amount(budget)), heard]);
        }
        let asked = self.local.now();
        let reply = self.valkey.run(TAKE, &keys, &arguments).await;
        let verdict = reply.and_then(|reply| {
            let (taken, debts) = reply.split_first()?;
            let fits = debts.len() == budgets.len();
            fits.then(|| Verdict { admitted: *taken == 1, debts: debts.iter().map(|debt| debt.unsigned_abs()).collect() })
        });
        match &verdict {
            Some(verdict) => self.local.hear(budgets, &verdict.debts, asked),
            None => self.metrics.rate_limit_fallbacks.inc(),
        }
        verdict
    }

    /// A hash: neither keys nor the names of workspaces are to be read in Valkey.
    fn key(&self, id: &BudgetId) -> String {
        let mut hash = Sha256::new();
        hash.update(self.realm.as_bytes());
        hash.update([0]);
        hash.update(id.measure.label());
        match id.payer {
            Payer::Key(key) => hash.update([&[1], key.0.as_slice()].concat()),
            Payer::Workspace(workspace) => hash.update([&[2], workspace.0.to_le_bytes().as_slice()].concat()),
        }
        format!("{PREFIX}{}", hex::encode(hash.finalize()))
    }
}

#[async_trait]
impl Limiter for SharedLimiter {
    async fn admit(&self, budgets: &[Budget]) -> Verdict {
        let shared = &self.0;
        let own = shared.local.take(budgets);
        if !own.admitted || budgets.is_empty() {
            return own;
        }
        if shared.local.is_far_from_the_end(budgets, &own.debts) && self.note(budgets) {
            return own;
        }
        match shared.ask(budgets, false, |budget| u64::from(counts(budget))).await {
            Some(verdict) => {
                if !verdict.admitted {
                    shared.local.give_back(budgets);
                }
                verdict
            }
            None => {
                shared.stand_alone(budgets);
                own
            }
        }
    }

    async fn charge(&self, budgets: &[Budget], amount: u64) {
        if budgets.is_empty() || amount == 0 {
            return;
        }
        self.0.local.spend(budgets, amount);
        self.0.ask(budgets, true, |_| amount).await;
    }
}
