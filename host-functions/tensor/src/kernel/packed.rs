//! Weights in the layout of a level.

use super::{candle_f32::Floats, panels::Panels, portable};
use crate::{Level, OpError};

/// The right operand of [`linear_i8`](super::linear_i8) and its siblings, in the layout that one
/// level reads. Packing costs about as much as one multiplication by a single row.
///
/// ```
/// use noema_tensor::{Kernels, Level, kernel};
/// let kernels = Kernels::new(Level::best(), 1)?;
/// // Two output channels of three weights each.
/// let weights = kernel::PackedWeights::pack(kernels.level(), 3, 2, &[1, 2, 3, -1, 0, 1])?;
/// let mut out = [0; 2];
/// kernel::linear_i8(&kernels, &[10, 20, 30], 1, &weights, &mut out)?;
/// assert_eq!(out, [140, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedWeights {
    level: Level,
    k: usize,
    n: usize,
    pub(super) layout: Layout,
}

/// What a level reads.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// Row-major `[n][k]`, as it came.
    Rows(Vec<i8>),
    /// The layout of the SIMD levels.
    Panels(Panels),
    /// candle's.
    Floats(Floats),
}

impl PackedWeights {
    /// Packs row-major `[n][k]` weights: one row for each output channel.
    ///
    /// # Errors
    /// [`OpError::Node`] where candle cannot hold them (level `candle-f32` only).
    ///
    /// # Panics
    /// Where `weights` is not `n * k` long.
    pub fn pack(level: Level, k: usize, n: usize, weights: &[i8]) -> Result<PackedWeights, OpError> {
        assert_eq!(Some(weights.len()), k.checked_mul(n), "weights of another shape");
        let layout = match level {
            Level::Reference | Level::Portable => Layout::Rows(weights.to_vec()),
            Level::CandleF32 => Layout::Floats(Floats::from_rows(k, n, weights)?),
            Level::Avx2 | Level::AvxVnni | Level::Avx512Vnni | Level::Amx | Level::Neon => {
                Layout::Panels(Panels::from_rows(k, n, weights))
            }
            Level::Cuda => return Err(OpError::Node("a device packs its weights itself".to_owned())),
        };
        Ok(PackedWeights { level, k, n, layout })
    }

    /// Packs row-major `[k][n]` weights, the right operand of a matrix product.
    ///
    /// # Errors
    /// As [`PackedWeights::pack`].
    ///
    /// # Panics
    /// Where `weights` is not `n * k` long.
    pub fn pack_columns(level: Level, k: usize, n: usize, weights: &[i8]) -> Result<PackedWeights, OpError> {
        assert_eq!(Some(weights.len()), k.checked_mul(n), "weights of another shape");
        match level {
            Level::Avx2 | Level::AvxVnni | Level::Avx512Vnni | Level::Amx | Level::Neon => {
                Ok(PackedWeights { level, k, n, layout: Layout::Panels(Panels::from_columns(k, n, weights)) })
            }
            _ => PackedWeights::pack(level, k, n, &portable::transpose(k, n, weights)),
        }
    }

    /// The level that can read it.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Length of the rows that it multiplies.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// Output channels.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }
}

/// 16-bit weights as two planes of 8 bits: `w = 256 * high + low + 128` with `high = w >> 8` and
/// `low = (w & 255) - 128`, so that every level multiplies them with the kernels it has.
#[derive(Debug, Clone)]
pub struct PackedWeights16 {
    pub(super) high: PackedWeights,
    pub(super) low: PackedWeights,
}

impl PackedWeights16 {
    /// Packs row-major `[n][k]` weights: one row for each output channel.
    ///
    /// # Errors
    /// As [`PackedWeights::pack`].
    ///
    /// # Panics
    /// Where `weights` is not `n * k` long.
    pub fn pack(level: Level, k: usize, n: usize, weights: &[i16]) -> Result<PackedWeights16, OpError> {
        let (high, low) = planes(weights);
        let (high, low) = (PackedWeights::pack(level, k, n, &high)?, PackedWeights::pack(level, k, n, &low)?);
        Ok(PackedWeights16 { high, low })
    }

    /// Packs row-major `[k][n]` weights, the right operand of a matrix product.
    ///
    /// # Errors
    /// As [`PackedWeights::pack`].
    ///
    /// # Panics
    /// Where `weights` is not `n * k` long.
    pub fn pack_columns(level: Level, k: usize, n: usize, weights: &[i16]) -> Result<PackedWeights16, OpError> {
        let (high, low) = planes(weights);
        let high = PackedWeights::pack_columns(level, k, n, &high)?;
        let low = PackedWeights::pack_columns(level, k, n, &low)?;
        Ok(PackedWeights16 { high, low })
    }
}

/// The high bytes, and the low bytes less 128.
fn planes(weights: &[i16]) -> (Vec<i8>, Vec<i8>) {
    let high = weights.iter().map(|w| w.to_be_bytes()[0].cast_signed()).collect();
    // Flipping the top bit of a byte and reading it as signed subtracts 128.
    let low = weights.iter().map(|w| (w.to_be_bytes()[1] ^ 0x80).cast_signed()).collect();
    (high, low)
}
