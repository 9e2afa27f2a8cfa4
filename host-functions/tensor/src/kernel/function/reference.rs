//! The same functions from their definitions, with 256 fraction bits and plain series.

use std::cmp::Ordering;

use super::constants::{ONE_OVER_SQRT_TWO_PI_256, PI_256, TWO_OVER_SQRT_PI_256};
use super::{Format, Function};
use crate::kernel::reference::rne_ratio;

/// Limbs: four of fraction, one of whole numbers, the lowest first.
const LIMBS: usize = 5;

/// A number that is not negative, with 256 fraction bits. Operations cut towards zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide(pub(super) [u64; LIMBS]);

impl Wide {
    const ZERO: Wide = Wide([0; LIMBS]);
    const ONE: Wide = Wide([0, 0, 0, 0, 1]);

    /// `n / 2^bits`, of `bits` at most 63.
    fn ratio(n: u64, bits: u32) -> Wide {
        let fraction = u64::try_from((u128::from(n) << (64 - bits)) & u128::from(u64::MAX)).expect("masked");
        Wide([0, 0, 0, fraction, n >> bits])
    }

    fn is_zero(self) -> bool {
        self == Wide::ZERO
    }

    fn add(self, other: Wide) -> Wide {
        let (mut out, mut carry) = (Wide::ZERO, 0u128);
        for i in 0..LIMBS {
            let t = u128::from(self.0[i]) + u128::from(other.0[i]) + carry;
            (out.0[i], carry) = (low(t), t >> 64);
        }
        assert_eq!(carry, 0, "a sum past 64 bits");
        out
    }

    fn sub(self, other: Wide) -> Wide {
        let (mut out, mut borrow) = (Wide::ZERO, false);
        for i in 0..LIMBS {
            let (t, first) = self.0[i].overflowing_sub(other.0[i]);
            let (t, second) = t.overflowing_sub(u64::from(borrow));
            (out.0[i], borrow) = (t, first || second);
        }
        assert!(!borrow, "a difference below zero");
        out
    }

    fn mul(self, other: Wide) -> Wide {
        let mut product = [0u64; 2 * LIMBS];
        for i in 0..LIMBS {
            let mut carry = 0u128;
            for j in 0..LIMBS {
                let t = u128::from(self.0[i]) * u128::from(other.0[j]) + u128::from(product[i + j]) + carry;
                (product[i + j], carry) = (low(t), t >> 64);
            }
            product[i + LIMBS] = low(carry);
        }
        assert_eq!(product[2 * LIMBS - 1], 0, "a product past 64 bits");
        let mut out = Wide::ZERO;
        out.0.copy_from_slice(&product[LIMBS - 1..2 * LIMBS - 1]);
        out
    }

    fn div_small(self, divisor: u64) -> Wide {
        let (mut out, mut rest) = (Wide::ZERO, 0u128);
        for i in (0..LIMBS).rev() {
            let t = rest << 64 | u128::from(self.0[i]);
            (out.0[i], rest) = (low(t / u128::from(divisor)), t % u128::from(divisor));
        }
        out
    }

    fn double(self) -> Wide {
        self.add(self)
    }

    fn compare(&self, other: &Wide) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }

    /// `1 / self`, of numbers above `2^-60`: long division, bit by bit.
    fn reciprocal(self) -> Wide {
        let (mut quotient, mut rest) = (Wide::ZERO, Wide::ONE);
        let mut bits = 0;
        // First to a divisor of at least 1, which the remainder then stays below.
        let mut divisor = self;
        while divisor.compare(&Wide::ONE) == Ordering::Less {
            divisor = divisor.double();
            bits += 1;
        }
        for _ in 0..=256 + bits {
            quotient = quotient.double();
            if rest.compare(&divisor) != Ordering::Less {
                rest = rest.sub(divisor);
                quotient.0[0] |= 1;
            }
            rest = rest.double();
        }
        quotient
    }

    /// `rne(2^bits * self)`.
    fn round(self, bits: u32) -> i128 {
        let whole = i128::from(self.0[4]) << bits | i128::from(self.0[3] >> (63 - bits) >> 1);
        let rest = Wide([self.0[0], self.0[1], self.0[2], if bits == 0 { self.0[3] } else { self.0[3] << bits }, 0]);
        match rest.compare(&Wide([0, 0, 0, 1 << 63, 0])) {
            Ordering::Less => whole,
            Ordering::Greater => whole + 1,
            Ordering::Equal => whole + (whole & 1),
        }
    }
}

