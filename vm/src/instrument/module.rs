//! The module around its functions: what is added to its types, imports, globals and tables.

use std::collections::{BTreeMap, BTreeSet};

use noema_host::CallKind;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection,
    Module, TableSection, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, ExternalKind, FuncType, FunctionBody, Payload, TypeRef};

use super::calls::{CallGraph, Depth};
use super::costs::Setting;
use super::flow::{Placement, UNCHECKED};
use super::named::{named_by_elements, named_by_globals};
use super::pricing::Pricing;
use super::{FAULT, Findings, LEAST_ROOM, Nests, Reach, function, refused};
use crate::AdmissionError;
use crate::rules::{Machine, Rules};

/// Indices of the globals that the accounting uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    pub(super) least_room: u32,
    pub(super) fault: u32,
}

/// How what the module names is called now.
pub(super) struct Names {
    imports: u32,
    /// Whether each import can call contracts, and so has the room.
    nests: Vec<bool>,
    depths: Vec<Depth>,
    /// Types of functions that are called through a table, by their type in the module.
    indirect: BTreeMap<u32, u32>,
    /// Functions that stand for imports in tables.
    shims: BTreeMap<u32, u32>,
}

impl Names {
    /// Whether a call of this function passes the room on.
    pub(super) fn has_room(&self, function: u32) -> bool {
        let position = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        match function.checked_sub(self.imports) {
            Some(own) => self.depths.get(position(own)).is_some_and(|depth| depth.has_room),
            None => self.nests.get(position(function)).copied().unwrap_or(false),
        }
    }

    pub(super) fn indirect_type(&self, ty: u32) -> u32 {
        *self.indirect.get(&ty).expect("every type that is called was found before")
    }

    /// The function whose address is taken.
    pub(super) fn reference(&self, function: u32) -> u32 {
        self.shims.get(&function).copied().unwrap_or(function)
    }
}

/// Takes over a module, section by section.
#[derive(Default)]
pub(super) struct Sections<'a> {
    /// Everything that is imported and exported is kept, also what no contract may have: for tests.
    pub(super) whole: bool,
    /// Imports that are no functions.
    other_imports: Vec<(&'a str, &'a str, TypeRef)>,
    types: TypeSection,
    function_types: Vec<FuncType>,
    /// Types with gas, and perhaps room, behind what the module knows: by type and whether there is room.
    with_gas: BTreeMap<(u32, bool), u32>,
    /// Types `() -> results` that wrapped bodies need, by results.
    block_types: BTreeMap<Vec<u8>, u32>,
    imports: Vec<(&'a str, &'a str, u32)>,
    /// Type index of each function of the module itself.
    own_types: Vec<u32>,
    tables: TableSection,
    /// At most one.
    memories: Vec<wasmparser::MemoryType>,
    globals: Option<wasmparser::GlobalSectionReader<'a>>,
    /// Exports that the host uses.
    exports: ExportSection,
    /// Functions that are entry points.
    entries: BTreeSet<u32>,
    elements: Option<wasmparser::ElementSectionReader<'a>>,
    data_count: Option<u32>,
    bodies: Vec<FunctionBody<'a>>,
    data: DataSection,
}

