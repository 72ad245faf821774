//! Where the commands print. Text from documents loses its control characters, so that none reaches the terminal. A reader that
//! went away is no error.

use std::io::{self, Write};

/// A place to print to.
pub(super) struct Output {
    writer: Box<dyn Write + Send>,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self { writer: Box::new(io::stdout()) }
    }

    /// Prints a line.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        match writeln!(self.writer, "{}", harmless(text)).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Prints the gateway's own answer.
pub(super) fn json(output: &mut Output, answer: &serde_json::Value) -> anyhow::Result<()> {
    Ok(output.line(&serde_json::to_string_pretty(answer)?)?)
}

/// The text without control characters but line breaks and tabs.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The beginning of a passage on one line.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\tc\u{9b}d"), "a[31mb\n\tcd");
    }

    #[test]
    fn a_long_passage_is_cut_between_characters() {
        assert_eq!(beginning("ä  ö\nü ß", 4), "ä ö…");
        assert_eq!(beginning("ä  ö", 4), "ä ö");
    }
}
