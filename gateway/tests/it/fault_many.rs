//! Many files are one job, in bounded memory, whatever becomes of the gateway meanwhile.

#![expect(clippy::print_stdout, reason = "figures for the reader of the log")]

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    database::fresh_for,
    env_fixture::Gateway,
    fault_fixture::{ended, gateway, leases_run_out, number, numbered, stored_whole_and_once},
    fault_provider::{DIMENSIONS, MODEL, Provider},
};

/// Files of the test; RAGLINE_TEST_FILES makes it a measurement.
const FILES: usize = 230;
/// What a gateway may hold at most while it takes any number of small files in.
const MOST_MEMORY_MIB: u64 = 200;

async fn get(gateway: &Gateway, path: &str) -> Value {
    gateway.request(Method::GET, path).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_folder_is_one_job_in_bounded_memory_and_survives_a_killed_gateway() {
    let files = std::env::var("RAGLINE_TEST_FILES").map_or(FILES, |number| number.parse().unwrap());
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let (url, superuser) = (database.url("DATABASE_URL"), database.url("DATABASE_BOOTSTRAP_URL"));
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().file_name().unwrap().to_str().unwrap();
    let mut documents = numbered(files, 2);
    for (name, text) in &mut documents {
        std::fs::write(folder.path().join(&name), text).unwrap();
        // A file is known by its path from the folder on.
        *name = format!("{parent}/{name}");
    }
    provider.hold_after(files / 2);
    let first = gateway(url.expose_secret(), &provider, &[]).await;
    let begun = std::time::Instant::now();
    let said = first.says(&["ingest", "--no-wait", folder.path().to_str().unwrap()]).await;
    let accepted: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("accepted  ")).collect();
    let [job] = accepted[..] else { panic!("not one job: {said}") };
    let path = format!("/v1/jobs/{job}");
    let sent = begun.elapsed();
    provider.holds().await;
    let view = get(&first, &path).await;
    assert_eq!((&view["status"], &view["total"]), (&json!("running"), &json!(files)), "{}", view["status"]);
    assert!(view["files"].as_array().unwrap().len() <= 1_000);
    let memory = first.peak_memory_mib();
    drop(first);

    provider.flow();
    let second = gateway(url.expose_secret(), &provider, &[]).await;
    leases_run_out(superuser.expose_secret()).await;
    let job = ended(&second, &path).await;
    let memory = memory.max(second.peak_memory_mib());
    println!("{files} files: sent in {sent:.1?}, stored in {:.1?}, at most {memory} MiB", begun.elapsed());
    assert_eq!((&job["done"], &job["failed"], &job["cancelled"]), (&json!(files), &json!(0), &json!(0)));
    assert_eq!(job["chunks"], json!(number(superuser.expose_secret(), "SELECT count(*) FROM chunk").await));
    assert!(memory < MOST_MEMORY_MIB, "{memory} MiB");
    stored_whole_and_once(superuser.expose_secret(), &documents).await;
    let page = get(&second, &format!("{path}?after=100&limit=7")).await;
    let numbers: Vec<u64> = page["files"].as_array().unwrap().iter().map(|file| file["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (101..=107).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_command_follows_a_job_of_many_pages_and_tells_of_each_file_once() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let provider = Provider::start().await;
    let gateway = gateway(database.url("DATABASE_URL").expose_secret(), &provider, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in numbered(120, 1) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let said = gateway.says(&["ingest", folder.path().to_str().unwrap()]).await;
    let stored: std::collections::BTreeSet<&str> = said.lines().filter_map(|line| line.split(" stored  ").nth(1)).collect();
    assert_eq!((stored.len(), said.matches(" stored  ").count()), (120, 120), "{said}");
    assert!(said.contains("120 files stored as 120 chunks, 0 failed"), "{said}");
}

#[tokio::test]
async fn files_are_added_to_a_job_until_it_is_cancelled_and_to_nobody_elses() {
    let database = fresh_for(MODEL, DIMENSIONS).await;
    let provider = Provider::start().await;
    let gateway = gateway(database.url("DATABASE_URL").expose_secret(), &provider, &[]).await;
    let send = async |path: &str, name: &str| {
        let part = reqwest::multipart::Part::text(format!("a paragraph of {name}")).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("file", part);
        let response = gateway.request(Method::POST, path).multipart(form).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let (_, first) = send("/v1/documents", "one.txt").await;
    let id = first["job"]["id"].as_str().unwrap();
    let (path, onto) = (format!("/v1/jobs/{id}"), format!("/v1/documents?job={id}"));
    assert_eq!(ended(&gateway, &path).await["status"], "completed");
    // A job that had ended goes on.
    assert_eq!(send(&onto, "two.txt").await.0, 202);
    let job = ended(&gateway, &path).await;
    assert_eq!((&job["status"], &job["total"], &job["done"]), (&json!("completed"), &json!(2), &json!(2)), "{job}");
    let unknown = format!("/v1/documents?job=job_{}", uuid::Uuid::now_v7());
    let (status, refused) = send(&unknown, "three.txt").await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("job_not_found")), "{refused}");

    provider.hold_after(0);
    let (_, held) = send("/v1/documents", "held.txt").await;
    provider.holds().await;
    let (_, waiting) = send("/v1/documents", "waiting.txt").await;
    let id = waiting["job"]["id"].as_str().unwrap();
    gateway.post(&format!("/v1/jobs/{id}/cancel"), json!({})).await;
    let (status, refused) = send(&format!("/v1/documents?job={id}"), "late.txt").await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")), "{refused}");
    provider.flow();
    ended(&gateway, &format!("/v1/jobs/{}", held["job"]["id"].as_str().unwrap())).await;
}
