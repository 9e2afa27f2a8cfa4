//! Golden receipts: contracts in the text format, fixed messages, and every field of what came of them.
//!
//! A receipt that changes changes consensus: it belongs into a new protocol version, unless no chain runs the old one.

use std::path::{Path, PathBuf};

use noema_abi::ProtocolVersion;
use noema_vm::{Receipt, ReceiptStatus};
use serde_json::{Value, json};

use crate::report::{ConformanceError, Report, read, write};
use crate::scenario::{self, Prepared, Received, Scenarios};
use crate::vectors;

/// How to accept new receipts.
pub const BLESS: &str = "cargo run --release -p noema-conformance -- golden --bless";

/// Where the golden files of a protocol version are: `plan.json` says what is done, `receipts.json` what came of it,
/// `*.wat` are the contracts, and `*.model.hex` the containers of models. Every version that this build knows has one,
/// for good: an old version that gives other receipts forks the chains that run it.
#[must_use]
pub fn directory(version: ProtocolVersion) -> PathBuf {
    crate::home().join(format!("golden/{version}"))
}

/// Every protocol version that this build knows, oldest first.
pub fn versions() -> impl Iterator<Item = ProtocolVersion> {
    (1..).map_while(ProtocolVersion::from_number)
}

/// Models whose container bytes are golden.
const MODELS: [&str; 1] = ["two-scores"];

fn plan(directory: &Path) -> Result<Vec<Prepared>, ConformanceError> {
    let path = directory.join("plan.json");
    let plan: Scenarios =
        serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
    plan.cases.iter().map(|case| scenario::prepare(case, directory)).collect()
}

/// A receipt with all its fields, and its hash.
fn receipt(receipt: &Receipt) -> Value {
    let status = match &receipt.status {
        ReceiptStatus::Success => json!("success"),
        ReceiptStatus::Abort { code, message } => json!({ "abort": { "code": code, "message": hex::encode(message) } }),
        ReceiptStatus::Fault => json!("fault"),
        ReceiptStatus::Rejected { reason } => json!({ "rejected": format!("{reason:?}") }),
        ReceiptStatus::InsufficientDeposit(short) => json!({ "insufficient_deposit": {
            "holder": short.holder.to_string(),
            "bytes": short.bytes,
            "needed": short.needed.to_string(),
            "balance": short.balance.to_string(),
        } }),
    };
    let gas = receipt.gas;
    let events: Vec<Value> = receipt
        .events
        .iter()
        .map(|event| {
            json!({
                "contract": event.contract.to_string(),
                "topic": hex::encode(&event.topic),
                "data": hex::encode(&event.data),
            })
        })
        .collect();
    json!({
        "version": receipt.version,
        "status": status,
        "gas_limit": receipt.gas_limit,
        "gas": {
            "wasm": gas.wasm,
            "host": gas.host,
            "tensor": gas.tensor,
            "state": gas.state,
            "code": gas.code,
            "forfeited": gas.forfeited,
        },
        "output": hex::encode(&receipt.output),
        "events": events,
        "write_hash": hex::encode(receipt.write_hash),
        "depth": receipt.depth,
        "tensor_bytes": receipt.tensor_bytes,
        "bytes": hex::encode(receipt.to_bytes()),
        "hash": hex::encode(receipt.hash()),
    })
}

fn shown(case: &Prepared, received: &[Received]) -> Vec<Value> {
    let entry = |received: &Received| json!({ "case": case.name(), "message": received.message, "receipt": receipt(&received.receipt) });
    received.iter().map(entry).collect()
}

/// Compares the receipts of this build, on every level and by the rules of every protocol version, with the golden
/// ones, and the containers of models.
///
/// # Errors
/// A file cannot be read (also where a version has none), or this machine cannot run the plan.
pub fn check() -> Result<Report, ConformanceError> {
    let mut report = Report::default();
    for version in versions() {
        report.add(check_version(version, &directory(version))?);
    }
    Ok(report)
}

fn check_version(version: ProtocolVersion, directory: &Path) -> Result<Report, ConformanceError> {
    let path = directory.join("receipts.json");
    let golden: Vec<Value> =
        serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
    let plan = plan(directory)?;
    let mut report = Report::default();
    // The first machine is compared with the files, the others with the first.
    let mut expected = golden;
    for (level, threads) in vectors::machines() {
        let vm = vectors::machine(level, threads)?;
        let mut entries = Vec::new();
        for case in &plan {
            let (found, received) = scenario::run(&vm, case, version)?;
            report.add(found);
            entries.extend(shown(case, &received));
        }
        for (index, entry) in entries.iter().enumerate() {
            let at = || format!("{version}, {level} with {threads}: {}: {}", entry["case"], entry["message"]);
            report.compare(at, difference(expected.get(index).unwrap_or(&Value::Null), entry));
        }
        report.equal(|| format!("{version}, {level} with {threads}: receipts"), &expected.len(), &entries.len());
        expected = entries;
    }
    for name in MODELS {
        let path = model_path(directory, name);
        report.equal(|| path.display().to_string(), &read(&path)?, &model_text(name)?);
    }
    Ok(report)
}

