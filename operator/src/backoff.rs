//! How long a pipeline waits after an error: twice as long after each one in a row, with a bound on the wait and on the memory.

use std::{collections::HashMap, hash::Hash, sync::Mutex, time::Duration};

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// Pipelines that are remembered. One more forgets them all: they then start again with the first wait.
const REMEMBERED: usize = 10_000;

/// Errors in a row, by pipeline.
#[derive(Debug)]
pub struct Backoff<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// Counts an error and tells how long to wait.
    pub fn failed(&self, key: K) -> Duration {
        let mut errors = self.lock();
        if errors.len() >= REMEMBERED && !errors.contains_key(&key) {
            errors.clear();
        }
        let count = errors.entry(key).or_insert(0);
        let wait = FIRST.saturating_mul(1 << (*count).min(16)).min(LONGEST);
        *count = count.saturating_add(1);
        wait
    }

    /// Forgets the errors of a pipeline that went well or is gone.
    pub fn succeeded(&self, key: &K) {
        self.lock().remove(key);
    }

    /// Pipelines that wait for another try.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no pipeline waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, u32>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_its_bound_and_starts_again_after_a_success() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (0..9).map(|_| backoff.failed("a").as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(backoff.failed("b").as_secs(), 2);
        backoff.succeeded(&"a");
        assert_eq!(backoff.failed("a").as_secs(), 2);
    }

    #[test]
    fn the_memory_is_bounded() {
        let backoff = Backoff::default();
        for key in 0..REMEMBERED * 2 + 1 {
            backoff.failed(key);
        }
        assert!(backoff.len() <= REMEMBERED);
    }
}
