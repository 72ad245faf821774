//! One run of the built-in model: token sequences in, vectors of norm 1 out. It blocks; only the worker thread calls it.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunError, RunOptions, ThreadPool};
use rten_tensor::{AsView, Layout, NdTensor, NdTensorView};

use super::{HEAD_SIZE, HIDDEN, LoadError, graph, weights::Weights};
use crate::traits::embedder::Vector;

/// Added to the attention score of padding; far below every real score, far above overflow.
const MASKED: f32 = -1e9;

/// The model with the threads that it runs on.
#[derive(Debug)]
pub(super) struct MiniLm {
    model: Model,
    inputs: [NodeId; 4],
    output: NodeId,
    threads: Arc<ThreadPool>,
}

impl MiniLm {
    pub(super) fn load(weights: Weights, threads: usize) -> Result<Self, LoadError> {
        let graph = graph::encode(&weights).map_err(|error| LoadError::Model(Box::new(error)))?;
        // Packing the weights for the matrix products would double the memory for a few percent of speed.
        let model = ModelOptions::with_all_ops()
            .prepack_weights(false)
            .external_data(graph::WEIGHTS, weights.bytes)
            .load(graph)
            .map_err(|error| LoadError::Model(Box::new(error)))?;
        let node = |name: &str| model.node_id(name).map_err(|error| LoadError::Model(Box::new(error)));
        let inputs = [node("ids")?, node("positions")?, node("mask")?, node("heads")?];
        let output = node(&graph::output())?;
        Ok(Self { model, inputs, output, threads: Arc::new(ThreadPool::with_num_threads(threads)) })
    }

    /// The vectors of the sequences, in order. All are padded to the longest.
    pub(super) fn run(&self, sequences: &[&[i32]]) -> Result<Vec<Vector>, RunError> {
        let (batch, length) = (sequences.len(), sequences.iter().map(|ids| ids.len()).max().unwrap_or(0));
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut ids = NdTensor::<i32, 2>::zeros([batch, length]);
        let mut mask = NdTensor::<f32, 4>::full([batch, 1, 1, length], MASKED);
        for (row, sequence) in sequences.iter().enumerate() {
            for (column, &id) in sequence.iter().enumerate() {
                ids[[row, column]] = id;
                mask[[row, 0, 0, column]] = 0.0;
            }
        }
        let count = |number: usize| i32::try_from(number).expect("a sequence has a few hundred tokens");
        let positions = NdTensor::from_data([length], (0..count(length)).collect::<Vec<_>>());
        let heads = [batch, length, HIDDEN / HEAD_SIZE, HEAD_SIZE].map(count);
        let heads = NdTensor::from_data([4], heads.to_vec());
        let [ids_node, positions_node, mask_node, heads_node] = self.inputs;
        let inputs = vec![
            (ids_node, ids.into()),
            (positions_node, positions.into()),
            (mask_node, mask.into()),
            (heads_node, heads.into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let [hidden] = self.model.run_n(inputs, [self.output], Some(options))?;
        let hidden: NdTensor<f32, 2> = hidden.try_into().expect("the graph's output is a matrix of floats");
        Ok(sequences.iter().enumerate().map(|(row, ids)| pooled(&hidden.view(), row * length, ids.len())).collect())
    }
}

/// The mean of the rows of one sequence's own tokens, scaled to norm 1.
fn pooled(hidden: &NdTensorView<'_, f32, 2>, first: usize, count: usize) -> Vector {
    debug_assert_eq!(hidden.size(1), HIDDEN);
    let mut sum = vec![0.0_f32; HIDDEN];
    for row in first..first + count {
        for (total, value) in sum.iter_mut().zip(hidden.slice(row).iter()) {
            *total += value;
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    for value in &mut sum {
        *value /= norm;
    }
    sum
}
