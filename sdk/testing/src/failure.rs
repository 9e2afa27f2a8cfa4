//! How a message fails.

use noema_vm::{Receipt, ReceiptStatus, Rejection, Shortfall, VmError};

/// Why a message has no result. Its effects are undone, except for a [`Failure::Reply`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The contract stopped itself.
    #[error("aborted with code {code}: {message}{}", .diagnostic.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Abort {
        /// Its code.
        code: u32,
        /// Its message.
        message: String,
        /// A call inside it that faulted before, for people.
        diagnostic: Option<String>,
        /// The receipt.
        receipt: Box<Receipt>,
    },
    /// A trap, out of gas or out of stack.
    #[error("fault: {diagnostic}")]
    Fault {
        /// What happened, for people.
        diagnostic: String,
        /// The receipt.
        receipt: Box<Receipt>,
    },
    /// Refused before any contract code ran.
    #[error("rejected: {reason} ({diagnostic})")]
    Rejected {
        /// Why.
        reason: Rejection,
        /// More about it, for people.
        diagnostic: String,
        /// The receipt.
        receipt: Box<Receipt>,
    },
    /// The deposit for what somebody would have kept was not there.
    #[error("insufficient deposit: {shortfall}")]
    InsufficientDeposit {
        /// Whose, and how much.
        shortfall: Shortfall,
        /// The receipt.
        receipt: Box<Receipt>,
    },
    /// The method returned another type than the test asked for.
    #[error("the method returned {output:?}, which is not of the type asked for")]
    Reply {
        /// What it returned.
        output: Vec<u8>,
    },
    /// The arguments cannot be encoded.
    #[error("the arguments cannot be encoded: {0}")]
    Arguments(String),
    /// This machine failed, not the contract.
    #[error("this machine failed: {0}")]
    Node(#[from] VmError),
}

impl Failure {
    /// The code of an abort.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Failure::Abort { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The receipt, where there is one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Failure::Abort { receipt, .. }
            | Failure::Fault { receipt, .. }
            | Failure::Rejected { receipt, .. }
            | Failure::InsufficientDeposit { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    /// The failure that a receipt tells of; the receipt back where it tells of success.
    pub(crate) fn of(receipt: Receipt, diagnostic: Option<String>) -> Result<Receipt, Failure> {
        match receipt.status.clone() {
            ReceiptStatus::Success => Ok(receipt),
            ReceiptStatus::Abort { code, message } => {
                let message = String::from_utf8_lossy(&message).into_owned();
                Err(Failure::Abort { code, message, diagnostic, receipt: Box::new(receipt) })
            }
            ReceiptStatus::Fault => {
                Err(Failure::Fault { diagnostic: diagnostic.unwrap_or_default(), receipt: Box::new(receipt) })
            }
            ReceiptStatus::Rejected { reason } => {
                let diagnostic = diagnostic.unwrap_or_default();
                Err(Failure::Rejected { reason, diagnostic, receipt: Box::new(receipt) })
            }
            ReceiptStatus::InsufficientDeposit(shortfall) => {
                Err(Failure::InsufficientDeposit { shortfall, receipt: Box::new(receipt) })
            }
        }
    }
}
