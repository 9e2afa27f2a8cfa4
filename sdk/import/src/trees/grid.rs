//! Float thresholds as integers on the grid of the features.

use noema_model::Port;
use noema_tensor::{DType, Shape, Tensor};

use super::ensemble::Library;
use crate::ImportError;

/// How a missing feature is written among real ones.
pub const MISSING_FEATURE: f64 = f64::NAN;

/// The largest integer that the library sends left, for features of `bits` fraction bits; the smallest of the type,
/// which stands for a missing value, where there is none.
///
/// The library meets `q * 2^-bits` rounded to its float type. Rounding keeps order, so that the integers that go left
/// are all up to one of them, which bisection finds.
pub(super) fn threshold(library: Library, dtype: DType, bits: u8, threshold: f64) -> i64 {
    let (mut left, mut right) = (i128::from(dtype.min()), i128::from(dtype.max()) + 1);
    // `left` goes left or is missing; `right` goes right or is beyond the type.
    while right - left > 1 {
        let middle = left.midpoint(right);
        let goes_left = i64::try_from(middle).is_ok_and(|q| library.goes_left(real(library, q, bits), threshold));
        if goes_left { left = middle } else { right = middle }
    }
    i64::try_from(left).unwrap_or(dtype.min())
}

/// `q * 2^-bits` in the float type of the library: one rounding, as the power of two adds none.
#[allow(clippy::cast_precision_loss, reason = "rounding is what is asked for")]
fn real(library: Library, q: i64, bits: u8) -> f64 {
    let exact = match library {
        Library::LightGbm => q as f64,
        Library::XgBoost | Library::Onnx { .. } => f64::from(q as f32),
    };
    exact * 0.5_f64.powi(bits.into())
}

/// The most fraction bits with which four times `largest` still fits the type.
pub(super) fn fraction_bits(dtype: DType, largest: f64) -> Result<u8, ImportError> {
    let (limit, width) = if dtype == DType::I64 { (40, 63) } else { (30, 31) };
    let fits = |bits: &u8| largest * 4.0 * 2.0_f64.powi((*bits).into()) < 2.0_f64.powi(width);
    (0..=limit).rev().find(fits).ok_or_else(|| ImportError::Quantise {
        what: "the features".into(),
        reason: format!(
            "thresholds up to {largest:e} do not fit {dtype}{}",
            if width == 31 { "; i64 may hold them" } else { "" }
        ),
    })
}

/// Rows of real features as the tensor that an input of `i32` or `i64` takes: `rne(x * 2^fraction_bits)`, and the
/// smallest value of the type where a feature is [`MISSING_FEATURE`].
///
/// # Errors
/// [`ImportError::Row`] for a row of another length, a feature that does not fit, and an input of another type.
///
/// ```
/// use noema_import::{MISSING_FEATURE, quantise_features};
/// use noema_model::{Port, graph::Edge};
/// let port = Port::new("features", &Edge::new(noema_tensor::DType::I32, &[2]), 8);
/// let rows = quantise_features(&port, &[vec![1.0, -0.25], vec![MISSING_FEATURE, 0.0]])?;
/// assert_eq!(rows.to_vec::<i32>()?, [256, -64, i32::MIN, 0]);
/// assert!(quantise_features(&port, &[vec![1.0, 1.0e9]]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quantise_features(port: &Port, rows: &[Vec<f64>]) -> Result<Tensor, ImportError> {
    let width = port.shape.iter().fold(1, |width: u64, dim| width.saturating_mul(u64::from(*dim)));
    let mut integers = Vec::with_capacity(rows.len());
    for (row, features) in rows.iter().enumerate() {
        let refused = |reason: String| Err(ImportError::Row { row, reason });
        if features.len() as u64 != width {
            return refused(format!("{} features for input `{}`, which takes {width}", features.len(), port.name));
        }
        for (feature, value) in features.iter().enumerate() {
            let Some(integer) = integer(port, *value) else {
                let (bits, dtype) = (port.fraction_bits, port.dtype);
                return refused(format!("feature {feature} is {value}, too large for {bits} fraction bits in {dtype}"));
            };
            integers.push(integer);
        }
    }
    let mut dims = vec![u32::try_from(rows.len()).unwrap_or(u32::MAX)];
    dims.extend_from_slice(&port.shape);
    let failed = |reason: String| ImportError::Options(reason);
    let shape = Shape::new(&dims).map_err(|status| failed(status.to_string()))?;
    match port.dtype {
        DType::I32 => {
            let narrow: Result<Vec<i32>, _> = integers.into_iter().map(i32::try_from).collect();
            Ok(Tensor::from_vec(shape, narrow.map_err(|error| failed(error.to_string()))?)?)
        }
        DType::I64 => Ok(Tensor::from_vec(shape, integers)?),
        other => Err(failed(format!("input `{}` takes {other}, not i32 or i64", port.name))),
    }
}

/// A feature as an integer, if it fits the type and is not the one that stands for a missing value.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked")]
fn integer(port: &Port, value: f64) -> Option<i64> {
    if value.is_nan() {
        return Some(port.dtype.min());
    }
    let rounded = (value * 2.0_f64.powi(port.fraction_bits.into())).round_ties_even();
    // 2^63 is a float, the largest i64 is none: what rounds to it does not fit.
    let fits = rounded > port.dtype.min() as f64 && rounded < port.dtype.max() as f64 + 1.0;
    (fits && rounded < 2.0_f64.powi(63)).then_some(rounded as i64)
}
