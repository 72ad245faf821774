//! Questions for the tests of the search by words, BM25 by the book to compare with, and a look at the segments.

use std::collections::BTreeMap;

use ragline_gateway::{
    backends::pgvector::Store,
    traits::search::{Hit, Leg, LexicalQuery, Searcher, WorkspaceId},
};
use rand::{Rng, rngs::StdRng};
use sqlx::PgPool;

/// Words that stemming leaves as they are.
pub(crate) const WORDS: [&str; 8] = ["red", "green", "black", "white", "pink", "gold", "brown", "grey"];

pub(crate) fn question(workspace: WorkspaceId, text: &str, limit: u32) -> LexicalQuery {
    LexicalQuery { workspace, text: text.to_owned(), limit, filter: None }
}

pub(crate) async fn matching(store: &Store, workspace: WorkspaceId, text: &str, limit: u32) -> Leg {
    store.matching(&question(workspace, text, limit)).await.unwrap()
}

/// The texts of the hits, best first.
pub(crate) async fn found(store: &Store, workspace: WorkspaceId, text: &str) -> Vec<String> {
    let hits = matching(store, workspace, text, 1_000).await.hits;
    let ids: Vec<_> = hits.iter().map(|hit| hit.chunk_id).collect();
    let passages = store.passages(workspace, None, &ids).await.unwrap();
    passages.matches.into_iter().map(|found| found.text).collect()
}

/// A text of some words, of which the first are the most frequent.
pub(crate) fn text(random: &mut StdRng) -> String {
    let words = (0..random.random_range(1..25))
        .map(|_| WORDS[random.random_range(0..WORDS.len()).min(random.random_range(0..WORDS.len()))]);
    words.collect::<Vec<_>>().join(" ")
}

/// What the workspace holds, by chunk.
pub(crate) async fn chunks(owner: &PgPool, workspace: WorkspaceId) -> BTreeMap<i64, String> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, text FROM chunk WHERE workspace_id = $1").bind(workspace.0).fetch_all(owner).await.unwrap();
    rows.into_iter().collect()
}

/// BM25 of every chunk that has a word of the question.
pub(crate) fn by_the_book(chunks: &BTreeMap<i64, String>, question: &str) -> BTreeMap<i64, f32> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let all: Vec<_> = chunks.values().map(|text| words(text)).collect();
    let mean = all.iter().map(Vec::len).sum::<usize>() as f32 / all.len() as f32;
    let score = |text: &[String]| -> f32 {
        let term = |term: &str| {
            let with = all.iter().filter(|text| text.iter().any(|word| word == term)).count() as f32;
            let idf = (1.0 + (all.len() as f32 - with + 0.5) / (with + 0.5)).ln();
            let frequency = text.iter().filter(|word| *word == term).count() as f32;
            idf * frequency * 2.5 / (frequency + 1.5 * (0.25 + 0.75 * text.len() as f32 / mean))
        };
        question.split_whitespace().map(term).sum()
    };
    chunks.keys().zip(&all).map(|(id, text)| (*id, score(text))).filter(|(_, value)| *value > 0.0).collect()
}

/// Checks scores, within what the byte of the length loses, and that no worse chunk was taken.
pub(crate) fn check(hits: &[Hit], expected: &BTreeMap<i64, f32>, limit: usize) {
    assert_eq!(hits.len(), expected.len().min(limit));
    assert!(hits.is_sorted_by(|a, b| a.value >= b.value));
    for hit in hits {
        let expected = expected[&hit.chunk_id];
        assert!((hit.value - expected).abs() <= 0.023 * expected + 1e-4, "{} is not {expected}", hit.value);
    }
    let mut best: Vec<_> = expected.values().copied().collect();
    best.sort_by(|a, b| b.total_cmp(a));
    if let (Some(last), Some(border)) = (hits.last(), best.get(hits.len().saturating_sub(1))) {
        assert!(last.value >= border * 0.95, "{} was taken where {border} is there", last.value);
    }
}

/// Number and chunks of the segments of each level.
pub(crate) async fn levels(owner: &PgPool) -> Vec<(i16, i64, i64)> {
    sqlx::query_as("SELECT level, count(*), sum(n)::bigint FROM lex_seg GROUP BY level ORDER BY level")
        .fetch_all(owner)
        .await
        .unwrap()
}

/// Chunks that are in no segment or in several, and postings whose segment is gone.
pub(crate) async fn astray(owner: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "WITH member AS ( \
           SELECT ('x' || encode(substring(ids FROM place * 10 + 1 FOR 8), 'hex'))::bit(64)::bigint AS id \
           FROM lex_seg, generate_series(0, n - 1) AS place) \
         SELECT (SELECT count(*) FROM chunk WHERE (SELECT count(*) FROM member WHERE member.id = chunk.id) <> 1), \
           (SELECT count(*) FROM lex_post WHERE seg NOT IN (SELECT seg FROM lex_seg))",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}
