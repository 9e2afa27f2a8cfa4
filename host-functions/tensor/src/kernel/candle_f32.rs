//! candle's own matrix product of 32-bit floats, made exact.
//!
//! This is the only file in which floats compute. They do not round: a float has 24 bits of
//! significand, so it holds every integer up to `2^24` in magnitude, and a sum or fused product whose
//! exact value is such an integer is exact. Operands of 8 bits are integers; rows are cut into
//! pieces so short that no sum of any of a piece's products, in whatever order they are added, passes
//! `2^24`: 1024 inputs of `i8` (`1024 * 128 * 128 = 2^24`), 514 of `u8` (`514 * 255 * 128 < 2^24`).
//! Pieces are added as integers. Activations of 16 bits are two planes of 8.
//!
//! The level is a model of what accelerators do with float units, and an oracle of foreign origin.
#![allow(clippy::as_conversions, clippy::float_arithmetic, reason = "integers below 2^24 in floats are exact")]

use candle_core::{Device, Tensor};

use super::{
    Kernels,
    linear::{Accumulator, Input},
};
use crate::OpError;

/// Weights as floats, `[n, k]`.
#[derive(Debug, Clone)]
pub(super) struct Floats(Tensor);

impl Floats {
    /// From row-major `[n][k]`.
    pub(super) fn from_rows(k: usize, n: usize, rows: &[i8]) -> Result<Floats, OpError> {
        let values: Vec<f32> = rows.iter().map(|w| f32::from(*w)).collect();
        Ok(Floats(Tensor::from_vec(values, (n, k), &Device::Cpu)?))
    }
}

/// Eight bits of each activation, as floats.
struct Plane {
    of: fn(i16) -> f32,
    /// What a product with this plane counts.
    weight: i32,
    /// The longest piece.
    max_k: usize,
}

/// How to read activations of a type as planes whose weighted sum they are.
fn planes(lowest: i64, highest: i64) -> &'static [Plane] {
    const SIGNED: Plane = Plane { of: |x| f32::from(x), weight: 1, max_k: 1024 };
    const UNSIGNED: Plane = Plane { of: |x| f32::from(x), weight: 1, max_k: 514 };
    const HIGH: Plane = Plane { of: |x| f32::from(x >> 8), weight: 256, max_k: 1024 };
    const LOW: Plane = Plane { of: |x| f32::from(x & 255), weight: 1, max_k: 514 };
    match (lowest, highest) {
        (-128, 127) => &[SIGNED],
        (0, 255) => &[UNSIGNED],
        _ => &[HIGH, LOW],
    }
}

/// As [`reference::linear`](super::reference::linear), for all columns; candle's threads are those
/// of `kernels`.
pub(super) fn linear<X: Input, A: Accumulator>(
    kernels: &Kernels,
    x: &[X],
    (rows, k, n): (usize, usize, usize),
    w: &Floats,
    out: &mut [A],
) -> Result<(), OpError> {
    out.fill(A::default());
    for plane in planes(X::DTYPE.min(), X::DTYPE.max()) {
        let values: Vec<f32> = x.iter().map(|x| (plane.of)((*x).into())).collect();
        let values = Tensor::from_vec(values, (rows, k), &Device::Cpu)?;
        for start in (0..k).step_by(plane.max_k) {
            let length = plane.max_k.min(k - start);
            let x = values.narrow(1, start, length)?;
            let w = w.0.narrow(1, start, length)?.t()?;
            let product = kernels.install(|| x.matmul(&w))?;
            let sums = product.reshape(rows * n)?.to_vec1::<f32>()?;
            for (out, sum) in out.iter_mut().zip(sums) {
                // An integer of at most 2^24, times at most 2^8: exact, and below 2^32 only where the
                // result is 64-bit.
                out.accumulate_scaled(sum as i32, plane.weight);
            }
        }
    }
    Ok(())
}
