//! Fixed-point numbers with the rounding of the opcodes: an integer `x` stands for `x * 2^-f`.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use core::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize, io};

use crate::encoding::{Decode, Encode};
use crate::math::{Rounding, mul_div};
use crate::schema::{Shape, Type};

/// Most fraction bits.
pub const MAX_FRACTION_BITS: u32 = 62;
/// Most digits behind the point of a text that is read: 10^19 is below 2^64.
const MAX_DIGITS: u32 = 19;

/// `bits * 2^-F` with a 64-bit integer. Every result is exact or rounded once, to the nearest, of two the even one, as the
/// opcodes of tensors do; tensors of `i64` (or narrower) with `F` fraction bits hold the same numbers
/// ([`Fixed::from_bits`], [`Fixed::bits`]).
///
/// What does not fit is never wrapped: `checked_*` says `None`, and the operators panic, which ends the call and names the line.
///
/// ```
/// use noema_sdk::Fixed;
/// type Price = Fixed<32>;
///
/// let price: Price = "19.99".parse()?;
/// let half = Price::from_ratio(1, 2).unwrap();
/// assert_eq!((price * half).to_string(), "9.995");
/// assert_eq!(Fixed::<1>::from_bits(3).round(), 2); // 1.5
/// assert_eq!(Fixed::<1>::from_bits(5).round(), 2); // 2.5
/// assert_eq!(Price::MAX.checked_add(half), None);
/// assert_eq!("0.1".parse::<Fixed<4>>()?.bits(), 2); // 2 / 16 is the nearest
/// assert_eq!(Fixed::<4>::from_bits(2).to_string(), "0.1"); // as few digits as say which number it is
/// assert!("1e3".parse::<Price>().is_err());
/// # Ok::<(), noema_sdk::fixed::ParseFixedError>(())
/// ```
///
/// In JSON (`noema call`) it is written as its decimal digits: `"19.99"`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed<const F: u32>(i64);

/// A text that is no number of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseFixedError {
    /// Not digits, with a point between them perhaps, and a sign in front.
    Syntax,
    /// More digits behind the point than 19.
    TooPrecise,
    /// Too large or too small.
    Overflow,
}

impl fmt::Display for ParseFixedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseFixedError::Syntax => "expected digits such as 12 or -0.5",
            ParseFixedError::TooPrecise => "more than 19 digits behind the point",
            ParseFixedError::Overflow => "the number is outside the range of its type",
        })
    }
}

impl core::error::Error for ParseFixedError {}

/// `n * 2^-shift`, to the nearest, of two the even one.
const fn round_shift(n: i128, shift: u32) -> i128 {
    if shift == 0 {
        return n;
    }
    let (floor, rest, half) = (n >> shift, n & ((1 << shift) - 1), 1 << (shift - 1));
    if rest > half || (rest == half && floor & 1 == 1) { floor + 1 } else { floor }
}

