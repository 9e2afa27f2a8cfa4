//! What the instructions of a program need of the card, and how each is launched.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, sys::CUdeviceptr};
use noema_abi::DType;

use super::{
    Card,
    gemm::{Gemm, ProductUnit},
    launch::{Arg, Taps, address, long, small},
    linear::{Finish, Linear, Operand, Split, padded},
    recorder::{Patches, Recorder, Value},
};
use crate::{
    device::DeviceError,
    program::{Attention, Extent, Filters, Instruction, Operation, Positions, Program, Seen, ValueId, ValueType},
};

/// An instruction with what it needs of the card.
#[allow(clippy::large_enum_variant, reason = "one for each node of a graph")]
pub(super) enum Step {
    /// A product with weights; where it is fused with the requantisation behind it, that one's result.
    Linear {
        linear: Linear,
        /// Of what: the patches of images, or the operand itself.
        patches: Option<Patches>,
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

/// Parameters on the card; steps hold their addresses.
pub(super) struct Parameters {
    card: Arc<Card>,
    kept: Vec<CudaSlice<u8>>,
}

impl Parameters {
    pub(super) fn new(card: Arc<Card>) -> Parameters {
        Parameters { card, kept: Vec::new() }
    }

    /// Uploads those of a program, and says what its instructions are.
    pub(super) fn steps(&mut self, gemm: &mut Gemm, program: &Program<'_>) -> Result<Vec<Step>, DeviceError> {
        let instructions = program.instructions();
        let mut steps = Vec::with_capacity(instructions.len());
        while steps.len() < instructions.len() {
            let index = steps.len();
            let length = fusible(program, &instructions[index..]);
            steps.push(self.prepare(gemm, program, index, &instructions[index..index + length])?);
            steps.extend((1..length).map(|_| Step::Fused));
        }
        Ok(steps)
    }

    pub(super) fn free(&mut self) {
        self.kept.clear();
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
        Ok(match &instruction.operation {
            Operation::Conv2d { sides, pad, weights, bias } if sides.groups != 1 => {
                let (weights, bias) = (self.keep(weights)?, self.keep(bias)?);
                Step::Grouped { sides: *sides, pad: *pad, weights, bias }
            }
            Operation::Linear { weights, bias, .. } | Operation::Conv2d { weights, bias, .. } => {
                let (k, n) = sums(&instruction.operation).unwrap_or_default();
                let y = fused.last().unwrap_or(instruction).result;
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
                Step::Linear { linear, patches, y }
            }
            Operation::Requantise { multipliers, shifts, zero_point } => Step::Requantise {
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
}

impl Recorder<'_> {
    /// Records a step: `operation` without its parameters, of these operands.
    pub(super) fn step(
        &mut self,
        step: &Step,
        operation: &Operation<'_>,
        extent: Extent,
        operands: &[Value],
        result: Value,
    ) -> Result<(), DeviceError> {
        let operand = |index: usize| operands.get(index).map(|operand| operand.at);
        let (x, from) = operands.first().map(|x| (x.at, x.dtype)).unwrap_or((0, result.dtype));
        let (y, to, count) = (result.at, result.dtype, result.elements);
        match step {
            Step::Fused => {}
            Step::Linear { linear, patches, .. } => {
                let (source, vectors) = match patches {
                    Some(patches) => self.patches(patches, from, (x, operands[0].elements))?,
                    None => (x, operands[0].elements / linear.k),
                };
                self.linear(&Linear { m: vectors, ..*linear }, source, y)?;
            }
            Step::Requantise { multipliers, shifts, row, zero_point } => {
                let kernel = format!("requantise_{}_{}", from.name(), to.name());
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
                unsafe { self.grid(&kernel, (count / row, row), &args)? };
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
                let kernel = format!("grouped_{}_{}", from.name(), to.name());
                // SAFETY: images and results of these sides, weights for every output, and a bias.
                unsafe { self.grid(&kernel, (places, outputs), &args)? };
            }
            Step::AddRows { constants, row } => {
                let row = row.unwrap_or(count / extent.rows);
                let rows = count / row;
                let args = [x.into(), (*constants).into(), y.into(), long(rows)?.into(), small(row)?.into()];
                // SAFETY: whole rows, and a constant for each element of one.
                unsafe { self.grid(&format!("add_rows_{}", to.name()), (rows, row), &args)? };
            }
            Step::Gather { table, columns } => {
                let rows = count / columns;
                let args = [x.into(), (*table).into(), y.into(), long(rows)?.into(), small(*columns)?.into()];
                // SAFETY: the operand names a row of the table for each row of the result.
                unsafe { self.grid(&format!("gather_{}", to.size()), (rows, *columns), &args)? };
            }
            Step::Lookup { table } => {
                let kernel = format!("lookup_{}_{}", from.name(), to.size());
                let args = [x.into(), (*table).into(), y.into(), long(count)?.into()];
                // SAFETY: the table has an entry for every value of the operand's type.
                unsafe { self.over(&kernel, count, &args)? };
            }
            Step::Norm { gain, bias, epsilon, shift, row } => {
                let kernel = format!("norm_{}_{}", from.name(), to.name());
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
                unsafe { self.rows(&kernel, (rows, *row), &args)? };
            }
            Step::Attention { seen, positions } => {
                let Operation::Attention(attention) = operation else { return Ok(()) };
                let (Some(k), Some(v)) = (operand(1), operand(2)) else {
                    return Err(DeviceError::Unsupported("an operand is missing".to_owned()));
                };
                let seen = if attention.seen == Seen::Operand { operand(3) } else { *seen };
                self.attention(attention, extent, (x, k, v), (seen, *positions), y)?;
            }
            Step::Plain => self.plain(operation, extent, operands, result)?,
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
