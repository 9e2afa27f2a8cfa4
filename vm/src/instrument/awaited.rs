//! Which loads something may have to wait for, and which calls.
//!
//! A processor has many loads under way at a time, unless where the next one goes is what the last one brings: a walk
//! through pointers waits for each. How long depends on caches, which gas cannot see; but whether a loaded value
//! can become an address can be read from the code. So there are two prices for a load: one for an *awaited* one, whose
//! result may flow into an address, and one for every other. In memories that the near caches do not hold, a branch that waits
//! for a load takes as long, so there a condition counts like an address. The text of the specification is in `docs/spec/gas.md`.
//!
//! Values are followed through operators, operands and locals of one function, along all its paths. Where a value goes that is not
//! followed (into a call, a global, the result of a block), it counts as an address. What is stored and loaded
//! again needs another load, and that is looked at for itself. What a function returns is looked at where it was called: the
//! result of a call is like that of a load.

use wasmparser::Operator;

use super::costs::Reach;
use super::operands::Operands;
use super::operators::{Access, different_targets};
use super::trace::Step;

/// A place in [`Awaited::places`]: a value that is followed.
type Place = u32;

/// Nothing that was loaded.
const NOTHING: Place = u32::MAX;

/// Branches times locals of a function that are looked at. In one with more, every load is awaited.
const MOST_WORK: usize = 1 << 20;

/// Follows the values of one body.
pub(crate) struct Awaited {
    /// For each place the last of the edges from where its value may come.
    places: Vec<Option<u32>>,
    /// From where, and the edge before it of the same place.
    edges: Vec<(Place, Option<u32>)>,
    /// What loads and calls bring, and which operator of the body each is.
    loads: Vec<(Place, u32)>,
    /// Places that are used as an address.
    addresses: Vec<Place>,
    /// What each local holds here.
    locals: Vec<Place>,
    /// What each operand is.
    stack: Operands<Place>,
    frames: Vec<Frame>,
    /// Whether no path leads here.
    dead: bool,
    /// Whether conditions wait as addresses do.
    by_conditions: bool,
    /// Operators so far.
    operators: u32,
    work: usize,
}

/// A block that is open.
struct Frame {
    is_loop: bool,
    /// What the locals hold where a branch to it goes: for a loop from its beginning, for others as soon as there is a branch.
    target: Option<Vec<Merged>>,
    /// What the locals held where an `if` began that has had no `else` yet.
    otherwise: Option<Vec<Place>>,
    /// Whether no path led to its beginning.
    dead: bool,
}

/// A local where paths meet.
#[derive(Clone, Copy)]
struct Merged {
    value: Place,
    /// Whether the place was made for this, so that more can flow into it.
    is_own: bool,
}

/// What an operator does with the values that it takes.
enum Use {
    /// The result depends on all of them.
    Combines,
    /// The first one is an address, and the result depends on the others and on what is there.
    Loads,
    /// The first one is an address.
    Stores,
    Gets(u32),
    /// The value goes into a local; `local.tee` also keeps it.
    Sets(u32),
    /// They go where nobody follows them, all but a condition.
    Escapes {
        condition: bool,
    },
    /// The same, but an index is like a condition, and what comes back is like what a load brings.
    Calls {
        index: bool,
    },
    /// They end here.
    Ends,
}

fn usage(step: &Step<'_>) -> Use {
    match &step.operator {
        Operator::LocalGet { local_index } => Use::Gets(*local_index),
        Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => Use::Sets(*local_index),
        Operator::If { .. } | Operator::BrIf { .. } | Operator::BrTable { .. } => Use::Escapes { condition: true },
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Else
        | Operator::End
        | Operator::Br { .. }
        | Operator::GlobalSet { .. }
        | Operator::TableGet { .. }
        | Operator::TableSet { .. }
        | Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::MemoryFill { .. }
        | Operator::MemoryCopy { .. }
        | Operator::MemoryInit { .. } => Use::Escapes { condition: false },
        Operator::Call { .. } => Use::Calls { index: false },
        Operator::CallIndirect { .. } => Use::Calls { index: true },
        Operator::Return
        | Operator::Drop
        | Operator::Unreachable
        | Operator::MemoryGrow { .. }
        | Operator::TableGrow { .. } => Use::Ends,
        _ => match step.access {
            Some(Access::Load) => Use::Loads,
            Some(Access::Store { .. }) => Use::Stores,
            None => Use::Combines,
        },
    }
}

