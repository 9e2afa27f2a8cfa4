//! The same three messages in Rust.

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_host::{HostCall, Out, Reply};
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Outcome, Vm, VmConfig, code_hash};

noema_host::extension! {
    /// What the examples add, in the same row.
    mod mychain {
        /// Capitals.
        0x8001 since 1 shout(text: bytes, loud: out) -> u64 price(1_000_000, 1_000, 0);
    }
}

struct Functions;

impl mychain::Functions for Functions {
    fn shout(&self, _: &mut HostCall<'_>, text: &[u8], loud: &mut Out<'_>) -> Reply<u64> {
        Ok(loud.set(text.to_ascii_uppercase()))
    }
}

/// What the examples print of a receipt, by the name of its message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed(BTreeMap<String, (String, String)>);

impl Printed {
    /// Reads `NAME {json}`, for each of the three messages.
    pub(crate) fn read(text: &str) -> Printed {
        let mut printed = Printed::default();
        for name in ["deploy", "call", "view"] {
            let start = text.find(&format!("{name} {{")).unwrap_or_else(|| panic!("no {name} in {text}"));
            let json = &text[start + name.len()..];
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
            let json = values.next().expect("a value").expect("JSON");
            assert_eq!(json["status"], "success", "{name}: {json}");
            let field = |name: &str| json[name].as_str().expect("text").to_owned();
            printed.0.insert(name.to_owned(), (field("receipt_hash"), field("output")));
        }
        printed
    }
}

pub(crate) fn receipts() -> Printed {
    let kernels = Arc::new(Kernels::new(Level::Portable, 1).unwrap());
    let config = VmConfig::new(kernels, Arc::new(MemoryModelStore::new()));
    let vm = Vm::new(config.with_extension(mychain::extension(Functions))).unwrap();
    let mut state = BTreeMap::new();
    let block = BlockContext {
        chain_id: "mychain".into(),
        height: 1,
        time_ms: 0,
        version: ProtocolVersion::LATEST,
        deposit_per_byte: 0,
    };
    let mut first = [0; 32];
    first[0] = 1;
    let alice = Address(first);
    let gas_limit = 10_000_000_000;
    let code = std::fs::read(crate::contract_wasm()).unwrap();
    let contract = Address::of_contract(alice, 0, &code_hash(&code));
    let mut printed = Printed::default();
    let mut keep = |name: &str, outcome: &Outcome| {
        let show = |bytes: &[u8]| hex::encode(bytes);
        printed.0.insert(name.into(), (show(&outcome.receipt.hash()), show(&outcome.receipt.output)));
    };
    let actions = [
        ("deploy", Action::Deploy { code, salt: 0, input: vec![] }),
        ("call", Action::Call { contract, input: b"hello".to_vec() }),
    ];
    for (name, action) in actions {
        let outcome = vm.execute(&state, &block, &Message { sender: alice, value: 0, gas_limit, action }).unwrap();
        keep(name, &outcome);
        for (key, value) in outcome.writes {
            match value {
                Some(value) => state.insert(key, value),
                None => state.remove(&key),
            };
        }
    }
    let viewed = vm.view(&state, &block, contract, &[], gas_limit).unwrap();
    keep("view", &viewed);
    // Lengths, key and value, as `storage.scan` writes them.
    assert_eq!(viewed.receipt.output, b"\x05\0\0\0\x05\0\0\0helloHELLO");
    printed
}
