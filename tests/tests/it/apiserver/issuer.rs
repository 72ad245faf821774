//! Certificates of cert-manager's on a real API server. cert-manager is played here: a definition of its kind with the fields that are used,
//! statuses as it writes them, and the Secrets that it fills.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        core::v1::{ConfigMap, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
    runtime::{conditions, wait::await_condition},
};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{operator::Operator, server::Server, world::World};

const DEFINITION: &str = "certificates.cert-manager.io";
const SECRETS: [&str; 3] = ["a-gateway-tls", "a-postgres-tls", "a-valkey-tls"];

/// The kind with those of its fields that are used here; the API server drops any other.
fn definition() -> CustomResourceDefinition {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let one_of = |values: &[&str]| json!({"type": "string", "enum": values});
    let spec = json!({"type": "object", "required": ["issuerRef", "secretName"], "properties": {
        "secretName": text, "dnsNames": texts, "usages": texts,
        "issuerRef": {"type": "object", "required": ["name"], "properties": {"name": text, "kind": text, "group": text}},
        "privateKey": {"type": "object", "properties": {
            "algorithm": one_of(&["RSA", "ECDSA", "Ed25519"]), "encoding": one_of(&["PKCS1", "PKCS8"]),
            "rotationPolicy": one_of(&["Never", "Always"]), "size": {"type": "integer"},
        }},
    }});
    let status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": DEFINITION},
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced",
            "names": {"kind": "Certificate", "listKind": "CertificateList", "plural": "certificates", "singular": "certificate"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
            }],
        },
    });
    serde_json::from_value(definition).unwrap()
}

fn spec(tls: &Value) -> Value {
    json!({
        "postgres": {"managed": {"tls": tls}}, "cache": {"managed": {"tls": tls}}, "gateway": {"replicas": 1, "tls": tls},
    })
}

/// What a condition says after another trip.
async fn told(world: &World, operator: &Operator, type_: ConditionType) -> (String, String) {
    world.trip(operator, "a").await;
    let status = world.pipelines().get("a").await.unwrap().status.unwrap();
    let condition = status.conditions.into_iter().find(|condition| condition.type_ == type_.as_str()).unwrap();
    (condition.reason, condition.message)
}

/// Fills a Secret as cert-manager does.
async fn issue(world: &World, name: &str, which: &str) {
    let data = json!({"tls.crt": format!("certificate {which}"), "tls.key": "key", "ca.crt": "authority"});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls", "stringData": data,
    });
    world.api::<Secret>().patch(name, &PatchParams::apply("cert-manager").force(), &Patch::Apply(secret)).await.unwrap();
}

