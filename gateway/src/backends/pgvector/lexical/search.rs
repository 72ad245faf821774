//! The search by words: one snapshot, in which postings are fetched, scored, and the best looked up.

use std::{collections::HashMap, sync::Arc};

use sqlx::{Row, postgres::PgRow};

use super::{corrupt, unsigned, write::off_the_reactor};
use crate::{
    backends::{
        lexical::{
            Corrupt,
            blob::Blob,
            score::{Found, Question, Ranked, Scores, Source, score},
            segment::{MEMBER_BYTES, chunk_id_at},
            words::Analyzer,
        },
        pgvector::{
            failed,
            filter::{Allowed, allowed, passing},
            replicas::Reading,
            session::{Tx, commit},
        },
    },
    traits::{
        filter::Filter,
        search::{Hit, Leg, LexicalQuery, SearchPlan, StoreError},
    },
};

/// Up to this many allowed chunks are ranked in memory at once; above, the best ranks are asked first.
const FEW: u32 = 2_000;
/// Times that four times as many ranks are looked up, before all allowed chunks are read.
const WIDENINGS: u32 = 3;

/// The version, the segments, and the postings of the terms ($2) in those above level 0.
const FETCH: &str = "SELECT NULL::bigint AS seg, store_version AS sum_len, 0 AS n, 0 AS bytes, NULL::text AS term, NULL::bytea AS p \
      FROM workspace WHERE id = $1 \
    UNION ALL \
    SELECT seg, sum_len, n, octet_length(ids), NULL, blob FROM lex_seg WHERE workspace_id = $1 \
    UNION ALL \
    SELECT seg, 0, df, 0, term, p FROM lex_post WHERE workspace_id = $1 AND term = ANY($2::text[]) \
      AND seg = ANY(ARRAY(SELECT seg FROM lex_seg WHERE workspace_id = $1 AND level > 0))";

const RARITY: &str = "SELECT term, sum(df)::bigint FROM lex_post WHERE workspace_id = $1 AND term = ANY($2::text[]) \
      AND seg = ANY(ARRAY(SELECT seg FROM lex_seg WHERE workspace_id = $1 AND level > 0)) GROUP BY term";

/// The chunk of each place ($2 segments, $3 ordinals), null for one that is gone. Scalar subqueries: before the first ANALYZE a join
/// would read whole tables. A slice of `ids` reads no more than it needs.
const LOOK_UP: &str = "SELECT (SELECT c.id FROM chunk c WHERE c.id = ( \
        SELECT ('x' || encode(substring(s.ids FROM wanted.ordinal * 10 + 1 FOR 8), 'hex'))::bit(64)::bigint \
        FROM lex_seg s WHERE s.workspace_id = $1 AND s.seg = wanted.seg)) AS id \
    FROM unnest($2::bigint[], $3::int[]) WITH ORDINALITY AS wanted(seg, ordinal, place) ORDER BY wanted.place";

const IDS: &str = "SELECT seg, ids FROM lex_seg WHERE workspace_id = $1 AND seg = ANY($2)";

pub(in crate::backends::pgvector) async fn matching_on(reading: Reading, query: &LexicalQuery) -> Result<Leg, StoreError> {
    let mut tx = reading.server.begin_snapshot_of(query.workspace).await?;
    let mut question = Question::new(&Analyzer::default(), &query.text);
    if question.is_too_long() {
        let chunks = rarity(&mut tx, query, &question).await?;
        question = question.of_the_rarest(&chunks);
    }
    let rows = sqlx::query(FETCH)
        .bind(query.workspace.0)
        .bind(&question.terms)
        .fetch_all(&mut *tx)
        .await
        .map_err(|error| failed("fetching postings", error))?;
    let scored = off_the_reactor(move || Scored::new(&rows, &question)).await?;
    let store_version = scored.store_version;
    reading.check(store_version)?;
    let mut search = Search { tx, query, scored: Arc::new(scored) };
    let hits = search.hits().await?;
    commit(search.tx, "searching by words").await?;
    Ok(Leg { hits, store_version, plan: SearchPlan::Lexical })
}

