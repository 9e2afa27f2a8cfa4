//! Which stores are aligned: their address is a multiple of their length, whatever it is.
//!
//! Much of what an address is a multiple of can be read from the code: the stack pointer is moved by multiples of sixteen, an
//! element is where its index times its length says, and a pointer goes through a loop by multiples of the same. A local
//! is a multiple of what it is one of on every path. What comes around a loop is not known where it begins, so a loop
//! begins with what its locals are where it is entered, and the body is gone over again if less comes around. The text of the
//! specification is in `docs/spec/gas.md`.

use wasmparser::{BinaryReaderError, GlobalSectionReader, Operator};

use super::operands::Operands;
use super::operators::{different_targets, stored};
use super::trace::Step;

/// What a number is a multiple of: two to the power of this. Its trailing zeros that are known, at most [`MOST`].
type Zeros = u8;

/// The longest store has 16 bytes.
const MOST: Zeros = 4;
/// How many times a body is gone over before nothing is known of it.
const ROUNDS: usize = 4;
/// The global where compilers have the pointer to their stack.
const STACK_POINTER: u32 = 0;

/// Whether the first global of a module begins as a constant that is a multiple of sixteen.
pub(crate) fn begins_aligned(globals: &GlobalSectionReader<'_>) -> Result<bool, BinaryReaderError> {
    let Some(first) = globals.clone().into_iter().next() else { return Ok(false) };
    let start = first?.init_expr.get_operators_reader().read()?;
    Ok(matches!(start, Operator::I32Const { value } if zeros(i64::from(value).cast_unsigned()) == MOST))
}

/// What was found in a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alignment {
    /// Stores that are aligned, in their order.
    pub(crate) stores: Vec<u32>,
    /// Whether something goes into the first global that is not known to be a multiple of sixteen.
    pub(crate) loses_stack_pointer: bool,
}

