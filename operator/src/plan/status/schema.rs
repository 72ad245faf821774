//! Whether the schema is that of the gateway's image.

use ragline_crds::Reason;

use super::{
    Facts,
    judgement::{Judgement, Truth},
    parts, pods,
};
use crate::plan::{
    names::Component,
    observed::{self, Observed},
    pipeline::Pipeline,
};

pub(super) fn schema(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let Some(job) = &observed.schema_job else {
        return if observed.database_ready(pipeline) {
            Judgement::new(Truth::False, Reason::Migrating, "The schema Job is about to start.")
        } else {
            Judgement::new(Truth::False, Reason::WaitingForDatabase, "The schema waits for the database.")
        };
    };
    let name = job.metadata.name.as_deref().unwrap_or_default();
    if observed::job_condition(job, "Complete").is_some() {
        return Judgement::new(Truth::True, Reason::Applied, "All migrations have run.");
    }
    let words = words(observed, name);
    if let Some(why) = observed::job_condition(job, "Failed") {
        let namespace = &pipeline.namespace;
        let message = format!(
            "Job {name} failed ({why}). Its last words: {}. Mend the cause, then delete the Job to have it run again: kubectl -n {namespace} delete job {name}",
            words.unwrap_or_else(|| "none".to_owned())
        );
        return Judgement::new(Truth::False, Reason::MigrationFailed, &message).stalled();
    }
    let own = observed.pods_of(Component::Schema).filter(|pod| belongs(pod, name));
    let waiting = pods::trouble(own, "the namespace's quota", facts.now).filter(|trouble| trouble.stalled);
    if let Some(trouble) = waiting {
        return parts::troubled(trouble);
    }
    let message = words.map_or_else(
        || format!("Job {name} brings the schema up to date."),
        |words| format!("Job {name} tries again. Its last words: {words}"),
    );
    Judgement::new(Truth::False, Reason::Migrating, &message)
}

fn belongs(pod: &k8s_openapi::api::core::v1::Pod, job: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("batch.kubernetes.io/job-name")).is_some_and(|name| name == job)
}

/// What the Job's newest pod that failed said at last.
pub(super) fn words(observed: &Observed, job: &str) -> Option<String> {
    let failed = observed
        .pods
        .iter()
        .filter(|pod| belongs(pod, job))
        .filter(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed"));
    let newest = failed.max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    let containers = newest.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find_map(pods::last_words).map(|(_, words)| words)
}
