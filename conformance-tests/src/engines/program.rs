//! Random contracts: modules of wasm-smith, changed so that they end, reach the host, and tell what they did.
//!
//! - Loops and functions count down a budget and return when it is used up.
//! - What wasm-smith imports becomes a function that calls the host with arguments inside memory.
//! - An entry point `call` calls every function several times, keeps all results in memory, and in the end puts a hash of
//!   memory and the values of all globals into its output.

use arbitrary::Unstructured;
use noema_vm::Address;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection, InstructionSink,
    MemArg, MemorySection, MemoryType, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, Operator, Parser, Payload, TypeRef};

use crate::random::draw::Draw;

/// A contract that programs call: it stores, tells its gas, and traps when the input says so.
pub(super) const CALLEE: &str = r#"(module
  (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
  (import "context" "gas_left" (func $gas (result i64)))
  (import "context" "output_write" (func $output (param i32 i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 1)
  (func (export "call")
    (drop (call $input (i32.const 0) (i32.const 0) (i32.const 32)))
    (if (i32.eq (i32.and (i32.load8_u (i32.const 0)) (i32.const 7)) (i32.const 5)) (then unreachable))
    (drop (call $set (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 16)))
    (i64.store (i32.const 32) (call $gas))
    (drop (call $output (i32.const 0) (i32.const 40)))))"#;

/// What wasm-smith may import. `shim` says what becomes of each.
const IMPORTS: &str = r#"(module
  (import "host" "set" (func (param i32 i32) (result i64)))
  (import "host" "get" (func (param i32 i32) (result i64)))
  (import "host" "remove" (func (param i32) (result i64)))
  (import "host" "scan" (func (param i32 i32) (result i64)))
  (import "host" "emit" (func (param i32)))
  (import "host" "gas" (func (result i64)))
  (import "host" "input" (func (param i32 i32) (result i64)))
  (import "host" "log" (func (param i32)))
  (import "host" "nested" (func (param i32 i64) (result i64)))
  (import "host" "hash" (func (param i32 i32)))
  (import "host" "caller" (func (param i32)))
  (import "host" "stop" (func (param i32))))"#;

/// Host functions that every program imports, with their parameters.
const HOST: [(&str, &str, &[ValType]); 13] = {
    const I: ValType = ValType::I32;
    [
        ("storage", "set", &[I, I, I, I]),
        ("storage", "get", &[I, I, I, I]),
        ("storage", "remove", &[I, I]),
        ("storage", "scan", &[I, I, I, I, I, I, I]),
        ("event", "emit", &[I, I, I, I]),
        ("context", "gas_left", &[]),
        ("context", "input_read", &[I, I, I]),
        ("control", "log", &[I, I]),
        ("call", "contract", &[I, I, ValType::I64, I, I, I, I]),
        ("crypto", "keccak256", &[I, I, I]),
        ("context", "caller", &[I]),
        ("control", "abort", &[I, I, I]),
        ("context", "output_write", &[I, I]),
    ]
};

/// Memory that every program has at least, in pages of 64 KiB.
const PAGES: u64 = 2;
/// Where results are kept: in a ring of 16 KiB.
const RESULTS: u64 = 0x1_0000;
/// Where the output begins: hash, number of host calls, size of memory, globals.
const OUTPUT: u32 = 0;
/// Functions that are called at most.
const MAX_CALLED: usize = 12;

/// Whether the random code called the host, as the output of a program says.
pub(super) fn called_host(output: &[u8]) -> bool {
    output.get(32..36).is_some_and(|count| count != [0; 4])
}

/// A module of the seed that `draw` comes from. Admission may still refuse it.
pub(super) fn draw(draw: &mut Draw, callee: &Address) -> Vec<u8> {
    loop {
        if let Some(module) = smith(draw).and_then(|wasm| change(draw, &wasm, callee).ok()) {
            return module;
        }
    }
}

fn smith(draw: &mut Draw) -> Option<Vec<u8>> {
    let length = draw.range(300, 3_000);
    let bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| draw.bits().to_le_bytes()).collect();
    let config = wasm_smith::Config {
        available_imports: Some(wat::parse_str(IMPORTS).expect("it is well-formed")),
        disallow_traps: !draw.once_in(5),
        allow_start_export: false,
        min_funcs: 2,
        max_funcs: 10,
        min_imports: 1,
        max_imports: 12,
        max_instructions: usize::try_from(draw.range(20, 150)).unwrap_or(20),
        max_globals: 12,
        max_types: 20,
        max_values: 6,
        max_data_segments: 6,
        max_element_segments: 6,
        max_elements: 20,
        max_tables: 2,
        max_table_elements: 1_000,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 16 * 65_536,
        max_exports: 0,
        max_tags: 0,
        // These make `externref` too, which is refused: then the module is drawn again.
        reference_types_enabled: draw.once_in(3),
        threads_enabled: false,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        tail_call_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        extended_const_enabled: false,
        ..wasm_smith::Config::default()
    };
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

type Result<T> = std::result::Result<T, Error<std::convert::Infallible>>;

/// How functions are called in the changed module.
struct Renamed {
    imports: u32,
    own: u32,
}

impl Renamed {
    fn shim(&self, import: u32) -> u32 {
        hosts() + self.own + import
    }
}

impl Reencode for Renamed {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32> {
        Ok(match index.checked_sub(self.imports) {
            Some(own) => hosts() + own,
            None => self.shim(index),
        })
    }
}

fn hosts() -> u32 {
    u32::try_from(HOST.len()).expect("few")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("limited")
}

/// What of a module is needed to change it.
#[derive(Default)]
struct Parts<'a> {
    types: Vec<(Vec<ValType>, Vec<ValType>)>,
    imports: Vec<(&'a str, u32)>,
    functions: Vec<u32>,
    globals: Vec<ValType>,
    bodies: Vec<wasmparser::FunctionBody<'a>>,
}

/// Sections of the new module.
#[derive(Default)]
struct Sections {
    types: TypeSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    elements: ElementSection,
    data_count: Option<u32>,
    data: DataSection,
}

fn change(draw: &mut Draw, wasm: &[u8], callee: &Address) -> Result<Vec<u8>> {
    let mut parts = Parts::default();
    let payloads = Parser::new(0).parse_all(wasm).collect::<std::result::Result<Vec<_>, _>>()?;
    for payload in &payloads {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    if let TypeRef::Func(ty) = import.ty {
                        parts.imports.push((import.name, ty));
                    }
                }
            }
            Payload::FunctionSection(section) => {
                parts.functions = section.clone().into_iter().collect::<std::result::Result<_, _>>()?;
            }
            _ => {}
        }
    }
    let mut renamed = Renamed { imports: count(parts.imports.len()), own: count(parts.functions.len()) };
    let mut new = Sections::default();
    for payload in payloads {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for ty in group?.into_types() {
                        if let CompositeInnerType::Func(function) = ty.composite_type.inner {
                            let values = |types: &[wasmparser::ValType], renamed: &mut Renamed| {
                                types.iter().map(|ty| renamed.val_type(*ty)).collect::<Result<Vec<_>>>()
                            };
                            let params = values(function.params(), &mut renamed)?;
                            parts.types.push((params, values(function.results(), &mut renamed)?));
                        }
                    }
                }
                renamed.parse_type_section(&mut new.types, section)?;
            }
            Payload::TableSection(section) => renamed.parse_table_section(&mut new.tables, section)?,
            Payload::MemorySection(section) => {
                for memory in section {
                    let MemoryType { minimum, maximum, .. } = renamed.memory_type(memory?)?;
                    let minimum = minimum.max(PAGES);
                    let maximum = maximum.map(|maximum| maximum.max(minimum));
                    new.memories.memory(MemoryType {
                        minimum,
                        maximum,
                        memory64: false,
                        shared: false,
                        page_size_log2: None,
                    });
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    parts.globals.push(renamed.val_type(global?.ty.content_type)?);
                }
                renamed.parse_global_section(&mut new.globals, section)?;
            }
            Payload::ElementSection(section) => renamed.parse_element_section(&mut new.elements, section)?,
            Payload::DataCountSection { count, .. } => new.data_count = Some(count),
            Payload::DataSection(section) => renamed.parse_data_section(&mut new.data, section)?,
            Payload::CodeSectionEntry(body) => parts.bodies.push(body),
            _ => {}
        }
    }
    assemble(draw, &parts, &mut renamed, new, callee)
}

