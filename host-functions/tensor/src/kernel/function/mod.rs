//! Functions of one number, correctly rounded: `sat(rne(2^out_bits * f(x / 2^in_bits)))`.
//!
//! # Why the rounding is right
//! `sqrt`, `rsqrt` and `recip` are exact integer arithmetic with exact ties ([`algebraic`]). All others
//! have irrational values but for one argument each, so nothing lies exactly in the middle between
//! two integers. `value.rs` computes them with 92 fraction bits and an error of at most 8 units (`ERROR`). An
//! argument has at most 16 bits and [`MAX_IN_BITS`] of them behind the point, a result at most
//! [`MAX_OUT_BITS`], so the arguments can be enumerated: the test `every_argument` shows for each
//! function, each number of 16 bits and each `in_bits` that the value is further than the error from
//! every rounding boundary of every `out_bits`. The error itself is argued in `value.rs` and measured
//! against 256 bits (`reference.rs`) for every 8-bit argument and a sample of the others. Every argument takes the
//! same path: there is no second try that a contract could buy.

use super::lookup::{index, values};
use super::{Kernels, round};
use crate::{Element, Level};

mod algebraic;
mod constants;
mod known;
mod reference;
mod value;

/// The most fraction bits of an argument.
pub const MAX_IN_BITS: u32 = 16;

/// The most fraction bits of a result.
pub const MAX_OUT_BITS: u32 = 30;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Function {
    /// The exponential.
    Exp,
    /// The natural logarithm, of numbers above 0.
    Log,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x / (1 + exp(-x))`
    Silu,
    /// `x * (1 + erf(x / sqrt(2))) / 2`
    Gelu,
    /// The error function.
    Erf,
    /// The sine of an angle in radians.
    Sin,
    /// The cosine of an angle in radians.
    Cos,
    /// The square root, of numbers from 0 on.
    Sqrt,
    /// `1 / sqrt(x)`, of numbers above 0.
    Rsqrt,
    /// `1 / x`, of any number but 0.
    Recip,
}

impl Function {
    /// Every function.
    pub const ALL: [Function; 12] = [
        Function::Exp,
        Function::Log,
        Function::Sigmoid,
        Function::Tanh,
        Function::Silu,
        Function::Gelu,
        Function::Erf,
        Function::Sin,
        Function::Cos,
        Function::Sqrt,
        Function::Rsqrt,
        Function::Recip,
    ];

    /// Whether it has a value at `x`, whatever the fraction bits.
    #[must_use]
    pub fn is_defined_at(self, x: i64) -> bool {
        match self {
            Function::Log | Function::Rsqrt => x > 0,
            Function::Sqrt => x >= 0,
            Function::Recip => x != 0,
            _ => true,
        }
    }
}

/// Fraction bits of arguments and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Of arguments, at most [`MAX_IN_BITS`].
    pub in_bits: u32,
    /// Of results, at most [`MAX_OUT_BITS`].
    pub out_bits: u32,
}

/// Applies a function to 8- or 16-bit numbers; results of at most 32 bits.
///
/// Values that were asked for before, of the functions and formats that were used last, are not computed again.
///
/// # Panics
/// Where the lengths differ, an element is outside the function's domain, or a format or type is too wide.
pub fn apply<X: Element, Y: Element>(k: &Kernels, function: Function, format: Format, x: &[X], out: &mut [Y]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    assert!(format.in_bits <= MAX_IN_BITS && format.out_bits <= MAX_OUT_BITS, "a format out of range");
    assert!(X::DTYPE.size() <= 2 && Y::DTYPE.size() <= 4, "a type out of range");
    let level = k.level();
    let fast = level != Level::Reference;
    let table = if fast { known::table(function, format, X::DTYPE.min(), values::<X>(), x.len()) } else { None };
    if let Some(table) = &table
        && X::DTYPE.size() == 1
        && x.len() >= values::<X>()
    {
        return of_all(k, function, format, table, x, out);
    }
    // A value that is known costs a few of what a product counts; those that are not are few in the long run.
    const WORK: usize = 40;
    k.split_rows((x, 1), (&mut *out, 1), WORK, |x, out| {
        for (x, out) in x.iter().zip(out) {
            let place = index(*x);
            let x: i64 = (*x).into();
            *out = match &table {
                Some(table) => Y::saturate_i64(table.value(place, || {
                    assert!(function.is_defined_at(x), "outside the domain");
                    evaluate(function, x, format)
                })),
                None => {
                    assert!(function.is_defined_at(x), "outside the domain");
                    Y::saturate(if fast {
                        evaluate(function, x, format)
                    } else {
                        reference::evaluate(function, x, format)
                    })
                }
            };
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Function, out);
}

/// So many numbers of 8 bits that each stands for itself: all values, then a look at each element.
fn of_all<X: Element, Y: Element>(
    k: &Kernels,
    function: Function,
    format: Format,
    table: &known::Table,
    x: &[X],
    out: &mut [Y],
) {
    let value = |place: usize| {
        let number = X::DTYPE.min() + i64::try_from(place).unwrap_or(0);
        let defined = function.is_defined_at(number);
        defined.then(|| Y::saturate_i64(table.value(place, || evaluate(function, number, format))))
    };
    let results: Vec<Option<Y>> = (0..values::<X>()).map(value).collect();
    let undefined = |x: &X| results[index(*x)].is_none();
    assert!(results.iter().all(Option::is_some) || !x.iter().any(undefined), "outside the domain");
    let results: Vec<Y> = results.into_iter().map(Option::unwrap_or_default).collect();
    super::lookup(k, x, &results, out);
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Function, out);
}

/// `rne(2^out_bits * f(x / 2^in_bits))`, or something beyond 32 bits where that is.
fn evaluate(function: Function, x: i64, format: Format) -> i128 {
    let Format { in_bits, out_bits } = format;
    let positive = u128::from(x.unsigned_abs());
    match function {
        Function::Sqrt => algebraic::sqrt(positive, in_bits, out_bits),
        Function::Rsqrt => algebraic::rsqrt(positive, in_bits, out_bits),
        Function::Recip => algebraic::recip(x, in_bits, out_bits),
        _ => round::rne_shift(value::value(function, x, in_bits), value::FRACTION_BITS - out_bits),
    }
}

#[cfg(test)]
mod tests;
