//! `search QUERY`: the passages found, best first.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{
    SearchArgs,
    api::Api,
    ask::place,
    output::{FAINT, NAME, NUMBER, Output, PLAIN, beginning, counted},
};
use crate::http::search::SearchView;

/// Characters of a passage that are shown.
const SHOWN: usize = 240;

pub(super) async fn run(api: &Api, arguments: &SearchArgs, output: &mut Output) -> anyhow::Result<ExitCode> {
    let mut body = Map::from_iter([("query".to_owned(), Value::String(arguments.query.join(" ")))]);
    if let Some(limit) = arguments.limit {
        body.insert("limit".into(), limit.into());
    }
    if let Some(threshold) = arguments.threshold {
        body.insert("threshold".into(), threshold.into());
    }
    output.progress().turning("searching");
    let answer: Value = api.send(api.post("v1/search").json(&body)).await?;
    output.progress().end();
    if arguments.json {
        output.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let view: SearchView = serde_json::from_value(answer)?;
    for (number, passage) in view.data.iter().enumerate() {
        let score = format!(" (score {:.2})", passage.score);
        let number = format!("{:>3}. ", number + 1);
        output.pieces(&[(NUMBER, number), (NAME, place(&passage.source)), (PLAIN, score)])?;
        output.line(&format!("     {}", beginning(&passage.text, SHOWN)))?;
    }
    let cached = if view.cache_hit { ", cached" } else { "" };
    output.pieces(&[(
        FAINT,
        format!("{} in {:.0} ms ({}{cached})", counted(view.data.len() as u64, "passage"), view.took_ms, view.plan),
    )])?;
    Ok(ExitCode::SUCCESS)
}
