//! Amounts of money.

use alloc::vec::Vec;
use core::fmt;
use core::iter::Sum;
use core::num::ParseIntError;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize, io};

use crate::encoding::{Decode, Encode};
use crate::math::{Rounding, mul_div};
use crate::schema::{Shape, Type};

/// Units of money, native ones or those of a token. Encoded, and shown in interfaces, as the `u128` that it is.
///
/// Amounts are added and subtracted, never multiplied with each other; `+` and `-` panic where the result does not fit, in
/// every build, and [`Amount::checked_add`] and [`Amount::checked_sub`] say `None`.
///
/// ```
/// use noema_sdk::{Amount, math::Rounding};
/// let pot = Amount(1_000);
/// assert_eq!(pot.share(1, 3, Rounding::Down), Some(Amount(333)));
/// assert_eq!(pot - Amount(1), Amount(999));
/// assert_eq!(Amount(1).checked_sub(pot), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; `None` where it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Amount(sum)),
            None => None,
        }
    }

    /// The difference; `None` where it would be negative.
    #[must_use]
    pub const fn checked_sub(self, other: Amount) -> Option<Amount> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Amount(rest)),
            None => None,
        }
    }

    /// `self * part / whole` with the product in full; `None` where `whole` is zero or the result does not fit.
    #[must_use]
    pub fn share(self, part: u128, whole: u128, rounding: Rounding) -> Option<Amount> {
        mul_div(self.0, part, whole, rounding).map(Amount)
    }
}

/// Out of line: it would otherwise stand at every operator.
#[cold]
#[track_caller]
fn overflow() -> ! {
    panic!("an amount is out of range")
}

impl Add for Amount {
    type Output = Amount;
    #[track_caller]
    fn add(self, other: Amount) -> Amount {
        match self.checked_add(other) {
            Some(sum) => sum,
            None => overflow(),
        }
    }
}

impl Sub for Amount {
    type Output = Amount;
    #[track_caller]
    fn sub(self, other: Amount) -> Amount {
        match self.checked_sub(other) {
            Some(rest) => rest,
            None => overflow(),
        }
    }
}

impl AddAssign for Amount {
    #[track_caller]
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    #[track_caller]
    fn sub_assign(&mut self, other: Amount) {
        *self = *self - other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}

impl From<u128> for Amount {
    fn from(units: u128) -> Amount {
        Amount(units)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Amount, ParseIntError> {
        text.parse().map(Amount)
    }
}

impl BorshSerialize for Amount {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.0.serialize(writer)
    }
}

impl BorshDeserialize for Amount {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Amount> {
        u128::deserialize_reader(reader).map(Amount)
    }
}

impl Encode for Amount {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Amount {
    fn decode(input: &mut &[u8]) -> Option<Amount> {
        u128::decode(input).map(Amount)
    }
}

impl Type for Amount {
    const SHAPE: Shape = Shape::U128;
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn sums_and_differences_are_checked() {
        assert_eq!([1, 2, 3].map(Amount).into_iter().sum::<Amount>(), Amount(6));
        assert_eq!(Amount(u128::MAX).checked_add(Amount(1)), None);
        assert_eq!(borsh::to_vec(&Amount(7)).unwrap(), 7u128.to_le_bytes());
        assert_eq!("12".parse(), Ok(Amount(12)));
        assert!("-1".parse::<Amount>().is_err());
    }

    #[test]
    #[should_panic(expected = "an amount is out of range")]
    fn less_than_nothing_panics() {
        let _ = Amount(1) - Amount(2);
    }

    #[test]
    #[should_panic(expected = "an amount is out of range")]
    fn too_much_panics() {
        let _ = Amount(u128::MAX) + Amount(1);
    }
}
