//! Each distance metric, element type and quantisation: the same order, cosines as scores, and an index that serves.

#![expect(clippy::print_stdout, reason = "with --nocapture it tells the recall")]

use ragline_config::{
    Index,
    index::{DistanceMetric, ElementType, Quantization},
};
use ragline_gateway::{
    backends::pgvector::Store,
    index,
    traits::search::{Hit, NearestQuery, SearchPlan, Searcher, WorkspaceId},
};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    database::{default_workspace, fresh_in, space},
    store_bulk::{centres, fill, near},
};

const DIMENSIONS: u32 = 128;
const CLUSTERS: u32 = 30;
const ROWS: u32 = 1_500;

async fn hits(store: &Store, workspace: WorkspaceId, vector: &[f32]) -> (SearchPlan, Vec<Hit>) {
    let query = NearestQuery { workspace, vector: vector.to_vec(), limit: 10, filter: None };
    let leg = store.nearest_hits(&query).await.unwrap();
    (leg.plan, leg.hits)
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

async fn check(metric: DistanceMetric, element_type: ElementType, quantization: Quantization) {
    let mut wanted = space("test-model", DIMENSIONS);
    (wanted.distance_metric, wanted.element_type, wanted.quantization) = (metric, element_type, quantization);
    let database = fresh_in(wanted).await;
    let mut random = StdRng::seed_from_u64(11);
    let centres = centres(CLUSTERS, DIMENSIONS, &mut random);
    let vectors: Vec<Vec<f32>> = (0..ROWS).map(|row| near(&centres[(row % CLUSTERS) as usize], &mut random)).collect();
    fill(&database, vectors.clone(), CLUSTERS, &mut random).await;
    let store = database.store();
    let workspace = default_workspace(&store).await;
    let questions: Vec<Vec<f32>> = (0..10).map(|n| near(&centres[n], &mut random)).collect();
    let mut exact = Vec::new();
    for question in &questions {
        let mut best: Vec<f32> = vectors.iter().map(|vector| cosine(vector, question)).collect();
        best.sort_by(|a, b| b.total_cmp(a));
        let (plan, found) = hits(&store, workspace, question).await;
        assert_eq!(plan, SearchPlan::Exact);
        for (hit, best) in found.iter().zip(&best) {
            assert!((hit.value - best).abs() < 2e-3, "{metric:?}: {} for a cosine of {best}", hit.value);
        }
        assert_eq!(found.len(), 10);
        exact.push(found);
    }
    let tiers = [
        (Index { exact_below: 1, small_below: 100_000, medium_below: 100_000, ..Index::default() }, SearchPlan::IvfFlat),
        (Index { exact_below: 1, small_below: 2, medium_below: 3, ..Index::default() }, SearchPlan::Hnsw),
    ];
    for (config, expected) in tiers {
        index::run(&database.owner(), &config).await.unwrap();
        let mut same = 0;
        for (question, exact) in questions.iter().zip(&exact) {
            let (plan, found) = hits(&store, workspace, question).await;
            assert_eq!(plan, expected);
            same += exact.iter().filter(|hit| found.iter().any(|other| other.chunk_id == hit.chunk_id)).count();
            // The values are those of the vectors, whatever is indexed.
            for hit in &found {
                if let Some(other) = exact.iter().find(|other| other.chunk_id == hit.chunk_id) {
                    assert!((hit.value - other.value).abs() < 1e-4, "{metric:?} under {plan:?}");
                }
            }
        }
        let recall = same as f64 / (10 * questions.len()) as f64;
        println!("{metric:?} {element_type:?} {quantization:?} {expected:?}: recall {recall}");
        assert!(recall >= 0.95, "{metric:?} {element_type:?} {quantization:?} {expected:?}: recall {recall}");
    }
}

#[tokio::test]
async fn every_metric_gives_cosines_and_an_index_that_serves() {
    for metric in [DistanceMetric::Cosine, DistanceMetric::L2, DistanceMetric::InnerProduct] {
        check(metric, ElementType::Halfvec, Quantization::None).await;
    }
    check(DistanceMetric::L2, ElementType::Vector, Quantization::None).await;
}

#[tokio::test]
async fn bits_are_indexed_and_vectors_compared() {
    check(DistanceMetric::Cosine, ElementType::Halfvec, Quantization::Binary).await;
    check(DistanceMetric::InnerProduct, ElementType::Vector, Quantization::Binary).await;
}
