//! How many pods there are to be, who decides it, and what keeps them from being made.

use k8s_openapi::api::core::v1::Event;

use super::*;

#[test]
fn workers_are_counted_by_themselves_and_the_pipeline_answers_without_them() {
    let pipeline = pipeline(json!({"ingest": {"workers": {"replicas": 2}}}));
    let worker = |observed: &Observed| {
        let said = status(&facts(0), Outcome::Seen(&pipeline, observed), &RagPipelineStatus::default());
        assert_eq!(said.phase, Some(Phase::Ready));
        let worker = said.components.unwrap().worker.unwrap();
        (worker.ready, worker.message)
    };
    assert_eq!(worker(&running()), (false, Some("0 of 2 workers of Deployment docs-worker run.".to_owned())));
    let available = |n: i64| Observed {
        worker: Some(typed(json!({"metadata": {"name": "docs-worker"}, "status": {"availableReplicas": n}}))),
        ..running()
    };
    assert_eq!(worker(&available(1)), (true, Some("1 of 2 workers of Deployment docs-worker run.".to_owned())));
    assert_eq!(worker(&available(2)), (true, None));
}

#[test]
fn a_stopped_pipeline_says_so_and_keeps_its_data() {
    let spec = json!({"stopped": true, "gateway": {"autoscaling": {}}, "ingest": {"workers": {}}});
    let wanted = [
        (Ready, "False", Reason::Stopped),
        (GatewayAvailable, "False", Reason::Stopped),
        (DatabaseReady, "True", Reason::SinglePrimary),
        (Stalled, "False", Reason::NothingStalled),
    ];
    check("stopped", spec.clone(), &running(), &wanted, &["spec.stopped is true"]);
    let said = status(&facts(0), Outcome::Seen(&pipeline(spec), &running()), &RagPipelineStatus::default());
    assert_eq!(said.phase, Some(Phase::Stopped));
    assert_eq!(said.components.unwrap().worker.unwrap().message.unwrap(), "spec.stopped is true, so uploaded files wait.");
}

#[test]
fn what_the_autoscaler_wants_is_what_is_counted() {
    let observed = Observed {
        gateway: Some(typed(json!({
            "metadata": {"name": "docs-gateway", "generation": 1}, "spec": {"replicas": 7, "selector": {}, "template": {}},
            "status": {"replicas": 7, "updatedReplicas": 7, "readyReplicas": 5, "availableReplicas": 5, "observedGeneration": 1},
        }))),
        ..running()
    };
    let spec = json!({"gateway": {"autoscaling": {}}});
    let said = status(&facts(0), Outcome::Seen(&pipeline(spec), &observed), &RagPipelineStatus::default());
    let gateway = find(&said.conditions, GatewayAvailable).unwrap();
    assert_eq!(gateway.message, "5 of 7 gateways of Deployment docs-gateway answer.");
    assert_eq!(word(&said, Reconciling), ("True".to_owned(), "Progressing".to_owned()));
}

#[test]
fn an_autoscaler_that_sees_nothing_is_warned_of() {
    let autoscaler = |reason: &str| {
        typed(json!({
            "metadata": {"name": "docs-gateway"},
            "status": {"desiredReplicas": 2, "conditions": [
                {"type": "ScalingActive", "status": "False", "reason": reason, "message": "no metrics known for pod"},
            ]},
        }))
    };
    let spec = json!({"gateway": {"autoscaling": {}}});
    for (reason, truth, wanted) in
        [("FailedGetResourceMetric", "True", Reason::NoMetricsServer), ("ScalingDisabled", "False", Reason::NothingToWarnOf)]
    {
        let observed = Observed { autoscaler: Some(autoscaler(reason)), ..running() };
        check(
            reason,
            spec.clone(),
            &observed,
            &[(ConfigurationWarning, truth, wanted), (Ready, "True", Reason::AllComponentsReady)],
            &[],
        );
    }
}

#[test]
fn a_route_without_a_gateway_api_is_warned_of() {
    let spec = json!({"gateway": {"route": {"parentRef": {"name": "public"}, "hostnames": ["a.example.com"]}}});
    let observed = Observed { missing_kinds: ["HTTPRoute"].into(), ..running() };
    let wanted = [(ConfigurationWarning, "True", Reason::GatewayApiMissing), (Ready, "True", Reason::AllComponentsReady)];
    check("no Gateway API", spec, &observed, &wanted, &[]);
}

fn refusal(workload: &str, message: &str) -> Event {
    typed(json!({
        "metadata": {"name": "e"}, "reason": "FailedCreate", "message": message, "lastTimestamp": "2027-01-15T08:00:00Z",
        "involvedObject": {"kind": "ReplicaSet", "name": format!("{workload}-5d4f")},
    }))
}

