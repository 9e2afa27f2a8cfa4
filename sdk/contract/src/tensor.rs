//! Tensors: handles to memory of the host.

mod constant;

use alloc::vec;
use alloc::vec::Vec;

use noema_abi::limits::MAX_RANK;
use noema_abi::{DType, Status};

pub use constant::{Elements, StaticTensor};

use crate::env::length;
use crate::{op, sys};

/// A tensor of the running call. Its elements live with the host; dropping it frees them, and so
/// does the end of the call.
///
/// The methods here are conveniences; [`op`] holds every opcode.
#[derive(Debug, PartialEq, Eq)]
pub struct Tensor {
    handle: u32,
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is an element type of tensors.
pub trait Element: Copy + sealed::Sealed {
    /// The element type.
    const DTYPE: DType;
    #[doc(hidden)]
    fn append(self, bytes: &mut Vec<u8>);
    #[doc(hidden)]
    fn read_all(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! elements {
    ($($rust:ident => $dtype:ident),*) => { $(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const DTYPE: DType = DType::$dtype;
            #[inline]
            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn read_all(bytes: &[u8]) -> Vec<$rust> {
                bytes.as_chunks().0.iter().map(|chunk| $rust::from_le_bytes(*chunk)).collect()
            }
        }
    )* };
}
elements!(i8 => I8, u8 => U8, i16 => I16, i32 => I32, i64 => I64);

impl Tensor {
    /// A tensor of these elements in row-major order.
    ///
    /// # Errors
    /// `ShapeMismatch` where shape and data disagree or the rank passes the limit, `LimitExceeded`.
    pub fn from_slice<T: Element>(shape: &[u32], data: &[T]) -> Result<Tensor, Status> {
        let mut bytes = Vec::with_capacity(core::mem::size_of_val(data));
        for element in data {
            element.append(&mut bytes);
        }
        Tensor::from_le_bytes(T::DTYPE, shape, &bytes)
    }

    /// A tensor of little-endian elements in row-major order.
    ///
    /// # Errors
    /// As [`Tensor::from_slice`].
    pub fn from_le_bytes(dtype: DType, shape: &[u32], data: &[u8]) -> Result<Tensor, Status> {
        sys::tensor::create(dtype.code(), &op::dims(shape), data).map(Tensor::from_handle)
    }

    /// Its elements in row-major order.
    ///
    /// # Errors
    /// `TypeMismatch` where `T` is not its element type.
    pub fn read<T: Element>(&self) -> Result<Vec<T>, Status> {
        if self.dtype()? != T::DTYPE {
            return Err(Status::TypeMismatch);
        }
        Ok(T::read_all(&self.to_le_bytes()?))
    }

    /// Its little-endian elements in row-major order.
    ///
    /// # Errors
    /// `LimitExceeded` for more bytes than a contract can address.
    pub fn to_le_bytes(&self) -> Result<Vec<u8>, Status> {
        let elements =
            self.shape()?.iter().try_fold(1usize, |product, dim| product.checked_mul(length(u64::from(*dim))));
        let bytes = elements.and_then(|elements| elements.checked_mul(self.dtype().ok()?.size()));
        let mut buffer = vec![0; bytes.ok_or(Status::LimitExceeded)?];
        let len = length(sys::tensor::read(self.handle, &mut buffer)?);
        buffer.truncate(len);
        Ok(buffer)
    }

    /// Its element type.
    ///
    /// # Errors
    /// None of the statuses for a handle that came from this crate.
    pub fn dtype(&self) -> Result<DType, Status> {
        let code = sys::tensor::dtype(self.handle)?;
        u32::try_from(code).ok().and_then(DType::from_code).ok_or(Status::TypeMismatch)
    }

    /// Its shape, outermost axis first.
    ///
    /// # Errors
    /// None of the statuses for a handle that came from this crate.
    pub fn shape(&self) -> Result<Vec<u32>, Status> {
        let mut bytes = [0; 4 * MAX_RANK];
        let len = length(sys::tensor::shape(self.handle, &mut bytes)?);
        let bytes = bytes.get(..len).ok_or(Status::ShapeMismatch)?;
        Ok(bytes.as_chunks().0.iter().map(|dim| u32::from_le_bytes(*dim)).collect())
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// `ShapeMismatch`.
    pub fn reshape(&self, shape: &[u32]) -> Result<Tensor, Status> {
        op::reshape(self, &op::dims(shape))
    }

    /// The box of `sizes` that begins at `starts`, one number for each axis.
    ///
    /// # Errors
    /// `ShapeMismatch`, `IndexOutOfRange`.
    pub fn slice(&self, starts: &[u32], sizes: &[u32]) -> Result<Tensor, Status> {
        op::slice(self, &op::dims(starts), &op::dims(sizes))
    }

    /// The number that the host knows it by.
    #[must_use]
    pub const fn handle(&self) -> u32 {
        self.handle
    }

    /// Takes over a handle that a function of [`sys`] returned.
    #[must_use]
    pub const fn from_handle(handle: u32) -> Tensor {
        Tensor { handle }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // A handle made up with `from_handle` may be unknown to the host: nothing to free then.
        let _ = sys::tensor::drop(self.handle);
    }
}
