//! Places in the code that an observer is told of: where functions begin and end, and metering blocks begin.
//!
//! The instrumentation leaves a mark at each, four operators that do nothing; here they become a call of a function that the engine
//! has for it. Nothing else changes: the same charges, the same results, the same depth.

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{EntityType, Function, ImportSection, Instruction, Module, TypeSection, ValType};
use wasmparser::{FunctionBody, Operator, Parser};

use super::refused;
use crate::AdmissionError;

/// Module and name of the function: no contract can import it, because admission knows no such module.
pub(crate) const IMPORT: (&str, &str) = ("noema", "place");

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A function begins.
    Enter,
    /// A metering block begins.
    Block,
    /// A function ends.
    Leave,
}

/// What marks have in their upper half. A contract with a constant like this, followed by what follows it in a mark, is observed
/// wrongly, and executed as always.
const MAGIC: i64 = 0x6e6f_656d_0000_0000;
const KINDS: [Mark; 3] = [Mark::Enter, Mark::Block, Mark::Leave];

impl Mark {
    /// The constant for a mark at this offset of the original module; modules are far shorter than 2^29 bytes.
    pub(crate) fn at(self, offset: usize) -> i64 {
        let kind = KINDS.iter().position(|kind| *kind == self).and_then(|kind| i64::try_from(kind).ok()).unwrap_or(0);
        MAGIC | kind << 29 | i64::try_from(offset).unwrap_or(0) & 0x1fff_ffff
    }

    /// What such a constant says.
    pub(crate) fn read(constant: i64) -> Option<(Mark, usize)> {
        let rest = constant ^ MAGIC;
        let kind = usize::try_from(rest >> 29).ok().and_then(|kind| KINDS.get(kind))?;
        Some((*kind, usize::try_from(rest & 0x1fff_ffff).ok()?))
    }
}

/// Turns marks into calls.
pub(crate) fn report(instrumented: &[u8]) -> Result<Vec<u8>, AdmissionError> {
    let mut rewriter = Rewriter { imports: 0, ty: 0 };
    for payload in Parser::new(0).parse_all(instrumented) {
        match payload? {
            wasmparser::Payload::TypeSection(types) => rewriter.ty = types.count(),
            wasmparser::Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let wasmparser::TypeRef::Func(_) = import?.ty {
                        rewriter.imports += 1;
                    }
                }
            }
            _ => {}
        }
    }
    let mut module = Module::new();
    rewriter.parse_core_module(&mut module, Parser::new(0), instrumented).map_err(refused)?;
    Ok(module.finish())
}

/// Writes a module again with one more imported function, behind the others.
struct Rewriter {
    /// How many functions are imported: the index of the new one.
    imports: u32,
    /// The type of the new one: the last.
    ty: u32,
}

impl Reencode for Rewriter {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(if index < self.imports { index } else { index + 1 })
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Result<(), reencode::Error<Self::Error>> {
        reencode::utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I64, ValType::I64], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Self::Error>> {
        reencode::utils::parse_import_section(self, imports, section)?;
        imports.import(IMPORT.0, IMPORT.1, EntityType::Function(self.ty));
        Ok(())
    }

    /// A module without imports has no section for them: it comes behind the types.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        after: Option<wasm_encoder::SectionId>,
        _: Option<wasm_encoder::SectionId>,
    ) -> Result<(), reencode::Error<Self::Error>> {
        if self.imports == 0 && after == Some(wasm_encoder::SectionId::Type) {
            let mut imports = ImportSection::new();
            imports.import(IMPORT.0, IMPORT.1, EntityType::Function(self.ty));
            module.section(&imports);
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut wasm_encoder::CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), reencode::Error<Self::Error>> {
        let mut function: Function = self.new_function_with_parsed_locals(&body)?;
        let operators: Vec<Operator<'_>> = body.get_operators_reader()?.into_iter().collect::<Result<_, _>>()?;
        let mut rest = operators.as_slice();
        while let [operator, behind @ ..] = rest {
            rest = behind;
            if let (
                Operator::I64Const { value },
                [Operator::LocalGet { local_index }, Operator::Drop, Operator::Drop, after @ ..],
            ) = (operator, behind)
                && Mark::read(*value).is_some()
            {
                function.instruction(&Instruction::I64Const(*value));
                function.instruction(&Instruction::LocalGet(*local_index));
                function.instruction(&Instruction::Call(self.imports));
                rest = after;
            } else {
                function.instruction(&self.instruction(operator.clone())?);
            }
        }
        code.function(&function);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS, MAGIC, Mark};

    #[test]
    fn marks_are_read_as_they_are_written() {
        for kind in KINDS {
            for offset in [0, 1, 1 << 20, 0x1fff_ffff] {
                assert_eq!(Mark::read(kind.at(offset)), Some((kind, offset)));
            }
        }
        for other in [0, -1, MAGIC - 1, MAGIC | 3 << 29, MAGIC ^ 1 << 32, i64::MIN, i64::MAX] {
            assert_eq!(Mark::read(other), None, "{other:#x}");
        }
    }
}
