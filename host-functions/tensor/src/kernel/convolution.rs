//! Convolutions of channels-last images, exact.
//!
//! ```text
//!   x [images][rows][columns][channels]
//!     |  patches of some places at a time: [places][taps * channels of a group], TILE_BYTES or one row
//!     v
//!   linear product with the weights [outputs][taps * channels of a group], packed once for each group
//! ```
//!
//! The workspace of a thread is a tile and its results; beside it stand the packed weights of one group (filled up to whole
//! panels: less than twice the weights and twice the results of one place, and a mebibyte). A group of one channel (depthwise)
//! needs no patches: a product for each tap and channel, with the weights in another order.

use super::{Kernels, PackedWeights, Window, linear::Accumulator};
use crate::{Element, Level, OpError};

/// Bytes of the patches that are multiplied at a time.
const TILE_BYTES: usize = 128 * 1024;

/// Channels of the result that packed weights are filled up to.
const PACKED_CHANNELS: usize = 16;

/// The longest patches for which fewer channels than that are packed all the same.
const MAX_FILLED_DEPTH: usize = 1 << 16;

/// The most taps for which depthwise convolution keeps a list of what it sees.
const MAX_DEPTHWISE_TAPS: usize = 1 << 12;

/// What is multiplied: numbers of at most 16 bits.
pub(crate) trait Factor: Element + Into<i32> {}

impl Factor for i8 {}
impl Factor for u8 {}
impl Factor for i16 {}

/// The sides of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// The window.
    pub window: Window,
    /// How many images.
    pub images: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Groups of both, which divide them.
    pub groups: usize,
}

impl Convolution {
    fn group_channels(&self) -> usize {
        self.channels / self.groups
    }

    fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Multiplications for one element of the result.
    fn depth(&self) -> usize {
        self.window.taps().saturating_mul(self.group_channels())
    }
}

/// A product of `[rows][k]` with packed weights.
type Linear<X, P, A> = fn(&Kernels, &[X], usize, &P, &mut [A]) -> Result<(), OpError>;

/// How to multiply patches of `X` with weights of `W` to sums of `A`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Products<X, W, P, A> {
    /// Packs `[n][k]` weights.
    pub(crate) pack: fn(Level, usize, usize, &[W]) -> Result<P, OpError>,
    /// Multiplies `[rows][k]` with them.
    pub(crate) linear: Linear<X, P, A>,
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, $x:ty, $linear:ident, $out:ty) => {
        $(#[$doc])*
        ///
        /// `w` is `[outputs][rows][columns][channels of a group]`, `pad` what lies beside the image; `out` is overwritten. The
        /// caller guarantees that every sum fits.
        ///
        /// # Errors
        /// [`OpError::Node`] where candle fails (level `candle-f32` only).
        ///
        /// # Panics
        /// Where a slice has another length.
        pub fn $name(
            k: &Kernels,
            sides: &Convolution,
            x: &[$x],
            pad: $x,
            w: &[i8],
            out: &mut [$out],
        ) -> Result<(), OpError> {
            let products = Products { pack: PackedWeights::pack, linear: super::$linear };
            convolve(k, sides, (x, pad), w, &products, out)
        }
    };
}

entry!(
    /// Convolution of 8-bit images, sums of 32 bits.
    conv2d_i8, i8, linear_i8, i32
);
entry!(
    /// Convolution of 8-bit images, sums of 64 bits.
    conv2d_i8_wide, i8, linear_i8_wide, i64
);
entry!(
    /// Convolution of unsigned 8-bit images, sums of 32 bits.
    conv2d_u8, u8, linear_u8, i32
);
entry!(
    /// Convolution of unsigned 8-bit images, sums of 64 bits.
    conv2d_u8_wide, u8, linear_u8_wide, i64
);
entry!(
    /// Convolution of 16-bit images, sums of 32 bits.
    conv2d_i16_narrow, i16, linear_i16_narrow, i32
);
entry!(
    /// Convolution of 16-bit images, sums of 64 bits.
    conv2d_i16, i16, linear_i16, i64
);

