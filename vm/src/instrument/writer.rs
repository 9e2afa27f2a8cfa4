//! What is woven into a body, operator by operator.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Ieee32, Ieee64, Instruction, ValType};

use super::calls::Depth;
use super::counted::{Counted, End};
use super::floats::{Fix, Shape};
use super::flow::{Block, Placement, UNCHECKED, Whole};
use super::function::Task;
use super::module::Counters;
use super::places::Mark;
use super::{FAULT_STACK, refused};
use crate::AdmissionError;

/// Locals of the function as they are now: gas and room stand behind the parameters.
pub(super) struct Locals {
    parameters: u32,
    shift: u32,
    groups: Vec<(u32, ValType)>,
    next: u32,
}

impl Locals {
    /// Gas and room take `shift` of them.
    pub(super) fn new(parameters: u32, shift: u32) -> Locals {
        Locals { parameters, shift, groups: Vec::new(), next: parameters + shift }
    }

    /// How the local of the original is called now.
    pub(super) fn index(&self, index: u32) -> u32 {
        if index < self.parameters { index } else { index + self.shift }
    }

    /// Returns the first of the new ones.
    pub(super) fn add(&mut self, count: u32, ty: ValType) -> u32 {
        let first = self.next;
        self.groups.push((count, ty));
        self.next += count;
        first
    }
}

/// Locals that hold something between two instructions.
pub(super) struct Temporaries {
    /// The length of a bulk operator, the index of an indirect call, how far a loop has to go.
    index: u32,
    /// For the operands above one that is made canonical, by position from the top, and one of each type that is.
    spills: Vec<(ValType, u32)>,
}

