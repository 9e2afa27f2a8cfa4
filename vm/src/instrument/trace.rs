//! What validation found at each operator of a body, for those who go over it again.

use wasmparser::{Operator, ValType};

use super::costs::Cost;
use super::operators::Access;

#[derive(Default)]
pub(crate) struct Trace<'a> {
    pub(crate) steps: Vec<Step<'a>>,
    types: Vec<ValType>,
}

/// One operator.
pub(crate) struct Step<'a> {
    pub(crate) operator: Operator<'a>,
    /// What it costs by itself.
    pub(crate) cost: Cost,
    /// How it uses the memory.
    pub(crate) access: Option<Access>,
    /// How many operands it takes, at most.
    pub(crate) popped: u32,
    /// Operands below its block.
    pub(crate) floor: usize,
    /// Operands behind it.
    pub(crate) height: u32,
    /// Whether a new metering block begins behind it.
    pub(crate) ends_block: bool,
    /// Nothing leads here.
    pub(crate) is_dead: bool,
    /// What [`Trace::types`] has given for it; of no meaning for an operator that needs no fix.
    pub(crate) types: usize,
}

impl Trace<'_> {
    /// Forgets all operators, and keeps the room for them.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.types.clear();
    }

    /// Keeps the types of what an operator takes, the topmost first. Returns where they are.
    pub(crate) fn types(&mut self, types: impl Iterator<Item = ValType>) -> usize {
        let first = self.types.len();
        self.types.extend(types);
        first
    }

    /// All types from there on.
    pub(crate) fn types_from(&self, first: usize) -> &[ValType] {
        &self.types[first..]
    }
}
