//! Freivalds' check of a matrix product, over the field of `p = 2^61 - 1` elements.
//!
//! `y = x w` is checked by `y r = x (w r)` for a vector `r` that whoever computed `y` does not know.
//! A wrong `y` passes with a probability of at most `1 / p` (Freivalds, "Probabilistic machines can use
//! less running time", 1977). It costs `m n + k n + m k` multiplications instead of `m k n`.
//!
//! The numbers of [`vector`] follow from a key by the finaliser of SplitMix64: good enough against
//! faults, which do not read keys.
//!
//! ```
//! use noema_tensor::device::freivalds;
//! let (x, w, mut y) = ([1i8, 2, 3, 4], [5i8, 6, 7, 8], [19i32, 22, 43, 50]);
//! assert!(freivalds::check(&x, &w, &y, (2, 2, 2), 7));
//! y[3] ^= 1;
//! assert!(!freivalds::check(&x, &w, &y, (2, 2, 2), 7));
//! ```

use super::accelerator::mix;
use crate::Element;

/// The size of the field, a Mersenne prime.
pub const P: u64 = (1 << 61) - 1;

/// The residue of an integer.
#[must_use]
pub fn residue(value: i128) -> u64 {
    let residue = value.rem_euclid(i128::from(P));
    u64::try_from(residue).unwrap_or(0)
}

/// The first `n` numbers that follow from a key.
#[must_use]
pub fn vector(key: u64, n: usize) -> Vec<u64> {
    let mut state = key;
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            residue(i128::from(mix(state)))
        })
        .collect()
}

/// `m v` for a row-major matrix with rows as long as `v`.
///
/// # Panics
/// Where `v` is empty, or `m` is not whole rows.
#[must_use]
pub fn rows<T: Element>(m: &[T], v: &[u64]) -> Vec<u64> {
    assert!(m.len().is_multiple_of(v.len()), "rows of another length");
    m.chunks_exact(v.len())
        .map(|row| {
            row.iter().zip(v).fold(0, |sum, (value, v)| {
                let value: i128 = (*value).into();
                // Below 2^63 times 2^61, plus 2^61.
                residue(i128::from(sum) + value * i128::from(*v))
            })
        })
        .collect()
}

/// Whether `y` (`[m][n]`) is the product of `x` (`[m][k]`) and `w` (`[k][n]`), but for an error of
/// probability `1 / P`.
///
/// # Panics
/// Where slices and sides disagree, or a side is 0.
#[must_use]
pub fn check<X: Element, W: Element, Y: Element>(
    x: &[X],
    w: &[W],
    y: &[Y],
    (m, k, n): (usize, usize, usize),
    key: u64,
) -> bool {
    assert_eq!((x.len(), w.len(), y.len()), (m * k, k * n, m * n), "operands of other shapes");
    let r = vector(key, n);
    rows(y, &r) == rows(x, &rows(w, &r))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{P, check, residue, vector};

    #[test]
    fn residues() {
        for (value, expected) in
            [(0, 0), (-1, P - 1), (i128::from(P), 0), (i128::from(P) * 3 + 5, 5), (-i128::from(P), 0)]
        {
            assert_eq!(residue(value), expected);
        }
        assert!(vector(1, 1000).iter().all(|value| *value < P));
    }

    /// One bit flipped in one product of a thousand: all caught, none of the others accused.
    #[test]
    fn one_flipped_bit_in_a_thousand_products_is_found() {
        let (m, k, n) = (3usize, 17usize, 5usize);
        let mut state = 1u64;
        let mut byte = || {
            state = super::mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            state.to_le_bytes()[0].cast_signed()
        };
        for round in 0..1000usize {
            let x: Vec<i8> = (0..m * k).map(|_| byte()).collect();
            let w: Vec<i8> = (0..k * n).map(|_| byte()).collect();
            let mut y = vec![0i32; m * n];
            for i in 0..m {
                for j in 0..n {
                    y[i * n + j] = (0..k).map(|l| i32::from(x[i * k + l]) * i32::from(w[l * n + j])).sum();
                }
            }
            let key = u64::try_from(round).unwrap();
            assert!(check(&x, &w, &y, (m, k, n), key));
            y[round % (m * n)] ^= 1 << (round % 32);
            assert!(!check(&x, &w, &y, (m, k, n), key), "round {round}");
        }
    }

    proptest! {
        #[test]
        fn wide_values(y in any::<i64>(), v in 0..P) {
            prop_assert_eq!(super::rows(&[y], &[v])[0], residue(i128::from(y) * i128::from(v)));
        }
    }
}
