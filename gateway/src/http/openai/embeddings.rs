//! `POST /v1/embeddings` in OpenAI's shape.

use std::sync::Arc;

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Table, embedding_input::Input};
use crate::{
    http::{
        body::JsonBody,
        error::{ApiError, ErrorBody, ErrorCode},
        params::Caller,
        state::ApiState,
    },
    telemetry::stage,
    traits::embedder::{Embedder, Vector},
};

/// The route.
pub(super) fn table() -> Table {
    OpenApiRouter::new().routes(routes!(embed))
}

/// Texts to embed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"model": "all-MiniLM-L6-v2", "input": ["first text", "second text"]}))]
pub(crate) struct EmbeddingsBody {
    /// The pipeline's embedding model; another is refused.
    model: String,
    /// One text, or up to 2,048. Instead of a text, its tokens by OpenAI's cl100k_base, as LangChain sends them.
    #[schema(value_type = EmbeddingInput)]
    input: Input,
    /// `float`, or `base64`: the little-endian 32-bit floats.
    #[serde(default)]
    encoding_format: EncodingFormat,
    /// The model's own when absent. Fewer where the model allows it, as OpenAI's third generation does: the beginning of each vector, scaled
    /// to length 1.
    #[schema(minimum = 1)]
    dimensions: Option<u32>,
    /// Accepted for the sake of clients and ignored.
    #[expect(dead_code, reason = "a field of OpenAI's request that means nothing here")]
    user: Option<String>,
}

/// The shape of `input`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum EmbeddingInput {
    One(String),
    Many(Vec<String>),
    OneAsTokens(Vec<u32>),
    ManyAsTokens(Vec<Vec<u32>>),
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

/// The vectors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingsView {
    #[schema(example = "list")]
    object: &'static str,
    data: Vec<EmbeddingView>,
    model: String,
    usage: EmbeddingUsage,
}

/// One vector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingView {
    #[schema(example = "embedding")]
    object: &'static str,
    index: usize,
    embedding: EncodedVector,
}

/// A vector as `encoding_format` asks for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EncodedVector {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Embeds texts.
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingsBody,
    responses((status = 200, body = EmbeddingsView), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(crate) async fn embed(
    State(state): State<Arc<ApiState>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<EmbeddingsBody>,
) -> Result<Json<EmbeddingsView>, ApiError> {
    let embedder = &state.parts.embedder;
    check_model(embedder.as_ref(), &body)?;
    let texts = Arc::new(body.input.texts()?);
    let tokens = count_tokens(Arc::clone(embedder), Arc::clone(&texts)).await?;
    let span = tracing::debug_span!("embed", stage = "embed", count = texts.len());
    let embedding = async {
        match texts.as_slice() {
            [text] => embedder.embed(text).await.map(|vector| vec![vector]),
            texts => embedder.embed_batch(texts).await,
        }
    };
    let vectors = stage::run(span, embedding).await?;
    state.shares.charge(&principal, tokens);
    let wanted = body.dimensions.unwrap_or_else(|| embedder.dimensions()) as usize;
    let encode = |(index, vector)| {
        let embedding = encode(body.encoding_format, shortened(vector, wanted));
        EmbeddingView { object: "embedding", index, embedding }
    };
    Ok(Json(EmbeddingsView {
        object: "list",
        data: vectors.into_iter().enumerate().map(encode).collect(),
        model: embedder.model_name().to_owned(),
        usage: EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens },
    }))
}

fn check_model(embedder: &dyn Embedder, body: &EmbeddingsBody) -> Result<(), ApiError> {
    let (name, dimensions) = (embedder.model_name(), embedder.dimensions());
    if body.model != name {
        let message = format!("there is no model {:?} here; this pipeline embeds with {name:?}", body.model);
        return Err(ApiError::new(ErrorCode::ModelNotFound, message).of("model"));
    }
    match body.dimensions {
        Some(wanted) if wanted != dimensions && !embedder.can_be_shortened() => {
            Err(ApiError::invalid("dimensions", format!("{name} gives {dimensions} dimensions, no other number")))
        }
        Some(wanted) if !(1..=dimensions).contains(&wanted) => {
            Err(ApiError::invalid("dimensions", format!("{name} gives 1 to {dimensions} dimensions here")))
        }
        Some(_) | None => Ok(()),
    }
}

/// The beginning of a vector, of length 1 again.
fn shortened(mut vector: Vector, wanted: usize) -> Vector {
    if vector.len() <= wanted {
        return vector;
    }
    vector.truncate(wanted);
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    }
    vector
}

/// Counts off the request threads: a megabyte of text takes a while.
async fn count_tokens(embedder: Arc<dyn Embedder>, texts: Arc<Vec<String>>) -> Result<u64, ApiError> {
    let count = move || texts.iter().map(|text| embedder.tokenizer().count(text) as u64).sum();
    tokio::task::spawn_blocking(count).await.map_err(|error| ApiError::internal().because(error))
}

fn encode(format: EncodingFormat, vector: Vector) -> EncodedVector {
    match format {
        EncodingFormat::Float => EncodedVector::Float(vector),
        EncodingFormat::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            EncodedVector::Base64(STANDARD.encode(bytes))
        }
    }
}
