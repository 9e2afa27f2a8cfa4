//! What an import reads beside the model, and what it writes.

use std::io::Write;
use std::path::Path;

use noema_import::{ImportError, Table};

use crate::CliError;

/// The lines of a text file that are not empty.
pub(in crate::commands::model) fn sentences(path: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::io("read", path, error))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Reads rows of features from a CSV file.
///
/// # Errors
/// It cannot be read, or is no such table.
pub fn read_table(path: &Path) -> Result<Table, CliError> {
    let file = std::fs::File::open(path).map_err(|error| CliError::io("read", path, error))?;
    let table = Table::read_csv(file).map_err(|error| CliError::import(path, error))?;
    if table.rows.is_empty() {
        return Err(CliError::import(path, ImportError::Table("it has no rows".to_owned())));
    }
    Ok(table)
}

/// Writes a file that does not exist yet, whole or not at all.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|error| CliError::io("create", path, error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| CliError::io("write", path, error))?;
    file.persist_noclobber(path).map_err(|error| CliError::io("create", path, error.error))?;
    Ok(())
}
