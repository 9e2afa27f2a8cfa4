//! The oracle: the formulas written down in checked 128-bit arithmetic, as slow as they come.

use super::exp::exp_neg_reference;
use super::{Decision, Tree};
use crate::Element;

/// `rne(numerator / denominator)` from the definition: of the two neighbours the nearer one, and
/// the even one in the middle.
///
/// # Panics
/// Where the denominator is not positive or a doubled remainder does not fit.
pub(crate) fn rne_ratio(numerator: i128, denominator: i128) -> i128 {
    let below = numerator.div_euclid(denominator);
    let doubled = numerator.rem_euclid(denominator).checked_mul(2).expect("a remainder far below 127 bits");
    match doubled.cmp(&denominator) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => below + 1,
        std::cmp::Ordering::Equal => below + below.rem_euclid(2),
    }
}

/// `out[r][j] = sum over i of x[r][i] * w[j][i]` for the output columns from `first` on.
///
/// # Panics
/// Where a sum does not fit the result, which the caller has excluded.
pub(crate) fn linear<X: Element, A: Element>(x: &[X], k: usize, w: &[i8], first: usize, columns: usize, out: &mut [A]) {
    for (row, out) in x.chunks_exact(k).zip(out.chunks_exact_mut(columns)) {
        for (j, out) in out.iter_mut().enumerate() {
            let weights = &w[(first + j) * k..(first + j + 1) * k];
            let mut sum = 0i128;
            for (x, w) in row.iter().zip(weights) {
                let x: i128 = (*x).into();
                sum = x.checked_mul(i128::from(*w)).and_then(|p| sum.checked_add(p)).expect("sums of at most 2^90");
            }
            *out = A::saturate(sum);
            assert_eq!(Into::<i128>::into(*out), sum, "a sum outside the bound its caller stated");
        }
    }
}

/// The leaf of each tree that its decisions lead to, added to the base of its output. Each tree comes with the places of
/// its first decision and its first leaf.
///
/// # Panics
/// Where a sum passes 64 bits, which the caller has excluded.
pub(crate) fn trees<K: Element>(
    trees: &[(Tree, usize, usize)],
    decisions: &[Decision<K>],
    leaves: &[i64],
    base: &[i64],
    row: &[K],
    out: &mut [i64],
) {
    for (output, (base, out)) in base.iter().zip(out).enumerate() {
        let mut sum = i128::from(*base);
        for (tree, first_decision, first_leaf) in trees.iter().filter(|(tree, ..)| tree.output == output) {
            let mut child = if tree.decisions == 0 { -1 } else { 0 };
            while let Ok(at) = usize::try_from(child) {
                let decision = &decisions[first_decision + at];
                let x = row[usize::try_from(decision.feature).expect("a feature of the row")];
                child = if decision.left(x) { decision.left } else { decision.right };
            }
            sum += i128::from(leaves[first_leaf + usize::try_from(!child).expect("a leaf of the tree")]);
        }
        *out = i64::try_from(sum).expect("a sum inside the bound its caller stated");
    }
}

/// `sat(rne(x * multiplier / 2^shift) + zero_point)`.
pub(crate) fn requantise<T: Element>(x: i64, multiplier: i32, shift: u8, zero_point: i32) -> T {
    let product = i128::from(x).checked_mul(i128::from(multiplier)).expect("at most 95 bits");
    let rounded = rne_ratio(product, 1i128.checked_shl(u32::from(shift)).expect("a shift of at most 62"));
    T::saturate(rounded.checked_add(i128::from(zero_point)).expect("at most 96 bits"))
}

/// `max(x, 0)`.
pub(crate) fn relu<T: Element>(x: T) -> T {
    let wide: i128 = x.into();
    if wide < 0 { T::saturate(0) } else { x }
}

/// Index of the largest, the lowest among equals.
pub(crate) fn argmax<T: Element>(row: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best
}

/// Index of the smallest, the lowest among equals.
pub(crate) fn argmin<T: Element>(row: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value < row[best] {
            best = index;
        }
    }
    best
}

/// Softmax of one row, from its two formulas.
pub(crate) fn softmax<T: Element>(x: &[T], multiplier: u64, shift: u32, fraction_bits: u32, out: &mut [i32]) {
    let max: i128 = x.iter().copied().max().expect("a row of at least one element").into();
    let exponentials: Vec<i128> = x
        .iter()
        .map(|x| {
            let x: i128 = (*x).into();
            let distance = max.checked_sub(x).and_then(|d| d.checked_mul(i128::from(multiplier)));
            let distance = distance.and_then(|d| u64::try_from(d).ok()).expect("at most 63 bits");
            i128::from(exp_neg_reference(distance, shift))
        })
        .collect();
    let sum: i128 = exponentials.iter().sum();
    for (exponential, out) in exponentials.iter().zip(out) {
        let scaled = exponential.checked_mul(1i128 << fraction_bits).expect("at most 60 bits");
        *out = i32::try_from(rne_ratio(scaled, sum)).expect("at most 2^30");
    }
}
