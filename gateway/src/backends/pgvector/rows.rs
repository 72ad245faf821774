//! Chunks and vectors as the arrays that statements take.

use std::borrow::Cow;

use pgvector::{HalfVector, Vector};
use ragline_config::index::ElementType;
use serde_json::Value;
use sqlx::{Postgres, postgres::PgArguments, query::Query};

use crate::traits::ingest::StagedChunk;

type Statement = Query<'static, Postgres, PgArguments>;

/// Binds `position, text, tokens, heading_path, page, sheet, line_start, line_end, kind, content_hash, metadata`.
pub(super) fn bind_chunks(statement: Statement, chunks: &[StagedChunk]) -> Statement {
    statement
        .bind(chunks.iter().map(|chunk| int(chunk.position)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| clean(&chunk.text)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| int(chunk.tokens)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| array_literal(&chunk.heading_path)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.place.page.map(int)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.place.sheet.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.place.lines.map(|lines| int(lines.from))).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.place.lines.map(|lines| int(lines.to))).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.kind.name()).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| chunk.content_hash.as_slice()).collect::<Vec<_>>())
        .bind(chunks.iter().map(|chunk| Value::Object(chunk.metadata.clone())).collect::<Vec<_>>())
}

/// Binds vectors as the column holds them, which spares the server a cast and half of the bytes.
pub(super) fn bind_vectors<'a>(
    statement: Statement,
    element_type: ElementType,
    vectors: impl Iterator<Item = &'a Vec<f32>>,
) -> Statement {
    match element_type {
        ElementType::Halfvec => statement.bind(vectors.map(|vector| HalfVector::from_f32_slice(vector)).collect::<Vec<_>>()),
        ElementType::Vector => statement.bind(vectors.cloned().map(Vector::from).collect::<Vec<_>>()),
    }
}

pub(super) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn small_int(number: usize) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

/// PostgreSQL's text holds no NUL.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Texts as PostgreSQL reads an array from its text. An array of arrays must be a rectangle, so paths go one by one.
fn array_literal(texts: &[String]) -> String {
    let mut literal = String::from("{");
    for (n, text) in texts.iter().enumerate() {
        literal.push_str(if n == 0 { "\"" } else { ",\"" });
        for c in clean(text).chars() {
            if matches!(c, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(c);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_an_array_are_quoted() {
        let texts = |texts: &[&str]| array_literal(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(texts(&[]), "{}");
        assert_eq!(texts(&["a, b", "NULL", ""]), r#"{"a, b","NULL",""}"#);
        assert_eq!(texts(&[r#"say "x\y" {z}"#, "nul\0"]), "{\"say \\\"x\\\\y\\\" {z}\",\"nul\u{fffd}\"}");
    }
}
