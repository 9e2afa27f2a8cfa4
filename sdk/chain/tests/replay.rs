//! Replay finds every stored bit that execution does not give.

mod scene;

use std::path::Path;

use noema_chain::{Block, Chain, ChainError, Difference, TransactionReceipt};
use noema_state::{Batch, Column, DEFAULT_CACHE_BYTES, RedbStore, StateStore};
use noema_tensor::Level;
use scene::{address, init, open, transfer};

fn replay(chain: &Chain) -> Option<Difference> {
    let report = chain.replay(&[Level::Portable], &[1], &mut |_| {}).unwrap();
    assert_eq!(report.results.len(), 1);
    let difference = report.results[0].difference.clone();
    assert_eq!(report.identical(), difference.is_none());
    assert_eq!(report.first_difference().map(|(_, difference)| difference.clone()), difference);
    difference
}

/// A chain of three blocks with two transactions each.
fn three_blocks(path: &Path) -> Chain {
    let mut chain = init(path);
    for nonce in 0..3 {
        let block = vec![transfer(1, nonce, address(9), 5), transfer(2, nonce, address(1), 7)];
        chain.execute_block(2_000 + nonce, block).unwrap();
    }
    chain
}

/// Changes what is stored behind the chain's back.
fn tamper(path: &Path, change: impl FnOnce(&RedbStore, &mut Batch)) {
    let store = RedbStore::open(&path.join("state.redb"), DEFAULT_CACHE_BYTES).unwrap();
    let mut batch = Batch::new();
    change(&store, &mut batch);
    assert!(!batch.is_empty());
    store.commit(batch).unwrap();
}

fn block_row(height: u64) -> Vec<u8> {
    [&b"b"[..], &height.to_be_bytes()].concat()
}

fn receipt_row(height: u64, index: u32) -> Vec<u8> {
    [&b"r"[..], &height.to_be_bytes(), &index.to_be_bytes()].concat()
}

fn change_block(path: &Path, height: u64, change: impl FnOnce(&mut Block)) {
    tamper(path, |store, batch| {
        let row = block_row(height);
        let mut block: Block = borsh::from_slice(&store.get(Column::Chain, &row).unwrap().unwrap()).unwrap();
        change(&mut block);
        batch.put(Column::Chain, row, borsh::to_vec(&block).unwrap());
    });
}

fn change_receipt(path: &Path, height: u64, index: u32, change: impl FnOnce(&mut TransactionReceipt)) {
    tamper(path, |store, batch| {
        let row = receipt_row(height, index);
        let mut receipt: TransactionReceipt =
            borsh::from_slice(&store.get(Column::Chain, &row).unwrap().unwrap()).unwrap();
        change(&mut receipt);
        batch.put(Column::Chain, row, borsh::to_vec(&receipt).unwrap());
    });
}

#[test]
fn every_level_and_every_number_of_threads_gives_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let chain = three_blocks(directory.path());
    let mut steps = Vec::new();
    let levels = Level::available();
    let report = chain.replay(&levels, &[1, 2], &mut |progress| steps.push(progress)).unwrap();
    assert!(report.identical(), "{:?}", report.first_difference());
    assert_eq!(report.results.len(), levels.len() * 2);
    assert_eq!(steps.len(), report.results.len() * 4, "every block of every configuration is reported");
    assert_eq!(
        steps.last().map(|step| (step.configuration + 1, step.height, step.last_height)),
        Some((levels.len() * 2, 3, 3))
    );
    for result in &report.results {
        assert_eq!((result.blocks, result.transactions, result.root), (4, 6, chain.root()));
    }
    assert!(!chain.replay(&[], &[1], &mut |_| {}).unwrap().identical(), "nothing was compared");
    // What replay did is not seen: the chain goes on.
    assert_eq!(chain.height(), 3);
}

