//! `rne(2^30 * exp(-y))` for rational `y`, correctly rounded for every input, in integers and in
//! constant time.
//!
//! # Method
//! An argument is `Y / 2^64` with `Y < 64 * 2^64` (the fraction has at most 62 bits, so it is exact).
//! From its top down, `Y` is cut into 9 bits (whole part and eighths), three times 8 bits, and 37 bits
//! `z`. Four tables hold `exp` of the cuts, a polynomial of degree 4 gives `exp(-z / 2^64)`, and four
//! products of 128 bits join them. All fractions are in units of `2^-128`, with 1 written as
//! `1 - 2^-128`.
//!
//! # Error
//! In those units: an entry of a table is below the true value by less than 1.01 (truncation; the
//! tables are computed here with 192 bits); the polynomial is off by less than 3 (see there); a product
//! loses less than 1. All factors are at most 1, so errors do not grow, and the result is off by less
//! than `4 * 1.01 + 3 + 4 < 12` units: [`ERROR`] says 16.
//!
//! # Why the rounding is right
//! Rounding is wrong only if a number `(m + 1/2) / 2^30` lies between the result and the true value.
//! Let `y_m = -ln((m + 1/2) / 2^30)`, which is irrational, so that there are no ties. Every argument
//! is a multiple of `2^-62`. Since `exp` is monotonic it is enough that for each of the `2^30` values
//! of `m` the two multiples of `2^-62` around `y_m` have results further than [`ERROR`] from
//! `(m + 1/2) / 2^30`. That is a finite check, and `check_midpoints` below does it; the test
//! `every_midpoint` runs it for all `m` (minutes; ignored by default, result recorded there), the
//! test `some_midpoints` for a sample. From 22 on the result is 0: `2^30 * exp(-22) < 0.3`.

use super::wide;

/// Fraction bits of the result.
pub(super) const FRACTION_BITS: u32 = 30;

/// Arguments from here on give zero.
pub(super) const LIMIT: u64 = 22;

/// Bound on the error of [`fraction`], in units of `2^-128`.
#[cfg(test)]
const ERROR: u128 = 16;

/// Bits of the argument's fraction that the polynomial takes.
const REST_BITS: u32 = 37;

static EIGHTHS: [u128; 512] = table(3);
static STEPS_11: [u128; 256] = table(11);
static STEPS_19: [u128; 256] = table(19);
static STEPS_27: [u128; 256] = table(27);

/// The tables one after the other, each number as its low and its high half: what a device needs for
/// the same arithmetic.
#[cfg(feature = "cuda")]
#[allow(clippy::as_conversions, reason = "halves of 64 bits")]
pub(crate) fn tables() -> Vec<u64> {
    // Arguments below LIMIT need no more; `kernels.cu` counts on 176.
    let eighths = EIGHTHS.iter().take(176);
    let all = eighths.chain(&STEPS_11).chain(&STEPS_19).chain(&STEPS_27);
    all.flat_map(|entry| [*entry as u64, (entry >> 64) as u64]).collect()
}

/// `exp(-i / 8)` with 64 bits, truncated.
#[inline(always)]
pub(super) fn eighths(i: usize) -> u64 {
    high(EIGHTHS[i])
}

/// `exp(-i / 2^11)` with 64 bits, truncated.
#[inline(always)]
pub(super) fn steps_11(i: usize) -> u64 {
    high(STEPS_11[i])
}

/// `exp(-i / 2^19)` with 64 bits, truncated.
#[inline(always)]
pub(super) fn steps_19(i: usize) -> u64 {
    high(STEPS_19[i])
}

/// The highest 64 bits of `exp(-i / 8)` from the first that is set on, and how many are clear before it.
#[allow(clippy::as_conversions, reason = "at most 128 bits are clear")]
pub(super) const fn eighths_normalised(i: usize) -> (u64, i32) {
    let zeros = EIGHTHS[i].leading_zeros();
    (high(EIGHTHS[i] << zeros), zeros as i32)
}

#[inline(always)]
#[allow(clippy::as_conversions, reason = "the upper half")]
const fn high(fraction: u128) -> u64 {
    (fraction >> 64) as u64
}

/// `exp(-i / 2^bits)` for each `i`, truncated to 128 bits.
///
/// With 192 bits: `exp(-1 / 2^bits)` is off by less than 100 units, each of up to 511 products adds
/// less than 101 to that, so an entry is off by less than `2^16` units of `2^-192` before truncation.
const fn table<const N: usize>(bits: u32) -> [u128; N] {
    let step = wide::exp_series(&wide::limb::<3>(1 << (64 - bits), 0));
    let (mut power, mut out, mut i) = (step, [u128::MAX; N], 1);
    while i < N {
        out[i] = wide::top(&power);
        power = wide::mul(&power, &step);
        i += 1;
    }
    out
}

