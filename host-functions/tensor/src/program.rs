//! What a device runs: a straight line of operations on numbered values.
//!
//! A graph is one program, and so is a single opcode. Parameters (weights, scales) belong to the
//! operations and are uploaded once; inputs and outputs pass once for each run. Values have a row of
//! a stated number of elements, or that many for each token of a sequence; a run is given how many rows there are and
//! how long their sequences are ([`Extent`]), and every value has that many.
//!
//! ```
//! use noema_tensor::{DType, program::{Extent, Operation, Program, ValueType}};
//!
//! // y = max(x, 0) for rows of three.
//! let mut program = Program::default();
//! let three = ValueType::of_row(DType::I8, 3);
//! let x = program.input(three);
//! let y = program.push(Operation::Relu, &[x], three);
//! program.output(y);
//! assert_eq!(program.instructions().len(), 1);
//! assert_eq!(program.type_of(y).bytes(Extent::of_rows(5)), Some(15));
//! ```

use std::borrow::Cow;

use noema_abi::DType;

use crate::kernel::{Binary, Pool, ProductScale, Relation, Softmax, Unary, Window};

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(usize);

impl ValueId {
    /// Its place in [`Program::values`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of the batch.
    pub rows: usize,
    /// Tokens of the sequence of each; 1 where there are no sequences.
    pub length: usize,
}

impl Extent {
    /// Rows without sequences.
    #[must_use]
    pub const fn of_rows(rows: usize) -> Extent {
        Extent { rows, length: 1 }
    }
}

/// Element type of a value and how many elements it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueType {
    /// Element type.
    pub dtype: DType,
    /// Elements of a row, or of each token of its sequence.
    pub row: usize,
    /// Whether a row has so many elements for each token.
    pub per_token: bool,
}

impl ValueType {
    /// Rows of so many elements.
    #[must_use]
    pub const fn of_row(dtype: DType, row: usize) -> ValueType {
        ValueType { dtype, row, per_token: false }
    }

    /// Elements of a run, or `None` where they cannot be counted.
    #[must_use]
    pub fn elements(self, extent: Extent) -> Option<usize> {
        let tokens = if self.per_token { extent.length } else { 1 };
        self.row.checked_mul(tokens)?.checked_mul(extent.rows)
    }

    /// Bytes of a run, or `None` where they cannot be counted.
    #[must_use]
    pub fn bytes(self, extent: Extent) -> Option<usize> {
        self.elements(extent)?.checked_mul(self.dtype.size())
    }
}

/// A length that a program states, or that of the sequences of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As stated.
    Fixed(usize),
    /// [`Extent::length`].
    Sequence,
}

impl Length {
    /// What it is in a run.
    #[must_use]
    pub fn at(self, extent: Extent) -> usize {
        match self {
            Length::Fixed(length) => length,
            Length::Sequence => extent.length,
        }
    }
}

/// The sides of products of two values, as many as they hold: `[..][m][k]` by `[..][k][n]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Rows of the left operand.
    pub m: usize,
    /// Length of the sums.
    pub k: usize,
    /// Columns of the right operand.
    pub n: usize,
}

/// An index space: the shape of a result and, for each operand, elements between neighbours along each axis of it; 0
/// along a repeated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The shape.
    pub dims: Vec<usize>,
    /// One for each operand.
    pub strides: Vec<Vec<usize>>,
}

/// The shapes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// How the window moves.
    pub window: Window,
    /// Channels of the image, and of the result.
    pub channels: (usize, usize),
    /// Groups of both, which divide them.
    pub groups: usize,
}

impl Filters {
    /// Length of the sums, saturating.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.window.taps().saturating_mul(self.channels.0 / self.groups.max(1))
    }
}

/// The attributes of an attention: see `op.attention`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Elements of the batch in a row.
    pub batches: usize,
    /// Query heads of an element, and key heads.
    pub heads: (usize, usize),
    /// Queries of a head, and keys.
    pub lengths: (Length, Length),
    /// Elements of a query and key, and of a value.
    pub widths: (usize, usize),
    /// How the heads of an element lie, in operands and result.
    pub layout: Heads,
    /// How many keys an element of the batch has.
    pub seen: Seen,
    /// Where its first query stands among the keys.
    pub positions: Positions,
    /// The scale of the scores.
    pub softmax: Softmax,
    /// Multiplier and shift of the result.
    pub scale: (i32, u32),
}

