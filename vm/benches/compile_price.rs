//! Whether what compiling costs in gas covers what it takes: processor time of deploying modules that are unpleasant for
//! compilers, against the price. Above 1.00 the price is too low on this computer.
//!
//! `cargo bench -p noema-vm --bench compile_price`

#![allow(clippy::disallowed_types, reason = "a bench measures time")]

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Vm, VmConfig};

/// Nanoseconds that this thread has run (Linux).
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this bench needs Linux");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number")
}

fn module(fields: String) -> String {
    format!(r#"(module (memory (export "memory") 1) {fields})"#)
}

fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

fn cases() -> Vec<(&'static str, String)> {
    let locals = |count: usize| format!("(local {})", "i64 ".repeat(count));
    let functions: String = (0..8000).map(|index| format!("(func $f{index})")).collect();
    let references: String = (0..8000).map(|index| format!("$f{index} ")).collect();
    let types: String = (0..2000)
        .map(|index: usize| {
            let params: String =
                (0..64).map(|bit| if index >> (bit % 12) & 1 == 0 { "i32 " } else { "f64 " }).collect();
            format!("(type (func (param {params}) (result i32)))")
        })
        .collect();
    let nested_loops = |depth: usize, count: usize| {
        let open: String = (0..depth)
            .map(|at| {
                format!("(loop (local.set {} (i64.add (local.get {}) (i64.const 1)))", at % count, at * 3 % count)
            })
            .collect();
        let body: String = (0..count)
            .map(|at| format!("(local.set {at} (i64.add (local.get {at}) (local.get {})))", (at + 1) % count))
            .collect();
        let close: String = (0..depth).map(|at| format!("(br_if 0 (i64.eqz (local.get {}))))", at % count)).collect();
        module(format!("(func {} {open} {body} {close})", locals(count)))
    };
    let mut next = numbers(1);
    let selects: String = (0..13_000)
        .map(|_| {
            format!(
                "(local.set {} (select (local.get {}) (i64.rotl (local.get {}) (local.get {})) (i64.lt_s (local.get {}) (local.get {}))))",
                next(60), next(60), next(60), next(60), next(60), next(60)
            )
        })
        .collect();
    let ifs: String = (0..1900)
        .map(|_| {
            format!("(if (i64.eqz (local.get {})) (then (local.set {} (i64.const {}))))", next(250), next(250), next(9))
        })
        .collect();
    vec![
        ("8000 functions", module(functions.clone())),
        (
            "8000 functions in a table",
            module(format!("(table 8000 funcref) {functions} (elem (i32.const 0) func {references})")),
        ),
        ("2000 types", module(types)),
        (
            "65,000 divisions",
            module(format!(
                "(func (param i64) (result i64) (local.get 0) {})",
                "(i64.div_s (local.get 0))".repeat(65_000)
            )),
        ),
        (
            "65,000 calls",
            module(format!("(func $f (param i64) (result i64) (local.get 0) {})", "(call $f)".repeat(65_000))),
        ),
        (
            "8000 calls with 8 results",
            module(format!(
                "(func $f (param {0}) (result {0}) {1} {2})",
                "i64 ".repeat(8),
                "(local.get 0)".repeat(8),
                "(call $f)".repeat(8000)
            )),
        ),
        ("4000 branches", module(format!("(func (param i32) {})", "(br_if 0 (local.get 0))".repeat(4000)))),
        ("1900 ifs, 250 locals", module(format!("(func {} {ifs})", locals(250)))),
        ("64 nested loops, 1000 locals", nested_loops(64, 1000)),
        ("32 nested loops, 2000 locals", nested_loops(32, 2000)),
        ("13,000 selections", module(format!("(func {} {selects})", locals(60)))),
    ]
}

fn main() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let vm = Vm::new(VmConfig::new(Arc::new(kernels), Arc::new(MemoryModelStore::new()))).unwrap();
    let block = BlockContext {
        chain_id: "bench".into(),
        height: 1,
        time_ms: 1,
        version: ProtocolVersion::V1,
        deposit_per_byte: 0,
    };
    let state: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (name, text) in cases() {
        let code = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = code.len();
        let action = Action::Deploy { code, salt: 0, input: vec![] };
        let message = Message { sender: Address([1; 32]), value: 0, gas_limit: u64::MAX, action };
        let before = processor_time();
        let outcome = vm.execute(&state, &block, &message).unwrap();
        let took = processor_time() - before;
        let price = outcome.receipt.gas.code / 1000;
        println!(
            "{name:<30} {bytes:>7} bytes  took {:>6} ms  price {:>6} ms  ratio {:>5.2} {}",
            took / 1_000_000,
            price / 1_000_000,
            took as f64 / price as f64,
            outcome.diagnostic.unwrap_or_default()
        );
    }
}
