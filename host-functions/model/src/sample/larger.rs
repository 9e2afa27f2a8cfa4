//! Random encoders and image classifiers.

use noema_abi::DType;
use noema_tensor::{Shape, Tensor, kernel::Function as RealFunction};
use proptest::prelude::*;

use super::{Numbers, Sample, linear, requantise};
use crate::{
    graph::{Edge, EdgeId, sequence},
    ops::{
        Add, AddRows, Argmax, Attention, AveragePool, Concat, Conv2d, Embedding, Function, GlobalAveragePool, Gru,
        L2Norm, LayerNorm, Lookup, Lstm, MatMul, MaxPool, MeanPool, Mul, Op, QuantiseRows, Relu, Reshape, RowStep,
        Slice, Softmax, Transpose, Window,
    },
    parameters::Array,
};

/// Tokens of the encoders.
pub(crate) const VOCABULARY: u32 = 13;

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap()
}

fn i16s(numbers: &mut Numbers, count: u32, magnitude: u32) -> Vec<i16> {
    (0..count).map(|_| i16::try_from(numbers.i32(magnitude)).unwrap()).collect()
}

fn layer_norm(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId, dtype: DType) -> EdgeId {
    let channels = sample.edge(x).last();
    let gain = (0..channels).map(|_| numbers.i32(1 << 18)).collect();
    let bias = (0..channels).map(|_| numbers.i32(1 << 16)).collect();
    let op = LayerNorm { epsilon: numbers.below(1 << 20), shift: 11, dtype };
    sample.node(op, &[x], vec![Array::I32(gain), Array::I32(bias)])
}

/// To one type, whatever comes out of it.
fn narrow(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId, bits: u8, dtype: DType) -> EdgeId {
    requantise(sample, numbers, x, bits, [dtype; 3])
}

/// What a test needs to know about an encoder beside its graph.
pub(crate) fn encoders() -> impl Strategy<Value = Sample> {
    (1u32..4, 1u32..5, 1u32..9, 1u32..12, any::<u64>())
        .prop_map(|(heads, depth, longest, inner, seed)| encoder(heads, depth, longest, inner, seed))
}

/// Tokens (`i32`, a sequence) and their number (`i32`) to an embedding, through every operator that an encoder needs.
pub(crate) fn encoder(heads: u32, depth: u32, longest: u32, inner: u32, seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let numbers = &mut numbers;
    let width = heads * depth;
    let mut sample = Sample::new(Edge::new(DType::I32, &[sequence(longest)]));
    sample.graph.inputs.push(Edge::new(DType::I32, &[]));
    let (tokens, length) = (EdgeId(0), EdgeId(1));
    let s = &mut sample;
    let table = i16s(numbers, VOCABULARY * width, 20_000);
    let op = Embedding { rows: VOCABULARY, columns: width, dtype: DType::I16 };
    let words = s.node(op, &[tokens], vec![Array::I16(table)]);
    let positions = i16s(numbers, longest * width, 20_000);
    let placed = s.node(AddRows { rows: longest }, &[words], vec![Array::I16(positions)]);
    let x = layer_norm(s, numbers, placed, DType::I16);
    let narrow_x = layer_norm(s, numbers, placed, DType::I8);
    let of = |s: &mut Sample, numbers: &mut Numbers, x: EdgeId| {
        let sums = linear(s, numbers, x, width);
        narrow(s, numbers, sums, 12, DType::I8)
    };
    let (q, k, v) = (of(s, numbers, x), of(s, numbers, narrow_x), of(s, numbers, x));
    let attention = Attention {
        heads,
        key_heads: heads,
        masked: true,
        causal: numbers.below(3) == 0,
        multiplier: 1 << 30,
        shift: 36,
        out_multiplier: i32::MAX,
        out_shift: 31,
    };
    let mixed = s.node(attention, &[q, k, v, length], vec![]);
    let sums = linear(s, numbers, mixed, width);
    let back = narrow(s, numbers, sums, 6, DType::I16);
    let added = s.node(Add {}, &[x, back], vec![]);
    let x = layer_norm(s, numbers, added, DType::I16);
    let sums = linear(s, numbers, x, inner);
    let hidden = narrow(s, numbers, sums, 12, DType::I16);
    let bent = if numbers.below(2) == 0 {
        s.node(Function::new(RealFunction::Gelu, 12, 11, DType::I16), &[hidden], vec![])
    } else {
        let table = i16s(numbers, 1 << 16, 32_767);
        s.node(Lookup { dtype: DType::I16 }, &[hidden], vec![Array::I16(table)])
    };
    let step = s.node(RowStep { dtype: DType::I8 }, &[bent], vec![]);
    let quantised = s.node(QuantiseRows { dtype: DType::I8 }, &[bent, step], vec![]);
    let sums = linear(s, numbers, quantised, width);
    let wide = narrow(s, numbers, sums, 2, DType::I32);
    let scaled = Mul { multiplier: 1 << 30, shift: 72, zero_point: numbers.i32(3), dtype: DType::I16 };
    let scaled = s.node(scaled, &[wide, step], vec![]);
    let added = s.node(Add {}, &[x, scaled], vec![]);
    let x = layer_norm(s, numbers, added, DType::I32);
    let pooled = s.node(MeanPool {}, &[x, length], vec![]);
    let unit = s.node(L2Norm { epsilon: 1, fraction_bits: 15, dtype: DType::I16 }, &[pooled], vec![]);
    // Scores of every token with every token, without the mask.
    let turned = s.node(Transpose { axes: vec![1, 0] }, &[k], vec![]);
    let scores = s.node(MatMul {}, &[q, turned], vec![]);
    let flat = s.node(Reshape { dims: vec![0, heads, depth] }, &[v], vec![]);
    sample.graph.outputs = vec![unit, mixed, x, scores, flat];
    sample
}