/// How the heads of an attention lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// `[heads][length][width]`: one behind the other, as in `op.attention`.
    Apart,
    /// `[length][heads][width]`: side by side along the last axis, as products leave them.
    SideBySide,
}

/// How many keys are seen: always the first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All.
    All,
    /// A number for each element of the batch; for a single row.
    Each(Vec<u32>),
    /// The operand behind the values says so, one `i32` for each element of the batch, from 0 to the number of keys.
    Operand,
}

/// Where queries stand among the keys: none sees a key behind its own place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Nowhere: they see all.
    Nowhere,
    /// The first query of each element of the batch stands here, the others behind it; for a single row.
    Each(Vec<u32>),
    /// Query `i` stands at key `i`.
    Same,
}

/// One operation. The formulas are those of the opcodes of the same name; operands and result have the
/// element types that the opcode allows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// `y[.., j] = bias[j] + sum over i of x[.., i] * weights[j][i]`, `x` of `i8`, `u8` or `i16`, `y` of
    /// `i32` or `i64`, whichever the caller has proven to hold every sum.
    Linear {
        /// Length of the vectors of `x`.
        k: usize,
        /// Length of the vectors of `y`.
        n: usize,
        /// Row-major `[n][k]`.
        weights: Cow<'a, [i8]>,
        /// One for each output.
        bias: Cow<'a, [i32]>,
    },
    /// `op.matmul` of two values, of every row.
    MatMul(Sides),
    /// `op.conv2d` of images, channels last, and a bias that is added to every place.
    Conv2d {
        /// The shapes.
        sides: Filters,
        /// What lies beside the image, a value of its type.
        pad: i64,
        /// `[outputs][rows][columns][channels of a group]`.
        weights: Cow<'a, [i8]>,
        /// One for each output.
        bias: Cow<'a, [i32]>,
    },
    /// `op.max_pool` or `op.average_pool` of images, channels last.
    Pool {
        /// How the window moves.
        window: Window,
        /// Channels of the images.
        channels: usize,
        /// What is made of what it sees.
        pool: Pool,
    },
    /// `op.requantise` with scales that are one for all, or one for each index of the last axis.
    Requantise {
        /// One, or as many as the last axis is long.
        multipliers: Cow<'a, [i32]>,
        /// As many.
        shifts: Cow<'a, [u8]>,
        /// For all elements.
        zero_point: i32,
    },
    /// `op.add` and its like of two values of one shape.
    Binary(Binary),
    /// `op.add` with a constant that is repeated: its length divides that of a row.
    AddConst {
        /// The constants.
        constants: Cow<'a, [i32]>,
    },
    /// `op.add` and its like with broadcasting; for a single row.
    BinaryBroadcast {
        /// The function.
        op: Binary,
        /// Shape of the result, and how the operands move.
        space: Space,
    },
    /// `op.equal` and its like; for a single row.
    Compare {
        /// The relation.
        relation: Relation,
        /// Shape of the result, and how the operands move.
        space: Space,
    },
    /// `op.select`; for a single row.
    Select(Space),
    /// `op.mul_requantise`; for a single row.
    MulRequantise {
        /// Its scale.
        scale: ProductScale,
        /// Shape of the result, and how the operands move.
        space: Space,
    },
    /// `op.mul_requantise` with one number of the second operand for every `each` numbers of the first.
    MulEach {
        /// Its scale.
        scale: ProductScale,
        /// Neighbours that have one number.
        each: usize,
    },
    /// `op.neg` and its like.
    Unary(Unary),
    /// `op.lookup`, every function of 8 bits, and those of 16 bits of many elements.
    Lookup {
        /// An entry for every value of the operand's type, the lowest first, in little-endian bytes.
        table: Cow<'a, [u8]>,
    },
    /// `op.layer_norm` or, without a bias, `op.rms_norm`.
    Norm {
        /// As long as a row.
        gain: Cow<'a, [i32]>,
        /// As long, or nothing.
        bias: Option<Cow<'a, [i32]>>,
        /// Added to the variance, in units of `2^-24`.
        epsilon: u64,
        /// Bits that `gain` and `bias` have beyond the result.
        shift: u32,
        /// Length of the last axis.
        row: usize,
    },
    /// `op.l2_norm`.
    L2Norm {
        /// Added to the sum of squares, in units of `2^-24`.
        epsilon: u64,
        /// Of the result.
        fraction_bits: u32,
        /// Length of the last axis.
        row: usize,
    },
    /// `op.row_step` of rows of this length.
    RowStep {
        /// Length of the last axis.
        row: usize,
        /// The largest quantised number.
        largest: u32,
    },
    /// `op.quantise_rows`: a value and its steps.
    QuantiseRows {
        /// Length of the last axis.
        row: usize,
    },
    /// `op.attention` of three values.
    Attention(Attention),
    /// `op.relu`.
    Relu,
    /// `op.softmax` of rows of this length.
    Softmax {
        /// Its attributes.
        attributes: Softmax,
        /// Length of the last axis.
        row: usize,
    },
    /// `op.argmax` of rows of this length.
    Argmax {
        /// Length of the last axis.
        row: usize,
    },
    /// Rows of a table that the operand names (`i32`, each below their number): `op.gather` along axis 0.
    Gather {
        /// The table, in little-endian bytes of the result's type.
        table: Cow<'a, [u8]>,
        /// Elements of a row of it.
        columns: usize,
    },
    /// `op.add` with the first of these constants, as many as a row has.
    AddRows {
        /// In little-endian bytes of the operand's type.
        constants: Cow<'a, [u8]>,
    },
    /// The mean of the first tokens of every row, as many as a second operand says (one `i32` for each row, from 1 to the length of
    /// the sequences): `op.slice`, then `op.reduce_mean`.
    MeanPool {
        /// Tokens of a row.
        length: Length,
        /// Elements of a token.
        columns: usize,
    },
    /// `op.concat` of two values: so many elements of the one, then so many of the other, and so on.
    Concat([usize; 2]),
    /// Of every row (or token) of the operand the elements at `start` and onwards by strides.
    CopyStrided {
        /// Shape of the result.
        dims: Vec<usize>,
        /// Elements between neighbours of the operand along each axis.
        strides: Vec<usize>,
        /// The first element.
        start: usize,
    },
}

