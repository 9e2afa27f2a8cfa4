//! Weaves gas and stack accounting into a module. This is the plain scheme: one charge and one check for every
//! metering block, one counter of stack in every function. Faster schemes are measured and tested against it; what
//! they must agree on stands in `docs/spec/gas.md` and `docs/spec/stack.md`.
//!
//! ```text
//! (func $f (param ..) (result R)              (func $f (param ..) (result R) (local $saved i64) ..
//!   A                                           room: saved = room; room -= frame; trap if room < 0
//!   loop                              =>        gas -= price(A); trap if gas < 0
//!     B                                         block (result R)
//!     br_if 0                                     A
//!   end                                           loop
//!   return                                          gas -= price(B br_if); trap if gas < 0
//! )                                                 B
//!                                                   br_if 0
//!                                                   gas -= price(return); trap if gas < 0
//!                                                 end
//!                                                 br 0            (was: return)
//!                                               end
//!                                               room = saved)
//! ```
//!
//! Host functions are settlement points: an import gets the balance as one more argument and gives it back as one more
//! result. What the module calls is a shim of the old type, behind its own functions:
//!
//! ```text
//! (import "g" "f" (func (param P) (result i64)))   =>  (import "g" "f" (func (param P i64) (result i64 i64)))
//!                                                      (func (param P) (result i64)
//!                                                        params; gas; call $f; gas = the second result)
//! ```

mod blocks;
mod function;
mod operators;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, Module,
    TableSection, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, FuncType, FunctionBody, Parser, Payload, TypeRef};

pub(crate) use blocks::Blocks;
pub(crate) use operators::{is_bulk, operator_price};

use crate::AdmissionError;
use crate::rules::Rules;

/// No export of a contract may begin like this.
pub(crate) const RESERVED_PREFIX: &str = "noema";
/// Export of the gas left: `i64`, mutable, never negative at a settlement point.
pub(crate) const GAS: &str = "noema.gas";
/// Export of the stack units left: `i64`, mutable.
pub(crate) const ROOM: &str = "noema.room";
/// Export of the least that [`ROOM`] has been: `i64`, mutable.
pub(crate) const LEAST_ROOM: &str = "noema.least_room";

/// Indices of the globals that the accounting uses.
#[derive(Clone, Copy, Debug)]
struct Counters {
    gas: u32,
    room: u32,
    least_room: u32,
}

/// Rewrites a module that admission has validated and whose functions have these frame prices.
pub(crate) fn instrument(rules: &Rules, wasm: &[u8], frame_units: &[u64]) -> Result<Vec<u8>, AdmissionError> {
    let mut sections = Sections::default();
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::CodeSectionEntry(body) => bodies.push(body),
            payload => sections.copy(&payload)?,
        }
    }
    let counters = sections.add_counters();
    for (position, (body, units)) in bodies.iter().zip(frame_units).enumerate() {
        sections.function(rules, counters, position, body, *units)?;
    }
    sections.shims(counters);
    Ok(sections.finish())
}

#[derive(Default)]
struct Sections {
    types: TypeSection,
    function_types: Vec<FuncType>,
    /// Types `() -> results` that wrapped bodies need, by results.
    block_types: BTreeMap<Vec<u8>, u32>,
    /// Types of imports as the host binds them, by their type in the module.
    import_types: BTreeMap<u32, u32>,
    imports: ImportSection,
    /// Type index, in the module, of each imported function.
    imported: Vec<u32>,
    functions: FunctionSection,
    /// Type index of each function of the module itself.
    own_types: Vec<u32>,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    data_count: Option<u32>,
    code: CodeSection,
    data: DataSection,
}

