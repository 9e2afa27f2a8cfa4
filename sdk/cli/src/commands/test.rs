//! `noema test`: the tests of a contract crate, and what its calls cost.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::output::{Report, table};
use crate::receipts::amount;
use crate::{CliError, Context};

/// Where a crate keeps what its calls cost, and the variable that says where to write it instead of comparing it: as
/// `noema_testing::check_gas` has them.
const GAS_FILE: &str = "tests/gas.txt";
const GAS_RECORD: &str = "NOEMA_GAS_RECORD";

/// Arguments of `noema test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Directory of the contract crate
    #[arg(value_name = "DIR", default_value = ".")]
    crate_dir: PathBuf,
    /// Show what calls cost now beside what tests/gas.txt says (`noema_testing::check_gas`), instead of comparing it
    #[arg(long)]
    gas: bool,
    /// With --gas: write what calls cost now to tests/gas.txt
    #[arg(long, requires = "gas")]
    accept: bool,
    /// For the test program, such as a part of the names of tests to run
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Tests that passed.
#[derive(Serialize, Debug)]
pub struct TestReport {
    passed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gas: Vec<GasChange>,
    accepted: bool,
}

/// A call that costs something else than it did.
#[derive(Serialize, Debug)]
pub struct GasChange {
    name: String,
    before: Option<u64>,
    now: Option<u64>,
}

impl GasChange {
    /// How much more or less, in tenths of a per cent.
    fn permille(&self) -> Option<i128> {
        let (before, now) = (i128::from(self.before?), i128::from(self.now?));
        (before > 0).then(|| (now - before) * 1000 / before)
    }
}

impl Report for TestReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.gas.is_empty() {
            return writeln!(out, "tests passed");
        }
        let mut lines = table(&["call", "before", "now", "change"]);
        for change in &self.gas {
            let shown = |gas: Option<u64>| gas.map_or_else(|| "-".to_owned(), amount);
            let difference = match (change.permille(), change.before, change.now) {
                (Some(0), before, now) if before == now => String::new(),
                (Some(tenths), ..) => {
                    let sign = if change.now < change.before { '-' } else { '+' };
                    format!("{sign}{}.{} %", tenths.abs() / 10, tenths.abs() % 10)
                }
                (None, None, _) => "new".to_owned(),
                (None, _, None) => "gone".to_owned(),
                (None, ..) => "from nothing".to_owned(),
            };
            lines.add_row(vec![change.name.clone(), shown(change.before), shown(change.now), difference]);
        }
        writeln!(out, "{lines}")?;
        if self.accepted {
            return writeln!(out, "written to {GAS_FILE}");
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// Tests fail or do not compile, or gas cannot be read or written.
pub fn run(context: &Context, arguments: TestArgs) -> Result<TestReport, CliError> {
    let dir = &arguments.crate_dir;
    let manifest = dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(CliError::file(dir, "it holds no Cargo.toml", "`noema new` makes a contract crate with tests"));
    }
    let recorded = arguments.gas.then(tempfile::tempdir).transpose();
    let recorded = recorded.map_err(|error| CliError::io("create", &std::env::temp_dir(), error))?;
    let mut cargo = noema_build::cargo(dir)?;
    // As contracts are built: a sum that wraps in a test would not wrap on a chain.
    cargo.args(["test", "--release", "--config", "profile.release.overflow-checks=true"]);
    if let Some(folder) = &recorded {
        cargo.env(GAS_RECORD, folder.path());
    } else {
        cargo.env_remove(GAS_RECORD);
    }
    if !arguments.arguments.is_empty() {
        cargo.arg("--").args(&arguments.arguments);
    }
    // Tests speak to people; scripts get one object.
    let status = if context.output.is_json() {
        let done =
            cargo.stdin(Stdio::null()).output().map_err(|error| CliError::io("run", Path::new("cargo"), error))?;
        if !done.status.success() {
            let words = [done.stdout, done.stderr].concat();
            return Err(failed(dir, Some(String::from_utf8_lossy(&words).into_owned())));
        }
        done.status
    } else {
        cargo.status().map_err(|error| CliError::io("run", Path::new("cargo"), error))?
    };
    if !status.success() {
        return Err(failed(dir, None));
    }
    let Some(folder) = recorded else { return Ok(TestReport { passed: true, gas: Vec::new(), accepted: false }) };
    let file = dir.join(GAS_FILE);
    let now = read_all(folder.path())?;
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => read(&file, &text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(CliError::io("read", &file, error)),
    };
    if arguments.accept {
        write(&file, &now)?;
    }
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let change = |name: &String| GasChange {
        name: name.clone(),
        before: before.get(name).copied(),
        now: now.get(name).copied(),
    };
    Ok(TestReport { passed: true, gas: names.into_iter().map(change).collect(), accepted: arguments.accept })
}

