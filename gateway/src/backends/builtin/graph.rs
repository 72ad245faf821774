//! The computation of the built-in model, a BERT of six layers, written as an ONNX graph for the engine. The weights are not
//! copied: each initializer names its place inside the untouched safetensors file.
//!
//! Inputs: `ids` [batch, length], `positions` [length], `mask` [batch, 1, 1, length] (added to the attention scores), `heads` (the
//! shape [batch, length, heads, head size]). Output: `hidden` [batch × length, hidden size].

use rten_onnx::{
    onnx::{
        AttributeProto, AttributeType, DataLocation, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
        StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
    },
    protobuf::{EncodeMessage, ProtobufError, ValueWriter},
};

use super::{
    HEAD_SIZE, HIDDEN, LAYERS,
    weights::{Weights, expected},
};

/// The name under which the engine is given the bytes of the weights.
pub(super) const WEIGHTS: &str = "model.data";
/// The first opset with Gelu.
const OPSET: i64 = 20;
const LAYER_NORM_EPSILON: f32 = 1e-12;

/// The graph, encoded.
pub(super) fn encode(weights: &Weights) -> Result<Vec<u8>, ProtobufError> {
    let mut bytes = Vec::new();
    model(weights).encode(ValueWriter::new(&mut bytes))?;
    Ok(bytes)
}

fn model(weights: &Weights) -> ModelProto {
    let mut graph = Graph::default();
    for (name, _) in expected() {
        graph.weight(weights, &name);
    }
    graph.ints("flat", &[-1, HIDDEN as i64]);
    graph.ints("first", &[0]);
    graph.floats("scale", &[1.0 / (HEAD_SIZE as f32).sqrt()]);
    embeddings(&mut graph);
    let mut hidden = "embedded".to_owned();
    for number in 0..LAYERS {
        hidden = layer(&mut graph, number, &hidden);
    }
    let Graph { nodes, initializers } = graph;
    ModelProto {
        ir_version: Some(9),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        graph: Some(GraphProto {
            node: nodes,
            initializer: initializers,
            input: vec![
                value("ids", DataType::INT64, 2),
                value("positions", DataType::INT64, 1),
                value("mask", DataType::FLOAT, 4),
                value("heads", DataType::INT64, 1),
            ],
            output: vec![value(&hidden, DataType::FLOAT, 2)],
            value_info: Vec::new(),
        }),
        ..ModelProto::default()
    }
}

/// The name of the graph's output.
pub(super) fn output() -> String {
    format!("hidden.{}", LAYERS - 1)
}

fn embeddings(graph: &mut Graph) {
    graph.node("Gather", &["embeddings.word_embeddings.weight", "ids"], "words", vec![]);
    graph.node("Gather", &["embeddings.position_embeddings.weight", "positions"], "places", vec![]);
    graph.node("Gather", &["embeddings.token_type_embeddings.weight", "first"], "type", vec![]);
    graph.node("Add", &["words", "places"], "words+places", vec![]);
    graph.node("Add", &["words+places", "type"], "sum", vec![]);
    graph.node("Reshape", &["sum", "flat"], "rows", vec![]);
    graph.norm("embeddings.LayerNorm", "rows", "embedded");
}

