//! Scenarios: contracts made of host calls, run on the real virtual machine.
//!
//! ```text
//!   vectors/*.json --format--> cases --assemble--> contracts that report every answer in the log
//!                                                     |
//!                              state, messages --> Vm::execute --> receipts --records--> differences
//! ```
//!
//! Every answer is compared with what the file says, output ranges byte for byte with what must stay untouched, and
//! the gas of host functions, state and tensors with the sum of the prices of the steps that ran.

mod assemble;
mod format;
mod literal;
mod records;
mod run;

pub use format::{Block, Case, Contract, Expect, ExpectedEvent, Message, Scenarios, Step, Stops};
pub use run::{Prepared, Received, State, prepare, run};
