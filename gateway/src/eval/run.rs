//! The evaluation as a list of steps: open, take in, index, ask in each mode, remove. Where that happens is the [`Target`]'s.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use ragline_config::SearchMode;
use serde::Serialize;
use tokio::{signal::unix, time::timeout};

use super::{
    dataset::{Dataset, Question},
    metrics::{Passed, Scores, percentile},
    report::{AtThreshold, ModeReport, Outcome, Report},
    target::{DEPTH, EvalError, Hit, Target},
};
use crate::answer::terms::terms;

/// The removal may take this long.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(120);

/// Hits of each question that are kept.
const FIRST: usize = 10;

/// What to evaluate.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Empty: all modes, and one that is not available is no failure.
    pub modes: Vec<SearchMode>,
    /// The score that is judged as a threshold.
    pub threshold: f32,
}

/// A hit of the first ten, for whoever fits curves to them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgedHit {
    pub mode: SearchMode,
    /// Number of the question among those that were asked, from 0.
    pub question: usize,
    /// Place in the list, from 0.
    pub rank: usize,
    pub score: f32,
    pub similarity: Option<f32>,
    pub lexical: Option<f32>,
    /// Terms of the question, which its BM25 is shared out among.
    pub terms: usize,
    pub relevant: bool,
}

/// Evaluates, and removes what was made for it, whatever happens.
///
/// # Errors
/// Why there is no report; a removal that failed when nothing else did.
pub async fn run(target: &mut dyn Target, dataset: &Dataset, choice: &Choice) -> Result<Report, EvalError> {
    let work = AssertUnwindSafe(evaluate(target, dataset, choice)).catch_unwind();
    let evaluated = tokio::select! {
        biased;
        () = interrupted() => Err(EvalError::Interrupted),
        ended = Box::pin(work) => ended.unwrap_or(Err(EvalError::Panicked)),
    };
    let removed =
        timeout(REMOVAL_PATIENCE, target.remove()).await.unwrap_or(Err(EvalError::SlowRemoval { after: REMOVAL_PATIENCE }));
    let report = evaluated?;
    removed.map(|()| report)
}

async fn evaluate(target: &mut dyn Target, dataset: &Dataset, choice: &Choice) -> Result<Report, EvalError> {
    target.open().await?;
    let begin = Instant::now();
    target.take_in(&dataset.documents, &|_| {}).await?;
    let ingest_seconds = begin.elapsed().as_secs_f64();
    let index = target.index_recall(&dataset.questions).await?;
    let all = [SearchMode::Vector, SearchMode::Lexical, SearchMode::Hybrid];
    let asked_for = !choice.modes.is_empty();
    let (mut modes, mut hits) = (Vec::new(), Vec::new());
    for mode in if asked_for { &choice.modes } else { &all[..] } {
        let outcome = ask(target, *mode, &dataset.questions, choice.threshold, &mut hits).await;
        modes.push(ModeReport { mode: *mode, outcome });
    }
    Ok(Report {
        collection: dataset.name.clone(),
        documents: dataset.documents.len(),
        blank_documents: dataset.documents.iter().filter(|text| text.trim().is_empty()).count(),
        questions: dataset.questions.len(),
        unjudged_questions: dataset.unjudged,
        depth: DEPTH,
        ingest_seconds,
        modes,
        index,
        hits,
    })
}

/// Asks every question, one after the other. The first error ends the mode.
async fn ask(
    target: &dyn Target,
    mode: SearchMode,
    questions: &[Question],
    threshold: f32,
    hits: &mut Vec<JudgedHit>,
) -> Outcome {
    let mut scores = Vec::with_capacity(questions.len());
    let mut times_ms = Vec::with_capacity(questions.len());
    let mut by_words = false;
    let mut passed = Passed::default();
    for (number, question) in questions.iter().enumerate() {
        let begin = Instant::now();
        let found = match target.search(mode, &question.text).await {
            Ok(found) => found,
            Err(error) => return Outcome::NotAvailable { reason: error.chain() },
        };
        times_ms.push(begin.elapsed().as_secs_f64() * 1_000.0);
        by_words |= found.by_words;
        let ranking: Vec<usize> = found.hits.iter().map(|hit| hit.place).collect();
        scores.push(Scores::of(&ranking, &question.judged));
        let above: Vec<usize> = found.hits.iter().filter(|hit| hit.score >= threshold).map(|hit| hit.place).collect();
        passed.add(&above, &question.judged);
        let terms = terms(&question.text).len();
        hits.extend(found.hits.iter().take(FIRST).enumerate().map(|(rank, hit)| {
            let Hit { place, score, similarity, lexical } = *hit;
            let relevant = question.judged.get(&place).is_some_and(|relevance| *relevance > 0);
            JudgedHit { mode, question: number, rank, score, similarity, lexical, terms, relevant }
        }));
    }
    // Figures of another mode under this one's name would be worse than none.
    if mode != SearchMode::Vector && !by_words {
        return Outcome::NotAvailable { reason: "no passage was found by its words".into() };
    }
    Outcome::Measured {
        scores: Scores::mean(&scores),
        threshold: AtThreshold { score: threshold, precision: passed.precision(), recall: passed.recall() },
        p50_ms: percentile(&times_ms, 0.5).unwrap_or_default(),
        p95_ms: percentile(&times_ms, 0.95).unwrap_or_default(),
    }
}

