//! The vectors: similarities are cosines, many are inserted and found, and the index is the one that the policy wants. Whatever is
//! inserted here is rolled back.

use std::time::Instant;

use ragline_config::index::{Action, IndexKind, Measured, plan};
use rand::Rng;

use super::{
    Details, VerifyParts,
    failure::{Failure, require},
    report::{details, elapsed_ms, ms, similarity},
};
use crate::traits::{
    inspect::{Rehearsal, Serving},
    search::{Nearest, NearestQuery, SearchPlan, WorkspaceId},
};

/// Results of the search over what is stored.
const RESULTS: u32 = 5;
/// Vectors of the bulk test, as many as in the system description.
const BULK: usize = 10;
/// Stored numbers have 11 bits: similarities may be off by this.
const TOLERANCE: f32 = 0.004;
/// Searches whose fastest is reported.
const REPEATS: u32 = 5;

/// Similarities are cosines: known ones come back as they are, and a stored vector finds itself in what is stored.
pub(super) async fn similarity_search(parts: &VerifyParts) -> Result<Details, Failure> {
    let workspace = parts.principal().await?.workspace;
    let query = random_unit(parts);
    known_cosines(parts, workspace, &query).await?;
    let stored = parts.inspector.some_vector(workspace).await?;
    let is_stored = stored.is_some();
    let search = NearestQuery { workspace, vector: stored.unwrap_or(query), limit: RESULTS, filter: None };
    let begin = Instant::now();
    let found = parts.searcher.nearest(&search).await?;
    let query_time_ms = elapsed_ms(begin);
    let top = found.matches.first().and_then(|m| m.similarity);
    require(descends(found.matches.iter().filter_map(|m| m.similarity)), || {
        "the results are not in the order of their similarity".into()
    })?;
    if is_stored {
        require(top.is_some_and(|top| (1.0 - top).abs() < TOLERANCE), || {
            format!("a stored vector does not find itself: best is {top:?}")
        })?;
    }
    Ok(details([
        ("query_time_ms", ms(query_time_ms)),
        ("result_count", found.matches.len().into()),
        ("top_similarity", similarity(f64::from(top.unwrap_or_default()))),
        ("plan", found.plan.label().into()),
    ]))
}

/// Vectors at cosines 1, 0.8 and 0.6 to a random direction, where nothing else is, are found with these similarities.
async fn known_cosines(parts: &VerifyParts, workspace: WorkspaceId, query: &[f32]) -> Result<(), Failure> {
    let wanted = [0.8, 1.0, 0.6];
    let vectors: Vec<_> = wanted.iter().map(|&cosine| at_cosine(query, cosine)).collect();
    let search = NearestQuery { workspace, vector: query.to_vec(), limit: 1, filter: None };
    let found = parts.inspector.rehearse(&vectors, &search).await?;
    let best = found.found.first().copied();
    require(best.is_some_and(|m| m.inserted == Some(1) && (m.similarity - 1.0).abs() < TOLERANCE), || {
        format!("of vectors at known cosines the nearest is not the best match: {best:?}")
    })?;
    if found.plan == SearchPlan::Exact {
        let all = parts.inspector.rehearse(&vectors, &NearestQuery { limit: 3, ..search }).await?;
        let similarities: Vec<f32> = all.found.iter().map(|m| m.similarity).collect();
        let exact = similarities.iter().zip([1.0, 0.8, 0.6]).all(|(s, cosine)| (s - cosine).abs() < TOLERANCE);
        require(similarities.len() == 3 && exact, || format!("cosines 1, 0.8 and 0.6 come back as {similarities:?}"))?;
    }
    Ok(())
}

/// Ten vectors go in at once and are found again.
pub(super) async fn bulk_operations(parts: &VerifyParts) -> Result<Details, Failure> {
    let workspace = parts.principal().await?.workspace;
    let query = random_unit(parts);
    let vectors: Vec<_> = (0..BULK).map(|n| at_cosine(&query, 1.0 - 0.01 * n as f32)).collect();
    let limit = u32::try_from(BULK).expect("ten fits");
    let Rehearsal { insert_ms, search_ms, inserted, plan, found } =
        parts.inspector.rehearse(&vectors, &NearestQuery { workspace, vector: query, limit, filter: None }).await?;
    require(inserted == BULK as u64, || format!("{inserted} of {BULK} vectors were inserted"))?;
    let own: Vec<f32> = found.iter().filter(|m| m.inserted.is_some()).map(|m| m.similarity).collect();
    // An index is allowed to miss one in twenty; of ten that is one.
    let enough = if plan == SearchPlan::Exact { BULK } else { BULK - 1 };
    require(own.len() >= enough, || format!("{} of {BULK} inserted vectors were found", own.len()))?;
    let average = own.iter().copied().map(f64::from).sum::<f64>() / own.len() as f64;
    Ok(details([
        ("insert_time_ms", ms(insert_ms)),
        ("inserted_count", inserted.into()),
        ("search_time_ms", ms(search_ms)),
        ("found_count", own.len().into()),
        ("avg_similarity", similarity(average)),
    ]))
}

