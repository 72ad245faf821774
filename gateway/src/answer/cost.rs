//! What an answer costs. Pure.

use ragline_config::Price;

use crate::traits::generator::Usage;

/// Tokens that a price is of.
const MILLION: f64 = 1_000_000.0;

/// In US dollars.
pub(super) fn cost_usd(price: Price, usage: Usage) -> f64 {
    let Price { prompt_usd_per_million, completion_usd_per_million } = price;
    let Usage { prompt_tokens, completion_tokens } = usage;
    (prompt_tokens as f64 * prompt_usd_per_million + completion_tokens as f64 * completion_usd_per_million) / MILLION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written_tokens_have_their_own_price() {
        let price = Price { prompt_usd_per_million: 30.0, completion_usd_per_million: 60.0 };
        let usage = Usage { prompt_tokens: 2_000, completion_tokens: 500 };
        assert!((cost_usd(price, usage) - 0.09).abs() < 1e-12);
    }
}