/// Resolves when somebody asks the process to end.
async fn interrupted() {
    let terminate = async {
        match unix::signal(unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminate => {}
        // Without a handler Ctrl-C ends the process, as it would anyhow.
        heard = tokio::signal::ctrl_c() => if heard.is_err() { std::future::pending::<()>().await },
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::eval::{
        metrics::Judged,
        report::IndexRecall,
        target::{Found, Told},
    };

    /// Finds the first document, by words in lexical mode alone; remembers whether it was removed.
    #[derive(Default)]
    struct Fake {
        breaks_in: Option<&'static str>,
        removed: bool,
    }

    impl Fake {
        fn reach(&self, step: &'static str) -> Result<(), EvalError> {
            match self.breaks_in {
                Some("panic") if step == "search" => panic!("as the test wants"),
                Some(broken) if broken == step => Err(EvalError::failed(step)(anyhow::anyhow!("as the test wants"))),
                Some(_) | None => Ok(()),
            }
        }
    }

    #[async_trait]
    impl Target for Fake {
        async fn open(&mut self) -> Result<(), EvalError> {
            self.reach("open")
        }

        async fn take_in(&mut self, _documents: &[String], _more: Told<'_>) -> Result<(), EvalError> {
            self.reach("take_in")
        }

        async fn search(&self, mode: SearchMode, _question: &str) -> Result<Found, EvalError> {
            self.reach("search")?;
            let hit = Hit { place: 0, score: 0.8, ..Hit::default() };
            Ok(Found { hits: vec![hit], by_words: mode == SearchMode::Lexical })
        }

        async fn index_recall(&mut self, _questions: &[Question]) -> Result<Option<IndexRecall>, EvalError> {
            Ok(None)
        }

        async fn remove(&mut self) -> Result<(), EvalError> {
            self.removed = true;
            self.reach("remove")
        }
    }

    fn dataset() -> Dataset {
        let question = Question { text: "q".into(), judged: Judged::from([(0, 1)]) };
        Dataset { name: "fake".into(), documents: vec!["a".into(), " ".into()], questions: vec![question], unjudged: 3 }
    }

    #[tokio::test]
    async fn each_mode_gets_its_figures_and_one_that_is_ignored_gets_none() {
        let mut fake = Fake::default();
        let report = run(&mut fake, &dataset(), &Choice::default()).await.unwrap();
        assert!(fake.removed);
        assert_eq!((report.documents, report.blank_documents, report.questions, report.unjudged_questions), (2, 1, 1, 3));
        let measured: Vec<_> =
            report.modes.iter().map(|mode| (mode.mode, matches!(mode.outcome, Outcome::Measured { .. }))).collect();
        assert_eq!(measured, [(SearchMode::Vector, true), (SearchMode::Lexical, true), (SearchMode::Hybrid, false)]);
        assert!(report.has(&[SearchMode::Vector]) && !report.has(&[SearchMode::Vector, SearchMode::Hybrid]));
    }

    #[tokio::test]
    async fn the_workspace_is_removed_after_a_failure_and_a_panic() {
        for step in ["open", "take_in", "panic"] {
            let mut fake = Fake { breaks_in: Some(step), ..Fake::default() };
            assert!(run(&mut fake, &dataset(), &Choice::default()).await.is_err(), "{step}");
            assert!(fake.removed, "{step}");
        }
    }

    #[tokio::test]
    async fn a_removal_that_fails_is_told() {
        let mut fake = Fake { breaks_in: Some("remove"), ..Fake::default() };
        assert!(run(&mut fake, &dataset(), &Choice::default()).await.is_err());
    }

    #[tokio::test]
    async fn a_mode_that_answers_with_an_error_says_why() {
        let mut fake = Fake { breaks_in: Some("search"), ..Fake::default() };
        let report = run(&mut fake, &dataset(), &Choice { modes: vec![SearchMode::Vector], ..Choice::default() }).await.unwrap();
        let reason = "the search failed: as the test wants".to_owned();
        assert_eq!(report.modes, [ModeReport { mode: SearchMode::Vector, outcome: Outcome::NotAvailable { reason } }]);
    }
}
