//! The operator is upgraded, and away, while its pipeline is searched: no request fails, and nothing that runs is started again.

use std::{path::Path, time::Duration};

use ragline_crds::ConditionType;
use serde_json::Value;

use super::{operands::Operands, until};
use crate::e2e::{
    load::{Load, Outcome},
    programs::{image, kubectl, repository},
    rollout::start,
    world::{OPERATOR_NAMESPACE, RELEASE, World, helm_of, operator_metrics, scale},
};

/// Time between two requests that the cache answers: 100 a second.
const PACE: Duration = Duration::from_millis(10);
/// The operator is away for so long.
const AWAY: Duration = Duration::from_secs(60);

/// The release is of the next version while this lives, and of ours afterwards.
struct Upgraded {
    tag: String,
}

impl Upgraded {
    fn from(tag: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        next_chart(folder.path());
        let upgraded = Self { tag: tag.to_owned() };
        helm_of(&folder.path().join("ragline"), &["image.tag=next".to_owned()]);
        upgraded
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        helm_of(&repository().join("charts/ragline"), &[format!("image.tag={}", self.tag)]);
    }
}

/// The chart as the next version would bring it.
fn next_chart(folder: &Path) {
    let copied =
        std::process::Command::new("cp").arg("-r").arg(repository().join("charts/ragline")).arg(folder).status().unwrap();
    assert!(copied.success());
    let file = folder.join("ragline/Chart.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut chart: Value = serde_saphyr::from_str(&text).unwrap();
    chart["version"] = "99.0.0".into();
    chart["appVersion"] = "99.0.0".into();
    std::fs::write(&file, chart.to_string()).unwrap();
}

fn images_of_operator() -> String {
    kubectl(&["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}"])
}

/// Waits until an operator that has just started has looked at every pipeline and has nothing left to do.
async fn has_looked() {
    let metric = |metrics: &std::collections::BTreeMap<String, f64>, beginning: &str| -> f64 {
        metrics.iter().filter(|(name, _)| name.starts_with(beginning)).map(|(_, value)| *value).sum()
    };
    until("the operator has looked at the pipeline", 60, async || {
        let metrics = operator_metrics().await;
        metric(&metrics, "ragline_operator_reconciles_total") > 0.0
            && metric(&metrics, "ragline_operator_reconciles_running") == 0.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_the_operator_restarts_nothing_and_fails_no_request() {
    let world = World::alone("upgrade").await;
    start(&world).await;
    let before = Operands::of(&world).await;
    let current = image("operator");
    let tag = current.rsplit_once(':').unwrap().1.to_owned();

    let load = Load::begin(&world, PACE, false).await;
    let upgraded = Upgraded::from(&tag);
    kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment", RELEASE, "--timeout=120s"]);
    until("the old operator has ended", 60, async || images_of_operator().trim() == current.replace(&format!(":{tag}"), ":next"))
        .await;
    has_looked().await;
    world.wait("a", ConditionType::Reconciling, "False", 60).await;
    let Outcome { sent, failures, .. } = load.end().await;
    let after = Operands::of(&world).await;
    drop(upgraded);
    println!(
        "operator upgraded: {} of {sent} requests failed, {} pods of {} are those of before",
        failures.len(),
        after.pods.keys().filter(|pod| before.pods.contains_key(*pod)).count(),
        before.pods.len()
    );
    assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
    assert_eq!(after, before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_away_fails_no_request_and_restarts_nothing_when_it_comes() {
    let world = World::alone("away").await;
    start(&world).await;
    let load = Load::begin(&world, super::PACE, true).await;
    scale(0);
    until("there is no operator", 60, async || images_of_operator().is_empty()).await;
    // Kubernetes alone replaces what ends meanwhile.
    let pods = |component: &str| {
        let label = format!("app.kubernetes.io/component={component}");
        kubectl(&["-n", &world.namespace, "get", "pods", "-l", &label, "-o", "name"])
    };
    for component in ["gateway", "cache"] {
        let pod = pods(component).lines().next().unwrap().to_owned();
        kubectl(&["-n", &world.namespace, "delete", &pod]);
        kubectl(&["-n", &world.namespace, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s"]);
    }
    tokio::time::sleep(AWAY).await;
    let before = Operands::of(&world).await;
    scale(1);
    has_looked().await;
    world.wait("a", ConditionType::Reconciling, "False", 60).await;
    let Outcome { sent, seconds, failures, slowest } = load.end().await;
    let after = Operands::of(&world).await;
    println!(
        "operator away for a minute, gateway and cache ended: {} of {sent} questions in {seconds:.0} s failed, the slowest took {slowest:.1?}",
        failures.len()
    );
    assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
    assert_eq!(after, before);
    world.end().await;
}
