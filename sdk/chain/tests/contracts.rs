//! Contracts and models on the chain: what stands in receipts and state, who pays, and that replay gives the same.

mod scene;

use std::fs;
use std::path::{Path, PathBuf};

use noema_chain::{
    Action, Chain, ChainError, Receipt, ReceiptStatus, SignedTransaction, Transaction, TransactionReceipt,
};
use noema_model::{ModelId, ModelStoreError};
use noema_tensor::Level;
use noema_vm::{Rejection, VmError};
use scene::{GAS, SUPPLY, address, call, contract, deploy, init, key, model, open, supply, transaction, upload};

/// One transaction in a block of its own.
fn run(chain: &mut Chain, signed: SignedTransaction) -> TransactionReceipt {
    let mut executed = chain.execute_block(2_000, vec![signed]).unwrap();
    assert_eq!(supply(chain), SUPPLY);
    executed.receipts.remove(0)
}

fn count(chain: &Chain) -> u64 {
    let outcome = chain.view(contract(1), b"", GAS).unwrap();
    assert_eq!(outcome.receipt.status, ReceiptStatus::Success);
    u64::from_le_bytes(outcome.receipt.output.try_into().unwrap())
}

fn success(receipt: &Receipt) {
    assert_eq!(receipt.status, ReceiptStatus::Success);
}

fn replays(chain: &Chain) {
    let report = chain.replay(&Level::available(), &[1, 2], &mut |_| {}).unwrap();
    assert!(report.identical(), "{}", report.first_difference().unwrap().1);
    assert!(report.results.iter().all(|result| result.root == chain.root()));
}

#[test]
fn failures_have_no_effect_but_nonce_and_fee() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    success(&run(&mut chain, deploy(1, 0)).receipt);
    let counted = run(&mut chain, call(2, 0, contract(1), &[0]));
    success(&counted.receipt);
    assert_eq!(counted.receipt.output, 1_u64.to_le_bytes());
    let event = &counted.receipt.events[0];
    assert_eq!(
        (event.contract, event.topic.as_slice(), event.data.as_slice()),
        (contract(1), &b"count"[..], &[1, 0, 0, 0, 0, 0, 0, 0][..])
    );

    for (nonce, what) in (1..).zip([1, 2, 4]) {
        let before = chain.account(&address(2)).unwrap();
        // A tenth of a second of the reference machine, which the endless loop uses up.
        let limited = Transaction { gas_limit: GAS / 10, ..call(2, nonce, contract(1), &[what]).transaction };
        let failed = run(&mut chain, key(2).sign(limited));
        match what {
            1 => {
                let status = ReceiptStatus::Abort { code: 7, message: b"not today".to_vec() };
                assert_eq!(failed.receipt.status, status);
                assert!(failed.receipt.gas_used() < GAS / 10, "an abort returns what it did not use");
            }
            _ => {
                assert_eq!(failed.receipt.status, ReceiptStatus::Fault);
                assert_eq!(failed.gas_used(), GAS / 10, "a fault uses everything");
            }
        }
        assert!(failed.receipt.events.is_empty());
        let after = chain.account(&address(2)).unwrap();
        assert_eq!(after.nonce, nonce + 1);
        assert_eq!(before.balance - after.balance, failed.fee);
        assert_eq!(failed.fee, u128::from(failed.gas_used()) * 3);
        assert_eq!(count(&chain), 1, "what a failed call wrote is undone");
    }
    let rejected = run(&mut chain, deploy(1, 1));
    assert_eq!(rejected.receipt.status, ReceiptStatus::Rejected { reason: Rejection::ContractExists });
    replays(&chain);
}

#[test]
fn transactions_of_a_block_see_the_ones_before_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let block = vec![
        deploy(1, 0),
        call(2, 0, contract(1), &[0]),
        call(2, 1, contract(1), &[1]),
        call(1, 1, contract(1), &[0]),
        call(1, 2, contract(1), &[0]),
    ];
    let executed = chain.execute_block(2_000, block).unwrap();
    let outputs: Vec<_> = executed.receipts.iter().map(|receipt| receipt.receipt.output.first().copied()).collect();
    assert_eq!(outputs, [outputs[0], Some(1), None, Some(2), Some(3)]);
    assert_eq!(count(&chain), 3);
    drop(chain);
    let chain = open(directory.path()).unwrap();
    assert_eq!(count(&chain), 3);
    replays(&chain);
}

#[test]
fn logs_are_for_this_node_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    success(&run(&mut chain, deploy(1, 0)).receipt);
    let executed = chain.execute_block(2_000, vec![call(1, 1, contract(1), &[5])]).unwrap();
    assert_eq!(executed.notes[0].logs, ["not today"]);
    let executed = chain.execute_block(2_000, vec![call(1, 2, contract(1), &[2])]).unwrap();
    assert!(executed.notes[0].diagnostic.is_some(), "what went wrong is said");
    replays(&chain);
}

fn class(receipt: &Receipt) -> i32 {
    success(receipt);
    i32::from_le_bytes(receipt.output.as_slice().try_into().unwrap())
}

fn decide(id: ModelId, x: [i8; 3]) -> Vec<u8> {
    [&[3], &id.0[..], &x.map(i8::cast_unsigned)].concat()
}

