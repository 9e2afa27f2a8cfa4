//! Products of two matrices that lie in memory as they came, `out[r][j] = sum over i of a[r][i] * b[i][j]`.
//!
//! The right one is packed first, which pays where many rows are multiplied. A few are multiplied with it as it lies: every row of it
//! is read once, times one element of each row on the left.

use super::linear::{Accumulator, Input, linear_i16_i16, product};
use super::vectors::{Vectors, vectorised};
use super::{Kernels, PackedWeights, PackedWeights16, ending::Plain};
use crate::{DType, Level, OpError};

/// Up to so many rows are multiplied with the right side as it lies. Packing it takes about as long as multiplying four of them, and a
/// large one does not fit the caches twice.
const FEW_ROWS: usize = 3;

/// Columns of a piece, whose sums stay in the first cache.
const COLUMNS: usize = 1024;

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, $a:ty, $out:ty) => {
        $(#[$doc])*
        ///
        /// `a` is `[m][k]`, `b` is `[k][n]`, `out` is `[m][n]` and is overwritten.
        ///
        /// # Errors
        /// [`OpError::Node`] where candle fails (level `candle-f32` only).
        ///
        /// # Panics
        /// Where a slice has another length.
        pub fn $name(
            kernels: &Kernels,
            a: &[$a],
            b: &[i8],
            (m, k, n): (usize, usize, usize),
            out: &mut [$out],
        ) -> Result<(), OpError> {
            matmul(kernels, a, b, (m, k, n), out)
        }
    };
}

entry!(
    /// Two matrices of 8 bits, sums of 32 bits. The caller guarantees that every sum fits, by
    /// [`max_k_i32`](super::max_k_i32) or by a bound on its own values.
    matmul_i8, i8, i32
);
entry!(
    /// Unsigned 8 bits on the left, sums of 32 bits. The caller guarantees that every sum fits, by
    /// [`max_k_i32`](super::max_k_i32) or by a bound on its own values.
    matmul_u8, u8, i32
);
entry!(
    /// Two matrices of 8 bits, sums of 64 bits, for rows of any length.
    matmul_i8_wide, i8, i64
);
entry!(
    /// Unsigned 8 bits on the left, sums of 64 bits, for rows of any length.
    matmul_u8_wide, u8, i64
);
entry!(
    /// 16 bits on the left, sums of 64 bits, for rows of any length.
    matmul_i16, i16, i64
);

/// Two matrices of 16 bits, sums of 64 bits, for fewer than `2^32` products in each.
///
/// `a` is `[m][k]`, `b` is `[k][n]`, `out` is `[m][n]` and is overwritten.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where a slice has another length.
pub fn matmul_i16_i16(
    kernels: &Kernels,
    a: &[i16],
    b: &[i16],
    (m, k, n): (usize, usize, usize),
    out: &mut [i64],
) -> Result<(), OpError> {
    linear_i16_i16(kernels, a, m, &PackedWeights16::pack_columns(kernels.level(), k, n, b)?, out)
}

fn matmul<X: Input, A: Accumulator>(
    kernels: &Kernels,
    a: &[X],
    b: &[i8],
    (m, k, n): (usize, usize, usize),
    out: &mut [A],
) -> Result<(), OpError> {
    let level = kernels.level();
    if m > FEW_ROWS || matches!(level, Level::Reference | Level::CandleF32) {
        return product(kernels, a, m, &PackedWeights::pack_columns(level, k, n, b)?, &Plain(None), out);
    }
    assert!(Some(a.len()) == m.checked_mul(k) && Some(b.len()) == k.checked_mul(n), "matrices of another shape");
    assert_eq!(Some(out.len()), m.checked_mul(n), "results of another shape");
    let parts = kernels.parts(m.saturating_mul(k).saturating_mul(n));
    let pieces = kernels.split_range(n, COLUMNS, parts, |columns| {
        let mut sums = vec![A::default(); m * columns.len()];
        vectorised(level, FewRows { a, b, k, n, from: columns.start, sums: &mut sums });
        (columns, sums)
    });
    for (columns, sums) in pieces {
        let rows = sums.chunks_exact(columns.len().max(1)).zip(out.chunks_exact_mut(n.max(1)));
        rows.for_each(|(sums, out)| out[columns.clone()].copy_from_slice(sums));
    }
    #[cfg(test)]
    kernels.inject(crate::selftest::Primitive::linear::<X, A>(), out);
    Ok(())
}

/// Some columns of all rows.
struct FewRows<'a, X, A> {
    a: &'a [X],
    b: &'a [i8],
    k: usize,
    n: usize,
    /// The first column.
    from: usize,
    /// Zeros, row after row.
    sums: &'a mut [A],
}

impl<X: Input, A: Accumulator> Vectors for FewRows<'_, X, A> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let FewRows { a, b, k, n, from, sums } = self;
        if k == 0 || sums.is_empty() {
            return;
        }
        let columns = sums.len() / (a.len() / k);
        let mut partial = [[0i32; COLUMNS]; FEW_ROWS];
        for start in (0..columns).step_by(COLUMNS) {
            let width = COLUMNS.min(columns - start);
            for first in (0..k).step_by(X::MAX_CHUNK) {
                let rows = first..k.min(first + X::MAX_CHUNK);
                for partial in &mut partial {
                    partial[..width].fill(0);
                }
                for i in rows {
                    let weights = &b[i * n + from + start..][..width];
                    for (x, partial) in a.chunks_exact(k).zip(&mut partial) {
                        add(x[i], weights, &mut partial[..width]);
                    }
                }
                for (sums, partial) in sums.chunks_exact_mut(columns).zip(&partial) {
                    for (sum, partial) in sums[start..start + width].iter_mut().zip(partial) {
                        sum.accumulate(*partial);
                    }
                }
            }
        }
    }
}

/// `sums += x * weights`. Sums of at most [`Input::MAX_CHUNK`] of these fit 32 bits, and what wraps where the caller has bounded the sum comes
/// back; one product of 8 bits fits 16 (`255 * 128`).
#[inline(always)]
fn add<X: Input>(x: X, weights: &[i8], sums: &mut [i32]) {
    if X::DTYPE == DType::I16 {
        let x: i32 = x.into();
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = sum.wrapping_add(x.wrapping_mul(i32::from(*weight)));
        }
    } else {
        let x: i16 = x.into();
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = sum.wrapping_add(i32::from(x.wrapping_mul(i16::from(*weight))));
        }
    }
}