/// The planner uses the index that the policy wants for this many rows.
pub(super) async fn index_performance(parts: &VerifyParts) -> Result<Details, Failure> {
    let workspace = parts.principal().await?.workspace;
    let serving = parts.inspector.serving(workspace).await?;
    let measured = Measured { rows: serving.rows, current: serving.kind, rows_at_build: serving.rows_at_build, recall: None };
    let wanted = plan(&parts.config.index.tiers(), &measured);
    let rows = serving.rows;
    if wanted.action == Action::Build || wanted.action == Action::Drop {
        let meanwhile =
            if serving.building { "it is being built, verify again when it is done" } else { "the index Job has not run" };
        let (wants, serves) = (named(&wanted.kind), named(&serving.kind));
        return Err(Failure::Wrong(format!("{rows} rows want {wants}, but {serves} serves: {meanwhile}")));
    }
    let vector = parts.inspector.some_vector(workspace).await?.unwrap_or_else(|| random_unit(parts));
    let query = NearestQuery { workspace, vector, limit: RESULTS, filter: None };
    let explained = parts.inspector.explain(&query).await?;
    check_plan(&serving, explained.plan, &explained.index_names)?;
    let (fastest, nearest) = fastest(parts, &query).await?;
    require(nearest.plan == explained.plan, || {
        format!("the search was carried out as {:?}, not as {:?}", nearest.plan, explained.plan)
    })?;
    Ok(details([
        ("with_index_ms", ms(fastest)),
        ("index_usage", serving.index_name.is_some().into()),
        ("plan", explained.plan.label().into()),
        ("policy", named(&wanted.kind).into()),
        ("rows", rows.into()),
        ("index_name", serving.index_name.into()),
    ]))
}

fn check_plan(serving: &Serving, plan: SearchPlan, scanned: &[String]) -> Result<(), Failure> {
    let expected = match serving.kind {
        IndexKind::Exact => SearchPlan::Exact,
        IndexKind::IvfFlat { .. } => SearchPlan::IvfFlat,
        IndexKind::Hnsw { .. } => SearchPlan::Hnsw,
    };
    require(plan == expected, || format!("{} should serve, but a search asks for {}", expected.label(), plan.label()))?;
    let Some(index) = &serving.index_name else { return Ok(()) };
    require(serving.index_valid, || format!("the index {index} is gone or not valid; the index Job builds it anew"))?;
    require(scanned.contains(index), || format!("the planner does not use the index {index}; it scans {scanned:?}"))
}

async fn fastest(parts: &VerifyParts, query: &NearestQuery) -> Result<(f64, Nearest), Failure> {
    let mut best: Option<(f64, Nearest)> = None;
    for _ in 0..REPEATS {
        let begin = Instant::now();
        let nearest = parts.searcher.nearest(query).await?;
        let took_ms = elapsed_ms(begin);
        if best.as_ref().is_none_or(|(fastest, _)| took_ms < *fastest) {
            best = Some((took_ms, nearest));
        }
    }
    best.ok_or_else(|| Failure::Wrong("nothing was searched".to_owned()))
}

fn named(kind: &IndexKind) -> String {
    match *kind {
        IndexKind::Exact => "exact search".to_owned(),
        IndexKind::IvfFlat { lists } => format!("ivfflat with {lists} lists"),
        IndexKind::Hnsw { m, ef_construction } => format!("HNSW with m {m} and ef_construction {ef_construction}"),
    }
}

fn descends(similarities: impl Iterator<Item = f32>) -> bool {
    similarities.is_sorted_by(|a, b| a >= b)
}

/// A direction that no text has: in hundreds of dimensions a random one is far from all others.
fn random_unit(parts: &VerifyParts) -> Vec<f32> {
    let mut random = rand::rng();
    normalised((0..parts.embedder.dimensions()).map(|_| random.random_range(-1.0..1.0)).collect())
}

/// A unit vector at this cosine to another.
fn at_cosine(unit: &[f32], cosine: f32) -> Vec<f32> {
    let mut random = rand::rng();
    let any: Vec<f32> = unit.iter().map(|_| random.random_range(-1.0..1.0)).collect();
    let along: f32 = any.iter().zip(unit).map(|(a, b)| a * b).sum();
    let across = normalised(any.iter().zip(unit).map(|(a, b)| a - along * b).collect());
    let rest = (1.0 - cosine * cosine).max(0.0).sqrt();
    unit.iter().zip(&across).map(|(a, b)| cosine * a + rest * b).collect()
}

fn normalised(vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.into_iter().map(|x| x / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn a_vector_is_made_at_the_cosine_that_was_asked_for() {
        let unit = normalised((0..384).map(|n| (n as f32).sin()).collect());
        for cosine in [1.0, 0.95, 0.6, 0.0] {
            let made = at_cosine(&unit, cosine);
            assert!((dot(&unit, &made) - cosine).abs() < 1e-3, "{cosine}");
            assert!((dot(&made, &made) - 1.0).abs() < 1e-3, "{cosine}");
        }
    }

    #[test]
    fn a_plan_that_goes_around_the_index_is_refused() {
        let serving = |kind, index_name: Option<&str>, index_valid| Serving {
            rows: 20_000,
            kind,
            rows_at_build: 20_000,
            index_name: index_name.map(str::to_owned),
            index_valid,
            building: false,
        };
        let ivfflat = IndexKind::IvfFlat { lists: 100 };
        let scanned = ["embeddings_1_ivfflat".to_owned()];
        let name = Some("embeddings_1_ivfflat");
        assert!(check_plan(&serving(ivfflat, name, true), SearchPlan::IvfFlat, &scanned).is_ok());
        assert!(check_plan(&serving(IndexKind::Exact, None, false), SearchPlan::Exact, &[]).is_ok());
        let refused = [
            (serving(ivfflat, name, true), SearchPlan::Exact, &scanned[..], "a search asks for exact"),
            (serving(ivfflat, name, false), SearchPlan::IvfFlat, &scanned[..], "not valid"),
            (serving(ivfflat, name, true), SearchPlan::IvfFlat, &[][..], "does not use the index"),
        ];
        for (serving, plan, scanned, says) in refused {
            let error = check_plan(&serving, plan, scanned).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
