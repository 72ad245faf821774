//! Embedding spaces: a model with its dimensions, and how distances are measured in it. The operator and the element type are
//! written here and nowhere else.

use ragline_config::index::{DistanceMetric, ElementType, Quantization};
use sqlx::{PgExecutor, Row, postgres::PgRow};
use tracing::warn;

use super::failed;
use crate::traits::search::{Calibration, Curve, SpaceId, StoreError};

/// The space that the configuration asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpaceWanted {
    /// The embedder's `model_name()`.
    pub model: String,
    pub dimensions: u32,
    /// Take effect when the space is made, not later.
    pub element_type: ElementType,
    pub distance_metric: DistanceMetric,
    pub quantization: Quantization,
}

/// A space as it is stored.
#[derive(Clone, Debug)]
pub struct Space {
    pub id: SpaceId,
    pub model: String,
    pub dimensions: u32,
    pub element_type: ElementType,
    pub distance_metric: DistanceMetric,
    pub quantization: Quantization,
    pub calibration: Calibration,
}

impl Space {
    /// The type of the column, also for casts.
    pub fn type_name(&self) -> &'static str {
        match self.element_type {
            ElementType::Halfvec => "halfvec",
            ElementType::Vector => "vector",
        }
    }

    /// The distance operator.
    pub fn operator(&self) -> &'static str {
        match self.distance_metric {
            DistanceMetric::Cosine => "<=>",
            DistanceMetric::L2 => "<->",
            DistanceMetric::InnerProduct => "<#>",
        }
    }

    /// The operator that an index orders by.
    pub fn indexed_operator(&self) -> &'static str {
        match self.quantization {
            Quantization::None => self.operator(),
            Quantization::Binary => "<~>",
        }
    }

    /// The operator class that an index needs to serve [`Space::indexed_operator`].
    pub fn operator_class(&self) -> &'static str {
        if self.quantization == Quantization::Binary {
            return "bit_hamming_ops";
        }
        match (self.element_type, self.distance_metric) {
            (ElementType::Halfvec, DistanceMetric::Cosine) => "halfvec_cosine_ops",
            (ElementType::Halfvec, DistanceMetric::L2) => "halfvec_l2_ops",
            (ElementType::Halfvec, DistanceMetric::InnerProduct) => "halfvec_ip_ops",
            (ElementType::Vector, DistanceMetric::Cosine) => "vector_cosine_ops",
            (ElementType::Vector, DistanceMetric::L2) => "vector_l2_ops",
            (ElementType::Vector, DistanceMetric::InnerProduct) => "vector_ip_ops",
        }
    }

    /// What is indexed. A query must order by the very same expression to use the index.
    pub fn indexed_expression(&self) -> String {
        self.indexed("embedding")
    }

    /// The same of another value of the column's type.
    pub fn indexed(&self, value: &str) -> String {
        match self.quantization {
            Quantization::None => format!("({value}::{}({}))", self.type_name(), self.dimensions),
            Quantization::Binary => format!("(binary_quantize({value})::bit({}))", self.dimensions),
        }
    }

    /// Rows that an index must give for each that is wanted: bits tell less than numbers do, the fewer the less.
    pub fn candidates_per_row(&self) -> u32 {
        match self.quantization {
            Quantization::None => 1,
            Quantization::Binary if self.dimensions < 1_000 => 8,
            Quantization::Binary => 4,
        }
    }

    /// Vectors have length 1, so every metric can be turned into the cosine.
    pub fn similarity(&self, distance: f64) -> f32 {
        let similarity = match self.distance_metric {
            DistanceMetric::Cosine => 1.0 - distance,
            DistanceMetric::L2 => 1.0 - distance * distance / 2.0,
            DistanceMetric::InnerProduct => -distance,
        };
        similarity as f32
    }
}

pub(super) fn element_type_word(element_type: ElementType) -> &'static str {
    match element_type {
        ElementType::Halfvec => "halfvec",
        ElementType::Vector => "vector",
    }
}