/// `n / d`, to the nearest, of two the even one; `d` is not zero and below 2^64.
fn round_div(n: i128, d: i128) -> i128 {
    let (quotient, rest) = (n / d, n % d);
    let twice = 2 * rest.unsigned_abs();
    if twice > d.unsigned_abs() || (twice == d.unsigned_abs() && quotient % 2 != 0) {
        quotient + if (n < 0) == (d < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

fn narrow(n: i128) -> Option<i64> {
    i64::try_from(n).ok()
}

/// The digits that Display and tools read: the number of `text` with so many fraction bits, rounded once.
///
/// # Errors
/// [`ParseFixedError`].
pub fn parse(text: &str, fraction_bits: u32) -> Result<i64, ParseFixedError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(ParseFixedError::Syntax),
        Some(parts) => parts,
        None => (digits, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(ParseFixedError::Syntax);
    }
    let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= MAX_DIGITS);
    let places = places.ok_or(ParseFixedError::TooPrecise)?;
    // Above 2^64 it cannot fit, whatever the fraction bits.
    let whole: u64 = whole.parse().map_err(|_| ParseFixedError::Overflow)?;
    let fraction: u64 = if places == 0 { 0 } else { fraction.parse().map_err(|_| ParseFixedError::TooPrecise)? };
    let scale = 10u128.pow(places);
    let (scaled, whole) = (u128::from(fraction) << fraction_bits, u128::from(whole) << fraction_bits);
    let (floor, rest) = (whole + scaled / scale, scaled % scale);
    let up = rest > scale - rest || (rest == scale - rest && floor % 2 == 1);
    let magnitude = floor + u128::from(up);
    let number = i128::try_from(magnitude).map_err(|_| ParseFixedError::Overflow)?;
    narrow(if negative { -number } else { number }).ok_or(ParseFixedError::Overflow)
}

/// Writes the number with as few digits as [`parse`] needs to find it again.
///
/// # Errors
/// Those of `f`.
pub fn write(bits: i64, fraction_bits: u32, f: &mut dyn fmt::Write) -> fmt::Result {
    let magnitude = u128::from(bits.unsigned_abs());
    let (whole, fraction) = (magnitude >> fraction_bits, magnitude & ((1 << fraction_bits) - 1));
    let sign = if bits < 0 { "-" } else { "" };
    write!(f, "{sign}{whole}")?;
    if fraction == 0 {
        return Ok(());
    }
    let half = 1 << (fraction_bits - 1);
    for places in 1..=MAX_DIGITS {
        let scale = 10u128.pow(places);
        let scaled = fraction * scale;
        let (mut digits, rest) = (scaled >> fraction_bits, scaled & ((1 << fraction_bits) - 1));
        if rest > half || (rest == half && digits % 2 == 1) {
            digits += 1;
        }
        if digits >= scale {
            continue;
        }
        let (back, rest) = ((digits << fraction_bits) / scale, (digits << fraction_bits) % scale);
        let back = back + u128::from(rest > scale - rest || (rest == scale - rest && back % 2 == 1));
        // 19 digits tell 2^62 numbers apart.
        if back == fraction || places == MAX_DIGITS {
            return write!(f, ".{digits:0width$}", width = places as usize);
        }
    }
    Ok(())
}

impl<const F: u32> Fixed<F> {
    /// Zero.
    pub const ZERO: Fixed<F> = Fixed::from_bits(0);
    /// One.
    pub const ONE: Fixed<F> = Fixed::from_bits(1 << F);
    /// The largest.
    pub const MAX: Fixed<F> = Fixed::from_bits(i64::MAX);
    /// The smallest.
    pub const MIN: Fixed<F> = Fixed::from_bits(i64::MIN);

    /// `bits * 2^-F`.
    #[must_use]
    pub const fn from_bits(bits: i64) -> Fixed<F> {
        const { assert!(F <= MAX_FRACTION_BITS, "a fixed-point number has at most 62 fraction bits") };
        Fixed(bits)
    }

    /// The integer that stands for it.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// A whole number; `None` where it does not fit.
    #[must_use]
    pub fn from_int(n: i64) -> Option<Fixed<F>> {
        narrow(i128::from(n) << F).map(Fixed::from_bits)
    }

    /// `n / d`; `None` for `d` zero, or where it does not fit.
    #[must_use]
    pub fn from_ratio(n: i64, d: i64) -> Option<Fixed<F>> {
        if d == 0 {
            return None;
        }
        narrow(round_div(i128::from(n) << F, i128::from(d))).map(Fixed::from_bits)
    }

    /// The nearest whole number, of two the even one.
    #[must_use]
    pub fn round(self) -> i64 {
        // A shift to the right makes no number larger.
        narrow(round_shift(i128::from(self.0), F)).unwrap_or(i64::MAX)
    }

    /// The next whole number below.
    #[must_use]
    pub const fn floor(self) -> i64 {
        self.0 >> F
    }

    /// The same number with other fraction bits, rounded; `None` where it does not fit.
    #[must_use]
    pub fn rescale<const G: u32>(self) -> Option<Fixed<G>> {
        let bits = i128::from(self.0);
        narrow(if G >= F { bits << (G - F) } else { round_shift(bits, F - G) }).map(Fixed::from_bits)
    }

    /// This part of an amount: `amount * self`, rounded as told. `None` for a negative number, or above 2^128 - 1.
    ///
    /// ```
    /// use noema_sdk::{Fixed, math::Rounding};
    /// let fee: Fixed<8> = "0.003".parse().unwrap(); // 1 / 256 is the nearest
    /// assert_eq!(fee.of(1_000, Rounding::Down), Some(3));
    /// assert_eq!(fee.of(1_000, Rounding::Up), Some(4));
    /// assert_eq!((-fee).of(1_000, Rounding::Up), None);
    /// ```
    #[must_use]
    pub fn of(self, amount: u128, rounding: Rounding) -> Option<u128> {
        mul_div(amount, u128::try_from(self.0).ok()?, 1 << F, rounding)
    }

    /// The sum; `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Fixed<F>) -> Option<Fixed<F>> {
        self.0.checked_add(other.0).map(Fixed)
    }

    /// The difference; `None` where it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Fixed<F>) -> Option<Fixed<F>> {
        self.0.checked_sub(other.0).map(Fixed)
    }

    /// The product, rounded once; `None` where it does not fit.
    #[must_use]
    pub fn checked_mul(self, other: Fixed<F>) -> Option<Fixed<F>> {
        narrow(round_shift(i128::from(self.0) * i128::from(other.0), F)).map(Fixed)
    }

    /// The quotient, rounded once; `None` for a zero divisor, or where it does not fit.
    #[must_use]
    pub fn checked_div(self, other: Fixed<F>) -> Option<Fixed<F>> {
        if other.0 == 0 {
            return None;
        }
        narrow(round_div(i128::from(self.0) << F, i128::from(other.0))).map(Fixed)
    }

    /// The number without its sign; `None` for [`Fixed::MIN`].
    #[must_use]
    pub fn checked_abs(self) -> Option<Fixed<F>> {
        self.0.checked_abs().map(Fixed)
    }
}

