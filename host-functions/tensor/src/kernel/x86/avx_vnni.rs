//! AVX-VNNI: `vpdpbusd`, four products of an unsigned and a signed byte added to an `i32`.
//!
//! The left operand must be unsigned: signed activations are moved up by 128, and 128 times the sum
//! of a channel's weights is taken away again. Sums wrap and are right modulo `2^32`. Activations of
//! 16 bits go through AVX2, which every machine with this level has.

use std::{
    arch::x86_64::{
        __m256i, _mm256_dpbusd_avx_epi32, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256,
    },
    ops::Range,
};

use super::{
    bytes::{self, Left, Unsigned},
    prefetch,
};
use crate::kernel::{
    ending::Ending,
    linear::Accumulator,
    panels::{CHANNELS, Panels, Quad, Sums, drive, never},
};

/// Rows that one pass over a panel multiplies: 6 rows of 2 vectors are 12 sums, enough to hide the
/// latency of `vpdpbusd`.
const ROWS: usize = 6;

/// As [`reference::linear`](crate::kernel::reference::linear); `columns` begins at a panel.
pub(in crate::kernel) fn linear<X: Unsigned, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX2 and
    // AVX-VNNI.
    unsafe { linear_avx_vnni(x, w, columns, to) }
}

#[target_feature(enable = "avx2,avxvnni")]
fn linear_avx_vnni<X: Unsigned, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    drive::<_, Left, A, _, ROWS, 1, 1>(
        (x, w),
        columns,
        to,
        bytes::PORTIONS,
        |channel| bytes::start::<X, A>(w, channel),
        |quad| [quad.map(X::unsigned)],
        prefetch,
        never,
        |left, length, panels, rows, sums| {
            let (panel, sums) = (panels[0], sums[..rows].as_flattened_mut());
            match sums.len() {
                ROWS => tile::<ROWS>(left, length, panel, sums),
                5 => tile::<5>(left, length, panel, sums),
                4 => tile::<4>(left, length, panel, sums),
                3 => tile::<3>(left, length, panel, sums),
                2 => tile::<2>(left, length, panel, sums),
                _ => tile::<1>(left, length, panel, sums),
            }
        },
    );
}

/// Multiplies `R` rows with one panel.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn tile<const R: usize>(left: &[Left], length: usize, panel: &[Quad], sums: &mut [Sums]) {
    let left: [&[Left]; R] = std::array::from_fn(|r| &left[r * length..][..length]);
    let panel = &panel[..length];
    let mut vectors = [[_mm256_setzero_si256(); 2]; R];
    for q in 0..length {
        let weights = load(&panel[q]);
        for r in 0..R {
            // The bytes of four inputs, in the order in which they stand in memory.
            let x = _mm256_set1_epi32(bytemuck::cast(left[r][q]));
            for c in 0..2 {
                vectors[r][c] = _mm256_dpbusd_avx_epi32(vectors[r][c], x, weights[c]);
            }
        }
    }
    for (vectors, sums) in vectors.into_iter().zip(sums) {
        *sums = store(vectors);
    }
}

/// Two vectors of eight channels.
#[inline]
#[target_feature(enable = "avx2")]
fn load(quad: &Quad) -> [__m256i; 2] {
    let parts = quad.0.as_chunks::<8>().0;
    std::array::from_fn(|c| {
        // SAFETY: a part is 8 channels of 4 inputs, 32 bytes.
        unsafe { _mm256_loadu_si256(parts[c].as_ptr().cast()) }
    })
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(sums: [__m256i; 2]) -> Sums {
    let mut out = [0; CHANNELS];
    let (halves, _) = out.as_chunks_mut::<8>();
    for (half, sums) in halves.iter_mut().zip(sums) {
        // SAFETY: a half is 8 numbers of 4 bytes, 32 bytes.
        unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), sums) };
    }
    out
}
