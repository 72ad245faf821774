//! Many rows at once, put in by the owner: through the queue they would take minutes.

use rand::{Rng, rngs::StdRng};

use crate::database::TestDatabase;

/// The middles of clusters, each of length 1.
pub(crate) fn centres(clusters: u32, dimensions: u32, random: &mut StdRng) -> Vec<Vec<f32>> {
    (0..clusters).map(|_| unit((0..dimensions).map(|_| random.random::<f32>() - 0.5).collect())).collect()
}

/// A vector of length 1 beside a middle.
pub(crate) fn near(centre: &[f32], random: &mut StdRng) -> Vec<f32> {
    let spread = 1.6 / (centre.len() as f32).sqrt();
    unit(centre.iter().map(|number| number + (random.random::<f32>() - 0.5) * spread).collect())
}

pub(crate) fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    vector
}

/// One document with one chunk for each vector, its text `s` and the number from 1. Metadata: a `rank` at random, from 0; the `cluster`,
/// which is the place modulo their number; `far` for the later half of the clusters.
pub(crate) async fn fill(database: &TestDatabase, vectors: Vec<Vec<f32>>, clusters: u32, random: &mut StdRng) {
    let owner = database.owner();
    let mut ranks: Vec<i32> = (0..vectors.len() as i32).collect();
    for place in (1..ranks.len()).rev() {
        ranks.swap(place, random.random_range(0..=place));
    }
    let vectors: Vec<pgvector::Vector> = vectors.into_iter().map(pgvector::Vector::from).collect();
    let mut tx = owner.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO document (id, workspace_id, collection_id, source, content_type, metadata, size_bytes, content_hash, \
           chunking_fingerprint, space_id, chunks) \
         SELECT gen_random_uuid(), 1, c.id, 's' || r.n, 'text/plain', \
           jsonb_build_object('rank', r.rank, 'cluster', 'c' || (r.n - 1) % $2, 'far', (r.n - 1) % $2 >= $2 / 2), \
           0, sha256('x'), sha256('x'), 1, 1 FROM collection c, unnest($1::int[]) WITH ORDINALITY r(rank, n) WHERE c.workspace_id = 1",
    )
    .bind(ranks)
    .bind(clusters as i32)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::raw_sql(
        "INSERT INTO chunk (workspace_id, collection_id, document_id, position, text, tokens, content_hash) \
           SELECT 1, collection_id, id, 0, source, 1, sha256('x') FROM document ORDER BY length(source), source",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO embeddings (relation_id, workspace_id, collection_id, chunk_id, window_number, space_id, embedding) \
         SELECT 1, 1, c.collection_id, c.id, 0, 1, v.embedding FROM unnest($1::vector[]) WITH ORDINALITY v(embedding, n) \
           JOIN chunk c ON c.text = 's' || v.n",
    )
    .bind(vectors)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sqlx::raw_sql("ANALYZE").execute(&owner).await.unwrap();
}
