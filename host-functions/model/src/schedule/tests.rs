use noema_tensor::{DType, Kernels, Level, Tensor};

use super::Schedule;
use crate::{
    graph::{Edge, EdgeId},
    ops::{Add, Linear, Requantise, Reshape},
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

/// How many things there are to do, of a model that gives the same bits at all levels.
fn entries(sample: &Sample) -> usize {
    let model = sample.model();
    let (graph, edges) = (model.graph(), model.edges());
    let plan = crate::arena::ArenaPlan::new(graph, edges);
    let x = crate::sample::input(&graph.inputs[0], 9, 5);
    let run = |level| model.run(&Kernels::new(level, 1).unwrap(), &[&x]).unwrap();
    let bytes =
        |outputs: Vec<Tensor>| -> Vec<Vec<u8>> { outputs.iter().map(|output| output.to_le_bytes().unwrap()).collect() };
    let reference = bytes(run(Level::Reference));
    let mut counts = Level::available().into_iter().map(|level| {
        assert_eq!(bytes(run(level)), reference, "{level}");
        Schedule::new(level, graph, edges, &plan, |index| model.parameters(index)).unwrap().entries.len()
    });
    let first = counts.next().unwrap();
    assert!(counts.all(|count| count == first));
    first
}

#[test]
fn layers_are_requantised_at_once() {
    assert_eq!(entries(&chain(1_518_500_249, 33)), 2);
    // A multiplier with zeros at its end lets results lie in the middle.
    assert_eq!(entries(&chain(1 << 30, 33)), 2);
    assert_eq!(entries(&chain(1_518_500_249, 32)), 2);
    assert_eq!(entries(&chain(0, 40)), 2);
}

#[test]
fn sums_that_others_read_are_made() {
    let mut sample = chain(1_518_500_249, 33);
    // The sums of the first layer are an output too.
    sample.graph.outputs.push(EdgeId(1));
    assert_eq!(entries(&sample), 3);
    let mut sample = chain(1_518_500_249, 33);
    let sum = sample.node(Add {}, &[EdgeId(1), EdgeId(3)], vec![]);
    sample.graph.outputs.push(sum);
    assert_eq!(entries(&sample), 5);
}

#[test]
fn views_are_no_work() {
    let mut sample = chain(1_518_500_249, 33);
    let view = sample.node(Reshape { dims: vec![7, 1] }, &[EdgeId(4)], vec![]);
    let again = sample.node(Reshape { dims: vec![7] }, &[view], vec![]);
    sample.graph.outputs = vec![view, again];
    assert_eq!(entries(&sample), 2);
}
