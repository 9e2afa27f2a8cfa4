//! What the benches share: a machine with a contract on it, and the screening model.
//!
//! `cargo bench -p noema-bench` runs them. Quote ratios between rows of one run, not times: machines
//! differ, and so do two minutes on one machine.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_import::{ImportError, ImportOptions, Table, import_onnx};
use noema_model::{MemoryModelStore, Model};
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Outcome, ReceiptStatus, Vm, VmConfig, code_hash};

const SENDER: Address = Address([1; 32]);

/// A machine, its state, and one contract in it.
pub struct Deployed {
    vm: Vm,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    block: BlockContext,
    call: Message,
}

impl Deployed {
    /// A machine with the contract that this text describes.
    ///
    /// # Panics
    /// Where the text is not a contract that can be deployed and called.
    #[must_use]
    pub fn new(text: &str) -> Deployed {
        let code = wat::parse_str(text).expect("the bench brings a valid module");
        let kernels = Arc::new(Kernels::new(Level::best(), 1).expect("it is available"));
        let vm = Vm::new(VmConfig::new(kernels, Arc::new(MemoryModelStore::new()))).expect("a machine");
        let block = BlockContext { chain_id: "bench".into(), height: 1, time_ms: 1, version: ProtocolVersion::LATEST };
        let contract = Address::of_contract(SENDER, 0, &code_hash(&code));
        let message = |action| Message { sender: SENDER, value: 0, gas_limit: 1_000_000_000_000, action };
        let deploy = message(Action::Deploy { code, salt: 0, input: vec![] });
        let call = message(Action::Call { contract, input: vec![] });
        let mut deployed = Deployed { vm, state: BTreeMap::new(), block, call };
        let writes = deployed.vm.execute(&deployed.state, &deployed.block, &deploy).expect("this node is well").writes;
        deployed.state.extend(writes.into_iter().filter_map(|(key, value)| Some((key, value?))));
        assert_eq!(deployed.call().receipt.status, ReceiptStatus::Success);
        deployed
    }

    /// Calls it, without committing what it wrote.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn call(&self) -> Outcome {
        self.vm.execute(&self.state, &self.block, &self.call).expect("this node is well")
    }
}

/// The screening model of the examples.
///
/// # Errors
/// The importer's, which would be a defect of this repository.
pub fn screening_model() -> Result<Model, ImportError> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/screening/model");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).expect("it lies beside the examples");
    let calibration = Table::read_csv(&read("calibration.csv")[..])?.rows;
    let options = ImportOptions { calibration, ..ImportOptions::new("screening", "CC-BY-4.0") };
    let imported = import_onnx(&read("screening.onnx"), &options)?;
    Ok(Model::from_bytes(imported.container).expect("the importer makes models"))
}
