//! Which files the paths on the command line mean, and under which names they are stored.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use walkdir::WalkDir;

/// Folders inside each other.
const MOST_DEPTH: usize = 64;

/// A file to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LocalFile {
    pub(super) path: PathBuf,
    /// The name of a file given itself; for one in a folder, the folder's name with the way to it.
    pub(super) source: String,
    pub(super) size: u64,
}

/// Finds the files, in the order of the paths, each folder sorted by name.
pub(super) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<LocalFile>> {
    let mut files = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if about.is_dir() {
            walk(path, &mut files)?;
        } else {
            files.push(LocalFile { source: name(path)?, path: path.clone(), size: about.len() });
        }
    }
    if files.is_empty() {
        bail!("there is no file in the folders given");
    }
    refuse_twins(&files)?;
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<LocalFile>) -> anyhow::Result<()> {
    let prefix = folder.file_name().map(|name| format!("{}/", name.to_string_lossy())).unwrap_or_default();
    let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().first() == Some(&b'.');
    let entries = WalkDir::new(folder).sort_by_file_name().max_depth(MOST_DEPTH).into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name())) {
        let entry = entry.with_context(|| format!("{} cannot be walked", folder.display()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let within = entry.path().strip_prefix(folder).expect("a walk stays within its folder");
        let size = entry.metadata().with_context(|| format!("{} cannot be read", entry.path().display()))?.len();
        files.push(LocalFile { source: format!("{prefix}{}", within.to_string_lossy()), path: entry.into_path(), size });
    }
    Ok(())
}

fn name(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().with_context(|| format!("{} has no file name", path.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

/// Two files of one name would replace each other.
fn refuse_twins(files: &[LocalFile]) -> anyhow::Result<()> {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for file in files {
        if let Some(other) = seen.insert(&file.source, &file.path) {
            let (first, second) = (other.display(), file.path.display());
            bail!("{first} and {second} would both be stored as {:?}; send them by their folders", file.source);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_walked_in_sorted_order_without_hidden_files() {
        let folder = folder(&["docs/b.md", "docs/a/z.md", "docs/.git/config", "docs/.hidden", "docs/a/ä.txt"]);
        let sources: Vec<_> = find(&[folder.path().join("docs")]).unwrap().into_iter().map(|file| file.source).collect();
        assert_eq!(sources, ["docs/a/z.md", "docs/a/ä.txt", "docs/b.md"]);
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let folder = folder(&["a/x.md", "b/x.md"]);
        let error = find(&[folder.path().join("a/x.md"), folder.path().join("b/x.md")]).unwrap_err();
        assert!(error.to_string().contains("x.md"), "{error}");
        assert_eq!(find(&[folder.path().join("a"), folder.path().join("b")]).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(find(&["/no/such/file".into()]).unwrap_err().to_string().contains("/no/such/file"));
    }
}
