//! Arguments of what works along an axis.

use noema_tensor::DType::{I8, I16, I32, I64};

use super::{multiplier, shift};
use crate::ops::Argument;
use crate::random::draw::{Draw, tensor, words};

/// One tensor whose last axis is there and not empty.
pub(super) fn rows(d: &mut Draw) -> Vec<Argument> {
    let mut shape = d.shape(1, 8);
    if let Some(last) = shape.last_mut() {
        *last = (*last).max(1);
    }
    vec![d.tensor(d.dtype, &shape)]
}

/// The same; now and then the last axis is empty.
pub(super) fn mostly_rows(d: &mut Draw) -> Vec<Argument> {
    if !d.once_in(24) {
        return rows(d);
    }
    let mut shape = d.shape(1, 8);
    *shape.last_mut().expect("at least one axis") = 0;
    vec![d.tensor(d.dtype, &shape)]
}

pub(super) fn softmax(d: &mut Draw) -> Vec<Argument> {
    // The reference is slow here.
    d.at_most(4096);
    let mut arguments = rows(d);
    arguments.push(Argument::I32(i32::try_from(multiplier(d)).expect("31 bits")));
    arguments.push(Argument::U32(u32::try_from(shift(d)).expect("at most 62")));
    arguments.push(Argument::U32(u32::try_from(d.below(31)).expect("at most 30")));
    arguments
}

/// A shape whose last axis is there and not empty, and the length of that axis.
fn row_shape(d: &mut Draw) -> (Vec<u32>, u32) {
    let mut shape = d.shape(1, 8);
    let last = shape.last_mut().expect("at least one axis");
    *last = (*last).max(1);
    let row = *last;
    (shape, row)
}

pub(super) fn layer_norm(d: &mut Draw) -> Vec<Argument> {
    norm(d, true)
}

pub(super) fn rms_norm(d: &mut Draw) -> Vec<Argument> {
    norm(d, false)
}

fn norm(d: &mut Draw, bias: bool) -> Vec<Argument> {
    d.at_most(4096);
    let (shape, row) = row_shape(d);
    let mut arguments = vec![d.tensor(d.dtype, &shape), d.tensor(I32, &[row])];
    if bias {
        arguments.push(d.tensor(I32, &[row]));
    }
    let epsilon = match d.below(4) {
        0 => 0,
        1 => d.below(1 << 10),
        _ => d.below(1 << 24),
    };
    arguments.push(Argument::U64(epsilon));
    arguments.push(Argument::U32(u32::try_from(d.below(32)).expect("at most 31")));
    arguments.push(Argument::U32(d.pick(&[I8, I16, I32]).code()));
    arguments
}

pub(super) fn l2_norm(d: &mut Draw) -> Vec<Argument> {
    d.at_most(4096);
    let (shape, _) = row_shape(d);
    let epsilon = if d.once_in(3) { 0 } else { d.bits() >> d.below(64) };
    vec![
        d.tensor(d.dtype, &shape),
        Argument::U64(epsilon),
        Argument::U32(u32::try_from(d.below(31)).expect("at most 30")),
        Argument::U32(d.pick(&[I8, I16, I32]).code()),
    ]
}

pub(super) fn group_norm(d: &mut Draw) -> Vec<Argument> {
    d.at_most(4096);
    d.budget /= 4;
    let mut shape = d.shape(2, 6);
    shape.iter_mut().skip(1).for_each(|dim| *dim = (*dim).max(1));
    let groups = u32::try_from(d.range(1, 3)).expect("small");
    let channels = shape.last_mut().expect("two axes");
    *channels = if groups == 1 { *channels } else { (*channels).min(70) * groups };
    let channels = *channels;
    let groups = if d.once_in(4) { channels } else { groups };
    let epsilon = if d.once_in(3) { 0 } else { d.below(1 << 24) };
    vec![
        d.tensor(d.dtype, &shape),
        d.tensor(I32, &[channels]),
        d.tensor(I32, &[channels]),
        Argument::U32(groups),
        Argument::U64(epsilon),
        Argument::U32(u32::try_from(d.below(32)).expect("at most 31")),
        Argument::U32(d.pick(&[I8, I16, I32]).code()),
    ]
}

pub(super) fn rotary(d: &mut Draw) -> Vec<Argument> {
    let mut shape = d.shape(2, 8);
    let [.., m, row] = &mut shape[..] else { return Vec::new() };
    *row = (*row).div_ceil(2) * 2;
    let table = [*m, *row / 2];
    vec![
        d.tensor(d.dtype, &shape),
        d.tensor(I16, &table),
        d.tensor(I16, &table),
        Argument::U32(u32::try_from(d.below(16)).expect("at most 15")),
        Argument::U32(u32::try_from(d.below(2)).expect("0 or 1")),
    ]
}

pub(super) fn row_step(d: &mut Draw) -> Vec<Argument> {
    let mut arguments = rows(d);
    arguments.push(Argument::U32(d.pick(&[I8, I16]).code()));
    arguments
}

