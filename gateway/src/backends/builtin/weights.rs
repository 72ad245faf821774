//! The weights file of the built-in model: safetensors, checked once. What it says about a tensor is proved here, so that nobody
//! after this file meets a missing or misshapen one.

use std::{collections::BTreeMap, ops::Range, path::Path};

use serde::Deserialize;

use super::{HIDDEN, INTERMEDIATE, LAYERS, LoadError, POSITIONS, TOKEN_TYPES, VOCABULARY};

/// A header longer than this is not one of ours.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// The bytes of the file and where each tensor lies in them.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) bytes: Vec<u8>,
    tensors: BTreeMap<String, Tensor>,
}

/// One tensor of 32-bit floats.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    /// Bytes, counted from the beginning of the file.
    pub(super) place: Range<usize>,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl Weights {
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        let tensors = parse(&bytes).map_err(|what| LoadError::Weights { path: path.to_owned(), what })?;
        Ok(Self { bytes, tensors })
    }

    /// The tensor of this name, which [`expected`] lists.
    pub(super) fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).expect("reading the file checked every tensor of the model")
    }
}

/// Every tensor that the model needs, with its shape.
pub(super) fn expected() -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![VOCABULARY, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![TOKEN_TYPES, HIDDEN]),
        ("embeddings.LayerNorm.weight".to_owned(), vec![HIDDEN]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        for (part, rows, columns) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INTERMEDIATE, HIDDEN),
            ("output.dense", HIDDEN, INTERMEDIATE),
        ] {
            tensors.push((format!("encoder.layer.{layer}.{part}.weight"), vec![rows, columns]));
            tensors.push((format!("encoder.layer.{layer}.{part}.bias"), vec![rows]));
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            tensors.push((format!("encoder.layer.{layer}.{part}.weight"), vec![HIDDEN]));
            tensors.push((format!("encoder.layer.{layer}.{part}.bias"), vec![HIDDEN]));
        }
    }
    tensors
}

/// Reads the header; the error says what is wrong.
fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("it is shorter than its own header")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEADER_BYTES || length > rest.len() {
        return Err("it is no safetensors file".into());
    }
    let (header, data) = rest.split_at(length);
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header is no JSON object: {error}"))?;
    let mut tensors = BTreeMap::new();
    for (name, shape) in expected() {
        let entry = header.get(&name).ok_or_else(|| format!("tensor {name} is missing"))?;
        let entry = Entry::deserialize(entry).map_err(|error| format!("tensor {name} is described wrongly: {error}"))?;
        if entry.dtype != "F32" || entry.shape != shape {
            return Err(format!("tensor {name} is {} {:?}, not F32 {shape:?}", entry.dtype, entry.shape));
        }
        let [start, end] = entry.data_offsets;
        let size = shape.iter().product::<usize>() * size_of::<f32>();
        if end > data.len() || start > end || end - start != size {
            return Err(format!("tensor {name} lies outside the file"));
        }
        let base = 8 + length;
        tensors.insert(name, Tensor { shape, place: base + start..base + end });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn a_file_that_is_not_the_model_is_refused_with_the_cause() {
        for (bytes, cause) in [
            (b"short".to_vec(), "shorter"),
            (vec![0xff; 64], "no safetensors"),
            (file("[]", 0), "no JSON object"),
            (file("{}", 0), "embeddings.word_embeddings.weight is missing"),
            (
                file(r#"{"embeddings.word_embeddings.weight":{"dtype":"F16","shape":[30522,384],"data_offsets":[0,4]}}"#, 4),
                "is F16",
            ),
            (
                file(r#"{"embeddings.word_embeddings.weight":{"dtype":"F32","shape":[30522,384],"data_offsets":[0,4]}}"#, 4),
                "outside the file",
            ),
        ] {
            let error = parse(&bytes).unwrap_err();
            assert!(error.contains(cause), "{error}");
        }
    }
}
