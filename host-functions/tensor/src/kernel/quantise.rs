//! Dynamic quantisation of rows.

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
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 8;
    k.split_rows((x, row), (out, 1), row.saturating_mul(WORK), |x, out| {
        for (row, out) in x.chunks_exact(row).zip(out) {
            let magnitude = |x: &X| Into::<i64>::into(*x).unsigned_abs();
            // At most 2^31 * 2^32 over at least 1.
            let most = row.iter().map(magnitude).max().expect("a row of at least one element");
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
    const WORK: usize = 100;
    k.split_rows((&rows, 1), (&mut *out, row), row.saturating_mul(WORK), |rows, out| {
        for ((x, step), out) in rows.iter().zip(out.chunks_exact_mut(row)) {
            for (x, out) in x.iter().zip(out) {
                *out = one(level, *x, *step);
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::QuantiseRows, out);
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
