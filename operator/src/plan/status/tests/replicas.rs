//! Read replicas of the managed PostgreSQL, and what is said of them.

use super::*;

fn spec() -> Value {
    json!({"postgres": {"managed": {"replicas": 2}}})
}

fn with_replicas(ready: u32, primary_ready: u32) -> Observed {
    let set = |name: &str, ready: u32| {
        typed(json!({
            "metadata": {"name": name, "generation": 1},
            "status": {"replicas": ready, "readyReplicas": ready, "observedGeneration": 1, "updateRevision": "a", "currentRevision": "a"},
        }))
    };
    Observed { postgres: Some(set("docs-postgres", primary_ready)), replicas: Some(set("docs-replica", ready)), ..running() }
}

fn message(observed: &Observed, type_: ConditionType) -> String {
    let pipeline = pipeline(spec());
    let status = status(&facts(100), Outcome::Seen(&pipeline, observed), &RagPipelineStatus::default());
    find(&status.conditions, type_).unwrap().message.clone()
}

#[test]
fn replicas_that_all_follow_are_told() {
    let wanted = [(Ready, "True", Reason::AllComponentsReady), (DatabaseReady, "True", Reason::Replicated)];
    check("all follow", spec(), &with_replicas(2, 1), &wanted, &[]);
    assert!(message(&with_replicas(2, 1), DatabaseReady).contains("2 of 2 read replicas"));
    assert_eq!(message(&with_replicas(2, 1), Reconciling), "The cluster is what the spec says.");
}

#[test]
fn a_replica_that_is_missing_costs_no_readiness_and_says_why() {
    let mut observed = with_replicas(1, 1);
    observed.pods.push(waiting("replica", "ImagePullBackOff", "not found"));
    let wanted = [
        (Ready, "True", Reason::AllComponentsReady),
        (DatabaseReady, "True", Reason::StandbyMissing),
        (Stalled, "False", Reason::NothingStalled),
        (Reconciling, "True", Reason::Progressing),
    ];
    check("one is missing", spec(), &observed, &wanted, &[]);
    let said = message(&observed, DatabaseReady);
    assert!(said.contains("1 of 2 read replicas") && said.contains("docs-replica-0"), "{said}");
}

#[test]
fn a_primary_that_is_away_is_told_with_what_goes_on() {
    let wanted = [(Ready, "False", Reason::Provisioning), (DatabaseReady, "False", Reason::Provisioning)];
    check("the primary is away", spec(), &with_replicas(2, 0), &wanted, &["2 of 2 read replicas go on serving searches"]);
    check("all are away", spec(), &with_replicas(0, 0), &wanted, &["StatefulSet docs-postgres is starting."]);
}
