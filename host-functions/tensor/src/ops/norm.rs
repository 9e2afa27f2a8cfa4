//! What the two norms share.

use candle_core::{CpuStorage, Layout};

use super::storage::{Context, Fresh, slice};
use crate::{
    DType, Element, OpError, Plan, Status, Tensor,
    kernel::{self, MAX_NORM_ROW, MAX_NORM_SHIFT, Norm},
    program::Operation,
    work,
};

/// Checks everything that a norm has; `parameters` are its gain and bias.
pub(super) fn plan(x: &Tensor, parameters: &[&Tensor], shift: u32, dtype: u32) -> Result<Plan, Status> {
    let dtype = DType::from_code(dtype).filter(|dtype| is_signed(*dtype)).ok_or(Status::TypeMismatch)?;
    if !is_signed(x.dtype()) || parameters.iter().any(|tensor| tensor.dtype() != DType::I32) {
        return Err(Status::TypeMismatch);
    }
    let (_, row) = x.shape().split_last()?;
    if row == 0 || usize::try_from(row).is_ok_and(|row| row > MAX_NORM_ROW) {
        return Err(Status::ShapeMismatch);
    }
    if parameters.iter().any(|tensor| tensor.shape().dims() != [row]) {
        return Err(Status::ShapeMismatch);
    }
    if shift > MAX_NORM_SHIFT {
        return Err(Status::BadArgument);
    }
    let numbers = parameters.iter().fold(0, |sum: u64, tensor| sum.saturating_add(tensor.elements()));
    Plan::new(dtype, x.shape().clone(), work::norm(x.dtype(), x.shape().dims(), numbers))
}

/// Whether norms take, and give, elements of this type.
pub(super) fn is_signed(dtype: DType) -> bool {
    matches!(dtype, DType::I8 | DType::I16 | DType::I32)
}

/// The same for a device.
pub(super) fn operation(
    gain: &Tensor,
    bias: Option<&Tensor>,
    epsilon: u64,
    shift: u32,
) -> Result<Operation<'static>, OpError> {
    let gain: Vec<i32> = gain.to_vec()?;
    let bias: Option<Vec<i32>> = bias.map(Tensor::to_vec).transpose()?;
    let row = gain.len();
    Ok(Operation::Norm { gain: gain.into(), bias: bias.map(Into::into), epsilon, shift, row })
}

/// A norm of rows, but for its gain and bias.
pub(super) struct Rows<'a> {
    pub(super) context: Context<'a>,
    pub(super) x: DType,
    pub(super) epsilon: u64,
    pub(super) shift: u32,
}

impl Rows<'_> {
    pub(super) fn run(&self, x: &CpuStorage, layout: &Layout, norm: Norm<'_>) -> candle_core::Result<Fresh> {
        match self.x {
            DType::I8 => self.from::<i8>(slice(x, layout)?, norm),
            DType::I16 => self.from::<i16>(slice(x, layout)?, norm),
            _ => self.from::<i32>(slice(x, layout)?, norm),
        }
    }

    fn from<X: Element>(&self, x: &[X], norm: Norm<'_>) -> candle_core::Result<Fresh> {
        match self.context.plan.dtype {
            DType::I8 => self.to::<X, i8>(x, norm),
            DType::I16 => self.to::<X, i16>(x, norm),
            _ => self.to::<X, i32>(x, norm),
        }
    }

    fn to<X: Element, Y: Element>(&self, x: &[X], norm: Norm<'_>) -> candle_core::Result<Fresh> {
        self.context.fill(|out: &mut [Y]| {
            kernel::norm_rows(self.context.kernels, x, norm.gain.len(), norm, out);
            Ok(())
        })
    }
}
