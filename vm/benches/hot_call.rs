//! What a call costs around the code that it runs: an empty contract through the machine, against the same module,
//! not instrumented, instantiated and called on plain wasmtime with the same pool. Interleaved in one process.
//!
//! `cargo bench -p noema-vm --bench hot_call`

#![allow(clippy::disallowed_types, reason = "a bench measures time")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, ReceiptStatus, Vm, VmConfig, code_hash};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig, Store};

const ROUNDS: usize = 200;
const CALLS: usize = 50;
const GAS: u64 = 1_000_000_000_000;

/// Median nanoseconds of one call.
fn median(mut samples: Vec<u128>) -> u128 {
    samples.sort_unstable();
    samples[samples.len() / 2] / u128::try_from(CALLS).unwrap()
}

fn timed(mut work: impl FnMut()) -> u128 {
    let start = Instant::now();
    (0..CALLS).for_each(|_| work());
    start.elapsed().as_nanos()
}

fn main() {
    let code = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "call")))"#).unwrap();
    let calling = wat::parse_str(
        r#"(module (import "context" "gas_left" (func $gas (result i64))) (memory (export "memory") 1)
             (global $n (mut i32) (i32.const 1000))
             (func (export "call") (loop
               (drop (call $gas)) (global.set $n (i32.sub (global.get $n) (i32.const 1))) (br_if 0 (global.get $n)))))"#,
    )
    .unwrap();

    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let vm = Vm::new(VmConfig::new(Arc::new(kernels), Arc::new(MemoryModelStore::new()))).unwrap();
    let block = BlockContext {
        chain_id: "bench".into(),
        height: 1,
        time_ms: 1,
        version: ProtocolVersion::V1,
        deposit_per_byte: 0,
    };
    let sender = Address([1; 32]);
    let mut state = BTreeMap::new();
    let mut deploy = |code: &[u8]| {
        let action = Action::Deploy { code: code.to_vec(), salt: 0, input: vec![] };
        let outcome = vm.execute(&state, &block, &Message { sender, value: 0, gas_limit: GAS, action }).unwrap();
        assert_eq!(outcome.receipt.status, ReceiptStatus::Success);
        state.extend(outcome.writes.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Address::of_contract(sender, 0, &code_hash(code))
    };
    let (empty, host) = (deploy(&code), deploy(&calling));
    let call = |contract| {
        let action = Action::Call { contract, input: vec![] };
        let outcome = vm.execute(&state, &block, &Message { sender, value: 0, gas_limit: GAS, action }).unwrap();
        assert_eq!(outcome.receipt.status, ReceiptStatus::Success);
    };

    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(10).total_core_instances(10).max_memory_size(64 << 20).linear_memory_keep_resident(256 << 10);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, &code).unwrap();
    let pre = Linker::<()>::new(&engine).instantiate_pre(&module).unwrap();
    let raw = || {
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).unwrap();
        instance.get_typed_func::<(), ()>(&mut store, "call").unwrap().call(&mut store, ()).unwrap();
    };

    let (mut ours, mut theirs, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(timed(|| call(empty)));
        theirs.push(timed(raw));
        hosts.push(timed(|| call(host)));
    }
    let (ours, theirs, hosts) = (median(ours), median(theirs), median(hosts));
    println!("empty call through the machine  {ours:>8} ns");
    println!("empty call on plain wasmtime    {theirs:>8} ns");
    println!("1000 rounds of context.gas_left {hosts:>8} ns, {} ns each", (hosts.saturating_sub(ours)) / 1000);
}
