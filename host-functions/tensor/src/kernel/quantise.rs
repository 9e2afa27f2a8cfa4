//! Dynamic quantisation of rows.

use super::vectors::{Vectors, low, lower, vectorised};
use super::{Kernels, reference::rne_ratio, round::rne_div};
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
        for (row, out) in x.chunks_exact(row).zip(out) {
            // At most 2^31 * 2^32 over at least 1.
            let most = u64::from(vectorised(level, Largest(row)));
            *out = (most << STEP_BITS).div_ceil(u64::from(largest)).max(1).cast_signed();
        }
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
            let width = step.ilog2();
            let bits = 8 * X::DTYPE.size();
            if level != Level::Reference && (bits..62).contains(&usize::try_from(width).unwrap_or(0)) {
                vectorised(level, Quotients { x, step: *step, width, out });
            } else {
                for (x, out) in x.iter().zip(out) {
                    *out = one(level, *x, *step);
                }
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::QuantiseRows, out);
}

/// The largest magnitude of elements of at most 32 bits.
struct Largest<'a, X>(&'a [X]);

impl<X: Element> Vectors for Largest<'_, X> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let (mut least, mut most) = (0i32, 0i32);
        for x in self.0 {
            let x = low((*x).into());
            (least, most) = (least.min(x), most.max(x));
        }
        most.cast_unsigned().max(least.unsigned_abs())
    }
}

/// The results of a row, with a step of `width + 1` bits: at least as many as elements have, and at most 62.
///
/// `R = floor((2^(32 + width) - 1) / step)` has 32 bits, and misses less than `1 + 2^-width`. So `|x| * R / 2^width` misses of
/// `2^32 |x| / step` less than `|x| * (1 + 2^-width) / 2^width`, which is below 1 as `|x| < 2^width` (a half where `x` has a sign): cut to a whole
/// number it is the quotient or one less. What is left of the numerator then says the rest.
struct Quotients<'a, X, Y> {
    x: &'a [X],
    step: u64,
    width: u32,
    out: &'a mut [Y],
}

impl<X: Element, Y: Element> Vectors for Quotients<'_, X, Y> {
    type Output = ();

    /// Nothing wraps: numerators have 63 bits, remainders are below twice the step, which has at most 62.
    #[inline(always)]
    fn run(self) {
        let Quotients { x, step, width, out } = self;
        let reciprocal = u64::try_from(((1u128 << (32 + width)) - 1) / u128::from(step)).unwrap_or(u64::MAX);
        let reciprocal = lower(reciprocal);
        for (x, out) in x.iter().zip(out) {
            let x = low((*x).into());
            let magnitude = u64::from(x.unsigned_abs());
            let quotient = magnitude.wrapping_mul(reciprocal).wrapping_shr(width);
            let rest = (magnitude << STEP_BITS).wrapping_sub(quotient.wrapping_mul(step));
            let one_more = rest >= step;
            let rest = if one_more { rest.wrapping_sub(step) } else { rest };
            let quotient = quotient.wrapping_add(u64::from(one_more));
            let missing = step.wrapping_sub(rest);
            let up = (rest > missing) | ((rest == missing) & (quotient & 1 == 1));
            let rounded = quotient.wrapping_add(u64::from(up)).cast_signed();
            *out = Y::saturate_i64(if x < 0 { rounded.wrapping_neg() } else { rounded });
        }
    }
}

fn one<X: Element, Y: Element>(level: Level, x: X, step: u64) -> Y {
    if level == Level::Reference {
        let x: i128 = x.into();
        return Y::saturate(rne_ratio(x.checked_mul(1 << STEP_BITS).expect("at most 64 bits"), step.into()));
    }
    let x: i64 = x.into();
    let quotient = i128::from(rne_div(x.unsigned_abs() << STEP_BITS, step));
    Y::saturate(if x < 0 { -quotient } else { quotient })
}
