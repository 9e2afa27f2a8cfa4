//! The module outside its function bodies.

use noema_abi::{ProtocolVersion, WasmType};
use noema_host::Extensions;
use wasmparser::{
    CompositeInnerType, DataKind, ElementItems, ElementKind, ExternalKind, FuncType, FuncValidatorAllocations, Parser,
    Payload, TypeRef, ValType, ValidPayload, Validator,
};

use super::bodies::Bodies;
use super::{AdmissionError, EntryPoints, body, check, features};
use crate::instrument::{Findings, RESERVED_PREFIX, Reach, Trace, begins_aligned};
use crate::rules::{Limits, Prices, Rules};

/// Bytes that the accounts of the instrumentation may take.
const ACCOUNTS_BYTES: u64 = 256;

/// What the rest of admission needs to know.
pub(super) struct Facts {
    pub(super) entry_points: EntryPoints,
    pub(super) instantiate_gas: u64,
    pub(super) compile_gas: u64,
    /// The most bytes that the instrumented module can have.
    pub(super) instrumented_bytes: u64,
    /// Whether the first global was taken for a multiple of sixteen, and is not always one.
    loses_stack_pointer: bool,
    /// By function.
    pub(super) findings: Vec<Findings>,
}

/// Validates a module and checks everything but the size after instrumentation.
pub(super) fn inspect(
    version: ProtocolVersion,
    rules: &Rules,
    extensions: &Extensions,
    wasm: &[u8],
) -> Result<Facts, AdmissionError> {
    // What compilers write keeps its stack pointer a multiple of sixteen. A module that does not is gone over once more.
    let facts = inspect_with(version, rules, extensions, wasm, true)?;
    if facts.loses_stack_pointer { inspect_with(version, rules, extensions, wasm, false) } else { Ok(facts) }
}

fn inspect_with(
    version: ProtocolVersion,
    rules: &Rules,
    extensions: &Extensions,
    wasm: &[u8],
    stack_pointer: bool,
) -> Result<Facts, AdmissionError> {
    let features = features::allowed(version);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut module = Module::new(version, rules, extensions, stack_pointer);
    // The accounts and their exports.
    module.add_bytes(ACCOUNTS_BYTES.saturating_add(u64::try_from(wasm.len()).unwrap_or(u64::MAX)))?;
    let mut allocations = FuncValidatorAllocations::default();
    let mut trace = Trace::default();
    for payload in parser.parse_all(wasm) {
        let payload = payload?;
        // Sizes first: a limit must be cheaper to reach than the work that it prevents.
        module.before_validation(&payload)?;
        if let ValidPayload::Func(function, code) = validator.payload(&payload)? {
            let mut validator = function.into_validator(allocations);
            let measure = body::measure(rules, module.reach, module.stack_pointer, &mut validator, &code, &mut trace)?;
            allocations = validator.into_allocations();
            module.body(measure)?;
        }
        module.after_validation(&payload)?;
    }
    module.finish()
}

/// Validates a module, and looks at its functions only.
#[cfg(test)]
pub(super) fn measure(version: ProtocolVersion, rules: &Rules, wasm: &[u8]) -> Result<Vec<Findings>, AdmissionError> {
    let (findings, loses) = measure_with(version, rules, wasm, true)?;
    if loses { Ok(measure_with(version, rules, wasm, false)?.0) } else { Ok(findings) }
}

#[cfg(test)]
fn measure_with(
    version: ProtocolVersion,
    rules: &Rules,
    wasm: &[u8],
    mut stack_pointer: bool,
) -> Result<(Vec<Findings>, bool), AdmissionError> {
    let features = features::allowed(version);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut bodies = Bodies::default();
    let (mut reach, mut loses) = (Reach::Near, false);
    for payload in parser.parse_all(wasm) {
        let payload = payload?;
        if let Payload::MemorySection(section) = &payload {
            for memory in section.clone() {
                reach = rules.machine.reach(&memory?);
            }
        }
        if let Payload::GlobalSection(section) = &payload {
            stack_pointer &= begins_aligned(section)?;
        }
        if let ValidPayload::Func(function, code) = validator.payload(&payload)? {
            let mut validator = function.into_validator(FuncValidatorAllocations::default());
            let measure = body::measure(rules, reach, stack_pointer, &mut validator, &code, &mut Trace::default())?;
            loses |= stack_pointer && measure.body.alignment.loses_stack_pointer;
            bodies.push(measure.body);
        }
        bodies.section(&payload)?;
    }
    Ok((bodies.finish(reach), loses))
}

struct Module<'r, 'a> {
    version: ProtocolVersion,
    rules: &'r Rules,
    extensions: &'r Extensions,
    types: Vec<FuncType>,
    imported_functions: Vec<u32>,
    functions: Vec<u32>,
    has_memory: bool,
    exports_memory: bool,
    /// Of the memory.
    reach: Reach,
    /// Whether the first global, if there is one, is taken for a multiple of sixteen.
    stack_pointer: bool,
    loses_stack_pointer: bool,
    entry_points: EntryPoints,
    instantiate_gas: u64,
    compile_gas: u64,
    instrumented_bytes: u64,
    segment_elements: u64,
    total_locals: u64,
    bodies: Bodies<'a>,
}

