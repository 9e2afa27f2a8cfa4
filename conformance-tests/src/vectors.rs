//! Runs every vector file on every kernel level of this machine, with one and with two threads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{Kernels, Level};
use noema_vm::{Vm, VmConfig};

use crate::report::{ConformanceError, Report, read};
use crate::scenario::{self, Case, Prepared, Received, Scenarios};

/// Where the vectors are.
#[must_use]
pub fn directory() -> PathBuf {
    crate::home().join("vectors")
}

/// Thread counts that every level is run with.
pub const THREADS: [usize; 2] = [1, 2];

/// Every level of this machine with every thread count.
#[must_use]
pub fn machines() -> Vec<(Level, usize)> {
    Level::available().into_iter().flat_map(|level| THREADS.map(|threads| (level, threads))).collect()
}

/// Kernels that have passed their known-answer test.
///
/// # Errors
/// They have not, or this machine lacks the level.
pub fn kernels(level: Level, threads: usize) -> Result<Kernels, ConformanceError> {
    Kernels::new(level, threads).map_err(|error| ConformanceError::Node(error.to_string()))
}

/// Why a device is out of use, if it is: then the CPU gave the answers, and they say nothing about it.
pub(crate) fn alarm(kernels: &Kernels) -> Option<String> {
    let device = kernels.accelerator().filter(|device| device.is_retired())?;
    Some(device.alarms().first().map_or_else(|| "the device is out of use".to_owned(), ToString::to_string))
}

/// A virtual machine of its own on these kernels.
///
/// # Errors
/// This machine cannot have one.
pub fn machine(level: Level, threads: usize) -> Result<Vm, ConformanceError> {
    let models = Arc::new(MemoryModelStore::new());
    let config = VmConfig { concurrent_messages: 1, ..VmConfig::new(Arc::new(kernels(level, threads)?), models) };
    Vm::new(config).map_err(|error| ConformanceError::Node(error.to_string()))
}

/// What a vector file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An opcode: it has a `row`.
    Opcode,
    /// Contracts and messages: it has `cases` of `contracts`.
    Scenario,
    /// A model: it has a `model`.
    Model,
}

/// What tells the kinds of files apart.
#[derive(serde::Deserialize)]
struct Keys {
    row: Option<serde::de::IgnoredAny>,
    model: Option<serde::de::IgnoredAny>,
}

/// The vector files of one kind in a directory and the directories in it, by name: every `.json` file is one.
///
/// # Errors
/// The directory cannot be read, or a file is no JSON object.
pub fn files(directory: &Path, kind: Kind) -> Result<Vec<PathBuf>, ConformanceError> {
    let mut files = Vec::new();
    for (path, found) in all_files(directory)? {
        if found == kind {
            files.push(path);
        }
    }
    Ok(files)
}

fn all_files(directory: &Path) -> Result<Vec<(PathBuf, Kind)>, ConformanceError> {
    let entries = std::fs::read_dir(directory).map_err(ConformanceError::file(directory))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(ConformanceError::file(directory))?.path();
        if path.is_dir() {
            files.extend(all_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let keys: Keys =
                serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
            let kind = match (keys.row, keys.model) {
                (Some(_), _) => Kind::Opcode,
                (None, Some(_)) => Kind::Model,
                (None, None) => Kind::Scenario,
            };
            files.push((path, kind));
        }
    }
    files.sort();
    Ok(files)
}

/// The name of a file without directory and extension.
#[must_use]
pub fn name_of(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The scenarios of a directory, file by file.
///
/// # Errors
/// A file cannot be read, or is not in the format.
pub fn scenarios(directory: &Path) -> Result<Vec<(PathBuf, Vec<Case>)>, ConformanceError> {
    let files = files(directory, Kind::Scenario)?.into_iter().map(|path| {
        let scenarios: Scenarios =
            serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
        Ok((path, scenarios.cases))
    });
    files.collect()
}

/// What a check of a directory of vectors found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Checked {
    /// Files by kind.
    pub files: BTreeMap<Kind, usize>,
    /// Every level and number of threads they were run with.
    pub machines: Vec<String>,
    /// Comparisons and differences.
    #[serde(flatten)]
    pub report: Report,
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<String> = self.files.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
        writeln!(f, "files: {}; levels and threads: {}", files.join(", "), self.machines.join(", "))?;
        self.report.fmt(f)
    }
}

/// Runs all vectors of a directory.
///
/// # Errors
/// There are none, a file is not in the format, or this machine cannot run it.
pub fn check(directory: &Path) -> Result<Checked, ConformanceError> {
    let mut files = BTreeMap::new();
    for (_, kind) in all_files(directory)? {
        *files.entry(kind).or_insert(0) += 1;
    }
    if files.is_empty() {
        return Err(ConformanceError::format(directory.display(), "there are no vector files (*.json) here"));
    }
    let mut report = crate::ops::check(directory)?;
    report.add(crate::models::check(directory)?);
    report.add(check_scenarios(directory)?);
    let machines = machines().into_iter().map(|(level, threads)| format!("{level} {threads}")).collect();
    Ok(Checked { files, machines, report })
}

