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
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use noema_tensor::{
        Kernels, Level, OpError, Shape, Status, Tensor,
        device::{Accelerator, DeviceError, Settings, SimulatedDevice, SimulatedFault},
    };
    use proptest::{prelude::*, strategy::ValueTree};

    use crate::{
        Model,
        model::segment::Segment,
        sample::{
            self, forests,
            larger::{VOCABULARY, classifiers, encoder, encoders, recurrents, sentences},
            networks, samples,
        },
    };

    fn bytes(outputs: &[Tensor]) -> Vec<Vec<u8>> {
        outputs.iter().map(|tensor| tensor.to_le_bytes().unwrap()).collect()
    }

    fn with(device: SimulatedDevice, spot_check: u64) -> Kernels {
        let settings = Settings { min_work: 0, spot_check };
        Kernels::new(Level::Portable, 1).unwrap().with_device(Box::new(device), settings).unwrap()
    }

    /// A simulated device, and that of this machine where there is one.
    fn devices() -> Vec<Kernels> {
        let mut devices = vec![with(SimulatedDevice::new(), 3)];
        if Level::Cuda.is_available() {
            devices.push(Kernels::new(Level::Cuda, 1).unwrap());
        }
        devices
    }

    fn accelerator(kernels: &Kernels) -> &Accelerator {
        kernels.accelerator().unwrap()
    }

    #[test]
    fn a_graph_on_a_device_gives_the_same_bits() {
        let (cpu, devices) = (Kernels::new(Level::Reference, 1).unwrap(), devices());
        proptest!(ProptestConfig::with_cases(64), |(sample in networks(), seed in any::<u64>(), batch in 1u32..7)| {
            let model = sample.model();
            let x = sample::input(&sample.graph.inputs[0], batch, seed);
            let expected = bytes(&model.run(&cpu, &[&x]).unwrap());
            for device in &devices {
                let before = accelerator(device).runs();
                // Once as it is, once as it was recorded, once from the record.
                for _ in 0..3 {
                    prop_assert_eq!(bytes(&model.run(device, &[&x]).unwrap()), expected.clone());
                }
                prop_assert_eq!(accelerator(device).runs(), before + 3);
            }
            // Gas and memory know nothing of devices: they are functions of the model and the batch alone.
        });
        devices.iter().for_each(|device| assert_eq!(accelerator(device).alarms(), []));
    }

    /// What devices know of a graph runs there, and the rest beside it.
    #[test]
    fn parts_of_a_graph_on_a_device_give_the_same_bits() {
        let (cpu, devices) = (Kernels::new(Level::Reference, 1).unwrap(), devices());
        let graphs = prop_oneof![1 => forests(), 4 => classifiers(), 1 => recurrents()];
        let known = RefCell::new(BTreeSet::new());
        proptest!(ProptestConfig::with_cases(96), |(sample in graphs, seed in any::<u64>(), batch in 1u32..4)| {
            let model = sample.model();
            known.borrow_mut().extend(operations(&model));
            let edge = sample.graph.inputs[0].at(1 + u32::try_from(seed % u64::from(model.longest())).unwrap());
            let x = sample::input(&edge, batch, seed);
            let expected = bytes(&model.run(&cpu, &[&x]).unwrap());
            for device in &devices {
                prop_assert_eq!(bytes(&model.run(device, &[&x]).unwrap()), expected.clone());
            }
        });
        for device in devices.iter().map(accelerator) {
            assert!(device.runs() > 48 && device.alarms().is_empty(), "{} runs", device.runs());
        }
        for name in ["conv2d", "pool", "linear", "requantise", "argmax", "relu", "concat", "copy", "matmul"] {
            assert!(known.borrow().contains(name), "{name} is not among {known:?}");
        }
    }

    /// What of a model runs on a device.
    fn operations(model: &Model) -> Vec<&'static str> {
        let Some((_, program)) = Segment::of(model) else { return vec![] };
        program.instructions().iter().map(|instruction| instruction.operation.name()).collect()
    }

    /// Weights are uploaded once for sequences of any length; tokens and lengths that there are not have no answer, beside a device too.
    #[test]
    fn encoders_on_a_device_give_the_same_bits_for_every_length() {
        let (cpu, devices) = (Kernels::new(Level::Reference, 1).unwrap(), devices());
        proptest!(ProptestConfig::with_cases(48), |(sample in encoders(), seed in any::<u64>(), batch in 1u32..4)| {
            let model = sample.model();
            for name in ["gather", "add", "norm", "linear", "attention", "lookup", "row_step", "quantise_rows", "mul_requantise", "mean_pool", "l2_norm"] {
                prop_assert!(operations(&model).contains(&name), "{name}");
            }
            // Longer and longer, so that the device needs more memory, and then shorter, where what there is will do.
            let lengths: Vec<u32> = (1..=model.longest()).chain((1..model.longest()).rev()).collect();
            for (device, length) in devices.iter().flat_map(|device| lengths.iter().map(move |n| (device, *n))) {
                let [tokens, counts] = sentences(batch, length, seed);
                let expected = bytes(&model.run(&cpu, &[&tokens, &counts]).unwrap());
                let before = accelerator(device).runs();
                prop_assert_eq!(bytes(&model.run(device, &[&tokens, &counts]).unwrap()), expected);
                prop_assert_eq!(accelerator(device).runs(), before + 1);
                let long = vec![i32::try_from(length).unwrap() + 1; usize::try_from(batch).unwrap()];
                let long = Tensor::from_vec(Shape::new(&[batch]).unwrap(), long).unwrap();
                let unknown = vec![i32::try_from(VOCABULARY).unwrap(); usize::try_from(batch * length).unwrap()];
                let unknown = Tensor::from_vec(tokens.shape().clone(), unknown).unwrap();
                for inputs in [[&tokens, &long], [&unknown, &counts]] {
                    for kernels in [device, &cpu] {
                        let answer = model.run(kernels, &inputs);
                        prop_assert!(matches!(answer, Err(OpError::Status(Status::IndexOutOfRange))), "{answer:?}");
                    }
                }
                prop_assert_eq!(accelerator(device).runs(), before + 1);
            }
        });
        devices.iter().for_each(|device| assert_eq!(accelerator(device).alarms(), []));
    }

    /// A device is one for all threads of a node: one loads a model while another records its launches.
    #[test]
    fn threads_share_a_device() {
        let (cpu, devices) = (Kernels::new(Level::Reference, 1).unwrap(), devices());
        let run = |kernels: &Kernels, seed: u64| {
            let model = encoder(2, 3, 4, 5, seed).model();
            let [tokens, counts] = sentences(2, 3, seed);
            // As it is, recorded, and from the record.
            [(); 3].map(|()| bytes(&model.run(kernels, &[&tokens, &counts]).unwrap()))
        };
        let expected: Vec<_> = (0..8).map(|seed| run(&cpu, seed)).collect();
        for device in &devices {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..).zip(&expected).for_each(|(seed, expected)| assert_eq!(run(device, seed), *expected))
                    });
                }
            });
            assert_eq!((accelerator(device).alarms(), accelerator(device).runs()), (vec![], 4 * 8 * 3));
        }
    }

    #[test]
    fn calls_of_sequences_together_are_the_calls_one_by_one() {
        let mut all = devices();
        all.push(Kernels::new(Level::best(), 1).unwrap());
        let lengths = prop::collection::vec((1u32..4, any::<u32>()), 1..6);
        proptest!(ProptestConfig::with_cases(24), |(sample in encoders(), calls in lengths)| {
            let model = sample.model();
            let calls: Vec<[Tensor; 2]> = (0u64..).zip(&calls)
                .map(|(seed, (batch, length))| sentences(*batch, 1 + length % model.longest(), seed)).collect();
            let calls: Vec<[&Tensor; 2]> = calls.iter().map(|[tokens, counts]| [tokens, counts]).collect();
            let calls: Vec<&[&Tensor]> = calls.iter().map(|call| &call[..]).collect();
            for kernels in &all {
                let together = model.run_many(kernels, &calls).unwrap();
                for (call, outputs) in calls.iter().zip(&together) {
                    let alone = model.run(kernels, call).unwrap();
                    prop_assert_eq!(bytes(outputs), bytes(&alone));
                    prop_assert_eq!(outputs[0].shape(), alone[0].shape());
                }
            }
        });
    }

    #[test]
    fn a_wrong_bit_outside_products_is_found_by_a_row_computed_again() {
        let fault = SimulatedFault::WrongBit { operation: "requantise", from: 60, element: 0, bit: 0 };
        let (cpu, device) = (Kernels::new(Level::Reference, 1).unwrap(), with(SimulatedDevice::failing(fault), 1));
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for seed in 0..40 {
            let sample = networks().new_tree(&mut runner).unwrap().current();
            let model = sample.model();
            let x = sample::input(&sample.graph.inputs[0], 1, seed);
            assert_eq!(bytes(&model.run(&device, &[&x]).unwrap()), bytes(&model.run(&cpu, &[&x]).unwrap()));
        }
        let alarms = device.accelerator().unwrap().alarms();
        assert!(matches!(&alarms[..], [alarm] if matches!(alarm.error, DeviceError::Wrong(_))), "{alarms:?}");
    }

    #[test]
    fn calls_together_are_the_calls_one_by_one() {
        let all = [Kernels::new(Level::best(), 1).unwrap(), with(SimulatedDevice::new(), 0)];
        proptest!(ProptestConfig::with_cases(32), |(sample in samples(), batches in prop::collection::vec(1u32..4, 1..5))| {
            let model = sample.model();
            let inputs: Vec<Tensor> = (0u64..).zip(&batches)
                .map(|(seed, batch)| sample::input(&sample.graph.inputs[0], *batch, seed)).collect();
            let calls: Vec<[&Tensor; 1]> = inputs.iter().map(|x| [x]).collect();
            let calls: Vec<&[&Tensor]> = calls.iter().map(|call| &call[..]).collect();
            for kernels in &all {
                let together = model.run_many(kernels, &calls).unwrap();
                prop_assert_eq!(together.len(), calls.len());
                for (call, outputs) in calls.iter().zip(&together) {
                    prop_assert_eq!(bytes(outputs), bytes(&model.run(kernels, call).unwrap()));
                }
            }
        });
    }
}
