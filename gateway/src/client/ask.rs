//! `ask QUESTION`: the answer with its numbered sources and times.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    AskArgs,
    api::{Api, Refusal},
    events::{Event, Events},
    output::{FAINT, NAME, NUMBER, Output, PLAIN, Piece, beginning},
};
use crate::http::{
    answers::AnswerView,
    views::{LinesView, SourceView},
};

const PATH: &str = "v1/answers";
const UNREADABLE: &str = "the gateway's answer cannot be read";
/// Characters of a cited passage that are shown.
const SHOWN: usize = 160;

/// What is printed while an answer is written.
#[derive(Deserialize)]
struct Written {
    text: String,
}

/// For people the answer is printed as it is written; programs get it whole.
pub(super) async fn run(api: &Api, arguments: &AskArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut body = Map::from_iter([("question".to_owned(), Value::String(arguments.question.join(" ")))]);
    if let Some(limit) = arguments.limit {
        body.insert("limit".into(), limit.into());
    }
    output.progress().turning("asking");
    if arguments.json {
        let answer: Value = api.send(api.post(PATH).json(&body)).await?;
        output.progress().end();
        output.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    body.insert("stream".into(), true.into());
    let answer = follow(api.stream(api.post(PATH).json(&body)).await?, output).await?;
    for line in lines(&answer) {
        output.pieces(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the answer until its end, and gives it whole.
async fn follow(mut events: Events<'_>, output: &mut Output) -> anyhow::Result<AnswerView> {
    let mut has_begun = false;
    while let Some(Event { name, data }) = events.next().await? {
        output.progress().end();
        match name.as_str() {
            "text" => {
                has_begun = true;
                output.part(&serde_json::from_str::<Written>(&data).context(UNREADABLE)?.text)?;
            }
            "end" => {
                output.part("\n\n")?;
                return serde_json::from_str(&data).context(UNREADABLE);
            }
            "error" => {
                // What was written stands, and ends its line.
                output.part(if has_begun { "\n" } else { "" })?;
                return Err(Refusal::late(serde_json::from_str(&data).context(UNREADABLE)?).into());
            }
            // What was found is printed at the end, as far as it is cited.
            _ => {}
        }
    }
    bail!("the gateway broke off in its answer")
}

fn lines(view: &AnswerView) -> Vec<Vec<Piece>> {
    let mut lines = Vec::new();
    if !view.citations.is_empty() {
        lines.push(vec![(PLAIN, "Sources:".into())]);
    }
    for citation in &view.citations {
        let (number, score) = (format!("  [{}] ", citation.number), format!(" (score {:.2})", citation.score));
        lines.push(vec![(NUMBER, number), (NAME, place(&citation.source)), (PLAIN, score)]);
        lines.push(vec![(PLAIN, format!("      {}", beginning(&citation.text, SHOWN)))]);
    }
    let timing = &view.timing;
    let cached = if view.cache_hit { ", cached" } else { "" };
    let timing = format!(
        "confidence {:.2}, {}; retrieved in {:.0} ms{cached}, answered in {:.0} ms, {:.0} ms in all ({})",
        view.confidence,
        if view.grounded { "grounded" } else { "not grounded" },
        timing.retrieval_ms,
        timing.generation_ms,
        timing.total_ms,
        view.model,
    );
    lines.push(vec![(FAINT, timing)]);
    lines
}

/// Where a passage stands, for people.
pub(super) fn place(source: &SourceView) -> String {
    let page = source.page.map(|page| format!(", page {page}")).unwrap_or_default();
    let headings =
        if source.heading_path.is_empty() { String::new() } else { format!(", {}", source.heading_path.join(" › ")) };
    let sheet = source.sheet.as_ref().map(|sheet| format!(", sheet {sheet}")).unwrap_or_default();
    let lines = source.lines.map(|LinesView { from, to }| format!(", lines {from}-{to}")).unwrap_or_default();
    format!("{}{page}{sheet}{lines}{headings}", source.filename)
}