impl Alignment {
    /// Goes over a body, whose locals are `parameters` and others that begin as zero; `stack_pointer` says that the first global is a
    /// multiple of sixteen.
    pub(crate) fn of(steps: &[Step<'_>], locals: u32, parameters: u32, stack_pointer: bool) -> Alignment {
        let matters = |step: &Step<'_>| stored(&step.operator).is_some() || sets_stack_pointer(&step.operator);
        if !steps.iter().any(matters) {
            return Alignment::default();
        }
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let at_start: Vec<Zeros> = (0..count(locals)).map(|at| if at < count(parameters) { 0 } else { MOST }).collect();
        let mut loops = Vec::new();
        for _ in 0..ROUNDS {
            let mut round = Round::new(&mut loops, at_start.clone(), stack_pointer);
            (0..).zip(steps).for_each(|(number, step)| round.step(number, step));
            if !round.lowered {
                return round.found;
            }
        }
        Alignment::unknown(steps)
    }

    /// Where nothing is known of locals.
    pub(crate) fn unknown(steps: &[Step<'_>]) -> Alignment {
        let loses_stack_pointer = steps.iter().any(|step| !step.is_dead && sets_stack_pointer(&step.operator));
        Alignment { stores: Vec::new(), loses_stack_pointer }
    }
}

fn sets_stack_pointer(operator: &Operator<'_>) -> bool {
    matches!(operator, Operator::GlobalSet { global_index: STACK_POINTER })
}

fn zeros(constant: u64) -> Zeros {
    u8::try_from(constant.trailing_zeros()).unwrap_or(MOST).min(MOST)
}

/// What is known of an operand.
#[derive(Clone, Copy, Default)]
struct Operand {
    zeros: Zeros,
    /// Its last bits, if it is a constant: by how much a shift shifts.
    constant: Option<u8>,
}

/// One time over a body.
struct Round<'a> {
    stack_pointer: bool,
    /// What each local is here.
    locals: Vec<Zeros>,
    stack: Operands<Operand>,
    frames: Vec<Frame>,
    /// What locals are where each loop begins, as far as rounds up to here have shown.
    loops: &'a mut Vec<Vec<Zeros>>,
    /// Loops that have begun.
    begun: usize,
    /// Vectors that nobody needs any more.
    spare: Vec<Vec<Zeros>>,
    /// Whether less came around a loop than it had begun with.
    lowered: bool,
    /// Whether no path leads here.
    dead: bool,
    found: Alignment,
}

/// A block that is open.
struct Frame {
    /// The number of a loop.
    number: Option<usize>,
    /// What locals are where the branches to its end go.
    target: Option<Vec<Zeros>>,
    /// What they were where an `if` began that has had no `else` yet.
    otherwise: Option<Vec<Zeros>>,
    /// Whether no path led to its beginning.
    dead: bool,
}

/// Where another path arrives. Returns whether a local is a multiple of less than before.
fn meet(at: &mut [Zeros], other: &[Zeros]) -> bool {
    let lowers = at.iter().zip(other).any(|(at, other)| other < at);
    at.iter_mut().zip(other).for_each(|(at, other)| *at = *other.min(at));
    lowers
}

impl Round<'_> {
    fn new(loops: &mut Vec<Vec<Zeros>>, locals: Vec<Zeros>, stack_pointer: bool) -> Round<'_> {
        let body = Frame { number: None, target: None, otherwise: None, dead: false };
        Round {
            stack_pointer,
            locals,
            stack: Operands::new(),
            frames: vec![body],
            loops,
            begun: 0,
            spare: Vec::new(),
            lowered: false,
            dead: false,
            found: Alignment::default(),
        }
    }

    fn step(&mut self, number: u32, step: &Step<'_>) {
        let (operator, kept) = (&step.operator, self.stack.kept(step.popped, step.floor));
        let result = match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::Else | Operator::End => {
                None
            }
            Operator::Br { .. } | Operator::BrIf { .. } | Operator::BrTable { .. } => None,
            Operator::Return | Operator::Unreachable => None,
            _ if self.dead => Some(Operand::default()),
            _ => Some(self.result(number, operator, kept)),
        };
        self.stack.replace(kept, step.height, result.unwrap_or_default());
        if result.is_none() {
            self.go_on(operator);
        }
    }

    fn result(&mut self, number: u32, operator: &Operator<'_>, kept: usize) -> Operand {
        let operand = |at: usize| self.stack.get(kept + at).copied().unwrap_or_default();
        let (a, b) = (operand(0), operand(1));
        let local = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
        let zeros = match operator {
            Operator::I32Const { value } => {
                let value = value.cast_unsigned();
                return Operand { zeros: zeros(value.into()), constant: Some(value.to_le_bytes()[0]) };
            }
            Operator::I64Const { value } => zeros(value.cast_unsigned()),
            Operator::LocalGet { local_index } => self.locals.get(local(local_index)).copied().unwrap_or(0),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(local) = self.locals.get_mut(local(local_index)) {
                    *local = a.zeros;
                }
                a.zeros
            }
            Operator::GlobalGet { global_index: STACK_POINTER } if self.stack_pointer => MOST,
            Operator::GlobalSet { global_index: STACK_POINTER } => {
                self.found.loses_stack_pointer |= a.zeros < MOST;
                0
            }
            Operator::I32Add | Operator::I32Sub | Operator::I32Or | Operator::I32Xor => a.zeros.min(b.zeros),
            Operator::I64Add | Operator::I64Sub | Operator::I64Or | Operator::I64Xor => a.zeros.min(b.zeros),
            Operator::Select | Operator::TypedSelect { .. } => a.zeros.min(b.zeros),
            Operator::I32And | Operator::I64And => a.zeros.max(b.zeros),
            Operator::I32Mul | Operator::I64Mul => a.zeros + b.zeros,
            Operator::I32Shl => a.zeros + b.constant.map_or(0, |by| by % 32),
            Operator::I32WrapI64 | Operator::I64ExtendI32S | Operator::I64ExtendI32U => a.zeros,
            _ => {
                // The address is the lowest operand of a store.
                if stored(operator).is_some_and(|(bytes, offset)| offset % bytes == 0 && 1 << a.zeros >= bytes) {
                    self.found.stores.push(number);
                }
                0
            }
        };
        Operand { zeros: zeros.min(MOST), constant: None }
    }

    /// Where control goes.
    fn go_on(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } => self.open(None, None),
            Operator::Loop { .. } => self.begin_loop(),
            Operator::If { .. } => {
                let otherwise = self.copy();
                self.open(None, Some(otherwise));
            }
            Operator::Else => {
                self.branch(0);
                if let Some(frame) = self.frames.last_mut()
                    && let Some(otherwise) = frame.otherwise.take()
                {
                    self.dead = frame.dead;
                    self.spare.push(std::mem::replace(&mut self.locals, otherwise));
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

    fn open(&mut self, number: Option<usize>, otherwise: Option<Vec<Zeros>>) {
        self.frames.push(Frame { number, target: None, otherwise, dead: self.dead });
    }

    fn begin_loop(&mut self) {
        match self.loops.get_mut(self.begun) {
            Some(known) => {
                if !self.dead {
                    meet(known, &self.locals);
                }
                self.locals.clone_from(known);
            }
            None => self.loops.push(self.locals.clone()),
        }
        self.open(Some(self.begun), None);
        self.begun += 1;
    }

    fn close(&mut self) {
        if self
            .frames
            .last()
            .is_some_and(|frame| frame.number.is_none() && (frame.target.is_some() || frame.otherwise.is_some()))
        {
            self.branch(0);
        }
        let Some(frame) = self.frames.pop().filter(|frame| frame.number.is_none()) else { return };
        // An `if` without `else`: the path around it.
        let around = frame.otherwise.filter(|_| !frame.dead);
        let target = match (frame.target, around) {
            (Some(mut target), Some(around)) => {
                meet(&mut target, &around);
                self.spare.push(around);
                Some(target)
            }
            (target, around) => target.or(around),
        };
        if let Some(target) = target {
            self.spare.push(std::mem::replace(&mut self.locals, target));
            self.dead = false;
        }
    }

    /// What the locals are, to keep.
    fn copy(&mut self) -> Vec<Zeros> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clone_from(&self.locals);
        copy
    }

    /// Takes what the locals are to where a branch goes.
    fn branch(&mut self, depth: u32) {
        let at = usize::try_from(depth).ok().and_then(|depth| self.frames.len().checked_sub(depth + 1));
        // What leaves the function is followed no further.
        let Some(at) = at.filter(|at| *at > 0 && !self.dead) else { return };
        match &mut self.frames[at] {
            Frame { number: Some(number), .. } => self.lowered |= meet(&mut self.loops[*number], &self.locals),
            Frame { target: Some(target), .. } => _ = meet(target, &self.locals),
            _ => self.frames[at].target = Some(self.copy()),
        }
    }
}
