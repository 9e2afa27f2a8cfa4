//! From a message to a receipt.
//!
//! ```text
//! Vm::execute -> own stack, panics caught -> message.rs   intrinsic gas, then the action
//!                                            models.rs    actions on models
//!                                            frame.rs     one contract in one instance
//!                                            host.rs      what host functions ask of the frame
//!                                            observe.rs   who watches, and changes nothing
//!                                            transaction.rs  what all frames of a message share
//!                                            core.rs      what all messages share
//! ```

mod core;
mod frame;
mod host;
mod message;
mod models;
pub(crate) mod observe;
mod state;
mod transaction;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use noema_abi::ProtocolVersion;
use noema_host::Extension;
use noema_model::ModelStore;
use noema_state::{StateView, WriteSet};
use noema_tensor::Kernels;

pub(crate) use self::core::Core;
use self::core::Shards;
pub(crate) use frame::Frame;
pub use message::intrinsic_gas;
pub use observe::{FrameEnd, FrameStart, HostCallEnd, Observer, Place};

use crate::admission::{AdmissionError, Admitted, admit_with};
use crate::engine::{self, ArtifactCache, CompilerProcess, EngineKind, Stacks, float_state};
use crate::error::panic_text;
use crate::identity;
use crate::journal::Journal;
use crate::rules::Rules;
use crate::{Address, BlockContext, Message, Receipt, VmError};

/// What a [`Vm`] is made of.
#[derive(Clone)]
pub struct VmConfig {
    /// What computes tensors.
    pub kernels: Arc<Kernels>,
    /// Where this node keeps the bytes of models.
    pub models: Arc<dyn ModelStore>,
    /// Compiled code that is kept in memory, in bytes of machine code.
    pub module_cache_bytes: u64,
    /// Where compiled code is kept on disk, so that a node that starts again need not compile; nowhere, if `None`. No
    /// receipt depends on it, and nothing is executed that this node has not compiled itself.
    pub artifacts: Option<ArtifactCache>,
    /// What compiles contracts, with limits that this process could not set for itself; this process, if `None`. No receipt
    /// depends on it: a module that is not compiled within the limits is interpreted.
    pub compiler_process: Option<CompilerProcess>,
    /// How many messages run at a time; more wait. For each, address space for the deepest nesting of calls is
    /// reserved: about 40 GiB of it, and no memory.
    pub concurrent_messages: u32,
    /// Pools of instances that messages are divided among. Threads on one pool wait for each other at every call; each pool has
    /// compiled code of its own, and a part of `module_cache_bytes`.
    pub shards: u32,
    /// What runs contracts. Receipts do not depend on it.
    pub engine: EngineKind,
    /// Host functions of the chain's own. They are part of its rules: equal on all nodes.
    pub extensions: Vec<Extension>,
}

impl VmConfig {
    /// Kernels and a model store, with Cranelift, 256 MiB of compiled code, 4 messages at a time and as many pools for them as there are
    /// processors.
    #[must_use]
    pub fn new(kernels: Arc<Kernels>, models: Arc<dyn ModelStore>) -> VmConfig {
        VmConfig {
            kernels,
            models,
            module_cache_bytes: 256 * 1024 * 1024,
            artifacts: None,
            compiler_process: None,
            concurrent_messages: 4,
            shards: std::thread::available_parallelism()
                .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1).min(4)),
            engine: EngineKind::default(),
            extensions: Vec::new(),
        }
    }

    /// Adds host functions of the chain's own: a table made with [`noema_host::extension!`].
    #[must_use]
    pub fn with_extension(mut self, extension: Extension) -> VmConfig {
        self.extensions.push(extension);
        self
    }
}

/// The virtual machine. It holds no chain state: a message is executed on a view of the state, and what it changes
/// comes back as a write set. `Send` and `Sync`: threads may share one.
pub struct Vm {
    shards: Shards,
    /// The same with the interpreter, from the first time that compiled code needs more native stack than there is.
    interpreting: OnceLock<Arc<Core>>,
    stacks: Stacks,
}

/// What a message did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Equal on every node.
    pub receipt: Receipt,
    /// What changes in the state. Empty unless the receipt says `Success`.
    pub writes: WriteSet,
    /// Keys whose values in the state the result depends on.
    pub reads: BTreeSet<Vec<u8>>,
    /// Prefix and start of every scan of the state that the result depends on.
    pub scans: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// What contracts logged. Local to this node.
    pub logs: Vec<String>,
    /// More about an outcome that is no success. Local to this node: the words may differ between nodes.
    pub diagnostic: Option<String>,
}

impl Vm {
    /// Sets up a machine.
    ///
    /// # Errors
    /// [`VmError::Engine`] where the engine cannot be set up on this computer, [`VmError::Extension`] where an
    /// extension takes a name that is taken, or is no proper table.
    pub fn new(config: VmConfig) -> Result<Vm, VmError> {
        let concurrent = config.concurrent_messages.max(1);
        let shards = Shards::new(config)?;
        let stacks = engine::stacks(&Rules::of(ProtocolVersion::LATEST).machine, concurrent, shards.iter().count());
        Ok(Vm { shards, interpreting: OnceLock::new(), stacks })
    }