/// `out[image][row][column][o] = sum over the taps and the channels of o's group of x * w`, with `w` of
/// `[outputs][taps][channels of a group]` and `pad` where a tap lies beside the image. `out` is overwritten.
///
/// The caller guarantees that every sum fits.
///
/// # Errors
/// [`OpError::Node`] where candle fails (level `candle-f32` only).
///
/// # Panics
/// Where a slice has another length.
pub(crate) fn convolve<X: Factor, W: Factor, P: Sync, A: Accumulator>(
    k: &Kernels,
    sides: &Convolution,
    (x, pad): (&[X], X),
    w: &[W],
    products: &Products<X, W, P, A>,
    out: &mut [A],
) -> Result<(), OpError> {
    let Convolution { window, images, channels, outputs, groups } = *sides;
    let depth = sides.depth();
    if out.is_empty() {
        return Ok(());
    }
    if depth == 0 {
        out.fill(A::default());
        return Ok(());
    }
    assert_eq!(x.len(), images * window.input[0] * window.input[1] * channels, "an image of another shape");
    assert_eq!(w.len(), outputs * depth, "weights of another shape");
    assert_eq!(out.len(), images * window.places() * outputs, "results of another shape");
    let work = outputs.saturating_mul(depth);
    if k.level() == Level::Reference {
        k.split_out(out, outputs, work, |first, out| {
            reference(sides, (x, pad), w, first, out);
            Ok(())
        })?;
    } else if sides.group_channels() == 1 && groups > 1 && window.taps() <= MAX_DEPTHWISE_TAPS {
        depthwise(k, sides, (x, pad), w, out)?;
    } else {
        for group in 0..groups {
            let size = sides.group_outputs() * depth;
            let weights = &w[group * size..][..size];
            if sides.group_outputs() < PACKED_CHANNELS && depth > MAX_FILLED_DEPTH {
                k.split_out(out, outputs, work, |first, out| {
                    by_tiles(sides, group, (x, pad), first, out, |patches, _, sums| {
                        dots(patches, depth, weights, sums);
                        Ok(())
                    })
                })?;
            } else {
                let packed = (products.pack)(k.level(), depth, sides.group_outputs(), weights)?;
                k.split_out(out, outputs, work, |first, out| {
                    by_tiles(sides, group, (x, pad), first, out, |patches, rows, sums| {
                        (products.linear)(k, patches, rows, &packed, sums)
                    })
                })?;
            }
        }
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Convolution, out);
    Ok(())
}

/// Multiplies the patches of one group, for the places from `first` on that `out` has room for.
fn by_tiles<X: Factor, A: Accumulator>(
    sides: &Convolution,
    group: usize,
    (x, pad): (&[X], X),
    first: usize,
    out: &mut [A],
    multiply: impl Fn(&[X], usize, &mut [A]) -> Result<(), OpError>,
) -> Result<(), OpError> {
    let (depth, outputs, columns) = (sides.depth(), sides.outputs, sides.group_outputs());
    let window = &sides.window;
    let plain = window.kernel == [1, 1] && window.strides == [1, 1] && window.input == window.output;
    if plain && window.pads == [0, 0] && sides.groups == 1 {
        let rows = out.len() / outputs;
        return multiply(&x[first * depth..(first + rows) * depth], rows, out);
    }
    let rows = (TILE_BYTES / size_of::<X>() / depth).max(1);
    let mut patches = vec![pad; rows.min(out.len() / outputs) * depth];
    let mut sums = vec![A::default(); if sides.groups == 1 { 0 } else { rows.min(out.len() / outputs) * columns }];
    for (tile, out) in out.chunks_mut(rows * outputs).enumerate() {
        let rows_here = out.len() / outputs;
        let patches = &mut patches[..rows_here * depth];
        for (row, patch) in patches.chunks_exact_mut(depth).enumerate() {
            fill_patch(sides, group, (x, pad), first + tile * rows + row, patch);
        }
        if sides.groups == 1 {
            multiply(patches, rows_here, out)?;
            continue;
        }
        let sums = &mut sums[..rows_here * columns];
        multiply(patches, rows_here, sums)?;
        for (sums, out) in sums.chunks_exact(columns).zip(out.chunks_exact_mut(outputs)) {
            out[group * columns..(group + 1) * columns].copy_from_slice(sums);
        }
    }
    Ok(())
}

