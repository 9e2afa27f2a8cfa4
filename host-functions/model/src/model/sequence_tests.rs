//! Graphs with a sequence axis, and the operators of encoders and image classifiers.

use noema_abi::{DType, ProtocolVersion, Status};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};
use proptest::prelude::*;

use crate::{
    Extent, Model, ModelError,
    bounds::EdgeBound,
    by_opcodes::by_opcodes,
    container,
    graph::{Edge, EdgeId, MAX_SEQUENCE, sequence},
    ops::{Linear, Relu, Reshape},
    parameters::Array,
    sample::{
        self, Sample,
        larger::{classifiers, encoder, encoders, recurrents, sentences},
    },
};

fn kernels() -> Vec<Kernels> {
    let levels = Level::available().into_iter();
    levels.flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap())).collect()
}

fn bytes(tensors: &[Tensor]) -> Vec<(Vec<u32>, Vec<u8>)> {
    tensors.iter().map(|x| (x.shape().dims().to_vec(), x.to_le_bytes().unwrap())).collect()
}

#[test]
fn encoders_and_their_opcodes_agree_at_every_level() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(24), |(sample in encoders(), seed in any::<u64>(), share in 0u32..100)| {
        let model = sample.model();
        let length = 1 + share * model.longest() / 100;
        let [tokens, counts] = sentences(3, length, seed);
        let expected = bytes(&by_opcodes(&model, &kernels[0], &[&tokens, &counts]).unwrap());
        for kernels in &kernels {
            prop_assert_eq!(&bytes(&model.run(kernels, &[&tokens, &counts]).unwrap()), &expected);
        }
    });
}

#[test]
fn classifiers_and_their_opcodes_agree_at_every_level() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(24), |(sample in classifiers(), seed in any::<u64>())| {
        let model = sample.model();
        let x = sample::input(&sample.graph.inputs[0], 3, seed);
        let expected = bytes(&by_opcodes(&model, &kernels[0], &[&x]).unwrap());
        for kernels in &kernels {
            prop_assert_eq!(&bytes(&model.run(kernels, &[&x]).unwrap()), &expected);
        }
    });
}

#[test]
fn recurrent_networks_and_their_opcodes_agree_at_every_level_in_any_batch() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(24), |(sample in recurrents(), seed in any::<u64>(), share in 0u32..100)| {
        let model = sample.model();
        let edge = sample.graph.inputs[0].at(1 + share * model.longest() / 100);
        let x = sample::input(&edge, 3, seed);
        let expected = bytes(&by_opcodes(&model, &kernels[0], &[&x]).unwrap());
        for kernels in &kernels {
            prop_assert_eq!(&bytes(&model.run(kernels, &[&x]).unwrap()), &expected);
        }
        let row_bytes = usize::try_from(edge.row_bytes()).unwrap();
        for (row, x) in x.to_le_bytes().unwrap().chunks(row_bytes).enumerate() {
            let shape = Shape::new(&[&[1], &edge.dims[..]].concat()).unwrap();
            let x = Tensor::from_le_bytes(edge.dtype, shape, x).unwrap();
            for ((_, one), (_, all)) in bytes(&model.run(&kernels[0], &[&x]).unwrap()).iter().zip(&expected) {
                prop_assert_eq!(&one[..], &all[row * one.len()..][..one.len()]);
            }
        }
    });
}

/// The embedding of a sentence is one, whatever stands behind it, however long that is, and whoever shares its batch.
#[test]
fn results_do_not_depend_on_padding_or_batch() {
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    proptest!(ProptestConfig::with_cases(48), |(seed in any::<u64>(), longest in 2u32..12, other in 0i32..13)| {
        let model = encoder(2, 3, longest, 5, seed).model();
        let [tokens, counts] = sentences(4, longest, seed);
        let whole = model.run(&kernels, &[&tokens, &counts]).unwrap();
        let rows = tokens.to_vec::<i32>().unwrap();
        for (row, count) in counts.to_vec::<i32>().unwrap().into_iter().enumerate() {
            let used = usize::try_from(count).unwrap();
            let sentence = &rows[row * usize::try_from(longest).unwrap()..][..used];
            for padded in used..=usize::try_from(longest).unwrap() {
                let mut padding = sentence.to_vec();
                padding.resize(padded, other);
                let shape = Shape::new(&[1, u32::try_from(padded).unwrap()]).unwrap();
                let one = Tensor::from_vec(shape, padding).unwrap();
                let of = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![count]).unwrap();
                let alone = model.run(&kernels, &[&one, &of]).unwrap();
                let of_batch = whole[0].to_vec::<i16>().unwrap();
                let width = of_batch.len() / 4;
                prop_assert_eq!(&alone[0].to_vec::<i16>().unwrap()[..], &of_batch[row * width..][..width]);
            }
        }
    });
}

