//! A program on the card.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{CudaGraph, CudaSlice, sys, sys::CUdeviceptr};
use noema_abi::DType;

use super::{
    Card,
    gemm::{Gemm, ProductUnit},
    launch::{Arg, Strides, Taps, address, long, small},
    linear::{Finish, Linear, Operand, Split, padded},
    recorder::{Patches, Recorder},
};
use crate::{
    device::{DeviceError, Loaded},
    program::{Attention, Extent, Filters, Instruction, Operation, Positions, Program, Seen, ValueId, ValueType},
};

/// Every value begins at a multiple of this.
pub(super) const ALIGNMENT: usize = 256;

/// A program whose parameters are on the card.
pub struct LoadedProgram {
    card: Arc<Card>,
    program: Program<'static>,
    steps: Vec<Step>,
    /// Parameters; steps hold their addresses.
    kept: Vec<CudaSlice<u8>>,
    memory: Mutex<Option<Memory>>,
}

/// An instruction with what it needs of the card.
#[allow(clippy::large_enum_variant, reason = "one for each node of a graph")]
enum Step {
    /// A product with weights; where it is fused with the requantisation behind it, that one's result.
    Linear {
        linear: Linear,
        /// Of what: the patches of images, or the operand itself.
        patches: Option<Patches>,
        x: ValueId,
        y: ValueId,
    },
    /// A convolution of several groups.
    Grouped {
        sides: Filters,
        pad: i64,
        weights: CUdeviceptr,
        bias: CUdeviceptr,
    },
    /// Done by the product before it.
    Fused,
    Requantise {
        x: DType,
        multipliers: CUdeviceptr,
        shifts: CUdeviceptr,
        row: usize,
        zero_point: i32,
    },
    /// What is added to every row of so many elements; without a number, to the rows of the run.
    AddRows {
        constants: CUdeviceptr,
        row: Option<usize>,
    },
    Lookup {
        table: CUdeviceptr,
    },
    Gather {
        table: CUdeviceptr,
        columns: usize,
    },
    Norm {
        gain: CUdeviceptr,
        bias: Option<CUdeviceptr>,
        epsilon: u64,
        shift: u32,
        row: usize,
    },
    Attention {
        seen: Option<CUdeviceptr>,
        positions: Option<CUdeviceptr>,
    },
    Plain,
}

/// The memory of runs of one extent.
struct Memory {
    extent: Extent,
    values: CudaSlice<u8>,
    offsets: Vec<usize>,
    scratch: CudaSlice<u8>,
    /// Set by checks: the number of the instruction that was wrong, from 1.
    wrong: CudaSlice<u32>,
    /// Whether the program ran once, so that nothing is left to prepare.
    warm: bool,
    graph: Option<CudaGraph>,
}

// SAFETY: graphs may be used from any thread, one at a time; this is used behind a lock.
unsafe impl Send for Memory {}