async fn rarity(tx: &mut Tx, query: &LexicalQuery, question: &Question) -> Result<HashMap<String, i64>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(RARITY)
        .bind(query.workspace.0)
        .bind(&question.terms)
        .fetch_all(&mut **tx)
        .await
        .map_err(|error| failed("counting postings", error))?;
    Ok(rows.into_iter().collect())
}

/// What the postings say, without the postings.
struct Scored {
    store_version: i64,
    segments: Vec<i64>,
    scores: Scores,
}

impl Scored {
    fn new(rows: &[PgRow], question: &Question) -> Result<Self, StoreError> {
        let fetched = Fetched::new(rows, question).map_err(|error| failed("fetching postings", error))?;
        let store_version = fetched.store_version.ok_or(StoreError::NotFound { what: "workspace" })?;
        let sources = fetched.sources.map_err(corrupt)?;
        let scores = score(&question.frequencies, &sources).map_err(corrupt)?;
        Ok(Self { store_version, segments: fetched.segments, scores })
    }
}

/// The rows, sorted into segments.
struct Fetched<'a> {
    store_version: Option<i64>,
    segments: Vec<i64>,
    sources: Result<Vec<Source<'a>>, Corrupt>,
}

impl<'a> Fetched<'a> {
    fn new(rows: &'a [PgRow], question: &Question) -> Result<Self, sqlx::Error> {
        let places: HashMap<&str, usize> = (0..).zip(&question.terms).map(|(place, term)| (term.as_str(), place)).collect();
        let mut store_version = None;
        let mut segments: HashMap<i64, Source<'a>> = HashMap::new();
        let mut damage = None;
        for row in rows {
            let segment: Option<i64> = row.try_get("seg")?;
            let (number, n): (i64, i32) = (row.try_get("sum_len")?, row.try_get("n")?);
            let Some(segment) = segment else {
                store_version = Some(number);
                continue;
            };
            let bytes: Option<&[u8]> = row.try_get("p")?;
            let source = segments.entry(segment).or_default();
            let term: Option<&str> = row.try_get("term")?;
            if let Some(term) = term {
                let Some(term) = places.get(term).copied() else { continue };
                source.lists.push(Found { term, chunks: unsigned(n), bytes: bytes.unwrap_or_default() });
                continue;
            }
            (source.n, source.total_terms) = (unsigned(n), number.unsigned_abs());
            let members: i32 = row.try_get("bytes")?;
            if members.unsigned_abs() as usize != unsigned(n) as usize * MEMBER_BYTES {
                damage = Some(Corrupt::Members { bytes: members.unsigned_abs() as usize, n: unsigned(n) });
            } else if let Some(bytes) = bytes {
                damage = look_in(bytes, question, &mut source.lists).err().or(damage);
            }
        }
        let mut segments: Vec<_> = segments.into_iter().collect();
        segments.sort_unstable_by_key(|(segment, _)| *segment);
        let (segments, sources) = segments.into_iter().unzip();
        Ok(Self { store_version, segments, sources: damage.map_or(Ok(sources), Err) })
    }
}

/// The lists that a small segment has of the question's terms.
fn look_in<'a>(bytes: &'a [u8], question: &Question, lists: &mut Vec<Found<'a>>) -> Result<(), Corrupt> {
    let blob = Blob::new(bytes)?;
    for (term, name) in question.terms.iter().enumerate() {
        if let Some(entry) = blob.find(name)? {
            lists.push(Found { term, chunks: entry.chunks, bytes: entry.bytes });
        }
    }
    Ok(())
}

struct Search<'a> {
    tx: Tx,
    query: &'a LexicalQuery,
    scored: Arc<Scored>,
}

