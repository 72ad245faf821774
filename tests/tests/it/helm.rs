//! What Helm makes of the chart, without a cluster. `tests/monitoring/programs.sh` brings the programs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// One of helm, promtool and luahealth, in the repository's folder.
pub(crate) fn program(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let output = Command::new(repository().join("tests/monitoring/programs.sh")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().into()
    });
    let mut command = Command::new(folder.join(name));
    command.current_dir(repository());
    command
}

/// Runs to the end: what was printed where it ended well, else everything that it said.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    if status.success() { Ok(stdout) } else { Err(format!("{stdout}{}", String::from_utf8_lossy(&stderr))) }
}

/// The objects of the chart with these values, for a cluster that knows these versions.
pub(crate) fn template(sets: &[&str], known: &[&str]) -> Result<Vec<Value>, String> {
    let mut helm = program("helm");
    helm.args(["template", "r", "charts/ragline", "--namespace", "home"]);
    helm.args(sets.iter().flat_map(|set| ["--set", set]));
    helm.args(known.iter().flat_map(|version| ["--api-versions", version]));
    let text = run(&mut helm)?;
    let documents = text.split("\n---\n").filter(|document| document.contains("kind:"));
    Ok(documents.map(|document| serde_saphyr::from_str(document.trim_start_matches("---\n")).unwrap()).collect())
}

/// The only object of a kind whose name ends so.
pub(crate) fn one<'a>(objects: &'a [Value], kind: &str, ending: &str) -> &'a Value {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind && name(object).ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{kind} {ending}");
    found[0]
}

/// Objects that the operator makes for a pipeline with workers.
pub(crate) fn children() -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join("operator/src/plan/golden/workers.yaml")).unwrap();
    let documents = text.split("---\n").filter(|document| document.contains("kind:"));
    documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// Whether a selector of labels chooses what has these.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    selector["matchLabels"].as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
}
