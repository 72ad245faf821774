//! Generators that stand in for one another, in order. Only an answer of which no word has come goes to the next; one that breaks off
//! later is told as what it is, since its reader has read half of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use prometheus::IntCounterVec;
use tokio::time::Instant;

use crate::traits::generator::{GenerateError, GenerationRequest, Generator, Pieces};

/// Whoever was down or full is asked after the others for so long.
const REST: Duration = Duration::from_secs(15);
/// A provider that asks for more patience rests no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// One of those that are asked.
#[derive(Debug)]
pub struct Candidate {
    generator: Arc<dyn Generator>,
    /// The value of the metric label `provider`.
    provider: &'static str,
    /// Milliseconds since `FallbackGenerator::begin` until which it rests.
    rests_until_ms: AtomicU64,
}

impl Candidate {
    pub fn new(provider: &'static str, generator: Arc<dyn Generator>) -> Self {
        Self { generator, provider, rests_until_ms: AtomicU64::new(0) }
    }
}

/// Asks one generator after the other.
#[derive(Debug)]
pub struct FallbackGenerator {
    first: Candidate,
    others: Vec<Candidate>,
    begin: Instant,
    /// Label `provider`: who gave no answer.
    failures: IntCounterVec,
}

impl FallbackGenerator {
    /// Asks `first`, then the others in their order.
    pub fn new(first: Candidate, others: Vec<Candidate>, failures: IntCounterVec) -> Self {
        Self { first, others, begin: Instant::now(), failures }
    }

    /// Who is asked, in order: those that rest come last, since whoever may be down is still better than nobody.
    fn order(&self) -> Vec<&Candidate> {
        let now = self.now_ms();
        let all = std::iter::once(&self.first).chain(&self.others);
        let (ready, resting): (Vec<_>, Vec<_>) =
            all.partition(|candidate| candidate.rests_until_ms.load(Ordering::Relaxed) <= now);
        ready.into_iter().chain(resting).collect()
    }

    /// What one question caused by itself keeps nobody from the next.
    fn rest(&self, candidate: &Candidate, error: &GenerateError) {
        if !error.is_transient() {
            return;
        }
        let asked = if let GenerateError::RateLimited { retry_after, .. } = error { *retry_after } else { None };
        let rest = asked.map_or(REST, |asked| asked.min(LONGEST_REST));
        let rest_ms = u64::try_from(rest.as_millis()).unwrap_or_default();
        candidate.rests_until_ms.store(self.now_ms().saturating_add(rest_ms), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Generator for FallbackGenerator {
    async fn write(&self, request: &GenerationRequest) -> Result<Pieces, GenerateError> {
        let mut last = GenerateError::Disabled;
        for candidate in self.order() {
            let error = match candidate.generator.write(request).await {
                Ok(pieces) => return Ok(pieces),
                Err(error) => error,
            };
            self.rest(candidate, &error);
            self.failures.with_label_values(&[candidate.provider]).inc();
            let model = candidate.generator.model_name();
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            tracing::warn!(provider = candidate.provider, error.cause = %cause, "the model {model} gave no answer");
            last = error;
        }
        Err(last)
    }

    fn model_name(&self) -> &str {
        self.first.generator.model_name()
    }

    fn follows_instructions(&self) -> bool {
        self.first.generator.follows_instructions()
    }

    async fn health(&self) -> Result<(), GenerateError> {
        let Err(error) = self.first.generator.health().await else { return Ok(()) };
        for other in &self.others {
            if other.generator.health().await.is_ok() {
                return Ok(());
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use prometheus::Opts;

    use super::*;
    use crate::traits::generator::{Ending, Generated};

    /// Fails as it is told, then answers with its name.
    #[derive(Debug)]
    struct Scripted {
        name: &'static str,
        failures: Mutex<Vec<GenerateError>>,
        asked: AtomicU64,
    }

    impl Scripted {
        fn new(name: &'static str, failures: Vec<GenerateError>) -> Arc<Self> {
            Arc::new(Self { name, failures: Mutex::new(failures), asked: AtomicU64::new(0) })
        }

        fn asked(&self) -> u64 {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[async_trait]
    impl Generator for Scripted {
        async fn write(&self, _: &GenerationRequest) -> Result<Pieces, GenerateError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.failures.lock().unwrap().pop() {
                Some(error) => Err(error),
                None => Ok(Generated { text: self.name.into(), ending: Ending::default() }.into_pieces()),
            }
        }

        fn model_name(&self) -> &str {
            self.name
        }

        async fn health(&self) -> Result<(), GenerateError> {
            Ok(())
        }
    }

    fn down() -> GenerateError {
        GenerateError::RateLimited { host: "h".into(), retry_after: None }
    }

    fn refused() -> GenerateError {
        GenerateError::Refused { host: "h".into(), status: 400, message: "too long".into() }
    }

    fn one_after_the_other(models: [&Arc<Scripted>; 2]) -> FallbackGenerator {
        let [first, other] = models.map(|model| Candidate::new("openai", Arc::clone(model) as _));
        let failures = IntCounterVec::new(Opts::new("failures", "help"), &["provider"]).unwrap();
        FallbackGenerator::new(first, vec![other], failures)
    }

    async fn answer(generator: &FallbackGenerator) -> String {
        generator.generate(&GenerationRequest::default()).await.unwrap().text
    }

    #[tokio::test]
    async fn the_next_is_asked_and_who_was_down_rests() {
        let (a, b) = (Scripted::new("a", vec![down()]), Scripted::new("b", vec![]));
        let generator = one_after_the_other([&a, &b]);
        assert_eq!(answer(&generator).await, "b");
        assert_eq!(generator.failures.with_label_values(&["openai"]).get(), 1);
        assert_eq!(answer(&generator).await, "b");
        assert_eq!(a.asked(), 1, "it rests");
        generator.first.rests_until_ms.store(0, Ordering::Relaxed);
        assert_eq!(answer(&generator).await, "a");
        assert_eq!(generator.model_name(), "a");
    }

    #[tokio::test]
    async fn what_one_question_caused_keeps_nobody_from_the_next() {
        let (a, b) = (Scripted::new("a", vec![refused()]), Scripted::new("b", vec![]));
        let generator = one_after_the_other([&a, &b]);
        assert_eq!((answer(&generator).await, answer(&generator).await), ("b".to_owned(), "a".to_owned()));
    }

    #[tokio::test]
    async fn where_all_fail_the_last_error_is_told_and_all_are_asked_again() {
        let (a, b) = (Scripted::new("a", vec![down()]), Scripted::new("b", vec![refused()]));
        let generator = one_after_the_other([&a, &b]);
        let error = generator.generate(&GenerationRequest::default()).await.unwrap_err();
        assert!(matches!(error, GenerateError::Refused { .. }));
        assert_eq!(answer(&generator).await, "b");
    }
}