impl Temporaries {
    pub(super) fn new(task: &Task<'_>, locals: &mut Locals) -> Result<Temporaries, AdmissionError> {
        let mut temporaries = Temporaries { index: 0, spills: Vec::new() };
        let looks_twice = task
            .survey
            .plan
            .blocks
            .iter()
            .any(|block| matches!(block.whole, Some(Whole::Counted(counted, _)) if counted.shift() > 0));
        if task.survey.plan.has_bulk || !task.survey.indirect.is_empty() || looks_twice {
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

/// Writes a body.
pub(super) struct Writer {
    pub(super) function: Function,
    gas: u32,
    room: Option<u32>,
    /// Label behind which the frame faults for want of gas, counted from here.
    pub(super) out: u32,
    /// What the counter is ahead of the true balance.
    debt: i64,
    /// What the local has not been charged yet: the call that comes next in the block takes it with it.
    unwritten: i64,
    temporaries: Temporaries,
    counters: Counters,
    placement: Placement,
}

impl Writer {
    /// Writes nothing yet.
    pub(super) fn new(task: &Task<'_>, locals: &Locals, temporaries: Temporaries) -> Writer {
        Writer {
            function: Function::new(locals.groups.iter().copied()),
            gas: locals.parameters,
            room: task.depth.has_room.then_some(locals.parameters + 1),
            out: 0,
            debt: 0,
            unwritten: 0,
            temporaries,
            counters: task.counters,
            placement: task.placement,
        }
    }

    /// Says to an observer where in the original module the code is, if there is one. It leaves the stack as it is.
    pub(super) fn mark(&mut self, mark: Mark, offset: usize) {
        if self.placement == Placement::Observed {
            self.emit(Instruction::I64Const(mark.at(offset)));
            self.emit(Instruction::LocalGet(self.gas));
            self.emit(Instruction::Drop);
            self.emit(Instruction::Drop);
        }
    }

    pub(super) fn emit(&mut self, instruction: Instruction<'_>) {
        self.function.instruction(&instruction);
    }

    /// Lowers the counter. It stays within 2^62 and the prices of all blocks of a function: nothing wraps.
    pub(super) fn charge(&mut self, amount: i64) {
        if amount != 0 {
            self.push_gas();
            self.lower(amount);
            self.emit(Instruction::LocalSet(self.gas));
        }
    }

    pub(super) fn push_gas(&mut self) {
        self.emit(Instruction::LocalGet(self.gas));
    }

    /// Lowers the counter on top of the stack.
    fn lower(&mut self, amount: i64) {
        if amount != 0 {
            self.emit(Instruction::I64Const(amount));
            self.emit(Instruction::I64Sub);
        }
    }

    /// Begins a metering block. The check comes first: then nothing but the comparison needs the counter as it was, and
    /// Cranelift, which computes a sum with a constant again in every block that uses it, keeps one value alive and not
    /// two. Where the block calls something, the charge is written where the counter is passed on.
    pub(super) fn begin(&mut self, block: &Block) {
        self.debt = block.debt;
        if block.check {
            let least = block.charge + block.debt;
            self.push_gas();
            self.branch_below(if block.is_header { least } else { self.about(least) });
        }
        if block.calls > 0 && !self.placement.is_per_block() {
            self.unwritten = block.charge;
        } else {
            self.charge(block.charge);
        }
    }

    /// Goes to the fault where the counter on top of the stack is below this.
    fn branch_below(&mut self, least: i64) {
        self.emit(Instruction::I64Const(least));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::BrIf(self.out));
    }

    /// What a check outside loops compares with. Zero is shorter in every code, and what it lets pass is seen at the next check or
    /// at the settlement point, so it stands for what is little more.
    fn about(&self, least: i64) -> i64 {
        if !self.placement.is_per_block() && (0..=UNCHECKED).contains(&least) { 0 } else { least }
    }

    /// Charges `per_unit` for every unit of the length on top of the stack, and leaves the stack as it is. A length is
    /// below 2^32 and `per_unit` below 2^30, so nothing can wrap.
    pub(super) fn charge_by_length(&mut self, per_unit: u32) {
        let length = self.temporaries.index;
        let unwritten = std::mem::take(&mut self.unwritten);
        self.emit(Instruction::LocalTee(length));
        self.push_gas();
        self.lower(unwritten);
        self.emit(Instruction::LocalGet(length));
        self.lower_by_units(per_unit);
        self.emit(Instruction::LocalTee(self.gas));
        self.branch_below(self.about(self.debt));
    }

    /// Lowers the counter below the top of the stack by so much for each unit of the top.
    fn lower_by_units(&mut self, per_unit: u32) {
        self.emit(Instruction::I64ExtendI32U);
        self.emit(Instruction::I64Const(per_unit.into()));
        self.emit(Instruction::I64Mul);
        self.emit(Instruction::I64Sub);
    }

    /// Begins the metering block of a loop that is paid for as a whole: the block has one round itself, and is charged with
    /// all the others. A loop that never ends faults.
    pub(super) fn begin_whole(&mut self, block: &Block, locals: &Locals) {
        let whole = block.whole.expect("such a loop");
        self.debt = block.debt;
        self.push_gas();
        match whole {
            Whole::Known(further) => self.lower(further + block.charge),
            Whole::Counted(counted, price) => {
                self.push_further_rounds(counted, locals);
                self.lower_by_units(price);
                self.lower(block.charge);
            }
        }
        if whole.is_checked() {
            self.emit(Instruction::LocalTee(self.gas));
            self.branch_below(self.about(block.debt));
        } else {
            self.emit(Instruction::LocalSet(self.gas));
        }
    }

    /// Pushes the number of rounds that follow the first.
    fn push_further_rounds(&mut self, counted: Counted, locals: &Locals) {
        let (inverse, shift) = (counted.inverse(), counted.shift());
        let local = Instruction::LocalGet(locals.index(counted.local));
        let constant = |value: u32| Instruction::I32Const(value.cast_signed());
        if let (End::Constant(end), 0) = (counted.end, shift) {
            // (end - local) * inverse - 1, with as much of it as possible in one constant
            let last = end.wrapping_mul(inverse).wrapping_sub(1);
            if inverse == 1 {
                self.emit(constant(last));
                self.emit(local);
                self.emit(Instruction::I32Sub);
            } else {
                self.emit(local);
                self.multiply(inverse.wrapping_neg());
                self.emit(constant(last));
                self.emit(Instruction::I32Add);
            }
            return;
        }
        self.emit(match counted.end {
            End::Constant(end) => constant(end),
            End::Local(end) => Instruction::LocalGet(locals.index(end)),
        });
        self.emit(local);
        self.emit(Instruction::I32Sub);
        if shift > 0 {
            let distance = self.temporaries.index;
            self.emit(Instruction::LocalTee(distance));
            self.emit(constant((1 << shift) - 1));
            self.emit(Instruction::I32And);
            self.emit(Instruction::BrIf(self.out));
            self.emit(Instruction::LocalGet(distance));
            self.emit(constant(shift));
            self.emit(Instruction::I32ShrU);
        }
        self.multiply(inverse & counted.mask());
        self.emit(constant(1));
        self.emit(Instruction::I32Sub);
        if shift > 0 {
            self.emit(constant(counted.mask()));
            self.emit(Instruction::I32And);
        }
    }

    fn multiply(&mut self, factor: u32) {
        if factor != 1 {
            self.emit(Instruction::I32Const(factor.cast_signed()));
            self.emit(Instruction::I32Mul);
        }
    }

    /// Takes the index of an indirect call off the stack. Returns the local that holds it.
    pub(super) fn set_aside(&mut self) -> u32 {
        self.emit(Instruction::LocalSet(self.temporaries.index));
        self.temporaries.index
    }

    /// Pushes what every call passes on, behind the arguments.
    pub(super) fn pass(&mut self, room: bool) {
        let unwritten = std::mem::take(&mut self.unwritten);
        self.push_gas();
        self.lower(unwritten);
        if room {
            self.emit(Instruction::LocalGet(self.room.expect("who calls a function with room has it")));
        }
    }

    /// Takes over the balance that a call gives back, and charges what the block still has to pay behind its last call.
    pub(super) fn take_back(&mut self, block: &Block) {
        self.debt = 0;
        if block.calls == 0 {
            self.lower(block.tail_charge);
            self.debt = block.tail_debt;
        }
        self.emit(Instruction::LocalSet(self.gas));
    }

    /// Takes the frame from the room. Where it counts, faults if the room does not hold what is below it as well, and
    /// keeps the least that there has been.
    pub(super) fn enter(&mut self, depth: Depth) {
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
    pub(super) fn fault(&mut self, why: i32) {
        self.emit(Instruction::I32Const(why));
        self.emit(Instruction::GlobalSet(self.counters.fault));
        self.emit(Instruction::Unreachable);
    }

    /// Returns what is left, behind the results.
    pub(super) fn leave(&mut self, checks: bool) {
        debug_assert_eq!(self.unwritten, 0, "the call that takes it is in the same block");
        self.push_gas();
        if checks {
            self.emit(Instruction::Return);
            self.emit(Instruction::End);
            // Without a word: what this needs would have to be kept at hand everywhere. The others say what they are.
            self.emit(Instruction::Unreachable);
        }
        self.emit(Instruction::End);
    }

    /// Makes operands canonical.
    pub(super) fn fix(&mut self, fix: &Fix) -> Result<(), AdmissionError> {
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
