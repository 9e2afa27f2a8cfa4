//! A device that is none: programs run by the reference formulas in host memory, with faults on
//! request.
//!
//! It stands in for an accelerator where there is none: every path of a node that has a device (upload,
//! checks, fallback, alarm) runs in tests on any machine. It is slow on purpose and shares no kernels
//! with the levels of the CPU.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::{Device, DeviceError, Loaded, accelerator::secret, freivalds};
use crate::{
    DType, Element, Kernels, Level,
    element::with_element,
    kernel::{self, Binary, Head, Norm, Pool, ProductScale, Relation, Window, reference},
    program::{Attention, Extent, Filters, Heads, Instruction, Operation, Positions, Program, Seen, Sides, Space},
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
    fn run(&self, extent: Extent, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), DeviceError> {
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
            let result = self.step(instruction, extent, &values)?;
            values[instruction.result.index()] = result;
        }
        for (id, output) in program.outputs().iter().zip(outputs) {
            *output = write(program.type_of(*id).dtype, &values[id.index()]);
        }
        Ok(())
    }
}

impl LoadedSimulation {
    fn step(
        &self,
        instruction: &Instruction<'_>,
        extent: Extent,
        values: &[Vec<i64>],
    ) -> Result<Vec<i64>, DeviceError> {
        let operand = |i: usize| &values[instruction.operands[i].index()][..];
        let to = self.program.type_of(instruction.result);
        let from = self.program.type_of(instruction.operands[0]).dtype;
        let elements = to.elements(extent).ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))?;
        let mut result = compute(&instruction.operation, operand, (from, to.dtype), (extent, elements));
        self.strike(&instruction.operation, to.dtype, &mut result);
        let right = match &instruction.operation {
            Operation::Linear { k, n, weights, bias } => {
                let m = operand(0).len().checked_div(*k).unwrap_or(0);
                let without_bias: Vec<i64> =
                    result.iter().zip(bias.iter().cycle()).map(|(y, bias)| y - i64::from(*bias)).collect();
                let columns: Vec<i8> = (0..k * n).map(|at| weights[at % n * k + at / n]).collect();
                checked(operand(0), &columns, &without_bias, (m, *k, *n))
            }
            Operation::MatMul(Sides { m, k, n }) if m * k * n > 0 => {
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
    (from, to): (DType, DType),
    (extent, elements): (Extent, usize),
) -> Vec<i64> {
    let clamp = |value: i128| {
        let (lo, hi) = (i128::from(to.min()), i128::from(to.max()));
        i64::saturate(value.clamp(lo, hi))
    };
    let sum = |a: i64, b: i64| clamp(i128::from(a) + i128::from(b));
    let x = operand(0);
    match operation {
        Operation::Linear { k, n, weights, bias } => {
            let mut out = vec![0i64; elements];
            if *k > 0 && *n > 0 {
                reference::linear(x, *k, weights, 0, *n, &mut out);
            }
            for (y, bias) in out.iter_mut().zip(bias.iter().cycle()) {
                *y = sum(*y, i64::from(*bias));
            }
            out
        }
        Operation::MatMul(Sides { m, k, n }) => {
            let w = operand(1);
            let mut out = Vec::with_capacity(elements);
            for batch in 0..elements.checked_div(m * n).unwrap_or(0) {
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
        Operation::Conv2d { sides: Filters { window, channels: (channels, outputs), groups }, pad, weights, bias } => {
            let (of_group, made) = (channels / groups, outputs / groups);
            let sum = |index: usize| {
                let (place, output) = (index / outputs, index % outputs);
                let taps = (0..window.taps()).map(|tap| seen(window, place, tap)).enumerate();
                taps.fold(i128::from(bias[output]), |sum, (tap, pixel)| {
                    (0..of_group).fold(sum, |sum, channel| {
                        let from = output / made * of_group + channel;
                        let value = pixel.map_or(*pad, |pixel| x[pixel * channels + from]);
                        let weight = weights[(output * window.taps() + tap) * of_group + channel];
                        sum + i128::from(value) * i128::from(weight)
                    })
                })
            };
            (0..elements).map(|index| clamp(sum(index))).collect()
        }
        Operation::Pool { window, channels, pool } => {
            let one = |index: usize| {
                let (place, channel) = (index / channels, index % channels);
                let pixels = (0..window.taps()).filter_map(|tap| seen(window, place, tap));
                let values: Vec<i64> = pixels.map(|pixel| x[pixel * channels + channel]).collect();
                let mean = |count: usize| match i128::try_from(count) {
                    Ok(count) if count > 0 => {
                        clamp(reference::rne_ratio(values.iter().map(|value| i128::from(*value)).sum(), count))
                    }
                    _ => 0,
                };
                match pool {
                    Pool::Max => values.iter().copied().max().unwrap_or(to.min()),
                    Pool::Average => mean(window.taps()),
                    Pool::AverageSeen => mean(values.len()),
                }
            };
            (0..elements).map(one).collect()
        }
        Operation::Requantise { multipliers, shifts, zero_point } => {
            let scales = multipliers.iter().zip(shifts.iter()).cycle();
            let one = |(x, (m, s)): (&i64, (&i32, &u8))| {
                clamp(i128::from(reference::requantise::<i64>(*x, *m, *s, *zero_point)))
            };
            x.iter().zip(scales).map(one).collect()
        }
        Operation::Binary(op) => {
            let space = Space { dims: vec![x.len()], strides: vec![vec![1], vec![1]] };
            binary(*op, &space, x, operand(1)).into_iter().map(|value| clamp(value.into())).collect()
        }
        Operation::AddConst { constants } => {
            x.iter().zip(constants.iter().cycle()).map(|(x, c)| sum(*x, i64::from(*c))).collect()
        }
        Operation::BinaryBroadcast { op, space } => {
            binary(*op, space, x, operand(1)).into_iter().map(|value| clamp(value.into())).collect()
        }
        Operation::Compare { relation, space } => {
            let holds = |a: i64, b: i64| match relation {
                Relation::Equal => a == b,
                Relation::Less => a < b,
                Relation::LessOrEqual => a <= b,
            };
            space.walk().map(|[a, b, _]| i64::from(holds(x[a], operand(1)[b]))).collect()
        }
        Operation::Select(space) => {
            let (a, b) = (operand(1), operand(2));
            space.walk().map(|[at, at_a, at_b]| if x[at] == 0 { b[at_b] } else { a[at_a] }).collect()
        }
        Operation::MulRequantise { scale, space } => {
            space.walk().map(|[a, b, _]| clamp(scaled(*scale, x[a], operand(1)[b]))).collect()
        }
        Operation::MulEach { scale, each } => {
            let pairs = x.iter().enumerate().map(|(at, x)| (*x, operand(1)[at / each]));
            pairs.map(|(a, b)| clamp(scaled(*scale, a, b))).collect()
        }
        Operation::Unary(op) => with_element!(to, T => {
            let x: Vec<T> = x.iter().map(|x| T::saturate_i64(*x)).collect();
            let mut out = vec![T::default(); x.len()];
            kernel::unary(reference_kernels(), *op, &x, &mut out);
            wide(out)
        }),
        Operation::Lookup { table } => {
            let (table, lowest) = (read(to, table), from.min());
            let entry = |x: &i64| usize::try_from(x - lowest).ok().and_then(|at| table.get(at)).copied();
            x.iter().map(|x| entry(x).unwrap_or(0)).collect()
        }
        Operation::Norm { gain, bias, epsilon, shift, row } => {
            let norm = Norm { gain, bias: bias.as_deref(), epsilon: *epsilon, shift: *shift };
            let mut out = vec![0i64; x.len()];
            kernel::norm_rows(reference_kernels(), x, *row, norm, &mut out);
            out.into_iter().map(|value| clamp(value.into())).collect()
        }
        Operation::L2Norm { epsilon, fraction_bits, row } => {
            let mut out = vec![0i64; x.len()];
            kernel::l2_norm_rows(reference_kernels(), x, *row, *epsilon, *fraction_bits, &mut out);
            out.into_iter().map(|value| clamp(value.into())).collect()
        }
        Operation::RowStep { row, largest } => {
            let mut out = vec![0; x.len() / row];
            kernel::row_step(reference_kernels(), x, *row, *largest, &mut out);
            out
        }
        Operation::QuantiseRows { row } => {
            let mut out = vec![0i64; x.len()];
            kernel::quantise_rows(reference_kernels(), x, *row, operand(1), &mut out);
            out.into_iter().map(|value| clamp(value.into())).collect()
        }
        Operation::Attention(attention) => {
            let seen = (attention.seen == Seen::Operand).then(|| operand(3));
            attend(attention, extent, (x, operand(1), operand(2)), seen)
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
        Operation::Gather { table, columns } => {
            let table = read(to, table);
            let row =
                |index: &i64| usize::try_from(*index).map_or(&[][..], |index| &table[index * columns..][..*columns]);
            x.iter().flat_map(|index| row(index).iter().copied()).collect()
        }
        Operation::AddRows { constants } => {
            let constants = read(to, constants);
            let rows = x.chunks_exact(x.len() / extent.rows);
            rows.flat_map(|row| row.iter().zip(&constants)).map(|(x, c)| sum(*x, *c)).collect()
        }
        Operation::MeanPool { length, columns } => {
            let rows = x.chunks_exact(length.at(extent) * columns).zip(operand(1));
            let mean = |row: &[i64], tokens: i64, column: usize| {
                let tokens = usize::try_from(tokens).unwrap_or(0);
                let total: i128 = row.chunks_exact(*columns).take(tokens).map(|token| i128::from(token[column])).sum();
                clamp(reference::rne_ratio(total, i128::try_from(tokens).unwrap_or(1)))
            };
            rows.flat_map(|(row, tokens)| (0..*columns).map(move |column| mean(row, *tokens, column))).collect()
        }
        Operation::Concat([a, b]) => {
            x.chunks_exact(*a).zip(operand(1).chunks_exact(*b)).flat_map(|(a, b)| [a, b].concat()).collect()
        }
        Operation::CopyStrided { dims, strides, start } => {
            let space = Space { dims: dims.clone(), strides: vec![strides.clone()] };
            let rows = elements.checked_div(dims.iter().product()).unwrap_or(0);
            let each = x.len().checked_div(rows).unwrap_or(0);
            (0..rows).flat_map(|row| space.walk().map(move |[at, ..]| x[row * each + start + at])).collect()
        }
    }
}

fn scaled(scale: ProductScale, a: i64, b: i64) -> i128 {
    let product = i128::from(a) * i128::from(b) * i128::from(scale.multiplier);
    reference::rne_ratio(product, 1 << scale.shift) + i128::from(scale.zero_point)
}

impl Space {
    /// For every index of the shape, in row-major order, where up to three operands are.
    fn walk(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        (0..self.dims.iter().product::<usize>()).map(|mut rest| {
            let mut places = [0; 3];
            for (axis, dim) in self.dims.iter().enumerate().rev() {
                let at = rest % dim;
                rest /= dim;
                for (place, strides) in places.iter_mut().zip(&self.strides) {
                    *place += at * strides[axis];
                }
            }
            places
        })
    }
}

/// The level that is the oracle of all others; needs no test of its own.
fn reference_kernels() -> &'static Kernels {
    static KERNELS: OnceLock<Kernels> = OnceLock::new();
    KERNELS.get_or_init(|| Kernels::untested(Level::Reference, 1).expect("it is everywhere, and one thread is none"))
}

fn binary(op: Binary, space: &Space, a: &[i64], b: &[i64]) -> Vec<i64> {
    let mut out = vec![0; space.dims.iter().product()];
    let (a, b) = (
        kernel::Operand { values: a, strides: &space.strides[0] },
        kernel::Operand { values: b, strides: &space.strides[1] },
    );
    kernel::binary(reference_kernels(), op, &space.dims, a, b, &mut out);
    out
}

fn attend(
    attention: &Attention,
    extent: Extent,
    (q, k, v): (&[i64], &[i64], &[i64]),
    seen: Option<&[i64]>,
) -> Vec<i64> {
    let (heads, key_heads) = attention.heads;
    let (queries, keys) = (attention.lengths.0.at(extent), attention.lengths.1.at(extent));
    let (depth, width) = attention.widths;
    let batches = extent.rows * attention.batches;
    let (q, k, v) = match attention.layout {
        Heads::Apart => (q.to_vec(), k.to_vec(), v.to_vec()),
        Heads::SideBySide => (
            swapped(q, (batches, queries, heads, depth)),
            swapped(k, (batches, keys, key_heads, depth)),
            swapped(v, (batches, keys, key_heads, width)),
        ),
    };
    let bytes = |values: Vec<i64>| values.into_iter().map(i8::saturate_i64).collect::<Vec<i8>>();
    let (q, k, v) = (bytes(q), bytes(k), bytes(v));
    let rows = heads / key_heads * queries;
    let mut out = Vec::new();
    for index in 0..batches * key_heads {
        let batch = index / key_heads;
        let head = Head {
            q: &q[index * rows * depth..][..rows * depth],
            k: &k[index * keys * depth..][..keys * depth],
            v: &v[index * keys * width..][..keys * width],
            queries,
            keys,
            depth,
            width,
            length: match (&attention.seen, seen) {
                (Seen::Each(all), _) => usize::try_from(all[batch]).unwrap_or(keys),
                (_, Some(all)) => usize::try_from(all[batch]).unwrap_or(keys),
                _ => keys,
            },
            position: match &attention.positions {
                Positions::Nowhere => None,
                Positions::Each(all) => Some(all[batch]),
                Positions::Same => Some(0),
            },
        };
        let mut values = vec![0; rows * width];
        kernel::attention_head(reference_kernels(), &head, attention.softmax, attention.scale, &mut values)
            .expect("only candle fails");
        out.extend(values.into_iter().map(i64::from));
    }
    match attention.layout {
        Heads::Apart => out,
        Heads::SideBySide => swapped(&out, (batches, heads, queries, width)),
    }
}

/// The pixel, counted through all images, that a tap reads at a place, counted likewise, if it lies in the image.
fn seen(window: &Window, place: usize, tap: usize) -> Option<usize> {
    let (image, row, column) = window.place(place);
    let row = window.source(0, row, tap / window.kernel[1])?;
    let column = window.source(1, column, tap % window.kernel[1])?;
    Some((image * window.input[0] + row) * window.input[1] + column)
}

/// `[n][a][b][inner]` as `[n][b][a][inner]`.
fn swapped(x: &[i64], (n, a, b, inner): (usize, usize, usize, usize)) -> Vec<i64> {
    let space = Space { dims: vec![n, b, a, inner], strides: vec![vec![a * b * inner, inner, b * inner, 1]] };
    space.walk().map(|[at, ..]| x[at]).collect()
}

fn read(dtype: DType, bytes: &[u8]) -> Vec<i64> {
    with_element!(dtype, T => wide(T::read_le(bytes)))
}

fn wide<T: Element>(values: Vec<T>) -> Vec<i64> {
    values.into_iter().map(Into::into).collect()
}

fn write(dtype: DType, values: &[i64]) -> Vec<u8> {
    with_element!(dtype, T => T::write_le(&values.iter().map(|value| T::saturate_i64(*value)).collect::<Vec<_>>()))
}
