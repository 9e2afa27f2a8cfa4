use proptest::prelude::*;

use super::{ERROR, LANES, PLANES};
use crate::kernel::Softmax;
use crate::kernel::exp::fraction;
use crate::kernel::exp_rows::Exponentials;
use crate::kernel::vectors::levels;

/// Estimates of a row at every level, and the largest error, in units of `2^-16` of the last bit.
fn check(row: &[i32], multiplier: i32, shift: u32) -> u64 {
    let softmax = Softmax::new(multiplier, shift, 0).unwrap();
    let max = row.iter().copied().max().unwrap();
    // With 40 bits behind the point: `(2^24 - 1) * exp(-distance * multiplier / 2^shift)`, off by less than one of them.
    let exact = |x: &i32| {
        let y = (u128::from(max.abs_diff(*x)) * u128::from(multiplier.unsigned_abs())) << 64 >> shift;
        if y >= 22 << 64 { 0 } else { ((fraction(y) >> 64) * ((1 << 24) - 1)) >> 48 }
    };
    let exact: Vec<u64> = row.iter().map(|x| u64::try_from(exact(x)).unwrap()).collect();
    let mut worst = 0;
    for level in levels() {
        // Behind the row, planes are filled up.
        let mut planes = [(); PLANES].map(|()| vec![77u8; row.len() + 5]);
        let [a, b, c] = &mut planes;
        let sum = Exponentials::new(level, softmax).estimates().planes(level, row, [a, b, c]);
        let found = |i: usize| planes.iter().rev().fold(0, |value, plane| value << 8 | u64::from(plane[i]));
        assert_eq!(sum, (0..row.len() + 5).map(found).sum::<u64>(), "{level}");
        assert!((row.len()..row.len() + 5).all(|i| found(i) == 0), "{level}");
        worst = exact.iter().enumerate().fold(worst, |worst, (i, exact)| worst.max((found(i) << 16).abs_diff(*exact)));
    }
    assert!(worst + 1200 < ERROR << 16, "{multiplier} / 2^{shift}: {worst}");
    worst
}

/// Two to the power of what 32 bits hold between two whole numbers: 2^25 places of the largest estimates.
#[test]
fn every_place_of_the_table() {
    // About ln(2) / 2^25 for each distance.
    let (multiplier, shift) = (1_488_522_236, 56);
    let all: Vec<i32> = (0..1 << 25).map(|distance: i32| -distance).collect();
    let mut worst = 0;
    for part in all.chunks(1 << 15) {
        let row: Vec<i32> = std::iter::once(0).chain(part.iter().copied()).collect();
        worst = worst.max(check(&row, multiplier, shift));
    }
    println!("{worst} of {}", ERROR << 16);
}

#[test]
fn ends_of_every_scale() {
    for shift in 0..=62 {
        for multiplier in [0, 1 << 30, (1 << 30) + 1, 1_518_500_250, i32::MAX] {
            let distances = [0u32, 1, 2, 3, 100, 1 << 20, 1 << 30, u32::MAX - 1, u32::MAX];
            let row: Vec<i32> = distances.iter().map(|d| i32::MAX.wrapping_sub(d.cast_signed())).collect();
            check(&row, multiplier, shift);
        }
    }
}

#[test]
fn rows_of_every_length() {
    for length in 1..200 {
        let row: Vec<i32> = (0..length).map(|i| i * 7919 % 4001).collect();
        check(&row, 1_518_500_250, 41);
    }
    // More than what is summed in 32 bits.
    check(&vec![5; 128 * LANES * 3 + 9], 1 << 30, 30);
}

proptest! {
    #[test]
    fn errors_are_within_the_bound(
        row in prop::collection::vec(any::<i32>(), 1..70),
        multiplier in (1i32 << 30)..=i32::MAX,
        shift in 0u32..=62,
        narrow in 0u32..32,
    ) {
        let row: Vec<i32> = row.iter().map(|x| x >> narrow).collect();
        check(&row, multiplier, shift);
        check(&row, multiplier, (30 + 28 - narrow).min(62));
    }
}
