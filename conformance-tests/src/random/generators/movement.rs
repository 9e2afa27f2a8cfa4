//! Arguments of what only moves elements.

use noema_tensor::DType::{self, I32, I64};

use crate::ops::Argument;
use crate::random::draw::{Draw, tensor, words};

pub(super) fn reshape(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let mut other = shape.clone();
    // The same axes in another order, some joined, some ones put in.
    other.reverse();
    if other.len() > 1 && d.once_in(2) {
        let last = other.remove(0);
        other[0] *= last;
    }
    while other.len() < 8 && d.once_in(2) {
        let at = usize::try_from(d.below(other.len() as u64 + 1)).unwrap_or(0);
        other.insert(at, 1);
    }
    vec![d.tensor(d.dtype, &shape), words(&other)]
}

pub(super) fn slice(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let part = |d: &mut Draw, dim: &u32| {
        let start = d.below(u64::from(*dim) + 1);
        let size = d.below(u64::from(*dim) - start + 1);
        [start, size].map(|number| u32::try_from(number).expect("within the axis"))
    };
    let parts: Vec<[u32; 2]> = shape.iter().map(|dim| part(d, dim)).collect();
    let column = |at: usize| parts.iter().map(|part| part[at]).collect::<Vec<u32>>();
    vec![d.tensor(d.dtype, &shape), words(&column(0)), words(&column(1))]
}

pub(super) fn transpose(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let mut axes: Vec<u32> = (0..8).take(shape.len()).collect();
    for index in (1..axes.len()).rev() {
        let other = usize::try_from(d.below(index as u64 + 1)).expect("below a length");
        axes.swap(index, other);
    }
    vec![d.tensor(d.dtype, &shape), words(&axes)]
}

pub(super) fn expand(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let mut side = shape.clone();
    let missing = usize::try_from(d.below(side.len() as u64 + 1)).expect("below a length");
    side.drain(..missing);
    side.iter_mut().filter(|_| d.once_in(2)).for_each(|dim| *dim = 1);
    vec![d.tensor(d.dtype, &side), words(&shape)]
}

pub(super) fn concat(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 2;
    let shape = d.shape(1, 8);
    let axis = usize::try_from(d.below(shape.len() as u64)).expect("below a length");
    let mut other = shape.clone();
    other[axis] = u32::try_from(d.below(u64::from(shape[axis]) + 3)).expect("near a length");
    vec![d.tensor(d.dtype, &shape), d.tensor(d.dtype, &other), Argument::U32(u32::try_from(axis).expect("at most 7"))]
}

pub(super) fn pad(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 4;
    let shape = d.shape(0, 4);
    let mut sides =
        || shape.iter().map(|_| if d.once_in(2) { 0 } else { u32::try_from(d.below(4)).expect("small") }).collect();
    let (before, behind): (Vec<u32>, Vec<u32>) = (sides(), sides());
    let value = d.element(I64);
    vec![d.tensor(d.dtype, &shape), words(&before), words(&behind), Argument::I64(value)]
}

pub(super) fn gather(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 8;
    let mut shape = d.shape(1, 6);
    let axis = usize::try_from(d.below(shape.len() as u64)).expect("below a length");
    shape[axis] = shape[axis].max(1);
    let dims: Vec<u32> = (0..d.below(3)).map(|_| u32::try_from(d.below(6)).expect("small")).collect();
    let count = dims.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let indices: Vec<i64> =
        (0..count).map(|_| i64::try_from(d.below(u64::from(shape[axis]))).expect("within the axis")).collect();
    vec![
        d.tensor(d.dtype, &shape),
        tensor(I32, &dims, &indices),
        Argument::U32(u32::try_from(axis).expect("at most 7")),
    ]
}

/// Indices below `count`, which is at least 1.
fn indices(d: &mut Draw, dims: &[u32], count: u32) -> Argument {
    let elements = dims.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let drawn: Vec<i64> =
        (0..elements).map(|_| i64::try_from(d.below(u64::from(count))).expect("within the axis")).collect();
    tensor(I32, dims, &drawn)
}

