use super::reference::{Wide, exact};
use super::value::{BEYOND_BITS, ERROR, GELU_LIMIT, NEARLY_LEVEL, SILU_LIMIT, Value, value};
use super::{Format, Function, MAX_IN_BITS, MAX_OUT_BITS, apply, one_value, reference};
use crate::kernel::round::rne_shift as rne;
use crate::{Element, Kernels, Level};

/// Functions that are computed with an error and rounded.
fn transcendental() -> impl Iterator<Item = Function> {
    let algebraic = [Function::Sqrt, Function::Rsqrt, Function::Recip];
    Function::ALL.into_iter().filter(move |function| !algebraic.contains(function))
}

/// Arguments whose value is a short binary fraction, for which the rounding must be right.
fn is_exact(function: Function, x: i64, in_bits: u32) -> bool {
    if function == Function::Log { x == 1 << in_bits } else { x == 0 }
}

/// Where a value is only said to be just below `x`, or below 0 ([`super::value`], `beyond`).
fn is_beyond(function: Function, x: i64, in_bits: u32) -> bool {
    match function {
        Function::Silu => x.unsigned_abs() >> in_bits >= SILU_LIMIT,
        Function::Gelu => x.unsigned_abs() >> in_bits >= GELU_LIMIT,
        _ => false,
    }
}

/// Where a value is only said to be just above `1 - v^2 / 2` (`nearly_level`).
fn is_nearly_level(function: Function, x: i64, in_bits: u32) -> bool {
    function == Function::Cos && x.unsigned_abs() << (16 - in_bits) <= NEARLY_LEVEL
}

/// Fraction bits of what is compared.
const BITS: u32 = 92;

/// `2^BITS * f`, cut, of a value below `2^33`.
fn scaled(Wide([.., c, d, whole]): Wide) -> i128 {
    let fraction = u128::from(d) << 64 | u128::from(c);
    i128::try_from(u128::from(whole) << BITS | fraction >> (128 - BITS)).unwrap()
}

/// A value with [`BITS`], and the bound on its error.
fn fine(function: Function, x: i64, in_bits: u32) -> (i128, i128) {
    let Value { scaled, bits } = value(function, x, in_bits);
    match BITS.checked_sub(bits) {
        Some(more) => (i128::from(scaled) << more, i128::from(ERROR) << more),
        None => (i128::from(scaled) >> (bits - BITS), 1),
    }
}

/// How far a value with [`BITS`] is from the nearest rounding boundary of any number of bits: an odd multiple of
/// `2^-(out_bits + 1)`. Where a result is beyond 32 bits it saturates, and no boundary matters.
fn to_boundary(value: i128) -> i128 {
    let inside = (0..=MAX_OUT_BITS).take_while(|out_bits| value.abs() >> (BITS - out_bits) < 1 << 31);
    let distance = |out_bits| {
        let unit = 1i128 << (BITS - out_bits);
        (value.rem_euclid(unit) - unit / 2).abs()
    };
    inside.map(distance).min().unwrap_or(i128::MAX)
}

/// What one argument shows: whether the value is within its bound, and how far, in units of `2^-92`, the true
/// value is from the next rounding boundary less that bound (negative: the rounding is not proven).
fn check(function: Function, x: i64, in_bits: u32) -> i128 {
    let (found, bound) = fine(function, x, in_bits);
    let (negative, magnitude) = exact(function, x, in_bits);
    let cut = scaled(magnitude);
    let what = format!("{function:?} of {x} / 2^{in_bits}");
    // Results of 32 bits are saturated from here on.
    let saturated = 1i128 << (BITS + 31);
    if cut >= saturated {
        assert!(found >= saturated, "{what}");
        return i128::MAX;
    }
    let signed = if negative { -cut } else { cut };
    if is_beyond(function, x, in_bits) {
        // Just below x, or below 0: far closer than the next boundary, on the right side of x.
        let side = if x > 0 { i128::from(x) << (BITS - in_bits) } else { 0 };
        let unit = 1 << (BITS - BEYOND_BITS);
        assert!(side - signed <= unit && signed <= side && found == side - unit, "{what}");
        return i128::MAX;
    }
    if is_nearly_level(function, x, in_bits) {
        let level = (1 << BITS) - ((i128::from(x * x)) << (BITS - 1 - 2 * in_bits));
        let above = signed - level;
        assert!((0..1 << (BITS - 52)).contains(&above) && found == level + (1 << (BITS - 62)), "{what}");
        return i128::MAX;
    }
    if function == Function::Exp && x < 0 && x.unsigned_abs() >> in_bits >= 22 {
        // Both are below every boundary.
        assert!(found < 1 << (BITS - 31) && cut < 1 << (BITS - 31), "{what}");
        return i128::MAX;
    }
    let off = (found - signed).abs();
    assert!(off <= bound, "{what}: off by {off} of {bound}");
    if is_exact(function, x, in_bits) {
        for out_bits in 0..=MAX_OUT_BITS {
            assert_eq!(
                i128::from(one_value(function, x, Format { in_bits, out_bits })),
                rne(signed, BITS - out_bits),
                "{what}"
            );
        }
        return i128::MAX;
    }
    to_boundary(signed) - bound
}