/// Inputs of an encoder: rows of tokens, and how many of them count.
pub(crate) fn sentences(rows: u32, length: u32, seed: u64) -> [Tensor; 2] {
    let mut numbers = Numbers(seed);
    let mut below = |limit: u32| i32::try_from(numbers.below(limit.into())).unwrap();
    let tokens = (0..rows * length).map(|_| below(VOCABULARY)).collect();
    let lengths = (0..rows).map(|_| 1 + below(length)).collect();
    [
        Tensor::from_vec(Shape::new(&[rows, length]).unwrap(), tokens).unwrap(),
        Tensor::from_vec(Shape::new(&[rows]).unwrap(), lengths).unwrap(),
    ]
}

/// Random recurrent networks.
pub(crate) fn recurrents() -> impl Strategy<Value = Sample> {
    let input = prop::sample::select(vec![DType::I8, DType::U8, DType::I16]);
    (input, 1u32..7, 1u32..5, 1u32..20, any::<u64>())
        .prop_map(|(dtype, longest, channels, hidden, seed)| recurrent(dtype, [longest, channels, hidden], seed))
}

/// A series (a sequence) through an LSTM, a GRU the other way round, and another one to its last state.
pub(crate) fn recurrent(dtype: DType, [longest, channels, hidden]: [u32; 3], seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let numbers = &mut numbers;
    let mut sample = Sample::new(Edge::new(dtype, &[sequence(longest), channels]));
    let s = &mut sample;
    let flip = |numbers: &mut Numbers| numbers.below(2) == 0;
    let op = Lstm { hidden, reverse: flip(numbers), all: true };
    let states = cells(s, numbers, EdgeId(0), (4, hidden), op.into());
    let op = Gru { hidden: hidden + 1, reverse: flip(numbers), all: true, reset_after: flip(numbers) };
    let again = cells(s, numbers, states, (3, hidden + 1), op.into());
    let both = s.node(Concat { axis: 1 }, &[states, again], vec![]);
    let op: Op = if flip(numbers) {
        Gru { hidden: 3, reverse: flip(numbers), all: false, reset_after: flip(numbers) }.into()
    } else {
        Lstm { hidden: 3, reverse: flip(numbers), all: false }.into()
    };
    let gates = if matches!(op, Op::Lstm(_)) { 4 } else { 3 };
    let last = cells(s, numbers, both, (gates, 3), op);
    sample.graph.outputs = vec![last, again, states];
    sample
}

/// The products of what is read, and the cells behind them.
fn cells(s: &mut Sample, numbers: &mut Numbers, x: EdgeId, (gates, hidden): (u32, u32), op: Op) -> EdgeId {
    let rows = gates * hidden;
    let sums = linear(s, numbers, x, rows);
    let sums = narrow(s, numbers, sums, 2, DType::I32);
    let weights = (0..rows * hidden).map(|_| numbers.i8()).collect();
    let bias = (0..rows).map(|_| numbers.i32(1 << 20)).collect();
    let multipliers = (0..rows).map(|_| i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap()).collect();
    let shifts = (0..rows).map(|_| 33 + u8::try_from(numbers.below(6)).unwrap()).collect();
    let parameters = vec![Array::I8(weights), Array::I32(bias), Array::I32(multipliers), Array::U8(shifts)];
    s.node(op, &[sums], parameters)
}

