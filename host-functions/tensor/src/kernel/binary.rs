//! Functions of two or three elements, with operands that may be repeated along axes, and of one.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
};

use super::Kernels;
use super::strided::{Runs, over};
use super::vectors::{Vectors, low, vectorised};
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

    /// The runs that `out` has room for, saturating.
    fn runs<T: Element>(self, level: Level, sides: [&[T]; 2], runs: Runs<2>, out: &mut [T]) {
        if level == Level::Reference {
            pairs(sides, runs, out, |a, b| T::saturate(self.exact(a.into(), b.into())));
            return;
        }
        vectorised(level, Saturating { op: self, sides, runs, out });
    }
}

struct Saturating<'a, T> {
    op: Binary,
    sides: [&'a [T]; 2],
    runs: Runs<2>,
    out: &'a mut [T],
}

impl<T: Element> Vectors for Saturating<'_, T> {
    type Output = ();

    /// The function is chosen once, so that its loops can become vectors.
    #[inline(always)]
    fn run(self) {
        let Saturating { op, sides, runs, out } = self;
        // Of numbers of at most 32 bits: nothing wraps in 64.
        let wide = |f: fn(i64, i64) -> i64| move |a: T, b: T| T::saturate_i64(f(a.into(), b.into()));
        match op {
            Binary::Add => pairs(sides, runs, out, T::saturating_add),
            Binary::Sub => pairs(sides, runs, out, T::saturating_sub),
            Binary::Mul if T::DTYPE == DType::I64 => pairs(sides, runs, out, product),
            // Numbers of 16 bits have products of 32.
            Binary::Mul if T::DTYPE.size() <= 2 => {
                pairs(sides, runs, out, |a, b| narrow(low(a.into()).wrapping_mul(low(b.into()))));
            }
            Binary::Mul => pairs(sides, runs, out, wide(i64::wrapping_mul)),
            Binary::Min => pairs(sides, runs, out, T::min),
            Binary::Max => pairs(sides, runs, out, T::max),
            Binary::And => pairs(sides, runs, out, wide(|a, b| a & b)),
            Binary::Or => pairs(sides, runs, out, wide(|a, b| a | b)),
            Binary::Xor => pairs(sides, runs, out, wide(|a, b| a ^ b)),
        }
    }
}

/// The nearest number of 64 bits to a product, without a branch that nobody could predict.
#[inline(always)]
fn product<T: Element>(a: T, b: T) -> T {
    let (a, b): (i64, i64) = (a.into(), b.into());
    let (product, over) = a.overflowing_mul(b);
    let most = ((a ^ b) >> 63) ^ i64::MAX;
    T::saturate_i64(product ^ ((product ^ most) & i64::from(over).wrapping_neg()))
}

/// The nearest number of a type of at most 16 bits, found in 32.
#[inline(always)]
fn narrow<T: Element>(value: i32) -> T {
    let (least, most) = (low(T::DTYPE.min().max(i32::MIN.into())), low(T::DTYPE.max().min(i32::MAX.into())));
    T::saturate_i64(value.clamp(least, most).into())
}

/// `out = f(a, b)`, run after run.
#[inline(always)]
fn pairs<T: Copy, Y>([a, b]: [&[T]; 2], mut runs: Runs<2>, out: &mut [Y], f: impl Fn(T, T) -> Y) {
    let (len, steps) = (runs.len, runs.steps);
    match steps {
        [1, 1] => {
            for out in out.chunks_exact_mut(len) {
                let [at_a, at_b] = runs.next();
                for ((a, b), out) in a[at_a..at_a + len].iter().zip(&b[at_b..at_b + len]).zip(out) {
                    *out = f(*a, *b);
                }
            }
        }
        [1, 0] => {
            for out in out.chunks_exact_mut(len) {
                let [at_a, at_b] = runs.next();
                let b = b[at_b];
                for (a, out) in a[at_a..at_a + len].iter().zip(out) {
                    *out = f(*a, b);
                }
            }
        }
        [0, 1] => {
            for out in out.chunks_exact_mut(len) {
                let [at_a, at_b] = runs.next();
                let a = a[at_a];
                for (b, out) in b[at_b..at_b + len].iter().zip(out) {
                    *out = f(a, *b);
                }
            }
        }
        _ => {
            for out in out.chunks_exact_mut(len) {
                let [mut at_a, mut at_b] = runs.next();
                for out in out {
                    *out = f(a[at_a], b[at_b]);
                    (at_a, at_b) = (at_a + steps[0], at_b + steps[1]);
                }
            }
        }
    }
}

