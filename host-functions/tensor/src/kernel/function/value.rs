//! Values of transcendental functions with 92 fraction bits, in 128-bit integers.
//!
//! Each takes the sign off, reduces the argument by an identity that is exact on the grid of the
//! arguments, and sums a series of fixed length. All intermediate fractions have at least 96 bits;
//! what is lost is a few units of those, and one unit when the result is cut to 92.

use super::Function;
use super::constants::{DENSITY, ERF, HALF_PI, LN_2, NORMAL, NORMAL_DENSITY, TWO_OVER_PI};
use crate::kernel::exp::{fraction, mul};

/// Fraction bits of a value.
pub(super) const FRACTION_BITS: u32 = 92;

/// Bound on the error of a value in units of `2^-92`; that of a value `v` of `exp` is larger by `v / 2^88`.
#[cfg(test)]
pub(super) const ERROR: u128 = 8;

const ONE: i128 = 1 << FRACTION_BITS;

/// More than any result of 32 bits.
const HUGE: i128 = 1 << 125;

/// `2^92 * f(x / 2^in_bits)`, off by at most `ERROR` but where [`beyond`] says more: every function but the algebraic ones.
#[allow(clippy::as_conversions, reason = "fractions below 2^127 change their sign type")]
pub(super) fn value(function: Function, x: i64, in_bits: u32) -> i128 {
    let (y, negative) = (x.unsigned_abs(), x < 0);
    let signed = |value: i128| if negative { -value } else { value };
    match function {
        Function::Exp if y == 0 => ONE,
        Function::Exp if negative => (exp_neg(y, in_bits) >> 36) as i128,
        Function::Exp => exp_pos(y, in_bits),
        Function::Log => log(y, in_bits),
        Function::Sigmoid if y == 0 => ONE / 2,
        Function::Sigmoid => (logistic(y, in_bits, negative) >> 36) as i128,
        Function::Tanh if y == 0 => 0,
        // 2 sigmoid(2 y) - 1
        Function::Tanh => signed((logistic(2 * y, in_bits, false) >> 35) as i128 - ONE),
        Function::Silu if y >> in_bits >= SILU_LIMIT => beyond(y, in_bits, negative),
        Function::Silu => signed(times(logistic(y, in_bits, negative) >> 16, 112, y, in_bits)),
        Function::Gelu if y >> in_bits >= GELU_LIMIT => beyond(y, in_bits, negative),
        Function::Gelu => {
            let above_half = normal(y, in_bits) as u128;
            let half = 1u128 << (FINE_BITS - 1);
            let part = if negative { half - above_half } else { half + above_half };
            signed(times(part >> 14, FINE_BITS - 14, y, in_bits))
        }
        Function::Erf if y >> in_bits >= ERF_LIMIT => signed(ONE),
        Function::Erf => signed(error_function(y, in_bits) >> (FINE_BITS - FRACTION_BITS)),
        Function::Sin if y == 0 => 0,
        Function::Sin => signed(sin_cos(y, in_bits).0),
        Function::Cos if y == 0 => ONE,
        Function::Cos => sin_cos(y, in_bits).1,
        Function::Sqrt | Function::Rsqrt | Function::Recip => unreachable!("an algebraic function"),
    }
}

/// `part * y / 2^in_bits` with [`FRACTION_BITS`], where `part` has `bits` of them and is at most 1.
#[allow(clippy::as_conversions, reason = "at most 112 + 15 bits")]
fn times(part: u128, bits: u32, y: u64, in_bits: u32) -> i128 {
    ((part * u128::from(y)) >> (bits - FRACTION_BITS + in_bits)) as i128
}

/// From here on `x - silu(x)` is below `40 exp(-40) < 2^-52`.
const SILU_LIMIT: u64 = 40;

/// From here on `x - gelu(x)` is below `8 * 2^-50 = 2^-47`.
const GELU_LIMIT: u64 = 8;

/// `silu` and `gelu` above their limits: less than `2^-47` below `x`, or below 0 for `-x`. All
/// rounding boundaries are multiples of `2^-31` and `x` is one of `2^-16`, so that there is none between.
fn beyond(y: u64, in_bits: u32, negative: bool) -> i128 {
    if negative { -1 } else { (i128::from(y) << (FRACTION_BITS - in_bits)) - 1 }
}

