//! AVX2: both operands widened to 16 bits, `vpmaddwd`, `vpaddd`.
//!
//! `vpmaddwd` multiplies 16 pairs of `i16` and adds neighbours into 8 `i32`, exactly, because
//! here no pair reaches `2 * 2^15 * 2^15`: one side is an 8-bit weight. (`vpmaddubsw`, which would
//! take bytes, saturates its 16-bit sums and is no use.) Of a quad of four inputs it leaves two sums
//! for each channel, which are added at the end.
//!
//! Multiplications, additions and widening compete for the same three units. So where many rows meet a piece of a panel it is widened
//! once for all of them.

use std::{
    arch::x86_64::{
        __m256i, _mm_cvtepi8_epi16, _mm_cvtepu8_epi16, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_permute4x64_epi64, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_storeu_si256,
    },
    ops::Range,
};

use super::prefetch;
use crate::{
    DType,
    kernel::{
        ending::Ending,
        linear::{Accumulator, Input},
        panels::{CHANNELS, Panels, Portions, Quad, Sums, drive, never},
    },
};

/// Rows that one pass over half a panel multiplies: 6 rows of 2 vectors are 12 sums, which with 2
/// vectors of weights, a broadcast row and a product fill the 16 registers.
const ROWS: usize = 6;

/// Quads of a panel piece: 12 KiB of weights, or 24 of which half is read at a time, which stay in the first cache beside a group of rows.
const MAX_QUADS: usize = 192;

/// From so many rows on a piece of a panel is widened before they are multiplied.
const MANY: usize = 4 * ROWS;

/// Four inputs of one row, as `i16` in the order of memory.
type Left = i64;

/// The weights of a quad, or that as `i16`.
trait Weights {
    /// Half the channels as two vectors of four channels.
    ///
    /// # Safety
    /// The machine has AVX2.
    unsafe fn load(&self, half: usize) -> [__m256i; 2];
}

/// A quad as `i16`, `[channel][input]`.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Wide([[i16; 4]; CHANNELS]);

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
    let many = to.1.len() >= MANY * columns.len();
    let (mut widened, mut of) = (Vec::new(), None);
    drive::<_, Left, A, _, ROWS, 1, 1>(
        (x, w),
        columns,
        to,
        Portions { exact_quads: X::MAX_CHUNK / 4, max_quads: MAX_QUADS, unit: 1, rows: 1 },
        |_| A::default(),
        |quad| [widen(quad)],
        prefetch,
        never,
        |left, length, panels, rows, sums| {
            let (panel, sums) = (panels[0], sums[..rows].as_flattened_mut());
            if !many {
                return tiles(left, length, panel, sums);
            }
            // The weights stay what and where they are all the while.
            let piece = (panel.as_ptr(), panel.len());
            if of.replace(piece) != Some(piece) {
                widened.clear();
                widened.extend(panel.iter().map(|quad| wide(quad)));
            }
            tiles(left, length, &widened, sums);
        },
    );
}

/// Widens a quad.
#[inline]
#[target_feature(enable = "avx2")]
fn wide(quad: &Quad) -> Wide {
    let mut wide = Wide([[0; 4]; CHANNELS]);
    let (vectors, _) = wide.0.as_chunks_mut::<4>();
    for half in 0..2 {
        // SAFETY: this function has the feature.
        let loaded = unsafe { quad.load(half) };
        for (vector, channels) in loaded.into_iter().zip(&mut vectors[2 * half..]) {
            // SAFETY: 4 channels of 4 inputs, 32 bytes.
            unsafe { _mm256_storeu_si256(channels.as_mut_ptr().cast(), vector) };
        }
    }
    wide
}

/// Multiplies up to [`ROWS`] rows with one panel.
#[inline]
#[target_feature(enable = "avx2")]
fn tiles<W: Weights>(left: &[Left], length: usize, panel: &[W], sums: &mut [Sums]) {
    match sums.len() {
        ROWS => tile::<W, ROWS>(left, length, panel, sums),
        5 => tile::<W, 5>(left, length, panel, sums),
        4 => tile::<W, 4>(left, length, panel, sums),
        3 => tile::<W, 3>(left, length, panel, sums),
        2 => tile::<W, 2>(left, length, panel, sums),
        _ => tile::<W, 1>(left, length, panel, sums),
    }
}

/// Multiplies `R` rows with one panel, half of its channels at a time.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<W: Weights, const R: usize>(left: &[Left], length: usize, panel: &[W], sums: &mut [Sums]) {
    let left: [&[Left]; R] = std::array::from_fn(|r| &left[r * length..][..length]);
    let panel = &panel[..length];
    for half in 0..2 {
        let mut vectors = [[_mm256_setzero_si256(); 2]; R];
        for q in 0..length {
            // SAFETY: this function has the feature.
            let weights = unsafe { panel[q].load(half) };
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

impl Weights for Quad {
    /// Widens while loading.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(&self, half: usize) -> [__m256i; 2] {
        let vectors: &[[[i8; 4]; 4]; 4] = self.0.as_chunks().0.as_array().expect("16 channels");
        std::array::from_fn(|c| {
            let channels = &vectors[2 * half + c];
            // SAFETY: 4 channels of 4 inputs, 16 bytes.
            _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(channels.as_ptr().cast()) })
        })
    }
}

impl Weights for Wide {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load(&self, half: usize) -> [__m256i; 2] {
        let vectors: &[[[i16; 4]; 4]; 4] = self.0.as_chunks().0.as_array().expect("16 channels");
        std::array::from_fn(|c| {
            let channels = &vectors[2 * half + c];
            // SAFETY: 4 channels of 4 inputs, 32 bytes.
            unsafe { _mm256_loadu_si256(channels.as_ptr().cast()) }
        })
    }
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
