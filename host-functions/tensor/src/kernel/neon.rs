//! NEON: bytes widened to 16 bits, multiplied into 32 bits (`smlal`).
//!
//! Every AArch64 machine has these instructions. A quad of a panel is four vectors of four channels;
//! the four sums of a channel are added at the end.
#![allow(unsafe_code, reason = "SIMD loads and a call into functions with target features")]
#![allow(clippy::as_conversions, reason = "pointers to vectors")]

use std::{
    arch::aarch64::{
        int16x4_t, int32x4_t, vaddvq_s32, vdupq_n_s32, vget_high_s16, vget_low_s16, vld1_s8, vld1_s16, vmlal_s16,
        vmovl_s8,
    },
    ops::Range,
};

use super::{
    ending::Ending,
    linear::{Accumulator, Input},
    panels::{CHANNELS, Panels, Portions, Quad, Sums, drive, never},
};

/// Quads of a panel piece.
const MAX_QUADS: usize = 192;

/// Four inputs of one row.
type Left = [i16; 4];

/// As [`reference::linear`](super::reference::linear); `columns` begins at a panel.
pub(super) fn linear<X: Input, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    // SAFETY: kernels of this level are only made where `Level::is_available` has found NEON.
    unsafe { linear_neon(x, w, columns, to) }
}

#[target_feature(enable = "neon")]
fn linear_neon<X: Input, A: Accumulator, E: Ending<A>>(
    x: &[X],
    w: &Panels,
    columns: Range<usize>,
    to: (&E, &mut [E::Out]),
) {
    drive::<_, Left, A, _, 1, 1, 1>(
        (x, w),
        columns,
        to,
        Portions { exact_quads: X::MAX_CHUNK / 4, max_quads: MAX_QUADS, unit: 1, rows: 1 },
        |_| A::default(),
        |quad| [quad.map(X::into)],
        |_| {},
        never,
        |left, _, panels, _, sums| {
            for (panel, sums) in panels.iter().zip(sums.as_flattened_mut()) {
                *sums = one_row(left, panel);
            }
        },
    );
}

/// Multiplies one row with one panel: a sum for each channel and input of a quad.
#[inline]
#[target_feature(enable = "neon")]
fn one_row(row: &[Left], panel: &[Quad]) -> Sums {
    let mut sums: [int32x4_t; CHANNELS] = [vdupq_n_s32(0); CHANNELS];
    for (x, quad) in row.iter().zip(panel) {
        // SAFETY: four numbers of 2 bytes, 8 bytes.
        let x: int16x4_t = unsafe { vld1_s16(x.as_ptr()) };
        for (pair, channels) in sums.as_chunks_mut::<2>().0.iter_mut().zip(quad.0.as_chunks::<2>().0) {
            // SAFETY: two channels of 4 inputs, 8 bytes.
            let weights = vmovl_s8(unsafe { vld1_s8(channels.as_ptr().cast()) });
            pair[0] = vmlal_s16(pair[0], x, vget_low_s16(weights));
            pair[1] = vmlal_s16(pair[1], x, vget_high_s16(weights));
        }
    }
    sums.map(|sum| vaddvq_s32(sum))
}
