//! Exact reductions along an axis. A tensor is `[outer][count][inner]`, and the axis of `count` goes.

use super::vectors::{Vectors, vectorised};
use super::{Kernels, reference::rne_ratio};
use crate::{DType, Element, Level};

/// A reduction to the element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// `rne(sum / count)`
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// The place of the axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Elements along it.
    pub count: usize,
    /// Elements from one to the next.
    pub inner: usize,
}

impl Axis {
    /// Calls `f` with the elements along the axis, for each element of the result.
    fn each<'x, T: Element, Y>(self, x: &'x [T], out: &mut [Y], f: impl Fn(&mut dyn Iterator<Item = T>) -> Y) {
        if out.is_empty() {
            return;
        }
        let Axis { count, inner } = self;
        for (outer, out) in out.chunks_exact_mut(inner).enumerate() {
            let x: &'x [T] = &x[outer * count * inner..(outer + 1) * count * inner];
            for (start, out) in out.iter_mut().enumerate() {
                *out = f(&mut x.iter().skip(start).step_by(inner).copied());
            }
        }
    }
}

/// `out = sum x`, and whether all sums fit 64 bits (saturated where not). At most `2^63` elements.
///
/// # Panics
/// Where the lengths do not fit together.
#[must_use]
pub fn reduce_sum<T: Element>(k: &Kernels, axis: Axis, x: &[T], out: &mut [i64]) -> bool {
    assert_eq!(Some(x.len()), out.len().checked_mul(axis.count), "results of another shape");
    let fits = std::cell::Cell::new(true);
    if T::DTYPE != DType::I64 && k.level() != Level::Reference && axis.count <= MAX_EXACT {
        vectorised(k.level(), Sums { axis, x, out });
    } else {
        axis.each(x, out, |values| {
            let sum: i128 = values.map(|value| Into::<i128>::into(value)).sum();
            i64::try_from(sum).unwrap_or_else(|_| {
                fits.set(false);
                i64::saturate(sum)
            })
        });
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::ReduceSum, out);
    let _ = k;
    fits.get()
}

/// So many numbers of 32 bits have a sum of 64.
const MAX_EXACT: usize = 1 << 31;

/// Sums of at most [`MAX_EXACT`] numbers of at most 32 bits: nothing wraps.
struct Sums<'a, T> {
    axis: Axis,
    x: &'a [T],
    out: &'a mut [i64],
}

impl<T: Element> Vectors for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Sums { axis: Axis { count, inner }, x, out } = self;
        if count == 0 || inner != 1 {
            out.fill(0);
        }
        if out.is_empty() || count == 0 {
            return;
        }
        if inner == 1 {
            for (row, out) in x.chunks_exact(count).zip(out) {
                *out = row.iter().fold(0, |sum: i64, x| sum.wrapping_add((*x).into()));
            }
            return;
        }
        for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(inner)) {
            for row in x.chunks_exact(inner) {
                for (x, out) in row.iter().zip(out.iter_mut()) {
                    *out = out.wrapping_add((*x).into());
                }
            }
        }
    }
}

/// The largest or the smallest numbers along an axis that is not empty.
struct Extremes<'a, T> {
    axis: Axis,
    x: &'a [T],
    most: bool,
    out: &'a mut [T],
}

impl<T: Element> Vectors for Extremes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if self.most {
            extremes(self.axis, self.x, T::max, self.out)
        } else {
            extremes(self.axis, self.x, T::min, self.out)
        }
    }
}

#[inline(always)]
fn extremes<T: Element>(Axis { count, inner }: Axis, x: &[T], better: impl Fn(T, T) -> T, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    if inner == 1 {
        for (row, out) in x.chunks_exact(count).zip(out) {
            *out = row.iter().fold(row[0], |best, x| better(best, *x));
        }
        return;
    }
    for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(inner)) {
        out.copy_from_slice(&x[..inner]);
        for row in x[inner..].chunks_exact(inner) {
            for (x, out) in row.iter().zip(out.iter_mut()) {
                *out = better(*out, *x);
            }
        }
    }
}

/// `out =` the product along the axis, and whether all products fit 64 bits (saturated where not).
///
/// # Panics
/// Where the lengths do not fit together.
#[must_use]
pub fn reduce_prod<T: Element>(k: &Kernels, axis: Axis, x: &[T], out: &mut [i64]) -> bool {
    assert_eq!(Some(x.len()), out.len().checked_mul(axis.count), "results of another shape");
    let fits = std::cell::Cell::new(true);
    axis.each(x, out, |values| {
        // A factor of 0 makes 0 of whatever came before; without one a product that has left 64 bits does not come back.
        let mut product = 1i128;
        for value in values {
            let value: i128 = value.into();
            product = if value == 0 || product == 0 { 0 } else { (product * value).clamp(-LEFT, LEFT) };
        }
        i64::try_from(product).unwrap_or_else(|_| {
            fits.set(false);
            i64::saturate(product)
        })
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::ReduceProd, out);
    let _ = k;
    fits.get()
}

/// Further from 0 than any number of 64 bits, and so near that a product with one fits 128.
const LEFT: i128 = (1 << 63) + 1;

/// Reduces to the element type.
///
/// # Panics
/// Where the axis is empty or the lengths do not fit together.
pub fn reduce<T: Element>(k: &Kernels, reduction: Reduction, axis: Axis, x: &[T], out: &mut [T]) {
    assert!(axis.count > 0, "nothing has no mean and no extreme");
    assert_eq!(Some(x.len()), out.len().checked_mul(axis.count), "results of another shape");
    let count = i128::try_from(axis.count).expect("a length of this machine");
    match reduction {
        Reduction::Min | Reduction::Max if k.level() != Level::Reference => {
            vectorised(k.level(), Extremes { axis, x, most: reduction == Reduction::Max, out });
        }
        Reduction::Mean if k.level() != Level::Reference && T::DTYPE != DType::I64 && axis.count <= MAX_EXACT => {
            let mut sums = vec![0; out.len()];
            vectorised(k.level(), Sums { axis, x, out: &mut sums });
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = T::saturate(rne_ratio(sum.into(), count));
            }
        }
        _ => axis.each(x, out, |values| match reduction {
            Reduction::Mean => T::saturate(rne_ratio(values.map(|value| Into::<i128>::into(value)).sum(), count)),
            Reduction::Min => values.min().expect("at least one"),
            Reduction::Max => values.max().expect("at least one"),
        }),
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Reduce, out);
    let _ = k;
}

/// `out_i = x_0 + .. + x_i` along the axis, and whether all sums fit 64 bits (saturated where not).
///
/// # Panics
/// Where the lengths differ or do not fit the axis.
#[must_use]
pub fn cumulative_sum<T: Element>(k: &Kernels, axis: Axis, x: &[T], out: &mut [i64]) -> bool {
    assert_eq!(x.len(), out.len(), "results of another shape");
    let Axis { count, inner } = axis;
    let mut fits = true;
    if !x.is_empty() {
        let mut sums = vec![0i128; inner];
        for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(count * inner)) {
            sums.fill(0);
            for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
                for ((x, sum), out) in x.iter().zip(&mut sums).zip(out) {
                    *sum += Into::<i128>::into(*x);
                    *out = i64::saturate(*sum);
                    fits &= i128::from(*out) == *sum;
                }
            }
        }
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::CumulativeSum, out);
    let _ = k;
    fits
}
