//! The commands that people and other scripts rely on are there, with a line of help each, and call scripts that exist.

use std::os::unix::fs::PermissionsExt;

use super::sources::{nothing_wrong, repository, texts};

const PROMISED: [&str; 12] =
    ["help", "demo", "demo-down", "dev", "test", "test-gitops", "lint", "bench", "images", "crds", "cluster-up", "cluster-down"];

fn makefile() -> String {
    std::fs::read_to_string(repository().join("Makefile")).unwrap()
}

/// Targets with their line of help, if they have one.
fn targets() -> Vec<(String, Option<String>)> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let text = makefile();
    let lines =
        text.lines().filter_map(|line| line.split_once(':')).filter(|(name, rest)| is_name(name) && !rest.starts_with('='));
    lines.map(|(name, rest)| (name.to_owned(), rest.split_once("## ").map(|(_, help)| help.to_owned()))).collect()
}

#[test]
fn every_promised_command_is_there_and_every_command_has_help() {
    let targets = targets();
    let missing = PROMISED.iter().filter(|promised| !targets.iter().any(|(name, _)| name == *promised));
    let mut complaints: Vec<_> = missing.map(|name| format!("make {name} is missing")).collect();
    let mute = targets.iter().filter(|(_, help)| help.is_none());
    complaints.extend(mute.map(|(name, _)| format!("make {name} has no line of help")));
    nothing_wrong(&complaints);
}

#[test]
fn every_script_that_is_called_by_its_path_can_be_run() {
    let mut complaints = Vec::new();
    for (path, text) in texts(|path| path.ends_with(".sh") || path == ".ci/run") {
        let mode = std::fs::metadata(repository().join(&path)).unwrap().permissions().mode();
        if mode & 0o111 != 0 && !text.starts_with("#!") {
            complaints.push(format!("{path} can be run, but names no interpreter"));
        }
    }
    let text = makefile();
    let scripts = text.lines().filter_map(|line| line.strip_prefix("\ttests/")).filter_map(|line| line.split(' ').next());
    let runs = |script: &str| {
        let metadata = std::fs::metadata(repository().join("tests").join(script));
        metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0)
    };
    let missing = scripts.filter(|script| !runs(script));
    complaints.extend(missing.map(|script| format!("make calls tests/{script}, which is not there to be run")));
    nothing_wrong(&complaints);
}

#[test]
fn the_readme_tells_of_every_command_that_a_user_types() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let wanted = ["make demo", "make demo-down", "make dev", "make help"];
    let missing = wanted.iter().filter(|command| !readme.contains(**command));
    nothing_wrong(&missing.map(|command| format!("README.md does not tell of {command}")).collect::<Vec<_>>());
}
