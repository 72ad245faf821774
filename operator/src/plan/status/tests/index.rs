//! What is said of vectors and index.

use super::*;

#[test]
fn data_that_outgrew_what_was_expected_is_warned_of() {
    let mut observed = running();
    observed.index = Some(index_report(2_000_000, IndexKind::Hnsw { m: 16, ef_construction: 64 }));
    let wanted = [(ConfigurationWarning, "True", Reason::IndexTierMismatch)];
    check("outgrown", json!({"dataset": {"expectedVectors": 5_000}}), &observed, &wanted, &[]);
    observed.index = Some(index_report(5, IndexKind::Exact));
    let wanted = [(ConfigurationWarning, "False", Reason::NothingToWarnOf)];
    check("not yet filled", json!({"dataset": {"expectedVectors": 2_000_000}}), &observed, &wanted, &[]);
}

#[test]
fn an_index_that_finds_too_little_is_warned_of_and_its_recall_is_shown() {
    let mut observed = running();
    let warning = Some("searches by the index find 90.0 % of the true neighbours".to_owned());
    let ivfflat = index_report(20_000, IndexKind::IvfFlat { lists: 100 });
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
        let observed = Observed { index: Some(index_report(vectors, IndexKind::Exact)), ..running() };
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

#[test]
fn relations_are_counted_by_their_index_and_the_largest_are_named() {
    let pipeline = pipeline(json!({}));
    let relation = |workspace: Option<&str>, rows: u64, active: IndexKind| RelationReport {
        workspace: workspace.map(str::to_owned),
        rows,
        active,
    };
    let ivfflat = IndexKind::IvfFlat { lists: 100 };
    let seen = |large: u64, active: IndexKind, second: i64, before: &RagPipelineStatus| {
        let indexed = u32::from(active == ivfflat);
        let tiers = TierCounts { exact: 2 - indexed, ivf_flat: indexed, hnsw: 0 };
        let largest = vec![relation(Some("sales"), large, active), relation(None, 400, IndexKind::Exact)];
        let index = IndexReport { tiers, largest, ..index_report(large + 400, active) };
        status(&facts(second), Outcome::Seen(&pipeline, &Observed { index: Some(index), ..running() }), before)
    };
    let relations = |status: &RagPipelineStatus| serde_json::to_value(status.index.as_ref().unwrap().relations.as_ref()).unwrap();

    let first = seen(20_000, IndexKind::Exact, 0, &RagPipelineStatus::default());
    let pool = json!({"vectors": 400, "type": "Exact"});
    let wanted = json!({
        "exact": 2, "ivfFlat": 0, "hnsw": 0, "largest": [{"workspace": "sales", "vectors": 20_000, "type": "Exact"}, pool],
    });
    assert_eq!(relations(&first), wanted);
    assert_eq!(seen(20_100, IndexKind::Exact, 1_000, &first), seen(20_000, IndexKind::Exact, 1_000, &first), "too little");
    assert_eq!(relations(&seen(21_000, IndexKind::Exact, 1_000, &first))["largest"][0]["vectors"], 21_000);
    let built = relations(&seen(20_000, ivfflat, 15, &first));
    assert_eq!(built["largest"][0], json!({"workspace": "sales", "vectors": 20_000, "type": "IvfFlat"}), "another index");
    assert_eq!((&built["exact"], &built["ivfFlat"]), (&json!(1), &json!(1)));
}

#[test]
fn a_gateway_that_tells_of_no_relations_is_taken_as_it_is_and_one_that_tells_of_many_is_cut_short() {
    let pipeline = pipeline(json!({}));
    let said = |largest: Vec<RelationReport>| {
        let index = Some(IndexReport { largest, ..index_report(500, IndexKind::Exact) });
        let seen = Observed { index, ..running() };
        status(&facts(0), Outcome::Seen(&pipeline, &seen), &RagPipelineStatus::default()).index.unwrap().relations
    };
    assert_eq!(said(Vec::new()), None);
    let one = RelationReport { workspace: None, rows: 1, active: IndexKind::Exact };
    assert_eq!(said(vec![one; 20]).unwrap().largest.len(), 10);
}
