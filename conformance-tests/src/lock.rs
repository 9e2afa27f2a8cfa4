//! The ABI lock: one line for each row of the table, status, element type and limit.
//!
//! ```text
//! 0x0201 storage.get db9821db5f16aa08 (key: bytes, value: out) -> u64 since 1 price(2000000, 100, 500)
//! ```
//!
//! The hash is the beginning of the Keccak-256 of the whole row as it prints ([`noema_abi::HostFunction`]); the rest of
//! the line is there so that a difference can be read. A line that changes changes receipts: it belongs into a new protocol version, unless no chain runs the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use noema_abi::{DType, ROWS, Status, limits};
use tiny_keccak::{Hasher, Keccak};

use crate::report::{ConformanceError, Report, read, write};

/// How to accept a change of the table.
pub const BLESS: &str = "cargo run --release -p noema-conformance -- abi --bless";

/// Where the lock is.
#[must_use]
pub fn path() -> PathBuf {
    crate::home().join("golden/abi.lock")
}

/// The lock of the table of this build.
#[must_use]
pub fn render() -> String {
    let rows = ROWS.iter().map(|row| {
        let name = format!("{:#06x} {}.{}", row.id, row.group, row.name);
        line(&name, &row.to_string())
    });
    let statuses = Status::ALL.iter().map(|(status, _)| {
        line(&format!("status {}", status.name()), &format!("status {} = {}", status.name(), status.code()))
    });
    let dtypes = DType::ALL.iter().map(|dtype| {
        line(&format!("dtype {dtype}"), &format!("dtype {dtype} = {}, {} bytes", dtype.code(), dtype.size()))
    });
    let limits =
        limits::ALL.iter().map(|(name, value, _)| line(&format!("limit {name}"), &format!("limit {name} = {value}")));
    rows.chain(statuses).chain(dtypes).chain(limits).collect()
}

/// `name hash rest`, where `text` is the name and the rest.
fn line(name: &str, text: &str) -> String {
    let rest = text.strip_prefix(name).unwrap_or(text).trim_start();
    format!("{name} {} {rest}\n", fingerprint(text))
}

/// The first 8 bytes of the Keccak-256, in hexadecimal digits.
fn fingerprint(text: &str) -> String {
    let mut digest = [0; 32];
    let mut keccak = Keccak::v256();
    keccak.update(text.as_bytes());
    keccak.finalize(&mut digest);
    hex::encode(&digest[..8])
}

/// Compares the lock file with this build.
///
/// # Errors
/// The file cannot be read.
pub fn check(path: &Path) -> Result<Report, ConformanceError> {
    Ok(compare(&read(path)?, &render()))
}

/// Writes the lock of this build.
///
/// # Errors
/// The file cannot be written.
pub fn bless(path: &Path) -> Result<(), ConformanceError> {
    write(path, &render())
}

/// What identifies a line: its first two words.
fn entries(lock: &str) -> BTreeMap<String, &str> {
    lock.lines().map(|line| (line.split(' ').take(2).collect::<Vec<_>>().join(" "), line)).collect()
}

fn compare(committed: &str, current: &str) -> Report {
    let mut report = Report::default();
    let (old, new) = (entries(committed), entries(current));
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let what = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => Some(format!("was\n    {old}\n  is\n    {new}")),
            (Some(old), None) => Some(format!("is gone, was\n    {old}")),
            (None, Some(new)) => Some(format!("is new\n    {new}")),
            (None, None) => None,
        };
        report.compare(|| format!("golden/abi.lock, {name}"), what);
    }
    if report.is_clean() {
        let what = (committed != current).then(|| "the lines are in another order, or repeated".to_owned());
        report.compare(|| "golden/abi.lock".to_owned(), what);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::{BLESS, check, compare, path, render};

    #[test]
    fn the_table_is_the_locked_one() {
        let report = check(&path()).unwrap();
        assert!(report.is_clean(), "{report}\nIf the change is meant: {BLESS}");
    }

    #[test]
    fn a_changed_price_is_found_and_shown() {
        let current = render();
        let committed = current.replacen("price(2000000, 100, 500)", "price(2000000, 100, 501)", 1);
        assert_ne!(committed, current);
        let report = compare(&committed, &current);
        assert_eq!(report.differences.len(), 1);
        let shown = report.to_string();
        assert!(shown.contains("0x0201 storage.get") && shown.contains("501)") && shown.contains("500)"), "{shown}");
    }

    #[test]
    fn lines_that_go_or_come_are_found() {
        let current = render();
        let shorter: String = current.lines().skip(1).map(|line| format!("{line}\n")).collect();
        assert!(compare(&current, &shorter).to_string().contains("is gone"));
        assert!(compare(&shorter, &current).to_string().contains("is new"));
        let swapped: String = current.lines().rev().map(|line| format!("{line}\n")).collect();
        assert_eq!(compare(&swapped, &current).differences.len(), 1);
        assert!(compare(&current, &current).is_clean());
    }
}
