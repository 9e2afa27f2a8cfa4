//! The stores on disk, by name.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::{RedbStore, StateStore, StoreError};

/// A store on disk, as it is named on a command line and in the directory of a chain.
///
/// ```
/// use noema_state::{DEFAULT_CACHE_BYTES, StoreKind};
///
/// let directory = tempfile::tempdir()?;
/// let kind: StoreKind = "redb".parse()?;
/// let path = directory.path().join(kind.file_name());
/// drop(kind.create(&path, DEFAULT_CACHE_BYTES)?);
/// let store = kind.open(&path, DEFAULT_CACHE_BYTES)?;
/// assert!("etcd".parse::<StoreKind>().unwrap_err().to_string().contains("redb, rocksdb"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreKind {
    /// [`RedbStore`]: one file, in every build.
    #[default]
    Redb,
    /// `RocksDbStore`: a directory, for production; in builds with the feature `rocksdb`.
    RocksDb,
}

/// No store has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no store `{0}`; there are {known}", known = names())]
pub struct UnknownStore(pub String);

fn names() -> String {
    StoreKind::ALL.map(StoreKind::name).join(", ")
}

impl StoreKind {
    /// Every kind, whether this build has it or not.
    pub const ALL: [StoreKind; 2] = [StoreKind::Redb, StoreKind::RocksDb];

    /// The kinds that this build has.
    #[must_use]
    pub fn available() -> Vec<StoreKind> {
        StoreKind::ALL.into_iter().filter(|kind| kind.is_available()).collect()
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            StoreKind::Redb => true,
            StoreKind::RocksDb => cfg!(feature = "rocksdb"),
        }
    }

    /// The name: `redb`, `rocksdb`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StoreKind::Redb => "redb",
            StoreKind::RocksDb => "rocksdb",
        }
    }

    /// What the store of a chain is called in the chain's directory.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            StoreKind::Redb => "state.redb",
            StoreKind::RocksDb => "state.rocksdb",
        }
    }

    /// Creates an empty store.
    ///
    /// # Errors
    /// `Unavailable`, `Exists`, or what the system says: `Missing` directory, `ReadOnly`, `Full`.
    pub fn create(self, path: &Path, cache_bytes: usize) -> Result<Box<dyn StateStore>, StoreError> {
        match self {
            StoreKind::Redb => Ok(Box::new(RedbStore::create(path, cache_bytes)?)),
            #[cfg(feature = "rocksdb")]
            StoreKind::RocksDb => Ok(Box::new(crate::RocksDbStore::create(path, cache_bytes)?)),
            #[cfg(not(feature = "rocksdb"))]
            StoreKind::RocksDb => Err(StoreError::Unavailable { store: self.name() }),
        }
    }

    /// Opens a store. After a crash it is brought back to the last commit.
    ///
    /// # Errors
    /// `Unavailable`, `Missing`, `Busy`, `NotAStore`, `Version`, `ReadOnly`, `Full`, `Corrupt`, `Io`.
    pub fn open(self, path: &Path, cache_bytes: usize) -> Result<Box<dyn StateStore>, StoreError> {
        match self {
            StoreKind::Redb => Ok(Box::new(RedbStore::open(path, cache_bytes)?)),
            #[cfg(feature = "rocksdb")]
            StoreKind::RocksDb => Ok(Box::new(crate::RocksDbStore::open(path, cache_bytes)?)),
            #[cfg(not(feature = "rocksdb"))]
            StoreKind::RocksDb => Err(StoreError::Unavailable { store: self.name() }),
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StoreKind {
    type Err = UnknownStore;

    fn from_str(name: &str) -> Result<StoreKind, UnknownStore> {
        StoreKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownStore(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_has_the_stores_of_its_features() {
        let directory = tempfile::tempdir().unwrap();
        for kind in StoreKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let path = directory.path().join(kind.file_name());
            if kind.is_available() {
                drop(kind.create(&path, 0).unwrap());
                kind.open(&path, 0).unwrap();
            } else {
                let Err(error) = kind.create(&path, 0) else { panic!("it was created") };
                assert!(error.to_string().contains("built without the store `rocksdb`"), "{error}");
                assert!(error.to_string().contains("Cargo feature `rocksdb`"), "{error}");
                assert!(matches!(kind.open(&path, 0), Err(StoreError::Unavailable { .. })));
                assert!(!path.exists());
            }
        }
    }
}