/// Random image classifiers: convolutions, pools, movement, products of edges.
pub(crate) fn classifiers() -> impl Strategy<Value = Sample> {
    let image = prop::sample::select(vec![DType::I8, DType::U8, DType::I16]);
    (image, 4u32..8, 4u32..8, 1u32..4, any::<u64>())
        .prop_map(|(dtype, rows, columns, channels, seed)| classifier(dtype, [rows, columns, channels], seed))
}

pub(crate) fn classifier(dtype: DType, image: [u32; 3], seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let numbers = &mut numbers;
    let mut sample = Sample::new(Edge::new(dtype, &image));
    let s = &mut sample;
    let channels = 2 * image[2];
    let pads = |numbers: &mut Numbers| [0; 4].map(|_: u32| u32::try_from(numbers.below(2)).unwrap());
    let mut window = Window { pads: pads(numbers), ..Window::new(2, 3) };
    window.strides = [1, u32::try_from(1 + numbers.below(2)).unwrap()];
    let convolved = conv(s, numbers, EdgeId(0), channels, window, image[2]);
    let x = narrow(s, numbers, convolved, 9, DType::I8);
    let x = s.node(Relu {}, &[x], vec![]);
    let x = s.node(MaxPool { window: Window { pads: pads(numbers), ..Window::new(2, 1) } }, &[x], vec![]);
    let depthwise = Window { dilations: [2, 1], pads: [1; 4], ..Window::new(2, 2) };
    let groups = if numbers.below(2) == 0 { 1 } else { channels };
    let convolved = conv(s, numbers, x, channels, depthwise, groups);
    let y = narrow(s, numbers, convolved, 9, DType::I8);
    let count_pads = numbers.below(2) == 0;
    let window = Window { pads: pads(numbers), ..Window::new(1, 2) };
    let averaged = s.node(AveragePool { window, count_pads }, &[y], vec![]);
    let both = s.node(Concat { axis: 1 }, &[averaged, averaged], vec![]);
    let rest = s.node(Slice { starts: vec![0, 1, 0], sizes: vec![1, 0, 0] }, &[both], vec![]);
    let mean = s.node(GlobalAveragePool {}, &[rest], vec![]);
    let gate = s.node(Function::new(RealFunction::Tanh, 5, 7, DType::I8), &[mean], vec![]);
    let gated = s.node(Mul { multiplier: 1 << 30, shift: 35, zero_point: 1, dtype: DType::I8 }, &[both, gate], vec![]);
    let turned = s.node(Transpose { axes: vec![2, 0, 1] }, &[gated], vec![]);
    let dims = s.edge(turned).dims;
    let rows = s.node(Reshape { dims: vec![dims[0], dims[1] * dims[2]] }, &[turned], vec![]);
    let columns = s.node(Transpose { axes: vec![1, 0] }, &[rows], vec![]);
    let products = s.node(MatMul {}, &[rows, columns], vec![]);
    let scores = narrow(s, numbers, products, 4, DType::I32);
    let flat = s.node(Reshape { dims: vec![dims[0] * dims[0]] }, &[scores], vec![]);
    let probabilities = s.node(Softmax { multiplier: 1 << 30, shift: 38, fraction_bits: 15 }, &[flat], vec![]);
    let class = s.node(Argmax {}, &[flat], vec![]);
    sample.graph.outputs = vec![probabilities, class, gated, mean];
    sample
}

fn conv(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId, outputs: u32, window: Window, groups: u32) -> EdgeId {
    let edge = sample.edge(x);
    let accumulator = if numbers.below(2) == 0 { DType::I64 } else { DType::I32 };
    let [rows, columns] = window.kernel;
    let count = size(outputs * rows * columns * (edge.last() / groups));
    let weights = (0..count).map(|_| numbers.i8()).collect();
    let bias = (0..outputs).map(|_| numbers.i32(1 << 20)).collect();
    let op = Conv2d { outputs, window, groups, pad_value: numbers.i32(200), accumulator };
    sample.node(op, &[x], vec![Array::I8(weights), Array::I32(bias)])
}
