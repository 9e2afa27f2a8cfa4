//! Canonical NaN: what a contract can see is what the flag of wasmtime gives, which makes every result canonical at once.

use std::fmt::Write;

use proptest::prelude::*;
use wasmparser::{Operator, Parser, Payload};
use wasmtime::{Config, Engine, Instance, Module, Store};

use super::instrumented;

/// Bytes of memory that are compared.
const BYTES: usize = 4096;

/// Memory after `call`, and whether it returned.
fn memory_after(wasm: &[u8], canonical: bool, threaded: bool) -> (bool, Vec<u8>) {
    let engine = Engine::new(Config::new().cranelift_nan_canonicalization(canonical)).unwrap();
    let module = Module::new(&engine, wasm).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let returned = if threaded {
        let call = instance.get_typed_func::<(i64, i64), i64>(&mut store, "call").unwrap();
        call.call(&mut store, (1 << 60, 100_000)).is_ok_and(|left| left >= 0)
    } else {
        instance.get_typed_func::<(), ()>(&mut store, "call").unwrap().call(&mut store, ()).is_ok()
    };
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    (returned, memory.data(&store)[..BYTES].to_vec())
}

fn check(text: &str) -> Vec<u8> {
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let expected = memory_after(&wasm, true, false);
    for instrumented in instrumented(text).unwrap_or_else(|error| panic!("{error}\n{text}")) {
        let found = memory_after(&instrumented, false, true);
        if found != expected {
            let first = found.1.iter().zip(&expected.1).position(|(a, b)| a != b);
            panic!("differs first at {first:?}\n{text}");
        }
    }
    expected.1
}

fn with(body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1)
             (func $pass (param f64 f32) (result f32 f64) local.get 1 local.get 0)
             (global $g (mut f64) (f64.const 0)) (global $zero (mut f64) (f64.const 0)) (global $zero32 (mut f32) (f32.const 0))
             (func $nan (result f64) (f64.div (global.get $zero) (global.get $zero)))
             (func (export "call") (local $a f64) (local $b f64) (local $s f32) (local $v v128) (local $w v128) {body}))"#
    )
}

const NAN: &str = "(f64.div (global.get $zero) (global.get $zero))";
const NAN32: &str = "(f32.div (global.get $zero32) (global.get $zero32))";

