//! Vectors and index, from what a gateway told.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use ragline_config::{
    BuildReport, IndexReport, RelationReport, TierCounts,
    index::{IndexKind, tier},
};
use ragline_crds::{
    RagPipelineStatus, Reason,
    status::{ActiveIndex, BuildPhase, DesiredIndex, IndexBuild, IndexStatus, IndexType, Relation, Relations, Vectors},
};

use super::{
    Facts,
    conditions::whole_seconds,
    judgement::{Judgement, Truth, shortened},
    schema,
};
use crate::plan::{
    observed::{self, Observed},
    pipeline::Pipeline,
};

/// A count that has moved by a little is written no more often than this.
const COUNT_PERIOD: SignedDuration = SignedDuration::from_mins(5);
/// Relations that are named; a gateway of another version may tell of more.
const LARGEST: usize = 10;

/// Whether searches use the index that the count deserves.
pub(super) fn condition(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let Some(report) = &observed.index else {
        return Judgement::new(Truth::Unknown, Reason::NoReport, "No gateway has reported the index yet.");
    };
    // An index that is measured or built anew serves as before.
    let has_failed = observed.index_job.as_ref().is_some_and(|job| observed::job_condition(job, "Failed").is_some());
    if !report.due || (report.active == report.desired && !has_failed) {
        let (reason, what) = match report.active {
            IndexKind::Exact => (Reason::ExactScan, "Searches compare all vectors; there are few enough."),
            IndexKind::IvfFlat { .. } => (Reason::IvfFlat, "Searches use an ivfflat index."),
            IndexKind::Hnsw { .. } => (Reason::Hnsw, "Searches use an HNSW index."),
        };
        return Judgement::new(Truth::True, reason, what);
    }
    let (from, to) = (type_of(report.active), type_of(report.desired));
    let change = format!("from {from:?} to {to:?} at {} vectors", about(report.rows));
    let pending = || {
        if pipeline.index_window.is_some_and(|window| !window.is_open(facts.now)) {
            let message = format!("A change {change} is due and waits for spec.index.maintenanceWindow.");
            return Judgement::new(Truth::False, Reason::OutsideWindow, &message);
        }
        Judgement::new(Truth::False, Reason::BuildPending, &format!("A change {change} is due; its Job has not started yet."))
    };
    let Some(job) = &observed.index_job else { return pending() };
    let name = job.metadata.name.as_deref().unwrap_or_default();
    if observed::job_condition(job, "Failed").is_some() {
        let words = schema::words(observed, name).unwrap_or_else(|| "none".to_owned());
        let message = format!(
            "Job {name} failed; searches use what was there before. Its last words: {words}. Delete the Job to have it run again: kubectl -n {} delete job {name}",
            pipeline.namespace
        );
        return Judgement::new(Truth::False, Reason::BuildFailed, &message);
    }
    if observed::job_condition(job, "Complete").is_some() {
        return pending();
    }
    Judgement::new(
        Truth::False,
        Reason::Building,
        &format!("Job {name} makes the change {change}; searches use what was there before."),
    )
}

/// Two digits of a count, so that a message does not change with every document.
fn about(count: u64) -> String {
    let digits = count.checked_ilog10().unwrap_or(0);
    let step = 10_u64.pow(digits.saturating_sub(1));
    format!("about {}", count / step * step)
}

/// Whether the expected count deserves a lesser index than the measured one, or an index finds too little.
pub(super) fn warning(pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let nothing = || Judgement::new(Truth::False, Reason::NothingToWarnOf, "Nothing to warn of.");
    let Some(report) = &observed.index else { return nothing() };
    let tiers = pipeline.config.index.tiers();
    let outgrown = pipeline.expected_vectors.filter(|&expected| {
        let mismatch = tier(&tiers, expected) != tier(&tiers, report.rows);
        report.rows > expected && mismatch
    });
    let Some(expected) = outgrown else {
        return report.warning.as_ref().map_or_else(nothing, |warning| {
            Judgement::new(
                Truth::True,
                Reason::RecallBelowTarget,
                &shortened(&format!("An index finds too little: {warning}."), 1_024),
            )
        });
    };
    let message = format!(
        "The data has outgrown spec.dataset.expectedVectors ({expected}): {} vectors deserve {:?}. Raise it, and with it the memory of PostgreSQL.",
        about(report.rows),
        type_of(report.desired)
    );
    Judgement::new(Truth::True, Reason::IndexTierMismatch, &message)
}

