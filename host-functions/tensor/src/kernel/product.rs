//! Products of elements of any types, scaled, with one rounding.

use super::Kernels;
use super::round::rne_shift;
use super::scale::{MAX_SHIFT, scaled};
use super::strided::{Runs, over};
use super::vectors::{Vectors, vectorised};
use crate::{Element, Level};

/// Elements of any type, as 64-bit numbers.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// `i8`
    I8(&'a [i8]),
    /// `u8`
    U8(&'a [u8]),
    /// `i16`
    I16(&'a [i16]),
    /// `i32`
    I32(&'a [i32]),
    /// `i64`
    I64(&'a [i64]),
}

impl Numbers<'_> {
    fn at(&self, index: usize) -> i64 {
        match self {
            Numbers::I8(values) => values[index].into(),
            Numbers::U8(values) => values[index].into(),
            Numbers::I16(values) => values[index].into(),
            Numbers::I32(values) => values[index].into(),
            Numbers::I64(values) => values[index],
        }
    }

    fn are_wide(&self) -> bool {
        matches!(self, Numbers::I64(_))
    }

    /// The numbers from `at` on, `step` from each to the next.
    #[inline(always)]
    fn read(&self, at: usize, step: usize, to: &mut [i64]) {
        match self {
            Numbers::I8(values) => read(values, at, step, to),
            Numbers::U8(values) => read(values, at, step, to),
            Numbers::I16(values) => read(values, at, step, to),
            Numbers::I32(values) => read(values, at, step, to),
            Numbers::I64(values) => read(values, at, step, to),
        }
    }
}

#[inline(always)]
fn read<T: Element>(values: &[T], at: usize, step: usize, to: &mut [i64]) {
    match step {
        0 => to.fill(values[at].into()),
        1 => {
            for (value, to) in values[at..at + to.len()].iter().zip(to) {
                *to = (*value).into();
            }
        }
        _ => {
            for (i, to) in to.iter_mut().enumerate() {
                *to = values[at + i * step].into();
            }
        }
    }
}

/// The scale of a product: `rne(a * b * multiplier / 2^shift) + zero_point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductScale {
    /// Not negative.
    pub multiplier: i32,
    /// At most [`MAX_PRODUCT_SHIFT`].
    pub shift: u32,
    /// Added after rounding.
    pub zero_point: i32,
}

/// The largest shift of a scaled product: 62 for the scale, and 32 for the fraction of a step.
pub const MAX_PRODUCT_SHIFT: u32 = MAX_SHIFT;

/// `out = sat(rne(a * b * multiplier / 2^shift) + zero_point)` over the index space `dims`. Not both operands may have
/// 64 bits: the product has at most 126.
///
/// # Panics
/// Where the slices or strides do not fit `dims`, or the shift is too large.
pub fn mul_requantise<Y: Element>(
    k: &Kernels,
    scale: ProductScale,
    dims: &[usize],
    (a, a_strides): (Numbers<'_>, &[usize]),
    (b, b_strides): (Numbers<'_>, &[usize]),
    out: &mut [Y],
) {
    assert!(scale.shift <= MAX_PRODUCT_SHIFT, "a shift above {MAX_PRODUCT_SHIFT}");
    let level = k.level();
    // What an element costs, in multiplications of a product.
    const WORK: usize = 30;
    over(k, dims, [a_strides, b_strides], out, WORK, |runs, out| {
        if level == Level::Reference {
            reference(scale, [a, b], runs, out);
        } else {
            vectorised(level, Products { scale, sides: [a, b], runs, out });
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::MulRequantise, out);
}

fn reference<Y: Element>(scale: ProductScale, [a, b]: [Numbers<'_>; 2], mut runs: Runs<2>, out: &mut [Y]) {
    let steps = runs.steps;
    for out in out.chunks_exact_mut(runs.len) {
        let [at_a, at_b] = runs.next();
        for (i, out) in out.iter_mut().enumerate() {
            let factors = [a.at(at_a + i * steps[0]), b.at(at_b + i * steps[1])].map(i128::from);
            let product = factors[0] * factors[1] * i128::from(scale.multiplier);
            let rounded = super::reference::rne_ratio(product, 1 << scale.shift);
            *out = Y::saturate(rounded + i128::from(scale.zero_point));
        }
    }
}

/// Elements that are widened together.
const BLOCK: usize = 256;

struct Products<'a, Y> {
    scale: ProductScale,
    sides: [Numbers<'a>; 2],
    runs: Runs<2>,
    out: &'a mut [Y],
}

impl<Y: Element> Vectors for Products<'_, Y> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Products { scale, sides: [a, b], mut runs, out } = self;
        let (len, [step_a, step_b]) = (runs.len, runs.steps);
        let wide = a.are_wide() || b.are_wide();
        let (mut left, mut right) = ([0i64; BLOCK], [0i64; BLOCK]);
        if len > BLOCK {
            for out in out.chunks_exact_mut(len) {
                let [mut at_a, mut at_b] = runs.next();
                for out in out.chunks_mut(BLOCK) {
                    a.read(at_a, step_a, &mut left[..out.len()]);
                    b.read(at_b, step_b, &mut right[..out.len()]);
                    block(scale, wide, [&left[..out.len()], &right[..out.len()]], out);
                    (at_a, at_b) = (at_a + BLOCK * step_a, at_b + BLOCK * step_b);
                }
            }
            return;
        }
        for out in out.chunks_mut(BLOCK / len * len) {
            let sides = left.chunks_exact_mut(len).zip(right.chunks_exact_mut(len));
            for (left, right) in sides.take(out.len() / len) {
                let [at_a, at_b] = runs.next();
                a.read(at_a, step_a, left);
                b.read(at_b, step_b, right);
            }
            block(scale, wide, [&left[..out.len()], &right[..out.len()]], out);
        }
    }
}

#[inline(always)]
fn block<Y: Element>(scale: ProductScale, wide: bool, [a, b]: [&[i64]; 2], out: &mut [Y]) {
    let ProductScale { multiplier, shift, zero_point } = scale;
    if wide && a.iter().zip(b).any(|(a, b)| a.checked_mul(*b).is_none()) {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            let product = i128::from(*a) * i128::from(*b) * i128::from(multiplier);
            *out = Y::saturate(rne_shift(product, shift) + i128::from(zero_point));
        }
        return;
    }
    // Of 32 bits each, or one that was tried: the product has 64.
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        *out = scaled(a.wrapping_mul(*b), multiplier, shift, zero_point);
    }
}