impl Awaited {
    /// At the beginning of a body with so many locals, parameters included.
    pub(crate) fn new(reach: Reach, locals: u32) -> Awaited {
        let locals = vec![NOTHING; usize::try_from(locals).unwrap_or(usize::MAX)];
        let body = Frame { is_loop: false, target: None, otherwise: None, dead: false };
        Awaited {
            places: Vec::new(),
            edges: Vec::new(),
            loads: Vec::new(),
            addresses: Vec::new(),
            locals,
            stack: Operands::new(),
            frames: vec![body],
            dead: false,
            by_conditions: reach != Reach::Near,
            operators: 0,
            work: 0,
        }
    }

    /// Goes over an operator.
    pub(crate) fn step(&mut self, step: &Step<'_>) {
        let number = self.operators;
        self.operators += 1;
        if self.work > MOST_WORK {
            if matches!(usage(step), Use::Loads | Use::Calls { .. }) {
                self.loads.push((NOTHING, number));
            }
            return;
        }
        let kept = self.stack.kept(step.popped, step.floor);
        let result = if self.dead { NOTHING } else { self.result(step, number, kept) };
        self.stack.replace(kept, step.height, result);
        self.go_on(&step.operator);
    }

    /// What the operator does with the operands above `kept`, and what its result is.
    fn result(&mut self, step: &Step<'_>, number: u32, kept: usize) -> Place {
        let end = self.stack.len();
        match usage(step) {
            Use::Combines => self.combination(kept..end),
            Use::Loads => {
                self.address(kept);
                let load = self.place();
                self.loads.push((load, number));
                (kept + 1..end).for_each(|operand| self.flow(self.stack[operand], load));
                load
            }
            Use::Stores => {
                self.address(kept);
                NOTHING
            }
            Use::Gets(local) => position(local).and_then(|at| self.locals.get(at)).copied().unwrap_or(NOTHING),
            Use::Sets(local) => {
                let value = self.stack.last().copied().unwrap_or(NOTHING);
                if let Some(local) = position(local).and_then(|at| self.locals.get_mut(at)) {
                    *local = value;
                }
                value
            }
            Use::Escapes { condition } => {
                // What the function returns is looked at where it was called.
                if !(self.frames.len() == 1 && matches!(step.operator, Operator::End)) {
                    self.escape(kept..end, condition);
                }
                NOTHING
            }
            Use::Calls { index } => {
                self.escape(kept..end, index);
                let result = self.place();
                self.loads.push((result, number));
                result
            }
            Use::Ends => NOTHING,
        }
    }

    /// Uses operands as addresses, the last one only if conditions count, where it is one.
    fn escape(&mut self, operands: std::ops::Range<usize>, condition: bool) {
        let free = condition && !self.by_conditions && !operands.is_empty();
        (operands.start..operands.end - usize::from(free)).for_each(|operand| self.address(operand));
    }

    /// A value that depends on these operands.
    fn combination(&mut self, operands: std::ops::Range<usize>) -> Place {
        let mut all = NOTHING;
        let mut combined = false;
        for operand in operands {
            let value = self.stack[operand];
            if value == NOTHING || value == all {
                continue;
            }
            if all == NOTHING {
                all = value;
                continue;
            }
            if !combined {
                combined = true;
                let place = self.place();
                self.flow(all, place);
                all = place;
            }
            self.flow(value, all);
        }
        all
    }

