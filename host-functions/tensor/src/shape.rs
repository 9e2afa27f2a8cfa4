//! Shapes.

use arrayvec::ArrayVec;
use noema_abi::{Status, limits::MAX_RANK};

/// Up to [`MAX_RANK`] dimensions; a dimension may be zero, and no dimensions at all is a single
/// element.
///
/// ```
/// use noema_tensor::{Shape, Status};
/// let shape = Shape::new(&[2, 3])?;
/// assert_eq!((shape.rank(), shape.elements()?), (2, 6));
/// assert_eq!(Shape::new(&[1; 9]), Err(Status::ShapeMismatch));
/// # Ok::<(), Status>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Shape(ArrayVec<u32, MAX_RANK>);

impl Shape {
    /// The shape with these dimensions, outermost first.
    ///
    /// # Errors
    /// `ShapeMismatch` where the rank passes [`MAX_RANK`].
    pub fn new(dims: &[u32]) -> Result<Shape, Status> {
        ArrayVec::try_from(dims).map(Shape).map_err(|_| Status::ShapeMismatch)
    }

    /// The shape a contract wrote: a little-endian `u32` for each dimension.
    ///
    /// # Errors
    /// `ShapeMismatch` where the bytes are not whole numbers, or more than [`MAX_RANK`].
    pub fn from_le_bytes(bytes: &[u8]) -> Result<Shape, Status> {
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() || words.len() > MAX_RANK {
            return Err(Status::ShapeMismatch);
        }
        Ok(Shape(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
    }

    /// The form that [`Shape::from_le_bytes`] reads.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|dim| dim.to_le_bytes()).collect()
    }

    /// The dimensions, outermost first.
    #[must_use]
    pub fn dims(&self) -> &[u32] {
        &self.0
    }

    /// How many dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The product of the dimensions: zero where one is zero, whatever the others are.
    ///
    /// # Errors
    /// `LimitExceeded` where it does not fit 64 bits.
    pub fn elements(&self) -> Result<u64, Status> {
        product(&self.0).ok_or(Status::LimitExceeded)
    }

    /// The last dimension and the product of the others.
    ///
    /// # Errors
    /// `ShapeMismatch` without a dimension, `LimitExceeded` where the product does not fit 64 bits.
    pub(crate) fn split_last(&self) -> Result<(u64, u32), Status> {
        let (last, outer) = self.0.split_last().ok_or(Status::ShapeMismatch)?;
        Ok((product(outer).ok_or(Status::LimitExceeded)?, *last))
    }
}

/// The product of dimensions, if it fits.
pub(crate) fn product(dims: &[u32]) -> Option<u64> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter().try_fold(1u64, |product, dim| product.checked_mul(u64::from(*dim)))
}

#[cfg(test)]
mod tests {
    use super::{Shape, Status};

    #[test]
    fn elements_of_odd_shapes() {
        let huge = u32::MAX;
        assert_eq!(Shape::default().elements(), Ok(1));
        assert_eq!(Shape::new(&[huge, huge, huge, 0]).unwrap().elements(), Ok(0));
        assert_eq!(Shape::new(&[huge, huge]).unwrap().elements(), Ok(u64::from(huge) * u64::from(huge)));
        assert_eq!(Shape::new(&[huge, huge, 2]).unwrap().elements(), Err(Status::LimitExceeded));
        assert_eq!(Shape::default().split_last(), Err(Status::ShapeMismatch));
        assert_eq!(Shape::new(&[7]).unwrap().split_last(), Ok((1, 7)));
    }

    #[test]
    fn bytes_round_trip() {
        let shape = Shape::new(&[1, 0x0203_0405]).unwrap();
        assert_eq!(shape.to_le_bytes(), [1, 0, 0, 0, 5, 4, 3, 2]);
        assert_eq!(Shape::from_le_bytes(&shape.to_le_bytes()), Ok(shape));
        assert_eq!(Shape::from_le_bytes(&[0; 5]), Err(Status::ShapeMismatch));
        assert_eq!(Shape::from_le_bytes(&[0; 36]), Err(Status::ShapeMismatch));
    }
}
