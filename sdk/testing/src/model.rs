//! A model for tests.

use noema_model::container;
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::manifest::{Manifest, Port};
use noema_model::ops::{Argmax, Linear, Requantise};
use noema_model::parameters::Array;
use noema_tensor::DType;

/// The container of the smallest classifier there is, for [`TestChain::add_model`](crate::TestChain::add_model) while the real
/// one is being trained: `features` (`i32 [n, F]`, of which 16 bits count: others are saturated) to `scores` (`i32 [n, C]`, the exact sums
/// `features * weights[c] + bias[c]`) and `class` (`i32 [n]`, the first of the largest), as an imported network without a softmax takes and
/// gives them. `weights` has `F` weights for each of the `C` classes.
///
/// ```
/// use noema_testing::{TestChain, linear_classifier};
///
/// let mut chain = TestChain::new();
/// let id = chain.add_model(&linear_classifier(&[&[1, 2], &[-1, 0]], &[0, 5]))?;
/// # let _ = id;
/// # Ok::<(), noema_testing::Failure>(())
/// ```
///
/// # Panics
/// Where the weights are not those of at least one feature for each bias, or so large that a sum might not fit 32 bits.
#[must_use]
pub fn linear_classifier(weights: &[&[i8]], bias: &[i32]) -> Vec<u8> {
    let features = weights.first().map_or(0, |row| row.len());
    assert!(features > 0 && weights.len() == bias.len(), "one row of weights for each bias");
    assert!(weights.iter().all(|row| row.len() == features), "rows of one length");
    let outputs = u32::try_from(bias.len()).expect("few classes");
    let graph = Graph {
        inputs: vec![Edge::new(DType::I32, &[u32::try_from(features).expect("few features")])],
        nodes: vec![
            Node {
                name: "narrow".into(),
                op: Requantise { per_channel: false, zero_point: 0, dtype: DType::I16 }.into(),
                inputs: vec![EdgeId(0)],
            },
            Node {
                name: "scores".into(),
                op: Linear { outputs, accumulator: DType::I32 }.into(),
                inputs: vec![EdgeId(1)],
            },
            Node { name: "class".into(), op: Argmax {}.into(), inputs: vec![EdgeId(2)] },
        ],
        outputs: vec![EdgeId(2), EdgeId(3)],
    };
    let edges = graph.edges().expect("the graph is a graph");
    let manifest = Manifest {
        name: "linear classifier".into(),
        licence: "CC0-1.0".into(),
        version: "1".into(),
        inputs: vec![Port::new("features", &edges[0], 0)],
        outputs: vec![Port::new("scores", &edges[2], 0), Port::new("class", &edges[3], 0)],
        labels: (0..outputs).map(|class| class.to_string()).collect(),
        accuracy: String::new(),
    };
    // A scale of one: 2^30 by 30 bits.
    let one = vec![Array::I32(vec![1 << 30]), Array::U8(vec![30])];
    let weights = vec![one, vec![Array::I8(weights.concat()), Array::I32(bias.to_vec())], vec![]];
    container::encode(&manifest, &graph, &weights).expect("the bounds of so few weights hold")
}