impl std::fmt::Debug for LoadedProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedProgram").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl LoadedProgram {
    pub(super) fn new(card: Arc<Card>, program: &Program<'_>) -> Result<LoadedProgram, DeviceError> {
        let mut loaded = LoadedProgram {
            card,
            // Shapes alone: parameters go to the card.
            program: program.without_parameters(),
            steps: Vec::new(),
            kept: Vec::new(),
            memory: Mutex::new(None),
        };
        // What is uploaded must not come between the launches that another program records on the stream. (Let go before the program, which
        // takes the lock when it is dropped.)
        let card = Arc::clone(&loaded.card);
        let mut gemm = card.lock();
        let instructions = program.instructions();
        let mut index = 0;
        while index < instructions.len() {
            let length = fusible(program, &instructions[index..]);
            let step = loaded.prepare(&mut gemm, program, index, &instructions[index..index + length])?;
            loaded.steps.push(step);
            loaded.steps.extend((1..length).map(|_| Step::Fused));
            index += length;
        }
        loaded.card.stream.synchronize()?;
        Ok(loaded)
    }

    fn keep<T: bytemuck::Pod>(&mut self, values: &[T]) -> Result<CUdeviceptr, DeviceError> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let buffer = match bytes.is_empty() {
            true => self.card.stream.alloc_zeros::<u8>(8)?,
            false => self.card.stream.clone_htod(bytes)?,
        };
        Ok(self.own(buffer))
    }

    fn keep_zeros(&mut self, bytes: usize) -> Result<CUdeviceptr, DeviceError> {
        let buffer = self.card.stream.alloc_zeros::<u8>(bytes.max(8))?;
        Ok(self.own(buffer))
    }

    fn own(&mut self, buffer: CudaSlice<u8>) -> CUdeviceptr {
        let at = address(&buffer, &self.card.stream);
        self.kept.push(buffer);
        at
    }

    fn prepare(
        &mut self,
        gemm: &mut Gemm,
        program: &Program<'_>,
        index: usize,
        instructions: &[Instruction<'_>],
    ) -> Result<Step, DeviceError> {
        let [instruction, fused @ ..] = instructions else { return Ok(Step::Fused) };
        let operand = |i: usize| program.type_of(instruction.operands[i]);
        if let Operation::Conv2d { sides, pad, weights, bias } = &instruction.operation
            && sides.groups != 1
        {
            let (weights, bias) = (self.keep(weights)?, self.keep(bias)?);
            return Ok(Step::Grouped { sides: *sides, pad: *pad, weights, bias });
        }
        Ok(match &instruction.operation {
            Operation::Linear { weights, bias, .. } | Operation::Conv2d { weights, bias, .. } => {
                let (k, n) = sums(&instruction.operation).unwrap_or_default();
                let (x, y) = (instruction.operands[0], fused.last().unwrap_or(instruction).result);
                let finish = match fused.first().map(|fused| &fused.operation) {
                    Some(Operation::Requantise { multipliers, shifts, zero_point }) => {
                        let (m, s) = (self.keep(multipliers)?, self.keep(shifts)?);
                        let per_column = multipliers.len() > 1;
                        let table = match fused.get(1).map(|fused| &fused.operation) {
                            Some(Operation::Lookup { table }) => Some(self.keep(table)?),
                            _ => None,
                        };
                        let to = program.type_of(y).dtype;
                        Finish::Requantise { to, multipliers: m, shifts: s, per_column, zero_point: *zero_point, table }
                    }
                    _ => Finish::Sums(program.type_of(y).dtype),
                };
                let linear = self.weights(gemm, index, operand(0), (k, n), (weights, bias), finish)?;
                let patches = match &instruction.operation {
                    Operation::Conv2d { sides, pad, .. } => {
                        Some(Patches { window: sides.window, channels: sides.channels.0, pad: *pad })
                    }
                    _ => None,
                };
                Step::Linear { linear, patches, x, y }
            }
            Operation::Requantise { multipliers, shifts, zero_point } => Step::Requantise {
                x: operand(0).dtype,
                row: multipliers.len(),
                multipliers: self.keep(multipliers)?,
                shifts: self.keep(shifts)?,
                zero_point: *zero_point,
            },
            Operation::AddConst { constants } => {
                let row = Some(constants.len());
                Step::AddRows { constants: self.keep(constants)?, row }
            }
            Operation::AddRows { constants } => Step::AddRows { constants: self.keep(constants)?, row: None },
            Operation::Gather { table, columns } => Step::Gather { table: self.keep(table)?, columns: *columns },
            Operation::Lookup { table } => Step::Lookup { table: self.keep(table)? },
            Operation::Norm { gain, bias, epsilon, shift, row } => Step::Norm {
                gain: self.keep(gain)?,
                bias: bias.as_ref().map(|bias| self.keep(bias)).transpose()?,
                epsilon: *epsilon,
                shift: *shift,
                row: *row,
            },
            Operation::Attention(Attention { seen, positions, .. }) => Step::Attention {
                seen: if let Seen::Each(all) = seen { Some(self.keep(all)?) } else { None },
                positions: if let Positions::Each(all) = positions { Some(self.keep(all)?) } else { None },
            },
            _ => Step::Plain,
        })
    }

    /// Weights as the unit wants them, and the constants that follow from them.
    fn weights(
        &mut self,
        gemm: &mut Gemm,
        index: usize,
        x: ValueType,
        (k, n): (usize, usize),
        (weights, bias): (&[i8], &[i32]),
        finish: Finish,
    ) -> Result<Linear, DeviceError> {
        if k == 0 || n == 0 {
            return Err(DeviceError::Unsupported("a product with an empty side".to_owned()));
        }
        let (split, w) = (Split::of(x.dtype)?, Split::of(DType::I8)?);
        let (k_pad, n_pad) = (padded(k)?, padded(n)?);
        let mut rows = vec![0i8; n_pad * k_pad];
        for (to, from) in rows.chunks_exact_mut(k_pad).zip(weights.chunks_exact(k)) {
            to[..k].copy_from_slice(from);
        }
        let bytes = self.keep(&rows)?;
        let unit = self.card.options.unit;
        let wide = match unit.widened() {
            Some(size) => self.keep_zeros(rows.len() * size)?,
            None => bytes,
        };
        let operand = Operand { split: w, bytes, wide, plane: rows.len(), k_pad };
        let biased = bias.iter().any(|bias| *bias != 0);
        let columns = match biased || split.offset() != 0 {
            true => Some(self.keep_zeros(8 * n_pad)?),
            false => None,
        };
        let mut padded_bias = bias.to_vec();
        padded_bias.resize(n_pad, 0);
        let bias = self.keep(&padded_bias)?;
        let check = match self.card.options.check_products {
            true => Some((self.keep_zeros(8 * n_pad)?, self.keep_zeros(8 * k_pad)?)),
            false => None,
        };
        let card = Arc::clone(&self.card);
        let mut recorder = Recorder::new(&card, gemm, Some(0), 0, usize::MAX);
        if unit.widened().is_some() {
            recorder.widen_to(bytes, rows.len(), wide)?;
        }
        if let Some(columns) = columns {
            recorder.column_constants(&operand, n_pad, (split.offset(), 0), Some(bias), columns)?;
        }
        let check = match check {
            Some((r, w_r)) => {
                recorder.random(r, n_pad)?;
                Some(recorder.check_of(&operand, 1, n_pad, r, w_r)?)
            }
            None => None,
        };
        let mark = small(index + 1)?;
        Ok(Linear { batches: 1, m: 0, k, n, x: split, w: operand, columns, check, finish, mark })
    }

    /// Milliseconds on the card for each of `times` runs in a row with what lies in the inputs' memory: for
    /// benches. Where nothing was recorded for this extent, it uploads `inputs` and runs twice before.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn time(&self, extent: Extent, inputs: &[&[u8]], times: u32) -> Result<f32, DeviceError> {
        // The second run records the graph; what was recorded before is used again.
        let recorded =
            |memory: &Memory| memory.extent == extent && (memory.graph.is_some() || !self.card.options.graphs);
        if !self.memory.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(recorded) {
            let mut outputs: Vec<Vec<u8>> = self.outputs(extent)?;
            self.run(extent, inputs, &mut outputs)?;
            self.run(extent, inputs, &mut outputs)?;
        }
        let mut gemm = self.card.lock();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.as_mut().ok_or_else(|| DeviceError::Lost("no memory after a run".to_owned()))?;
        let flags = Some(sys::CUevent_flags::CU_EVENT_DEFAULT);
        let start = self.card.stream.record_event(flags)?;
        for _ in 0..times {
            self.work(&mut gemm, memory)?;
        }
        let end = self.card.stream.record_event(flags)?;
        #[allow(clippy::as_conversions, clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a time")]
        let each = start.elapsed_ms(&end)? / times.max(1) as f32;
        Ok(each)
    }

    /// Outputs of the right lengths.
    ///
    /// # Errors
    /// [`DeviceError::Memory`] where they cannot be counted.
    pub fn outputs(&self, extent: Extent) -> Result<Vec<Vec<u8>>, DeviceError> {
        let bytes = |id: &ValueId| {
            let bytes = self.program.type_of(*id).bytes(extent);
            bytes.map(|bytes| vec![0; bytes]).ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))
        };
        self.program.outputs().iter().map(bytes).collect()
    }

    /// Memory for this extent; what is there is used again where it is enough.
    fn memory(&self, gemm: &mut Gemm, extent: Extent, slot: &mut Option<Memory>) -> Result<(), DeviceError> {
        if slot.as_ref().is_some_and(|memory| memory.extent == extent) {
            return Ok(());
        }
        let layout = self.program.layout(extent, ALIGNMENT);
        let (offsets, total) = layout.ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))?;
        let mut dry = Recorder::new(&self.card, gemm, None, 0, usize::MAX);
        self.record(&mut dry, extent, &offsets, 0)?;
        let (total, scratch) = (total.max(ALIGNMENT), dry.high.max(ALIGNMENT));
        if let Some(memory) = slot.take_if(|memory| memory.values.len() >= total && memory.scratch.len() >= scratch) {
            *slot = Some(Memory { extent, offsets, warm: false, graph: None, ..memory });
            return Ok(());
        }
        // The old memory goes first, so that both need not fit.
        *slot = None;
        // SAFETY: every value is written before it is read, and so is scratch.
        let (values, scratch) =
            unsafe { (self.card.stream.alloc::<u8>(total)?, self.card.stream.alloc::<u8>(scratch)?) };
        let wrong = self.card.stream.alloc_zeros::<u32>(1)?;
        *slot = Some(Memory { extent, values, offsets, scratch, wrong, warm: false, graph: None });
        Ok(())
    }

    /// Launches everything: from a graph once there is one.
    fn work(&self, gemm: &mut Gemm, memory: &mut Memory) -> Result<(), DeviceError> {
        let stream = &self.card.stream;
        if let Some(graph) = &memory.graph {
            return Ok(graph.launch()?);
        }
        let base = address(&memory.values, stream);
        let (scratch, room) = (address(&memory.scratch, stream), memory.scratch.len());
        let wrong = address(&memory.wrong, stream);
        let mut recorder = Recorder::new(&self.card, gemm, Some(wrong), scratch, room);
        if !(memory.warm && self.card.options.graphs) {
            self.record(&mut recorder, memory.extent, &memory.offsets, base)?;
            memory.warm = true;
            return Ok(());
        }
        stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)?;
        let recorded = self.record(&mut recorder, memory.extent, &memory.offsets, base);
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = stream.end_capture(flags);
        recorded?;
        let graph = graph?.ok_or_else(|| DeviceError::Lost("a graph without launches".to_owned()))?;
        graph.launch()?;
        memory.graph = Some(graph);
        Ok(())
    }

    fn record(
        &self,
        recorder: &mut Recorder<'_>,
        extent: Extent,
        offsets: &[usize],
        base: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        for (instruction, step) in self.program.instructions().iter().zip(&self.steps) {
            recorder.used = 0;
            let at = |id: ValueId| Ok::<_, DeviceError>(base + long(offsets[id.index()])?);
            let elements = |id: ValueId| {
                let elements = self.program.type_of(id).elements(extent);
                elements.ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))
            };
            if let Step::Linear { linear, patches, x, y } = step {
                let of = self.program.type_of(*x).dtype;
                let (from, vectors) = match patches {
                    Some(patches) => recorder.patches(patches, of, (at(*x)?, elements(*x)?))?,
                    None => (at(*x)?, elements(*x)? / linear.k),
                };
                let linear = Linear { m: vectors, ..*linear };
                if linear.m > 0 {
                    recorder.linear(&linear, from, at(*y)?)?;
                }
                continue;
            }
            let x = at(instruction.operands[0])?;
            let operand = |index: usize| instruction.operands.get(index).map(|id| at(*id)).transpose();
            let second = operand(1)?;
            let y = at(instruction.result)?;
            let (from, to) = (self.program.type_of(instruction.operands[0]), self.program.type_of(instruction.result));
            let second_type = instruction.operands.get(1).map(|id| self.program.type_of(*id));
            let count = elements(instruction.result)?;
            if count == 0 {
                continue;
            }
            match step {
                Step::Linear { .. } | Step::Fused => {}
                Step::Requantise { x: dtype, multipliers, shifts, row, zero_point } => {
                    let kernel = format!("requantise_{}_{}", dtype.name(), to.dtype.name());
                    let per_column = u32::from(*row > 1);
                    let row = if *row > 1 { *row } else { count };
                    let args = [
                        x.into(),
                        y.into(),
                        long(count / row)?.into(),
                        small(row)?.into(),
                        (*multipliers).into(),
                        (*shifts).into(),
                        per_column.into(),
                        (*zero_point).into(),
                    ];
                    // SAFETY: as many elements as the value has, as many scales as a row.
                    unsafe { recorder.grid(&kernel, (count / row, row), &args)? };
                }
                Step::Grouped { sides, pad, weights, bias } => {
                    let (channels, outputs) = sides.channels;
                    let places = count / outputs;
                    let args = [
                        x.into(),
                        (*weights).into(),
                        (*bias).into(),
                        y.into(),
                        long(places)?.into(),
                        small(outputs)?.into(),
                        small(sides.window.taps())?.into(),
                        small(channels)?.into(),
                        small(sides.groups)?.into(),
                        (*pad).into(),
                        Arg::Window(Taps::of(&sides.window)?),
                    ];
                    let kernel = format!("grouped_{}_{}", from.dtype.name(), to.dtype.name());
                    // SAFETY: images and results of these sides, weights for every output, and a bias.
                    unsafe { recorder.grid(&kernel, (places, outputs), &args)? };
                }
                Step::AddRows { constants, row } => {
                    let row = row.unwrap_or(count / extent.rows);
                    let rows = count / row;
                    let args = [x.into(), (*constants).into(), y.into(), long(rows)?.into(), small(row)?.into()];
                    // SAFETY: whole rows, and a constant for each element of one.
                    unsafe { recorder.grid(&format!("add_rows_{}", to.dtype.name()), (rows, row), &args)? };
                }
                Step::Gather { table, columns } => {
                    let rows = count / columns;
                    let args = [x.into(), (*table).into(), y.into(), long(rows)?.into(), small(*columns)?.into()];
                    // SAFETY: the operand names a row of the table for each row of the result.
                    unsafe { recorder.grid(&format!("gather_{}", to.dtype.size()), (rows, *columns), &args)? };
                }
                Step::Lookup { table } => {
                    let kernel = format!("lookup_{}_{}", from.dtype.name(), to.dtype.size());
                    let args = [x.into(), (*table).into(), y.into(), long(count)?.into()];
                    // SAFETY: the table has an entry for every value of the operand's type.
                    unsafe { recorder.over(&kernel, count, &args)? };
                }
                Step::Norm { gain, bias, epsilon, shift, row } => {
                    let kernel = format!("norm_{}_{}", from.dtype.name(), to.dtype.name());
                    let rows = count / row;
                    let args = [
                        x.into(),
                        y.into(),
                        long(rows)?.into(),
                        small(*row)?.into(),
                        (*gain).into(),
                        bias.unwrap_or(0).into(),
                        (*epsilon).into(),
                        (*shift).into(),
                    ];
                    // SAFETY: whole rows, and a gain and a bias for each element of one.
                    unsafe { recorder.rows(&kernel, (rows, *row), &args)? };
                }
                Step::Attention { seen, positions } => {
                    let Operation::Attention(attention) = &instruction.operation else { continue };
                    let (Some(k), Some(v)) = (second, operand(2)?) else {
                        return Err(DeviceError::Unsupported("an operand is missing".to_owned()));
                    };
                    let seen = if attention.seen == Seen::Operand { operand(3)? } else { *seen };
                    recorder.attention(attention, extent, (x, k, v), (seen, *positions), y)?;
                }
                Step::Plain => {
                    let operands = ((x, from), second.zip(second_type));
                    recorder.plain(&instruction.operation, extent, operands, (y, to), count)?;
                    if let Operation::Select(space) = &instruction.operation {
                        let (Some(a), Some(b)) = (second, operand(2)?) else {
                            return Err(DeviceError::Unsupported("an operand is missing".to_owned()));
                        };
                        let strides = Arg::Strides(Strides::of(space)?);
                        let args = [x.into(), a.into(), b.into(), y.into(), long(count)?.into(), strides];
                        // SAFETY: strides stay inside the operands, as planned.
                        unsafe { recorder.over(&format!("select_{}", to.dtype.size()), count, &args)? };
                    }
                }
            }
        }
        Ok(())
    }
}

