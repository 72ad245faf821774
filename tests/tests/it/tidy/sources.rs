//! The files of the repository, as git knows them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Paths from the repository's root, of files that exist.
pub(super) fn paths() -> Vec<String> {
    let mut git = Command::new("git");
    git.arg("ls-files").current_dir(repository());
    let output = git.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let paths: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let paths: Vec<_> = paths.into_iter().filter(|path| repository().join(path).is_file()).collect();
    assert!(paths.len() > 100, "git lists {} files only", paths.len());
    paths
}

/// Path and text of the files whose path is wanted; what is not UTF-8 is no text.
pub(super) fn texts(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let wanted = paths().into_iter().filter(|path| wanted(path));
    wanted.filter_map(|path| std::fs::read_to_string(repository().join(&path)).ok().map(|text| (path, text))).collect()
}

/// Fails with all complaints at once.
pub(super) fn nothing_wrong(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
