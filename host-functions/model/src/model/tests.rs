use noema_abi::{DType, ProtocolVersion, Status, limits};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};
use proptest::prelude::*;

use crate::{
    Model, ModelError,
    arena::tests::shuffled,
    by_opcodes::by_opcodes,
    container,
    graph::{Edge, EdgeId},
    ops::{Add, Linear, Relu},
    parameters::Array,
    prices::PRICES,
    sample::{self, Sample, network, samples},
};

fn bits(tensors: &[Tensor]) -> Vec<(DType, Shape, Vec<u8>)> {
    tensors.iter().map(|x| (x.dtype(), x.shape().clone(), x.to_le_bytes().unwrap())).collect()
}

fn kernels() -> Vec<Kernels> {
    let levels = Level::available().into_iter();
    levels.flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap())).collect()
}

fn i8_rows(rows: u32, width: u32) -> Tensor {
    sample::input(&Edge::new(DType::I8, &[width]), rows, 1)
}

#[test]
fn the_graph_and_its_opcodes_agree_at_every_level() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(64), |(sample in samples(), seed in any::<u64>())| {
        let model = sample.model();
        let x = sample::input(&sample.graph.inputs[0], 5, seed);
        let expected = bits(&by_opcodes(&model, &kernels[0], &[&x]).unwrap());
        for kernels in &kernels {
            prop_assert_eq!(&bits(&model.run(kernels, &[&x]).unwrap()), &expected);
            prop_assert_eq!(&bits(&by_opcodes(&model, kernels, &[&x]).unwrap()), &expected);
        }
    });
}

/// Edges that share memory, in few parts and in many: the opcodes make every edge anew.
#[test]
fn sharing_memory_changes_no_bit() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(96), |(sample in shuffled(), seed in any::<u64>(), rows in prop_oneof![5 => 1_u32..9, 1 => 900_u32..1500])| {
        let model = sample.model();
        let x = sample::input(&sample.graph.inputs[0], rows, seed);
        let expected = bits(&by_opcodes(&model, &kernels[0], &[&x]).unwrap());
        for kernels in &kernels {
            prop_assert_eq!(&bits(&model.run(kernels, &[&x]).unwrap()), &expected);
        }
    });
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    let kernels = kernels();
    proptest!(ProptestConfig::with_cases(32), |(sample in samples(), seed in any::<u64>(), rows in 2_u32..9)| {
        let model = sample.model();
        let edge = &sample.graph.inputs[0];
        let x = sample::input(edge, rows, seed);
        for kernels in &kernels {
            let whole = model.run(kernels, &[&x]).unwrap();
            let row_bytes = usize::try_from(edge.row_bytes()).unwrap();
            let mut rows: Vec<Vec<u8>> = vec![vec![]; whole.len()];
            for row in x.to_le_bytes().unwrap().chunks(row_bytes) {
                let mut dims = vec![1];
                dims.extend(&edge.dims);
                let row = Tensor::from_le_bytes(edge.dtype, Shape::new(&dims).unwrap(), row).unwrap();
                for (all, one) in rows.iter_mut().zip(model.run(kernels, &[&row]).unwrap()) {
                    all.extend(one.to_le_bytes().unwrap());
                }
            }
            for (whole, rows) in whole.iter().zip(rows) {
                prop_assert_eq!(whole.to_le_bytes().unwrap(), rows);
            }
        }
    });
}

#[test]
fn work_that_is_split_over_threads_gives_the_same_bits() {
    let sample = network(DType::U8, vec![], 300, &[200, 100], 3);
    let model = sample.model();
    let x = sample::input(&sample.graph.inputs[0], 64, 9);
    let all: Vec<_> = kernels().iter().map(|kernels| bits(&model.run(kernels, &[&x]).unwrap())).collect();
    assert!(all.len() >= 4 && all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn inputs_are_checked() {
    let model = network(DType::I8, vec![], 4, &[3], 1).model();
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let good = i8_rows(2, 4);
    let short = i8_rows(2, 3);
    let flat = good.reshape(Shape::new(&[8]).unwrap()).unwrap();
    let scalar = Tensor::from_vec(Shape::default(), vec![1_i8]).unwrap();
    let empty = Tensor::from_vec::<i8>(Shape::new(&[0, 4]).unwrap(), vec![]).unwrap();
    let other = Tensor::from_vec(Shape::new(&[2, 4]).unwrap(), vec![0_u8; 8]).unwrap();
    assert_eq!(model.batch_of(&[&good]), Ok(2));
    for (inputs, status) in [
        (vec![], Status::ShapeMismatch),
        (vec![&good, &good], Status::ShapeMismatch),
        (vec![&other], Status::TypeMismatch),
        (vec![&short], Status::ShapeMismatch),
        (vec![&flat], Status::ShapeMismatch),
        (vec![&scalar], Status::ShapeMismatch),
        (vec![&empty], Status::ShapeMismatch),
    ] {
        assert_eq!(model.batch_of(&inputs), Err(status));
        assert_eq!(model.run(&kernels, &inputs).unwrap_err(), OpError::Status(status));
    }
}

#[test]
fn inputs_share_one_batch() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[4]));
    sample.graph.inputs.push(Edge::new(DType::I8, &[4]));
    let sum = sample.node(Add {}, &[EdgeId(0), EdgeId(1)], vec![]);
    sample.graph.outputs = vec![sum, EdgeId(1)];
    let model = sample.model();
    let (two, three) = (i8_rows(2, 4), i8_rows(3, 4));
    assert_eq!(model.batch_of(&[&two, &two]), Ok(2));
    assert_eq!(model.batch_of(&[&two, &three]), Err(Status::ShapeMismatch));
    let outputs = model.run(&Kernels::new(Level::Portable, 1).unwrap(), &[&two, &two]).unwrap();
    let doubled: Vec<i8> = two.to_vec::<i8>().unwrap().iter().map(|x| x.saturating_add(*x)).collect();
    assert_eq!(outputs[0].to_vec::<i8>().unwrap(), doubled);
    assert_eq!(outputs[1].to_vec::<i8>().unwrap(), two.to_vec::<i8>().unwrap());
}