fn low(t: u128) -> u64 {
    u64::try_from(t & u128::from(u64::MAX)).expect("masked")
}

/// `rne(2^out_bits * f(x / 2^in_bits))`, or something beyond 32 bits where that is.
pub(super) fn evaluate(function: Function, x: i64, format: Format) -> i128 {
    let Format { in_bits, out_bits } = format;
    match function {
        Function::Recip => {
            let sign = i128::from(x.signum());
            rne_ratio(sign << (in_bits + out_bits), i128::from(x) * sign)
        }
        // y is the root if (2 y - 1)^2 <= 4 (what it is the root of) <= (2 y + 1)^2, the even one on both edges.
        Function::Sqrt => root(i128::from(x) << (2 * out_bits + 2), 1 << in_bits),
        Function::Rsqrt => root(1 << (2 * out_bits + in_bits + 2), i128::from(x)),
        _ => {
            let (negative, magnitude) = exact(function, x, in_bits);
            let rounded = magnitude.round(out_bits);
            if negative { -rounded } else { rounded }
        }
    }
}

/// `rne(sqrt(numerator / denominator) / 2)`, bit by bit.
fn root(numerator: i128, denominator: i128) -> i128 {
    let below = |odd: i128| odd.checked_mul(odd).and_then(|square| square.checked_mul(denominator));
    let mut y = 0i128;
    for bit in (0..48).rev() {
        let next = y + (1 << bit);
        let edge = below(2 * next - 1);
        if edge.is_some_and(|edge| edge < numerator || (edge == numerator && next & 1 == 0)) {
            y = next;
        }
    }
    y
}

/// Whether `f(x / 2^in_bits)` is negative, and its magnitude: off by less than `2^-180`, and on the right side of
/// what it comes close to. Above `2^33` it says `2^33`.
pub(super) fn exact(function: Function, x: i64, in_bits: u32) -> (bool, Wide) {
    let negative = x < 0;
    let y = Wide::ratio(x.unsigned_abs(), in_bits);
    let magnitude = match function {
        Function::Exp => return (false, exp(y, negative)),
        Function::Log => return log(x.unsigned_abs(), in_bits),
        Function::Sigmoid => return (false, logistic(y, negative)),
        Function::Cos => return cos(y),
        Function::Sin => {
            let (sine_negative, sine) = sin(y);
            return (sine_negative != negative, sine);
        }
        Function::Tanh if y.0[4] >= 40 => JUST_BELOW_ONE,
        Function::Tanh => {
            let e = exp(y.double(), true);
            Wide::ONE.sub(e).mul(Wide::ONE.add(e).reciprocal())
        }
        Function::Silu => y.mul(logistic(y, negative)),
        Function::Erf => error_function(y),
        Function::Gelu => {
            let above_half = normal(y);
            let half = Wide::ratio(1, 1);
            y.mul(if negative { half.sub(above_half) } else { half.add(above_half) })
        }
        Function::Sqrt | Function::Rsqrt | Function::Recip => unreachable!("an algebraic function"),
    };
    (negative, magnitude)
}

const JUST_BELOW_ONE: Wide = Wide([u64::MAX, u64::MAX, u64::MAX, u64::MAX, 0]);

/// `exp(-y)`, or `exp(y)`.
fn exp(y: Wide, negative: bool) -> Wide {
    if !negative && y.0[4] >= 23 {
        return Wide([0, 0, 0, 0, 1 << 33]);
    }
    if y.0[4] >= 100 {
        return Wide([1, 0, 0, 0, 0]);
    }
    // exp(-y) is the 2^12th power of exp(-y / 2^12).
    let step = y.div_small(1 << 12);
    let (mut term, mut plus, mut minus, mut n) = (Wide::ONE, Wide::ONE, Wide::ZERO, 0);
    while !term.is_zero() {
        n += 1;
        term = term.mul(step).div_small(n);
        if n % 2 == 0 { plus = plus.add(term) } else { minus = minus.add(term) }
    }
    let mut power = plus.sub(minus);
    for _ in 0..12 {
        power = power.mul(power);
    }
    if negative { power } else { power.reciprocal() }
}

