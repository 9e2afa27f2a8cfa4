//! Charges where the crate finite-wasm puts them (NEAR's scheme), written into the module: a counter in a global, and a check
//! behind every charge. The crate's own rewriting calls a host function for each, which nobody would run.

use anyhow::anyhow;
use finite_wasm::gas::InstrumentationKind;
use finite_wasm::max_stack::SizeConfig;
use finite_wasm::{Analysis, AnalysisOutcome, Fee, prefix_sum_vec, wasmparser as theirs};
use wasm_encoder::reencode::{self, Error, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType, Instruction,
    ValType,
};

/// Export of the counter.
pub(super) const GAS: &str = "gas";

/// The module with charges.
pub(super) fn instrument(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let outcome = Analysis::new()
        .with_stack(Sizes)
        .with_gas(One)
        .analyze(wasm)
        .map_err(|error| anyhow!("finite-wasm: {error}"))?;
    let mut charged = Charged { outcome: &outcome, bodies: 0, counter: 0 };
    let mut module = wasm_encoder::Module::new();
    charged
        .parse_core_module(&mut module, wasmparser::Parser::new(0), wasm)
        .map_err(|error| anyhow!("cannot write the kernels again: {error}"))?;
    Ok(module.finish())
}

struct Charged<'a> {
    outcome: &'a AnalysisOutcome,
    /// Bodies so far.
    bodies: usize,
    /// The global.
    counter: u32,
}

impl Reencode for Charged<'_> {
    type Error = std::convert::Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        reencode::utils::parse_global_section(self, globals, section)?;
        self.counter = globals.len();
        globals.global(GlobalType { val_type: ValType::I64, mutable: true, shared: false }, &ConstExpr::i64_const(0));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        reencode::utils::parse_export_section(self, exports, section)?;
        exports.export(GAS, ExportKind::Global, self.counter);
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: wasmparser::FunctionBody<'_>) -> Result<(), Error> {
        let (offsets, costs, kinds) = (
            &self.outcome.gas_offsets[self.bodies],
            &self.outcome.gas_costs[self.bodies],
            &self.outcome.gas_kinds[self.bodies],
        );
        self.bodies += 1;
        let mut points = offsets.iter().zip(costs).zip(kinds).peekable();
        let locals = body.get_locals_reader()?.into_iter().map(|group| {
            let (count, ty) = group?;
            Ok((count, self.val_type(ty)?))
        });
        let mut function = Function::new(locals.collect::<Result<Vec<_>, Error>>()?);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            while let Some(((_, cost), kind)) = points.next_if(|((at, _), _)| **at <= offset) {
                if *kind != InstrumentationKind::Unreachable {
                    self.charge(&mut function, cost.constant);
                }
            }
            function.instruction(&self.instruction(operator)?);
        }
        code.function(&function);
        Ok(())
    }
}

impl Charged<'_> {
    fn charge(&self, function: &mut Function, cost: u64) {
        if cost == 0 {
            return;
        }
        for instruction in [
            Instruction::GlobalGet(self.counter),
            Instruction::I64Const(i64::try_from(cost).expect("kernels are small")),
            Instruction::I64Sub,
            Instruction::GlobalSet(self.counter),
            Instruction::GlobalGet(self.counter),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ] {
            function.instruction(&instruction);
        }
    }
}

/// The stack is not limited here: that would only add to it.
struct Sizes;

impl SizeConfig for Sizes {
    fn size_of_value(&self, _: theirs::ValType) -> u8 {
        8
    }

    fn size_of_function_activation(&self, _: &prefix_sum_vec::PrefixSumVec<theirs::ValType, u32>) -> u64 {
        0
    }
}

/// Every operator costs one: where charges stand does not depend on how much they are.
struct One;

macro_rules! one {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        $( fn $visit(&mut self $($(, _: $argty)*)?) -> Fee {
            // What makes no code must be free.
            match stringify!($op) {
                "Block" | "Loop" | "Else" | "End" | "Nop" => Fee::ZERO,
                _ => Fee::constant(1),
            }
        } )*
    };
}

impl<'a> theirs::VisitOperator<'a> for One {
    type Output = Fee;

    fn simd_visitor(&mut self) -> Option<&mut dyn theirs::VisitSimdOperator<'a, Output = Fee>> {
        Some(self)
    }

    theirs::for_each_visit_operator!(one);
}

impl theirs::VisitSimdOperator<'_> for One {
    theirs::for_each_visit_simd_operator!(one);
}
