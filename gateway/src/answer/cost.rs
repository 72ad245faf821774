//! What an answer costs. Pure.

use ragline_config::{Generation, Price};

use crate::traits::generator::{Generator, Usage};

/// Tokens that a price is of.
const MILLION: f64 = 1_000_000.0;

/// What a language model read and wrote.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expense {
    pub model: String,
    pub usage: Usage,
}

impl Expense {
    /// Of the model that answered, else of the generator's own.
    pub(super) fn of(generator: &dyn Generator, model: String, usage: Usage) -> Self {
        Self { model: if model.is_empty() { generator.model_name().to_owned() } else { model }, usage }
    }

    /// In US dollars; `None` where the model has no price.
    pub(super) fn cost_usd(&self, prices: &Generation) -> Option<f64> {
        prices.price(&self.model).map(|price| cost_usd(price, self.usage))
    }

    fn is_empty(&self) -> bool {
        self.usage == Usage::default()
    }
}

/// All tokens.
pub(super) fn total<'a>(expenses: impl IntoIterator<Item = &'a Expense>) -> Usage {
    expenses.into_iter().fold(Usage::default(), |sum, expense| Usage {
        prompt_tokens: sum.prompt_tokens + expense.usage.prompt_tokens,
        completion_tokens: sum.completion_tokens + expense.usage.completion_tokens,
    })
}

/// What an answer costs with what was spent beside it; `None` where a model of them has no price.
pub(super) fn whole(answer: &Expense, beside: &[Expense], prices: &Generation) -> Option<f64> {
    let spent = beside.iter().filter(|expense| !expense.is_empty());
    spent.map(|expense| expense.cost_usd(prices)).try_fold(answer.cost_usd(prices)?, |sum, cost| Some(sum + cost?))
}

/// In US dollars.
fn cost_usd(price: Price, usage: Usage) -> f64 {
    let Price { prompt_usd_per_million, completion_usd_per_million } = price;
    let Usage { prompt_tokens, completion_tokens } = usage;
    (prompt_tokens as f64 * prompt_usd_per_million + completion_tokens as f64 * completion_usd_per_million) / MILLION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expense(model: &str, prompt_tokens: u64, completion_tokens: u64) -> Expense {
        Expense { model: model.into(), usage: Usage { prompt_tokens, completion_tokens } }
    }

    #[test]
    fn read_and_written_tokens_have_their_own_price() {
        let cost = expense("gpt-4", 2_000, 500).cost_usd(&Generation::default()).unwrap();
        assert!((cost - 0.09).abs() < 1e-12);
    }

    #[test]
    fn what_was_spent_beside_the_answer_is_a_part_of_it() {
        let prices = Generation::default();
        let cost = whole(&expense("gpt-4", 1_000, 0), &[expense("gpt-4-turbo", 1_000, 0), expense("other", 0, 0)], &prices);
        assert!((cost.unwrap() - 0.04).abs() < 1e-12);
        assert_eq!(whole(&expense("gpt-4", 1, 1), &[expense("other", 1, 0)], &prices), None);
        assert_eq!(whole(&expense("other", 0, 0), &[], &prices), None);
        assert_eq!(total(&[expense("a", 1, 2), expense("b", 3, 4)]), Usage { prompt_tokens: 4, completion_tokens: 6 });
    }
}