/// What the window sees of a group at one place: `[taps][channels of the group]`.
fn fill_patch<X: Factor>(sides: &Convolution, group: usize, (x, pad): (&[X], X), place: usize, patch: &mut [X]) {
    let (window, width, channels) = (&sides.window, sides.group_channels(), sides.channels);
    let (image, row, column) = window.place(place);
    let [taps_y, taps_x] = window.kernel;
    let run = taps_x * width;
    // Where taps are neighbours and no channel is left out, those of a row are one run.
    let start = if window.transposed || window.dilations[1] != 1 || sides.groups != 1 {
        None
    } else {
        let start = (column * window.strides[1]).checked_sub(window.pads[1]);
        start.filter(|start| start + taps_x <= window.input[1])
    };
    for (ky, patch) in (0..taps_y).zip(patch.chunks_exact_mut(run)) {
        let Some(y) = window.source(0, row, ky) else {
            patch.fill(pad);
            continue;
        };
        let line = (image * window.input[0] + y) * window.input[1];
        if let Some(start) = start {
            copy_run(patch, 0, &x[(line + start) * channels..], run);
            continue;
        }
        for kx in 0..taps_x {
            match window.source(1, column, kx) {
                Some(at) => copy_run(patch, kx * width, &x[(line + at) * channels + group * width..], width),
                None => patch[kx * width..][..width].fill(pad),
            }
        }
    }
}

/// Runs that are copied as if they were that long, where there is room.
const SHORT: [usize; 3] = [16, 32, 64];

/// Copies a run to `at`. What lies behind it may be written too: runs come one after the other, so that the next one lies there.
#[inline(always)]
fn copy_run<X: Factor>(patch: &mut [X], at: usize, x: &[X], run: usize) {
    let copied = match run {
        _ if run <= SHORT[0] => copy_whole::<X, { SHORT[0] }>(&mut patch[at..], x),
        _ if run <= SHORT[1] => copy_whole::<X, { SHORT[1] }>(&mut patch[at..], x),
        _ if run <= SHORT[2] => copy_whole::<X, { SHORT[2] }>(&mut patch[at..], x),
        _ => false,
    };
    if !copied {
        patch[at..][..run].copy_from_slice(&x[..run]);
    }
}

/// Copies `N` elements, or says that there is no room.
#[inline(always)]
fn copy_whole<X: Factor, const N: usize>(to: &mut [X], from: &[X]) -> bool {
    let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) else { return false };
    *to = *from;
    true
}

/// Products with weights as they are, for few channels of long patches.
fn dots<X: Factor, W: Factor, A: Accumulator>(patches: &[X], depth: usize, w: &[W], out: &mut [A]) {
    // A block's products of at most 2^30 stay inside 64 bits by far.
    for (patch, out) in patches.chunks_exact(depth).zip(out.chunks_exact_mut(w.len() / depth)) {
        for (weights, out) in w.chunks_exact(depth).zip(out) {
            let sum = patch.iter().zip(weights).fold(0i64, |sum, (x, w)| sum.wrapping_add(product(*x, *w).into()));
            *out = A::wrapping_from(sum);
        }
    }
}

/// At most `2^30`.
#[inline(always)]
fn product<X: Factor, W: Factor>(x: X, w: W) -> i32 {
    let (x, w): (i32, i32) = (x.into(), w.into());
    x.wrapping_mul(w)
}

/// Channels that are summed together, in registers.
const LANES: usize = 32;

/// One image channel for each group.
fn depthwise<X: Factor, W: Factor, A: Accumulator>(
    k: &Kernels,
    sides: &Convolution,
    (x, pad): (&[X], X),
    w: &[W],
    out: &mut [A],
) -> Result<(), OpError> {
    let (taps, channels, each) = (sides.window.taps(), sides.channels, sides.group_outputs());
    // [outputs of a channel][taps][channels]
    let mut turned = vec![W::default(); w.len()];
    for (channel, w) in w.chunks_exact(each * taps).enumerate() {
        for (i, w) in w.iter().enumerate() {
            turned[i * channels + channel] = *w;
        }
    }
    let beside = vec![pad; channels];
    k.split_out(out, sides.outputs, sides.outputs * taps, |first, out| {
        let mut seen: Vec<&[X]> = Vec::with_capacity(taps);
        for (place, out) in out.chunks_exact_mut(sides.outputs).enumerate() {
            seen.clear();
            sides.window.each_tap(first + place, |pixel| {
                seen.push(pixel.map_or(&beside, |pixel| &x[pixel * channels..][..channels]));
            });
            for (output, w) in turned.chunks_exact(taps * channels).enumerate() {
                lanes(k.level(), &seen, w, (each, output), out);
            }
        }
        Ok(())
    })
}

