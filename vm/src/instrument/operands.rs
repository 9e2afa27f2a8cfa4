//! The operand stack of a body that goes by, with what an analysis knows of each operand.

use std::ops::Deref;

use wasmparser::{Operator, ValType};

/// What validation found at each operator of a body, for those who go over it again.
#[derive(Default)]
pub(crate) struct Trace<'a> {
    pub(super) steps: Vec<Step<'a>>,
    types: Vec<ValType>,
}

/// One operator.
pub(super) struct Step<'a> {
    pub(super) operator: Operator<'a>,
    /// How many operands it takes.
    pub(super) popped: u32,
    /// Operands below its block.
    pub(super) floor: usize,
    /// Operands behind it.
    pub(super) height: u32,
    /// Nothing leads here.
    pub(super) is_dead: bool,
    types: usize,
}

impl<'a> Trace<'a> {
    /// Forgets all operators, and keeps the room for them.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.types.clear();
    }

    /// Before an operator is validated: the types of what it takes, the topmost first. Nobody asks for those of one that needs no
    /// fix.
    pub(crate) fn operands(&mut self, types: impl Iterator<Item = ValType>) -> usize {
        let first = self.types.len();
        self.types.extend(types);
        first
    }

    /// They, again.
    pub(crate) fn operand_types(&self, first: usize) -> &[ValType] {
        &self.types[first..]
    }

    /// Behind it. `types` is what [`Self::operands`] has given for it.
    pub(crate) fn push(
        &mut self,
        operator: Operator<'a>,
        taken: (u32, usize),
        height: u32,
        is_dead: bool,
        types: usize,
    ) {
        let (popped, floor) = taken;
        self.steps.push(Step { operator, popped, floor, height, is_dead, types });
    }

    /// The type of an operand of a live operator, counted from the top.
    pub(super) fn operand_type(&self, step: &Step<'_>, depth: usize) -> ValType {
        self.types[step.types + depth]
    }
}

/// What is known of each operand, the topmost last.
pub(super) struct Operands<T> {
    known: Vec<T>,
}

impl<T: Copy> Operands<T> {
    pub(super) fn new() -> Operands<T> {
        Operands { known: Vec::new() }
    }

    /// How many operands stay below those that an operator takes, which are `popped` and none below the `floor` of its block: in dead
    /// code it may take some that are not there.
    pub(super) fn kept(&self, popped: u32, floor: usize) -> usize {
        let popped = usize::try_from(popped).unwrap_or(usize::MAX);
        self.known.len().saturating_sub(popped).max(floor.min(self.known.len()))
    }

    /// What an operator leaves: `height` operands, those above `kept` its own, and `result` known of each of them.
    pub(super) fn replace(&mut self, kept: usize, height: u32, result: T) {
        let height = usize::try_from(height).unwrap_or(usize::MAX);
        self.known.truncate(kept.min(height));
        self.known.resize(height, result);
    }
}

impl<T> Deref for Operands<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.known
    }
}
