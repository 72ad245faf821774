//! What was seen of a pipeline's parts: plain objects, as the API server gave them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{Event, PersistentVolumeClaim, Pod, Secret},
};
use ragline_config::IndexReport;

use super::{
    build::{certificate::CertificateSeen, cloud_native_pg::PostgresClusterStatus},
    names::{COMPONENT_LABEL, Component},
    pipeline::{Pipeline, Postgres, UserSecret},
    rotation::Rotation,
};

/// Everything that a status is made of.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The user's Secrets by name, as far as they are there.
    pub secrets: BTreeMap<String, Secret>,
    pub postgres: Option<StatefulSet>,
    /// The read replicas.
    pub replicas: Option<StatefulSet>,
    /// What CloudNativePG tells of its Cluster.
    pub postgres_cluster: Option<PostgresClusterStatus>,
    pub cache: Option<Deployment>,
    pub gateway: Option<Deployment>,
    pub worker: Option<Deployment>,
    /// Why the volume must not be made: the spec requires encryption, and the storage class does not declare it.
    pub not_encrypted: Option<String>,
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// Kinds that are wanted and that the cluster lacks.
    pub missing_kinds: BTreeSet<&'static str>,
    /// What cert-manager tells of the Certificates of its kind, by name.
    pub certificates: BTreeMap<String, CertificateSeen>,
    /// Secrets that cert-manager has not filled yet.
    pub unissued: Vec<String>,
    /// The Job with the name of the wanted schema Job.
    pub schema_job: Option<Job>,
    /// The newest index Job.
    pub index_job: Option<Job>,
    /// Those that make login roles of the database or lock them out.
    pub role_jobs: Vec<Job>,
    /// How far the rotation of the application's password is.
    pub rotation: Rotation,
    /// All pods with the pipeline's labels.
    pub pods: Vec<Pod>,
    pub claims: Vec<PersistentVolumeClaim>,
    /// Warnings about the pipeline's workloads, such as a refusal to make a pod.
    pub events: Vec<Event>,
    /// What a gateway last told, if one answers.
    pub index: Option<IndexReport>,
}

impl Observed {
    /// The pods of one part.
    pub(crate) fn pods_of(&self, component: Component) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| {
            let labels = pod.metadata.labels.as_ref();
            labels.and_then(|labels| labels.get(COMPONENT_LABEL)).is_some_and(|label| label == component.as_str())
        })
    }

    /// Whether PostgreSQL takes connections; of somebody else's that is found out by using it.
    pub fn database_ready(&self, pipeline: &Pipeline) -> bool {
        match pipeline.postgres {
            Postgres::Managed(_) => self.managed_database_ready(),
            Postgres::CloudNativePg { .. } => self.postgres_cluster.as_ref().is_some_and(PostgresClusterStatus::serves),
            Postgres::External { .. } => true,
        }
    }

    /// Whether the PostgreSQL that the operator runs takes connections.
    pub fn managed_database_ready(&self) -> bool {
        let status = self.postgres.as_ref().and_then(|set| set.status.as_ref());
        status.and_then(|status| status.ready_replicas).unwrap_or(0) > 0
    }

    /// Read replicas that take connections.
    pub fn replicas_ready(&self) -> u32 {
        let status = self.replicas.as_ref().and_then(|set| set.status.as_ref());
        status.and_then(|status| status.ready_replicas).unwrap_or(0).unsigned_abs()
    }

    /// Whether the wanted schema Job has done its work.
    pub fn schema_applied(&self) -> bool {
        self.schema_job.as_ref().is_some_and(|job| job_condition(job, "Complete").is_some())
    }
}

/// The message of a Job's condition that holds.
pub(crate) fn job_condition<'a>(job: &'a Job, type_: &str) -> Option<&'a str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")?;
    Some(holds.message.as_deref().unwrap_or_default())
}

/// A Secret that the spec names and that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretProblem<'a> {
    NotFound(&'a UserSecret),
    KeyMissing(&'a UserSecret),
}

/// The first Secret that the spec names and that cannot be used.
pub fn secret_problem<'a>(pipeline: &'a Pipeline, observed: &Observed) -> Option<SecretProblem<'a>> {
    pipeline.secrets.iter().find_map(|named| {
        let Some(secret) = observed.secrets.get(&named.secret.name) else { return Some(SecretProblem::NotFound(named)) };
        let value = secret.data.as_ref().and_then(|data| data.get(&named.secret.key));
        value.is_none_or(|value| value.0.is_empty()).then_some(SecretProblem::KeyMissing(named))
    })
}

/// What a gateway tells of so many vectors, all in rows of one relation, whose index is the one that the policy wants.
#[cfg(test)]
pub(crate) fn index_report(vectors: u64, active: ragline_config::index::IndexKind) -> IndexReport {
    IndexReport {
        vectors,
        rows: vectors,
        active,
        rows_at_build: 0,
        desired: active,
        due: false,
        recall: None,
        warning: None,
        tiers: ragline_config::TierCounts::default(),
        largest: Vec::new(),
        build: None,
    }
}