impl Operation<'_> {
    /// The same with parameters of its own.
    #[must_use]
    pub fn to_static(&self) -> Operation<'static> {
        self.with_parameters(
            |values| Cow::Owned(values.to_vec()),
            |values| Cow::Owned(values.to_vec()),
            |values| Cow::Owned(values.to_vec()),
        )
    }

    fn without_parameters(&self) -> Operation<'static> {
        self.with_parameters(|_| Cow::Borrowed(&[]), |_| Cow::Borrowed(&[]), |_| Cow::Borrowed(&[]))
    }

    fn with_parameters(
        &self,
        i8s: impl Fn(&[i8]) -> Cow<'static, [i8]>,
        u8s: impl Fn(&[u8]) -> Cow<'static, [u8]>,
        i32s: impl Fn(&[i32]) -> Cow<'static, [i32]>,
    ) -> Operation<'static> {
        match self {
            Operation::Linear { k, n, weights, bias } => {
                Operation::Linear { k: *k, n: *n, weights: i8s(weights), bias: i32s(bias) }
            }
            Operation::MatMul(sides) => Operation::MatMul(*sides),
            Operation::Conv2d { sides, pad, weights, bias } => {
                Operation::Conv2d { sides: *sides, pad: *pad, weights: i8s(weights), bias: i32s(bias) }
            }
            Operation::Pool { window, channels, pool } => {
                Operation::Pool { window: *window, channels: *channels, pool: *pool }
            }
            Operation::Requantise { multipliers, shifts, zero_point } => {
                let (multipliers, shifts) = (i32s(multipliers), u8s(shifts));
                Operation::Requantise { multipliers, shifts, zero_point: *zero_point }
            }
            Operation::Binary(op) => Operation::Binary(*op),
            Operation::AddConst { constants } => Operation::AddConst { constants: i32s(constants) },
            Operation::BinaryBroadcast { op, space } => Operation::BinaryBroadcast { op: *op, space: space.clone() },
            Operation::Compare { relation, space } => Operation::Compare { relation: *relation, space: space.clone() },
            Operation::Select(space) => Operation::Select(space.clone()),
            Operation::MulRequantise { scale, space } => {
                Operation::MulRequantise { scale: *scale, space: space.clone() }
            }
            Operation::MulEach { scale, each } => Operation::MulEach { scale: *scale, each: *each },
            Operation::Unary(op) => Operation::Unary(*op),
            Operation::Lookup { table } => Operation::Lookup { table: u8s(table) },
            Operation::Norm { gain, bias, epsilon, shift, row } => {
                let (gain, bias) = (i32s(gain), bias.as_ref().map(|bias| i32s(bias)));
                Operation::Norm { gain, bias, epsilon: *epsilon, shift: *shift, row: *row }
            }
            Operation::L2Norm { epsilon, fraction_bits, row } => {
                Operation::L2Norm { epsilon: *epsilon, fraction_bits: *fraction_bits, row: *row }
            }
            Operation::RowStep { row, largest } => Operation::RowStep { row: *row, largest: *largest },
            Operation::QuantiseRows { row } => Operation::QuantiseRows { row: *row },
            Operation::Attention(attention) => Operation::Attention(attention.clone()),
            Operation::Relu => Operation::Relu,
            Operation::Softmax { attributes, row } => Operation::Softmax { attributes: *attributes, row: *row },
            Operation::Argmax { row } => Operation::Argmax { row: *row },
            Operation::Gather { table, columns } => Operation::Gather { table: u8s(table), columns: *columns },
            Operation::AddRows { constants } => Operation::AddRows { constants: u8s(constants) },
            Operation::MeanPool { length, columns } => Operation::MeanPool { length: *length, columns: *columns },
            Operation::Concat(parts) => Operation::Concat(*parts),
            Operation::CopyStrided { dims, strides, start } => {
                Operation::CopyStrided { dims: dims.clone(), strides: strides.clone(), start: *start }
            }
        }
    }

    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Linear { .. } => "linear",
            Operation::MatMul(_) => "matmul",
            Operation::Conv2d { .. } => "conv2d",
            Operation::Pool { .. } => "pool",
            Operation::Requantise { .. } => "requantise",
            Operation::AddConst { .. } | Operation::AddRows { .. } => "add",
            Operation::Binary(_) | Operation::BinaryBroadcast { .. } => "binary",
            Operation::Compare { .. } => "compare",
            Operation::Select(_) => "select",
            Operation::MulRequantise { .. } | Operation::MulEach { .. } => "mul_requantise",
            Operation::Unary(_) => "unary",
            Operation::Lookup { .. } => "lookup",
            Operation::Norm { .. } => "norm",
            Operation::L2Norm { .. } => "l2_norm",
            Operation::RowStep { .. } => "row_step",
            Operation::QuantiseRows { .. } => "quantise_rows",
            Operation::Attention(_) => "attention",
            Operation::Relu => "relu",
            Operation::Softmax { .. } => "softmax",
            Operation::Argmax { .. } => "argmax",
            Operation::Gather { .. } => "gather",
            Operation::MeanPool { .. } => "mean_pool",
            Operation::Concat(_) => "concat",
            Operation::CopyStrided { .. } => "copy",
        }
    }
}

