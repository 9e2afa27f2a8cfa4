//! Every level of this machine against the reference, on one and on two threads.

use proptest::prelude::*;

use super::{PackedWeights, PackedWeights16, Scales, Softmax};
use crate::{Element, Kernels, Level, OpError, kernel};

/// Every level but the reference, on one and on two threads. They are made once: starting threads
/// and self-tests take longer than a case.
pub(super) fn all_kernels() -> &'static [Kernels] {
    static ALL: std::sync::OnceLock<Vec<Kernels>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let levels = Level::available().into_iter().filter(|level| *level != Level::Reference);
        levels.flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap())).collect()
    })
}

pub(super) fn reference() -> Kernels {
    Kernels::new(Level::Reference, 1).unwrap()
}

/// Lengths on both sides of every block that a kernel cuts.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0usize..20,
        2 => (1usize..9, 0usize..3).prop_map(|(blocks, extra)| blocks * 16 + extra - 1),
        1 => 90usize..140,
    ]
}

/// Widths, with a few that cross the pieces of the levels (508, 512, 768, 1024, 4096).
fn width() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => length(),
        2 => prop::sample::select(vec![507usize, 508, 509, 511, 514, 515, 767, 768, 769, 773, 1023, 1025, 1029]),
        1 => prop::sample::select(vec![4093usize, 4097, 5001]),
    ]
}

/// Values with a taste for the ends of the range.
pub(super) fn values<T: Element + Arbitrary>(count: usize) -> impl Strategy<Value = Vec<T>> {
    let lowest = T::saturate_i64(i64::MIN);
    let highest = T::saturate_i64(i64::MAX);
    prop_oneof![
        6 => prop::collection::vec(any::<T>(), count),
        2 => prop::collection::vec(prop::sample::select(vec![lowest, highest]), count),
        1 => Just(vec![lowest; count]),
        1 => Just(vec![highest; count]),
    ]
}

fn operands<X: Element + Arbitrary, W: Element + Arbitrary>()
-> impl Strategy<Value = (usize, usize, usize, Vec<X>, Vec<W>)> {
    (length(), width(), length())
        .prop_flat_map(|(rows, k, n)| (Just(rows), Just(k), Just(n), values::<X>(rows * k), values::<W>(n * k)))
}

type Linear<X, P, A> = fn(&Kernels, &[X], usize, &P, &mut [A]) -> Result<(), OpError>;

