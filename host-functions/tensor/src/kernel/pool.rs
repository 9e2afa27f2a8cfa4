//! Pooling of channels-last images, exact; an average is rounded once.

use super::vectors::{Vectors, vectorised};
use super::{Kernels, Window, reference::rne_ratio, round::rne_div};
use crate::{DType, Element, Level};

/// What a window makes of the elements that it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest; the least value of the type where it sees none.
    Max,
    /// `rne(sum / taps)`, with a zero for each tap beside the image.
    Average,
    /// `rne(sum / elements seen)`; 0 where it sees none.
    AverageSeen,
}

/// Channels that are pooled together.
const LANES: usize = 64;

/// Sums of at most this many elements of 32 bits stay inside 62 bits.
const MAX_NARROW: usize = 1 << 30;

/// `out[image][row][column][c]` is the pool of the elements of channel `c` that the window sees there.
///
/// # Panics
/// Where a slice has another length.
pub fn pool<T: Element>(k: &Kernels, window: &Window, channels: usize, pool: Pool, x: &[T], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let images = out.len() / (window.places() * channels);
    assert_eq!(out.len(), images * window.places() * channels, "results of another shape");
    assert_eq!(x.len(), images * window.input[0] * window.input[1] * channels, "an image of another shape");
    // A tap costs about as much as this many multiplications of a product, for each channel and besides.
    const WORK: usize = 10;
    let work = window.taps().saturating_mul(channels.saturating_add(LANES)).saturating_mul(WORK);
    let level = k.level();
    let done = k.split_out(out, channels, work, |first, out| {
        if level == Level::Reference {
            for (place, out) in out.chunks_exact_mut(channels).enumerate() {
                reference(pool, window, first + place, x, out);
            }
        } else {
            vectorised(level, Places { pool, window, first, channels, x, out });
        }
        Ok(())
    });
    done.expect("nothing here can fail");
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Pool, out);
}

/// The places from `first` on.
struct Places<'a, T> {
    pool: Pool,
    window: &'a Window,
    first: usize,
    channels: usize,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Vectors for Places<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Places { pool, window, first, channels, x, out } = self;
        for (place, out) in out.chunks_exact_mut(channels).enumerate() {
            for (block, out) in out.chunks_mut(LANES).enumerate() {
                lanes(pool, (window, first + place), (channels, block * LANES), x, out);
            }
        }
    }
}

/// The channels from `start` on, at one place.
#[inline(always)]
fn lanes<T: Element>(
    pool: Pool,
    (window, place): (&Window, usize),
    (channels, start): (usize, usize),
    x: &[T],
    out: &mut [T],
) {
    let width = out.len();
    let mut seen = 0usize;
    let pixel = |pixel: usize| &x[pixel * channels + start..][..width];
    if pool == Pool::Max {
        out.fill(T::saturate_i64(i64::MIN));
        window.each_tap(place, |at| {
            if let Some(at) = at {
                out.iter_mut().zip(pixel(at)).for_each(|(out, x)| *out = (*out).max(*x));
            }
        });
        return;
    }
    if T::DTYPE == DType::I64 || window.taps() > MAX_NARROW {
        let mut sums = [0i128; LANES];
        let sums = &mut sums[..width];
        window.each_tap(place, |at| {
            if let Some(at) = at {
                seen += 1;
                sums.iter_mut().zip(pixel(at)).for_each(|(sum, x)| *sum += Into::<i128>::into(*x));
            }
        });
        let count = count(pool, window, seen);
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = super::reduce::mean(*sum, count);
        }
        return;
    }
    let mut sums = [0i64; LANES];
    let sums = &mut sums[..width];
    window.each_tap(place, |at| {
        if let Some(at) = at {
            seen += 1;
            sums.iter_mut().zip(pixel(at)).for_each(|(sum, x)| *sum = sum.wrapping_add((*x).into()));
        }
    });
    let count = count(pool, window, seen);
    for (out, sum) in out.iter_mut().zip(sums) {
        let quotient = rne_div(sum.unsigned_abs(), count).cast_signed();
        *out = T::saturate_i64(if *sum < 0 { -quotient } else { quotient });
    }
}

/// What a sum is divided by.
#[inline(always)]
fn count(pool: Pool, window: &Window, seen: usize) -> u64 {
    let count = if pool == Pool::Average { window.taps() } else { seen.max(1) };
    u64::try_from(count).expect("a length of this machine")
}

/// Channel after channel, in 128 bits.
fn reference<T: Element>(pool: Pool, window: &Window, place: usize, x: &[T], out: &mut [T]) {
    let channels = out.len();
    for (channel, out) in out.iter_mut().enumerate() {
        let (mut sum, mut seen, mut largest) = (0i128, 0usize, i128::MIN);
        window.each_tap(place, |pixel| {
            if let Some(pixel) = pixel {
                let value: i128 = x[pixel * channels + channel].into();
                (sum, seen, largest) = (sum + value, seen + 1, largest.max(value));
            }
        });
        *out = T::saturate(match pool {
            Pool::Max => largest,
            _ => rne_ratio(sum, count(pool, window, seen).into()),
        });
    }
}
