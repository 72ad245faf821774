//! Decides whether an index Job is to be started. The Job itself measures again and decides what to build; here it is only let
//! in, one at a time.

use k8s_openapi::{
    api::batch::v1::Job,
    jiff::{SignedDuration, Timestamp},
};

use super::{
    build::jobs,
    observed::{Observed, job_condition},
    pipeline::Pipeline,
};

/// A Job that ended without the change it was started for is followed by another after this.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// What is to be done about the index.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Nothing is due, or what is due must wait.
    Shut,
    /// This Job is to be started.
    Open(Box<Job>),
    /// The Job of this name ended well and changed nothing; with it gone, another one can start.
    Clear(String),
}

/// What is to be done, by what a gateway told and by the Job that was seen last.
pub fn gate(pipeline: &Pipeline, observed: &Observed, now: Timestamp) -> Gate {
    let Some(report) = observed.index.as_ref().filter(|report| report.due) else { return Gate::Shut };
    let ended = |job: &Job| job_condition(job, "Complete").is_some() || job_condition(job, "Failed").is_some();
    if pipeline.stopped
        || !observed.database_ready(pipeline)
        || !observed.schema_applied()
        || !observed.unissued.is_empty()
        || observed.index_job.as_ref().is_some_and(|job| !ended(job))
    {
        return Gate::Shut;
    }
    // The same state of the index is the same cause, so that a build which failed is not begun again and again.
    let cause = format!("{:?} of {} rows to {:?}", report.active, report.rows_at_build, report.desired);
    let wanted = jobs::index(pipeline, &cause);
    match observed.index_job.as_ref().filter(|job| job.metadata.name == wanted.metadata.name) {
        None if pipeline.index_window.is_some_and(|window| !window.is_open(now)) => Gate::Shut,
        None => Gate::Open(Box::new(wanted)),
        Some(job) if job_condition(job, "Failed").is_none() && long_ago(job, now) => {
            Gate::Clear(wanted.metadata.name.unwrap_or_default())
        }
        Some(_) => Gate::Shut,
    }
}

fn long_ago(job: &Job, now: Timestamp) -> bool {
    let ended = job.status.as_ref().and_then(|status| status.completion_time.as_ref());
    ended.is_some_and(|ended| now.duration_since(ended.0) >= AGAIN_AFTER)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::{
            apps::v1::{StatefulSet, StatefulSetStatus},
            batch::v1::{JobCondition, JobStatus},
        },
        apimachinery::pkg::apis::meta::v1::Time,
    };
    use ragline_config::{IndexReport, index::IndexKind};
    use ragline_crds::{RagPipeline, RagPipelineSpec};

    use super::*;
    use crate::plan::{
        observed::index_report,
        pipeline::{Defaults, Window},
        validate::validate,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn pipeline() -> Pipeline {
        let defaults = Defaults::of_tests();
        validate(&RagPipeline::new("a", RagPipelineSpec::default()), &defaults).unwrap()
    }

    fn ended(mut job: Job, how: &str) -> Job {
        let condition = JobCondition { type_: how.into(), status: "True".into(), ..JobCondition::default() };
        job.status =
            Some(JobStatus { conditions: Some(vec![condition]), completion_time: Some(Time(NOW)), ..JobStatus::default() });
        job
    }

    /// A pipeline at work whose index is due to become ivfflat.
    fn due() -> Observed {
        let status = StatefulSetStatus { ready_replicas: Some(1), ..StatefulSetStatus::default() };
        Observed {
            postgres: Some(StatefulSet { status: Some(status), ..StatefulSet::default() }),
            schema_job: Some(ended(Job::default(), "Complete")),
            index: Some(IndexReport {
                due: true,
                desired: IndexKind::IvfFlat { lists: 100 },
                ..index_report(20_000, IndexKind::Exact)
            }),
            ..Observed::default()
        }
    }

    fn opened(observed: &Observed) -> Job {
        match gate(&pipeline(), observed, NOW) {
            Gate::Open(job) => *job,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_due_change_starts_one_job() {
        let mut observed = due();
        let job = opened(&observed);
        observed.index_job = Some(job);
        assert_eq!(gate(&pipeline(), &observed, NOW), Gate::Shut);
    }

    #[test]
    fn a_change_waits_for_its_window_and_for_a_pipeline_that_is_not_stopped() {
        let mut pipeline = pipeline();
        let minute = u16::try_from(NOW.as_second() % 86_400 / 60).unwrap();
        pipeline.index_window = Some(Window { start: minute + 1, end: minute + 2 });
        assert_eq!(gate(&pipeline, &due(), NOW), Gate::Shut);
        assert!(matches!(gate(&pipeline, &due(), NOW + SignedDuration::from_mins(1)), Gate::Open(_)));
        pipeline.index_window = None;
        pipeline.stopped = true;
        assert_eq!(gate(&pipeline, &due(), NOW), Gate::Shut);
    }

    #[test]
    fn the_next_change_is_another_job() {
        let mut observed = due();
        let first = opened(&observed);
        observed.index_job = Some(ended(first.clone(), "Complete"));
        let report = observed.index.as_mut().unwrap();
        (report.active, report.rows_at_build) = (report.desired, 20_000);
        report.desired = IndexKind::Hnsw { m: 16, ef_construction: 64 };
        assert_ne!(opened(&observed).metadata.name, first.metadata.name);
    }

    #[test]
    fn a_failed_job_is_not_started_again_by_itself_and_one_that_changed_nothing_is() {
        let mut observed = due();
        let job = opened(&observed);
        let later = NOW + SignedDuration::from_mins(3);
        observed.index_job = Some(ended(job.clone(), "Failed"));
        assert_eq!(gate(&pipeline(), &observed, later), Gate::Shut);
        observed.index_job = Some(ended(job.clone(), "Complete"));
        assert_eq!(gate(&pipeline(), &observed, NOW), Gate::Shut);
        assert_eq!(gate(&pipeline(), &observed, later), Gate::Clear(job.metadata.name.unwrap()));
    }

    #[test]
    fn nothing_starts_without_a_database_a_schema_or_a_report() {
        for spoil in [
            (|observed: &mut Observed| observed.postgres = None) as fn(&mut Observed),
            |observed| observed.schema_job = None,
            |observed| observed.index = None,
            |observed| observed.index.as_mut().unwrap().due = false,
        ] {
            let mut observed = due();
            spoil(&mut observed);
            assert_eq!(gate(&pipeline(), &observed, NOW), Gate::Shut);
        }
    }
}