pub(super) fn quantise_rows(d: &mut Draw) -> Vec<Argument> {
    let (shape, _) = row_shape(d);
    let mut steps = shape.clone();
    *steps.last_mut().expect("at least one axis") = 1;
    let count = steps.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let drawn: Vec<i64> = (0..count)
        .map(|_| match d.below(4) {
            0 => d.pick(&[1, 2, i64::MAX, 1 << 32, (1 << 32) + 1]),
            _ => i64::try_from(d.below(1 << 40)).expect("40 bits") + 1,
        })
        .collect();
    vec![d.tensor(d.dtype, &shape), tensor(I64, &steps, &drawn), Argument::U32(d.pick(&[I8, I16]).code())]
}

/// A tensor and one of its axes, which is not empty.
pub(super) fn along_axis(d: &mut Draw) -> Vec<Argument> {
    let mut shape = d.shape(1, 8);
    let axis = usize::try_from(d.below(shape.len() as u64)).expect("below a length");
    shape[axis] = shape[axis].max(1);
    vec![d.tensor(d.dtype, &shape), Argument::U32(u32::try_from(axis).expect("at most 7"))]
}

/// The same, mostly with numbers that can be added.
pub(super) fn sums(d: &mut Draw) -> Vec<Argument> {
    let mut arguments = along_axis(d);
    if let (I64, false, Argument::Tensor(drawn)) = (d.dtype, d.once_in(8), &arguments[0]) {
        let dims = drawn.shape().dims().to_vec();
        let elements: Vec<i64> = (0..drawn.elements()).map(|_| d.any(I64) >> 20).collect();
        arguments[0] = tensor(I64, &dims, &elements);
    }
    arguments
}

/// Mostly factors whose product fits.
pub(super) fn factors(d: &mut Draw) -> Vec<Argument> {
    if d.once_in(8) {
        return along_axis(d);
    }
    let mut shape = d.shape(1, 8);
    let axis = usize::try_from(d.below(shape.len() as u64)).expect("below a length");
    shape[axis] %= 12;
    let count = shape.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let elements: Vec<i64> = (0..count).map(|_| d.element(I8).clamp(-30, 30).max(d.dtype.min())).collect();
    vec![tensor(d.dtype, &shape, &elements), Argument::U32(u32::try_from(axis).expect("at most 7"))]
}

/// Rows with equal elements in them, half of the time.
fn with_equals(d: &mut Draw, least: u32) -> (Argument, u32) {
    let mut shape = d.shape(1, 8);
    let last = shape.last_mut().expect("at least one axis");
    *last = (*last).max(least);
    let row = *last;
    if d.once_in(2) {
        return (d.tensor(d.dtype, &shape), row);
    }
    let count = shape.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let elements: Vec<i64> = (0..count).map(|_| i64::try_from(d.below(5)).expect("small")).collect();
    (tensor(d.dtype, &shape, &elements), row)
}

pub(super) fn sort(d: &mut Draw) -> Vec<Argument> {
    let (x, _) = with_equals(d, 0);
    vec![x, Argument::U32(u32::try_from(d.below(2)).expect("0 or 1"))]
}

pub(super) fn topk(d: &mut Draw) -> Vec<Argument> {
    let (x, row) = with_equals(d, 1);
    let count = if d.once_in(4) { u64::from(row) } else { d.range(1, u64::from(row)) };
    vec![
        x,
        Argument::U32(u32::try_from(count).expect("at most a row")),
        Argument::U32(u32::try_from(d.below(2)).expect("0 or 1")),
    ]
}

pub(super) fn attention(d: &mut Draw) -> Vec<Argument> {
    let small = |d: &mut Draw, high: u64| u32::try_from(d.range(1, high)).expect("small");
    let outer: Vec<u32> = (0..d.below(3)).map(|_| small(d, 2)).collect();
    let (groups, each) = (small(d, 2), small(d, 3));
    let long = if d.budget > 256 { 40 } else { 9 };
    let (m, n) = (small(d, long), if d.once_in(16) { 0 } else { small(d, long) });
    let (depth, width) = (small(d, 33), small(d, 18));
    let side = |heads: u32, rows: u32, row: u32| outer.iter().copied().chain([heads, rows, row]).collect::<Vec<u32>>();
    let batch: u32 = outer.iter().product();
    let (lengths, positions) = (d.once_in(2), d.once_in(2));
    let numbers = |d: &mut Draw, given: bool, high: u32| {
        let drawn: Vec<u32> = (0..if given { batch } else { 0 })
            .map(|_| u32::try_from(d.below(u64::from(high) + 1)).expect("below a length"))
            .collect();
        words(&drawn)
    };
    let (q, k, v) = (side(groups * each, m, depth), side(groups, n, depth), side(groups, n, width));
    let mut arguments = vec![d.tensor(I8, &q), d.tensor(I8, &k), d.tensor(I8, &v)];
    arguments.push(numbers(d, lengths, n));
    arguments.push(numbers(d, positions, n.saturating_add(3)));
    for _ in 0..2 {
        arguments.push(Argument::I32(i32::try_from(multiplier(d)).expect("31 bits")));
        arguments.push(Argument::U32(u32::try_from(shift(d)).expect("at most 62")));
    }
    arguments
}
