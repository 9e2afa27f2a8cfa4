//! What is computed in rows: every level of this machine against the reference, where ways through the code part.

use proptest::prelude::*;

use super::tests::{all_kernels, reference, values};
use super::{Head, Order, Scales, Softmax};
use crate::{Element, Kernels, kernel};

/// `run` gives the same for all kernels.
fn same<R: PartialEq + std::fmt::Debug>(run: impl Fn(&Kernels) -> R) -> Result<(), TestCaseError> {
    let expected = run(&reference());
    for kernels in all_kernels() {
        prop_assert_eq!(&run(kernels), &expected, "{} with {} threads", kernels.level(), kernels.threads());
    }
    Ok(())
}

fn requantised<X: Element, T: Element>(x: &[X], row: usize, scales: Scales<'_>) -> Result<(), TestCaseError> {
    same(|kernels| {
        let mut out = vec![T::default(); x.len()];
        kernel::requantise_rows(kernels, x, row, scales, &mut out);
        out
    })
}

/// Multipliers with few and with many zeros at their end.
fn multiplier() -> impl Strategy<Value = i32> {
    prop_oneof![
        Just(0),
        Just(1 << 30),
        Just(3 << 29),
        (1i32 << 30)..=i32::MAX,
        ((1i32 << 29)..1 << 30).prop_map(|m| 2 * m + 1)
    ]
}

