//! Another password for the role that the gateways log in with, without a moment in which one of them has none that is good: two
//! roles take turns. The Secret holds what the gateways use and, while a rotation is under way, what they will use; a Job makes
//! the other role with that password, the Secret changes to it, the gateways are rolled, and a second Job locks the first role out.
//! All that is known of a rotation is in the Secret and in the Jobs.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    batch::v1::Job,
    core::v1::{Pod, PodTemplateSpec},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    build::jobs,
    credentials::Application,
    names::{self, Component, SECRETS_HASH},
    objects::{Desired, Objects},
    observed::{Observed, job_condition},
    pipeline::Pipeline,
};

/// How far a rotation is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rotation {
    /// None is asked for, or none that has not come to its end.
    #[default]
    AtRest,
    /// The Job that makes the other role has not done its work.
    Making,
    /// The gateways are on their way to the other role.
    Rolling,
    /// The Job that locks the role of before out has not done its work.
    Retiring,
    /// The Job of this name failed.
    Failed(String),
}

impl Rotation {
    /// Whether there is something to wait for.
    pub fn is_under_way(&self) -> bool {
        match self {
            Self::Making | Self::Rolling | Self::Retiring => true,
            Self::AtRest | Self::Failed(_) => false,
        }
    }
}

/// What the Secret shall hold next: the same, the password that is to come, or that password in force. `drawn` is a new one.
pub fn advance(pipeline: &Pipeline, now: Application, jobs: &[Job], drawn: SecretString) -> Application {
    let Some(wanted) = wanted(pipeline, &now) else { return Application { next: None, ..now } };
    let Some(next) = &now.next else {
        // The role whose turn it is may be in use until it is locked out, and must not be made while it is.
        let over =
            retiring(pipeline, &now).is_none_or(|name| ["Complete", "Failed"].iter().any(|ended| holds(jobs, &name, ended)));
        return if over { Application { next: Some(drawn), ..now } } else { now };
    };
    if !holds(jobs, &making(pipeline, wanted, next), "Complete") {
        return now;
    }
    Application {
        login: now.login.other(),
        password: next.clone(),
        next: None,
        rotation: Some(wanted.to_owned()),
        origin: now.origin,
    }
}

/// The rotation that is asked for and has not been made.
fn wanted<'a>(pipeline: &'a Pipeline, now: &Application) -> Option<&'a str> {
    pipeline.managed_postgres()?;
    pipeline.rotation.as_deref().filter(|wanted| now.rotation.as_deref() != Some(*wanted))
}

/// The name of the Job that makes the other role. Another password, image or value of the annotation is another Job.
fn making(pipeline: &Pipeline, wanted: &str, next: &SecretString) -> String {
    let hash = names::hash([wanted, next.expose_secret(), pipeline.gateway.image.as_str()]);
    names::role_job(&pipeline.name, &hash)
}

/// The Job that makes the other role, while it is to be made.
pub fn making_job(pipeline: &Pipeline, now: &Application) -> Option<Job> {
    let (wanted, next) = (wanted(pipeline, now)?, now.next.as_ref()?);
    Some(jobs::make_role(pipeline, making(pipeline, wanted, next)))
}

/// The name of the Job that locks the role of before out, once there is one.
fn retiring(pipeline: &Pipeline, now: &Application) -> Option<String> {
    pipeline.managed_postgres()?;
    let done = now.rotation.as_deref().filter(|_| now.next.is_none())?;
    let hash = names::hash([done, now.login.other().name(), now.origin.as_str()]);
    Some(names::role_job(&pipeline.name, &hash))
}

/// The Job that locks the role of before out, once no gateway and no worker uses it any more.
pub fn retiring_job(pipeline: &Pipeline, now: &Application, objects: &Objects<Desired>, observed: &Observed) -> Option<Job> {
    let name = retiring(pipeline, now)?;
    let known = observed.role_jobs.iter().any(|job| job.metadata.name.as_ref() == Some(&name));
    let free = || {
        let parts = [(Component::Gateway, &observed.gateway), (Component::Worker, &observed.worker)];
        parts.into_iter().all(|(part, live)| rolled(objects.deployment(part), live.as_ref(), observed.pods_of(part)))
    };
    (known || free()).then(|| jobs::retire_role(pipeline, name, now.login.other()))
}

/// Whether every pod of a part has the Secrets of now.
fn rolled<'a>(wanted: Option<&Deployment>, live: Option<&Deployment>, pods: impl Iterator<Item = &'a Pod>) -> bool {
    // One that was evicted stays to be read.
    let has_ended = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        phase.is_some_and(|phase| ["Failed", "Succeeded"].contains(&phase))
    };
    let mut pods = pods.filter(|pod| !has_ended(pod));
    let hash = |annotations: Option<&BTreeMap<String, String>>| annotations?.get(SECRETS_HASH).cloned();
    let template = |template: &PodTemplateSpec| hash(template.metadata.as_ref()?.annotations.as_ref());
    let of = |deployment: &Deployment| template(&deployment.spec.as_ref()?.template);
    let Some(wanted) = wanted.and_then(of) else { return pods.next().is_none() };
    let is_live = live.is_some_and(|live| {
        let status = live.status.clone().unwrap_or_default();
        of(live).as_ref() == Some(&wanted)
            && status.observed_generation == live.metadata.generation
            && status.updated_replicas == status.replicas
    });
    is_live && pods.all(|pod| hash(pod.metadata.annotations.as_ref()).as_ref() == Some(&wanted))
}

/// How far it is, by what the Secret holds and what became of the Jobs.
pub fn stage(pipeline: &Pipeline, now: &Application, jobs: &[Job]) -> Rotation {
    let failed = |name: &str| holds(jobs, name, "Failed").then(|| Rotation::Failed(name.to_owned()));
    if let Some(wanted) = wanted(pipeline, now) {
        let name = now.next.as_ref().map(|next| making(pipeline, wanted, next));
        return name.as_deref().and_then(failed).unwrap_or(Rotation::Making);
    }
    let Some(name) = retiring(pipeline, now) else { return Rotation::AtRest };
    if holds(jobs, &name, "Complete") {
        return Rotation::AtRest;
    }
    let is_there = jobs.iter().any(|job| job.metadata.name.as_ref() == Some(&name));
    failed(&name).unwrap_or(if is_there { Rotation::Retiring } else { Rotation::Rolling })
}

fn holds(jobs: &[Job], name: &str, condition: &str) -> bool {
    let found = jobs.iter().find(|job| job.metadata.name.as_deref() == Some(name));
    found.is_some_and(|job| job_condition(job, condition).is_some())
}

#[cfg(test)]
mod tests;
