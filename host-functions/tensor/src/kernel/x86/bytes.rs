//! The left operand of the VNNI levels.

use crate::kernel::{
    linear::{Accumulator, Input},
    panels::Panels,
};

/// Quads of a panel piece: 16 KiB of weights for 1024 inputs, and `4 * 256 * 255 * 128 < 2^31` so that its
/// sums are exact.
pub(super) const MAX_QUADS: usize = 256;

/// Four inputs of one row.
pub(super) type Left = [u8; 4];

/// An 8-bit type as an unsigned byte plus a constant.
pub(in crate::kernel) trait Unsigned: Input {
    /// What was added.
    const OFFSET: u8;

    /// The unsigned byte.
    fn unsigned(self) -> u8;
}

impl Unsigned for u8 {
    const OFFSET: u8 = 0;

    #[inline(always)]
    fn unsigned(self) -> u8 {
        self
    }
}

impl Unsigned for i8 {
    const OFFSET: u8 = 128;

    #[inline(always)]
    fn unsigned(self) -> u8 {
        // Flipping the top bit adds 128.
        self.cast_unsigned() ^ 0x80
    }
}

/// What the sums of a channel begin with: what the offset adds to them, negated.
#[inline(always)]
pub(super) fn start<X: Unsigned, A: Accumulator>(w: &Panels, channel: usize) -> A {
    A::wrapping_from(w.sums()[channel].wrapping_mul(i64::from(X::OFFSET)).wrapping_neg())
}