/// `1 / (1 + exp(-y))`, or of `-y`.
fn logistic(y: Wide, negative: bool) -> Wide {
    if y.0[4] >= 100 {
        return if negative { Wide([1, 0, 0, 0, 0]) } else { JUST_BELOW_ONE };
    }
    let e = exp(y, true);
    let inverse = Wide::ONE.add(e).reciprocal();
    if negative { e.mul(inverse) } else { inverse }
}

/// `sum of z^(2 k + 1) / (2 k + 1)` of a quotient below 1/2, doubled: `ln((1 + z) / (1 - z))`.
fn log_of_quotient(numerator: u64, denominator: u64) -> Wide {
    let z = Wide([0, 0, 0, 0, numerator]).div_small(denominator);
    let square = z.mul(z);
    let (mut power, mut sum, mut k) = (z, Wide::ZERO, 1);
    while !power.is_zero() {
        sum = sum.add(power.div_small(k));
        power = power.mul(square);
        k += 2;
    }
    sum.double()
}

fn log(y: u64, in_bits: u32) -> (bool, Wide) {
    let power = y.ilog2();
    let mantissa = log_of_quotient(y - (1 << power), y + (1 << power));
    let ln_2 = log_of_quotient(1, 3);
    let times = |count: u32| (0..count).fold(Wide::ZERO, |sum, _| sum.add(ln_2));
    let (plus, minus) = (mantissa.add(times(power)), times(in_bits));
    match plus.compare(&minus) {
        Ordering::Less => (true, minus.sub(plus)),
        _ => (false, plus.sub(minus)),
    }
}

/// `sum of (-1)^k y^(2 k + 1) / (k! (2 k + 1) divisor^k)`.
fn alternating(y: Wide, divisor: u64) -> Wide {
    let square = y.mul(y).div_small(divisor);
    let (mut term, mut plus, mut minus, mut k) = (y, Wide::ZERO, Wide::ZERO, 0);
    while !term.is_zero() {
        let part = term.div_small(2 * k + 1);
        if k % 2 == 0 {
            plus = plus.add(part)
        } else {
            minus = minus.add(part)
        }
        k += 1;
        term = term.mul(square).div_small(k);
    }
    plus.sub(minus)
}

fn error_function(y: Wide) -> Wide {
    // The terms grow to exp(36), or 52 bits, before they fall.
    if y.0[4] >= 6 { JUST_BELOW_ONE } else { alternating(y, 1).mul(TWO_OVER_SQRT_PI_256) }
}

/// The standard normal distribution less one half.
fn normal(y: Wide) -> Wide {
    if y.0[4] >= 8 {
        return Wide([u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 1, 0]);
    }
    alternating(y, 2).mul(ONE_OVER_SQRT_TWO_PI_256)
}

/// `y` less whole turns.
fn angle(y: Wide) -> Wide {
    let mut turns = PI_256.double();
    let mut all = vec![turns];
    while turns.compare(&y) == Ordering::Less {
        turns = turns.double();
        all.push(turns);
    }
    all.iter().rev().fold(y, |rest, turns| if rest.compare(turns) == Ordering::Less { rest } else { rest.sub(*turns) })
}

/// `sum of (-1)^k a^(first + 2 k) / (first + 2 k)!`.
fn trigonometric(a: Wide, first: u64) -> (bool, Wide) {
    let square = a.mul(a);
    let (mut term, mut plus, mut minus) = (if first == 0 { Wide::ONE } else { a }, Wide::ZERO, Wide::ZERO);
    let mut k = first;
    while !term.is_zero() {
        if (k - first).is_multiple_of(4) {
            plus = plus.add(term)
        } else {
            minus = minus.add(term)
        }
        term = term.mul(square).div_small((k + 1) * (k + 2));
        k += 2;
    }
    match plus.compare(&minus) {
        Ordering::Less => (true, minus.sub(plus)),
        _ => (false, plus.sub(minus)),
    }
}

fn sin(y: Wide) -> (bool, Wide) {
    trigonometric(angle(y), 1)
}

fn cos(y: Wide) -> (bool, Wide) {
    trigonometric(angle(y), 0)
}