/// `exp(-y / 2^in_bits)` in units of `2^-128`; zero from 64 on, where it is below `2^-92`.
fn exp_neg(y: u64, in_bits: u32) -> u128 {
    if y >> in_bits >= 64 { 0 } else { fraction((u128::from(y) << 64) >> in_bits) }
}

/// `exp(y / 2^in_bits)`; from 22 on it is above `2^31`.
#[allow(clippy::as_conversions, reason = "below 2^124")]
fn exp_pos(y: u64, in_bits: u32) -> i128 {
    if y >> in_bits >= 22 {
        return HUGE;
    }
    // exp(-22) is above 2^-32, so at most 31 zeros lead.
    let inverse = exp_neg(y, in_bits);
    let zeros = inverse.leading_zeros();
    (reciprocal(inverse << zeros) >> (35 - zeros)) as i128
}

/// The logistic function of `y / 2^in_bits`, or of its negative, in units of `2^-128`.
fn logistic(y: u64, in_bits: u32, negative: bool) -> u128 {
    let e = exp_neg(y, in_bits);
    let inverse = reciprocal((1 << 127) + (e >> 1));
    if negative { mul(e, inverse) } else { inverse }
}

/// `2^255 / d` for `d` from `2^127` on, off by less than `2^8`; what passes 128 bits is cut to them.
fn reciprocal(d: u128) -> u128 {
    const ONE: u128 = 1 << 127;
    // 63 bits of it, and one step of Newton's method.
    let guess = (ONE / (d >> 64)).min(u128::from(u64::MAX)) << 64;
    let product = mul(guess, d);
    if product <= ONE {
        guess.saturating_add(mul(guess, (ONE - product) << 1))
    } else {
        guess - mul(guess, (product - ONE) << 1)
    }
}

/// `ln(y / 2^in_bits)`: with `k` so that `m = y / 2^k` is between `sqrt(1/2)` and `sqrt(2)`,
/// `2 atanh((m - 1) / (m + 1)) + (k - in_bits) ln 2`.
#[allow(clippy::as_conversions, reason = "fractions below 2^92, and powers of at most 16")]
fn log(y: u64, in_bits: u32) -> i128 {
    let floor = y.ilog2();
    let power = floor + u32::from(u128::from(y) * u128::from(y) >= 1 << (2 * floor + 1));
    let (one, sum) = (1u64 << power, y + (1 << power));
    let (high, rest) =
        ((u128::from(y.abs_diff(one)) << 64) / u128::from(sum), (u128::from(y.abs_diff(one)) << 64) % u128::from(sum));
    let z = (high << 64) | ((rest << 64) / u128::from(sum));
    let square = mul(z, z);
    // z is below 0.172: the 26th power of its square is below 2^-132.
    let (mut power_of_z, mut atanh) = (z, z);
    for k in 1..26u64 {
        power_of_z = mul(power_of_z, square);
        atanh += power_of_z / u128::from(2 * k + 1);
    }
    let mantissa = (atanh >> 35) as i128;
    let powers = i128::from(power) - i128::from(in_bits);
    ((LN_2 as i128 * powers) >> (120 - FRACTION_BITS)) + if y < one { -mantissa } else { mantissa }
}

/// Fraction bits of the tables of [`ERF`] and [`NORMAL`].
const FINE_BITS: u32 = 124;

/// From here on the error function is above `1 - 2^-55`, and rounds to 1 with 30 bits.
const ERF_LIMIT: u64 = 6;

/// `erf(y / 2^in_bits)` below [`ERF_LIMIT`], with [`FINE_BITS`].
fn error_function(y: u64, in_bits: u32) -> i128 {
    let (centre, offset) = nearest_sixteenth(y, in_bits);
    // exp(-(c + h)^2) = exp(-c^2) exp(-2 c h - h^2), of c = i / 16 and h = offset / 2^(in_bits + 4).
    let part = integral(centre, offset, in_bits + 7, 2 * in_bits + 7);
    table_value(&ERF, &DENSITY, centre, part, offset, in_bits)
}

/// The standard normal distribution at `y / 2^in_bits`, below [`GELU_LIMIT`], less one half, with
/// [`FINE_BITS`].
fn normal(y: u64, in_bits: u32) -> i128 {
    let (centre, offset) = nearest_sixteenth(y, in_bits);
    // exp(-(c + h)^2 / 2) = exp(-c^2 / 2) exp(-c h - h^2 / 2)
    let part = integral(centre, offset, in_bits + 8, 2 * in_bits + 8);
    table_value(&NORMAL, &NORMAL_DENSITY, centre, part, offset, in_bits)
}

