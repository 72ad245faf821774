//! What Helm really installs: the roles are those of the code's table, in both modes, and every grant is put to use.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ListParams;
use ragline_crds::ConditionType;
use ragline_operator::cluster::access::{CLUSTER, OPERATOR_NAMESPACE, PIPELINE_NAMESPACES, Verb};
use serde_json::{Value, json};

use super::{
    programs::{program, repository, run},
    world::{World, operator_metrics},
};
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
    let (users, cluster): (Vec<_>, Vec<_>) = of_kind(&objects, "ClusterRole")
        .into_iter()
        .partition(|role| role["metadata"]["labels"].as_object().unwrap().keys().any(|label| label.contains("aggregate-to-")));
    assert_eq!((users.len(), cluster.len()), (2, 1));
    // What users get speaks of pipelines alone; no binding gives it to the operator.
    for role in users {
        assert!(grants(&role["rules"]).iter().all(|grant| grant.ends_with(".ragline.dev") && grant.contains("ragpipelines")));
    }
    let all: Vec<_> = PIPELINE_NAMESPACES.iter().chain(CLUSTER).copied().collect();
    assert_eq!(grants(&cluster[0]["rules"]), wanted(&all));
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

/// What the operator has asked of the API since its start, in the form of [`wanted`].
async fn used() -> BTreeSet<String> {
    let metrics = operator_metrics().await;
    let label = |name: &str, label: &str| {
        let (_, rest) = name.split_once(&format!("{label}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let requests = metrics.keys().filter(|name| name.starts_with("ragline_operator_api_requests_total"));
    requests.filter_map(|name| Some(format!("{} {}", label(name, "verb")?, label(name, "resource")?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_grant_is_put_to_use() {
    let world = World::new("grants").await;
    let spec = |cache: Value, gateway: Value, size: &str, policies: bool| {
        json!({
            "networkPolicy": {"enabled": policies},
            "postgres": {"managed": {
                "storage": {"size": size}, "resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}, "replicas": u32::from(policies),
            }},
            "cache": cache,
            "gateway": gateway,
        })
    };
    let small = json!({"requests": {"cpu": "20m", "memory": "256Mi"}});
    let managed = json!({"managed": {"maxMemory": "16Mi"}});
    let gateway = json!({
        "autoscaling": {"minReplicas": 2}, "resources": small, "ingress": {"host": "a.example.com"},
        "route": {"parentRef": {"name": "public"}, "hostnames": ["a.example.com"]},
    });
    world.apply("a", spec(managed, gateway, "1Gi", true)).await.unwrap();
    // Nothing is made for a pipeline whose volume would not be encrypted as it requires.
    let encrypted = json!({"postgres": {"managed": {"storage": {"encryption": "Required"}}}});
    world.apply("b", encrypted).await.unwrap();
    world.apply("c", json!({"postgres": {"cloudNativePg": {}}})).await.unwrap();
    let issued = json!({"gateway": {"tls": {"enabled": true, "issuerRef": {"name": "nobody"}}}});
    world.apply("d", issued).await.unwrap();
    world.wait_reason("b", ConditionType::Ready, "StorageNotEncrypted", 60).await;
    let claims = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap().items;
    assert!(claims.iter().all(|claim| !claim.metadata.name.as_deref().unwrap_or_default().contains("b-postgres")));
    world.wait("a", ConditionType::Ready, "True", 300).await;
    // Without a cache and read replicas, with one gateway, no policies and no way from outside, many objects are of no use; a larger volume is asked for, though not given here; and
    // another image takes another schema Job.
    let image = json!({"replicas": 1, "resources": small, "image": "localhost/no-such-image:2"});
    world.apply("a", spec(json!({"disabled": {}}), image, "2Gi", false)).await.unwrap();

    let table = PIPELINE_NAMESPACES.iter().chain(CLUSTER).flat_map(|access| {
        access.verbs.iter().map(move |verb| (access.allows(Verb::Patch), verb.word(), access.role_resource()))
    });
    // Server-side apply creates by a patch, for which the API server asks for both rights.
    let expected: BTreeSet<String> = table
        .filter(|(patched, verb, _)| !(*patched && *verb == "create"))
        // There is neither a Gateway API nor a cert-manager here, so nothing of theirs was ever made that could be deleted.
        .filter(|(_, verb, resource)| !(["httproutes", "certificates"].contains(&resource.as_str()) && *verb == "delete"))
        .map(|(_, verb, resource)| format!("{verb} {resource}"))
        .collect();
    let begun = std::time::Instant::now();
    loop {
        let used = used().await;
        let missing: Vec<_> = expected.difference(&used).collect();
        if missing.is_empty() {
            break;
        }
        assert!(begun.elapsed().as_secs() < 90, "granted and not used: {missing:?}");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    world.end().await;
}
