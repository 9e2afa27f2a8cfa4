//! The shim between guest and host: every row of the table of `noema-abi` as a function that any
//! engine can bind.
//!
//! ```text
//!   guest            engine binds              this crate                          the vm's frame
//!   call $storage.get --> shim::storage::get --> call::call, steps 1 to 10 --+--> HostContext
//!                         (shim.rs, one macro)   (call.rs, once for all)     |    charge, storage_get ...
//!                                                     |                      |
//!                                       rows/*.rs and noema_tensor::ops <----+
//! ```
//!
//! - `shim.rs`: the macro that makes one function of each row and joins it to its implementation;
//!   a row without one does not compile.
//! - `call.rs`: the life of one call, step by step.
//! - `argument.rs`: the kinds of the table: checked, parsed, written back.
//! - `rows/`: what the rows do, one file a group. `op` rows are in `noema-tensor`.
//! - `extension/`: rows that a chain adds of its own ([`extension!`]), through the same `call.rs`.
//! - `context.rs`: the traits of the other side, [`HostContext`] (the vm) and [`Guest`] (the engine).
#![forbid(unsafe_code)]

mod argument;
mod call;
mod context;
mod extension;
mod outcome;
mod rows;
pub mod shim;
mod tensors;
#[cfg(test)]
mod tests;

pub use argument::{Held, Out};
pub use context::{CallInfo, CallKind, Guest, HostContext};
pub use extension::{Cost, Extension, ExtensionError, ExtensionFunction, Extensions, HostCall, Returned, Value};
pub use noema_abi::{ProtocolVersion, Status};
pub use outcome::{Fault, GasClass, Refusal, Reply, Stop};
pub use tensors::TensorTable;

#[doc(hidden)]
pub use noema_abi as __abi;
#[doc(hidden)]
pub use noema_model as __model;
#[doc(hidden)]
pub use noema_tensor as __tensor;
