//! `model.*`: whole models from the store of the chain.

use noema_abi::Status;
use noema_model::Model;

use crate::HostContext;
use crate::call::OpenModel;
use crate::outcome::Reply;

pub(crate) fn open<C: HostContext>(context: &mut C, id: &[u8; 32]) -> Reply<OpenModel> {
    if let Some(handle) = context.tensors().find_model(id) {
        return Ok(OpenModel(handle));
    }
    let model = context.model_open(id)?.ok_or(Status::NotFound)?;
    Ok(OpenModel(context.tensors().insert_model(*id, model)?))
}

pub(crate) fn cost<C: HostContext>(context: &mut C, model: &Model, batch: u32) -> Reply<u64> {
    Ok(model.cost(context.version(), batch)?)
}

pub(crate) mod cost_of {
    use noema_model::{Extent, Model};

    use crate::HostContext;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;

    pub(crate) type Plan = ();

    pub(crate) fn plan<C: HostContext>(
        _: &mut Pricing<'_, C>,
        model: &Model,
        _batch: u32,
        _length: u32,
    ) -> Reply<Planned<Plan>> {
        Ok(Planned::work(model.nodes_by_length(), ()))
    }

    pub(crate) fn run<C: HostContext>(context: &mut C, (): Plan, model: &Model, batch: u32, length: u32) -> Reply<u64> {
        Ok(model.cost_of(context.version(), Extent { batch, length })?)
    }
}

pub(crate) mod run {
    use noema_abi::Status;
    use noema_model::{Extent, Model};
    use noema_tensor::Tensor;

    use crate::argument::Out;
    use crate::call::{Planned, Pricing};
    use crate::outcome::Reply;
    use crate::{HostContext, Stop};

    /// The input tensors, and how many rows they are.
    pub(crate) type Plan = (Vec<Tensor>, Extent);

    pub(crate) fn plan<C: HostContext>(
        pricing: &mut Pricing<'_, C>,
        model: &Model,
        inputs: &[u8],
        outputs: &Out<'_>,
    ) -> Reply<Planned<Plan>> {
        let (handles, rest) = inputs.as_chunks::<4>();
        if !rest.is_empty() || handles.len() != model.manifest().inputs.len() {
            return Err(Status::ShapeMismatch.into());
        }
        let made = model.manifest().outputs.len();
        if made.checked_mul(4).is_none_or(|bytes| bytes > outputs.capacity()) {
            return Err(Status::LimitExceeded.into());
        }
        let tensors = handles
            .iter()
            .map(|handle| pricing.context.tensors().get(u32::from_le_bytes(*handle)).cloned())
            .collect::<Result<Vec<Tensor>, Status>>()?;
        let extent = model.extent_of(&tensors.iter().collect::<Vec<&Tensor>>())?;
        // Before the rest is summed up, which takes time for each node where the length is a new one.
        let version = pricing.context.version();
        let base = model.base_cost(version);
        pricing.charge_work(base)?;
        let cost = model.cost_of(version, extent)?;
        Ok(Planned {
            work: cost.checked_sub(base).ok_or_else(|| Stop::Node("a run that costs less than its base".to_owned()))?,
            memory: model.arena_bytes(extent.batch)?,
            tensors: u32::try_from(made).map_err(|_| Status::LimitExceeded)?,
            plan: (tensors, extent),
        })
    }

    pub(crate) fn run<'c, C: HostContext>(
        context: &'c mut C,
        (tensors, extent): Plan,
        model: &Model,
        _inputs: &[u8],
        outputs: &mut Out<'c>,
    ) -> Reply<u64> {
        context.trace_model(model, extent);
        let made = model.run(context.kernels(), &tensors.iter().collect::<Vec<&Tensor>>())?;
        let count = u64::try_from(made.len()).map_err(|_| Status::LimitExceeded)?;
        let mut handles = Vec::new();
        for tensor in made {
            handles.extend_from_slice(&context.tensors().insert(tensor)?.to_le_bytes());
        }
        outputs.set(handles);
        Ok(count)
    }
}
