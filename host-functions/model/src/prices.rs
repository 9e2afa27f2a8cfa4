//! What running a graph costs: data, one list for each protocol version that changes it. Lists that have been in use
//! are never edited.
//!
//! A node does the work of opcodes and pays for it what their rows of the table say, so running a graph is never
//! priced unlike running its opcodes; what it saves is the price of each call. Decisions of trees and steps through a
//! vocabulary have no row: their prices stand here (docs/spec/trees.md, docs/spec/text.md).

use noema_abi::{ProtocolVersion, ROWS};
use noema_tensor::kernel::Function;

use crate::graph::Graph;

/// The opcodes of the table that nodes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opcode {
    /// Work: as the opcode; of weights that are in order already, [`noema_tensor::work::linear`].
    Matmul,
    /// Work: elements, 3 for each of `i64`.
    Requantise,
    /// Work: bytes, and 32 for each run.
    Add,
    /// Work: bytes.
    Relu,
    /// Work: elements, and 5 for each row.
    Softmax,
    /// Work: as the opcode.
    Argmax,
    /// Work: as the opcode.
    Gather,
    /// Work: bytes of the result, and 32 for each run.
    Slice,
    /// Work: as the opcode.
    Transpose,
    /// Work: as the opcode.
    Concat,
    /// Work: as the opcode.
    LayerNorm,
    /// Work: elements, and 4 for each vector.
    L2Norm,
    /// Work: elements, twice where the result is `i32`, and 7 for each value that is computed.
    Function(Function),
    /// Work: elements.
    Lookup,
    /// Work: as the opcode.
    Attention,
    /// Work: as the opcode.
    MulRequantise,
    /// Work: as the opcode.
    RowStep,
    /// Work: elements, and 24 for each row.
    QuantiseRows,
    /// Work: as the opcode.
    ReduceMean,
    /// Work: [`noema_tensor::work::convolution`].
    Conv2d,
    /// Work: as the opcode.
    MaxPool,
    /// Work: as the opcode.
    AveragePool,
    /// Work: steps of a recurrent network.
    Recurrence,
    /// Work: steps through the tries of a vocabulary, 4 for each character after its replacement, and 16 for each byte.
    WordPiece,
    /// Work: steps among pairs of tokens, and 32 for each byte.
    BytePairs,
    /// Work: comparisons on the longest way through each tree, trees and outputs, of an ensemble of
    /// [`Forest::Small`](crate::ops::Forest::Small) size.
    SmallForest,
    /// The same for [`Forest::Medium`](crate::ops::Forest::Medium).
    MediumForest,
    /// The same for [`Forest::Large`](crate::ops::Forest::Large).
    LargeForest,
}

/// The prices from one protocol version on, in gas (picoseconds of the reference machine).
#[derive(Clone, Copy, Debug)]
pub struct PriceList {
    /// The first version that has it.
    pub since: ProtocolVersion,
    /// For running a graph at all: checking the inputs, the arena, handing out the outputs.
    pub run: u64,
    /// For a byte of inputs and outputs.
    pub port_byte: u64,
    /// For a node, whatever the batch.
    pub node: u64,
    /// The same besides, where the graph has a sequence axis: its edges and their places follow from the length, and a node may not
    /// have them at hand.
    pub node_of_length: u64,
    /// For a unit of the work of an opcode.
    pub per_work: fn(Opcode) -> u64,
}

/// Every list, oldest first.
pub const PRICES: &[PriceList] = &[PriceList {
    since: ProtocolVersion::V1,
    run: 1_000_000,
    port_byte: 200,
    node: 100_000,
    // The example `length_speed`: 0.5 µs a node more than where the length is the last one's.
    node_of_length: 400_000,
    per_work: v1,
}];

impl PriceList {
    /// The list of a version.
    #[must_use]
    pub fn of(version: ProtocolVersion) -> &'static PriceList {
        PRICES.iter().rev().find(|list| list.since <= version).unwrap_or(&PRICES[0])
    }

    /// What each node costs whatever the batch.
    pub(crate) fn node_of(&self, graph: &Graph) -> u64 {
        if graph.has_sequence() { self.node.saturating_add(self.node_of_length) } else { self.node }
    }

    /// What running one node costs in a graph with a sequence axis, before its work and its ports: the sum by hand, that tests compare
    /// with.
    #[cfg(test)]
    pub(crate) fn one_node_of_length(&self) -> u64 {
        self.run + self.node + self.node_of_length
    }
}

fn v1(opcode: Opcode) -> u64 {
    match opcode {
        Opcode::Matmul => const { row("matmul") },
        Opcode::Requantise => const { row("requantise") },
        Opcode::Add => const { row("add") },
        Opcode::Relu => const { row("relu") },
        Opcode::Softmax => const { row("softmax") },
        Opcode::Argmax => const { row("argmax") },
        Opcode::Gather => const { row("gather") },
        Opcode::Slice => const { row("slice") },
        Opcode::Transpose => const { row("transpose") },
        Opcode::Concat => const { row("concat") },
        Opcode::LayerNorm => const { row("layer_norm") },
        Opcode::L2Norm => const { row("l2_norm") },
        Opcode::Function(function) => of_function(function),
        Opcode::Lookup => const { row("lookup") },
        Opcode::Attention => const { row("attention") },
        Opcode::MulRequantise => const { row("mul_requantise") },
        Opcode::RowStep => const { row("row_step") },
        Opcode::QuantiseRows => const { row("quantise_rows") },
        Opcode::ReduceMean => const { row("reduce_mean") },
        Opcode::Conv2d => const { row("conv2d") },
        Opcode::MaxPool => const { row("max_pool") },
        Opcode::AveragePool => const { row("average_pool") },
        // What a step takes besides its numbers: a product and three tables begin.
        Opcode::Recurrence => 1_000_000,
        // A step is a search among the children of a node, up to some thousand at the roots. The example `word_piece_speed` on a busy
        // development machine: 20 to 70 ns for a character whose piece is one step, 64 for each byte.
        Opcode::WordPiece => 10_000,
        // The example `text_speed` of noema-import on a busy development machine: at most 14 ns, of long words of frequent syllables.
        Opcode::BytePairs => 20_000,
        // The example `tree_speed` of noema-tensor on the development machine, one core: 2 to 6, 2 to 10 and 11 to 74 ns.
        Opcode::SmallForest => 5_000,
        Opcode::MediumForest => 9_000,
        Opcode::LargeForest => 50_000,
    }
}

fn of_function(function: Function) -> u64 {
    match function {
        Function::Exp => const { row("exp") },
        Function::Log => const { row("log") },
        Function::Sigmoid => const { row("sigmoid") },
        Function::Tanh => const { row("tanh") },
        Function::Silu => const { row("silu") },
        Function::Gelu => const { row("gelu") },
        Function::Erf => const { row("erf") },
        Function::Sin => const { row("sin") },
        Function::Cos => const { row("cos") },
        Function::Sqrt => const { row("sqrt") },
        Function::Rsqrt => const { row("rsqrt") },
        Function::Recip => const { row("recip") },
        // A function that a later version of the kernels knows: operators name those above alone.
        _ => u64::MAX,
    }
}

/// The price of a unit of work in the row `op.name`; one that is missing does not compile.
const fn row(name: &str) -> u64 {
    let mut at = 0;
    while at < ROWS.len() {
        if same(ROWS[at].group, "op") && same(ROWS[at].name, name) {
            return ROWS[at].price.per_work;
        }
        at += 1;
    }
    panic!("the table has no such opcode")
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
