//! Budgets inside the process: what this gateway let through, and what it last heard of the shared ones. They stand alone where there
//! is no Valkey; where there are several gateways, each then allows the configured rate.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::sync::Cache;

use crate::traits::limiter::{Budget, BudgetId, Limiter, MOST_DEBT_MICROS, Measure, Verdict};

/// Budgets that are remembered, some 100 bytes each. Of more, those that are used least are forgotten, which makes them full again.
const MOST_BUDGETS: u64 = 65_536;
/// What Valkey said is good for so many microseconds.
const HEARD_FOR: u64 = 1_000_000;
/// A share that has fewer left is near its end, however small it is.
const FEW: u32 = 100;
/// No debt is older.
const REMEMBERED_FOR: Duration = Duration::from_micros(MOST_DEBT_MICROS);

/// When a budget will be full, in microseconds since the limiter began.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// By what this process took, on top of what it had heard.
    own: u64,
    /// By what Valkey said last.
    shared: u64,
    /// When it said so, `None` while it has said nothing.
    heard_at: Option<u64>,
}

impl Standing {
    /// What others took counts as well.
    fn full_at(self) -> u64 {
        self.own.max(self.shared)
    }

    fn debt(self, now: u64) -> u64 {
        self.full_at().saturating_sub(now)
    }
}

/// Budgets in the process's memory.
pub struct LocalLimiter {
    budgets: Cache<BudgetId, Standing>,
    /// Held while budgets are compared and changed, so that all of a request change together.
    turn: Mutex<()>,
    began: Instant,
}

impl std::fmt::Debug for LocalLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalLimiter").field("budgets", &self.budgets.entry_count()).finish_non_exhaustive()
    }
}

impl Default for LocalLimiter {
    fn default() -> Self {
        let budgets = Cache::builder().max_capacity(MOST_BUDGETS).time_to_idle(REMEMBERED_FOR).build();
        Self { budgets, turn: Mutex::default(), began: Instant::now() }
    }
}

impl LocalLimiter {
    /// As [`Limiter::admit`], without waiting.
    pub(super) fn take(&self, budgets: &[Budget]) -> Verdict {
        let (now, _turn) = (self.now(), self.turn());
        let standings: Vec<_> = budgets.iter().map(|budget| self.standing(budget)).collect();
        let admitted = budgets.iter().zip(&standings).all(|(budget, standing)| budget.has_one(standing.debt(now)));
        if admitted {
            for (budget, standing) in budgets.iter().zip(&standings).filter(|(budget, _)| counts(budget)) {
                self.keep(budget, Standing { own: later(standing.full_at(), now, budget.micros_of(1)), ..*standing });
            }
        }
        Verdict { admitted, debts: self.debts_at(budgets, now) }
    }

    /// How the budgets stand.
    pub(super) fn debts(&self, budgets: &[Budget]) -> Vec<u64> {
        self.debts_at(budgets, self.now())
    }

    /// As [`Limiter::charge`], without waiting.
    pub(super) fn spend(&self, budgets: &[Budget], amount: u64) {
        let (now, _turn) = (self.now(), self.turn());
        for budget in budgets {
            let standing = self.standing(budget);
            self.keep(budget, Standing { own: later(standing.full_at(), now, budget.micros_of(amount)), ..standing });
        }
    }

    /// Undoes a [`LocalLimiter::take`] that somebody else refused.
    pub(super) fn give_back(&self, budgets: &[Budget]) {
        let _turn = self.turn();
        for budget in budgets.iter().filter(|budget| counts(budget)) {
            let standing = self.standing(budget);
            self.keep(budget, Standing { own: standing.own.saturating_sub(budget.micros_of(1)), ..standing });
        }
    }

    /// What Valkey said last, as debts of now.
    pub(super) fn heard(&self, budgets: &[Budget]) -> Vec<u64> {
        let now = self.now();
        budgets.iter().map(|budget| self.standing(budget).shared.saturating_sub(now)).collect()
    }

