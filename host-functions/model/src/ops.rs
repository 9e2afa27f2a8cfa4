//! The operators of the graph. Each is one file with everything about it: attributes, shapes, parameters, bound,
//! amount of work and execution. To add one, write its file, add its line below (the number is its code in the
//! container and never changes) and, where it is made of opcodes that no other is made of, their prices in `prices.rs`;
//! what is forgotten does not compile.
//!
//! Each operator is a composition of opcodes of the table, named in its documentation, and has exactly their
//! result: running a graph and running its opcodes one by one gives the same bits. [`TreeEnsemble`], [`WordPiece`] and [`BytePairs`] are the
//! exceptions: no opcode takes trees or vocabularies, because checking them on every call would cost more than using them.

use std::ops::RangeInclusive;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::{DType, Status};
use noema_tensor::{
    Kernels, Level, OpError,
    program::{self, Operation},
};

use crate::{
    arena::{Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::{Edge, EdgeId, SEQUENCE},
    parameters::Parameters,
    prices::Opcode,
};

macro_rules! operators {
    ($( $(#[$doc:meta])* $code:literal $module:ident $name:ident ),* $(,)?) => {
        $( mod $module; pub use $module::$name; )*

        /// What a node does.
        #[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
        #[borsh(use_discriminant = true)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Op {
            $( #[doc = concat!("See [`", stringify!($name), "`].")] $name($name) = $code ),*
        }

        impl Op {
            /// The names of all operators.
            pub const NAMES: &'static [&'static str] = &[ $( stringify!($name) ),* ];

            /// The name of the operator.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $( Op::$name(_) => stringify!($name) ),* }
            }

            pub(crate) fn operator(&self) -> &dyn Operator {
                match self { $( Op::$name(op) => op ),* }
            }
        }

        $( impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        } )*
    };
}

operators! {
    0 linear Linear,
    1 requantise Requantise,
    2 add_const AddConst,
    3 relu Relu,
    4 softmax Softmax,
    5 argmax Argmax,
    6 add Add,
    7 tree_ensemble TreeEnsemble,
    8 embedding Embedding,
    9 add_rows AddRows,
    10 layer_norm LayerNorm,
    11 function Function,
    12 lookup Lookup,
    13 matmul MatMul,
    14 attention Attention,
    15 reshape Reshape,
    16 transpose Transpose,
    17 concat Concat,
    18 slice Slice,
    19 mul Mul,
    20 row_step RowStep,
    21 quantise_rows QuantiseRows,
    22 mean_pool MeanPool,
    23 l2_norm L2Norm,
    24 conv2d Conv2d,
    25 max_pool MaxPool,
    26 average_pool AveragePool,
    27 global_average_pool GlobalAveragePool,
    28 word_piece WordPiece,
    29 lstm Lstm,
    30 gru Gru,
    31 byte_pairs BytePairs,
}

/// What the tables of [`WordPiece`] and [`BytePairs`] are made of.
pub mod text {
    pub use super::byte_pairs::{BLANK, BREAK, LETTER, NUMBER, OTHER};
    pub use super::word_piece::{ALONE, DROP, KEEP, LIST, SPACE, entry};
}

mod broadcast;
pub(crate) mod linear_requantised;
mod pool;
mod recurrent;
mod tokenizer;
mod window;
pub use recurrent::{MAX_HIDDEN, STATE_BITS, SUM_BITS};
pub use window::Window;

pub use tree_ensemble::{
    Forest, MAX_DECISIONS, MAX_TREE_DEPTH, MAX_TREE_WIDTH, MAX_TREES, MISSING_LEFT, ZERO_IS_MISSING,
};

impl Op {
    pub(crate) fn in_place(&self) -> Option<InPlace> {
        self.operator().in_place()
    }

    /// How many edges it reads.
    #[must_use]
    pub fn arity(&self) -> usize {
        self.operator().arity()
    }