pub(super) fn distance_metric_word(metric: DistanceMetric) -> &'static str {
    match metric {
        DistanceMetric::Cosine => "cosine",
        DistanceMetric::L2 => "l2",
        DistanceMetric::InnerProduct => "inner_product",
    }
}

pub(super) fn quantization_word(quantization: Quantization) -> &'static str {
    match quantization {
        Quantization::None => "none",
        Quantization::Binary => "binary",
    }
}

const SELECT: &str = "SELECT id, model, dimensions, element_type, distance_metric, quantization, calibration_slope, \
                      calibration_intercept, hybrid_similarity_slope, hybrid_lexical_slope, hybrid_intercept \
                      FROM embedding_space ORDER BY id LIMIT 1";

/// The stored space, `None` before `migrate` has made one.
///
/// # Errors
/// A database that does not answer.
pub async fn stored(executor: impl PgExecutor<'_>) -> Result<Option<Space>, StoreError> {
    let row = sqlx::query(SELECT).fetch_optional(executor).await.map_err(|error| failed("reading the embedding space", error))?;
    row.map(|row| from_row(&row)).transpose().map_err(|error| failed("reading the embedding space", error))
}

/// The stored space, when it is the wanted one.
pub(super) async fn load(executor: impl PgExecutor<'_>, wanted: &SpaceWanted) -> Result<Space, StoreError> {
    let Some(space) = stored(executor).await? else {
        return Err(StoreError::NotFound { what: "embedding space; run `ragline-gateway migrate`" });
    };
    if space.model != wanted.model || space.dimensions != wanted.dimensions {
        return Err(wrong_model(&space, wanted));
    }
    let stored = (space.element_type, space.distance_metric, space.quantization);
    if stored != (wanted.element_type, wanted.distance_metric, wanted.quantization) {
        warn!(
            element_type = element_type_word(space.element_type),
            distance_metric = distance_metric_word(space.distance_metric),
            quantization = quantization_word(space.quantization),
            "the database was made with these; what index.elementType, index.distanceMetric or index.quantization say now takes effect \
             in a new pipeline alone"
        );
    }
    Ok(space)
}

pub(super) fn wrong_model(stored: &Space, wanted: &SpaceWanted) -> StoreError {
    StoreError::WrongModel {
        stored: stored.model.clone(),
        stored_dimensions: stored.dimensions,
        wanted: wanted.model.clone(),
        wanted_dimensions: wanted.dimensions,
    }
}

pub(super) fn from_row(row: &PgRow) -> Result<Space, sqlx::Error> {
    let element_type = match row.try_get::<&str, _>("element_type")? {
        "vector" => ElementType::Vector,
        _ => ElementType::Halfvec,
    };
    let distance_metric = match row.try_get::<&str, _>("distance_metric")? {
        "l2" => DistanceMetric::L2,
        "inner_product" => DistanceMetric::InnerProduct,
        _ => DistanceMetric::Cosine,
    };
    let quantization = match row.try_get::<&str, _>("quantization")? {
        "binary" => Quantization::Binary,
        _ => Quantization::None,
    };
    let number = |column: &str| row.try_get::<Option<f32>, _>(column);
    let curve = |similarity: Option<f32>, lexical: Option<f32>, intercept: Option<f32>| {
        Some(Curve { similarity: similarity?, lexical: lexical?, intercept: intercept? })
    };
    let calibration = Calibration {
        vector: curve(number("calibration_slope")?, Some(0.0), number("calibration_intercept")?),
        hybrid: curve(number("hybrid_similarity_slope")?, number("hybrid_lexical_slope")?, number("hybrid_intercept")?),
    };
    Ok(Space {
        id: SpaceId(row.try_get("id")?),
        model: row.try_get("model")?,
        dimensions: row.try_get::<i32, _>("dimensions")?.unsigned_abs(),
        element_type,
        distance_metric,
        quantization,
        calibration,
    })
}
