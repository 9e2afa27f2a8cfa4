//! The same module with its code at other addresses.

use anyhow::anyhow;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, MemArg};

/// Puts a function that nobody calls in front of all others. It is longer for every layout, so that what follows moves.
pub(super) fn shift(wasm: &[u8], layout: u32) -> anyhow::Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    Shift { layout, call_type: call_type(wasm)? }
        .parse_core_module(&mut module, wasmparser::Parser::new(0), wasm)
        .map_err(|error| anyhow!("cannot write the kernels again: {error}"))?;
    Ok(module.finish())
}

struct Shift {
    layout: u32,
    /// The type `() -> ()`.
    call_type: u32,
}

impl Reencode for Shift {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        // The kernels import nothing.
        Ok(index + 1)
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        functions.function(self.call_type);
        wasm_encoder::reencode::utils::parse_function_section(self, functions, section)
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        self.pad(code);
        for body in section {
            self.parse_function_body(code, body?)?;
        }
        Ok(())
    }
}

impl Shift {
    fn pad(&self, code: &mut CodeSection) {
        let mut pad = Function::new([]);
        // A store is nothing that a compiler leaves out.
        for _ in 0..self.layout * 3 + 1 {
            pad.instruction(&Instruction::I32Const(0));
            pad.instruction(&Instruction::I32Const(7));
            pad.instruction(&Instruction::I32Store8(MemArg { offset: 0, align: 0, memory_index: 0 }));
        }
        pad.instruction(&Instruction::End);
        code.function(&pad);
    }
}

/// The index of the type `() -> ()`, which the entry point has.
fn call_type(wasm: &[u8]) -> anyhow::Result<u32> {
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        if let wasmparser::Payload::TypeSection(section) = payload? {
            let types = section.into_iter_err_on_gc_types().collect::<Result<Vec<_>, _>>()?;
            let found = types.iter().position(|ty| ty.params().is_empty() && ty.results().is_empty());
            return Ok(u32::try_from(found.ok_or_else(|| anyhow!("no function without parameters"))?)?);
        }
    }
    Err(anyhow!("a module without types"))
}
