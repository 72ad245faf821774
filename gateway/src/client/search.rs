//! `search QUERY`: the passages found, best first.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{
    SearchArgs,
    api::Api,
    ask::place,
    output::{Output, beginning},
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
    let answer: Value = api.send(api.post("v1/search").json(&body)).await?;
    if arguments.json {
        output.line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let view: SearchView = serde_json::from_value(answer)?;
    for (number, passage) in view.data.iter().enumerate() {
        output.line(&format!("{:>3}. {} (score {:.2})", number + 1, place(&passage.source), passage.score))?;
        output.line(&format!("     {}", beginning(&passage.text, SHOWN)))?;
    }
    let cached = if view.cache_hit { ", cached" } else { "" };
    output.line(&format!("{} passages in {:.0} ms ({}{cached})", view.data.len(), view.took_ms, view.plan))?;
    Ok(ExitCode::SUCCESS)
}
