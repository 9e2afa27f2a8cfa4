//! The directory of a chain.
//!
//! ```text
//! noema-chain    "format 2", "store redb": what makes the directory a chain; written last
//! lock           held while a process has the chain open
//! state.redb     state, tree, blocks, receipts; state.rocksdb where the store is RocksDB
//! models/        bytes of models, read-only once they are complete
//! compiled/      machine code of contracts: this machine's own, and made again where it is missing
//! key.json       whoever creates the chain may leave a key here first; nothing in this crate reads it
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use noema_state::{StoreError, StoreKind};

use crate::ChainError;

/// The format of the directories that this version writes, and the only one it reads. (The first one knew no deposits.)
pub const CHAIN_FORMAT: u64 = 2;

const MARKER: &str = "noema-chain";
const LOCK: &str = "lock";
const MODELS: &str = "models";
const COMPILED: &str = "compiled";
const KEY: &str = "key.json";

/// A directory that this process has locked.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    store: StoreKind,
    _lock: File,
}

impl Directory {
    /// Locks a directory for a new chain and creates it if need be. What an interrupted creation left is taken over.
    pub(crate) fn create(path: &Path, store: StoreKind) -> Result<Directory, ChainError> {
        if !store.is_available() {
            return Err(StoreError::Unavailable { store: store.name() }.into());
        }
        fs::create_dir_all(path).map_err(|error| io_error(path, error))?;
        for entry in fs::read_dir(path).map_err(|error| io_error(path, error))? {
            let name = entry.map_err(|error| io_error(path, error))?.file_name();
            let name = name.to_string_lossy();
            if name == MARKER {
                return Err(ChainError::Exists { path: path.to_path_buf() });
            }
            let of_a_store = |kind: StoreKind| name.starts_with(kind.file_name());
            let ours = [LOCK, MODELS, COMPILED, KEY, "noema-chain.unfinished"].contains(&&*name)
                || StoreKind::ALL.into_iter().any(of_a_store);
            if !ours {
                return Err(ChainError::NotEmpty { path: path.to_path_buf(), entry: name.into_owned() });
            }
        }
        let directory = Directory::lock(path, store)?;
        // What a creation with another store left may be a whole chain but for its marker.
        for other in StoreKind::ALL {
            if other != store && exists(&path.join(other.file_name()))? {
                return Err(ChainError::OtherStore { path: path.to_path_buf(), found: other, asked: store });
            }
        }
        // Another process may have finished between the look and the lock.
        if exists(&path.join(MARKER))? {
            return Err(ChainError::Exists { path: path.to_path_buf() });
        }
        let models = directory.models();
        fs::create_dir_all(&models).map_err(|error| io_error(&models, error))?;
        Ok(directory)
    }

    /// Makes it a chain directory, once everything in it is durable.
    pub(crate) fn finish(&self) -> Result<(), ChainError> {
        let marker = self.path.join(MARKER);
        let unfinished = self.path.join("noema-chain.unfinished");
        File::create(&unfinished)
            .and_then(|mut file| {
                file.write_all(format!("format {CHAIN_FORMAT}\nstore {}\n", self.store).as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&unfinished, &marker))
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(|error| io_error(&marker, error))
    }

    /// Locks the directory of a chain, whose store must be the one that was asked for.
    pub(crate) fn open(path: &Path, asked: Option<StoreKind>) -> Result<Directory, ChainError> {
        let marker = path.join(MARKER);
        let text = match fs::read(&marker) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_marker(path)?),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(ChainError::NotAChain { path: path.to_path_buf(), detail: "it is a file".to_owned() });
            }
            Err(error) => return Err(io_error(&marker, error)),
        };
        let found = read_marker(path, &text)?;
        match asked {
            Some(asked) if asked != found => Err(ChainError::OtherStore { path: path.to_path_buf(), found, asked }),
            _ => Directory::lock(path, found),
        }
    }

    fn lock(path: &Path, store: StoreKind) -> Result<Directory, ChainError> {
        let name = path.join(LOCK);
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(|error| io_error(&name, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_path_buf(), store, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ChainError::Busy { path: path.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(io_error(&name, error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path.join(self.store.file_name())
    }

    pub(crate) fn store_kind(&self) -> StoreKind {
        self.store
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.path.join(MODELS)
    }

    pub(crate) fn compiled(&self) -> PathBuf {
        self.path.join(COMPILED)
    }
}

/// The store that the marker names. The first chains had only redb and said nothing.
fn read_marker(path: &Path, text: &[u8]) -> Result<StoreKind, ChainError> {
    let not_a_chain = |detail: String| ChainError::NotAChain { path: path.to_path_buf(), detail };
    let unreadable = || not_a_chain(format!("its file `{MARKER}` does not say which format it has"));
    let text = str::from_utf8(text).map_err(|_| unreadable())?;
    let (format, rest) = text.split_once('\n').ok_or_else(unreadable)?;
    let format = format.strip_prefix("format ").and_then(|format| format.parse::<u64>().ok()).ok_or_else(unreadable)?;
    if format != CHAIN_FORMAT {
        return Err(ChainError::Version { path: path.to_path_buf(), found: format, expected: CHAIN_FORMAT });
    }
    if rest.is_empty() {
        return Ok(StoreKind::Redb);
    }
    let name = rest.strip_prefix("store ").and_then(|name| name.strip_suffix('\n'));
    let name = name.ok_or_else(|| not_a_chain(format!("its file `{MARKER}` does not say which store it has")))?;
    name.parse()
        .map_err(|error| not_a_chain(format!("its file `{MARKER}` names a store that is not known here: {error}")))
}

/// What a directory without the marker is.
fn no_marker(path: &Path) -> Result<ChainError, ChainError> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(ChainError::Missing { path: path.to_path_buf() });
        }
        Err(error) => return Err(io_error(path, error)),
    };
    if entries.next().is_none() {
        return Ok(ChainError::Missing { path: path.to_path_buf() });
    }
    let mut interrupted = exists(&path.join(LOCK))?;
    for kind in StoreKind::ALL {
        interrupted |= exists(&path.join(kind.file_name()))?;
    }
    let detail = if interrupted {
        format!("it has no file `{MARKER}`; creating the chain was interrupted: create it again")
    } else {
        format!("it has no file `{MARKER}`")
    };
    Ok(ChainError::NotAChain { path: path.to_path_buf(), detail })
}

pub(crate) fn exists(path: &Path) -> Result<bool, ChainError> {
    fs::exists(path).map_err(|error| io_error(path, error))
}

fn io_error(path: &Path, error: io::Error) -> ChainError {
    ChainError::Store(StoreError::from_io(path, error))
}
