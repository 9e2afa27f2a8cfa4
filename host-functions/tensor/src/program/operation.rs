//! The operations of a program, and what each is told.

use std::borrow::Cow;

use super::Length;
use crate::kernel::{Binary, Pool, ProductScale, Relation, Softmax, Unary, Window};

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

    pub(super) fn without_parameters(&self) -> Operation<'static> {
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
