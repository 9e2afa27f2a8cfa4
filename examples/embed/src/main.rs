//! The smallest chain around the virtual machine: a map, and one host function of its own.

use std::{collections::BTreeMap, sync::Arc};

use noema_abi::ProtocolVersion;
use noema_host::{HostCall, Out, Reply};
use noema_model::MemoryModelStore;
use noema_state::{StateView, StoreError};
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Receipt, Vm, VmConfig, code_hash};

noema_host::extension! {
    /// What this chain adds to the table of host functions.
    mod mychain {
        /// Copies `text` in capitals into `loud`; returns its length.
        0x8001 since 1 shout(text: bytes, loud: out) -> u64 price(1_000_000, 1_000, 0);
    }
}

struct Functions;

impl mychain::Functions for Functions {
    fn shout(&self, _: &mut HostCall<'_>, text: &[u8], loud: &mut Out<'_>) -> Reply<u64> {
        Ok(loud.set(text.to_ascii_uppercase()))
    }
}

/// The chain's own map.
struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

impl StateView for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).cloned())
    }
    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let from = prefix.max(start).to_vec();
        let entries = self.0.range(from..).take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// Executes one message and commits what it changes.
fn execute(vm: &Vm, state: &mut Map, action: Action) -> Result<Receipt, Box<dyn std::error::Error>> {
    let block = BlockContext {
        chain_id: "mychain".into(),
        height: 1,
        time_ms: 0,
        version: ProtocolVersion::LATEST,
        deposit_per_byte: 0,
    };
    let message = Message { sender: Address([1; 32]), value: 0, gas_limit: 10_000_000_000, action };
    let outcome = vm.execute(state, &block, &message)?; // an error is this node's own fault: stop
    for (key, value) in outcome.writes {
        match value {
            Some(value) => state.0.insert(key, value),
            None => state.0.remove(&key),
        };
    }
    Ok(outcome.receipt)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernels = Arc::new(Kernels::new(Level::best(), 1)?); // runs its known-answer test first
    let config = VmConfig::new(kernels, Arc::new(MemoryModelStore::new()));
    let vm = Vm::new(config.with_extension(mychain::extension(Functions)))?;
    let mut state = Map(BTreeMap::new());
    let code = wat::parse_str(
        r#"(module
             (import "mychain" "shout" (func $shout (param i32 i32 i32 i32) (result i64)))
             (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (memory (export "memory") 1) (data (i32.const 0) "hello")
             (func (export "call")
               (drop (call $shout (i32.const 0) (i32.const 5) (i32.const 8) (i32.const 5)))
               (drop (call $output (i32.const 8) (i32.const 5)))))"#,
    )?;
    let contract = Address::of_contract(Address([1; 32]), 0, &code_hash(&code));
    execute(&vm, &mut state, Action::Deploy { code, salt: 0, input: vec![] })?;
    let receipt = execute(&vm, &mut state, Action::Call { contract, input: vec![] })?;
    assert_eq!(receipt.output, b"HELLO");
    println!("{receipt:#?}");
    Ok(())
}
