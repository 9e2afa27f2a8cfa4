//! Loops that the compiler vectorises on any machine.

use super::linear::{Accumulator, Input};

/// Output columns computed together, so that an activation is loaded once for all of them.
const COLUMNS: usize = 4;

/// As [`reference::linear`](super::reference::linear).
pub(super) fn linear<X: Input, A: Accumulator>(
    x: &[X],
    k: usize,
    w: &[i8],
    first: usize,
    columns: usize,
    out: &mut [A],
) {
    for (row, out) in x.chunks_exact(k).zip(out.chunks_exact_mut(columns)) {
        let mut j = 0;
        while j + COLUMNS <= columns {
            let channels = std::array::from_fn(|c| &w[(first + j + c) * k..(first + j + c + 1) * k]);
            out[j..j + COLUMNS].copy_from_slice(&dots::<X, A, COLUMNS>(row, channels));
            j += COLUMNS;
        }
        for j in j..columns {
            out[j] = dots::<X, A, 1>(row, [&w[(first + j) * k..(first + j + 1) * k]])[0];
        }
    }
}

/// The products of one row with `N` channels.
#[inline(always)]
fn dots<X: Input, A: Accumulator, const N: usize>(row: &[X], channels: [&[i8]; N]) -> [A; N] {
    let mut totals = [A::default(); N];
    let mut start = 0;
    while start < row.len() {
        let end = row.len().min(start + X::MAX_CHUNK);
        let x = &row[start..end];
        let channels = channels.map(|channel| &channel[start..end][..x.len()]);
        let mut sums = [0i32; N];
        // No partial sum of a chunk leaves 32 bits, so nothing wraps; saying so lets it vectorise.
        for i in 0..x.len() {
            let value: i32 = x[i].into();
            for c in 0..N {
                sums[c] = sums[c].wrapping_add(value.wrapping_mul(i32::from(channels[c][i])));
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            total.accumulate(sum);
        }
        start = end;
    }
    totals
}

/// Row-major `[k][n]` to `[n][k]`, in square tiles that stay in the first cache.
pub(super) fn transpose(k: usize, n: usize, from: &[i8]) -> Vec<i8> {
    const TILE: usize = 32;
    let mut to = vec![0i8; from.len()];
    for j0 in (0..n).step_by(TILE) {
        for i0 in (0..k).step_by(TILE) {
            for j in j0..n.min(j0 + TILE) {
                for i in i0..k.min(i0 + TILE) {
                    to[j * k + i] = from[i * n + j];
                }
            }
        }
    }
    to
}
