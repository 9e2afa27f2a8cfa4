//! How a host call can end other than by returning to the guest.

use noema_abi::{ProtocolVersion, Status};

/// Why a host call does not return to the guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The frame cannot pay for what it asked. One verdict with [`Stop::Fault`].
    #[error("out of gas")]
    OutOfGas,
    /// The contract broke a rule that it cannot handle. The frame's gas is gone.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The contract ended itself. Unspent gas is returned.
    #[error("the contract aborted with code {code}")]
    Abort {
        /// What the contract gave as its code.
        code: u32,
        /// What the contract gave as its message, at most [`noema_abi::limits::MAX_ABORT_BYTES`].
        message: Vec<u8>,
    },
    /// This node cannot go on (disk, missing model bytes, a kernel that fails). Never a verdict: the
    /// vm turns it into its own error and executes nothing more.
    #[error("this node failed: {0}")]
    Node(String),
}

/// What rule was broken. A diagnostic: all faults, and out of gas, are one verdict in a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A guest range that does not lie in the guest's memory.
    #[error("{length} bytes at {pointer} are outside the memory of {memory} bytes")]
    PointerOutOfBounds {
        /// Where the range begins.
        pointer: u32,
        /// How long it is.
        length: u32,
        /// How long the memory is.
        memory: u64,
    },
    /// A view tried to change state, send value or emit an event.
    #[error("{group}.{name} would change something in a view")]
    WriteInView {
        /// Group of the row.
        group: &'static str,
        /// Name of the row.
        name: &'static str,
    },
    /// A row that this version does not have. Admission refuses such an import, so that only an
    /// embedder that binds rows by hand can meet it.
    #[error("{group}.{name} does not exist in {version}")]
    NotInVersion {
        /// Group of the row.
        group: &'static str,
        /// Name of the row.
        name: &'static str,
        /// The version of the block.
        version: ProtocolVersion,
    },
}

/// What gas was spent on, as the receipt splits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GasClass {
    /// WebAssembly operators.
    Wasm,
    /// Host functions that are none of the others.
    Host,
    /// Tensors, opcodes and models.
    Tensor,
    /// Storage.
    State,
    /// Loading code.
    Code,
}

/// Why a host function does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The contract's own mistake, which it can handle.
    Status(Status),
    /// The end of the call: out of gas, a fault, an abort, or a failure of this node.
    Stop(Stop),
}

/// What a host function answers. Statuses, faults and stops convert with `?` and `.into()`.
pub type Reply<T> = Result<T, Refusal>;

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::Status(status)
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Refusal {
        Refusal::Stop(stop)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Stop(Stop::Fault(fault))
    }
}

impl From<noema_tensor::OpError> for Refusal {
    fn from(error: noema_tensor::OpError) -> Refusal {
        match error {
            noema_tensor::OpError::Status(status) => Refusal::Status(status),
            node => Refusal::Stop(Stop::Node(node.to_string())),
        }
    }
}
