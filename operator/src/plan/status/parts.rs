//! Secrets, database and cache.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use ragline_crds::Reason;

use super::{
    Facts, certificates,
    judgement::{Judgement, Truth},
    pods::{self, Trouble},
};
use crate::plan::{
    build::cloud_native_pg::PostgresClusterStatus,
    names::{self, Component},
    observed::{self, Observed, SecretProblem},
    pipeline::{Cache, Pipeline, Postgres},
};

/// Whether all Secrets are there that the spec names.
pub(super) fn secrets(pipeline: &Pipeline, observed: &Observed) -> Judgement {
    if let Some(judgement) = certificates::unissued(observed) {
        return judgement;
    }
    match observed::secret_problem(pipeline, observed) {
        None if pipeline.secrets.is_empty() => Judgement::new(Truth::True, Reason::Resolved, "The spec names no Secret."),
        None => Judgement::new(Truth::True, Reason::Resolved, "All Secrets that the spec names are there."),
        Some(SecretProblem::NotFound(named)) => {
            let (field, name, key) = (&named.field, &named.secret.name, &named.secret.key);
            let message = format!(
                "{field} names Secret {name}, which does not exist. Make it: kubectl -n {} create secret generic {name} --from-literal={key}=…",
                pipeline.namespace
            );
            Judgement::new(Truth::False, Reason::SecretNotFound, &message).stalled()
        }
        Some(SecretProblem::KeyMissing(named)) => {
            let (field, name, key) = (&named.field, &named.secret.name, &named.secret.key);
            let message = format!("{field} names key {key} of Secret {name}, which is missing or empty. Add it to the Secret.");
            Judgement::new(Truth::False, Reason::SecretKeyMissing, &message).stalled()
        }
    }
}

/// Whether PostgreSQL takes connections.
pub(super) fn database(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    if pipeline.own_postgres().is_none() {
        return external(observed);
    }
    if let Some(why) = &observed.not_encrypted {
        let message = format!(
            "The storage.encryption of spec.postgres is Required, and {why}. Name another class, or label it ragline.dev/encrypted=true if its volumes are."
        );
        return Judgement::new(Truth::False, Reason::StorageNotEncrypted, &message).stalled();
    }
    if let Postgres::CloudNativePg { instances, .. } = pipeline.postgres {
        return replicated(pipeline, observed, instances);
    }
    let replicas = pipeline.managed_postgres().map_or(0, |postgres| postgres.replicas);
    if observed.managed_database_ready() {
        return if replicas == 0 { single_primary() } else { with_replicas(facts, pipeline, observed, replicas) };
    }
    let away = managed_away(facts, pipeline, observed);
    let ready = observed.replicas_ready();
    if ready == 0 {
        return away;
    }
    let goes_on = format!("{} {ready} of {replicas} read replicas go on serving searches.", away.message);
    Judgement { message: goes_on, ..away }
}

fn single_primary() -> Judgement {
    Judgement::new(Truth::True, Reason::SinglePrimary, "PostgreSQL is ready. It is one primary without a standby.")
}

/// The primary serves. A replica that is missing costs no answer, since the primary searches in its place.
fn with_replicas(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed, wanted: u32) -> Judgement {
    let ready = observed.replicas_ready();
    let count = format!("The primary serves, and {ready} of {wanted} read replicas follow.");
    if ready >= wanted {
        return Judgement::new(Truth::True, Reason::Replicated, &count);
    }
    let name = names::replica(&pipeline.name);
    let pods = observed.pods_of(Component::Replica);
    let trouble = pods::trouble(pods, "spec.postgres.managed.resources", facts.now);
    let why = trouble.or_else(|| pods::refused(&observed.events, &format!("StatefulSet {name}"), &name));
    let why = why.map_or_else(|| format!("StatefulSet {name} is copying the primary or starting."), |trouble| trouble.message);
    Judgement::new(Truth::True, Reason::StandbyMissing, &format!("{count} {why}"))
}

/// Why the primary that the operator runs does not serve.
fn managed_away(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    let name = names::postgres(&pipeline.name);
    let pods = observed.pods_of(Component::Postgres);
    if let Some(trouble) = pods::trouble(pods, "spec.postgres.managed.resources", facts.now) {
        return troubled(trouble);
    }
    if let Some(refusal) = pods::refused(&observed.events, &format!("StatefulSet {name}"), &name) {
        return troubled(refusal);
    }
    let claim = names::postgres_claim(&pipeline.name);
    let pending = |one: &PersistentVolumeClaim| {
        one.metadata.name.as_ref() == Some(&claim)
            && one.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending")
    };
    let message = if observed.claims.iter().any(pending) {
        format!("StatefulSet {name} is starting; its volume {claim} is being provided.")
    } else {
        format!("StatefulSet {name} is starting.")
    };
    Judgement::new(Truth::False, Reason::Provisioning, &message)
}

