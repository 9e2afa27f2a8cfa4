//! Arithmetic.

use alloc::vec;
use alloc::vec::Vec;
use core::arch::wasm32::{f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, v128, v128_load};

use crate::{Random, mix};

const SIDE: usize = 64;

/// 64 x 64 integers, twice.
#[inline(never)]
pub(crate) fn matrix_i64() -> u64 {
    let a: Vec<i64> = (0..SIDE * SIDE).map(|at| (at as i64 * 37) % 101 - 50).collect();
    let mut b: Vec<i64> = (0..SIDE * SIDE).map(|at| (at as i64 * 53) % 97 - 48).collect();
    for _ in 0..2 {
        let mut c = vec![0i64; SIDE * SIDE];
        for row in 0..SIDE {
            for column in 0..SIDE {
                let mut sum = 0i64;
                for at in 0..SIDE {
                    sum = sum.wrapping_add(a[row * SIDE + at].wrapping_mul(b[at * SIDE + column]));
                }
                c[row * SIDE + column] = sum;
            }
        }
        b = c;
    }
    b.iter().fold(0, |sum, number| mix(sum, *number as u64))
}

/// 64 x 64 floats, twice.
#[inline(never)]
pub(crate) fn matrix_f64() -> u64 {
    let a: Vec<f64> = (0..SIDE * SIDE).map(|at| (at % 101) as f64 * 0.25 - 12.0).collect();
    let mut b: Vec<f64> = (0..SIDE * SIDE).map(|at| (at % 97) as f64 * 0.125 - 6.0).collect();
    for _ in 0..2 {
        let mut c = vec![0f64; SIDE * SIDE];
        for row in 0..SIDE {
            for column in 0..SIDE {
                let mut sum = 0f64;
                for at in 0..SIDE {
                    sum += a[row * SIDE + at] * b[at * SIDE + column];
                }
                c[row * SIDE + column] = sum;
            }
        }
        b = c;
    }
    b.iter().fold(0, |sum, number| mix(sum, number.to_bits()))
}

/// Recursion and nothing else.
#[inline(never)]
pub(crate) fn fibonacci(n: u32) -> u32 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

/// Limbs of a number of 256 bits.
type Big = [u32; 8];

/// `base ^ exponent` modulo a number of 256 bits, by doubling and adding.
#[inline(never)]
pub(crate) fn modular_power() -> u64 {
    let mut random = Random(42);
    let mut number = || -> Big { core::array::from_fn(|_| random.next() as u32) };
    let (mut modulus, base) = (number(), number());
    modulus[0] |= 1;
    modulus[7] |= 0x8000_0000;
    let mut base = reduce_once(base, &modulus, 0);
    let mut result: Big = [1, 0, 0, 0, 0, 0, 0, 0];
    let mut exponent = 0x9d37u32;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(&result, &base, &modulus);
        }
        base = multiply(&base, &base, &modulus);
        exponent >>= 1;
    }
    result.iter().fold(0, |sum, limb| mix(sum, u64::from(*limb)))
}

#[inline(never)]
fn multiply(a: &Big, b: &Big, modulus: &Big) -> Big {
    let mut result = [0u32; 8];
    for limb in b.iter().rev() {
        for bit in (0..32).rev() {
            let mut carry = 0;
            for word in &mut result {
                let next = *word >> 31;
                *word = *word << 1 | carry;
                carry = next;
            }
            result = reduce_once(result, modulus, carry);
            if limb >> bit & 1 == 1 {
                let mut carry = 0u64;
                for (word, add) in result.iter_mut().zip(a) {
                    let sum = u64::from(*word) + u64::from(*add) + carry;
                    *word = sum as u32;
                    carry = sum >> 32;
                }
                result = reduce_once(result, modulus, carry as u32);
            }
        }
    }
    result
}

/// Takes the modulus away if the number, with this much above it, is not below it.
fn reduce_once(number: Big, modulus: &Big, above: u32) -> Big {
    let mut less = [0u32; 8];
    let mut borrow = 0u32;
    for at in 0..8 {
        let (first, one) = number[at].overflowing_sub(modulus[at]);
        let (second, two) = first.overflowing_sub(borrow);
        less[at] = second;
        borrow = u32::from(one | two);
    }
    if above >= borrow { less } else { number }
}

/// A product of vectors in four lanes.
#[inline(never)]
pub(crate) fn simd_dot() -> u64 {
    let a: Vec<f32> = (0..4096).map(|at| (at % 31) as f32 * 0.5).collect();
    let b: Vec<f32> = (0..4096).map(|at| (at % 29) as f32 - 14.0).collect();
    let mut total = 0;
    for round in 0..16 {
        total = mix(total, u64::from(dot(&a, &b, round as f32).to_bits()));
    }
    total
}

#[target_feature(enable = "simd128")]
fn dot(a: &[f32], b: &[f32], start: f32) -> f32 {
    let mut sum = f32x4_splat(start);
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        // SAFETY: a chunk has 16 bytes.
        let (a, b) = unsafe { (v128_load(a.as_ptr().cast::<v128>()), v128_load(b.as_ptr().cast::<v128>())) };
        sum = f32x4_add(sum, f32x4_mul(a, b));
    }
    f32x4_extract_lane::<0>(sum)
        + f32x4_extract_lane::<1>(sum)
        + f32x4_extract_lane::<2>(sum)
        + f32x4_extract_lane::<3>(sum)
}
