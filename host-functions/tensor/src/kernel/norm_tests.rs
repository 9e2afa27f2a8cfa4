use proptest::prelude::*;

use super::{Norm, norm_rows, reciprocal_root, reference_root};
use crate::{Element, Kernels, Level};

fn run<X: Element, Y: Element>(level: Level, x: &[X], row: usize, norm: Norm<'_>) -> Vec<Y> {
    let mut out = vec![Y::saturate_i64(77); x.len()];
    norm_rows(&Kernels::untested(level, 1).unwrap(), x, row, norm, &mut out);
    out
}

fn same<X: Element, Y: Element>(x: &[X], row: usize, norm: Norm<'_>) {
    assert_eq!(run::<X, Y>(Level::Portable, x, row, norm), run::<X, Y>(Level::Reference, x, row, norm));
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
