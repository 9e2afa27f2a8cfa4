//! noema-vm

#![forbid(unsafe_code)]

mod error;
mod hash;
pub mod layout;
mod message;
mod receipt;

pub use error::VmError;
pub use message::{Action, Address, BlockContext, MAX_GAS, Message, code_hash};
pub use noema_state::{StateView, WriteSet};
pub use receipt::{Event, GasUsed, Receipt, ReceiptStatus, Rejection, write_hash};
