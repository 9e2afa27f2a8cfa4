//! Arithmetic that Rust's own integers do not have. Everything else they do: contracts are built with overflow checks, so
//! that a sum that does not fit ends the call, and `checked_add` and its like are there to handle it.

/// Which integer stands for a quotient that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The next one below. What a contract pays.
    Down,
    /// The next one above. What a contract takes.
    Up,
    /// The nearest one, of two the even one: as the opcodes round.
    Nearest,
}

/// `a * b / c` with the product in full, rounded once; `None` where `c` is zero or the result is above 2^128 - 1.
///
/// ```
/// use noema_sdk::math::{Rounding, mul_div};
///
/// // Shares of a pot larger than any product of two of its parts could be in 128 bits.
/// let pot = u128::MAX / 3;
/// assert_eq!(mul_div(pot, pot, u128::MAX, Rounding::Down), Some(pot / 3));
/// assert_eq!(mul_div(5, 1, 2, Rounding::Down), Some(2));
/// assert_eq!(mul_div(5, 1, 2, Rounding::Up), Some(3));
/// assert_eq!(mul_div(5, 1, 2, Rounding::Nearest), Some(2));
/// assert_eq!(mul_div(7, 1, 2, Rounding::Nearest), Some(4));
/// assert_eq!(mul_div(u128::MAX, 2, 1, Rounding::Down), None);
/// assert_eq!(mul_div(1, 1, 0, Rounding::Down), None);
/// ```
#[must_use]
pub fn mul_div(a: u128, b: u128, c: u128, rounding: Rounding) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (quotient, rest) = match a.checked_mul(b) {
        Some(product) => (product / c, product % c),
        None => divide(widening_mul(a, b), c)?,
    };
    let up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest > 0,
        // The distance to the next one above, which cannot overflow as twice the rest could.
        Rounding::Nearest => rest > c - rest || (rest == c - rest && quotient % 2 == 1),
    };
    quotient.checked_add(u128::from(up))
}

/// The logarithm of `n` to the base of 2, with so many bits behind the point (at most 24), rounded down; `None` for 0. Each of these bits comes
/// from squaring a mantissa of 31 bits, so that the result can be one too low with 8 of them, and two with 16.
///
/// ```
/// use noema_sdk::math::log2;
///
/// assert_eq!([1, 2, 8].map(|n| log2(n, 8)), [Some(0), Some(256), Some(768)]);
/// assert_eq!(log2(10, 16), Some(217_705)); // 3.32193 * 65,536 = 217,705.7
/// assert_eq!(log2(0, 8), None);
/// ```
///
/// # Panics
/// For more than 24 bits.
#[must_use]
pub fn log2(n: u128, fraction_bits: u32) -> Option<i32> {
    assert!(fraction_bits <= 24, "more bits than a result has");
    let whole = n.checked_ilog2()?;
    // From 2^31 to 2^32: the shift comes last where it would lose bits, first where it would not fit.
    let mut mantissa = if whole > 96 { n >> (whole - 31) } else { (n << 31) >> whole };
    let mut result = whole.cast_signed();
    for _ in 0..fraction_bits {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = u32::from(mantissa >> 32 == 1);
        mantissa >>= bit;
        result = (result << 1) | bit.cast_signed();
    }
    Some(result)
}

const LOW: u128 = (1 << 64) - 1;

/// The product, high half first.
fn widening_mul(a: u128, b: u128) -> (u128, u128) {
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    // Each sum is below 2^128: (2^64 - 1)^2 + 2 (2^64 - 1).
    let middle = a1 * b0 + (low >> 64);
    let other = a0 * b1 + (middle & LOW);
    (a1 * b1 + (middle >> 64) + (other >> 64), other << 64 | low & LOW)
}

/// Quotient and remainder, bit by bit; `None` where the quotient does not fit.
fn divide((high, low): (u128, u128), by: u128) -> Option<(u128, u128)> {
    if high >= by {
        return None;
    }
    let (mut rest, mut quotient) = (high, 0);
    for bit in (0..128).rev() {
        let carry = rest >> 127 == 1;
        rest = rest << 1 | low >> bit & 1;
        quotient <<= 1;
        if carry || rest >= by {
            // With a carry the rest is 2^128 more than it looks, and `by` more than half of that.
            rest = rest.wrapping_sub(by);
            quotient |= 1;
        }
    }
    Some((quotient, rest))
}

#[cfg(test)]
mod tests {
    use super::{Rounding, divide, mul_div, widening_mul};
    use proptest::prelude::*;

    fn wide() -> impl Strategy<Value = u128> {
        prop_oneof![any::<u128>(), (0u32..128).prop_map(|bit| 1 << bit), (0u32..128).prop_map(|bit| u128::MAX >> bit)]
    }

    proptest! {
        #[test]
        fn products_and_quotients_are_inverse(a in wide(), b in wide(), c in wide(), r in any::<u128>()) {
            // a * b + r below b, divided by b, is a and r.
            prop_assume!(b > 0);
            let rest = r % b;
            let (high, low) = widening_mul(a, b);
            let (low, carry) = low.overflowing_add(rest);
            prop_assert_eq!(divide((high + u128::from(carry), low), b), Some((a, rest)));
            prop_assert_eq!(mul_div(a, b, b, Rounding::Down), Some(a));
            prop_assert_eq!(mul_div(a, b, c, Rounding::Down), mul_div(b, a, c, Rounding::Down));
            prop_assert_eq!(widening_mul(a, b), widening_mul(b, a));
        }

        #[test]
        fn roundings_are_neighbours(a in wide(), b in wide(), c in wide()) {
            let all = [Rounding::Down, Rounding::Nearest, Rounding::Up].map(|rounding| mul_div(a, b, c, rounding));
            if let [Some(down), Some(near), Some(up)] = all {
                prop_assert!(down <= near && near <= up && up - down <= 1);
                if let Some(product) = a.checked_mul(b) {
                    prop_assert_eq!((down, up), (product / c, product.div_ceil(c)));
                    let (below, above) = (product - down * c, up.checked_mul(c).and_then(|above| above.checked_sub(product)));
                    if let Some(above) = above {
                        let even = down + down % 2;
                        let nearest = match below.cmp(&above) {
                            core::cmp::Ordering::Less => down,
                            core::cmp::Ordering::Equal => if up == down { down } else { even },
                            core::cmp::Ordering::Greater => up,
                        };
                        prop_assert_eq!(near, nearest);
                    }
                }
            }
        }
    }
}
