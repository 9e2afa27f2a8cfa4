//! A machine with a contract on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Action, Address, BlockContext, Message, Outcome, ReceiptStatus, StateView, Vm, VmConfig, code_hash};

const SENDER: Address = Address([1; 32]);

/// A machine, its state, and one contract in it.
pub struct Deployed {
    vm: Vm,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    block: BlockContext,
    deploy: Message,
    call: Message,
}

impl Deployed {
    /// A machine with the contract that this text describes.
    ///
    /// # Panics
    /// Where the text is not a contract that can be deployed and called.
    #[must_use]
    pub fn new(text: &str) -> Deployed {
        Deployed::with(text, |config| config)
    }

    /// The same on a machine of which something is set otherwise.
    ///
    /// # Panics
    /// As [`Deployed::new`].
    #[must_use]
    pub fn with(text: &str, set: impl FnOnce(VmConfig) -> VmConfig) -> Deployed {
        let deployed = Deployed::on(&wat::parse_str(text).expect("the bench brings a valid module"), set);
        let deployed = deployed.unwrap_or_else(|why| panic!("the contract of the bench is refused: {why}"));
        assert_eq!(deployed.call().receipt.status, ReceiptStatus::Success);
        deployed
    }

    /// A machine with this contract, which need not have a `call`.
    ///
    /// # Errors
    /// Why it cannot be deployed.
    ///
    /// # Panics
    /// Where the node is at fault.
    pub fn of_code(code: &[u8]) -> Result<Deployed, String> {
        Deployed::on(code, |config| config)
    }

    fn on(code: &[u8], set: impl FnOnce(VmConfig) -> VmConfig) -> Result<Deployed, String> {
        let kernels = Arc::new(Kernels::new(Level::best(), 1).expect("it is available"));
        let config = set(VmConfig::new(kernels, Arc::new(MemoryModelStore::new())));
        let vm = Vm::new(config).expect("a machine");
        let block = BlockContext {
            chain_id: "bench".into(),
            height: 1,
            time_ms: 1,
            version: ProtocolVersion::LATEST,
            deposit_per_byte: 0,
        };
        let contract = Address::of_contract(SENDER, 0, &code_hash(code));
        let message = |action| Message { sender: SENDER, value: 0, gas_limit: 1_000_000_000_000_000, action };
        let deploy = message(Action::Deploy { code: code.to_vec(), salt: 0, input: vec![] });
        let call = message(Action::Call { contract, input: vec![] });
        let mut deployed = Deployed { vm, state: BTreeMap::new(), block, deploy, call };
        let outcome = deployed.deploy_cold();
        if outcome.receipt.status != ReceiptStatus::Success {
            return Err(outcome.diagnostic.unwrap_or_else(|| format!("{:?}", outcome.receipt.status)));
        }
        deployed.state.extend(outcome.writes.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Ok(deployed)
    }

    /// Calls it, without committing what it wrote.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn call(&self) -> Outcome {
        self.vm.execute(&self.state, &self.block, &self.call).expect("this node is well")
    }

    /// Does something else here, and commits what it wrote.
    ///
    /// # Errors
    /// It does not succeed.
    ///
    /// # Panics
    /// Where the node is at fault.
    pub fn commit(&mut self, action: Action) -> anyhow::Result<()> {
        let message = Message { action, ..self.call.clone() };
        let outcome = self.vm.execute(&self.state, &self.block, &message).expect("this node is well");
        let status = outcome.receipt.status;
        anyhow::ensure!(status == ReceiptStatus::Success, "{status:?} {}", outcome.diagnostic.unwrap_or_default());
        for (key, value) in outcome.writes {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        Ok(())
    }

    /// Calls it with this input in another state, which has it.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn call_on(&self, state: &dyn StateView, input: &[u8]) -> Outcome {
        let action = Action::Call { contract: self.contract(), input: input.to_vec() };
        self.vm.execute(state, &self.block, &Message { action, ..self.call.clone() }).expect("this node is well")
    }

    /// Its address.
    #[must_use]
    pub fn contract(&self) -> Address {
        match self.call.action {
            Action::Call { contract, .. } => contract,
            _ => unreachable!("a call"),
        }
    }

    /// The state that it is in.
    #[must_use]
    pub fn state(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.state
    }

    /// The values that a call of it stores, without the machine's own accounts.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn stored(&self) -> Vec<Vec<u8>> {
        let writes = self.call().writes.into_iter();
        writes.filter(|(key, _)| key.first() == Some(&b's')).filter_map(|(_, value)| value).collect()
    }

    /// Calls it as a machine does that has just been set up.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn call_cold(&self) -> Outcome {
        self.vm.clear_module_cache();
        self.call()
    }

    /// Deploys it as on an empty chain, by a machine that has never seen the code: admission, instrumentation,
    /// compilation.
    ///
    /// # Panics
    /// Where the node is at fault.
    #[must_use]
    pub fn deploy_cold(&self) -> Outcome {
        self.vm.clear_module_cache();
        let empty: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        self.vm.execute(&empty, &self.block, &self.deploy).expect("this node is well")
    }
}
