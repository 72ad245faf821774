//! The places for connections, and who keeps one without using it: has not sent a request, or does not read the answer. Where every
//! place is taken, the connection that has kept the gateway waiting longest makes room, so that callers who say half a request and
//! then nothing cannot keep the probes out.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// A moment that never was.
const NEVER: u64 = 0;

/// The places, of which there are so many.
#[derive(Debug)]
pub(super) struct Connections {
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, Arc<Peer>>>,
    /// A clock that counts what happens, so that no two things happen at once.
    moments: AtomicU64,
    /// Somebody new looks for a place in vain.
    wanted: AtomicBool,
    /// While that is so: somebody began to keep us waiting.
    waits: Notify,
}

/// Who a connection leads to.
#[derive(Debug)]
struct Peer {
    connections: Arc<Connections>,
    /// A request of theirs is under way, its answer included.
    answered: AtomicBool,
    /// Since when no request is.
    silent_since: AtomicU64,
    /// Since when they have not taken what is written to them; else [`NEVER`].
    full_since: AtomicU64,
    leave: CancellationToken,
}

/// A place that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    since: u64,
    peer: Arc<Peer>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            taken: Mutex::default(),
            moments: AtomicU64::new(NEVER),
            wanted: AtomicBool::new(false),
            waits: Notify::new(),
        })
    }

    /// A free place, once there is one: the one that is wasted longest is freed.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        let free = || Arc::clone(&self.free);
        let permit = match free().try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => tokio::select! {
                permit = free().acquire_owned() => permit,
                permit = async { self.make_room().await; free().acquire_owned().await } => permit,
            },
        };
        let now = self.now();
        let peer = Arc::new(Peer {
            connections: Arc::clone(self),
            answered: AtomicBool::new(false),
            silent_since: AtomicU64::new(now),
            full_since: AtomicU64::new(NEVER),
            leave: CancellationToken::new(),
        });
        self.taken().insert(now, Arc::clone(&peer));
        let permit = permit.expect("the semaphore is never closed");
        self.wanted.store(false, Ordering::SeqCst);
        Place { since: now, peer, _permit: permit }
    }

    /// Sends the one away who has kept us waiting longest, as soon as there is one.
    async fn make_room(&self) {
        self.wanted.store(true, Ordering::SeqCst);
        loop {
            let mut begins = std::pin::pin!(self.waits.notified());
            begins.as_mut().enable();
            if self.send_one_away() {
                return;
            }
            begins.await;
        }
    }

    /// Somebody keeps us waiting from now on.
    fn waits(&self) {
        if self.wanted.load(Ordering::SeqCst) {
            self.waits.notify_waiters();
        }
    }

    /// Sends the one away who has kept us waiting longest. Says whether there was one.
    pub(super) fn send_one_away(&self) -> bool {
        let mut taken = self.taken();
        let longest = taken.iter().filter_map(|(place, peer)| Some((peer.keeps_waiting_since()?, *place))).min();
        let peer = longest.and_then(|(_, place)| taken.remove(&place));
        drop(taken);
        peer.as_ref().inspect(|peer| peer.leave.cancel()).is_some()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Arc<Peer>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Peer {
    fn keeps_waiting_since(&self) -> Option<u64> {
        match self.full_since.load(Ordering::SeqCst) {
            NEVER => (!self.answered.load(Ordering::SeqCst)).then(|| self.silent_since.load(Ordering::SeqCst)),
            since => Some(since),
        }
    }
}

impl Place {
    /// Ends once the place must be left.
    pub(super) async fn taken_away(&self) {
        self.peer.leave.cancelled().await;
    }

    /// The stream, watched for who does not read.
    pub(super) fn watch(&self, stream: TcpStream) -> Watched {
        Watched { stream, peer: Arc::clone(&self.peer) }
    }

    /// A request began. It lasts until what is returned is dropped.
    pub(super) fn request(&self) -> UnderWay {
        self.peer.answered.store(true, Ordering::SeqCst);
        UnderWay { peer: Arc::clone(&self.peer) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.peer.connections.taken().remove(&self.since);
    }
}

/// A request from its head to the last byte of its answer.
#[derive(Debug)]
pub(super) struct UnderWay {
    peer: Arc<Peer>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Peer { connections, answered, silent_since, .. } = self.peer.as_ref();
        silent_since.store(connections.now(), Ordering::SeqCst);
        answered.store(false, Ordering::SeqCst);
        connections.waits();
    }
}

/// A stream that notes since when nothing can be written to it.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    peer: Arc<Peer>,
}

impl Watched {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        let full = self.peer.full_since.load(Ordering::SeqCst) != NEVER;
        if written.is_pending() != full {
            let Peer { connections, full_since, .. } = self.peer.as_ref();
            full_since.store(if full { NEVER } else { connections.now() }, Ordering::SeqCst);
            connections.waits();
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_longest_silent_one_makes_room_and_nobody_who_is_answered_does() {
        let connections = Connections::new(3);
        let (answered, first, second) = (connections.place().await, connections.place().await, connections.place().await);
        let request = answered.request();
        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.place().await }
        });
        timeout(SOON, first.taken_away()).await.unwrap();
        assert!(!second.peer.leave.is_cancelled() && !answered.peer.leave.is_cancelled());
        drop(first);
        let third = timeout(SOON, waiting).await.unwrap().unwrap();
        let requests = [second.request(), third.request()];
        assert!(!connections.send_one_away(), "nobody keeps the gateway waiting");
        drop(requests);
        drop(request);
        assert!(connections.send_one_away());
        assert!(second.peer.leave.is_cancelled(), "it was answered before the others");
    }

    #[tokio::test]
    async fn a_request_that_ends_and_a_place_that_is_left_both_make_room() {
        let connections = Connections::new(1);
        let only = connections.place().await;
        let request = only.request();
        let wanted = connections.place();
        tokio::pin!(wanted);
        assert!(timeout(Duration::ZERO, &mut wanted).await.is_err());
        drop(request);
        assert!(timeout(Duration::ZERO, &mut wanted).await.is_err(), "the place is not left yet");
        timeout(SOON, only.taken_away()).await.unwrap();
        drop(only);
        drop(timeout(SOON, &mut wanted).await.unwrap());
        assert!(connections.taken().is_empty());
    }
}
