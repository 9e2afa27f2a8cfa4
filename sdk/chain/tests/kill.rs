//! Killing the process at any moment loses no committed block.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "a test may read its environment")]

mod scene;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use noema_chain::{Chain, ChainError, ReceiptStatus, SignedTransaction, StoreKind};
use noema_tensor::Level;
use scene::{
    address, call, config_with, contract, deploy, genesis, init_with, key, model, open, transaction, transfer, upload,
};

/// Set for the process that is killed: the directory of its chain.
const DIRECTORY: &str = "NOEMA_KILL_TEST_DIRECTORY";
/// Set for the process that creates a chain: its store.
const STORE: &str = "NOEMA_KILL_TEST_STORE";
/// How often to kill the process of each store; 300 unless set.
const KILLS: &str = "NOEMA_KILLS";

/// This executable again, running only the test `name`.
fn start(name: &str, directory: &Path, store: StoreKind) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(STORE, store.name())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills it (SIGKILL) a while after it has printed that it committed so many blocks; returns all that it printed.
fn kill(mut child: Child, after_commits: u64, wait: Duration) -> Vec<String> {
    let mut printed = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut commits = 0;
    while commits < after_commits {
        let line = output.next().expect("it prints until it is killed");
        commits += u64::from(line.starts_with("committed "));
        printed.push(line);
    }
    thread::sleep(wait);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it was to be killed, not to end: {status}");
    printed.extend(output);
    printed
}

fn directory_of_child() -> PathBuf {
    env::var_os(DIRECTORY).expect("another test starts this one").into()
}

struct Random(u64);

