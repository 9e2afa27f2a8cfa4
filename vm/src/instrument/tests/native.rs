//! How much native stack a logical unit really takes: the logical limit must be reached long before the native one.

use std::fmt::Write;

use noema_abi::ProtocolVersion;
use wasmtime::{Caller, Engine, Instance, Linker, Module, Store, Val};

use super::super::LEAST_ROOM;
use super::admitted;
use crate::engine::{NATIVE_PER_LOGICAL, optimized};
use crate::rules::Rules;

/// Native and logical bytes between two depths of recursion of `$f`, which recurses as often as its first parameter
/// says, which is what `$probe` has said before, and calls `$probe` at the bottom.
fn measure(wat: &str) -> (u64, u64) {
    let admitted = admitted(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    let engine = Engine::new(&optimized(&Rules::of(ProtocolVersion::V1).machine, 1)).unwrap();
    let module = Module::new(&engine, &admitted.instrumented).unwrap();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("context", "gas_left", |mut caller: Caller<'_, Probe>, gas: i64| {
            let here = 0u8;
            let room = caller.get_export(LEAST_ROOM).and_then(wasmtime::Extern::into_global).unwrap();
            let room = room.get(&mut caller).unwrap_i64();
            let probe = caller.data_mut();
            (probe.stack, probe.room) = (u64::try_from((&raw const here).addr()).unwrap(), room);
            (probe.depth, gas)
        })
        .unwrap();
    let at = |depth: i64| {
        let mut store = Store::new(&engine, Probe { depth, stack: 0, room: 0 });
        let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
        instance.get_global(&mut store, LEAST_ROOM).unwrap().set(&mut store, Val::I64(1 << 50)).unwrap();
        let function = instance.get_typed_func::<(i64, i64), i64>(&mut store, "call").unwrap();
        function.call(&mut store, (1 << 50, 1 << 50)).unwrap();
        (store.data().stack, store.data().room)
    };
    let ((shallow, more_room), (deep, less_room)) = (at(10), at(60));
    (shallow.abs_diff(deep), more_room.abs_diff(less_room) * 8)
}

/// How deep to go, and what was found there.
struct Probe {
    depth: i64,
    stack: u64,
    room: i64,
}

