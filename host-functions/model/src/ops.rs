//! The operators of the graph. Each is one file with everything about it: attributes, shapes, parameters, bound,
//! amount of work and execution. To add one, write its file, add its line below (the number is its code in the
//! container and never changes) and, where it is made of opcodes that no other is made of, their prices in `prices.rs`;
//! what is forgotten does not compile.
//!
//! Each operator is a composition of opcodes of the table, named in its documentation, and has exactly their
//! result: running a graph and running its opcodes one by one gives the same bits. [`TreeEnsemble`] is the exception: no
//! opcode takes trees, because checking them on every call would cost more than running them.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;
use noema_tensor::{Kernels, Level, OpError, program::Operation};

use crate::{
    arena::{Sink, Source},
    bounds::{EdgeBound, Interval},
    graph::Edge,
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
}

pub use tree_ensemble::{
    Forest, MAX_DECISIONS, MAX_TREE_DEPTH, MAX_TREE_WIDTH, MAX_TREES, MISSING_LEFT, ZERO_IS_MISSING,
};

impl Op {
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

    /// What it needs for running, with weights packed for `level`.
    fn prepare(&self, level: Level, inputs: &[&Edge], parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError>;

    /// The same for a device; nothing where devices do not know it, and the whole graph stays on the CPU.
    fn lower<'p>(&self, _inputs: &[&Edge], _parameters: &Parameters<'p>) -> Option<Operation<'p>> {
        None
    }
}

/// An operator ready to run.
pub(crate) trait Step: Send + Sync {
    /// Computes `rows` rows of its output. The slices have exactly the elements of that many rows.
    fn run(&self, kernels: &Kernels, rows: usize, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError>;
}

/// Product of all axes but the last, for one row, times the batch: how many vectors along the last axis there are.
fn vectors(edge: &Edge) -> usize {
    let before_last = edge.dims.split_last().map_or(&[][..], |(_, before)| before);
    before_last
        .iter()
        .fold(1, |product: usize, dim| product.saturating_mul(usize::try_from(*dim).unwrap_or(usize::MAX)))
}

/// A length that an edge check has bounded.
fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