#[test]
fn every_value_lies_within_its_bound_for_every_length() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let inside = |model: &Model, sample: &Sample, inputs: &[&Tensor]| {
        for (id, output) in sample.graph.outputs.iter().zip(model.run(&kernels, inputs).unwrap()) {
            let EdgeBound { interval, peak } = model.certificate().edges[usize::try_from(id.0).unwrap()];
            assert!(interval.lo <= interval.hi && interval.magnitude() <= peak);
            let size = output.dtype().size();
            for element in output.to_le_bytes().unwrap().chunks(size) {
                let mut wide = [if output.dtype() != DType::U8 && element[size - 1] > 127 { 0xff } else { 0 }; 8];
                wide[..size].copy_from_slice(element);
                assert!((interval.lo..=interval.hi).contains(&i64::from_le_bytes(wide)), "{interval:?} at {id:?}");
            }
        }
    };
    proptest!(ProptestConfig::with_cases(24), |(sample in encoders(), classifier in classifiers(), recurrent in recurrents(), seed in any::<u64>())| {
        for first in (2..sample.graph.nodes.len()).step_by(8) {
            let mut part = sample.clone();
            part.graph.outputs = (first..first + 8).take_while(|id| *id < 2 + part.graph.nodes.len())
                .map(|id| EdgeId(u32::try_from(id).unwrap())).collect();
            let model = part.model();
            for length in 1..=model.longest() {
                let [tokens, counts] = sentences(2, length, seed);
                inside(&model, &part, &[&tokens, &counts]);
            }
        }
        let classifier = classifier.with_all_outputs();
        let x = sample::input(&classifier.graph.inputs[0], 4, seed);
        inside(&classifier.model(), &classifier, &[&x]);
        let model = recurrent.model();
        for length in 1..=model.longest() {
            let x = sample::input(&recurrent.graph.inputs[0].at(length), 2, seed);
            inside(&model, &recurrent, &[&x]);
        }
    });
}

#[test]
fn elements_that_are_not_taken_are_a_status() {
    let model = encoder(1, 2, 4, 3, 1).model();
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let run = |tokens: Vec<i32>, shape: &[u32], count: i32| {
        let tokens = Tensor::from_vec(Shape::new(shape).unwrap(), tokens).unwrap();
        let count = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![count]).unwrap();
        model.run(&kernels, &[&tokens, &count]).map(|_| ())
    };
    assert_eq!(run(vec![0, 12, 3], &[1, 3], 3), Ok(()));
    for (tokens, count) in
        [(vec![0, 13, 3], 3), (vec![0, -1, 3], 1), (vec![0; 3], 0), (vec![0; 3], 4), (vec![0; 3], -1)]
    {
        assert_eq!(run(tokens, &[1, 3], count), Err(OpError::Status(Status::IndexOutOfRange)));
    }
    for shape in [&[1, 5][..], &[1, 0], &[2, 3], &[1, 3, 1]] {
        let count = shape.iter().product::<u32>();
        let tokens = vec![0; usize::try_from(count).unwrap()];
        assert_eq!(run(tokens, shape, 1), Err(OpError::Status(Status::ShapeMismatch)), "{shape:?}");
    }
}

#[test]
fn cost_and_memory_follow_the_length() {
    let model = encoder(2, 4, 8, 5, 3).model();
    let cost = |length| model.cost_of(ProtocolVersion::V1, Extent { batch: 2, length });
    let all: Vec<u64> = (1..=8).map(|length| cost(length).unwrap()).collect();
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    assert_eq!(model.cost(ProtocolVersion::V1, 2), Ok(all[7]));
    assert_eq!((cost(0), cost(9)), (Err(Status::ShapeMismatch), Err(Status::ShapeMismatch)));
    // Attention grows with the square: the differences grow by the same number of gas from each length to the next, from the one on
    // with which no axis is 1 (what does not count when axes are put into another order).
    let growth: Vec<u64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let bend: Vec<u64> = growth.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(bend[0] > 0 && bend[1] > 0 && bend[1..].windows(2).all(|pair| pair[0] == pair[1]), "{bend:?}");
}

