//! A machine with a state in memory, and contracts written as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{
    Action, Address, BlockContext, Deposit, Message, Outcome, Receipt, ReceiptStatus, Shortfall, Vm, VmConfig, VmError,
    code_hash, deposit, layout,
};

pub(crate) const GAS: u64 = 1_000_000_000_000;
pub(crate) const ALICE: Address = Address([0xa1; 32]);
pub(crate) const BOB: Address = Address([0xb0; 32]);

/// What contracts in these tests begin with: imports by short names, and a page of memory.
pub(crate) const PRELUDE: &str = r#"
  (import "context" "input_read" (func $input_read (param i32 i32 i32) (result i64)))
  (import "context" "input_len" (func $input_len (result i64)))
  (import "context" "output_write" (func $output (param i32 i32) (result i64)))
  (import "context" "caller" (func $caller (param i32) (result i64)))
  (import "context" "self_address" (func $self (param i32) (result i64)))
  (import "context" "value" (func $value (param i32) (result i64)))
  (import "context" "gas_left" (func $gas_left (result i64)))
  (import "context" "balance" (func $balance (param i32 i32) (result i64)))
  (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (import "storage" "remove" (func $remove (param i32 i32) (result i64)))
  (import "storage" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i64)))
  (import "context" "deposit" (func $deposit (param i32) (result i64)))
  (import "transient" "get" (func $transient_get (param i32 i32 i32 i32) (result i64)))
  (import "transient" "set" (func $transient_set (param i32 i32 i32 i32) (result i64)))
  (import "transient" "remove" (func $transient_remove (param i32 i32) (result i64)))
  (import "event" "emit" (func $emit (param i32 i32 i32 i32) (result i64)))
  (import "call" "contract" (func $contract (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
  (import "call" "output_read" (func $output_read (param i32 i32 i32) (result i64)))
  (import "call" "transfer" (func $transfer (param i32 i32) (result i64)))
  (import "control" "abort" (func $abort (param i32 i32 i32) (result i64)))
  (import "control" "log" (func $log (param i32 i32) (result i64)))
  (import "tensor" "create" (func $tensor (param i32 i32 i32 i32 i32) (result i64)))
  (import "tensor" "read" (func $tensor_read (param i32 i32 i32) (result i64)))
  (import "tensor" "drop" (func $tensor_drop (param i32) (result i64)))
  (import "model" "open" (func $open (param i32) (result i64)))
  (import "model" "run" (func $run (param i32 i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 1)
"#;

/// A module from the fields behind the usual imports and memory.
pub(crate) fn module(fields: &str) -> Vec<u8> {
    let text = format!("(module {PRELUDE} {fields})");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{fields}"))
}

/// A module with a `call` export that does this.
pub(crate) fn calling(body: &str) -> Vec<u8> {
    module(&format!(r#"(func (export "call") {body})"#))
}

/// The same in a memory that can have all pages that a memory can.
pub(crate) fn calling_in_large(body: &str) -> Vec<u8> {
    let prelude = PRELUDE.replace(r#"(memory (export "memory") 1)"#, r#"(memory (export "memory") 1 1024)"#);
    assert_ne!(prelude, PRELUDE);
    wat::parse_str(format!(r#"(module {prelude} (func (export "call") {body}))"#)).expect("the text is well-formed")
}

pub(crate) fn machine() -> Vm {
    Vm::new(config()).expect("a machine can be set up here")
}

pub(crate) fn config() -> VmConfig {
    let kernels = Kernels::new(Level::Portable, 1).expect("the portable level is everywhere");
    VmConfig {
        concurrent_messages: 2,
        shards: 2,
        ..VmConfig::new(Arc::new(kernels), Arc::new(MemoryModelStore::new()))
    }
}

pub(crate) fn block() -> BlockContext {
    BlockContext {
        chain_id: "test".into(),
        height: 7,
        time_ms: 1_700_000_000_000,
        version: ProtocolVersion::V1,
        deposit_per_byte: 0,
    }
}

pub(crate) struct World {
    pub(crate) vm: Arc<Vm>,
    pub(crate) deposit_per_byte: u128,
    pub(crate) state: BTreeMap<Vec<u8>, Vec<u8>>,
    salt: u64,
}

impl World {
    pub(crate) fn new() -> World {
        World::on(Arc::new(machine()))
    }

    pub(crate) fn on(vm: Arc<Vm>) -> World {
        let mut world = World { vm, deposit_per_byte: 0, state: BTreeMap::new(), salt: 0 };
        world.fund(&ALICE, 1_000_000);
        world
    }

    pub(crate) fn fund(&mut self, address: &Address, balance: u128) {
        self.state.insert(layout::balance_key(address), layout::encode_balance(balance).expect("not zero"));
    }

    pub(crate) fn balance(&self, address: &Address) -> u128 {
        layout::decode_balance(self.state.get(&layout::balance_key(address)).map(Vec::as_slice)).expect("a balance")
    }

    pub(crate) fn stored(&self, contract: &Address, key: &[u8]) -> Option<&[u8]> {
        self.state.get(&layout::storage_key(contract, key)).map(Vec::as_slice)
    }

    /// Gives a contract an entry that it does not have.
    pub(crate) fn store(&mut self, contract: &Address, name: &[u8], value: &[u8]) {
        let counted = self.state.get(&layout::entries_key(contract)).map(Vec::as_slice);
        let sum = layout::decode_count(counted).expect("a count");
        let sum = sum + deposit::entry_bytes(ProtocolVersion::V1, name, value);
        self.state.insert(layout::entries_key(contract), layout::encode_count(sum).expect("not zero"));
        let before = self.state.insert(layout::storage_key(contract, name), value.to_vec());
        assert_eq!(before, None);
    }

    /// Executes without committing.
    pub(crate) fn try_execute(&self, message: &Message) -> Result<Outcome, VmError> {
        self.vm.execute(&self.state, &self.block(), message)
    }

    /// Executes and commits, and checks what must hold for every receipt.
    pub(crate) fn execute(&mut self, message: &Message) -> Outcome {
        let outcome = self.try_execute(message).expect("this node is well");
        check(message, &outcome);
        for (key, value) in &outcome.writes {
            match value {
                Some(value) => self.state.insert(key.clone(), value.clone()),
                None => self.state.remove(key),
            };
        }
        outcome
    }

    pub(crate) fn send(&mut self, sender: Address, value: u128, gas_limit: u64, action: Action) -> Outcome {
        self.execute(&Message { sender, value, gas_limit, action })
    }

    /// Deploys from Alice, without running anything that could fail.
    pub(crate) fn deploy(&mut self, code: &[u8]) -> Address {
        self.deploy_with(code, GAS)
    }

    pub(crate) fn deploy_with(&mut self, code: &[u8], gas_limit: u64) -> Address {
        self.salt += 1;
        let action = Action::Deploy { code: code.to_vec(), salt: self.salt, input: vec![] };
        let outcome = self.send(ALICE, 0, gas_limit, action);
        assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}", outcome.diagnostic);
        Address::of_contract(ALICE, self.salt, &code_hash(code))
    }

    /// The same with value.
    pub(crate) fn deploy_funded(&mut self, code: &[u8], value: u128) -> Address {
        self.salt += 1;
        let action = Action::Deploy { code: code.to_vec(), salt: self.salt, input: vec![] };
        succeeded(&self.send(ALICE, value, GAS, action));
        Address::of_contract(ALICE, self.salt, &code_hash(code))
    }

    /// Length of a contract's code.
    pub(crate) fn code_len(&self, contract: &Address) -> u64 {
        let record = self.state.get(&layout::contract_key(contract)).expect("a contract");
        let record: layout::ContractRecord = borsh::from_slice(record).expect("a record");
        record.code_len
    }

    pub(crate) fn call(&mut self, contract: Address, input: &[u8]) -> Outcome {
        self.call_with(contract, input, GAS)
    }

    pub(crate) fn call_with(&mut self, contract: Address, input: &[u8], gas_limit: u64) -> Outcome {
        self.send(ALICE, 0, gas_limit, Action::Call { contract, input: input.to_vec() })
    }

    /// Deploys and calls.
    pub(crate) fn run(&mut self, code: &[u8]) -> Outcome {
        let contract = self.deploy(code);
        self.call(contract, &[])
    }

    pub(crate) fn view(&self, contract: Address, input: &[u8]) -> Outcome {
        self.vm.view(&self.state, &self.block(), contract, input, GAS).expect("this node is well")
    }

    pub(crate) fn block(&self) -> BlockContext {
        BlockContext { deposit_per_byte: self.deposit_per_byte, ..block() }
    }

    pub(crate) fn deposit(&self, address: &Address) -> Deposit {
        Deposit::of(&self.state, &self.block(), address).expect("this node is well")
    }
}

/// What holds for every outcome.
fn check(message: &Message, outcome: &Outcome) {
    let receipt = &outcome.receipt;
    assert_eq!(receipt.gas_limit, message.gas_limit);
    assert!(receipt.gas_used() <= receipt.gas_limit);
    assert_eq!(receipt.write_hash, noema_vm::write_hash(&outcome.writes));
    assert_eq!(&Receipt::from_bytes(&receipt.to_bytes()).expect("canonical"), receipt);
    if receipt.status == ReceiptStatus::Fault {
        assert_eq!(receipt.gas_used(), receipt.gas_limit, "a fault takes the whole limit");
    }
    if receipt.status != ReceiptStatus::Success {
        assert!(outcome.writes.is_empty() && receipt.events.is_empty() && receipt.output.is_empty());
        assert!(outcome.diagnostic.is_some() || matches!(receipt.status, ReceiptStatus::Abort { .. }));
    }
}

#[track_caller]
pub(crate) fn succeeded(outcome: &Outcome) -> &Receipt {
    assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}", outcome.diagnostic);
    &outcome.receipt
}

#[track_caller]
pub(crate) fn faulted<'o>(outcome: &'o Outcome, diagnostic: &str) -> &'o Receipt {
    assert_eq!(outcome.receipt.status, ReceiptStatus::Fault, "{:?}", outcome.diagnostic);
    let why = outcome.diagnostic.as_deref().expect("a fault has a diagnostic");
    assert!(why.contains(diagnostic), "{why:?} does not contain {diagnostic:?}");
    &outcome.receipt
}

#[track_caller]
pub(crate) fn rejected(outcome: &Outcome) -> noema_vm::Rejection {
    match outcome.receipt.status {
        ReceiptStatus::Rejected { reason } => reason,
        ref other => panic!("{other:?}: {:?}", outcome.diagnostic),
    }
}

#[track_caller]
pub(crate) fn short(outcome: &Outcome) -> Shortfall {
    match outcome.receipt.status {
        ReceiptStatus::InsufficientDeposit(shortfall) => {
            assert_eq!(outcome.diagnostic, Some(shortfall.to_string()));
            shortfall
        }
        ref other => panic!("{other:?}: {:?}", outcome.diagnostic),
    }
}

/// Text that stores 32 bytes in memory.
pub(crate) fn bytes(data: &[u8]) -> String {
    data.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
