//! What the reductions along an axis share.

use super::moved;
use super::storage::slice;
use crate::{
    DType, Kernels, OpError, Plan, Shape, Status, Tensor,
    element::with_element,
    kernel::{self, Axis, Reduction},
    shape::product,
    work,
};

/// Elements outside of an axis, along it, and inside of it.
fn sides(x: &Tensor, axis: u32) -> Result<[u64; 3], Status> {
    let (before, along, behind) = moved::around(x.shape(), axis)?;
    Ok([work::elements(before), along.into(), work::elements(behind)])
}

/// Checks that the axis is there and not empty; it goes. Work as the function of the type, of what is outside of the axis, along it and
/// inside of it says.
pub(super) fn plan(x: &Tensor, axis: u32, work: fn(DType, [u64; 3]) -> u64) -> Result<Plan, Status> {
    let (before, along, behind) = moved::around(x.shape(), axis)?;
    if along == 0 {
        return Err(Status::ShapeMismatch);
    }
    Plan::new(x.dtype(), Shape::new(&[before, behind].concat())?, work(x.dtype(), sides(x, axis)?))
}

/// Checks that the axis is there; it goes. Sums of 64 bits. Work as for [`plan`].
pub(super) fn plan_sum(x: &Tensor, axis: u32, work: fn(DType, [u64; 3]) -> u64) -> Result<Plan, Status> {
    let (before, _, behind) = moved::around(x.shape(), axis)?;
    let shape = Shape::new(&[before, behind].concat())?;
    shape.elements()?;
    Plan::new(DType::I64, shape, work(x.dtype(), sides(x, axis)?))
}

/// The place of an axis.
pub(super) fn place(x: &Tensor, axis: u32) -> Result<Axis, Status> {
    let (_, along, behind) = moved::around(x.shape(), axis)?;
    let length = |length: u64| usize::try_from(length).map_err(|_| Status::LimitExceeded);
    let inner = product(behind).ok_or(Status::LimitExceeded)?;
    Ok(Axis { count: length(u64::from(along))?, inner: length(inner)? })
}

/// Reduces to the element type.
pub(super) fn run(k: &Kernels, plan: &Plan, reduction: Reduction, x: &Tensor, axis: u32) -> Result<Tensor, OpError> {
    let axis = place(x, axis)?;
    moved::one(k, plan, "reduce", x, |context, x, layout| {
        with_element!(context.plan.dtype, T => context.fill(|out: &mut [T]| {
            kernel::reduce(context.kernels, reduction, axis, slice(x, layout)?, out);
            Ok(())
        }))
    })
}

/// Sums that may leave 64 bits, which candle's operations could not say: this works on the slices.
pub(super) fn run_sums(
    plan: &Plan,
    x: &Tensor,
    sum: impl Fn(&Tensor, &mut [i64]) -> Result<bool, OpError>,
) -> Result<Tensor, OpError> {
    let elements = usize::try_from(plan.shape.elements()?).map_err(|_| Status::LimitExceeded)?;
    let mut out = vec![0i64; elements];
    if sum(x, &mut out)? { Tensor::from_vec(plan.shape.clone(), out) } else { Err(Status::Overflow.into()) }
}
