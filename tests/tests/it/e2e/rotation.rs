//! The application's password and the certificates of PostgreSQL and of the gateways are changed under load, and no request fails.

use std::time::{Duration, Instant};

use k8s_openapi::api::{apps::v1::Deployment, batch::v1::Job, core::v1::Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use ragline_crds::{ConditionType, ROTATE_PASSWORD_ANNOTATION};
use serde_json::json;

use super::{
    api::Gateway,
    load::{Load, Outcome, address_and_key, unpooled},
    programs::kubectl,
    replicas::primary,
    rollout,
    trust::{Trusted, came_with, trusted},
    world::World,
};

/// Time between two requests: 200 a second.
const PACE: Duration = Duration::from_millis(5);
/// The load lasts for so long at least.
const LOAD: Duration = Duration::from_secs(60);
/// So many in a row do not all come to the same one of two gateways.
const CONNECTIONS: usize = 20;
/// A certificate reaches the pod when its kubelet looks again, and the probe has it read.
const PATIENCE: Duration = Duration::from_secs(180);

async fn held(world: &World, secret: &str, key: &str) -> String {
    let data = world.api::<Secret>().get(secret).await.unwrap().data.unwrap();
    String::from_utf8(data[key].0.clone()).unwrap()
}

/// Waits for what `found` looks for.
async fn wait<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not after {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

pub(super) fn in_postgres(world: &World, command: &[&str]) -> String {
    let mut arguments = vec!["-n", &world.namespace, "exec", "a-postgres-0", "--"];
    arguments.extend(command);
    kubectl(&arguments)
}

/// Whether each of a row of connections to the gateways, whichever of them it came to, has the certificate.
async fn serve(world: &World, certificate: &str) -> bool {
    let (address, _) = address_and_key(world).await;
    let Trusted { url, client } = trusted(world, "a", address).await;
    let http = unpooled(client, Duration::from_secs(5));
    for _ in 0..CONNECTIONS {
        let reply = http.get(format!("{url}/livez")).send().await.unwrap();
        if !came_with(&reply, certificate) {
            return false;
        }
    }
    true
}

/// What a rotation of the password must have come to: the other role is used, and the one of before is locked out.
async fn rotated(world: &World, from: &str, to: &str) {
    wait("the role of before is locked out", async || {
        let jobs = world.api::<Job>().list(&ListParams::default()).await.unwrap();
        let done = jobs.items.into_iter().any(|job| {
            let retires = job.spec.is_some_and(|spec| {
                spec.template.spec.is_some_and(|pod| {
                    pod.containers[0]
                        .args
                        .as_ref()
                        .is_some_and(|arguments| arguments.ends_with(&["retire".to_owned(), from.to_owned()]))
                })
            });
            retires && job.status.is_some_and(|status| status.succeeded.unwrap_or(0) > 0)
        });
        done.then_some(())
    })
    .await;
    assert_eq!(held(world, "a-postgres-app", "username").await, to);
    let roles = "SELECT rolname || ' ' || rolcanlogin FROM pg_roles WHERE rolname LIKE 'ragline_app%' ORDER BY 1";
    let told = in_postgres(world, &["psql", "-U", "postgres", "-Atc", roles]);
    let wanted = [(from, false), (to, true)].map(|(role, may)| format!("{role} {may}"));
    assert!(wanted.iter().all(|line| told.lines().any(|told| told == line)), "{told}");
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{from}'");
    assert_eq!(in_postgres(world, &["psql", "-U", "postgres", "-Atc", &sessions]).trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn password_and_certificates_change_under_load_and_no_request_fails() {
    // Alone, since the load takes what the other tests need.
    let world = World::alone("rotation").await;
    let mut spec = rollout::spec("info");
    spec["postgres"]["managed"]["tls"] = json!({"enabled": true});
    spec["gateway"]["tls"] = json!({"enabled": true});
    // The load is one key's, and what it may spend by default lasts for just under a minute of it.
    spec["limits"]["rate"]["perKey"]["requestsPerMinute"] = json!(30_000);
    spec["limits"]["rate"]["perWorkspace"]["requestsPerMinute"] = json!(30_000);
    rollout::start_with(&world, spec).await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL";
    assert_eq!(in_postgres(&world, &["psql", "-U", "postgres", "-Atc", encrypted]).trim(), "t", "gateways speak TLS");
    let before = primary(&world).await;
    let certificates = [held(&world, "a-postgres-tls", "tls.crt").await, held(&world, "a-gateway-tls", "tls.crt").await];

    let load = Load::begin(&world, PACE, false).await;
    let begun = Instant::now();
    // As if the certificates were about to end; the annotation has the operator look at once.
    for secret in ["a-postgres-tls", "a-gateway-tls"] {
        world.api::<Secret>().delete(secret, &DeleteParams::default()).await.unwrap();
    }
    let annotated = json!({"metadata": {"annotations": {ROTATE_PASSWORD_ANNOTATION: "1"}}});
    world.pipelines().patch("a", &PatchParams::default(), &Patch::Merge(annotated)).await.unwrap();
    rotated(&world, "ragline_app", "ragline_app_2").await;
    let [renewed, of_gateways] =
        [held(&world, "a-postgres-tls", "tls.crt").await, held(&world, "a-gateway-tls", "tls.crt").await];
    assert!(renewed != certificates[0] && of_gateways != certificates[1], "a certificate is that of before");
    wait("PostgreSQL has read the renewed certificate", async || {
        let served = in_postgres(&world, &["cat", "/tmp/served.crt"]);
        (served.trim() == renewed.trim()).then_some(())
    })
    .await;
    wait("both gateways serve the renewed certificate", async || serve(&world, &of_gateways).await.then_some(())).await;
    // Connections to PostgreSQL that are made now are made with it.
    kubectl(&["-n", &world.namespace, "rollout", "restart", "deployment/a-gateway"]);
    kubectl(&["-n", &world.namespace, "rollout", "status", "deployment/a-gateway", "--timeout=120s"]);
    // The load has its own clock, which began a moment later.
    tokio::time::sleep((LOAD + Duration::from_secs(1)).saturating_sub(begun.elapsed())).await;
    let Outcome { sent, seconds, failures, .. } = load.end().await;
    println!("{sent} requests in {seconds:.1} s of a rotation of password and certificates, {} failed", failures.len());
    assert!(failures.is_empty(), "{} failed, such as {:?}", failures.len(), &failures[..failures.len().min(3)]);
    assert!(seconds >= LOAD.as_secs_f64() && sent as f64 / seconds > 100.0, "{sent} requests in {seconds:.0} s were sent");
    assert_eq!(primary(&world).await, before, "PostgreSQL was started anew");
    let log = kubectl(&["-n", &world.namespace, "logs", "a-postgres-0"]);
    assert!(!log.contains("SSL configuration was not reloaded"), "{log}");
    world.wait("a", ConditionType::Reconciling, "False", 60).await;
    let gateways = world.api::<Deployment>().get("a-gateway").await.unwrap();
    assert_eq!(gateways.status.unwrap().available_replicas, Some(2));
    Gateway::of(&world, "a").await.ingest(&[("b.md", "# Tramway\n\nThe tramway runs every ten minutes.\n")]).await;
    world.end().await;
}
