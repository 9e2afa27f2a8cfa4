//! What the shim needs from the vm, and what it needs from the engine.

use std::sync::Arc;

use noema_abi::{HostFunction, ProtocolVersion, Status};
use noema_model::{Extent, Model};
use noema_tensor::Kernels;

use crate::{GasClass, Stop, TensorTable};

/// Through which entry point the running contract was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// `init`, once, when the contract is deployed.
    Init,
    /// `call`
    Call,
    /// `view`
    View,
    /// `migrate`, once for each new code.
    Migrate,
    /// `call_reentrant`: instead of `call`, where the contract is running already.
    CallReentrant,
    /// `view_reentrant`: instead of `view`, where the contract is running already.
    ViewReentrant,
}

impl CallKind {
    /// Every kind.
    pub const ALL: [CallKind; 6] = [
        CallKind::Init,
        CallKind::Call,
        CallKind::View,
        CallKind::Migrate,
        CallKind::CallReentrant,
        CallKind::ViewReentrant,
    ];

    /// The export that is its entry point.
    ///
    /// ```
    /// use noema_host::CallKind;
    /// assert_eq!(CallKind::CallReentrant.export(), "call_reentrant");
    /// ```
    #[must_use]
    pub const fn export(self) -> &'static str {
        match self {
            CallKind::Init => "init",
            CallKind::Call => "call",
            CallKind::View => "view",
            CallKind::Migrate => "migrate",
            CallKind::CallReentrant => "call_reentrant",
            CallKind::ViewReentrant => "view_reentrant",
        }
    }
}

/// The fixed facts of one call.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// Who called: a contract, or the sender of the transaction.
    pub caller: [u8; 32],
    /// The running contract.
    pub self_address: [u8; 32],
    /// The native value that came with the call.
    pub value: u128,
    /// The input of the call.
    pub input: Arc<[u8]>,
    /// Height of the block.
    pub height: u64,
    /// Time of the block in milliseconds since the Unix epoch, as written in the block.
    pub time_ms: u64,
    /// The chain id.
    pub chain_id: Arc<str>,
    /// The entry point.
    pub kind: CallKind,
    /// Whether changes are forbidden: in a view, and in every call made by a view.
    pub read_only: bool,
}

/// The running frame, implemented by the vm: the only way from a host function back into it.
///
/// The shim has already charged for an effect, checked every guest range and checked the documented
/// limits of keys, values and data when it calls one of these. It has *not* checked what only the vm
/// knows: balances, depth, reentrancy, the number of events, the bytes written so far.
pub trait HostContext {
    /// Takes gas from the frame.
    ///
    /// # Errors
    /// [`Stop::OutOfGas`] where less is left.
    fn charge(&mut self, class: GasClass, gas: u64) -> Result<(), Stop>;
    /// Gas left in the frame.
    fn gas_left(&self) -> u64;
    /// The version of the block being executed.
    fn version(&self) -> ProtocolVersion;
    /// The facts of the running call.
    fn call_info(&self) -> &CallInfo;
    /// Sets the return data; the last one counts.
    fn set_output(&mut self, data: Vec<u8>);

    /// The native balance of an address.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn balance(&mut self, address: &[u8; 32]) -> Result<u128, Stop>;
    /// Moves native value from the running contract. The status is `InsufficientBalance`.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn transfer(&mut self, to: &[u8; 32], value: u128) -> Result<Result<(), Status>, Stop>;