fn check_all(arguments: impl Iterator<Item = i64> + Clone, in_bits: impl Iterator<Item = u32> + Clone) {
    for function in transcendental() {
        let mut nearest = (i128::MAX, 0, 0);
        for in_bits in in_bits.clone() {
            for x in arguments.clone().filter(|x| function.is_defined_at(*x)) {
                nearest = nearest.min((check(function, x, in_bits), x, in_bits));
            }
        }
        let (distance, x, in_bits) = nearest;
        println!("{function:?}: closest to a boundary at {x} / 2^{in_bits}: {distance} units of 2^-92");
        assert!(distance > 0, "{function:?} of {x} / 2^{in_bits} is not proven");
    }
}

/// The proof for every 8-bit argument, and a sample of the others.
#[test]
fn eight_bit_arguments() {
    check_all(-128..=127, 0..=MAX_IN_BITS);
    check_all((-32_768..=32_767).step_by(997), [0, 7, 11, 12, 16].into_iter());
}

/// The same for every argument.
#[test]
#[ignore = "takes up to a minute and a half"]
fn every_argument_against_256_bits() {
    check_all(-32_768..=32_767, 0..=MAX_IN_BITS);
}

/// The proof for every argument, given the bound on the error: no value is within it of a rounding boundary.
/// An even argument is checked as its half with one bit less.
#[test]
fn every_argument() {
    for function in transcendental() {
        let mut nearest = (i128::MAX, 0, 0);
        for in_bits in 0..=MAX_IN_BITS {
            for x in (-32_768..=32_767).filter(|x| in_bits == 0 || x % 2 != 0) {
                if function.is_defined_at(x)
                    && !is_exact(function, x, in_bits)
                    && !is_beyond(function, x, in_bits)
                    && !is_nearly_level(function, x, in_bits)
                {
                    let (found, bound) = fine(function, x, in_bits);
                    nearest = nearest.min((to_boundary(found) - bound, x, in_bits));
                }
            }
        }
        let (distance, x, in_bits) = nearest;
        println!("{function:?}: closest to a boundary at {x} / 2^{in_bits}: {distance} units of 2^-92");
        assert!(distance > 0, "{function:?} of {x} / 2^{in_bits} is not proven");
    }
}

/// By a table, which is made of the values that were asked for before, and without.
#[test]
fn tables_say_the_same() {
    let every: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let few: Vec<i8> = (i8::MIN..=i8::MAX).filter(|x| x % 3 == 0).collect();
    for function in Function::ALL {
        // No other test has this format.
        let format = Format { in_bits: 9, out_bits: 13 };
        let defined: Vec<i16> = every.iter().copied().filter(|x| function.is_defined_at((*x).into())).collect();
        let expected: Vec<i16> =
            defined.iter().map(|x| i16::saturate_i64(one_value(function, (*x).into(), format))).collect();
        for level in Level::available() {
            let k = Kernels::new(level, 2).unwrap();
            for part in [1000, defined.len(), 10] {
                let mut found = vec![0; part];
                apply(&k, function, format, &defined[..part], &mut found);
                assert!(found == expected[..part], "{function:?}, {part} of i16, level {level}");
            }
            let few: Vec<i8> = few.iter().copied().filter(|x| function.is_defined_at((*x).into())).collect();
            let expected: Vec<i32> =
                few.iter().map(|x| i32::saturate_i64(one_value(function, (*x).into(), format))).collect();
            for _ in 0..5 {
                let mut found = vec![0; few.len()];
                apply(&k, function, format, &few, &mut found);
                assert_eq!(found, expected, "{function:?} of i8, level {level}");
            }
        }
    }
}

#[test]
fn agrees_with_the_reference() {
    for function in Function::ALL {
        for in_bits in 0..=MAX_IN_BITS {
            for x in (-128..=127).chain([-32_768, -32_767, -9_999, 4_097, 8_191, 12_345, 32_766, 32_767]) {
                if !function.is_defined_at(x) {
                    continue;
                }
                for out_bits in [0, 1, 7, 8, 15, 23, 30] {
                    let format = Format { in_bits, out_bits };
                    let (fast, slow) = (one_value(function, x, format), reference::evaluate(function, x, format));
                    assert_eq!(i32::saturate_i64(fast), i32::saturate(slow), "{function:?} of {x}, {format:?}");
                }
            }
        }
    }
}
