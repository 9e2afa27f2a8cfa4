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
