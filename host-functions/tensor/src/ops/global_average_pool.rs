//! `rne(sum / count)` of all elements of each channel, of the element type of `x`: `x` is `[n, .., c]` with anything between
//! images and channels, the result is `[n, 1, .., c]`. One rounding of the exact mean.

use super::{moved, storage::slice};
use crate::{
    Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Axis, Reduction},
    shape::product,
    work,
};

/// Checks the shape. Work: as for `reduce_mean` of all places of an image.
///
/// # Errors
/// `ShapeMismatch` where `x` has fewer than three axes, or nothing to take the mean of; `LimitExceeded` where that cannot be
/// counted.
pub fn plan(x: &Tensor) -> Result<Plan, Status> {
    let [images, between @ .., channels] = x.shape().dims() else { return Err(Status::ShapeMismatch) };
    if between.is_empty() || between.contains(&0) {
        return Err(Status::ShapeMismatch);
    }
    let places = product(between).ok_or(Status::LimitExceeded)?;
    let mut dims = vec![1; x.shape().rank()];
    (dims[0], dims[between.len() + 1]) = (*images, *channels);
    let shape = Shape::new(&dims)?;
    shape.elements()?;
    let work = work::reduce_mean(x.dtype(), [(*images).into(), places, (*channels).into()]);
    Plan::new(x.dtype(), shape, work)
}

/// Computes.
///
/// # Errors
/// [`OpError::Node`] where candle fails.
pub fn run(k: &Kernels, plan: &Plan, x: &Tensor) -> Result<Tensor, OpError> {
    let [_, between @ .., channels] = x.shape().dims() else { return Err(Status::ShapeMismatch.into()) };
    let length = |length: Option<u64>| length.and_then(|length| usize::try_from(length).ok());
    let count = length(product(between)).ok_or(Status::LimitExceeded)?;
    let inner = length(Some(u64::from(*channels))).ok_or(Status::LimitExceeded)?;
    moved::one(k, plan, "global_average_pool", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::reduce(context.kernels, Reduction::Mean, Axis { count, inner }, slice(x, layout)?, out);
            Ok(())
        }))
    })
}
