//! Where NaN has to be made canonical.
//!
//! What is specified: float arithmetic that results in NaN results in the canonical one, positive and quiet with no
//! other bit set; what only moves bits (loads, stores, `neg`, `abs`, `copysign`, `reinterpret`, `select`...) keeps them.
//! Processors choose other bits. But nobody sees the bits of a NaN that goes into more arithmetic, so the result of
//! arithmetic is left *raw* until something keeps or shows its bits, and made canonical there. In loops that accumulate
//! this is behind the loop.
//!
//! Every value has a [`Kind`]. A local has one for the whole function, the least that holds all that is set to it: found
//! by going over the body until nothing changes. A local that holds raw numbers at one time and exact bits at another
//! (a sum that starts with what was loaded) is left alone as long as only arithmetic reads it; as soon as anything else
//! does, what is set to it is made canonical.

use wasmparser::{Operator, ValType};

use super::operands::Operands;
use super::trace::{Step, Trace};

/// How the bits of a float or of a vector of floats are divided into numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// What is known about the bits of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Not NaN, or the canonical one; making it canonical, in whichever shape, changes nothing.
    Plain,
    /// Its bits are what they should be: nothing may change them.
    Exact,
    /// Made canonical in this shape, its bits are what they should be.
    Raw(Shape),
    /// From this local, which holds exact and raw values: good for arithmetic of this shape and nothing else.
    Mixed(u32, Shape),
}

/// What is known about the values of a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    Plain,
    Exact,
    Raw(Shape),
    Mixed(Shape),
    /// Exact, because its bits are seen.
    Seen,
}

/// Passes over a body until everything that is set to a float local is taken as exact.
const PASSES: u32 = 6;

/// Values to be made canonical before an operator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// Which operator of the body.
    pub(crate) operator: u32,
    /// The topmost operands, the lowest first: its type, and its shape if it is to be made canonical.
    pub(crate) operands: Vec<(ValType, Option<Shape>)>,
}

/// Whether an operator computes floats, so that there can be a raw value.
pub(crate) fn makes_raw(operator: &Operator<'_>) -> bool {
    matches!(effect(operator), Effect::Arithmetic { .. } | Effect::Convert(_) | Effect::Splat(_))
}

/// Whether instrumentation may have to make an operand of this operator canonical. A scalar that goes into arithmetic has the
/// shape that its type says; a vector may have been computed in the other one.
pub(crate) fn may_fix(operator: &Operator<'_>) -> bool {
    match effect(operator) {
        Effect::Arithmetic { takes, .. } | Effect::Consume(takes) => matches!(takes, Shape::F32x4 | Shape::F64x2),
        Effect::Forget => false,
        _ => true,
    }
}

/// Finds all fixes of a body that is valid and has this many locals, of which these are parameters.
pub(crate) fn fixes(trace: &Trace<'_>, locals: u32, parameters: u32) -> Vec<Fix> {
    let start = (0..locals).map(|at| if at < parameters { Local::Exact } else { Local::Plain });
    let mut analysis = Analysis {
        locals: start.collect(),
        changed: false,
        stack: Operands::new(),
        fix: Vec::new(),
        fixes: Vec::new(),
    };
    for pass in 1.. {
        analysis.again();
        for (number, step) in (0..).zip(&trace.steps) {
            let kept = analysis.stack.kept(step.popped, step.floor);
            let result = analysis.take(number, trace, step, kept);
            analysis.stack.replace(kept, step.height, result);
        }
        if !analysis.changed {
            break;
        }
        if pass >= PASSES {
            // Locals that are seen do not change.
            analysis.locals.fill(Local::Seen);
        }
    }
    analysis.fixes
}

struct Analysis {
    locals: Vec<Local>,
    changed: bool,
    stack: Operands<Kind>,
    /// For each operand of the operator, from the top, the shape in which it is made canonical.
    fix: Vec<Option<Shape>>,
    fixes: Vec<Fix>,
}

impl Analysis {
    /// Begins another pass with the locals as they are now.
    fn again(&mut self) {
        self.changed = false;
        self.stack = Operands::new();
        self.fixes.clear();
    }

