//! The gateway as a process of its own, with an environment that a test chooses.

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use ragline_gateway::backends::builtin;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    database::{TestDatabase, fresh_for},
    database_servers::servers,
    model,
};

const API_KEY: &str = "rgl_test";
/// A cold start on a busy machine loads the model in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that serves until it is dropped.
pub(crate) struct Gateway {
    child: Child,
    url: String,
    environment: HashMap<String, String>,
    folder: tempfile::TempDir,
    client: reqwest::Client,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A database for the built-in model.
pub(crate) async fn database() -> TestDatabase {
    fresh_for(builtin::MODEL_NAME, builtin::DIMENSIONS).await
}

/// Starts `serve` on the database with these variables on top of those that every test needs; an empty one counts as absent.
pub(crate) async fn serve(database: &TestDatabase, variables: &[(&str, &str)]) -> Gateway {
    serve_with_config(database, "", variables).await
}

/// The same with a configuration file.
pub(crate) async fn serve_with_config(database: &TestDatabase, config: &str, variables: &[(&str, &str)]) -> Gateway {
    serve_at(database.url("DATABASE_URL").expose_secret(), config, variables).await
}

/// The same on a database of any server.
pub(crate) async fn serve_at(database_url: &str, config: &str, variables: &[(&str, &str)]) -> Gateway {
    serve_as(&[], database_url, config, variables).await
}

/// The same with arguments for `serve`.
pub(crate) async fn serve_as(arguments: &[&str], database_url: &str, config: &str, variables: &[(&str, &str)]) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ragline.yaml");
    std::fs::write(&path, format!("database:\n  tlsMode: disable\n{config}")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut environment = HashMap::from([
        ("RAGLINE_CONFIG", path.display().to_string()),
        ("RAGLINE_LISTEN", format!("127.0.0.1:{port}")),
        ("RAGLINE_API_KEY", API_KEY.to_owned()),
        ("RAGLINE_MODEL_DIR", model::directory().display().to_string()),
        ("DATABASE_URL", database_url.to_owned()),
    ]);
    for name in ["VALKEY_HOST", "VALKEY_PORT", "VALKEY_PASSWORD"] {
        environment.insert(name, servers().value(name).to_owned());
    }
    environment.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let environment: HashMap<_, _> = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"));
    let log = File::create(folder.path().join("log")).unwrap();
    command.arg("serve").args(arguments).env_clear().envs(&environment).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let mut gateway = Gateway { child: command.spawn().unwrap(), url, environment, folder, client };
    gateway.ready().await;
    gateway
}

impl Gateway {
    async fn ready(&mut self) {
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < PATIENCE, "the gateway is not ready: {ended:?}\n{}", self.log());
            let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
        }
    }

    /// Runs another command of the program in the same surroundings.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"));
        command.args(arguments).env_clear().envs(&self.environment).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The lines of the log as JSON that have this message.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        let lines: Vec<Value> = self.log().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        lines.into_iter().filter(|line| line["message"] == message).collect()
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(API_KEY)
    }

    /// Posts a body and expects success.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let response = self.request(reqwest::Method::POST, path).json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{status}: {answer}\n{}", self.log());
        answer
    }

    /// A figure of `/metrics`, `None` where it is not shown.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Takes a text in by the command `ingest`, which waits until it can be searched.
    pub(crate) async fn ingest(&self, name: &str, text: &str) {
        let file: PathBuf = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        self.says(&["ingest", file.to_str().unwrap()]).await;
    }

    /// Runs a command that talks to this gateway, expects success and gives what it printed.
    pub(crate) async fn says(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"));
        command.args(arguments).env("RAGLINE_URL", &self.url).env("RAGLINE_API_KEY", API_KEY);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Asks it to end, as Kubernetes does, and waits until it has.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "the gateway does not end\n{}", self.log());
        }
    }

    /// The most memory that the process has held, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
    }
}
