//! From sums to results: `rne(sum / total * multiplier / 2^shift)`.

use super::Scale;
use crate::kernel::{
    reference,
    vectors::{Vectors, low, vectorised},
};
use crate::{Element, Level};

/// What sums over planes of bytes are, some at a time: `sum over p of 2^(8 p) * sums[p]`, at most 54 bits.
#[inline(always)]
pub(super) fn joined<const P: usize, const N: usize>(sums: [[i32; N]; P]) -> [i64; N] {
    let mut joint = [0i64; N];
    for p in (0..P).rev() {
        for i in 0..N {
            joint[i] = (joint[i] << 8).wrapping_add(i64::from(sums[p][i]));
        }
    }
    joint
}

/// The sums of one of `count` rows, plane by plane.
pub(super) fn of_row<const P: usize>(sums: &[i32], row: usize, count: usize, width: usize) -> [&[i32]; P] {
    std::array::from_fn(|p| &sums[(p * count + row) * width..][..width])
}

/// Shifts of a scale that [`rounded`] takes, if its multiplier is positive.
pub(super) fn is_usual((multiplier, shift): Scale) -> bool {
    multiplier > 0 && (20..=38).contains(&shift)
}

/// Rounds weighted means of a row, whose sums are given in planes, and says whether all of them are decided.
///
/// A result is `sum / total * multiplier / 2^shift`, of which the first part lies between -128 and 127. With `total`, of at most
/// 47 bits, moved up to 47 and `sum` as far, what is above the lowest 23 bits of `sum` has 32, `x`; and
/// `F = floor(2^32 * multiplier / floor(total / 2^16) / 4)` has at most 31. Then the result is `x * F / 2^(23 + shift)`, off by less
/// than `2^33` in the numerator: `2^31` for what was cut from the sum, `2^31.4` from the quotient, `2^32` from the total. `error`
/// is what means are off by at most before they are scaled, in units of `2^-23`; times the multiplier, it is one more error of
/// that numerator.
///
/// # Panics
/// Where the scale is not usual or the total is 0.
pub(super) fn rounded<const P: usize>(
    level: Level,
    sums: [&[i32]; P],
    total: u64,
    error: u64,
    scale: Scale,
    out: &mut [i8],
) -> bool {
    assert!(is_usual(scale) && total > 0 && total >> 47 == 0, "a mean out of range");
    let (multiplier, shift) = (u64::from(scale.0.unsigned_abs()), scale.1);
    let up = total.leading_zeros() - 17;
    let factor = ((multiplier << 32) / (total << up >> 16) / 4).cast_signed();
    let error = error.saturating_mul(multiplier).saturating_add(1 << 33).min(1 << 62).cast_signed();
    let factor = i32::try_from(factor).expect("31 bits");
    vectorised(level, Rounded { sums, rounding: Rounding { up, factor, shift: 23 + shift, error }, out })
}

struct Rounded<'a, const P: usize> {
    sums: [&'a [i32]; P],
    rounding: Rounding,
    out: &'a mut [i8],
}

/// What is the same for a row.
#[derive(Clone, Copy)]
struct Rounding {
    up: u32,
    factor: i32,
    shift: u32,
    error: i64,
}

/// Results that are computed together.
const LANES: usize = 16;

impl<const P: usize> Vectors for Rounded<'_, P> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Rounded { sums, rounding, out } = self;
        let mut doubtful = [0i8; LANES];
        let (whole, rest) = out.as_chunks_mut::<LANES>();
        let parts = sums.map(|sums| sums.as_chunks::<LANES>());
        for (index, out) in whole.iter_mut().enumerate() {
            *out = rounding.chunk(parts.map(|(whole, _)| whole[index]), &mut doubtful);
        }
        if !rest.is_empty() {
            // What is not there is 0, which is in the middle between two results for no scale.
            let mut sums = [[0; LANES]; P];
            for (to, (_, from)) in sums.iter_mut().zip(parts) {
                to[..rest.len()].copy_from_slice(from);
            }
            let results = rounding.chunk(sums, &mut doubtful);
            rest.copy_from_slice(&results[..rest.len()]);
        }
        doubtful.iter().fold(0, |any, one| any | one) == 0
    }
}

impl Rounding {
    #[inline(always)]
    fn chunk<const P: usize>(self, sums: [[i32; LANES]; P], doubtful: &mut [i8; LANES]) -> [i8; LANES] {
        let Rounding { up, factor, shift, error } = self;
        let (half, mask) = (1i64 << (shift - 1), (1i64 << shift) - 1);
        let (joint, mut results) = (joined(sums), [0i8; LANES]);
        for i in 0..LANES {
            // At most 31 bits and the sign, times at most 31: nothing wraps. What an error makes wrap is doubtful anyway.
            let x = low(joint[i].wrapping_shl(up) >> 23);
            let value = i64::from(x).wrapping_mul(i64::from(factor)).wrapping_add(half);
            results[i] = i8::saturate_i64(value.wrapping_shr(shift));
            doubtful[i] |= i8::from((value.wrapping_add(error) & mask) < error.wrapping_mul(2));
        }
        results
    }
}

/// `sat(rne(sum * multiplier / (total * 2^shift)))`; 0 where a row sees no key.
pub(super) fn exactly(level: Level, sum: i64, total: u64, (multiplier, shift): Scale) -> i8 {
    if total == 0 {
        return 0;
    }
    // At most 54 + 31 bits over at most 47 + 62.
    let (numerator, denominator) = (i128::from(sum) * i128::from(multiplier), i128::from(total) << shift);
    if level == Level::Reference {
        return i8::saturate(reference::rne_ratio(numerator, denominator));
    }
    let (quotient, rest) = (numerator.unsigned_abs() / denominator.unsigned_abs(), numerator % denominator);
    let doubled = 2 * rest.unsigned_abs();
    let up = match doubled.cmp(&denominator.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient & 1 == 1,
        std::cmp::Ordering::Greater => true,
    };
    let rounded = quotient.cast_signed() + i128::from(up);
    i8::saturate(if numerator < 0 { -rounded } else { rounded })
}