impl Search<'_> {
    async fn hits(&mut self) -> Result<Vec<Hit>, StoreError> {
        let mut hits = match &self.query.filter {
            None => self.probe(None).await?.unwrap_or_default(),
            Some(filter) => match allowed(&mut self.tx, filter, FEW).await? {
                Allowed::Few(ids) => self.among(ids).await?,
                Allowed::Many => match self.probe(Some(filter)).await? {
                    Some(hits) => hits,
                    None => match allowed(&mut self.tx, filter, u32::MAX).await? {
                        Allowed::Few(ids) => self.among(ids).await?,
                        Allowed::Many => Vec::new(),
                    },
                },
            },
        };
        // Of equals, the one that was stored first, whatever segment it has come to lie in.
        hits.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.chunk_id.cmp(&b.chunk_id)));
        Ok(hits)
    }

    /// Looks up the best ranks, and four times as many where too few of them live and pass. `None`: a filter leaves so few of the
    /// best that reading what it allows is cheaper.
    async fn probe(&mut self, filter: Option<&Filter>) -> Result<Option<Vec<Hit>>, StoreError> {
        let limit = self.query.limit as usize;
        let mut asked = if filter.is_some() { limit.saturating_mul(4) } else { limit.saturating_add(limit / 10 + 1) };
        let (mut hits, mut seen) = (Vec::new(), 0);
        for round in 0.. {
            let scored = Arc::clone(&self.scored);
            let ranked = off_the_reactor(move || Ok(scored.scores.best(asked, |_, _| true))).await?;
            hits.extend(self.look_up(ranked.get(seen..).unwrap_or_default(), filter).await?);
            if hits.len() >= limit || ranked.len() < asked {
                break;
            }
            if filter.is_some() && round == WIDENINGS {
                return Ok(None);
            }
            seen = ranked.len();
            asked = asked.saturating_mul(4);
        }
        hits.truncate(limit);
        Ok(Some(hits))
    }

    /// The chunks of ranks, without those that are gone or that the filter does not let pass.
    async fn look_up(&mut self, ranked: &[Ranked], filter: Option<&Filter>) -> Result<Vec<Hit>, StoreError> {
        let segment = |rank: &Ranked| self.scored.segments.get(rank.source).copied();
        let ids: Vec<Option<i64>> = sqlx::query_scalar(LOOK_UP)
            .bind(self.query.workspace.0)
            .bind(ranked.iter().filter_map(segment).collect::<Vec<_>>())
            .bind(ranked.iter().map(|rank| i32::try_from(rank.ordinal).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .fetch_all(&mut *self.tx)
            .await
            .map_err(|error| failed("looking up chunks", error))?;
        let mut hits: Vec<_> =
            ids.iter().zip(ranked).filter_map(|(id, rank)| id.map(|chunk_id| Hit { chunk_id, value: rank.value })).collect();
        if let Some(filter) = filter {
            let ids: Vec<_> = hits.iter().map(|hit| hit.chunk_id).collect();
            let passing = passing(&mut self.tx, filter, &ids).await?;
            hits.retain(|hit| passing.binary_search(&hit.chunk_id).is_ok());
        }
        Ok(hits)
    }

    /// The best of the chunks of these ids, which are in order.
    async fn among(&mut self, allowed: Vec<i64>) -> Result<Vec<Hit>, StoreError> {
        if allowed.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(IDS)
            .bind(self.query.workspace.0)
            .bind(&self.scored.segments)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(|error| failed("reading chunk ids", error))?;
        let (scored, limit) = (Arc::clone(&self.scored), self.query.limit as usize);
        off_the_reactor(move || {
            let mut by_segment: HashMap<i64, Vec<u8>> = rows.into_iter().collect();
            let members: Vec<_> = scored.segments.iter().map(|segment| by_segment.remove(segment).unwrap_or_default()).collect();
            let chunk = |source: usize, ordinal| members.get(source).and_then(|bytes| chunk_id_at(bytes, ordinal));
            let passes = |source, ordinal| chunk(source, ordinal).is_some_and(|id| allowed.binary_search(&id).is_ok());
            let hit = |rank: Ranked| chunk(rank.source, rank.ordinal).map(|chunk_id| Hit { chunk_id, value: rank.value });
            Ok(scored.scores.best(limit, passes).into_iter().filter_map(hit).collect())
        })
        .await
    }
}