/// A shape and one of its axes, which is not empty.
fn shape_and_axis(d: &mut Draw, most: u64) -> (Vec<u32>, usize) {
    let mut shape = d.shape(1, most);
    let axis = usize::try_from(d.below(shape.len() as u64)).expect("below a length");
    shape[axis] = shape[axis].max(1);
    (shape, axis)
}

fn small(d: &mut Draw, end: u64) -> u32 {
    u32::try_from(d.below(end)).expect("small")
}

pub(super) fn tile(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 8;
    let shape = d.shape(0, 8);
    let repeats: Vec<u32> = shape.iter().map(|_| if d.once_in(2) { 1 } else { small(d, 4) }).collect();
    vec![d.tensor(d.dtype, &shape), words(&repeats)]
}

pub(super) fn scatter(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 4;
    let (shape, axis) = shape_and_axis(d, 6);
    let dims: Vec<u32> = (0..d.below(3)).map(|_| small(d, 6)).collect();
    let indices = indices(d, &dims, shape[axis]);
    let of_updates = [&shape[..axis], &dims, &shape[axis + 1..]].concat();
    let updates = d.tensor(d.dtype, &of_updates);
    vec![d.tensor(d.dtype, &shape), indices, updates, Argument::U32(u32::try_from(axis).expect("at most 7"))]
}

pub(super) fn gather_elements(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 2;
    let (shape, axis) = shape_and_axis(d, 8);
    let mut wanted = shape.clone();
    wanted[axis] = if d.once_in(3) { shape[axis] } else { small(d, 9) };
    let indices = indices(d, &wanted, shape[axis]);
    vec![d.tensor(d.dtype, &shape), indices, Argument::U32(u32::try_from(axis).expect("at most 7"))]
}

pub(super) fn one_hot(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 8;
    let shape = d.shape(0, 7);
    let depth = 1 + small(d, 20);
    let indices = indices(d, &shape, depth);
    let (on, off) = (d.element(I64), d.element(I64));
    vec![
        indices,
        Argument::U32(depth),
        Argument::I64(on),
        Argument::I64(off),
        Argument::U32(d.pick(&DType::ALL).code()),
    ]
}

pub(super) fn range(d: &mut Draw) -> Vec<Argument> {
    let count = if d.once_in(4) { d.dim() } else { small(d, 40) };
    let start = d.element(d.dtype);
    // Mostly steps that stay within the type.
    let room = d.dtype.max().abs_diff(d.dtype.min()) / u64::from(count.max(1)) / 2;
    let step = i64::try_from(d.below(room.max(1) + 1)).expect("63 bits");
    let step = if start > d.dtype.max() / 2 { -step } else { step };
    let step = if d.once_in(12) { d.element(I64) } else { step };
    vec![Argument::I64(start), Argument::I64(step), Argument::U32(count), Argument::U32(d.dtype.code())]
}

pub(super) fn trilu(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(2, 8);
    let diagonal = match d.below(4) {
        0 => i32::try_from(d.element(I32)).expect("an i32"),
        _ => i32::try_from(d.below(21)).expect("small") - 10,
    };
    vec![d.tensor(d.dtype, &shape), Argument::I32(diagonal), Argument::U32(small(d, 2))]
}

pub(super) fn resize(d: &mut Draw) -> Vec<Argument> {
    d.budget /= 4;
    let shape = d.shape(0, 8);
    let mut left = 1u32 << 12;
    let to: Vec<u32> = shape
        .iter()
        .map(|dim| {
            let most = u64::from(dim.saturating_mul(3).min(left));
            let drawn = if *dim == 0 {
                0
            } else if d.once_in(3) {
                (*dim).min(left)
            } else {
                small(d, most + 1)
            };
            left /= drawn.max(1);
            drawn
        })
        .collect();
    vec![d.tensor(d.dtype, &shape), words(&to), Argument::U32(small(d, 2))]
}
