//! Layer and RMS normalisation of rows.
//!
//! `ops::layer_norm` has the formula; here is how its numbers stay inside 128 bits. With rows of at
//! most `2^16` elements of at most 32 bits: `|D| < 2^49`, `V < 2^95`, `R < 2^120`, hence `e <= 59`;
//! `T <= 2^31`; so a product `D * gain * T` is below `2^111`, a bias on the same scale below `2^109`, and
//! the final shift is at most 109.

use super::vectors::{Vectors, level_of_length, low, lower, vectorised};
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
    let level = level_of_length(k.level(), row);
    let largest = (largest(norm.gain), norm.bias.map_or(0, largest));
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 30;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference { reference_row(x, norm, out) } else { one_row(level, x, norm, largest, out) }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Norm, out);
}

fn one_row<X: Element, Y: Element>(level: Level, x: &[X], norm: Norm<'_>, largest: (u32, u32), out: &mut [Y]) {
    let n = count(x.len());
    let narrow = X::DTYPE.size() <= 2 && x.len() <= MAX_NARROW_ROW;
    let ends = if narrow { None } else { vectorised(level, Ends(x)).within(MAX_WIDE) };
    let (squares, sum) = match ends {
        _ if narrow => vectorised(level, Moments(x)),
        Some(_) => vectorised(level, WideMoments(x)),
        None => (squares(x), sum(x)),
    };
    let sum = if norm.bias.is_some() { sum } else { 0 };
    let variance = u128::from(n) * squares - u128::from(sum.unsigned_abs()) * u128::from(sum.unsigned_abs());
    let radicand = (variance << EPSILON_BITS) + u128::from(n) * u128::from(n) * u128::from(norm.epsilon);
    let (root, exponent) = reciprocal_root(radicand);
    if narrow
        && exponent <= MAX_NARROW_EXPONENT
        && let Ok(root) = i32::try_from(root)
    {
        vectorised(level, Narrow { x, norm, sum: low(sum), root, exponent, out });
        return;
    }
    if let Some(ends) = ends
        && let Ok(root) = i32::try_from(root)
        && ends.deviation(n, sum).saturating_mul(largest.0.into()) < 1 << 62
        && fits(exponent, norm.shift, largest.1)
    {
        vectorised(level, Wide { x, norm, sum, root, exponent, out });
        return;
    }
    let (root, signed_n) = (i128::from(root), i64::from(n));
    let scale = scale(exponent);
    for (i, (x, out)) in x.iter().zip(out).enumerate() {
        let x: i64 = (*x).into();
        let product = i128::from(signed_n * x - sum) * i128::from(norm.gain[i]) * root;
        let bias = norm.bias.map_or(0, |bias| i128::from(bias[i]) << scale);
        *out = Y::saturate(round::rne_shift(product + bias, scale + norm.shift));
    }
}

/// Bits by which a product is larger than a bias.
fn scale(exponent: u32) -> u32 {
    exponent + 31 - EPSILON_BITS / 2
}

fn sum<X: Element>(x: &[X]) -> i64 {
    x.iter().map(|x| Into::<i64>::into(*x)).sum()
}

/// Rows of 16 bits up to here have deviations `D` of 32 bits, and sums too.
const MAX_NARROW_ROW: usize = 1 << 15;

/// Up to here a bias, moved to the scale of the product less 32 bits, has at most 61 bits.
const MAX_NARROW_EXPONENT: u32 = 42;

/// The sum of squares and the sum of a row of at most [`MAX_NARROW_ROW`] elements of at most 16 bits.
struct Moments<'a, X>(&'a [X]);

impl<X: Element> Vectors for Moments<'_, X> {
    type Output = (u128, i64);

    /// Nothing wraps: sums have at most 31 bits, squares 30 and their sum 45.
    #[inline(always)]
    fn run(self) -> (u128, i64) {
        let (mut sum, mut squares) = (0i32, 0u64);
        for x in self.0 {
            let x = low((*x).into());
            sum = sum.wrapping_add(x);
            squares = squares.wrapping_add(u64::from(x.wrapping_mul(x).cast_unsigned()));
        }
        (squares.into(), sum.into())
    }
}

/// The results of a row whose numbers fit 64 bits, but for one product that has two halves of 32 bits and 64.
///
/// Both the product and the bias are moved up by `k` bits where the scale has fewer than 33, so that rounding always cuts more
/// than the lower half. Then `exponent` is at most 13, which makes `R < 4^14`, the variance `V < 2^4` and, of at most `2^15`
/// elements, `|D| < 2^10`: there is room. So there is for `2^16` elements.
struct Narrow<'a, X, Y> {
    x: &'a [X],
    norm: Norm<'a>,
    sum: i32,
    root: i32,
    exponent: u32,
    out: &'a mut [Y],
}

impl<X: Element, Y: Element> Vectors for Narrow<'_, X, Y> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Narrow { x, norm, sum, root, exponent, out } = self;
        match norm.bias {
            Some(bias) => {
                let bias = &bias[..x.len()];
                narrow_row(x, norm.gain, |i| bias[i], (sum, root, exponent, norm.shift), out);
            }
            None => narrow_row(x, norm.gain, |_| 0, (sum, root, exponent, norm.shift), out),
        }
    }
}

/// Elements of at most so many bits, with their sign, have squares whose sum over a row fits 64 bits.
const MAX_WIDE: u32 = 24;

/// The least and the largest element of a row.
#[derive(Clone, Copy)]
struct Both(i64, i64);

impl Both {
    /// Themselves, where both have at most so many bits, with the sign.
    fn within(self, bits: u32) -> Option<Both> {
        let limit = 1i64 << (bits - 1);
        (self.0 >= -limit && self.1 < limit).then_some(self)
    }

