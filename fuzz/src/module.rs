//! Modules that nobody has looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Outcome, ReceiptStatus, Vm, VmConfig, admit, code_hash};

const SENDER: Address = Address([7; 32]);
/// Two hundredths of a second of the reference machine: as much as a fuzzer has patience for.
const GAS: u64 = 20_000_000_000;

/// Two machines that could differ: their own caches, another kernel level.
fn machines() -> &'static [Vm; 2] {
    static MACHINES: OnceLock<[Vm; 2]> = OnceLock::new();
    MACHINES.get_or_init(|| {
        [Level::Portable, Level::best()].map(|level| {
            let kernels = Arc::new(Kernels::new(level, 1).expect("it is available"));
            let config = VmConfig::new(kernels, Arc::new(MemoryModelStore::new()));
            Vm::new(VmConfig { concurrent_messages: 1, ..config }).expect("a machine can be set up here")
        })
    })
}

/// Admission answers. What it admits is deployed and called on two machines, which agree on every
/// receipt and every write and never report a fault of the node.
///
/// # Panics
/// Where that does not hold.
pub fn module(bytes: &[u8]) {
    let admitted = admit(ProtocolVersion::LATEST, bytes).is_ok();
    assert_eq!(deploy_and_call(bytes, GAS).len() > 1, admitted, "deploying and admission disagree");
}

/// Does so on two machines, which agree.
pub(crate) fn deploy_and_call(code: &[u8], deploy_gas: u64) -> Vec<Outcome> {
    let [first, second] = machines().each_ref().map(|vm| run(vm, code, deploy_gas));
    assert_eq!(first, second, "two machines disagree");
    first
}

/// Deploys and, where there is a contract then, calls it.
fn run(vm: &Vm, code: &[u8], deploy_gas: u64) -> Vec<Outcome> {
    let block = BlockContext {
        chain_id: "fuzz".into(),
        height: 1,
        time_ms: 1,
        version: ProtocolVersion::LATEST,
        deposit_per_byte: 0,
    };
    let mut state: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut outcomes = Vec::new();
    let contract = Address::of_contract(SENDER, 0, &code_hash(code));
    let actions = [
        Action::Deploy { code: code.to_vec(), salt: 0, input: vec![] },
        Action::Call { contract, input: b"input".to_vec() },
    ];
    for action in actions {
        let gas_limit = if outcomes.is_empty() { deploy_gas } else { GAS };
        let message = Message { sender: SENDER, value: 0, gas_limit, action };
        let outcome = vm.execute(&state, &block, &message).expect("no code is a fault of the node");
        let writes = outcome.writes.clone();
        let rejected = outcomes.is_empty() && matches!(outcome.receipt.status, ReceiptStatus::Rejected { .. });
        // What a node says about a call is its own, not part of the comparison.
        outcomes.push(Outcome { diagnostic: None, logs: vec![], ..outcome });
        if rejected {
            break;
        }
        for (key, value) in writes {
            match value {
                Some(value) => state.insert(key, value),
                None => state.remove(&key),
            };
        }
    }
    outcomes
}
