//! The virtual machine: messages in, receipts out.
//!
//! ```text
//!   Message + StateView + BlockContext
//!        |
//!        v
//!   execute      intrinsic gas, the action, a frame for each contract that runs  --> Receipt, WriteSet
//!        |                                          |
//!        | code that is new                         | every host call
//!        v                                          v
//!   admission    pure rules                      noema_host::shim --> HostContext (execute/host.rs)
//!        |                                          |
//!        v                                          v
//!   instrument   charges and checks woven in     journal    writes, events, rollback of a frame
//!        |                                          |
//!        v                                          v
//!   engine       compile, cache, run             layout     which key of the state holds what
//! ```
//!
//! The life of a call in six names: [`Vm::execute`], [`admit`], `instrument`, `engine`, `Frame`, [`Receipt`].
//!
//! What is normative stands in `docs/spec`: `admission.md`, `gas.md`, `stack.md`, `receipt.md`. The numbers are in
//! [`rules`], for each protocol version.
//!
//! Three kinds of bad outcome are never mixed: a status, which the contract gets and handles; an abort or fault, which
//! all nodes agree on and which stands in the receipt; and a [`VmError`], which is this node's own and never does.

// Two places need `unsafe`, each with its reason: loading compiled code that was checked (`engine/compiled.rs`), and the
// control register of floats (`engine/float_state.rs`).
#![deny(unsafe_code)]

pub mod admission;
pub mod deposit;
mod engine;
mod error;
mod execute;
mod hash;
mod identity;
mod instrument;
mod journal;
pub mod layout;
mod message;
mod receipt;
pub mod rules;

pub use admission::{AdmissionError, Admitted, EntryPoints, admit, admit_per_block, admit_with};
pub use deposit::Deposit;
pub use engine::{ArtifactCache, CompilerProcess, EngineKind, UnknownEngine, on_caller_stack, serve_compiler};
pub use error::VmError;
pub use execute::{FrameEnd, FrameStart, HostCallEnd, Observer, Outcome, Place, Vm, VmConfig, intrinsic_gas};
pub use message::{Action, Address, BlockContext, MAX_GAS, Message, code_hash};
pub use noema_host::{Extension, ExtensionError, Extensions};
pub use noema_state::{StateView, WriteSet};
pub use receipt::{Event, GasUsed, Receipt, ReceiptStatus, Rejection, Shortfall, write_hash};

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And those of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
