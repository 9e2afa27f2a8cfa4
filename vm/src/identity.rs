//! Which rules a machine has, in a hash: what nodes of one chain must have in common, and what compiled code is bound to.

use noema_abi::{HostFunction, ProtocolVersion, ROWS};
use noema_host::{Extension, Extensions};

use crate::hash::hash;

/// Everything that guest and host must agree on about the rows of all extensions, whatever the order in which they were
/// added.
pub(crate) fn extensions_hash(extensions: &Extensions) -> [u8; 32] {
    table_hash("noema extensions", &[], extensions.iter().flat_map(Extension::rows))
}

/// The version, the rows of the table that it has, and those of the extensions.
pub(crate) fn rules_hash(version: ProtocolVersion, extensions: &[u8; 32]) -> [u8; 32] {
    let rows = ROWS.iter().filter(|row| row.allowed_in(version));
    table_hash("noema rules", &[&version.number().to_le_bytes(), extensions], rows)
}

/// A row is hashed as its line in the lock of the ABI: id, module, name, parameters, result, version, price.
fn table_hash(domain: &str, first: &[&[u8]], rows: impl Iterator<Item = &'static HostFunction>) -> [u8; 32] {
    let mut rows: Vec<&HostFunction> = rows.collect();
    rows.sort_by_key(|row| row.id);
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let lines = lines.iter().map(String::as_bytes);
    hash(domain, &first.iter().copied().chain(lines).collect::<Vec<&[u8]>>())
}
