//! A device that is none: programs run by the reference formulas in host memory, with faults on
//! request.
//!
//! It stands in for an accelerator where there is none: every path of a node that has a device (upload,
//! checks, fallback, alarm) runs in tests on any machine. It is slow on purpose and shares no kernels
//! with the levels of the CPU.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Device, DeviceError, Loaded, accelerator::secret, freivalds};
use crate::{
    DType, Element,
    element::with_element,
    kernel::reference,
    program::{Instruction, Operation, Program, Sides, ValueType},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimulatedFault {
    /// One bit of one element of the result of every operation of this name is wrong, from its
    /// `from`th on.
    WrongBit {
        /// [`Operation::name`].
        operation: &'static str,
        /// How many right ones come first.
        from: u64,
        /// The element, modulo how many there are.
        element: usize,
        /// The bit, modulo those of an element.
        bit: u32,
    },
    /// This run finds no memory; runs are counted from 0.
    OutOfMemory {
        /// The run.
        run: u64,
    },
    /// From this run on the device does not answer.
    Lost {
        /// The run.
        run: u64,
    },
}

/// See the module documentation.
///
/// ```
/// use noema_tensor::{Kernels, Level, Shape, Tensor, device::{Settings, SimulatedDevice}, ops};
///
/// let settings = Settings { min_work: 0, ..Settings::default() };
/// let kernels = Kernels::new(Level::Portable, 1)?.with_device(Box::new(SimulatedDevice::new()), settings)?;
/// let x = Tensor::from_vec(Shape::new(&[3])?, vec![-1i8, 0, 1])?;
/// let y = ops::relu::run(&kernels, &ops::relu::plan(&x)?, &x)?;
/// assert_eq!(y.to_vec::<i8>()?, [0, 0, 1]);
/// assert_eq!(kernels.accelerator().map(|device| device.alarms().len()), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimulatedDevice {
    fault: Option<SimulatedFault>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    runs: AtomicU64,
    struck: AtomicU64,
}

impl SimulatedDevice {
    /// A device without faults.
    #[must_use]
    pub fn new() -> SimulatedDevice {
        SimulatedDevice::default()
    }

    /// A device with a fault.
    #[must_use]
    pub fn failing(fault: SimulatedFault) -> SimulatedDevice {
        SimulatedDevice { fault: Some(fault), ..SimulatedDevice::default() }
    }
}

impl Device for SimulatedDevice {
    fn name(&self) -> String {
        "simulated device".to_owned()
    }

    fn load(&self, program: &Program<'_>) -> Result<Box<dyn Loaded>, DeviceError> {
        Ok(Box::new(LoadedSimulation { device: self.clone(), program: program.to_static() }))
    }
}

#[derive(Debug)]
struct LoadedSimulation {
    device: SimulatedDevice,
    program: Program<'static>,
}

impl Loaded for LoadedSimulation {
    fn run(&self, rows: usize, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), DeviceError> {
        let run = self.device.counters.runs.fetch_add(1, Ordering::Relaxed);
        match self.device.fault {
            Some(SimulatedFault::OutOfMemory { run: failing }) if failing == run => {
                return Err(DeviceError::Memory("as it was told".to_owned()));
            }
            Some(SimulatedFault::Lost { run: from }) if run >= from => {
                return Err(DeviceError::Lost("as it was told".to_owned()));
            }
            _ => {}
        }
        let program = &self.program;
        let mut values: Vec<Vec<i64>> = vec![Vec::new(); program.values().len()];
        for (id, bytes) in program.inputs().iter().zip(inputs) {
            values[id.index()] = read(program.type_of(*id).dtype, bytes);
        }
        for instruction in program.instructions() {
            let result = self.step(instruction, rows, &values)?;
            values[instruction.result.index()] = result;
        }
        for (id, output) in program.outputs().iter().zip(outputs) {
            *output = write(program.type_of(*id).dtype, &values[id.index()]);
        }
        Ok(())
    }
}

impl LoadedSimulation {
    fn step(&self, instruction: &Instruction<'_>, rows: usize, values: &[Vec<i64>]) -> Result<Vec<i64>, DeviceError> {
        let operand = |i: usize| &values[instruction.operands[i].index()][..];
        let to = self.program.type_of(instruction.result);
        let mut result = compute(&instruction.operation, operand, to, rows);
        self.strike(&instruction.operation, to.dtype, &mut result);
        let right = match &instruction.operation {
            Operation::Linear { k, n, weights, bias } => {
                let m = operand(0).len().checked_div(*k).unwrap_or(0);
                let without_bias: Vec<i64> =
                    result.iter().zip(bias.iter().cycle()).map(|(y, bias)| y - i64::from(*bias)).collect();
                let columns: Vec<i8> = (0..k * n).map(|at| weights[at % n * k + at / n]).collect();
                checked(operand(0), &columns, &without_bias, (m, *k, *n))
            }
            Operation::MatMul(Sides { m, k, n, .. }) if m * k * n > 0 => {
                let parts = operand(0).chunks(m * k).zip(operand(1).chunks(k * n)).zip(result.chunks(m * n));
                parts.fold(true, |right, ((x, w), y)| right && checked(x, w, y, (*m, *k, *n)))
            }
            _ => true,
        };
        match right {
            true => Ok(result),
            false => Err(DeviceError::Wrong(format!("product of {}", instruction.operation.name()))),
        }
    }

