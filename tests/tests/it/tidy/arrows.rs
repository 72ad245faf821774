//! The arrows between the packages, as cargo resolves them: also what comes in through another package counts.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::sources::{nothing_wrong, repository};

/// What each package of ours may never be compiled with, tests aside.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("ragline-operator", &["sqlx", "sqlx-core", "ragline-gateway", "redis", "rten", "ragline-tests"]),
    ("ragline-gateway", &["kube", "kube-client", "k8s-openapi", "ragline-crds", "ragline-operator", "ragline-tests"]),
    ("ragline-config", &["kube", "k8s-openapi", "sqlx", "reqwest", "tokio", "axum", "ragline-crds", "ragline-tests"]),
    ("ragline-crds", &["sqlx", "axum", "reqwest", "ragline-config", "ragline-gateway", "ragline-operator", "ragline-tests"]),
];

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The platform that compiles, whose packages are here; those of others need not be.
fn host() -> String {
    let told = String::from_utf8(output(Command::new("rustc").arg("-vV"))).unwrap();
    told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()]);
    serde_json::from_slice(&output(cargo.current_dir(repository()))).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn name_of<'a>(metadata: &'a Value, id: &Value) -> &'a str {
    list(metadata, "packages").iter().find(|package| package["id"] == *id).and_then(|package| package["name"].as_str()).unwrap()
}

/// Ids of the packages that `node` needs to be compiled or built, tests aside.
fn needs(node: &Value) -> Vec<Value> {
    let counts = |dependency: &&Value| list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] != "dev");
    list(node, "deps").iter().filter(counts).map(|dependency| dependency["pkg"].clone()).collect()
}

/// The names of all packages that `package` is compiled with.
fn closure(metadata: &Value, package: &str) -> BTreeSet<String> {
    let nodes = list(&metadata["resolve"], "nodes");
    let start = list(metadata, "packages").iter().find(|candidate| candidate["name"] == package).unwrap();
    let (mut seen, mut open) = (Vec::new(), vec![start["id"].clone()]);
    while let Some(id) = open.pop() {
        if !seen.contains(&id) {
            open.extend(needs(nodes.iter().find(|node| node["id"] == id).unwrap()));
            seen.push(id);
        }
    }
    seen.iter().map(|id| name_of(metadata, id).to_owned()).collect()
}

#[test]
fn no_package_is_compiled_with_what_its_place_forbids() {
    let metadata = metadata();
    let mut complaints = Vec::new();
    for (package, forbidden) in FORBIDDEN {
        let closure = closure(&metadata, package);
        assert!(closure.contains("serde"), "{package} is compiled with {closure:?} only: this test looks at nothing");
        for name in forbidden.iter().filter(|name| closure.contains(**name)) {
            complaints.push(format!("{package} is compiled with {name}"));
        }
    }
    nothing_wrong(&complaints);
}
