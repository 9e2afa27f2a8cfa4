//! Valid contracts that nobody has written.

mod generator;

use generator::Generator;
use noema_abi::ProtocolVersion;

use crate::cursor::Cursor;
use crate::module::deploy_and_call;

/// Gas for deploying: compiling has a price, and nothing runs.
const DEPLOY_GAS: u64 = 10_000_000_000_000;

/// The bytes are the choices of a generator of valid contracts, which use all kinds of operators and any host function.
/// The contract is deployed and called on two machines, which agree, as for [`crate::module`].
///
/// # Panics
/// Where that does not hold, or the generator makes something that is not admitted.
pub fn execute(bytes: &[u8]) {
    let code = code(bytes);
    if let Err(error) = noema_vm::admit(ProtocolVersion::LATEST, &code) {
        panic!("a generated contract is not admitted: {error}");
    }
    deploy_and_call(&code, DEPLOY_GAS);
}

fn code(bytes: &[u8]) -> Vec<u8> {
    let text = Generator::new(Cursor(bytes)).module();
    wat::parse_str(&text).unwrap_or_else(|error| panic!("a generated contract is no module: {error}\n{text}"))
}

#[cfg(test)]
mod tests {
    use noema_vm::ReceiptStatus;

    use super::{DEPLOY_GAS, code, deploy_and_call};
    use crate::Mutator;

    #[test]
    fn generated_contracts_get_somewhere() {
        let (mut succeeded, mut operators, mut hosts) = (0, 0, 0);
        for seed in 0..60 {
            let outcomes = deploy_and_call(&code(&Mutator::new(seed).bytes(1500)), DEPLOY_GAS);
            let [deployed, called] = &outcomes[..] else { panic!("it is deployed and called") };
            assert_eq!(deployed.receipt.status, ReceiptStatus::Success);
            succeeded += u32::from(called.receipt.status == ReceiptStatus::Success);
            operators += u32::from(called.receipt.gas.wasm > 200_000);
            hosts += u32::from(called.receipt.gas.tensor > 0 || called.receipt.gas.state > 0);
        }
        assert!(succeeded >= 20 && operators >= 20 && hosts >= 5, "{succeeded}, {operators}, {hosts} of 60");
    }
}
