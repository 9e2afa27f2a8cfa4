//! Values of the transcendental functions, in fixed point of 64 bits.
//!
//! Each takes the sign off, reduces the argument by an identity that is exact on the grid of the arguments, and takes
//! what is left from tables and a polynomial: a few products of 64 bits, and for `1 / (1 + exp(-y))` a division.
//! Arguments of either sign and of every size take the same path where they can, so that no order of them is slow.
//! [`ERROR`] bounds what all that loses. `tests.rs` measures it against 256 bits, and shows for every argument that the
//! next rounding boundary is further away; nothing is lost by operations that wrap, which are those without a check.
#![allow(
    clippy::as_conversions,
    reason = "fractions of 64 bits change their sign type, and products of 128 are halved"
)]

use super::Function;
use super::constants::{HALF_PI, LN_2, LOG_CENTRES, TWO_OVER_PI};
use super::series::{COSINE, ERF, LOG_NEAR_ONE, NORMAL, Polynomial, SINE, mul};
use crate::kernel::exp;

/// `scaled / 2^bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// At most `2^62` in magnitude.
    pub(super) scaled: i64,
    /// From 30 to 93; exponentials alone have fewer than 41, and are above `2^20` there.
    pub(super) bits: u32,
}

impl Value {
    /// `rne(2^out_bits * self)`, or something beyond 32 bits where that is.
    #[inline(always)]
    pub(super) fn round(self, out_bits: u32) -> i64 {
        // A result with as many bits as the value is far above 32 bits, and one with 63 fewer is 0.
        let shift = (self.bits.cast_signed() - out_bits.cast_signed()).clamp(1, 63);
        let odd = (self.scaled >> (shift - 1) >> 1) & 1;
        self.scaled.wrapping_add((1i64 << (shift - 1)) - 1).wrapping_add(odd) >> (shift - 1) >> 1
    }
}

/// Bound on the error of a value, in units of `2^-bits`.
#[cfg(test)]
pub(super) const ERROR: u64 = 8;

/// `f(x / 2^in_bits)`, off by at most [`ERROR`] but where [`beyond`] and [`exponential`] say more: every function but the
/// algebraic ones.
#[inline(always)]
pub(super) fn value(function: Function, x: i64, in_bits: u32) -> Value {
    let y = x.unsigned_abs();
    // -1 for negative arguments, else 0.
    let sign = x >> 63;
    let signed = |scaled: i64| (scaled ^ sign).wrapping_sub(sign);
    let (scaled, bits) = match function {
        Function::Exp => return exponential(x, in_bits),
        Function::Log => (log(y, in_bits), LOG_BITS),
        // Exactly a half, which is a tie.
        Function::Sigmoid if y == 0 => (1 << 61, 62),
        Function::Sigmoid => ((logistic(y, in_bits, sign) >> 1) as i64, 62),
        Function::Tanh if y == 0 => (0, 62),
        // 2 sigmoid(2 y) - 1
        Function::Tanh => (signed((logistic(2 * y, in_bits, 0) as i64).wrapping_sub(1 << 62)), 62),
        Function::Silu if y >> in_bits >= SILU_LIMIT => (beyond(y, in_bits, sign), BEYOND_BITS),
        Function::Silu => {
            let (scaled, bits) = times(logistic(y, in_bits, sign), y, in_bits);
            (signed(scaled), bits)
        }
        Function::Gelu if y >> in_bits >= GELU_LIMIT => (beyond(y, in_bits, sign), BEYOND_BITS),
        Function::Gelu => {
            let above_half = signed(around_sixteenths(&NORMAL, y, in_bits));
            let (scaled, bits) = times((above_half.wrapping_add(1 << 61) as u64) << 1, y, in_bits);
            (signed(scaled), bits)
        }
        Function::Erf if y >> in_bits >= ERF_LIMIT => (signed(1 << 62), 62),
        Function::Erf => (signed(around_sixteenths(&ERF, y, in_bits)), 62),
        Function::Sin => (signed(turned(y, in_bits, 0)), 62),
        Function::Cos if y << (16 - in_bits) <= NEARLY_LEVEL => (nearly_level(y, in_bits), 62),
        Function::Cos => (turned(y, in_bits, 1), 62),
        Function::Sqrt | Function::Rsqrt | Function::Recip => unreachable!("an algebraic function"),
    };
    Value { scaled, bits }
}

