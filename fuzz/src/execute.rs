//! Valid contracts that nobody has written.

mod generator;

use generator::Generator;

use crate::cursor::Cursor;

/// The bytes are the choices of a generator of valid contracts, which use all kinds of operators and any host function.
/// The contract is deployed and called on two machines, which agree, as for [`crate::module`].
///
/// # Panics
/// Where that does not hold, or the generator makes something that is not admitted.
pub fn execute(bytes: &[u8]) {
    let code = code(bytes);
    if let Err(error) = noema_vm::admit(noema_abi::ProtocolVersion::LATEST, &code) {
        panic!("a generated contract is not admitted: {error}");
    }
    crate::module(&code);
}

fn code(bytes: &[u8]) -> Vec<u8> {
    let text = Generator::new(Cursor(bytes)).module();
    wat::parse_str(&text).unwrap_or_else(|error| panic!("a generated contract is no module: {error}\n{text}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use noema_abi::ProtocolVersion;
    use noema_model::MemoryModelStore;
    use noema_tensor::{Kernels, Level};
    use noema_vm::{Action, Address, BlockContext, Message, ReceiptStatus, Vm, VmConfig};

    use super::code;
    use crate::Mutator;

    #[test]
    fn generated_contracts_get_somewhere() {
        let kernels = Arc::new(Kernels::new(Level::Portable, 1).unwrap());
        let vm = Vm::new(VmConfig::new(kernels, Arc::new(MemoryModelStore::new()))).unwrap();
        let block = BlockContext { chain_id: "fuzz".into(), height: 1, time_ms: 1, version: ProtocolVersion::LATEST };
        let state: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let (mut succeeded, mut hosts) = (0, 0);
        for seed in 0..100 {
            let code = code(&Mutator::new(seed).bytes(1500));
            // `init` runs what `call` runs.
            let action = Action::Deploy { code, salt: 0, input: vec![] };
            let message = Message { sender: Address([1; 32]), value: 0, gas_limit: 10_000_000_000_000, action };
            let outcome = vm.execute(&state, &block, &message).unwrap();
            succeeded += u32::from(outcome.receipt.status == ReceiptStatus::Success);
            hosts += u32::from(outcome.receipt.gas.tensor > 0 || outcome.receipt.gas.state > 200_000_000);
        }
        assert!(succeeded >= 30, "{succeeded} of 100 run to their end");
        println!("{succeeded} of 100 run to their end, {hosts} use state or tensors");
    }
}
