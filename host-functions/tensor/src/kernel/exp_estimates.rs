//! Exponentials of 24 bits, in three planes of bytes: enough for what is rounded to 8 bits, nearly always.
//!
//! # The estimate
//! As in [`exp_rows`](super::exp_rows), in words of 32 bits: `t` has 26 fraction bits, of which ten choose `2^-(i / 1024)` from a table and
//! 15 more a place on the line between two entries. It is of `(2^24 - 1) * 2^-t`, so that it fits 24 bits.
//!
//! # Error
//! In units of the result. `t` is cut by less than 2 units of `2^-26`, and one is added to it: 0.18 at most. All else makes values
//! too large: the bit of `t` that is left out, 0.18; cutting the slope, 0.5, and the factor before it, 0.35; the line, which
//! is above the curve, 0.97; the table and a last cut, 0.05. That is from 0 to 2.05; the table is lower by 1 for that, so 1.05 remain.
//! Rounding adds 0.5, and that an exact exponential has 30 bits, less than 0.02; what is beyond [`LIMIT`] is off by 0.26. Together less than 1.8;
//! [`ERROR`] says 2.

use super::exp_rows::{INDEX_BITS, POWERS, Scale};
use super::vectors::{Vectors, vectorised};
use crate::Level;

/// Bytes of an estimate.
pub(super) const PLANES: usize = 3;

/// Bound on the error of an estimate.
pub(super) const ERROR: u64 = 2;

/// From here on, `exp(-18)`, an estimate is 0; so a shift by the whole part of `t` stays inside 32 bits.
const LIMIT: u64 = 18;

/// `t` of what is further away.
const FAR: u32 = 25 << 26;

/// Slope of the line between two entries, `1024 * (1 - 2^(-1 / 1024))`, with 15 fraction bits.
const SLOPE: i32 = 22_705;

/// `2^-(i / 1024)` in units of `2^-6` of a result, lower by 1 unit of it in `2^24`.
static ENTRIES: [u32; 1 << INDEX_BITS] = entries();

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant function: 30 bits")]
const fn entries() -> [u32; 1 << INDEX_BITS] {
    let (mut out, mut i) = ([0; 1 << INDEX_BITS], 0);
    while i < out.len() {
        out[i] = (((POWERS[i] >> 32) * ((1 << 30) - 128)) >> 30) as u32;
        i += 1;
    }
    out
}

/// The scale of estimates, ready for many of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimates {
    scale: Scale,
    /// The largest distance whose estimate is not 0 for being too small.
    reach: u32,
}

impl Estimates {
    pub(super) fn new(scale: Scale) -> Estimates {
        Estimates { scale, reach: scale.reach_to(LIMIT) }
    }

    /// Writes the bytes of `(2^24 - 1) * exp(c * (x_j - max x))`, each off by less than [`ERROR`], the lowest ones to the first plane,
    /// and returns their sum. Planes may be longer than `row`, which may be empty; they are filled up with zeros.
    pub(super) fn planes(&self, level: Level, row: &[i32], planes: [&mut [u8]; PLANES]) -> u64 {
        vectorised(level, Row { row, planes, estimates: *self })
    }

    /// Nothing wraps: products are of 15 bits by 15, or of 32 by 32 in 64.
    #[inline(always)]
    #[allow(clippy::as_conversions, reason = "10 bits")]
    fn of(&self, max: i32, scores: &[i32; LANES]) -> [u32; LANES] {
        let (mut steps, mut entries, mut results) = ([0u32; LANES], [0u32; LANES], [0u32; LANES]);
        for i in 0..LANES {
            // Two numbers of 32 bits differ by 32 bits without sign.
            let distance = max.wrapping_sub(scores[i]).cast_unsigned();
            let step = self.scale.short_step(distance).wrapping_add(1);
            steps[i] = if distance <= self.reach { step } else { FAR };
        }
        for i in 0..LANES {
            entries[i] = ENTRIES[(steps[i] >> 16) as usize & ((1 << INDEX_BITS) - 1)];
        }
        for i in 0..LANES {
            let place = (steps[i] >> 1 & 0x7fff).cast_signed();
            let slope = place.wrapping_mul(SLOPE) >> 15;
            let entry = entries[i].cast_signed();
            let value = entry.wrapping_sub((entry >> 15 & 0x7fff).wrapping_mul(slope & 0x7fff) >> 10).cast_unsigned();
            let whole = steps[i] >> 26;
            results[i] = value.wrapping_add(32u32.wrapping_shl(whole)).wrapping_shr(whole.wrapping_add(6));
        }
        results
    }
}

struct Row<'a> {
    row: &'a [i32],
    planes: [&'a mut [u8]; PLANES],
    estimates: Estimates,
}

/// Estimates that are computed together.
const LANES: usize = 16;

/// Estimates whose sum fits 32 bits, for each lane.
const BLOCK: usize = 128 * LANES;

impl Vectors for Row<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let Row { row, planes, estimates } = self;
        let max = row.iter().fold(i32::MIN, |max, value| max.max(*value));
        let [a, b, c] = planes.map(|plane| {
            let (seen, hidden) = plane.split_at_mut(row.len());
            hidden.fill(0);
            seen
        });
        let mut sum = 0u64;
        let blocks = a.chunks_mut(BLOCK).zip(b.chunks_mut(BLOCK)).zip(c.chunks_mut(BLOCK));
        for (row, ((a, b), c)) in row.chunks(BLOCK).zip(blocks) {
            let mut sums = [0u32; LANES];
            let ((whole, rest), (a, ends_a)) = (row.as_chunks::<LANES>(), a.as_chunks_mut::<LANES>());
            let ((b, ends_b), (c, ends_c)) = (b.as_chunks_mut::<LANES>(), c.as_chunks_mut::<LANES>());
            for (((scores, a), b), c) in whole.iter().zip(a).zip(b).zip(c) {
                chunk(&estimates, max, scores, [a, b, c], &mut sums);
            }
            if !rest.is_empty() {
                // What is not there is like the maximum, and taken out of the sum again.
                let (mut scores, mut ends) = ([max; LANES], [[0u8; LANES]; PLANES]);
                scores[..rest.len()].copy_from_slice(rest);
                let [first, second, third] = &mut ends;
                chunk(&estimates, max, &scores, [first, second, third], &mut sums);
                for (to, from) in [ends_a, ends_b, ends_c].into_iter().zip(&ends) {
                    to.copy_from_slice(&from[..to.len()]);
                }
                let whole = |i: usize| ends.iter().rev().fold(0, |value, plane| value << 8 | u64::from(plane[i]));
                sum = sum.wrapping_sub((rest.len()..LANES).map(whole).sum());
            }
            sum = sum.wrapping_add(sums.iter().map(|sum| u64::from(*sum)).sum());
        }
        sum
    }
}

/// Estimates of a few scores: their bytes, and each added to a sum, which has 32 bits for 128 of them and more.
#[inline(always)]
fn chunk(
    estimates: &Estimates,
    max: i32,
    scores: &[i32; LANES],
    planes: [&mut [u8; LANES]; PLANES],
    sums: &mut [u32; LANES],
) {
    let values = estimates.of(max, scores);
    for (plane, shift) in planes.into_iter().zip([0, 8, 16]) {
        *plane = values.map(|value| (value >> shift).to_le_bytes()[0]);
    }
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = sum.wrapping_add(value);
    }
}

#[cfg(test)]
#[path = "exp_estimates_tests.rs"]
mod tests;
