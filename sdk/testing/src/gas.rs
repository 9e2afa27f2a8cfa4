//! What calls cost, kept beside the tests.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use noema_vm::Receipt;

/// Where a crate keeps what its calls cost.
const FILE: &str = "tests/gas.txt";
/// The variable that `noema test --gas` sets: a folder to write what calls cost to, instead of comparing it.
const RECORD: &str = "NOEMA_GAS_RECORD";

/// Compares what a call has used with what `tests/gas.txt` of this crate says that it uses, to the unit: gas depends on nothing but
/// the code. The name says which call it is, and occurs once in a crate.
///
/// The file is made and changed by `noema test --gas`, which shows what has become dearer or cheaper, and by how much;
/// `noema test --gas --accept` writes it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (mut chain, token, bob) = (noema_testing::TestChain::new(), noema_sdk::Address([0; 32]), noema_sdk::Address([1; 32]));
/// let done = chain.at(token).call::<(), _>("transfer", &(bob, 5u128))?;
/// noema_testing::check_gas("transfer", &done.receipt);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Where it is not what the file says, the file does not have the name or cannot be read.
pub fn check_gas(name: &str, receipt: &Receipt) {
    let used = receipt.gas_used();
    if let Some(folder) = std::env::var_os(RECORD) {
        record(&PathBuf::from(folder), name, used).unwrap_or_else(|error| panic!("what `{name}` costs: {error}"));
        return;
    }
    if let Err(problem) = compare(Path::new(FILE), name, used) {
        panic!("{problem}; `noema test --gas` shows all such changes, with --accept it takes them over");
    }
}

fn compare(file: &Path, name: &str, used: u64) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let known = read(&text).map_err(|problem| format!("{}: {problem}", file.display()))?;
    match known.get(name) {
        Some(expected) if *expected == used => Ok(()),
        Some(expected) => Err(format!("`{name}` uses {used} gas, {} says {expected}", file.display())),
        None => Err(format!("{} does not say what `{name}` costs", file.display())),
    }
}

/// Lines of `name gas`, in the order of names; `#` begins a comment.
fn read(text: &str) -> Result<BTreeMap<&str, u64>, String> {
    let mut known = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parsed = line.rsplit_once(' ').and_then(|(name, gas)| Some((name.trim(), gas.parse().ok()?)));
        let (name, gas) = parsed.ok_or_else(|| format!("`{line}` is no name and number"))?;
        if known.insert(name, gas).is_some() {
            return Err(format!("`{name}` stands there twice"));
        }
    }
    Ok(known)
}

/// One line in a file of this process, which `noema test` reads; tests of one process may be threads.
fn record(folder: &Path, name: &str, used: u64) -> std::io::Result<()> {
    let file = folder.join(format!("{}.txt", std::process::id()));
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{name} {used}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{compare, read, record};

    #[test]
    fn every_difference_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gas.txt");
        assert!(compare(&file, "a", 1).unwrap_err().contains("gas.txt"));
        std::fs::write(&file, "# comment\n\na 1\nlong name 20\n").unwrap();
        assert_eq!(compare(&file, "long name", 20), Ok(()));
        assert!(compare(&file, "a", 2).unwrap_err().contains("uses 2 gas"));
        assert!(compare(&file, "b", 2).unwrap_err().contains("does not say"));
        for broken in ["a", "a x", "a 1\na 2", "a -1"] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), "one call", 5).unwrap();
        record(dir.path(), "another", 6).unwrap();
        let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(read(&text).unwrap().into_iter().collect::<Vec<_>>(), [("another", 6), ("one call", 5)]);
    }
}
