//! `start + i * step` for each `i` below `count`, of the element type `dtype`.

use crate::{
    DType, Element, Kernels, OpError, Plan, Shape, Status, Tensor, element::with_element, ops::storage::filled,
};

/// Checks the type and the numbers. Work: elements of the result.
///
/// # Errors
/// `TypeMismatch` for an unknown `dtype`; `Overflow` where an element is not in its range.
pub fn plan(start: i64, step: i64, count: u32, dtype: u32) -> Result<Plan, Status> {
    let dtype = DType::from_code(dtype).ok_or(Status::TypeMismatch)?;
    if let Some(steps) = count.checked_sub(1) {
        // At most 2^63 + 2^63 * 2^32.
        let last = i128::from(start) + i128::from(step) * i128::from(steps);
        let range = i128::from(dtype.min())..=i128::from(dtype.max());
        if !range.contains(&i128::from(start)) || !range.contains(&last) {
            return Err(Status::Overflow);
        }
    }
    Plan::new(dtype, Shape::new(&[count])?, count.into())
}

/// Computes.
///
/// # Errors
/// None of its own.
pub fn run(_k: &Kernels, plan: &Plan, start: i64, step: i64, _count: u32, _dtype: u32) -> Result<Tensor, OpError> {
    with_element!(plan.dtype, T => filled(plan, |out: &mut [T]| {
        let mut value = start;
        for out in out {
            *out = T::saturate_i64(value);
            // Behind the last one it is not needed any more.
            value = value.saturating_add(step);
        }
    }))
}
