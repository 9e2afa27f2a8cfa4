//! What every node must agree on after a message: `docs/spec/receipt.md`.

use std::sync::LazyLock;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_state::WriteSet;

use crate::Address;
use crate::hash::hash;

/// The result of a message, equal on every node.
///
/// ```
/// use noema_vm::{GasUsed, Receipt, ReceiptStatus};
/// let receipt = Receipt {
///     version: 1, status: ReceiptStatus::Success, gas_limit: 100, gas: GasUsed { wasm: 7, host: 3, ..GasUsed::default() },
///     output: vec![], events: vec![], write_hash: [0; 32], depth: 0, tensor_bytes: 0,
/// };
/// assert_eq!(receipt.gas_used(), 10);
/// assert_eq!(Receipt::from_bytes(&receipt.to_bytes()).unwrap(), receipt);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// Protocol version it was executed under.
    pub version: u32,
    /// How it ended.
    pub status: ReceiptStatus,
    /// The gas limit of the message, at most [`crate::MAX_GAS`].
    pub gas_limit: u64,
    /// Where the gas went.
    pub gas: GasUsed,
    /// Return data; empty unless the status is `Success`.
    pub output: Vec<u8>,
    /// Events in the order in which they were emitted; empty unless the status is `Success`.
    pub events: Vec<Event>,
    /// [`write_hash`] of everything written.
    pub write_hash: [u8; 32],
    /// Highest logical stack depth reached by a frame that did not fault, in units of `docs/spec/stack.md`.
    pub depth: u64,
    /// Most bytes of tensors and model arenas held at one time by frames of this message that did not fault.
    pub tensor_bytes: u64,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ReceiptStatus {
    /// Its effects stand.
    Success,
    /// The contract stopped itself. No effects; unspent gas is returned.
    Abort {
        /// The contract's own code.
        code: u32,
        /// The contract's own message.
        message: Vec<u8>,
    },
    /// A trap, out of gas or out of stack. No effects; the whole limit is used.
    Fault,
    /// Refused before any contract code ran. No effects; unspent gas is returned.
    Rejected {
        /// Why.
        reason: Rejection,
    },
    /// The deposit for what somebody would have kept was not there. No effects; unspent gas is returned.
    InsufficientDeposit(Shortfall),
}

/// A deposit that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[error("{holder} would keep {bytes} bytes, which takes a deposit of {needed}, and has {balance}")]
pub struct Shortfall {
    /// The contract that the message ran, or the sender where it is a model.
    pub holder: Address,
    /// Bytes that it would have kept.
    pub bytes: u64,
    /// The deposit for them, in native units.
    pub needed: u128,
    /// What it would have had.
    pub balance: u128,
}

/// Why a message was refused. Details (which function, which offset) stand in the node's own diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The sender has less than the value to send.
    #[error("the balance of the sender is smaller than the value to send")]
    InsufficientBalance,
    /// No contract at the address.
    #[error("there is no contract at this address")]
    NoContract,
    /// The contract does not export the entry point.
    #[error("the contract does not export the entry point that the message needs")]
    NoEntryPoint,
    /// The deployer has deployed the same code with the same salt before.
    #[error("a contract with this deployer, salt and code exists already: choose another salt")]
    ContractExists,
    /// The code is not admitted.
    #[error("the code breaks the admission rules")]
    Inadmissible,
    /// Only the administrator of a contract may migrate it.
    #[error("only the administrator of the contract may migrate it")]
    NotAdministrator,
    /// The input is longer than `MAX_INPUT_BYTES`.
    #[error("the input is too long")]
    InputTooLong,
    /// The balance of the receiver would pass the largest number.
    #[error("the balance of the receiver would overflow")]
    BalanceOverflow,
    /// A model action that carries value.
    #[error("actions on models take no value")]
    UnexpectedValue,
    /// The announced length is zero or more than a model may have.
    #[error("a model cannot have this length")]
    ModelLength,
    /// The sender does not hold the model.
    #[error("the sender does not hold this model")]
    NotHolder,
    /// The model was never announced.
    #[error("no such model has been announced")]
    NoModel,
    /// A chunk whose number, length or Merkle path is wrong.
    #[error("the chunk does not belong to the model")]
    BadChunk,
    /// Chunks are missing.
    #[error("chunks of the model are missing")]
    IncompleteModel,
    /// The bytes are not a valid model, or its bound certificate does not hold.
    #[error("the model is not valid")]
    BadModel,
}

/// Gas by what used it, in picoseconds of the reference machine. Every unit is in exactly one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GasUsed {
    /// WebAssembly operators.
    pub wasm: u64,
    /// The message itself and host functions that are in no other class.
    pub host: u64,
    /// Tensor and model functions.
    pub tensor: u64,
    /// Reading and writing state, events, model chunks.
    pub state: u64,
    /// Admission, compilation and loading of code.
    pub code: u64,
    /// What frames that faulted had not used by their last settlement point: it is gone with them.
    pub forfeited: u64,
}

impl GasUsed {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.wasm, self.host, self.tensor, self.state, self.code, self.forfeited]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// Something a contract wants the outside to see.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// Which contract.
    pub contract: Address,
    /// Its topic.
    pub topic: Vec<u8>,
    /// Its data.
    pub data: Vec<u8>,
}

impl Receipt {
    /// All gas used: never more than `gas_limit`, and equal to it after a fault.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        self.gas.total()
    }

    /// The canonical bytes (borsh).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory cannot fail")
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// Bytes that no receipt has, trailing ones included.
    pub fn from_bytes(bytes: &[u8]) -> std::io::Result<Receipt> {
        borsh::from_slice(bytes)
    }

    /// The domain-separated Keccak-256 of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash("noema receipt", &[&self.to_bytes()])
    }
}

/// The domain-separated Keccak-256 of a write set in canonical bytes (borsh: keys ascending, `None` for a removal).
#[must_use]
pub fn write_hash(writes: &WriteSet) -> [u8; 32] {
    // Most calls that only look, and all that fail, write nothing.
    static OF_NOTHING: LazyLock<[u8; 32]> = LazyLock::new(|| hash_writes(&WriteSet::new()));
    if writes.is_empty() { *OF_NOTHING } else { hash_writes(writes) }
}

fn hash_writes(writes: &WriteSet) -> [u8; 32] {
    hash("noema write set", &[&borsh::to_vec(writes).expect("writing to memory cannot fail")])
}