impl Random {
    fn up_to(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Not a test by itself: the process that is killed. It says which blocks it has committed.
#[test]
#[ignore = "the process that the other tests kill"]
fn child_commits_blocks() {
    let directory = directory_of_child();
    let mut chain = open(&directory).unwrap();
    println!("\nopen {}", chain.height());
    loop {
        let height = chain.height();
        chain.execute_block(2_000 + height, block_after(height, chain.next_nonce(&address(1)).unwrap())).unwrap();
        println!("\ncommitted {}", chain.height());
    }
}

/// What follows the block at `height`: transfers, and now and then a model, in two blocks, and a contract that uses it.
fn block_after(height: u64, nonce: u64) -> Vec<SignedTransaction> {
    let model = |height: u64| model(70_000 + usize::try_from(height).unwrap());
    match height % 6 {
        0 if height == 0 => vec![deploy(1, nonce)],
        1 => {
            let (id, bytes) = model(height);
            let mut transactions = upload(1, nonce, id, &bytes);
            transactions.pop();
            transactions
        }
        2 => {
            let (id, bytes) = model(height - 1);
            let finish = upload(1, nonce, id, &bytes).pop().unwrap().transaction.action;
            vec![key(1).sign(transaction(nonce, finish))]
        }
        3 => {
            let (id, _) = model(height - 2);
            vec![call(1, nonce, contract(1), &[&[3], &id.0[..], &[1, 2, 3]].concat())]
        }
        _ => (0..1 + height % 3).map(|more| transfer(1, nonce + more, address(9), 1)).collect(),
    }
}

/// Not a test by itself: the process that is killed while it creates a chain.
#[test]
#[ignore = "the process that the other tests kill"]
fn child_creates_a_chain() {
    let store = env::var(STORE).unwrap().parse().unwrap();
    let chain = init_with(&directory_of_child(), store);
    println!("\ncommitted {}", chain.height());
    loop {
        thread::park();
    }
}

#[test]
fn a_killed_process_loses_no_committed_block_of_redb() {
    kill_while_blocks_are_committed(StoreKind::Redb);
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_killed_process_loses_no_committed_block_of_rocksdb() {
    kill_while_blocks_are_committed(StoreKind::RocksDb);
}

fn kill_while_blocks_are_committed(kind: StoreKind) {
    let kills: u64 = env::var(KILLS).ok().map_or(300, |kills| kills.parse().unwrap());
    let mut random = Random(0x0BAD_5EED_0BAD_5EED);
    let mut directory = tempfile::tempdir().unwrap();
    let (mut height, mut starting, mut unsaid) = (0, 0, 0);
    for number in 0..kills {
        if number % 25 == 0 {
            directory = tempfile::tempdir().unwrap();
            drop(init_with(directory.path(), kind));
            height = 0;
        }
        let path = directory.path();
        // One in five dies while it starts, the others at some moment of a block.
        let (commits, wait) = match random.up_to(5) {
            0 => (0, random.up_to(40_000)),
            _ => (1 + random.up_to(4), random.up_to(20_000)),
        };
        let printed = kill(start("child_commits_blocks", path, kind), commits, Duration::from_micros(wait));
        let said = printed.iter().filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok()).max();

        let chain = open(path).unwrap_or_else(|error| panic!("kill {number}: {error}"));
        let expected = said.unwrap_or(height);
        assert!(expected >= height + commits.min(1));
        assert!(
            chain.height() >= expected,
            "kill {number}: block {expected} was committed, {} is there",
            chain.height()
        );
        assert!(chain.height() <= expected + 1, "kill {number}: a block was committed that nobody executed");
        starting += u64::from(said.is_none());
        unsaid += chain.height() - expected;
        height = chain.height();

        // The blocks are whole, linked, and what they say is what execution gives.
        let report = chain.replay(&[Level::Portable], &[1], &mut |_| {}).unwrap();
        assert!(report.identical(), "kill {number}: {:?}", report.first_difference());
        assert_eq!(report.results[0].root, chain.root());
        let blocks = chain.blocks(0, usize::MAX).unwrap();
        assert_eq!(blocks.len() as u64, height + 1);
        let transactions: Vec<_> = blocks.iter().flat_map(|block| &block.transactions).collect();
        assert_eq!(chain.next_nonce(&address(1)).unwrap(), transactions.len() as u64);
        let transferred: u128 = transactions.iter().map(|transaction| transaction.transaction.value).sum();
        assert_eq!(chain.account(&address(9)).unwrap().balance, transferred);
        for height in 1..=height {
            for receipt in chain.receipts(height).unwrap() {
                assert_eq!(receipt.receipt.status, ReceiptStatus::Success, "kill {number}: {receipt:?}");
            }
        }
    }
    println!("{kind}: {kills} kills, {starting} before the first block, {unsaid} after a commit that was not yet said");
}

#[test]
fn a_process_killed_while_it_creates_a_chain_leaves_one_or_none() {
    StoreKind::available().into_iter().for_each(kill_while_a_chain_is_created);
}

fn kill_while_a_chain_is_created(kind: StoreKind) {
    let (mut whole, mut repeated) = (0, 0);
    for number in 0..16_u64 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain");
        // The last one is known to have finished.
        let (commits, wait) = if number < 15 { (0, number * number * 200) } else { (1, 0) };
        let printed = kill(start("child_creates_a_chain", &path, kind), commits, Duration::from_micros(wait));
        let done = printed.iter().any(|line| line == "committed 0");
        match open(&path) {
            Ok(chain) => {
                whole += 1;
                assert_eq!(chain.height(), 0);
            }
            Err(error) => {
                assert!(!done, "kill {number}: the chain was there: {error}");
                assert!(
                    matches!(error, ChainError::Missing { .. } | ChainError::NotAChain { .. }),
                    "kill {number}: {error:?}"
                );
                repeated += 1;
                let chain = Chain::init(&path, &genesis(), &config_with(kind));
                let chain = chain.unwrap_or_else(|error| panic!("kill {number}: {error}"));
                assert_eq!(chain.height(), 0);
            }
        }
    }
    assert!(whole > 0 && repeated > 0, "{kind}: {whole} whole, {repeated} repeated");
}

#[test]
fn a_chain_in_another_process_is_in_use() {
    for kind in StoreKind::available() {
        let directory = tempfile::tempdir().unwrap();
        drop(init_with(directory.path(), kind));
        let mut child = start("child_commits_blocks", directory.path(), kind);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("open ")), "the other process did not open the chain");
        let Err(error) = open(directory.path()) else { panic!("two processes have the chain open") };
        assert!(matches!(error, ChainError::Busy { .. }), "{error:?}");
        assert!(error.to_string().contains("in use by another process"));
        assert!(matches!(
            Chain::init(directory.path(), &genesis(), &config_with(kind)),
            Err(ChainError::Exists { .. })
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        open(directory.path()).unwrap();
    }
}
