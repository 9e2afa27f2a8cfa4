//! Why a chain does not do what was asked.

use std::path::PathBuf;

use noema_model::ModelStoreError;
use noema_state::root::RootError;
use noema_state::{StoreError, StoreKind};
use noema_tensor::KernelError;
use noema_vm::VmError;

use crate::{GenesisError, MAX_BLOCK_BYTES, TransactionError};

/// An operation on a chain failed. Whatever was committed before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no chain in the directory.
    #[error("there is no chain in {}: create one there first, or name another directory", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The directory has something else in it.
    #[error("{} is not a chain directory: {detail}", path.display())]
    NotAChain {
        /// The directory.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A chain would be created where one is.
    #[error("{} has a chain already", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// A chain would be created among other files.
    #[error("{} is not empty: it has `{entry}`; name an empty or a new directory", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One of the other files.
        entry: String,
    },
    /// The directory was written by a version with another format.
    #[error(
        "{} was written in chain format {found}, this version reads format {expected}: use the version that wrote it",
        path.display()
    )]
    Version {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format that is read.
        expected: u64,
    },
    /// The chain has another store than the one that was asked for.
    #[error("the chain in {} has the store {found}, not {asked}: a chain keeps the store it was created with", path.display())]
    OtherStore {
        /// The directory.
        path: PathBuf,
        /// Its store.
        found: StoreKind,
        /// The store that was asked for.
        asked: StoreKind,
    },
    /// Another process has the chain open.
    #[error("the chain in {} is in use by another process: close it there first", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The store or a file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state tree failed.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The store of models failed.
    #[error("models: {0}")]
    Models(#[from] ModelStoreError),
    /// The kernels cannot be used.
    #[error(transparent)]
    Kernels(#[from] KernelError),
    /// A device was not believed during a replay, so the replay says nothing about it.
    #[error("a device was not believed, so that the replay says nothing about it: {alarm}")]
    Device {
        /// What went wrong.
        alarm: String,
    },
    /// The virtual machine failed: this node's fault, so nothing of the block is committed.
    #[error("the virtual machine failed: {0}")]
    Vm(#[from] VmError),
    /// A chain cannot begin like this.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A transaction cannot be included, so nothing of its block was committed.
    #[error("transaction {index} of the block: {error}")]
    Refused {
        /// Its place in the list, from 0.
        index: usize,
        /// Why.
        error: TransactionError,
    },
    /// A block cannot be older than its parent.
    #[error("the time of a block ({time_ms} ms) cannot be before that of its parent ({parent_ms} ms)")]
    Time {
        /// Time of the block.
        time_ms: u64,
        /// Time of its parent.
        parent_ms: u64,
    },
    /// The transactions are too large for one block.
    #[error("the transactions of a block may have {MAX_BLOCK_BYTES} bytes together")]
    BlockTooLarge,
    /// What is stored contradicts itself.
    #[error("the chain is damaged: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
    /// An earlier commit failed, so this handle does nothing more.
    #[error("an earlier commit failed: close the chain and open it again")]
    Failed,
}

impl ChainError {
    pub(crate) fn damaged(detail: impl Into<String>) -> ChainError {
        ChainError::Damaged { detail: detail.into() }
    }
}
