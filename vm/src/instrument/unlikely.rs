//! Branches one way of which is unlikely, and where that way pays for the wrong guess.
//!
//! A conditional branch has the price of one that a processor guesses wrong every other time. Three kinds are taken one way nearly always, and can
//! be seen in the code: a branch one way of which comes to an `unreachable` (a check of a bound, of an overflow) takes that way once
//! in the life of a frame, one that leaves a loop, or ends it, takes that way once for each time that the loop runs. Such a branch costs
//! next to nothing, and who goes the unlikely way pays there: `unreachable` has a price, and so has the block behind what is left. A program that goes it
//! every other time pays about what it would for other branches. The text of the specification is in `docs/spec/gas.md`.

use wasmparser::Operator;

use super::trace::Step;

/// What was found in a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unlikely {
    /// The branches, in their order.
    pub(crate) branches: Vec<u32>,
    /// Those at the end of a loop that begin it again: what is unlikely is the `end` behind them, where the loop is left.
    pub(crate) latches: Vec<u32>,
    /// Operators at which metering blocks begin to which branches out of loops go, in their order.
    pub(crate) exits: Vec<u32>,
}

/// Goes over a body and finds them.
#[derive(Default)]
pub(crate) struct UnlikelyFinder {
    open: Vec<Open>,
    /// Branches one way of which begins with the metering block that is gone over.
    entered: Vec<u32>,
    /// Whether the last operator was a `br_if` to the innermost block.
    behind_branch: bool,
    /// Operators so far.
    operators: u32,
    found: Unlikely,
}

/// A block that is open.
#[derive(Default)]
struct Open {
    is_loop: bool,
    /// Where the innermost loop stands among the open blocks, counted from one; 0 outside of loops.
    loops: usize,
    /// The `if` whose other way begins at its `else` or `end`.
    other_way: Option<u32>,
    /// Conditional branches to its end.
    branches: Vec<u32>,
    /// Whether one of them leaves a loop.
    leaves_loop: bool,
}

impl UnlikelyFinder {
    /// Goes over an operator.
    pub(crate) fn step(&mut self, step: &Step<'_>) {
        let operator = &step.operator;
        let number = self.operators;
        self.operators += 1;
        let behind_branch =
            std::mem::replace(&mut self.behind_branch, matches!(operator, Operator::BrIf { relative_depth: 0 }));
        if let Operator::Unreachable = operator {
            self.found.branches.append(&mut self.entered);
        }
        // Which branches come to what is behind the operator.
        let mut entered = Vec::new();
        match operator {
            Operator::Block { .. } => self.open(Open::default()),
            Operator::Loop { .. } => self.open(Open { is_loop: true, loops: self.open.len() + 1, ..Open::default() }),
            Operator::If { .. } => {
                entered.push(number);
                self.open(Open { other_way: Some(number), ..Open::default() });
            }
            Operator::Else => entered.extend(self.open.last_mut().and_then(|open| open.other_way.take())),
            Operator::BrIf { relative_depth } => {
                entered.push(number);
                self.branch(*relative_depth, number);
            }
            Operator::End => {
                let closed = self.open.pop().unwrap_or_default();
                if behind_branch && closed.is_loop {
                    self.found.latches.push(number - 1);
                }
                if closed.leaves_loop {
                    // Behind every `end` but that of the body stands another operator.
                    self.found.exits.push(self.operators);
                }
                entered = closed.branches;
                entered.extend(closed.other_way);
            }
            _ => {}
        }
        if step.ends_block {
            self.entered = entered;
        }
    }

    fn open(&mut self, open: Open) {
        let around = self.open.last().map_or(0, |around| around.loops);
        self.open.push(Open { loops: open.loops.max(around), ..open });
    }

    /// A `br_if` to the block at this depth.
    fn branch(&mut self, relative_depth: u32, number: u32) {
        let loops = self.open.last().map_or(0, |innermost| innermost.loops);
        let depth = usize::try_from(relative_depth).unwrap_or(usize::MAX);
        // What leaves the function, and what begins a loop again, leads to no block that is looked at.
        let at = self.open.len().checked_sub(1).and_then(|top| top.checked_sub(depth));
        let Some(at) = at.filter(|at| !self.open[*at].is_loop) else { return };
        self.open[at].branches.push(number);
        if loops > at + 1 {
            self.open[at].leaves_loop = true;
            self.found.branches.push(number);
        }
    }

    pub(crate) fn finish(mut self) -> Unlikely {
        self.found.branches.sort_unstable();
        self.found.branches.dedup();
        self.found
    }
}
