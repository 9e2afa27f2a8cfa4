//! Tensors on candle storage.

use candle_core::Storage;
use noema_abi::{DType, Status};

use crate::{Element, OpError, Shape, element::with_element};

/// A contiguous, row-major tensor of integers. Cloning shares the elements.
///
/// candle holds the elements as one flat axis; the shape stands beside it, because candle's own
/// shapes do not check their products.
///
/// ```
/// use noema_tensor::{DType, Shape, Tensor};
/// let x = Tensor::from_le_bytes(DType::I16, Shape::new(&[2])?, &[1, 0, 0xff, 0xff])?;
/// assert_eq!(x.to_vec::<i16>()?, [1, -1]);
/// assert_eq!(x.to_le_bytes()?, [1, 0, 0xff, 0xff]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tensor {
    values: candle_core::Tensor,
    dtype: DType,
    shape: Shape,
    elements: u64,
}

impl Tensor {
    /// A tensor of little-endian elements in row-major order.
    ///
    /// # Errors
    /// `ShapeMismatch` where the shape and the length of `bytes` disagree.
    pub fn from_le_bytes(dtype: DType, shape: Shape, bytes: &[u8]) -> Result<Tensor, OpError> {
        let elements = shape.elements().map_err(|_| Status::ShapeMismatch)?;
        let expected = usize::try_from(elements).ok().and_then(|elements| elements.checked_mul(dtype.size()));
        if expected != Some(bytes.len()) {
            return Err(Status::ShapeMismatch.into());
        }
        with_element!(dtype, T => Tensor::from_vec(shape, T::read_le(bytes)))
    }

    /// A tensor of these elements in row-major order.
    ///
    /// # Errors
    /// `ShapeMismatch` where the shape and the number of elements disagree.
    pub fn from_vec<T: Element>(shape: Shape, data: Vec<T>) -> Result<Tensor, OpError> {
        let elements = shape.elements().map_err(|_| Status::ShapeMismatch)?;
        if usize::try_from(elements) != Ok(data.len()) {
            return Err(Status::ShapeMismatch.into());
        }
        let flat = data.len();
        let values = candle_core::Tensor::from_storage(
            Storage::Cpu(T::into_storage(data)),
            flat,
            candle_core::op::BackpropOp::none(),
            false,
        );
        Ok(Tensor { values, dtype: T::DTYPE, shape, elements })
    }

    /// The elements as little-endian bytes.
    ///
    /// # Errors
    /// [`OpError::Node`] where candle cannot hand them over.
    pub fn to_le_bytes(&self) -> Result<Vec<u8>, OpError> {
        with_element!(self.dtype, T => self.read(|values: &[T]| T::write_le(values)))
    }

    /// The first `limit` of those bytes, or all of them where there are fewer; what is beyond them is
    /// not touched.
    ///
    /// # Errors
    /// [`OpError::Node`] where candle cannot hand them over.
    pub fn first_le_bytes(&self, limit: usize) -> Result<Vec<u8>, OpError> {
        let elements = limit.div_ceil(self.dtype.size());
        let mut bytes = with_element!(self.dtype, T => {
            self.read(|values: &[T]| T::write_le(&values[..elements.min(values.len())]))
        })?;
        bytes.truncate(limit);
        Ok(bytes)
    }

    /// The elements.
    ///
    /// # Errors
    /// `TypeMismatch` where the tensor holds another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, OpError> {
        self.read(<[T]>::to_vec)
    }

    /// Calls `f` with the elements, in row-major order, without copying them.
    ///
    /// # Errors
    /// `TypeMismatch` where the tensor holds another type.
    pub fn read<T: Element, R>(&self, f: impl FnOnce(&[T]) -> R) -> Result<R, OpError> {
        if T::DTYPE != self.dtype {
            return Err(Status::TypeMismatch.into());
        }
        let (storage, layout) = self.values.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok(f(crate::element::slice(storage, layout)?)),
            _ => Err(OpError::Node("a tensor on a device without a way back".to_owned())),
        }
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many elements.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Bytes of the elements.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.elements.saturating_mul(u64::try_from(self.dtype.size()).unwrap_or(u64::MAX))
    }

    /// candle's flat tensor.
    pub(crate) fn flat(&self) -> &candle_core::Tensor {
        &self.values
    }

    /// The same elements under another shape with as many of them.
    ///
    /// # Errors
    /// `ShapeMismatch`.
    pub fn reshape(&self, shape: Shape) -> Result<Tensor, Status> {
        if shape.elements() != Ok(self.elements) {
            return Err(Status::ShapeMismatch);
        }
        Ok(Tensor { values: self.values.clone(), dtype: self.dtype, shape, elements: self.elements })
    }

    /// What a candle operation gave back, under the shape that was planned for it.
    pub(crate) fn from_flat(values: candle_core::Tensor, dtype: DType, shape: Shape) -> Result<Tensor, OpError> {
        let elements = shape.elements()?;
        if usize::try_from(elements) != Ok(values.elem_count()) {
            return Err(OpError::Node(format!("an operation gave {} elements for {shape:?}", values.elem_count())));
        }
        Ok(Tensor { values, dtype, shape, elements })
    }
}

#[cfg(test)]
mod tests {
    use super::{DType, OpError, Shape, Status, Tensor};

    #[test]
    fn bytes_and_shapes_must_agree() {
        for dtype in DType::ALL {
            let shape = Shape::new(&[2, 0]).unwrap();
            assert_eq!(Tensor::from_le_bytes(dtype, shape, &[]).unwrap().byte_len(), 0);
            let bytes: Vec<u8> = (0..2 * dtype.size()).map(|i| u8::try_from(i * 37 % 256).unwrap()).collect();
            let x = Tensor::from_le_bytes(dtype, Shape::new(&[1, 2]).unwrap(), &bytes).unwrap();
            assert_eq!(x.to_le_bytes().unwrap(), bytes);
            for limit in 0..=bytes.len() + 1 {
                assert_eq!(x.first_le_bytes(limit).unwrap(), bytes[..limit.min(bytes.len())]);
            }
            let short = Tensor::from_le_bytes(dtype, Shape::new(&[3]).unwrap(), &bytes);
            assert!(matches!(short, Err(OpError::Status(Status::ShapeMismatch))));
            let bomb = Tensor::from_le_bytes(dtype, Shape::new(&[u32::MAX; 3]).unwrap(), &bytes);
            assert!(matches!(bomb, Err(OpError::Status(Status::ShapeMismatch))));
        }
    }

    #[test]
    fn i8_keeps_its_sign_in_candles_bytes() {
        let x = Tensor::from_vec(Shape::new(&[3]).unwrap(), vec![-128i8, -1, 127]).unwrap();
        assert_eq!(x.flat().to_vec1::<u8>().unwrap(), [128, 255, 127]);
        assert_eq!(x.to_vec::<i8>().unwrap(), [-128, -1, 127]);
        assert!(matches!(x.to_vec::<u8>(), Err(OpError::Status(Status::TypeMismatch))));
    }

    #[test]
    fn reshape_shares_the_elements() {
        let x = Tensor::from_vec(Shape::new(&[2, 3]).unwrap(), vec![1i32, 2, 3, 4, 5, 6]).unwrap();
        let y = x.reshape(Shape::new(&[3, 1, 2]).unwrap()).unwrap();
        assert_eq!(x.flat().id(), y.flat().id());
        assert_eq!(x.reshape(Shape::new(&[4]).unwrap()).unwrap_err(), Status::ShapeMismatch);
    }
}
