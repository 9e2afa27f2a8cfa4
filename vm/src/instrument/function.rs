//! One function: first what it costs and calls, then its body again with charges, checks and canonical NaN in it.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Function, Instruction};
use wasmparser::{FuncType, FunctionBody, Operator};

use super::blocks::Blocks;
use super::calls::{Calls, Depth};
use super::costs::{ENTRY_PRICE, LOCAL_PRICE, is_bulk, per_unit};
use super::floats::Fix;
use super::flow::{Flow, Placement, Plan};
use super::module::{Counters, Names};
use super::places::Mark;
use super::pricing::Pricing;
use super::writer::{Locals, Temporaries, Writer};
use super::{FAULT_UNREACHABLE, refused};
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
        let price = pricing.price(&operator).ok_or_else(|| AdmissionError::Operator {
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
        check_block(index, flow.step(&operator, price, is_bulk(&operator)), &rules.limits)?;
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
    pub(super) placement: Placement,
}

/// Rewrites one body.
pub(super) fn rewrite(task: &Task<'_>, ty: &FuncType, body: &FunctionBody<'_>) -> Result<Function, AdmissionError> {
    let parameters = u32::try_from(ty.params().len()).expect("parameters are limited");
    let mut locals = Locals::new(parameters, if task.depth.has_room { 2 } else { 1 });
    for group in body.get_locals_reader()? {
        let (count, local) = group?;
        locals.add(count, RoundtripReencoder.val_type(local).map_err(refused)?);
    }
    let temporaries = Temporaries::new(task, &mut locals)?;
    let mut writer = Writer::new(task, &locals, temporaries);
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
    writer.begin(&block);
    let mut open: Vec<Open> = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if let Some(fix) = fixes.next_if(|fix| fix.operator == number) {
            writer.fix(fix)?;
        }
        number += 1;
        if let Some(per_unit) = per_unit(&operator) {
            writer.charge_by_length(per_unit);
        }
        let copy = |writer: &mut Writer, end: usize| {
            writer.function.raw(bytes[offset - start..end - start].iter().copied());
        };
        let end = operators.original_position();
        match &operator {
            Operator::Return => {
                writer.mark(Mark::Leave, offset);
                writer.push_gas();
                writer.emit(Instruction::Return);
            }
            Operator::Unreachable => writer.fault(FAULT_UNREACHABLE),
            Operator::Call { function_index } => {
                writer.pass(names.has_room(*function_index));
                writer.emit(Instruction::Call(*function_index));
                block.calls -= 1;
                writer.take_back(&block);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let index = writer.set_aside();
                writer.pass(true);
                writer.emit(Instruction::LocalGet(index));
                let type_index = names.indirect_type(*type_index);
                writer.emit(Instruction::CallIndirect { type_index, table_index: *table_index });
                block.calls -= 1;
                writer.take_back(&block);
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
            Operator::Loop { .. } if plans.as_slice().first().is_some_and(|block| block.whole.is_some()) => {
                // All of it in front: the next block is what stands in the loop.
                writer.begin_whole(&plans.as_slice()[0], &locals);
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
            if block.whole.is_none() {
                writer.mark(Mark::Block, end);
                writer.begin(&block);
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
