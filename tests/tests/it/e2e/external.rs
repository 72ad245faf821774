//! A PostgreSQL and a Valkey that somebody else runs: those of one pipeline serve another, by the SQL of the operator's README, and
//! Valkey over TLS with the certificate that the operator made for it.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::{ObjectMeta, PostParams};
use ragline_crds::ConditionType;
use serde_json::{Value, json};

use super::{
    api::Gateway,
    programs::{kubectl, repository},
    world::World,
};

const PASSWORD: &str = "a-password-of-somebody-else";

/// A database, and a cache, that pods of the pipeline `b` may reach.
fn host() -> Value {
    let small = json!({"requests": {"cpu": "20m", "memory": "256Mi"}});
    json!({
        "postgres": {"managed": {"storage": {"size": "1Gi"}, "resources": small}},
        "cache": {"managed": {"maxMemory": "16Mi", "tls": {"enabled": true}}},
        "gateway": {"replicas": 0},
        "networkPolicy": {"monitoringFrom": [{"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "b"}}}]},
    })
}

fn guest() -> Value {
    json!({
        "generation": {"builtin": {}},
        "postgres": {"external": {"secretName": "docs-database", "tlsMode": "Disable"}},
        "cache": {"external": {
            "host": "a-valkey",
            "tls": true,
            "caSecretRef": {"name": "a-valkey-tls", "key": "ca.crt"},
            "secretRef": {"name": "a-valkey", "key": "password"},
        }},
        "gateway": {"replicas": 1, "resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}},
    })
}

/// The administrator's SQL as the README has it, with a password in place of the dots.
fn sql() -> String {
    let readme = std::fs::read_to_string(repository().join("operator/README.md")).unwrap();
    let (_, rest) = readme.split_once("```sql\n").unwrap();
    let (sql, _) = rest.split_once("```").unwrap();
    sql.replace('…', PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_lives_on_a_database_and_a_cache_of_somebody_else() {
    let world = World::new("external").await;
    let namespace = world.namespace.clone();
    world.apply("a", host()).await.unwrap();
    world.apply("b", guest()).await.unwrap();
    let missing = world.wait_reason("b", ConditionType::SecretsResolved, "SecretNotFound", 60).await;
    assert!(missing.message.contains("docs-database"), "{}", missing.message);
    world.wait("a", ConditionType::DatabaseReady, "True", 240).await;
    world.wait("a", ConditionType::CacheReady, "True", 60).await;

    let script = format!("psql -v ON_ERROR_STOP=1 -U postgres postgres <<'SQL'\n{}\nSQL\n", sql());
    kubectl(&["-n", &namespace, "exec", "a-postgres-0", "--", "sh", "-c", &script]);
    let url = |role: &str| ByteString(format!("postgresql://{role}:{PASSWORD}@a-postgres:5432/docs").into_bytes());
    let data = [("DATABASE_URL".to_owned(), url("docs_app")), ("DATABASE_OWNER_URL".to_owned(), url("docs_owner"))];
    let metadata = ObjectMeta { name: Some("docs-database".to_owned()), ..ObjectMeta::default() };
    let secret = Secret { metadata, data: Some(data.into()), ..Secret::default() };
    world.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();

    world.wait("b", ConditionType::Ready, "True", 300).await;
    let database = world.wait("b", ConditionType::DatabaseReady, "True", 5).await;
    assert_eq!(database.reason, "External");
    let gateway = Gateway::of(&world, "b").await;
    gateway.ingest(&[("ferry.md", "# The ferry\n\nThe ferry to Samsoe leaves at a quarter past nine.\n")]).await;
    let answer = gateway.answer("When does the ferry to Samsoe leave?").await;
    assert!(answer["answer"].as_str().unwrap().contains("quarter past nine"), "{answer:#}");
    gateway.search("ferry to Samsoe").await;
    let again = gateway.search("ferry to Samsoe").await;
    assert_eq!(again["cache_hit"], true, "{again:#}");
    let own =
        kubectl(&["-n", &namespace, "get", "statefulset,deployment,secret", "-l", "app.kubernetes.io/instance=b", "-o", "name"]);
    let own: Vec<_> = own.lines().collect();
    assert_eq!(own, ["deployment.apps/b-gateway", "secret/b-api-key"]);
    world.end().await;
}
