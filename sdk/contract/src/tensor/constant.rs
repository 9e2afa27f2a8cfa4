//! Tensors whose type and shape the compiler knows.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Deref;

use noema_abi::Status;

use super::{Element, Tensor};
use crate::op;

/// A Rust array that says what a tensor holds: `[T; N]`, `[[T; N]; M]` and so on, up to four axes.
pub trait Elements: Sized {
    /// The type of one element.
    type Element: Element;
    /// The shape, outermost axis first.
    const SHAPE: &'static [u32];
    /// How many elements there are.
    const LEN: usize;
    #[doc(hidden)]
    fn append_all(&self, bytes: &mut Vec<u8>);
    #[doc(hidden)]
    fn take(elements: &mut dyn Iterator<Item = Self::Element>) -> Option<Self>;
}

const fn axis(len: usize) -> u32 {
    assert!(len <= u32::MAX as usize, "an axis has at most 2^32 - 1 places");
    len as u32
}

/// An array whose places are filled in order.
fn filled<T, const N: usize>(mut next: impl FnMut() -> Option<T>) -> Option<[T; N]> {
    let mut items = Vec::with_capacity(N);
    for _ in 0..N {
        items.push(next()?);
    }
    items.try_into().ok()
}

impl<T: Element, const N: usize> Elements for [T; N] {
    type Element = T;
    const SHAPE: &'static [u32] = &[axis(N)];
    const LEN: usize = N;
    fn append_all(&self, bytes: &mut Vec<u8>) {
        self.iter().for_each(|element| element.append(bytes));
    }
    fn take(elements: &mut dyn Iterator<Item = T>) -> Option<[T; N]> {
        filled(|| elements.next())
    }
}

macro_rules! nested {
    ($([$($axes:ident)+])*) => { $(
        impl<T: Element, $(const $axes: usize),+> Elements for nested!(@array T $($axes)+) {
            type Element = T;
            const SHAPE: &'static [u32] = &[$(axis($axes)),+];
            const LEN: usize = 1 $(* $axes)+;
            fn append_all(&self, bytes: &mut Vec<u8>) {
                self.iter().for_each(|inner| inner.append_all(bytes));
            }
            fn take(elements: &mut dyn Iterator<Item = T>) -> Option<Self> {
                filled(|| Elements::take(elements))
            }
        }
    )* };
    (@array $t:ident $a:ident $b:ident) => { [[$t; $b]; $a] };
    (@array $t:ident $a:ident $b:ident $c:ident) => { [[[$t; $c]; $b]; $a] };
    (@array $t:ident $a:ident $b:ident $c:ident $d:ident) => { [[[[$t; $d]; $c]; $b]; $a] };
}
nested! { [A B] [A B C] [A B C D] }

/// A tensor whose type and shape the compiler knows, written as the array that it is: `StaticTensor<[[i8; 30]; 1]>` has one
/// row of 30. Shapes that do not fit do not compile, and cost nothing at run time.
///
/// It is a [`Tensor`] wherever one is wanted, for the opcodes of [`op`]; what comes from those is checked once, by
/// [`StaticTensor::try_from`].
///
/// ```no_run
/// use noema_sdk::{Result, StaticTensor};
///
/// fn layer(row: [[i8; 4]; 1], weights: &StaticTensor<[[i8; 2]; 4]>) -> Result<[[i32; 2]; 1]> {
///     let sums = StaticTensor::of(&row)?.matmul(weights)?;
///     Ok(sums.add(&StaticTensor::of(&[[1, -1]])?)?.relu()?.read()?)
/// }
/// ```
///
/// ```compile_fail
/// use noema_sdk::{Result, StaticTensor};
///
/// fn layer(row: [[i8; 3]; 1], weights: &StaticTensor<[[i8; 2]; 4]>) -> Result<()> {
///     StaticTensor::of(&row)?.matmul(weights)?; // three columns, four rows
///     Ok(())
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct StaticTensor<A> {
    tensor: Tensor,
    elements: PhantomData<fn() -> A>,
}

impl<A> StaticTensor<A> {
    const fn known(tensor: Tensor) -> StaticTensor<A> {
        StaticTensor { tensor, elements: PhantomData }
    }

    /// The tensor, as any other.
    #[must_use]
    pub fn into_tensor(self) -> Tensor {
        self.tensor
    }
}