/// `part * y / 2^in_bits` with as many bits as fit, of a part with 63 fraction bits that is at most 1: near 0, SiLU comes as
/// close to boundaries as `y^4 / 48`.
#[inline(always)]
fn times(part: u64, y: u64, in_bits: u32) -> (i64, u32) {
    // Up to 63 bits.
    let zeros = (y | 1).leading_zeros().wrapping_sub(1);
    (mul(part, y.wrapping_shl(zeros)) as i64, in_bits.wrapping_add(zeros).wrapping_sub(1))
}

/// From here on `x - silu(x)` is below `32 exp(-32) < 2^-41`.
pub(super) const SILU_LIMIT: u64 = 32;

/// From here on `x - gelu(x)` is below `8 * 2^-50 = 2^-47`.
pub(super) const GELU_LIMIT: u64 = 8;

/// From here on the error function is above `1 - 2^-55`, and rounds to 1 with 30 bits.
const ERF_LIMIT: u64 = 6;

/// Fraction bits of what [`beyond`] says.
pub(super) const BEYOND_BITS: u32 = 41;

/// `silu` and `gelu` above their limits: less than `2^-41` below `x`, or below 0 for `-x`. All rounding boundaries are
/// multiples of `2^-31` and `x` is one of `2^-16`, so that there is none between.
#[inline(always)]
fn beyond(y: u64, in_bits: u32, sign: i64) -> i64 {
    ((y << (BEYOND_BITS - in_bits)) as i64 & !sign).wrapping_sub(1)
}

/// Up to so many 2^16ths `cos(v)` is less than `v^4 / 24 < 2^-52` above `1 - v^2 / 2`.
pub(super) const NEARLY_LEVEL: u64 = 16;

/// `cos(y / 2^in_bits)` up to [`NEARLY_LEVEL`]: a unit of `2^-62` above `1 - v^2 / 2`, which is a multiple of `2^-33`, and may be
/// a rounding boundary.
#[inline(always)]
fn nearly_level(y: u64, in_bits: u32) -> i64 {
    (1 << 62) - ((y * y) << (61 - 2 * in_bits)) as i64 + 1
}

/// `exp(-y / 2^in_bits)` in units of `2^-64`, 1 as the most there is; zero from 64 on, where it is below `2^-92`.
#[inline(always)]
fn exp_neg(y: u64, in_bits: u32) -> u64 {
    if y >> in_bits >= 64 {
        return 0;
    }
    let y = y << (16 - in_bits);
    mul(exp::eighths((y >> 13) as usize), below_an_eighth(y))
}

/// `exp(-y / 2^16)` of the low 13 bits of `y`.
#[inline(always)]
fn below_an_eighth(y: u64) -> u64 {
    mul(exp::steps_11((y >> 5) as usize & 255), exp::steps_19((y as usize & 31) << 3))
}

/// From here on, and 22 below 0, exponentials pass what a result can be, and what is not 0.
const MOST_EIGHTHS: i64 = 177;

/// `exp(x / 2^in_bits)` as `exp(c / 8) exp(x - c / 8)` of the next eighth: what it is there, where that is not above
/// [`MOST_EIGHTHS`] or below its negative, and otherwise something above `2^31` or below `2^-31`.
#[inline(always)]
fn exponential(x: i64, in_bits: u32) -> Value {
    let x = x << (16 - in_bits);
    let above = 0i64.wrapping_sub(x);
    let eighths = 0i64.wrapping_sub(above >> 13).clamp(-MOST_EIGHTHS, MOST_EIGHTHS);
    let (mantissa, power) = GROWTH[eighths.wrapping_add(MOST_EIGHTHS) as usize];
    let scaled = mul(mantissa, below_an_eighth(above as u64)) >> 2;
    Value { scaled: scaled as i64, bits: 61i32.wrapping_sub(power) as u32 }
}

/// `exp((i - MOST_EIGHTHS) / 8)` as `mantissa * 2^(power - 63)`, off by at most 8 units of the mantissa.
static GROWTH: [(u64, i32); 2 * MOST_EIGHTHS as usize + 1] = {
    let (mut out, mut i) = ([(1 << 63, 0); 2 * MOST_EIGHTHS as usize + 1], 1);
    while i <= MOST_EIGHTHS as usize {
        // A fraction from 2^-zeros / 2 on; its reciprocal is up to twice 2^zeros.
        let (fraction, zeros) = exp::eighths_normalised(i);
        out[MOST_EIGHTHS as usize - i] = (fraction, -1 - zeros);
        out[MOST_EIGHTHS as usize + i] = (reciprocal(fraction) << 1, zeros);
        i += 1;
    }
    out
};