#[test]
fn the_cost_is_the_formula() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[30]));
    let parameters = vec![Array::I8(vec![1; 600]), Array::I32(vec![0; 20])];
    let sums = sample.node(Linear { outputs: 20, accumulator: DType::I32 }, &[EdgeId(0)], parameters);
    let relu = sample.node(Relu {}, &[sums], vec![]);
    sample.graph.outputs = vec![relu];
    let model = sample.model();
    let list = PRICES[0];
    let [matmul, add, relu] = ["matmul", "add", "relu"].map(|name| noema_abi::find("op", name).unwrap().price.per_work);
    for batch in [0, 1, 2, 114, 1_000_000] {
        // Two panels of 16 channels, 30 long; then bytes, and a run for the biases.
        let products = 2 * (16 * 30 + 1500) + 50 * 30;
        let row = list.port_byte * (30 + 80) + matmul * products + add * (80 + 32) + relu * 80;
        let expected = list.run + 2 * list.node + u64::from(batch) * row;
        assert_eq!(model.cost(ProtocolVersion::V1, batch), Ok(expected));
    }
    // Input 30 bytes, rounded to 32; sums of 80, over which their positive part is written; the output once more.
    assert_eq!(model.arena_bytes(1), Ok(32 + 80 + 80));
    assert_eq!(model.arena_bytes(u32::MAX), Ok(192 * u64::from(u32::MAX)));
}

#[test]
fn a_cost_beyond_counting_is_a_status() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[16, 1024, 1024]));
    let mut x = EdgeId(0);
    for _ in 0..crate::graph::MAX_NODES {
        x = sample.node(Relu {}, &[x], vec![]);
    }
    sample.graph.outputs = vec![x];
    let model = sample.model();
    assert!(model.cost(ProtocolVersion::V1, 1).is_ok());
    assert_eq!(model.cost(ProtocolVersion::V1, u32::MAX), Err(Status::LimitExceeded));
}

#[test]
fn one_row_must_fit_the_memory_of_a_transaction() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[u32::try_from(limits::MAX_TENSOR_BYTES).unwrap()]));
    sample.graph.outputs = vec![EdgeId(0)];
    let bytes = container::encode(&sample.manifest(), &sample.graph, &sample.parameters).unwrap();
    let error = Model::from_bytes(bytes).unwrap_err();
    assert!(matches!(error, ModelError::Limit { what: "memory for one row", .. }), "{error}");
}

/// Rows longer than the type alone would allow, with sums up to the last unit that the proof allows.
#[test]
fn sums_at_the_edge_of_the_proof_are_exact_at_every_level() {
    let kernels = kernels();
    for (dtype, extreme) in [(DType::U8, 255_i64), (DType::I8, -128)] {
        let k = i64::from(i32::MAX) / (extreme.abs() * 127);
        let rest = i32::try_from(i64::from(i32::MAX) - k * extreme.abs() * 127).unwrap();
        let k = u32::try_from(k).unwrap();
        let length = usize::try_from(k).unwrap();
        let mut sample = Sample::new(Edge::new(dtype, &[k]));
        let mut weights = vec![127_i8; length];
        weights.extend(vec![-127_i8; length]);
        // Up to the edge and back, then down to the other one and back.
        weights.extend((0..length).map(|at| if at < length / 2 { 127 } else { -127 }));
        weights.extend((0..length).map(|at| if at % 2 == 0 { -127 } else { 127 }));
        let sign = i32::try_from(extreme.signum()).unwrap();
        let bias = vec![rest * sign, -rest * sign, 0, 7];
        let linear = Linear { outputs: 4, accumulator: DType::I32 };
        let node = sample.node(linear, &[EdgeId(0)], vec![Array::I8(weights.clone()), Array::I32(bias.clone())]);
        sample.graph.outputs = vec![node];
        let model = sample.model();
        assert_eq!(model.certificate().edges[1].peak, u64::from(i32::MAX.unsigned_abs()));
        let expected: Vec<i64> = weights
            .chunks(length)
            .zip(bias)
            .map(|(row, bias)| i64::from(bias) + row.iter().map(|weight| i64::from(*weight) * extreme).sum::<i64>())
            .collect();
        assert!(expected[..2].iter().all(|sum| sum.abs() == i64::from(i32::MAX)));
        let byte = extreme.to_le_bytes()[0];
        let x = Tensor::from_le_bytes(dtype, Shape::new(&[1, k]).unwrap(), &vec![byte; length]).unwrap();
        for kernels in &kernels {
            let sums = model.run(kernels, &[&x]).unwrap()[0].to_vec::<i32>().unwrap();
            assert_eq!(sums.into_iter().map(i64::from).collect::<Vec<_>>(), expected, "{}", kernels.level());
        }
    }
}
