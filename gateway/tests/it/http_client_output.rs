//! What the commands print for people on a terminal, for pipes and for programs, and the status they end with.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    http_client::{Gateway, gateway, says, write},
    http_fakes::{FIRST_KEY, THEIR_KEY},
};

/// A folder with two files that can be stored and one that cannot.
fn documents() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("docs/a.txt", b"one"), ("docs/b.md", b"one\n\ntwo"), ("docs/broken.pdf", b"x")]);
    folder
}

/// What decides on colours besides `TERM`.
const COLOUR_VARIABLES: [&str; 4] = ["CI", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"];

/// What a person at a terminal sees, bars and colours included.
async fn seen(gateway: &Gateway, command: &str, variables: &[(&str, &str)]) -> String {
    let command = format!("{} {command}", env!("CARGO_BIN_EXE_ragline-gateway"));
    let mut script = Command::new("script");
    COLOUR_VARIABLES.into_iter().for_each(|name| _ = script.env_remove(name));
    let output = script
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("RAGLINE_URL", &gateway.url)
        .env("RAGLINE_API_KEY", FIRST_KEY)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_terminal_shows_colours_and_a_bar() {
    let (gateway, folder) = (gateway().await, documents());
    let path = folder.path().join("docs").display().to_string();
    let screen = seen(&gateway, &format!("ingest {path}"), &[]).await;
    for piece in
        ["\u{1b}[32mstored\u{1b}[0m  docs/a.txt (1 chunk)", "\u{1b}[1m\u{1b}[31mFAILED\u{1b}[0m  docs/broken.pdf", "storing ["]
    {
        assert!(screen.contains(piece), "{piece:?} is missing in {screen:?}");
    }
    let screen = seen(&gateway, "ask 'How long?'", &[]).await;
    assert!(screen.contains("\u{1b}[36m  [1] \u{1b}[0m\u{1b}[1mcontract.pdf, page 2, Contract\u{1b}[0m"), "{screen:?}");
}

#[tokio::test]
async fn colours_and_bars_can_be_switched_off() {
    let (gateway, folder) = (gateway().await, documents());
    let path = folder.path().join("docs").display().to_string();
    let screen = seen(&gateway, &format!("ingest {path}"), &[("NO_COLOR", "1")]).await;
    assert!(screen.contains("storing [") && screen.contains("stored  docs/a.txt (1 chunk)"), "{screen:?}");
    assert!(!screen.contains("\u{1b}[3") && !screen.contains("\u{1b}[1m"), "{screen:?}");
    let screen = seen(&gateway, &format!("ingest --quiet {path}"), &[("NO_COLOR", "1")]).await;
    assert!(!screen.contains('\u{1b}') && !screen.contains("storing ["), "{screen:?}");
    let screen = seen(&gateway, &format!("ingest {path}"), &[("TERM", "dumb")]).await;
    assert!(!screen.contains('\u{1b}') && !screen.contains("storing ["), "{screen:?}");
}

#[tokio::test]
async fn a_pipe_gets_neither() {
    let (gateway, folder) = (gateway().await, documents());
    let docs = folder.path().join("docs");
    for arguments in [&["ingest", docs.to_str().unwrap()][..], &["ask", "a"], &["search", "a"], &["keys", "list", "theirs"]] {
        let said = gateway.says(arguments).await;
        assert!(!said.output.contains('\u{1b}'), "{said:?}");
        assert_eq!(said.error, "", "{arguments:?}");
    }
    let said = gateway.says(&["search", "a", "--url", "http://127.0.0.1:1"]).await;
    assert!(said.error.starts_with("error: the gateway at"), "{said:?}");
}

#[tokio::test]
async fn an_ingest_for_programs_is_json_lines() {
    let (gateway, folder) = (gateway().await, documents());
    let docs = folder.path().join("docs");
    let said = gateway.says(&["ingest", docs.to_str().unwrap(), "--json"]).await;
    let lines = json_lines(&said.output);
    let (summary, files) = lines.split_last().unwrap();
    assert_eq!((said.code, files.len()), (1, 3), "{said:?}");
    let stored = json!({"object": "file", "source": "docs/b.md", "status": "completed", "chunks": 2, "reason": null});
    assert!(files.contains(&stored), "{said:?}");
    let failed = files.iter().find(|file| file["status"] == "failed").unwrap();
    assert_eq!((&failed["source"], &failed["reason"]), (&json!("docs/broken.pdf"), &json!("the PDF is encrypted")));
    assert!(summary["job"].as_str().is_some_and(|job| job.starts_with("job_")) && summary["seconds"].is_f64(), "{summary}");
    let figures = ["object", "status", "completed", "failed", "chunks"].map(|field| summary[field].clone());
    assert_eq!(figures, [json!("summary"), json!("failed"), json!(2), json!(1), json!(3)]);
    let said = gateway.says(&["ingest", docs.to_str().unwrap(), "--json", "--no-wait"]).await;
    let lines = json_lines(&said.output);
    assert_eq!((said.code, lines.len(), &lines[0]["status"]), (0, 1, &json!("accepted")), "{said:?}");
}

#[tokio::test]
async fn other_commands_for_programs_print_one_value() {
    let gateway = gateway().await;
    for arguments in [
        &["ask", "a", "--json"][..],
        &["search", "a", "--json"],
        &["workspaces", "create", "team-b", "--json"],
        &["workspaces", "list", "--json"],
        &["keys", "create", "theirs", "--name", "a", "--json"],
        &["keys", "list", "theirs", "--json"],
        &["rechunk", "--json"],
    ] {
        let said = gateway.says(arguments).await;
        assert!(said.code == 0 && serde_json::from_str::<Value>(&said.output).is_ok(), "{arguments:?}: {said:?}");
    }
}

#[tokio::test]
async fn the_exit_status_says_what_kind_of_failure_it_was() {
    let gateway = gateway().await;
    let refused = gateway.says(&["workspaces", "delete", "no-such"]).await;
    let wrong = gateway.says(&["eval", ".", "--threshold", "70"]).await;
    let out_of_range = gateway.says(&["search", "a", "--limit", "101"]).await;
    let no_key = says(&gateway.url, "", &["search", "a"]).await;
    let unknown = says(&gateway.url, "wrong", &["search", "a"]).await;
    let forbidden = says(&gateway.url, THEIR_KEY, &["workspaces", "list"]).await;
    let away = says("http://127.0.0.1:1", FIRST_KEY, &["search", "a"]).await;
    let codes = [refused, wrong, out_of_range, no_key, unknown, forbidden, away].map(|said| said.code);
    assert_eq!(codes, [1, 2, 2, 3, 3, 3, 4]);
    let busy = wiremock::MockServer::start().await;
    let full = wiremock::ResponseTemplate::new(503);
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(full).mount(&busy).await;
    assert_eq!(says(&busy.uri(), FIRST_KEY, &["search", "a"]).await.code, 4);
}

#[tokio::test]
async fn help_tells_of_the_exit_status_and_shells_can_complete() {
    for command in [&["--help"][..], &["ingest", "--help"], &["keys", "--help"]] {
        let said = says("http://127.0.0.1:1", "", command).await;
        assert!(said.code == 0 && said.output.contains("3  the API key is missing"), "{said:?}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = says("http://127.0.0.1:1", "", &["completions", shell]).await;
        assert!(said.code == 0 && said.output.contains("rechunk") && said.output.contains("no-wait"), "{shell} cannot complete");
    }
}

#[tokio::test]
async fn an_answer_is_printed_as_it_is_written_and_what_was_written_stands() {
    let error = json!({"error": {"message": "the provider is busy", "type": "rate_limit_error", "param": null, "code": "provider_rate_limited"}});
    let body = format!(
        "event: found\ndata: {{\"sources\": []}}\n\n: still here\n\nevent: text\ndata: {{\"text\": \"So it \"}}\n\n\
         event: text\ndata: {{\"text\": \"is [1].\"}}\n\nevent: error\ndata: {error}\n\n"
    );
    let server = wiremock::MockServer::start().await;
    let asks = wiremock::matchers::body_partial_json(json!({"question": "Is it?", "stream": true}));
    let answer = wiremock::ResponseTemplate::new(200).set_body_raw(body, "text/event-stream");
    wiremock::Mock::given(asks).respond_with(answer).mount(&server).await;
    let said = says(&server.uri(), FIRST_KEY, &["ask", "Is", "it?"]).await;
    assert_eq!(said.output, "So it is [1].\n", "{said:?}");
    assert!(said.error.contains("the provider is busy (provider_rate_limited)"), "{said:?}");
    assert_ne!(said.code, 0);
}
