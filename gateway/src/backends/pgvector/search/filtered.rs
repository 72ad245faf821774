//! The search under a filter, in one of three ways. Few that pass are compared one by one, which is exact. More are looked up while the
//! index is walked, in a set that was made before. Of so many that making the set would cost more, each that the index gives is asked.

use std::ops::RangeInclusive;

use sqlx::{Row, postgres::PgRow};

use super::{PLANNER_DECIDES, Search, add, windows};
use crate::{
    backends::pgvector::{
        failed,
        filter::{Builder, is_found, push_set},
    },
    traits::{
        filter::Filter,
        search::{SearchPlan, StoreError},
    },
};

/// Chunks that a filter may leave to be compared one by one: as many as cost what walking the index would. Comparing costs by the
/// chunks that pass; walking costs the more, the smaller their share of the rows, so both meet at a root of the rows.
const WINDOWS_WALKED: f64 = 40.0;
const FEW: RangeInclusive<u32> = 3_000..=10_000;
/// Times as many may be put into a set. Of 100,000 rows these are 12 %: from there on, those that the index gives pass often enough that
/// asking each of them costs less.
const TIMES_IN_A_SET: u32 = 4;

/// What passes is looked up: where few are wanted of many, the planner would read all chunks until it has found them.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_sort = on";
/// As [`BY_INDEX`], and what is nearest comes from the vector index. More of that is looked at than without a filter: what passes may lie
/// far from the question, where the parts of the index that are nearest hold little of it.
const BY_BOTH_INDEXES: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_sort = off; \
     SELECT set_config('ivfflat.probes', least(3 * current_setting('ivfflat.probes')::int, 32768)::text, true), \
       set_config('hnsw.ef_search', least(2 * current_setting('hnsw.ef_search')::int, 1000)::text, true)";
/// Else the planner would collect all rows of the workspace.
const BY_VECTOR_INDEX: &str = "SET LOCAL enable_bitmapscan = off";

impl Search<'_> {
    pub(super) async fn filtered(&mut self, filter: &Filter) -> Result<(Vec<PgRow>, SearchPlan), StoreError> {
        let (few, is_exact) = (self.few(), self.opened.plan == SearchPlan::Exact);
        // What each chunk must be asked for is not counted further than it must be.
        let most = if is_exact || !is_found(filter) { few } else { few.saturating_mul(TIMES_IN_A_SET) };
        self.set(if is_exact { BY_INDEX } else { BY_BOTH_INDEXES }).await?;
        let (passing, rows) = self.of_set(filter, few, most).await?;
        if passing <= i64::from(few) {
            return Ok((rows, SearchPlan::Exact));
        }
        if passing > i64::from(most) && !is_exact {
            self.set(BY_VECTOR_INDEX).await?;
            return self.indexed_or_exact(Some(filter)).await;
        }
        if rows.len() >= self.query.limit as usize {
            return Ok((rows, self.opened.plan));
        }
        self.set(PLANNER_DECIDES).await?;
        self.exact(Some(filter)).await
    }

    fn few(&self) -> u32 {
        self.few_allowed.unwrap_or_else(|| match self.opened.plan {
            SearchPlan::Exact => *FEW.end(),
            SearchPlan::IvfFlat | SearchPlan::Hnsw | SearchPlan::Lexical => few_of(self.opened.rows),
        })
    }

    /// How many chunks pass, counted up to one more than `most`, and the best of them; none where they are more. Up to `few` are
    /// compared one by one.
    async fn of_set(&mut self, filter: &Filter, few: u32, most: u32) -> Result<(i64, Vec<PgRow>), StoreError> {
        let error = |error| failed("searching what passes", error);
        let [before, after] = &self.sql.set_around;
        let mut arguments = self.arguments()?;
        for count in [few, most, windows(self.query.limit)] {
            add(&mut arguments, i64::from(count))?;
        }
        let mut sql = Builder::with_arguments(before.as_str(), arguments);
        push_set(&mut sql, filter);
        let mut rows = sql.push(after).build().persistent(false).fetch_all(&mut *self.tx).await.map_err(error)?;
        let Some(first) = rows.first() else { return Ok((0, rows)) };
        let passing = first.try_get("passing").map_err(error)?;
        if first.try_get::<Option<i64>, _>("chunk_id").map_err(error)?.is_none() {
            rows.clear();
        }
        Ok((passing, rows))
    }
}

fn few_of(rows: u64) -> u32 {
    let root = (WINDOWS_WALKED * rows as f64).sqrt();
    (root as u32).clamp(*FEW.start(), *FEW.end())
}
