//! Running a part of a graph on a device: weights and everything between its inputs and outputs stay there.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use noema_tensor::{
    Kernels, OpError, Shape, Status, Tensor,
    device::{Accelerator, Device, DeviceError, Loaded},
    program,
};

use super::{Extent, Model, place, segment::Segment};
use crate::{
    arena::{Arena, Source},
    graph::{Edge, EdgeId},
};

/// What a device does of a graph.
#[derive(Default)]
pub(super) struct Slot {
    segment: OnceLock<Option<Segment>>,
    /// Its program as it was loaded on the accelerator with this number; nothing where that cannot run it.
    loaded: Mutex<Option<(u64, OnDevice)>>,
}

type OnDevice = Option<Arc<dyn Loaded>>;

impl Model {
    /// Runs several calls at once, each with the inputs of [`Model::run`], and gives the outputs of each. The results are
    /// those of the calls one by one, because no row depends on another; for all whose sequences are of one length, a device has one upload,
    /// one download and one launch.
    ///
    /// # Errors
    /// As [`Model::run`], for the first call that it applies to; `LimitExceeded` where the rows of all cannot be counted.
    pub fn run_many(&self, kernels: &Kernels, calls: &[&[&Tensor]]) -> Result<Vec<Vec<Tensor>>, OpError> {
        let extents = calls.iter().map(|inputs| self.extent_of(inputs)).collect::<Result<Vec<_>, _>>()?;
        let mut by_length: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (call, extent) in extents.iter().enumerate() {
            by_length.entry(extent.length).or_default().push(call);
        }
        let mut outputs = vec![Vec::with_capacity(self.graph().outputs.len()); calls.len()];
        for together in by_length.values() {
            let batch = |call: &usize| extents[*call].batch;
            let total = together.iter().map(batch).try_fold(0u32, u32::checked_add).ok_or(Status::LimitExceeded)?;
            let mut inputs = Vec::with_capacity(self.graph().inputs.len());
            for (index, like) in calls[together[0]].iter().enumerate() {
                let mut bytes = Vec::new();
                for call in together {
                    bytes.extend(calls[*call][index].to_le_bytes()?);
                }
                inputs.push(with_rows(like, total, &bytes)?);
            }
            for tensor in self.run(kernels, &inputs.iter().collect::<Vec<_>>())? {
                let bytes = tensor.to_le_bytes()?;
                let row = bytes.len() / length(total)?;
                let mut rest = &bytes[..];
                for call in together {
                    let (own, others) = rest.split_at(row * length(batch(call))?);
                    outputs[*call].push(with_rows(&tensor, batch(call), own)?);
                    rest = others;
                }
            }
        }
        Ok(outputs)
    }

    /// Runs the graph with a device beside the CPU, and computes a row again at times.
    pub(super) fn run_beside(
        &self,
        accelerator: &Accelerator,
        kernels: &Kernels,
        extent: Extent,
        inputs: &[&Tensor],
    ) -> Result<Vec<Tensor>, OpError> {
        let check = accelerator.spot_check();
        let (outputs, by_device) = self.compute(kernels, Some(accelerator), extent, inputs)?;
        let Some(number) = check.filter(|_| by_device) else { return Ok(outputs) };
        let row = length(u32::try_from(number % u64::from(extent.batch)).unwrap_or(0))?;
        if self.agrees(kernels, row, extent, inputs, &outputs)? {
            return Ok(outputs);
        }
        let error = DeviceError::Wrong(format!("row {row} of {}, computed again", extent.batch));
        accelerator.raise(&self.manifest().name, error);
        Ok(self.compute(kernels, None, extent, inputs)?.0)
    }

    /// What of the graph the accelerator would run, for a run of this extent, whose edges these are; nothing where the CPU runs it all.
    pub(super) fn segment_for(&self, accelerator: &Accelerator, extent: Extent, edges: &[Edge]) -> Option<&Segment> {
        let segment = self.on_device.segment.get_or_init(|| Segment::of(self).map(|(segment, _)| segment));
        let segment = segment.as_ref().filter(|segment| segment.fits(edges, extent.length))?;
        let work = segment.work(self, edges).saturating_mul(extent.batch.into());
        (work >= accelerator.settings().min_work).then_some(segment)
    }

