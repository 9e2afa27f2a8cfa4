//! Folders that are not as they should be, for the tests of what reads them.

use std::{fs, path::Path};

use serde_json::Value;

/// Changes a folder.
type Change<'a> = &'a dyn Fn(&Path);

/// Whatever is missing or cut off is named. `refused` makes a folder, changes it, and gives the error that its import ends in.
pub(crate) fn every_file_is_needed(files: &[&str], refused: &dyn Fn(Change<'_>) -> String) {
    for file in files {
        let missing = refused(&|folder| fs::remove_file(folder.join(file)).unwrap());
        assert!(missing.contains("has no") && missing.contains(file), "{missing}");
        let cut = refused(&|folder| {
            let bytes = fs::read(folder.join(file)).unwrap();
            fs::write(folder.join(file), &bytes[..bytes.len() / 2]).unwrap();
        });
        assert!(cut.contains(file), "{cut}");
    }
}

/// Puts another value into a file of JSON.
pub(crate) fn set(folder: &Path, file: &str, key: &str, value: &Value) {
    let path = folder.join(file);
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value.clone();
    fs::write(path, config.to_string()).unwrap();
}