fn module(parameters: &str, results: &str, body: &str, arguments: &str, drops: &str) -> String {
    format!(
        r#"(module (import "context" "gas_left" (func $probe (result i64))) (memory (export "memory") 1)
             (type $f (func (param i32 {parameters}) (result {results})))
             (table 2 funcref) (elem (i32.const 0) $f)
             (func $leaf (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
             (func $bottom (if (i64.eqz (global.get $once)) (then (global.set $once (i64.const 1)) (drop (call $probe)))))
             (global $once (mut i64) (i64.const 0))
             (func $f (type $f) {body})
             (func (export "call") (call $f (i32.wrap_i64 (call $probe)) {arguments}) {drops}))"#
    )
}

/// Code that keeps `live` values, each across several calls, `rounds` times over: lifetimes that overlap like tiles,
/// which is hard on whoever packs them into slots.
fn tiles(live: usize, rounds: usize) -> String {
    let mut code = format!("(local {})", vec!["i64"; live].join(" "));
    for round in 0..rounds {
        let (to, from) = (1 + round % live, 1 + (round * 7 + 3) % live);
        write!(code, "(local.set {to} (call $leaf (i64.xor (local.get {from}) (local.get {to}))))").unwrap();
    }
    code
}

const RECURSE: &str = "(if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $bottom)))";

#[test]
fn native_frames_stay_within_their_share() {
    let locals = |ty: &str, count: usize| vec![ty; count].join(" ");
    let all_live = |ty: &str, count: usize, make: &str, use_: &str| {
        let set: String =
            (1..=count).map(|at| format!("(local.set {at} {})", make.replace('N', &(at * 16).to_string()))).collect();
        let get: String = (1..=count).map(|at| use_.replace('N', &at.to_string())).collect();
        module("", "", &format!("(local {}) {set} {RECURSE} {get}", locals(ty, count)), "", "")
    };
    let operands: String = (0..200).map(|at| format!("(i64.load (i32.const {}))", at * 8)).collect();
    let many = |count: usize| (1..=count).map(|at| format!("(local.get {at})")).collect::<String>();
    let cases = [
        ("the smallest frame", module("", "", RECURSE, "", "")),
        ("one local", all_live("i64", 1, "(i64.load (i32.const N))", "(i64.store (i32.const N) (local.get N))")),
        ("locals", all_live("i64", 300, "(i64.load (i32.const N))", "(i64.store (i32.const N) (local.get N))")),
        ("narrow locals", all_live("i32", 300, "(i32.load (i32.const N))", "(i32.store (i32.const N) (local.get N))")),
        (
            "floats",
            all_live("f64", 300, "(f64.sqrt (f64.load (i32.const N)))", "(f64.store (i32.const N) (local.get N))"),
        ),
        ("vectors", all_live("v128", 100, "(v128.load (i32.const N))", "(v128.store (i32.const N) (local.get N))")),
        (
            "operands",
            module("", "", &format!("i32.const 0 {operands} {RECURSE} {} i64.store", "i64.add ".repeat(199)), "", ""),
        ),
        (
            "parameters",
            module(
                &locals("i64", 63),
                "",
                &format!(
                    "(if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)) {})) (else (call $bottom))) {}",
                    many(63),
                    (1..=63).map(|at| format!("(i64.store (i32.const {at}) (local.get {at}))")).collect::<String>()
                ),
                &"(i64.const 1)".repeat(63),
                "",
            ),
        ),
        (
            "results",
            module(
                "",
                &locals("v128", 8),
                &format!(
                    "(if (type $f) (i32.const 0) (local.get 0) (then (drop) (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (drop) (call $bottom) {}))",
                    "(v128.load (i32.const 0))".repeat(8)
                ),
                "",
                &"drop ".repeat(8),
            ),
        ),
        (
            "indirect calls",
            module(
                "i64",
                "i64",
                "(if (result i64) (local.get 0)
                   (then (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (i32.const 0)))
                   (else (call $bottom) (i64.const 1)))",
                "(i64.const 1)",
                "drop",
            ),
        ),
        ("tiles of 4", module("", "", &format!("{} {RECURSE} {}", tiles(4, 1000), tiles_end(4)), "", "")),
        ("tiles of 12", module("", "", &format!("{} {RECURSE} {}", tiles(12, 2000), tiles_end(12)), "", "")),
        ("tiles of 200", module("", "", &format!("{} {RECURSE} {}", tiles(200, 6000), tiles_end(200)), "", "")),
        ("tiles of 1000", module("", "", &format!("{} {RECURSE} {}", tiles(1000, 6000), tiles_end(1000)), "", "")),
        ("tiles of floats", module("", "", &float_tiles(200, 4000), "", "")),
        ("tiles of 60", module("", "", &format!("{} {RECURSE} {}", tiles(60, 3000), tiles_end(60)), "", "")),
    ];
    let mut worst = 0;
    for (name, wat) in cases {
        let (native, logical) = measure(&wat);
        println!(
            "{name}: {native} native bytes for {logical} logical ones: {}.{:02}",
            native / logical,
            native * 100 / logical % 100
        );
        assert!(native > 0 && logical > 0, "{name}");
        worst = worst.max(native.div_ceil(logical));
    }
    // The native stack allows for much more.
    assert!(worst <= 4, "{worst}");
    assert!(worst * 4 <= NATIVE_PER_LOGICAL);
}

/// The same with floats, of which a value before and after its NaN has been made canonical can be alive.
fn float_tiles(live: usize, rounds: usize) -> String {
    let mut code = format!("(local {})", vec!["f64"; live].join(" "));
    for round in 0..rounds {
        let (to, from) = (1 + round % live, 1 + (round * 7 + 3) % live);
        write!(
            code,
            "(local.set {to} (f64.sqrt (f64.mul (local.get {from}) (f64.reinterpret_i64 (call $leaf (i64.reinterpret_f64 (local.get {to})))))))"
        )
        .unwrap();
    }
    code.push_str(RECURSE);
    for at in 1..=live {
        write!(code, "(f64.store (i32.const {at}) (local.get {at}))").unwrap();
    }
    code
}

fn tiles_end(live: usize) -> String {
    (1..=live).map(|at| format!("(i64.store (i32.const {at}) (local.get {at}))")).collect()
}
