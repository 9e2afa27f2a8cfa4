//! Functions of one element that stay in its type.

use super::Kernels;
use super::round::rne_shift;
use super::vectors::{Vectors, low, vectorised};
use crate::{DType, Element, Level};

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
    let level = k.level();
    // An element costs about as much as one multiplication of a product for each byte.
    k.split_rows((x, 1), (&mut *out, 1), size_of::<T>(), |x, out| {
        if level == Level::Reference {
            reference(op, x, out);
        } else {
            vectorised(level, Each { op, x, out });
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Unary, out);
}

/// The formulas, in 128 bits.
fn reference<T: Element>(op: Unary, x: &[T], out: &mut [T]) {
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
    for (x, out) in x.iter().zip(out) {
        *out = T::saturate(f(*x));
    }
}

struct Each<'a, T> {
    op: Unary,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Vectors for Each<'_, T> {
    type Output = ();

    /// The function is chosen once, so that its loop can become vectors.
    #[inline(always)]
    fn run(self) {
        let Each { op, x, out } = self;
        let zero = T::default();
        match op {
            Unary::Neg => each(x, out, |x| zero.saturating_sub(x)),
            Unary::Abs => each(x, out, |x| x.max(zero.saturating_sub(x))),
            Unary::Not if T::DTYPE == DType::U8 => each(x, out, |x| T::saturate_i64(255 ^ Into::<i64>::into(x))),
            Unary::Not => each(x, out, |x| T::saturate_i64(!Into::<i64>::into(x))),
            Unary::Clamp(least, most) => {
                let (least, most) = (T::saturate_i64(least), T::saturate_i64(most));
                each(x, out, |x| x.max(least).min(most));
            }
            Unary::Shift(n) if n < 0 && T::DTYPE.size() <= 2 => {
                // Beyond 30 bits nothing is left of 16.
                let by = n.unsigned_abs().min(30);
                each(x, out, |x| T::saturate_i64(down_low(low(x.into()), by).into()));
            }
            Unary::Shift(n) if n < 0 => each(x, out, |x| T::saturate_i64(down(x.into(), n.unsigned_abs()))),
            Unary::Shift(n) if T::DTYPE == DType::I64 => {
                let (least, most) = (i64::MIN >> n, i64::MAX >> n);
                each(x, out, |x| {
                    let x: i64 = x.into();
                    let inside = x.wrapping_shl(n.unsigned_abs());
                    T::saturate_i64(if x > most {
                        i64::MAX
                    } else if x < least {
                        i64::MIN
                    } else {
                        inside
                    })
                });
            }
            Unary::Shift(n) if T::DTYPE.size() <= 2 => {
                // Beyond 16 bits everything but 0 is out of range, and 16 bits of 16 fit 32.
                let by = n.unsigned_abs().min(16);
                each(x, out, |x| T::saturate_i64(low(x.into()).wrapping_shl(by).into()));
            }
            Unary::Shift(n) => {
                // Beyond 32 bits everything but 0 is out of range, and 32 bits of 32 fit 64.
                let by = n.unsigned_abs().min(32);
                each(x, out, |x| T::saturate_i64(Into::<i64>::into(x).wrapping_shl(by)));
            }
        }
    }
}

#[inline(always)]
fn each<T: Copy>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    for (x, out) in x.iter().zip(out) {
        *out = f(*x);
    }
}

/// `rne(x / 2^by)`, `by` from 1 to 63: what is cut has at most 63 bits.
#[inline(always)]
fn down(x: i64, by: u32) -> i64 {
    let whole = x.wrapping_shr(by);
    let (cut, half) = (x & i64::MAX.wrapping_shr(63u32.wrapping_sub(by)), 1i64.wrapping_shl(by.wrapping_sub(1)));
    let up = (cut > half) | ((cut == half) & (whole & 1 == 1));
    whole.wrapping_add(i64::from(up))
}

/// The same in 32 bits, `by` from 1 to 31.
#[inline(always)]
fn down_low(x: i32, by: u32) -> i32 {
    let whole = x.wrapping_shr(by);
    let (cut, half) = (x & i32::MAX.wrapping_shr(31u32.wrapping_sub(by)), 1i32.wrapping_shl(by.wrapping_sub(1)));
    let up = (cut > half) | ((cut == half) & (whole & 1 == 1));
    whole.wrapping_add(i32::from(up))
}