/// Globals that a program counts with.
#[derive(Clone, Copy)]
struct Counters {
    budget: u32,
    hosted: u32,
}

fn assemble(
    draw: &mut Draw,
    parts: &Parts<'_>,
    renamed: &mut Renamed,
    mut new: Sections,
    callee: &Address,
) -> Result<Vec<u8>> {
    let mut next_type = count(parts.types.len());
    let mut imports = ImportSection::new();
    for (module, name, params) in HOST {
        new.types.ty().function(params.iter().copied(), [ValType::I64]);
        imports.import(module, name, EntityType::Function(next_type));
        next_type += 1;
    }
    new.types.ty().function([], []);
    let counters = Counters { budget: new.globals.len(), hosted: new.globals.len() + 1 };
    for _ in 0..2 {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        new.globals.global(ty, &ConstExpr::i32_const(0));
    }

    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for (ty, body) in parts.functions.iter().zip(&parts.bodies) {
        functions.function(*ty);
        code.function(&ending(renamed, counters, &parts.types[index(*ty)].1, body)?);
    }
    for (name, ty) in &parts.imports {
        functions.function(*ty);
        code.function(&shim(name, counters, callee));
    }
    functions.function(next_type);
    code.function(&entry(draw, parts, counters));

    let all: Vec<u32> = (hosts()..hosts() + functions.len()).collect();
    new.elements.declared(Elements::Functions(all.into()));
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("call", ExportKind::Func, hosts() + functions.len() - 1);

    let mut module = Module::new();
    module.section(&new.types).section(&imports).section(&functions);
    if !new.tables.is_empty() {
        module.section(&new.tables);
    }
    module.section(&new.memories).section(&new.globals).section(&exports).section(&new.elements);
    if let Some(count) = new.data_count {
        module.section(&DataCountSection { count });
    }
    module.section(&code);
    if !new.data.is_empty() {
        module.section(&new.data);
    }
    Ok(module.finish())
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("it fits")
}