impl Sections {
    /// Takes over a section as it is. Custom sections are left out: nothing that runs depends on them.
    fn copy(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        let mut same = self.reindex();
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for sub_type in group?.into_types() {
                        if let CompositeInnerType::Func(function) = sub_type.composite_type.inner {
                            self.function_types.push(function);
                        }
                    }
                }
                same.parse_type_section(&mut self.types, section.clone()).map_err(refused)
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    if let TypeRef::Func(type_index) = import.ty {
                        let bound = self.import_type(type_index)?;
                        self.imports.import(import.module, import.name, EntityType::Function(bound));
                        self.imported.push(type_index);
                    }
                }
                Ok(())
            }
            Payload::FunctionSection(section) => {
                for type_index in section.clone() {
                    self.own_types.push(type_index?);
                }
                same.parse_function_section(&mut self.functions, section.clone()).map_err(refused)
            }
            Payload::TableSection(section) => {
                same.parse_table_section(&mut self.tables, section.clone()).map_err(refused)
            }
            Payload::MemorySection(section) => {
                same.parse_memory_section(&mut self.memories, section.clone()).map_err(refused)
            }
            Payload::GlobalSection(section) => {
                same.parse_global_section(&mut self.globals, section.clone()).map_err(refused)
            }
            Payload::ExportSection(section) => {
                same.parse_export_section(&mut self.exports, section.clone()).map_err(refused)
            }
            Payload::ElementSection(section) => {
                same.parse_element_section(&mut self.elements, section.clone()).map_err(refused)
            }
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(*count);
                Ok(())
            }
            Payload::DataSection(section) => same.parse_data_section(&mut self.data, section.clone()).map_err(refused),
            _ => Ok(()),
        }
    }

    /// Adds the counters behind the globals of the module, so that no index of the module changes.
    fn add_counters(&mut self) -> Counters {
        let mut add = |name| {
            let index = self.globals.len();
            let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            self.globals.global(ty, &ConstExpr::i64_const(0));
            self.exports.export(name, ExportKind::Global, index);
            index
        };
        Counters { gas: add(GAS), room: add(ROOM), least_room: add(LEAST_ROOM) }
    }

    fn function(
        &mut self,
        rules: &Rules,
        counters: Counters,
        position: usize,
        body: &FunctionBody<'_>,
        frame_units: u64,
    ) -> Result<(), AdmissionError> {
        let index = u32::try_from(self.imported.len() + position).expect("functions and imports are limited");
        let type_index = self.own_types.get(position).expect("a validated module has a type for every body");
        let ty = self.function_type(*type_index).clone();
        let task =
            function::Task { counters, index, reindex: self.reindex(), wrapper: self.block_type(&ty)?, frame_units };
        let rewritten = function::rewrite(rules, task, &ty, body)?;
        self.code.function(&rewritten);
        Ok(())
    }

    fn function_type(&self, index: u32) -> &FuncType {
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        self.function_types.get(position).expect("a validated module names types that it has")
    }

    /// The type that the host binds for an import of this type.
    fn import_type(&mut self, type_index: u32) -> Result<u32, AdmissionError> {
        if let Some(bound) = self.import_types.get(&type_index) {
            return Ok(*bound);
        }
        let ty = self.function_type(type_index).clone();
        let with_gas = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, AdmissionError> {
            let types = types.iter().map(|ty| RoundtripReencoder.val_type(*ty).map_err(refused));
            types.chain([Ok(ValType::I64)]).collect()
        };
        let bound = self.types.len();
        self.types.ty().function(with_gas(ty.params())?, with_gas(ty.results())?);
        self.import_types.insert(type_index, bound);
        Ok(bound)
    }

    /// How the functions of the module are numbered now.
    fn reindex(&self) -> Reindex {
        let count = |number: usize| u32::try_from(number).expect("functions and imports are limited");
        Reindex { imported: count(self.imported.len()), own: count(self.own_types.len()) }
    }

    /// Adds what the module calls instead of its imports.
    fn shims(&mut self, counters: Counters) {
        for (import, type_index) in self.imported.iter().enumerate() {
            self.functions.function(*type_index);
            let mut shim = Function::new([]);
            for param in 0..self.function_type(*type_index).params().len() {
                shim.instruction(&Instruction::LocalGet(u32::try_from(param).expect("parameters are limited")));
            }
            shim.instruction(&Instruction::GlobalGet(counters.gas));
            shim.instruction(&Instruction::Call(u32::try_from(import).expect("imports are limited")));
            shim.instruction(&Instruction::GlobalSet(counters.gas));
            shim.instruction(&Instruction::End);
            self.code.function(&shim);
        }
    }

    /// The type of a block without parameters that leaves the results of a function.
    fn block_type(&mut self, ty: &FuncType) -> Result<wasm_encoder::BlockType, AdmissionError> {
        let results = ty
            .results()
            .iter()
            .map(|result| RoundtripReencoder.val_type(*result))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refused)?;
        match results.as_slice() {
            [] => Ok(wasm_encoder::BlockType::Empty),
            [result] => Ok(wasm_encoder::BlockType::Result(*result)),
            _ => {
                // Encoded value types as the key: they have an order, value types have none.
                let key = format!("{results:?}").into_bytes();
                let next = self.types.len();
                let index = *self.block_types.entry(key).or_insert(next);
                if index == next {
                    self.types.ty().function([], results);
                }
                Ok(wasm_encoder::BlockType::FunctionType(index))
            }
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut module = Module::new();
        if !self.types.is_empty() {
            module.section(&self.types);
        }
        if !self.imports.is_empty() {
            module.section(&self.imports);
        }
        if !self.functions.is_empty() {
            module.section(&self.functions);
        }
        if !self.tables.is_empty() {
            module.section(&self.tables);
        }
        if !self.memories.is_empty() {
            module.section(&self.memories);
        }
        module.section(&self.globals);
        module.section(&self.exports);
        if !self.elements.is_empty() {
            module.section(&self.elements);
        }
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        if !self.code.is_empty() {
            module.section(&self.code);
        }
        if !self.data.is_empty() {
            module.section(&self.data);
        }
        module.finish()
    }
}

/// Copies what it is given, except that imported functions become their shims.
#[derive(Clone, Copy, Debug)]
struct Reindex {
    imported: u32,
    own: u32,
}

impl Reindex {
    fn function(self, index: u32) -> u32 {
        if index < self.imported { self.imported + self.own + index } else { index }
    }
}

impl Reencode for Reindex {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, wasm_encoder::reencode::Error> {
        Ok(self.function(index))
    }
}

/// A module that the validator has accepted but that cannot be written again: refused like an invalid one.
fn refused(error: wasm_encoder::reencode::Error) -> AdmissionError {
    AdmissionError::Invalid { offset: 0, reason: error.to_string() }
}
