//! The application's password is changed on a real API server: which objects change, in which order, and that it comes to rest.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::Secret,
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use ragline_crds::ROTATE_PASSWORD_ANNOTATION;
use serde_json::json;

use super::{server::Server, world::World};

async fn held(world: &World, key: &str) -> Option<String> {
    let secret = world.api::<Secret>().get("a-postgres-app").await.unwrap();
    secret.data.unwrap().get(key).map(|bytes| String::from_utf8(bytes.0.clone()).unwrap())
}

async fn annotate(world: &World, value: Option<&str>) {
    let patch = json!({"metadata": {"annotations": {ROTATE_PASSWORD_ANNOTATION: value}}});
    world.pipelines().patch("a", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Arguments of the Jobs that have to do with roles; each has ended well.
async fn role_jobs(world: &World) -> Vec<Vec<String>> {
    let jobs = world.api::<Job>().list(&ListParams::default()).await.unwrap().items;
    let jobs = jobs.into_iter().filter(|job| job.name_any().starts_with("a-roles-"));
    let arguments = jobs.map(|job| {
        assert_eq!(job.status.unwrap().succeeded, Some(1));
        job.spec.unwrap().template.spec.unwrap().containers[0].args.clone().unwrap()
    });
    arguments.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn login_roles_take_turns_without_a_restart_of_the_database() {
    let server = Server::shared().await;
    let world = World::new(&server, "rotation").await;
    let operator = world.operator().await;
    world.apply("a", &json!({"gateway": {"replicas": 1}, "ingest": {"workers": {"replicas": 1}}})).await.unwrap();
    assert!(world.converge(&operator, "a").await);
    assert_eq!(role_jobs(&world).await, Vec::<Vec<String>>::new());
    let postgres = async || world.api::<StatefulSet>().get("a-postgres").await.unwrap().metadata.generation;
    let gateways = async || world.api::<Deployment>().get("a-gateway").await.unwrap().metadata.generation;
    let database = postgres().await;
    for (value, role, before) in [("1", "ragline_app_2", "ragline_app"), ("2", "ragline_app", "ragline_app_2")] {
        let (password, rolled) = (held(&world, "password").await, gateways().await);
        annotate(&world, Some(value)).await;
        assert!(world.converge(&operator, "a").await);
        assert_eq!(held(&world, "username").await.as_deref(), Some(role));
        assert_ne!(held(&world, "password").await, password);
        assert!(held(&world, "DATABASE_URL").await.unwrap().contains(role));
        assert_eq!((held(&world, "next-password").await, held(&world, "NEXT_DATABASE_URL").await), (None, None));
        assert_ne!(gateways().await, rolled);
        assert_eq!(postgres().await, database);
        // What made the role is gone; what locked the other one out stays to be read.
        assert_eq!(role_jobs(&world).await, [["roles", "retire", before]]);
        let status = world.pipelines().get("a").await.unwrap().status.unwrap();
        let reconciling = status.conditions.iter().find(|condition| condition.type_ == "Reconciling").unwrap();
        assert_eq!(reconciling.reason, "UpToDate");
    }
    // Another operator finds nothing to do, and neither does an annotation that goes.
    annotate(&world, None).await;
    let password = held(&world, "password").await;
    assert!(world.converge(&world.operator().await, "a").await);
    assert_eq!((held(&world, "password").await, postgres().await), (password, database));
    world.end().await;
}