/// A chain with the contract and a model of two chunks.
fn with_model(path: &Path) -> (Chain, ModelId, u64) {
    let mut chain = init(path);
    let (id, bytes) = model(70_000);
    success(&run(&mut chain, deploy(1, 0)).receipt);
    let transactions = upload(1, 1, id, &bytes);
    assert_eq!(transactions.len(), 4);
    for transaction in &transactions {
        success(&run(&mut chain, transaction.clone()).receipt);
    }
    (chain, id, 1 + transactions.len() as u64)
}

#[test]
fn a_contract_decides_with_a_model_before_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut chain, id, nonce) = with_model(directory.path());
    assert_eq!(class(&run(&mut chain, call(1, nonce, contract(1), &decide(id, [10, 20, 30]))).receipt), 0);
    drop(chain);
    let mut chain = open(directory.path()).unwrap();
    assert_eq!(class(&run(&mut chain, call(1, nonce + 1, contract(1), &decide(id, [-10, 20, 3]))).receipt), 1);
    replays(&chain);
}

#[test]
fn an_unknown_model_or_a_wrong_chunk_is_a_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    success(&run(&mut chain, deploy(1, 0)).receipt);
    // The contract gets NotFound and traps.
    assert_eq!(run(&mut chain, call(1, 1, contract(1), &decide(id, [0; 3]))).receipt.status, ReceiptStatus::Fault);

    let mut transactions = upload(1, 2, id, &bytes);
    success(&run(&mut chain, transactions[0].clone()).receipt);
    let Action::ModelChunk { bytes: chunk, .. } = &mut transactions[1].transaction.action else { panic!() };
    chunk[5] ^= 1;
    let wrong = key(1).sign(transactions[1].transaction.clone());
    let status = ReceiptStatus::Rejected { reason: Rejection::BadChunk };
    assert_eq!(run(&mut chain, wrong).receipt.status, status);
    let status = ReceiptStatus::Rejected { reason: Rejection::IncompleteModel };
    let finish = Action::FinishModel { id: id.0 };
    let finish = key(1).sign(transaction(4, finish));
    assert_eq!(run(&mut chain, finish).receipt.status, status);
    replays(&chain);
}

fn model_file(path: &Path) -> PathBuf {
    let mut files = fs::read_dir(path.join("models")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "model")).unwrap()
}

/// A node that has lost the bytes of a model stops; it does not disagree. With the bytes back it goes on.
#[test]
fn a_node_without_the_bytes_of_a_model_stops() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, id, nonce) = with_model(directory.path());
    let head = chain.head().clone();
    drop(chain);
    let whole = fs::read(model_file(directory.path())).unwrap();
    fs::remove_file(model_file(directory.path())).unwrap();

    let mut chain = open(directory.path()).unwrap();
    let decision = call(1, nonce, contract(1), &decide(id, [10, 20, 30]));
    let error = chain.execute_block(2_000, vec![decision.clone()]).unwrap_err();
    assert!(matches!(error, ChainError::Vm(VmError::Model { .. })), "{error:?}");
    assert_eq!(chain.head(), &head, "nothing was committed");
    // Replay needs no files: the chunks are in the blocks. For the same reason they can be brought back.
    replays(&chain);
    assert_eq!(chain.restore_models().unwrap(), [id]);
    assert_eq!(fs::read(model_file(directory.path())).unwrap(), whole);
    assert_eq!(class(&run(&mut chain, decision).receipt), 0);
    assert_eq!(chain.restore_models().unwrap(), []);
}

#[test]
fn a_node_with_damaged_bytes_of_a_model_stops() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, id, nonce) = with_model(directory.path());
    drop(chain);
    let file = model_file(directory.path());
    let mut bytes = fs::read(&file).unwrap();
    bytes[69_000] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();

    let mut chain = open(directory.path()).unwrap();
    let decision = call(1, nonce, contract(1), &decide(id, [10, 20, 30]));
    let error = chain.execute_block(2_000, vec![decision.clone()]).unwrap_err();
    assert!(matches!(error, ChainError::Vm(VmError::Model { .. })), "{error:?}");
    assert!(matches!(chain.restore_models(), Err(ChainError::Models(ModelStoreError::Corrupt { .. }))));
    fs::remove_file(&file).unwrap();
    assert_eq!(chain.restore_models().unwrap(), [id]);
    assert_eq!(class(&run(&mut chain, decision).receipt), 0);
}

/// Chunks that wait for the rest are brought back too.
#[test]
fn an_unfinished_model_survives_the_loss_of_its_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    let mut transactions = upload(1, 0, id, &bytes);
    let finish = transactions.pop().unwrap();
    chain.execute_block(2_000, transactions).unwrap();
    drop(chain);
    fs::remove_dir_all(directory.path().join("models")).unwrap();
    let mut chain = open(directory.path()).unwrap();
    assert!(matches!(chain.execute_block(2_000, vec![finish.clone()]), Err(ChainError::Vm(VmError::Model { .. }))));
    assert_eq!(chain.restore_models().unwrap(), [], "it was never whole");
    success(&run(&mut chain, finish).receipt);
    assert_eq!(fs::read(model_file(directory.path())).unwrap(), bytes);
}