    /// Remembers what Valkey says of budgets that it was asked for at `asked`.
    pub(super) fn hear(&self, budgets: &[Budget], debts: &[u64], asked: u64) {
        let _turn = self.turn();
        for (budget, debt) in budgets.iter().zip(debts) {
            let standing = self.standing(budget);
            let shared = standing.shared.max(asked.saturating_add((*debt).min(MOST_DEBT_MICROS)));
            self.keep(budget, Standing { shared, heard_at: Some(asked), ..standing });
        }
    }

    /// Whether Valkey was heard of all these budgets just now, and more than half of each is left with these debts: what other
    /// gateways let through meanwhile does not use them up.
    pub(super) fn is_far_from_the_end(&self, budgets: &[Budget], debts: &[u64]) -> bool {
        let now = self.now();
        let was_heard = |budget| self.standing(budget).heard_at.is_some_and(|at| now.saturating_sub(at) < HEARD_FOR);
        budgets.iter().zip(debts).all(|(budget, debt)| {
            let remaining = budget.remaining(*debt);
            remaining >= FEW && remaining > budget.per_minute / 2 && was_heard(budget)
        })
    }

    /// Microseconds since it began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn debts_at(&self, budgets: &[Budget], now: u64) -> Vec<u64> {
        budgets.iter().map(|budget| self.standing(budget).debt(now)).collect()
    }

    fn standing(&self, budget: &Budget) -> Standing {
        self.budgets.get(&budget.id).unwrap_or_default()
    }

    fn keep(&self, budget: &Budget, standing: Standing) {
        self.budgets.insert(budget.id, standing);
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request counts where requests are counted; of tokens it takes nothing yet.
pub(super) fn counts(budget: &Budget) -> bool {
    budget.id.measure == Measure::Requests
}

fn later(full_at: u64, now: u64, by: u64) -> u64 {
    full_at.max(now).saturating_add(by).min(now.saturating_add(MOST_DEBT_MICROS))
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn admit(&self, budgets: &[Budget]) -> Verdict {
        self.take(budgets)
    }

    async fn charge(&self, budgets: &[Budget], amount: u64) {
        self.spend(budgets, amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::{
        limiter::Payer,
        search::{KeyPrint, WorkspaceId},
    };

    const KEY: Payer = Payer::Key(KeyPrint([1; 32]));
    const WORKSPACE: Payer = Payer::Workspace(WorkspaceId(1));

    /// Of one a minute nothing comes back while a test runs.
    fn budget(payer: Payer, measure: Measure, per_minute: u32) -> Budget {
        Budget { id: BudgetId { payer, measure }, per_minute }
    }

    #[test]
    fn all_budgets_give_or_none_does() {
        let limiter = LocalLimiter::default();
        let (large, small) = (budget(KEY, Measure::Requests, 2), budget(WORKSPACE, Measure::Requests, 1));
        assert!(limiter.take(&[large, small]).admitted);
        assert!(!limiter.take(&[large, small]).admitted);
        assert!(limiter.take(&[large]).admitted, "the refused request took nothing");
        assert!(!limiter.take(&[large]).admitted);
    }

    #[test]
    fn tokens_are_taken_afterwards_and_close_the_budget_once_they_are_gone() {
        let limiter = LocalLimiter::default();
        let tokens = budget(KEY, Measure::Tokens, 1_000);
        for _ in 0..3 {
            assert!(limiter.take(&[tokens]).admitted, "a request takes no tokens by itself");
        }
        limiter.spend(&[tokens], 900);
        assert!(limiter.take(&[tokens]).admitted);
        limiter.spend(&[tokens], 5_000);
        let verdict = limiter.take(&[tokens]);
        assert!(!verdict.admitted);
        assert!(tokens.wait(verdict.debts[0]) > Duration::from_secs(4 * 60), "{verdict:?}");
        limiter.spend(&[tokens], u64::MAX);
        assert!(limiter.take(&[tokens]).debts[0] <= MOST_DEBT_MICROS);
    }

    #[test]
    fn many_threads_get_no_more_than_there_is() {
        let limiter = LocalLimiter::default();
        let budgets = [budget(KEY, Measure::Requests, 50)];
        let admitted = std::thread::scope(|scope| {
            let ask = || (0..100).filter(|_| limiter.take(&budgets).admitted).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        // A slow machine sees one come back after 1.2 s.
        assert!((50..=52).contains(&admitted), "{admitted}");
    }
}