/// Numbers with few and with many zeros at their end, which can lie in the middle.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i32>().prop_map(i64::from),
        (any::<i32>(), 0u32..32).prop_map(|(x, zeros)| i64::from(x) >> zeros << zeros),
        any::<i64>(),
        (any::<i64>(), 0u32..64).prop_map(|(x, zeros)| x >> zeros << zeros),
        prop::sample::select(vec![
            0,
            1,
            -1,
            i64::from(i32::MIN),
            i64::from(i32::MAX),
            i64::MIN,
            i64::MAX,
            1 << 31,
            1 << 32
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn requantise(
        x in prop::collection::vec(number(), 3 * 21),
        multipliers in prop::collection::vec(multiplier(), 21),
        shifts in prop_oneof![
            prop::collection::vec(0u8..=62, 21), prop::collection::vec(30u8..=40, 21), prop::collection::vec(33u8..=62, 21),
        ],
        channels in prop::sample::select(vec![(1, 1), (1, 21), (21, 1), (21, 21)]),
        zero_point in prop_oneof![Just(0), any::<i32>()],
    ) {
        let scales = Scales { multipliers: &multipliers[..channels.0], shifts: &shifts[..channels.1], zero_point };
        let narrow: Vec<i32> = x.iter().map(|x| i32::saturate_i64(*x)).collect();
        requantised::<i32, i8>(&narrow, 21, scales)?;
        requantised::<i32, i16>(&narrow, 21, scales)?;
        requantised::<i32, i32>(&narrow, 21, scales)?;
        requantised::<i64, u8>(&x, 21, scales)?;
        requantised::<i64, i32>(&x, 21, scales)?;
        requantised::<i64, i64>(&x, 21, scales)?;
    }

    /// Scales without a middle, for groups of rows and for what is left of them, at every width beside whole vectors.
    #[test]
    fn requantise_groups_of_rows(
        x in prop::collection::vec(number(), 61),
        multipliers in prop::collection::vec(prop_oneof![Just(0), ((1i32 << 29)..1 << 30).prop_map(|m| 2 * m + 1)], 40),
        shifts in prop_oneof![prop::collection::vec(33u8..=62, 40), prop::collection::vec(40u8..=46, 40)],
        row in prop_oneof![1usize..70, 255usize..300],
        rows in 1usize..14,
        zero_point in prop_oneof![Just(0), -200i32..200, Just(1 << 30), Just(-(1 << 30)), any::<i32>()],
    ) {
        let multipliers: Vec<i32> = multipliers.into_iter().cycle().take(row).collect();
        let shifts: Vec<u8> = shifts.into_iter().cycle().take(row).collect();
        let x: Vec<i32> = x.iter().map(|x| i32::saturate_i64(*x)).cycle().take(rows * row).collect();
        let scales = Scales { multipliers: &multipliers, shifts: &shifts, zero_point };
        requantised::<i32, i8>(&x, row, scales)?;
        requantised::<i32, u8>(&x, row, scales)?;
        requantised::<i32, i16>(&x, row, scales)?;
        requantised::<i32, i32>(&x, row, scales)?;
    }

    #[test]
    fn sort(x in values::<i64>(200), row in 1usize..40, descending in any::<bool>()) {
        fn check<T: Element>(x: &[i64], row: usize, order: Order) -> Result<(), TestCaseError> {
            let x: Vec<T> = x[..x.len() / row * row].iter().map(|x| T::saturate_i64(*x)).collect();
            same(|kernels| {
                let mut out = vec![T::default(); x.len()];
                kernel::sort_rows(kernels, order, &x, row, &mut out);
                out
            })
        }
        let order = if descending { Order::Descending } else { Order::Ascending };
        let near: Vec<i64> = x.iter().map(|x| x >> 54).collect();
        check::<i64>(&x, row, order)?;
        check::<i32>(&x, row, order)?;
        check::<i16>(&near, row, order)?;
        check::<i8>(&near, row, order)?;
        check::<u8>(&near, row, order)?;
    }

    /// Every number that lies in the middle of a scale, and its neighbours.
    #[test]
    fn requantise_middles(multiplier in prop_oneof![Just(1i32 << 30), Just(3 << 29), (1i32 << 14..1 << 15).prop_map(|m| m << 16)], shift in 1u8..=62, odd in any::<i16>()) {
        let zeros = u32::from(shift - 1).saturating_sub(multiplier.trailing_zeros());
        let middle = (2 * i64::from(odd) + 1).checked_shl(zeros).unwrap_or(0);
        let x = [middle - 1, middle, middle + 1, -middle];
        let scales = Scales { multipliers: &[multiplier], shifts: &[shift], zero_point: 0 };
        requantised::<i64, i32>(&x, 4, scales)?;
        requantised::<i32, i32>(&x.map(i32::saturate_i64), 4, scales)?;
    }

    #[test]
    fn quantise(
        x in values::<i32>(3 * 19),
        cut in 0u32..32,
        steps in prop::collection::vec(prop_oneof![1i64..=i64::MAX, 1i64..100, (0u32..63).prop_map(|bit| 1i64 << bit), (0u32..62).prop_map(|bit| 3i64 << bit >> 1)], 3),
    ) {
        fn check<X: Element>(x: &[X], steps: &[i64]) -> Result<(), TestCaseError> {
            same(|kernels| {
                let mut own = vec![0; 3];
                kernel::row_step(kernels, x, 19, 127, &mut own);
                let (mut a, mut b, mut c) = (vec![0i8; x.len()], vec![0i16; x.len()], vec![0i16; x.len()]);
                kernel::quantise_rows(kernels, x, 19, &own, &mut a);
                kernel::quantise_rows(kernels, x, 19, steps, &mut b);
                // Steps that are too small for some elements, whatever the type.
                let near: Vec<i64> = own.iter().map(|step| (step >> 9).max(1)).collect();
                kernel::quantise_rows(kernels, x, 19, &near, &mut c);
                (own, a, b, c)
            })
        }
        let x: Vec<i32> = x.iter().map(|x| x >> cut).collect();
        check(&x, &steps)?;
        check(&x.iter().map(|x| i16::saturate_i64((*x).into())).collect::<Vec<_>>(), &steps)?;
        check(&x.iter().map(|x| i8::saturate_i64((*x).into())).collect::<Vec<_>>(), &steps)?;
    }

    #[test]
    fn softmax_of_few_and_of_many(
        x in values::<i16>(3 * 67),
        cut in 0u32..16,
        multiplier in multiplier(),
        shift in 20u32..=62,
        fraction_bits in prop_oneof![Just(0u32), Just(1), Just(15), Just(30), 0u32..=30],
    ) {
        let x: Vec<i16> = x.iter().map(|x| x >> cut).collect();
        let softmax = Softmax::new(multiplier, shift, fraction_bits).unwrap();
        for row in [1, 2, 3, 67, 201] {
            same(|kernels| {
                let mut out = vec![0; x.len()];
                kernel::softmax_rows(kernels, &x[..201 / row * row], row, softmax, &mut out[..201 / row * row]);
                out
            })?;
        }
    }

    #[test]
    fn attention(
        (groups, queries, keys, depth, width) in (1usize..3, 1usize..5, 1usize..40, 1usize..40, 1usize..37),
        seed in any::<u64>(),
        length in 0usize..40,
        causal in any::<bool>(),
        scale in (multiplier(), prop_oneof![0u32..=62, 29u32..33]),
        softmax in (multiplier(), 30u32..=50),
        constant in any::<bool>(),
    ) {
        let bytes = |count: usize, from: u64| -> Vec<i8> {
            let mut state = seed ^ from;
            let next = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0].cast_signed()
            };
            (0..count).map(next).collect()
        };
        let rows = groups * queries;
        // Values that are all the same lie in the middle for some scales.
        let v = if constant { vec![-7; keys * width] } else { bytes(keys * width, 3) };
        let (q, k) = (bytes(rows * depth, 1), bytes(keys * depth, 2));
        let position = causal.then_some(0);
        let head = Head { q: &q, k: &k, v: &v, queries, keys, depth, width, length: length.min(keys), position };
        let softmax = Softmax::new(softmax.0, softmax.1, 0).unwrap();
        same(|kernels| {
            let mut out = vec![99; rows * width];
            kernel::attention_head(kernels, &head, softmax, scale, &mut out).unwrap();
            out
        })?;
    }


    #[test]
    fn lookup(bytes in values::<i8>(50), words in values::<i16>(50), unsigned in values::<u8>(50)) {
        let small: Vec<i16> = (0..256).map(|i| 7 * i - 900).collect();
        let large: Vec<i8> = (0..65_536u32).map(|i| i.wrapping_mul(37).to_le_bytes()[0].cast_signed()).collect();
        let mut out = (vec![0; 50], vec![0; 50], vec![0; 50]);
        for kernels in all_kernels() {
            kernel::lookup(kernels, &bytes, &small, &mut out.0);
            kernel::lookup(kernels, &unsigned, &small, &mut out.1);
            kernel::lookup(kernels, &words, &large, &mut out.2);
            for i in 0..50 {
                prop_assert_eq!(out.0[i], small[usize::try_from(i32::from(bytes[i]) + 128).unwrap()]);
                prop_assert_eq!(out.1[i], small[usize::from(unsigned[i])]);
                prop_assert_eq!(out.2[i], large[usize::try_from(i32::from(words[i]) + 32_768).unwrap()]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Several blocks of rows, of which some are decided by estimates and some are not.
    #[test]
    fn attention_of_many_rows(
        (groups, queries, keys, depth, width) in (1usize..3, 30usize..60, 60usize..150, 1usize..70, 1usize..70),
        seed in any::<u64>(),
        causal in any::<bool>(),
        scale in (multiplier(), 28u32..34),
        softmax in (multiplier(), 38u32..=46),
        tied in 0u64..4,
    ) {
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()
        };
        let rows = groups * queries;
        let mut bytes = |count: usize| -> Vec<i8> { (0..count).map(|_| byte()[0].cast_signed()).collect() };
        let (q, k, mut v) = (bytes(rows * depth), bytes(keys * depth), bytes(keys * width));
        // Where a whole column is the same, its mean is that, and some scales put it in the middle.
        for (i, v) in v.iter_mut().enumerate() {
            *v = if tied > 0 && i % width == 0 { 5 } else { *v };
        }
        let head = Head { q: &q, k: &k, v: &v, queries, keys, depth, width, length: keys, position: causal.then_some(0) };
        let softmax = Softmax::new(softmax.0, softmax.1, 0).unwrap();
        let scale = if tied > 1 { (1 << 30, scale.1 & !1) } else { scale };
        same(|kernels| {
            let mut out = vec![99; rows * width];
            kernel::attention_head(kernels, &head, softmax, scale, &mut out).unwrap();
            out
        })?;
    }

    #[test]
    fn products_that_are_requantised_at_once(
        (rows, k, n) in (1usize..40, 1usize..150, 1usize..70),
        seed in any::<u64>(),
        scales in prop::collection::vec((multiplier(), prop_oneof![8 => 30u8..=45, 1 => 0u8..=62]), 70),
        beside in any::<bool>(),
        zero_point in -3i32..3,
    ) {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()
        };
        let bytes: Vec<i8> = (0..rows * k).map(|_| next()[0].cast_signed()).collect();
        let unsigned: Vec<u8> = (0..rows * k).map(|_| next()[0]).collect();
        let words: Vec<i16> = (0..rows * k).map(|_| i16::from_be_bytes([next()[0], next()[1]])).collect();
        let w: Vec<i8> = (0..n * k).map(|_| next()[0].cast_signed()).collect();
        let bias: Vec<i32> = (0..n).map(|_| i32::from_be_bytes([0, next()[0], next()[1], 7])).collect();
        // All odd and far below 1, or as they come.
        let odd = |(m, s): (i32, u8)| if beside { (m | 1, s.max(33)) } else { (m, s) };
        let (multipliers, shifts): (Vec<i32>, Vec<u8>) = scales.into_iter().map(odd).take(n).unzip();
        let scales = Scales { multipliers: &multipliers, shifts: &shifts, zero_point };
        for x in [kernel::Activations::I8(&bytes), kernel::Activations::U8(&unsigned), kernel::Activations::I16(&words)] {
            for kernels in all_kernels() {
                let packed = kernel::PackedWeights::pack(kernels.level(), k, n, &w).unwrap();
                let mut sums = vec![0; rows * n];
                kernel::linear_biased(kernels, x, rows, &packed, &bias, &mut sums).unwrap();
                let (mut expected, mut wide) = (vec![0i16; rows * n], vec![0i64; rows * n]);
                kernel::requantise_rows(&reference(), &sums, n, scales, &mut expected);
                let bias: Vec<i64> = bias.iter().map(|bias| i64::from(*bias)).collect();
                kernel::linear_biased_wide(kernels, x, rows, &packed, &bias, &mut wide).unwrap();
                prop_assert_eq!(&wide, &sums.iter().map(|sum| i64::from(*sum)).collect::<Vec<_>>());
                if kernel::requantises_at_once(kernels.level()) {
                    let bias: Vec<i32> = bias.iter().map(|bias| i32::try_from(*bias).unwrap()).collect();
                    let (mut found, mut narrow) = (vec![99i16; rows * n], vec![99i8; rows * n]);
                    kernel::linear_requantised(kernels, x, rows, &packed, &bias, scales, &mut found).unwrap();
                    prop_assert_eq!(&found, &expected, "{} {} {} {}", kernels.level(), rows, k, n);
                    kernel::linear_requantised(kernels, x, rows, &packed, &bias, scales, &mut narrow).unwrap();
                    let mut expected = vec![0i8; rows * n];
                    kernel::requantise_rows(&reference(), &sums, n, scales, &mut expected);
                    prop_assert_eq!(&narrow, &expected, "{}", kernels.level());
                }
            }
        }
    }
}
