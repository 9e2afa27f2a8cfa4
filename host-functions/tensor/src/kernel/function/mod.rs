//! Functions of one number, correctly rounded: `sat(rne(2^out_bits * f(x / 2^in_bits)))`.
//!
//! # Why the rounding is right
//! `sqrt`, `rsqrt` and `recip` are exact integer arithmetic with exact ties ([`algebraic`]). All others
//! have irrational values but for one argument each, so nothing lies exactly in the middle between
//! two integers. `value.rs` computes them with 64 bits and an error of a few units of the last (`ERROR`). An
//! argument has at most 16 bits and [`MAX_IN_BITS`] of them behind the point, a result at most
//! [`MAX_OUT_BITS`], so the arguments can be enumerated: the test `every_argument` shows for each
//! function, each number of 16 bits and each `in_bits` that the value is further than the error from
//! every rounding boundary of every `out_bits`. The error is measured against 256 bits (`reference.rs`) for every argument
//! by a test that takes up to a minute and a half, for every 8-bit argument and a sample of the others by one that always runs.
//! No argument takes a second try that a contract could buy.

use super::Kernels;
use super::lookup::{index, values};
use super::vectors::{Vectors, vectorised};
use crate::{DType, Element, Level, element::with_element};

mod algebraic;
mod constants;
mod known;
mod reference;
mod series;
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

    /// Whether it has a value at every number.
    #[must_use]
    pub fn is_defined_everywhere(self) -> bool {
        self.is_defined_at(i64::MIN) && self.is_defined_at(0)
    }

    /// Whether it has a value at each of them.
    #[must_use]
    pub fn is_defined_at_all<X: Element>(self, x: &[X]) -> bool {
        match self {
            Function::Recip => !x.iter().fold(false, |any, x| any | (*x == X::default())),
            // Defined from some number on.
            Function::Log | Function::Rsqrt | Function::Sqrt => {
                x.iter().copied().min().is_none_or(|least| self.is_defined_at(least.into()))
            }
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

impl Format {
    fn check(self, x: DType, y: DType) {
        assert!(self.in_bits <= MAX_IN_BITS && self.out_bits <= MAX_OUT_BITS, "a format out of range");
        assert!(x.size() <= 2 && y.size() <= 4, "a type out of range");
    }
}

/// Applies a function to 8- or 16-bit numbers; results of at most 32 bits.
///
/// Many values of a function and format are kept, and not computed again by the next call.
///
/// # Panics
/// Where the lengths differ, an element is outside the function's domain, or a format or type is too wide.
pub fn apply<X: Element, Y: Element>(k: &Kernels, function: Function, format: Format, x: &[X], out: &mut [Y]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    format.check(X::DTYPE, Y::DTYPE);
    assert!(function.is_defined_at_all(x), "outside the domain");
    let level = k.level();
    let known = || known::table((function, format, X::DTYPE.min(), values::<X>()), x.len());
    let table = if level == Level::Reference { None } else { known() };
    let table = table.as_ref().map(|table| table.get_or_init(|| all_values::<X>(level, function, format)));
    match table {
        Some(table) if X::DTYPE.size() == 1 && x.len() >= values::<X>() => {
            let results: Vec<Y> = table.iter().map(|value| Y::saturate_i64((*value).into())).collect();
            super::lookup(k, x, &results, out);
        }
        _ => {
            // What an element costs, in multiplications of a product.
            let work = if table.is_some() { 40 } else { 200 };
            k.split_rows((x, 1), (&mut *out, 1), work, |x, out| match table {
                Some(table) => looked_up(level, table, x, out),
                None if level == Level::Reference => by_reference(function, format, x, out),
                None => computed(level, function, format, x, out),
            });
        }
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Function, out);
}

/// The results of type `y` for all arguments of type `x`, the least first, in little-endian bytes: for whoever looks them up.
/// Where the function is not defined they are any.
///
/// # Panics
/// Where a format or type is too wide.
#[must_use]
pub fn table(function: Function, format: Format, x: DType, y: DType) -> Vec<u8> {
    format.check(x, y);
    let values = match x.size() {
        1 => all_values::<i8>(Level::best(), function, format),
        _ => all_values::<i16>(Level::best(), function, format),
    };
    with_element!(y, Y => {
        let results: Vec<Y> = values.into_iter().map(|value| Y::saturate_i64(value.into())).collect();
        Y::write_le(&results)
    })
}

/// How many values are computed or looked up before they become results: loops of one kind each.
const SOME: usize = 256;

fn looked_up<X: Element, Y: Element>(level: Level, table: &[i32], x: &[X], out: &mut [Y]) {
    let table = &table[..values::<X>()];
    let mut found = [0; SOME];
    for (x, out) in x.chunks(SOME).zip(out.chunks_mut(SOME)) {
        let found = &mut found[..x.len()];
        for (found, x) in found.iter_mut().zip(x) {
            *found = table[index(*x)];
        }
        vectorised(level, Saturate { values: found, out });
    }
}

/// The values of all arguments, of which those where the function is not defined have any.
fn all_values<X: Element>(level: Level, function: Function, format: Format) -> Vec<i32> {
    let least = X::DTYPE.min();
    let defined = |x: i64| if function.is_defined_at(x) { x } else { 1 };
    let mut values: Vec<i64> = (0..1 << (8 * X::DTYPE.size())).map(|place: i64| defined(least + place)).collect();
    evaluate(level, function, format, &mut values);
    values.into_iter().map(i32::saturate_i64).collect()
}

fn by_reference<X: Element, Y: Element>(function: Function, format: Format, x: &[X], out: &mut [Y]) {
    for (x, out) in x.iter().zip(out) {
        *out = Y::saturate(reference::evaluate(function, (*x).into(), format));
    }
}

fn computed<X: Element, Y: Element>(level: Level, function: Function, format: Format, x: &[X], out: &mut [Y]) {
    let mut values = [0; SOME];
    for (x, out) in x.chunks(SOME).zip(out.chunks_mut(SOME)) {
        let values = &mut values[..x.len()];
        for (value, x) in values.iter_mut().zip(x) {
            *value = (*x).into();
        }
        evaluate(level, function, format, values);
        vectorised(level, Saturate { values, out });
    }
}

/// Cuts values to what their type holds; without a branch, as it may be any of them.
struct Saturate<'a, V, Y> {
    values: &'a [V],
    out: &'a mut [Y],
}

impl<V: Copy + Into<i64>, Y: Element> Vectors for Saturate<'_, V, Y> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (value, out) in self.values.iter().zip(self.out) {
            *out = Y::saturate_i64((*value).into());
        }
    }
}

