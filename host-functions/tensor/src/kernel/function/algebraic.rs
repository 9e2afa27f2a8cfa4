//! Functions whose values are roots and quotients of integers: exact, ties included.

use super::super::round::rne_div;

/// `rne(2^out_bits * sqrt(x / 2^in_bits))`.
pub(super) fn sqrt(x: u128, in_bits: u32, out_bits: u32) -> i128 {
    // Twice the root is that of 4 x 2^(2 out_bits - in_bits).
    match (2 * out_bits + 2).checked_sub(in_bits) {
        Some(shift) => half_root(x << shift, 1),
        None => half_root(x, 1 << (in_bits - 2 * out_bits - 2)),
    }
}

/// `rne(2^out_bits / sqrt(x / 2^in_bits))`.
pub(super) fn rsqrt(x: u128, in_bits: u32, out_bits: u32) -> i128 {
    half_root(1 << (2 * out_bits + in_bits + 2), x)
}

/// `rne(2^out_bits / (x / 2^in_bits))`.
pub(super) fn recip(x: i64, in_bits: u32, out_bits: u32) -> i128 {
    // At most 2^46 over at least 1.
    i128::from(rne_div(1 << (in_bits + out_bits), x.unsigned_abs()).cast_signed()) * i128::from(x.signum())
}

/// `rne(sqrt(numerator / denominator) / 2)` of numbers of fewer than 100 bits.
fn half_root(numerator: u128, denominator: u128) -> i128 {
    let doubled = (numerator / denominator).isqrt();
    let up = doubled.div_ceil(2);
    // A tie: the doubled root is odd and exact.
    let tie = doubled & 1 == 1 && doubled * doubled * denominator == numerator;
    (up - u128::from(tie && up & 1 == 1)).cast_signed()
}
