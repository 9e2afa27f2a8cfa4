//! Loops that the compiler turns into vectors, compiled for those of a level.
//!
//! Such a loop is plain Rust and gives the same bits however it is compiled. Its operations wrap (each says why nothing
//! is lost), because the check for an overflow would keep it from becoming vectors.

#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::Level;

/// A loop with what it works on.
pub(super) trait Vectors {
    /// What it gives.
    type Output;

    /// Runs it. Every implementation is `#[inline(always)]`, and so is what it calls: only then it is compiled for the
    /// vectors of its caller.
    fn run(self) -> Self::Output;
}

/// Runs a loop that was compiled for the vectors of `level`.
pub(super) fn vectorised<V: Vectors>(level: Level, work: V) -> V::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::AvxVnni => x86::vectors::avx2(work),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Vnni | Level::Amx => x86::vectors::avx512(work),
        _ => work.run(),
    }
}

/// The level for loops over so few elements: what a vector does not fill is done one by one, so that they take longer with longer ones.
pub(super) fn level_of_length(level: Level, length: usize) -> Level {
    match level {
        Level::Avx512Vnni | Level::Amx if length < SHORT => Level::Avx2,
        _ => level,
    }
}

/// Two vectors of 16 numbers.
const SHORT: usize = 32;

/// Levels whose loops are compiled differently.
#[cfg(test)]
pub(super) fn levels() -> impl Iterator<Item = Level> {
    Level::available().into_iter().filter(|level| !matches!(level, Level::Reference | Level::CandleF32 | Level::Cuda))
}

/// The number as 32 bits, which it must fit.
#[inline(always)]
#[allow(clippy::as_conversions, reason = "a conversion that fails would keep the loop from becoming vectors")]
pub(super) fn low(value: i64) -> i32 {
    value as i32
}

/// The lower half.
#[inline(always)]
pub(super) fn lower(value: u64) -> u64 {
    value & 0xffff_ffff
}