/// Each change of what is stored, with the block, the transaction and the field that replay must name.
#[test]
fn what_was_changed_is_found_and_named() {
    type Change = fn(&Path);
    let changes: Vec<(u64, Option<usize>, &str, Change)> = vec![
        (2, Some(1), "gas of host functions", |path| change_receipt(path, 2, 1, |r| r.receipt.gas.host += 1)),
        (1, Some(0), "output", |path| change_receipt(path, 1, 0, |r| r.receipt.output.push(1))),
        (3, Some(0), "fee", |path| change_receipt(path, 3, 0, |r| r.fee -= 1)),
        (3, Some(1), "write hash", |path| change_receipt(path, 3, 1, |r| r.receipt.write_hash[5] ^= 4)),
        (2, None, "state root", |path| change_block(path, 2, |b| b.header.state_root[0] ^= 1)),
        (2, None, "receipts root", |path| change_block(path, 2, |b| b.header.receipts_root[0] ^= 1)),
        (2, None, "transactions root", |path| change_block(path, 2, |b| b.header.transactions_root[0] ^= 1)),
        (2, None, "gas used", |path| change_block(path, 2, |b| b.header.gas_used += 1)),
        (2, None, "parent", |path| change_block(path, 2, |b| b.header.parent[9] ^= 1)),
        (2, None, "version", |path| change_block(path, 2, |b| b.header.version += 1)),
        (0, None, "time", |path| change_block(path, 0, |b| b.header.time_ms += 1)),
        // No contract saw the time of this block, so only its hash differs: the next block names it as its parent.
        (3, None, "parent", |path| change_block(path, 2, |b| b.header.time_ms += 1)),
        (2, Some(1), "transaction", |path| {
            change_block(path, 2, |b| b.transactions[1].transaction.value += 1);
        }),
        (2, Some(0), "transaction", |path| change_block(path, 2, |b| b.transactions.swap(0, 1))),
        (2, None, "number of receipts", |path| change_block(path, 2, |b| drop(b.transactions.pop()))),
        (2, None, "number of receipts", |path| {
            tamper(path, |_, batch| batch.delete(Column::Chain, receipt_row(2, 1)));
        }),
        (2, None, "receipts", |path| tamper(path, |_, batch| batch.put(Column::Chain, receipt_row(2, 1), [1, 2, 3]))),
        (1, None, "block", |path| tamper(path, |_, batch| batch.delete(Column::Chain, block_row(1)))),
        (1, None, "block", |path| tamper(path, |_, batch| batch.put(Column::Chain, block_row(1), [7; 9]))),
    ];
    for (number, (height, transaction, field, change)) in changes.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let chain = three_blocks(directory.path());
        assert_eq!(replay(&chain), None);
        drop(chain);
        change(directory.path());
        let difference =
            replay(&open(directory.path()).unwrap()).unwrap_or_else(|| panic!("change {number} is not found"));
        // Swapped transactions: the first is by another sender but has the same nonce, so its receipt differs.
        let named = (difference.height, difference.transaction, difference.field.as_str());
        let swapped = named == (2, Some(0), "transaction hash") && field == "transaction";
        assert!(named == (height, transaction, field) || swapped, "change {number}: {difference}");
        assert_ne!(difference.expected, difference.got);
    }
}

/// State that was changed has another root than the tree, and the next block shows it.
#[test]
fn changed_state_is_found_by_the_next_block() {
    let directory = tempfile::tempdir().unwrap();
    drop(three_blocks(directory.path()));
    tamper(directory.path(), |_, batch| {
        let key = noema_vm::layout::balance_key(&address(9));
        batch.put(Column::State, key, 1_000_000_u128.to_le_bytes());
    });
    let mut chain = open(directory.path()).unwrap();
    assert_eq!(replay(&chain), None, "blocks and receipts are untouched");
    chain.execute_block(3_000, vec![transfer(1, 3, address(9), 1)]).unwrap();
    let difference = replay(&chain).unwrap();
    assert_eq!((difference.height, difference.transaction), (4, Some(0)), "{difference}");
    assert_eq!(difference.field, "write hash");
}

#[test]
fn a_newest_block_that_was_changed_does_not_open() {
    let changes: [fn(&Path); 4] = [
        |path| change_block(path, 3, |block| block.header.time_ms += 1),
        |path| change_block(path, 3, |block| block.header.height = 2),
        |path| tamper(path, |_, batch| batch.delete(Column::Chain, block_row(3))),
        |path| tamper(path, |_, batch| batch.delete(Column::Meta, b"genesis")),
    ];
    for change in changes {
        let directory = tempfile::tempdir().unwrap();
        drop(three_blocks(directory.path()));
        change(directory.path());
        let Err(error) = open(directory.path()) else { panic!("it opened") };
        assert!(matches!(error, ChainError::Damaged { .. }), "{error:?}");
    }
}
