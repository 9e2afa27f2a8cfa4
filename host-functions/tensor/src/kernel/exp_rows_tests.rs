use proptest::prelude::*;

use super::{ERROR, Exponentials, LN_2, LOG2_E, POWERS, Scale, estimate};
use crate::kernel::Softmax;
use crate::kernel::exp::{exp_neg, exp_neg_reference, fraction};
use crate::kernel::vectors::levels;

fn check(row: &[i32], multiplier: i32, shift: u32) {
    let softmax = Softmax::new(multiplier, shift, 0).unwrap();
    let max = row.iter().copied().max().unwrap();
    let distance = |x: i32| u64::from(max.abs_diff(x)) * u64::from(multiplier.unsigned_abs());
    let expected: Vec<u32> = row.iter().map(|x| exp_neg(distance(*x), shift)).collect();
    for level in levels() {
        let mut found = row.to_vec();
        let sum = Exponentials::new(level, softmax).replace(&mut found);
        let found: Vec<u32> = found.iter().map(|e| e.cast_unsigned()).collect();
        assert_eq!(found, expected, "{level}, {multiplier} / 2^{shift}");
        assert_eq!(sum, expected.iter().map(|e| u64::from(*e)).sum::<u64>());
    }
}

#[test]
fn constants() {
    // The product of both is 1 with 214 fraction bits, less than one unit of the smaller factor away.
    let (a, b) = (LOG2_E, LN_2);
    let low = |x: u128| x & u128::from(u64::MAX);
    let middle = (a >> 64) * low(b) + low(a) * (b >> 64) + ((low(a) * low(b)) >> 64);
    let high = (a >> 64) * (b >> 64) + (middle >> 64);
    assert!(high.abs_diff(1 << (214 - 128)) <= 1, "{high}");
    for (i, power) in POWERS.iter().enumerate().skip(1) {
        // exp(-i / 1024 * ln 2), of an argument that is cut to 62 bits.
        let argument = u64::try_from(((LN_2 >> 8) * u128::try_from(i).unwrap()) >> 60).unwrap();
        let value = exp_neg_reference(argument, 62);
        assert!((power >> 32).abs_diff(value.into()) <= 1, "{i}");
    }
    assert_eq!(POWERS[0], (1 << 62) - 1);
    assert_eq!(POWERS[512] >> 31, 1_518_500_249); // 2^31 / sqrt(2) = 1518500249.98..
}

/// Every distance that a scale of the usual size can tell apart from 0: hundreds of them are decided by the exact way.
#[test]
fn every_distance() {
    for (multiplier, shift) in [(1_518_500_250, 44), (1 << 30, 42), (i32::MAX, 46)] {
        let scale = Scale::new(multiplier.try_into().unwrap(), shift);
        let all: Vec<i32> = (0..=scale.reach + 40).map(|distance| -i32::try_from(distance).unwrap()).collect();
        for part in all.chunks(1 << 15) {
            let row: Vec<i32> = std::iter::once(0).chain(part.iter().copied()).collect();
            check(&row, multiplier, shift);
        }
    }
}

/// The first and the last distances of every scale.
#[test]
fn ends_of_every_scale() {
    for shift in 0..=62 {
        for multiplier in [0, 1 << 30, (1 << 30) + 1, 1_518_500_250, i32::MAX] {
            let reach = Scale::new(multiplier.try_into().unwrap(), shift).reach;
            let distances = [0, 1, 2, 3, reach / 2, reach.saturating_sub(1), reach, reach.saturating_add(1), u32::MAX];
            let row: Vec<i32> = distances.iter().map(|d| i32::MAX.wrapping_sub(d.cast_signed())).collect();
            check(&row, multiplier, shift);
        }
    }
}

proptest! {
    /// The estimate before it is rounded, against 128 bits.
    #[test]
    fn the_error_is_within_its_bound(
        distance in any::<u32>(), narrow in 0u32..32, multiplier in (1u64 << 30)..1 << 31, shift in 0u32..=62,
    ) {
        let scale = Scale::new(multiplier, shift);
        let distance = (distance >> narrow).min(scale.reach);
        let step = scale.step(distance);
        let index = usize::try_from((step >> 48) & 1023).unwrap();
        let (found, whole) = (estimate(step, POWERS[index]), step >> 58);
        let exact = fraction((u128::from(u64::from(distance) * multiplier) << 64) >> shift) >> 66;
        let exact = u64::try_from(exact).unwrap();
        prop_assert!((found >> whole).abs_diff(exact) <= (ERROR >> whole) + 2, "{found} {exact} {whole}");
    }

    #[test]
    fn agrees_with_the_exact_way(
        row in prop::collection::vec(any::<i32>(), 1..70),
        multiplier in (1i32 << 30)..=i32::MAX,
        shift in 0u32..=62,
        narrow in 0u32..32,
    ) {
        let row: Vec<i32> = row.iter().map(|x| x >> narrow).collect();
        check(&row, multiplier, shift);
        // What is 0 for most of the row says little.
        check(&row, multiplier, (30 + 28 - narrow).min(62));
    }
}
