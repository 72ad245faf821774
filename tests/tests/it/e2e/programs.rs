//! The outside programs that a user would use: kubectl and helm, and the settings that tell where they and the cluster are.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The cluster of the tests; never the one of KUBECONFIG, which may be somebody's own.
pub(crate) fn kubeconfig() -> PathBuf {
    let given = std::env::var_os("RAGLINE_E2E_KUBECONFIG").map(PathBuf::from);
    let path = given.unwrap_or_else(|| repository().join("target/cluster/kubeconfig"));
    assert!(path.exists(), "{} is missing: run tests/cluster/up.sh, or set RAGLINE_E2E_KUBECONFIG", path.display());
    path
}

/// `localhost/ragline-gateway:dev`, unless RAGLINE_E2E_IMAGES and RAGLINE_E2E_TAG say otherwise.
pub(crate) fn image(name: &str) -> String {
    format!("{}{name}:{}", setting("RAGLINE_E2E_IMAGES", "localhost/ragline-"), setting("RAGLINE_E2E_TAG", "dev"))
}

pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The program that the local cluster brought along, or that of PATH.
pub(crate) fn program(name: &str) -> Command {
    let beside = kubeconfig().parent().unwrap().join("bin").join(name);
    let mut command = Command::new(if beside.exists() { beside.as_os_str() } else { name.as_ref() });
    command.env("KUBECONFIG", kubeconfig());
    command
}

/// Runs to the end and gives what was printed; fails with everything that the program said.
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?} ended with {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

pub(crate) fn kubectl(arguments: &[&str]) -> String {
    run(program("kubectl").args(arguments))
}
