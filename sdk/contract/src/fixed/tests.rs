extern crate std;

use std::string::ToString;

use proptest::prelude::*;

use super::{Fixed, ParseFixedError, parse};

/// Numbers near the ends, near zero, and anywhere.
fn bits() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -300i64..300, (0i64..5).prop_map(|n| i64::MAX - n), (0i64..5).prop_map(|n| i64::MIN + n)]
}

/// `n / d` rounded to the nearest, of two the even one, by the definition: no other integer is nearer.
fn is_nearest(n: i128, d: i128, q: i128) -> bool {
    let (n, d) = if d < 0 { (-n, -d) } else { (n, d) };
    let distance = (n - q * d).unsigned_abs();
    2 * distance < d.unsigned_abs() || (2 * distance == d.unsigned_abs() && q % 2 == 0)
}

fn fits(n: i128) -> bool {
    i64::try_from(n).is_ok()
}

fn laws<const F: u32>(a: i64, b: i64) -> Result<(), TestCaseError> {
    let (x, y) = (Fixed::<F>::from_bits(a), Fixed::<F>::from_bits(b));
    let (wide_a, wide_b) = (i128::from(a), i128::from(b));
    match x.checked_mul(y) {
        Some(product) => prop_assert!(is_nearest(wide_a * wide_b, 1 << F, product.bits().into())),
        None => prop_assert!(!fits((wide_a * wide_b) >> F) || !fits(((wide_a * wide_b) >> F) + 1)),
    }
    match x.checked_div(y) {
        Some(quotient) => prop_assert!(is_nearest(wide_a << F, wide_b, quotient.bits().into())),
        None => prop_assert!(b == 0 || !fits((wide_a << F) / wide_b + 1) || !fits((wide_a << F) / wide_b - 1)),
    }
    prop_assert_eq!(x.checked_add(y).map(Fixed::bits), a.checked_add(b));
    prop_assert_eq!(x.checked_sub(y).map(Fixed::bits), a.checked_sub(b));
    prop_assert!(is_nearest(wide_a, 1 << F, x.round().into()));
    prop_assert_eq!(x.to_string().parse(), Ok(x));
    prop_assert_eq!(x.rescale::<F>(), Some(x));
    prop_assert_eq!(borsh::to_vec(&x).unwrap(), borsh::to_vec(&a).unwrap());
    if let Some(narrow) = x.rescale::<3>()
        && F >= 3
    {
        prop_assert!(is_nearest(wide_a, 1 << (F - 3), narrow.bits().into()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn results_are_the_nearest(a in bits(), b in bits()) {
        laws::<0>(a, b)?;
        laws::<1>(a, b)?;
        laws::<16>(a, b)?;
        laws::<32>(a, b)?;
        laws::<62>(a, b)?;
    }

    #[test]
    fn texts_are_read_to_the_nearest(whole in 0u32..100, digits in 0u64..10_000, bits in 0u32..20) {
        let n = i128::from(whole) * 10_000 + i128::from(digits);
        let read = parse(&std::format!("{whole}.{digits:04}"), bits).unwrap();
        prop_assert!(is_nearest(n << bits, 10_000, read.into()));
        prop_assert_eq!(parse(&std::format!("-{whole}.{digits:04}"), bits), Ok(-read));
    }
}

#[test]
fn few_digits_are_written() {
    assert_eq!(Fixed::<32>::from_ratio(1, 10).unwrap().to_string(), "0.1");
    assert_eq!(Fixed::<62>::from_ratio(1, 3).unwrap().to_string(), "0.3333333333333333333");
    assert_eq!(Fixed::<8>::MIN.to_string(), "-36028797018963968");
    assert_eq!((-Fixed::<4>::from_bits(1)).to_string(), "-0.06");
    assert_eq!(Fixed::<0>::from_bits(-7).to_string(), "-7");
}

#[test]
fn other_texts_are_refused() {
    for text in ["", ".", "1.", ".5", "-", "1e3", "1,5", "0x1", " 1", "1 ", "--1", "1.2.3", "NaN"] {
        assert_eq!(text.parse::<Fixed<8>>(), Err(ParseFixedError::Syntax), "{text:?}");
    }
    assert_eq!("0.00000000000000000001".parse::<Fixed<8>>(), Err(ParseFixedError::TooPrecise));
    assert_eq!("2".parse::<Fixed<62>>(), Err(ParseFixedError::Overflow));
    assert_eq!("-2".parse::<Fixed<62>>(), Ok(Fixed::MIN));
    assert_eq!("99999999999999999999999".parse::<Fixed<0>>(), Err(ParseFixedError::Overflow));
    assert_eq!("9223372036854775807.5".parse::<Fixed<0>>(), Err(ParseFixedError::Overflow));
}

#[test]
#[should_panic(expected = "out of range")]
fn an_operator_that_overflows_panics() {
    let _ = Fixed::<8>::MAX + Fixed::ONE;
}

#[test]
#[should_panic(expected = "divided by zero")]
fn a_division_by_zero_panics() {
    let _ = Fixed::<8>::ONE / Fixed::ZERO;
}
