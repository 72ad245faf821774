//! How `ingest` and `rechunk` tell of their files and of the end: lines for people, or JSON Lines whose fields stay as they are.

use serde::Serialize;

use super::output::{BAD, GOOD, Output, PLAIN, Piece, WAITING, counted};
use crate::http::ids::JobId;

/// Numbers of files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) stored: usize,
    pub(super) failed: usize,
    pub(super) chunks: u64,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// Not for now, with a reason.
    Waiting,
    Completed,
    Failed,
    Cancelled,
    /// The gateway did not take it.
    Refused,
}

/// One file.
#[derive(Debug, Serialize)]
pub(super) struct FileTold<'a> {
    pub(super) source: &'a str,
    pub(super) status: Fate,
    pub(super) chunks: u32,
    pub(super) reason: Option<&'a str>,
}

/// The last word.
#[derive(Debug)]
pub(super) struct End {
    pub(super) job: Option<JobId>,
    /// Whether the command did not wait for the job.
    pub(super) accepted: bool,
    pub(super) tally: Tally,
    pub(super) seconds: f64,
    /// Documents that cannot be cut anew; only for a command that does so.
    pub(super) without_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(tag = "object", rename_all = "snake_case")]
enum Line<'a> {
    File {
        #[serde(flatten)]
        file: &'a FileTold<'a>,
    },
    Summary {
        job: Option<JobId>,
        status: &'static str,
        completed: usize,
        failed: usize,
        chunks: u64,
        seconds: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        without_bytes: Option<u64>,
    },
}

/// Tells of files.
pub(super) struct Teller<'a> {
    output: &'a mut Output,
    quiet: bool,
    json: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(output: &'a mut Output, quiet: bool, json: bool) -> Self {
        Self { output, quiet, json }
    }

    pub(super) fn output(&self) -> &Output {
        self.output
    }

    /// Something for people alone.
    pub(super) fn remark(&mut self, text: &str) -> anyhow::Result<()> {
        if !self.json {
            self.output.line(text)?;
        }
        Ok(())
    }

    /// Tells of a file; `so_far` are the files that have ended and all of them.
    pub(super) fn file(&mut self, file: &FileTold<'_>, so_far: Option<(usize, u32)>) -> anyhow::Result<()> {
        if self.quiet && file.status == Fate::Completed {
            return Ok(());
        }
        if self.json {
            return self.output.json_line(&Line::File { file });
        }
        Ok(self.output.pieces(&pieces(file, so_far))?)
    }

    /// Tells of the end to a program; people get their own words.
    pub(super) fn end(&mut self, end: &End, words: &str) -> anyhow::Result<()> {
        self.output.progress().end();
        let End { job, accepted, tally: Tally { stored, failed, chunks }, seconds, without_bytes } = *end;
        if !self.json {
            let style = if failed > 0 { BAD } else { PLAIN };
            return Ok(self.output.pieces(&[(style, words.to_owned())])?);
        }
        let is_well = failed == 0 && (accepted || without_bytes.unwrap_or_default() == 0);
        let status = match (is_well, accepted) {
            (false, _) => "failed",
            (true, true) => "accepted",
            (true, false) => "completed",
        };
        self.output.json_line(&Line::Summary { job, status, completed: stored, failed, chunks, seconds, without_bytes })
    }
}

fn pieces(file: &FileTold<'_>, so_far: Option<(usize, u32)>) -> Vec<Piece> {
    let FileTold { source, status, chunks, reason } = *file;
    let (style, word) = match status {
        Fate::Waiting => (WAITING, "waiting"),
        Fate::Completed => (GOOD, "stored"),
        Fate::Failed => (BAD, "FAILED"),
        Fate::Cancelled => (BAD, "CANCELLED"),
        Fate::Refused => (BAD, "REFUSED"),
    };
    let rest = match (status, reason) {
        (Fate::Completed, _) => format!("  {source} ({})", counted(u64::from(chunks), "chunk")),
        (Fate::Waiting | Fate::Failed | Fate::Cancelled | Fate::Refused, Some(reason)) => format!("  {source}: {reason}"),
        (Fate::Waiting | Fate::Failed | Fate::Cancelled | Fate::Refused, None) => format!("  {source}"),
    };
    let place = so_far.map(|(ended, total)| format!("[{ended}/{total}] ")).unwrap_or_default();
    vec![(PLAIN, place), (style, word.to_owned()), (PLAIN, rest)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_for_programs_are_these() {
        let file = FileTold { source: "a.pdf", status: Fate::Failed, chunks: 0, reason: Some("the PDF is encrypted") };
        let line = serde_json::to_value(Line::File { file: &file }).unwrap();
        let expected =
            json!({"object": "file", "source": "a.pdf", "status": "failed", "chunks": 0, "reason": "the PDF is encrypted"});
        assert_eq!(line, expected);
        let summary = Line::Summary {
            job: None,
            status: "completed",
            completed: 2,
            failed: 0,
            chunks: 3,
            seconds: 0.5,
            without_bytes: None,
        };
        let expected = json!({"object": "summary", "job": null, "status": "completed", "completed": 2, "failed": 0, "chunks": 3,
            "seconds": 0.5});
        assert_eq!(serde_json::to_value(summary).unwrap(), expected);
    }
}
