//! Things that go wrong on purpose.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use noema_sdk::Address;
use noema_state::{StateView, StoreError};
use noema_vm::layout::{self, ContractRecord};
use noema_vm::{Address as VmAddress, code_hash};

use crate::TestChain;

/// Reads of the state that are still good.
#[derive(Debug)]
pub(crate) struct ReadFaults(AtomicU64);

impl ReadFaults {
    pub(crate) fn after(reads: u64) -> ReadFaults {
        ReadFaults(AtomicU64::new(reads))
    }

    fn check(&self) -> Result<(), StoreError> {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let failed =
            || StoreError::Corrupt { path: PathBuf::from("(a test)"), detail: "a read was made to fail".into() };
        left.map(|_| ()).map_err(|_| failed())
    }
}

/// A state that can be read until it fails.
pub(crate) struct Failing<'s, S> {
    pub(crate) state: &'s S,
    pub(crate) faults: Option<&'s ReadFaults>,
}

impl<S: StateView> Failing<'_, S> {
    fn check(&self) -> Result<(), StoreError> {
        self.faults.map_or(Ok(()), ReadFaults::check)
    }
}

impl<S: StateView> StateView for Failing<'_, S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.check()?;
        self.state.get(key)
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.check()?;
        self.state.scan(prefix, start, limit)
    }
}

/// What a contract does instead of its work, when it has been put in the place of another ([`TestChain::sabotage`]): the
/// other side of a call is not always honest, and not always well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Saboteur {
    /// Aborts with this code and this message.
    Aborts(u32, String),
    /// Traps: the gas that it got is gone.
    Faults,
    /// Goes on until the gas that it got is gone.
    Spins,
    /// Returns these bytes, whatever it is asked.
    Returns(Vec<u8>),
    /// Keeps whatever value comes and returns nothing.
    Swallows,
}

impl Saboteur {
    /// Its code.
    fn wasm(&self) -> Vec<u8> {
        let quoted = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let (data, body) = match self {
            Saboteur::Aborts(code, message) => {
                let code = i64::from(*code);
                let len = message.len();
                let body =
                    format!("(drop (call $abort (i32.wrap_i64 (i64.const {code})) (i32.const 0) (i32.const {len})))");
                (quoted(message.as_bytes()), body)
            }
            Saboteur::Faults => (String::new(), "unreachable".to_owned()),
            Saboteur::Spins => (String::new(), "(loop (br 0))".to_owned()),
            Saboteur::Returns(bytes) => {
                (quoted(bytes), format!("(drop (call $output (i32.const 0) (i32.const {})))", bytes.len()))
            }
            Saboteur::Swallows => (String::new(), String::new()),
        };
        let text = format!(
            r#"(module
                 (import "control" "abort" (func $abort (param i32 i32 i32) (result i64)))
                 (import "context" "output_write" (func $output (param i32 i32) (result i64)))
                 (memory (export "memory") 1 1) (data (i32.const 0) "{data}")
                 (func $body {body})
                 (export "call" (func $body)) (export "view" (func $body))
                 (export "call_reentrant" (func $body)) (export "view_reentrant" (func $body)))"#
        );
        wat::parse_str(text).expect("the text is WebAssembly")
    }
}

impl TestChain {
    /// Puts a saboteur in the place of a contract: same address, same balance, same storage, other code. Take a
    /// [snapshot](TestChain::snapshot) before, to have the contract back.
    ///
    /// # Panics
    /// Where there is no such contract, or a message is longer than a page of memory.
    pub fn sabotage(&mut self, contract: Address, saboteur: &Saboteur) {
        let code = saboteur.wasm();
        let (hash, code_len) = (code_hash(&code), u64::try_from(code.len()).unwrap_or(u64::MAX));
        let key = layout::contract_key(&VmAddress(contract.0));
        let record = self.read(&key).unwrap_or_else(|| panic!("there is no contract {contract}"));
        let record: ContractRecord = borsh::from_slice(&record).expect("the VM writes records");
        let record = ContractRecord { code_hash: hash, code_len, ..record };
        self.write([(key, Some(record.to_bytes())), (layout::code_key(&hash), Some(code))]);
    }
}