#[test]
fn every_place_that_shows_bits() {
    let nan_lanes = "(f64x2.div (f64x2.splat (global.get $zero)) (f64x2.splat (global.get $zero)))";
    let nan_lanes32 = "(f32x4.div (f32x4.splat (global.get $zero32)) (f32x4.splat (global.get $zero32)))";
    for body in [
        format!("(f64.store (i32.const 0) {NAN})"),
        // Dead code takes values that are not there, and none that lie below its block.
        format!("(i32.const 0) {NAN} (block (br 0) (f64.ceil) (f64.add) (drop)) (i64.reinterpret_f64) (i64.store)"),
        format!("(f32.store (i32.const 0) {NAN32})"),
        format!("(i64.store (i32.const 0) (i64.reinterpret_f64 {NAN}))"),
        format!("(f64.store (i32.const 0) (f64.neg {NAN}))"),
        format!("(f64.store (i32.const 0) (f64.abs (f64.neg {NAN})))"),
        format!("(f64.store (i32.const 0) (f64.copysign (f64.const 3) {NAN}))"),
        format!("(f64.store (i32.const 0) (f64.copysign {NAN} (f64.const -1)))"),
        format!("(f64.store (i32.const 0) (f64.copysign {NAN} {NAN}))"),
        format!("(f32.store (i32.const 0) (f32.demote_f64 {NAN}))"),
        "(f64.store (i32.const 0) (f64.promote_f32 (f32.const nan:0x200001)))".to_owned(),
        format!("(global.set $g {NAN}) (f64.store (i32.const 0) (global.get $g))"),
        format!(
            "(call $pass {NAN} {NAN32}) (local.set $a) (local.set $s) (f32.store (i32.const 0) (local.get $s)) (f64.store (i32.const 8) (local.get $a))"
        ),
        // One local holds a result and bits from elsewhere.
        format!(
            "(local.set $a {NAN}) (f64.store (i32.const 0) (local.get $a))
             (local.set $a (f64.const -nan:0x123)) (f64.store (i32.const 8) (local.get $a))"
        ),
        format!("(f64.store (i32.const 0) (select {NAN} (f64.const nan:0x77) (i32.const 1)))"),
        format!("(f64.store (i32.const 0) (select (f64.const -nan:0x77) {NAN} (i32.const 0)))"),
        format!("(f64.store (i32.const 0) (select {NAN} {NAN} (i32.const 0)))"),
        format!("(f64.store (i32.const 0) (block (result f64) (br 0 {NAN})))"),
        format!("(f64.store (i32.const 0) (block (result f64) (br_if 0 {NAN} (i32.const 1))))"),
        format!("(f64.store (i32.const 0) (if (result f64) (i32.const 1) (then {NAN}) (else (f64.const nan:0x5))))"),
        format!("(v128.store (i32.const 0) {nan_lanes})"),
        format!("(v128.store (i32.const 0) {nan_lanes32})"),
        format!("(v128.store (i32.const 0) (v128.not {nan_lanes32}))"),
        format!("(v128.store (i32.const 0) (f64x2.add {nan_lanes32} (f64x2.splat (f64.const 1))))"),
        format!("(v128.store (i32.const 0) (f64x2.pmin {nan_lanes32} (f64x2.splat (f64.const 1))))"),
        format!("(v128.store (i32.const 0) (f32x4.pmax {nan_lanes32} (f32x4.splat (f32.const 1))))"),
        format!("(v128.store (i32.const 0) (f32x4.pmax (v128.const i32x4 -1 -2 -3 4) {nan_lanes32}))"),
        format!("(v128.store (i32.const 0) (f32x4.splat {NAN32}))"),
        format!("(v128.store (i32.const 0) (f32x4.replace_lane 1 (v128.const i32x4 -1 -1 -1 -1) {NAN32}))"),
        format!("(v128.store (i32.const 0) (f64x2.replace_lane 1 {nan_lanes32} {NAN}))"),
        format!("(f32.store (i32.const 0) (f32x4.extract_lane 1 {nan_lanes}))"),
        format!("(f32.store (i32.const 0) (f32x4.extract_lane 1 {nan_lanes32}))"),
        format!("(v128.store (i32.const 0) (f32x4.convert_i32x4_s {nan_lanes32}))"),
        format!("(v128.store (i32.const 0) (f32x4.neg {nan_lanes32}))"),
        format!(
            "(v128.store (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31 {nan_lanes32} {nan_lanes}))"
        ),
    ] {
        check(&with(&body));
    }
}

#[test]
fn bits_that_only_move_stay_as_they_are() {
    let memory = check(&with(
        "(i64.store (i32.const 0) (i64.const 0xfff4_0000_0000_0123)) (f64.store (i32.const 8) (f64.load (i32.const 0)))
         (local.set $a (f64.load (i32.const 0))) (f64.store (i32.const 16) (f64.neg (local.get $a)))",
    ));
    assert_eq!(memory[8..16], 0xfff4_0000_0000_0123_u64.to_le_bytes());
    assert_eq!(memory[16..24], 0x7ff4_0000_0000_0123_u64.to_le_bytes());
}

#[test]
fn a_sum_is_made_canonical_behind_its_loop() {
    let text = with(
        "(local $i i32) (loop (local.set $a (f64.add (local.get $a) (f64.mul (f64.load (local.get $i)) (f64.load (local.get $i)))))
         (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 800))))
         (f64.store (i32.const 0) (local.get $a))",
    );
    check(&text);
    let instrumented = &instrumented(&text).unwrap()[0];
    let mut equal = 0;
    for payload in Parser::new(0).parse_all(instrumented) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let operators = body.get_operators_reader().unwrap();
            equal += operators.into_iter().filter(|operator| matches!(operator, Ok(Operator::F64Eq))).count();
        }
    }
    // One for the store, and one for what `$nan` returns.
    assert_eq!(equal, 2);
}

