//! What is said of vectors and index.

use super::*;

#[test]
fn data_that_outgrew_what_was_expected_is_warned_of() {
    let mut observed = running();
    observed.index = Some(report(2_000_000, IndexKind::Hnsw { m: 16, ef_construction: 64 }));
    let wanted = [(ConfigurationWarning, "True", Reason::IndexTierMismatch)];
    check("outgrown", json!({"dataset": {"expectedVectors": 5_000}}), &observed, &wanted, &[]);
    observed.index = Some(report(5, IndexKind::Exact));
    let wanted = [(ConfigurationWarning, "False", Reason::NothingToWarnOf)];
    check("not yet filled", json!({"dataset": {"expectedVectors": 2_000_000}}), &observed, &wanted, &[]);
}

#[test]
fn an_index_that_finds_too_little_is_warned_of_and_its_recall_is_shown() {
    let mut observed = running();
    let warning = Some("searches by the index find 90.0 % of the true neighbours".to_owned());
    let ivfflat = report(20_000, IndexKind::IvfFlat { lists: 100 });
    observed.index = Some(IndexReport { recall: Some(0.901), warning, ..ivfflat });
    check("too little", json!({}), &observed, &[(ConfigurationWarning, "True", Reason::RecallBelowTarget)], &[]);
    let pipeline = pipeline(json!({}));
    let status = status(&facts(100), Outcome::Seen(&pipeline, &observed), &RagPipelineStatus::default());
    assert_eq!(status.index.unwrap().active.unwrap().recall_percent, Some(90));
}

#[test]
fn a_count_is_written_when_it_has_moved_enough() {
    let pipeline = pipeline(json!({}));
    let seen = |vectors: u64, second: i64, before: &RagPipelineStatus| {
        let observed = Observed { index: Some(report(vectors, IndexKind::Exact)), ..running() };
        status(&facts(second), Outcome::Seen(&pipeline, &observed), before)
    };
    let count = |status: &RagPipelineStatus| status.vectors.as_ref().unwrap().count;
    let first = seen(1_000, 0, &RagPipelineStatus::default());
    assert_eq!(count(&first), 1_000);
    assert_eq!(count(&seen(1_009, 1_000, &first)), 1_000, "less than one percent");
    assert_eq!(count(&seen(1_100, 200, &first)), 1_000, "too early");
    assert_eq!(count(&seen(1_100, 300, &first)), 1_100);
    assert_eq!(count(&seen(2_000, 15, &first)), 2_000, "doubled");
    assert_eq!(count(&seen(0, 15, &first)), 0, "gone");
}

#[test]
fn before_there_is_data_the_expected_count_says_which_index() {
    let pipeline = pipeline(json!({"dataset": {"expectedVectors": 200_000}}));
    let status = status(&facts(0), Outcome::Seen(&pipeline, &Observed::default()), &RagPipelineStatus::default());
    let desired = status.index.unwrap().desired.unwrap();
    assert_eq!((desired.type_, desired.lists), (IndexType::IvfFlat, Some(1_000)));
}