fn failed(dir: &Path, output: Option<String>) -> CliError {
    CliError::Check {
        code: "tests-failed",
        message: format!("tests of {} failed", dir.display()),
        hint: "what failed stands above; `noema test DIR -- NAME` runs some of them".into(),
        details: output.map_or(json!(null), |output| json!({ "output": output })),
    }
}

/// Lines of a name and a number.
fn read(file: &Path, text: &str) -> Result<BTreeMap<String, u64>, CliError> {
    let mut gas = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parsed = line.rsplit_once(' ').and_then(|(name, gas)| Some((name.trim().to_owned(), gas.parse().ok()?)));
        let (name, used) = parsed.ok_or_else(|| {
            CliError::file(
                file,
                format!("`{line}` is no name and number"),
                "`noema test --gas --accept` writes it anew",
            )
        })?;
        if gas.insert(name.clone(), used).is_some_and(|before| before != used) {
            let problem = format!("`{name}` costs two things");
            return Err(CliError::file(file, problem, "give every call that is checked a name of its own"));
        }
    }
    Ok(gas)
}

/// What all test programs have recorded.
fn read_all(folder: &Path) -> Result<BTreeMap<String, u64>, CliError> {
    let failed = |error| CliError::io("read", folder, error);
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        all += &std::fs::read_to_string(entry.map_err(failed)?.path()).map_err(failed)?;
    }
    read(Path::new("check_gas"), &all)
}

fn write(file: &Path, gas: &BTreeMap<String, u64>) -> Result<(), CliError> {
    let mut text =
        "# What calls cost, by `noema test --gas --accept`. Another compiler makes other code, and other numbers.\n"
            .to_owned();
    for (name, used) in gas {
        let _ = writeln!(text, "{name} {used}");
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| CliError::io("create", folder, error))?;
    }
    std::fs::write(file, text).map_err(|error| CliError::io("write", file, error))
}

#[cfg(test)]
mod tests {
    use super::{GasChange, Report, TestReport, read};
    use std::path::Path;

    #[test]
    fn changes_are_shown_with_their_size() {
        let change = |name: &str, before, now| GasChange { name: name.into(), before, now };
        let gas = vec![
            change("a", Some(1000), Some(1255)),
            change("b", Some(1000), Some(999)),
            change("c", None, Some(5)),
            change("d", Some(5), None),
            change("e", Some(7), Some(7)),
            change("f", Some(10_000_000), Some(9_999_999)),
        ];
        let mut out = Vec::new();
        TestReport { passed: true, gas, accepted: false }.write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = ["+25.5 %", "-0.1 %", "new", "gone", "7", "-0.0 %"];
        for (line, expected) in text.lines().skip(1).zip(expected) {
            assert!(line.trim_end().ends_with(expected), "{expected}:\n{text}");
        }
        assert_eq!(text.lines().count(), 1 + expected.len(), "{text}");
    }

    #[test]
    fn one_name_costs_one_thing() {
        assert_eq!(read(Path::new("x"), "# c\na 1\na 1\n").unwrap().len(), 1);
        assert!(read(Path::new("x"), "a 1\na 2\n").unwrap_err().to_string().contains("costs two things"));
        assert!(read(Path::new("x"), "a b c\n").is_err());
    }
}