    /// The parameters that the container holds for it, in order, given what it reads.
    ///
    /// # Errors
    /// Why the input does not fit.
    pub fn parameters(&self, inputs: &[&Edge]) -> Result<Vec<ParameterSpec>, String> {
        self.operator().infer(inputs)?;
        Ok(self.operator().parameters(inputs))
    }
}

/// A parameter array of an operator: weights, biases, multipliers...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// Element type.
    pub dtype: DType,
    /// How many elements.
    pub elements: u64,
}

impl ParameterSpec {
    pub(crate) fn new(dtype: DType, elements: u64) -> ParameterSpec {
        ParameterSpec { dtype, elements }
    }
}

/// How an operator may be computed where one of its inputs lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InPlace {
    /// The inputs, by their numbers; the first that can be is written over.
    pub(crate) inputs: &'static [usize],
    /// Whether rows along the last axis are computed as wholes, not each element for itself.
    pub(crate) by_row: bool,
}

impl InPlace {
    const ELEMENTS: Option<InPlace> = Some(InPlace { inputs: &[0], by_row: false });
    const ROWS: Option<InPlace> = Some(InPlace { inputs: &[0], by_row: true });
}

/// Everything that the rest of the crate asks of an operator. `inputs` always has [`Operator::arity`] edges, and
/// after [`Operator::infer`] accepted them the other functions may rely on what it checked.
pub(crate) trait Operator {
    /// How many edges it reads.
    fn arity(&self) -> usize {
        1
    }

    /// Checks attributes and inputs; the edge that it makes. Must be cheap and allocate nothing large.
    fn infer(&self, inputs: &[&Edge]) -> Result<Edge, String>;

    /// The parameter arrays that the container holds for it.
    fn parameters(&self, _inputs: &[&Edge]) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// The bound of its output from those of its inputs, or why there is none. Also checks parameter values.
    fn bound(&self, edges: &[&Edge], inputs: &[Interval], parameters: &Parameters<'_>) -> Result<EdgeBound, String>;

    /// The opcodes that it is made of and their work for one row, saturating.
    fn work(&self, inputs: &[&Edge]) -> Vec<(Opcode, u64)>;

    /// Whether its parameters speak of places along the last axis of what it reads, which then cannot be the sequence
    /// axis. (Where their number depends on it, that is noticed without this.)
    fn needs_channels(&self) -> bool {
        false
    }

    /// Whether it may write its result where one of its inputs lies. Then the result has the shape of that input for sequences of any length, and
    /// a [`Step`] may be given the elements part by part and asks its shapes for the last axis alone.
    fn in_place(&self) -> Option<InPlace> {
        None
    }

    /// What it needs for running, with weights packed for `level`; the same for sequences of any length.
    fn prepare(&self, level: Level, inputs: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError>;

    /// The same for a device; nothing where devices do not know it, and it stays on the CPU. The sequence axis of inputs is marked
    /// ([`sequence`](crate::graph::sequence)): it is the first one, and never the last of what is computed along the last axis.
    fn lower<'p>(&self, _inputs: &[&Edge], _parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        None
    }

    /// Whether its elements are computed one by one, so that the sequence axis may be the last one, too.
    fn is_elementwise(&self) -> bool {
        self.in_place().is_some_and(|in_place| !in_place.by_row)
    }

    /// The input whose elements must be in a range, where there is one: with others a run has no result, and a device is not asked.
    fn range(&self, _inputs: &[&Edge]) -> Option<(usize, RangeInclusive<i64>)> {
        None
    }
}

/// How large everything is that a node reads and makes, in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shapes<'a> {
    /// Rows of the batch.
    pub(crate) rows: usize,
    /// All edges of the graph.
    pub(crate) edges: &'a [Edge],
    /// The numbers of those that the node reads.
    pub(crate) reads: &'a [EdgeId],
    /// The number of its own.
    pub(crate) output: usize,
}