/// What CloudNativePG tells of its Cluster.
fn replicated(pipeline: &Pipeline, observed: &Observed, instances: u32) -> Judgement {
    let name = names::postgres(&pipeline.name);
    if observed.missing_kinds.contains("Cluster") {
        let message = "spec.postgres.cloudNativePg is set, and the cluster has no CloudNativePG (postgresql.cnpg.io/v1). Install its \
                       operator; the pipeline goes on within two minutes.";
        return Judgement::new(Truth::False, Reason::CloudNativePgMissing, message).stalled();
    }
    let told = observed.postgres_cluster.as_ref();
    if let Some((lost, next)) = told.and_then(PostgresClusterStatus::failing_over) {
        let next = next.unwrap_or("a standby");
        let message = format!("{lost} is no primary any more, and {next} takes its place. Searches go on, writes wait.");
        return Judgement::new(Truth::False, Reason::FailingOver, &message);
    }
    let Some(status) = told.filter(|status| status.serves()) else {
        let phase = told.and_then(|status| status.phase.as_deref()).unwrap_or("CloudNativePG has not begun");
        let why = told.and_then(|status| status.phase_reason.as_deref()).unwrap_or_default();
        let message =
            format!("Cluster {name} is coming up: {phase}. {why} See kubectl describe cluster.postgresql.cnpg.io {name}.");
        return Judgement::new(Truth::False, Reason::Provisioning, &message);
    };
    let primary = status.current_primary.as_deref().unwrap_or_default();
    if status.ready_instances < instances {
        let phase = status.phase.as_deref().unwrap_or_default();
        let message = format!("{primary} serves; {} of {instances} instances are ready: {phase}", status.ready_instances);
        return Judgement::new(Truth::True, Reason::StandbyMissing, &message);
    }
    if let Some(torn) = status.torn() {
        let message = format!("{primary} serves, and an instance holds another database: {torn}");
        return Judgement::new(Truth::True, Reason::StandbyMissing, &message);
    }
    if instances == 1 {
        return single_primary();
    }
    let busy = status.busy().map(|phase| format!(" CloudNativePG: {phase}.")).unwrap_or_default();
    let standbys = if instances == 2 { "its standby follows".to_owned() } else { format!("{} standbys follow", instances - 1) };
    let message = format!("{primary} serves, and {standbys}.{busy}");
    Judgement::new(Truth::True, Reason::Replicated, &message)
}

/// Somebody else's PostgreSQL is known by the Job that used it.
fn external(observed: &Observed) -> Judgement {
    if observed.schema_applied() {
        return Judgement::new(Truth::True, Reason::External, "The schema is in the PostgreSQL that the spec names.");
    }
    let message = "The schema Job has not reached the PostgreSQL that spec.postgres.external names yet.";
    Judgement::new(Truth::Unknown, Reason::WaitingForSchemaJob, message)
}

/// Whether Valkey takes connections.
pub(super) fn cache(facts: &Facts<'_>, pipeline: &Pipeline, observed: &Observed) -> Judgement {
    match pipeline.cache {
        Cache::Disabled => return Judgement::new(Truth::True, Reason::Disabled, "The spec switches the cache off."),
        Cache::External => {
            let message = "The cache that spec.cache.external names is used; the gateways go on without it while it is away.";
            return Judgement::new(Truth::True, Reason::ExternalCache, message);
        }
        Cache::Managed(_) => {}
    }
    let status = observed.cache.as_ref().and_then(|deployment| deployment.status.as_ref());
    if status.and_then(|status| status.ready_replicas).unwrap_or(0) > 0 {
        return Judgement::new(Truth::True, Reason::Available, "Valkey is ready.");
    }
    let pods = observed.pods_of(Component::Cache);
    if let Some(trouble) = pods::trouble(pods, "spec.cache.managed.resources", facts.now) {
        // The pipeline answers without it, so nothing is stalled.
        return troubled(Trouble { stalled: false, ..trouble });
    }
    let name = names::valkey(&pipeline.name);
    if let Some(refusal) = pods::refused(&observed.events, &format!("Deployment {name}"), &name) {
        return troubled(Trouble { stalled: false, ..refusal });
    }
    let message = format!("Deployment {name} is starting; until then every request works without a cache.");
    Judgement::new(Truth::False, Reason::Provisioning, &message)
}

/// A judgement of a part that is kept from working.
pub(super) fn troubled(trouble: Trouble) -> Judgement {
    let Trouble { reason, message, stalled } = trouble;
    Judgement { stalled, ..Judgement::new(Truth::False, reason, &message) }
}