/// An operation with what it reads and makes.
#[derive(Clone, Debug)]
pub struct Instruction<'a> {
    /// What to do.
    pub operation: Operation<'a>,
    /// What it reads.
    pub operands: Vec<ValueId>,
    /// What it makes.
    pub result: ValueId,
}

/// A program. Values are made once and read after they were made, by construction.
#[derive(Clone, Debug, Default)]
pub struct Program<'a> {
    values: Vec<ValueType>,
    inputs: Vec<ValueId>,
    instructions: Vec<Instruction<'a>>,
    outputs: Vec<ValueId>,
}

impl<'a> Program<'a> {
    /// Adds an input.
    pub fn input(&mut self, value: ValueType) -> ValueId {
        let id = self.value(value);
        self.inputs.push(id);
        id
    }

    /// Adds an operation and gives its result.
    ///
    /// # Panics
    /// Where an operand is not a value of this program.
    pub fn push(&mut self, operation: Operation<'a>, operands: &[ValueId], result: ValueType) -> ValueId {
        assert!(operands.iter().all(|id| id.0 < self.values.len()), "an operand of another program");
        let result = self.value(result);
        self.instructions.push(Instruction { operation, operands: operands.to_vec(), result });
        result
    }

    /// Makes a value an output.
    pub fn output(&mut self, id: ValueId) {
        self.outputs.push(id);
    }