/// Length and number of the sums of a product with weights that is computed by the unit for products.
fn sums(operation: &Operation<'_>) -> Option<(usize, usize)> {
    match operation {
        Operation::Linear { k, n, .. } => Some((*k, *n)),
        Operation::Conv2d { sides, .. } if sides.groups == 1 => Some((sides.depth(), sides.channels.1)),
        _ => None,
    }
}

/// How many instructions are one pass: a product, the requantisation that alone reads its sums, and the lookup of the
/// same type that alone reads those.
fn fusible(program: &Program<'_>, instructions: &[Instruction<'_>]) -> usize {
    let [first, next, rest @ ..] = instructions else { return 1 };
    let (Some((k, n)), Operation::Requantise { multipliers, .. }) = (sums(&first.operation), &next.operation) else {
        return 1;
    };
    let reads = |of: &Instruction<'_>| {
        program.instructions().iter().flat_map(|i| &i.operands).filter(|id| **id == of.result).count()
    };
    let only = |by: &Instruction<'_>, of: &Instruction<'_>| {
        by.operands == [of.result] && reads(of) == 1 && !program.outputs().contains(&of.result)
    };
    let dtype = |of: &Instruction<'_>| program.type_of(of.result).dtype;
    let x = program.type_of(first.operands[0]).dtype;
    let one_pass = only(next, first)
        && dtype(first) == DType::I32
        && matches!(x, DType::I8 | DType::U8)
        // One piece for every unit.
        && k <= ProductUnit::Bf16.max_k()
        && (multipliers.len() == 1 || multipliers.len() == n)
        && dtype(next) != DType::I64;
    match rest.first() {
        _ if !one_pass => 1,
        Some(lookup)
            if matches!(lookup.operation, Operation::Lookup { .. })
                && only(lookup, next)
                && matches!(dtype(next), DType::I8 | DType::U8)
                && dtype(lookup) == dtype(next) =>
        {
            3
        }
        _ => 2,
    }
}

