//! AVX-512 VNNI: as AVX-VNNI, with vectors of a whole panel.

use std::{
    arch::x86_64::{
        __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    },
    ops::Range,
};

use super::bytes::{self, Left, Unsigned};
use crate::kernel::{
    linear::Accumulator,
    panels::{CHANNELS, Panels, Quad, Sums, drive, groups},
};

/// Rows that one pass over two panels multiplies: 6 rows of 2 vectors are 12 sums, enough to hide
/// the latency of `vpdpbusd`.
const ROWS: usize = 6;

/// As [`reference::linear`](crate::kernel::reference::linear); `columns` begins at a panel.
pub(in crate::kernel) fn linear<X: Unsigned, A: Accumulator>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    out: &mut [A],
) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX-512 F,
    // BW and VNNI.
    unsafe { linear_avx512_vnni(x, w, columns, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn linear_avx512_vnni<X: Unsigned, A: Accumulator>(x: &[X], w: &Panels, columns: Range<usize>, out: &mut [A]) {
    drive::<_, Left, _, ROWS, 2>(
        (x, w),
        columns,
        out,
        bytes::MAX_QUADS,
        |channel| bytes::start::<X, A>(w, channel),
        |quad| quad.map(X::unsigned),
        |left, panels, sums| {
            for (left, sums) in groups::<_, _, ROWS>(left, panels[0].len(), sums) {
                match sums.len() {
                    ROWS => tile::<ROWS>(left, panels, sums),
                    5 => tile::<5>(left, panels, sums),
                    4 => tile::<4>(left, panels, sums),
                    3 => tile::<3>(left, panels, sums),
                    2 => tile::<2>(left, panels, sums),
                    _ => tile::<1>(left, panels, sums),
                }
            }
        },
    );
}

/// Multiplies `R` rows with two panels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn tile<const R: usize>(left: &[Left], [first, second]: [&[Quad]; 2], sums: &mut [[Sums; 2]]) {
    let mut vectors = [[_mm512_setzero_si512(); 2]; R];
    for ((rows, first), second) in left.as_chunks::<R>().0.iter().zip(first).zip(second) {
        let weights = [load(first), load(second)];
        for r in 0..R {
            // The bytes of four inputs, in the order in which they stand in memory.
            let x = _mm512_set1_epi32(bytemuck::cast(rows[r]));
            for c in 0..2 {
                vectors[r][c] = _mm512_dpbusd_epi32(vectors[r][c], x, weights[c]);
            }
        }
    }
    for (vectors, sums) in vectors.into_iter().zip(sums) {
        *sums = vectors.map(|vector| store(vector));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(quad: &Quad) -> __m512i {
    // SAFETY: a quad is 16 channels of 4 inputs, 64 bytes.
    unsafe { _mm512_loadu_si512(quad.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: __m512i) -> Sums {
    let mut out = [0; CHANNELS];
    // SAFETY: the sums are 16 numbers of 4 bytes, 64 bytes.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
    out
}