/// Contracts pay little for asking, so nodes are gone through once for each length, and nothing is laid out.
#[test]
fn what_a_length_costs_is_summed_once() {
    let model = encoder(2, 4, 8, 5, 3).model();
    let ask = |batch| -> Vec<Result<u64, Status>> {
        (0..=9).map(|length| model.cost_of(ProtocolVersion::V1, Extent { batch, length })).collect()
    };
    let one = ask(1);
    let kept = || model.costs.lock().unwrap().clone();
    let first = kept();
    assert_eq!(first.len(), 8, "lengths that cannot be are not kept");
    assert_eq!(ask(1), one);
    assert_eq!(ask(u32::MAX).iter().flatten().count(), 8);
    assert_eq!(kept(), first);
    assert!(model.shorter.lock().unwrap().is_empty());
}

#[test]
fn sequences_that_cannot_be_are_refused() {
    let refused = |inputs: Vec<Edge>, node: &dyn Fn(&mut Sample) -> EdgeId| {
        let mut sample = Sample::new(inputs[0].clone());
        sample.graph.inputs = inputs;
        let output = node(&mut sample);
        sample.graph.outputs = vec![output];
        if let Err(error) = sample.graph.edges().and_then(|_| sample.graph.edges_at(1)) {
            return error;
        }
        container::encode(&sample.manifest(), &sample.graph, &sample.parameters).unwrap_err()
    };
    let same = |_: &mut Sample| EdgeId(0);
    for inputs in [
        vec![Edge::new(DType::I8, &[sequence(0)])],
        vec![Edge::new(DType::I8, &[sequence(MAX_SEQUENCE + 1)])],
        vec![Edge::new(DType::I8, &[sequence(4)]), Edge::new(DType::I8, &[sequence(5)])],
        vec![Edge::new(DType::I8, &[u32::MAX; 3])],
    ] {
        assert!(matches!(refused(inputs, &same), ModelError::Input { .. }));
    }
    // Weights for as many inputs as the sequence is long would be others for every length.
    let linear = |sample: &mut Sample| {
        let op = Linear { outputs: 1, accumulator: DType::I32 };
        sample.node(op, &[EdgeId(0)], vec![Array::I8(vec![1; 4]), Array::I32(vec![0])])
    };
    let error = refused(vec![Edge::new(DType::I8, &[sequence(4)])], &linear);
    assert!(error.to_string().contains("depend on the length"), "{error}");
    // A shape that fits one length alone.
    let reshape = |sample: &mut Sample| sample.node(Reshape { dims: vec![2, 2] }, &[EdgeId(0)], vec![]);
    assert!(matches!(refused(vec![Edge::new(DType::I8, &[sequence(4)])], &reshape), ModelError::Node { .. }));
    // A manifest that calls the sequence axis a fixed one.
    let mut sample = Sample::new(Edge::new(DType::I8, &[sequence(4)]));
    let relu = sample.node(Relu {}, &[EdgeId(0)], vec![]);
    sample.graph.outputs = vec![relu];
    for port in 0..2 {
        let mut manifest = sample.manifest();
        let ports = if port == 0 { &mut manifest.inputs } else { &mut manifest.outputs };
        ports[0].shape = vec![4];
        let error = container::encode(&manifest, &sample.graph, &sample.parameters).unwrap_err();
        assert!(matches!(error, ModelError::Manifest(_)), "{error}");
    }
}

/// Products whose sums run along the sequence, and a part that is there for every length.
#[test]
fn sums_along_the_sequence() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[sequence(4), 4]));
    let slice = crate::ops::Slice { starts: vec![0, 0], sizes: vec![1, 0] };
    let one = sample.node(slice, &[EdgeId(0)], vec![]);
    let turned = sample.node(crate::ops::Transpose { axes: vec![1, 0] }, &[EdgeId(0)], vec![]);
    // [4, s] by [s, 4]: always [4, 4].
    let products = sample.node(crate::ops::MatMul {}, &[turned, EdgeId(0)], vec![]);
    sample.graph.outputs = vec![products, one];
    let model = sample.model();
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    for length in 1..=4u32 {
        let x = sample::input(&Edge::new(DType::I8, &[length, 4]), 2, 5);
        let outputs = model.run(&kernels, &[&x]).unwrap();
        assert_eq!(bytes(&outputs), bytes(&by_opcodes(&model, &kernels, &[&x]).unwrap()));
    }
}