/// Puts values in the place of arguments: `rne(2^out_bits * f(x / 2^in_bits))`, or something beyond 32 bits where that is.
fn evaluate(level: Level, function: Function, format: Format, values: &mut [i64]) {
    let work = Evaluate { function, format, values };
    match function {
        // Divisions are slower where the compiler makes vectors of what is around them.
        Function::Sqrt | Function::Rsqrt | Function::Recip => work.run(),
        _ => vectorised(level, work),
    }
}

struct Evaluate<'a> {
    function: Function,
    format: Format,
    values: &'a mut [i64],
}

impl Vectors for Evaluate<'_> {
    type Output = ();

    /// The function is chosen once, not for each element.
    #[inline(always)]
    fn run(self) {
        match self.function {
            Function::Exp => self.each(Function::Exp),
            Function::Log => self.each(Function::Log),
            Function::Sigmoid => self.each(Function::Sigmoid),
            Function::Tanh => self.each(Function::Tanh),
            Function::Silu => self.each(Function::Silu),
            Function::Gelu => self.each(Function::Gelu),
            Function::Erf => self.each(Function::Erf),
            Function::Sin => self.each(Function::Sin),
            Function::Cos => self.each(Function::Cos),
            Function::Sqrt => self.each(Function::Sqrt),
            Function::Rsqrt => self.each(Function::Rsqrt),
            Function::Recip => self.each(Function::Recip),
        }
    }
}

impl Evaluate<'_> {
    #[inline(always)]
    fn each(self, function: Function) {
        for value in self.values {
            *value = one_value(function, *value, self.format);
        }
    }
}

/// [`evaluate`] of one.
#[inline(always)]
fn one_value(function: Function, x: i64, format: Format) -> i64 {
    let Format { in_bits, out_bits } = format;
    let y = x.unsigned_abs();
    match function {
        Function::Sqrt => algebraic::sqrt(y, in_bits, out_bits),
        Function::Rsqrt => algebraic::rsqrt(y, in_bits, out_bits),
        Function::Recip => algebraic::recip(x, in_bits, out_bits),
        _ => value::value(function, x, in_bits).round(out_bits),
    }
}

#[cfg(test)]
mod tests;
