//! Deposits on a chain of blocks: value that is bound, and files of models that go with their last holder.

mod scene;

use std::path::Path;

use noema_chain::{Action, Address, Chain, Genesis, ReceiptStatus, SignedTransaction, Transaction, TransactionReceipt};
use noema_model::ModelId;
use noema_tensor::Level;
use noema_vm::{Rejection, deposit};
use scene::{
    SUPPLY, address, call, code, config, contract, deploy, genesis, key, model, open, supply, transaction, upload,
};

const PER_BYTE: u128 = 100_000;

fn init(path: &Path) -> Chain {
    Chain::init(path, &Genesis { deposit_per_byte: PER_BYTE, ..genesis() }, &config()).unwrap()
}

fn run(chain: &mut Chain, transaction: SignedTransaction) -> TransactionReceipt {
    let time_ms = chain.head().time_ms + 1;
    chain.execute_block(time_ms, vec![transaction]).unwrap().receipts.remove(0)
}

#[track_caller]
fn success(receipt: &TransactionReceipt) {
    assert_eq!(receipt.receipt.status, ReceiptStatus::Success);
}

fn replays(chain: &Chain) {
    let report = chain.replay(&[Level::Portable], &[1], &mut |_| {}).unwrap();
    assert!(report.identical(), "{:?}", report.first_difference());
}

fn funded(from: u8, nonce: u64, value: u128) -> SignedTransaction {
    let Transaction { action, .. } = deploy(from, nonce).transaction;
    key(from).sign(Transaction { value, ..transaction(nonce, action) })
}

fn withdraw(from: u8, nonce: u64, id: ModelId) -> SignedTransaction {
    key(from).sign(transaction(nonce, Action::WithdrawModel { id: id.0 }))
}

fn files(path: &Path) -> usize {
    let entries = std::fs::read_dir(path.join("models")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "model")).count()
}

#[test]
fn a_deployment_needs_the_deposit_and_pays_its_gas_either_way() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let before = chain.account(&address(1)).unwrap().balance;
    // Its `init` stores an entry, so the code alone is not all.
    let sent = deposit::for_code(&chain.context(), code().len() as u64);
    let refused = run(&mut chain, funded(1, 0, sent));
    let ReceiptStatus::InsufficientDeposit(short) = refused.receipt.status else { panic!("{refused:?}") };
    let needed = short.needed;
    assert_eq!((short.holder, short.balance), (contract(1), sent));
    assert!(needed > sent && needed == PER_BYTE * u128::from(short.bytes));
    assert!(refused.fee > 0 && refused.receipt.gas_used() < refused.receipt.gas_limit);
    assert_eq!(chain.account(&address(1)).unwrap().balance, before - refused.fee);
    success(&run(&mut chain, funded(1, 1, needed + 7)));
    let found = chain.deposit(&contract(1)).unwrap();
    assert_eq!((found.locked, found.free()), (needed, 7));
    // An account has nothing locked.
    let own = chain.deposit(&address(1)).unwrap();
    assert_eq!((own.bytes, own.locked, own.balance), (0, 0, chain.account(&address(1)).unwrap().balance));
    assert_eq!(supply(&chain), SUPPLY);
    replays(&chain);
}

#[test]
fn a_model_goes_with_its_last_holder_from_the_state_and_from_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    let deposit = deposit::for_model(&chain.context(), bytes.len() as u64);
    for transaction in upload(1, 0, id, &bytes) {
        success(&run(&mut chain, transaction));
    }
    let begin = upload(2, 0, id, &bytes).remove(0);
    success(&run(&mut chain, begin.clone()));
    assert_eq!(chain.holds(&address(1)).unwrap(), [(id, deposit)]);
    assert_eq!(chain.holds(&address(2)).unwrap(), [(id, deposit)]);
    assert_eq!(chain.account(&deposit::account()).unwrap().balance, 2 * deposit);
    assert_eq!(supply(&chain), SUPPLY, "what is deposited is somewhere");
    // The first one leaves: the model stays, on the disk too.
    success(&run(&mut chain, withdraw(1, 4, id)));
    assert_eq!((chain.holds(&address(1)).unwrap(), files(directory.path())), (vec![], 1));
    let again = run(&mut chain, withdraw(1, 5, id));
    assert_eq!(again.receipt.status, ReceiptStatus::Rejected { reason: Rejection::NotHolder });
    // The last one leaves.
    let before = chain.account(&address(2)).unwrap().balance;
    let last = run(&mut chain, withdraw(2, 1, id));
    success(&last);
    assert_eq!(chain.account(&address(2)).unwrap().balance, before + deposit - last.fee);
    assert_eq!((files(directory.path()), chain.restore_models().unwrap()), (0, vec![]));
    assert_eq!((chain.account(&deposit::account()).unwrap().balance, supply(&chain)), (0, SUPPLY));
    drop(chain);
    let mut chain = open(directory.path()).unwrap();
    // It can come again, and blocks with all of it replay.
    for transaction in upload(1, 6, id, &bytes) {
        success(&run(&mut chain, transaction));
    }
    assert_eq!(files(directory.path()), 1);
    replays(&chain);
}