    /// Where control goes.
    fn go_on(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.open(operator),
            Operator::Else => {
                if !self.dead {
                    self.branch(0);
                }
                if let Some(frame) = self.frames.last_mut()
                    && let Some(otherwise) = frame.otherwise.take()
                {
                    self.locals = otherwise;
                    self.dead = frame.dead;
                }
            }
            Operator::End => self.close(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.dead = true;
            }
            Operator::BrIf { relative_depth } => self.branch(*relative_depth),
            Operator::BrTable { targets } => {
                different_targets(targets).into_iter().for_each(|depth| self.branch(depth));
                self.dead = true;
            }
            Operator::Return | Operator::Unreachable => self.dead = true,
            _ => {}
        }
    }

    fn open(&mut self, operator: &Operator<'_>) {
        let is_loop = matches!(operator, Operator::Loop { .. });
        let mut frame = Frame { is_loop, target: None, otherwise: None, dead: self.dead };
        if !self.dead && is_loop && self.spend() {
            // What comes around is not known yet.
            for at in 0..self.locals.len() {
                let place = self.place();
                self.flow(self.locals[at], place);
                self.locals[at] = place;
            }
            frame.target = Some(self.locals.iter().map(|place| Merged { value: *place, is_own: true }).collect());
        } else if !self.dead && matches!(operator, Operator::If { .. }) && self.spend() {
            frame.otherwise = Some(self.locals.clone());
        }
        self.frames.push(frame);
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.last_mut().filter(|frame| !frame.is_loop) else {
            self.frames.pop();
            return;
        };
        if let Some(otherwise) = frame.otherwise.take() {
            // An `if` without `else`: the path around it.
            let after = std::mem::replace(&mut self.locals, otherwise);
            let dead = std::mem::replace(&mut self.dead, false);
            self.branch(0);
            (self.locals, self.dead) = (after, dead);
        }
        if self.frames.last().is_some_and(|frame| frame.target.is_some()) {
            self.branch(0);
        }
        if let Some(Frame { target: Some(target), .. }) = self.frames.pop() {
            self.locals = target.into_iter().map(|merged| merged.value).collect();
            self.dead = false;
        }
    }

    /// Takes what the locals hold to where a branch goes.
    fn branch(&mut self, depth: u32) {
        let at = position(depth).and_then(|depth| self.frames.len().checked_sub(depth + 1));
        // What leaves the function is followed no further.
        let Some(at) = at.filter(|at| *at > 0 && !self.dead) else { return };
        if !self.spend() {
            return;
        }
        let Some(mut target) = self.frames[at].target.take() else {
            let first = self.locals.iter().map(|place| Merged { value: *place, is_own: false });
            self.frames[at].target = Some(first.collect());
            return;
        };
        for (local, merged) in target.iter_mut().enumerate() {
            let value = self.locals[local];
            if value == merged.value || value == NOTHING {
                continue;
            }
            if merged.value == NOTHING {
                merged.value = value;
                continue;
            }
            if !merged.is_own {
                let place = self.place();
                self.flow(merged.value, place);
                *merged = Merged { value: place, is_own: true };
            }
            self.flow(value, merged.value);
        }
        self.frames[at].target = Some(target);
    }

    /// Whether all locals may be looked at once more.
    fn spend(&mut self) -> bool {
        self.work = self.work.saturating_add(self.locals.len());
        self.work <= MOST_WORK
    }

    fn place(&mut self) -> Place {
        self.places.push(None);
        u32::try_from(self.places.len() - 1).expect("bodies are limited")
    }

    fn flow(&mut self, from: Place, to: Place) {
        let Some(last) = position(to).and_then(|to| self.places.get_mut(to)) else { return };
        if from != NOTHING && from != to {
            self.edges.push((from, *last));
            *last = Some(u32::try_from(self.edges.len() - 1).expect("bodies are limited"));
        }
    }

    fn address(&mut self, operand: usize) {
        if let Some(value) = self.stack.get(operand).filter(|value| **value != NOTHING) {
            self.addresses.push(*value);
        }
    }

    /// Whether there are too many paths and locals to look at all of them.
    pub(crate) fn has_too_many_paths(&self) -> bool {
        self.work > MOST_WORK
    }

    /// The operators that are awaited loads or calls, in their order.
    pub(crate) fn finish(mut self) -> Vec<u32> {
        let all = self.has_too_many_paths();
        let mut is_address = vec![false; self.places.len()];
        while let Some(place) = self.addresses.pop().filter(|_| !all) {
            let Some(place) = position(place).filter(|place| !is_address[*place]) else { continue };
            is_address[place] = true;
            let mut next = self.places[place];
            while let Some(edge) = next.and_then(position) {
                let (from, before) = self.edges[edge];
                self.addresses.push(from);
                next = before;
            }
        }
        let is_awaited = |load: Place| all || position(load).is_some_and(|place| is_address[place]);
        self.loads.into_iter().filter(|(load, _)| is_awaited(*load)).map(|(_, number)| number).collect()
    }
}

fn position(index: u32) -> Option<usize> {
    usize::try_from(index).ok()
}
