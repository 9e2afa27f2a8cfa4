//! Exact reductions along an axis. A tensor is `[outer][count][inner]`, and the axis of `count` goes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::vectors::{Vectors, lower, vectorised};
use super::{Kernels, reference::rne_ratio, round::rne_div};
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
    let fits = AtomicBool::new(true);
    let level = k.level();
    split(k, axis, x, out, |x, out| {
        if level == Level::Reference || axis.count > MAX_EXACT {
            axis.each(x, out, |values| {
                let sum: i128 = values.map(|value| Into::<i128>::into(value)).sum();
                saturated(sum, &fits)
            });
        } else if T::DTYPE == DType::I64 {
            vectorised(level, WideSums { axis, x, out, finish: |sum| saturated(sum, &fits) });
        } else {
            vectorised(level, Sums { axis, x, out });
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::ReduceSum, out);
    fits.into_inner()
}

/// The nearest number of 64 bits, and whether it is the same.
#[inline]
fn saturated(sum: i128, fits: &AtomicBool) -> i64 {
    i64::try_from(sum).unwrap_or_else(|_| {
        // Whoever reads it has waited for all.
        fits.store(false, Ordering::Relaxed);
        i64::saturate(sum)
    })
}

/// Calls `f` with blocks of `x` and their results.
fn split<T: Element, Y: Send>(k: &Kernels, axis: Axis, x: &[T], out: &mut [Y], f: impl Fn(&[T], &mut [Y]) + Sync) {
    let Axis { count, inner } = axis;
    if count == 0 || out.is_empty() {
        return f(x, out);
    }
    // An element costs about as much as two multiplications of a product for each byte.
    let work = (count * inner).saturating_mul(2 * size_of::<T>());
    k.split_rows((x, count * inner), (out, inner), work, f);
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

/// Sums of at most [`MAX_EXACT`] numbers of 64 bits, in two halves of 32: those above have 63 bits with their sign, those below 63.
struct WideSums<'a, T, Y, F> {
    axis: Axis,
    x: &'a [T],
    out: &'a mut [Y],
    finish: F,
}

impl<T: Element, Y, F: Fn(i128) -> Y> Vectors for WideSums<'_, T, Y, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let WideSums { axis: Axis { count, inner }, x, out, finish } = self;
        let whole = |above: i64, below: u64| (i128::from(above) << 32) + i128::from(below);
        if out.is_empty() {
            return;
        }
        if count == 0 {
            return out.iter_mut().for_each(|out| *out = finish(0));
        }
        if inner == 1 {
            for (row, out) in x.chunks_exact(count).zip(out) {
                let (mut above, mut below) = (0i64, 0u64);
                for x in row {
                    let x: i64 = (*x).into();
                    above = above.wrapping_add(x >> 32);
                    below = below.wrapping_add(lower(x.cast_unsigned()));
                }
                *out = finish(whole(above, below));
            }
            return;
        }
        let (mut above, mut below) = (vec![0i64; inner], vec![0u64; inner]);
        for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(inner)) {
            above.fill(0);
            below.fill(0);
            for row in x.chunks_exact(inner) {
                for ((x, above), below) in row.iter().zip(&mut above).zip(&mut below) {
                    let x: i64 = (*x).into();
                    *above = above.wrapping_add(x >> 32);
                    *below = below.wrapping_add(lower(x.cast_unsigned()));
                }
            }
            for ((above, below), out) in above.iter().zip(&below).zip(out) {
                *out = finish(whole(*above, *below));
            }
        }
    }
}

