//! What an operation can answer instead of a tensor.

use noema_abi::Status;

/// Why an operation gave no tensor. The two cases never mix: the first is agreed by all nodes, the
/// second never reaches a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// The contract's own mistake, which it can handle.
    #[error("{0}")]
    Status(Status),
    /// This node could not compute it.
    #[error("this node could not compute the operation: {0}")]
    Node(String),
}

impl From<Status> for OpError {
    fn from(status: Status) -> OpError {
        OpError::Status(status)
    }
}

impl From<candle_core::Error> for OpError {
    fn from(error: candle_core::Error) -> OpError {
        OpError::Node(error.to_string())
    }
}

impl OpError {
    /// The same for candle, which carries errors of custom operations.
    pub(crate) fn into_candle(self) -> candle_core::Error {
        candle_core::Error::Msg(self.to_string())
    }
}
