//! The polynomials of `value.rs`, with their coefficients from the constants.
#![allow(clippy::as_conversions, reason = "constant functions cannot call From; products of 128 bits are cut to 64")]

use super::constants::{DENSITY, ERF_SIXTEENTHS, NORMAL_DENSITY, NORMAL_SIXTEENTHS};

/// The upper half of a product.
#[inline(always)]
pub(super) fn mul(a: u64, b: u64) -> u64 {
    (u128::from(a).wrapping_mul(u128::from(b)) >> 64) as u64
}

/// A polynomial for arguments from -1 to 1; arguments and values are in units of `2^-62`, and the `k`th coefficient is `4^k`
/// times what it stands for, so that the upper half of a product is what is wanted.
#[derive(Clone, Copy)]
pub(super) struct Polynomial<const N: usize>([i64; N]);

impl<const N: usize> Polynomial<N> {
    /// By Horner's rule. Each step loses less than a unit, of which a fourth reaches the next: less than 2 in all, with
    /// those that the coefficients lack.
    #[inline(always)]
    pub(super) fn at(&self, t: i64) -> i64 {
        let Polynomial(coefficients) = self;
        let mut sum = coefficients[N - 1];
        for coefficient in coefficients[..N - 1].iter().rev() {
            sum = coefficient.wrapping_add((i128::from(sum).wrapping_mul(i128::from(t)) >> 64) as i64);
        }
        sum
    }
}

/// `c_0 - c_1 s + c_2 s^2 ...` for `s` below 1 in units of `2^-64`; coefficients and values are in units of `2^-63`.
pub(super) struct Alternating([u64; 10]);

impl Alternating {
    #[inline(always)]
    pub(super) fn at(&self, s: u64) -> u64 {
        let Alternating(coefficients) = self;
        let mut sum = coefficients[9];
        for coefficient in coefficients[..9].iter().rev() {
            sum = coefficient.wrapping_sub(mul(sum, s));
        }
        sum
    }

    /// `1 / (first + 2 k)!`
    const fn factorials(first: u64) -> Alternating {
        let (mut out, mut term, mut k) = ([0; 10], 1 << 63, 0);
        while k < 10 {
            out[k] = term;
            let last = first + 2 * k as u64;
            term /= (last + 1) * (last + 2);
            k += 1;
        }
        Alternating(out)
    }
}

/// `sin(a) / a` by `a^2`. Angles are at most `pi / 4`: what is left out is below `2^-70`.
pub(super) static SINE: Alternating = Alternating::factorials(1);

/// `cos(a)` by `a^2`; what is left out is below `2^-67`.
pub(super) static COSINE: Alternating = Alternating::factorials(0);

/// `ln(1 + t / 256)`; what is left out is below `2^-66`.
pub(super) static LOG_NEAR_ONE: Polynomial<8> = {
    let (mut out, mut k) = ([0; 8], 1);
    while k < 8 {
        let term = (1i64 << (62 - 6 * k as u32)) / k as i64;
        out[k] = if k % 2 == 0 { -term } else { term };
        k += 1;
    }
    Polynomial(out)
};

/// `erf` around each sixteenth, a unit of `t` being a 32nd: `exp(-(c + h)^2) = exp(-c^2) exp(-2 c h - h^2)`, and `2 c h` is
/// `2^-8 i t`, `h^2` is `2^-10 t^2`.
pub(super) static ERF: [Polynomial<11>; 97] = around_sixteenths(&ERF_SIXTEENTHS, &DENSITY, 8);

/// The standard normal distribution less one half, likewise: both are halved in `exp(-(c + h)^2 / 2)`.
pub(super) static NORMAL: [Polynomial<10>; 129] = around_sixteenths(&NORMAL_SIXTEENTHS, &NORMAL_DENSITY, 9);

/// [`integral`] from the `i`th sixteenth on, with `b = i / 2^linear` and `q = 1 / 2^(linear + 1)`.
const fn around_sixteenths<const N: usize, const COUNT: usize>(
    values: &[u64; COUNT],
    densities: &[u64; COUNT],
    linear: u32,
) -> [Polynomial<N>; COUNT] {
    let (mut out, mut i) = ([Polynomial([0; N]); COUNT], 0);
    while i < COUNT {
        out[i] = integral(values[i], densities[i], (i as i128, linear), linear + 1);
        i += 1;
    }
    out
}

/// `value` plus `density / 32` times the integral from 0 to `t` of `exp(-b u - q u^2 / 2)`, where `b` is `linear.0 / 2^linear.1`
/// and `q` is `2^-quadratic`.
///
/// The coefficients `g_k` of the integrand follow from `(k + 1) g_(k+1) = -b g_k - q g_(k-1)`. By the same recurrence the first
/// that is left out is below `2^-65` for `erf`, and below `2^-64` for the normal distribution.
const fn integral<const N: usize>(value: u64, density: u64, linear: (i128, u32), quadratic: u32) -> Polynomial<N> {
    const BITS: u32 = 62;
    let (mut out, mut k) = ([0; N], 1);
    out[0] = value as i64;
    // With more bits than they are used with.
    let (mut previous, mut term) = (0i128, 1i128 << 100);
    while k < N {
        out[k] = ((density as i128 * (term >> 38)) / ((k as i128) << (BITS + 5 - 2 * k as u32))) as i64;
        let next = -((term * linear.0) >> linear.1) - (previous >> quadratic);
        (previous, term) = (term, next / k as i128);
        k += 1;
    }
    Polynomial(out)
}
