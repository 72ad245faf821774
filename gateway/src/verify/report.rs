//! The report of a verification, and how it is shown: to people, and as JSON in the system description's shape. Pure.

use std::{fmt::Write, time::Instant};

use serde::Serialize;
use serde_json::{Map, Value};

use super::failure::Failure;

/// What a test measured.
pub type Details = Map<String, Value>;

/// The part of the system that a test looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    Database,
    Vectors,
    Cache,
    Pipeline,
}

impl Section {
    fn title(self) -> &'static str {
        match self {
            Self::Database => "🔌 Database Connectivity Tests:",
            Self::Vectors => "🔍 Vector Operations Tests:",
            Self::Cache => "💾 Cache Integration Tests:",
            Self::Pipeline => "🤖 RAG Pipeline Tests:",
        }
    }
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    #[serde(skip)]
    pub section: Section,
    pub test_name: &'static str,
    pub passed: bool,
    pub duration_ms: f64,
    /// What was measured; `error` says why it failed.
    pub details: Details,
}

impl TestResult {
    pub(super) fn failed(section: Section, test_name: &'static str, duration_ms: f64, failure: &Failure) -> Self {
        let details = details([("error", failure.chain().into())]);
        Self { section, test_name, passed: false, duration_ms, details }
    }
}

/// How all tests ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub results: Vec<TestResult>,
}

impl Report {
    /// Whether every test passed, and there were any.
    pub fn passed(&self) -> bool {
        !self.results.is_empty() && self.results.iter().all(|result| result.passed)
    }

    /// A list of `{test_name, passed, duration_ms, details}`.
    ///
    /// # Errors
    /// None in practice: the values are plain.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.results)
    }

    /// Sections, names with milliseconds, and a summary.
    pub fn to_text(&self) -> String {
        let mut text = String::from("🧪 pgvector Cache Integration Tests\n==================================\n");
        let mut section = None;
        for result in &self.results {
            if section != Some(result.section) {
                section = Some(result.section);
                line(&mut text, format_args!("\n{}", result.section.title()));
            }
            let mark = if result.passed { '✅' } else { '❌' };
            line(&mut text, format_args!("{mark} {} ({:.2}ms)", result.test_name, result.duration_ms));
            if let (false, Some(Value::String(why))) = (result.passed, result.details.get("error")) {
                line(&mut text, format_args!("   {why}"));
            }
        }
        self.summary(&mut text);
        text
    }

    fn summary(&self, text: &mut String) {
        let passed = self.results.iter().filter(|result| result.passed).count();
        let failed = self.results.len() - passed;
        let rate = 100.0 * passed as f64 / self.results.len().max(1) as f64;
        let total_ms: f64 = self.results.iter().map(|result| result.duration_ms).sum();
        line(text, format_args!("\n📊 Test Results Summary:"));
        line(text, format_args!("✅ Passed: {passed}"));
        line(text, format_args!("❌ Failed: {failed}"));
        line(text, format_args!("📈 Success Rate: {rate:.1}%"));
        line(text, format_args!("⏱️  Total Duration: {total_ms:.2}ms"));
        if self.passed() {
            line(text, format_args!("\n🎉 All integration tests passed!"));
        } else {
            line(text, format_args!("\n💥 {failed} of {} tests failed.", self.results.len()));
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}

/// The details of a test from pairs.
pub(super) fn details<const N: usize>(pairs: [(&str, Value); N]) -> Details {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Milliseconds as they are reported: with two decimals.
pub(super) fn ms(value: f64) -> Value {
    ((value * 100.0).round() / 100.0).into()
}

/// A similarity as it is reported: with four decimals.
pub(super) fn similarity(value: f64) -> Value {
    ((value * 10_000.0).round() / 10_000.0).into()
}

pub(super) fn elapsed_ms(begin: Instant) -> f64 {
    let ms = begin.elapsed().as_secs_f64() * 1_000.0;
    (ms * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passed(section: Section, test_name: &'static str, duration_ms: f64) -> TestResult {
        TestResult { section, test_name, passed: true, duration_ms, details: details([("result_count", 5.into())]) }
    }

    fn report() -> Report {
        let failure = Failure::Wrong("the table is gone".to_owned());
        Report {
            results: vec![
                passed(Section::Database, "Database Connection", 15.234),
                TestResult::failed(Section::Database, "Embeddings Table", 12.0, &failure),
                passed(Section::Cache, "Cache Simulation", 1.5),
            ],
        }
    }

    #[test]
    fn the_text_has_sections_names_with_milliseconds_and_a_summary() {
        let expected = "\
🧪 pgvector Cache Integration Tests
==================================

🔌 Database Connectivity Tests:
✅ Database Connection (15.23ms)
❌ Embeddings Table (12.00ms)
   the table is gone

💾 Cache Integration Tests:
✅ Cache Simulation (1.50ms)

📊 Test Results Summary:
✅ Passed: 2
❌ Failed: 1
📈 Success Rate: 66.7%
⏱️  Total Duration: 28.73ms

💥 1 of 3 tests failed.
";
        assert_eq!(report().to_text(), expected);
    }

    #[test]
    fn a_report_without_failures_says_so() {
        let report = Report { results: vec![passed(Section::Cache, "Cache Simulation", 1.0)] };
        assert!(report.passed());
        let text = report.to_text();
        assert!(text.contains("📈 Success Rate: 100.0%\n"), "{text}");
        assert!(text.ends_with("\n🎉 All integration tests passed!\n"), "{text}");
    }

    #[test]
    fn the_json_has_the_described_shape() {
        let json: Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
        let expected = json!([
            {"test_name": "Database Connection", "passed": true, "duration_ms": 15.234, "details": {"result_count": 5}},
            {"test_name": "Embeddings Table", "passed": false, "duration_ms": 12.0, "details": {"error": "the table is gone"}},
            {"test_name": "Cache Simulation", "passed": true, "duration_ms": 1.5, "details": {"result_count": 5}},
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn nothing_run_is_not_a_success() {
        assert!(!Report::default().passed());
    }
}
