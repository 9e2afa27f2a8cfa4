use noema_abi::DType;
use noema_tensor::{Kernels, Level, Shape, Tensor};
use proptest::prelude::*;

use super::{EdgeBound, Interval};
use crate::{
    Model, ModelError, container,
    graph::{Edge, EdgeId},
    ops::{Add, Linear, Relu, Requantise},
    parameters::Array,
    sample::{self, Numbers, Sample, samples, values},
};

fn one_linear(k: u32, weight: i8, bias: i32, accumulator: DType) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::I8, &[k]));
    let weights = vec![weight; usize::try_from(k).unwrap()];
    let node =
        sample.node(Linear { outputs: 1, accumulator }, &[EdgeId(0)], vec![Array::I8(weights), Array::I32(vec![bias])]);
    sample.graph.outputs = vec![node];
    sample
}

#[test]
fn an_accumulator_is_32_bits_only_where_that_is_proven() {
    let limit = i64::from(i32::MAX);
    let widest = u32::try_from(limit / (128 * 127)).unwrap();
    let rest = i32::try_from(limit - i64::from(widest) * 128 * 127).unwrap();
    let model = one_linear(widest, 127, rest, DType::I32).model();
    assert_eq!(model.certificate().edges[1].peak, limit.unsigned_abs());

    let over = one_linear(widest, 127, rest + 1, DType::I32);
    match container::encode(&over.manifest(), &over.graph, &over.parameters).unwrap_err() {
        ModelError::Bound { edge, name, reason } => {
            assert_eq!((edge, name.as_str()), (1, "Linear 0"));
            assert!(reason.contains("2147483648"), "{reason}");
        }
        other => panic!("{other}"),
    }
    // The same weights are fine with 64 bits, and a wider row with smaller weights with 32.
    assert_eq!(
        one_linear(widest, 127, rest + 1, DType::I64).model().certificate().edges[1].peak,
        limit.unsigned_abs() + 1
    );
    one_linear(widest * 127, 1, 0, DType::I32).model();
}

#[test]
fn linear_bounds_are_reached() {
    let mut numbers = Numbers(7);
    for dtype in [DType::I8, DType::U8] {
        let mut sample = Sample::new(Edge::new(dtype, &[20]));
        let weights: Vec<i8> = (0..60).map(|_| numbers.next().to_le_bytes()[0].cast_signed()).collect();
        let bias = vec![5, -1000, 77];
        let node = sample.node(
            Linear { outputs: 3, accumulator: DType::I32 },
            &[EdgeId(0)],
            vec![Array::I8(weights.clone()), Array::I32(bias)],
        );
        sample.graph.outputs = vec![node];
        let model = sample.model();
        let kernels = Kernels::new(Level::Reference, 1).unwrap();
        let mut seen = Vec::new();
        // For each channel the inputs that push it to either end.
        for channel in weights.chunks(20) {
            for sign in [1, -1] {
                let end = |w: &i8| if i64::from(*w) * sign > 0 { dtype.max() } else { dtype.min() };
                let bytes: Vec<u8> = channel.iter().map(|w| end(w).to_le_bytes()[0]).collect();
                let x = Tensor::from_le_bytes(dtype, Shape::new(&[1, 20]).unwrap(), &bytes).unwrap();
                seen.extend(values(&model.run(&kernels, &[&x]).unwrap()[0]));
            }
        }
        let Interval { lo, hi } = model.certificate().edges[1].interval;
        assert_eq!((Some(&lo), Some(&hi)), (seen.iter().min(), seen.iter().max()));
    }
}

#[test]
fn saturating_operators_keep_to_their_type() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[2]));
    let sum = sample.node(Add {}, &[EdgeId(0), EdgeId(0)], vec![]);
    let relu = sample.node(Relu {}, &[sum], vec![]);
    sample.graph.outputs = vec![relu];
    let bounds: Vec<_> = sample.model().certificate().edges.iter().map(|edge| edge.interval).collect();
    let all = Interval { lo: -128, hi: 127 };
    assert_eq!(bounds, [all, all, Interval { lo: 0, hi: 127 }]);
}

