//! Softmax of rows.

use noema_abi::Status;

use super::{Kernels, exp, reference, round};
use crate::{Element, Level};

/// The attributes of a softmax, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    multiplier: u64,
    shift: u32,
    fraction_bits: u32,
}

impl Softmax {
    /// A softmax of `multiplier / 2^shift * x` with results of `fraction_bits`.
    ///
    /// # Errors
    /// `BadArgument` for a multiplier that is not 0 or in `[2^30, 2^31)`, a shift above 62 or more
    /// than 30 fraction bits.
    pub fn new(multiplier: i32, shift: u32, fraction_bits: u32) -> Result<Softmax, Status> {
        let in_range = multiplier == 0 || multiplier >= 1 << 30;
        match u64::try_from(multiplier) {
            Ok(multiplier) if in_range && shift <= 62 && fraction_bits <= 30 => {
                Ok(Softmax { multiplier, shift, fraction_bits })
            }
            _ => Err(Status::BadArgument),
        }
    }

    /// Multiplier, shift and fraction bits.
    pub(crate) fn parts(self) -> (u64, u32, u32) {
        (self.multiplier, self.shift, self.fraction_bits)
    }
}

/// The longest row: its sum, shifted by 30 bits, stays below `2^62` for a single element and the sum
/// itself below `2^47`.
pub const MAX_SOFTMAX_ROW: usize = 65_536;

/// With `c = multiplier / 2^shift`: `E_j = rne(2^30 * exp(c * (x_j - max x)))`, then
/// `out_j = rne(2^fraction_bits * E_j / sum E)`, for each row of `row` elements.
///
/// # Panics
/// Where lengths do not fit together, or rows are not 1 to [`MAX_SOFTMAX_ROW`] long.
pub fn softmax_rows<T: Element + Into<i32>>(k: &Kernels, x: &[T], row: usize, softmax: Softmax, out: &mut [i32]) {
    assert!((1..=MAX_SOFTMAX_ROW).contains(&row), "a row too short or too long for softmax");
    assert!(x.len() == out.len() && x.len().is_multiple_of(row), "results of another shape");
    let level = k.level();
    // One element costs about as much as this many multiplications of a product.
    const WORK: usize = 500;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference {
                reference::softmax(x, softmax.multiplier, softmax.shift, softmax.fraction_bits, out);
            } else {
                one_row(x, softmax, out);
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Softmax, out);
}

/// Replaces the scores of a row by `E_j = rne(2^30 * exp(c * (x_j - max x)))`. The row may be empty.
pub(super) fn exponentials(level: Level, row: &mut [i32], softmax: Softmax) {
    let Some(max) = row.iter().copied().max().map(i64::from) else { return };
    for value in row {
        // At most 2^32 - 1, times less than 2^31.
        let distance = (max - i64::from(*value)).unsigned_abs() * softmax.multiplier;
        let exponential = match level {
            Level::Reference => exp::exp_neg_reference(distance, softmax.shift),
            _ => exp::exp_neg(distance, softmax.shift),
        };
        *value = exponential.cast_signed();
    }
}

/// The results hold the exponentials, at most `2^30`, between the two passes.
fn one_row<T: Element + Into<i32>>(x: &[T], softmax: Softmax, out: &mut [i32]) {
    let max: i64 = x.iter().copied().fold(x[0], T::max).into();
    let mut sum = 0u64;
    for (x, out) in x.iter().zip(out.iter_mut()) {
        let x: i64 = (*x).into();
        // At most 2^32 - 1, times less than 2^31.
        let distance = (max - x).unsigned_abs() * softmax.multiplier;
        let exponential = exp::exp_neg(distance, softmax.shift);
        sum += u64::from(exponential);
        *out = exponential.cast_signed();
    }
    // The largest element contributed 2^30: the sum is not zero.
    for out in out {
        let numerator = u64::from(out.unsigned_abs()) << softmax.fraction_bits;
        *out = i32::saturate_i64(round::rne_div(numerator, sum).cast_signed());
    }
}
