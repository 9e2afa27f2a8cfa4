//! AVX2: both operands widened to 16 bits, `vpmaddwd`, `vpaddd`.
//!
//! `vpmaddwd` multiplies 16 pairs of `i16` and adds neighbours into 8 `i32`, exactly, because
//! here no pair reaches `2 * 2^15 * 2^15`: one side is an 8-bit weight. (`vpmaddubsw`, which would
//! take bytes, saturates its 16-bit sums and is no use.) Of a quad of four inputs it leaves two sums
//! for each channel, which are added at the end.

use std::{
    arch::x86_64::{
        __m256i, _mm_cvtepi8_epi16, _mm_cvtepu8_epi16, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_hadd_epi32, _mm256_madd_epi16, _mm256_permute4x64_epi64,
        _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_storeu_si256,
    },
    ops::Range,
};

use super::prefetch;
use crate::{
    DType,
    kernel::{
        ending::Ending,
        linear::{Accumulator, Input},
        panels::{Panels, Portions, Quad, Sums, drive},
    },
};

/// Rows that one pass over half a panel multiplies: 6 rows of 2 vectors are 12 sums, which with 2
/// vectors of weights, a broadcast row and a product fill the 16 registers.
const ROWS: usize = 6;

/// Quads of a panel piece: 12 KiB of weights, which stay in the first cache beside a group of rows.
const MAX_QUADS: usize = 192;

/// Four inputs of one row, as `i16` in the order of memory.
type Left = i64;

/// As [`reference::linear`](crate::kernel::reference::linear); `columns` begins at a panel.
pub(in crate::kernel) fn linear<X: Input, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    // SAFETY: kernels of this level, and of the levels that fall back on it, are only made where
    // `Level::is_available` has found AVX2.
    unsafe { linear_avx2(x, w, columns, to) }
}

#[target_feature(enable = "avx2")]
fn linear_avx2<X: Input, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    drive::<_, Left, A, _, ROWS, 1, 1>(
        (x, w),
        columns,
        to,
        Portions { exact_quads: X::MAX_CHUNK / 4, max_quads: MAX_QUADS, unit: 1, rows: 1 },
        |_| A::default(),
        |quad| [widen(quad)],
        prefetch,
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

/// Multiplies `R` rows with one panel, half of its channels at a time.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const R: usize>(left: &[Left], length: usize, panel: &[Quad], sums: &mut [Sums]) {
    let left: [&[Left]; R] = std::array::from_fn(|r| &left[r * length..][..length]);
    let panel = &panel[..length];
    for half in 0..2 {
        let mut vectors = [[_mm256_setzero_si256(); 2]; R];
        for q in 0..length {
            let weights = load(&panel[q], half);
            for r in 0..R {
                let x = _mm256_set1_epi64x(left[r][q]);
                for c in 0..2 {
                    vectors[r][c] = _mm256_add_epi32(vectors[r][c], _mm256_madd_epi16(x, weights[c]));
                }
            }
        }
        for (vectors, sums) in vectors.into_iter().zip(sums.iter_mut()) {
            sums.as_chunks_mut().0[half] = join(vectors);
        }
    }
}

/// Widens four inputs.
#[inline]
#[target_feature(enable = "avx2")]
fn widen<X: Input>(quad: [X; 4]) -> Left {
    match X::DTYPE {
        DType::I8 => _mm_cvtsi128_si64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(bytemuck::cast(quad)))),
        DType::U8 => _mm_cvtsi128_si64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(bytemuck::cast(quad)))),
        _ => bytemuck::cast(quad),
    }
}

/// Widens half the channels of a quad while loading: two vectors of four channels.
#[inline]
#[target_feature(enable = "avx2")]
fn load(quad: &Quad, half: usize) -> [__m256i; 2] {
    let vectors: &[[[i8; 4]; 4]; 4] = quad.0.as_chunks().0.as_array().expect("16 channels");
    std::array::from_fn(|c| {
        let channels = &vectors[2 * half + c];
        // SAFETY: 4 channels of 4 inputs, 16 bytes.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(channels.as_ptr().cast()) })
    })
}

/// Adds the two sums of each channel and brings the eight channels into order.
#[inline]
#[target_feature(enable = "avx2")]
fn join([low, high]: [__m256i; 2]) -> [i32; 8] {
    // Within each 128-bit lane: two channels of the first, two of the second vector.
    let channels = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(low, high));
    let mut out = [0; 8];
    // SAFETY: 8 numbers of 4 bytes, 32 bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), channels) };
    out
}