/// Out of line: it would otherwise stand at every operator.
#[cold]
#[track_caller]
fn overflow() -> ! {
    panic!("a fixed-point number is out of range, or divided by zero")
}

macro_rules! operators {
    ($($operator:ident $function:ident $assign:ident $assign_function:ident $checked:ident),*) => { $(
        impl<const F: u32> $operator for Fixed<F> {
            type Output = Fixed<F>;
            #[track_caller]
            fn $function(self, other: Fixed<F>) -> Fixed<F> {
                match self.$checked(other) {
                    Some(result) => result,
                    None => overflow(),
                }
            }
        }
        impl<const F: u32> $assign for Fixed<F> {
            #[track_caller]
            fn $assign_function(&mut self, other: Fixed<F>) {
                *self = $operator::$function(*self, other);
            }
        }
    )* };
}
operators!(
    Add add AddAssign add_assign checked_add, Sub sub SubAssign sub_assign checked_sub,
    Mul mul MulAssign mul_assign checked_mul, Div div DivAssign div_assign checked_div
);

impl<const F: u32> Neg for Fixed<F> {
    type Output = Fixed<F>;
    #[track_caller]
    fn neg(self) -> Fixed<F> {
        Fixed::ZERO - self
    }
}

impl<const F: u32> fmt::Display for Fixed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, F, f)
    }
}

impl<const F: u32> fmt::Debug for Fixed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const F: u32> FromStr for Fixed<F> {
    type Err = ParseFixedError;

    fn from_str(text: &str) -> Result<Fixed<F>, ParseFixedError> {
        parse(text, F).map(Fixed::from_bits)
    }
}

impl<const F: u32> BorshSerialize for Fixed<F> {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.0.serialize(writer)
    }
}

impl<const F: u32> BorshDeserialize for Fixed<F> {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Fixed<F>> {
        i64::deserialize_reader(reader).map(Fixed::from_bits)
    }
}

impl<const F: u32> Encode for Fixed<F> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl<const F: u32> Decode for Fixed<F> {
    fn decode(input: &mut &[u8]) -> Option<Fixed<F>> {
        i64::decode(input).map(Fixed::from_bits)
    }
}

impl<const F: u32> Type for Fixed<F> {
    const SHAPE: Shape = Shape::Fixed(F);
}

#[cfg(test)]
mod tests;
