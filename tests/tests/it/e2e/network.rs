//! NetworkPolicies on a network that enforces them: what must talk talks, and a stranger's pod reaches nothing.

use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use ragline_config::ports;
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{
    programs::{kubectl, program, setting},
    world::World,
};

/// Small, with parts of every kind, and open to one kind of pod for its figures.
fn spec() -> Value {
    let small = json!({"requests": {"cpu": "20m", "memory": "256Mi"}});
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": small}},
        "cache": {"managed": {"maxMemory": "16Mi"}},
        "gateway": {"replicas": 1, "resources": small},
        "ingest": {"workers": {"replicas": 1, "resources": small}},
        "networkPolicy": {"monitoringFrom": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "monitoring"}}}]},
    })
}

/// A pod that waits for commands.
fn idle(name: &str, role: &str) -> Pod {
    let image = setting("RAGLINE_E2E_BUSYBOX", "localhost/ragline-cluster-busybox:1");
    let pod = json!({
        "metadata": {"name": name, "labels": {"role": role}},
        "spec": {
            "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "c", "image": image, "command": ["sleep", "3600"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    serde_json::from_value(pod).unwrap()
}

async fn start(world: &World, namespace: &str, name: &str, role: &str) {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), namespace);
    pods.create(&PostParams::default(), &idle(name, role)).await.unwrap();
    kubectl(&["-n", namespace, "wait", &format!("pod/{name}"), "--for=condition=Ready", "--timeout=60s"]);
}

/// Whether something at the other end answers, be it with an error; a packet that is dropped is answered by nothing.
fn reaches(namespace: &str, pod: &str, address: &str, port: u16) -> bool {
    /// Exit codes of `timeout` after it had to end its command.
    const ENDED: [i32; 2] = [124, 143];
    let url = format!("http://{address}:{port}/livez");
    let mut kubectl = program("kubectl");
    let output = kubectl.args(["-n", namespace, "exec", pod, "--", "timeout", "3", "wget", "-O", "-", &url]).output().unwrap();
    !ENDED.contains(&output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_talk_talks_and_a_stranger_reaches_nothing() {
    let world = World::new("network").await;
    let home = world.namespace.clone();
    world.apply("a", spec()).await.unwrap();
    // The gateway reaches PostgreSQL and Valkey, the Job PostgreSQL, and the operator the gateway, or none of this would come.
    world.wait("a", ConditionType::Ready, "True", 300).await;
    world.wait("a", ConditionType::CacheReady, "True", 60).await;
    world.wait_for("a", "a count of the vectors", 90, |pipeline| pipeline.status.as_ref()?.vectors.as_ref().map(drop)).await;

    let abroad: Namespace = serde_json::from_value(json!({"metadata": {"generateName": "e2e-abroad-"}})).unwrap();
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let abroad = namespaces.create(&PostParams::default(), &abroad).await.unwrap().metadata.name.unwrap();
    start(&world, &home, "neighbour", "none").await;
    start(&world, &abroad, "stranger", "none").await;
    start(&world, &abroad, "prometheus", "monitoring").await;
    let services: Api<Service> = world.api();
    let parts = [("gateway", ports::GATEWAY_HTTP), ("postgres", ports::POSTGRES), ("valkey", ports::VALKEY)];
    let wanted = [
        (&home, "neighbour", [true, false, false]),
        (&abroad, "stranger", [false, false, false]),
        (&abroad, "prometheus", [true, true, true]),
    ];
    for (namespace, pod, may) in wanted {
        for ((part, port), may) in parts.iter().zip(may) {
            let service = services.get(&format!("a-{part}")).await.unwrap();
            let address = service.spec.unwrap().cluster_ip.unwrap();
            assert_eq!(reaches(namespace, pod, &address, *port), may, "{pod} to {part}");
        }
    }
    namespaces.delete(&abroad, &DeleteParams::background()).await.unwrap();
    world.end().await;
}
