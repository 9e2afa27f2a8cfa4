//! Softmax of rows.

use noema_abi::Status;

use super::vectors::{Vectors, low, lower, vectorised};
use super::{Kernels, exp_rows::Exponentials, reference};
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
    let exponentials = Exponentials::new(level, softmax);
    // One element costs about as much as this many multiplications of a product.
    const WORK: usize = 100;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference {
                reference::softmax(x, softmax.multiplier, softmax.shift, softmax.fraction_bits, out);
            } else {
                one_row(x, softmax, &exponentials, level, out);
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Softmax, out);
}

/// The results hold the exponentials, at most `2^30`, between the two passes.
fn one_row<T: Element + Into<i32>>(
    x: &[T],
    softmax: Softmax,
    exponentials: &Exponentials,
    level: Level,
    out: &mut [i32],
) {
    for (x, out) in x.iter().zip(out.iter_mut()) {
        *out = (*x).into();
    }
    let sum = exponentials.replace(out);
    vectorised(level, Quotients { exponentials: out, sum, fraction_bits: softmax.fraction_bits });
}

/// `rne(2^fraction_bits * E / sum)`, for numbers of at most `2^30` and a sum from there to `2^46`.
///
/// With `R = floor((2^62 - 1) / sum)`, which has 32 bits, `E * R` shifted down to whole numbers is the quotient or one
/// less: it misses less than `E * (1 + 2^-30) / 2^(62 - fraction_bits) < 1`. What is left of the numerator then says the rest.
struct Quotients<'a> {
    exponentials: &'a mut [i32],
    sum: u64,
    fraction_bits: u32,
}

impl Vectors for Quotients<'_> {
    type Output = ();

    /// Nothing wraps: numerators have at most 60 bits, and `R` times 31 bits has 63.
    #[inline(always)]
    fn run(self) {
        let Quotients { exponentials, sum, fraction_bits } = self;
        let reciprocal = lower(((1 << 62) - 1) / sum);
        for value in exponentials {
            let exponential = u64::from(value.cast_unsigned());
            let quotient = exponential.wrapping_mul(reciprocal).wrapping_shr(62 - fraction_bits);
            let rest = exponential.wrapping_shl(fraction_bits).wrapping_sub(quotient.wrapping_mul(sum));
            let one_more = rest >= sum;
            let rest = if one_more { rest.wrapping_sub(sum) } else { rest };
            let quotient = quotient.wrapping_add(u64::from(one_more));
            let missing = sum.wrapping_sub(rest);
            let up = (rest > missing) | ((rest == missing) & (quotient & 1 == 1));
            *value = low(quotient.wrapping_add(u64::from(up)).cast_signed());
        }
    }
}