    fn strike(&self, operation: &Operation<'_>, dtype: DType, result: &mut [i64]) {
        let Some(SimulatedFault::WrongBit { operation: name, from, element, bit }) = self.device.fault else { return };
        if name != operation.name() || result.is_empty() {
            return;
        }
        if self.device.counters.struck.fetch_add(1, Ordering::Relaxed) >= from {
            let element = element % result.len();
            let mut bytes = write(dtype, &result[element..=element]);
            let bit = usize::try_from(bit).unwrap_or(0) % (8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            result[element] = read(dtype, &bytes)[0];
        }
    }
}

/// Freivalds' check, where there is anything to check.
fn checked<W: Element>(x: &[i64], w: &[W], y: &[i64], (m, k, n): (usize, usize, usize)) -> bool {
    m == 0 || k == 0 || n == 0 || freivalds::check(x, w, y, (m, k, n), secret())
}

fn compute<'v>(
    operation: &Operation<'_>,
    operand: impl Fn(usize) -> &'v [i64],
    to: ValueType,
    rows: usize,
) -> Vec<i64> {
    let clamp = |value: i128| {
        let (lo, hi) = (i128::from(to.dtype.min()), i128::from(to.dtype.max()));
        i64::saturate(value.clamp(lo, hi))
    };
    let sum = |a: i64, b: i64| clamp(i128::from(a) + i128::from(b));
    let x = operand(0);
    match operation {
        Operation::Linear { k, n, weights, bias } => {
            let mut out = vec![0i64; to.row * rows];
            if *k > 0 && *n > 0 {
                reference::linear(x, *k, weights, 0, *n, &mut out);
            }
            for (y, bias) in out.iter_mut().zip(bias.iter().cycle()) {
                *y = sum(*y, i64::from(*bias));
            }
            out
        }
        Operation::MatMul(Sides { batches, m, k, n }) => {
            let w = operand(1);
            let mut out = Vec::with_capacity(batches * m * n);
            for batch in 0..*batches {
                for i in 0..*m {
                    for j in 0..*n {
                        let dot = (0..*k).fold(0i128, |dot, l| {
                            dot + i128::from(x[(batch * m + i) * k + l]) * i128::from(w[(batch * k + l) * n + j])
                        });
                        out.push(clamp(dot));
                    }
                }
            }
            out
        }
        Operation::Requantise { multipliers, shifts, zero_point } => {
            let scales = multipliers.iter().zip(shifts.iter()).cycle();
            let one = |(x, (m, s)): (&i64, (&i32, &u8))| {
                clamp(i128::from(reference::requantise::<i64>(*x, *m, *s, *zero_point)))
            };
            x.iter().zip(scales).map(one).collect()
        }
        Operation::Add => x.iter().zip(operand(1)).map(|(a, b)| sum(*a, *b)).collect(),
        Operation::AddConst { constants } => {
            x.iter().zip(constants.iter().cycle()).map(|(x, c)| sum(*x, i64::from(*c))).collect()
        }
        Operation::AddBroadcast { dims, a, b } => {
            let y = operand(1);
            walk(dims).map(|at| sum(x[offset(&at, a)], y[offset(&at, b)])).collect()
        }
        Operation::Relu => x.iter().map(|x| (*x).max(0)).collect(),
        Operation::Softmax { attributes, row } => {
            let mut out = vec![0i32; x.len()];
            for (x, out) in x.chunks_exact(*row).zip(out.chunks_exact_mut(*row)) {
                let (multiplier, shift, fraction_bits) = attributes.parts();
                reference::softmax(x, multiplier, shift, fraction_bits, out);
            }
            out.into_iter().map(i64::from).collect()
        }
        Operation::Argmax { row } => {
            x.chunks_exact(*row).map(|x| i64::try_from(reference::argmax(x)).unwrap_or(i64::MAX)).collect()
        }
        Operation::CopyStrided { dims, strides, start } => {
            walk(dims).map(|at| x[start + offset(&at, strides)]).collect()
        }
    }
}

/// Every index of a shape, in row-major order.
fn walk(dims: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..dims.iter().product::<usize>()).map(move |mut rest| {
        let mut at = vec![0; dims.len()];
        for (at, dim) in at.iter_mut().zip(dims).rev() {
            (*at, rest) = (rest % dim, rest / dim);
        }
        at
    })
}

fn offset(at: &[usize], strides: &[usize]) -> usize {
    at.iter().zip(strides).map(|(at, stride)| at * stride).sum()
}

fn read(dtype: DType, bytes: &[u8]) -> Vec<i64> {
    with_element!(dtype, T => T::read_le(bytes).into_iter().map(Into::into).collect())
}

fn write(dtype: DType, values: &[i64]) -> Vec<u8> {
    with_element!(dtype, T => T::write_le(&values.iter().map(|value| T::saturate_i64(*value)).collect::<Vec<_>>()))
}