/// `rne(2^30 * exp(-p / 2^shift))`.
///
/// `shift` must be at most 62.
#[inline]
pub(super) fn exp_neg(p: u64, shift: u32) -> u32 {
    if p >> shift >= LIMIT {
        return 0;
    }
    round(fraction((u128::from(p) << 64) >> shift))
}

/// Rounds units of `2^-128` to units of `2^-30`; there are no ties (see above).
#[inline]
#[allow(clippy::as_conversions, reason = "31 bits are left, and at most 2^30 after halving")]
fn round(fraction: u128) -> u32 {
    let halves = (fraction >> (128 - FRACTION_BITS - 1)) as u32;
    (halves + 1) >> 1
}

/// `exp(-y / 2^64)` in units of `2^-128`, off by less than [`ERROR`]. `y` must be below `64 * 2^64`.
#[inline]
#[allow(clippy::as_conversions, reason = "table indices of at most 9 bits, and the 37 bits of the rest")]
pub(super) fn fraction(y: u128) -> u128 {
    let [eighths, a, b, c] = [24, 16, 8, 0].map(|skip| (y >> (REST_BITS + skip)) as usize);
    let rest = y as u64 & ((1 << REST_BITS) - 1);
    let high = mul(EIGHTHS[eighths], STEPS_11[a & 255]);
    let low = mul(STEPS_19[b & 255], STEPS_27[c & 255]);
    mul(mul(high, low), polynomial(rest))
}

/// `exp(-z / 2^64)` in units of `2^-128` for `z < 2^37`:
/// `2^128 - 1 - z 2^64 + z^2 / 2 - z^3 / (6 * 2^64) + z^4 / (24 * 2^128)`.
///
/// Off by less than 3: 1 for writing 1 as `2^128 - 1`, less than 1 up and 1 down in the quadratic and
/// quartic terms, less than 4/3 in the cubic one (both with opposite signs), and the terms left out
/// are below `2^-13`. `z^3` has 111 bits and is exact.
#[inline]
fn polynomial(z: u64) -> u128 {
    let z = u128::from(z);
    let z2 = z * z;
    let z3 = (z2 * z) >> 65;
    let z4 = (z3 * z) >> 64;
    // The sum of the negative terms is below 2^102 in magnitude: nothing leaves 128 bits.
    u128::MAX - (z << 64) + (z2 >> 1) - div_small(z3, 3) + div_small(z4, 12)
}

/// Division of a number of at most 46 bits, which does not need the 128-bit routine.
#[inline]
#[allow(clippy::as_conversions, reason = "at most 46 bits")]
fn div_small(a: u128, by: u64) -> u128 {
    u128::from(a as u64 / by)
}

/// The upper half of a product.
#[inline]
#[allow(clippy::as_conversions, reason = "halves of 64 bits")]
pub(super) fn mul(a: u128, b: u128) -> u128 {
    let (a0, a1, b0, b1) = (a as u64, a >> 64, b as u64, b >> 64);
    let (a0, b0) = (u128::from(a0), u128::from(b0));
    // (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1: no sum overflows.
    let middle = a1 * b0 + ((a0 * b0) >> 64);
    let other = a0 * b1 + u128::from(middle as u64);
    a1 * b1 + (middle >> 64) + (other >> 64)
}

/// The same function by another way, for the `reference` level: no tables, no polynomial of fixed
/// degree, 256 bits. `exp(-y)` is the 1024th power of `exp(-y / 1024)`, which the series gives.
///
/// Ten squarings turn an error of less than 100 units of `2^-256` into one below `2^18`.
pub(super) fn exp_neg_reference(p: u64, shift: u32) -> u32 {
    if p >> shift >= LIMIT {
        return 0;
    }
    if p == 0 {
        return 1 << FRACTION_BITS;
    }
    // p / 2^shift / 2^10 as a fraction: p occupies the bits below 2^(64 - shift - 10) of 1.
    let whole = (u128::from(p) << 64) >> shift >> 10;
    let lost = (u128::from(p) << 64) >> shift << 54;
    let mut x = wide::limb::<4>(0, 0);
    // whole < 22 * 2^54 fills the top limb; the ten bits that were cut off start the next one.
    x[3] = u64::try_from(whole).expect("below 2^59");
    x[2] = u64::try_from(lost & u128::from(u64::MAX)).expect("masked");
    let mut power = wide::exp_series(&x);
    for _ in 0..10 {
        power = wide::mul(&power, &power);
    }
    round(wide::top(&power))
}

#[cfg(test)]
#[path = "exp_tests.rs"]
mod tests;
