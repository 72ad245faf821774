//! Reads a list page by page.

use serde::Deserialize;
use serde_json::Value;

use super::api::Api;

/// Pages read at most: more entries than that are none that a person reads.
const MOST_PAGES: usize = 1_000;

#[derive(Deserialize)]
struct List {
    data: Vec<Value>,
    last_id: Option<String>,
    has_more: bool,
}

/// Every entry of the list.
pub(super) async fn all(api: &Api, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut entries = Vec::new();
    let mut page = format!("{path}?limit=100");
    for _ in 0..MOST_PAGES {
        let List { data, last_id, has_more } = api.send(api.get(&page)).await?;
        entries.extend(data);
        let Some(last) = last_id.filter(|_| has_more) else { break };
        page = format!("{path}?limit=100&after={last}");
    }
    Ok(entries)
}
