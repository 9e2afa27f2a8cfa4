//! AVX-512 VNNI: as AVX-VNNI, with vectors of a whole panel.

use std::{
    arch::x86_64::{
        __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    },
    ops::Range,
};

use super::{
    bytes::{self, Left, Unsigned},
    prefetch,
};
use crate::kernel::{
    ending::Ending,
    linear::{Accumulator, Input},
    panels::{CHANNELS, Panels, Quad, Sums, drive, never},
};

/// Rows and panels of one pass: 24 sums, which hide the latency of `vpdpbusd`, and 10 loads for the 24 products.
const ROWS: usize = 6;
const PANELS: usize = 4;

/// As [`reference::linear`](crate::kernel::reference::linear); `columns` begins at a panel.
pub(in crate::kernel) fn linear<X: Unsigned, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    let convert = |quad: [X; 4]| [quad.map(X::unsigned)];
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX-512 F,
    // BW, DQ, VL and VNNI.
    unsafe { linear_avx512_vnni((x, w), columns, to, |channel| bytes::start::<X, A>(w, channel), convert) }
}

/// The same of 16-bit activations, each of whose rows is two rows of bytes.
pub(in crate::kernel) fn linear_words<A: Accumulator, E: Ending<A>>(
    x: &[i16],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found AVX-512 F,
    // BW, DQ, VL and VNNI.
    unsafe { linear_avx512_vnni((x, w), columns, to, |channel| bytes::start_of_words(w, channel), bytes::words) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn linear_avx512_vnni<X: Input, A: Accumulator, E: Ending<A>, const S: usize>(
    operands: (&[X], &Panels),
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
    start: impl Fn(usize) -> A,
    convert: impl Fn([X; 4]) -> [Left; S],
) {
    drive::<_, Left, A, _, ROWS, PANELS, S>(
        operands,
        columns,
        to,
        bytes::PORTIONS,
        start,
        convert,
        prefetch,
        never,
        |left, length, panels, count, sums| {
            let sums = &mut sums[..count];
            match *panels {
                [a, b, c, d] => rows(left, length, [a, b, c, d], sums),
                [a, b, c] => rows(left, length, [a, b, c], sums),
                [a, b] => rows(left, length, [a, b], sums),
                [a] => rows(left, length, [a], sums),
                _ => unreachable!("a group has 1 to {PANELS} panels"),
            }
        },
    );
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn rows<const P: usize>(left: &[Left], length: usize, panels: [&[Quad]; P], sums: &mut [[Sums; PANELS]]) {
    match sums.len() {
        ROWS => tile::<ROWS, P>(left, length, panels, sums),
        5 => tile::<5, P>(left, length, panels, sums),
        4 => tile::<4, P>(left, length, panels, sums),
        3 => tile::<3, P>(left, length, panels, sums),
        2 => tile::<2, P>(left, length, panels, sums),
        _ => tile::<1, P>(left, length, panels, sums),
    }
}

/// Multiplies `R` rows with `P` panels. It is a function of its own, so that there is one for all types.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn tile<const R: usize, const P: usize>(
    left: &[Left],
    length: usize,
    panels: [&[Quad]; P],
    sums: &mut [[Sums; PANELS]],
) {
    let left: [&[Left]; R] = std::array::from_fn(|r| &left[r * length..][..length]);
    let panels = panels.map(|panel| &panel[..length]);
    let mut vectors = [[_mm512_setzero_si512(); P]; R];
    for q in 0..length {
        let weights: [__m512i; P] = std::array::from_fn(|p| load(&panels[p][q]));
        for r in 0..R {
            // The bytes of four inputs, in the order in which they stand in memory.
            let x = _mm512_set1_epi32(bytemuck::cast(left[r][q]));
            for p in 0..P {
                vectors[r][p] = _mm512_dpbusd_epi32(vectors[r][p], x, weights[p]);
            }
        }
    }
    for (vectors, sums) in vectors.into_iter().zip(sums) {
        for (vector, sums) in vectors.into_iter().zip(sums) {
            *sums = store(vector);
        }
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