    /// The value under a key of the running contract.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn storage_get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop>;
    /// The length of that value.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn storage_len(&mut self, key: &[u8]) -> Result<Option<u64>, Stop>;
    /// Writes a value under a key of the running contract. `before` is what [`storage_len`](Self::storage_len) has just said of
    /// the key, so that it is not looked up twice. The status is `LimitExceeded`, above `MAX_WRITTEN_BYTES`.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn storage_set(&mut self, key: &[u8], value: &[u8], before: Option<u64>) -> Result<Result<(), Status>, Stop>;
    /// Removes a key of the running contract, which is there with a value of this length.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn storage_remove(&mut self, key: &[u8], before: u64) -> Result<(), Stop>;
    /// The first `limit` entries of the running contract whose key starts with `prefix` and is not
    /// below `start`, ascending by key.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    #[allow(clippy::type_complexity, reason = "entries of key and value")]
    fn storage_scan(&mut self, prefix: &[u8], start: &[u8], limit: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Stop>;

    /// Bytes that the running contract keeps, and the deposit for them.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn deposit(&mut self) -> Result<(u64, u128), Stop>;

    /// The transient value under a key of the running contract.
    fn transient_get(&self, key: &[u8]) -> Option<&[u8]>;
    /// Writes a transient value under a key of the running contract. `LimitExceeded`, above `MAX_TRANSIENT_BYTES` or
    /// `MAX_WRITTEN_BYTES`.
    ///
    /// # Errors
    /// [`Stop::Fault`] in a view.
    fn transient_set(&mut self, key: &[u8], value: &[u8]) -> Result<Result<(), Status>, Stop>;
    /// Removes a transient value of the running contract; whether it was there.
    ///
    /// # Errors
    /// [`Stop::Fault`] in a view.
    fn transient_remove(&mut self, key: &[u8]) -> Result<bool, Stop>;

    /// Adds an event. The status is `LimitExceeded`, above `MAX_EVENTS`.
    ///
    /// # Errors
    /// [`Stop::Node`] where the vm fails.
    fn emit(&mut self, topic: &[u8], data: &[u8]) -> Result<Result<(), Status>, Stop>;
    /// Writes a line to the log of this node. It cannot fail and changes nothing.
    fn log(&mut self, message: &[u8]);

    /// Bytes of code of a contract, for the price of calling it; `None` where there is none.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn contract_code_len(&mut self, target: &[u8; 32]) -> Result<Option<u64>, Stop>;
    /// Calls a contract with at most `gas` and sets [`HostContext::last_output`], also where the
    /// called contract aborted (then to its code, as four little-endian bytes, and its message).
    ///
    /// # Errors
    /// [`Stop::Node`] where the vm fails; never the fault of the called contract, which is a status.
    fn call_contract(
        &mut self,
        target: &[u8; 32],
        value: u128,
        gas: u64,
        input: &[u8],
    ) -> Result<Result<(), Status>, Stop>;
    /// Return data of the last call that this frame made; empty before the first.
    fn last_output(&self) -> &[u8];

    /// Handles of the running frame. Its bytes stay reserved ([`HostContext::reserve_memory`]) until
    /// the shim drops a handle; when the frame ends, the vm releases [`TensorTable::bytes`].
    fn tensors(&mut self) -> &mut TensorTable;
    /// The kernels of this node.
    fn kernels(&self) -> &Kernels;
    /// Takes bytes from what tensors and model arenas of the transaction may hold.
    ///
    /// # Errors
    /// `LimitExceeded`, above `MAX_TENSOR_BYTES`; nothing is taken then.
    fn reserve_memory(&mut self, bytes: u64) -> Result<(), Status>;
    /// Gives reserved bytes back.
    fn release_memory(&mut self, bytes: u64);
    /// The model with this id; `None` where the chain has none.
    ///
    /// # Errors
    /// [`Stop::Node`] where the chain has it and this node does not.
    fn model_open(&mut self, id: &[u8; 32]) -> Result<Option<Arc<Model>>, Stop>;

    /// The value that an extension keeps under a key of its own.
    ///
    /// # Errors
    /// [`Stop::Node`] where the state cannot be read.
    fn extension_get(&mut self, group: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Stop>;
    /// Writes a value of an extension, or removes it with `None`. Undone with the frame.
    ///
    /// # Errors
    /// [`Stop::Node`] where the vm fails.
    fn extension_set(&mut self, group: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), Stop>;

    /// Sees every call that returns to the guest: the row and what it returned. For tracing; it must
    /// not change anything.
    fn trace(&mut self, row: &'static HostFunction, result: i64) {
        let _ = (row, result);
    }

    /// Sees every run of a model that has been paid for. For tracing; it must not change anything.
    fn trace_model(&mut self, model: &Model, extent: Extent) {
        let _ = (model, extent);
    }
}

/// The engine's side of a host call: the caller's memory and the vm's frame.
pub trait Guest {
    /// The frame.
    type Context: HostContext;
    /// The whole linear memory of the calling instance, and the frame.
    fn split(&mut self) -> (&mut [u8], &mut Self::Context);
}