/// `i` and `offset` with `y / 2^in_bits = i / 16 + offset / 2^(in_bits + 4)`, `|offset| <= 2^(in_bits - 1)`.
fn nearest_sixteenth(y: u64, in_bits: u32) -> (u64, i64) {
    let fine = y << 4;
    let centre = (fine + (1 << in_bits >> 1)) >> in_bits;
    (centre, fine.cast_signed() - (centre << in_bits).cast_signed())
}

/// Fraction bits of the coefficients.
const COEFFICIENT_BITS: u32 = 96;

/// `1/h` times the integral from 0 to `h` of `exp(-2 u t - v t^2)`, where `2 u h = centre * offset / 2^linear`
/// and `2 v h^2 = offset^2 / 2^quadratic`, with [`COEFFICIENT_BITS`].
///
/// The terms `b_k` of the series of the integrand at `h` follow from
/// `(k + 1) b_(k+1) = -2 u h b_k - 2 v h^2 b_(k-1)`. With `|h| <= 1/32` and `2 u <= 12` the 24th is below
/// `0.38^24 / 24! < 2^-110`.
fn integral(centre: u64, offset: i64, linear: u32, quadratic: u32) -> i128 {
    let by_one = i128::from(centre.cast_signed() * offset);
    let by_two = i128::from(offset * offset);
    let (mut previous, mut term, mut sum) = (0i128, 1i128 << COEFFICIENT_BITS, 0i128);
    for k in 1..=24i128 {
        sum += term / k;
        // At most 2^97 times 2^22, and 2^97 times 2^30.
        let next = -((term * by_one) >> linear) - ((previous * by_two) >> quadratic);
        (previous, term) = (term, next / k);
    }
    sum
}

/// The value at the centre, and the density there times the integral.
#[allow(clippy::as_conversions, reason = "fractions below 2^127")]
fn table_value(values: &[u128], densities: &[u128], centre: u64, integral: i128, offset: i64, in_bits: u32) -> i128 {
    let centre = usize::try_from(centre).expect("at most 128");
    // The integral is about 1 and the offset at most 1/32: the product is below 2^91.2 in magnitude.
    let area = (integral * i128::from(offset)) >> (in_bits + 4);
    let part = mul(densities[centre], area.unsigned_abs() << (128 - COEFFICIENT_BITS)) as i128;
    values[centre] as i128 + if area < 0 { -part } else { part }
}

/// Sine and cosine of `y / 2^in_bits`, of `y` at most `2^15` and not 0.
#[allow(clippy::as_conversions, reason = "fractions below 2^127")]
fn sin_cos(y: u64, in_bits: u32) -> (i128, i128) {
    // Quarter turns: 112 + in_bits fraction bits, off by less than 2^-97.
    let turns = u128::from(y) * TWO_OVER_PI;
    let quadrant = turns.checked_shr(112 + in_bits).unwrap_or(0) & 3;
    let rest = turns << (16 - in_bits);
    // Above half a quarter turn by the complement.
    let flip = rest >> 127 == 1;
    let angle = mul(if flip { rest.wrapping_neg() } else { rest }, HALF_PI) << 1;
    let square = mul(angle, angle);
    // Angles are at most pi / 4: the 26th power over 26! is below 2^-97.
    let (mut sine_term, mut cosine_term) = (angle, square >> 1);
    let (mut sine, mut cosine) = ((angle >> 2) as i128, (1i128 << 126) - (cosine_term >> 2) as i128);
    for k in 1..=12u64 {
        let sign = if k % 2 == 1 { -1 } else { 1 };
        sine_term = mul(sine_term, square) / u128::from(2 * k * (2 * k + 1));
        cosine_term = mul(cosine_term, square) / u128::from((2 * k + 1) * (2 * k + 2));
        sine += sign * (sine_term >> 2) as i128;
        cosine -= sign * (cosine_term >> 2) as i128;
    }
    let (sine, cosine) = if flip { (cosine, sine) } else { (sine, cosine) };
    let (sine, cosine) = match quadrant {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    };
    (sine >> 34, cosine >> 34)
}
