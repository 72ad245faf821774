//! The commands `ingest`, `ask`, `search`, `workspaces` and `keys` as a person runs them, against an API on fakes.

use std::{path::Path, process::Stdio, sync::Arc};

use ragline_gateway::{
    http::serve::serve,
    ingest::{job::Parts, settings::WorkerSettings, worker},
    metrics::Metrics,
};
use tokio::{net::TcpListener, process::Command};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    http_fakes::FIRST_KEY,
    http_fixture::{Api, api},
    http_models::{Paragraphs, WordEmbedder},
};

pub(crate) struct Gateway {
    api: Api,
    pub(crate) url: String,
    _stop: DropGuard,
}

/// What a command printed.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) error: String,
}

pub(crate) async fn gateway() -> Gateway {
    let (api, stop) = (api(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, None, api.router.clone(), stop.clone()));
    let settings = WorkerSettings::default();
    let parts = Parts {
        blobs: Arc::clone(&api.store) as _,
        jobs: Arc::clone(&api.store) as _,
        documents: Arc::clone(&api.store) as _,
        embedder: Arc::new(WordEmbedder::new(8)),
        cutter: Arc::new(Paragraphs),
        threads: Parts::threads(&settings),
        settings,
        metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
    };
    tokio::spawn(worker::run(parts, stop.clone()));
    Gateway { api, url, _stop: stop.drop_guard() }
}

impl Gateway {
    pub(crate) async fn says(&self, arguments: &[&str]) -> Said {
        says(&self.url, FIRST_KEY, arguments).await
    }
}

pub(crate) async fn says(url: &str, key: &str, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_ragline-gateway"))
        .args(arguments)
        .env("RAGLINE_URL", url)
        .env("RAGLINE_API_KEY", key)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        output: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

#[tokio::test]
async fn a_folder_is_sent_whole_and_what_failed_is_named() {
    let gateway = gateway().await;
    let folder = tempfile::tempdir().unwrap();
    let large = vec![b'x'; (3 << 20) + 1];
    write(
        folder.path(),
        &[("docs/b.md", b"one\n\ntwo"), ("docs/a/ä \"q\".txt", b"three"), ("docs/broken.pdf", b"x"), ("docs/large.txt", &large)],
    );
    let docs = folder.path().join("docs");
    let said = gateway.says(&["ingest", docs.to_str().unwrap(), "--metadata", "year=2024"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    for line in [
        "sending 4 files",
        "REFUSED  docs/large.txt: docs/large.txt is larger than 3145728 bytes",
        "stored  docs/a/ä \"q\".txt (1 chunk)",
        "stored  docs/b.md (2 chunks)",
        "FAILED  docs/broken.pdf: the PDF is encrypted",
        "2 files stored as 3 chunks, 2 failed",
    ] {
        assert!(said.output.contains(line), "{line:?} is missing in {}", said.output);
    }
    let inner = gateway.api.store.inner();
    assert!(inner.documents.iter().all(|document| document.view.metadata["year"] == 2024));
}

#[tokio::test]
async fn all_is_well_is_exit_code_0() {
    let gateway = gateway().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.txt", b"one")]);
    let path = folder.path().join("a.txt");
    let said = gateway.says(&["ingest", path.to_str().unwrap(), "--wait", "--quiet"]).await;
    assert_eq!((said.code, said.output.contains("[1/1]")), (0, false), "{said:?}");
    let said = gateway.says(&["ingest", path.to_str().unwrap(), "--no-wait"]).await;
    assert_eq!((said.code, said.output.contains("accepted  job_")), (0, true), "{said:?}");
}

#[tokio::test]
async fn an_answer_is_printed_with_numbered_sources_and_times() {
    let gateway = gateway().await;
    let said = gateway.says(&["ask", "How", "long?"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    for line in ["Three months [1].", "[1] contract.pdf, page 2, Contract (score 0.90)", "retrieved in 1 ms", "4 ms in all"] {
        assert!(said.output.contains(line), "{line:?} is missing in {}", said.output);
    }
    let said = gateway.says(&["search", "notice", "--limit", "2"]).await;
    assert!(said.output.contains("  1. contract.pdf, page 2, Contract (score 0.90)"), "{said:?}");
    let said = gateway.says(&["search", "notice", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!(json["data"][0]["source"]["filename"], "contract.pdf");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_a_way_out() {
    let gateway = gateway().await;
    let said = says(&gateway.url, "wrong", &["ask", "a"]).await;
    assert!(said.code == 3 && said.error.contains("this API key is not known (invalid_api_key, request req_"), "{said:?}");
    let said = says(&gateway.url, "", &["ask", "a"]).await;
    assert!(said.code == 3 && said.error.contains("RAGLINE_API_KEY"), "{said:?}");
    let said = says("http://127.0.0.1:1", FIRST_KEY, &["ask", "a"]).await;
    assert!(said.code == 4 && said.error.contains("cannot be reached"), "{said:?}");
    let said = gateway.says(&["ingest", "/no/such/file"]).await;
    assert!(said.code == 1 && said.error.contains("/no/such/file"), "{said:?}");
    let said = gateway.says(&["search", " "]).await;
    assert!(said.code == 1 && said.error.contains("(invalid_value, request req_"), "{said:?}");
    let said = gateway.says(&["search", "a", "--limit", "0"]).await;
    assert!(said.code == 2 && said.error.contains("1..=100"), "{said:?}");
}

#[tokio::test]
async fn workspaces_and_keys_are_managed_by_command() {
    let gateway = gateway().await;
    let said = gateway.says(&["workspaces", "create", "team-a"]).await;
    assert!(said.code == 0 && said.output.starts_with("active") && said.output.trim_end().ends_with("team-a"), "{said:?}");
    let said = gateway.says(&["workspaces", "list", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    assert_eq!((&listed[0]["name"], &listed[1]["name"]), (&"default".into(), &"theirs".into()), "{said:?}");
    let said = gateway.says(&["keys", "create", "theirs", "--name", "website", "--scope", "write"]).await;
    let key = said.output.lines().last().unwrap();
    assert!(said.code == 0 && key.starts_with("rl_") && said.output.contains("made key_"), "{said:?}");
    let said = gateway.says(&["workspaces", "delete", "theirs"]).await;
    assert!(said.code == 0 && said.output.starts_with("deleting"), "{said:?}");
    let said = gateway.says(&["workspaces", "delete", "default"]).await;
    assert!(said.code == 1 && said.error.contains("(workspace_needed"), "{said:?}");
    let said = gateway.says(&["workspaces", "create", "Team A"]).await;
    assert!(said.code == 2 && said.error.contains("1 to 63 characters"), "{said:?}");
    let said = gateway.says(&["keys", "revoke", "key_00000000-0000-0000-0000-000000000000"]).await;
    assert!(said.code == 1 && said.error.contains("(key_not_found"), "{said:?}");
    let said = says(&gateway.url, crate::http_fakes::THEIR_KEY, &["keys", "list", "theirs"]).await;
    assert!(said.code == 3 && said.error.contains("(admin_required"), "{said:?}");
}
