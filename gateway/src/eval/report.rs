//! The report of an evaluation, and how it is shown: as a table, and as JSON. Pure.

use std::fmt::Write;

use ragline_config::SearchMode;
use serde::Serialize;

use super::{metrics::Scores, run::JudgedHit, target::word};
use crate::traits::search::SearchPlan;

/// How a collection was searched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub collection: String,
    pub documents: usize,
    /// Documents without text, which were left out.
    pub blank_documents: usize,
    /// Questions that were asked.
    pub questions: usize,
    /// Questions that were not, since no document is relevant for them.
    pub unjudged_questions: usize,
    /// Chunks that each question asked for.
    pub depth: u32,
    pub ingest_seconds: f64,
    pub modes: Vec<ModeReport>,
    /// `None` where the database could not be looked into.
    pub index: Option<IndexRecall>,
    /// The first ten hits of each question in each mode; not part of the report as it is shown.
    #[serde(skip)]
    pub hits: Vec<JudgedHit>,
}

/// How one mode did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModeReport {
    pub mode: SearchMode,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Measured {
        #[serde(flatten)]
        scores: Scores,
        threshold: AtThreshold,
        /// Of a whole search, its embedding included.
        p50_ms: f64,
        p95_ms: f64,
    },
    NotAvailable {
        reason: String,
    },
}

/// What a threshold lets through of the first hundred hits, over all questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    pub score: f32,
    /// Relevant documents by all that passed; `None` where none did.
    pub precision: Option<f64>,
    /// Relevant documents that passed by all relevant ones.
    pub recall: f64,
}

/// The first ten chunks of the vector search beside those of comparing every row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IndexRecall {
    pub plan: SearchPlan,
    /// Rows of the workspace, one a window.
    pub rows: u64,
    pub recall_at_10: f64,
}

impl Report {
    /// Whether there are figures of each of these modes.
    pub fn has(&self, modes: &[SearchMode]) -> bool {
        let measured = |mode: &SearchMode| {
            self.modes.iter().any(|report| report.mode == *mode && matches!(report.outcome, Outcome::Measured { .. }))
        };
        modes.iter().all(measured)
    }

    fn threshold(&self) -> f32 {
        let measured = self.modes.iter().find_map(|mode| match &mode.outcome {
            Outcome::Measured { threshold, .. } => Some(threshold.score),
            Outcome::NotAvailable { .. } => None,
        });
        measured.unwrap_or_default()
    }

    /// The judged hits as JSON Lines.
    ///
    /// # Errors
    /// None in practice: the values are plain.
    pub fn hits_to_json_lines(&self) -> Result<String, serde_json::Error> {
        self.hits.iter().map(|hit| serde_json::to_string(hit).map(|line| line + "\n")).collect()
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// None in practice: the values are plain.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// A line on the collection, a table of the modes, a line on the index.
    pub fn to_text(&self) -> String {
        let Self {
            collection,
            documents,
            blank_documents,
            questions,
            unjudged_questions,
            depth,
            ingest_seconds,
            modes,
            index,
            hits: _,
        } = self;
        let mut text = String::new();
        line(
            &mut text,
            format_args!(
                "{collection}: {documents} documents ({blank_documents} blank) taken in within {ingest_seconds:.1} s, {questions} \
                 questions with judgements ({unjudged_questions} without), {depth} chunks each"
            ),
        );
        line(
            &mut text,
            format_args!(
                "\n{:<9}  nDCG@10  recall@10  recall@100  MRR@10   p50 ms   p95 ms  score>={:.2}: precision  recall",
                "mode",
                self.threshold()
            ),
        );
        for ModeReport { mode, outcome } in modes {
            let mode = word(*mode);
            match outcome {
                Outcome::Measured { scores, threshold, p50_ms, p95_ms } => {
                    let Scores { ndcg_at_10, recall_at_10, recall_at_100, mrr_at_10 } = scores;
                    let AtThreshold { score: _, precision, recall } = threshold;
                    let precision = precision.map_or_else(|| "-".to_owned(), |precision| format!("{precision:.4}"));
                    line(
                        &mut text,
                        format_args!(
                            "{mode:<9}  {ndcg_at_10:>7.4}  {recall_at_10:>9.4}  {recall_at_100:>10.4}  {mrr_at_10:>6.4}  {p50_ms:>7.1}  {p95_ms:>7.1}  {precision:>22}  {recall:>6.4}"
                        ),
                    );
                }
                Outcome::NotAvailable { reason } => line(&mut text, format_args!("{mode:<9}  not available: {reason}")),
            }
        }
        match index {
            Some(IndexRecall { plan, rows, recall_at_10 }) => {
                let plan = plan.label();
                line(
                    &mut text,
                    format_args!("\nvector index: {plan} over {rows} rows, recall@10 against exact {recall_at_10:.4}"),
                );
            }
            None => line(&mut text, format_args!("\nvector index: not compared, which takes the database's own URLs")),
        }
        text
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        let scores = Scores { ndcg_at_10: 0.4321, recall_at_10: 0.25, recall_at_100: 0.5, mrr_at_10: 0.75 };
        let threshold = AtThreshold { score: 0.75, precision: Some(0.5), recall: 0.25 };
        let measured = Outcome::Measured { scores, threshold, p50_ms: 1.5, p95_ms: 20.25 };
        let reason = "no such search by words".to_owned();
        Report {
            collection: "cisi".into(),
            documents: 1460,
            blank_documents: 0,
            questions: 76,
            unjudged_questions: 36,
            depth: 100,
            ingest_seconds: 12.5,
            modes: vec![
                ModeReport { mode: SearchMode::Vector, outcome: measured },
                ModeReport { mode: SearchMode::Lexical, outcome: Outcome::NotAvailable { reason } },
            ],
            index: Some(IndexRecall { plan: SearchPlan::Exact, rows: 3000, recall_at_10: 1.0 }),
            hits: Vec::new(),
        }
    }

    #[test]
    fn people_get_a_table() {
        let expected = "\
cisi: 1460 documents (0 blank) taken in within 12.5 s, 76 questions with judgements (36 without), 100 chunks each

mode       nDCG@10  recall@10  recall@100  MRR@10   p50 ms   p95 ms  score>=0.75: precision  recall
vector      0.4321     0.2500      0.5000  0.7500      1.5     20.2                  0.5000  0.2500
lexical    not available: no such search by words

vector index: exact over 3000 rows, recall@10 against exact 1.0000
";
        assert_eq!(report().to_text(), expected);
    }

    #[test]
    fn programs_get_flat_figures() {
        let value: serde_json::Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        let vector = json!({"mode": "vector", "outcome": "measured", "ndcg_at_10": 0.4321, "recall_at_10": 0.25, "recall_at_100": 0.5,
            "mrr_at_10": 0.75, "threshold": {"score": 0.75, "precision": 0.5, "recall": 0.25}, "p50_ms": 1.5, "p95_ms": 20.25});
        let lexical = json!({"mode": "lexical", "outcome": "not_available", "reason": "no such search by words"});
        assert_eq!(value["modes"], json!([vector, lexical]));
        assert_eq!(value["index"], json!({"plan": "exact", "rows": 3000, "recall_at_10": 1.0}));
    }
}