/// A body that returns when the budget is used up.
fn ending(
    renamed: &mut Renamed,
    counters: Counters,
    results: &[ValType],
    body: &wasmparser::FunctionBody<'_>,
) -> Result<Function> {
    let mut function = renamed.new_function_with_parsed_locals(body)?;
    let check = |function: &mut Function| {
        let mut code = function.instructions();
        code.global_get(counters.budget).i32_eqz().if_(BlockType::Empty);
        results.iter().for_each(|result| zero(&mut code, *result));
        code.return_().end();
        code.global_get(counters.budget).i32_const(1).i32_sub().global_set(counters.budget);
    };
    check(&mut function);
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        let loops = matches!(operator, Operator::Loop { .. });
        function.instruction(&renamed.instruction(operator)?);
        if loops {
            check(&mut function);
        }
    }
    Ok(function)
}

fn zero(code: &mut InstructionSink<'_>, ty: ValType) {
    match ty {
        ValType::I32 => code.i32_const(0),
        ValType::I64 => code.i64_const(0),
        ValType::F32 => code.f32_const(0.0f32.into()),
        ValType::F64 => code.f64_const(0.0f64.into()),
        ValType::V128 => code.v128_const(0),
        ValType::Ref(_) => code.ref_null(HeapType::FUNC),
    };
}