#[test]
fn a_namespace_that_takes_no_pod_is_named_with_the_mend() {
    let quota =
        "pods \"docs-gateway-5d4f-x\" is forbidden: exceeded quota: small, requested: limits.memory=1Gi, used: 2Gi, limited: 2Gi";
    let range = "pods \"docs-gateway-5d4f-x\" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi";
    let starting = json!({
        "metadata": {"name": "docs-gateway", "generation": 1}, "spec": {"replicas": 2, "selector": {}, "template": {}},
        "status": {"observedGeneration": 1},
    });
    for (message, reason, word) in [
        (quota, Reason::QuotaExceeded, "ResourceQuota"),
        (range, Reason::PodRefused, "LimitRange"),
        ("the API server is busy", Reason::Provisioning, "busy"),
    ] {
        let observed =
            Observed { gateway: Some(typed(starting.clone())), events: vec![refusal("docs-gateway", message)], ..running() };
        let stalled = if reason == Reason::Provisioning { "False" } else { "True" };
        let said = if reason == Reason::Provisioning { Reason::NothingStalled } else { reason };
        check(message, json!({}), &observed, &[(Ready, "False", reason), (Stalled, stalled, said)], &[word]);
    }
}

#[test]
fn somebody_elses_database_is_known_by_the_job_that_used_it() {
    let spec = json!({"postgres": {"external": {"secretName": "db"}}, "cache": {"external": {"host": "redis"}}});
    let key = |key: &str| (key.to_owned(), k8s_openapi::ByteString(b"postgresql://a@b/c".to_vec()));
    let secret = Secret { data: Some([key("DATABASE_URL"), key("DATABASE_OWNER_URL")].into()), ..Secret::default() };
    let observed = Observed { postgres: None, cache: None, secrets: [("db".to_owned(), secret)].into(), ..running() };
    let wanted = [
        (Ready, "True", Reason::AllComponentsReady),
        (DatabaseReady, "True", Reason::External),
        (CacheReady, "True", Reason::ExternalCache),
        (Reconciling, "False", Reason::UpToDate),
    ];
    check("external", spec.clone(), &observed, &wanted, &[]);
    let missing = Observed { secrets: Default::default(), ..observed.clone() };
    check(
        "no Secret",
        spec.clone(),
        &missing,
        &[(Ready, "False", Reason::SecretNotFound)],
        &["spec.postgres.external.secretName"],
    );
    let new = Observed { schema_job: None, gateway: None, ..observed };
    assert_eq!(stage::step(&pipeline(spec.clone()), &new), Step::Schema, "nothing is waited for before the Job tries");
    check(
        "new",
        spec,
        &new,
        &[(DatabaseReady, "Unknown", Reason::WaitingForSchemaJob), (Ready, "False", Reason::Migrating)],
        &[],
    );
}

#[test]
fn what_cloud_native_pg_tells_is_told() {
    let spec = json!({"postgres": {"cloudNativePg": {}}});
    let told = |status: Value| Observed { postgres: None, postgres_cluster: Some(typed(status)), ..running() };
    let cases = [
        (json!({}), "False", Reason::Provisioning, "has not begun"),
        (json!({"phase": "Setting up primary", "readyInstances": 0}), "False", Reason::Provisioning, "Setting up primary"),
        (json!({"readyInstances": 2, "currentPrimary": "p", "phase": "Failing over"}), "True", Reason::StandbyMissing, "2 of 3"),
        (json!({"readyInstances": 3, "currentPrimary": "p", "unknown": 1}), "True", Reason::Replicated, "2 standbys"),
        // A primary that is lost is in no Service.
        (json!({"readyInstances": 2, "currentPrimary": ""}), "False", Reason::Provisioning, "coming up"),
        // The first one is chosen before it is made.
        (json!({"readyInstances": 0, "targetPrimary": "p", "phase": "Setting up"}), "False", Reason::Provisioning, "Setting up"),
        (
            json!({"readyInstances": 2, "currentPrimary": "p", "targetPrimary": "pending"}),
            "False",
            Reason::FailingOver,
            "p is no primary any more, and a standby",
        ),
        (
            json!({"readyInstances": 2, "currentPrimary": "p", "targetPrimary": "q"}),
            "False",
            Reason::FailingOver,
            "and q takes its place",
        ),
        (
            json!({"readyInstances": 3, "currentPrimary": "p", "targetPrimary": "p", "phase": "Applying configuration",
                "conditions": [{"type": "Ready", "status": "False", "message": "Cluster Is Not Ready"}]}),
            "True",
            Reason::Replicated,
            "2 standbys follow. CloudNativePG: Applying configuration",
        ),
        (
            json!({"readyInstances": 3, "currentPrimary": "p", "targetPrimary": "p",
                "conditions": [{"type": "ConsistentSystemID", "status": "False", "message": "multiple system IDs"}]}),
            "True",
            Reason::StandbyMissing,
            "multiple system IDs",
        ),
    ];
    for (status, truth, reason, words) in cases {
        let observed = told(status.clone());
        check("CloudNativePG", spec.clone(), &observed, &[(DatabaseReady, truth, reason)], &[]);
        let said = super::status(&facts(0), Outcome::Seen(&pipeline(spec.clone()), &observed), &RagPipelineStatus::default());
        let message = &find(&said.conditions, DatabaseReady).unwrap().message;
        assert!(message.contains(words), "{status}: {message}");
    }
    let missing = Observed { postgres: None, missing_kinds: ["Cluster"].into(), schema_job: None, ..running() };
    let wanted = [(Ready, "False", Reason::CloudNativePgMissing), (Stalled, "True", Reason::CloudNativePgMissing)];
    check("no CloudNativePG", spec, &missing, &wanted, &["Install its operator"]);
}
