//! `noema-bench state`: how long the state of a node takes for what its gas says, in a store on disk that is larger than its caches.
//!
//! ```text
//!  a contract with many entries, in each kind of store
//!    reads or writes some of them, picked at random     at hand: the same ones once more
//!                                                       on disk: the store opened again, its files out of the system's cache
//!    writes: with the new root of the state, and what makes the commit last (fsync)
//! ```
//!
//! Time is wall time, because a node waits for its disk. The files leave the system's cache by `dd` (GNU).
#![allow(clippy::disallowed_types, reason = "it measures time")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use noema_state::{Batch, DEFAULT_CACHE_BYTES, StateStore, StoreKind, WriteSet, root};
use noema_vm::{Outcome, ReceiptStatus, layout};

use crate::deployed::Deployed;
use crate::measure::Spread;
use crate::report::{Report, Row, Sense};

/// Arguments of `noema-bench state`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Entries of the contract.
    #[arg(long, default_value_t = 400_000)]
    pub entries: u32,
    /// Entries that a message reads or writes.
    #[arg(long, default_value_t = 1_000)]
    pub accesses: u32,
    /// Rounds: each gives one ratio.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Where the stores are made [default: the system's directory for temporary files].
    #[arg(long)]
    pub directory: Option<PathBuf>,
}

/// Bytes of an entry's value.
const VALUE: usize = 64;
/// Entries that are written at a time while a store is filled.
const FILLED: u32 = 20_000;

/// Measures every kind of store.
///
/// # Errors
/// A store or `dd` fails, or the contract does.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("state");
    report.note(format!(
        "{} entries of {VALUE} bytes, {} of them in a message; wall time",
        options.entries, options.accesses
    ));
    for kind in StoreKind::available() {
        eprintln!("state: filling {kind}");
        let directory = match &options.directory {
            Some(directory) => tempfile::tempdir_in(directory),
            None => tempfile::tempdir(),
        }?;
        let mut node = Node::new(kind, &directory.path().join(kind.file_name()), options)?;
        for (does, what) in [(Does::Get, "storage.get"), (Does::Set, "storage.set and commit")] {
            for cold in [false, true] {
                let case = format!("{what}, {} ({kind})", if cold { "on disk" } else { "at hand" });
                eprintln!("state: {case}");
                let mut ratios = Vec::new();
                let mut each = Duration::MAX;
                for round in 0..options.rounds {
                    let (ratio, took) = node.measure(does, cold, round)?;
                    ratios.push(ratio);
                    each = each.min(took);
                }
                report.note(format!("{case}: at least {:.1} µs each", each.as_secs_f64() * 1e6));
                let ratio = Spread::of(ratios);
                report.extend([Row { case, peer: "state".to_owned(), threads: 1, sense: Sense::Gas, ratio }]);
            }
        }
    }
    Ok(report)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Get,
    Set,
}

/// A store with a contract in it.
struct Node {
    kind: StoreKind,
    path: PathBuf,
    store: Option<Box<dyn StateStore>>,
    get: Deployed,
    set: Deployed,
    version: u64,
    accesses: u32,
}

impl Node {
    fn new(kind: StoreKind, path: &Path, options: &Options) -> anyhow::Result<Node> {
        let contract = |body: &str| {
            let code = wat::parse_str(program(options, body)).expect("the bench brings a valid module");
            Deployed::of_code(&code).map_err(|why| anyhow::anyhow!(why))
        };
        let get = contract("(drop (call $get (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 64)))")?;
        let set = contract(
            "(i64.store (i32.const 4096) (local.get $r)) (drop (call $set (i32.const 0) (i32.const 8) (i32.const 4096) (i32.const 64)))",
        )?;
        let store = kind.create(path, DEFAULT_CACHE_BYTES)?;
        let mut node =
            Node { kind, path: path.to_owned(), store: Some(store), get, set, version: 0, accesses: options.accesses };
        node.fill(options.entries)?;
        Ok(node)
    }

