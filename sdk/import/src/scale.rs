//! From real scales to dyadic ones and from real numbers to integers.

/// A positive scale as `multiplier / 2^shift`, multiplier in `[2^30, 2^31)`, shift at most 62: the nearest there is.
/// Scales below `2^-33` are 0, because nothing of 32 bits survives them. `None` for what is not finite, negative or
/// too large.
#[allow(clippy::cast_possible_truncation, reason = "the ranges are checked")]
pub(crate) fn dyadic(scale: f64) -> Option<(i32, u8)> {
    if !scale.is_finite() || scale < 0.0 {
        return None;
    }
    if scale < 2.0_f64.powi(-33) {
        return Some((0, 0));
    }
    // scale = mantissa * 2^exponent with the mantissa in [2^30, 2^31).
    let mut exponent = scale.log2().floor() as i32 - 30;
    let mut mantissa = (scale * 2.0_f64.powi(-exponent)).round_ties_even();
    while mantissa >= 2.0_f64.powi(31) {
        exponent += 1;
        mantissa = (scale * 2.0_f64.powi(-exponent)).round_ties_even();
    }
    while mantissa < 2.0_f64.powi(30) {
        exponent -= 1;
        mantissa = (scale * 2.0_f64.powi(-exponent)).round_ties_even();
    }
    if exponent < -62 {
        // Between 2^-33 and 2^-32: the smallest scale that can be written is the nearest.
        return Some((1 << 30, 62));
    }
    let shift = u8::try_from(-exponent).ok()?;
    Some((mantissa as i32, shift))
}

/// The nearest integer, ties to even, if it fits 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn integer(value: f64) -> Option<i32> {
    let rounded = value.round_ties_even();
    (rounded >= f64::from(i32::MIN) && rounded <= f64::from(i32::MAX)).then_some(rounded as i32)
}

/// The largest absolute value.
pub(crate) fn magnitude<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{dyadic, integer};

    #[test]
    fn scales_at_the_edges() {
        assert_eq!(dyadic(1.0), Some((1 << 30, 30)));
        assert_eq!(dyadic(0.5), Some((1 << 30, 31)));
        assert_eq!(dyadic(f64::from(i32::MAX)), Some((i32::MAX, 0)));
        assert_eq!(dyadic(2.0_f64.powi(31)), None);
        assert_eq!(dyadic(2.0_f64.powi(-32)), Some((1 << 30, 62)));
        assert_eq!(dyadic(0.0), Some((0, 0)));
        assert_eq!(dyadic(1.0e-300), Some((0, 0)));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1.0e300] {
            assert_eq!(dyadic(bad), None);
        }
        // Rounds up to the next power of two.
        assert_eq!(dyadic(1.0 - 2.0_f64.powi(-40)), Some((1 << 30, 30)));
    }

    #[test]
    fn integers_round_to_even_and_fit() {
        assert_eq!((integer(0.5), integer(1.5), integer(-2.5)), (Some(0), Some(2), Some(-2)));
        assert_eq!(integer(2_147_483_647.0), Some(i32::MAX));
        assert_eq!((integer(2_147_483_648.0), integer(f64::NAN), integer(f64::NEG_INFINITY)), (None, None, None));
    }

    proptest! {
        #[test]
        fn scales_are_near(mantissa in 1.0_f64..2.0, exponent in -32_i32..31) {
            let scale = mantissa * 2.0_f64.powi(exponent);
            prop_assume!(scale <= 2_147_483_647.0);
            let (multiplier, shift) = dyadic(scale).unwrap();
            prop_assert!(multiplier >= 1 << 30 && shift <= 62);
            let error = (f64::from(multiplier) * 2.0_f64.powi(-i32::from(shift)) - scale).abs() / scale;
            prop_assert!(error <= 2.0_f64.powi(-31), "{error}");
        }
    }
}