/// Operators by what they take and give: f is f32, d is f64, v is v128, i is i32, l is i64.
const OPERATORS: &[(&str, &str, &str)] = &[
    ("f32.add", "ff", "f"),
    ("f32.div", "ff", "f"),
    ("f32.sqrt", "f", "f"),
    ("f32.min", "ff", "f"),
    ("f32.neg", "f", "f"),
    ("f32.abs", "f", "f"),
    ("f32.copysign", "ff", "f"),
    ("f32.demote_f64", "d", "f"),
    ("f32.reinterpret_i32", "i", "f"),
    ("f32.lt", "ff", "i"),
    ("i32.reinterpret_f32", "f", "i"),
    ("i32.trunc_sat_f32_s", "f", "i"),
    ("f64.add", "dd", "d"),
    ("f64.sub", "dd", "d"),
    ("f64.mul", "dd", "d"),
    ("f64.div", "dd", "d"),
    ("f64.max", "dd", "d"),
    ("f64.floor", "d", "d"),
    ("f64.neg", "d", "d"),
    ("f64.abs", "d", "d"),
    ("f64.copysign", "dd", "d"),
    ("f64.promote_f32", "f", "d"),
    ("f64.convert_i32_s", "i", "d"),
    ("f64.reinterpret_i64", "l", "d"),
    ("i64.reinterpret_f64", "d", "l"),
    ("select", "ddi", "d"),
    ("select", "ffi", "f"),
    ("select", "vvi", "v"),
    ("call $swap", "fd", "df"),
    ("local.tee $d0", "d", "d"),
    ("local.tee $d1", "d", "d"),
    ("local.set $d2", "d", ""),
    ("local.get $d0", "", "d"),
    ("local.get $d1", "", "d"),
    ("local.get $d2", "", "d"),
    ("local.set $f0", "f", ""),
    ("local.get $f0", "", "f"),
    ("local.tee $v0", "v", "v"),
    ("local.set $v1", "v", ""),
    ("local.get $v0", "", "v"),
    ("local.get $v1", "", "v"),
    ("global.set $g", "d", ""),
    ("global.get $g", "", "d"),
    ("f64.const -nan:0x4000000000001", "", "d"),
    ("f64.const 0", "", "d"),
    ("f64.const -0", "", "d"),
    ("f64.const inf", "", "d"),
    ("f32.const nan:0x200001", "", "f"),
    ("f32.const 0", "", "f"),
    ("i32.const -1", "", "i"),
    ("i32.const 1", "", "i"),
    ("i64.const 0x7ff0000000000001", "", "l"),
    ("v128.const i32x4 0x7f800001 0 -1 0x7ff00000", "", "v"),
    ("v128.const i32x4 0 0 0 0", "", "v"),
    ("f32x4.splat", "f", "v"),
    ("f64x2.splat", "d", "v"),
    ("f32x4.extract_lane 2", "v", "f"),
    ("f64x2.extract_lane 1", "v", "d"),
    ("f32x4.replace_lane 3", "vf", "v"),
    ("f64x2.replace_lane 0", "vd", "v"),
    ("f32x4.add", "vv", "v"),
    ("f32x4.div", "vv", "v"),
    ("f32x4.sqrt", "v", "v"),
    ("f32x4.neg", "v", "v"),
    ("f32x4.abs", "v", "v"),
    ("f32x4.pmin", "vv", "v"),
    ("f32x4.lt", "vv", "v"),
    ("f64x2.mul", "vv", "v"),
    ("f64x2.div", "vv", "v"),
    ("f64x2.min", "vv", "v"),
    ("f64x2.abs", "v", "v"),
    ("f64x2.pmax", "vv", "v"),
    ("f64x2.promote_low_f32x4", "v", "v"),
    ("f32x4.demote_f64x2_zero", "v", "v"),
    ("f32x4.convert_i32x4_s", "v", "v"),
    ("f64x2.convert_low_i32x4_u", "v", "v"),
    ("i32x4.trunc_sat_f32x4_s", "v", "v"),
    ("i32x4.add", "vv", "v"),
    ("v128.xor", "vv", "v"),
    ("i32x4.extract_lane 0", "v", "i"),
];

