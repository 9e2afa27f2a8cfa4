//! Element by element, and movement.

use super::vectors::{Vectors, vectorised};
use super::{Binary, Kernels, Operand, binary::binary, movement::copy_strided, reference};
use crate::{Element, Level};

/// `out = a + b`, saturating.
///
/// # Panics
/// Where the lengths differ.
pub fn add<T: Element>(k: &Kernels, a: &[T], b: &[T], out: &mut [T]) {
    assert!(a.len() == b.len() && b.len() == out.len(), "operands of different shapes");
    let (dims, strides) = ([out.len()], [1]);
    let side = |values| Operand { values, strides: &strides };
    binary(k, Binary::Add, &dims, side(a), side(b), out);
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
    let (a, b) = (Operand { values: a, strides: a_strides }, Operand { values: b, strides: b_strides });
    binary(k, Binary::Add, dims, a, b, out);
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Add, out);
}

/// `out = max(x, 0)`.
///
/// # Panics
/// Where the lengths differ.
pub fn relu<T: Element>(k: &Kernels, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    let level = k.level();
    // An element costs about as much as one multiplication of a product for each byte.
    k.split_rows((x, 1), (&mut *out, 1), size_of::<T>(), |x, out| {
        if level == Level::Reference {
            x.iter().zip(out).for_each(|(x, out)| *out = reference::relu(*x));
        } else {
            vectorised(level, Positive { x, out });
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Relu, out);
}

struct Positive<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Vectors for Positive<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (x, out) in self.x.iter().zip(self.out) {
            *out = (*x).max(T::default());
        }
    }
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
    copy_strided(x, first, &strides, sizes, out);
}
