//! A rotation, step by step: what the Secret holds and which Jobs there are to be.

use k8s_openapi::ByteString;
use kube::ResourceExt;
use ragline_crds::ROTATE_PASSWORD_ANNOTATION;
use serde_json::{Value, json};

use super::*;
use crate::plan::{
    build,
    credentials::{Credentials, Login},
    objects::Object,
    pipeline::Defaults,
    validate::validate,
};

fn pipeline(annotation: Option<&str>, spec: Value) -> Pipeline {
    let mut object = json!({
        "apiVersion": "ragline.dev/v1alpha1", "kind": "RagPipeline",
        "metadata": {"name": "docs", "namespace": "team", "uid": "u", "generation": 1}, "spec": spec,
    });
    if let Some(value) = annotation {
        object["metadata"]["annotations"] = json!({ROTATE_PASSWORD_ANNOTATION: value});
    }
    validate(&serde_json::from_value(object).unwrap(), &Defaults::of_tests()).unwrap()
}

fn rotated(annotation: &str) -> Pipeline {
    pipeline(Some(annotation), json!({}))
}

/// A trip: what the Secret held before, what it and the Jobs are to be then.
fn trip(pipeline: &Pipeline, before: Option<&Objects<Desired>>, jobs: &[Job], drawn: &str) -> (Credentials, Objects<Desired>) {
    let secrets = before.into_iter().flat_map(Objects::iter).filter_map(|object| match object {
        Object::Secret(secret) => Some((secret.name_any(), (**secret).clone())),
        _ => None,
    });
    let mut credentials = Credentials::keep(&pipeline.name, &secrets.collect(), Credentials::placeholders());
    credentials.application = advance(pipeline, credentials.application, jobs, SecretString::from(drawn.repeat(24)));
    let objects = build::build(pipeline, &credentials);
    (credentials, objects)
}

fn job(objects: &Objects<Desired>) -> Option<Job> {
    let jobs = objects.iter().filter_map(|object| match object {
        Object::Job(job) if job.name_any().starts_with("docs-roles-") => Some((**job).clone()),
        _ => None,
    });
    let jobs: Vec<_> = jobs.collect();
    assert!(jobs.len() <= 1);
    jobs.into_iter().next()
}

fn ended(mut job: Job, how: &str) -> Job {
    job.status = serde_json::from_value(json!({"conditions": [{"type": how, "status": "True"}]})).unwrap();
    job
}

fn schema_job(objects: &Objects<Desired>) -> String {
    objects.schema_job().unwrap().name_any()
}

fn held(objects: &Objects<Desired>, key: &str) -> Option<String> {
    let Some(Object::Secret(secret)) = objects.find("Secret", "docs-postgres-app") else { panic!("no Secret") };
    let ByteString(bytes) = secret.data.as_ref().unwrap().get(key)?;
    Some(String::from_utf8(bytes.clone()).unwrap())
}

fn annotation(objects: &Objects<Desired>, kind: &str, name: &str) -> Value {
    let value = objects.find(kind, name).unwrap().to_value();
    let hash = value["spec"]["template"]["metadata"]["annotations"][SECRETS_HASH].clone();
    assert!(hash.is_string(), "{kind} {name}");
    hash
}

/// What a cluster shows once the gateways have been rolled to these objects.
fn rolled_to(objects: &Objects<Desired>) -> Observed {
    let mut gateway = objects.deployment(Component::Gateway).unwrap().clone();
    gateway.metadata.generation = Some(2);
    gateway.status = serde_json::from_value(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2})).unwrap();
    let template = gateway.spec.as_ref().unwrap().template.clone();
    let pod = Pod { metadata: template.metadata.unwrap(), ..Pod::default() };
    Observed { gateway: Some(gateway), pods: vec![pod.clone(), pod], ..Observed::default() }
}