/// The count, moved only when it has moved by one percent, and then every five minutes; one that has doubled, halved or changed
/// the index is written at once.
pub(super) fn vectors(facts: &Facts<'_>, observed: &Observed, previous: &RagPipelineStatus) -> Option<Vectors> {
    let Some(report) = &observed.index else { return previous.vectors.clone() };
    let now = || Some(Vectors { count: report.vectors, as_of: whole_seconds(facts) });
    let Some(before) = &previous.vectors else { return now() };
    let moved = before.count.abs_diff(report.vectors);
    let much = moved > 0 && moved.saturating_mul(2) >= before.count.max(report.vectors);
    let enough = moved.saturating_mul(100) >= before.count.max(1) && facts.now.duration_since(before.as_of.0) >= COUNT_PERIOD;
    let was = previous.index.as_ref().and_then(|index| index.active.as_ref()).map(|active| active.type_);
    let switched = moved > 0 && was.is_some_and(|was| was != type_of(report.active));
    if much || enough || switched { now() } else { previous.vectors.clone() }
}

/// The index as it is, as it should be, and how the last build goes. `counted`: the count of all vectors is written anew, and the
/// counts of the relations with it.
pub(super) fn status(pipeline: &Pipeline, observed: &Observed, previous: Option<&IndexStatus>, counted: bool) -> IndexStatus {
    let tiers = pipeline.config.index.tiers();
    let Some(IndexReport {
        vectors: _,
        rows,
        active,
        rows_at_build,
        desired: wanted,
        due: _,
        recall,
        warning: _,
        tiers: counts,
        largest,
        build,
    }) = &observed.index
    else {
        let expected = pipeline.expected_vectors;
        let before = previous.cloned().unwrap_or_default();
        let forecast = || expected.map(|count| desired(tier(&tiers, count), "dataset.expectedVectors asks for it".to_owned()));
        return IndexStatus { desired: before.desired.clone().or_else(forecast), ..before };
    };
    let (desired_index, why) = match pipeline.expected_vectors {
        Some(expected) if *rows == 0 => (tier(&tiers, expected), "dataset.expectedVectors asks for it".to_owned()),
        Some(_) | None => (*wanted, "the number of vectors asks for it".to_owned()),
    };
    IndexStatus {
        active: Some(active_index(*active, *rows_at_build, *recall)),
        desired: Some(desired(desired_index, why)),
        build: build.as_ref().map(built),
        relations: relations(counts, largest, previous.and_then(|before| before.relations.as_ref()), counted),
    }
}

/// The relations, said as before unless one came, went or changed its index, or the counts are written anyway. A gateway that does
/// not tell of any is of an older version.
fn relations(counts: &TierCounts, largest: &[RelationReport], before: Option<&Relations>, counted: bool) -> Option<Relations> {
    let TierCounts { exact, ivf_flat, hnsw } = *counts;
    let unmoved = before.filter(|before| !counted && (before.exact, before.ivf_flat, before.hnsw) == (exact, ivf_flat, hnsw));
    if let Some(before) = unmoved {
        return Some(before.clone());
    }
    let one = |RelationReport { workspace, rows, active }: &RelationReport| Relation {
        workspace: workspace.clone(),
        vectors: *rows,
        type_: type_of(*active),
    };
    (!largest.is_empty()).then(|| Relations { exact, ivf_flat, hnsw, largest: largest.iter().take(LARGEST).map(one).collect() })
}

fn active_index(kind: IndexKind, rows_at_build: u64, recall: Option<f32>) -> ActiveIndex {
    let (type_, lists, m, ef_construction) = parameters(kind);
    let rows_at_build = (type_ != IndexType::Exact).then_some(rows_at_build);
    let recall_percent = recall.filter(|_| type_ != IndexType::Exact).map(whole_percent);
    ActiveIndex { type_, lists, m, ef_construction, rows_at_build, recall_percent }
}

/// Whole percents, so that the status does not move with every sample.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
fn whole_percent(share: f32) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u32
}

fn desired(kind: IndexKind, reason: String) -> DesiredIndex {
    let (type_, lists, m, ef_construction) = parameters(kind);
    DesiredIndex { type_, lists, m, ef_construction, reason }
}

fn parameters(kind: IndexKind) -> (IndexType, Option<u32>, Option<u32>, Option<u32>) {
    match kind {
        IndexKind::Exact => (IndexType::Exact, None, None, None),
        IndexKind::IvfFlat { lists } => (IndexType::IvfFlat, Some(lists), None, None),
        IndexKind::Hnsw { m, ef_construction } => (IndexType::Hnsw, None, Some(m), Some(ef_construction)),
    }
}

fn type_of(kind: IndexKind) -> IndexType {
    parameters(kind).0
}

fn built(report: &BuildReport) -> IndexBuild {
    let BuildReport { running, blocks_done, blocks_total, started_at, error } = report;
    let phase = match (running, error) {
        (true, _) => BuildPhase::Running,
        (false, None) => BuildPhase::Succeeded,
        (false, Some(_)) => BuildPhase::Failed,
    };
    let started = started_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    IndexBuild {
        phase,
        blocks_done: running.then_some(*blocks_done),
        blocks_total: running.then_some(*blocks_total),
        started_at: started.and_then(|time| Timestamp::from_second(time.as_second()).ok()).map(Time),
        error: error.as_deref().map(|error| shortened(error, 1_024)),
    }
}
