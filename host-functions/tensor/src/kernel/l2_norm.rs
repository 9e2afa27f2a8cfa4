//! Rows over their Euclidean length.
//!
//! `ops::l2_norm` has the formula. With rows of at most `2^16` elements of at most 32 bits the radicand is below
//! `2^102 + 2^64`; a product with the root, which has at most 32 bits, and `2^30` is below `2^94`.

use super::{Kernels, MAX_NORM_ROW, norm, reference::rne_ratio, round};
use crate::{Element, Level};

/// `out_j = sat(rne(2^fraction_bits * x_j / sqrt(sum x^2 + epsilon / 2^24)))` for rows of `row` elements of `i8`, `i16` or `i32`,
/// the root as the formula has it.
///
/// # Panics
/// Where lengths do not fit together, rows are not 1 to [`MAX_NORM_ROW`] long or `fraction_bits` is above 30.
pub fn l2_norm_rows<X: Element, Y: Element>(
    k: &Kernels,
    x: &[X],
    row: usize,
    epsilon: u64,
    fraction_bits: u32,
    out: &mut [Y],
) {
    assert!((1..=MAX_NORM_ROW).contains(&row), "a row too short or too long for a norm");
    assert!(x.len() == out.len() && x.len().is_multiple_of(row), "results of another shape");
    assert!(fraction_bits <= 30, "more than 30 fraction bits");
    let level = k.level();
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 60;
    k.split_rows((x, row), (out, row), row.saturating_mul(WORK), |x, out| {
        for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            if level == Level::Reference {
                reference_row(x, epsilon, fraction_bits, out);
            } else {
                one_row(x, epsilon, fraction_bits, out);
            }
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::L2Norm, out);
}

fn one_row<X: Element, Y: Element>(x: &[X], epsilon: u64, fraction_bits: u32, out: &mut [Y]) {
    let radicand = (norm::squares(x) << norm::EPSILON_BITS) + u128::from(epsilon);
    let (root, exponent) = norm::reciprocal_root(radicand);
    let root = i128::from(root) << fraction_bits;
    for (x, out) in x.iter().zip(out) {
        let x: i128 = (*x).into();
        *out = Y::saturate(round::rne_shift(x * root, exponent + 31 - norm::EPSILON_BITS / 2));
    }
}

/// The formula step by step, in checked arithmetic.
fn reference_row<X: Element, Y: Element>(x: &[X], epsilon: u64, fraction_bits: u32, out: &mut [Y]) {
    let times = |a: i128, b: i128| a.checked_mul(b).expect("below 2^127, as the module says");
    let squares: i128 = x.iter().map(|x| times((*x).into(), (*x).into())).sum();
    let radicand = times(squares, 1 << 24) + i128::from(epsilon);
    let mut exponent = 0;
    while radicand >> (2 * exponent) >= 4 {
        exponent += 1;
    }
    let root = if radicand == 0 { 0 } else { norm::reference_root(radicand, exponent) };
    for (x, out) in x.iter().zip(out) {
        let numerator = times(times((*x).into(), root), 1 << fraction_bits);
        *out = Y::saturate(rne_ratio(numerator, times(1 << 19, 1 << exponent)));
    }
}