fn layer(graph: &mut Graph, number: usize, input: &str) -> String {
    let named = |what: &str| format!("{what}.{number}");
    let weights = |part: &str| format!("encoder.layer.{number}.{part}");
    for (part, order) in [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])] {
        let (rows, split, turned) = (named(&format!("{part}.rows")), named(&format!("{part}.split")), named(part));
        graph.linear(&weights(&format!("attention.self.{part}")), input, &rows);
        graph.node("Reshape", &[&rows, "heads"], &split, vec![]);
        graph.node("Transpose", &[&split], &turned, vec![ints_attribute("perm", &order)]);
    }
    graph.node("MatMul", &[&named("query"), &named("key")], &named("products"), vec![]);
    graph.node("Mul", &[&named("products"), "scale"], &named("scores"), vec![]);
    graph.node("Add", &[&named("scores"), "mask"], &named("masked"), vec![]);
    graph.node("Softmax", &[&named("masked")], &named("shares"), vec![int_attribute("axis", -1)]);
    graph.node("MatMul", &[&named("shares"), &named("value")], &named("mixed"), vec![]);
    graph.node("Transpose", &[&named("mixed")], &named("joined"), vec![ints_attribute("perm", &[0, 2, 1, 3])]);
    graph.node("Reshape", &[&named("joined"), "flat"], &named("context"), vec![]);
    graph.linear(&weights("attention.output.dense"), &named("context"), &named("attention"));
    graph.node("Add", &[&named("attention"), input], &named("attention+"), vec![]);
    graph.norm(&weights("attention.output.LayerNorm"), &named("attention+"), &named("attended"));
    graph.linear(&weights("intermediate.dense"), &named("attended"), &named("wide"));
    graph.node("Gelu", &[&named("wide")], &named("active"), vec![]);
    graph.linear(&weights("output.dense"), &named("active"), &named("narrow"));
    graph.node("Add", &[&named("narrow"), &named("attended")], &named("narrow+"), vec![]);
    graph.norm(&weights("output.LayerNorm"), &named("narrow+"), &named("hidden"));
    named("hidden")
}

/// A graph while it is written.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl Graph {
    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            name: Some(format!("{op}:{output}")),
            op_type: Some(op.to_owned()),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..NodeProto::default()
        });
    }

    /// `input` × transposed weight + bias.
    fn linear(&mut self, weights: &str, input: &str, output: &str) {
        let (weight, bias) = (format!("{weights}.weight"), format!("{weights}.bias"));
        self.node("Gemm", &[input, &weight, &bias], output, vec![int_attribute("transB", 1)]);
    }

    fn norm(&mut self, weights: &str, input: &str, output: &str) {
        let (weight, bias) = (format!("{weights}.weight"), format!("{weights}.bias"));
        let epsilon = AttributeProto {
            name: Some("epsilon".to_owned()),
            f: Some(LAYER_NORM_EPSILON),
            r#type: Some(AttributeType::FLOAT),
            ..AttributeProto::default()
        };
        self.node("LayerNormalization", &[input, &weight, &bias], output, vec![int_attribute("axis", -1), epsilon]);
    }

    fn weight(&mut self, weights: &Weights, name: &str) {
        let tensor = weights.tensor(name);
        let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
        self.initializers.push(TensorProto {
            name: Some(name.to_owned()),
            dims: tensor.shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(DataType::FLOAT),
            data_location: Some(DataLocation::EXTERNAL),
            external_data: vec![
                entry("location", WEIGHTS.to_owned()),
                entry("offset", tensor.place.start.to_string()),
                entry("length", tensor.place.len().to_string()),
            ],
            ..TensorProto::default()
        });
    }

    fn ints(&mut self, name: &str, values: &[i64]) {
        self.initializers.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![values.len() as i64],
            data_type: Some(DataType::INT64),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
    }

    fn floats(&mut self, name: &str, values: &[f32]) {
        self.initializers.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![values.len() as i64],
            data_type: Some(DataType::FLOAT),
            float_data: values.to_vec(),
            ..TensorProto::default()
        });
    }
}

fn value(name: &str, elements: DataType, rank: usize) -> ValueInfoProto {
    let dimension = |axis: usize| Dimension { dim_param: Some(format!("{name}_{axis}")), dim_value: None };
    let shape = TensorShapeProto { dim: (0..rank).map(dimension).collect() };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            tensor_type: Some(TypeProtoTensor { elem_type: Some(elements), shape: Some(shape) }),
            sequence: None,
        }),
    }
}

fn int_attribute(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), i: Some(value), r#type: Some(AttributeType::INT), ..AttributeProto::default() }
}

fn ints_attribute(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        ints: values.to_vec(),
        r#type: Some(AttributeType::INTS),
        ..AttributeProto::default()
    }
}
