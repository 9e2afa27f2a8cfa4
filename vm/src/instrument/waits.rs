//! How long the operators of a body wait for each other.
//!
//! A processor does several operators at a time, unless one needs what another brings. So what a run of operators takes is the larger of
//! two numbers: their times together, as if it were always busy, and the longest chain of delays through them, as if it could do
//! everything else at once. The prices of operators are times; what the longest chain is more is found here, and a
//! metering block pays for it.
//!
//! A processor looks ahead so far and no further. So a body is cut into *stretches*, of which each is looked at by itself, as if nothing
//! of the next one began before the last one has ended. That holds for any processor that has room for a stretch; one that looks
//! further ahead is only faster. The text of the specification is in `docs/spec/gas.md`.

use wasmparser::Operator;

use super::costs::{Cost, Found, Reach, cost_in};
use super::operands::Operands;
use super::operators::Access;
use super::trace::Step;

/// Operators of a stretch.
const STRETCH: u32 = 64;

/// Goes over one body.
pub(super) struct Waits {
    reach: Reach,
    stack: Operands<Ready>,
    locals: Vec<Ready>,
    /// When all that has been stored is there, and all that went into globals.
    memory: u64,
    globals: u64,
    /// The number of the stretch, of its first operator, and of the next one.
    stretch: u32,
    first: u32,
    next: u32,
    /// Times of its operators together, and when the last of their results is there.
    times: u64,
    latest: u64,
    found: Vec<(u32, u64)>,
}

/// When a value is there, counted from the beginning of a stretch; what was there before is there at once.
#[derive(Clone, Copy, Default)]
struct Ready {
    stretch: u32,
    at: u64,
}

impl Waits {
    /// At the beginning of a body with so many locals, parameters included.
    pub(super) fn new(reach: Reach, locals: u32) -> Waits {
        Waits {
            reach,
            stack: Operands::new(),
            locals: vec![Ready::default(); usize::try_from(locals).unwrap_or(usize::MAX)],
            memory: 0,
            globals: 0,
            stretch: 0,
            first: 0,
            next: 0,
            times: 0,
            latest: 0,
            found: Vec::new(),
        }
    }

    /// Goes over an operator.
    pub(super) fn step(&mut self, step: &Step<'_>, found: Found) {
        let cost = cost_in(self.reach, (step.cost, step.access), found);
        let kept = self.stack.kept(step.popped, step.floor);
        let mut at = 0;
        if !step.is_dead {
            let operands = self.stack[kept..].iter().map(|operand| self.at(*operand)).max().unwrap_or(0);
            at = self.result(step, cost, operands);
            self.latest = self.latest.max(at);
        }
        let is_barrier = cost.delay.is_none();
        self.times += if is_barrier { 0 } else { cost.time };
        self.stack.replace(kept, step.height, Ready { stretch: self.stretch, at });
        self.next += 1;
        if is_barrier || step.ends_block || self.next - self.first == STRETCH {
            self.cut();
        }
    }

    /// When a value is there.
    fn at(&self, value: Ready) -> u64 {
        if value.stretch == self.stretch { value.at } else { 0 }
    }

    /// When the results of an operator are there, whose last operand is there at `operands`.
    fn result(&mut self, step: &Step<'_>, cost: Cost, operands: u64) -> u64 {
        let delay = cost.delay.unwrap_or(0);
        let local = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        match &step.operator {
            Operator::LocalGet { local_index } => {
                self.locals.get(local(*local_index)).map_or(0, |value| self.at(*value))
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(value) = self.locals.get_mut(local(*local_index)) {
                    *value = Ready { stretch: self.stretch, at: operands };
                }
                operands
            }
            Operator::GlobalGet { .. } => self.globals + delay,
            Operator::GlobalSet { .. } => {
                self.globals = self.globals.max(operands + delay);
                self.globals
            }
            _ => match step.access {
                Some(Access::Load) => operands.max(self.memory) + delay,
                Some(Access::Store { .. }) => {
                    self.memory = self.memory.max(operands + delay);
                    self.memory
                }
                None => operands + delay,
            },
        }
    }

    /// Ends a stretch.
    fn cut(&mut self) {
        let waits = self.latest.saturating_sub(self.times);
        if waits != 0 {
            self.found.push((self.first, waits));
        }
        self.first = self.next;
        self.stretch += 1;
        (self.times, self.latest, self.memory, self.globals) = (0, 0, 0, 0);
    }

    /// What each stretch waits, in their order: its first operator, and how long.
    pub(super) fn finish(mut self) -> Vec<(u32, u64)> {
        self.cut();
        self.found
    }
}
