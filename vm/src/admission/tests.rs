//! Every rule of admission, broken once.

use noema_abi::ProtocolVersion;
use proptest::prelude::*;

use super::{AdmissionError, admit, features};
use crate::rules::Rules;

fn admit_wat(wat: &str) -> Result<super::Admitted, AdmissionError> {
    admit(ProtocolVersion::V1, &wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}")))
}

fn with_memory(fields: &str) -> String {
    format!(r#"(module {fields} (memory (export "memory") 1))"#)
}

fn refusal(fields: &str) -> AdmissionError {
    admit_wat(&with_memory(fields)).expect_err(fields)
}

fn limits() -> &'static crate::rules::Limits {
    &Rules::of(ProtocolVersion::V1).limits
}

/// Refused above the limit with this name, and admitted at it.
fn limited(what: &str, limit: u64, module: impl Fn(u64) -> String) {
    admit_wat(&module(limit)).unwrap_or_else(|error| panic!("{limit} {what}: {error}"));
    match admit_wat(&module(limit + 1)).expect_err(what) {
        AdmissionError::Limit { what: found, found: count, limit: at, .. } => {
            assert_eq!((found, at), (what, limit));
            assert!(count > limit);
        }
        other => panic!("{what}: {other}"),
    }
}

fn repeat(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

#[test]
fn what_rust_emits_is_admitted() {
    let admitted = admit_wat(&with_memory(
        r#"(import "context" "input_len" (func $len (result i64)))
           (type $two (func (param i32) (result i32 i64)))
           (table 3 3 funcref) (elem (i32.const 1) func $f)
           (global $stack (mut i32) (i32.const 65536))
           (global (export "__heap_base") i32 (i32.const 70000))
           (data (i32.const 16) "text") (data "passive")
           (func $f (type $two) (i32.extend8_s (local.get 0)) (i64.trunc_sat_f64_s (f64.const 1.5)))
           (func (export "call")
             (memory.copy (i32.const 0) (i32.const 16) (i32.const 4)) (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))
             (drop (call $len)) (call $f (i32.const 1)) (drop) (drop)
             (drop (i32x4.extract_lane 0 (i32x4.add (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 2 3 4)))))
           (func (export "view")) (func (export "init"))"#,
    ))
    .unwrap();
    let points = admitted.entry_points;
    assert!(points.call && points.view && points.init && !points.migrate);
    assert_eq!(admitted.frame_units.len(), 4);
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    for bytes in [&b""[..], b"not wasm", b"\0asm", b"\0asm\x02\0\0\0", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0\x01\xff"]
    {
        assert!(
            matches!(
                admit(ProtocolVersion::V1, bytes),
                Err(AdmissionError::Invalid { .. } | AdmissionError::Memory { .. })
            ),
            "{bytes:?}"
        );
    }
    // Cut anywhere, a module is never admitted, and admission never panics.
    let whole = wat::parse_str(with_memory(r#"(func (export "call") (drop (i32.const 1)))"#)).unwrap();
    for end in 0..whole.len() {
        assert!(admit(ProtocolVersion::V1, &whole[..end]).is_err(), "cut at {end}");
    }
    admit(ProtocolVersion::V1, &whole).unwrap();
}

#[test]
fn every_other_proposal_is_refused() {
    for (feature, fields) in [
        ("threads", "(func (atomic.fence))"),
        ("relaxed SIMD", "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))"),
        ("tail calls", "(func $f (return_call $f))"),
        ("exceptions", "(tag) (func (throw 0))"),
        ("gc", "(type (struct (field i32)))"),
        ("i31", "(func (drop (ref.i31 (i32.const 1))))"),
        ("function references", "(type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0)))"),
        ("externref", "(func (param externref))"),
        ("externref tables", "(table 1 externref)"),
        ("extended const", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
        (
            "wide arithmetic",
            "(func (param i64) (drop (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0))) (drop))",
        ),
        ("64-bit tables", "(table i64 1 funcref)"),
        ("shared globals", "(global (shared mut i32) (i32.const 0))"),
    ] {
        let error = refusal(fields);
        let refused = matches!(error, AdmissionError::Invalid { .. } | AdmissionError::Operator { .. });
        assert!(refused, "{feature}: {error}");
    }
    for (feature, module) in [
        ("64-bit memory", r#"(module (memory (export "memory") i64 1))"#),
        ("shared memory", r#"(module (memory (export "memory") 1 1 shared))"#),
        ("custom page sizes", r#"(module (memory (export "memory") 1 (pagesize 1)))"#),
        ("components", "(component)"),
    ] {
        let error = admit_wat(module).expect_err(feature);
        assert!(matches!(error, AdmissionError::Invalid { .. }), "{feature}: {error}");
    }
    let error = admit_wat(r#"(module (memory (export "memory") 1) (memory 1))"#).unwrap_err();
    assert!(matches!(error, AdmissionError::Memory { .. }), "{error}");
}

#[test]
fn a_contract_has_one_exported_memory_of_its_own_and_no_start() {
    for module in [
        "(module)",
        "(module (memory 1))",
        r#"(module (memory 1) (func (export "memory")))"#,
        r#"(module (memory 1) (export "other" (memory 0)))"#,
    ] {
        let error = admit_wat(module).expect_err(module);
        assert!(matches!(error, AdmissionError::Memory { .. } | AdmissionError::Export { .. }), "{error}");
    }
    let error =
        admit_wat(r#"(module (import "context" "memory" (memory 1)) (export "memory" (memory 0)))"#).unwrap_err();
    assert!(matches!(error, AdmissionError::Import { .. }), "{error}");
    assert_eq!(refusal("(func) (func $s) (start $s)"), AdmissionError::StartFunction { function: 1 });
}

#[test]
fn imports_are_rows_of_the_table_with_their_types() {
    let import = |text: &str| admit_wat(&with_memory(&format!("(import {text})")));
    import(r#""storage" "get" (func (param i32 i32 i32 i32) (result i64))"#).unwrap();
    import(r#""call" "contract" (func (param i32 i32 i64 i32 i32 i32 i32) (result i64))"#).unwrap();
    for text in [
        // Names that look like one.
        r#""storage" "get2" (func (param i32 i32 i32 i32) (result i64))"#,
        r#""storage" "ge" (func (param i32 i32 i32 i32) (result i64))"#,
        r#""storage.get" "" (func (param i32 i32 i32 i32) (result i64))"#,
        r#""env" "get" (func (param i32 i32 i32 i32) (result i64))"#,
        r#""wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))"#,
        // Another type.
        r#""storage" "get" (func (param i32 i32 i32) (result i64))"#,
        r#""storage" "get" (func (param i32 i32 i32 i64) (result i64))"#,
        r#""storage" "get" (func (param i32 i32 i32 i32) (result i32))"#,
        r#""storage" "get" (func (param i32 i32 i32 i32))"#,
        // Not a function.
        r#""storage" "get" (global i32)"#,
        r#""storage" "get" (table 1 funcref)"#,
    ] {
        let error = import(text).expect_err(text);
        assert!(matches!(error, AdmissionError::Import { .. }), "{error}");
    }
}

#[test]
fn entry_points_have_no_parameters_and_are_the_modules_own() {
    for fields in [
        r#"(func (export "call") (param i32))"#,
        r#"(func (export "view") (result i32) (i32.const 1))"#,
        r#"(global (export "init") i32 (i32.const 1))"#,
        r#"(import "context" "input_len" (func (result i64))) (export "migrate" (func 0))"#,
    ] {
        let error = refusal(fields);
        assert!(matches!(error, AdmissionError::Export { .. }), "{error}");
    }
}

#[test]
fn the_error_names_the_function_and_the_place() {
    let error = refusal(r#"(import "context" "input_len" (func (result i64))) (func) (func (i32.add))"#);
    let AdmissionError::Invalid { offset, reason } = &error else { panic!("{error}") };
    assert!(*offset > 0 && !reason.is_empty(), "{error}");
    let error = refusal(&format!(
        "(func) (func {})",
        repeat(limits().nesting + 1, "(block ") + &repeat(limits().nesting + 1, ")")
    ));
    assert!(matches!(error, AdmissionError::Limit { function: Some(1), .. }), "{error}");
    assert!(error.to_string().contains("in function 1"));
}

#[test]
fn counts_of_sections_are_limited() {
    let limits = limits();
    limited("types", limits.types, |count| with_memory(&repeat(count, "(type (func (param i64)))")));
    limited("parameters of a type", limits.params, |count| {
        with_memory(&format!("(type (func (param {})))", repeat(count, "i32 ")))
    });
    limited("results of a type", limits.results, |count| {
        with_memory(&format!("(type (func (result {})))", repeat(count, "i32 ")))
    });
    limited("imports", limits.imports, |count| {
        with_memory(&repeat(count, r#"(import "context" "input_len" (func (result i64)))"#))
    });
    limited("functions", limits.functions, |count| with_memory(&repeat(count, "(func)")));
    limited("tables", limits.tables, |count| with_memory(&repeat(count, "(table 1 funcref)")));
    limited("elements of a table", limits.table_elements, |count| with_memory(&format!("(table {count} funcref)")));
    limited("pages of memory", limits.memory_pages, |count| format!(r#"(module (memory (export "memory") {count}))"#));
    limited("globals", limits.globals, |count| with_memory(&repeat(count, "(global i32 (i32.const 1))")));
    limited("exports", limits.exports, |count| {
        // One is the memory.
        let exports: String = (1..count).map(|index| format!(r#"(export "e{index}" (func 0))"#)).collect();
        with_memory(&format!("(func) {exports}"))
    });
    limited("bytes of an export name", limits.export_name_bytes, |count| {
        with_memory(&format!(r#"(func (export "{}"))"#, repeat(count, "n")))
    });
    limited("element segments", limits.element_segments, |count| {
        with_memory(&format!("(func $f) {}", repeat(count, "(elem func $f)")))
    });
    limited("elements in segments", limits.segment_elements, |count| {
        with_memory(&format!("(func $f) (elem func {})", repeat(count, "$f ")))
    });
    limited("data segments", limits.data_segments, |count| with_memory(&repeat(count, r#"(data "x")"#)));
}

#[test]
fn sizes_of_functions_are_limited() {
    let limits = limits();
    let function = |body: String| with_memory(&format!("(func (param i32) {body})"));
    // The parameter is one of them.
    limited("locals", limits.locals, |count| function(format!("(local {})", repeat(count - 1, "i32 "))));
    limited("blocks", limits.blocks, |count| function(repeat(count, "(block)")));
    limited("nested blocks", limits.nesting, |count| function(repeat(count, "(block ") + &repeat(count, ")")));
    limited("branch table targets", limits.br_table_targets, |count| {
        // The last one is the default.
        function(format!("(br_table {} (local.get 0))", repeat(count + 1, "0 ")))
    });
    limited("metering blocks", limits.metering_blocks, |count| {
        // The first one begins with the function.
        function(repeat(count - 1, "(br_if 0 (local.get 0))"))
    });
    limited("metering blocks times locals", limits.local_blocks, |product| {
        // With as many locals as there may be, the number of metering blocks that is left, rounded up.
        let locals = limits.locals;
        let blocks = product.div_ceil(locals);
        function(format!("(local {}) {}", repeat(locals - 1, "i32 "), repeat(blocks - 1, "(br_if 0 (local.get 0))")))
    });
    limited("loops times locals", limits.local_loops, |product| {
        let loops = product.div_ceil(limits.locals);
        function(format!("(local {}) {}", repeat(limits.locals - 1, "i32 "), repeat(loops, "(loop)")))
    });
    limited("nested loops", limits.loop_nesting, |count| function(repeat(count, "(loop ") + &repeat(count, ")")));
    limited("units of operands", limits.operand_units, |count| {
        let vectors = repeat(count / 2, "(v128.const i64x2 0 0)");
        function(format!("{vectors} {} {}", repeat(count % 2, "(local.get 0)"), repeat(count.div_ceil(2), "drop ")))
    });
    limited("different constants", limits.constants, |count| {
        // Each of them twice; one with the bits of another type, and two halves.
        let constants: String = (3..count).map(|value| format!("(drop (i64.const {value}))")).collect();
        function(format!("(drop (f64.const 0)) {} {constants} {constants}", repeat(2, "(drop (v128.const i64x2 3 4))")))
    });
    limited("arguments and results of calls", limits.call_values, |count| {
        let one = "(drop (call $f (local.get 0)))";
        let odd = if count % 2 == 1 { "(call $g (local.get 0))" } else { "" };
        let calls = repeat(count / 2 / 4, one);
        // Spread over four values a call, so that the body stays short enough.
        with_memory(&format!(
            "(func $f (param i32 i32 i32 i32) (result i32 i32 i32 i32) unreachable) (func $g (param i32))
             (func (param i32) (local.get 0) (local.get 0) (local.get 0) (local.get 0) {} drop drop drop drop {odd})",
            repeat(calls.matches("call").count() as u64, "(call $f)")
        ))
    });
    limited("values passed on by control operators", limits.control_values, |count| {
        // Eight go in and eight come out at `block` and `end`: 8 + 8 + 8 + 8. The function's own `end` passes none.
        let blocks = repeat(count / 32, "(block (type $t))");
        let rest = count % 32;
        with_memory(&format!(
            "(type $t (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32 i32 i32 i32 i32 i32 i32)))
             (func (param i32) {} {blocks} {} {})",
            repeat(8, "(local.get 0)"),
            repeat(8, "drop "),
            repeat(rest, "(if (local.get 0) (then))")
        ))
    });
    // Size of the locals (one byte), and `end`.
    limited("bytes of body", limits.body_bytes, |count| function(repeat(count - 2, "nop ")));
    let functions = limits.total_locals / limits.locals;
    limited("locals up to here", limits.total_locals, |count| {
        let locals = format!("(func (local {}))", repeat(limits.locals, "i32 "));
        let rest = count - functions * limits.locals;
        with_memory(&format!("{} (func (local {}))", repeat(functions, &locals), repeat(rest, "i32 ")))
    });
    // Four billion locals in a few bytes.
    let mut bomb = wat::parse_str(with_memory("(func (local i32 i32 i32))")).unwrap();
    let at = bomb.windows(3).rposition(|window| window == [1, 3, 0x7f]).unwrap();
    bomb.splice(at + 1..at + 2, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    bomb[at - 1] += 4;
    bomb[at - 3] += 4;
    let error = admit(ProtocolVersion::V1, &bomb).unwrap_err();
    assert!(matches!(error, AdmissionError::Limit { what: "locals", .. }), "{error}");
}

#[test]
fn code_is_limited_before_and_after_instrumentation() {
    let limits = limits();
    let big = usize::try_from(limits.code_bytes).unwrap() + 1;
    let error = admit(ProtocolVersion::V1, &vec![0; big]).unwrap_err();
    assert!(matches!(error, AdmissionError::Limit { what: "bytes of code", .. }), "{error}");
    // What grows most: operators of one byte, each of which ends a metering block.
    let body = repeat(limits.metering_blocks - 1, "return ");
    let source = |functions: u64| wat::parse_str(with_memory(&repeat(functions, &format!("(func {body})")))).unwrap();
    let one = u64::try_from(source(2).len() - source(1).len()).unwrap();
    let bound = one + limits.function_growth + limits.block_growth * limits.metering_blocks;
    let too_many = limits.instrumented_bytes / bound + 1;
    assert!(source(too_many).len() <= usize::try_from(limits.code_bytes).unwrap());
    let error = admit(ProtocolVersion::V1, &source(too_many)).unwrap_err();
    assert!(matches!(error, AdmissionError::Limit { what: "bytes of instrumented code", .. }), "{error}");
    admit(ProtocolVersion::V1, &source(too_many - 2)).unwrap();
}

#[test]
fn vectors_that_were_computed_in_the_other_shape_are_within_the_bound() {
    // Each operand is made canonical, in the shape in which it was computed, before an operator of the other shape.
    for [one, other] in [["f32x4.add", "f64x2.add"], ["f32x4.sqrt f32x4.max", "f64x2.eq local.get 0 f64x2.mul"]] {
        let sums = repeat(500, &format!("local.get 0 {one} local.get 0 {other} "));
        let body = format!("(func (param v128) (result v128) local.get 0 local.get 0 {other} {sums})");
        admit_wat(&with_memory(&body)).unwrap();
    }
}

/// A value of each type, where there is a local of each; the floats are raw.
const VALUES: [(&str, &str); 5] = [
    ("i32", "local.get 0 "),
    ("i64", "local.get 1 "),
    ("f32", "local.get 2 local.get 2 f32.add "),
    ("f64", "local.get 3 local.get 3 f64.add "),
    ("v128", "local.get 4 local.get 4 f64x2.add "),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Operators that take many operands, each of which steps aside or is made canonical: calls, indirect ones, branches with
    /// values and the ends of blocks with parameters.
    #[test]
    fn operands_that_step_aside_are_within_the_bound(
        types in prop::collection::vec(prop_oneof![6 => Just(0usize), 1 => 1usize..5], 1..60),
        operator in 0..4, times in 1u64..60, more_locals in 0u64..300,
    ) {
        let names = |count: usize| types[..count].iter().map(|ty| VALUES[*ty].0).collect::<Vec<_>>().join(" ");
        let values = |count: usize| types[..count].iter().map(|ty| VALUES[*ty].1).collect::<String>();
        let drops = |count: usize| "drop ".repeat(count);
        // A block gives at most eight results.
        let (all, few) = (types.len(), types.len().min(8));
        let one = match operator {
            0 => format!("{} call $f ", values(all)),
            1 => format!("{} i32.const 0 call_indirect (type $t) ", values(all)),
            2 => format!(
                "(block (result {}) {} local.get 0 br_if 0 {} {} br 0) {}",
                names(few), values(few), drops(few), values(few), drops(few),
            ),
            _ => format!(
                "{} (loop (param {}) {} {} local.get 0 br_if 0 {}) ",
                values(all), names(all), drops(all), values(all), drops(all),
            ),
        };
        let body = repeat(times, &one);
        let locals = repeat(more_locals, "i32 ");
        admit_wat(&with_memory(&format!(
            "(type $t (func (param {}))) (table 1 funcref) (elem (i32.const 0) $f) (func $f (type $t))
             (func (param i32 i64 f32 f64 v128) (local {locals}) {body})", names(all)
        ))).unwrap();
    }
}

#[test]
fn instances_are_priced_by_what_they_set_up() {
    let prices = &Rules::of(ProtocolVersion::V1).prices;
    let gas = |fields: &str| admit_wat(&with_memory(fields)).unwrap().instantiate_gas;
    let empty = prices.instantiate + prices.instantiate_page;
    assert_eq!(gas(""), empty);
    let pages = |count| admit_wat(&format!(r#"(module (memory (export "memory") {count}))"#)).unwrap().instantiate_gas;
    assert_eq!(pages(0), prices.instantiate);
    assert_eq!(pages(4), prices.instantiate + 4 * prices.instantiate_page);
    assert_eq!(pages(7), pages(4) + 3 * prices.instantiate_more_page);
    assert_eq!(gas("(func) (func) (global i32 (i32.const 0))"), empty + 3 * prices.instantiate_item);
    assert_eq!(gas(r#"(data (i32.const 0) "abcd") (data "passive")"#), empty + 4 * prices.instantiate_data_byte);
    assert_eq!(
        gas("(table 5 funcref) (func $f) (elem (i32.const 0) func $f $f) (elem func $f)"),
        empty + 7 * prices.instantiate_element + prices.instantiate_item
    );
}

/// A module with a bit of everything.
const RICH: &str = r#"(module
  (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
  (import "call" "contract" (func (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
  (type $t (func (param i32 i64) (result i64 f32)))
  (table 4 9 funcref) (elem (i32.const 1) $f $get) (elem func $f)
  (memory (export "memory") 1 7)
  (global $g (mut i64) (i64.const 7)) (global v128 (v128.const i64x2 1 2))
  (data (i32.const 3) "some text") (data "more")
  (func $f (type $t) (local v128 f64 i32)
    (block $b (result i64)
      (loop $l
        (br_if $l (i32.eqz (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (if (local.get 0) (then (global.set $g (local.get 1))) (else (br $l))))
      (br_table $b $b (i64.const 1) (local.get 0)))
    (f32.demote_f64 (f64.sqrt (local.get 3))))
  (func (export "call")
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 9)) (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 2))
    (drop (memory.grow (i32.const 1))) (drop (table.grow (ref.null func) (i32.const 1)))
    (drop (call $get (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 3)))
    (call_indirect (type $t) (i32.const 5) (i64.const 6) (i32.const 1)) (drop) (drop)
    (v128.store (i32.const 16) (i8x16.add (v128.load (i32.const 0)) (v128.const i64x2 3 4))) (return))
  (func (export "view")))"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the bytes are, admission answers, and what it admits is valid after instrumentation as well.
    #[test]
    fn damaged_modules_are_refused_or_stay_valid(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..4),
    ) {
        let mut bytes = wat::parse_str(RICH).unwrap();
        admit(ProtocolVersion::V1, &bytes).expect("the whole one is admitted");
        for (at, value, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => bytes.insert(at, value),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(admitted) = admit(ProtocolVersion::V1, &bytes) {
            let mut validator = wasmparser::Validator::new_with_features(features::allowed(ProtocolVersion::V1));
            prop_assert!(validator.validate_all(&admitted.instrumented).is_ok());
        }
    }
}
