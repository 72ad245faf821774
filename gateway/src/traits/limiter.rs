//! Budgets of what a caller may spend in a minute, and the arithmetic of them. Pure but for the trait.
//!
//! A budget is kept as one number: the time until it is full again, its debt. It fills evenly, so spending is lengthening the debt by
//! the time that the spent part takes to come back, and a debt of more than a minute is a budget below nothing.

use std::time::Duration;

use async_trait::async_trait;

use super::search::{KeyPrint, WorkspaceId};

/// A budget that was empty is full after this; no more than what fills it can be saved up.
pub const WINDOW_MICROS: u64 = 60_000_000;
/// A debt never grows beyond this: one answer that spent too much cannot close a key for days.
pub const MOST_DEBT_MICROS: u64 = 3_600_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Measure {
    /// Requests, each as it comes.
    Requests,
    /// Tokens that models read and write, when it is known how many.
    Tokens,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 2] = [Self::Requests, Self::Tokens];

    /// The value of the metric label `kind`, and the end of the headers' names.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Payer {
    Key(KeyPrint),
    Workspace(WorkspaceId),
}

/// Which budget it is, within one installation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BudgetId {
    pub payer: Payer,
    pub measure: Measure,
}

/// A budget and its size.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Budget {
    pub id: BudgetId,
    /// Above 0.
    pub per_minute: u32,
}

impl Budget {
    /// The time in which so much comes back.
    pub fn micros_of(&self, amount: u64) -> u64 {
        let micros = u128::from(amount) * u128::from(WINDOW_MICROS) / u128::from(self.per_minute.max(1));
        u64::try_from(micros).unwrap_or(u64::MAX).min(MOST_DEBT_MICROS)
    }

    /// Whether one more is left.
    pub fn has_one(&self, debt_micros: u64) -> bool {
        debt_micros.saturating_add(self.micros_of(1)) <= WINDOW_MICROS
    }

    /// What is left, 0 where it is below nothing.
    pub fn remaining(&self, debt_micros: u64) -> u32 {
        let free = u128::from(WINDOW_MICROS.saturating_sub(debt_micros));
        let unit = u128::from(self.micros_of(1).max(1));
        u32::try_from((free / unit).min(u128::from(self.per_minute))).unwrap_or(self.per_minute)
    }

    /// How long until one more is left.
    pub fn wait(&self, debt_micros: u64) -> Duration {
        Duration::from_micros(debt_micros.saturating_add(self.micros_of(1)).saturating_sub(WINDOW_MICROS))
    }
}

/// Whether a request may go on, and how the budgets stand after it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub admitted: bool,
    /// In the order of the budgets, in microseconds.
    pub debts: Vec<u64>,
}

/// Keeps budgets. It never fails towards its caller.
#[async_trait]
pub trait Limiter: Send + Sync + std::fmt::Debug {
    /// Takes one from each budget of [`Measure::Requests`], if one is left in every budget that is given, whatever it measures; else
    /// nothing from any.
    async fn admit(&self, budgets: &[Budget]) -> Verdict;

    /// Takes so much from each, below nothing if need be.
    async fn charge(&self, budgets: &[Budget], amount: u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(per_minute: u32) -> Budget {
        Budget { id: BudgetId { payer: Payer::Workspace(WorkspaceId(1)), measure: Measure::Requests }, per_minute }
    }

    #[test]
    fn a_full_budget_gives_what_a_minute_allows_and_not_one_more() {
        for per_minute in [1, 2, 7, 60, 999, 6_000, 7_000] {
            let budget = budget(per_minute);
            let mut debt = 0;
            for taken in 0..per_minute {
                assert!(budget.has_one(debt), "{taken} of {per_minute}");
                debt += budget.micros_of(1);
            }
            assert!(!budget.has_one(debt), "one more than {per_minute}");
            assert_eq!(budget.remaining(debt), 0);
        }
    }

    #[test]
    fn what_is_left_and_the_wait_follow_from_the_debt() {
        let budget = budget(60);
        assert_eq!((budget.remaining(0), budget.wait(0)), (60, Duration::ZERO));
        assert_eq!((budget.remaining(500_000), budget.wait(500_000)), (59, Duration::ZERO));
        assert_eq!((budget.remaining(WINDOW_MICROS), budget.wait(WINDOW_MICROS)), (0, Duration::from_secs(1)));
        assert_eq!(budget.wait(2 * WINDOW_MICROS), Duration::from_secs(61));
    }

    #[test]
    fn no_amount_overflows() {
        assert_eq!(budget(1).micros_of(u64::MAX), MOST_DEBT_MICROS);
        assert_eq!(budget(u32::MAX).remaining(0), 60_000_000);
        assert_eq!(budget(1).remaining(u64::MAX), 0);
    }
}
