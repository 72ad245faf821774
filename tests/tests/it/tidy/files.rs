//! Every file is small, says what it is, lies where the layout wants it, and names no machine.

use super::sources::{nothing_wrong, paths, texts};

const MOST_LINES: usize = 500;

/// Written by programs, or by somebody else.
fn generated(path: &str) -> bool {
    ["Cargo.lock", "LICENSE"].contains(&path)
        || path.ends_with("go.sum")
        || path.ends_with(".json")
        || path.ends_with("ragline.dev_ragpipelines.yaml")
        || path.contains("/golden/")
        || path.contains("/snapshots/")
        || path.contains("/data/")
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let long = |text: &str| text.lines().count() > MOST_LINES;
    let found = texts(|path| !generated(path)).into_iter().filter(|(_, text)| long(text));
    nothing_wrong(&found.map(|(path, text)| format!("{path} has {} lines", text.lines().count())).collect::<Vec<_>>());
}

#[test]
fn every_rust_file_begins_with_what_it_is() {
    let begins = |text: &str| text.starts_with("//! ") && text.len() > 20;
    let found = texts(|path| path.ends_with(".rs")).into_iter().filter(|(_, text)| !begins(text));
    nothing_wrong(&found.map(|(path, _)| format!("{path} does not begin with //!")).collect::<Vec<_>>());
}

#[test]
fn every_script_begins_with_what_it_is() {
    let script = |path: &str| path.ends_with(".sh") || path == ".ci/run";
    let begins = |text: &str| {
        let mut lines = text.lines().filter(|line| !line.starts_with("#!"));
        lines.next().is_some_and(|line| line.starts_with("# ") && !line.starts_with("# shellcheck"))
    };
    let found = texts(script).into_iter().filter(|(_, text)| !begins(text));
    nothing_wrong(&found.map(|(path, _)| format!("{path} does not begin with a comment")).collect::<Vec<_>>());
}

#[test]
fn the_top_of_the_repository_is_as_laid_out() {
    const FOLDERS: [&str; 7] = [".ci", "charts", "crds", "gateway", "migrations", "operator", "tests"];
    const FILES: [&str; 11] = [
        ".dockerignore",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "Dockerfile",
        "LICENSE",
        "Makefile",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "rustfmt.toml",
    ];
    let strange = paths().into_iter().filter(|path| match path.split_once('/') {
        Some((folder, _)) => !FOLDERS.contains(&folder),
        None => !FILES.contains(&path.as_str()),
    });
    nothing_wrong(&strange.map(|path| format!("{path} is not part of the layout")).collect::<Vec<_>>());
}

/// Whoever builds this reaches packages his own way, and nobody's machine is like the one this was written on.
#[test]
fn no_file_names_a_registry_or_somebodys_folder() {
    let words = [
        ["/work", "/"].concat(),
        ["/var/tmp/", "wt"].concat(),
        ["/var/tmp/", "target"].concat(),
        ["index.crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["proxy.golang", ".org"].concat(),
        ["registry.npmjs", ".org"].concat(),
        ["deb.debian", ".org"].concat(),
    ];
    let mut complaints = Vec::new();
    for (path, text) in texts(|path| !generated(path)) {
        for word in words.iter().filter(|word| names(&text, word)) {
            complaints.push(format!("{path} names {word}"));
        }
    }
    nothing_wrong(&complaints);
}

/// Whether the text has the word, not as the end of a longer path.
fn names(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric() || "}$_-.".contains(before)))
}

/// Addresses of this machine, of private networks that the local cluster makes, and those reserved for documentation.
#[test]
fn no_file_names_an_address_of_the_internet() {
    const ALLOWED: [&str; 9] = ["0.", "10.", "127.", "172.", "192.168.", "169.254.", "192.0.2.", "198.51.100.", "203.0.113."];
    let mut complaints = Vec::new();
    for (path, text) in texts(|path| !generated(path) && !path.ends_with("go.mod")) {
        for word in text.split(|c: char| !(c.is_ascii_digit() || c == '.')) {
            let word = word.trim_matches('.');
            let address = word.parse::<std::net::Ipv4Addr>().is_ok_and(|address| !address.is_broadcast());
            if address && !ALLOWED.iter().any(|allowed| word.starts_with(allowed)) {
                complaints.push(format!("{path} names {word}"));
            }
        }
    }
    nothing_wrong(&complaints);
}