    /// Executes a message on a view of the state.
    ///
    /// # Errors
    /// This node's own faults. There is no outcome then, and the next message must not be executed as if there were.
    pub fn execute(&self, state: &dyn StateView, block: &BlockContext, message: &Message) -> Result<Outcome, VmError> {
        self.run(state, |core| message::execute(core, block, message))
    }

    /// Runs the `view` export of a contract, which can change nothing: `writes` and `events` are empty. The caller is
    /// the zero address.
    ///
    /// # Errors
    /// This node's own faults.
    pub fn view(
        &self,
        state: &dyn StateView,
        block: &BlockContext,
        contract: Address,
        input: &[u8],
        gas_limit: u64,
    ) -> Result<Outcome, VmError> {
        self.run(state, |core| message::view(core, block, contract, input, gas_limit))
    }

    /// As [`Vm::execute`], and tells an observer what happens meanwhile. Outcome and receipt are the same as without one.
    ///
    /// # Errors
    /// As [`Vm::execute`].
    pub fn execute_observed(
        &self,
        state: &dyn StateView,
        block: &BlockContext,
        message: &Message,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, VmError> {
        observe::lend(observer, || self.execute(state, block, message))
    }

    /// As [`Vm::view`], and tells an observer what happens meanwhile.
    ///
    /// # Errors
    /// As [`Vm::view`].
    pub fn view_observed(
        &self,
        state: &dyn StateView,
        block: &BlockContext,
        contract: Address,
        input: &[u8],
        gas_limit: u64,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, VmError> {
        observe::lend(observer, || self.view(state, block, contract, input, gas_limit))
    }

    /// Checks a module as deploying it would: like [`crate::admit`], and it may import host functions of the
    /// extensions.
    ///
    /// # Errors
    /// The first rule that the module breaks.
    pub fn admit(&self, version: ProtocolVersion, wasm: &[u8]) -> Result<Admitted, AdmissionError> {
        admit_with(version, &self.shards.first().extensions, wasm)
    }

    /// A hash of all that decides receipts in a version: the version, the table of host functions and those of the
    /// extensions, each row with its id, types and price. Nodes with different ones are not nodes of one chain, so it
    /// belongs into a genesis or a handshake. It cannot see what the functions of an extension do.
    #[must_use]
    pub fn rules_hash(&self, version: ProtocolVersion) -> [u8; 32] {
        identity::rules_hash(version, &self.shards.first().extensions_hash)
    }

    /// Compiles code that the state has, unless that is done, and keeps it in memory until [`Vm::unpin`], whatever else runs; it does
    /// not count as part of `module_cache_bytes`. For contracts that must always be quick. No receipt changes by it.
    ///
    /// # Errors
    /// This node's own faults: the state has no such code, or it cannot be read.
    pub fn pin(&self, state: &dyn StateView, version: ProtocolVersion, code_hash: &[u8; 32]) -> Result<(), VmError> {
        for core in self.shards.iter() {
            // First, so that it cannot go again in between.
            core.pin(core.key(version, code_hash));
            let loaded = self.on_stack(state, |_| core.load(version, code_hash, &Journal::default()));
            loaded.map(|_| ()).inspect_err(|_| self.unpin(version, code_hash))?;
        }
        Ok(())
    }

    /// Takes back [`Vm::pin`].
    pub fn unpin(&self, version: ProtocolVersion, code_hash: &[u8; 32]) {
        self.shards.iter().for_each(|core| core.unpin(&core.key(version, code_hash)));
    }

    /// Throws all compiled code away, as if the machine had just been set up. No receipt changes by it.
    pub fn clear_module_cache(&self) {
        self.shards.iter().for_each(|core| core.clear());
    }

    /// Runs a message. Where compiled code meets the end of the native stack, which the sizes should make impossible, nothing of it
    /// counts and the message begins again on the interpreter, whose stack is as large as the rules can ask for.
    fn run<T>(&self, state: &dyn StateView, work: impl Fn(&Arc<Core>) -> Result<T, VmError>) -> Result<T, VmError> {
        let work = |core: &Arc<Core>| {
            observe::begin();
            work(core)
        };
        let result = self.on_stack(state, |number| work(self.shards.of(number)));
        match result {
            Err(VmError::NativeStack { depth }) if self.shards.first().machinery.compiles() => {
                tracing::error!(depth, "compiled code has overflowed the native stack; this message is interpreted");
                let core = self.interpreting()?;
                self.on_stack(state, |_| work(core))
            }
            result => result,
        }
    }

    fn interpreting(&self) -> Result<&Arc<Core>, VmError> {
        if let Some(core) = self.interpreting.get() {
            return Ok(core);
        }
        let core = Arc::new(self.shards.first().interpreting()?);
        Ok(self.interpreting.get_or_init(|| core))
    }

    /// Runs on a stack of our own, of which the work is told the number, with the state lent to the thread, and with panics caught.
    fn on_stack<T>(&self, state: &dyn StateView, work: impl FnOnce(usize) -> Result<T, VmError>) -> Result<T, VmError> {
        self.stacks.run(|number| {
            let work = || work(number);
            catch_unwind(AssertUnwindSafe(|| float_state::with_default(|| state::lend(state, work))))
                .unwrap_or_else(|panic| Err(VmError::Panic(panic_text(panic.as_ref()).to_owned())))
        })?
    }
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm").finish_non_exhaustive()
    }
}