/// A number out of a parameter: some of its bits, moved.
fn bits(code: &mut InstructionSink<'_>, local: u32, shift: i32, mask: i32, plus: i32) {
    code.local_get(local).i32_const(shift).i32_shr_u().i32_const(mask).i32_and().i32_const(plus).i32_add();
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

/// What an import of wasm-smith becomes. All ranges lie in the first 32 KiB.
fn shim(name: &str, counters: Counters, callee: &Address) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.global_get(counters.hosted).i32_const(1).i32_add().global_set(counters.hosted);
    let code = &mut code;
    match name {
        "set" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 1, 0, 31, 1);
            bits(code, 0, 12, 0xfff, 0);
            bits(code, 1, 5, 63, 0);
            code.call(0);
        }
        "get" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 1, 0, 31, 1);
            bits(code, 0, 12, 0xfff, 0x4000);
            bits(code, 1, 5, 63, 0);
            code.call(1);
        }
        "remove" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 0, 12, 31, 1);
            code.call(2);
        }
        "scan" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 0, 12, 1, 0);
            bits(code, 1, 0, 0xfff, 0);
            bits(code, 1, 12, 3, 0);
            bits(code, 1, 16, 7, 0);
            code.i32_const(0x5000);
            bits(code, 0, 16, 0x3ff, 0);
            code.call(3);
        }
        "emit" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 0, 12, 15, 0);
            bits(code, 0, 16, 0xfff, 0);
            bits(code, 0, 28, 15, 0);
            code.call(4).drop();
        }
        "gas" => {
            code.call(5);
        }
        "input" => {
            bits(code, 0, 0, 31, 0);
            bits(code, 1, 0, 0xfff, 0x6000);
            bits(code, 1, 12, 63, 0);
            code.call(6);
        }
        "log" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 0, 12, 31, 0);
            code.call(7).drop();
        }
        "nested" => {
            for (position, bytes) in callee.0.chunks(8).enumerate() {
                let word = i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
                code.i32_const(0x7800).i64_const(word).i64_store(at(8 * position as u64));
            }
            code.i32_const(0x7820).v128_const(0).v128_store(at(0));
            code.i32_const(0x7800).i32_const(0x7820);
            code.local_get(1).i64_const(0x3fff_ffff).i64_and();
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 0, 12, 31, 0);
            code.i32_const(0x7000).i32_const(64).call(8);
        }
        "hash" => {
            bits(code, 0, 0, 0xfff, 0);
            bits(code, 1, 0, 0x3ff, 0);
            code.i32_const(0x7900).call(9).drop();
        }
        "caller" => {
            bits(code, 0, 0, 0xff, 0x7a00);
            code.call(10).drop();
        }
        "stop" => {
            bits(code, 0, 0, 7, 0);
            code.i32_const(5).i32_eq().if_(BlockType::Empty);
            code.local_get(0).i32_const(0).i32_const(16).call(11).drop().end();
        }
        other => unreachable!("{other} is not in the list"),
    }
    code.end();
    function
}

