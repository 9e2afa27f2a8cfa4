//! The left operand of the VNNI levels.

use crate::kernel::{
    linear::{Accumulator, Input},
    panels::{Panels, Portions},
};

/// Pieces of 16 KiB of weights for 1024 inputs: `4 * 256 * 255 * 128 < 2^31`.
pub(super) const PORTIONS: Portions = Portions { exact_quads: 256, max_quads: 256, unit: 1, rows: 1 };

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

/// Two bytes of each of four numbers: the lower ones, and the upper ones, which count 256 times as much, moved up by 128.
#[inline(always)]
pub(super) fn words(quad: [i16; 4]) -> [Left; 2] {
    let [low, high] = [quad.map(|x| x.to_le_bytes()[0]), quad.map(|x| x.to_le_bytes()[1] ^ 0x80)];
    [low, high]
}

/// What the sums of a channel begin with where inputs are [`words`].
#[inline(always)]
pub(super) fn start_of_words<A: Accumulator>(w: &Panels, channel: usize) -> A {
    A::wrapping_from(w.sums()[channel].wrapping_mul(256 * 128).wrapping_neg())
}

/// What the sums of a channel begin with: what the offset adds to them, negated.
#[inline(always)]
pub(super) fn start<X: Unsigned, A: Accumulator>(w: &Panels, channel: usize) -> A {
    A::wrapping_from(w.sums()[channel].wrapping_mul(i64::from(X::OFFSET)).wrapping_neg())
}
