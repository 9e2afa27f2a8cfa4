//! Our own record of what the directory is: a file with the format of the store. RocksDB has a format of its own and
//! checks that itself. What has no such file is never opened, so that a database of somebody else stays as it is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::{STORE_FORMAT, StoreError};

/// The file. RocksDB leaves names alone that are not its own.
pub(super) const NAME: &str = "noema-store";

/// Writes it, durably, into a directory that is complete otherwise.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    let mut file = File::create(directory.join(NAME))?;
    file.write_all(format!("format {STORE_FORMAT}\n").as_bytes())?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// That the directory is a store in the format that this version reads.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    let io_error = |error| StoreError::from_io(path, error);
    let not_a_store = |detail: &str| StoreError::NotAStore { path: path.to_path_buf(), detail: detail.to_owned() };
    if !fs::metadata(path).map_err(io_error)?.is_dir() {
        return Err(not_a_store("it is a file, a RocksDB store is a directory"));
    }
    let text = match fs::read_to_string(path.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(not_a_store(&format!("it has no file `{NAME}`, so something else made it")));
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        text => text.map_err(io_error)?,
    };
    let format = text.strip_prefix("format ").and_then(|text| text.strip_suffix('\n')?.parse::<u64>().ok());
    match format {
        Some(STORE_FORMAT) => Ok(()),
        Some(found) => Err(StoreError::Version { path: path.to_path_buf(), found, expected: STORE_FORMAT }),
        None => Err(not_a_store(&format!("its file `{NAME}` does not say which format it has"))),
    }
}
