use proptest::prelude::*;

use super::{ERROR, FRACTION_BITS, LIMIT, exp_neg, exp_neg_reference, fraction, round};
use crate::kernel::wide;

/// Bits of the argument's grid.
const GRID_BITS: u32 = 62;

/// How far, in units of `2^-128`, the results of the two grid points around midpoint `m` are from the
/// midpoint; the smaller of the two.
fn check_midpoint(m: u64, guess: u128) -> (u128, u128) {
    let midpoint = u128::from(2 * m + 1) << (128 - FRACTION_BITS - 1);
    // Newton on the grid: exp(-y) falls by exp(-y) * 2^-62 from one point to the next.
    let mut p = guess;
    loop {
        let value = fraction(p << 2);
        let slope = (value >> GRID_BITS).max(1);
        let next = if value > midpoint { p + (value - midpoint) / slope } else { p - (midpoint - value) / slope };
        if next == p {
            break;
        }
        p = next;
    }
    // The last step can stop one point away on either side: find the neighbours for certain.
    while fraction((p + 1) << 2) > midpoint {
        p += 1;
    }
    while fraction(p << 2) < midpoint {
        p -= 1;
    }
    let (above, below) = (fraction(p << 2), fraction((p + 1) << 2));
    assert!(above > midpoint && midpoint > below, "midpoint {m}: not between neighbours");
    ((above - midpoint).min(midpoint - below), p)
}

/// Checks `count` midpoints downwards from `m` and returns the smallest distance.
fn check_midpoints(from: u64, count: u64) -> u128 {
    // -ln of a midpoint near 1 is near 0; each next one is close to its predecessor.
    let (mut guess, mut smallest) = (0u128, u128::MAX);
    for m in (0..=from).rev().take(usize::try_from(count).unwrap()) {
        let (distance, p) = check_midpoint(m, guess);
        smallest = smallest.min(distance);
        guess = p;
    }
    assert!(smallest > ERROR, "a midpoint within the error bound: {smallest}");
    smallest
}

#[test]
fn some_midpoints() {
    for from in [(1 << 30) - 1, (1 << 29) + 12_345, 987_654_321, 123_456, 2_000] {
        check_midpoints(from, 2_000);
    }
}

/// The proof over all midpoints.
#[test]
#[ignore = "takes minutes"]
fn every_midpoint() {
    let smallest = check_midpoints((1 << 30) - 1, 1 << 30);
    println!("smallest distance: {smallest} units of 2^-128");
}

#[test]
fn neighbours_of_midpoints_round_apart() {
    for m in [0, 1, 2, 77, (1 << 30) - 1, 1 << 29] {
        let (_, p) = check_midpoint(m, 0);
        // On a grid that fits the 64 bits of a real argument, the point before it is above as well.
        let before = exp_neg(u64::try_from(p >> 4).unwrap(), GRID_BITS - 4);
        assert_eq!(u64::from(before), m + 1);
        assert_eq!([round(fraction(p << 2)), round(fraction((p + 1) << 2))].map(u64::from), [m + 1, m]);
    }
}

#[test]
fn ends() {
    assert_eq!(exp_neg(0, 0), 1 << 30);
    assert_eq!(exp_neg(0, 62), 1 << 30);
    assert_eq!(exp_neg(1, 62), 1 << 30);
    assert_eq!(exp_neg(LIMIT, 0), 0);
    assert_eq!(exp_neg(LIMIT - 1, 0), 1); // 2^30 exp(-21) = 0.81
    assert_eq!(exp_neg(u64::MAX >> 1, 0), 0);
    assert_eq!(exp_neg(1, 0), 395_007_542); // 2^30 / e = 395007542.17..
}

proptest! {
    /// The table method against 256-bit series, in all 128 bits and not only in the rounded 30.
    #[test]
    fn stays_within_its_error_bound(y in 1u128..64 << 64) {
        let mut x = wide::limb::<4>(u64::try_from(y >> 10).unwrap(), 0);
        x[2] = u64::try_from((y << 54) & u128::from(u64::MAX)).unwrap();
        let mut power = wide::exp_series(&x);
        for _ in 0..10 {
            power = wide::mul(&power, &power);
        }
        prop_assert!(fraction(y).abs_diff(wide::top(&power)) < ERROR);
    }

    #[test]
    fn agrees_with_the_reference(p in 0u64..1 << 63, shift in 0u32..=62, small in 0u64..1 << 32) {
        for p in [p, small, p >> 20, p >> 40] {
            prop_assert_eq!(exp_neg(p, shift), exp_neg_reference(p, shift));
        }
    }
}
