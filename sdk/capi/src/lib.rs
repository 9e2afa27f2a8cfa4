//! The virtual machine for other languages: `noema.h`, a shared and a static library.
//!
//! ```text
//!   noema.h          this crate                                   noema-vm
//!   noema_config --> config.rs                                    VmConfig
//!   noema_vm     --> vm.rs       deploy, call, view, execute  --> Vm
//!   noema_state  --> state.rs    get and scan of the embedder <-- StateView
//!   functions    --> function.rs host functions in C          <-- Extension
//!   outcome      --> outcome.rs  receipt, writes, reads, JSON <-- Outcome
//! ```
//!
//! - Handles are opaque, what the library returns is borrowed from them.
//! - Every function that can fail returns a [`noema_result`] and, where asked, a message.
//! - Callbacks run on the calling thread *and on its stack* (`noema_vm::on_caller_stack`): runtimes that look at
//!   where their stack is, such as that of Go, would end the process otherwise.
//! - Panics never leave a function: `guard.rs`.
//!
//! The header is made by cbindgen and committed; a test fails while it is stale. Null pointers and impossible lengths
//! are refused; a pointer that is neither null nor what it should be cannot be.
#![allow(unsafe_code, reason = "a C interface: every pointer comes from the other side")]
#![allow(non_camel_case_types, reason = "the names of the header")]
#![allow(clippy::too_many_arguments, reason = "C has neither defaults nor builders")]
#![warn(clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]

mod config;
mod function;
mod guard;
mod outcome;
mod row;
mod state;
mod types;
mod vm;

pub use config::*;
pub use function::*;
pub use guard::{noema_result, noema_string_free};
pub use outcome::*;
pub use state::*;
pub use types::*;
pub use vm::*;

/// Counts changes of this interface that old callers would notice. A caller can compare it with NOEMA_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn noema_abi_version() -> u32 {
    NOEMA_ABI_VERSION
}

/// The version of the interface that this header describes.
pub const NOEMA_ABI_VERSION: u32 = 1;

/// The newest protocol version of this library.
#[unsafe(no_mangle)]
pub extern "C" fn noema_protocol_version() -> u32 {
    noema_abi::ProtocolVersion::LATEST.number()
}
