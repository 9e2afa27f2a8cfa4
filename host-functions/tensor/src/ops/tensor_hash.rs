//! The hash of a tensor: Keccak-256 of its canonical bytes, as 32 elements of `u8`.
//!
//! ```text
//! "noema.tensor.v1"                        15 bytes
//! code of the element type, rank           a little-endian u32 each
//! axes                                     a little-endian u32 each
//! elements                                 little-endian, in row-major order
//! ```

use tiny_keccak::{Hasher, Keccak};

use crate::{
    DType, Element, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, ops::storage::filled,
};

/// What the hashed bytes begin with.
const TAG: &[u8] = b"noema.tensor.v1";

/// Elements that are written out at a time.
const BLOCK: usize = 4096;

/// Takes any tensor. Work: bytes of its elements.
///
/// # Errors
/// None of its own.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    Plan::new(DType::U8, Shape::new(&[32])?, x.byte_len())
}

/// Hashes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(_k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    let mut keccak = Keccak::v256();
    let rank = u32::try_from(x.shape().rank()).map_err(|_| Status::LimitExceeded)?;
    for part in [TAG, &x.dtype().code().to_le_bytes(), &rank.to_le_bytes(), &x.shape().to_le_bytes()] {
        keccak.update(part);
    }
    with_element!(x.dtype(), T => x.read(|values: &[T]| {
        values.chunks(BLOCK).for_each(|values| keccak.update(&T::write_le(values)));
    }))?;
    filled(plan, |out: &mut [u8]| keccak.finalize(out))
}
