#![allow(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "integers beside the formula in float"
)]

use noema_abi::{DType, ProtocolVersion};
use noema_tensor::{Kernels, Level, Shape, Tensor};

use super::{MAX_HIDDEN, STATE_BITS, SUM_BITS};
use crate::{
    Extent, ModelError, container,
    graph::{Edge, EdgeId, sequence},
    ops::{Gru, Lstm, Op},
    parameters::{Array, NodeParameters},
    prices::PRICES,
    sample::Sample,
};

/// Weights of a state of 2, each row a multiple of 1/64, as integers and as they are meant.
fn weights(gates: usize) -> (NodeParameters, Vec<[f64; 2]>) {
    let rows: Vec<[i8; 2]> = (0..2 * gates).map(|row| [17 * row as i8 - 60, 50 - 13 * row as i8]).collect();
    // A product has 15 and 6 fraction bits, a sum 16.
    let parameters = vec![
        Array::I8(rows.concat()),
        Array::I32(vec![0; 2 * gates]),
        Array::I32(vec![1 << 30; 2 * gates]),
        Array::U8(vec![35; 2 * gates]),
    ];
    (parameters, rows.iter().map(|row| row.map(|weight| f64::from(weight) / 64.0)).collect())
}

fn model(op: impl Into<Op>, gates: u32, parameters: NodeParameters) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::I32, &[sequence(9), 2 * gates]));
    let states = sample.node(op, &[EdgeId(0)], parameters);
    sample.graph.outputs = vec![states];
    sample
}

/// Sums for 9 steps, between -2 and 2.
fn sums(gates: usize) -> Vec<f64> {
    (0..9 * 2 * gates).map(|at| f64::from((at * 7919 % 4001) as u32) / 1000.0 - 2.0).collect()
}

fn run(sample: &Sample, gates: usize, level: Level) -> Vec<f64> {
    let q = sums(gates).iter().map(|x| (x * f64::from(1_u32 << SUM_BITS)).round() as i32).collect();
    let x = Tensor::from_vec::<i32>(Shape::new(&[1, 9, 2 * gates as u32]).unwrap(), q).unwrap();
    let states = sample.model().run(&Kernels::new(level, 1).unwrap(), &[&x]).unwrap();
    let states = states[0].to_vec::<i16>().unwrap();
    states.into_iter().map(|h| f64::from(h) / f64::from(1_u32 << STATE_BITS)).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn dot(row: [f64; 2], h: [f64; 2]) -> f64 {
    row[0] * h[0] + row[1] * h[1]
}

fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 5e-4, "{worst}: {found:?} {expected:?}");
}

#[test]
fn states_are_those_of_the_formula_in_float() {
    let (parameters, rows) = weights(4);
    let x = sums(4);
    let (mut h, mut c, mut expected) = ([0.0; 2], [0.0; 2], vec![]);
    for t in 0..9 {
        let z = |gate: usize, j: usize| x[t * 8 + gate * 2 + j] + dot(rows[gate * 2 + j], h);
        let next = [0, 1].map(|j| {
            c[j] = sigmoid(z(2, j)) * c[j] + sigmoid(z(0, j)) * z(3, j).tanh();
            sigmoid(z(1, j)) * c[j].tanh()
        });
        h = next;
        expected.extend(h);
    }
    let all = model(Lstm { hidden: 2, reverse: false, all: true }, 4, parameters.clone());
    let last = model(Lstm { hidden: 2, reverse: false, all: false }, 4, parameters);
    for level in Level::available() {
        near(&run(&all, 4, level), &expected);
        near(&run(&last, 4, level), &expected[16..]);
    }

    let (parameters, rows) = weights(3);
    let x = sums(3);
    for reset_after in [false, true] {
        let (mut h, mut expected) = ([0.0; 2], vec![]);
        for t in (0..9).rev() {
            let x = |gate: usize, j: usize| x[t * 6 + gate * 2 + j];
            let gate = |gate: usize| [0, 1].map(|j| sigmoid(x(gate, j) + dot(rows[gate * 2 + j], h)));
            let (z, r) = (gate(0), gate(1));
            let next = [0, 1].map(|j| {
                let of_state =
                    if reset_after { r[j] * dot(rows[4 + j], h) } else { dot(rows[4 + j], [r[0] * h[0], r[1] * h[1]]) };
                (1.0 - z[j]) * (x(2, j) + of_state).tanh() + z[j] * h[j]
            });
            h = next;
            expected.splice(0..0, h);
        }
        let all = model(Gru { hidden: 2, reverse: true, all: true, reset_after }, 3, parameters.clone());
        for level in Level::available() {
            near(&run(&all, 3, level), &expected);
        }
    }
}

