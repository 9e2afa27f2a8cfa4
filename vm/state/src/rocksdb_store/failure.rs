//! What an error of RocksDB means to a person. RocksDB has a kind and a text; the text ends with the system's own words.

use std::io;
use std::path::Path;

use rocksdb::ErrorKind;

use crate::StoreError;

pub(super) fn store_error(path: &Path, error: &rocksdb::Error) -> StoreError {
    let detail = error.to_string();
    let corrupt = |detail| StoreError::Corrupt { path: path.to_path_buf(), detail };
    match error.kind() {
        ErrorKind::IOError | ErrorKind::Busy if is_locked(&detail) => StoreError::Busy { path: path.to_path_buf() },
        ErrorKind::IOError => match system_error(&detail) {
            // The store is there, one of its files is not.
            Some(source) if source.kind() == io::ErrorKind::NotFound => corrupt(detail),
            Some(source) => StoreError::from_io(path, source),
            None => StoreError::Io { path: path.to_path_buf(), source: io::Error::other(detail) },
        },
        ErrorKind::Corruption | ErrorKind::InvalidArgument | ErrorKind::NotSupported | ErrorKind::NotFound => {
            corrupt(detail)
        }
        _ => StoreError::Other(format!("{}: {detail}", path.display())),
    }
}

/// Whether somebody else has the lock: another process, or another handle of this one.
fn is_locked(detail: &str) -> bool {
    detail.contains("While lock file: ") || detail.contains("lock hold by current process")
}

/// The error of the system that a text of RocksDB begins or ends with, by the words the C library has for it.
fn system_error(detail: &str) -> Option<io::Error> {
    let detail = detail.strip_prefix("IO error: ").unwrap_or(detail);
    // Numbers of errors are below this on every system that RocksDB runs on.
    (1..200).map(io::Error::from_raw_os_error).find(|error| {
        let text = error.to_string();
        let Some((words, _)) = text.rsplit_once(" (os error ") else { return false };
        !words.starts_with("Unknown error") && (detail.ends_with(words) || detail.starts_with(words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_system_are_found() {
        let kind = |text: &str| system_error(text).map(|error| error.kind());
        let full = "IO error: No space left on device: While appending to file: /a/000004.log: No space left on device";
        assert_eq!(kind(full), Some(io::ErrorKind::StorageFull));
        let large = "IO error: While appending to file: /a/000004.log: File too large";
        assert_eq!(kind(large), Some(io::ErrorKind::FileTooLarge));
        let forbidden = "IO error: while open a file for lock: /a/LOCK: Permission denied";
        assert_eq!(kind(forbidden), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(kind("IO error: something new"), None);
    }
}