impl Loaded for LoadedProgram {
    fn run(&self, extent: Extent, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), DeviceError> {
        let stream = &self.card.stream;
        stream.context().bind_to_thread()?;
        // The lock of the library is that of the card: one run at a time.
        let mut gemm = self.card.lock();
        let mut slot = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.memory(&mut gemm, extent, &mut slot)?;
        let memory = slot.as_mut().ok_or_else(|| DeviceError::Memory("no memory".to_owned()))?;
        for (id, input) in self.program.inputs().iter().zip(inputs) {
            if self.program.type_of(*id).bytes(extent) != Some(input.len()) {
                return Err(DeviceError::Unsupported("an input of another length".to_owned()));
            }
            if !input.is_empty() {
                let start = memory.offsets[id.index()];
                stream.memcpy_htod(*input, &mut memory.values.slice_mut(start..start + input.len()))?;
            }
        }
        stream.memset_zeros(&mut memory.wrong)?;
        self.work(&mut gemm, memory)?;
        for (id, output) in self.program.outputs().iter().zip(outputs) {
            if !output.is_empty() {
                let start = memory.offsets[id.index()];
                stream.memcpy_dtoh(&memory.values.slice(start..start + output.len()), &mut output[..])?;
            }
        }
        let mut wrong = [0u32];
        stream.memcpy_dtoh(&memory.wrong, &mut wrong[..])?;
        stream.synchronize()?;
        match wrong {
            [0] => Ok(()),
            [mark] => {
                let index = usize::try_from(mark - 1).unwrap_or(0);
                let name = self.program.instructions().get(index).map_or("unknown", |i| i.operation.name());
                Err(DeviceError::Wrong(format!("product of instruction {index} ({name})")))
            }
        }
    }
}

impl Drop for LoadedProgram {
    fn drop(&mut self) {
        // Freeing is work on the stream, too.
        let _gemm = self.card.lock();
        self.kept.clear();
        *self.memory.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Card {
    /// The lock of the card: who holds it alone works on its stream.
    pub(super) fn lock(&self) -> MutexGuard<'_, Gemm> {
        self.gemm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
