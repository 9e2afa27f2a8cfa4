//! What makes a body expensive to compile: counted, limited and priced before any compiler sees it. Compilers that
//! optimise are not linear in the length of a function, so several of the limits are products.

use wasmparser::{Operator, ValType};

use super::{AdmissionError, check_in};
use crate::instrument::{Step, is_bulk};
use crate::rules::{CompilePrices, Limits};

/// The counts of one function.
pub(super) struct Shape<'l> {
    function: u32,
    locals: u64,
    limits: &'l Limits,
    /// Which of the open blocks are loops.
    open: Vec<bool>,
    open_loops: u64,
    blocks: u64,
    loops: u64,
    metering_blocks: u64,
    control_values: u64,
    targets: u64,
    call_values: u64,
    /// Operators that are priced by their length.
    bulk: u64,
    /// Operators that name a function without calling it.
    names: u64,
    /// `call` and `call_indirect`.
    calls: u64,
    /// Operators that name a local.
    local_operators: u64,
    /// Float and vector operands of operators that may keep or show their bits.
    floats: u64,
    /// Other operands above one of those.
    aside: u64,
    /// Bits of constants, by type.
    constants: Vec<(u8, u64)>,
    /// Operators that an optimiser may put together with those of its operands: it tries many ways for each.
    reassociated: u64,
}

/// Whether operators like this one in a row keep an optimiser busy: 30 to 60 times as long as others, measured with Cranelift.
fn is_reassociated(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Add
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I32Or
            | Operator::I32Xor
            | Operator::I32Rotl
            | Operator::I32Rotr
            | Operator::I64Add
            | Operator::I64Sub
            | Operator::I64Mul
            | Operator::I64Or
            | Operator::I64Xor
            | Operator::I64Rotl
            | Operator::I64Rotr
    )
}

