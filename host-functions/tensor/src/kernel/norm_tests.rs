use proptest::prelude::*;

use super::{Norm, norm_rows, reciprocal_root, reference_root};
use crate::{Element, Kernels, Level};

fn run<X: Element, Y: Element>(level: Level, x: &[X], row: usize, norm: Norm<'_>) -> Vec<Y> {
    let mut out = vec![Y::saturate_i64(77); x.len()];
    norm_rows(&Kernels::untested(level, 1).unwrap(), x, row, norm, &mut out);
    out
}

fn same<X: Element, Y: Element>(x: &[X], row: usize, norm: Norm<'_>) {
    let expected = run::<X, Y>(Level::Reference, x, row, norm);
    for level in Level::available().into_iter().filter(|level| !matches!(level, Level::Reference | Level::Cuda)) {
        assert_eq!(run::<X, Y>(level, x, row, norm), expected, "{level}");
    }
}

fn values<T: Arbitrary + Element>(count: usize) -> impl Strategy<Value = Vec<T>> {
    let ends = [T::saturate_i64(i64::MIN), T::saturate_i64(i64::MAX)].to_vec();
    prop_oneof![
        6 => prop::collection::vec(any::<T>(), count),
        2 => prop::collection::vec(prop::sample::select(ends.clone()), count),
        1 => prop::sample::select(ends).prop_map(move |value| vec![value; count]),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_reference(
        (row, narrow, middle, wide, gain, bias) in (1usize..40).prop_flat_map(|row| {
            (Just(row), values::<i8>(2 * row), values::<i16>(2 * row), values::<i32>(2 * row), values::<i32>(row), values::<i32>(row))
        }),
        epsilon in prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 0u64..1 << 30],
        shift in 0u32..=31,
        centred in any::<bool>(),
    ) {
        let norm = Norm { gain: &gain, bias: centred.then_some(&bias[..]), epsilon, shift };
        same::<i8, i8>(&narrow, row, norm);
        same::<i16, i32>(&middle, row, norm);
        same::<i32, i16>(&wide, row, norm);
        same::<i32, i32>(&wide, row, norm);
    }

    #[test]
    fn the_root_is_the_nearest_integer(radicand in 1u128..1 << 120, cut in 0u32..120) {
        let radicand = (radicand >> cut).max(1);
        let (root, exponent) = reciprocal_root(radicand);
        prop_assert!(radicand >> (2 * exponent) < 4 && radicand >> (2 * exponent) >= 1);
        prop_assert_eq!(i128::from(root), reference_root(i128::try_from(radicand).unwrap(), exponent));
        prop_assert!((1 << 30..=1 << 31).contains(&root));
    }
}

#[test]
fn the_longest_rows_of_the_largest_values() {
    let row = super::MAX_NORM_ROW;
    for (low, high) in [(i32::MIN, i32::MAX), (i32::MIN, i32::MIN), (0, i32::MIN)] {
        let x: Vec<i32> = (0..row).map(|i| if i % 2 == 0 { low } else { high }).collect();
        for (gain, bias) in [(i32::MIN, i32::MIN), (i32::MAX, i32::MIN)] {
            let (gain, bias) = (vec![gain; row], vec![bias; row]);
            for epsilon in [0, u64::MAX] {
                for shift in [0, 31] {
                    same::<i32, i32>(&x, row, Norm { gain: &gain, bias: Some(&bias), epsilon, shift });
                    same::<i32, i32>(&x, row, Norm { gain: &gain, bias: None, epsilon, shift });
                }
            }
        }
    }
}

#[test]
fn rows_without_variance_give_the_bias() {
    let norm = Norm { gain: &[1 << 20; 3], bias: Some(&[3, 5, -7]), epsilon: 0, shift: 1 };
    assert_eq!(run::<i8, i8>(Level::Portable, &[9; 3], 3, norm), [2, 2, -4]);
    let norm = Norm { bias: None, ..norm };
    assert_eq!(run::<i8, i8>(Level::Portable, &[0; 3], 3, norm), [0; 3]);
}

/// Small gains and biases, whose results often lie in the middle; rows with hardly any variance; and the largest that go
/// through 64 bits, with the next ones.
#[test]
fn middles_and_limits_of_64_bits() {
    let row = 33;
    for spread in [0i64, 1, 2, 5, 300, 65_535] {
        let x: Vec<i16> =
            (0..4 * i64::from(row)).map(|i| i16::saturate_i64(-32_768 + (i * i * 7) % (spread + 1))).collect();
        let bytes: Vec<i8> = x.iter().map(|x| x.to_le_bytes()[0].cast_signed()).collect();
        // Of 24 bits, the most that goes through 64, and of 25.
        let wide: Vec<i32> = x.iter().map(|x| 256 * i32::from(*x) + 7).collect();
        let widest: Vec<i32> = x.iter().map(|x| 257 * i32::from(*x)).collect();
        for (gain, bias) in [(0, 1), (1, 1), (3, -1), (-5, 3), (1 << 30, 1), (i32::MIN, i32::MIN), (i32::MAX, i32::MAX)]
        {
            let (gain, bias) =
                (vec![gain; 33], (0..row).map(|i| if i % 2 == 0 { bias } else { 3 }).collect::<Vec<i32>>());
            for epsilon in [0, 1, 1 << 24, 1 << 40, 1 << 62, u64::MAX] {
                for shift in [0, 1, 2, 14, 31] {
                    for bias in [Some(&bias[..]), None] {
                        let norm = Norm { gain: &gain, bias, epsilon, shift };
                        same::<i16, i16>(&x, 33, norm);
                        same::<i16, i32>(&x, 33, norm);
                        same::<i8, i8>(&bytes, 33, norm);
                        same::<i32, i32>(&wide, 33, norm);
                        same::<i32, i8>(&widest, 33, norm);
                    }
                }
            }
        }
    }
    for row in [super::MAX_NARROW_ROW, super::MAX_NARROW_ROW + 1] {
        for ends in [[i16::MIN, i16::MAX], [i16::MIN, i16::MIN], [0, i16::MAX]] {
            let x: Vec<i16> = (0..row).map(|i| ends[usize::from(i > 0)]).collect();
            let (gain, bias) = (vec![i32::MIN; row], vec![i32::MAX; row]);
            for epsilon in [0, u64::MAX] {
                same::<i16, i32>(&x, row, Norm { gain: &gain, bias: Some(&bias), epsilon, shift: 3 });
                same::<i16, i16>(&x, row, Norm { gain: &gain, bias: None, epsilon, shift: 31 });
                let wide: Vec<i32> = x.iter().map(|x| 256 * i32::from(*x)).collect();
                for gain in [1, 1 << 20, i32::MIN] {
                    let gain = vec![gain; row];
                    same::<i32, i32>(&wide, row, Norm { gain: &gain, bias: Some(&bias), epsilon, shift: 3 });
                }
            }
        }
    }
}
