//! How long a model of many small nodes takes for sequences of other lengths each time, which no node has at hand, beside the gas of it.
//!
//!     cargo run --release -p noema-model --example length_speed
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use noema_abi::ProtocolVersion;
use noema_model::graph::{Edge, EdgeId, Graph, Node, sequence};
use noema_model::manifest::{Manifest, Port};
use noema_model::ops::{Add, Op, Relu, Reshape, Slice};
use noema_model::{Extent, Model, container};
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

type Failure = Box<dyn std::error::Error>;

const NODES: u32 = 4096;

/// Nodes one behind the other.
fn chain() -> Vec<(Op, Vec<u32>)> {
    (0..NODES).map(|node| (Relu {}.into(), vec![node])).collect()
}

/// The same as views.
fn views() -> Vec<(Op, Vec<u32>)> {
    (0..NODES).map(|node| (Reshape { dims: vec![0, 1] }.into(), vec![node])).collect()
}

/// Half of the nodes make edges of many sizes, the other half needs them in the end, so that all are held at once.
fn wide() -> Vec<(Op, Vec<u32>)> {
    let part = |node: u32| (Slice { starts: vec![0, 0], sizes: vec![0, 1] }.into(), vec![node % 2]);
    let mut nodes: Vec<(Op, Vec<u32>)> = vec![(Relu {}.into(), vec![0])];
    nodes.extend((1..NODES / 2).map(part));
    nodes.push((Add {}.into(), vec![2, 3]));
    nodes
        .extend((1..NODES / 2).map(|node| (Add {}.into(), vec![NODES / 2 + node, 2 + (node * 577) % (NODES / 2 - 2)])));
    nodes
}

fn model(nodes: Vec<(Op, Vec<u32>)>) -> Result<Model, Failure> {
    let node = |(index, (op, inputs)): (usize, (Op, Vec<u32>))| {
        let name = index.to_string();
        Node { name, op, inputs: inputs.into_iter().map(EdgeId).collect() }
    };
    let nodes: Vec<Node> = nodes.into_iter().enumerate().map(node).collect();
    let last = EdgeId(u32::try_from(nodes.len())?);
    let inputs = vec![Edge::new(DType::I8, &[sequence(65_536), 1])];
    let graph = Graph { inputs, nodes, outputs: vec![last] };
    let manifest = Manifest {
        // Every node keeps the shape or takes all of it.
        inputs: vec![Port::new("x", &graph.inputs[0], 0)],
        outputs: vec![Port::new("y", &graph.inputs[0], 0)],
        ..Manifest::default()
    };
    let weights = vec![vec![]; graph.nodes.len()];
    Ok(Model::from_bytes(container::encode(&manifest, &graph, &weights)?)?)
}

fn main() -> Result<(), Failure> {
    let kernels = Kernels::new(Level::best(), 1)?;
    for (name, nodes) in [("chain", chain()), ("views", views()), ("wide", wide())] {
        let model = model(nodes)?;
        let version = ProtocolVersion::LATEST;
        let lengths = 1..=60_u32;
        let start = Instant::now();
        for length in lengths.clone() {
            std::hint::black_box(model.cost_of(version, Extent { batch: 1, length })?);
        }
        let cost = start.elapsed() / 60;
        let run = |lengths: std::ops::RangeInclusive<u32>| -> Result<(Duration, u64), Failure> {
            let (mut took, mut gas) = (Duration::ZERO, 0);
            for length in lengths {
                let x = Tensor::from_vec(Shape::new(&[1, length, 1])?, vec![1_i8; usize::try_from(length)?])?;
                gas += model.cost_of(version, Extent { batch: 1, length })?;
                let start = Instant::now();
                std::hint::black_box(model.run(&kernels, &[&x])?);
                took += start.elapsed();
            }
            Ok((took, gas))
        };
        run(1..=1)?;
        let (other, gas) = run(lengths)?;
        run(1..=1)?;
        let (same, same_gas) = run(1..=1)?;
        #[allow(clippy::cast_precision_loss, reason = "measured, not computed with")]
        let share = |took: Duration, gas: u64| took.as_secs_f64() * 1e12 / gas as f64;
        println!(
            "{name}: a new cost {cost:?}; runs of other lengths {:?}, {:.2} of their gas; of the same {same:?}, {:.2}",
            other / 60,
            share(other, gas),
            share(same, same_gas),
        );
    }
    Ok(())
}