impl<'l> Shape<'l> {
    pub(super) fn new(function: u32, locals: u64, limits: &'l Limits) -> Shape<'l> {
        Shape {
            function,
            locals,
            limits,
            open: Vec::new(),
            open_loops: 0,
            blocks: 0,
            loops: 0,
            metering_blocks: 1,
            control_values: 0,
            targets: 0,
            call_values: 0,
            bulk: 0,
            names: 0,
            calls: 0,
            local_operators: 0,
            floats: 0,
            aside: 0,
            constants: Vec::new(),
            reassociated: 0,
        }
    }

    /// Goes over a valid operator that pops and pushes this many values.
    pub(super) fn step(&mut self, step: &Step<'_>, arity: Option<(u32, u32)>) -> Result<(), AdmissionError> {
        let operator = &step.operator;
        let (popped, pushed) = arity.unwrap_or((0, 0));
        let values = u64::from(popped) + u64::from(pushed);
        self.bulk += u64::from(is_bulk(operator));
        self.reassociated += u64::from(is_reassociated(operator));
        self.names += u64::from(matches!(operator, Operator::RefFunc { .. }));
        self.calls += u64::from(matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. }));
        self.local_operators += u64::from(matches!(
            operator,
            Operator::LocalGet { .. } | Operator::LocalSet { .. } | Operator::LocalTee { .. }
        ));
        match operator {
            Operator::Block { .. } | Operator::If { .. } => {
                self.begin(false)?;
                self.pass_on(values)?;
            }
            Operator::Loop { .. } => {
                self.begin(true)?;
                self.pass_on(values)?;
            }
            Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } => self.pass_on(values)?,
            Operator::End => {
                if self.open.pop() == Some(true) {
                    self.open_loops -= 1;
                }
                self.pass_on(values)?;
            }
            Operator::BrTable { targets } => {
                check_in(self.function, "branch table targets", targets.len(), self.limits.br_table_targets)?;
                // Every target is passed all of them.
                let count = u64::from(targets.len()) + 1;
                self.targets += count;
                self.pass_on(count.saturating_mul(values))?;
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } => {
                self.call_values += values;
                self.check("arguments and results of calls", self.call_values, self.limits.call_values)?;
            }
            Operator::I32Const { value } => self.constants.push((0, value.cast_unsigned().into())),
            Operator::I64Const { value } => self.constants.push((1, value.cast_unsigned())),
            Operator::F32Const { value } => self.constants.push((2, value.bits().into())),
            Operator::F64Const { value } => self.constants.push((3, value.bits())),
            Operator::V128Const { value } => {
                for half in value.bytes().as_chunks().0 {
                    self.constants.push((4, u64::from_le_bytes(*half)));
                }
            }
            _ => {}
        }
        if step.ends_block {
            self.metering_blocks += 1;
            self.check("metering blocks", self.metering_blocks, self.limits.metering_blocks)?;
            let product = self.metering_blocks.saturating_mul(self.locals);
            self.check("metering blocks times locals", product, self.limits.local_blocks)?;
        }
        Ok(())
    }

    /// What can be said only at the end.
    pub(super) fn finish(&mut self) -> Result<(), AdmissionError> {
        // Hardly any function has so many of them at all.
        if u64::try_from(self.constants.len()).unwrap_or(u64::MAX) > self.limits.constants {
            self.constants.sort_unstable();
            self.constants.dedup();
        }
        let constants = u64::try_from(self.constants.len()).unwrap_or(u64::MAX);
        self.check("different constants", constants, self.limits.constants)
    }

    /// The price of compiling a body with these counts.
    pub(super) fn gas(&self, prices: &CompilePrices, body_bytes: usize) -> u64 {
        let body_bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX);
        let ordinary = body_bytes / CompilePrices::BYTES_PER_REASSOCIATED;
        let amounts = [
            (1, prices.function),
            (body_bytes, prices.body_byte),
            (self.reassociated.saturating_sub(ordinary), prices.reassociated),
            (self.metering_blocks, prices.block),
            (self.control_values, prices.control_value),
            (self.targets, prices.target),
            (self.call_values, prices.call_value),
            (self.metering_blocks.saturating_mul(self.locals), prices.local_block),
            (self.loops.saturating_mul(self.locals), prices.local_loop),
        ];
        amounts.into_iter().fold(0, |gas: u64, (amount, price)| gas.saturating_add(amount.saturating_mul(price)))
    }

    /// Counts the operands, the topmost first, of an operator that may keep or show their bits: floats and vectors, and what
    /// lies above one of them and has to step aside.
    pub(super) fn floats(&mut self, operands: &[ValType]) {
        let is_float = |ty: &ValType| matches!(ty, ValType::F32 | ValType::F64 | ValType::V128);
        let Some(lowest) = operands.iter().rposition(is_float) else { return };
        let above = &operands[..lowest];
        let floats = above.iter().filter(|ty| is_float(ty)).count();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.floats = self.floats.saturating_add(count(floats + 1));
        self.aside = self.aside.saturating_add(count(above.len() - floats));
    }

    /// The most bytes that instrumentation adds to this function.
    pub(super) fn added_bytes(&self, has_floats: bool) -> u64 {
        let Limits { function_growth, block_growth, bulk_growth, name_growth, .. } = self.limits;
        let Limits { call_growth, local_growth, float_growth, aside_growth, .. } = self.limits;
        [
            (1, function_growth),
            (self.metering_blocks, block_growth),
            (self.bulk, bulk_growth),
            (self.names, name_growth),
            (self.calls, call_growth),
            (self.local_operators, local_growth),
            (if has_floats { self.floats } else { 0 }, float_growth),
            (if has_floats { self.aside } else { 0 }, aside_growth),
        ]
        .into_iter()
        .fold(0, |sum: u64, (count, growth)| sum.saturating_add(growth.saturating_mul(count)))
    }

    fn begin(&mut self, is_loop: bool) -> Result<(), AdmissionError> {
        self.blocks += 1;
        self.check("blocks", self.blocks, self.limits.blocks)?;
        self.open.push(is_loop);
        let nesting = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        self.check("nested blocks", nesting, self.limits.nesting)?;
        if is_loop {
            self.loops += 1;
            self.open_loops += 1;
            self.check("nested loops", self.open_loops, self.limits.loop_nesting)?;
            self.check("loops times locals", self.loops.saturating_mul(self.locals), self.limits.local_loops)?;
        }
        Ok(())
    }

    fn pass_on(&mut self, values: u64) -> Result<(), AdmissionError> {
        self.control_values = self.control_values.saturating_add(values);
        self.check("values passed on by control operators", self.control_values, self.limits.control_values)
    }

    fn check(&self, what: &'static str, found: u64, limit: u64) -> Result<(), AdmissionError> {
        check_in(self.function, what, found, limit)
    }
}