/// Runs the scenarios of a directory: the answers must be those of the file, and the receipts those of the first
/// machine.
///
/// # Errors
/// A file is not in the format, or this machine cannot run it.
pub fn check_scenarios(directory: &Path) -> Result<Report, ConformanceError> {
    let mut prepared: Vec<(String, Prepared)> = Vec::new();
    for (path, cases) in scenarios(directory)? {
        for case in &cases {
            let beside = path.parent().unwrap_or(directory);
            prepared.push((name_of(&path), scenario::prepare(case, beside)?));
        }
    }
    let mut report = Report::default();
    if prepared.is_empty() {
        return Ok(report);
    }
    let mut first: Vec<Vec<Received>> = Vec::new();
    for (level, threads) in machines() {
        let vm = machine(level, threads)?;
        for (index, (file, case)) in prepared.iter().enumerate() {
            let (mut found, received) = scenario::run(&vm, case, ProtocolVersion::LATEST)?;
            for difference in &mut found.differences {
                difference.at = format!("{file}, {level} with {threads}: {}", difference.at);
            }
            report.add(found);
            match first.get(index) {
                None => first.push(received),
                Some(first) => {
                    for (expected, received) in first.iter().zip(&received) {
                        let at = || format!("{file}, {level} with {threads}: {}: {}", case.name(), received.message);
                        report.equal(at, expected, received);
                    }
                }
            }
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check, check_scenarios, directory};
    use crate::ConformanceError;

    #[test]
    fn scenarios_hold_on_every_level() {
        let report = check_scenarios(&directory()).unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.cases > 1_000, "{report}");
    }

    /// Runs one case whose only contract makes these steps.
    fn steps(steps: &str) -> Result<String, ConformanceError> {
        scenario(&format!(r#"{{"name": "case", "contracts": [{{"name": "main", "call": [{steps}]}}]}}"#))
    }

    fn scenario(case: &str) -> Result<String, ConformanceError> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("scenarios")).unwrap();
        let text = format!(r#"{{"about": "a test", "cases": [{case}]}}"#);
        std::fs::write(directory.path().join("scenarios/it.json"), text).unwrap();
        check_scenarios(directory.path()).map(|report| report.to_string())
    }

    /// Wrong expectations are found, each by its name: otherwise all the others show nothing.
    #[test]
    fn what_is_wrong_in_a_scenario_is_found() {
        let digest = r#""call": "crypto.sha256", "args": {"data": ""}"#;
        let right = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (wrong, part) in [
            (format!(r#"{{{digest}, "result": 0, "out": {{"digest": "{right}"}}}}"#), ", 0 different"),
            (format!(r#"{{{digest}, "result": 0, "out": {{"digest": "00"}}}}"#), "first at byte 0"),
            (format!(r#"{{{digest}, "result": 0}}"#), "digest: expected aa"),
            (format!(r#"{{{digest}, "result": 1, "out": {{"digest": "{right}"}}}}"#), "expected 1, found 0"),
            (format!(r#"{{{digest}, "status": "NotFound"}}"#), "expected NotFound, found 0"),
            (format!(r#"{{{digest}, "stops": "fault"}}"#), "it should not have returned"),
            (
                format!(r#"{{{digest}, "result": 0, "out": {{"digest": "{right}"}}, "work": 1, "repeat": 2}}"#),
                ", 0 different",
            ),
            (
                r#"{"call": "storage.set", "args": {"key": "", "value": ""}, "result": 0, "repeat": 2, "work": 0}"#
                    .to_owned(),
                ", 0 different",
            ),
            (
                r#"{"call": "storage.get", "args": {"key": "", "value": 1}, "status": "NotFound", "work": 3}"#
                    .to_owned(),
                "gas of state: 82000100 is not 2001600 with 2 to 2 first reads and 0 writes or more",
            ),
            (
                r#"{"call": "context.caller", "args": {"address": {"pointer": -1}}, "result": 0}"#.to_owned(),
                "it did not answer",
            ),
        ] {
            let found = steps(&wrong).unwrap();
            assert!(found.contains(part), "{wrong}\n{found}");
        }
    }

    /// A folder of somebody else, written from `vectors/README.md` alone: all kinds of files, in folders of their own.
    #[test]
    fn a_folder_of_somebody_else_is_run() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert!(check(directory.path()).unwrap_err().to_string().contains("no vector files"));
        write(
            "theirs/addition.json",
            r#"{
              "row": "op.add",
              "cases": [
                {"name": "broadcast",
                 "args": [{"tensor": {"dtype": "u8", "shape": [2, 2], "data": [250, 1, 2, 3]}}, {"tensor": {"dtype": "u8", "shape": [2], "fill": 10}}],
                 "result": {"tensor": {"dtype": "u8", "shape": [2, 2], "data": [255, 11, 12, 13]}}},
                {"name": "two types",
                 "args": [{"tensor": {"dtype": "u8", "shape": [], "data": [0]}}, {"tensor": {"dtype": "i8", "shape": [], "data": [0]}}],
                 "status": "TypeMismatch"}
              ]
            }"#,
        );
        let container = std::fs::read_to_string(crate::home().join("vectors/models/two-scores.model.hex")).unwrap();
        let id = noema_model::merkle::root(&hex::decode(container.replace('\n', "")).unwrap()).to_string();
        write("models/m.hex", &container);
        write(
            "models/m.json",
            &format!(
                r#"{{"about": "two scores", "model": "m.hex", "id": "{id}", "cases": [
                     {{"name": "a row", "inputs": [{{"tensor": {{"dtype": "i8", "shape": [1, 3], "data": [-4, 0, 5]}}}}],
                      "outputs": [{{"tensor": {{"dtype": "i32", "shape": [1, 2], "data": [11, 109]}}}}, {{"tensor": {{"dtype": "i32", "shape": [1], "data": [1]}}}}]}}]}}"#
            ),
        );
        write(
            "models/on-chain.json",
            r#"{
              "about": "a contract that opens the container beside this file",
              "cases": [{
                "name": "open",
                "models": ["m.hex"],
                "contracts": [{"name": "main", "call": [
                  {"call": "model.open", "args": {"id": "model:m.hex"}, "result": 1, "as": "m"},
                  {"call": "model.open", "args": {"id": "fill:00:32"}, "status": "NotFound"},
                  {"call": "context.input_len", "result": 2}
                ]}],
                "messages": [{"call": "main", "input": "text:hi"}]
              }]
            }"#,
        );
        let checked = check(directory.path()).unwrap();
        assert!(checked.report.is_clean(), "{checked}");
        assert_eq!(checked.files.values().sum::<usize>(), 3);
        let text = checked.to_string();
        assert!(text.contains("Opcode 1") && text.contains("Scenario 1") && text.contains("Model 1"), "{text}");
        assert!(text.contains("reference 1") && text.contains("portable 2"), "{text}");

        write("theirs/addition.json", r#"{"row": "op.addition", "cases": []}"#);
        assert!(check(directory.path()).unwrap_err().to_string().contains("no opcode op.addition"));
        write("theirs/addition.json", "[");
        assert!(check(directory.path()).unwrap_err().to_string().contains("addition.json"));
    }

    #[test]
    fn messages_and_events_are_compared() {
        let case = |expect: &str| {
            format!(
                r#"{{"name": "case", "balances": {{"@sender": "5"}},
                     "contracts": [{{"name": "main", "call": [{{"call": "event.emit", "args": {{"topic": "01", "data": "02"}}, "result": 0}}]}}],
                     "messages": [{{"call": "main", "value": "2", "expect": {{{expect}}}}}]}}"#
            )
        };
        for (expect, part) in [
            (r#""status": "abort""#, "expected abort, found Success"),
            (r#""events": []"#, "main: events: expected []"),
            (r#""output": "00""#, "output: expected [0], found []"),
            (r#""balances": {"@main": "3"}"#, "balance of @main: expected Some(3), found Some(2)"),
            (r#""logs": ["x"]"#, "log: expected"),
            (r#""tensor_bytes": 1"#, "tensor bytes: expected 1, found 0"),
        ] {
            let found = scenario(&case(expect)).unwrap();
            assert!(found.contains(part), "{expect}\n{found}");
        }
        let never = r#"{"name": "case", "contracts": [{"name": "main", "call": [], "view": [{"call": "context.input_len", "result": 0}]}]}"#;
        assert!(scenario(never).unwrap().contains("main.view, step 0 (context.input_len): no message came here"));
    }

    #[test]
    fn what_is_not_in_the_format_is_named() {
        for (wrong, part) in [
            (r#"{"call": "storage.gett", "result": 0}"#, "storage.gett"),
            (r#"{"call": "storage.get", "args": {"key": ""}, "result": 0}"#, "an output needs its capacity"),
            (r#"{"call": "storage.get", "args": {"value": 4}, "result": 0}"#, "argument key: it is missing"),
            (r#"{"call": "context.input_len", "args": {"x": 1}, "result": 0}"#, "no argument `x`"),
            (r#"{"call": "context.input_len"}"#, "exactly one of"),
            (r#"{"call": "tensor.drop", "args": {"x": "$none"}, "result": 0}"#, "no earlier step is called `none`"),
            (r#"{"call": "context.balance", "args": {"address": "00"}, "result": 0}"#, "1 bytes instead of 32"),
            (r#"{"call": "control.abort", "args": {"code": 1, "message": ""}, "result": 0}"#, "it never returns"),
            (r#"{"call": "context.input_len", "result": 0, "extra": 1}"#, "unknown field `extra`"),
        ] {
            let error = steps(wrong).unwrap_err().to_string();
            assert!(error.contains(part), "{wrong}\n{error}");
        }
        assert!(check_scenarios(Path::new("/nowhere")).unwrap_err().to_string().contains("/nowhere"));
    }
}
