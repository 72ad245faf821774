//! Something that is opened on first use, by a task of its own, and again after it was lost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{RedisError, RedisResult};

/// Opening takes at most this long.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

type Opening<C> = Shared<BoxFuture<'static, RedisResult<C>>>;
type Open<C> = Box<dyn Fn() -> BoxFuture<'static, RedisResult<C>> + Send + Sync>;

/// A connection, or the way to one. Clones share it.
#[derive(Clone)]
pub(in super::super) struct Lazy<C: Clone>(Arc<Inner<C>>);

struct Inner<C: Clone> {
    open: Open<C>,
    current: Mutex<Current<C>>,
}

struct Current<C: Clone> {
    /// Grows with each opening, so that a late complaint does not close what came after.
    number: u64,
    opening: Option<Opening<C>>,
}

impl<C: Clone + Send + Sync + 'static> Lazy<C> {
    pub(super) fn new<F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = RedisResult<C>> + Send + 'static,
    {
        let current = Mutex::new(Current { number: 0, opening: None });
        Self(Arc::new(Inner { open: Box::new(move || open().boxed()), current }))
    }

    /// Uses the connection; it is given up if `is_lost` says so of the error.
    pub(super) async fn with<T, F>(&self, act: impl FnOnce(C) -> F, is_lost: fn(&RedisError) -> bool) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let (number, opening) = self.current();
        let done = act(opening.await?).await;
        if done.as_ref().is_err_and(is_lost) {
            self.give_up(number);
        }
        done
    }

    /// What is open or being opened; begins to open where there is nothing, or where opening failed.
    fn current(&self) -> (u64, Opening<C>) {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = current.opening.clone().filter(|opening| !matches!(opening.peek(), Some(Err(_))));
        let opening = usable.unwrap_or_else(|| {
            let open = (self.0.open)();
            let bounded = async move { tokio::time::timeout(OPEN_WITHIN, open).await.unwrap_or_else(|_| Err(too_slow())) };
            let opening = bounded.boxed().shared();
            // Goes on when nobody waits for it any longer.
            tokio::spawn(opening.clone().map(drop));
            current.number += 1;
            current.opening = Some(opening.clone());
            opening
        });
        (current.number, opening)
    }

    fn give_up(&self, number: u64) {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.opening = None;
        }
    }
}

fn too_slow() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Fails the first time, then counts how often it was opened.
    fn numbers() -> Lazy<u64> {
        let opened = Arc::new(AtomicU64::new(0));
        Lazy::new(move || {
            let opened = opened.fetch_add(1, Ordering::Relaxed);
            async move { if opened == 0 { Err(too_slow()) } else { Ok(opened) } }
        })
    }

    async fn number(lazy: &Lazy<u64>) -> Option<u64> {
        lazy.with(|number| async move { Ok(number) }, |_| false).await.ok()
    }

    #[tokio::test]
    async fn it_is_opened_anew_after_a_failure_and_once_after_a_loss() {
        let lazy = numbers();
        assert_eq!([number(&lazy).await, number(&lazy).await, number(&lazy).await], [None, Some(1), Some(1)]);
        let late = || async {
            tokio::task::yield_now().await;
            Err::<(), _>(too_slow())
        };
        let lose = || lazy.with(|_| late(), RedisError::is_timeout);
        // Both used the first one; the second complaint comes when it has been given up already.
        let (first, second) = futures::join!(lose(), lose());
        assert!(first.is_err() && second.is_err());
        assert_eq!([number(&lazy).await, number(&lazy).await], [Some(2), Some(2)]);
    }

    #[tokio::test]
    async fn what_is_not_lost_is_kept() {
        let lazy = numbers();
        number(&lazy).await;
        lazy.with(|_| async { Err::<(), _>(too_slow()) }, |_| false).await.unwrap_err();
        assert_eq!(number(&lazy).await, Some(1));
    }
}