/// A crash between the block and the removal leaves a file that the next start removes; one that is being uploaded stays.
#[test]
fn files_of_models_that_the_state_does_not_know_are_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    for transaction in upload(1, 0, id, &bytes) {
        success(&run(&mut chain, transaction));
    }
    let (other, other_bytes) = model(90_000);
    let mut uploading = upload(2, 0, other, &other_bytes);
    let rest = uploading.split_off(2);
    for transaction in uploading {
        success(&run(&mut chain, transaction));
    }
    let file = std::fs::read_dir(directory.path().join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|it| it == "model"))
        .unwrap();
    let whole = std::fs::read(&file).unwrap();
    success(&run(&mut chain, withdraw(1, 4, id)));
    drop(chain);
    std::fs::write(&file, whole).unwrap();
    let mut chain = open(directory.path()).unwrap();
    assert!(!file.exists());
    for transaction in rest {
        success(&run(&mut chain, transaction));
    }
    assert!(chain.models().open(other).is_ok());
    replays(&chain);
}

/// Whoever sends other bytes for a chunk that is there changes nothing, also not what a node restores later.
#[test]
fn a_chunk_that_was_there_is_not_taken_for_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    let transactions = upload(1, 0, id, &bytes);
    for transaction in &transactions[..2] {
        success(&run(&mut chain, transaction.clone()));
    }
    let Action::ModelChunk { index, bytes: mut chunk, proof, .. } = transactions[1].transaction.action.clone() else {
        panic!("it is a chunk")
    };
    chunk[9] ^= 1;
    let wrong = Action::ModelChunk { id: id.0, index, bytes: chunk, proof };
    success(&run(&mut chain, key(2).sign(transaction(0, wrong))));
    for transaction in &transactions[2..] {
        success(&run(&mut chain, transaction.clone()));
    }
    drop(chain);
    std::fs::remove_dir_all(directory.path().join("models")).unwrap();
    let chain = open(directory.path()).unwrap();
    assert_eq!(chain.restore_models().unwrap(), [id]);
    replays(&chain);
}

/// Value that is bound in a contract or for a model pays no fees.
#[test]
fn what_is_bound_cannot_be_spent() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let (id, bytes) = model(70_000);
    let poor = key(9);
    let deposit = deposit::for_model(&chain.context(), bytes.len() as u64);
    let fee = u128::from(scene::GAS) * 3;
    let fund = |value: u128, nonce: u64| {
        key(1).sign(Transaction { value, ..transaction(nonce, Action::Transfer { to: poor.address() }) })
    };
    success(&run(&mut chain, fund(fee + deposit - 1, 0)));
    // The fee that could become due is set aside while the message runs.
    let begin = |nonce: u64| poor.sign(transaction(nonce, upload(1, 0, id, &bytes)[0].transaction.action.clone()));
    let short = run(&mut chain, begin(0));
    assert!(matches!(short.receipt.status, ReceiptStatus::InsufficientDeposit(_)), "{short:?}");
    success(&run(&mut chain, fund(short.fee + 1, 1)));
    success(&run(&mut chain, begin(1)));
    // What is left does not pay for another transaction of this limit, although the deposit would.
    let balance = chain.account(&poor.address()).unwrap().balance;
    assert!(balance < fee && balance + deposit > fee);
    let call = |nonce| Transaction { ..call(9, nonce, Address([1; 32]), b"").transaction };
    assert!(chain.execute_block(9_999, vec![poor.sign(call(2))]).is_err());
    assert_eq!(supply(&chain), SUPPLY);
}
