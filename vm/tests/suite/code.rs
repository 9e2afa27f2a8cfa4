//! Code that is deployed: what is refused, what it costs, and that the cache of compiled code is invisible.

use noema_vm::{Action, ReceiptStatus, Rejection, VmConfig, VmError, code_hash, layout};
use std::sync::Arc;

use super::world::{ALICE, GAS, World, calling, config, module, rejected, succeeded};

fn deploy(code: &[u8]) -> Action {
    Action::Deploy { code: code.to_vec(), salt: 0, input: vec![] }
}

#[test]
fn what_is_not_admitted_is_refused_with_its_reason_and_its_price() {
    let mut world = World::new();
    let wat = |text: &str| wat::parse_str(text).unwrap();
    for (code, reason) in [
        (b"not wasm".to_vec(), "magic"),
        (vec![], "unexpected"),
        (wat(r#"(module (memory (export "memory") 1) (func (atomic.fence)))"#), "AtomicFence"),
        (wat(r#"(module (memory (export "memory") i64 1))"#), "memory64"),
        (wat(r#"(module (import "env" "now" (func)) (memory (export "memory") 1))"#), "no such host function"),
        (wat(r#"(module (memory (export "memory") 1) (func $s) (start $s))"#), "start"),
        (wat("(module)"), "memory"),
    ] {
        let before = world.state.clone();
        let outcome = world.send(ALICE, 3, GAS, deploy(&code));
        assert_eq!(rejected(&outcome), Rejection::Inadmissible);
        let diagnostic = outcome.diagnostic.unwrap();
        assert!(diagnostic.contains(reason), "{diagnostic}");
        assert_eq!(world.state, before);
        // It has been looked at, and that is paid by its size.
        assert!(outcome.receipt.gas.code > 0 || code.is_empty());
        assert!(outcome.receipt.gas_used() < GAS);
    }
}

#[test]
fn code_is_paid_for_before_it_is_looked_at() {
    let mut world = World::new();
    let outcome = world.send(ALICE, 0, 100_000_000, deploy(&vec![0; 1_000_000]));
    assert_eq!(outcome.receipt.status, ReceiptStatus::Fault);
    assert_eq!(outcome.receipt.gas.code, 0);
}

#[test]
fn segments_outside_memory_and_tables_are_faults() {
    let mut world = World::new();
    for fields in [
        r#"(data (i32.const 65534) "abcd")"#,
        r#"(data (i32.const -1) "a")"#,
        "(table 1 funcref) (func $f) (elem (i32.const 1) func $f)",
    ] {
        let contract = world.deploy(&module(&format!(r#"{fields} (func (export "call"))"#)));
        let outcome = world.call(contract, &[]);
        assert_eq!(outcome.receipt.status, ReceiptStatus::Fault, "{fields}");
    }
}

#[test]
fn the_cache_is_invisible() {
    // Room for nothing: every call compiles.
    let cold = Arc::new(noema_vm::Vm::new(VmConfig { module_cache_bytes: 0, ..config() }).unwrap());
    let mut worlds = [World::new(), World::on(cold), World::new()];
    let code = calling(r#"(drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)))"#);
    let mut outcomes = Vec::new();
    for (index, world) in worlds.iter_mut().enumerate() {
        let contract = world.deploy(&code);
        if index == 2 {
            world.vm.clear_module_cache();
        }
        outcomes.push([world.call(contract, &[]), world.call(contract, &[])]);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
}

#[test]
fn code_thrown_out_of_the_cache_while_it_runs_goes_on() {
    // A cache for one module, and two contracts that call each other in a row.
    let vm = Arc::new(noema_vm::Vm::new(VmConfig { module_cache_bytes: 1, ..config() }).unwrap());
    let mut world = World::on(vm);
    let inner = world.deploy(&calling("(drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))"));
    let outer = world.deploy(&module(&format!(
        r#"(data (i32.const 0) "{}") (func $once (drop (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
           (func (export "call") (call $once) (call $once) (drop (call $output (i32.const 0) (i32.const 32))))"#,
        super::world::bytes(&inner.0)
    )));
    assert_eq!(succeeded(&world.call(outer, &[])).output, inner.0);
}

#[test]
fn a_state_without_its_code_stops_this_node() {
    let mut world = World::new();
    let code = calling("nop");
    let contract = world.deploy(&code);
    world.vm.clear_module_cache();
    world.state.remove(&layout::code_key(&code_hash(&code)));
    let message =
        noema_vm::Message { sender: ALICE, value: 0, gas_limit: GAS, action: Action::Call { contract, input: vec![] } };
    assert!(matches!(world.try_execute(&message), Err(VmError::CorruptState { .. })));
    // Nothing of it was remembered: with the code back, all is well.
    world.state.insert(layout::code_key(&code_hash(&code)), code);
    succeeded(&world.execute(&message));
    world.state.insert(layout::contract_key(&contract), b"garbage".to_vec());
    assert!(matches!(world.try_execute(&message), Err(VmError::CorruptState { .. })));
}