/// What an element costs, in multiplications of a product, for each byte of it.
const WORK: usize = 1;

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
    over(k, dims, [a.strides, b.strides], out, WORK * size_of::<T>(), |runs, out| {
        op.runs(level, [a.values, b.values], runs, out);
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
    let (level, sides) = (k.level(), [a.values, b.values]);
    let fits = AtomicBool::new(true);
    over(k, dims, [a.strides, b.strides], out, WORK * size_of::<T>(), |runs, out| {
        let all = if level == Level::Reference {
            let all = Cell::new(true);
            pairs(sides, runs, out, |a, b| {
                let exact = op.exact(a.into(), b.into());
                let result = T::saturate(exact);
                all.set(all.get() & (Into::<i128>::into(result) == exact));
                result
            });
            all.get()
        } else {
            vectorised(level, Checked { op, sides, runs, out })
        };
        // Whoever reads it has waited for all.
        fits.fetch_and(all, Ordering::Relaxed);
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Binary, out);
    fits.into_inner()
}

struct Checked<'a, T> {
    op: Binary,
    sides: [&'a [T]; 2],
    runs: Runs<2>,
    out: &'a mut [T],
}

impl<T: Element> Vectors for Checked<'_, T> {
    /// Whether every result was in the range of its type.
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Checked { op, sides, runs, out } = self;
        let wide = T::DTYPE == DType::I64;
        match op {
            Binary::Add if wide => checked(sides, runs, out, i64::overflowing_add),
            Binary::Sub if wide => checked(sides, runs, out, i64::overflowing_sub),
            Binary::Mul if wide => checked(sides, runs, out, i64::overflowing_mul),
            // Of numbers of at most 32 bits: nothing wraps in 64.
            Binary::Add => checked(sides, runs, out, |a, b| (a.wrapping_add(b), false)),
            Binary::Sub => checked(sides, runs, out, |a, b| (a.wrapping_sub(b), false)),
            Binary::Mul => checked(sides, runs, out, |a, b| (a.wrapping_mul(b), false)),
            // Nothing else leaves the range.
            op => {
                Saturating { op, sides, runs, out }.run();
                true
            }
        }
    }
}

/// By a function in 64 bits, which says whether it left them.
#[inline(always)]
fn checked<T: Element>(sides: [&[T]; 2], runs: Runs<2>, out: &mut [T], f: impl Fn(i64, i64) -> (i64, bool)) -> bool {
    let left = Cell::new(false);
    pairs(sides, runs, out, |a, b| {
        let (value, over) = f(a.into(), b.into());
        let result = T::saturate_i64(value);
        left.set(left.get() | over | (Into::<i64>::into(result) != value));
        result
    });
    !left.get()
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
    let level = k.level();
    over(k, dims, [a.strides, b.strides], out, WORK * size_of::<T>(), |runs, out| {
        vectorised(level, Related { relation, sides: [a.values, b.values], runs, out });
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Compare, out);
}

struct Related<'a, T> {
    relation: Relation,
    sides: [&'a [T]; 2],
    runs: Runs<2>,
    out: &'a mut [u8],
}

impl<T: Element> Vectors for Related<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Related { relation, sides, runs, out } = self;
        match relation {
            Relation::Equal => pairs(sides, runs, out, |a, b| u8::from(a == b)),
            Relation::Less => pairs(sides, runs, out, |a, b| u8::from(a < b)),
            Relation::LessOrEqual => pairs(sides, runs, out, |a, b| u8::from(a <= b)),
        }
    }
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
    let level = k.level();
    over(k, dims, [condition.strides, a.strides, b.strides], out, WORK * size_of::<T>(), |runs, out| {
        vectorised(level, Selected { condition: condition.values, sides: [a.values, b.values], runs, out });
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Select, out);
}

struct Selected<'a, T> {
    condition: &'a [u8],
    sides: [&'a [T]; 2],
    runs: Runs<3>,
    out: &'a mut [T],
}

impl<T: Element> Vectors for Selected<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Selected { condition, sides: [a, b], mut runs, out } = self;
        let (len, steps) = (runs.len, runs.steps);
        for out in out.chunks_exact_mut(len) {
            let [at, at_a, at_b] = runs.next();
            match steps {
                [1, 1, 1] => {
                    let (a, b) = (&a[at_a..at_a + len], &b[at_b..at_b + len]);
                    chosen(&condition[at..at + len], a.iter().copied().zip(b.iter().copied()), out);
                }
                [1, 1, 0] => {
                    let b = b[at_b];
                    chosen(&condition[at..at + len], a[at_a..at_a + len].iter().map(|a| (*a, b)), out);
                }
                [1, 0, 1] => {
                    let a = a[at_a];
                    chosen(&condition[at..at + len], b[at_b..at_b + len].iter().map(|b| (a, *b)), out);
                }
                [1, 0, 0] => {
                    let both = (a[at_a], b[at_b]);
                    chosen(&condition[at..at + len], std::iter::repeat(both), out);
                }
                // A whole run of one of them.
                [0, step_a, step_b] => {
                    let (from, mut at, step) = if condition[at] == 0 { (b, at_b, step_b) } else { (a, at_a, step_a) };
                    if step == 1 {
                        out.copy_from_slice(&from[at..at + len]);
                        continue;
                    }
                    if step == 0 {
                        out.fill(from[at]);
                        continue;
                    }
                    for out in out {
                        *out = from[at];
                        at += step;
                    }
                }
                _ => {
                    for (i, out) in out.iter_mut().enumerate() {
                        let [at, at_a, at_b] = [at + i * steps[0], at_a + i * steps[1], at_b + i * steps[2]];
                        *out = T::choose(condition[at], a[at_a], b[at_b]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn chosen<T: Element>(condition: &[u8], sides: impl Iterator<Item = (T, T)>, out: &mut [T]) {
    for ((condition, (a, b)), out) in condition.iter().zip(sides).zip(out) {
        *out = T::choose(*condition, a, b);
    }
}