    fn kind(&self, depth: usize) -> Kind {
        let at = self.stack.len().checked_sub(depth + 1);
        at.map_or(Kind::Exact, |at| self.stack[at])
    }

    /// What an operator needs fixed, and what it leaves on top of the stack, where that is not exact.
    fn take(&mut self, number: u32, trace: &Trace<'_>, step: &Step<'_>, kept: usize) -> Kind {
        // In dead code nothing is set or seen, and operators take values that are not there: what lies below on the
        // stack is another block's.
        if step.is_dead {
            return Kind::Exact;
        }
        let popped = self.stack.len() - kept;
        self.fix.clear();
        self.fix.resize(popped, None);
        let result = match effect(&step.operator) {
            Effect::Arithmetic { takes, gives } => {
                (0..popped).for_each(|depth| self.fix_unless(depth, takes));
                Kind::Raw(gives)
            }
            Effect::Consume(takes) => {
                (0..popped).for_each(|depth| self.fix_unless(depth, takes));
                Kind::Exact
            }
            Effect::Forget => Kind::Exact,
            Effect::Plain => Kind::Plain,
            Effect::Abs(shape) => match self.kind(0) {
                Kind::Raw(other) if other != shape => self.fix(0),
                Kind::Mixed(_, other) if other != shape => self.fix(0),
                kind => kind,
            },
            Effect::Splat(shape) => match self.kind(0) {
                Kind::Plain | Kind::Raw(_) => Kind::Raw(shape),
                _ => self.fix(0),
            },
            Effect::Extract { from, to } => match self.kind(0) {
                Kind::Plain => Kind::Plain,
                Kind::Raw(shape) if shape == from => Kind::Raw(to),
                Kind::Mixed(local, shape) if shape == from => Kind::Mixed(local, to),
                _ => self.fix(0),
            },
            Effect::Replace(shape) => {
                let lane = match self.kind(0) {
                    Kind::Plain | Kind::Raw(_) => Kind::Raw(shape),
                    kind => kind,
                };
                self.either([(1, self.kind(1)), (0, lane)])
            }
            Effect::Select => self.either([(2, self.kind(2)), (1, self.kind(1))]),
            // They compare, and give one of their operands.
            Effect::PseudoMinimum(shape) => match join(self.kind(1), self.kind(0)) {
                Some(kind) if kind == Kind::Plain || kind == Kind::Raw(shape) => kind,
                _ => {
                    self.fix(1);
                    self.fix(0)
                }
            },
            Effect::Convert(gives) => {
                (0..popped).for_each(|depth| {
                    self.fix(depth);
                });
                Kind::Raw(gives)
            }
            Effect::LocalGet(local) => match self.local(local) {
                Local::Plain => Kind::Plain,
                Local::Exact | Local::Seen => Kind::Exact,
                Local::Raw(shape) => Kind::Raw(shape),
                Local::Mixed(shape) => Kind::Mixed(local, shape),
            },
            Effect::LocalSet(local) => self.set(local),
            Effect::Other => {
                (0..popped).for_each(|depth| {
                    self.fix(depth);
                });
                Kind::Exact
            }
        };
        if let Some(lowest) = self.fix.iter().rposition(Option::is_some) {
            let types = trace.types_from(step.types);
            let operands = (0..=lowest).rev().map(|depth| (types[depth], self.fix[depth]));
            self.fixes.push(Fix { operator: number, operands: operands.collect() });
        }
        result
    }

    /// Sets a local to the value on top. Returns what the value is from now on.
    fn set(&mut self, local: u32) -> Kind {
        let kind = match self.kind(0) {
            Kind::Mixed(..) => self.fix(0),
            kind => kind,
        };
        let now = match (self.local(local), kind) {
            (was, Kind::Plain) => was,
            (Local::Plain, Kind::Raw(shape)) => Local::Raw(shape),
            (Local::Plain | Local::Exact, Kind::Exact) => Local::Exact,
            (Local::Raw(was) | Local::Mixed(was), Kind::Raw(shape)) if was != shape => Local::Seen,
            (was @ (Local::Raw(_) | Local::Mixed(_)), Kind::Raw(_)) => was,
            (Local::Raw(shape) | Local::Mixed(shape), Kind::Exact) | (Local::Exact, Kind::Raw(shape)) => {
                Local::Mixed(shape)
            }
            (Local::Seen, _) | (_, Kind::Mixed(..)) => Local::Seen,
        };
        self.change(local, now);
        if now == Local::Seen { self.fix(0) } else { kind }
    }

