//! What is said of a pipeline, by example: what was seen on the left, the conditions on the right.

mod certificates;
mod index;
mod replicas;
mod scale;

use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    jiff::Timestamp,
};
use ragline_config::{IndexReport, RelationReport, TierCounts, index::IndexKind};
use ragline_crds::{
    ConditionType, RagPipeline, RagPipelineStatus, Reason,
    status::{IndexType, Phase},
};
use serde_json::{Value, json};

use super::{Facts, Outcome, find, status};
use crate::plan::{
    objects::Step,
    observed::{Observed, index_report},
    pipeline::{Defaults, Pipeline},
    stage,
    validate::{Problem, Refusal, validate},
};

fn pipeline(spec: Value) -> Pipeline {
    let object = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline",
        "metadata": {"name": "docs", "namespace": "team", "uid": "u", "generation": 1},
        "spec": spec,
    });
    let object: RagPipeline = serde_json::from_value(object).unwrap();
    let image = |name: &str| format!("example.org/{name}:1");
    let defaults = Defaults {
        gateway_image: image("gateway"),
        postgres_image: image("postgres"),
        valkey_image: image("valkey"),
        operator_namespace: "ragline-system".to_owned(),
    };
    validate(&object, &defaults).unwrap()
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn facts(second: i64) -> Facts<'static> {
    Facts { generation: 1, paused: false, operator_version: "0.1.0", now: at(second) }
}

/// Everything is up.
fn running() -> Observed {
    let ready = |n: i64| json!({"replicas": n, "updatedReplicas": n, "readyReplicas": n, "availableReplicas": n, "observedGeneration": 1});
    Observed {
        postgres: Some(typed(json!({
            "metadata": {"name": "docs-postgres", "generation": 1},
            "status": {"replicas": 1, "readyReplicas": 1, "observedGeneration": 1, "updateRevision": "a", "currentRevision": "a"},
        }))),
        cache: Some(typed(json!({
            "metadata": {"name": "docs-valkey", "generation": 1}, "spec": {"replicas": 1, "selector": {}, "template": {}}, "status": ready(1),
        }))),
        gateway: Some(typed(json!({
            "metadata": {"name": "docs-gateway", "generation": 1}, "spec": {"replicas": 2, "selector": {}, "template": {}}, "status": ready(2),
        }))),
        schema_job: Some(job("Complete", "")),
        index: Some(index_report(500, IndexKind::Exact)),
        ..Observed::default()
    }
}

fn job(condition: &str, message: &str) -> k8s_openapi::api::batch::v1::Job {
    typed(json!({
        "metadata": {"name": "docs-schema-1"},
        "status": {"conditions": [{"type": condition, "status": "True", "message": message}]},
    }))
}

fn pod(component: &str, status: Value) -> Pod {
    typed(json!({
        "metadata": {"name": format!("docs-{component}-0"), "labels": {"app.kubernetes.io/component": component}},
        "status": status,
    }))
}

fn waiting(component: &str, reason: &str, message: &str) -> Pod {
    let container = json!({
        "name": "c", "image": "example.org/nothing:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}},
    });
    pod(component, json!({"phase": "Pending", "containerStatuses": [container]}))
}

fn word(status: &RagPipelineStatus, type_: ConditionType) -> (String, String) {
    let condition = find(&status.conditions, type_).unwrap();
    (condition.status.clone(), condition.reason.clone())
}

/// After seeing this, the conditions are those, and `Ready` names what a person must read.
fn check(name: &str, spec: Value, observed: &Observed, wanted: &[(ConditionType, &str, Reason)], words: &[&str]) {
    let pipeline = pipeline(spec);
    let status = status(&facts(100), Outcome::Seen(&pipeline, observed), &RagPipelineStatus::default());
    for (type_, truth, reason) in wanted {
        assert_eq!(word(&status, *type_), ((*truth).to_owned(), reason.as_str().to_owned()), "{name}: {type_}");
    }
    let ready = find(&status.conditions, Ready).unwrap();
    for word in words {
        assert!(ready.message.contains(word), "{name}: {}", ready.message);
    }
    for condition in &status.conditions {
        let reason = Reason::ALL.iter().find(|reason| reason.as_str() == condition.reason).unwrap();
        let allowed = reason.conditions().iter().any(|type_| type_.as_str() == condition.type_);
        assert!(allowed, "{name}: {} is not given with {}", condition.reason, condition.type_);
    }
}

use ConditionType::{
    CacheReady, ConfigurationWarning, DatabaseReady, GatewayAvailable, IndexReady, Ready, Reconciling, SchemaReady,
    SecretsResolved, Stalled,
};

