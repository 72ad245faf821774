//! Builds the objects of a pipeline. Total: a checked pipeline always gives objects, the same for the same input.

pub mod autoscaler;
pub mod certificate;
pub mod cloud_native_pg;
mod datadog;
mod foreign;
pub mod gateway;
pub mod ingress;
pub mod jobs;
mod meta;
pub mod network;
mod pod;
pub mod postgres;
mod postgres_settings;
pub mod replica;
pub mod route;
mod secret_files;
pub mod secrets;
pub mod service_account;
pub mod valkey;
pub mod worker;

use super::{
    credentials::Credentials,
    objects::{Desired, Object, Objects, Step},
    pipeline::{Pipeline, Postgres},
    rotation,
};

/// All objects that the pipeline needs at all times. Index Jobs come and go: [`jobs::index`].
pub fn build(pipeline: &Pipeline, credentials: &Credentials) -> Objects<Desired> {
    let mut objects: Vec<(Step, Object)> = Vec::new();
    let mut add = |step: Step, object: Object| objects.push((step, object));
    for certificate in certificate::certificates(pipeline) {
        add(Step::Issue, certificate.into());
    }
    for secret in secrets::secrets(pipeline, credentials) {
        add(Step::Data, secret.into());
    }
    for account in service_account::service_accounts(pipeline) {
        add(Step::Data, account.into());
    }
    // Before the pods that they are about.
    for policy in network::policies(pipeline) {
        add(Step::Data, policy.into());
    }
    if let Some(postgres) = pipeline.managed_postgres() {
        add(Step::Data, postgres::config_map(pipeline, postgres).into());
        add(Step::Data, postgres::headless_service(pipeline).into());
        add(Step::Data, postgres::service(pipeline, credentials.application.login).into());
    }
    if pipeline.replicated_postgres().is_some() {
        add(Step::Data, replica::service(pipeline).into());
        add(Step::Data, replica::disruption_budget(pipeline).into());
    }
    if let Some(cache) = pipeline.managed_cache() {
        add(Step::Data, valkey::config_map(pipeline, cache).into());
        add(Step::Data, valkey::service(pipeline).into());
    }
    add(Step::Data, gateway::config_map(pipeline).into());
    add(Step::Data, gateway::service(pipeline).into());
    if let Some(postgres) = pipeline.managed_postgres() {
        add(Step::Data, postgres::stateful_set(pipeline, postgres, credentials).into());
    }
    if let Some(postgres) = pipeline.replicated_postgres() {
        add(Step::Data, replica::stateful_set(pipeline, postgres, credentials).into());
    }
    if let Postgres::CloudNativePg { instances, user, each } = &pipeline.postgres {
        add(Step::Data, cloud_native_pg::image_catalog(pipeline, each).into());
        add(Step::Data, cloud_native_pg::cluster(pipeline, *instances, *user, each).into());
    }
    if let Some(cache) = pipeline.managed_cache() {
        add(Step::Data, valkey::deployment(pipeline, cache, credentials).into());
    }
    add(Step::Schema, jobs::schema(pipeline, &credentials.application).into());
    // Only once the schema is there, on which it grants rights.
    if let Some(job) = rotation::making_job(pipeline, &credentials.application) {
        add(Step::Serve, job.into());
    }
    if let Some(budget) = gateway::disruption_budget(pipeline) {
        add(Step::Serve, budget.into());
    }
    add(Step::Serve, gateway::deployment(pipeline, credentials).into());
    if let Some(autoscaler) = autoscaler::autoscaler(pipeline) {
        add(Step::Serve, autoscaler.into());
    }
    if let Some(ingress) = &pipeline.gateway.ingress {
        add(Step::Serve, ingress::ingress(pipeline, ingress).into());
    }
    if let Some(route) = &pipeline.gateway.route {
        add(Step::Serve, route::route(pipeline, route).into());
    }
    if let Some(workers) = &pipeline.workers {
        add(Step::Serve, worker::deployment(pipeline, workers, credentials).into());
    }
    Objects::new(objects)
}
