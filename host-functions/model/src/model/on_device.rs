//! Running a graph on a device: weights and everything between inputs and outputs stay there.

use std::sync::{Arc, Mutex, PoisonError};

use noema_tensor::{
    Kernels, OpError, Shape, Status, Tensor,
    device::{Accelerator, Device, DeviceError, Loaded},
    program::{Program, ValueType},
};

use super::{Extent, Model};
use crate::{graph::Edge, ops::Op};

/// The graph as it was loaded on the accelerator with this number; nothing where the device cannot run it.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<(u64, OnDevice)>>);

type OnDevice = Option<Arc<dyn Loaded>>;

impl Model {
    /// Runs several calls at once, each with the inputs of [`Model::run`], and gives the outputs of each. The results are
    /// those of the calls one by one, because no row depends on another; a device has one upload, one download and
    /// one launch for all of them.
    ///
    /// # Errors
    /// As [`Model::run`], for the first call that it applies to; `LimitExceeded` where the rows of all cannot be counted.
    pub fn run_many(&self, kernels: &Kernels, calls: &[&[&Tensor]]) -> Result<Vec<Vec<Tensor>>, OpError> {
        if self.graph().has_sequence() {
            return calls.iter().map(|inputs| self.run(kernels, inputs)).collect();
        }
        let batches = calls.iter().map(|inputs| self.batch_of(inputs)).collect::<Result<Vec<u32>, _>>()?;
        let total = batches.iter().try_fold(0u32, |sum, batch| sum.checked_add(*batch)).ok_or(Status::LimitExceeded)?;
        if total == 0 {
            return Ok(Vec::new());
        }
        let mut inputs = Vec::with_capacity(self.graph().inputs.len());
        for (index, edge) in self.graph().inputs.iter().enumerate() {
            let mut bytes = Vec::new();
            for call in calls {
                bytes.extend(call[index].to_le_bytes()?);
            }
            inputs.push(rows_of(edge, total, &bytes)?);
        }
        let all = self.run(kernels, &inputs.iter().collect::<Vec<_>>())?;
        let mut outputs = vec![Vec::with_capacity(all.len()); calls.len()];
        for (tensor, id) in all.iter().zip(&self.graph().outputs) {
            let (edge, bytes) = (self.edge(*id), tensor.to_le_bytes()?);
            let mut rest = &bytes[..];
            for (batch, outputs) in batches.iter().zip(&mut outputs) {
                let length =
                    usize::try_from(edge.row_bytes() * u64::from(*batch)).map_err(|_| Status::LimitExceeded)?;
                let (own, others) = rest.split_at(length);
                outputs.push(rows_of(edge, *batch, own)?);
                rest = others;
            }
        }
        Ok(outputs)
    }

    /// Lets the accelerator run the graph; nothing where the CPU has to.
    pub(super) fn run_on(
        &self,
        accelerator: &Accelerator,
        kernels: &Kernels,
        batch: u32,
        inputs: &[&Tensor],
    ) -> Option<Vec<Tensor>> {
        if accelerator.is_retired() || self.work(batch) < accelerator.settings().min_work {
            return None;
        }
        let rows = usize::try_from(batch).ok()?;
        let inputs: Vec<Vec<u8>> = inputs.iter().map(|tensor| tensor.to_le_bytes()).collect::<Result<_, _>>().ok()?;
        let check = accelerator.spot_check();
        let what = &self.manifest().name;
        let outputs = accelerator.attempt(what, |device| {
            let loaded = self.loaded(accelerator, device)?;
            let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let mut outputs = Vec::with_capacity(self.graph().outputs.len());
            for id in &self.graph().outputs {
                let bytes = usize::try_from(self.edge(*id).row_bytes()).ok().and_then(|bytes| bytes.checked_mul(rows));
                outputs.push(vec![0; bytes.ok_or_else(|| DeviceError::Memory(format!("{rows} rows")))?]);
            }
            loaded.run(rows, &slices, &mut outputs)?;
            Ok(outputs)
        })?;
        if let Some(number) = check {
            let row = usize::try_from(number % u64::from(batch)).ok()?;
            match self.agrees(kernels, row, &inputs, &outputs) {
                Ok(true) => {}
                Ok(false) => {
                    accelerator.raise(what, DeviceError::Wrong(format!("row {row} of {batch}, computed again")));
                    return None;
                }
                // The CPU cannot do it either, and says so when it is asked for the whole.
                Err(_) => return None,
            }
        }
        let tensors = outputs.iter().zip(&self.graph().outputs);
        tensors.map(|(bytes, id)| rows_of(self.edge(*id), batch, bytes).ok()).collect()
    }

