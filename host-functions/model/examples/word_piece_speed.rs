//! How long a tokenizer takes whose characters become many marks each, beside the gas of it.
//!
//!     cargo run --release -p noema-model --example word_piece_speed
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use noema_abi::ProtocolVersion;
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::manifest::{Manifest, Port};
use noema_model::ops::{
    WordPiece,
    text::{DROP, LIST, entry},
};
use noema_model::parameters::Array;
use noema_model::{Extent, Model, container};
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

type Failure = Box<dyn std::error::Error>;

/// Each of the first 128 characters becomes `expansion` marks, all of them different: in combining classes or not, alone or inside a word.
fn model(bytes: u32, expansion: u32, classes: bool, alone: bool) -> Result<Model, Failure> {
    let marks = 128 * expansion;
    // Two roots, and a child of each for every mark.
    let nodes = 2 + 2 * marks;
    let op = WordPiece {
        tokens: (bytes * expansion).min(1 << 22) + 2,
        vocabulary: marks + 4,
        longest_word: u32::MAX,
        before: 0,
        behind: 1,
        unknown: 2,
        padding: 3,
        ranges: 129,
        listed: marks,
        nodes,
        depth: 1,
        expansion,
    };
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let spread = |mark: u32| mark.wrapping_mul(2_654_435_761) >> 8;
    let starts = (0..=128).map(number).collect();
    let mut kinds = vec![LIST; 128];
    kinds.push(DROP);
    let values = (0..128).map(|c| number(c * expansion)).chain([0]).collect();
    let mut counts = vec![u8::try_from(expansion)?; 128];
    counts.push(0);
    let class = |mark: u32| if classes { u8::try_from(1 + spread(mark) % 254).unwrap_or(1) } else { 0 };
    let list = (0..marks).map(|mark| entry(1000 + spread(mark) % marks, class(mark), alone, false)).collect();
    let children = [2, 2 + marks].into_iter().chain((1..nodes).map(|_| nodes)).map(number).collect();
    let points = [0, 0].into_iter().chain((0..2).flat_map(|_| 1000..1000 + marks)).map(number).collect();
    let tokens = [-1, -1].into_iter().chain((0..2).flat_map(|_| (0..marks).map(|mark| number(mark + 4)))).collect();
    let weights = vec![vec![
        Array::I32(starts),
        Array::U8(kinds),
        Array::U8(vec![0; 129]),
        Array::I32(values),
        Array::U8(counts),
        Array::I32(list),
        Array::I32(children),
        Array::I32(points),
        Array::I32(tokens),
    ]];
    let graph = Graph {
        inputs: vec![Edge::new(DType::U8, &[bytes]), Edge::new(DType::I32, &[])],
        nodes: vec![Node { name: "pieces".into(), op: op.into(), inputs: vec![EdgeId(0), EdgeId(1)] }],
        outputs: vec![EdgeId(2)],
    };
    let edges = graph.edges()?;
    let manifest = Manifest {
        inputs: vec![Port::new("text", &edges[0], 0), Port::new("bytes", &edges[1], 0)],
        outputs: vec![Port::new("tokens", &edges[2], 0)],
        ..Manifest::default()
    };
    Ok(Model::from_bytes(container::encode(&manifest, &graph, &weights)?)?)
}

fn main() -> Result<(), Failure> {
    let kernels = Kernels::new(Level::best(), 1)?;
    for (bytes, expansion) in [(65_536, 64), (65_536, 8), (1 << 20, 4), (1 << 20, 1), (1024, 64)] {
        for (what, classes, alone) in [("inside", false, false), ("alone", false, true), ("classes", true, false)] {
            let model = model(bytes, expansion, classes, alone)?;
            let mut number = 1_u64;
            let mut next = || {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u8::try_from(number >> 57).unwrap_or(0)
            };
            let text = (0..bytes).map(|_| next()).collect::<Vec<u8>>();
            let text = Tensor::from_vec(Shape::new(&[1, bytes])?, text)?;
            let count = Tensor::from_vec(Shape::new(&[1])?, vec![i32::try_from(bytes)?])?;
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                let start = Instant::now();
                std::hint::black_box(model.run(&kernels, &[&text, &count])?);
                best = best.min(start.elapsed().as_secs_f64());
            }
            let gas = model.cost_of(ProtocolVersion::LATEST, Extent { batch: 1, length: 1 })?;
            #[allow(clippy::cast_precision_loss, reason = "measured, not computed with")]
            let (share, each) = (best * 1e12 / gas as f64, best * 1e9 / f64::from(bytes * expansion));
            println!("{bytes} bytes, {expansion} marks each, {what}: {each:.1} ns a mark, {share:.2} of its gas");
        }
    }
    Ok(())
}
