//! noema-vm

#![forbid(unsafe_code)]

pub mod admission;
mod error;
mod hash;
mod instrument;
mod journal;
pub mod layout;
mod message;
mod receipt;
pub mod rules;

pub use admission::{Admitted, AdmissionError, EntryPoints, admit};
pub use error::VmError;
pub use message::{Action, Address, BlockContext, MAX_GAS, Message, code_hash};
pub use noema_state::{StateView, WriteSet};
pub use receipt::{Event, GasUsed, Receipt, ReceiptStatus, Rejection, write_hash};