fn check<X: Element, W: Copy, P, A: Element>(
    (rows, k, n, x, w): &(usize, usize, usize, Vec<X>, Vec<W>),
    pack: fn(Level, usize, usize, &[W]) -> Result<P, OpError>,
    linear: Linear<X, P, A>,
) -> Result<(), TestCaseError> {
    let run = |kernels: &Kernels| {
        let packed = pack(kernels.level(), *k, *n, w).unwrap();
        let mut out = vec![A::saturate_i64(99); rows * n];
        linear(kernels, x, *rows, &packed, &mut out).unwrap();
        out
    };
    let expected = run(&reference());
    for kernels in all_kernels() {
        prop_assert!(
            run(kernels) == expected,
            "{} with {} threads: [{rows}, {k}] x [{k}, {n}]",
            kernels.level(),
            kernels.threads()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn linear_i8(case in operands::<i8, i8>()) {
        check(&case, PackedWeights::pack, kernel::linear_i8)?;
        check(&case, PackedWeights::pack_columns, kernel::linear_i8)?;
        check(&case, PackedWeights::pack, kernel::linear_i8_wide)?;
    }

    #[test]
    fn linear_u8(case in operands::<u8, i8>()) {
        check(&case, PackedWeights::pack, kernel::linear_u8)?;
        check(&case, PackedWeights::pack_columns, kernel::linear_u8_wide)?;
    }

    #[test]
    fn linear_i16(case in operands::<i16, i8>()) {
        check(&case, PackedWeights::pack, kernel::linear_i16)?;
    }

    #[test]
    fn linear_i16_i16(case in operands::<i16, i16>()) {
        check(&case, PackedWeights16::pack, kernel::linear_i16_i16)?;
        check(&case, PackedWeights16::pack_columns, kernel::linear_i16_i16)?;
    }

    /// With few rows and many, and across the pieces of a result.
    #[test]
    fn matmul(
        m in 0usize..7,
        k in prop_oneof![3 => 0usize..40, 1 => 508usize..515, 1 => 1020usize..1030],
        n in prop_oneof![3 => 0usize..40, 1 => 1022usize..1027, 1 => 2046usize..2060],
        words in values::<i16>(500),
        bytes in values::<i8>(501),
    ) {
        type Matmul<X, A> = fn(&Kernels, &[X], &[i8], (usize, usize, usize), &mut [A]) -> Result<(), OpError>;
        fn check<X, A: Element>(a: &[X], b: &[i8], sides: (usize, usize, usize), matmul: Matmul<X, A>) -> Result<(), TestCaseError> {
            let run = |kernels: &Kernels| {
                let mut out = vec![A::saturate_i64(99); sides.0 * sides.2];
                matmul(kernels, a, b, sides, &mut out).unwrap();
                out
            };
            let expected = run(&reference());
            for kernels in all_kernels() {
                prop_assert!(run(kernels) == expected, "{}, {} threads: {sides:?}", kernels.level(), kernels.threads());
            }
            Ok(())
        }
        let words: Vec<i16> = words.into_iter().cycle().take(m * k).collect();
        let b: Vec<i8> = bytes.into_iter().cycle().take(k * n).collect();
        let unsigned: Vec<u8> = words.iter().map(|word| word.to_le_bytes()[0]).collect();
        let signed: Vec<i8> = unsigned.iter().map(|byte| byte.cast_signed()).collect();
        let sides = (m, k, n);
        check(&signed, &b, sides, kernel::matmul_i8)?;
        check(&signed, &b, sides, kernel::matmul_i8_wide)?;
        check(&unsigned, &b, sides, kernel::matmul_u8)?;
        check(&unsigned, &b, sides, kernel::matmul_u8_wide)?;
        check(&words, &b, sides, kernel::matmul_i16)?;
    }

    #[test]
    fn requantise(
        x in values::<i64>(40),
        shift in any::<bool>(),
        multipliers in prop::collection::vec(prop_oneof![Just(0), (1i32 << 30)..=i32::MAX], 10),
        shifts in prop::collection::vec(0u8..=62, 10),
        zero_point in any::<i32>(),
        per_channel in any::<bool>(),
    ) {
        // Small values are what models have.
        let x: Vec<i64> = x.iter().map(|x| if shift { x >> 33 } else { *x }).collect();
        let channels = if per_channel { 10 } else { 1 };
        let scales = Scales { multipliers: &multipliers[..channels], shifts: &shifts[..channels], zero_point };
        fn check<T: Element>(x: &[i64], scales: Scales<'_>) -> Result<(), TestCaseError> {
            let run = |kernels: &Kernels| {
                let mut out = vec![T::default(); x.len()];
                kernel::requantise_rows(kernels, x, 10, scales, &mut out);
                out
            };
            let expected = run(&reference());
            for kernels in all_kernels() {
                prop_assert_eq!(&run(kernels), &expected);
            }
            Ok(())
        }
        check::<i8>(&x, scales)?;
        check::<u8>(&x, scales)?;
        check::<i16>(&x, scales)?;
        check::<i32>(&x, scales)?;
        check::<i64>(&x, scales)?;
    }

    #[test]
    fn softmax(
        (row, x) in (1usize..40).prop_flat_map(|row| (Just(row), values::<i32>(3 * row))),
        scale in 0u32..33,
        multiplier in prop_oneof![1 => Just(0), 9 => (1i32 << 30)..=i32::MAX],
        shift in 0u32..=62,
        fraction_bits in 0u32..=30,
    ) {
        let x: Vec<i32> = x.iter().map(|x| x.checked_shr(scale).unwrap_or(0)).collect();
        let softmax = Softmax::new(multiplier, shift, fraction_bits).unwrap();
        let run = |kernels: &Kernels| {
            let mut out = vec![0; x.len()];
            kernel::softmax_rows(kernels, &x, row, softmax, &mut out);
            out
        };
        let expected = run(&reference());
        for kernels in all_kernels() {
            prop_assert_eq!(&run(kernels), &expected);
        }
    }

    #[test]
    fn elementwise(a in values::<i16>(60), b in values::<i16>(60), row in prop::sample::select(vec![1usize, 3, 20, 60])) {
        let run = |kernels: &Kernels| {
            let (mut sum, mut relu, mut argmax) = (vec![0; 60], vec![0; 60], vec![0; 60 / row]);
            kernel::add(kernels, &a, &b, &mut sum);
            kernel::relu(kernels, &a, &mut relu);
            kernel::argmax_rows(kernels, &a, row, &mut argmax);
            (sum, relu, argmax)
        };
        let expected = run(&reference());
        for kernels in all_kernels() {
            prop_assert_eq!(&run(kernels), &expected);
        }
    }
}

/// Products large enough to be split over threads, which small ones are not.
#[test]
fn threads_split_large_products() {
    let byte = |i: usize| i.to_le_bytes()[0].wrapping_mul(37).wrapping_add(i.to_le_bytes()[1]).cast_signed();
    for (rows, k, n) in [(301, 70, 65), (3, 611, 701), (1, 1100, 997), (70, 1025, 33), (500, 1100, 20)] {
        let x: Vec<i8> = (0..rows * k).map(byte).collect();
        let w: Vec<i8> = (0..n * k).map(|i| byte(i + 3)).collect();
        check(&(rows, k, n, x, w), PackedWeights::pack, kernel::linear_i8).unwrap();
    }
}

/// The longest rows that sums of 32 bits are allowed for, and the first that they are not.
#[test]
fn longest_rows() {
    for (x, k) in [(-128i8, 131_071), (127, 131_071)] {
        let case = (2, k, 3, vec![x; 2 * k], vec![-128i8; 3 * k]);
        check(&case, PackedWeights::pack, kernel::linear_i8).unwrap();
    }
    let k = 131_072;
    check(&(1, k, 2, vec![-128i8; k], vec![-128i8; 2 * k]), PackedWeights::pack, kernel::linear_i8_wide).unwrap();
    for (w, k) in [(-128i8, 65_793), (127, 65_793)] {
        check(&(1, k, 2, vec![255u8; k], vec![w; 2 * k]), PackedWeights::pack, kernel::linear_u8).unwrap();
    }
    let k = 200_003;
    check(&(1, k, 2, vec![255u8; k], vec![-128i8; 2 * k]), PackedWeights::pack, kernel::linear_u8_wide).unwrap();
    check(&(1, k, 1, vec![i16::MIN; k], vec![-128i8; k]), PackedWeights::pack, kernel::linear_i16).unwrap();
    let case = (1, k, 1, vec![i16::MIN; k], vec![i16::MIN; k]);
    check(&case, PackedWeights16::pack, kernel::linear_i16_i16).unwrap();
}
