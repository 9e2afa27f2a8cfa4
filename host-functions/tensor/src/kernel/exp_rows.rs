//! Many exponentials at once: [`exp_neg`], with an estimate where that decides the rounding.
//!
//! # The estimate
//! A distance `D` of 32 bits stands for `exp(-D * multiplier / 2^shift) = 2^-t`. `t` is computed with 58 fraction bits:
//! the factor has 64 bits and `D` is moved up as far as distances reach whose exponential is not 0, so that it is off by
//! less than 3 units. The whole part of `t` moves the result, ten bits choose `2^-(i / 1024)` from a table, and a
//! polynomial of degree 3 in the next 32 bits `r` (units of `2^-42`) does the rest, all in products of 32 by 32 bits.
//!
//! # Error
//! In units of `2^-42` of a value of at most 1: bits of `t` that are left out, less than 0.7; the fourth term, less than
//! 0.05; the coefficients and their cuts, less than 1.6; the two factors of the last product cut to 32 bits, less than
//! 1.7; `t` and the table, far less than 0.1. Together less than 5; [`ERROR`] says 6. Where the estimate is that near to
//! the middle between two results (for one of 341 at most), [`exp_neg`] decides.

use super::vectors::{Vectors, lower, vectorised};
use super::{
    exp::{LIMIT, exp_neg, exp_neg_reference},
    exp_estimates::Estimates,
    softmax::Softmax,
    wide,
};
use crate::Level;

/// `log2(e)` with 94 fraction bits.
const LOG2_E: u128 = 28_575_519_289_518_506_600_659_418_984;

/// `ln(2)` with 120 fraction bits.
const LN_2: u128 = 0x00b1_7217_f7d1_cf79_abc9_e3b3_9803_f2f6;

/// Fraction bits of `t`.
const STEP_BITS: u32 = 58;

/// Bits of the place in the table.
pub(super) const INDEX_BITS: u32 = 10;

/// `2^-(i / 1024)` with 62 fraction bits, cut; 1 is written as `1 - 2^-62`.
pub(super) static POWERS: [u64; 1 << INDEX_BITS] = powers();

/// `ln(2)`, `ln(2)^2 / 2` and `ln(2)^3 / 6` with 32 fraction bits.
const COEFFICIENTS: [u64; 3] = [2_977_044_472, 1_031_764_991, 238_388_332];

/// Bound on the error of an estimate of a value of at most 1, in units of `2^-62`.
const ERROR: u64 = 6 << 20;

#[allow(clippy::as_conversions, reason = "a constant function: limbs of 64 bits")]
const fn powers() -> [u64; 1 << INDEX_BITS] {
    // ln(2) / 1024 in units of 2^-192.
    let step = wide::exp_series(&[(LN_2 << 62) as u64, (LN_2 >> 2) as u64, (LN_2 >> 66) as u64]);
    let (mut power, mut out, mut i) = (step, [(1 << 62) - 1; 1 << INDEX_BITS], 1);
    while i < out.len() {
        out[i] = (wide::top(&power) >> 66) as u64;
        power = wide::mul(&power, &step);
        i += 1;
    }
    out
}

/// The scale of exponentials, ready for many of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    multiplier: u64,
    shift: u32,
    /// The largest distance whose exponential is not 0 for being too small.
    reach: u32,
    /// How far distances are moved up.
    up: u32,
    /// Halves of what a moved distance is multiplied with; the product, less its lower 32 bits, is `t`.
    factor: [u32; 2],
}

fn reach(multiplier: u64, shift: u32, limit: u64) -> u32 {
    let limit = u128::from(limit) << shift;
    let first = if multiplier == 0 { u128::MAX } else { limit.div_ceil(u128::from(multiplier)) };
    u32::try_from(first - 1).unwrap_or(u32::MAX)
}

impl Scale {
    fn new(multiplier: u64, shift: u32) -> Scale {
        // From `LIMIT` on the exponential is 0.
        let reach = reach(multiplier, shift, LIMIT);
        let bits = 32 - reach.leading_zeros();
        // Below 2^64: at the reach, whose top bit is set when it is moved up, `t` is below 32.
        let factor = if bits == 0 { 0 } else { (u128::from(multiplier) * LOG2_E) >> (94 - STEP_BITS + shift - bits) };
        let half = |half: u128| u32::try_from(half & 0xffff_ffff).expect("32 bits");
        Scale { multiplier, shift, reach, up: (32 - bits).min(31), factor: [half(factor >> 32), half(factor)] }
    }

    /// The largest distance for which the exponent is above `-limit`.
    pub(super) fn reach_to(&self, limit: u64) -> u32 {
        reach(self.multiplier, self.shift, limit)
    }

    /// What the estimate does not decide.
    fn exact(&self, distance: u32) -> u32 {
        exp_neg(u64::from(distance) * self.multiplier, self.shift)
    }

    /// `t` of a distance, or of the reach where that is less.
    #[inline(always)]
    fn step(&self, distance: u32) -> u64 {
        let [high, low] = self.factor.map(u64::from);
        let distance = u64::from(distance.min(self.reach).wrapping_shl(self.up));
        distance.wrapping_mul(high).wrapping_add(distance.wrapping_mul(low) >> 32)
    }