    /// Gives both contracts their entries.
    fn fill(&mut self, entries: u32) -> anyhow::Result<()> {
        let contracts = [self.get.contract(), self.set.contract()];
        let mut writes: WriteSet = [&self.get, &self.set]
            .iter()
            .flat_map(|deployed| deployed.state().iter().map(|(key, value)| (key.clone(), Some(value.clone()))))
            .collect();
        for contract in &contracts {
            // 32 bytes of address, 8 of key, 64 of value, and what an entry counts beside: only the sum matters here.
            let bytes = u64::from(entries) * 1024;
            writes.insert(layout::entries_key(contract), Some(bytes.to_le_bytes().to_vec()));
        }
        self.commit(&writes)?;
        for first in (0..entries).step_by(usize::try_from(FILLED)?) {
            let numbers = first..entries.min(first.saturating_add(FILLED));
            let entry = |number: u32| {
                let value: Vec<u8> = (0..VALUE).map(|at| number.to_le_bytes()[at % 4]).collect();
                let key = u64::from(number).to_le_bytes();
                contracts.each_ref().map(|contract| (layout::storage_key(contract, &key), Some(value.clone())))
            };
            self.commit(&numbers.flat_map(entry).collect())?;
        }
        Ok(())
    }

    /// What a node does with the writes of a block.
    fn commit(&mut self, writes: &WriteSet) -> anyhow::Result<()> {
        let store = self.store.as_deref().context("the store is open")?;
        let mut batch = Batch::new();
        batch.write_state(writes);
        root::apply(store, self.version, writes, &mut batch)?;
        store.commit(batch)?;
        self.version += 1;
        Ok(())
    }

    /// Picoseconds for a unit of gas, and the time of one access.
    fn measure(&mut self, does: Does, cold: bool, round: u32) -> anyhow::Result<(f64, Duration)> {
        // Other entries in every round.
        let seed = [&round.to_le_bytes()[..], &[u8::from(cold)]].concat();
        if cold {
            self.forget()?;
        } else {
            self.message(does, &seed)?;
        }
        let start = Instant::now();
        let outcome = self.message(does, &seed)?;
        if does == Does::Set {
            self.commit(&outcome.writes)?;
        }
        let took = start.elapsed();
        let gas = &outcome.receipt.gas;
        #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts for a ratio")]
        let ratio = took.as_nanos() as f64 * 1000.0 / (gas.state + gas.host + gas.wasm) as f64;
        Ok((ratio, took / self.accesses.max(1)))
    }

    fn message(&self, does: Does, seed: &[u8]) -> anyhow::Result<Outcome> {
        let view = self.store.as_deref().context("the store is open")?.snapshot()?;
        let deployed = if does == Does::Get { &self.get } else { &self.set };
        let outcome = deployed.call_on(&view, seed);
        ensure!(outcome.receipt.status == ReceiptStatus::Success, "{:?}", outcome.diagnostic);
        Ok(outcome)
    }

    /// Closes the store and opens it again, with none of its files in memory.
    fn forget(&mut self) -> anyhow::Result<()> {
        self.store = None;
        for file in files(&self.path)? {
            let done = Command::new("dd")
                .arg(format!("if={}", file.display()))
                .args(["iflag=nocache", "count=0", "status=none"])
                .status()
                .context("cannot run dd")?;
            ensure!(done.success(), "dd cannot take {} out of the cache", file.display());
        }
        self.store = Some(self.kind.open(&self.path, DEFAULT_CACHE_BYTES)?);
        Ok(())
    }
}

/// The file, or those in the directory.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

/// A contract that does this with entries picked by its input.
fn program(options: &Options, body: &str) -> String {
    let Options { entries, accesses, .. } = options;
    format!(
        r#"(module
             (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
             (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
             (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
             (memory (export "memory") 2 2)
             (func (export "call") (local $i i32) (local $r i64)
               (drop (call $input (i32.const 0) (i32.const 64) (i32.const 8)))
               (local.set $r (i64.mul (i64.add (i64.load (i32.const 64)) (i64.const 1)) (i64.const 0x9e3779b97f4a7c15)))
               (local.set $i (i32.const {accesses}))
               (loop $again
                 (local.set $r (i64.add (i64.mul (local.get $r) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
                 (i64.store (i32.const 0) (i64.rem_u (i64.shr_u (local.get $r) (i64.const 33)) (i64.const {entries})))
                 {body}
                 (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))))"#
    )
}

#[cfg(test)]
mod tests {
    use super::{Options, run};

    #[test]
    fn every_store_is_measured_at_hand_and_on_disk() {
        let options = Options { entries: 50, accesses: 5, rounds: 1, directory: None };
        let report = run(&options).unwrap();
        assert_eq!(report.rows().len(), 4 * noema_state::StoreKind::available().len());
        assert!(report.rows().iter().all(|row| row.ratio.median > 0.0));
    }
}
