//! Arguments of what works element by element.

use noema_tensor::DType::{self, I8, I16, I32, I64, U8};

use super::{any_tensor, multiplier, shift};
use crate::ops::Argument;
use crate::random::draw::{Draw, tensor};

/// Shapes that broadcast to one.
fn shapes<const N: usize>(d: &mut Draw) -> [Vec<u32>; N] {
    let shape = d.shape(0, 8);
    let mut sides = [(); N].map(|()| shape.clone());
    if d.once_in(2) {
        for side in &mut sides {
            // Leading axes may be missing, and any axis may be 1.
            let missing = usize::try_from(d.below(side.len() as u64 + 1)).unwrap_or(0);
            if d.once_in(2) {
                side.drain(..missing);
            }
            side.iter_mut().filter(|_| d.once_in(3)).for_each(|dim| *dim = 1);
        }
    }
    sides
}

/// Two tensors of one type whose shapes broadcast.
pub(super) fn broadcast_pair(d: &mut Draw) -> Vec<Argument> {
    let sides: [_; 2] = shapes(d);
    sides.map(|side| d.tensor(d.dtype, &side)).into()
}

/// The same with elements of a range each.
fn pair_within(d: &mut Draw, ranges: [(i64, i64); 2]) -> Vec<Argument> {
    let sides: [_; 2] = shapes(d);
    let drawn = sides.into_iter().zip(ranges).map(|(side, (low, high))| {
        let count = side.iter().map(|dim| u64::from(*dim)).product::<u64>();
        let span = low.abs_diff(high);
        let elements: Vec<i64> =
            (0..count).map(|_| low + i64::try_from(d.range(0, span)).expect("a small range")).collect();
        tensor(d.dtype, &side, &elements)
    });
    drawn.collect()
}

/// Mostly numbers whose sum, difference and product are within the type.
pub(super) fn checked_pair(d: &mut Draw) -> Vec<Argument> {
    match (d.below(8), d.dtype) {
        (0, _) => broadcast_pair(d),
        (_, U8) => pair_within(d, [(9, 28), (0, 9)]),
        (1..=3, I32 | I64) => pair_within(d, [(-40_000, 40_000), (-50_000, 50_000)]),
        _ => pair_within(d, [(-11, 11), (-11, 11)]),
    }
}

/// Numbers that are often equal.
pub(super) fn close_pair(d: &mut Draw) -> Vec<Argument> {
    if d.once_in(2) { broadcast_pair(d) } else { pair_within(d, [(0, 2), (0, 2)]) }
}

pub(super) fn select(d: &mut Draw) -> Vec<Argument> {
    let [condition, a, b] = shapes(d);
    let count = condition.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let chosen: Vec<i64> = (0..count).map(|_| d.pick(&[0, 0, 1, 255])).collect();
    vec![tensor(U8, &condition, &chosen), d.tensor(d.dtype, &a), d.tensor(d.dtype, &b)]
}

pub(super) fn mul_requantise(d: &mut Draw) -> Vec<Argument> {
    let [a, b] = shapes(d);
    let other = match d.dtype {
        I64 => d.pick(&[I8, U8, I16, I32]),
        _ => d.pick(&DType::ALL),
    };
    let bits = if d.once_in(2) { shift(d) } else { d.below(95) };
    vec![
        d.tensor(d.dtype, &a),
        d.tensor(other, &b),
        Argument::I32(i32::try_from(multiplier(d)).expect("31 bits")),
        Argument::U32(u32::try_from(bits).expect("at most 94")),
        Argument::I32(i32::try_from(d.element(I32)).expect("an i32")),
        Argument::U32(d.pick(&DType::ALL).code()),
    ]
}

pub(super) fn clamp(d: &mut Draw) -> Vec<Argument> {
    let mut arguments = any_tensor(d);
    let dtype = if d.once_in(4) { I64 } else { d.dtype };
    let (one, other) = (d.element(dtype), d.element(dtype));
    let (low, high) = if d.once_in(16) { (one, other) } else { (one.min(other), one.max(other)) };
    arguments.extend([Argument::I64(low), Argument::I64(high)]);
    arguments
}

pub(super) fn shift_bits(d: &mut Draw) -> Vec<Argument> {
    let mut arguments = any_tensor(d);
    let high = if d.once_in(2) { 63 } else { 9 };
    let bits = i32::try_from(d.range(0, 2 * high)).expect("small") - i32::try_from(high).expect("small");
    arguments.push(Argument::I32(bits));
    arguments
}

pub(super) fn lookup(d: &mut Draw) -> Vec<Argument> {
    let shape = d.shape(0, 8);
    let entries = if d.dtype == I16 { 65_536 } else { 256 };
    let of = d.pick(&DType::ALL);
    vec![d.tensor(d.dtype, &shape), d.tensor(of, &[entries])]
}

/// A function of fixed-point numbers that takes all of them.
pub(super) fn function(d: &mut Draw) -> Vec<Argument> {
    function_of(d, |element| element)
}

/// One that is not defined at 0 and below.
pub(super) fn function_above_zero(d: &mut Draw) -> Vec<Argument> {
    let wrong = d.once_in(16);
    function_of(d, |element| if wrong { element } else { element.saturating_abs().max(1) })
}

/// One that is not defined at 0.
pub(super) fn function_not_zero(d: &mut Draw) -> Vec<Argument> {
    let wrong = d.once_in(16);
    function_of(d, |element| if element == 0 && !wrong { 1 } else { element })
}

fn function_of(d: &mut Draw, domain: impl Fn(i64) -> i64) -> Vec<Argument> {
    // The reference is slow here.
    d.at_most(1024);
    let shape = d.shape(0, 8);
    let count = shape.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let elements: Vec<i64> =
        d.elements(d.dtype, count).into_iter().map(|element| domain(element).min(d.dtype.max())).collect();
    vec![
        tensor(d.dtype, &shape, &elements),
        Argument::U32(u32::try_from(d.below(17)).expect("at most 16")),
        Argument::U32(u32::try_from(d.below(31)).expect("at most 30")),
        Argument::U32(d.pick(&[I8, U8, I16, I32]).code()),
    ]
}
