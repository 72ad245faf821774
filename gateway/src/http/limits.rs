//! What each key and each workspace may spend in a minute: requests as they come, tokens once it is known how many there were. Who has
//! used up a share is told when there is something again. The operator's questions are not counted, and what needs no key never comes
//! here.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ragline_config::{Rate, RateLimit};

use super::{
    error::{ApiError, ErrorCode},
    state::ApiState,
};
use crate::traits::{
    limiter::{Budget, BudgetId, Limiter, Measure, Payer},
    search::Principal,
};

/// Routes that begin so are asked by the pipeline itself.
const UNCOUNTED: &str = "/internal/";

/// The shares, and where they are counted.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    rate: Rate,
    limiter: Arc<dyn Limiter>,
}

impl Shares {
    pub(super) fn new(rate: Rate, limiter: Arc<dyn Limiter>) -> Self {
        Self { rate, limiter }
    }

    /// Takes tokens from the caller's shares, in the background: what is answered has been paid for already.
    pub(super) fn charge(&self, principal: &Principal, tokens: u64) {
        let budgets: Vec<_> = self.budgets(principal).into_iter().filter(|b| b.id.measure == Measure::Tokens).collect();
        if budgets.is_empty() || tokens == 0 {
            return;
        }
        let limiter = Arc::clone(&self.limiter);
        tokio::spawn(async move { limiter.charge(&budgets, tokens).await });
    }

    /// The shares that are bounded.
    fn budgets(&self, principal: &Principal) -> Vec<Budget> {
        let Rate { per_key, per_workspace } = self.rate;
        let of = |payer, RateLimit { requests_per_minute, tokens_per_minute }| {
            [(Measure::Requests, requests_per_minute), (Measure::Tokens, tokens_per_minute)]
                .map(|(measure, per_minute)| Budget { id: BudgetId { payer, measure }, per_minute })
        };
        let all = [
            of(Payer::Key(principal.key, principal.workspace), per_key),
            of(Payer::Workspace(principal.workspace), per_workspace),
        ];
        all.into_iter().flatten().filter(|budget| budget.per_minute > 0).collect()
    }
}

/// How the shares of a caller stand, this request included.
#[derive(Debug)]
pub(super) struct Standings {
    /// Each share, and what it owes.
    shares: Vec<(Budget, u64)>,
    admitted: bool,
}

impl Standings {
    /// Takes a request from the caller's shares, if there is something left.
    pub(super) async fn take(state: &ApiState, principal: &Principal, route: &str) -> Self {
        let budgets = if route.starts_with(UNCOUNTED) { Vec::new() } else { state.shares.budgets(principal) };
        if budgets.is_empty() {
            return Self { shares: Vec::new(), admitted: true };
        }
        let verdict = state.shares.limiter.admit(&budgets).await;
        Self { shares: budgets.into_iter().zip(verdict.debts).collect(), admitted: verdict.admitted }
    }

    /// What the caller is told whose key or workspace has nothing left: of the share that takes longest to have something again.
    pub(super) fn refusal(&self, state: &ApiState) -> Option<ApiError> {
        if self.admitted {
            return None;
        }
        let (budget, debt) = self.shares.iter().max_by_key(|(budget, debt)| budget.wait(*debt))?;
        let (kind, wait) = (budget.id.measure.label(), budget.wait(*debt));
        state.parts.metrics.rate_limited.with_label_values(&[kind]).inc();
        let (whose, section) = match budget.id.payer {
            Payer::Key(..) => ("this API key", "perKey"),
            Payer::Workspace(_) => ("this workspace", "perWorkspace"),
        };
        let message = format!(
            "{whose} has used up its {} {kind} a minute (limits.rate.{section}.{kind}PerMinute); try again in {:.1} s",
            budget.per_minute,
            wait.as_secs_f64(),
        );
        Some(ApiError::new(ErrorCode::RateLimitExceeded, message).after(wait.max(Duration::from_millis(1))))
    }

    /// Writes to an answer how much is left, in OpenAI's headers: of each measure, that of the share that has least left.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        for measure in Measure::ALL {
            let of_measure = self.shares.iter().filter(|(budget, _)| budget.id.measure == measure);
            let Some((budget, debt)) = of_measure.min_by_key(|(budget, debt)| budget.remaining(*debt)) else { continue };
            let names = match measure {
                Measure::Requests => {
                    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
                }
                Measure::Tokens => ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
            };
            let reset = HeaderValue::try_from(format!("{}ms", debt.div_ceil(1_000)));
            let values = [Ok(budget.per_minute.into()), Ok(budget.remaining(*debt).into()), reset];
            for (name, value) in names.into_iter().zip(values) {
                if let Ok(value) = value {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
    }
}
