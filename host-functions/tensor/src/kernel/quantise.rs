//! Dynamic quantisation of rows.

use super::vectors::{Vectors, low, lower, vectorised};
use super::{Kernels, reference::rne_ratio};
use crate::{Element, Level};

/// Fraction bits of a step.
pub const STEP_BITS: u32 = 32;

/// `out_r = max(1, ceil(2^32 * max |x_r| / largest))`, for rows of `row` elements of at most 32 bits.
///
/// # Panics
/// Where lengths do not fit together, a row is empty or `largest` is 0.
pub fn row_step<X: Element>(k: &Kernels, x: &[X], row: usize, largest: u32, out: &mut [i64]) {
    assert!(row > 0 && Some(x.len()) == out.len().checked_mul(row), "results of another shape");
    let level = k.level();
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 4;
    k.split_rows((x, row), (&mut *out, 1), row.saturating_mul(WORK), |x, out| {
        vectorised(level, Steps { x, row, largest, out });
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::RowStep, out);
}

/// `out = sat(rne(2^32 * x / step))`, with one step, above 0, for each row of `row` elements of at most 32 bits.
///
/// # Panics
/// Where lengths do not fit together, or a step is not above 0.
pub fn quantise_rows<X: Element, Y: Element>(k: &Kernels, x: &[X], row: usize, steps: &[i64], out: &mut [Y]) {
    assert!(x.len() == out.len() && Some(x.len()) == steps.len().checked_mul(row), "results of another shape");
    assert!(steps.iter().all(|step| *step > 0), "a step that is not above 0");
    if x.is_empty() {
        return;
    }
    let level = k.level();
    let rows: Vec<(&[X], u64)> = x.chunks_exact(row).zip(steps.iter().map(|step| step.cast_unsigned())).collect();
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 20;
    k.split_rows((&rows, 1), (&mut *out, row), row.saturating_mul(WORK), |rows, out| {
        for ((x, step), out) in rows.iter().zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference {
                x.iter().zip(out).for_each(|(x, out)| *out = reference(*x, *step));
            } else {
                vectorised(level, Quotients { x, step: *step, out });
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::QuantiseRows, out);
}

/// The steps of rows of elements of at most 32 bits.
struct Steps<'a, X> {
    x: &'a [X],
    row: usize,
    largest: u32,
    out: &'a mut [i64],
}

impl<X: Element> Vectors for Steps<'_, X> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Steps { x, row, largest, out } = self;
        for (row, out) in x.chunks_exact(row).zip(out) {
            let (mut least, mut most) = (0i32, 0i32);
            for x in row {
                let x = low((*x).into());
                (least, most) = (least.min(x), most.max(x));
            }
            // At most 2^31 * 2^32 over at least 1; the compiler knows how to divide by those that are asked for.
            let most = u64::from(most.cast_unsigned().max(least.unsigned_abs())) << STEP_BITS;
            let step = match largest {
                127 => most.div_ceil(127),
                32_767 => most.div_ceil(32_767),
                largest => most.div_ceil(u64::from(largest)),
            };
            *out = step.max(1).cast_signed();
        }
    }
}

/// The results of a row.
///
/// A step has `width + 1` bits. Magnitudes from `2^width` on have quotients from `2^30` on, which saturate: the largest below says the same,
/// except of a step of 1, by which nothing is divided. For a step of more than 62 bits quotients are at most 2, and found by
/// subtracting. Otherwise,
///
/// `R = floor((2^(32 + width) - 1) / step)` has 32 bits, and misses less than `1 + 2^-width`. So `|x| * R / 2^width` misses of
/// `2^32 |x| / step` less than `|x| * (1 + 2^-width) / 2^width`, which is below 1 as `|x| < 2^width` (a half where `x` has a sign): cut to a whole
/// number it is the quotient or one less. What is left of the numerator then says the rest.
struct Quotients<'a, X, Y> {
    x: &'a [X],
    step: u64,
    out: &'a mut [Y],
}

impl<X: Element, Y: Element> Vectors for Quotients<'_, X, Y> {
    type Output = ();

    /// Nothing wraps: numerators have 63 bits, remainders are below twice the step, which has at most 62.
    #[inline(always)]
    fn run(self) {
        let Quotients { x, step, out } = self;
        let width = step.ilog2();
        if width == 0 {
            // 32 bits and 32 more.
            x.iter().zip(out).for_each(|(x, out)| *out = Y::saturate_i64(Into::<i64>::into(*x) << STEP_BITS));
            return;
        }
        let few = width >= 62;
        let reciprocal = if few { 0 } else { reciprocal(step, width) };
        let most = if few { u64::MAX } else { (1u64 << width) - 1 };
        for (x, out) in x.iter().zip(out) {
            let x = low((*x).into());
            let magnitude = u64::from(x.unsigned_abs()).min(most);
            let quotient = magnitude.wrapping_mul(reciprocal).wrapping_shr(width);
            let rest = (magnitude << STEP_BITS).wrapping_sub(quotient.wrapping_mul(step));
            let (quotient, rest) = one_more(quotient, rest, step);
            let (quotient, rest) = if few { one_more(quotient, rest, step) } else { (quotient, rest) };
            let missing = step.wrapping_sub(rest);
            let up = (rest > missing) | ((rest == missing) & (quotient & 1 == 1));
            let rounded = quotient.wrapping_add(u64::from(up)).cast_signed();
            *out = Y::saturate_i64(if x < 0 { rounded.wrapping_neg() } else { rounded });
        }
    }
}

/// `floor((2^(32 + width) - 1) / step)`, of a step of `width + 1` bits.
#[inline]
fn reciprocal(step: u64, width: u32) -> u64 {
    if width <= 31 {
        return lower(((1u64 << (32 + width)) - 1) / step);
    }
    lower(u64::try_from(((1u128 << (32 + width)) - 1) / u128::from(step)).unwrap_or(u64::MAX))
}

/// One step less and one more of the quotient, where there is room for it.
#[inline(always)]
fn one_more(quotient: u64, rest: u64, step: u64) -> (u64, u64) {
    let more = rest >= step;
    (quotient.wrapping_add(u64::from(more)), if more { rest.wrapping_sub(step) } else { rest })
}

fn reference<X: Element, Y: Element>(x: X, step: u64) -> Y {
    let x: i128 = x.into();
    Y::saturate(rne_ratio(x.checked_mul(1 << STEP_BITS).expect("at most 64 bits"), step.into()))
}
