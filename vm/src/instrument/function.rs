//! One function: first what it costs and calls, then its body again with charges, checks and canonical NaN in it.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Ieee32, Ieee64, Instruction, ValType};
use wasmparser::{FuncType, FunctionBody, Operator};

use super::blocks::Blocks;
use super::calls::{Calls, Depth};
use super::counted::{Counted, End};
use super::floats::{Fix, Shape};
use super::flow::{Flow, Placement, Plan};
use super::module::{Counters, Names};
use super::operators::{ENTRY_PRICE, LOCAL_PRICE, bulk_price};
use super::places::Mark;
use super::pricing::Pricing;
use super::{FAULT_STACK, FAULT_UNREACHABLE, refused};
use crate::AdmissionError;
use crate::admission::{check_block, check_in};
use crate::rules::Rules;

/// What the first pass over a body finds.
pub(super) struct Survey {
    pub(super) plan: Plan,
    pub(super) calls: Calls,
    /// Functions whose address is taken.
    pub(super) references: Vec<u32>,
    /// Types that are called through a table.
    pub(super) indirect: Vec<u32>,
}

/// Prices the metering blocks of a body, and places the charges.
pub(super) fn survey(
    rules: &Rules,
    placement: Placement,
    index: u32,
    types: &[FuncType],
    ty: &FuncType,
    body: &FunctionBody<'_>,
    mut pricing: Pricing<'_>,
) -> Result<Survey, AdmissionError> {
    let mut locals = u64::try_from(ty.params().len()).unwrap_or(u64::MAX);
    let mut units: u64 = 0;
    for group in body.get_locals_reader()? {
        let (count, local) = group?;
        locals = locals.saturating_add(u64::from(count));
        let each = if local == wasmparser::ValType::V128 { 2 } else { 1 };
        units = units.saturating_add(u64::from(count).saturating_mul(each));
    }
    check_in(index, "locals", locals, rules.limits.locals)?;
    let entry = ENTRY_PRICE.saturating_add(units.saturating_mul(LOCAL_PRICE));

    let mut flow = Flow::new(types, ty, placement, entry);
    let (mut calls, mut references, mut indirect) = (Calls::default(), Vec::new(), Vec::new());
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        let price = pricing.price(&operator, &operators)?.ok_or_else(|| AdmissionError::Operator {
            operator: "without a price".to_owned(),
            function: index,
            offset,
        })?;
        match operator {
            Operator::Call { function_index } => {
                calls.direct.insert(function_index);
            }
            Operator::CallIndirect { type_index, .. } => {
                calls.indirect = true;
                indirect.push(type_index);
            }
            Operator::RefFunc { function_index } => references.push(function_index),
            _ => {}
        }
        let is_bulk = bulk_price(&operator).is_some();
        check_block(index, flow.step(&operator, price, is_bulk), &rules.limits)?;
    }
    Ok(Survey { plan: flow.finish(), calls, references, indirect })
}

/// Which function, and what it becomes part of.
pub(super) struct Task<'t> {
    pub(super) survey: &'t Survey,
    pub(super) fixes: &'t [Fix],
    pub(super) depth: Depth,
    pub(super) names: &'t Names,
    pub(super) counters: Counters,
    /// Type of a block around the body.
    pub(super) wrapper: BlockType,
    /// Whether places are marked for an observer.
    pub(super) observed: bool,
}

