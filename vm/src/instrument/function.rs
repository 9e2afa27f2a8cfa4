//! One function: prices of its metering blocks, then the body again with charges and checks in it.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Instruction, ValType};
use wasmparser::{FuncType, FunctionBody, Operator};

use super::blocks::Blocks;
use super::operators::{ENTRY_PRICE, LOCAL_PRICE, bulk_price, operator_price};
use super::{Counters, Reindex, refused};
use crate::AdmissionError;
use crate::admission::{check_block, check_in};
use crate::rules::Rules;

/// What the rewriting of a function needs to know before it begins.
struct Plan {
    /// Price of each metering block, in the order in which they begin.
    prices: Vec<u64>,
    /// Whether an operator is priced by its length.
    has_bulk: bool,
}

/// Which function, and what it becomes part of.
pub(super) struct Task {
    pub(super) counters: Counters,
    pub(super) index: u32,
    pub(super) reindex: Reindex,
    /// Type of the block around the body.
    pub(super) wrapper: BlockType,
    pub(super) frame_units: u64,
}

/// Rewrites one body.
pub(super) fn rewrite(
    rules: &Rules,
    task: Task,
    ty: &FuncType,
    body: &FunctionBody<'_>,
) -> Result<Function, AdmissionError> {
    let Task { counters, index, reindex, wrapper, frame_units } = task;
    let mut locals = Vec::new();
    let mut local_count = u32::try_from(ty.params().len()).expect("parameters are limited");
    let mut local_units: u64 = 0;
    for group in body.get_locals_reader()? {
        let (count, local) = group?;
        local_count = local_count.saturating_add(count);
        let units = if local == wasmparser::ValType::V128 { 2 } else { 1 };
        local_units = local_units.saturating_add(u64::from(count).saturating_mul(units));
        locals.push((count, RoundtripReencoder.val_type(local).map_err(refused)?));
    }
    check_in(index, "locals", local_count, rules.limits.locals)?;
    let entry = ENTRY_PRICE.saturating_add(local_units.saturating_mul(LOCAL_PRICE));
    let plan = plan(rules, index, entry, body)?;

    let saved = local_count;
    let length = local_count + 1;
    locals.push((1, ValType::I64));
    if plan.has_bulk {
        locals.push((1, ValType::I32));
    }
    let mut writer = Writer { function: Function::new(locals), counters, length };
    writer.enter(saved, i64::try_from(frame_units).expect("frames are limited"));
    let mut prices = plan.prices.iter().copied();
    writer.charge(prices.next().expect("there is a block at the start"));
    writer.emit(Instruction::Block(wrapper));

    let bytes = body.as_bytes();
    let start = body.range().start;
    let mut blocks = Blocks::default();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if let Some((_, per_unit)) = bulk_price(&operator) {
            writer.charge_by_length(per_unit);
        }
        match operator {
            Operator::Return => writer.emit(Instruction::Br(blocks.depth())),
            Operator::Call { function_index } => writer.emit(Instruction::Call(reindex.function(function_index))),
            Operator::RefFunc { function_index } => writer.emit(Instruction::RefFunc(reindex.function(function_index))),
            _ => {
                let end = operators.original_position();
                writer.function.raw(bytes[offset - start..end - start].iter().copied());
            }
        }
        if blocks.step(&operator) {
            writer.charge(prices.next().expect("both passes find the same blocks"));
        }
    }
    // The last `end` of the body has closed the wrapper.
    writer.leave(saved);
    Ok(writer.function)
}

/// Prices the metering blocks of a body.
fn plan(rules: &Rules, index: u32, entry: u64, body: &FunctionBody<'_>) -> Result<Plan, AdmissionError> {
    let mut plan = Plan { prices: vec![entry], has_bulk: false };
    let mut blocks = Blocks::default();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        let price = operator_price(&operator).ok_or_else(|| AdmissionError::Operator {
            operator: "without a price".to_owned(),
            function: index,
            offset,
        })?;
        plan.has_bulk |= bulk_price(&operator).is_some();
        let block = plan.prices.last_mut().expect("there is a block at the start");
        *block = block.saturating_add(price);
        check_block(index, *block, &rules.limits)?;
        if blocks.step(&operator) {
            plan.prices.push(0);
        }
    }
    Ok(plan)
}

struct Writer {
    function: Function,
    counters: Counters,
    /// Local that holds the length of a bulk operator.
    length: u32,
}

impl Writer {
    fn emit(&mut self, instruction: Instruction<'_>) {
        self.function.instruction(&instruction);
    }

    /// Traps where the counter is negative.
    fn check(&mut self, counter: u32) {
        self.emit(Instruction::GlobalGet(counter));
        self.emit(Instruction::I64Const(0));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::If(BlockType::Empty));
        self.emit(Instruction::Unreachable);
        self.emit(Instruction::End);
    }

    /// Charges a metering block. The balance is never negative before it and the price below 2^63, so the
    /// subtraction cannot wrap.
    fn charge(&mut self, price: u64) {
        if price == 0 {
            return;
        }
        self.emit(Instruction::GlobalGet(self.counters.gas));
        self.emit(Instruction::I64Const(i64::try_from(price).expect("prices of blocks are limited")));
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::GlobalSet(self.counters.gas));
        self.check(self.counters.gas);
    }

    /// Charges `per_unit` for every unit of the length on top of the stack, and leaves the stack as it is. A length is
    /// below 2^32 and `per_unit` below 2^30, so nothing can wrap.
    fn charge_by_length(&mut self, per_unit: u32) {
        self.emit(Instruction::LocalTee(self.length));
        self.emit(Instruction::GlobalGet(self.counters.gas));
        self.emit(Instruction::LocalGet(self.length));
        self.emit(Instruction::I64ExtendI32U);
        self.emit(Instruction::I64Const(i64::from(per_unit)));
        self.emit(Instruction::I64Mul);
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::GlobalSet(self.counters.gas));
        self.check(self.counters.gas);
    }

    /// Takes the frame from the room, traps where there is none, and keeps the least that there has been.
    fn enter(&mut self, saved: u32, frame_units: i64) {
        let Counters { room, least_room, .. } = self.counters;
        self.emit(Instruction::GlobalGet(room));
        self.emit(Instruction::LocalTee(saved));
        self.emit(Instruction::I64Const(frame_units));
        self.emit(Instruction::I64Sub);
        self.emit(Instruction::GlobalSet(room));
        self.check(room);
        self.emit(Instruction::GlobalGet(room));
        self.emit(Instruction::GlobalGet(least_room));
        self.emit(Instruction::I64LtS);
        self.emit(Instruction::If(BlockType::Empty));
        self.emit(Instruction::GlobalGet(room));
        self.emit(Instruction::GlobalSet(least_room));
        self.emit(Instruction::End);
    }

    /// Gives the frame back.
    fn leave(&mut self, saved: u32) {
        self.emit(Instruction::LocalGet(saved));
        self.emit(Instruction::GlobalSet(self.counters.room));
        self.emit(Instruction::End);
    }
}
