//! The exact linear product: `out[r][j] = sum over i of x[r][i] * w[j][i]`.

use std::{marker::PhantomData, ops::Range};

use super::ending::{Ending, Plain, Requantised};
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::panels::{CHANNELS, Panels};
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Kernels, PackedWeights, PackedWeights16, Scales, candle_f32, packed::Layout, portable, reference};
use crate::{DType, Element, Level, OpError};

/// An element type that can stand on the left of 8-bit weights.
pub(crate) trait Input: Element + bytemuck::Pod + Into<i16> + Into<i32> {
    /// How many products of this type and `i8` always have a sum inside 32 bits.
    const MAX_CHUNK: usize;

    /// Runs the SIMD kernel of a level.
    fn simd<A: Accumulator, E: Ending<A>>(
        level: Level,
        x: &[Self],
        w: &Panels,
        columns: Range<usize>,
        to: (&E, &mut [E::Out]),
    );
}

macro_rules! input {
    ($type:ty, $max_chunk:literal, $avx_vnni:expr, $avx512_vnni:expr, $amx:expr) => {
        impl Input for $type {
            const MAX_CHUNK: usize = $max_chunk;

            fn simd<A: Accumulator, E: Ending<A>>(
                level: Level,
                x: &[Self],
                w: &Panels,
                columns: Range<usize>,
                to: (&E, &mut [E::Out]),
            ) {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => x86::avx2::linear(x, w, columns, to),
                    #[cfg(target_arch = "x86_64")]
                    Level::AvxVnni => $avx_vnni(x, w, columns, to),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512Vnni => $avx512_vnni(x, w, columns, to),
                    #[cfg(target_arch = "x86_64")]
                    Level::Amx => $amx(x, w, columns, to),
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon => neon::linear(x, w, columns, to),
                    _ => unreachable!("kernels of level {level} cannot exist on this machine"),
                }
            }
        }
    };
}

// 131071 * 128 * 128 = 2^31 - 2^14
input!(i8, 131_071, x86::avx_vnni::linear, x86::avx512_vnni::linear, x86::amx::linear);
// 65793 * 255 * 128 = 2^31 - 128
input!(u8, 65_793, x86::avx_vnni::linear, x86::avx512_vnni::linear, x86::amx::linear);
// 511 * 32768 * 128 = 2^31 - 2^22
input!(i16, 511, x86::avx2::linear, x86::avx512_vnni::linear_words, x86::amx::linear_words);

/// A type that sums are written to.
pub(crate) trait Accumulator: Element {
    /// Adds a partial sum.
    ///
    /// It wraps: an intermediate of a 32-bit sum may leave the range (the offset of the VNNI levels
    /// does that) while the whole sum, which the caller has bounded, is right modulo `2^32`.
    fn accumulate(&mut self, partial: i32);

    /// Adds a multiple of a partial sum.
    fn accumulate_scaled(&mut self, partial: i32, factor: i32);

    /// The sum modulo the size of the type.
    fn wrapping_plus(self, other: Self) -> Self;

    /// The numbers themselves, if they have 32 bits.
    fn words(numbers: &mut [Self]) -> Option<&mut [i32]>;

    /// The value modulo the size of the type.
    fn wrapping_from(value: i64) -> Self;
}

impl Accumulator for i32 {
    #[inline(always)]
    fn accumulate(&mut self, partial: i32) {
        *self = self.wrapping_add(partial);
    }

    #[inline(always)]
    fn accumulate_scaled(&mut self, partial: i32, factor: i32) {
        *self = self.wrapping_add(partial.wrapping_mul(factor));
    }

    #[inline(always)]
    fn wrapping_plus(self, other: i32) -> i32 {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn words(numbers: &mut [i32]) -> Option<&mut [i32]> {
        Some(numbers)
    }

    #[inline(always)]
    #[allow(clippy::as_conversions, reason = "takes the lower half on purpose")]
    fn wrapping_from(value: i64) -> i32 {
        value as i32
    }
}

impl Accumulator for i64 {
    #[inline(always)]
    fn accumulate(&mut self, partial: i32) {
        *self = self.wrapping_add(i64::from(partial));
    }

