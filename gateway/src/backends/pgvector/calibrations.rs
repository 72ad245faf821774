//! The calibrations that Ragline ships: for the models that it was measured with. `migrate` writes them into the space.

use sqlx::PgConnection;

use crate::{
    backends::builtin,
    traits::search::{Calibration, Curve},
};

/// Fitted as gateway/RETRIEVAL.md says. `None`: nobody measured the model, and its scores say so.
fn shipped(model: &str, dimensions: u32) -> Option<Calibration> {
    (model == builtin::MODEL_NAME && dimensions == builtin::DIMENSIONS).then_some(Calibration {
        vector: Some(Curve { similarity: 5.338, lexical: 0.0, intercept: -2.893 }),
        hybrid: Some(Curve { similarity: 4.898, lexical: 5.581, intercept: -4.802 }),
    })
}

/// Writes the shipped calibration of a model that is known; leaves any other as it is.
pub(super) async fn write(connection: &mut PgConnection, model: &str, dimensions: u32) -> Result<(), sqlx::Error> {
    let Some(Calibration { vector, hybrid }) = shipped(model, dimensions) else { return Ok(()) };
    sqlx::query(
        "UPDATE embedding_space SET calibration_slope = $3, calibration_intercept = $4, \
         hybrid_similarity_slope = $5, hybrid_lexical_slope = $6, hybrid_intercept = $7 WHERE model = $1 AND dimensions = $2",
    )
    .bind(model)
    .bind(i32::try_from(dimensions).unwrap_or(i32::MAX))
    .bind(vector.map(|curve| curve.similarity))
    .bind(vector.map(|curve| curve.intercept))
    .bind(hybrid.map(|curve| curve.similarity))
    .bind(hybrid.map(|curve| curve.lexical))
    .bind(hybrid.map(|curve| curve.intercept))
    .execute(connection)
    .await
    .map(|_| ())
}