impl<'a> Sections<'a> {
    /// Takes over a section. Custom sections are left out: nothing that runs depends on them. So are exports that nobody
    /// uses.
    pub(super) fn take(&mut self, payload: Payload<'a>) -> Result<(), AdmissionError> {
        let mut same = RoundtripReencoder;
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for sub_type in group?.into_types() {
                        if let CompositeInnerType::Func(function) = sub_type.composite_type.inner {
                            self.function_types.push(function);
                        }
                    }
                }
                same.parse_type_section(&mut self.types, section).map_err(refused)
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(type_index) => self.imports.push((import.module, import.name, type_index)),
                        other if self.whole => self.other_imports.push((import.module, import.name, other)),
                        _ => {}
                    }
                }
                Ok(())
            }
            Payload::FunctionSection(section) => {
                for type_index in section {
                    self.own_types.push(type_index?);
                }
                Ok(())
            }
            Payload::TableSection(section) => same.parse_table_section(&mut self.tables, section).map_err(refused),
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
                Ok(())
            }
            Payload::GlobalSection(section) => {
                self.globals = Some(section);
                Ok(())
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    match (export.name, export.kind) {
                        (name, kind) if self.whole => {
                            if kind == ExternalKind::Func {
                                self.entries.insert(export.index);
                            }
                            self.exports.export(name, kind.into(), export.index);
                        }
                        ("memory", _) => {
                            self.exports.export(export.name, ExportKind::Memory, export.index);
                        }
                        (name, ExternalKind::Func) if CallKind::ALL.iter().any(|kind| kind.export() == name) => {
                            self.entries.insert(export.index);
                            self.exports.export(export.name, ExportKind::Func, export.index);
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Payload::ElementSection(section) => {
                self.elements = Some(section);
                Ok(())
            }
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(count);
                Ok(())
            }
            Payload::DataSection(section) => same.parse_data_section(&mut self.data, section).map_err(refused),
            Payload::CodeSectionEntry(body) => {
                self.bodies.push(body);
                Ok(())
            }
            #[cfg(test)]
            Payload::StartSection { func, .. } if self.whole => {
                self.entries.insert(func);
                self.exports.export(super::START, ExportKind::Func, func);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Instruments every function, and puts the module together.
    pub(super) fn finish(
        mut self,
        rules: &Rules,
        placement: Placement,
        nests: Nests,
        findings: &[Findings],
    ) -> Result<Vec<u8>, AdmissionError> {
        let globals = self.imported_globals() + self.globals.as_ref().map_or(0, |globals| globals.count());
        let counters = Counters { least_room: globals, fault: globals + 1 };
        let imports = count(self.imports.len());
        let branches = findings.iter().fold(0, |sum: u64, findings| sum.saturating_add(findings.branches));
        let branches = branches.saturating_add(u64::try_from(findings.len()).unwrap_or(u64::MAX));
        let code_bytes = self.bodies.iter().fold(0, |sum: usize, body| sum.saturating_add(body.as_bytes().len()));
        let setting = Setting {
            reach: self.memories.first().map_or(Reach::Near, |memory| rules.machine.reach(memory)),
            is_large: branches > rules.machine.foreseen_branches
                || u64::try_from(code_bytes).is_ok_and(|bytes| bytes > rules.machine.near_code_bytes),
        };
        let memories = self.memories(&rules.machine)?;
        let bodies = std::mem::take(&mut self.bodies);
        let mut surveys = Vec::with_capacity(bodies.len());
        for (position, body) in bodies.iter().enumerate() {
            let index = imports + count(position);
            let ty = self.function_type(self.own_types[position]);
            let pricing = Pricing::new(setting, &findings[position]);
            surveys.push(function::survey(rules, placement, index, &self.function_types, ty, body, pricing)?);
        }

        let mut taken = self.named_by_segments()?;
        let referenced: BTreeSet<u32> = surveys.iter().flat_map(|survey| survey.references.iter().copied()).collect();
        taken.extend(&referenced);
        let roots: BTreeSet<u32> = taken.union(&self.entries).copied().collect();
        let nests: Vec<bool> = self.imports.iter().map(|(module, name, _)| nests(module, name)).collect();
        let calls: Vec<_> = surveys.iter().map(|survey| survey.calls.clone()).collect();
        let nesting =
            |import: u32| usize::try_from(import).ok().and_then(|at| nests.get(at)).is_some_and(|nests| *nests);
        let frame_units: Vec<u64> = findings.iter().map(|findings| findings.frame_units).collect();
        let graph = CallGraph::new(imports, &calls);
        let depths = graph.depths(&frame_units, &roots, nesting);
        if !placement.is_per_block() {
            let spent: Vec<_> = surveys.iter().map(|survey| (survey.plan.price, survey.plan.calls())).collect();
            for (survey, checked) in surveys.iter_mut().zip(graph.checked(&spent, UNCHECKED.cast_unsigned())) {
                survey.plan.blocks[0].check |= checked;
            }
        }

        let mut indirect = BTreeMap::new();
        for ty in surveys.iter().flat_map(|survey| &survey.indirect) {
            let bound = self.type_with_gas(*ty, true)?;
            indirect.insert(*ty, bound);
        }
        let first_shim = imports + count(bodies.len());
        let shims = taken.iter().filter(|function| **function < imports).zip(first_shim..);
        let names =
            Names { imports, nests, depths, indirect, shims: shims.map(|(import, shim)| (*import, shim)).collect() };

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        let own_types = std::mem::take(&mut self.own_types);
        for (position, (body, survey)) in bodies.iter().zip(&surveys).enumerate() {
            let depth = names.depths[position];
            functions.function(self.type_with_gas(own_types[position], depth.has_room)?);
            let ty = self.function_type(own_types[position]).clone();
            let wrapper = self.block_type(&ty)?;
            let fixes = &findings[position].fixes;
            let task = function::Task { survey, fixes, depth, names: &names, counters, wrapper, placement };
            code.function(&function::rewrite(&task, &ty, body)?);
        }
        for import in names.shims.keys() {
            let position = usize::try_from(*import).expect("imports are limited");
            let type_index = self.imports[position].2;
            functions.function(self.type_with_gas(type_index, true)?);
            code.function(&self.shim(*import, type_index, names.nests[position]));
        }
        let globals = self.globals(&names)?;
        let elements = self.elements(&names, &referenced)?;
        let imported = self.imports(&names)?;
        Ok(self.assemble(&imported, &functions, &memories, &globals, &elements, &code))
    }

    /// Adds the counters behind the globals of the module, so that no index of the module changes.
    fn globals(&mut self, names: &Names) -> Result<GlobalSection, AdmissionError> {
        let imported = self.imported_globals();
        let mut section = GlobalSection::new();
        if let Some(globals) = &self.globals {
            Renamed(names).parse_global_section(&mut section, globals.clone()).map_err(refused)?;
        }
        for (name, val_type, zero) in
            [(LEAST_ROOM, ValType::I64, ConstExpr::i64_const(0)), (FAULT, ValType::I32, ConstExpr::i32_const(0))]
        {
            self.exports.export(name, ExportKind::Global, imported + section.len());
            section.global(GlobalType { val_type, mutable: true, shared: false }, &zero);
        }
        Ok(section)
    }

    /// The memory, with the most pages that it may have in its type: growth beyond them is what the type excludes.
    fn memories(&self, machine: &Machine) -> Result<MemorySection, AdmissionError> {
        let mut section = MemorySection::new();
        for memory in &self.memories {
            let mut ty = RoundtripReencoder.memory_type(*memory).map_err(refused)?;
            if !self.whole {
                ty.maximum = Some(machine.most_pages(memory));
            }
            section.memory(ty);
        }
        Ok(section)
    }

    fn imported_globals(&self) -> u32 {
        count(self.other_imports.iter().filter(|(_, _, ty)| matches!(ty, TypeRef::Global(_))).count())
    }

    fn function_type(&self, index: u32) -> &FuncType {
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        self.function_types.get(position).expect("a validated module names types that it has")
    }

    /// The type of a function that takes the gas, and perhaps the room, behind its parameters, and gives the gas back
    /// behind its results.
    fn type_with_gas(&mut self, type_index: u32, room: bool) -> Result<u32, AdmissionError> {
        if let Some(index) = self.with_gas.get(&(type_index, room)) {
            return Ok(*index);
        }
        let ty = self.function_type(type_index).clone();
        let more = |types: &[wasmparser::ValType], more: usize| -> Result<Vec<ValType>, AdmissionError> {
            let types = types.iter().map(|ty| RoundtripReencoder.val_type(*ty).map_err(refused));
            types.chain(std::iter::repeat_n(Ok(ValType::I64), more)).collect()
        };
        let index = self.types.len();
        self.types.ty().function(more(ty.params(), 1 + usize::from(room))?, more(ty.results(), 1)?);
        self.with_gas.insert((type_index, room), index);
        Ok(index)
    }

    /// Functions that segments of elements and globals name.
    fn named_by_segments(&self) -> Result<BTreeSet<u32>, AdmissionError> {
        let mut named = BTreeSet::new();
        if let Some(globals) = &self.globals {
            named_by_globals(globals, &mut named)?;
        }
        if let Some(elements) = &self.elements {
            named_by_elements(elements, &mut named)?;
        }
        Ok(named)
    }

    /// What a table holds instead of an import.
    fn shim(&self, import: u32, type_index: u32, nests: bool) -> Function {
        let parameters = count(self.function_type(type_index).params().len());
        let mut shim = Function::new([]);
        // Behind the parameters stand gas and room, which not every import takes.
        for parameter in 0..parameters + 1 + u32::from(nests) {
            shim.instruction(&Instruction::LocalGet(parameter));
        }
        shim.instruction(&Instruction::Call(import));
        shim.instruction(&Instruction::End);
        shim
    }

    fn imports(&mut self, names: &Names) -> Result<ImportSection, AdmissionError> {
        let mut section = ImportSection::new();
        for (position, (module, name, type_index)) in self.imports.clone().into_iter().enumerate() {
            let bound = self.type_with_gas(type_index, names.nests[position])?;
            section.import(module, name, EntityType::Function(bound));
        }
        for (module, name, ty) in &self.other_imports {
            section.import(module, name, RoundtripReencoder.entity_type(*ty).map_err(refused)?);
        }
        Ok(section)
    }

    fn elements(&self, names: &Names, referenced: &BTreeSet<u32>) -> Result<ElementSection, AdmissionError> {
        let mut section = ElementSection::new();
        if let Some(elements) = &self.elements {
            Renamed(names).parse_element_section(&mut section, elements.clone()).map_err(refused)?;
        }
        if !referenced.is_empty() {
            // A function may have been named by an export only, which is gone.
            let functions: Vec<u32> = referenced.iter().map(|function| names.reference(*function)).collect();
            section.declared(Elements::Functions(functions.into()));
        }
        Ok(section)
    }

    /// The type of a block without parameters that leaves the results of a function.
    fn block_type(&mut self, ty: &FuncType) -> Result<BlockType, AdmissionError> {
        let results = ty
            .results()
            .iter()
            .map(|result| RoundtripReencoder.val_type(*result))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refused)?;
        match results.as_slice() {
            [] => Ok(BlockType::Empty),
            [result] => Ok(BlockType::Result(*result)),
            _ => {
                // Encoded value types as the key: they have an order, value types have none.
                let key = format!("{results:?}").into_bytes();
                let next = self.types.len();
                let index = *self.block_types.entry(key).or_insert(next);
                if index == next {
                    self.types.ty().function([], results);
                }
                Ok(BlockType::FunctionType(index))
            }
        }
    }

    fn assemble(
        &self,
        imports: &ImportSection,
        functions: &FunctionSection,
        memories: &MemorySection,
        globals: &GlobalSection,
        elements: &ElementSection,
        code: &CodeSection,
    ) -> Vec<u8> {
        let mut module = Module::new();
        if !self.types.is_empty() {
            module.section(&self.types);
        }
        if !imports.is_empty() {
            module.section(imports);
        }
        if !functions.is_empty() {
            module.section(functions);
        }
        if !self.tables.is_empty() {
            module.section(&self.tables);
        }
        if !memories.is_empty() {
            module.section(memories);
        }
        module.section(globals);
        module.section(&self.exports);
        if !elements.is_empty() {
            module.section(elements);
        }
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        if !code.is_empty() {
            module.section(code);
        }
        if !self.data.is_empty() {
            module.section(&self.data);
        }
        module.finish()
    }
}

/// Copies what it is given, except that imports in tables become their shims.
struct Renamed<'n>(&'n Names);

impl Reencode for Renamed<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, wasm_encoder::reencode::Error> {
        Ok(self.0.reference(index))
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("functions, parameters and imports are limited")
}