/// The fields that differ. The bytes and the hash, which always follow the others, are named only where nothing else
/// differs.
fn difference(golden: &Value, found: &Value) -> Option<String> {
    fn walk(path: &str, golden: &Value, found: &Value, differences: &mut Vec<(String, String)>) {
        match (golden, found) {
            (Value::Object(old), Value::Object(new)) => {
                for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                    let value = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
                    walk(&format!("{path}.{name}"), &value(old), &value(new), differences);
                }
            }
            _ if golden == found => {}
            _ => {
                let field = path.trim_start_matches('.').to_owned();
                differences.push((field, format!("was {golden}, is {found}")));
            }
        }
    }
    let mut differences = Vec::new();
    walk("", golden, found, &mut differences);
    let follows = |field: &str| matches!(field, "receipt.bytes" | "receipt.hash");
    if differences.iter().any(|(field, _)| !follows(field)) {
        differences.retain(|(field, _)| !follows(field));
    }
    let shown: Vec<String> = differences.iter().map(|(field, what)| format!("{field} {what}")).collect();
    (!shown.is_empty()).then(|| shown.join("; "))
}

/// Writes the receipts of this build for the newest protocol version. Those of older versions are never written again.
///
/// # Errors
/// A file cannot be read or written, or this machine cannot run the plan.
pub fn bless() -> Result<(), ConformanceError> {
    let version = ProtocolVersion::LATEST;
    let directory = &directory(version);
    let (level, threads) = vectors::machines()[0];
    let vm = vectors::machine(level, threads)?;
    let mut receipts = Vec::new();
    for case in plan(directory)? {
        let (report, received) = scenario::run(&vm, &case, version)?;
        if !report.is_clean() {
            return Err(ConformanceError::format(directory.join("plan.json").display(), report));
        }
        receipts.extend(shown(&case, &received));
    }
    let text = serde_json::to_string_pretty(&receipts).map_err(|error| ConformanceError::format("receipts", error))?;
    write(&directory.join("receipts.json"), &(text + "\n"))?;
    MODELS.iter().try_for_each(|name| write(&model_path(directory, name), &model_text(name)?))
}

fn model_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.model.hex"))
}

/// A container as lines of hexadecimal digits.
fn model_text(name: &str) -> Result<String, ConformanceError> {
    let container = crate::sample_model(name)?;
    Ok(container.chunks(32).map(|line| hex::encode(line) + "\n").collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BLESS, check, check_version, difference, directory, versions};
    use noema_abi::ProtocolVersion;
    use serde_json::json;

    #[test]
    fn receipts_are_the_golden_ones_on_every_level() {
        let report = check().unwrap();
        assert!(report.is_clean(), "{report}\nIf the change is meant: {BLESS}");
        assert!(report.cases > 100, "{report}");
    }

    /// A version that was released stays: its folder, its receipts, and a build that can run it.
    #[test]
    fn no_version_is_lost() {
        let here: BTreeSet<String> = std::fs::read_dir(crate::home().join("golden"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('v'))
            .collect();
        let known: BTreeSet<String> = versions().map(|version| version.to_string()).collect();
        assert_eq!(here, known, "folders of golden/ and protocol versions of this build");
        // The first ones, by name: forgetting one needs an edit here, in a commit that says why.
        let released = BTreeSet::from(["v1"].map(str::to_owned));
        assert!(known.is_superset(&released), "of the released versions {released:?} only {known:?} are left");
        for version in versions() {
            for file in ["plan.json", "receipts.json"] {
                assert!(directory(version).join(file).is_file(), "{version} has no {file}");
            }
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(check_version(ProtocolVersion::V1, empty.path()).unwrap_err().to_string().contains("receipts.json"));
    }

    #[test]
    fn differences_name_the_field() {
        let old = json!({ "gas": { "wasm": 1, "host": 2 }, "depth": 3 });
        let new = json!({ "gas": { "wasm": 1, "host": 5 }, "depth": 3 });
        assert_eq!(difference(&old, &new), Some("gas.host was 2, is 5".to_owned()));
        assert_eq!(difference(&old, &old), None);
        assert!(difference(&old, &json!({ "gas": {} })).unwrap().contains("depth was 3, is null"));
        let receipt = |depth: u32, hash: &str| json!({ "receipt": { "depth": depth, "hash": hash } });
        assert_eq!(difference(&receipt(1, "a"), &receipt(2, "b")), Some("receipt.depth was 1, is 2".to_owned()));
        assert!(difference(&receipt(1, "a"), &receipt(1, "b")).unwrap().contains("receipt.hash"));
    }
}
