//! Modules at the limits of admission: they must compile, fit into the slots of the engine's pool, and run.

use noema_abi::ProtocolVersion;
use noema_vm::rules::Rules;

use super::world::{GAS, World, module, succeeded};

fn repeat(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

fn runs(name: &str, fields: &str) {
    let mut world = World::new();
    let code = module(fields);
    let contract = world.deploy_with(&code, 100 * GAS);
    let outcome = world.call_with(contract, &[], 100 * GAS);
    assert_eq!(succeeded(&outcome).output, [0; 4], "{name}");
}

const CALL: &str = r#"(func (export "call") (drop (call $output (i32.const 100) (i32.const 4))))"#;

#[test]
fn modules_with_as_much_as_there_may_be() {
    let limits = &Rules::of(ProtocolVersion::V1).limits;
    runs("globals", &format!("{} {CALL}", repeat(limits.globals, "(global (mut v128) (v128.const i64x2 1 2))")));
    // One function is `call`; all of them can be called from outside or through the table.
    let functions: String = (1..limits.functions).map(|index| format!("(func $f{index})")).collect();
    let references: String = (1..limits.functions).map(|index| format!("$f{index} ")).collect();
    runs(
        "functions",
        &format!("(table {} funcref) {functions} (elem (i32.const 0) func {references}) {CALL}", limits.table_elements),
    );
    let tables = repeat(limits.tables, &format!("(table {} funcref)", limits.table_elements));
    runs("tables", &format!("{tables} {CALL}"));
    let types: String = (0..limits.types - 30)
        .map(|index| {
            let bit = |at| if index >> (at % 12) & 1 == 0 { "i32 " } else { "f64 " };
            let params: String = (0..limits.params).map(bit).collect();
            let results: String = (0..limits.results).map(bit).collect();
            format!("(type (func (param {params}) (result {results})))")
        })
        .collect();
    runs("types", &format!("{types} {CALL}"));
    runs("data segments", &format!("{} {CALL}", repeat(limits.data_segments, r#"(data (i32.const 0) "\00")"#)));
    let elements = repeat(limits.element_segments, "(elem func $f)");
    runs("element segments", &format!("(func $f) {elements} {CALL}"));
    let nested = repeat(limits.nesting, "(block ") + &repeat(limits.nesting, ")");
    runs("nesting", &format!("(func {nested}) {CALL}"));
    let locals = repeat(limits.locals, "v128 ");
    runs("locals", &format!("(func $f (local {locals})) {}", CALL.replace("(drop", "(call $f) (drop")));
}

#[test]
fn a_memory_may_begin_at_its_limit() {
    let mut world = World::new();
    let pages = Rules::of(ProtocolVersion::V1).limits.memory_pages;
    let code = wat::parse_str(format!(
        r#"(module (memory (export "memory") {pages}) (func (export "call") (i64.store (i32.const {}) (i64.const 1))))"#,
        pages * 65_536 - 8
    ))
    .unwrap();
    succeeded(&world.run(&code));
}