/// Rewrites one body.
pub(super) fn rewrite(task: &Task<'_>, ty: &FuncType, body: &FunctionBody<'_>) -> Result<Function, AdmissionError> {
    let parameters = u32::try_from(ty.params().len()).expect("parameters are limited");
    let mut locals = Locals { parameters, shift: if task.depth.has_room { 2 } else { 1 }, groups: Vec::new(), next: 0 };
    locals.next = parameters + locals.shift;
    for group in body.get_locals_reader()? {
        let (count, local) = group?;
        locals.add(count, RoundtripReencoder.val_type(local).map_err(refused)?);
    }
    let temporaries = Temporaries::new(task, &mut locals)?;
    let mut writer = Writer {
        function: Function::new(locals.groups.iter().copied()),
        gas: parameters,
        room: task.depth.has_room.then_some(parameters + 1),
        out: 0,
        debt: 0,
        temporaries,
        counters: task.counters,
        observed: task.observed,
    };
    writer.enter(task.depth);
    let (plan, names) = (&task.survey.plan, task.names);
    let (checks, wraps) = (plan.checks(), plan.names_function);
    if checks {
        writer.emit(Instruction::Block(BlockType::Empty));
    }
    if wraps {
        writer.emit(Instruction::Block(task.wrapper));
    }

    let bytes = body.as_bytes();
    let start = body.range().start;
    let mut blocks = Blocks::default();
    let (mut plans, mut branches, mut fixes) = (plan.blocks.iter(), plan.branches.iter(), task.fixes.iter().peekable());
    let mut block = *plans.next().expect("there is a block at the start");
    let mut number = 0;
    writer.out = u32::from(wraps);
    writer.mark(Mark::Enter, start);
    writer.begin(block.charge, block.debt, block.check);
    let mut open: Vec<Open> = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if let Some(fix) = fixes.next_if(|fix| fix.operator == number) {
            writer.fix(fix)?;
        }
        number += 1;
        if let Some((_, per_unit)) = bulk_price(&operator) {
            writer.charge_by_length(per_unit);
        }
        let copy = |writer: &mut Writer, end: usize| {
            writer.function.raw(bytes[offset - start..end - start].iter().copied());
        };
        let end = operators.original_position();
        match &operator {
            Operator::Return => {
                writer.mark(Mark::Leave, offset);
                writer.emit(Instruction::LocalGet(writer.gas));
                writer.emit(Instruction::Return);
            }
            Operator::Unreachable => writer.fault(FAULT_UNREACHABLE),
            Operator::Call { function_index } => {
                writer.pass(names.has_room(*function_index));
                writer.emit(Instruction::Call(*function_index));
                writer.take_back();
                block.calls -= 1;
                writer.after_call(&block);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let index = writer.temporaries.index;
                writer.emit(Instruction::LocalSet(index));
                writer.pass(true);
                writer.emit(Instruction::LocalGet(index));
                let type_index = names.indirect_type(*type_index);
                writer.emit(Instruction::CallIndirect { type_index, table_index: *table_index });
                writer.take_back();
                block.calls -= 1;
                writer.after_call(&block);
            }
            Operator::RefFunc { function_index } => {
                writer.emit(Instruction::RefFunc(names.reference(*function_index)));
            }
            Operator::LocalGet { local_index } => writer.emit(Instruction::LocalGet(locals.index(*local_index))),
            Operator::LocalSet { local_index } => writer.emit(Instruction::LocalSet(locals.index(*local_index))),
            Operator::LocalTee { local_index } => writer.emit(Instruction::LocalTee(locals.index(*local_index))),
            Operator::BrIf { relative_depth } => match branches.next().copied() {
                Some(charge) if charge != 0 => {
                    let target = usize::try_from(*relative_depth).ok().and_then(|depth| open.iter().rev().nth(depth));
                    if target.is_some_and(|open| open.is_loop) {
                        // Compilers lay out what stands in an `else` next, and the rest of the loop is more likely.
                        writer.emit(Instruction::I32Eqz);
                        writer.emit(Instruction::If(BlockType::Empty));
                        writer.emit(Instruction::Else);
                    } else {
                        writer.emit(Instruction::If(BlockType::Empty));
                    }
                    writer.charge(charge);
                    writer.emit(Instruction::Br(*relative_depth + 1));
                    writer.emit(Instruction::End);
                }
                _ => copy(&mut writer, end),
            },
            Operator::If { .. } => {
                open.push(Open { around: branches.next().copied().unwrap_or(0), is_loop: false });
                copy(&mut writer, end);
            }
            Operator::Loop { .. } if plans.as_slice().first().is_some_and(|block| block.counted.is_some()) => {
                // All of it in front: the next block is what stands in the loop.
                let next = plans.as_slice()[0];
                if let Some((counted, price)) = next.counted {
                    writer.charge_rounds(counted, price, &locals);
                }
                writer.begin(next.charge, next.debt, next.check);
                open.push(Open { around: 0, is_loop: true });
                copy(&mut writer, end);
            }
            Operator::Block { .. } | Operator::Loop { .. } => {
                open.push(Open { around: 0, is_loop: matches!(operator, Operator::Loop { .. }) });
                copy(&mut writer, end);
            }
            Operator::Else => {
                open.last_mut().expect("a validated body").around = 0;
                copy(&mut writer, end);
            }
            Operator::End => match open.pop() {
                Some(Open { around, .. }) => {
                    if around != 0 {
                        writer.emit(Instruction::Else);
                        writer.charge(around);
                    }
                    copy(&mut writer, end);
                }
                None if wraps => writer.emit(Instruction::End),
                None => {}
            },
            _ => copy(&mut writer, end),
        }
        if blocks.step(&operator) {
            block = *plans.next().expect("both passes find the same blocks");
            writer.out = blocks.depth() + u32::from(wraps);
            if block.counted.is_none() {
                writer.mark(Mark::Block, end);
                writer.begin(block.charge, block.debt, block.check);
            }
        } else {
            writer.out = blocks.depth() + u32::from(wraps);
        }
    }
    writer.mark(Mark::Leave, start);
    writer.leave(checks);
    Ok(writer.function)
}

