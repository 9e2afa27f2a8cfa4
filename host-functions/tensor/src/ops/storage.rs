//! Between candle's operations and slices.

use candle_core::{CpuStorage, Layout, Result};

use crate::{Element, Kernels, OpError, Plan, Shape, Status, Tensor};

/// What every operation carries: where to compute, and what was planned.
pub(super) struct Context<'a> {
    pub(super) kernels: &'a Kernels,
    pub(super) plan: &'a Plan,
}

/// Storage and shape of a result.
pub(super) type Fresh = (CpuStorage, candle_core::Shape);

/// The elements of an argument.
pub(super) fn slice<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    crate::element::slice(storage, layout)
}

/// The dimensions as lengths of this machine.
pub(super) fn sizes(shape: &Shape) -> Result<Vec<usize>> {
    shape.dims().iter().map(|dim| usize::try_from(*dim).map_err(candle_core::Error::wrap)).collect()
}

impl Context<'_> {
    /// Zeros for every element of the result, filled in by `fill`.
    pub(super) fn fill<T: Element>(&self, fill: impl FnOnce(&mut [T]) -> Result<()>) -> Result<Fresh> {
        let elements = self.plan.shape.elements().map_err(candle_core::Error::wrap)?;
        let mut out = vec![T::default(); usize::try_from(elements).map_err(candle_core::Error::wrap)?];
        fill(&mut out)?;
        let flat = out.len();
        Ok((T::into_storage(out), flat.into()))
    }
}

/// A result without an operand that candle could be given: zeros, filled in by `fill`.
pub(super) fn filled<T: Element>(plan: &Plan, fill: impl FnOnce(&mut [T])) -> std::result::Result<Tensor, OpError> {
    let elements = usize::try_from(plan.shape.elements()?).map_err(|_| Status::LimitExceeded)?;
    let mut out = vec![T::default(); elements];
    fill(&mut out);
    Tensor::from_vec(plan.shape.clone(), out)
}
