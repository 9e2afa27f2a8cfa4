//! A disk without room for the next block.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "a test may read its environment")]

mod scene;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use noema_chain::{Action, Address, ChainError, StoreKind};
use noema_state::StoreError;
use noema_tensor::Level;
use scene::{address, init_with, key, open, transaction, transfer};

/// Set for the process whose files may not grow: the directory of its chain.
const DIRECTORY: &str = "NOEMA_FULL_DISK_TEST_DIRECTORY";

/// Not a test by itself: commits blocks of 100 kB until there is no room.
#[test]
#[ignore = "the process that the other test runs"]
fn child_fills_the_disk() {
    let directory = PathBuf::from(env::var_os(DIRECTORY).expect("the other test starts this one"));
    let mut chain = open(&directory).unwrap();
    let error = loop {
        let nonce = chain.next_nonce(&address(1)).unwrap();
        let action = Action::Call { contract: Address([5; 32]), input: vec![7; 100_000] };
        match chain.execute_block(2_000, vec![key(1).sign(transaction(nonce, action))]) {
            Ok(_) => assert!(chain.height() < 1000, "files grow without end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ChainError::Store(StoreError::Full { .. })), "{error:?}");
    assert!(error.to_string().contains("no space left"), "{error}");
    // What was committed is still what it shows, or it says that it must be opened again.
    match chain.account(&address(1)) {
        Ok(account) => assert_eq!(account.nonce, chain.height()),
        Err(error) => assert!(matches!(error, ChainError::Store(StoreError::Failed { .. })), "{error:?}"),
    }
    assert!(matches!(chain.execute_block(2_000, vec![]), Err(ChainError::Failed)));
    println!("\nfull after {}", chain.height());
}

#[test]
fn a_full_disk_loses_nothing() {
    StoreKind::available().into_iter().for_each(fill_the_disk);
}

fn fill_the_disk(kind: StoreKind) {
    let directory = tempfile::tempdir().unwrap();
    drop(init_with(directory.path(), kind));
    // Files of this process cannot be larger than 4096 blocks of 512 or 1024 bytes, whoever the user is. The signal
    // that says so is ignored, so that writing fails as it does on a full disk.
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 4096; exec "$0" "$@""#])
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_fills_the_disk", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let height: u64 = printed.lines().find_map(|line| line.strip_prefix("full after ")?.parse().ok()).unwrap();
    assert!(height > 2, "there was room for some blocks");

    let mut chain = open(directory.path()).unwrap();
    assert_eq!(chain.height(), height);
    assert!(chain.replay(&[Level::Portable], &[1], &mut |_| {}).unwrap().identical());
    chain.execute_block(3_000, vec![transfer(1, height, address(9), 1)]).unwrap();
    assert_eq!(chain.height(), height + 1);
}