/// The entry point.
fn entry(draw: &mut Draw, parts: &Parts<'_>, counters: Counters) -> Function {
    // Locals: where the next result goes, the state of a generator, rounds, and one of each type for results.
    let (place, state, rounds, held) = (0, 1, 2, 3);
    let types = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128, ValType::FUNCREF];
    let mut locals = vec![(3, ValType::I32)];
    locals.extend(types.map(|ty| (1, ty)));
    let mut function = Function::new(locals);
    let mut code = function.instructions();
    let code = &mut code;
    code.i32_const(i32::from_le_bytes(draw.bits().to_le_bytes()[..4].try_into().expect("four"))).local_set(state);
    code.i32_const(i32::try_from(draw.range(2, 12)).expect("small")).local_set(rounds);
    code.loop_(BlockType::Empty);
    for (number, ty) in parts.functions.iter().enumerate().take(MAX_CALLED) {
        let (params, results) = &parts.types[index(*ty)];
        code.i32_const(i32::try_from(draw.range(8, 200)).expect("small")).global_set(counters.budget);
        params.iter().for_each(|param| argument(draw, code, *param, state));
        code.call(hosts() + count(number));
        for result in results.iter().rev() {
            code.local_get(place).i32_const(16).i32_add().i32_const(0x3ff0).i32_and().local_set(place);
            let local = held + types.iter().position(|ty| ty == result).map_or(5, count);
            code.local_set(local);
            store(code, *result, place, local, RESULTS);
        }
    }
    code.local_get(state).i32_const(1_664_525).i32_mul().i32_const(1_013_904_223).i32_add().local_set(state);
    code.local_get(rounds).i32_const(1).i32_sub().local_tee(rounds).br_if(0).end();

    // Hash of memory, number of host calls, size of memory, globals.
    let output = OUTPUT.cast_signed();
    code.i32_const(0).i32_const(i32::try_from(PAGES * 65_536).expect("small")).i32_const(0x7900).call(9).drop();
    code.i32_const(output).i32_const(0x7900).v128_load(at(0)).v128_store(at(0));
    code.i32_const(output).i32_const(0x7900).v128_load(at(16)).v128_store(at(16));
    code.i32_const(output).global_get(counters.hosted).i32_store(at(32));
    code.i32_const(output).memory_size(0).i32_store(at(36));
    code.i32_const(output).local_set(place);
    for (number, ty) in parts.globals.iter().enumerate() {
        let local = held + types.iter().position(|known| known == ty).map_or(5, count);
        code.global_get(count(number)).local_set(local);
        store(code, *ty, place, local, 48 + 16 * number as u64);
    }
    let length = i32::try_from(48 + 16 * parts.globals.len()).expect("small");
    code.i32_const(output).i32_const(length).call(12).drop();
    code.i32_const(output).i32_const(4).i32_const(output).i32_const(length).call(0).drop();
    code.i32_const(output).i32_const(4).i32_const(output).i32_const(length).call(4).drop();
    code.end();
    function
}

/// Stores a value at the place in a local, plus an offset. Of a reference, whether it is null.
fn store(code: &mut InstructionSink<'_>, ty: ValType, place: u32, local: u32, offset: u64) {
    code.local_get(place).local_get(local);
    match ty {
        ValType::I32 => code.i32_store(at(offset)),
        ValType::I64 => code.i64_store(at(offset)),
        ValType::F32 => code.f32_store(at(offset)),
        ValType::F64 => code.f64_store(at(offset)),
        ValType::V128 => code.v128_store(at(offset)),
        ValType::Ref(_) => code.ref_is_null().i32_store(at(offset)),
    };
}

/// An argument: a small number, or one that changes from round to round.
fn argument(draw: &mut Draw, code: &mut InstructionSink<'_>, ty: ValType, state: u32) {
    let salt = draw.bits().cast_signed();
    let wide = |code: &mut InstructionSink<'_>| {
        code.local_get(state).i64_extend_i32_u().i64_const(salt | 1).i64_mul();
    };
    match (ty, draw.once_in(3)) {
        (ValType::I32, true) => {
            code.i32_const(i32::try_from(salt & 63).expect("small"));
        }
        (ValType::I32, false) => {
            wide(code);
            code.i64_const(16).i64_shr_u().i32_wrap_i64();
        }
        (ValType::I64, true) => {
            code.i64_const(salt & 63);
        }
        (ValType::I64, false) => wide(code),
        (ValType::F32, true) => {
            code.local_get(state).f32_convert_i32_s();
        }
        (ValType::F32, false) => {
            wide(code);
            code.i64_const(16).i64_shr_u().i32_wrap_i64().f32_reinterpret_i32();
        }
        (ValType::F64, true) => {
            code.local_get(state).f64_convert_i32_s();
        }
        (ValType::F64, false) => {
            wide(code);
            code.f64_reinterpret_i64();
        }
        (ValType::V128, _) => {
            wide(code);
            code.i64x2_splat();
        }
        (ValType::Ref(_), _) => {
            code.ref_null(HeapType::FUNC);
        }
    }
}