impl<'r, 'a> Module<'r, 'a> {
    fn new(
        version: ProtocolVersion,
        rules: &'r Rules,
        extensions: &'r Extensions,
        stack_pointer: bool,
    ) -> Module<'r, 'a> {
        Module {
            version,
            rules,
            extensions,
            types: Vec::new(),
            imported_functions: Vec::new(),
            functions: Vec::new(),
            has_memory: false,
            exports_memory: false,
            reach: Reach::Near,
            stack_pointer,
            loses_stack_pointer: false,
            entry_points: EntryPoints::default(),
            instantiate_gas: rules.prices.instantiate,
            compile_gas: 0,
            instrumented_bytes: 0,
            segment_elements: 0,
            total_locals: 0,
            bodies: Bodies::default(),
        }
    }

    /// Counts of sections, before the validator spends time on them.
    fn before_validation(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        let limits = &self.rules.limits;
        match payload {
            Payload::TypeSection(section) => check("types", section.count(), limits.types),
            Payload::ImportSection(section) => check("imports", section.count(), limits.imports),
            Payload::FunctionSection(section) => check("functions", section.count(), limits.functions),
            Payload::TableSection(section) => check("tables", section.count(), limits.tables),
            Payload::MemorySection(section) if section.count() > 1 => {
                Err(AdmissionError::Memory { what: "there are more" })
            }
            Payload::GlobalSection(section) => check("globals", section.count(), limits.globals),
            Payload::ExportSection(section) => check("exports", section.count(), limits.exports),
            Payload::ElementSection(section) => check("element segments", section.count(), limits.element_segments),
            Payload::DataSection(section) => check("data segments", section.count(), limits.data_segments),
            Payload::DataCountSection { count, .. } => check("data segments", *count, limits.data_segments),
            Payload::StartSection { func, .. } => Err(AdmissionError::StartFunction { function: *func }),
            Payload::CodeSectionEntry(code) => {
                let function = self.bodies.next_function();
                super::check_in(function, "bytes of body", code.as_bytes().len(), limits.body_bytes)
            }
            _ => Ok(()),
        }
    }

