//! Where the commands print. Text from documents loses its control characters, so that none reaches the terminal. Colours are for a
//! terminal alone, and not where NO_COLOR is set. A reader that went away is no error.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::progress::Progress;

pub(super) const PLAIN: Style = Style::new();
pub(super) const NAME: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const NUMBER: Style = AnsiColor::Cyan.on_default();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const WAITING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// A piece of a line.
pub(super) type Piece = (Style, String);

/// A place to print to.
pub(super) struct Output {
    writer: Box<dyn Write + Send>,
    progress: Progress,
}

impl Output {
    /// Standard output, and a bar beside it that makes room for what is printed.
    pub(super) fn stdout(progress: Progress) -> Self {
        Self { writer: Box::new(anstream::stdout()), progress }
    }

    /// Prints a line.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.pieces(&[(PLAIN, text.to_owned())])
    }

    /// Prints a line of pieces in their colours.
    pub(super) fn pieces(&mut self, pieces: &[Piece]) -> io::Result<()> {
        let mut line = String::new();
        for (style, text) in pieces {
            line.push_str(&format!("{style}{}{style:#}", harmless(text)));
        }
        line.push('\n');
        self.write(&line)
    }

    /// Prints a piece of a line that goes on.
    pub(super) fn part(&mut self, text: &str) -> io::Result<()> {
        self.write(&harmless(text))
    }

    /// Prints a value as indented JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(self.write(&format!("{}\n", escaped(&text)))?)
    }

    /// Prints a value as one line of JSON Lines.
    pub(super) fn json_line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string(value)?;
        Ok(self.write(&format!("{}\n", escaped(&text)))?)
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let Self { writer, progress } = self;
        match progress.aside(|| writer.write_all(text.as_bytes()).and_then(|()| writer.flush())) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.progress.end();
    }
}

/// The text without control characters but line breaks and tabs.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// JSON without the control characters that may stand in its strings as they are.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && c != '\n' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A number of things, by the name of one of them.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
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
    fn json_keeps_every_character_and_steers_no_terminal() {
        let text = "a\u{1b}[31m\u{7f}\u{9b}d\n";
        let printed = escaped(&serde_json::to_string(text).unwrap());
        assert!(printed.chars().all(|c| !c.is_control()), "{printed:?}");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn a_long_passage_is_cut_between_characters() {
        assert_eq!(beginning("ä  ö\nü ß", 4), "ä ö…");
        assert_eq!(beginning("ä  ö", 4), "ä ö");
    }
}
