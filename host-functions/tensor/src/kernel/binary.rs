//! Functions of two or three elements, with operands that may be repeated along axes, and of one.

use super::round::rne_shift;
use super::vectors::{Vectors, low, vectorised};
use super::{Kernels, strided::walk};
use crate::{DType, Element, Level};

/// An operand and how far it moves for each step along an axis of the result: 0 repeats it.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a, T> {
    /// Its elements.
    pub values: &'a [T],
    /// One for each axis of the result.
    pub strides: &'a [usize],
}

/// A function of two elements of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
    /// Bit by bit in two's complement.
    And,
    /// Bit by bit in two's complement.
    Or,
    /// Bit by bit in two's complement.
    Xor,
}

impl Binary {
    /// The exact result, which has at most 127 bits.
    fn exact(self, a: i128, b: i128) -> i128 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            Binary::And => a & b,
            Binary::Or => a | b,
            Binary::Xor => a ^ b,
        }
    }

    /// One run, saturating.
    fn run<T: Element>(self, level: Level, a: &[T], b: &[T], out: &mut [T]) {
        if level == Level::Reference {
            each(a, b, out, |a, b| T::saturate(self.exact(a.into(), b.into())));
            return;
        }
        vectorised(level, Run { op: self, a, b, out });
    }
}

struct Run<'a, T> {
    op: Binary,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Vectors for Run<'_, T> {
    type Output = ();

    /// The function is chosen once for a run, so that its loop can become vectors.
    #[inline(always)]
    fn run(self) {
        let Run { op, a, b, out } = self;
        // Of numbers of at most 32 bits: nothing wraps in 64.
        let wide = |f: fn(i64, i64) -> i64| move |a: T, b: T| T::saturate_i64(f(a.into(), b.into()));
        match op {
            Binary::Add => each(a, b, out, T::saturating_add),
            Binary::Sub => each(a, b, out, T::saturating_sub),
            Binary::Mul if T::DTYPE == DType::I64 => each(a, b, out, T::saturating_mul),
            // Numbers of 16 bits have products of 32.
            Binary::Mul if T::DTYPE.size() <= 2 => {
                each(a, b, out, wide(|a, b| i64::from(low(a).wrapping_mul(low(b)))));
            }
            Binary::Mul => each(a, b, out, wide(i64::wrapping_mul)),
            Binary::Min => each(a, b, out, T::min),
            Binary::Max => each(a, b, out, T::max),
            Binary::And => each(a, b, out, wide(|a, b| a & b)),
            Binary::Or => each(a, b, out, wide(|a, b| a | b)),
            Binary::Xor => each(a, b, out, wide(|a, b| a ^ b)),
        }
    }
}

#[inline(always)]
fn each<T: Element, Y>(a: &[T], b: &[T], out: &mut [Y], f: impl Fn(T, T) -> Y) {
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        *out = f(*a, *b);
    }
}

