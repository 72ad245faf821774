//! Builds the objects of a pipeline. Total: a checked pipeline always gives objects, the same for the same input.

pub mod gateway;
pub mod jobs;
mod meta;
mod pod;
pub mod postgres;
mod postgres_settings;
pub mod secrets;
pub mod service_account;
pub mod valkey;
pub mod worker;

use super::{
    credentials::Credentials,
    objects::{Desired, Object, Objects, Step},
    pipeline::Pipeline,
};

/// All objects that the pipeline needs at all times. Index Jobs come and go: [`jobs::index`].
pub fn build(pipeline: &Pipeline, credentials: &Credentials) -> Objects<Desired> {
    let mut objects: Vec<(Step, Object)> = Vec::new();
    let mut add = |step: Step, object: Object| objects.push((step, object));
    for secret in secrets::secrets(pipeline, credentials) {
        add(Step::Data, secret.into());
    }
    for account in service_account::service_accounts(pipeline) {
        add(Step::Data, account.into());
    }
    add(Step::Data, postgres::config_map(pipeline).into());
    add(Step::Data, postgres::headless_service(pipeline).into());
    add(Step::Data, postgres::service(pipeline).into());
    if let Some(cache) = &pipeline.cache {
        add(Step::Data, valkey::config_map(pipeline, cache).into());
        add(Step::Data, valkey::service(pipeline).into());
    }
    add(Step::Data, gateway::config_map(pipeline).into());
    add(Step::Data, gateway::service(pipeline).into());
    add(Step::Data, postgres::stateful_set(pipeline, credentials).into());
    if let Some(cache) = &pipeline.cache {
        add(Step::Data, valkey::deployment(pipeline, cache, credentials).into());
    }
    add(Step::Schema, jobs::schema(pipeline).into());
    if let Some(budget) = gateway::disruption_budget(pipeline) {
        add(Step::Serve, budget.into());
    }
    add(Step::Serve, gateway::deployment(pipeline, credentials).into());
    if let Some(workers) = &pipeline.workers {
        add(Step::Serve, worker::deployment(pipeline, workers, credentials).into());
    }
    Objects::new(objects)
}
