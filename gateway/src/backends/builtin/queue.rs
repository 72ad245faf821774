//! The line in front of the built-in model. Questions go before passages: passages are worked off in steps short enough that a
//! question never waits long. Both lines are bounded by permits, and work whose caller went away is dropped unseen.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::model::MiniLm;
use crate::traits::embedder::{EmbedError, Vector};

/// Questions that may wait for the model at once; further callers wait for a permit.
const WAITING_QUESTIONS: usize = 256;
/// Steps of passages that may wait for the model at once.
const WAITING_STEPS: usize = 8;
/// Questions that share one run.
const QUESTIONS_PER_RUN: usize = 16;

/// Token sequences that are run together.
struct Step {
    sequences: Vec<Vec<i32>>,
    reply: oneshot::Sender<Result<Vec<Vector>, EmbedError>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Lines {
    questions: VecDeque<Step>,
    passages: VecDeque<Step>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    arrived: Condvar,
}

/// Which line a step joins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Line {
    Questions,
    Passages,
}

/// Hands steps to the worker thread, which ends when this is dropped.
pub(super) struct Queue {
    shared: Arc<Shared>,
    questions: Arc<Semaphore>,
    passages: Arc<Semaphore>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// Starts the worker.
    pub(super) fn start(model: MiniLm) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let worker = Arc::clone(&shared);
        std::thread::Builder::new().name("embedder".into()).spawn(move || work(&worker, &model))?;
        Ok(Self {
            shared,
            questions: Arc::new(Semaphore::new(WAITING_QUESTIONS)),
            passages: Arc::new(Semaphore::new(WAITING_STEPS)),
        })
    }

    /// The vectors of the sequences, in order.
    pub(super) async fn run(&self, line: Line, sequences: Vec<Vec<i32>>) -> Result<Vec<Vector>, EmbedError> {
        let permits = match line {
            Line::Questions => &self.questions,
            Line::Passages => &self.passages,
        };
        let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
        let (reply, answer) = oneshot::channel();
        let step = Step { sequences, reply, _permit: permit };
        {
            let mut lines = lock(&self.shared.lines);
            match line {
                Line::Questions => lines.questions.push_back(step),
                Line::Passages => lines.passages.push_back(step),
            }
        }
        self.shared.arrived.notify_one();
        answer.await.unwrap_or_else(|_| Err(EmbedError::Model("the model's thread ended".into())))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        lock(&self.shared.lines).closed = true;
        self.shared.arrived.notify_all();
    }
}

/// A panic inside the engine leaves the lines whole, so its poison is no cause to stop.
fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(shared: &Shared, model: &MiniLm) {
    while let Some(steps) = next(shared) {
        let sequences: Vec<&[i32]> = steps.iter().flat_map(|step| &step.sequences).map(Vec::as_slice).collect();
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.run(&sequences)));
        let mut vectors = match run {
            Ok(Ok(vectors)) => Ok(vectors.into_iter()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the engine panicked".to_owned()),
        };
        for step in steps {
            let count = step.sequences.len();
            let answer = match &mut vectors {
                Ok(vectors) => Ok(vectors.take(count).collect()),
                Err(what) => Err(EmbedError::Model(what.clone().into())),
            };
            // A caller that went away meanwhile needs no answer.
            drop(step.reply.send(answer));
        }
    }
}

/// Waits for work: all questions that fit one run, else one step of passages. `None`: the queue is gone.
fn next(shared: &Shared) -> Option<Vec<Step>> {
    let mut lines = lock(&shared.lines);
    loop {
        lines.questions.retain(|step| !step.reply.is_closed());
        lines.passages.retain(|step| !step.reply.is_closed());
        if lines.closed {
            return None;
        }
        let questions = lines.questions.len().min(QUESTIONS_PER_RUN);
        if questions > 0 {
            return Some(lines.questions.drain(..questions).collect());
        }
        if let Some(step) = lines.passages.pop_front() {
            return Some(vec![step]);
        }
        lines = shared.arrived.wait(lines).unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that is told by its one token, and the end that keeps its caller alive.
    fn step(token: i32) -> (Step, oneshot::Receiver<Result<Vec<Vector>, EmbedError>>) {
        let (reply, answer) = oneshot::channel();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (Step { sequences: vec![vec![token]], reply, _permit: permit }, answer)
    }

    fn tokens(shared: &Shared) -> Vec<i32> {
        next(shared).unwrap().iter().flat_map(|step| step.sequences.concat()).collect()
    }

    #[test]
    fn all_questions_go_before_the_next_passage_however_long_it_has_waited() {
        let shared = Shared::default();
        let mut callers = Vec::new();
        for (step, caller) in (0..8).map(step) {
            lock(&shared.lines).passages.push_back(step);
            callers.push(caller);
        }
        assert_eq!(tokens(&shared), [0], "one step of passages at a time");
        for (step, caller) in (100..103).map(step) {
            lock(&shared.lines).questions.push_back(step);
            callers.push(caller);
        }
        assert_eq!(tokens(&shared), [100, 101, 102], "questions share a run");
        assert_eq!(tokens(&shared), [1]);
    }

    #[test]
    fn work_whose_caller_went_away_is_dropped() {
        let shared = Shared::default();
        let (gone, _) = step(1);
        let (asked, _caller) = step(2);
        lock(&shared.lines).passages.extend([gone, asked]);
        assert_eq!(tokens(&shared), [2]);
    }
}