#[test]
fn parameters_outside_the_rules_have_no_bound() {
    let build = |multiplier: i32, shift: u8| {
        let mut sample = Sample::new(Edge::new(DType::I32, &[1]));
        let op = Requantise { per_channel: false, zero_point: 0, dtype: DType::I8 };
        let node = sample.node(op, &[EdgeId(0)], vec![Array::I32(vec![multiplier]), Array::U8(vec![shift])]);
        sample.graph.outputs = vec![node];
        container::encode(&sample.manifest(), &sample.graph, &sample.parameters)
    };
    for (multiplier, shift) in [(-1, 0), (1, 0), ((1 << 30) - 1, 31), (i32::MIN, 31), (1 << 30, 63), (0, 255)] {
        let error = build(multiplier, shift).unwrap_err();
        assert!(matches!(&error, ModelError::Bound { edge: 1, name, .. } if name == "Requantise 0"), "{error}");
    }
    assert!(build(0, 62).is_ok() && build(1 << 30, 62).is_ok() && build(i32::MAX, 0).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_lies_within_its_bound(sample in samples(), seed in any::<u64>()) {
        let sample = sample.with_all_outputs();
        let model = sample.model();
        let x = sample::input(&sample.graph.inputs[0], 16, seed);
        let kernels = Kernels::new(Level::Portable, 1).unwrap();
        for (id, output) in sample.graph.outputs.iter().zip(model.run(&kernels, &[&x]).unwrap()) {
            let EdgeBound { interval, peak } = model.certificate().edges[usize::try_from(id.0).unwrap()];
            prop_assert!(interval.lo <= interval.hi && interval.magnitude() <= peak);
            for value in values(&output) {
                prop_assert!((interval.lo..=interval.hi).contains(&value), "{value} outside {interval:?} at {id:?}");
            }
        }
    }

    #[test]
    fn an_altered_certificate_is_refused(
        sample in samples(), edge in any::<prop::sample::Index>(), field in 0..3, change in any::<i64>(),
    ) {
        prop_assume!(change != 0);
        let decoded = container::decode(&sample.container()).unwrap();
        let mut certificate = decoded.certificate.clone();
        let edge = edge.index(certificate.edges.len());
        let bound = &mut certificate.edges[edge];
        match field {
            0 => bound.interval.lo ^= change,
            1 => bound.interval.hi ^= change,
            _ => bound.peak ^= change.cast_unsigned(),
        }
        let weights = decoded.layout.write(&sample.graph, &sample.parameters).unwrap();
        let bytes = container::write(&decoded.manifest, &decoded.graph, &certificate, &weights).unwrap();
        let error = Model::from_bytes(bytes).unwrap_err();
        let ModelError::Certificate { edge: named, .. } = &error else { panic!("{error}") };
        prop_assert_eq!(usize::try_from(*named).unwrap(), edge);

        for longer in [false, true] {
            let mut certificate = decoded.certificate.clone();
            if longer { certificate.edges.push(certificate.edges[0]) } else { certificate.edges.pop().map_or((), |_| ()) }
            let bytes = container::write(&decoded.manifest, &decoded.graph, &certificate, &weights).unwrap();
            let refused = matches!(Model::from_bytes(bytes), Err(ModelError::Certificate { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn altered_weights_are_refused_or_proven(sample in samples(), at in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut bytes = sample.container();
        let start = container::decode(&bytes).unwrap().weights_start;
        let length = bytes.len();
        bytes[start + at.index(length - start)] ^= change;
        // A change that moves no bound makes another model, whose certificate is right; any other is refused.
        if let Ok(model) = Model::from_bytes(bytes.clone()) {
            let decoded = container::decode(&bytes).unwrap();
            let proven = super::prove(&decoded.graph, &decoded.edges, &decoded.layout, &bytes[start..]).unwrap();
            prop_assert_eq!(model.certificate(), &proven);
            prop_assert!(model.id() != sample.model().id());
        }
    }
}
