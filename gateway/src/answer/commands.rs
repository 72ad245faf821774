//! Telling lines for a shell from prose: they are quoted one by one, as they are typed. Pure.

/// Programs whose names begin lines that people are told to type.
const PROGRAMS: [&str; 36] = [
    "apt",
    "apt-get",
    "brew",
    "bash",
    "buildah",
    "cargo",
    "cat",
    "cd",
    "chmod",
    "cp",
    "curl",
    "docker",
    "dnf",
    "echo",
    "export",
    "git",
    "go",
    "helm",
    "kind",
    "kubectl",
    "make",
    "mkdir",
    "mv",
    "npm",
    "npx",
    "pip",
    "pip3",
    "podman",
    "psql",
    "python",
    "python3",
    "sh",
    "ssh",
    "sudo",
    "systemctl",
    "tar",
];
/// What a shell shows before the line that is typed.
const PROMPT: &str = "$ ";

/// Whether the words of a line stand in columns: some are parted by three spaces or more. Two are what some put behind a full stop.
pub(super) fn is_in_columns(line: &str) -> bool {
    line.trim().contains("   ")
}

/// Whether a paragraph is lines for a shell, and no list of commands in columns. Comments do not tell, and a line that goes on is one with
/// the next.
pub(super) fn are(paragraph: &str) -> bool {
    if paragraph.lines().any(is_in_columns) {
        return false;
    }
    let lines = each(paragraph);
    let mut typed = lines.iter().filter(|line| !line.starts_with('#')).peekable();
    typed.peek().is_some() && typed.all(|line| is_one(line))
}

/// The lines, without prompts; a line that ends with a backslash is one with the next.
pub(super) fn each(paragraph: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in paragraph.lines() {
        let typed = line.trim();
        let typed = typed.strip_prefix(PROMPT).unwrap_or(typed);
        let (said, more) = typed.strip_suffix('\\').map_or((typed, false), |said| (said, true));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        match lines.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(&said);
            }
            None => lines.push(said),
        }
        goes_on = more;
    }
    lines
}

/// A command as program text. Not one with signs that may end a sentence or program text inside of it: whoever reads sentence by sentence
/// would look for the marker behind it in the wrong place.
pub(super) fn quoted(command: &str) -> String {
    let is_plain = command.chars().all(|c| c.is_ascii_alphanumeric() || " _-./=:@%+~$#<>".contains(c));
    if is_plain { format!("`{command}`") } else { command.to_owned() }
}

/// Whether a line is a command: it calls a program that is known here or named by its path, and is no sentence that begins so.
fn is_one(line: &str) -> bool {
    let mut words = line.split(' ').skip_while(|word| is_assignment(word));
    let Some(program) = words.next() else { return true };
    let called = program == "." || is_path(program) || PROGRAMS.contains(&program);
    called && !line.ends_with(['.', ',', ';', ':', '?', '!'])
}

/// Whether a word is the path of a program, as in `./run`, `tests/run.sh` and `target/release/run`.
fn is_path(word: &str) -> bool {
    let begins = ["./", "../", "/", "~/"].iter().any(|beginning| word.starts_with(beginning));
    let names = |rest: &str| rest.contains(['/', '.']);
    begins || word.split_once('/').is_some_and(|(_, rest)| names(rest)) && !word.contains("//")
}

/// Whether a word sets a variable, as in `PORT=80`.
fn is_assignment(word: &str) -> bool {
    let name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    word.split_once('=').is_some_and(|(before, _)| name(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_a_shell_are_told_from_prose() {
        for shell in [
            "make dev",
            "$ kubectl apply -f pipeline.yaml\n$ kubectl get ragpipelines",
            "# once\nPORT=80 ./serve --quiet",
            "curl -H \"Authorization: Bearer $KEY\" \\\n  $URL/v1/search",
            ". target/dev/env\ntarget/release/ragline-gateway ask \"What is it?\"",
        ] {
            assert!(are(shell), "{shell}");
        }
        for prose in [
            "",
            "# A heading",
            "make sure that the port\nis free.",
            "cat and dog live\nin one house",
            "The file is read\nat the start.",
            "go on with the next chapter,\nwhere all of it is told.",
            "/etc/hosts is read first.",
            "and/or both of them",
            "https://example.com/a/b",
        ] {
            assert!(!are(prose), "{prose}");
        }
    }

    #[test]
    fn a_command_is_quoted_as_one_where_that_is_safe() {
        assert_eq!(quoted("kubectl apply -f pipeline.yaml"), "`kubectl apply -f pipeline.yaml`");
        assert_eq!(quoted("./ask \"What is it?\""), "./ask \"What is it?\"");
    }

    #[test]
    fn a_line_that_goes_on_is_one_with_the_next() {
        assert_eq!(each("$ curl -s \\\n    http://a\nmake  dev"), ["curl -s http://a", "make dev"]);
    }
}
