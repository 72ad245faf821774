//! A replay of questions as people ask them: few often, many once (Zipf's law). What the cache answers, and what PostgreSQL is
//! spared.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use ragline_gateway::backends::pgvector::pool;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{
    described,
    figure::Figure,
    load::{self, Target},
    surroundings::Surroundings,
    texts,
    vector::RESULTS,
};

const GROUP: &str = "A replay of Zipf-distributed questions, 8 clients";
const CLIENTS: usize = 8;
/// Different questions, of which the n-th is asked with probability proportional to 1/n.
const QUESTIONS: usize = 2_000;
/// A server's connections tell what they did within this time after they fell idle.
const STATISTICS_LAG: Duration = Duration::from_secs(11);
/// The share of the replay that the gateway without a cache is asked, whose cost per question is the same for all.
const SAMPLE: usize = 10;

/// How a replay went.
struct Replay {
    per_second: f64,
    hits: usize,
    transactions: f64,
}

pub(crate) async fn measure(around: &Surroundings) -> anyhow::Result<()> {
    let drawn = draw(around.replayed);
    let different = drawn.iter().collect::<HashSet<_>>().len();
    let question = |number: &usize| texts::question(2_000_000 + *number as u64);
    let questions: Vec<String> = drawn.iter().map(question).collect();
    let owner = pool::owner(&around.database(), &around.database_urls[1])?;
    let cached = replay(around, &owner, &around.cached_url, &questions).await?;
    let sample = &questions[..questions.len().div_ceil(SAMPLE)];
    let uncached = replay(around, &owner, &around.uncached_url, sample).await?;

    let asked = questions.len() as f64;
    let spared = 1.0 - (cached.transactions / asked) / (uncached.transactions / sample.len() as f64).max(f64::MIN_POSITIVE);
    let keep = |figure: Figure| figure.keep(&around.folder);
    keep(Figure::new(GROUP, "questions asked", asked, "questions"))?;
    keep(Figure::new(GROUP, format!("different ones among them, of {QUESTIONS}"), different as f64, "questions"))?;
    let rate = 100.0 * cached.hits as f64 / asked;
    keep(Figure::new(GROUP, "hit rate", rate, "%").described(described::HIT_RATE))?;
    keep(Figure::new(GROUP, "PostgreSQL transactions saved", 100.0 * spared, "%").described(described::SAVED))?;
    keep(Figure::new(GROUP, "with the cache", cached.per_second, "requests/s").beside("no cache", uncached.per_second))?;
    keep(Figure::new(GROUP, "without a cache", uncached.per_second, "requests/s"))?;
    if let Some(bytes) = bytes_per_result(around).await? {
        keep(Figure::new(GROUP, "memory per cached result", bytes, "bytes").described(described::CACHED_RESULT_BYTES))?;
    }
    Ok(())
}

/// Numbers of questions in the order they are asked; the same in every run.
fn draw(count: usize) -> Vec<usize> {
    let mut below = 0.0;
    let heights: Vec<f64> = (1..=QUESTIONS)
        .map(|rank| {
            below += 1.0 / rank as f64;
            below
        })
        .collect();
    let mut chance = texts::Chance::new(42);
    let mut one = || {
        let at = chance.share() * below;
        heights.partition_point(|height| *height < at).min(QUESTIONS - 1)
    };
    (0..count).map(|_| one()).collect()
}

async fn replay(around: &Surroundings, owner: &PgPool, url: &str, questions: &[String]) -> anyhow::Result<Replay> {
    let before = transactions(owner).await?;
    let target = Target::search(url, &around.api_key, questions);
    let (next, client, begin) = (Arc::new(AtomicUsize::new(0)), load::client()?, Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let (target, client, next) = (target.clone(), client.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut hits = 0;
            while let Some(body) = target.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer: serde_json::Value = serde_json::from_slice(&target.ask(&client, body).await?)?;
                hits += usize::from(answer["cache_hit"].as_bool().context("an answer does not say where it came from")?);
            }
            anyhow::Ok(hits)
        });
    }
    let mut hits = 0;
    while let Some(ended) = tasks.join_next().await {
        hits += ended??;
    }
    let per_second = questions.len() as f64 / begin.elapsed().as_secs_f64();
    Ok(Replay { per_second, hits, transactions: transactions(owner).await? - before })
}

/// Transactions of the database so far. A search is one.
async fn transactions(owner: &PgPool) -> anyhow::Result<f64> {
    tokio::time::sleep(STATISTICS_LAG).await;
    let sql = "SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = current_database()";
    Ok(sqlx::query_scalar(sql).fetch_one(owner).await?)
}

/// What Valkey holds for one result of a cached search, the passages that they share included; `None` when it has evicted them all.
async fn bytes_per_result(around: &Surroundings) -> anyhow::Result<Option<f64>> {
    let mut connection = redis::Client::open(around.valkey_url.as_str())?.get_multiplexed_async_connection().await?;
    let (mut searches, mut bytes, mut cursor) = (0_u32, 0.0, "0".to_owned());
    loop {
        let (next, keys): (String, Vec<String>) = redis::cmd("SCAN")
            .arg(&cursor)
            .arg("MATCH")
            .arg("vector:search:*")
            .arg("COUNT")
            .arg(10_000)
            .query_async(&mut connection)
            .await?;
        for key in &keys {
            bytes += redis::cmd("MEMORY").arg("USAGE").arg(key).query_async::<f64>(&mut connection).await?;
            searches += u32::from(!key.contains(":passage:"));
        }
        if next == "0" {
            return Ok((searches > 0).then(|| bytes / f64::from(searches) / f64::from(RESULTS)));
        }
        cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_questions_are_asked_most() {
        let drawn = draw(20_000);
        let times = |number| drawn.iter().filter(|drawn| **drawn == number).count() as f64;
        // The harmonic number of 2,000 is 8.18.
        assert!((times(0) / 20_000.0 - 1.0 / 8.18).abs() < 0.01, "{}", times(0));
        assert!((times(0) / times(1) - 2.0).abs() < 0.3 && drawn.iter().all(|number| *number < QUESTIONS));
    }
}
