//! What the language model spent on a search that several callers may share: one of them pays, whoever comes first.

use std::sync::{Arc, Mutex, PoisonError};

use crate::traits::generator::Usage;

/// Tokens that are paid once.
#[derive(Clone, Debug, Default)]
pub(super) struct Bill(Arc<Mutex<Usage>>);

impl Bill {
    pub(super) fn of(usage: Usage) -> Self {
        Self(Arc::new(Mutex::new(usage)))
    }

    /// The tokens, for whoever takes them first; nothing for the others.
    pub(super) fn take(&self) -> Usage {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_who_share_a_search_one_pays() {
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4 };
        let bill = Bill::of(usage);
        assert_eq!([bill.clone().take(), bill.take()], [usage, Usage::default()]);
    }
}
