//! The extensions of one virtual machine.

use noema_abi::{CHAIN_IDS, HostFunction, ROWS, Return};

use super::{Extension, value};

/// Modules that no extension may be named after, beside those of the table: `noema` and what begins with it.
const RESERVED: &str = "noema";

/// The extensions of a virtual machine, none of which stands in the way of another or of the built-in table. In the
/// order of their names, so that the order in which they are added means nothing.
#[derive(Clone, Debug, Default)]
pub struct Extensions(Vec<Extension>);

/// Why an extension cannot be part of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The name of the module is taken, reserved, or no name.
    #[error("an extension cannot be named `{group}`: {reason}")]
    Group {
        /// The module.
        group: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A row is not as rows of extensions are.
    #[error("{row}: {reason}")]
    Row {
        /// The row, in one line.
        row: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Extensions {
    /// Checks them.
    ///
    /// # Errors
    /// A module that is named like one of the built-in table or like another extension, begins with `noema`, or is no
    /// identifier; a row whose id is outside [`CHAIN_IDS`] or used twice, whose name is used twice, which belongs to
    /// another module, or has parameters or a result that extensions do not have.
    pub fn new(mut extensions: Vec<Extension>) -> Result<Extensions, ExtensionError> {
        extensions.sort_by_key(Extension::group);
        let mut seen: Vec<&'static HostFunction> = Vec::new();
        let mut last = None;
        for extension in &extensions {
            let group = extension.group();
            let refuse = |reason| Err(ExtensionError::Group { group: group.to_owned(), reason });
            if last.replace(group) == Some(group) {
                return refuse("there are two of this name");
            }
            if ROWS.iter().any(|row| row.group == group) {
                return refuse("it is a module of the built-in table");
            }
            if group.starts_with(RESERVED) {
                return refuse("names that begin like this are reserved");
            }
            if !is_name(group) {
                return refuse("a name is lower-case letters, digits and underscores, at most 64");
            }
            for row in extension.rows() {
                check(group, row, &seen)?;
                seen.push(row);
            }
        }
        Ok(Extensions(extensions))
    }

    /// Each of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.0.iter()
    }

    /// The row imported as `group.name`: of the built-in table, or of an extension.
    #[must_use]
    pub fn find(&self, group: &str, name: &str) -> Option<&'static HostFunction> {
        noema_abi::find(group, name).or_else(|| {
            let extension = self.0.iter().find(|extension| extension.group() == group)?;
            extension.rows().find(|row| row.name == name)
        })
    }
}

fn check(group: &str, row: &'static HostFunction, seen: &[&'static HostFunction]) -> Result<(), ExtensionError> {
    let reason = if row.group != group {
        "it belongs to another module"
    } else if !is_name(row.name) {
        "its name is not lower-case letters, digits and underscores, at most 64"
    } else if !CHAIN_IDS.contains(&row.id) {
        "its id is not one of those that are kept for chains, 0x8000 to 0xffff"
    } else if seen.iter().any(|other| other.id == row.id) {
        "its id is used twice"
    } else if seen.iter().any(|other| (other.group, other.name) == (row.group, row.name)) {
        "its name is used twice"
    } else if row.since == 0 {
        "there is no version 0"
    } else if !value::supports(row.params) {
        "extensions cannot have these parameters"
    } else if !matches!(row.result, Return::unit | Return::u64 | Return::tensor | Return::never) {
        "extensions cannot have this result"
    } else {
        return Ok(());
    };
    Err(ExtensionError::Row { row: row.to_string(), reason })
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
