//! The Jobs: they run the gateway's program with roles that the gateways do not have. A Job is named by a hash of what it does
//! and is never changed; another deed is another Job.

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::{Container, PodSpec},
};
use ragline_config::{SCHEMA_VERSION, env};
use ragline_crds::spec::Quantity;

use super::{
    gateway, meta,
    pod::{self, GATEWAY_USER},
    secret_files::{self, OwnedFile, generated, generated_key},
};
use crate::plan::{
    credentials::{Application, Login, NEXT_URL_KEY},
    names::{self, Component},
    pipeline::{Pipeline, SecretUser, Sizing},
    quantity::MIB,
};

const MIGRATE: &[&str] = &["migrate"];
const INDEX: &[&str] = &["index", "run"];
const RETIRE: [&str; 2] = ["roles", "retire"];
/// Tries after the first; Kubernetes doubles the pause between them from ten seconds on.
const RETRIES: i32 = 5;
/// Seconds that the migrations may take.
const MIGRATE_SECONDS: i64 = 3_600;
/// Seconds that making or locking out a role may take; what goes before has migrated everything.
const ROLES_SECONDS: i64 = 600;
/// Seconds that building an index may take; a million vectors take hours.
const INDEX_SECONDS: i64 = 86_400;

/// The Job that makes extension, roles and tables, or brings them up to date.
pub fn schema(pipeline: &Pipeline, application: &Application) -> Job {
    let mut cause = SCHEMA_VERSION.to_string();
    if pipeline.managed_postgres().is_some() {
        // A Secret in the place of a lost one may name a role that was locked out, which this Job alone lets in again. Rotations have
        // Jobs of their own and leave the origin as it is.
        cause = format!("{cause} of {}", application.origin);
    }
    let name = names::schema_job(&pipeline.name, &hash(pipeline, MIGRATE, &cause));
    let application = generated("application", names::application_secret(&pipeline.name), env::DATABASE_URL);
    migrate(pipeline, name, application, MIGRATE_SECONDS)
}

/// A Job that measures, and builds or drops the index where one is due. `cause` is what it is started for; the same cause names
/// the same Job, so that one cause starts one Job.
pub fn index(pipeline: &Pipeline, cause: &str) -> Job {
    let hash = hash(pipeline, INDEX, cause);
    let name = &pipeline.name;
    let secrets = [generated("owner", names::owner_secret(name), env::DATABASE_OWNER_URL)];
    job(pipeline, Component::Index, names::index_job(name, &hash), INDEX, &secrets, INDEX_SECONDS)
}

/// A Job that makes the other login role, with the password that is to come, or gives it that password and its rights.
pub fn make_role(pipeline: &Pipeline, job_name: String) -> Job {
    let application = generated_key("application", names::application_secret(&pipeline.name), NEXT_URL_KEY, env::DATABASE_URL);
    migrate(pipeline, job_name, application, ROLES_SECONDS)
}

/// A Job that locks a login role out.
pub fn retire_role(pipeline: &Pipeline, job_name: String, login: Login) -> Job {
    let secrets = [generated("bootstrap", names::superuser_secret(&pipeline.name), env::DATABASE_BOOTSTRAP_URL)];
    job(pipeline, Component::Schema, job_name, &[RETIRE[0], RETIRE[1], login.name()], &secrets, ROLES_SECONDS)
}

/// A Job that brings everything up to date for the login role of `application`.
fn migrate(pipeline: &Pipeline, job_name: String, application: OwnedFile, seconds: i64) -> Job {
    let name = &pipeline.name;
    // CloudNativePG does itself what takes a superuser.
    let superuser = generated("bootstrap", names::superuser_secret(name), env::DATABASE_BOOTSTRAP_URL);
    let superuser = pipeline.managed_postgres().map(|_| superuser);
    let owner = generated("owner", names::owner_secret(name), env::DATABASE_OWNER_URL);
    let secrets: Vec<_> = superuser.into_iter().chain([owner, application]).collect();
    job(pipeline, Component::Schema, job_name, MIGRATE, &secrets, seconds)
}

fn hash(pipeline: &Pipeline, arguments: &[&str], cause: &str) -> String {
    names::hash([pipeline.gateway.image.as_str(), cause].into_iter().chain(arguments.iter().copied()))
}

fn job(pipeline: &Pipeline, component: Component, name: String, arguments: &[&str], managed: &[OwnedFile], seconds: i64) -> Job {
    let spec = PodSpec { restart_policy: Some("Never".to_owned()), ..pod_spec(pipeline, component, arguments, managed) };
    Job {
        metadata: meta::owned(pipeline, name, component),
        spec: Some(JobSpec {
            active_deadline_seconds: Some(seconds),
            backoff_limit: Some(RETRIES),
            template: pod::template(pipeline, component, &[], spec),
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn pod_spec(pipeline: &Pipeline, component: Component, arguments: &[&str], managed: &[OwnedFile]) -> PodSpec {
    let (mut mounted, mut variables) = gateway::configuration(pipeline);
    // With somebody else's PostgreSQL the user's Secrets take the place of those that the operator draws.
    let drawn = managed.iter().filter(|_| pipeline.own_postgres().is_some()).cloned().chain(secret_files::database_ca(pipeline));
    for file in drawn.chain(secret_files::of_user(pipeline, &[SecretUser::Jobs, SecretUser::All])) {
        mounted.push(file.mounted());
        variables.extend(file.variable());
    }
    mounted.push(pod::scratch());
    let (volumes, mounts) = pod::split(mounted);
    let container = Container {
        args: Some(arguments.iter().map(|&argument| argument.to_owned()).collect()),
        env: Some(variables),
        volume_mounts: Some(mounts),
        ..pod::container(component.as_str(), &pipeline.gateway.image, &sizing())
    };
    pod::pod(GATEWAY_USER, names::jobs(&pipeline.name), container, volumes)
}

/// The work is done by PostgreSQL; the Job only asks for it.
fn sizing() -> Sizing {
    Sizing {
        cpu_request: Quantity("50m".to_owned()),
        cpu_limit: None,
        memory_request: Quantity("64Mi".to_owned()),
        memory_limit: Quantity("512Mi".to_owned()),
        memory_bytes: 512 * MIB,
    }
}
