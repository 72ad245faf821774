//! Flights: equal searches that come while one is under way share it. Nothing outlives the flight, neither a result nor an error:
//! remembering is the cache's business.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::request::AnswerError;
use crate::traits::cache::CacheKey;

type Outcome<T> = Result<Arc<T>, Arc<AnswerError>>;
type Flight<T> = BoxFuture<'static, Outcome<T>>;

/// The flights under way. Holds no more entries than there are callers, whose number the gateway bounds.
pub struct Flights<T>(Arc<Mutex<UnderWay<T>>>);

struct UnderWay<T> {
    /// Weak: a flight ends with its last caller, as it would without sharing.
    flights: HashMap<CacheKey, (u64, WeakShared<Flight<T>>)>,
    /// Tells flights of the same key apart.
    begun: u64,
}

impl<T: Send + Sync + 'static> Flights<T> {
    /// The outcome of the flight of this key; begins one where there is none. Whoever waits drives it: the caller that began it may
    /// go away without the others noticing.
    ///
    /// # Errors
    /// The flight's, for everybody who waited for it.
    pub(super) async fn join<F>(&self, key: CacheKey, begin: impl FnOnce() -> F) -> Result<Arc<T>, AnswerError>
    where
        F: Future<Output = Result<T, AnswerError>> + Send + 'static,
    {
        // A caller that waited alone gets the error as it is.
        self.board(&key, begin).await.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(AnswerError::Shared))
    }

    fn board<F>(&self, key: &CacheKey, begin: impl FnOnce() -> F) -> Shared<Flight<T>>
    where
        F: Future<Output = Result<T, AnswerError>> + Send + 'static,
    {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.flights.get(key).and_then(|(_, weak)| weak.upgrade()) {
            return flight;
        }
        under_way.begun += 1;
        let number = under_way.begun;
        let landing = Landing { under_way: Arc::clone(&self.0), key: key.clone(), number };
        let begun = begin();
        let flight = async move {
            let outcome = begun.await.map(Arc::new).map_err(Arc::new);
            drop(landing);
            outcome
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            under_way.flights.insert(key.clone(), (number, weak));
        }
        flight
    }
}

/// Takes the entry away when the flight lands, is given up or panics; from then on nobody boards.
struct Landing<T> {
    under_way: Arc<Mutex<UnderWay<T>>>,
    key: CacheKey,
    number: u64,
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            under_way.flights.remove(&self.key);
        }
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(UnderWay { flights: HashMap::new(), begun: 0 })))
    }
}

impl<T> std::fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::{Notify, oneshot};

    use super::*;

    fn key(text: &str) -> CacheKey {
        CacheKey(text.to_owned())
    }

    #[tokio::test]
    async fn callers_that_come_together_share_one_execution() {
        let (flights, runs, go) = (Flights::<u32>::default(), AtomicUsize::new(0), Arc::new(Notify::new()));
        let call = || {
            flights.join(key("a"), || {
                runs.fetch_add(1, Ordering::SeqCst);
                let go = Arc::clone(&go);
                async move {
                    go.notified().await;
                    Ok(7)
                }
            })
        };
        // Everybody is aboard before the flight may land.
        let (outcomes, ()) = tokio::join!(join_all((0..20).map(|_| call())), async { go.notify_one() });
        assert!(outcomes.into_iter().all(|outcome| *outcome.unwrap() == 7));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert!(flights.0.lock().unwrap().flights.is_empty());
    }

    #[tokio::test]
    async fn other_keys_fly_alone() {
        let flights = Flights::<u32>::default();
        let (a, b) = tokio::join!(flights.join(key("a"), || async { Ok(1) }), flights.join(key("b"), || async { Ok(2) }));
        assert_eq!((*a.unwrap(), *b.unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn a_failure_reaches_everybody_aboard_and_nobody_later() {
        let flights = Flights::<u32>::default();
        let fail = || flights.join(key("a"), || async { Err(AnswerError::EmptyQuestion) });
        let outcomes = join_all((0..3).map(|_| fail())).await;
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(*flights.join(key("a"), || async { Ok(3) }).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_first_caller_may_go_away() {
        let flights = Flights::<u32>::default();
        let (send, receive) = oneshot::channel::<u32>();
        let mut first = Box::pin(flights.join(key("a"), || async move { Ok(receive.await.unwrap()) }));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join(key("a"), || async { Ok(0) }));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        send.send(5).unwrap();
        assert_eq!(*second.await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_flight_without_callers_ends() {
        let flights = Flights::<u32>::default();
        let (send, receive) = oneshot::channel::<u32>();
        let mut only = Box::pin(flights.join(key("a"), || async move { Ok(receive.await.unwrap()) }));
        assert!(futures::poll!(&mut only).is_pending());
        drop(only);
        assert!(send.is_closed());
        assert!(flights.0.lock().unwrap().flights.is_empty());
    }
}
