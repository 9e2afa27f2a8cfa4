//! `sat(rne(x * multiplier / 2^shift) + zero_point)`.

use super::{Kernels, reference, round};
use crate::{Element, Level};

/// The dyadic scales of a row: one for all its elements, or one for each.
///
/// The zero point is added after rounding.
#[derive(Clone, Copy, Debug)]
pub struct Scales<'a> {
    /// One, or as many as a row is long.
    pub multipliers: &'a [i32],
    /// One, or as many as a row is long; each at most 62.
    pub shifts: &'a [u8],
    /// For all elements.
    pub zero_point: i32,
}

/// Requantises `x` of `i32` or `i64` to the element type of `out`, rows of `row` elements.
///
/// # Panics
/// Where lengths do not fit together, or a shift is above 62.
pub fn requantise_rows<X: Element, T: Element>(k: &Kernels, x: &[X], row: usize, scales: Scales<'_>, out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    assert!(scales.shifts.iter().all(|shift| *shift <= 62), "a shift above 62");
    for length in [scales.multipliers.len(), scales.shifts.len()] {
        assert!(length == 1 || length == row, "scales of another shape");
    }
    if x.is_empty() {
        return;
    }
    assert!(row > 0 && x.len().is_multiple_of(row), "rows of another shape");
    let level = k.level();
    // A rounding costs about as much as this many multiplications of a product.
    const WORK: usize = 32;
    match (scales.multipliers, scales.shifts) {
        ([multiplier], [shift]) => k.split_rows((x, 1), (out, 1), WORK, |x, out| {
            for (x, out) in x.iter().zip(out) {
                *out = one(level, *x, *multiplier, *shift, scales.zero_point);
            }
        }),
        _ => k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
                one_row(level, x, scales, out);
            }
        }),
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Requantise, out);
}

fn one_row<X: Element, T: Element>(level: Level, x: &[X], scales: Scales<'_>, out: &mut [T]) {
    // A single scale is repeated; `cycle` of a whole row ends with the row.
    let multipliers = scales.multipliers.iter().cycle();
    let shifts = scales.shifts.iter().cycle();
    for (((x, out), multiplier), shift) in x.iter().zip(out).zip(multipliers).zip(shifts) {
        *out = one(level, *x, *multiplier, *shift, scales.zero_point);
    }
}

#[inline(always)]
fn one<X: Element, T: Element>(level: Level, x: X, multiplier: i32, shift: u8, zero_point: i32) -> T {
    let wide: i64 = x.into();
    if level == Level::Reference {
        return reference::requantise(wide, multiplier, shift, zero_point);
    }
    match i32::try_from(wide) {
        // At most 63 bits, plus 32.
        Ok(narrow) => {
            let rounded = round::round_shift_i32(narrow, multiplier, u32::from(shift));
            T::saturate_i64(rounded.saturating_add(i64::from(zero_point)))
        }
        Err(_) => {
            let rounded = round::round_shift_i128(wide, multiplier, u32::from(shift));
            T::saturate(rounded + i128::from(zero_point))
        }
    }
}