/// The logistic function of `y / 2^in_bits`, or of its negative, in units of `2^-63`.
#[inline(always)]
fn logistic(y: u64, in_bits: u32, sign: i64) -> u64 {
    let e = exp_neg(y, in_bits);
    // exp(-y) of its negative, else 1.
    mul(e | !sign as u64, reciprocal((1 << 63) + (e >> 1)))
}

/// `2^126 / d` for `d` from `2^63` on, off by at most 4.
#[inline(always)]
const fn reciprocal(d: u64) -> u64 {
    // 2^95 / d, off by at most a 2^30th of it, and one step of Newton's method.
    let guess = (1 << 63) / (d >> 32);
    let rest = (1u128 << 95).wrapping_sub((guess as u128).wrapping_mul(d as u128)) as i128;
    let step = (1u64 << 63).wrapping_add_signed((rest >> 32) as i64);
    ((guess as u128).wrapping_mul(step as u128) >> 32) as u64
}

/// Fraction bits of a logarithm, which is at most 12.
const LOG_BITS: u32 = 58;

/// `ln(y / 2^in_bits)`: `ln c + ln(1 + (m - c) / c) + (power - in_bits) ln 2`, where `m = y / 2^power` and `c` is in the
/// middle of 256 mantissas of 16 bits.
#[inline(always)]
fn log(y: u64, in_bits: u32) -> i64 {
    let power = y.ilog2();
    // 16 bits, the highest set.
    let mantissa = y.wrapping_shl(15u32.wrapping_sub(power));
    let place = (mantissa >> 8) as usize & 127;
    // 2^8 (m - c) / c: at most 1.
    let offset = ((mantissa & 255) as i64).wrapping_sub(128).wrapping_mul(INVERSES[place]);
    let near = (LOG_CENTRES[place] as i64).wrapping_add(LOG_NEAR_ONE.at(offset));
    let power = power.cast_signed().wrapping_sub(in_bits.cast_signed());
    let powers = i128::from(LN_2).wrapping_mul(i128::from(power));
    (near >> (62 - LOG_BITS)).wrapping_add((powers >> (64 - LOG_BITS)) as i64)
}

/// `2^70 / c` of each middle.
static INVERSES: [i64; 128] = {
    let (mut out, mut i) = ([0; 128], 0);
    while i < 128 {
        out[i] = ((1 << 70) / ((128 + i as i128) * 256 + 128)) as i64;
        i += 1;
    }
    out
};

/// A function at `y / 2^in_bits`, by its polynomial around the nearest sixteenth.
#[inline(always)]
fn around_sixteenths<const N: usize>(polynomials: &[Polynomial<N>], y: u64, in_bits: u32) -> i64 {
    let fine = y << 4;
    let centre = fine.wrapping_add(1 << in_bits >> 1) >> in_bits;
    let offset = fine.wrapping_sub(centre << in_bits) as i64;
    // Half a sixteenth is 1.
    polynomials[centre as usize].at(offset << (63 - in_bits))
}

/// The sine of `y / 2^in_bits`, of `y` at most `2^15`, and so many quarter turns.
#[inline(always)]
fn turned(y: u64, in_bits: u32, more: u64) -> i64 {
    // Quarter turns with 80 fraction bits, off by less than 2^-65.
    let turns = u128::from(y).wrapping_mul(TWO_OVER_PI >> (32 + in_bits));
    let (quadrant, rest) = (((turns >> 80) as u64).wrapping_add(more), (turns >> 16) as u64);
    // Above half a quarter turn by the complement.
    let flip = (rest as i64 >> 63) as u64;
    let angle = mul((rest ^ flip).wrapping_sub(flip), HALF_PI) << 1;
    let square = mul(angle, angle);
    // Sine and cosine take turns, the other way round behind the middle.
    let is_sine = (quadrant ^ flip) & 1 == 0;
    let (series, factor) = if is_sine { (&SINE, angle) } else { (&COSINE, u64::MAX) };
    let magnitude = (mul(series.at(square), factor) >> 1) as i64;
    let sign = (quadrant << 62) as i64 >> 63;
    (magnitude ^ sign).wrapping_sub(sign)
}