impl<A: Elements> StaticTensor<A> {
    /// A tensor of these elements.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn of(elements: &A) -> Result<StaticTensor<A>, Status> {
        let mut bytes = Vec::with_capacity(A::LEN * A::Element::DTYPE.size());
        elements.append_all(&mut bytes);
        Tensor::from_le_bytes(A::Element::DTYPE, A::SHAPE, &bytes).map(StaticTensor::known)
    }

    /// Takes over a tensor that has this type and shape.
    ///
    /// # Errors
    /// `TypeMismatch`, `ShapeMismatch`.
    pub fn try_from(tensor: Tensor) -> Result<StaticTensor<A>, Status> {
        if tensor.dtype()? != A::Element::DTYPE {
            return Err(Status::TypeMismatch);
        }
        if tensor.shape()? != A::SHAPE {
            return Err(Status::ShapeMismatch);
        }
        Ok(StaticTensor::known(tensor))
    }

    /// Its elements.
    ///
    /// # Errors
    /// None of the statuses for a tensor that came from this crate.
    pub fn read(&self) -> Result<A, Status> {
        A::take(&mut self.tensor.read()?.into_iter()).ok_or(Status::ShapeMismatch)
    }

    /// The sum, element by element, saturating (`op.add`).
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn add(&self, other: &StaticTensor<A>) -> Result<StaticTensor<A>, Status> {
        op::add(self, other).map(StaticTensor::known)
    }

    /// The difference, element by element, saturating (`op.sub`).
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn sub(&self, other: &StaticTensor<A>) -> Result<StaticTensor<A>, Status> {
        op::sub(self, other).map(StaticTensor::known)
    }

    /// The product, element by element, saturating (`op.mul`).
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn mul(&self, other: &StaticTensor<A>) -> Result<StaticTensor<A>, Status> {
        op::mul(self, other).map(StaticTensor::known)
    }

    /// Zero for what is below zero (`op.relu`).
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn relu(&self) -> Result<StaticTensor<A>, Status> {
        op::relu(self).map(StaticTensor::known)
    }

    /// The same elements under another shape of as many: another number of them does not compile.
    ///
    /// ```compile_fail
    /// # use noema_sdk::{Result, StaticTensor};
    /// fn turned(x: &StaticTensor<[[i8; 3]; 2]>) -> Result<StaticTensor<[i8; 5]>> {
    ///     Ok(x.reshape()?) // six elements, not five
    /// }
    /// # fn main() { let _ = turned as fn(&_) -> _; }
    /// ```
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn reshape<B: Elements<Element = A::Element>>(&self) -> Result<StaticTensor<B>, Status> {
        const { assert!(A::LEN == B::LEN, "a tensor is reshaped to another number of elements") };
        self.tensor.reshape(B::SHAPE).map(StaticTensor::known)
    }
}

impl<T: Element, const M: usize, const N: usize> StaticTensor<[[T; N]; M]> {
    /// The matrix turned over (`op.transpose`).
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn transpose(&self) -> Result<StaticTensor<[[T; M]; N]>, Status> {
        op::transpose(self, &op::dims(&[1, 0])).map(StaticTensor::known)
    }
}

impl<const M: usize, const K: usize> StaticTensor<[[i8; K]; M]> {
    /// The exact product of two matrices of `i8` (`op.matmul`): `[M, K]` by `[K, N]` gives `[M, N]`. So many products fit an `i32`
    /// that `K` may be 131,071; a larger one does not compile.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub fn matmul<const N: usize>(
        &self,
        other: &StaticTensor<[[i8; N]; K]>,
    ) -> Result<StaticTensor<[[i32; N]; M]>, Status> {
        const { assert!(K <= 131_071, "sums of so many products may not fit an i32") };
        op::matmul(self, other).map(StaticTensor::known)
    }
}

impl<A> Deref for StaticTensor<A> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

#[cfg(test)]
mod tests {
    use super::Elements;
    use alloc::vec::Vec;

    #[test]
    fn arrays_say_shape_and_order() {
        type Three = [[[i16; 3]; 2]; 1];
        assert_eq!((<Three as Elements>::SHAPE, <Three as Elements>::LEN), (&[1, 2, 3][..], 6));
        assert_eq!(<[[[[u8; 5]; 4]; 3]; 2] as Elements>::SHAPE, [2, 3, 4, 5]);
        let value: Three = [[[1, 2, 3], [4, 5, -6]]];
        let mut bytes = Vec::new();
        value.append_all(&mut bytes);
        assert_eq!(bytes, [1i16, 2, 3, 4, 5, -6].map(i16::to_le_bytes).concat());
        assert_eq!(Three::take(&mut [1i16, 2, 3, 4, 5, -6].into_iter()), Some(value));
        assert_eq!(Three::take(&mut [1i16, 2, 3].into_iter()), None);
    }
}
