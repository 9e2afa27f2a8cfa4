use super::reference::{Wide, exact};
use super::value::{ERROR, FRACTION_BITS, value};
use super::{Format, Function, MAX_IN_BITS, MAX_OUT_BITS, evaluate, reference};

/// Functions that are computed with an error and rounded.
fn transcendental() -> impl Iterator<Item = Function> {
    let algebraic = [Function::Sqrt, Function::Rsqrt, Function::Recip];
    Function::ALL.into_iter().filter(move |function| !algebraic.contains(function))
}

/// Arguments whose value is a short binary fraction, for which the value must be exact.
fn is_exact(function: Function, x: i64, in_bits: u32) -> bool {
    if function == Function::Log { x == 1 << in_bits } else { x == 0 }
}

/// From where on a value is only said to be just below `x`, or below 0.
fn limit(function: Function) -> u64 {
    match function {
        Function::Silu => 40,
        Function::Gelu => 8,
        _ => u64::MAX,
    }
}

/// `2^128 * f`, cut, of a value below `2^33`; with the two bits below the lowest one "sticky".
fn scaled(wide: Wide) -> (u128, u128) {
    let Wide([a, b, c, d, whole]) = wide;
    let low = u128::from(c) | u128::from(a | b != 0);
    // 92 bits of the fraction, and the next 64.
    let fraction = u128::from(d) << 64 | low;
    (u128::from(whole) << 92 | fraction >> 36, fraction)
}

/// What one argument shows: whether the value is within its bound, and how far, in units of `2^-92`, the true
/// value is from the next rounding boundary less that bound (negative: the rounding is not proven).
fn check(function: Function, x: i64, in_bits: u32) -> i128 {
    let found = value(function, x, in_bits);
    let (negative, magnitude) = exact(function, x, in_bits);
    let (cut, fraction) = scaled(magnitude);
    let cut = i128::try_from(cut).unwrap();
    let what = format!("{function:?} of {x} / 2^{in_bits}");
    if is_exact(function, x, in_bits) {
        assert_eq!(found, cut, "{what}");
        return i128::MAX;
    }
    // Results of 32 bits are saturated from here on.
    let saturated = 1i128 << (FRACTION_BITS + 31);
    if cut >= saturated {
        assert!(found >= saturated, "{what}");
        return i128::MAX;
    }
    let signed = if negative { -cut } else { cut };
    if x.unsigned_abs() >> in_bits >= limit(function) {
        // Just below x, or below 0: far closer than the next boundary, on the right side of x.
        let side = if x > 0 { i128::from(x) << (FRACTION_BITS - in_bits) } else { 0 };
        assert!(side - signed <= 1 << (FRACTION_BITS - 47) && signed <= side && found == side - 1, "{what}");
        return i128::MAX;
    }
    // Only exp leaves 2^15, and it is as good as its inverse.
    let relative = if function == Function::Exp { cut >> 88 } else { 0 };
    let bound = i128::try_from(ERROR).unwrap() + relative;
    let off = (found - signed).abs();
    assert!(off <= bound, "{what}: off by {off} of {bound}");
    // Boundaries of `out_bits` are odd multiples of 2^-(out_bits + 1).
    let mut nearest = i128::MAX;
    for out_bits in 0..=MAX_OUT_BITS {
        // A result beyond 32 bits saturates: no boundary matters there.
        if cut >> (FRACTION_BITS - out_bits) >= 1 << 31 {
            break;
        }
        let below = fraction << out_bits;
        let distance = below.abs_diff(1 << 127) >> 36;
        nearest = nearest.min(i128::try_from(distance >> out_bits).unwrap() - bound);
    }
    nearest
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
#[ignore = "takes minutes"]
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
                if !function.is_defined_at(x)
                    || is_exact(function, x, in_bits)
                    || limit(function) <= x.unsigned_abs() >> in_bits
                {
                    continue;
                }
                let found = value(function, x, in_bits);
                let bound = i128::try_from(ERROR).unwrap() + if function == Function::Exp { found >> 88 } else { 0 };
                for out_bits in 0..=MAX_OUT_BITS {
                    if found.abs() >> (FRACTION_BITS - out_bits) >= 1 << 31 {
                        break;
                    }
                    let unit = 1i128 << (FRACTION_BITS - out_bits);
                    let distance = (found.rem_euclid(unit) - unit / 2).abs() - bound;
                    nearest = nearest.min((distance, x, in_bits));
                }
            }
        }
        let (distance, x, in_bits) = nearest;
        println!("{function:?}: closest to a boundary at {x} / 2^{in_bits}: {distance} units of 2^-92");
        assert!(distance > 0, "{function:?} of {x} / 2^{in_bits} is not proven");
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
                    let limit = |value: i128| value.clamp(i128::from(i32::MIN), i128::from(i32::MAX));
                    let (fast, slow) = (evaluate(function, x, format), reference::evaluate(function, x, format));
                    assert_eq!(limit(fast), limit(slow), "{function:?} of {x}, {format:?}");
                }
            }
        }
    }
}
