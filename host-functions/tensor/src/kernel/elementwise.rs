//! Element by element, and movement.

use super::vectors::{Vectors, vectorised};
use super::{Kernels, reference, strided::walk};
use crate::{Element, Level};

/// `out = a + b`, saturating.
///
/// # Panics
/// Where the lengths differ.
pub fn add<T: Element>(k: &Kernels, a: &[T], b: &[T], out: &mut [T]) {
    assert!(a.len() == b.len() && b.len() == out.len(), "operands of different shapes");
    sums(k.level(), a, b, out);
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Add, out);
}

/// `out = a + b`, saturating, over the index space `dims`, where an operand moves by its stride for
/// each step along an axis: stride 0 repeats it.
///
/// # Panics
/// Where the slices or strides do not fit `dims`.
pub fn add_broadcast<T: Element>(
    k: &Kernels,
    dims: &[usize],
    (a, a_strides): (&[T], &[usize]),
    (b, b_strides): (&[T], &[usize]),
    out: &mut [T],
) {
    let level = k.level();
    walk(dims, [a_strides, b_strides], out, |out, [at_a, at_b]| {
        sums(level, &a[at_a..at_a + out.len()], &b[at_b..at_b + out.len()], out);
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Add, out);
}

fn sums<T: Element>(level: Level, a: &[T], b: &[T], out: &mut [T]) {
    if level == Level::Reference {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            *out = reference::add(*a, *b);
        }
        return;
    }
    vectorised(level, Sums { a, b, out });
}

struct Sums<'a, T> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Vectors for Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((a, b), out) in self.a.iter().zip(self.b).zip(self.out) {
            *out = a.saturating_add(*b);
        }
    }
}

/// `out = max(x, 0)`.
///
/// # Panics
/// Where the lengths differ.
pub fn relu<T: Element>(k: &Kernels, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    let level = k.level();
    for (x, out) in x.iter().zip(out.iter_mut()) {
        *out = if level == Level::Reference { reference::relu(*x) } else { (*x).max(T::default()) };
    }
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Relu, out);
}

/// Copies the box of `sizes` that begins at `starts` out of `x`, which has the dimensions `from`.
///
/// # Panics
/// Where the box leaves `x`, or a slice has another length.
pub fn copy_box<T: Copy>(x: &[T], from: &[usize], starts: &[usize], sizes: &[usize], out: &mut [T]) {
    assert!(from.len() == starts.len() && from.len() == sizes.len(), "a box of another rank");
    let mut strides = vec![1; from.len()];
    for axis in (1..from.len()).rev() {
        strides[axis - 1] = strides[axis] * from[axis];
    }
    let first: usize = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
    walk(sizes, [&strides], out, |out, [at]| out.copy_from_slice(&x[first + at..first + at + out.len()]));
}
