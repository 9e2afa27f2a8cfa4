//! Layer and RMS normalisation of rows.
//!
//! `ops::layer_norm` has the formula; here is how its numbers stay inside 128 bits. With rows of at
//! most `2^16` elements of at most 32 bits: `|D| < 2^49`, `V < 2^95`, `R < 2^120`, hence `e <= 59`;
//! `T <= 2^31`; so a product `D * gain * T` is below `2^111`, a bias on the same scale below `2^109`, and
//! the final shift is at most 109.

use super::{Kernels, reference::rne_ratio, round};
use crate::{Element, Level};

/// The longest row.
pub const MAX_NORM_ROW: usize = 65_536;

/// The largest shift of a result.
pub const MAX_NORM_SHIFT: u32 = 31;

/// Fraction bits of `epsilon`.
pub(super) const EPSILON_BITS: u32 = 24;

/// The attributes of a normalisation. With a `bias` it is a layer normalisation, without one it is RMS.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// One factor for each element of a row.
    pub gain: &'a [i32],
    /// One summand for each element of a row.
    pub bias: Option<&'a [i32]>,
    /// Added to the variance, in units of `2^-24`.
    pub epsilon: u64,
    /// Bits that `gain` and `bias` have beyond the result, at most [`MAX_NORM_SHIFT`].
    pub shift: u32,
}

/// Normalises rows of `row` elements of `i8`, `i16` or `i32`.
///
/// # Panics
/// Where lengths do not fit together, rows are not 1 to [`MAX_NORM_ROW`] long, or the shift is above
/// [`MAX_NORM_SHIFT`].
pub fn norm_rows<X: Element, Y: Element>(k: &Kernels, x: &[X], row: usize, norm: Norm<'_>, out: &mut [Y]) {
    assert!((1..=MAX_NORM_ROW).contains(&row), "a row too short or too long for a norm");
    assert!(x.len() == out.len() && x.len().is_multiple_of(row), "results of another shape");
    assert!(norm.gain.len() == row && norm.bias.is_none_or(|bias| bias.len() == row), "gains of another shape");
    assert!(norm.shift <= MAX_NORM_SHIFT, "a shift above {MAX_NORM_SHIFT}");
    let level = k.level();
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 100;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference { reference_row(x, norm, out) } else { one_row(x, norm, out) }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Norm, out);
}

fn one_row<X: Element, Y: Element>(x: &[X], norm: Norm<'_>, out: &mut [Y]) {
    let n = count(x.len());
    let squares = squares(x);
    let sum: i64 = if norm.bias.is_some() { x.iter().map(|x| Into::<i64>::into(*x)).sum() } else { 0 };
    let variance = u128::from(n) * squares - u128::from(sum.unsigned_abs()) * u128::from(sum.unsigned_abs());
    let radicand = (variance << EPSILON_BITS) + u128::from(n) * u128::from(n) * u128::from(norm.epsilon);
    let (root, exponent) = reciprocal_root(radicand);
    let (root, signed_n) = (i128::from(root), i64::from(n));
    let scale = exponent + 31 - EPSILON_BITS / 2;
    for (i, (x, out)) in x.iter().zip(out).enumerate() {
        let x: i64 = (*x).into();
        let product = i128::from(signed_n * x - sum) * i128::from(norm.gain[i]) * root;
        let bias = norm.bias.map_or(0, |bias| i128::from(bias[i]) << scale);
        *out = Y::saturate(round::rne_shift(product + bias, scale + norm.shift));
    }
}

/// The sum of squares of a row of at most `2^16` elements, or of more of at most 16 bits.
pub(super) fn squares<X: Element>(x: &[X]) -> u128 {
    if X::DTYPE == crate::DType::I32 {
        return x.iter().map(|x| square(*x)).map(u128::from).sum();
    }
    // Squares of at most 2^30.
    u128::from(x.iter().map(|x| square(*x)).sum::<u64>())
}

#[inline(always)]
fn square<X: Element>(x: X) -> u64 {
    let x: i64 = x.into();
    x.unsigned_abs() * x.unsigned_abs()
}

/// Row lengths have at most 17 bits.
fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a row of at most 2^24")
}

/// `T` and `e` of the formula: `4^e <= R < 4^(e+1)`, `W = floor(R * 4^(31-e))`, and the integer next
/// to `2^62 / sqrt(W)`; zeros for `R = 0`.
///
/// There are no ties: `2^62 / sqrt(W) = T - 1/2` would make a power of two of `(2 T - 1)^2 W`, whose
/// first factor is odd and above 1.
pub(super) fn reciprocal_root(radicand: u128) -> (u32, u32) {
    if radicand == 0 {
        return (0, 0);
    }
    let exponent = radicand.ilog2() / 2;
    let normal = if exponent <= 31 { radicand << (62 - 2 * exponent) } else { radicand >> (2 * exponent - 62) };
    // floor(2 * 2^62 / sqrt(W)), at most 2^32.
    let doubled = ((1u128 << 126) / normal).isqrt();
    (u32::try_from(doubled.div_ceil(2)).expect("at most 2^31"), exponent)
}

/// The formula step by step, in checked arithmetic.
pub(super) fn reference_row<X: Element, Y: Element>(x: &[X], norm: Norm<'_>, out: &mut [Y]) {
    let wide: Vec<i128> = x.iter().map(|x| (*x).into()).collect();
    let times = |a: i128, b: i128| a.checked_mul(b).expect("below 2^127, as the module says");
    let n = i128::from(count(x.len()));
    let sum: i128 = if norm.bias.is_some() { wide.iter().sum() } else { 0 };
    let squares: i128 = wide.iter().map(|x| times(*x, *x)).sum();
    let variance = times(n, squares) - times(sum, sum);
    let radicand = times(variance, 1 << EPSILON_BITS) + times(times(n, n), i128::from(norm.epsilon));
    let mut exponent = 0;
    while radicand >> (2 * exponent) >= 4 {
        exponent += 1;
    }
    let root = if radicand == 0 { 0 } else { reference_root(radicand, exponent) };
    let scale = times(1 << 19, 1 << exponent);
    for (i, (x, out)) in wide.iter().zip(out).enumerate() {
        let product = times(times(times(n, *x) - sum, i128::from(norm.gain[i])), root);
        let bias = norm.bias.map_or(0, |bias| times(i128::from(bias[i]), scale));
        let numerator = product.checked_add(bias).expect("below 2^112");
        *out = Y::saturate(rne_ratio(numerator, times(scale, 1 << norm.shift)));
    }
}

/// The largest `T` with `(2 T - 1)^2 W <= 2^126`, bit by bit.
pub(super) fn reference_root(radicand: i128, exponent: u32) -> i128 {
    let normal = if exponent <= 31 { radicand << (62 - 2 * exponent) } else { radicand >> (2 * exponent - 62) };
    let mut root = 0i128;
    for bit in (0..32).rev() {
        let odd = 2 * (root + (1 << bit)) - 1;
        if (odd * odd).checked_mul(normal).is_some_and(|product| product <= 1 << 126) {
            root += 1 << bit;
        }
    }
    root
}

#[cfg(test)]
#[path = "norm_tests.rs"]
mod tests;
