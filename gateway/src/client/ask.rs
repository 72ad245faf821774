//! `ask QUESTION`: the answer with its numbered sources and times.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{
    AskArgs,
    api::Api,
    output::{FAINT, NAME, NUMBER, Output, PLAIN, Piece, beginning},
};
use crate::http::{
    answers::AnswerView,
    views::{LinesView, SourceView},
};

/// Characters of a cited passage that are shown.
const SHOWN: usize = 160;

pub(super) async fn run(api: &Api, arguments: &AskArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut body = Map::from_iter([("question".to_owned(), Value::String(arguments.question.join(" ")))]);
    if let Some(limit) = arguments.limit {
        body.insert("limit".into(), limit.into());
    }
    output.progress().turning("asking");
    let answer: Value = api.send(api.post("v1/answers").json(&body)).await?;
    output.progress().end();
    if arguments.json {
        output.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines(&serde_json::from_value(answer)?) {
        output.pieces(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(view: &AnswerView) -> Vec<Vec<Piece>> {
    let mut lines = vec![vec![(PLAIN, view.answer.clone())], Vec::new()];
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