    /// Whether the CPU gives the same bytes for one row.
    fn agrees(&self, kernels: &Kernels, row: usize, inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Result<bool, OpError> {
        let part = |edge: &Edge, bytes: &[u8]| {
            let length = usize::try_from(edge.row_bytes()).unwrap_or(usize::MAX);
            bytes.chunks_exact(length).nth(row).map(<[u8]>::to_vec).unwrap_or_default()
        };
        let one: Vec<Tensor> = inputs
            .iter()
            .zip(&self.graph().inputs)
            .map(|(bytes, edge)| rows_of(edge, 1, &part(edge, bytes)))
            .collect::<Result<_, _>>()?;
        let found = self.run_on_cpu(kernels, Extent { batch: 1, length: 1 }, &one.iter().collect::<Vec<_>>())?;
        for ((tensor, id), bytes) in found.iter().zip(&self.graph().outputs).zip(outputs) {
            if tensor.to_le_bytes()? != part(self.edge(*id), bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Work of all opcodes for a batch, saturating: what decides whether a device is worth the way.
    fn work(&self, batch: u32) -> u64 {
        let nodes = self.graph().nodes.iter().filter_map(|node| {
            let inputs = node.input_edges(self.edges()).ok()?;
            Some(node.op.operator().work(&inputs).iter().fold(0, |sum: u64, (_, work)| sum.saturating_add(*work)))
        });
        nodes.fold(0, u64::saturating_add).saturating_mul(u64::from(batch))
    }

    fn loaded(&self, accelerator: &Accelerator, device: &dyn Device) -> Result<Arc<dyn Loaded>, DeviceError> {
        let mut slot = self.on_device.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || DeviceError::Unsupported("an operator that devices do not know".to_owned());
        match &*slot {
            Some((number, loaded)) if *number == accelerator.number() => loaded.clone().ok_or_else(missing),
            _ => {
                let loaded = match self.program() {
                    Some(program) => Some(Arc::from(device.load(&program)?)),
                    None => None,
                };
                *slot = Some((accelerator.number(), loaded.clone()));
                loaded.ok_or_else(missing)
            }
        }
    }

    /// The graph as a program, if every operator can be part of one.
    fn program(&self) -> Option<Program<'_>> {
        let value =
            |edge: &Edge| Some(ValueType { dtype: edge.dtype, row: usize::try_from(edge.row_elements()).ok()? });
        let mut program = Program::default();
        let mut ids = Vec::with_capacity(self.edges().len());
        for edge in &self.graph().inputs {
            ids.push(program.input(value(edge)?));
        }
        for (index, node) in self.graph().nodes.iter().enumerate() {
            let edges = node.input_edges(self.edges()).ok()?;
            let operands = node.inputs.iter().map(|id| ids.get(usize::try_from(id.0).ok()?).copied());
            let operands = operands.collect::<Option<Vec<_>>>()?;
            if matches!(node.op, Op::Reshape(_)) {
                // The same elements in the same order.
                ids.push(operands[0]);
                continue;
            }
            let operation = node.op.operator().lower(&edges, &self.parameters(index))?;
            ids.push(program.push(operation, &operands, value(&self.edges()[ids.len()])?));
        }
        for id in &self.graph().outputs {
            program.output(*ids.get(usize::try_from(id.0).ok()?)?);
        }
        Some(program)
    }
}

/// A tensor of rows of an edge.
fn rows_of(edge: &Edge, batch: u32, bytes: &[u8]) -> Result<Tensor, OpError> {
    let mut dims = vec![batch];
    dims.extend_from_slice(&edge.dims);
    Tensor::from_le_bytes(edge.dtype, Shape::new(&dims)?, bytes)
}

#[cfg(test)]
mod tests {
    use noema_tensor::{
        Kernels, Level, Tensor,
        device::{DeviceError, Settings, SimulatedDevice, SimulatedFault},
    };
    use proptest::{prelude::*, strategy::ValueTree};

    use crate::sample::{self, forests, networks, samples};

    fn bytes(outputs: &[Tensor]) -> Vec<Vec<u8>> {
        outputs.iter().map(|tensor| tensor.to_le_bytes().unwrap()).collect()
    }

    fn with(device: SimulatedDevice, spot_check: u64) -> Kernels {
        let settings = Settings { min_work: 0, spot_check };
        Kernels::new(Level::Portable, 1).unwrap().with_device(Box::new(device), settings).unwrap()
    }

    #[test]
    fn a_graph_on_a_device_gives_the_same_bits() {
        let (cpu, device) = (Kernels::new(Level::Reference, 1).unwrap(), with(SimulatedDevice::new(), 3));
        proptest!(ProptestConfig::with_cases(64), |(sample in networks(), seed in any::<u64>(), batch in 1u32..7)| {
            let model = sample.model();
            let x = sample::input(&sample.graph.inputs[0], batch, seed);
            let expected = bytes(&model.run(&cpu, &[&x]).unwrap());
            let before = device.accelerator().unwrap().runs();
            prop_assert_eq!(bytes(&model.run(&device, &[&x]).unwrap()), expected.clone());
            prop_assert_eq!(bytes(&model.run(&device, &[&x]).unwrap()), expected);
            prop_assert_eq!(device.accelerator().unwrap().runs(), before + 2);
            // Gas and memory know nothing of devices: they are functions of the model and the batch alone.
        });
        assert_eq!(device.accelerator().unwrap().alarms(), []);
    }

    #[test]
    fn trees_stay_on_the_cpu() {
        let (cpu, device) = (Kernels::new(Level::Reference, 1).unwrap(), with(SimulatedDevice::new(), 3));
        proptest!(ProptestConfig::with_cases(16), |(sample in forests(), seed in any::<u64>(), batch in 1u32..7)| {
            let model = sample.model();
            let x = sample::input(&sample.graph.inputs[0], batch, seed);
            prop_assert_eq!(bytes(&model.run(&device, &[&x]).unwrap()), bytes(&model.run(&cpu, &[&x]).unwrap()));
        });
        let device = device.accelerator().unwrap();
        assert_eq!((device.runs(), device.alarms().len()), (0, 0));
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