    /// The largest magnitude of `n x - sum`.
    fn deviation(self, n: u32, sum: i64) -> u64 {
        let of = |x: i64| (i64::from(n) * x - sum).unsigned_abs();
        of(self.0).max(of(self.1))
    }
}

/// The least and the largest element of a row that is not empty.
struct Ends<'a, X>(&'a [X]);

impl<X: Element> Vectors for Ends<'_, X> {
    type Output = Both;

    #[inline(always)]
    fn run(self) -> Both {
        let (mut least, mut most) = (self.0[0], self.0[0]);
        for x in self.0 {
            (least, most) = (least.min(*x), most.max(*x));
        }
        Both(least.into(), most.into())
    }
}

/// The largest magnitude of gains or biases.
fn largest(numbers: &[i32]) -> u32 {
    numbers.iter().map(|number| number.unsigned_abs()).max().unwrap_or(0)
}

/// Whether a bias of this magnitude, moved to the upper part of the product, has at most 61 bits, and half a unit at most 60.
fn fits(exponent: u32, shift: u32, bias: u32) -> bool {
    let bias_up = scale(exponent).max(33) - 32;
    bias_up + shift <= 61 && u128::from(bias) << bias_up < 1 << 61
}

/// [`Moments`] of elements of [`MAX_WIDE`] bits: their sum has 40 bits, squares have 46 and their sum 62.
struct WideMoments<'a, X>(&'a [X]);

impl<X: Element> Vectors for WideMoments<'_, X> {
    type Output = (u128, i64);

    #[inline(always)]
    fn run(self) -> (u128, i64) {
        let (mut sum, mut squares) = (0i64, 0i64);
        for x in self.0 {
            let x = i64::from(low((*x).into()));
            sum = sum.wrapping_add(x);
            squares = squares.wrapping_add(x.wrapping_mul(x));
        }
        (u128::from(squares.unsigned_abs()), sum)
    }
}

/// As [`Narrow`], of rows whose deviations, times the largest gain, have at most 62 bits.
struct Wide<'a, X, Y> {
    x: &'a [X],
    norm: Norm<'a>,
    sum: i64,
    root: i32,
    exponent: u32,
    out: &'a mut [Y],
}

impl<X: Element, Y: Element> Vectors for Wide<'_, X, Y> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Wide { x, norm, sum, root, exponent, out } = self;
        let n = i64::from(count(x.len()));
        let (x, gain) = (&x[..out.len()], &norm.gain[..out.len()]);
        let product = |i: usize| {
            // 24 bits by 17.
            let deviation = i64::from(low(x[i].into())).wrapping_mul(n).wrapping_sub(sum);
            deviation.wrapping_mul(i64::from(gain[i]))
        };
        match norm.bias {
            Some(bias) => {
                let bias = &bias[..out.len()];
                scaled_row(product, |i| bias[i], (root, exponent, norm.shift), out);
            }
            None => scaled_row(product, |_| 0, (root, exponent, norm.shift), out),
        }
    }
}

/// A row of [`Narrow`]: `|D| < 2^31`, times a gain less than `2^62`.
#[inline(always)]
fn narrow_row<X: Element, Y: Element>(
    x: &[X],
    gain: &[i32],
    bias: impl Fn(usize) -> i32,
    (sum, root, exponent, shift): (i32, i32, u32, u32),
    out: &mut [Y],
) {
    let n = low(i64::from(count(x.len())));
    let (x, gain) = (&x[..out.len()], &gain[..out.len()]);
    let product = |i: usize| {
        let deviation = n.wrapping_mul(low(x[i].into())).wrapping_sub(sum);
        i64::from(deviation).wrapping_mul(i64::from(gain[i]))
    };
    scaled_row(product, bias, (root, exponent, shift), out);
}

/// Products of at most 62 bits times the root, with the bias, rounded once. Nothing wraps: the whole product has at most 93 bits and its
/// upper part 61; a bias has 61 on that scale, and half a unit at most 60.
#[inline(always)]
fn scaled_row<Y: Element>(
    product: impl Fn(usize) -> i64,
    bias: impl Fn(usize) -> i32,
    (root, exponent, shift): (i32, u32, u32),
    out: &mut [Y],
) {
    let scale = scale(exponent);
    let up = 33u32.saturating_sub(scale);
    let bias_up = scale + up - 32;
    let down = bias_up + shift;
    let (half, mask) = (1i64 << (down - 1), (1i64 << down) - 1);
    let (root, unsigned_root) = (i64::from(root), u64::from(root.cast_unsigned()));
    for (i, out) in out.iter_mut().enumerate() {
        let product = product(i).wrapping_shl(up);
        let upper = (product >> 32).wrapping_mul(root);
        let rest = lower(product.cast_unsigned()).wrapping_mul(unsigned_root);
        let upper =
            upper.wrapping_add((rest >> 32).cast_signed()).wrapping_add(i64::from(bias(i)).wrapping_shl(bias_up));
        let sum = upper.wrapping_add(half);
        let rounded = sum.wrapping_shr(down);
        // In the middle, which the lower half takes part in, odd results go down again.
        let tie = (sum & mask) | lower(rest).cast_signed() == 0;
        *out = Y::saturate_i64(rounded.wrapping_sub(if tie { rounded & 1 } else { 0 }));
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
    let square = (1u128 << 126) / normal;
    // A root of 64 bits is found faster.
    let doubled = u64::try_from(square).map_or_else(|_| square.isqrt(), |square| square.isqrt().into());
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
