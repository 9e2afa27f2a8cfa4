//! Key files: a secret of 32 bytes in JSON, readable by its owner only, never overwritten.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use noema_chain::KeyPair;
use serde::{Deserialize, Serialize};

use crate::CliError;

/// What stands in a key file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// Always [`KIND`].
    kind: String,
    /// For people: derived from the secret, and checked against it.
    address: String,
    /// The secret seed, hex.
    secret: String,
}

const KIND: &str = "noema-key-v1";

/// The key file that `noema init` leaves in a chain directory.
#[must_use]
pub fn default_path(chain: &Path) -> PathBuf {
    chain.join("key.json")
}

/// A key from the system's randomness.
///
/// # Errors
/// The system has none.
pub fn generate() -> Result<([u8; 32], KeyPair), CliError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| CliError::Check {
        code: "randomness",
        message: format!("the system gives no random numbers: {error}"),
        hint: "run the command on a system with a random number source".into(),
        details: serde_json::Value::Null,
    })?;
    Ok((seed, KeyPair::from_seed(seed)))
}

/// Writes a new key file.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn write(path: &Path, seed: &[u8; 32]) -> Result<(), CliError> {
    let file = KeyFile {
        kind: KIND.to_owned(),
        address: KeyPair::from_seed(*seed).address().to_string(),
        secret: hex::encode(seed),
    };
    let text = serde_json::to_string_pretty(&file).map_err(|error| CliError::io("write", path, error.into()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(path).map_err(|error| CliError::io("create", path, error))?;
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.sync_all());
    written.map_err(|error| {
        // Half a key is of no use, and would be in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        CliError::io("write", path, error)
    })
}

/// Reads a key file.
///
/// # Errors
/// It cannot be read, is no key file, or its address does not belong to its secret.
pub fn read(path: &Path) -> Result<KeyPair, CliError> {
    let hint = "`noema key new FILE` makes a key file";
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CliError::file(path, "there is no such key file", format!("{hint}; --key FILE names another")));
        }
        Err(error) => return Err(CliError::io("read", path, error)),
    };
    let file: KeyFile =
        serde_json::from_str(&text).map_err(|_| CliError::file(path, "this is not a key file", hint))?;
    if file.kind != KIND {
        return Err(CliError::file(path, format!("key files of kind `{}` are not known", file.kind), hint));
    }
    let seed = crate::arguments::hash(&file.secret)
        .map_err(|_| CliError::file(path, "the secret is damaged (32 bytes of hex are expected)", hint))?;
    let key = KeyPair::from_seed(seed);
    if key.address().to_string() != file.address {
        let hint = "the file was altered; take it from a backup";
        return Err(CliError::file(path, "the address does not belong to the secret", hint));
    }
    Ok(key)
}
