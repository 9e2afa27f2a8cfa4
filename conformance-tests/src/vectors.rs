//! Runs every vector file on every kernel level of this machine, with one and with two threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// A virtual machine of its own on these kernels.
///
/// # Errors
/// This machine cannot have one.
pub fn machine(level: Level, threads: usize) -> Result<Vm, ConformanceError> {
    let models = Arc::new(MemoryModelStore::new());
    let config = VmConfig { concurrent_messages: 1, ..VmConfig::new(Arc::new(kernels(level, threads)?), models) };
    Vm::new(config).map_err(|error| ConformanceError::Node(error.to_string()))
}

/// The `.json` files of a directory, by name.
///
/// # Errors
/// The directory cannot be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, ConformanceError> {
    let entries = std::fs::read_dir(directory).map_err(ConformanceError::file(directory))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(ConformanceError::file(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The scenarios of a directory (its `scenarios` directory), file by file.
///
/// # Errors
/// A file cannot be read, or is not in the format.
pub fn scenarios(directory: &Path) -> Result<Vec<(String, Vec<Case>)>, ConformanceError> {
    let directory = directory.join("scenarios");
    let files = files(&directory)?.into_iter().map(|path| {
        let scenarios: Scenarios =
            serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok((name, scenarios.cases))
    });
    files.collect()
}

/// Runs all vectors of a directory.
///
/// # Errors
/// A file is not in the format, or this machine cannot run it.
pub fn check(directory: &Path) -> Result<Report, ConformanceError> {
    let mut report = crate::ops::check(directory)?;
    report.add(check_scenarios(directory)?);
    Ok(report)
}

/// Runs the scenarios of a directory: the answers must be those of the file, and the receipts those of the first
/// machine.
///
/// # Errors
/// A file is not in the format, or this machine cannot run it.
pub fn check_scenarios(directory: &Path) -> Result<Report, ConformanceError> {
    let files = directory.join("scenarios");
    let mut prepared: Vec<(String, Prepared)> = Vec::new();
    for (file, cases) in scenarios(directory)? {
        for case in &cases {
            prepared.push((file.clone(), scenario::prepare(case, &files)?));
        }
    }
    let mut report = Report::default();
    let mut first: Vec<Vec<Received>> = Vec::new();
    for (level, threads) in machines() {
        let vm = machine(level, threads)?;
        for (index, (file, case)) in prepared.iter().enumerate() {
            let (mut found, received) = scenario::run(&vm, case)?;
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

    use super::{check_scenarios, directory};
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
                r#"{"call": "storage.set", "args": {"key": "", "value": ""}, "result": 0, "repeat": 2, "work": 1}"#
                    .to_owned(),
                ", 0 different",
            ),
            (
                r#"{"call": "storage.get", "args": {"key": "", "value": 1}, "status": "NotFound", "work": 3}"#
                    .to_owned(),
                "gas of state: expected 2001600, found 2000100",
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
