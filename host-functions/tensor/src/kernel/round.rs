//! The one rounding there is: to nearest, ties to even, of the exact value.

/// `rne(value * multiplier / 2^shift)`, saturating to 64 bits.
///
/// ```
/// use noema_tensor::kernel::round_shift;
/// assert_eq!(round_shift(5, 1 << 30, 31), 2); // 2.5
/// assert_eq!(round_shift(7, 1 << 30, 31), 4); // 3.5
/// assert_eq!(round_shift(-5, 1 << 30, 31), -2);
/// assert_eq!(round_shift(i64::MIN, 1 << 30, 0), i64::MIN);
/// ```
///
/// # Panics
/// Where `shift` is above 62.
#[must_use]
pub fn round_shift(value: i64, multiplier: i32, shift: u32) -> i64 {
    let rounded = round_shift_i128(value, multiplier, shift);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// [`round_shift`] without a bound on the result, which has at most 95 bits.
///
/// # Panics
/// Where `shift` is above 62.
#[must_use]
pub fn round_shift_i128(value: i64, multiplier: i32, shift: u32) -> i128 {
    assert!(shift <= 62, "a shift above 62");
    rne_shift(i128::from(value) * i128::from(multiplier), shift)
}

/// `rne(value / 2^shift)` of a value of at most 126 bits.
///
/// # Panics
/// Where `shift` is above 125.
#[must_use]
pub fn round_shift_wide(value: i128, shift: u32) -> i128 {
    assert!(shift < 126, "a shift above 125");
    rne_shift(value, shift)
}

/// `rne(value / 2^shift)` of a value of at most 126 bits, for shifts below 126.
pub(super) fn rne_shift(value: i128, shift: u32) -> i128 {
    if shift == 0 {
        return value;
    }
    let odd = (value >> shift) & 1;
    (value + ((1i128 << (shift - 1)) - 1) + odd) >> shift
}

/// `rne(numerator / denominator)` of numbers that are not negative.
///
/// `denominator` must not be zero.
#[inline]
#[must_use]
pub(crate) fn rne_div(numerator: u64, denominator: u64) -> u64 {
    let quotient = numerator / denominator;
    let remainder = numerator - quotient * denominator;
    // Compared as remainder against what is missing, so that nothing is doubled past 64 bits.
    let missing = denominator - remainder;
    quotient + u64::from(remainder > missing || (remainder == missing && quotient & 1 == 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{rne_div, round_shift, round_shift_i128};
    use crate::kernel::reference;

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            value in prop_oneof![any::<i32>(), -9i32..9, Just(i32::MIN), Just(i32::MAX)],
            multiplier in prop_oneof![Just(0), Just(1 << 30), Just(i32::MAX), (1i32 << 30)..=i32::MAX],
            shift in 0u32..=62,
        ) {
            let exact = reference::rne_ratio(i128::from(value) * i128::from(multiplier), 1i128 << shift);
            prop_assert_eq!(round_shift_i128(i64::from(value), multiplier, shift), exact);
        }

        #[test]
        fn wide_values(value in any::<i64>(), multiplier in any::<i32>(), shift in 0u32..=62) {
            let exact = reference::rne_ratio(i128::from(value) * i128::from(multiplier), 1i128 << shift);
            prop_assert_eq!(round_shift_i128(value, multiplier, shift), exact);
            let clamped = exact.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            prop_assert_eq!(i128::from(round_shift(value, multiplier, shift)), clamped);
        }

        #[test]
        fn ties_by_division(n in 0u64..1 << 62, d in 1u64..1 << 47, small in 0u64..50, tiny in 1u64..9) {
            for (n, d) in [(n, d), (small, tiny), (small, d), (n, tiny)] {
                prop_assert_eq!(i128::from(rne_div(n, d)), reference::rne_ratio(i128::from(n), i128::from(d)));
            }
        }
    }
}
