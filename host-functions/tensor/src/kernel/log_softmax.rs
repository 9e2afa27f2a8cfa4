//! The logarithm of the softmax of rows.
//!
//! `ops::log_softmax` has the formula. Its logarithm is one of the sum of a row, by squaring: the error of [`log2_of_sum`] is below
//! `2^-47`, because the digits are cut after 48 and each of the 48 squarings, which double an error of the logarithm while a
//! digit's weight halves, loses less than one part in `2^61`: all of them together less than `2^-60`.

use super::{Kernels, Softmax, exp, reference::rne_ratio, round};
use crate::{Element, Level};

/// Fraction bits of the logarithm to base 2.
const LOG_BITS: u32 = 48;

/// Fraction bits of what is rounded at the end.
const FINE_BITS: u32 = 62;

/// `rne(2^62 * ln 2)`
const LN_2: i128 = 3_196_577_161_300_663_915;

/// With `E` and `c` as for [`softmax_rows`](super::softmax_rows):
/// `out_j = sat(rne(2^fraction_bits * (c * (x_j - max x) - ln(sum E / 2^30))))`, the logarithm as the formula has it.
///
/// # Panics
/// Where lengths do not fit together, or rows are not 1 to [`MAX_SOFTMAX_ROW`](super::MAX_SOFTMAX_ROW) long.
pub fn log_softmax_rows<T: Element>(k: &Kernels, x: &[T], row: usize, softmax: Softmax, out: &mut [i32]) {
    assert!((1..=super::MAX_SOFTMAX_ROW).contains(&row), "a row too short or too long for softmax");
    assert!(x.len() == out.len() && x.len().is_multiple_of(row), "results of another shape");
    let level = k.level();
    // One element costs about as much as this many multiplications of a product.
    const WORK: usize = 500;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference { reference_row(x, softmax, out) } else { one_row(x, softmax, out) }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::LogSoftmax, out);
}

fn one_row<T: Element>(x: &[T], softmax: Softmax, out: &mut [i32]) {
    let (multiplier, shift, fraction_bits) = softmax.parts();
    let max: i64 = x.iter().copied().fold(x[0], T::max).into();
    // At most 2^32 - 1, times less than 2^31.
    let distance = |x: T| (max - Into::<i64>::into(x)).unsigned_abs() * multiplier;
    let sum: u64 = x.iter().map(|x| u64::from(exp::exp_neg(distance(*x), shift))).sum();
    let log = round::rne_shift(i128::from(log2_of_sum(sum)) * LN_2, LOG_BITS);
    for (x, out) in x.iter().zip(out) {
        // At most 2^125 + 2^66.
        let fine = -(i128::from(distance(*x)) << (FINE_BITS - shift)) - log;
        *out = i32::saturate(round::rne_shift(fine, FINE_BITS - fraction_bits));
    }
}

/// `log2(sum / 2^30)` with 48 fraction bits, of a sum of `2^30` to `2^46`.
fn log2_of_sum(sum: u64) -> u64 {
    let exponent = sum.ilog2();
    let mut z = sum << (FINE_BITS - exponent);
    let mut log = u64::from(exponent - exp::FRACTION_BITS);
    for _ in 0..LOG_BITS {
        let square = (u128::from(z) * u128::from(z)) >> FINE_BITS;
        // Below 2^64.
        let digit = square >> 63;
        z = u64::try_from(square >> digit).unwrap_or(u64::MAX);
        log = (log << 1) | u64::try_from(digit).unwrap_or(1);
    }
    log
}

/// The formula step by step, in checked arithmetic.
fn reference_row<T: Element>(x: &[T], softmax: Softmax, out: &mut [i32]) {
    let (multiplier, shift, fraction_bits) = softmax.parts();
    let max: i128 = x.iter().copied().max().expect("a row of at least one element").into();
    let times = |a: i128, b: i128| a.checked_mul(b).expect("below 2^127, as the module says");
    let distances: Vec<i128> = x.iter().map(|x| times(max - Into::<i128>::into(*x), i128::from(multiplier))).collect();
    let exponential =
        |distance: &i128| i128::from(exp::exp_neg_reference(u64::try_from(*distance).expect("at most 63 bits"), shift));
    let sum: i128 = distances.iter().map(exponential).sum();
    let mut exponent = 0;
    while sum >> (exponent + 1) > 0 {
        exponent += 1;
    }
    let mut z = times(sum, 1 << (62 - exponent));
    let mut log = times(exponent - 30, 1 << 48);
    for digit in (0..48).rev() {
        z = times(z, z).div_euclid(1 << 62);
        if z >= 1 << 63 {
            z = z.div_euclid(2);
            log += 1 << digit;
        }
    }
    let log = rne_ratio(times(log, LN_2), 1 << 48);
    for (distance, out) in distances.iter().zip(out) {
        let fine = -times(*distance, 1 << (62 - shift)) - log;
        *out = i32::saturate(rne_ratio(fine, 1 << (62 - fraction_bits)));
    }
}