impl<'a> Shapes<'a> {
    /// What the node reads.
    pub(crate) fn input(&self, index: usize) -> &'a Edge {
        &self.edges[length(self.reads[index].0)]
    }

    /// What it makes.
    pub(crate) fn output(&self) -> &'a Edge {
        &self.edges[self.output]
    }

    /// The axes of an edge for all rows of the batch, which come first.
    fn batched(&self, edge: &Edge) -> Vec<usize> {
        [&[self.rows], &lengths(&edge.dims)[..]].concat()
    }
}

/// An operator ready to run.
pub(crate) trait Step: Send + Sync {
    /// Computes all rows of its output. The slices have exactly the elements of that many rows.
    ///
    /// # Errors
    /// A status where elements are not what the operator takes; [`OpError::Node`] where this machine cannot do it.
    fn run(&self, k: &Kernels, shapes: &Shapes<'_>, inputs: &[Source<'_>], y: &mut Sink<'_>) -> Result<(), OpError>;
}

/// The axes of a row as lengths of this machine.
fn lengths(dims: &[u32]) -> Vec<usize> {
    dims.iter().map(|dim| length(*dim)).collect()
}

/// Evaluates `$body` with `$x` and `$y` the elements of an input and of an output of one type.
macro_rules! same_type {
    ($input:expr, $output:expr, |$x:ident, $y:ident| $body:expr) => {
        match ($input, $output) {
            (Source::I8($x), Sink::I8($y)) => $body,
            (Source::U8($x), Sink::U8($y)) => $body,
            (Source::I16($x), Sink::I16($y)) => $body,
            (Source::I32($x), Sink::I32($y)) => $body,
            (Source::I64($x), Sink::I64($y)) => $body,
            _ => return Err(arena::unexpected()),
        }
    };
}
use same_type;

/// Evaluates `$body` with `$x` the elements of an input of `i8`, `i16` or `i32`.
macro_rules! signed_source {
    ($input:expr, |$x:ident| $body:expr) => {
        match $input {
            Source::I8($x) => $body,
            Source::I16($x) => $body,
            Source::I32($x) => $body,
            _ => return Err(arena::unexpected()),
        }
    };
}
use signed_source;

/// Evaluates `$body` with `$y` the elements of an output of `i8`, `i16` or `i32`.
macro_rules! signed_sink {
    ($output:expr, |$y:ident| $body:expr) => {
        match $output {
            Sink::I8($y) => $body,
            Sink::I16($y) => $body,
            Sink::I32($y) => $body,
            _ => return Err(arena::unexpected()),
        }
    };
}
use signed_sink;

/// Whether norms, and what quantises rows, take and give elements of this type.
fn is_signed(dtype: DType) -> bool {
    matches!(dtype, DType::I8 | DType::I16 | DType::I32)
}

/// The axes of a row of a value on a device, or of each token of its sequence, and how many stand before them: the sequence axis, if there is one.
fn device_axes(edge: &Edge) -> (&[u32], usize) {
    match &edge.dims[..] {
        [first, rest @ ..] if first & SEQUENCE != 0 => (rest, 1),
        all => (all, 0),
    }
}

/// An axis of a value on a device.
fn device_length(dim: u32) -> program::Length {
    if dim & SEQUENCE == 0 { program::Length::Fixed(length(dim)) } else { program::Length::Sequence }
}

/// Lengths of sequences, one for each row of the batch, each of at least `least` and at most `most`.
fn sequence_lengths(source: Source<'_>, least: usize, most: usize) -> Result<Vec<usize>, OpError> {
    let length = |length: &i32| usize::try_from(*length).ok().filter(|length| (least..=most).contains(length));
    let lengths: Option<Vec<usize>> = source.i32s()?.iter().map(length).collect();
    Ok(lengths.ok_or(Status::IndexOutOfRange)?)
}

/// Whether an edge can be lengths of sequences: one `i32` for each row.
fn is_length(edge: &Edge) -> bool {
    edge.dtype == DType::I32 && edge.dims.is_empty()
}

/// A length that an edge check has bounded.
fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
