//! Arguments of what only moves elements.

use noema_tensor::DType::{I32, I64};

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
