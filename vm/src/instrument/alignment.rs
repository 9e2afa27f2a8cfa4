//! Which stores are aligned: their address is a multiple of their length, whatever it is.
//!
//! Much of what an address is a multiple of can be read from the code: the stack pointer is moved by multiples of sixteen, an
//! element is where its index times its length says, and a pointer goes through a loop by multiples of the same. A local
//! is a multiple of what it is one of on every path. What comes around a loop is not known where it begins, so a loop
//! begins with what its locals are where it is entered, and the body is gone over again if less comes around. What a parameter is a multiple
//! of is known only when all bodies have been looked at ([`super::parameters`]); up to then a value that depends on one names it. The
//! text of the specification is in `docs/spec/gas.md`.

use wasmparser::{BinaryReaderError, GlobalSectionReader, Operator};

use super::operands::Operands;
use super::operators::{Access, different_targets};
use super::parameters::Argument;
use super::trace::Step;

/// What a number is a multiple of: two to the power of this. Its trailing zeros that are known, at most [`MOST`].
pub(crate) type Zeros = u8;

/// The longest store has 16 bytes.
pub(super) const MOST: Zeros = 4;
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

/// What a value is a multiple of: of two to the power of `zeros`, or where that is less, of what a parameter is a multiple of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Multiple {
    zeros: Zeros,
    parameter: Option<u16>,
}

impl Multiple {
    fn of(zeros: Zeros) -> Multiple {
        Multiple { zeros: zeros.min(MOST), parameter: None }
    }

    /// At most.
    pub(super) fn zeros(self) -> Zeros {
        self.zeros
    }

    /// The parameter that has to be a multiple of the same.
    pub(super) fn parameter(self) -> Option<u16> {
        self.parameter
    }

    /// Whatever parameters are.
    fn at_least(self) -> Zeros {
        if self.parameter.is_some() { 0 } else { self.zeros }
    }

    /// What holds of both: of a sum of them, and of the one or the other. Two parameters are one too many.
    fn both(self, other: Multiple) -> Multiple {
        let zeros = self.zeros.min(other.zeros);
        match (self.parameter, other.parameter) {
            _ if zeros == 0 => Multiple::default(),
            (Some(one), Some(two)) if one != two => Multiple::default(),
            (one, two) => Multiple { zeros, parameter: one.or(two) },
        }
    }

    /// What holds of either, where every zero of one stays: the one that has more for sure, or else may have more.
    fn either(self, other: Multiple) -> Multiple {
        if (other.at_least(), other.zeros) > (self.at_least(), self.zeros) { other } else { self }
    }
}

/// What was found in a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alignment {
    /// Stores that are aligned, in their order: which, and if a parameter has to be a multiple of their length for that, the parameter and
    /// the length.
    stores: Vec<(u32, Option<(u16, Zeros)>)>,
    /// What is passed to functions.
    pub(crate) arguments: Vec<Argument>,
    /// Whether something goes into the first global that is not known to be a multiple of sixteen.
    pub(crate) loses_stack_pointer: bool,
}

impl Alignment {
    /// Goes over a body, whose locals are `parameters` and others that begin as zero; `stack_pointer` says that the first global is a
    /// multiple of sixteen.
    pub(crate) fn of(steps: &[Step<'_>], locals: u32, parameters: u32, stack_pointer: bool) -> Alignment {
        let matters = |step: &Step<'_>| {
            matches!(step.access, Some(Access::Store { .. }))
                || matches!(step.operator, Operator::Call { .. })
                || sets_stack_pointer(&step.operator)
        };
        if !steps.iter().any(matters) {
            return Alignment::default();
        }
        let at_start = |at: u32| match u16::try_from(at) {
            _ if at >= parameters => Multiple::of(MOST),
            Ok(parameter) => Multiple { zeros: MOST, parameter: Some(parameter) },
            Err(_) => Multiple::default(),
        };
        let at_start: Vec<Multiple> = (0..locals).map(at_start).collect();
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
        let mut found = Alignment::default();
        for step in steps.iter().filter(|step| !step.is_dead) {
            found.loses_stack_pointer |= sets_stack_pointer(&step.operator);
            if let Operator::Call { function_index } = step.operator {
                found.pass(function_index, (0..step.popped).map(|_| Multiple::default()));
            }
        }
        found
    }

    fn pass(&mut self, function: u32, values: impl Iterator<Item = Multiple>) {
        self.arguments.extend((0..).zip(values).map(|(parameter, value)| Argument { function, parameter, value }));
    }

    /// Whether any of its stores may be aligned only if a parameter is a multiple of something.
    pub(crate) fn depends_on_parameters(&self) -> bool {
        self.stores.iter().any(|(_, needs)| needs.is_some())
    }