    #[inline(always)]
    fn accumulate_scaled(&mut self, partial: i32, factor: i32) {
        *self = self.wrapping_add(i64::from(partial).wrapping_mul(i64::from(factor)));
    }

    #[inline(always)]
    fn wrapping_plus(self, other: i64) -> i64 {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn words(_: &mut [i64]) -> Option<&mut [i32]> {
        None
    }

    #[inline(always)]
    fn wrapping_from(value: i64) -> i64 {
        value
    }
}

/// The longest rows of this type whose products with 8-bit weights always have a sum inside 32
/// bits: 131071 for `i8`, 65793 for `u8`; nothing for the other types, whose sums are 64-bit.
#[must_use]
pub const fn max_k_i32(x: DType) -> Option<usize> {
    match x {
        DType::I8 => Some(i8::MAX_CHUNK),
        DType::U8 => Some(u8::MAX_CHUNK),
        _ => None,
    }
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, $x:ty, $out:ty) => {
        $(#[$doc])*
        ///
        /// `x` is `[rows][k]`, `out` is `[rows][n]` and is overwritten.
        ///
        /// # Errors
        /// [`OpError::Node`] where candle fails (level `candle-f32` only).
        ///
        /// # Panics
        /// Where a slice has another length, or the weights were packed for another level.
        pub fn $name(
            k: &Kernels,
            x: &[$x],
            rows: usize,
            w: &PackedWeights,
            out: &mut [$out],
        ) -> Result<(), OpError> {
            product(k, x, rows, w, &Plain(None), out)
        }
    };
}

entry!(
    /// 8-bit activations, sums of 32 bits. The caller guarantees that every sum fits, by
    /// [`max_k_i32`] or by a bound on its own values.
    linear_i8, i8, i32
);
entry!(
    /// Unsigned 8-bit activations, sums of 32 bits. The caller guarantees that every sum fits, by
    /// [`max_k_i32`] or by a bound on its own values.
    linear_u8, u8, i32
);
entry!(
    /// 8-bit activations, sums of 64 bits, for rows of any length.
    linear_i8_wide, i8, i64
);
entry!(
    /// Unsigned 8-bit activations, sums of 64 bits, for rows of any length.
    linear_u8_wide, u8, i64
);
entry!(
    /// 16-bit activations, sums of 32 bits. The caller guarantees by a bound on its own values that every sum fits.
    linear_i16_narrow, i16, i32
);
entry!(
    /// 16-bit activations, sums of 64 bits, for rows of any length.
    linear_i16, i16, i64
);

/// 16-bit activations and 16-bit weights, sums of 64 bits, for rows of fewer than `2^32` elements.
///
/// With the planes of [`PackedWeights16`],
/// `sum x * w = 256 * sum x * high + sum x * low + 128 * sum x`.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where a slice has another length, or the weights were packed for another level.
pub fn linear_i16_i16(
    k: &Kernels,
    x: &[i16],
    rows: usize,
    w: &PackedWeights16,
    out: &mut [i64],
) -> Result<(), OpError> {
    product(k, x, rows, &w.high, &Plain(None), out)?;
    let mut low = vec![0i64; out.len()];
    product(k, x, rows, &w.low, &Plain(None), &mut low)?;
    let (width, n) = (w.high.k(), w.high.n());
    if width == 0 || n == 0 {
        return Ok(());
    }
    for ((row, out), low) in x.chunks_exact(width).zip(out.chunks_exact_mut(n)).zip(low.chunks_exact(n)) {
        let sum: i64 = row.iter().map(|x| i64::from(*x)).sum();
        for (out, low) in out.iter_mut().zip(low) {
            *out = *out * 256 + low + 128 * sum;
        }
    }
    Ok(())
}

/// The left operand of a product.
#[derive(Clone, Copy, Debug)]
pub enum Activations<'a> {
    /// `i8`
    I8(&'a [i8]),
    /// `u8`
    U8(&'a [u8]),
    /// `i16`
    I16(&'a [i16]),
}

/// Evaluates `$body` with `$x` the elements.
macro_rules! activations {
    ($activations:expr, $x:ident => $body:expr) => {
        match $activations {
            Activations::I8($x) => $body,
            Activations::U8($x) => $body,
            Activations::I16($x) => $body,
        }
    };
}

/// `x` times the weights, plus a bias for each channel, in sums of 32 bits. The caller guarantees by a bound on its own values that every
/// sum fits, on every way to it.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where a slice has another length, or the weights were packed for another level.
pub fn linear_biased(
    k: &Kernels,
    x: Activations<'_>,
    rows: usize,
    w: &PackedWeights,
    bias: &[i32],
    out: &mut [i32],
) -> Result<(), OpError> {
    assert_eq!(bias.len(), w.n(), "biases of another shape");
    activations!(x, x => product(k, x, rows, w, &Plain(Some(bias)), out))
}

/// [`linear_biased`] in sums of 64 bits.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where a slice has another length, or the weights were packed for another level.
pub fn linear_biased_wide(
    k: &Kernels,
    x: Activations<'_>,
    rows: usize,
    w: &PackedWeights,
    bias: &[i64],
    out: &mut [i64],
) -> Result<(), OpError> {
    assert_eq!(bias.len(), w.n(), "biases of another shape");
    activations!(x, x => product(k, x, rows, w, &Plain(Some(bias)), out))
}

/// Whether [`linear_requantised`] is there for a level: where sums are made in panels.
#[must_use]
pub fn requantises_at_once(level: Level) -> bool {
    matches!(level, Level::Avx2 | Level::AvxVnni | Level::Avx512Vnni | Level::Amx | Level::Neon)
}

/// [`linear_biased`], then [`requantise_rows`](super::requantise_rows), with the same bits and without the sums between them.
///
/// # Errors
/// As [`linear_biased`].
///
/// # Panics
/// As [`linear_biased`], where there is not one scale for each channel with a shift of at most 62, and at a level without
/// [`requantises_at_once`].
pub fn linear_requantised<T: Element>(
    k: &Kernels,
    x: Activations<'_>,
    rows: usize,
    w: &PackedWeights,
    bias: &[i32],
    scales: Scales<'_>,
    out: &mut [T],
) -> Result<(), OpError> {
    let Scales { multipliers, shifts, zero_point } = scales;
    assert!(requantises_at_once(k.level()), "a level that does both one after the other");
    assert!([bias.len(), multipliers.len(), shifts.len()] == [w.n(); 3], "scales of another shape");
    assert!(shifts.iter().all(|shift| *shift <= 62), "a shift above 62");
    if scales.are_uneven() {
        let ending = Requantised::<T, false> { bias, multipliers, shifts, zero_point, out: PhantomData };
        return activations!(x, x => product::<_, i32, _>(k, x, rows, w, &ending, out));
    }
    let ending = Requantised::<T, true> { bias, multipliers, shifts, zero_point, out: PhantomData };
    activations!(x, x => product::<_, i32, _>(k, x, rows, w, &ending, out))
}

pub(super) fn product<X: Input, A: Accumulator, E: Ending<A>>(
    kernels: &Kernels,
    x: &[X],
    rows: usize,
    w: &PackedWeights,
    ending: &E,
    out: &mut [E::Out],
) -> Result<(), OpError> {
    let (k, n) = (w.k(), w.n());
    assert_eq!(Some(x.len()), rows.checked_mul(k), "activations of another shape");
    assert_eq!(Some(out.len()), rows.checked_mul(n), "results of another shape");
    assert_eq!(w.level(), kernels.level(), "weights packed for another level");
    if out.is_empty() {
        return Ok(());
    }
    match &w.layout {
        _ if k == 0 => finish(&vec![A::default(); rows * n], n, ending, out),
        Layout::Floats(floats) => {
            let mut sums = vec![A::default(); rows * n];
            candle_f32::linear(kernels, x, (rows, k, n), floats, &mut sums)?;
            finish(&sums, n, ending, out);
        }
        _ => split(kernels, x, rows, w, ending, out),
    }
    #[cfg(test)]
    kernels.inject(crate::selftest::Primitive::linear::<X, A>(), out);
    Ok(())
}

/// Gives sums without a beginning their end.
fn finish<A: Accumulator, E: Ending<A>>(sums: &[A], n: usize, ending: &E, out: &mut [E::Out]) {
    for (sums, out) in sums.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        for (panel, (sums, out)) in sums.chunks(CHANNELS).zip(out.chunks_mut(CHANNELS)).enumerate() {
            let channel = panel * CHANNELS;
            let sum = |i: usize| sums.get(i).copied().unwrap_or_default().wrapping_plus(ending.begin(channel + i));
            ending.put(channel, true, std::array::from_fn(sum), out);
        }
    }
}

/// Columns that a thread takes at a time: whole cache lines of the widest result.
const COLUMN_UNIT: usize = 32;

/// Cuts the result into blocks of rows, or of columns where there are few rows.
fn split<X: Input, A: Accumulator, E: Ending<A>>(
    kernels: &Kernels,
    x: &[X],
    rows: usize,
    w: &PackedWeights,
    ending: &E,
    out: &mut [E::Out],
) {
    let (k, n, level) = (w.k(), w.n(), kernels.level());
    let parts = kernels.parts(rows.saturating_mul(k).saturating_mul(n));
    if parts == 1 {
        block(level, x, w, 0..n, ending, out);
    } else if rows >= 8 * parts {
        kernels.split_rows((x, k), (out, n), k.saturating_mul(n), |x, out| block(level, x, w, 0..n, ending, out));
    } else {
        let strips = kernels.split_range(n, COLUMN_UNIT, parts, |columns| {
            let mut strip = vec![E::Out::default(); rows * columns.len()];
            block(level, x, w, columns.clone(), ending, &mut strip);
            (columns, strip)
        });
        for (columns, strip) in strips {
            for (row, out) in strip.chunks_exact(columns.len()).zip(out.chunks_exact_mut(n)) {
                out[columns.clone()].copy_from_slice(row);
            }
        }
    }
}

/// Computes some columns for all rows of `x` on the calling thread; `out` has those columns only.
fn block<X: Input, A: Accumulator, E: Ending<A>>(
    level: Level,
    x: &[X],
    w: &PackedWeights,
    columns: Range<usize>,
    ending: &E,
    out: &mut [E::Out],
) {
    let rows = |weights: &[i8], out: &mut [E::Out]| {
        let mut sums = vec![A::default(); columns.len()];
        for (x, out) in x.chunks_exact(w.k()).zip(out.chunks_exact_mut(columns.len())) {
            if level == Level::Reference {
                reference::linear(x, w.k(), weights, columns.start, columns.len(), &mut sums);
            } else {
                portable::linear(x, w.k(), weights, columns.start, columns.len(), &mut sums);
            }
            for (at, (sum, out)) in sums.iter().zip(out.iter_mut()).enumerate() {
                let channel = columns.start + at;
                let mut whole = [A::default(); CHANNELS];
                whole[0] = sum.wrapping_plus(ending.begin(channel));
                ending.put(channel, true, whole, std::slice::from_mut(out));
            }
        }
    };
    match &w.layout {
        Layout::Rows(weights) => rows(weights, out),
        Layout::Panels(panels) => X::simd(level, x, panels, columns, (ending, out)),
        Layout::Floats(_) => unreachable!("candle takes the whole product"),
    }
}
