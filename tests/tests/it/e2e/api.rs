//! The gateway as a caller sees it, through the pipeline's Service.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use ragline_config::ports;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{
    forward::Forward,
    trust::{Trusted, trusted},
    world::World,
};

/// One way to one pipeline.
pub(crate) struct Gateway {
    _forward: Forward,
    url: String,
    http: reqwest::Client,
    key: String,
}

impl Gateway {
    pub(crate) async fn of(world: &World, pipeline: &str) -> Self {
        let secret = world.api::<Secret>().get(&format!("{pipeline}-api-key")).await.unwrap();
        let key = String::from_utf8(secret.data.unwrap()["api-key"].0.clone()).unwrap();
        let (namespace, service) = (world.namespace.clone(), format!("service/{pipeline}-gateway"));
        let forward = tokio::task::spawn_blocking(move || Forward::to(&namespace, &service, ports::GATEWAY_HTTP)).await.unwrap();
        let Trusted { url, client } = trusted(world, pipeline, forward.address.parse().unwrap()).await;
        let http = client.timeout(Duration::from_secs(60)).build().unwrap();
        Self { _forward: forward, url, http, key }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.key).json(body);
        checked(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        checked(request.send().await.unwrap()).await
    }

    /// Uploads texts as files and waits until they can be searched.
    pub(crate) async fn ingest(&self, files: &[(&str, &str)]) -> Value {
        let form = files.iter().fold(Form::new(), |form, (name, text)| {
            form.part("file", Part::text((*text).to_owned()).file_name((*name).to_owned()))
        });
        let request = self.http.post(format!("{}/v1/documents", self.url)).bearer_auth(&self.key).multipart(form);
        let reply = checked(request.send().await.unwrap()).await;
        let id = reply["job"]["id"].as_str().unwrap().to_owned();
        let begun = Instant::now();
        loop {
            let job = self.get(&format!("/v1/jobs/{id}")).await;
            let job = job.get("job").cloned().unwrap_or(job);
            match job["status"].as_str().unwrap() {
                "completed" => return job,
                "failed" | "cancelled" => panic!("{job:#}"),
                _ => {}
            }
            assert!(begun.elapsed() < Duration::from_secs(300), "ingestion is not done: {job:#}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// All documents, page after page.
    pub(crate) async fn documents(&self) -> Vec<Value> {
        let (mut documents, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/documents?limit=100{after}")).await;
            documents.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] != true {
                return documents;
            }
            after = format!("&after={}", page["last_id"].as_str().unwrap());
        }
    }

    pub(crate) async fn answer(&self, question: &str) -> Value {
        self.post("/v1/answers", &json!({"question": question})).await
    }

    pub(crate) async fn search(&self, query: &str) -> Value {
        self.post("/v1/search", &json!({"query": query})).await
    }
}

async fn checked(reply: reqwest::Response) -> Value {
    let (status, url) = (reply.status(), reply.url().clone());
    let text = reply.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
}