/// Says of a Certificate what cert-manager would: type, status, reason and message of its conditions.
async fn tell(certificates: &Api<DynamicObject>, name: &str, conditions: &[[&str; 4]]) {
    let condition = |[type_, status, reason, message]: &[&str; 4]| json!({"type": type_, "status": status, "reason": reason, "message": message});
    let conditions: Vec<_> = conditions.iter().map(condition).collect();
    let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
    certificates.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

const READY: [&str; 4] = ["Ready", "True", "Ready", "Certificate is up to date and has not expired"];
const ABSENT: [&str; 4] = ["Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"];

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_an_issuer_are_asked_for_followed_and_given_up() {
    let server = Server::shared().await;
    let world = World::new(&server, "issuer").await;
    let operator = world.operator().await;
    let issued = json!({"enabled": true, "issuerRef": {"name": "company", "kind": "ClusterIssuer"}});
    world.apply("a", &spec(&issued)).await.unwrap();
    let (reason, message) = told(&world, &operator, ConditionType::SecretsResolved).await;
    assert_eq!(reason, "CertManagerMissing", "{message}");

    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    definitions.create(&PostParams::default(), &definition()).await.unwrap();
    let established = await_condition(definitions.clone(), DEFINITION, conditions::is_crd_established());
    tokio::time::timeout(Duration::from_secs(30), established).await.unwrap().unwrap();
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"), "certificates");
    let certificates: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
    let names = async || -> Vec<String> {
        let list = certificates.list(&ListParams::default()).await.unwrap();
        list.items.into_iter().filter_map(|one| one.metadata.name).collect()
    };

    // They are asked for, and nothing is made that would hang without them.
    let begun = Instant::now();
    while names().await.len() < SECRETS.len() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the Certificates are not made");
        told(&world, &operator, ConditionType::SecretsResolved).await;
    }
    assert_eq!(names().await, SECRETS);
    let asked = certificates.get("a-postgres-tls").await.unwrap();
    assert_eq!(asked.data["spec"]["issuerRef"], json!({"name": "company", "kind": "ClusterIssuer", "group": "cert-manager.io"}));
    let host = format!("a-postgres.{}", world.namespace);
    assert!(asked.data["spec"]["dnsNames"].as_array().unwrap().contains(&json!(host)));
    assert!(world.api::<StatefulSet>().list(&ListParams::default()).await.unwrap().items.is_empty());
    tell(&certificates, "a-gateway-tls", &[ABSENT, ["Issuing", "True", "DoesNotExist", ABSENT[3]]]).await;
    let (reason, message) = told(&world, &operator, ConditionType::SecretsResolved).await;
    assert_eq!(reason, "CertificatePending", "{message}");
    tell(&certificates, "a-gateway-tls", &[ABSENT, ["Issuing", "False", "Failed", "the issuer company is away"]]).await;
    let (reason, message) = told(&world, &operator, ConditionType::SecretsResolved).await;
    assert!(reason == "CertificateNotIssued" && message.contains("the issuer company is away"), "{reason}: {message}");

    // Once all are issued, the pipeline comes up on them.
    for name in SECRETS {
        issue(&world, name, "1").await;
        tell(&certificates, name, &[READY]).await;
    }
    assert!(world.converge(&operator, "a").await);
    let (reason, message) = told(&world, &operator, ConditionType::Ready).await;
    assert_eq!(reason, "AllComponentsReady", "{message}");
    let config = world.api::<ConfigMap>().get("a-gateway-config").await.unwrap().data.unwrap();
    assert!(config.values().any(|file| file.contains("tlsMode: verifyFull")), "{config:?}");
    let secret = world.api::<Secret>().get("a-postgres-tls").await.unwrap();
    assert_eq!(secret.data.unwrap()["tls.crt"].0, b"certificate 1", "what cert-manager fills is its own");
    assert!(world.api::<Secret>().get_opt("a-ca").await.unwrap().is_none());

    // A renewal restarts Valkey, which does not read its certificate again, and nothing else.
    let generations = async || {
        let of = async |name: &str| world.api::<Deployment>().get(name).await.unwrap().metadata.generation;
        let postgres = world.api::<StatefulSet>().get("a-postgres").await.unwrap().metadata.generation;
        (postgres, of("a-gateway").await, of("a-valkey").await)
    };
    let before = generations().await;
    for name in SECRETS {
        issue(&world, name, "2").await;
    }
    assert!(world.converge(&operator, "a").await);
    let after = generations().await;
    assert_eq!((after.0, after.1), (before.0, before.1));
    assert_ne!(after.2, before.2);
    tell(&certificates, "a-valkey-tls", &[READY, ["Issuing", "False", "Denied", "denied"]]).await;
    let (reason, message) = told(&world, &operator, ConditionType::ConfigurationWarning).await;
    assert!(reason == "CertificateNotRenewed" && message.contains("denied"), "{reason}: {message}");

    // Without an issuer the pipeline has an authority of its own again.
    world.apply("a", &spec(&json!({"enabled": true}))).await.unwrap();
    assert!(world.converge(&operator, "a").await);
    assert_eq!(names().await, Vec::<String>::new());
    let secret = world.api::<Secret>().get("a-postgres-tls").await.unwrap();
    assert!(secret.data.unwrap()["tls.crt"].0.starts_with(b"-----BEGIN CERTIFICATE-----"));
    definitions.delete(DEFINITION, &DeleteParams::default()).await.unwrap();
    world.end().await;
}