    fn change(&mut self, local: u32, now: Local) {
        if let Some(slot) = usize::try_from(local).ok().and_then(|at| self.locals.get_mut(at)) {
            self.changed |= *slot != now;
            *slot = now;
        }
    }

    /// Has an operand made canonical, if it is raw. What comes from a mixed local cannot be, any more: so that local is
    /// seen, and the next pass makes canonical what is set to it. Returns what the operand is then.
    fn fix(&mut self, depth: usize) -> Kind {
        match (self.kind(depth), self.fix.get_mut(depth)) {
            (Kind::Raw(shape), Some(slot)) => *slot = Some(shape),
            (Kind::Mixed(local, _), _) => self.change(local, Local::Seen),
            _ => {}
        }
        Kind::Exact
    }

    /// The same, unless the operand is a number of this shape.
    fn fix_unless(&mut self, depth: usize, shape: Shape) {
        match self.kind(depth) {
            Kind::Raw(other) | Kind::Mixed(_, other) if other == shape => {}
            _ => {
                self.fix(depth);
            }
        }
    }

    /// What one of two operands is, whichever it is.
    fn either(&mut self, operands: [(usize, Kind); 2]) -> Kind {
        let [(one, one_kind), (other, other_kind)] = operands;
        join(one_kind, other_kind).unwrap_or_else(|| {
            self.fix(one);
            self.fix(other)
        })
    }

    fn local(&self, local: u32) -> Local {
        usize::try_from(local).ok().and_then(|at| self.locals.get(at)).copied().unwrap_or(Local::Seen)
    }
}

/// The kind of a value that is one of two.
fn join(a: Kind, b: Kind) -> Option<Kind> {
    match (a, b) {
        (Kind::Mixed(..), _) | (_, Kind::Mixed(..)) => None,
        (Kind::Plain, kind) | (kind, Kind::Plain) => Some(kind),
        (a, b) if a == b => Some(a),
        _ => None,
    }
}

/// What an operator does with the bits of floats.
enum Effect {
    /// Takes numbers of one shape and gives raw ones.
    Arithmetic {
        takes: Shape,
        gives: Shape,
    },
    /// Takes numbers of one shape, whatever the bits of NaN, and gives no floats.
    Consume(Shape),
    /// Drops a value without a look.
    Forget,
    /// Gives numbers that are not NaN.
    Plain,
    Abs(Shape),
    Splat(Shape),
    Extract {
        from: Shape,
        to: Shape,
    },
    Replace(Shape),
    /// Gives one of two operands, below a condition.
    Select,
    /// Compares two operands and gives one.
    PseudoMinimum(Shape),
    /// Takes bits and gives raw numbers.
    Convert(Shape),
    LocalGet(u32),
    LocalSet(u32),
    /// Shows or keeps the bits of whatever it takes, and what it gives is exact.
    Other,
}

