//! Fractions of a few hundred bits: `value / 2^(64 N)` for a little-endian array of limbs, always
//! below 1. Usable in constants, which is why loops and casts are spelled out.
#![allow(clippy::as_conversions, reason = "constant functions cannot call From; every cast widens or takes a limb")]

/// The fraction of a 64-bit limb that is `index` limbs from the top.
pub(super) const fn limb<const N: usize>(value: u64, from_top: usize) -> [u64; N] {
    let mut out = [0; N];
    out[N - 1 - from_top] = value;
    out
}

/// `floor(a * b)` in units of the last place.
pub(super) const fn mul<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    // Row by row from the lowest limb of `b`; after each row the lowest limb of the running sum is
    // complete, takes no more carries, and is dropped.
    let mut sum = [0u64; N];
    let mut j = 0;
    while j < N {
        let (mut carry, mut i) = (0u128, 0);
        let mut next = [0u64; N];
        while i < N {
            // (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1
            let t = a[i] as u128 * b[j] as u128 + sum[i] as u128 + carry;
            if i > 0 {
                next[i - 1] = t as u64;
            }
            carry = t >> 64;
            i += 1;
        }
        next[N - 1] = carry as u64;
        sum = next;
        j += 1;
    }
    sum
}

/// `floor(a / divisor)` in units of the last place.
pub(super) const fn div<const N: usize>(a: &[u64; N], divisor: u64) -> [u64; N] {
    let (mut out, mut remainder, mut i) = ([0; N], 0u128, N);
    while i > 0 {
        i -= 1;
        let t = remainder << 64 | a[i] as u128;
        out[i] = (t / divisor as u128) as u64;
        remainder = t % divisor as u128;
    }
    out
}

/// `a + b` modulo 1.
pub(super) const fn add<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let (mut out, mut carry, mut i) = ([0; N], 0u128, 0);
    while i < N {
        let t = a[i] as u128 + b[i] as u128 + carry;
        out[i] = t as u64;
        carry = t >> 64;
        i += 1;
    }
    out
}

/// `a - b` modulo 1.
pub(super) const fn sub<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let (mut out, mut borrow, mut i) = ([0; N], false, 0);
    while i < N {
        let (t, first) = a[i].overflowing_sub(b[i]);
        let (t, second) = t.overflowing_sub(borrow as u64);
        out[i] = t;
        borrow = first || second;
        i += 1;
    }
    out
}

/// Whether it is zero.
pub(super) const fn is_zero<const N: usize>(a: &[u64; N]) -> bool {
    let mut i = 0;
    while i < N {
        if a[i] != 0 {
            return false;
        }
        i += 1;
    }
    true
}

/// `exp(-x)` by its series `1 - x + x^2 / 2! - ...`, summed until a term is below one unit.
///
/// A term is off by less than 2 units (its own truncation and a part of its predecessor's), and what
/// is left out is below one, so with `x <= 1/8` and up to 4 limbs, which needs at most 45 terms, the
/// sum is off by less than 100 units. For `x = 0` the result is 0, which stands for 1.
pub(super) const fn exp_series<const N: usize>(x: &[u64; N]) -> [u64; N] {
    // The sum is kept modulo 1 and starts from 1, that is, from 0.
    let (mut sum, mut term, mut n) = ([0; N], *x, 1u64);
    while !is_zero(&term) {
        sum = if n % 2 == 1 { sub(&sum, &term) } else { add(&sum, &term) };
        n += 1;
        term = div(&mul(&term, x), n);
    }
    sum
}

/// The highest 128 bits.
pub(super) const fn top<const N: usize>(a: &[u64; N]) -> u128 {
    (a[N - 1] as u128) << 64 | a[N - 2] as u128
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{add, div, mul, sub};

    fn wide(value: u128) -> [u64; 2] {
        [u64::try_from(value & u128::from(u64::MAX)).unwrap(), u64::try_from(value >> 64).unwrap()]
    }

    fn narrow(value: [u64; 2]) -> u128 {
        u128::from(value[1]) << 64 | u128::from(value[0])
    }

    proptest! {
        /// Against the compiler's own 128-bit arithmetic: products of halves are exact there.
        #[test]
        fn agrees_with_128_bits(a in any::<u128>(), b in any::<u128>(), d in 1u64..) {
            prop_assert_eq!(narrow(add(&wide(a), &wide(b))), a.wrapping_add(b));
            prop_assert_eq!(narrow(sub(&wide(a), &wide(b))), a.wrapping_sub(b));
            prop_assert_eq!(narrow(div(&wide(a), d)), a / u128::from(d));
            let (a0, a1) = (a & u128::from(u64::MAX), a >> 64);
            let (b0, b1) = (b & u128::from(u64::MAX), b >> 64);
            let low = (a0 * b0) >> 64;
            let (cross, c1) = (a0 * b1).overflowing_add(a1 * b0);
            let (middle, c2) = cross.overflowing_add(low);
            let high = a1 * b1 + (middle >> 64) + ((u128::from(c1) + u128::from(c2)) << 64);
            prop_assert_eq!(narrow(mul(&wide(a), &wide(b))), high);
        }
    }
}