/// `out[channel * each + output] = sum over the taps of seen[tap][channel] * w[tap][channel]`.
fn lanes<X: Factor, W: Factor, A: Accumulator>(
    level: Level,
    seen: &[&[X]],
    w: &[W],
    at: (usize, usize),
    out: &mut [A],
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::AvxVnni => super::x86::depthwise::lanes_avx2(seen, w, at, out),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni | Level::Amx => super::x86::depthwise::lanes_avx512(seen, w, at, out),
        _ => lanes_of_any_machine(seen, w, at, out),
    }
}

/// The loops of [`lanes`], which the compiler vectorises for whatever instructions the caller was compiled with.
#[inline(always)]
pub(super) fn lanes_of_any_machine<X: Factor, W: Factor, A: Accumulator>(
    seen: &[&[X]],
    w: &[W],
    (each, output): (usize, usize),
    out: &mut [A],
) {
    let channels = out.len() / each;
    let whole = channels / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let mut sums = [A::default(); LANES];
        for (x, w) in seen.iter().zip(w.chunks_exact(channels)) {
            let (x, w): (&[X; LANES], &[W; LANES]) = match (x[start..].first_chunk(), w[start..].first_chunk()) {
                (Some(x), Some(w)) => (x, w),
                _ => unreachable!("a whole block of channels"),
            };
            for lane in 0..LANES {
                sums[lane].accumulate(product(x[lane], w[lane]));
            }
        }
        if each == 1 {
            out[start..start + LANES].copy_from_slice(&sums);
        } else {
            for (lane, sum) in sums.into_iter().enumerate() {
                out[(start + lane) * each + output] = sum;
            }
        }
    }
    for channel in whole..channels {
        let mut sum = A::default();
        for (x, w) in seen.iter().zip(w.chunks_exact(channels)) {
            sum.accumulate(product(x[channel], w[channel]));
        }
        out[channel * each + output] = sum;
    }
}

/// The formula, for the places from `first` on: every pixel that the definition names is looked for.
///
/// # Panics
/// Where a sum does not fit, which the caller has excluded.
fn reference<X: Factor, W: Factor, A: Accumulator>(
    sides: &Convolution,
    (x, pad): (&[X], X),
    w: &[W],
    first: usize,
    out: &mut [A],
) {
    let (window, width) = (&sides.window, sides.group_channels());
    let signed = |length: usize| i128::try_from(length).expect("a length of this machine");
    // The row or column that the definition names, which may lie beside the image; none where no one does.
    let named = |axis: usize, place: usize, tap: usize| -> Option<i128> {
        let (pad, step) = (signed(window.pads[axis]), signed(tap) * signed(window.dilations[axis]));
        let stride = signed(window.strides[axis]);
        if !window.transposed {
            return Some(signed(place) * stride + step - pad);
        }
        (0..signed(window.input[axis])).find(|at| at * stride + step == signed(place) + pad)
    };
    for (place, out) in out.chunks_exact_mut(sides.outputs).enumerate() {
        let (image, row, column) = window.place(first + place);
        for (output, out) in out.iter_mut().enumerate() {
            let group = output / sides.group_outputs();
            let mut sum = 0i128;
            for tap in 0..window.taps() {
                let at = named(0, row, tap / window.kernel[1]).zip(named(1, column, tap % window.kernel[1]));
                let Some((y, column)) = at else { continue };
                let inside = |at: i128, axis: usize| usize::try_from(at).ok().filter(|at| *at < window.input[axis]);
                let pixel = inside(y, 0).zip(inside(column, 1));
                let pixel = pixel.map(|(y, at)| (image * window.input[0] + y) * window.input[1] + at);
                for channel in 0..width {
                    let x: i128 = pixel.map_or(pad, |at| x[at * sides.channels + group * width + channel]).into();
                    let w: i128 = w[(output * window.taps() + tap) * width + channel].into();
                    sum = x.checked_mul(w).and_then(|p| sum.checked_add(p)).expect("sums of at most 2^90");
                }
            }
            *out = A::saturate(sum);
            assert_eq!(Into::<i128>::into(*out), sum, "a sum outside the bound its caller stated");
        }
    }
}