    fn value(&mut self, value: ValueType) -> ValueId {
        self.values.push(value);
        ValueId(self.values.len() - 1)
    }

    /// The same program with every parameter array empty: shapes alone.
    #[must_use]
    pub fn without_parameters(&self) -> Program<'static> {
        let instructions = self.instructions.iter().map(|instruction| Instruction {
            operation: instruction.operation.without_parameters(),
            operands: instruction.operands.clone(),
            result: instruction.result,
        });
        Program {
            values: self.values.clone(),
            inputs: self.inputs.clone(),
            instructions: instructions.collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// The same program with parameters of its own.
    #[must_use]
    pub fn to_static(&self) -> Program<'static> {
        let instructions = self.instructions.iter().map(|instruction| Instruction {
            operation: instruction.operation.to_static(),
            operands: instruction.operands.clone(),
            result: instruction.result,
        });
        Program {
            values: self.values.clone(),
            inputs: self.inputs.clone(),
            instructions: instructions.collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> &[ValueType] {
        &self.values
    }

    /// The type of one.
    #[must_use]
    pub fn type_of(&self, id: ValueId) -> ValueType {
        self.values[id.0]
    }

    /// The inputs, in order.
    #[must_use]
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The operations, in order.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction<'a>] {
        &self.instructions
    }

    /// The outputs, in order.
    #[must_use]
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// Where every value lies in one piece of memory, in a run of this extent: offsets that are multiples of
    /// `alignment`, and the length of the whole. Values that are needed at the same time do not overlap.
    ///
    /// Returns `None` where the length cannot be counted.
    #[must_use]
    pub fn layout(&self, extent: Extent, alignment: usize) -> Option<(Vec<usize>, usize)> {
        let end = self.instructions.len();
        // An input is there before the first operation; an output is needed after the last.
        let mut last_use: Vec<usize> = vec![0; self.values.len()];
        for (step, instruction) in self.instructions.iter().enumerate() {
            last_use[instruction.result.0] = step;
            instruction.operands.iter().for_each(|id| last_use[id.0] = step);
        }
        self.outputs.iter().for_each(|id| last_use[id.0] = end);
        let made_by = |step: usize| self.instructions.get(step).map(|instruction| instruction.result);
        let inputs = self.inputs.iter().map(|id| (0, *id));
        let results = (0..end).filter_map(|step| made_by(step).map(|id| (step, id)));
        let (mut offsets, mut total) = (vec![0; self.values.len()], 0);
        let mut live: Vec<(usize, usize, usize)> = Vec::new();
        for (step, id) in inputs.chain(results) {
            live.retain(|(_, _, needed_until)| *needed_until >= step);
            let bytes = self.values[id.0].bytes(extent)?.max(1).checked_next_multiple_of(alignment)?;
            let (mut offset, mut at) = (0usize, live.len());
            for (position, (start, length, _)) in live.iter().enumerate() {
                if start - offset >= bytes {
                    at = position;
                    break;
                }
                offset = start + length;
            }
            offsets[id.0] = offset;
            total = total.max(offset.checked_add(bytes)?);
            live.insert(at, (offset, bytes, last_use[id.0]));
        }
        Some((offsets, total))
    }
}

#[cfg(test)]
mod tests {
    use noema_abi::DType;

    use super::{Extent, Operation, Program, ValueType};
    use crate::kernel::Binary;

    #[test]
    fn values_that_are_needed_together_do_not_overlap() {
        let bytes = |row| ValueType::of_row(DType::I8, row);
        let mut program = Program::default();
        let (a, b) = (program.input(bytes(10)), program.input(bytes(10)));
        let c = program.push(Operation::Binary(Binary::Add), &[a, b], bytes(10));
        let d = program.push(Operation::Relu, &[c], bytes(10));
        let e = program.push(Operation::Relu, &[d], bytes(10));
        program.output(e);
        program.output(a);
        let (offsets, total) = program.layout(Extent::of_rows(3), 16).unwrap();
        // `a` stays to the end, `d` takes the place of `b`, `e` that of `c`.
        assert_eq!(offsets, [0, 32, 64, 32, 64]);
        assert_eq!(total, 96);
        assert!(program.layout(Extent::of_rows(usize::MAX), 16).is_none());
        let total = |rows| program.layout(Extent::of_rows(rows), 16).unwrap().1;
        assert_eq!((total(2), total(1)), (96, 48));
    }
}