#[test]
fn the_cost_is_the_formula() {
    let list = PRICES[0];
    let price = |name: &str| noema_abi::find("op", name).unwrap().price.per_work;
    for (op, gates, more) in [
        (Op::from(Lstm { hidden: 2, reverse: false, all: true }), 4_u64, 1_u64),
        (Gru { hidden: 2, reverse: false, all: true, reset_after: true }.into(), 3, 0),
    ] {
        let model = model(op, u32::try_from(gates).unwrap(), weights(usize::try_from(gates).unwrap()).0).model();
        for (batch, length) in [(1, 1), (3, 7)] {
            let width = 2 * gates;
            let step = 1_000_000
                + price("matmul") * (width.div_ceil(16) * (64 * 16 + 4000) + 50 * 2)
                + price("add") * 4 * (2 * width + 6)
                + price("requantise") * (2 * width + 2 * (more + 1))
                + price("lookup") * (width + 2 * more)
                + price("mul_requantise") * 6
                + list.port_byte * (4 * width + 4);
            let expected = list.one_node_of_length() + u64::from(batch) * u64::from(length) * step;
            assert_eq!(model.cost_of(ProtocolVersion::V1, Extent { batch, length }), Ok(expected));
        }
    }
}

#[test]
fn what_is_no_recurrent_network_is_refused() {
    let error = |sample: &Sample| {
        sample.graph.edges()?;
        container::encode(&sample.manifest(), &sample.graph, &sample.parameters).map(|_| ())
    };
    let lstm = |hidden: u32| Lstm { hidden, reverse: false, all: true };
    for hidden in [0, 1, 3, 1 << 30, MAX_HIDDEN + 1, u32::MAX] {
        let refused = error(&model(lstm(hidden), 4, weights(4).0)).unwrap_err();
        assert!(matches!(refused, ModelError::Node { .. }), "{refused}");
    }
    for input in [
        Edge::new(DType::I16, &[3, 8]),
        Edge::new(DType::I32, &[8]),
        Edge::new(DType::I32, &[1, 3, 8]),
        Edge::new(DType::I32, &[sequence(8), sequence(8)]),
    ] {
        let sample = Sample {
            graph: crate::graph::Graph { inputs: vec![input], ..model(lstm(2), 4, weights(4).0).graph },
            parameters: weights(4).0.into_iter().map(|array| vec![array]).take(1).collect(),
        };
        let edges = sample.graph.edges().and_then(|edges| sample.graph.edges_at(1).map(|_| edges));
        assert!(matches!(edges, Err(ModelError::Node { .. })), "{edges:?}");
    }
    for (at, array) in [(2, Array::I32(vec![7; 8])), (2, Array::I32(vec![-1 << 30; 8])), (3, Array::U8(vec![63; 8]))] {
        let mut parameters = weights(4).0;
        parameters[at] = array;
        let refused = error(&model(lstm(2), 4, parameters)).unwrap_err();
        assert!(matches!(refused, ModelError::Bound { .. }), "{refused}");
    }
    for at in 0..4 {
        let mut parameters = weights(4).0;
        parameters.remove(at);
        let refused = error(&model(lstm(2), 4, parameters)).unwrap_err();
        assert!(matches!(refused, ModelError::Parameters { .. }), "{refused}");
    }
}

/// Sums that need 64 bits, and numbers at the ends of everything.
#[test]
fn extremes_are_the_same_at_every_level() {
    let hidden = 700_u32;
    let rows = 4 * hidden as usize;
    let weights: Vec<i8> = (0..rows * hidden as usize).map(|at| if at % 3 == 0 { i8::MIN } else { 127 }).collect();
    let parameters = vec![
        Array::I8(weights),
        Array::I32(
            (0..rows).map(|row| if (row * 2_654_435_761) >> 7 & 1 == 0 { i32::MAX } else { i32::MIN }).collect(),
        ),
        Array::I32(vec![i32::MAX; rows]),
        Array::U8((0..rows).map(|row| u8::try_from(row % 40).unwrap()).collect()),
    ];
    let mut sample = Sample::new(Edge::new(DType::I32, &[3, 4 * hidden]));
    let states = sample.node(Lstm { hidden, reverse: true, all: true }, &[EdgeId(0)], parameters);
    sample.graph.outputs = vec![states];
    let model = sample.model();
    assert!(model.certificate().edges[1].peak > u64::from(u32::MAX));
    let x: Vec<i32> = (0..3 * rows).map(|at| [i32::MAX, i32::MIN, 0, 70_000, -1][at % 5]).collect();
    let x = Tensor::from_vec(Shape::new(&[1, 3, 4 * hidden]).unwrap(), x).unwrap();
    let mut all = Level::available().into_iter().map(|level| {
        let kernels = Kernels::new(level, 2).unwrap();
        model.run(&kernels, &[&x]).unwrap()[0].to_vec::<i16>().unwrap()
    });
    let first = all.next().unwrap();
    assert!(first.iter().any(|h| *h > 20_000) && first.iter().any(|h| *h < -20_000));
    assert!(all.all(|other| other == first));
}
