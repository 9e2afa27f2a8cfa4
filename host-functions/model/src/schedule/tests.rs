use std::collections::BTreeMap;

use noema_tensor::{DType, Level};

use super::{Schedule, only_reader};
use crate::{
    arena::ArenaPlan,
    graph::{Edge, EdgeId},
    ops::{Add, Linear, Requantise},
    parameters::Array,
    sample::Sample,
};

/// `x` (i8) -> linear -> requantise -> linear -> requantise, with these multipliers and shifts.
fn chain(multiplier: i32, shift: u8) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::I8, &[20]));
    let mut last = EdgeId(0);
    for inputs in [20i32, 7] {
        let weights = (0..7 * inputs).map(|i| i8::try_from(i % 11 - 5).unwrap()).collect();
        let linear = Linear { outputs: 7, accumulator: DType::I32 };
        last = sample.node(linear, &[last], vec![Array::I8(weights), Array::I32(vec![3; 7])]);
        let scales = vec![Array::I32(vec![multiplier; 7]), Array::U8(vec![shift; 7])];
        last = sample.node(Requantise { per_channel: true, zero_point: 1, dtype: DType::I8 }, &[last], scales);
    }
    sample.graph.outputs = vec![last];
    sample
}

/// How many things there are to do at a level, of a model that gives the same bits at all levels.
fn entries(sample: &Sample, level: Level) -> usize {
    let model = sample.model();
    let (graph, edges) = (model.graph(), model.edges());
    let plan = ArenaPlan::new(graph, edges);
    let schedule = Schedule::new(level, graph, edges, &plan, |index| model.parameters(index)).unwrap();
    assert!(schedule.plan.row_bytes() <= plan.row_bytes());
    let x = crate::sample::input(&graph.inputs[0], 9, 5);
    let run = |level| model.run(&noema_tensor::Kernels::new(level, 1).unwrap(), &[&x]).unwrap();
    let bytes = |outputs: Vec<noema_tensor::Tensor>| -> Vec<Vec<u8>> {
        outputs.iter().map(|output| output.to_le_bytes().unwrap()).collect()
    };
    assert_eq!(bytes(run(level)), bytes(run(Level::Reference)), "{level}");
    schedule.entries.len()
}

fn fast() -> impl Iterator<Item = Level> {
    let others = [Level::Reference, Level::Portable, Level::CandleF32, Level::Cuda];
    Level::available().into_iter().filter(move |level| !others.contains(level))
}

#[test]
fn layers_are_requantised_at_once_where_the_level_can() {
    for level in fast() {
        assert_eq!(entries(&chain(1_518_500_249, 33), level), 2, "{level}");
        // A multiplier with zeros at its end lets results lie in the middle.
        assert_eq!(entries(&chain(1 << 30, 33), level), 2, "{level}");
        assert_eq!(entries(&chain(1_518_500_249, 32), level), 2, "{level}");
        assert_eq!(entries(&chain(0, 40), level), 2, "{level}");
    }
    for level in [Level::Reference, Level::Portable] {
        assert_eq!(entries(&chain(1_518_500_249, 33), level), 4);
    }
}

#[test]
fn sums_that_others_read_are_made() {
    let mut sample = chain(1_518_500_249, 33);
    // The sums of the first layer are an output too.
    sample.graph.outputs.push(EdgeId(1));
    for level in fast() {
        assert_eq!(entries(&sample, level), 3, "{level}");
    }
    let mut sample = chain(1_518_500_249, 33);
    let sum = sample.node(Add {}, &[EdgeId(1), EdgeId(3)], vec![]);
    sample.graph.outputs.push(sum);
    for level in fast() {
        assert_eq!(entries(&sample, level), 5, "{level}");
    }
    assert_eq!(only_reader(&sample.graph, EdgeId(2)), Some(1));
    assert_eq!(only_reader(&sample.graph, EdgeId(1)), None);
    assert_eq!(only_reader(&sample.graph, EdgeId(0)), None);
}

/// What a layer reads must lie beside what is made of it, though the node between them has read it.
#[test]
fn what_is_read_stays_until_the_second_node() {
    let sample = chain(1_518_500_249, 33);
    let edges = sample.graph.edges().unwrap();
    let absorbed = BTreeMap::from([(1, 2), (3, 4)]);
    let plan = ArenaPlan::without(&sample.graph, &edges, &absorbed);
    // 20 bytes of input in three words beside 7 bytes of the first result, and that beside the second.
    assert_eq!(plan.row_bytes(), 32);
    assert_eq!(ArenaPlan::new(&sample.graph, &edges).row_bytes(), 56);
}