    /// The first 32 of the 64 bits of [`Scale::step`], or one less, of a distance that is not beyond the reach.
    #[inline(always)]
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the upper half of a product")]
    pub(super) fn short_step(&self, distance: u32) -> u32 {
        (u64::from(distance.wrapping_shl(self.up)).wrapping_mul(u64::from(self.factor[0])) >> 32) as u32
    }

    /// Replaces distances by exponentials. Nothing wraps: distances have 32 bits, `t` has 63, and the value, which is at
    /// most `2^62`, is less than doubled.
    #[inline(always)]
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "10 bits, and results of 31 bits")]
    fn exponentials(&self, values: &mut [u32; LANES]) {
        let reach = self.reach;
        let (mut steps, mut powers, mut doubtful) = ([0u64; LANES], [0u64; LANES], [0u32; LANES]);
        let mut results = [0u32; LANES];
        for i in 0..LANES {
            steps[i] = self.step(values[i]);
        }
        for i in 0..LANES {
            powers[i] = POWERS[(steps[i] >> (STEP_BITS - INDEX_BITS)) as usize & ((1 << INDEX_BITS) - 1)];
        }
        for i in 0..LANES {
            let value = estimate(steps[i], powers[i]);
            let whole = steps[i] >> STEP_BITS;
            let half = 1u64.wrapping_shl((whole as u32).wrapping_add(31));
            let sum = value.wrapping_add(half);
            let near = sum.wrapping_add(ERROR) & half.wrapping_shl(1).wrapping_sub(1);
            let result = sum.wrapping_shr((whole as u32).wrapping_add(32)) as u32;
            let seen = values[i] <= reach;
            results[i] = if seen { result } else { 0 };
            doubtful[i] = u32::from(seen & (near < 2 * ERROR));
        }
        if doubtful.iter().fold(0, |any, one| any | one) != 0 {
            for i in 0..LANES {
                if doubtful[i] != 0 {
                    results[i] = self.exact(values[i]);
                }
            }
        }
        *values = results;
    }
}

/// `2^-t` without the whole part of `t`, with 62 fraction bits; `power` is the entry of the table.
#[inline(always)]
fn estimate(step: u64, power: u64) -> u64 {
    let [a, b, c] = COEFFICIENTS;
    let rest = lower(step >> (STEP_BITS - INDEX_BITS - 32));
    let inner = b.wrapping_sub(rest.wrapping_mul(c) >> 42);
    let slope = lower(a.wrapping_sub(rest.wrapping_mul(lower(inner)) >> 42));
    power.wrapping_sub(lower(power >> 30).wrapping_mul(rest.wrapping_mul(slope) >> 32) >> 12)
}

/// Exponentials that are computed together.
const LANES: usize = 16;

/// The exponentials of a softmax, for many rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exponentials {
    level: Level,
    scale: Scale,
}

impl Exponentials {
    pub(super) fn new(level: Level, softmax: Softmax) -> Exponentials {
        let (multiplier, shift, _) = softmax.parts();
        Exponentials { level, scale: Scale::new(multiplier, shift) }
    }

    /// The same with 24 bits.
    pub(super) fn estimates(&self) -> Estimates {
        Estimates::new(self.scale)
    }

    /// Replaces the elements of a row by `E_j = rne(2^30 * exp(c * (x_j - max x)))` and returns their sum. The row may be
    /// empty.
    pub(super) fn replace(&self, row: &mut [i32]) -> u64 {
        if self.level != Level::Reference {
            return vectorised(self.level, Row { row, scale: self.scale });
        }
        let Some(max) = row.iter().copied().max().map(i64::from) else { return 0 };
        let exponential = |x: i32| {
            // At most 2^32 - 1, times less than 2^31.
            let distance = (max - i64::from(x)).unsigned_abs() * self.scale.multiplier;
            exp_neg_reference(distance, self.scale.shift)
        };
        row.iter_mut().for_each(|x| *x = exponential(*x).cast_signed());
        row.iter().map(|e| u64::from(e.cast_unsigned())).sum()
    }
}

struct Row<'a> {
    row: &'a mut [i32],
    scale: Scale,
}

impl Vectors for Row<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let Row { row, scale } = self;
        let max = row.iter().fold(i32::MIN, |max, value| max.max(*value));
        let mut sum = 0u64;
        let (chunks, rest) = row.as_chunks_mut::<LANES>();
        for chunk in chunks {
            // Two numbers of 32 bits differ by 32 bits without sign.
            let mut values = chunk.map(|value| max.wrapping_sub(value).cast_unsigned());
            scale.exponentials(&mut values);
            *chunk = values.map(u32::cast_signed);
            // At most 2^16 numbers of at most 2^30.
            sum =
                sum.wrapping_add(chunk.iter().fold(0, |sum, value| sum.wrapping_add(u64::from(value.cast_unsigned()))));
        }
        if !rest.is_empty() {
            let mut values = [0; LANES];
            for (value, x) in values.iter_mut().zip(rest.iter()) {
                *value = max.wrapping_sub(*x).cast_unsigned();
            }
            scale.exponentials(&mut values);
            for (x, value) in rest.iter_mut().zip(values) {
                *x = value.cast_signed();
                sum = sum.wrapping_add(u64::from(value));
            }
        }
        sum
    }
}

#[cfg(test)]
#[path = "exp_rows_tests.rs"]
mod tests;
