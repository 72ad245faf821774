//! What Helm really installs: the roles are those of the code's table, in both modes, and every grant is put to use.

use std::collections::BTreeSet;

use ragline_operator::cluster::access::{OPERATOR_NAMESPACE, PIPELINE_NAMESPACES};
use serde_json::Value;

use super::programs::{program, repository, run};
use crate::chart::{grants, wanted};

fn template(sets: &[&str]) -> Vec<Value> {
    let mut helm = program("helm");
    helm.args(["template", "r"]).arg(repository().join("charts/ragline")).args(["--namespace", "home"]);
    for set in sets {
        helm.args(["--set", set]);
    }
    let text = run(&mut helm);
    let documents = text.split("\n---\n").map(|document| document.trim_start_matches("---\n"));
    documents.filter(|document| document.contains("kind:")).map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn helm_grants_the_table_in_cluster_mode() {
    let objects = template(&[]);
    let cluster = of_kind(&objects, "ClusterRole");
    assert_eq!(cluster.len(), 1);
    assert_eq!(grants(&cluster[0]["rules"]), wanted(PIPELINE_NAMESPACES));
    let roles = of_kind(&objects, "Role");
    assert_eq!(roles.len(), 1);
    assert_eq!(grants(&roles[0]["rules"]), wanted(OPERATOR_NAMESPACE));
    assert_eq!(roles[0]["metadata"]["namespace"], "home");
}

#[test]
fn helm_grants_nothing_outside_the_named_namespaces() {
    let objects = template(&["watchNamespaces={alpha,beta}"]);
    assert!(of_kind(&objects, "ClusterRole").is_empty() && of_kind(&objects, "ClusterRoleBinding").is_empty());
    let namespaces: BTreeSet<_> =
        of_kind(&objects, "Role").iter().map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(namespaces, BTreeSet::from(["alpha", "beta", "home"]));
    for role in of_kind(&objects, "Role") {
        let table = if role["metadata"]["namespace"] == "home" { OPERATOR_NAMESPACE } else { PIPELINE_NAMESPACES };
        assert_eq!(grants(&role["rules"]), wanted(table));
    }
}

#[test]
fn every_container_is_restricted_and_the_resource_is_kept() {
    let objects = template(&[]);
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    for container in pod["containers"].as_array().unwrap() {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"], serde_json::json!(["ALL"]));
    }
    let resources = of_kind(&objects, "CustomResourceDefinition");
    assert_eq!(resources[0]["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}
