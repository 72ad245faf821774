//! The parts that only decide are fenced by a lint, and touch no client, clock, file, environment or chance.

use super::sources::{nothing_wrong, texts};

/// The root file of each pure part, and the folder or file that it speaks for.
const PURE: [(&str, &str); 3] = [
    ("operator/src/plan/mod.rs", "operator/src/plan/"),
    ("gateway/config/src/index.rs", "gateway/config/src/index"),
    ("gateway/src/redact/mod.rs", "gateway/src/redact/"),
];

// A plan that knew its own version would restart what runs when the operator is upgraded.
const FOREIGN: [&str; 10] = [
    "CARGO_PKG_VERSION",
    "kube::Client",
    "kube::Api",
    "Instant::now",
    "SystemTime::now",
    "Utc::now",
    "Timestamp::now",
    "tokio::",
    "std::fs",
    "std::env",
];

/// Source without its tests, which may read files.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn the_pure_parts_touch_nothing_outside() {
    let mut complaints = Vec::new();
    for (root, folder) in PURE {
        let files = texts(|path| path.ends_with(".rs") && path.starts_with(folder) && !path.ends_with("tests.rs"));
        assert!(files.iter().any(|(path, _)| path == root), "{root} is gone: this test looks at nothing");
        for (path, text) in files {
            for word in FOREIGN.iter().filter(|word| without_tests(&text).contains(**word)) {
                complaints.push(format!("{path} uses {word}"));
            }
        }
    }
    nothing_wrong(&complaints);
}

#[test]
fn the_plan_is_fenced_by_the_lint() {
    let (_, text) = texts(|path| path == "operator/src/plan/mod.rs").remove(0);
    assert!(text.contains("#![deny(clippy::disallowed_types"), "operator/src/plan/mod.rs does not switch the lint on");
}

/// Where SQL is written: what serves, and what builds indexes as the owner of the tables.
const SQL: [&str; 2] = ["gateway/src/backends/pgvector", "gateway/src/index/"];

#[test]
fn sql_is_written_where_it_belongs() {
    let elsewhere = |path: &str| {
        path.starts_with("gateway/src/") && path.ends_with(".rs") && !SQL.iter().any(|folder| path.starts_with(folder))
    };
    let found = texts(elsewhere).into_iter().filter(|(_, text)| without_tests(text).contains("sqlx::query"));
    nothing_wrong(&found.map(|(path, _)| format!("{path} writes SQL")).collect::<Vec<_>>());
}
