//! Budgets that all gateways share through Valkey, one round trip a request, with those of the process before and behind them. Before:
//! who is known to have nothing left is refused without asking. Behind: while Valkey does not answer, each gateway keeps to the
//! configured rate by itself; when Valkey evicted a budget, it is told how it stood.

use std::sync::Arc;

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

/// Budgets in Valkey.
#[derive(Debug)]
pub struct SharedLimiter {
    local: LocalLimiter,
    valkey: Arc<ValkeyCache>,
    /// Tells installations that share a Valkey apart.
    realm: String,
    metrics: Metrics,
}

impl SharedLimiter {
    /// Budgets of the installation that `realm` names.
    pub fn new(valkey: Arc<ValkeyCache>, realm: String, metrics: Metrics) -> Self {
        Self { local: LocalLimiter::default(), valkey, realm, metrics }
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

    /// A hash: neither keys nor the names of workspaces are to be read in Valkey. Between the braces stands the workspace, so that
    /// a cluster keeps what one script works on in one place.
    fn key(&self, id: &BudgetId) -> String {
        let mut realm = Sha256::new();
        realm.update(self.realm.as_bytes());
        realm.update([0]);
        let workspace = id.payer.workspace().0.to_le_bytes();
        let place = realm.clone().chain_update(workspace).finalize();
        let mut hash = realm.chain_update(id.measure.label());
        match id.payer {
            Payer::Key(key, _) => hash.update([&[1], key.0.as_slice()].concat()),
            Payer::Workspace(_) => hash.update([&[2], workspace.as_slice()].concat()),
        }
        format!("{PREFIX}{{{}}}{}", hex::encode(&place[..8]), hex::encode(hash.finalize()))
    }
}

#[async_trait]
impl Limiter for SharedLimiter {
    async fn admit(&self, budgets: &[Budget]) -> Verdict {
        let own = self.local.take(budgets);
        if !own.admitted || budgets.is_empty() {
            return own;
        }
        match self.ask(budgets, false, |budget| u64::from(counts(budget))).await {
            Some(verdict) => {
                if !verdict.admitted {
                    self.local.give_back(budgets);
                }
                verdict
            }
            None => {
                // So that a Valkey that comes back empty is told of it.
                self.local.hear(budgets, &own.debts, self.local.now());
                own
            }
        }
    }

    async fn charge(&self, budgets: &[Budget], amount: u64) {
        if budgets.is_empty() || amount == 0 {
            return;
        }
        self.local.spend(budgets, amount);
        self.ask(budgets, true, |_| amount).await;
    }
}