    /// Stores that are aligned, in their order, where parameters are these multiples.
    pub(crate) fn stores(&self, parameters: &[Zeros]) -> Vec<u32> {
        let is =
            |(parameter, zeros): (u16, Zeros)| parameters.get(usize::from(parameter)).is_some_and(|has| *has >= zeros);
        self.stores.iter().filter(|(_, needs)| needs.is_none_or(is)).map(|(number, _)| *number).collect()
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
    value: Multiple,
    /// Its last bits, if it is a constant: by how much a shift shifts.
    constant: Option<u8>,
}

/// One time over a body.
struct Round<'a> {
    stack_pointer: bool,
    /// What each local is here.
    locals: Vec<Multiple>,
    stack: Operands<Operand>,
    frames: Vec<Frame>,
    /// What locals are where each loop begins, as far as rounds up to here have shown.
    loops: &'a mut Vec<Vec<Multiple>>,
    /// Loops that have begun.
    begun: usize,
    /// Vectors that nobody needs any more.
    spare: Vec<Vec<Multiple>>,
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
    target: Option<Vec<Multiple>>,
    /// What they were where an `if` began that has had no `else` yet.
    otherwise: Option<Vec<Multiple>>,
    /// Whether no path led to its beginning.
    dead: bool,
}

/// Where another path arrives. Returns whether less is known of a local than before.
fn meet(at: &mut [Multiple], other: &[Multiple]) -> bool {
    let mut lowers = false;
    for (at, other) in at.iter_mut().zip(other) {
        let both = at.both(*other);
        lowers |= both != *at;
        *at = both;
    }
    lowers
}

impl Round<'_> {
    fn new(loops: &mut Vec<Vec<Multiple>>, locals: Vec<Multiple>, stack_pointer: bool) -> Round<'_> {
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
            _ => Some(self.result(number, step, kept)),
        };
        self.stack.replace(kept, step.height, result.unwrap_or_default());
        if result.is_none() {
            self.go_on(operator);
        }
    }

    fn result(&mut self, number: u32, step: &Step<'_>, kept: usize) -> Operand {
        let operand = |at: usize| self.stack.get(kept + at).copied().unwrap_or_default();
        let (a, b) = (operand(0), operand(1));
        let local = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
        let value = match &step.operator {
            Operator::I32Const { value } => {
                let value = value.cast_unsigned();
                return Operand { value: Multiple::of(zeros(value.into())), constant: Some(value.to_le_bytes()[0]) };
            }
            Operator::I64Const { value } => Multiple::of(zeros(value.cast_unsigned())),
            Operator::LocalGet { local_index } => self.locals.get(local(local_index)).copied().unwrap_or_default(),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(local) = self.locals.get_mut(local(local_index)) {
                    *local = a.value;
                }
                a.value
            }
            Operator::GlobalGet { global_index: STACK_POINTER } if self.stack_pointer => Multiple::of(MOST),
            Operator::GlobalSet { global_index: STACK_POINTER } => {
                self.found.loses_stack_pointer |= a.value.at_least() < MOST;
                Multiple::default()
            }
            Operator::I32Add | Operator::I32Sub | Operator::I32Or | Operator::I32Xor => a.value.both(b.value),
            Operator::I64Add | Operator::I64Sub | Operator::I64Or | Operator::I64Xor => a.value.both(b.value),
            Operator::Select | Operator::TypedSelect { .. } => a.value.both(b.value),
            Operator::I32And | Operator::I64And => a.value.either(b.value),
            Operator::I32Mul | Operator::I64Mul => Multiple::of(a.value.at_least() + b.value.at_least()),
            Operator::I32Shl => match b.constant {
                Some(by) => Multiple::of(a.value.at_least() + by % 32),
                None => a.value,
            },
            Operator::I32WrapI64 | Operator::I64ExtendI32S | Operator::I64ExtendI32U => a.value,
            Operator::Call { function_index } => {
                let arguments = self.stack[kept..].iter().map(|operand| operand.value);
                self.found.pass(*function_index, arguments);
                Multiple::default()
            }
            _ => {
                // The address is the lowest operand of a store.
                if let Some(Access::Store { bytes, offset }) = step.access
                    && offset % bytes == 0
                    && 1 << a.value.zeros >= bytes
                {
                    let needs = a.value.parameter.filter(|_| bytes > 1).map(|parameter| (parameter, zeros(bytes)));
                    self.found.stores.push((number, needs));
                }
                Multiple::default()
            }
        };
        Operand { value, constant: None }
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

    fn open(&mut self, number: Option<usize>, otherwise: Option<Vec<Multiple>>) {
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
    fn copy(&mut self) -> Vec<Multiple> {
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