#[test]
fn a_pipeline_that_is_up_is_ready() {
    let wanted = [
        (Ready, "True", Reason::AllComponentsReady),
        (DatabaseReady, "True", Reason::SinglePrimary),
        (SchemaReady, "True", Reason::Applied),
        (GatewayAvailable, "True", Reason::MinimumReplicasAvailable),
        (CacheReady, "True", Reason::Available),
        (IndexReady, "True", Reason::ExactScan),
        (Reconciling, "False", Reason::UpToDate),
        (Stalled, "False", Reason::NothingStalled),
    ];
    check("up", json!({}), &running(), &wanted, &["answers"]);
}

#[test]
fn a_pipeline_that_comes_up_says_what_it_waits_for() {
    let nothing = Observed::default();
    let wanted = [
        (Ready, "False", Reason::Provisioning),
        (SchemaReady, "False", Reason::WaitingForDatabase),
        (GatewayAvailable, "False", Reason::WaitingForDatabase),
        (IndexReady, "Unknown", Reason::NoReport),
        (Reconciling, "True", Reason::Progressing),
    ];
    check("nothing yet", json!({}), &nothing, &wanted, &["docs-postgres"]);
    let database = Observed { postgres: running().postgres, ..Observed::default() };
    check("a database", json!({}), &database, &[(Ready, "False", Reason::Migrating)], &["schema"]);
    let schema = Observed { gateway: None, ..running() };
    check("a schema", json!({}), &schema, &[(Ready, "False", Reason::Provisioning)], &["about to start"]);
}

#[test]
fn what_a_person_must_mend_stalls_the_pipeline_and_is_named() {
    let open_ai = json!({"generation": {"openAiCompatible": {
        "baseUrl": "https://a.example/v1", "model": "m", "secretRef": {"name": "openai", "key": "api-key"}}}});
    let missing = Observed { gateway: None, ..running() };
    let wanted = [
        (Ready, "False", Reason::SecretNotFound),
        (Stalled, "True", Reason::SecretNotFound),
        (Reconciling, "False", Reason::WaitingForMend),
        (GatewayAvailable, "False", Reason::WaitingForSecrets),
    ];
    check("no Secret", open_ai.clone(), &missing, &wanted, &["spec.generation.openAiCompatible.secretRef", "openai", "kubectl"]);
    let empty = Observed { secrets: [("openai".to_owned(), Secret::default())].into(), ..missing };
    let wanted = [(SecretsResolved, "False", Reason::SecretKeyMissing), (Stalled, "True", Reason::SecretKeyMissing)];
    check("no key", open_ai, &empty, &wanted, &["key api-key"]);

    let pull = waiting("postgres", "ImagePullBackOff", "not found");
    let down = Observed { pods: vec![pull], ..Observed::default() };
    let wanted = [(DatabaseReady, "False", Reason::ImagePull), (Stalled, "True", Reason::ImagePull)];
    check("no image", json!({}), &down, &wanted, &["docs-postgres-0", "example.org/nothing:1"]);

    let failed = Observed { schema_job: Some(job("Failed", "BackoffLimitExceeded")), gateway: None, ..running() };
    let wanted = [(SchemaReady, "False", Reason::MigrationFailed), (Stalled, "True", Reason::MigrationFailed)];
    check("no schema", json!({}), &failed, &wanted, &["kubectl -n team delete job docs-schema-1"]);
}

#[test]
fn a_pod_without_a_node_is_told_after_a_moment_and_by_its_cause() {
    let unscheduled = |message: &str, since: i64| {
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
                               "lastTransitionTime": at(since).to_string()});
        Observed { pods: vec![pod("postgres", json!({"phase": "Pending", "conditions": [condition]}))], ..Observed::default() }
    };
    let no_room = "0/2 nodes are available: 2 Insufficient memory";
    check("just made", json!({}), &unscheduled(no_room, 95), &[(Ready, "False", Reason::Provisioning)], &[]);
    let wanted = [(Ready, "False", Reason::Unschedulable), (Stalled, "True", Reason::Unschedulable)];
    check("no room", json!({}), &unscheduled(no_room, 60), &wanted, &["spec.postgres.managed.resources", "Insufficient memory"]);
    let volume = "pod has unbound immediate PersistentVolumeClaims";
    check("no volume", json!({}), &unscheduled(volume, 60), &[(Ready, "False", Reason::VolumePending)], &["storage class"]);
}

#[test]
fn a_gateway_that_ends_again_and_again_is_quoted() {
    let crashed = json!({
        "name": "gateway", "image": "i", "imageID": "", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "the folder of the model is empty"}},
    });
    let mut observed = running();
    observed.gateway = typed(json!({
        "metadata": {"name": "docs-gateway", "generation": 1}, "spec": {"replicas": 2, "selector": {}, "template": {}}, "status": {},
    }));
    observed.pods = vec![pod("gateway", json!({"phase": "Running", "containerStatuses": [crashed]}))];
    let wanted = [(Ready, "False", Reason::Crashing), (Stalled, "True", Reason::Crashing)];
    check("crashes", json!({}), &observed, &wanted, &["the folder of the model is empty", "4 times"]);
}

