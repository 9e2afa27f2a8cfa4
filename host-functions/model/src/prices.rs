//! What running a graph costs: data, one list for each protocol version that changes it. Lists that have been in use
//! are never edited.

use noema_abi::ProtocolVersion;

use crate::ops::Op;

/// `base + per_work * work`, in gas (picoseconds of the reference machine). The work of a node is that of one row
/// times the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePrice {
    /// Whatever the batch.
    pub base: u64,
    /// For a unit of work.
    pub per_work: u64,
}

/// The prices from one protocol version on.
#[derive(Clone, Copy, Debug)]
pub struct PriceList {
    /// The first version that has it.
    pub since: ProtocolVersion,
    /// For running a graph at all: checking the inputs, the arena, handing out the outputs. Work: bytes of inputs
    /// and outputs.
    pub run: NodePrice,
    /// For a node. Work: see the list.
    pub node: fn(&Op) -> NodePrice,
}

/// Every list, oldest first.
pub const PRICES: &[PriceList] = &[PriceList { since: ProtocolVersion::V1, run: price(1_000_000, 200), node: v1 }];

impl PriceList {
    /// The list of a version.
    #[must_use]
    pub fn of(version: ProtocolVersion) -> &'static PriceList {
        PRICES.iter().rev().find(|list| list.since <= version).unwrap_or(&PRICES[0])
    }
}

const fn price(base: u64, per_work: u64) -> NodePrice {
    NodePrice { base, per_work }
}

fn v1(op: &Op) -> NodePrice {
    match op {
        // Multiplications.
        Op::Linear(_) => price(200_000, 50),
        // Elements.
        Op::Requantise(_) => price(100_000, 1_500),
        Op::AddConst(_) => price(100_000, 1_500),
        Op::Relu(_) => price(100_000, 500),
        Op::Softmax(_) => price(100_000, 40_000),
        Op::Argmax(_) => price(100_000, 1_500),
        Op::Add(_) => price(100_000, 1_500),
    }
}
