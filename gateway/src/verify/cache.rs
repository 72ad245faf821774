//! The cache: its keys tell apart what differs and nothing else, and Valkey keeps, finds and forgets.

use std::time::Instant;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    Details, VerifyParts,
    failure::{Failure, require},
    report::{details, elapsed_ms, ms},
};
use crate::{
    answer::SearchRequest,
    backends::cache::{TimesToLive, ValkeyCache},
    traits::{
        cache::{Cache, CacheKey, Namespace},
        search::{Principal, WorkspaceId},
    },
};

/// About what a search result weighs.
const VALUE_BYTES: usize = 1024;

/// The same search has the same key; whatever changes the result changes the key.
pub(super) async fn key_generation(parts: &VerifyParts) -> Result<Details, Failure> {
    let principal = parts.principal().await?;
    let retriever = &parts.answerer.retriever;
    let ask = |query: &str| SearchRequest { query: query.to_owned(), ..SearchRequest::default() };
    let filtered = || {
        let filter: crate::traits::ingest::Metadata = [("department".to_owned(), "legal".into())].into_iter().collect();
        SearchRequest { filter: Some(filter.into()), ..ask("one two three four") }
    };
    let neighbour = Principal { workspace: WorkspaceId(principal.workspace.0 + 1), ..principal.clone() };
    let mut elsewhere = retriever.clone();
    elsewhere.realm.push_str("-elsewhere");
    let key = || retriever.search_key(&principal, &ask("one two three four"), 10, 1);
    require(key() == key(), || "the same search has two keys".to_owned())?;
    let others = [
        ("the end of the question", retriever.search_key(&principal, &ask("one two three five"), 10, 1)),
        ("the limit", retriever.search_key(&principal, &ask("one two three four"), 11, 1)),
        ("the filter", retriever.search_key(&principal, &filtered(), 10, 1)),
        ("the workspace", retriever.search_key(&neighbour, &ask("one two three four"), 10, 1)),
        ("the version of the data", retriever.search_key(&principal, &ask("one two three four"), 10, 2)),
        ("the installation", elsewhere.search_key(&principal, &ask("one two three four"), 10, 1)),
    ];
    for (what, other) in &others {
        require(*other != key(), || format!("{what} does not change the key: results would be mixed up"))?;
    }
    let full_key = format!("{}{}", Namespace::VectorSearch.prefix(), key().0);
    require(full_key.starts_with("vector:search:"), || format!("the key {full_key} is not in the namespace vector:search:"))?;
    Ok(details([
        ("consistent", true.into()),
        ("isolated_by", others.map(|(what, _)| what).to_vec().into()),
        ("key", full_key.into()),
    ]))
}

/// A value is absent, then kept with its time to live and found, then out of reach once the data have changed, then removed.
pub(super) async fn simulation(parts: &VerifyParts) -> Result<Details, Failure> {
    match &parts.valkey {
        Some(valkey) => with_valkey(parts, parts.cache.as_ref(), valkey).await,
        None => without_valkey(parts.cache.as_ref()).await,
    }
}

async fn with_valkey(parts: &VerifyParts, cache: &dyn Cache, valkey: &ValkeyCache) -> Result<Details, Failure> {
    let place = parts.config.cache.place();
    require(cache.is_reachable().await, || format!("Valkey at {place} does not answer; questions are answered without a cache"))?;
    let principal = parts.principal().await?;
    let request = SearchRequest { query: Uuid::new_v4().to_string(), ..SearchRequest::default() };
    let key = |version| parts.answerer.retriever.search_key(&principal, &request, 10, version);
    let (namespace, before, after) = (Namespace::VectorSearch, key(1), key(2));
    let value = Bytes::from(vec![b'v'; VALUE_BYTES]);

    let begin = Instant::now();
    require(cache.load(namespace, &before).await.is_none(), || "a key that was never stored is found".to_owned())?;
    let miss_ms = elapsed_ms(begin);
    cache.store(namespace, &before, value.clone()).await;
    // Valkey itself is asked: the tier inside the process would find the value without it.
    let begin = Instant::now();
    let found = in_valkey(valkey, namespace, &before).await;
    let hit_ms = elapsed_ms(begin);
    require(found.as_ref() == Some(&value), || format!("what was stored is not found in Valkey at {place}"))?;
    let kept_for = valkey.time_to_live(namespace, &before).await.unwrap_or_default();
    let configured = TimesToLive::new(&parts.config.cache).of(namespace);
    require(kept_for <= configured && kept_for.as_secs() + 5 >= configured.as_secs(), || {
        format!("the value is kept for {} s, {} s are configured", kept_for.as_secs(), configured.as_secs())
    })?;
    require(cache.load(namespace, &after).await.is_none(), || "a result outlives a change of the data".to_owned())?;
    valkey.remove_many(namespace, std::slice::from_ref(&before)).await;
    require(in_valkey(valkey, namespace, &before).await.is_none(), || "a removed value is still found".to_owned())?;
    Ok(details([
        ("cache_miss_ms", ms(miss_ms)),
        ("cache_hit_ms", ms(hit_ms)),
        ("ttl_seconds", configured.as_secs().into()),
        ("invalidated", true.into()),
    ]))
}

/// Switched off means that nothing is kept.
async fn without_valkey(cache: &dyn Cache) -> Result<Details, Failure> {
    let key = CacheKey(Uuid::new_v4().simple().to_string());
    cache.store(Namespace::VectorSearch, &key, Bytes::from_static(b"v")).await;
    let found = cache.load(Namespace::VectorSearch, &key).await;
    require(found.is_none(), || "the cache is switched off, but a value was kept".to_owned())?;
    Ok(details([("cache", "disabled".into())]))
}

async fn in_valkey(valkey: &ValkeyCache, namespace: Namespace, key: &CacheKey) -> Option<Bytes> {
    valkey.load_many(namespace, std::slice::from_ref(key)).await.pop().flatten()
}