/// A block that is open.
struct Open {
    /// What not entering an `if` is charged, as long as it has no `else`.
    around: i64,
    is_loop: bool,
}

/// Locals of the function as they are now: gas and room stand behind the parameters.
struct Locals {
    parameters: u32,
    shift: u32,
    groups: Vec<(u32, ValType)>,
    next: u32,
}

impl Locals {
    fn index(&self, index: u32) -> u32 {
        if index < self.parameters { index } else { index + self.shift }
    }

    fn add(&mut self, count: u32, ty: ValType) -> u32 {
        let first = self.next;
        self.groups.push((count, ty));
        self.next += count;
        first
    }
}

/// Locals that hold something between two instructions.
struct Temporaries {
    /// The length of a bulk operator, the index of an indirect call, the rounds of a loop.
    index: u32,
    /// For the operands above one that is made canonical, by position from the top, and one of each type that is.
    spills: Vec<(ValType, u32)>,
}

impl Temporaries {
    fn new(task: &Task<'_>, locals: &mut Locals) -> Result<Temporaries, AdmissionError> {
        let mut temporaries = Temporaries { index: 0, spills: Vec::new() };
        let counts = task.survey.plan.blocks.iter().any(|block| block.counted.is_some());
        if task.survey.plan.has_bulk || !task.survey.indirect.is_empty() || counts {
            temporaries.index = locals.add(1, ValType::I32);
        }
        for fix in task.fixes {
            // As many of each type as this one needs: every spilled operand, and one to be looked at.
            let mut needed: Vec<ValType> = Vec::new();
            for (ty, _) in fix.operands.iter().skip(1) {
                needed.push(RoundtripReencoder.val_type(*ty).map_err(refused)?);
            }
            for (ty, shape) in &fix.operands {
                if shape.is_some() {
                    needed.push(RoundtripReencoder.val_type(*ty).map_err(refused)?);
                }
            }
            let mut free: Vec<bool> = vec![true; temporaries.spills.len()];
            for ty in needed {
                let found = temporaries.spills.iter().zip(&free).position(|((other, _), free)| *free && *other == ty);
                match found {
                    Some(at) => free[at] = false,
                    None => {
                        temporaries.spills.push((ty, locals.add(1, ty)));
                        free.push(false);
                    }
                }
            }
        }
        Ok(temporaries)
    }
}

struct Writer {
    function: Function,
    gas: u32,
    room: Option<u32>,
    /// Label behind which the frame faults for want of gas, counted from here.
    out: u32,
    /// What the counter is ahead of the true balance.
    debt: i64,
    temporaries: Temporaries,
    counters: Counters,
    observed: bool,
}

impl Writer {
    /// Says to an observer where in the original module the code is, if there is one. It leaves the stack as it is.
    fn mark(&mut self, mark: Mark, offset: usize) {
        if self.observed {
            self.emit(Instruction::I64Const(mark.at(offset)));
            self.emit(Instruction::LocalGet(self.gas));
            self.emit(Instruction::Drop);
            self.emit(Instruction::Drop);
        }
    }

    fn emit(&mut self, instruction: Instruction<'_>) {
        self.function.instruction(&instruction);
    }

