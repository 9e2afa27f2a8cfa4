//! What creating a store on disk takes, whichever it is: it appears under its name only when it is complete.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Refuses a path that has something, and removes what an interrupted creation left. Returns where to create.
pub(crate) fn begin(path: &Path) -> Result<PathBuf, StoreError> {
    let io_error = |error| StoreError::from_io(path, error);
    if fs::exists(path).map_err(io_error)? {
        return Err(StoreError::Exists { path: path.to_path_buf() });
    }
    let unfinished = unfinished(path);
    let removed = match fs::symlink_metadata(&unfinished) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&unfinished),
        Ok(_) => fs::remove_file(&unfinished),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(io_error)?;
    Ok(unfinished)
}

/// Gives a complete and durable store its name.
pub(crate) fn finish(unfinished: &Path, path: &Path) -> Result<(), StoreError> {
    fs::rename(unfinished, path).map_err(|error| StoreError::from_io(path, error))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    sync_directory(directory)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::from_io(directory, error))
}

/// The name of a store that is being created.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}
