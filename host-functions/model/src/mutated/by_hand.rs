//! The bounds of the usual operators, written once more from their documentation: one product at a time, in 128 bits, with
//! nothing of what the proof itself uses. What flows through the other operators is only looked at when they run.

use noema_abi::DType;

use crate::{
    Model,
    bounds::{EdgeBound, Interval},
    graph::Edge,
    ops::Op,
    parameters::Parameters,
};

/// The bounds of a model that can be said here, with the edge that each is of.
pub(super) fn bounds(model: &Model) -> Vec<(usize, EdgeBound)> {
    let (graph, stated) = (model.graph(), &model.certificate().edges);
    let place = |id: u32| usize::try_from(id).unwrap();
    let inputs = graph.inputs.iter().map(|edge| value(edge.dtype.min().into(), edge.dtype.max().into(), edge.dtype));
    let mut found: Vec<_> = inputs.enumerate().collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        let reads: Vec<_> = node.inputs.iter().map(|id| &model.edges()[place(id.0)]).collect();
        let read: Vec<_> = node.inputs.iter().map(|id| stated[place(id.0)].interval).collect();
        let edge = graph.inputs.len() + index;
        let bound = of(&node.op, &reads, &read, &model.parameters(index), &model.edges()[edge]);
        found.extend(bound.map(|bound| (edge, bound)));
    }
    found
}

fn of(op: &Op, reads: &[&Edge], read: &[Interval], parameters: &Parameters<'_>, y: &Edge) -> Option<EdgeBound> {
    let [lo, hi] = [i128::from(read[0].lo), i128::from(read[0].hi)];
    Some(match op {
        Op::Linear(_) => sums(parameters, usize::try_from(reads[0].last()).unwrap(), [lo, hi]),
        Op::Conv2d(op) => {
            let [rows, columns] = op.window.kernel;
            let depth = usize::try_from(rows * columns * (reads[0].last() / op.groups)).unwrap();
            let pad = i128::from(op.pad_value).clamp(reads[0].dtype.min().into(), reads[0].dtype.max().into());
            let pads = op.window.pads.iter().any(|pad| *pad > 0);
            sums(parameters, depth, if pads { [lo.min(pad), hi.max(pad)] } else { [lo, hi] })
        }
        Op::Requantise(op) => {
            let scales: Vec<_> = parameters.i32s(0).zip(parameters.u8s(1)).collect();
            let ends = scales.iter().flat_map(|(multiplier, shift)| {
                [lo, hi].map(|x| nearest(x * i128::from(*multiplier), 1 << *shift) + i128::from(op.zero_point))
            });
            hull(ends, y.dtype)
        }
        Op::AddConst(_) => hull(parameters.i32s(0).flat_map(|c| [lo, hi].map(|x| x + i128::from(c))), y.dtype),
        Op::Embedding(op) if op.dtype == DType::I16 => hull(parameters.i16s(0).map(i128::from), y.dtype),
        Op::Relu(_) => value(lo.max(0), hi.max(0), y.dtype),
        Op::Add(_) => value(lo + i128::from(read[1].lo), hi + i128::from(read[1].hi), y.dtype),
        Op::Concat(_) => value(lo.min(read[1].lo.into()), hi.max(read[1].hi.into()), y.dtype),
        Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) => value(lo, hi, y.dtype),
        Op::Argmax(_) => value(0, i128::from(reads[0].last()) - 1, y.dtype),
        Op::Softmax(op) => value(0, 1 << op.fraction_bits, y.dtype),
        _ => return None,
    })
}

fn value(lo: i128, hi: i128, dtype: DType) -> EdgeBound {
    hull([lo, hi].into_iter(), dtype)
}

/// From the smallest to the largest of these, as far as the type goes.
fn hull(ends: impl Iterator<Item = i128>, dtype: DType) -> EdgeBound {
    let inside = |end: i128| i64::try_from(end.clamp(dtype.min().into(), dtype.max().into())).unwrap();
    let (lo, hi) = ends.fold((i128::MAX, i128::MIN), |(lo, hi), end| (lo.min(end), hi.max(end)));
    let (lo, hi) = (inside(lo), inside(hi));
    EdgeBound { interval: Interval { lo, hi }, peak: lo.unsigned_abs().max(hi.unsigned_abs()) }
}

/// Sums of products, each of which may be the smallest or the largest that it can be; on the way all of one sign.
fn sums(parameters: &Parameters<'_>, depth: usize, x: [i128; 2]) -> EdgeBound {
    let (mut lo, mut hi, mut peak) = (i128::MAX, i128::MIN, 0);
    for (row, bias) in parameters.i8s(0).chunks(depth).zip(parameters.i32s(1)) {
        let bias = i128::from(bias);
        let products = || row.iter().map(|weight| x.map(|x| x * i128::from(*weight)));
        lo = lo.min(bias + products().map(|[a, b]| a.min(b)).sum::<i128>());
        hi = hi.max(bias + products().map(|[a, b]| a.max(b)).sum::<i128>());
        peak = peak.max(bias.abs() + products().map(|[a, b]| a.abs().max(b.abs())).sum::<i128>());
    }
    let [lo, hi] = [lo, hi].map(|end| i64::try_from(end).unwrap());
    EdgeBound { interval: Interval { lo, hi }, peak: u64::try_from(peak).unwrap() }
}

/// The nearest integer, of two the even one.
fn nearest(numerator: i128, denominator: i128) -> i128 {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}
