//! `sat(on)` where the place along a new last axis of `depth` is that of the index, `sat(off)` elsewhere, of the element type `dtype`.

use crate::{
    DType, Element, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, ops::storage::filled, work,
};

/// Checks types and shapes. Work: bytes of the result, and 64 for each index.
///
/// # Errors
/// `TypeMismatch` for indices that are not `i32` and for an unknown `dtype`; `ShapeMismatch` where the result has too many axes;
/// `LimitExceeded` where its size cannot be counted.
pub fn plan(indices: &Tensor, depth: u32, on: i64, off: i64, dtype: u32) -> Result<Plan, Status> {
    let _any = (on, off);
    let dtype = DType::from_code(dtype).filter(|_| indices.dtype() == DType::I32).ok_or(Status::TypeMismatch)?;
    let shape = Shape::new(&[indices.shape().dims(), &[depth]].concat())?;
    let work = work::gather(dtype, shape.elements()?, 0, indices.elements());
    Plan::new(dtype, shape, work)
}

/// Computes.
///
/// # Errors
/// `IndexOutOfRange` for an index below 0 or not below `depth`.
pub fn run(
    _k: &Kernels,
    plan: &Plan,
    indices: &Tensor,
    depth: u32,
    on: i64,
    off: i64,
    _dtype: u32,
) -> Result<Tensor, OpError> {
    let depth = usize::try_from(depth).map_err(|_| Status::LimitExceeded)?;
    let places = super::moved::places(indices, depth)?;
    with_element!(plan.dtype, T => filled(plan, |out: &mut [T]| {
        out.fill(T::saturate_i64(off));
        // Without an element there is no index either, as every index is below the depth.
        for (place, out) in places.iter().zip(out.chunks_exact_mut(depth.max(1))) {
            out[*place] = T::saturate_i64(on);
        }
    }))
}