#[test]
fn roles_take_turns_and_every_gateway_has_a_good_password_at_every_moment() {
    let (_, start) = trip(&pipeline(None, json!({})), None, &[], "a");
    assert_eq!(held(&start, "username").as_deref(), Some("ragline_app"));
    let (mut before, mut jobs, mut logins) = (start, Vec::new(), Vec::new());
    for (round, drawn) in [("1", "b"), ("2", "c"), ("3", "d")] {
        let wanted = rotated(round);
        let old = held(&before, "DATABASE_URL");
        // The new password is drawn and kept beside the old one, and a Job makes the other role.
        let (_, first) = trip(&wanted, Some(&before), &jobs, drawn);
        assert_eq!(held(&first, "DATABASE_URL"), old);
        let next = held(&first, "NEXT_DATABASE_URL").unwrap();
        assert!(next.contains(&drawn.repeat(24)));
        let making = job(&first).unwrap();
        assert_eq!(annotation(&first, "Deployment", "docs-gateway"), annotation(&before, "Deployment", "docs-gateway"));
        // Nothing goes on before the Job is done, and nothing is drawn again.
        let (credentials, waiting) = trip(&wanted, Some(&first), &[ended(making.clone(), "Failed")], "x");
        assert_eq!(held(&waiting, "NEXT_DATABASE_URL").as_ref(), Some(&next));
        assert_eq!(job(&waiting).unwrap().metadata.name, making.metadata.name);
        assert!(matches!(stage(&wanted, &credentials.application, &[ended(making.clone(), "Failed")]), Rotation::Failed(_)));
        assert_eq!(stage(&wanted, &credentials.application, std::slice::from_ref(&making)), Rotation::Making);
        assert_eq!(schema_job(&waiting), schema_job(&before));
        // The role is there: the Secret changes, and the gateways are rolled.
        let done = [ended(making, "Complete")];
        let (credentials, switched) = trip(&wanted, Some(&waiting), &done, "y");
        assert_eq!(held(&switched, "DATABASE_URL").as_ref(), Some(&next));
        assert_eq!((held(&switched, "NEXT_DATABASE_URL"), held(&switched, "next-password"), job(&switched)), (None, None, None));
        assert_eq!(schema_job(&switched), schema_job(&before));
        assert_ne!(annotation(&switched, "Deployment", "docs-gateway"), annotation(&before, "Deployment", "docs-gateway"));
        assert_eq!(annotation(&switched, "StatefulSet", "docs-postgres"), annotation(&before, "StatefulSet", "docs-postgres"));
        assert_eq!(stage(&wanted, &credentials.application, &done), Rotation::Rolling);
        // While one gateway has the old password, its role stays.
        let mut observed = rolled_to(&switched);
        observed.pods.extend(rolled_to(&before).pods);
        assert_eq!(retiring_job(&wanted, &credentials.application, &switched, &observed), None);
        for pod in &mut observed.pods[2..] {
            pod.status = serde_json::from_value(json!({"phase": "Failed"})).unwrap();
        }
        let retiring = retiring_job(&wanted, &credentials.application, &switched, &observed).unwrap();
        let arguments = retiring.spec.as_ref().unwrap().template.spec.as_ref().unwrap().containers[0].args.clone().unwrap();
        logins.push(arguments[2].clone());
        assert_eq!(stage(&wanted, &credentials.application, std::slice::from_ref(&retiring)), Rotation::Retiring);
        let done = [ended(retiring.clone(), "Complete")];
        assert_eq!(stage(&wanted, &credentials.application, &done), Rotation::AtRest);
        // The Job stays the same one, also while something else rolls the gateways.
        let (credentials, after) = trip(&wanted, Some(&switched), &done, "z");
        assert_eq!(held(&after, "DATABASE_URL").as_ref(), Some(&next));
        let rolling = Observed { role_jobs: done.to_vec(), ..Observed::default() };
        let kept = retiring_job(&wanted, &credentials.application, &after, &rolling).unwrap();
        assert_eq!(kept.metadata.name, retiring.metadata.name);
        (before, jobs) = (after, done.to_vec());
    }
    assert_eq!(logins, ["ragline_app", "ragline_app_2", "ragline_app"]);
}

#[test]
fn a_rotation_waits_until_the_one_before_has_locked_its_role_out() {
    let (_, start) = trip(&pipeline(None, json!({})), None, &[], "a");
    let (_, begun) = trip(&rotated("1"), Some(&start), &[], "b");
    let made = [ended(job(&begun).unwrap(), "Complete")];
    let (_, switched) = trip(&rotated("1"), Some(&begun), &made, "c");
    // Gateways may still use the role that is to be made anew.
    let (credentials, waiting) = trip(&rotated("2"), Some(&switched), &made, "d");
    assert_eq!((held(&waiting, "NEXT_DATABASE_URL"), job(&waiting)), (None, None));
    assert_eq!(stage(&rotated("2"), &credentials.application, &made), Rotation::Making);
    let retiring = retiring_job(&rotated("2"), &credentials.application, &waiting, &rolled_to(&waiting)).unwrap();
    let (_, waiting) = trip(&rotated("2"), Some(&waiting), std::slice::from_ref(&retiring), "e");
    assert_eq!(held(&waiting, "NEXT_DATABASE_URL"), None);
    let (_, next) = trip(&rotated("2"), Some(&waiting), &[ended(retiring, "Complete")], "f");
    assert!(held(&next, "NEXT_DATABASE_URL").unwrap().contains("ragline_app:") && job(&next).is_some());
}