/// `out = op(a, b)`, saturating, over the index space `dims`.
///
/// # Panics
/// Where the slices or strides do not fit `dims`.
pub fn binary<T: Element>(
    k: &Kernels,
    op: Binary,
    dims: &[usize],
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [T],
) {
    let level = k.level();
    walk(dims, [a.strides, b.strides], out, |out, [at_a, at_b]| {
        op.run(level, &a.values[at_a..at_a + out.len()], &b.values[at_b..at_b + out.len()], out);
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Binary, out);
}

/// As [`binary`], and whether every result was in the range of its type.
///
/// # Panics
/// Where the slices or strides do not fit `dims`.
#[must_use]
pub fn binary_checked<T: Element>(
    k: &Kernels,
    op: Binary,
    dims: &[usize],
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [T],
) -> bool {
    let mut fits = true;
    walk(dims, [a.strides, b.strides], out, |out, [at_a, at_b]| {
        let (a, b) = (&a.values[at_a..at_a + out.len()], &b.values[at_b..at_b + out.len()]);
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            let exact = op.exact((*a).into(), (*b).into());
            *out = T::saturate(exact);
            fits &= Into::<i128>::into(*out) == exact;
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Binary, out);
    let _ = k;
    fits
}

/// How two elements may relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relation {
    /// `a = b`
    Equal,
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
}

/// `out = 1` where the relation holds, else 0, over the index space `dims`.
///
/// # Panics
/// Where the slices or strides do not fit `dims`.
pub fn compare<T: Element>(
    k: &Kernels,
    relation: Relation,
    dims: &[usize],
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [u8],
) {
    walk(dims, [a.strides, b.strides], out, |out, [at_a, at_b]| {
        let (a, b) = (&a.values[at_a..at_a + out.len()], &b.values[at_b..at_b + out.len()]);
        match relation {
            Relation::Equal => each(a, b, out, |a, b| u8::from(a == b)),
            Relation::Less => each(a, b, out, |a, b| u8::from(a < b)),
            Relation::LessOrEqual => each(a, b, out, |a, b| u8::from(a <= b)),
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Compare, out);
    let _ = k;
}

/// `out = a` where the condition is not 0, else `b`, over the index space `dims`.
///
/// # Panics
/// Where the slices or strides do not fit `dims`.
pub fn select<T: Element>(
    k: &Kernels,
    dims: &[usize],
    condition: Operand<'_, u8>,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    out: &mut [T],
) {
    walk(dims, [condition.strides, a.strides, b.strides], out, |out, [at, at_a, at_b]| {
        let condition = &condition.values[at..at + out.len()];
        let (a, b) = (&a.values[at_a..at_a + out.len()], &b.values[at_b..at_b + out.len()]);
        for (((condition, a), b), out) in condition.iter().zip(a).zip(b).zip(out) {
            *out = if *condition == 0 { *b } else { *a };
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Select, out);
    let _ = k;
}

/// Elements of any type, as 64-bit numbers.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// `i8`
    I8(&'a [i8]),
    /// `u8`
    U8(&'a [u8]),
    /// `i16`
    I16(&'a [i16]),
    /// `i32`
    I32(&'a [i32]),
    /// `i64`
    I64(&'a [i64]),
}

impl Numbers<'_> {
    #[inline(always)]
    fn at(&self, index: usize) -> i64 {
        match self {
            Numbers::I8(values) => values[index].into(),
            Numbers::U8(values) => values[index].into(),
            Numbers::I16(values) => values[index].into(),
            Numbers::I32(values) => values[index].into(),
            Numbers::I64(values) => values[index],
        }
    }
}

/// The scale of a product: `rne(a * b * multiplier / 2^shift) + zero_point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductScale {
    /// Not negative.
    pub multiplier: i32,
    /// At most [`MAX_PRODUCT_SHIFT`].
    pub shift: u32,
    /// Added after rounding.
    pub zero_point: i32,
}

/// The largest shift of a scaled product: 62 for the scale, and 32 for the fraction of a step.
pub const MAX_PRODUCT_SHIFT: u32 = 94;

/// `out = sat(rne(a * b * multiplier / 2^shift) + zero_point)` over the index space `dims`. Not both operands may have
/// 64 bits: the product has at most 126.
///
/// # Panics
/// Where the slices or strides do not fit `dims`, or the shift is too large.
pub fn mul_requantise<Y: Element>(
    k: &Kernels,
    scale: ProductScale,
    dims: &[usize],
    (a, a_strides): (Numbers<'_>, &[usize]),
    (b, b_strides): (Numbers<'_>, &[usize]),
    out: &mut [Y],
) {
    assert!(scale.shift <= MAX_PRODUCT_SHIFT, "a shift above {MAX_PRODUCT_SHIFT}");
    let level = k.level();
    walk(dims, [a_strides, b_strides], out, |out, [at_a, at_b]| {
        for (i, out) in out.iter_mut().enumerate() {
            let product = i128::from(a.at(at_a + i)) * i128::from(b.at(at_b + i)) * i128::from(scale.multiplier);
            let rounded = match level {
                Level::Reference => super::reference::rne_ratio(product, 1 << scale.shift),
                _ => rne_shift(product, scale.shift),
            };
            *out = Y::saturate(rounded + i128::from(scale.zero_point));
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::MulRequantise, out);
}

/// A function of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unary {
    /// `-x`, saturating.
    Neg,
    /// `|x|`, saturating.
    Abs,
    /// Every bit in two's complement.
    Not,
    /// The nearest number from the first to the second.
    Clamp(i64, i64),
    /// `rne(x * 2^n)`, saturating, of `-63 <= n <= 63`.
    Shift(i32),
}

/// `out = op(x)`.
///
/// # Panics
/// Where the lengths differ.
pub fn unary<T: Element>(k: &Kernels, op: Unary, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    let f = |x: T| -> i128 {
        let x: i128 = x.into();
        match op {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Not if T::DTYPE == DType::U8 => 255 - x,
            Unary::Not => -1 - x,
            Unary::Clamp(low, high) => x.clamp(low.into(), high.into()),
            Unary::Shift(n) if n < 0 => rne_shift(x, n.unsigned_abs()),
            Unary::Shift(n) => x << n,
        }
    };
    for (x, out) in x.iter().zip(out.iter_mut()) {
        *out = T::saturate(f(*x));
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Unary, out);
    let _ = k;
}
