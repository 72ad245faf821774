//! Decides how far a pipeline may be applied: nothing of a later step before the earlier steps have done their work.

use super::{
    objects::Step,
    observed::{self, Observed},
    pipeline::Pipeline,
};

/// The last step whose objects may be applied now. Once the wanted schema is there, a database that is away for a while holds
/// nothing up: gateways that somebody deleted come back all the same.
pub fn step(pipeline: &Pipeline, observed: &Observed) -> Step {
    if !observed.unissued.is_empty() {
        return Step::Issue;
    }
    if observed.schema_applied() {
        // Without its Secrets a pod would hang in its creation, and a roll-out with it.
        if observed::secret_problem(pipeline, observed).is_some() { Step::Schema } else { Step::Serve }
    } else if pipeline.own_postgres().is_none() && observed::secret_problem(pipeline, observed).is_some() {
        // The schema Job would hang in its creation as well.
        Step::Data
    } else if observed.database_ready(pipeline) || observed.schema_job.is_some() {
        Step::Schema
    } else {
        Step::Data
    }
}
