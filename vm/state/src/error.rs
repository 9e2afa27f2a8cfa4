//! What can go wrong in a store. Always this node's fault, never part of a receipt.

use std::io;
use std::path::{Path, PathBuf};

/// A store failed. Nothing that was committed is lost by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another handle of this one, has the store open.
    #[error("{} is in use by another process; close it there first", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// There is no store at this path.
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A store would be created where something already is.
    #[error("{} already exists", path.display())]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// The file is not one of our stores.
    #[error("{} is not a state store: {detail}", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The store was written in a format that this version does not read.
    #[error(
        "{} was written in store format {found}, this version reads format {expected}; use the version that wrote it",
        path.display()
    )]
    Version {
        /// The store.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The format that is read.
        expected: u64,
    },
    /// The file or its directory cannot be written by this process.
    #[error("{} cannot be written ({source}); check its permissions and that the disk is not mounted read-only", path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk or the quota is full. The batch was not committed.
    #[error("no space left for {} ({source}); everything committed before is safe: free some space and open it again", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The contents contradict themselves: the file was altered or the disk is failing.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// An earlier write failed, so this handle refuses everything until the store is opened again.
    #[error("an earlier write to {} failed; close it and open it again", path.display())]
    Failed {
        /// The store.
        path: PathBuf,
    },
    /// Any other error of the system.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store is one that this build does not have.
    #[error("this program was built without the store `{store}`: build it with the Cargo feature `{store}`")]
    Unavailable {
        /// Its name, which is the name of the feature too.
        store: &'static str,
    },
    /// A failure of a store that is not in this crate, in its own words.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    /// Sorts an error of the system into the kinds that a person acts upon.
    ///
    /// ```
    /// use noema_state::StoreError;
    /// use std::{io, path::Path};
    ///
    /// let error = StoreError::from_io(Path::new("state"), io::Error::from(io::ErrorKind::StorageFull));
    /// assert!(matches!(error, StoreError::Full { .. }));
    /// ```
    #[must_use]
    pub fn from_io(path: &Path, source: io::Error) -> StoreError {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StoreError::Full { path, source }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { path, source }
            }
            io::ErrorKind::NotFound => StoreError::Missing { path },
            io::ErrorKind::AlreadyExists => StoreError::Exists { path },
            _ => StoreError::Io { path, source },
        }
    }
}
