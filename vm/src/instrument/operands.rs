//! The operand stack of a body that goes by, with what an analysis knows of each operand.

use std::ops::Deref;

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