/// A straight-line program in a loop of three rounds, so that what is set at its end is read at its beginning.
fn program(choices: &[u16]) -> String {
    let mut stack = String::new();
    let mut code = String::new();
    let mut stores = 0;
    let mut store = |code: &mut String, ty: char| {
        let operator = match ty {
            'f' => "f32.store",
            'd' => "f64.store",
            'v' => "v128.store",
            'i' => "i32.store",
            _ => "i64.store",
        };
        // The address has to be below the value: kept in a local on the way.
        writeln!(code, "(local.set $x{ty}) ({operator} (i32.const {}) (local.get $x{ty}))", (stores % 240) * 16)
            .unwrap();
        stores += 1;
    };
    for choice in choices {
        let fitting: Vec<_> = OPERATORS.iter().filter(|(_, takes, _)| stack.ends_with(takes)).collect();
        let (name, takes, gives) = fitting[usize::from(*choice) % fitting.len()];
        writeln!(code, "{name}").unwrap();
        stack.truncate(stack.len() - takes.len());
        stack.push_str(gives);
        if stack.len() > 12 {
            store(&mut code, stack.pop().unwrap());
        }
    }
    while let Some(ty) = stack.pop() {
        store(&mut code, ty);
    }
    format!(
        r#"(module (memory (export "memory") 1) (global $g (mut f64) (f64.const 0))
             (func $swap (param f32 f64) (result f64 f32) (f64.add (local.get 1) (f64.const 0)) local.get 0)
             (func (export "call")
               (local $d0 f64) (local $d1 f64) (local $d2 f64) (local $f0 f32) (local $v0 v128) (local $v1 v128)
               (local $xf f32) (local $xd f64) (local $xv v128) (local $xi i32) (local $xl i64) (local $round i32)
               (loop {code}
                 (br_if 0 (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (i32.const 3))))))"#
    )
}

/// Found by comparing engines on random programs: the operands of dead code need not have types.
#[test]
fn dead_code_is_left_alone() {
    let dead = [
        "unreachable f64.const 1 f64.sqrt i32.const 0 select i64.reinterpret_f64 drop",
        "unreachable f64.const 1 f64.sqrt f64.store",
        "(block (br 0) f32.const 1 f32.sqrt f64.promote_f32 i32.const 0 select drop)",
        "unreachable v128.const i64x2 1 2 f64x2.sqrt f64.const 1 f64x2.replace_lane 0 v128.store",
        "unreachable f32.const 1 f32.sqrt (block (param f32) f32.neg drop) f32.copysign drop",
        "return i32.const 0 select f64.sqrt i32.const 0 select drop",
        "unreachable f64.sqrt local.set 0",
        // What is set is not there; below it lies a raw value of the block around.
        "f64.const 1 f64.sqrt (block (br 0) local.set $i (block local.get $i drop)) f64.const 2 f64.add drop (i32.store (i32.const 8) (local.get $i))",
    ];
    for body in dead {
        check(&format!(
            r#"(module (memory (export "memory") 1) (func (export "call") (local f64) (local $i i32) (f64.store (i32.const 0) (f64.sqrt (f64.const -1))) {body}))"#
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_floats_are_what_the_flag_gives(choices in prop::collection::vec(any::<u16>(), 1..160)) {
        check(&program(&choices));
    }
}