#[test]
fn the_cache_and_the_index_never_take_readiness() {
    let mut observed = running();
    observed.cache = None;
    observed.pods = vec![waiting("cache", "ErrImagePull", "not found")];
    let wanted = [
        (Ready, "True", Reason::AllComponentsReady),
        (CacheReady, "False", Reason::ImagePull),
        (Stalled, "False", Reason::NothingStalled),
    ];
    check("no cache", json!({}), &observed, &wanted, &[]);
    check("off", json!({"cache": {"disabled": {}}}), &running(), &[(CacheReady, "True", Reason::Disabled)], &[]);
    let mut observed = running();
    let due = IndexReport { due: true, desired: IndexKind::IvfFlat { lists: 100 }, ..index_report(20_000, IndexKind::Exact) };
    observed.index = Some(due);
    check(
        "due",
        json!({}),
        &observed,
        &[(Ready, "True", Reason::AllComponentsReady), (IndexReady, "False", Reason::BuildPending)],
        &[],
    );
    observed.index_job = Some(typed(json!({"metadata": {"name": "docs-index-1"}})));
    check(
        "building",
        json!({}),
        &observed,
        &[(IndexReady, "False", Reason::Building), (Reconciling, "False", Reason::UpToDate)],
        &[],
    );
}

#[test]
fn a_refused_spec_keeps_what_was_known_and_counts_as_observed() {
    let before = status(&facts(0), Outcome::Seen(&pipeline(json!({})), &running()), &RagPipelineStatus::default());
    let refusal = Refusal { problems: vec![Problem { field: "spec.index".into(), message: "must not decrease".into() }] };
    let facts = Facts { generation: 2, ..facts(50) };
    let after = status(&facts, Outcome::Refused(&refusal), &before);
    assert_eq!(after.observed_generation, Some(2));
    assert_eq!(word(&after, Ready), ("False".into(), "SpecInvalid".into()));
    assert_eq!(word(&after, DatabaseReady), ("True".into(), "SinglePrimary".into()));
    assert!(find(&after.conditions, Ready).unwrap().message.contains("spec.index: must not decrease"));
    assert_eq!(after.phase, Some(Phase::Stalled));
    assert_eq!(after.endpoint, before.endpoint);
}

#[test]
fn a_status_is_the_same_as_long_as_nothing_moves() {
    let pipeline = pipeline(json!({}));
    let first = status(&facts(0), Outcome::Seen(&pipeline, &running()), &RagPipelineStatus::default());
    let second = status(&facts(1_000), Outcome::Seen(&pipeline, &running()), &first);
    assert_eq!(first, second);
}

#[test]
fn a_transition_time_moves_with_its_status_only() {
    let pipeline = pipeline(json!({}));
    let up = status(&facts(0), Outcome::Seen(&pipeline, &running()), &RagPipelineStatus::default());
    let down = Observed { postgres: None, ..running() };
    let after = status(&facts(60), Outcome::Seen(&pipeline, &down), &up);
    let time = |status: &RagPipelineStatus, type_| find(&status.conditions, type_).unwrap().last_transition_time.0;
    assert_eq!(time(&after, DatabaseReady), at(60));
    assert_eq!(time(&after, SchemaReady), at(0));
    assert_eq!(after.phase, Some(Phase::Degraded));
}

#[test]
fn a_paused_pipeline_still_tells_how_it_is() {
    let paused = Facts { paused: true, ..facts(0) };
    let status = status(&paused, Outcome::Seen(&pipeline(json!({})), &running()), &RagPipelineStatus::default());
    assert_eq!(word(&status, ConditionType::Paused), ("True".into(), "SpecPaused".into()));
    assert_eq!(word(&status, Ready), ("True".into(), "AllComponentsReady".into()));
    assert_eq!(status.phase, Some(Phase::Paused));
}

#[test]
fn nothing_of_a_later_step_is_applied_too_early() {
    let pipeline = pipeline(json!({}));
    let mut observed = Observed::default();
    assert_eq!(stage::step(&pipeline, &observed), Step::Data);
    observed.postgres = running().postgres;
    assert_eq!(stage::step(&pipeline, &observed), Step::Schema);
    observed.schema_job = Some(job("Complete", ""));
    assert_eq!(stage::step(&pipeline, &observed), Step::Serve);
    observed.postgres = None;
    assert_eq!(stage::step(&pipeline, &observed), Step::Serve, "a database that is away holds nothing up");
}
