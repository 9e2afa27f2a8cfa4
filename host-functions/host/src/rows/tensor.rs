//! `tensor.*`: handles to memory of the host.

use crate::HostContext;
use crate::argument::{Held, Out};
use crate::outcome::Reply;

pub(crate) mod create {
    use noema_abi::limits::MAX_TENSOR_BYTES;
    use noema_abi::{DType, Status};
    use noema_tensor::{Shape, Tensor};

    use super::super::context::length;
    use crate::HostContext;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;

    /// Element type and shape, checked against the data.
    pub(crate) struct Plan {
        dtype: DType,
        shape: Shape,
    }

    pub(crate) fn plan<C: HostContext>(
        _: &mut Pricing<'_, C>,
        dtype: u32,
        shape: &[u8],
        data: &[u8],
    ) -> Reply<Planned<Plan>> {
        let dtype = DType::from_code(dtype).ok_or(Status::TypeMismatch)?;
        let shape = Shape::from_le_bytes(shape)?;
        let size = u64::try_from(dtype.size()).map_err(|_| Status::LimitExceeded)?;
        // A shape whose elements cannot be counted disagrees with any data.
        let bytes = shape.elements().ok().and_then(|elements| elements.checked_mul(size));
        if bytes != Some(length(data)) {
            return Err(Status::ShapeMismatch.into());
        }
        let memory = length(data);
        if memory > MAX_TENSOR_BYTES {
            return Err(Status::LimitExceeded.into());
        }
        Ok(Planned { work: 0, memory, tensors: 1, plan: Plan { dtype, shape } })
    }

    pub(crate) fn run<C: HostContext>(_: &mut C, plan: Plan, _dtype: u32, _shape: &[u8], data: &[u8]) -> Reply<Tensor> {
        Ok(Tensor::from_le_bytes(plan.dtype, plan.shape, data)?)
    }
}

pub(crate) fn dtype<C: HostContext>(_: &mut C, x: &Held) -> Reply<u64> {
    Ok(u64::from(x.dtype().code()))
}

pub(crate) fn shape<'c, C: HostContext>(_: &'c mut C, x: &Held, shape: &mut Out<'c>) -> Reply<u64> {
    Ok(shape.set(x.shape().to_le_bytes()))
}

pub(crate) fn read<'c, C: HostContext>(_: &'c mut C, x: &Held, data: &mut Out<'c>) -> Reply<u64> {
    // Only as many as are paid for, however large the tensor is.
    data.set(x.first_le_bytes(data.capacity())?);
    Ok(x.byte_len())
}

pub(crate) fn drop<C: HostContext>(context: &mut C, x: &Held) -> Reply<()> {
    context.tensors().remove(x.handle)?;
    Ok(())
}