#[rustfmt::skip] // One line for each kind of operator reads as the table that it is.
fn effect(operator: &Operator<'_>) -> Effect {
    use Operator::*;
    use Shape::{F32, F32x4, F64, F64x2};
    let arithmetic = |shape| Effect::Arithmetic { takes: shape, gives: shape };
    match operator {
        Drop => Effect::Forget,
        LocalGet { local_index } => Effect::LocalGet(*local_index),
        LocalSet { local_index } | LocalTee { local_index } => Effect::LocalSet(*local_index),
        Select => Effect::Select,

        F32Const { value } if !is_nan32(value.bits()) => Effect::Plain,
        F64Const { value } if !is_nan64(value.bits()) => Effect::Plain,
        V128Const { value } if is_plain(value.bytes()) => Effect::Plain,
        F32ConvertI32S | F32ConvertI32U | F32ConvertI64S | F32ConvertI64U
        | F64ConvertI32S | F64ConvertI32U | F64ConvertI64S | F64ConvertI64U => Effect::Plain,
        // As pairs of halves these could be NaN of the other shape: so they are raw in their own.
        F32x4ConvertI32x4S | F32x4ConvertI32x4U => Effect::Convert(F32x4),
        F64x2ConvertLowI32x4S | F64x2ConvertLowI32x4U => Effect::Convert(F64x2),

        F32Add | F32Sub | F32Mul | F32Div | F32Min | F32Max | F32Sqrt
        | F32Ceil | F32Floor | F32Trunc | F32Nearest => arithmetic(F32),
        F64Add | F64Sub | F64Mul | F64Div | F64Min | F64Max | F64Sqrt
        | F64Ceil | F64Floor | F64Trunc | F64Nearest => arithmetic(F64),
        F32DemoteF64 => Effect::Arithmetic { takes: F64, gives: F32 },
        F64PromoteF32 => Effect::Arithmetic { takes: F32, gives: F64 },
        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge => Effect::Consume(F32),
        F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge => Effect::Consume(F64),
        I32TruncF32S | I32TruncF32U | I64TruncF32S | I64TruncF32U
        | I32TruncSatF32S | I32TruncSatF32U | I64TruncSatF32S | I64TruncSatF32U => Effect::Consume(F32),
        I32TruncF64S | I32TruncF64U | I64TruncF64S | I64TruncF64U
        | I32TruncSatF64S | I32TruncSatF64U | I64TruncSatF64S | I64TruncSatF64U => Effect::Consume(F64),
        F32Abs => Effect::Abs(F32),
        F64Abs => Effect::Abs(F64),

        F32x4Add | F32x4Sub | F32x4Mul | F32x4Div | F32x4Min | F32x4Max | F32x4Sqrt
        | F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest => arithmetic(F32x4),
        F64x2Add | F64x2Sub | F64x2Mul | F64x2Div | F64x2Min | F64x2Max | F64x2Sqrt
        | F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest => arithmetic(F64x2),
        F32x4DemoteF64x2Zero => Effect::Arithmetic { takes: F64x2, gives: F32x4 },
        F64x2PromoteLowF32x4 => Effect::Arithmetic { takes: F32x4, gives: F64x2 },
        F32x4Eq | F32x4Ne | F32x4Lt | F32x4Gt | F32x4Le | F32x4Ge
        | I32x4TruncSatF32x4S | I32x4TruncSatF32x4U => Effect::Consume(F32x4),
        F64x2Eq | F64x2Ne | F64x2Lt | F64x2Gt | F64x2Le | F64x2Ge
        | I32x4TruncSatF64x2SZero | I32x4TruncSatF64x2UZero => Effect::Consume(F64x2),
        F32x4Abs => Effect::Abs(F32x4),
        F64x2Abs => Effect::Abs(F64x2),
        F32x4PMin | F32x4PMax => Effect::PseudoMinimum(F32x4),
        F64x2PMin | F64x2PMax => Effect::PseudoMinimum(F64x2),
        F32x4Splat => Effect::Splat(F32x4),
        F64x2Splat => Effect::Splat(F64x2),
        F32x4ExtractLane { .. } => Effect::Extract { from: F32x4, to: F32 },
        F64x2ExtractLane { .. } => Effect::Extract { from: F64x2, to: F64 },
        F32x4ReplaceLane { .. } => Effect::Replace(F32x4),
        F64x2ReplaceLane { .. } => Effect::Replace(F64x2),
        _ => Effect::Other,
    }
}

fn is_nan32(bits: u32) -> bool {
    bits & 0x7fff_ffff > 0x7f80_0000
}

fn is_nan64(bits: u64) -> bool {
    bits & 0x7fff_ffff_ffff_ffff > 0x7ff0_0000_0000_0000
}

/// Whether a vector holds no NaN in either shape.
fn is_plain(bytes: &[u8; 16]) -> bool {
    let mut singles = bytes.chunks_exact(4).filter_map(|lane| lane.try_into().ok()).map(u32::from_le_bytes);
    let mut doubles = bytes.chunks_exact(8).filter_map(|lane| lane.try_into().ok()).map(u64::from_le_bytes);
    !singles.any(is_nan32) && !doubles.any(is_nan64)
}