/// `rne(sum / count)`.
#[inline]
pub(super) fn mean<T: Element>(sum: i128, count: u64) -> T {
    match i64::try_from(sum) {
        Ok(sum) => {
            let quotient = rne_div(sum.unsigned_abs(), count).cast_signed();
            T::saturate_i64(if sum < 0 { quotient.wrapping_neg() } else { quotient })
        }
        Err(_) => T::saturate(rne_ratio(sum, count.into())),
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
    let fits = AtomicBool::new(true);
    let level = k.level();
    split(k, axis, x, out, |x, out| {
        if level == Level::Reference {
            axis.each(x, out, |values| {
                // A factor of 0 makes 0 of whatever came before; without one a product that has left 64 bits does not come back.
                let mut product = 1i128;
                for value in values {
                    let value: i128 = value.into();
                    product = if value == 0 || product == 0 { 0 } else { (product * value).clamp(-LEFT, LEFT) };
                }
                saturated(product, &fits)
            });
        } else if !products(axis, x, out) {
            // Whoever reads it has waited for all.
            fits.store(false, Ordering::Relaxed);
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::ReduceProd, out);
    fits.into_inner()
}

/// A product by its sign and how far from 0 it is: at most as far as 64 bits without a sign say, further than any number of 64 bits with
/// one. So far off only a factor of 0 brings it back, and in which order factors come does not matter. Nothing branches, as numbers that nobody
/// foresees decide.
#[derive(Clone, Copy)]
struct Product {
    distance: u64,
    is_negative: bool,
}

impl Product {
    const ONE: Product = Product { distance: 1, is_negative: false };

    #[inline(always)]
    fn times(self, distance: u64, is_negative: bool) -> Product {
        Product { distance: self.distance.saturating_mul(distance), is_negative: self.is_negative ^ is_negative }
    }

    #[inline(always)]
    fn times_element<T: Element>(self, x: T) -> Product {
        let x: i64 = x.into();
        self.times(x.unsigned_abs(), x < 0)
    }

    /// The nearest number of 64 bits, and whether it is the same.
    fn nearest(self) -> (i64, bool) {
        let Product { distance, is_negative } = self;
        let inside = if is_negative { 0_i64.checked_sub_unsigned(distance) } else { i64::try_from(distance).ok() };
        (inside.unwrap_or(if is_negative { i64::MIN } else { i64::MAX }), inside.is_some())
    }
}

/// The same in 64 bits.
fn products<T: Element>(Axis { count, inner }: Axis, x: &[T], out: &mut [i64]) -> bool {
    /// Products of one row that do not wait for each other.
    const SEVERAL: usize = 4;
    /// Products beside each other that are kept while rows go by.
    const COLUMNS: usize = 512;
    if count == 0 || out.is_empty() {
        out.fill(1);
        return true;
    }
    let mut fits = true;
    if inner == 1 {
        for (x, out) in x.chunks_exact(count).zip(out) {
            let (several, rest) = x.as_chunks::<SEVERAL>();
            let mut partial = [Product::ONE; SEVERAL];
            for several in several {
                for (partial, x) in partial.iter_mut().zip(several) {
                    *partial = partial.times_element(*x);
                }
            }
            let of_rest = rest.iter().fold(Product::ONE, |product, x| product.times_element(*x));
            let all = partial.iter().fold(of_rest, |all, one| all.times(one.distance, one.is_negative));
            let (nearest, is_inside) = all.nearest();
            *out = nearest;
            fits &= is_inside;
        }
        return fits;
    }
    let mut kept = [Product::ONE; COLUMNS];
    for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(inner)) {
        for (first, out) in (0..).step_by(COLUMNS).zip(out.chunks_mut(COLUMNS)) {
            let products = &mut kept[..out.len()];
            products.fill(Product::ONE);
            for row in x.chunks_exact(inner) {
                for (x, product) in row[first..].iter().zip(&mut *products) {
                    *product = product.times_element(*x);
                }
            }
            for (product, out) in products.iter().zip(out) {
                let (nearest, is_inside) = product.nearest();
                *out = nearest;
                fits &= is_inside;
            }
        }
    }
    fits
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
    let (level, count) = (k.level(), u64::try_from(axis.count).expect("a length of this machine"));
    split(k, axis, x, out, |x, out| match reduction {
        Reduction::Min | Reduction::Max if level != Level::Reference => {
            vectorised(level, Extremes { axis, x, most: reduction == Reduction::Max, out });
        }
        Reduction::Mean if level != Level::Reference && axis.count <= MAX_EXACT && T::DTYPE == DType::I64 => {
            vectorised(level, WideSums { axis, x, out, finish: |sum| mean(sum, count) });
        }
        Reduction::Mean if level != Level::Reference && axis.count <= MAX_EXACT => {
            let mut sums = vec![0; out.len()];
            vectorised(level, Sums { axis, x, out: &mut sums });
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = mean(sum.into(), count);
            }
        }
        _ => axis.each(x, out, |values| match reduction {
            Reduction::Mean => {
                T::saturate(rne_ratio(values.map(|value| Into::<i128>::into(value)).sum(), count.into()))
            }
            Reduction::Min => values.min().expect("at least one"),
            Reduction::Max => values.max().expect("at least one"),
        }),
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Reduce, out);
}

/// `out_i = x_0 + .. + x_i` along the axis, and whether all sums fit 64 bits (saturated where not).
///
/// # Panics
/// Where the lengths differ or do not fit the axis.
#[must_use]
pub fn cumulative_sum<T: Element>(k: &Kernels, axis: Axis, x: &[T], out: &mut [i64]) -> bool {
    assert_eq!(x.len(), out.len(), "results of another shape");
    if x.is_empty() {
        return true;
    }
    let fits = if k.level() == Level::Reference {
        false
    } else if T::DTYPE != DType::I64 && axis.count <= MAX_EXACT {
        running(axis, x, out, 0i64, |sum, x| {
            let sum = sum.wrapping_add(x);
            (sum, sum, true)
        })
    } else {
        running(axis, x, out, 0i64, |sum, x| {
            let (sum, leaves) = sum.overflowing_add(x);
            (sum, sum, !leaves)
        })
    };
    // Where a sum leaves 64 bits, once more in 128.
    let fits = fits
        || running(axis, x, out, 0i128, |sum, x| {
            let sum = sum + i128::from(x);
            let near = i64::saturate(sum);
            (sum, near, i128::from(near) == sum)
        });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::CumulativeSum, out);
    fits
}

/// Sums along the axis, by a function that adds an element to one, gives it out, and says whether that is what it is.
#[inline(always)]
fn running<T: Element, S: Copy>(
    Axis { count, inner }: Axis,
    x: &[T],
    out: &mut [i64],
    zero: S,
    add: impl Fn(S, i64) -> (S, i64, bool),
) -> bool {
    let mut all = true;
    if count == 1 {
        x.iter().zip(out).for_each(|(x, out)| *out = (*x).into());
        return true;
    }
    let mut sums = vec![zero; inner];
    for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(count * inner)) {
        if inner == 1 {
            let mut sum = zero;
            for (x, out) in x.iter().zip(out) {
                let fits;
                (sum, *out, fits) = add(sum, (*x).into());
                all &= fits;
            }
            continue;
        }
        sums.fill(zero);
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
            for ((x, sum), out) in x.iter().zip(&mut sums).zip(out) {
                let fits;
                (*sum, *out, fits) = add(*sum, (*x).into());
                all &= fits;
            }
        }
    }
    all
}