    /// Lowers the counter. It stays within 2^62 and the prices of all blocks of a function: nothing wraps.
    fn charge(&mut self, amount: i64) {
        if amount != 0 {
            self.emit(Instruction::LocalGet(self.gas));
            self.emit(Instruction::I64Const(amount));
            self.emit(Instruction::I64Sub);
            self.emit(Instruction::LocalSet(self.gas));
        }
    }

    /// Begins a metering block. The check comes first: then nothing but the comparison needs the counter as it was, and
    /// Cranelift, which computes a sum with a constant again in every block that uses it, keeps one value alive and not
    /// two.
    fn begin(&mut self, charge: i64, debt: i64, check: bool) {
        self.debt = debt;
        if check {
            self.check(charge + debt);
        }
        self.charge(charge);
    }

    /// Goes to the fault where the counter is below this.
    fn check(&mut self, least: i64) {
        self.emit(Instruction::LocalGet(self.gas));
        self.emit(Instruction::I64Const(least));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::BrIf(self.out));
    }

    /// Charges `per_unit` for every unit of the length on top of the stack, and leaves the stack as it is. A length is
    /// below 2^32 and `per_unit` below 2^30, so nothing can wrap.
    fn charge_by_length(&mut self, per_unit: u32) {
        let length = self.temporaries.index;
        self.emit(Instruction::LocalTee(length));
        self.emit(Instruction::LocalGet(self.gas));
        self.emit(Instruction::LocalGet(length));
        self.emit(Instruction::I64ExtendI32U);
        self.emit(Instruction::I64Const(i64::from(per_unit)));
        self.emit(Instruction::I64Mul);
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::LocalSet(self.gas));
        self.check(self.debt);
    }

    /// Charges all rounds of a loop but one, which the metering block of the loop has itself. A loop that never ends
    /// faults.
    fn charge_rounds(&mut self, counted: Counted, price: u32, locals: &Locals) {
        let (distance, shift) = (self.temporaries.index, counted.shift());
        self.emit(match counted.end {
            End::Constant(value) => Instruction::I32Const(value.cast_signed()),
            End::Local(local) => Instruction::LocalGet(locals.index(local)),
        });
        self.emit(Instruction::LocalGet(locals.index(counted.local)));
        self.emit(Instruction::I32Sub);
        if shift > 0 {
            self.emit(Instruction::LocalTee(distance));
            self.emit(Instruction::I32Const((1 << shift) - 1));
            self.emit(Instruction::I32And);
            self.emit(Instruction::BrIf(self.out));
            self.emit(Instruction::LocalGet(distance));
            self.emit(Instruction::I32Const(shift.cast_signed()));
            self.emit(Instruction::I32ShrU);
        }
        let inverse = counted.inverse() & counted.mask();
        if inverse != 1 {
            self.emit(Instruction::I32Const(inverse.cast_signed()));
            self.emit(Instruction::I32Mul);
        }
        self.emit(Instruction::I32Const(1));
        self.emit(Instruction::I32Sub);
        if shift > 0 {
            self.emit(Instruction::I32Const(counted.mask().cast_signed()));
            self.emit(Instruction::I32And);
        }
        self.emit(Instruction::LocalSet(distance));
        self.emit(Instruction::LocalGet(self.gas));
        self.emit(Instruction::LocalGet(distance));
        self.emit(Instruction::I64ExtendI32U);
        self.emit(Instruction::I64Const(price.into()));
        self.emit(Instruction::I64Mul);
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::LocalSet(self.gas));
    }

    /// Pushes what every call passes on, behind the arguments.
    fn pass(&mut self, room: bool) {
        self.emit(Instruction::LocalGet(self.gas));
        if room {
            self.emit(Instruction::LocalGet(self.room.expect("who calls a function with room has it")));
        }
    }

    /// Takes over the balance that a call gives back.
    fn take_back(&mut self) {
        self.emit(Instruction::LocalSet(self.gas));
        self.debt = 0;
    }

    fn after_call(&mut self, block: &super::flow::Block) {
        if block.calls == 0 {
            self.charge(block.tail_charge);
            self.debt = block.tail_debt;
        }
    }

    /// Takes the frame from the room. Where it counts, faults if the room does not hold what is below it as well, and
    /// keeps the least that there has been.
    fn enter(&mut self, depth: Depth) {
        let Some(room) = self.room else { return };
        let units = |units: u64| i64::try_from(units).expect("frames are limited");
        self.emit(Instruction::LocalGet(room));
        self.emit(Instruction::I64Const(units(depth.frame)));
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::LocalSet(room));
        if !depth.counted {
            return;
        }
        let least_room = self.counters.least_room;
        let left = |writer: &mut Writer| {
            writer.emit(Instruction::LocalGet(room));
            if depth.below != 0 {
                writer.emit(Instruction::I64Const(units(depth.below)));
                writer.emit(Instruction::I64Sub);
            }
        };
        // One comparison on the way of most calls: only a new least can be below zero.
        left(self);
        self.emit(Instruction::GlobalGet(least_room));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::If(BlockType::Empty));
        left(self);
        self.emit(Instruction::I64Const(0));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::If(BlockType::Empty));
        self.fault(FAULT_STACK);
        self.emit(Instruction::End);
        left(self);
        self.emit(Instruction::GlobalSet(least_room));
        self.emit(Instruction::End);
    }

    /// Traps, and says why to people.
    fn fault(&mut self, why: i32) {
        self.emit(Instruction::I32Const(why));
        self.emit(Instruction::GlobalSet(self.counters.fault));
        self.emit(Instruction::Unreachable);
    }

    /// Returns what is left, behind the results.
    fn leave(&mut self, checks: bool) {
        self.emit(Instruction::LocalGet(self.gas));
        if checks {
            self.emit(Instruction::Return);
            self.emit(Instruction::End);
            // Without a word: what this needs would have to be kept at hand everywhere. The others say what they are.
            self.emit(Instruction::Unreachable);
        }
        self.emit(Instruction::End);
    }

    /// Makes operands canonical.
    fn fix(&mut self, fix: &Fix) -> Result<(), AdmissionError> {
        let types = fix.operands.iter().map(|(ty, _)| RoundtripReencoder.val_type(*ty));
        let types = types.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let mut free: Vec<bool> = vec![true; self.temporaries.spills.len()];
        // The lowest operand stays on the stack, those above it step aside.
        let mut aside = Vec::new();
        for ty in types.iter().skip(1).rev() {
            let local = self.temporary(*ty, &mut free);
            self.emit(Instruction::LocalSet(local));
            aside.push(local);
        }
        for (at, (_, shape)) in fix.operands.iter().enumerate() {
            if at > 0 {
                self.emit(Instruction::LocalGet(aside.pop().expect("one for each operand")));
            }
            if let Some(shape) = shape {
                let local = self.temporary(types[at], &mut free);
                self.canonical(*shape, local);
            }
        }
        Ok(())
    }

    fn temporary(&self, ty: ValType, free: &mut [bool]) -> u32 {
        let spills = &self.temporaries.spills;
        let at = spills.iter().zip(free.iter()).position(|((other, _), free)| *free && *other == ty);
        let at = at.expect("there are as many as any fix needs");
        free[at] = false;
        spills[at].1
    }

    /// Makes the value on top of the stack canonical: `x == x ? x : NaN`, in every lane.
    fn canonical(&mut self, shape: Shape, local: u32) {
        const F32: u32 = 0x7fc0_0000;
        const F64: u64 = 0x7ff8_0000_0000_0000;
        self.emit(Instruction::LocalTee(local));
        self.emit(match shape {
            Shape::F32 => Instruction::F32Const(Ieee32::new(F32)),
            Shape::F64 => Instruction::F64Const(Ieee64::new(F64)),
            Shape::F32x4 => Instruction::V128Const(i128::from(F32) * 0x1_0000_0001_0000_0001_0000_0001),
            Shape::F64x2 => Instruction::V128Const(i128::from(F64) | i128::from(F64) << 64),
        });
        self.emit(Instruction::LocalGet(local));
        self.emit(Instruction::LocalGet(local));
        let (equal, choose) = match shape {
            Shape::F32 => (Instruction::F32Eq, Instruction::Select),
            Shape::F64 => (Instruction::F64Eq, Instruction::Select),
            Shape::F32x4 => (Instruction::F32x4Eq, Instruction::V128Bitselect),
            Shape::F64x2 => (Instruction::F64x2Eq, Instruction::V128Bitselect),
        };
        self.emit(equal);
        self.emit(choose);
    }
}
