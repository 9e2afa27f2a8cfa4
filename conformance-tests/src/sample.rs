//! Models that vectors and golden contracts use.

use noema_model::graph::{Edge, EdgeId, Graph, Node, sequence};
use noema_model::ops::{Argmax, Embedding, Function, Linear, Op, Softmax, TreeEnsemble};
use noema_model::parameters::Array;
use noema_model::{Manifest, ModelError, Port, container};
use noema_tensor::{DType, kernel::Function as RealFunction};

use crate::ConformanceError;

/// The container of a model by its name in vector files:
///
/// - `two-scores`: `i8[3]` in; out come `[1 2 3; -1 0 1] x + [0 100]` as `i32[2]`, and the index of the larger one;
/// - `two-scores#VERSION`: the same with another version, and so another id;
/// - `small-forest`: `i32[2]` in; out come the sums `i64[2]` of three trees, and the index of the larger one. With `a` and
///   `b` the features, the first sum is 1000 and: where `a <= 5` (missing: left), 10 where `b <= -3` (missing or 0: right),
///   else -20; else 7. And -40 where `b <= 2147483647` (missing: right), else 400. The second sum is 990.
/// - `roots`: a sequence of up to 3 `i32` in, each naming one of the rows `4 1`, `-4 1`, `0 1`; out come, of each number `x` in
///   them, `sqrt(x)` and `1 / sqrt(x)`, as `i8`;
/// - `wide-softmax`: softmax of `i8[4, 65536]`, whose price leaves 63 bits at the largest batches.
///
/// # Errors
/// There is no model of this name.
pub fn model(name: &str) -> Result<Vec<u8>, ConformanceError> {
    let fail = |what: String| ConformanceError::format(format!("model {name}"), what);
    let (kind, version) = name.split_once('#').unwrap_or((name, "1"));
    let made = match kind {
        "two-scores" => two_scores(version),
        "small-forest" => small_forest(version),
        "roots" => roots(version),
        "wide-softmax" => wide_softmax(version),
        _ => return Err(fail("there are `two-scores`, `small-forest`, `roots` and `wide-softmax`".to_owned())),
    };
    made.map_err(|error| fail(error.to_string()))
}

fn two_scores(version: &str) -> Result<Vec<u8>, ModelError> {
    let linear = Linear { outputs: 2, accumulator: DType::I32 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[3])],
        nodes: vec![
            Node { name: "scores".into(), op: linear.into(), inputs: vec![EdgeId(0)] },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
        ],
        outputs: vec![EdgeId(1), EdgeId(2)],
    };
    let weights = vec![vec![Array::I8(vec![1, 2, 3, -1, 0, 1]), Array::I32(vec![0, 100])], vec![]];
    let labels = vec!["no".into(), "yes".into()];
    encode("two-scores", version, &graph, &["scores", "class"], labels, &weights)
}

fn small_forest(version: &str) -> Result<Vec<u8>, ModelError> {
    let trees = TreeEnsemble { outputs: 2, trees: 3, decisions: 3, depth: 2, steps: 3 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I32, &[2])],
        nodes: vec![
            Node { name: "sums".into(), op: trees.into(), inputs: vec![EdgeId(0)] },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(1)] },
        ],
        outputs: vec![EdgeId(1), EdgeId(2)],
    };
    let weights = vec![
        vec![
            Array::I32(vec![2, 0, 1]),
            Array::I32(vec![0, 1, 0]),
            Array::I32(vec![0, 1, 1]),
            Array::I32(vec![5, -3, i32::MAX]),
            Array::I32(vec![1, -1, -1]),
            Array::I32(vec![-3, -2, -2]),
            Array::U8(vec![1, 2, 0]),
            Array::I64(vec![10, -20, 7, -10, -40, 400]),
            Array::I64(vec![1000, 1000]),
        ],
        vec![],
    ];
    encode("small-forest", version, &graph, &["sums", "class"], Vec::new(), &weights)
}

fn roots(version: &str) -> Result<Vec<u8>, ModelError> {
    let function = |function| Function::new(function, 0, 0, DType::I8);
    let node = |name: &str, op: Op, input| Node { name: name.into(), op, inputs: vec![EdgeId(input)] };
    let table = Embedding { rows: 3, columns: 2, dtype: DType::I8 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I32, &[sequence(3)])],
        nodes: vec![
            node("rows", table.into(), 0),
            node("roots", function(RealFunction::Sqrt).into(), 1),
            node("inverses", function(RealFunction::Recip).into(), 2),
        ],
        outputs: vec![EdgeId(2), EdgeId(3)],
    };
    let port = |name: &str| Port::with_sequence(name, DType::I8, &[sequence(3), 2], 0);
    let manifest = Manifest {
        name: "roots".into(),
        licence: "CC0-1.0".into(),
        version: version.into(),
        inputs: vec![Port::new("x", &graph.inputs[0], 0)],
        outputs: vec![port("roots"), port("inverses")],
        labels: Vec::new(),
        accuracy: String::new(),
    };
    let weights = vec![vec![Array::I8(vec![4, 1, -4, 1, 0, 1])], vec![], vec![]];
    container::encode(&manifest, &graph, &weights)
}

fn wide_softmax(version: &str) -> Result<Vec<u8>, ModelError> {
    let softmax = Softmax { multiplier: 1 << 30, shift: 30, fraction_bits: 15 };
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[4, 65_536])],
        nodes: vec![Node { name: "softmax".into(), op: softmax.into(), inputs: vec![EdgeId(0)] }],
        outputs: vec![EdgeId(1)],
    };
    encode("wide-softmax", version, &graph, &["probabilities"], Vec::new(), &[vec![]])
}

fn encode(
    name: &str,
    version: &str,
    graph: &Graph,
    outputs: &[&str],
    labels: Vec<String>,
    weights: &[Vec<Array>],
) -> Result<Vec<u8>, ModelError> {
    let edges = graph.edges()?;
    let output = |(name, id): (&&str, &EdgeId)| {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        edges.get(index).map(|edge| Port::new(name, edge, 0))
    };
    let manifest = Manifest {
        name: name.into(),
        licence: "CC0-1.0".into(),
        version: version.into(),
        inputs: vec![Port::new("x", &graph.inputs[0], 0)],
        outputs: outputs.iter().zip(&graph.outputs).filter_map(output).collect(),
        labels,
        accuracy: String::new(),
    };
    container::encode(&manifest, graph, weights)
}