#[test]
fn an_annotation_that_goes_takes_back_what_is_not_done_and_nothing_else() {
    let none = pipeline(None, json!({}));
    let (_, start) = trip(&none, None, &[], "a");
    let (_, begun) = trip(&rotated("1"), Some(&start), &[], "b");
    let (_, back) = trip(&none, Some(&begun), &[], "c");
    assert_eq!(held(&back, "DATABASE_URL"), held(&start, "DATABASE_URL"));
    assert_eq!((held(&back, "NEXT_DATABASE_URL"), job(&back)), (None, None));
    let done = [ended(job(&begun).unwrap(), "Complete")];
    let (_, switched) = trip(&rotated("1"), Some(&begun), &done, "d");
    let (credentials, after) = trip(&none, Some(&switched), &[], "e");
    assert_eq!(held(&after, "DATABASE_URL"), held(&switched, "DATABASE_URL"));
    assert_eq!(credentials.application.login, Login::Second);
}

#[test]
fn a_secret_that_was_lost_has_postgresql_started_anew_and_a_rotation_made_again() {
    let (_, start) = trip(&rotated("1"), None, &[], "a");
    let done = [ended(job(&start).unwrap(), "Complete")];
    let (_, switched) = trip(&rotated("1"), Some(&start), &done, "b");
    let mut credentials = Credentials::placeholders();
    credentials.application = Application::new(SecretString::from("f".repeat(24)));
    credentials.application = advance(&rotated("1"), credentials.application, &[], SecretString::from("g".repeat(24)));
    let lost = build::build(&rotated("1"), &credentials);
    assert_ne!(annotation(&lost, "StatefulSet", "docs-postgres"), annotation(&switched, "StatefulSet", "docs-postgres"));
    assert!(job(&lost).is_some());
}

/// The role that the new Secret names was locked out, and no rotation makes it again.
#[test]
fn a_secret_that_was_lost_after_a_rotation_has_its_role_let_in_again_by_the_schema_job() {
    let (_, start) = trip(&pipeline(None, json!({})), None, &[], "a");
    let (_, begun) = trip(&rotated("1"), Some(&start), &[], "b");
    let done = [ended(job(&begun).unwrap(), "Complete")];
    let (_, switched) = trip(&rotated("1"), Some(&begun), &done, "c");
    let none = pipeline(None, json!({}));
    let (mut credentials, kept) = trip(&none, Some(&switched), &[], "d");
    assert_eq!((held(&kept, "username").as_deref(), schema_job(&kept)), (Some("ragline_app_2"), schema_job(&start)));
    credentials.application = Application::new(SecretString::from("e".repeat(24)));
    let lost = build::build(&none, &credentials);
    assert_eq!(held(&lost, "username").as_deref(), Some("ragline_app"));
    assert_ne!(schema_job(&lost), schema_job(&kept));
    assert_eq!(job(&lost), None);
}

/// CloudNativePG sets passwords itself, and somebody else's are not drawn.
#[test]
fn what_is_drawn_does_not_count_for_the_schema_job_of_another_postgresql() {
    for spec in [json!({"postgres": {"cloudNativePg": {}}}), json!({"postgres": {"external": {"secretName": "a"}}})] {
        let other = pipeline(None, spec);
        let mut credentials = Credentials::placeholders();
        let before = schema_job(&build::build(&other, &credentials));
        credentials.application = Application::new(SecretString::from("e".repeat(24)));
        assert_eq!(schema_job(&build::build(&other, &credentials)), before);
    }
}

#[test]
fn the_roles_of_another_postgresql_are_left_alone() {
    for spec in [json!({"postgres": {"cloudNativePg": {}}}), json!({"postgres": {"external": {"secretName": "a"}}})] {
        let wanted = pipeline(Some("1"), spec);
        let (credentials, objects) = trip(&wanted, None, &[], "a");
        assert!(job(&objects).is_none() && credentials.application.next.is_none());
        assert_eq!(stage(&wanted, &credentials.application, &[]), Rotation::AtRest);
        assert_eq!(retiring_job(&wanted, &credentials.application, &objects, &Observed::default()), None);
    }
}

#[test]
fn an_empty_annotation_asks_for_nothing_and_a_long_one_is_short_in_the_secret() {
    assert_eq!(pipeline(Some(""), json!({})).rotation, None);
    assert_eq!(rotated(&"long ".repeat(10_000)).rotation.unwrap().len(), 10);
    assert_ne!(rotated("1").rotation, rotated("2").rotation);
}
