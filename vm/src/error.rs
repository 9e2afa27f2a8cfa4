//! Why this node could not execute a message.

use std::any::Any;

use noema_state::StoreError;

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// This node's own fault: another node, or this one after repair, executes the same message well. It never becomes
/// part of a receipt, and whoever gets one must stop instead of going on with the next message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VmError {
    /// The state could not be read.
    #[error("state: {0}")]
    Store(#[from] StoreError),
    /// The state contradicts itself: a record that cannot be read, or code that should be there and is not.
    #[error("the state is damaged: {what}")]
    CorruptState {
        /// What was found.
        what: String,
    },
    /// The bytes of a model that the chain has are missing or unusable on this node.
    #[error("model {id}: {reason}", id = crate::Address(*id))]
    Model {
        /// The model.
        id: [u8; 32],
        /// What the store said.
        reason: String,
    },
    /// A kernel, a host function or another part of this node failed.
    #[error("host function: {0}")]
    Host(String),
    /// The engine failed: it could not be set up, admitted code did not compile, an instance could not be made.
    #[error("engine: {0}")]
    Engine(String),
    /// The native stack ended before the logical one, which the sizes should make impossible.
    #[error("the native stack overflowed at a logical depth of {depth} units")]
    NativeStack {
        /// Logical depth of the frame when it happened.
        depth: u64,
    },
    /// The machine has no memory for what the limits allow.
    #[error("memory: {0}")]
    Memory(String),
    /// The virtual machine was to be built with an extension that cannot be.
    #[error("extension: {0}")]
    Extension(#[from] noema_host::ExtensionError),
    /// Host code panicked.
    #[error("host code panicked: {0}")]
    Panic(String),
}
