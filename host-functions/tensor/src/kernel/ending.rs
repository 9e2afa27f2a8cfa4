//! What becomes of the sums of a product, while they are still in registers.

use super::linear::Accumulator;
use super::panels::CHANNELS;
use super::requantise::{narrow, uneven};
use crate::Element;

/// An end of a product.
pub(crate) trait Ending<A>: Sync {
    /// Elements of the result.
    type Out: Element;
    /// Whether a sum may come in several pieces.
    const IN_PIECES: bool;

    /// The results as sums, where they are nothing else.
    fn sums(_: &mut [Self::Out]) -> Option<&mut [A]> {
        None
    }

    /// What the sum of a channel begins with.
    fn begin(&self, channel: usize) -> A;

    /// Takes the sums of up to 16 channels, as many as `out` is long, of which the first one is `channel`. All but the `first`
    /// piece are added to what is there.
    fn put(&self, channel: usize, first: bool, sums: [A; CHANNELS], out: &mut [Self::Out]);
}

/// The sums themselves, each with the bias of its channel where there are biases.
pub(super) struct Plain<'a, A>(pub(super) Option<&'a [A]>);

impl<A: Accumulator> Ending<A> for Plain<'_, A> {
    type Out = A;
    const IN_PIECES: bool = true;

    #[inline(always)]
    fn sums(out: &mut [A]) -> Option<&mut [A]> {
        Some(out)
    }

    #[inline(always)]
    fn begin(&self, channel: usize) -> A {
        self.0.and_then(|bias| bias.get(channel).copied()).unwrap_or_default()
    }

    #[inline(always)]
    fn put(&self, _: usize, first: bool, sums: [A; CHANNELS], out: &mut [A]) {
        match out.as_mut_array::<CHANNELS>() {
            Some(out) if first => *out = sums,
            Some(out) => {
                let mut totals = *out;
                for i in 0..CHANNELS {
                    totals[i] = totals[i].wrapping_plus(sums[i]);
                }
                *out = totals;
            }
            None => {
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if first { sum } else { out.wrapping_plus(sum) };
                }
            }
        }
    }
}

/// Sums of 32 bits with a bias, requantised; where `MIDDLE` is not set, by scales that [`uneven`] computes.
pub(super) struct Requantised<'a, T, const MIDDLE: bool> {
    /// One for each channel.
    pub(super) bias: &'a [i32],
    /// One for each channel.
    pub(super) multipliers: &'a [i32],
    /// One for each channel, at most 62.
    pub(super) shifts: &'a [u8],
    /// Added after rounding.
    pub(super) zero_point: i32,
    pub(super) out: std::marker::PhantomData<T>,
}

impl<T: Element, const MIDDLE: bool> Ending<i32> for Requantised<'_, T, MIDDLE> {
    type Out = T;
    const IN_PIECES: bool = false;

    #[inline(always)]
    fn begin(&self, channel: usize) -> i32 {
        self.bias.get(channel).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn put(&self, channel: usize, _: bool, sums: [i32; CHANNELS], out: &mut [T]) {
        let width = out.len();
        let scales = (&self.multipliers[channel..channel + width], &self.shifts[channel..channel + width]);
        let zero = self.zero_point;
        // Nothing wraps: of 64 bits at most 62 and 31, of 32 bits as `uneven` says.
        let one = |sum, multiplier, shift: u8| match MIDDLE {
            true => T::saturate_i64(narrow(sum, multiplier, shift.into()).wrapping_add(zero.into())),
            false => T::saturate_i32(uneven(sum, multiplier, shift.into()).wrapping_add(zero)),
        };
        match (out.as_mut_array::<CHANNELS>(), scales.0.as_array::<CHANNELS>(), scales.1.as_array::<CHANNELS>()) {
            (Some(out), Some(multipliers), Some(shifts)) => {
                let mut results = [T::default(); CHANNELS];
                for i in 0..CHANNELS {
                    results[i] = one(sums[i], multipliers[i], shifts[i]);
                }
                *out = results;
            }
            _ => {
                for i in 0..width {
                    out[i] = one(sums[i], scales.0[i], scales.1[i]);
                }
            }
        }
    }
}