    /// Lets the accelerator run its part, from and to the arena; `false` where the CPU has to.
    pub(super) fn run_segment(
        &self,
        segment: &Segment,
        accelerator: &Accelerator,
        extent: Extent,
        edges: &[Edge],
        arena: &mut Arena<'_>,
    ) -> bool {
        let nodes = segment.made.clone().map(|edge| edge - self.graph().inputs.len());
        for (id, range) in nodes.filter_map(|node| self.looked_at(node, edges)) {
            let is_inside = match arena.read(id, &edges[place(id)]) {
                Source::I32(values) => values.iter().all(|value| range.contains(&i64::from(*value))),
                Source::I64(values) => values.iter().all(|value| range.contains(value)),
                _ => false,
            };
            if !is_inside {
                // The CPU says what is wrong with it.
                return false;
            }
        }
        let inputs: Vec<Vec<u8>> =
            segment.inputs.iter().map(|id| arena.read(*id, &edges[place(*id)]).to_le_bytes()).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let (Ok(rows), Ok(tokens)) = (length(extent.batch), length(extent.length)) else { return false };
        let bytes = |id: &EdgeId| arena.read(*id, &edges[place(*id)]).len() * edges[place(*id)].dtype.size();
        let mut outputs: Vec<Vec<u8>> = segment.outputs.iter().map(|id| vec![0; bytes(id)]).collect();
        let extent = program::Extent { rows, length: tokens };
        let answer = accelerator.attempt(&self.manifest().name, |device| {
            self.loaded(accelerator, device)?.run(extent, &inputs, &mut outputs)
        });
        if answer.is_none() {
            return false;
        }
        for (id, bytes) in segment.outputs.iter().zip(&outputs) {
            arena.write(*id, &edges[place(*id)]).copy_from_le_bytes(bytes);
        }
        true
    }

    /// The edge whose elements must be in a range for a node to have a result, where that is not proven.
    pub(super) fn looked_at(&self, node: usize, edges: &[Edge]) -> Option<(EdgeId, RangeInclusive<i64>)> {
        let node = &self.graph().nodes[node];
        let (input, range) = node.op.operator().range(&node.input_edges(edges).ok()?)?;
        let id = node.inputs[input];
        let proven = self.certificate().edges[place(id)].interval;
        let is_proven = range.contains(&proven.lo) && range.contains(&proven.hi);
        (!is_proven).then_some((id, range))
    }

    /// Whether the CPU gives the same bytes for one row.
    fn agrees(
        &self,
        kernels: &Kernels,
        row: usize,
        extent: Extent,
        inputs: &[&Tensor],
        outputs: &[Tensor],
    ) -> Result<bool, OpError> {
        let rows = length(extent.batch)?;
        let part = |tensor: &Tensor| -> Result<Vec<u8>, OpError> {
            let bytes = tensor.to_le_bytes()?;
            let each = bytes.len() / rows;
            Ok(bytes[row * each..][..each].to_vec())
        };
        let one: Vec<Tensor> =
            inputs.iter().map(|tensor| with_rows(tensor, 1, &part(tensor)?)).collect::<Result<_, _>>()?;
        let one: Vec<&Tensor> = one.iter().collect();
        let (found, _) = self.compute(kernels, None, Extent { batch: 1, ..extent }, &one)?;
        for (found, output) in found.iter().zip(outputs) {
            if found.to_le_bytes()? != part(output)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn loaded(&self, accelerator: &Accelerator, device: &dyn Device) -> Result<Arc<dyn Loaded>, DeviceError> {
        let mut slot = self.on_device.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || DeviceError::Unsupported("a program that it cannot run".to_owned());
        if let Some((_, loaded)) = slot.as_ref().filter(|(number, _)| *number == accelerator.number()) {
            return loaded.clone().ok_or_else(missing);
        }
        let (_, program) = Segment::of(self).ok_or_else(missing)?;
        let loaded: OnDevice = match device.load(&program) {
            Ok(loaded) => Some(Arc::from(loaded)),
            Err(DeviceError::Unsupported(_)) => None,
            Err(error) => return Err(error),
        };
        *slot = Some((accelerator.number(), loaded.clone()));
        loaded.ok_or_else(missing)
    }
}

/// So many rows like those of a tensor.
fn with_rows(like: &Tensor, batch: u32, bytes: &[u8]) -> Result<Tensor, OpError> {
    let row = like.shape().dims().split_first().map_or(&[][..], |(_, row)| row);
    Tensor::from_le_bytes(like.dtype(), Shape::new(&[&[batch], row].concat())?, bytes)
}

fn length(value: u32) -> Result<usize, OpError> {
    usize::try_from(value).map_err(|_| Status::LimitExceeded.into())
}

#[cfg(test)]
mod tests;