    /// Contents of sections, once they are known to be valid.
    fn after_validation(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        self.bodies.section(payload)?;
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for sub_type in group?.into_types() {
                        self.one_type(sub_type.composite_type.inner)?;
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    self.import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(section) => {
                for type_index in section.clone() {
                    self.functions.push(type_index?);
                }
                self.add_gas(u64::from(section.count()), self.rules.prices.instantiate_item);
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let initial = table?.ty.initial;
                    check("elements of a table", initial, self.rules.limits.table_elements)?;
                    self.add_gas(initial, self.rules.prices.instantiate_element);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    self.reach = self.rules.machine.reach(&memory);
                    let pages = memory.initial;
                    check("pages of memory", pages, self.rules.limits.memory_pages)?;
                    let resident = pages.min(Prices::RESIDENT_PAGES);
                    self.add_gas(resident, self.rules.prices.instantiate_page);
                    self.add_gas(pages - resident, self.rules.prices.instantiate_more_page);
                    self.has_memory = true;
                }
            }
            Payload::GlobalSection(section) => {
                self.stack_pointer &= begins_aligned(section)?;
                self.add_gas(u64::from(section.count()), self.rules.prices.instantiate_item);
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    self.export(export.name, export.kind, export.index)?;
                }
            }
            Payload::ElementSection(section) => {
                for element in section.clone() {
                    let element = element?;
                    let count = match &element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    self.segment_elements = self.segment_elements.saturating_add(u64::from(count));
                    check("elements in segments", self.segment_elements, self.rules.limits.segment_elements)?;
                    self.add_compile_gas(u64::from(count), self.rules.prices.compile.reference);
                    self.add_bytes(self.rules.limits.name_growth.saturating_mul(u64::from(count)))?;
                    if matches!(element.kind, ElementKind::Active { .. }) {
                        self.add_gas(u64::from(count), self.rules.prices.instantiate_element);
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    let data = data?;
                    if matches!(data.kind, DataKind::Active { .. }) {
                        let bytes = u64::try_from(data.data.len()).unwrap_or(u64::MAX);
                        self.add_gas(bytes, self.rules.prices.instantiate_data_byte);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_gas(&mut self, amount: u64, price: u64) {
        self.instantiate_gas = self.instantiate_gas.saturating_add(amount.saturating_mul(price));
    }

    fn add_bytes(&mut self, bytes: u64) -> Result<(), AdmissionError> {
        self.instrumented_bytes = self.instrumented_bytes.saturating_add(bytes);
        check("bytes of instrumented code", self.instrumented_bytes, self.rules.limits.instrumented_bytes)
    }

    fn add_compile_gas(&mut self, amount: u64, price: u64) {
        self.compile_gas = self.compile_gas.saturating_add(amount.saturating_mul(price));
    }

    fn one_type(&mut self, inner: CompositeInnerType) -> Result<(), AdmissionError> {
        let CompositeInnerType::Func(function) = inner else {
            return Err(AdmissionError::Invalid { offset: 0, reason: "a type that is no function type".into() });
        };
        check("parameters of a type", function.params().len(), self.rules.limits.params)?;
        check("results of a type", function.results().len(), self.rules.limits.results)?;
        let prices = &self.rules.prices.compile;
        let values = u64::try_from(function.params().len() + function.results().len()).unwrap_or(u64::MAX);
        self.add_compile_gas(1, prices.ty);
        self.add_compile_gas(values, prices.type_value);
        let Limits { type_growth, type_value_growth, .. } = self.rules.limits;
        self.add_bytes(type_growth.saturating_add(type_value_growth.saturating_mul(values)))?;
        self.types.push(function);
        check("types", self.types.len(), self.rules.limits.types)
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef) -> Result<(), AdmissionError> {
        let refuse = |reason| AdmissionError::Import { module: module.to_owned(), name: name.to_owned(), reason };
        let TypeRef::Func(type_index) = ty else {
            return Err(refuse("only functions can be imported"));
        };
        let row = self.extensions.find(module, name).ok_or_else(|| refuse("there is no such host function"))?;
        if !row.allowed_in(self.version) {
            return Err(refuse("this host function belongs to a later protocol version"));
        }
        let function = self.type_at(type_index).ok_or_else(|| refuse("its type is missing"))?;
        let params = row.wasm_params().map(|param| match param {
            WasmType::I32 => ValType::I32,
            WasmType::I64 => ValType::I64,
        });
        if !params.eq(function.params().iter().copied()) || function.results() != [ValType::I64] {
            return Err(refuse("its type is not the one in the table of host functions"));
        }
        self.imported_functions.push(type_index);
        self.add_bytes(self.rules.limits.function_growth)?;
        check("imports", self.imported_functions.len(), self.rules.limits.imports)
    }

    fn export(&mut self, name: &str, kind: ExternalKind, index: u32) -> Result<(), AdmissionError> {
        let refuse = |reason| Err(AdmissionError::Export { name: name.to_owned(), reason });
        check("bytes of an export name", name.len(), self.rules.limits.export_name_bytes)?;
        self.add_compile_gas(1, self.rules.prices.compile.reference);
        self.add_bytes(self.rules.limits.name_growth)?;
        if name.starts_with(RESERVED_PREFIX) {
            return refuse("names that begin like this are reserved");
        }
        if name == "memory" {
            if kind != ExternalKind::Memory {
                return refuse("it is not a memory");
            }
            self.exports_memory = true;
        }
        let entry_point = match name {
            "init" => &mut self.entry_points.init,
            "call" => &mut self.entry_points.call,
            "view" => &mut self.entry_points.view,
            "migrate" => &mut self.entry_points.migrate,
            "call_reentrant" => &mut self.entry_points.call_reentrant,
            "view_reentrant" => &mut self.entry_points.view_reentrant,
            _ => return Ok(()),
        };
        *entry_point = true;
        if kind != ExternalKind::Func {
            return refuse("an entry point is a function");
        }
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let own = position.checked_sub(self.imported_functions.len()).and_then(|own| self.functions.get(own));
        let Some(type_index) = own else {
            return refuse("an entry point is a function of the module itself");
        };
        match self.type_at(*type_index) {
            Some(ty) if ty.params().is_empty() && ty.results().is_empty() => Ok(()),
            _ => refuse("an entry point has no parameters and no results"),
        }
    }

    fn type_at(&self, index: u32) -> Option<&FuncType> {
        self.types.get(usize::try_from(index).ok()?)
    }

    fn body(&mut self, measure: body::Measure<'a>) -> Result<(), AdmissionError> {
        let body::Measure { compile_gas, added_bytes, body } = measure;
        self.total_locals = self.total_locals.saturating_add(body.locals.into());
        let (function, limit) = (self.bodies.next_function(), self.rules.limits.total_locals);
        super::check_in(function, "locals up to here", self.total_locals, limit)?;
        self.add_compile_gas(compile_gas, 1);
        self.add_bytes(added_bytes)?;
        self.loses_stack_pointer |= self.stack_pointer && body.alignment.loses_stack_pointer;
        self.bodies.push(body);
        Ok(())
    }

    fn finish(self) -> Result<Facts, AdmissionError> {
        if !self.has_memory {
            return Err(AdmissionError::Memory { what: "there is none" });
        }
        if !self.exports_memory {
            return Err(AdmissionError::Memory { what: "it is not exported" });
        }
        Ok(Facts {
            entry_points: self.entry_points,
            instantiate_gas: self.instantiate_gas,
            compile_gas: self.compile_gas,
            instrumented_bytes: self.instrumented_bytes,
            loses_stack_pointer: self.loses_stack_pointer,
            findings: self.bodies.finish(self.reach),
        })
    }
}
