//! What a block takes, what it refuses, and who pays.

mod scene;

use noema_chain::{
    Account, Action, Address, Chain, ChainError, Genesis, GenesisError, ReceiptStatus, SignedTransaction, Transaction,
    TransactionError, fee_account,
};
use scene::{CHAIN, GAS, SUPPLY, address, config, genesis, init, key, supply, transaction, transfer};

/// The refusal, and that nothing of the block was committed.
fn refused(chain: &mut Chain, transactions: Vec<SignedTransaction>) -> (usize, TransactionError) {
    let before = (chain.head().clone(), supply(chain), chain.account(&address(1)).unwrap());
    let result = chain.execute_block(2_000, transactions);
    assert_eq!((chain.head().clone(), supply(chain), chain.account(&address(1)).unwrap()), before);
    match result.unwrap_err() {
        ChainError::Refused { index, error } => (index, error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transfer_moves_value_and_pays_its_gas() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let executed =
        chain.execute_block(2_000, vec![transfer(1, 0, address(9), 500), transfer(1, 1, address(9), 1)]).unwrap();
    assert_eq!(executed.receipts.len(), 2);
    let mut fees = 0;
    for receipt in &executed.receipts {
        assert_eq!(receipt.receipt.status, ReceiptStatus::Success);
        assert!(receipt.receipt.gas_used() > 0);
        assert_eq!(receipt.fee, u128::from(receipt.gas_used()) * 3);
        fees += receipt.fee;
    }
    assert_eq!(chain.account(&address(9)).unwrap(), Account { nonce: 0, balance: 501 });
    assert_eq!(chain.account(&address(1)).unwrap(), Account { nonce: 2, balance: SUPPLY / 2 - 501 - fees });
    assert_eq!(chain.account(&fee_account()).unwrap(), Account { nonce: 0, balance: fees });
    assert_eq!(executed.block.header.gas_used, executed.receipts.iter().map(|r| r.gas_used()).sum::<u64>());
    assert_eq!(supply(&chain), SUPPLY);
}

#[test]
fn what_cannot_be_included_is_refused_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let good = || transaction(0, Action::Transfer { to: address(9) });
    let one = |chain: &mut Chain, transaction: Transaction| refused(chain, vec![key(1).sign(transaction)]).1;

    let error = one(&mut chain, Transaction { chain_id: "other".to_owned(), ..good() });
    assert_eq!(error, TransactionError::ChainId { expected: CHAIN.to_owned(), got: "other".to_owned() });

    let mut forged = key(1).sign(good());
    forged.transaction.value = 1;
    assert_eq!(refused(&mut chain, vec![forged]).1, TransactionError::Signature { sender: address(1) });
    let mut forged = key(1).sign(good());
    forged.public_key = key(2).public_key();
    assert_eq!(refused(&mut chain, vec![forged]).1, TransactionError::Signature { sender: address(2) });
    let mut forged = key(1).sign(good());
    forged.public_key = [2; 32];
    assert!(matches!(refused(&mut chain, vec![forged]).1, TransactionError::Signature { .. }), "no point of the curve");

    let error = one(&mut chain, Transaction { nonce: 1, ..good() });
    assert_eq!(error, TransactionError::Nonce { sender: address(1), expected: 0, got: 1 });

    let least = noema_chain::TRANSACTION_GAS;
    let error = one(&mut chain, Transaction { gas_limit: least - 1, ..good() });
    assert_eq!(error, TransactionError::TooLittleGas { gas_limit: least - 1, least });
    let block_limit = genesis().block_gas;
    let error = one(&mut chain, Transaction { gas_limit: block_limit + 1, ..good() });
    assert_eq!(error, TransactionError::BlockGas { gas_limit: block_limit + 1, left: block_limit, block_limit });

    let available = SUPPLY / 2;
    let fee = u128::from(GAS) * 3;
    let error = one(&mut chain, Transaction { value: available - fee + 1, ..good() });
    assert_eq!(error, TransactionError::Balance { sender: address(1), needed: available + 1, available });
    let error = one(&mut chain, Transaction { value: u128::MAX, ..good() });
    assert_eq!(error, TransactionError::Balance { sender: address(1), needed: u128::MAX, available });
    let error = one(&mut chain, Transaction { gas_price: u64::MAX, gas_limit: block_limit, ..good() });
    assert!(matches!(error, TransactionError::Balance { .. }));
    let poor = key(7).sign(good());
    assert!(matches!(refused(&mut chain, vec![poor]).1, TransactionError::Balance { available: 0, .. }));

    // The whole value and the whole gas can be spent.
    let everything = key(1).sign(Transaction { value: available - fee, ..good() });
    chain.check_transaction(&everything).unwrap();
    chain.execute_block(2_000, vec![everything.clone()]).unwrap();
    // And only once.
    let again = chain.check_transaction(&everything).unwrap_err();
    assert!(matches!(
        again,
        ChainError::Refused { index: 0, error: TransactionError::Nonce { expected: 1, got: 0, .. } }
    ));
}

#[test]
fn one_bad_transaction_refuses_its_block_and_names_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let block = vec![transfer(1, 0, address(9), 1), transfer(2, 0, address(9), 1), transfer(1, 2, address(9), 1)];
    let (index, error) = refused(&mut chain, block);
    assert_eq!((index, error), (2, TransactionError::Nonce { sender: address(1), expected: 1, got: 2 }));
    let twice = transfer(1, 0, address(9), 1);
    let (index, _) = refused(&mut chain, vec![twice.clone(), twice]);
    assert_eq!(index, 1);

    // What an earlier transaction of the block spends is not there for a later one.
    let spend = transfer(1, 0, address(9), SUPPLY / 2 - u128::from(GAS) * 3);
    let (index, error) = refused(&mut chain, vec![spend, transfer(1, 1, address(9), 1)]);
    assert_eq!(index, 1);
    assert!(matches!(error, TransactionError::Balance { .. }));
}

#[test]
fn a_block_has_room_for_so_much_gas() {
    let directory = tempfile::tempdir().unwrap();
    let genesis = Genesis { block_gas: 2 * GAS, ..genesis() };
    let mut chain = Chain::init(directory.path(), &genesis, &config()).unwrap();
    let transfers = |count: u64| (0..count).map(|nonce| transfer(1, nonce, address(9), 1)).collect::<Vec<_>>();
    let executed = chain.execute_block(2_000, transfers(2)).unwrap();
    let used = executed.receipts[0].gas_used();
    assert!(used < GAS, "so that what is left can be seen");
    assert_eq!(executed.block.header.gas_used, 2 * used);

    let full: Vec<_> = (2..5)
        .map(|nonce| {
            let gas_limit = if nonce < 4 { GAS } else { 2 * GAS };
            key(1).sign(Transaction { gas_limit, ..transaction(nonce, Action::Transfer { to: address(9) }) })
        })
        .collect();
    let (index, error) = refused(&mut chain, full);
    let TransactionError::BlockGas { gas_limit, left, block_limit } = error else { panic!("{error:?}") };
    assert_eq!((index, gas_limit, block_limit), (2, 2 * GAS, 2 * GAS));
    assert!(left > 0 && left < 2 * GAS, "used gas counts, not limits: {left}");
}

#[test]
fn time_does_not_run_backwards() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    assert!(matches!(chain.execute_block(999, vec![]), Err(ChainError::Time { time_ms: 999, parent_ms: 1_000 })));
    chain.execute_block(1_000, vec![]).unwrap();
    chain.execute_block(5_000, vec![]).unwrap();
    assert!(matches!(chain.execute_block(4_999, vec![]), Err(ChainError::Time { .. })));
    assert_eq!(chain.height(), 2);
}

#[test]
fn a_failed_transaction_keeps_its_nonce_and_its_fee() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    // One picosecond more than every transaction uses is not enough for anything.
    let gas_limit = noema_chain::TRANSACTION_GAS + 1;
    let action = Action::Transfer { to: address(9) };
    let starved = key(1).sign(Transaction { gas_limit, value: 5, ..transaction(0, action.clone()) });
    // The value is there when it is checked, and gone when it runs: a transfer to oneself does not help.
    let nobody =
        key(1).sign(Transaction { ..transaction(1, Action::Call { contract: Address([5; 32]), input: vec![] }) });
    let executed = chain.execute_block(2_000, vec![starved, nobody]).unwrap();
    assert_eq!(executed.receipts[0].receipt.status, ReceiptStatus::Fault);
    assert_eq!(executed.receipts[0].fee, u128::from(gas_limit) * 3, "a fault uses the whole limit");
    assert_eq!(executed.receipts[1].fee, u128::from(executed.receipts[1].gas_used()) * 3);
    assert_eq!(executed.receipts[1].gas_used() - executed.receipts[1].receipt.gas_used(), gas_limit - 1);
    let account = chain.account(&address(1)).unwrap();
    assert_eq!(account.nonce, 2);
    let fees: u128 = executed.receipts.iter().map(|receipt| receipt.fee).sum();
    assert_eq!(account.balance, SUPPLY / 2 - fees);
    assert_eq!(chain.account(&address(9)).unwrap(), Account::default());
    assert_eq!(supply(&chain), SUPPLY);
}

#[test]
fn a_genesis_that_makes_no_sense_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |genesis: &Genesis| match Chain::init(&directory.path().join("chain"), genesis, &config()) {
        Err(ChainError::Genesis(error)) => error,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("accepted"),
    };
    for name in ["", "a b", "tab\t", "\u{e9}", &"x".repeat(65)] {
        assert!(matches!(refused(&Genesis::new(name, 0)), GenesisError::ChainId { .. }), "{name}");
    }
    assert!(matches!(refused(&Genesis { block_gas: 0, ..genesis() }), GenesisError::BlockGas { .. }));
    assert!(matches!(refused(&Genesis { block_gas: u64::MAX, ..genesis() }), GenesisError::BlockGas { .. }));
    let balances = [(address(1), u128::MAX), (address(2), 1)].into();
    assert!(matches!(refused(&Genesis { balances, ..genesis() }), GenesisError::Supply));
    assert!(!directory.path().join("chain").exists(), "nothing is created before the genesis is checked");
}

#[test]
fn blocks_and_receipts_are_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    let mut executed = Vec::new();
    for nonce in 0..5 {
        let block = vec![transfer(1, nonce, address(9), 1), transfer(2, nonce, address(1), 2)];
        executed.push(chain.execute_block(2_000 + nonce, block).unwrap());
    }
    drop(chain);
    let chain = scene::open(directory.path()).unwrap();
    assert_eq!(chain.height(), 5);
    assert_eq!(chain.genesis(), &genesis());
    let first = chain.block(0).unwrap().unwrap();
    assert_eq!((first.header.parent, first.header.height, first.transactions.len()), (genesis().hash(), 0, 0));
    let mut parent = first.hash();
    for (number, executed) in (1_u64..).zip(&executed) {
        let block = chain.block(number).unwrap().unwrap();
        assert_eq!(block, executed.block);
        assert_eq!(block.header.parent, parent);
        parent = block.hash();
        assert_eq!(chain.block_by_hash(&parent).unwrap().as_ref(), Some(&block));
        assert_eq!(chain.receipts(number).unwrap(), executed.receipts);
        for (transaction, receipt) in block.transactions.iter().zip(&executed.receipts) {
            assert_eq!(chain.receipt(&transaction.hash()).unwrap().as_ref(), Some(receipt));
        }
    }
    assert_eq!(chain.blocks(2, 2).unwrap(), [executed[1].block.clone(), executed[2].block.clone()]);
    assert_eq!(chain.blocks(0, usize::MAX).unwrap().len(), 6);
    assert_eq!(chain.blocks(6, 9).unwrap(), []);
    assert_eq!(chain.block(6).unwrap(), None);
    assert_eq!(chain.block_by_hash(&[0; 32]).unwrap(), None);
    assert_eq!(chain.receipt(&[0; 32]).unwrap(), None);
    assert_eq!(chain.receipts(9).unwrap(), []);
}

#[test]
fn the_state_can_be_proven_against_headers() {
    use noema_vm::layout::{balance_key, encode_balance};
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    for nonce in 0..3 {
        chain.execute_block(2_000, vec![transfer(1, nonce, address(9), 7)]).unwrap();
    }
    for height in 0..=3_u64 {
        let root = chain.block(height).unwrap().unwrap().header.state_root;
        let balance = encode_balance(u128::from(height) * 7);
        let proof = chain.prove(height, &balance_key(&address(9))).unwrap();
        proof.verify(&root, &balance_key(&address(9)), balance.as_deref()).unwrap();
        assert!(proof.verify(&root, &balance_key(&address(9)), encode_balance(1).as_deref()).is_err());
    }
    assert!(matches!(chain.prove(4, b"x"), Err(ChainError::Root(_))));
}

mod random {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Whatever is sent: what there is neither grows nor shrinks, and nonces count what was included.
        #[test]
        fn the_supply_never_changes(
            blocks in prop::collection::vec(
                prop::collection::vec((1..4_u8, 1..5_u8, 0..1000_u128, prop_oneof![Just(noema_chain::TRANSACTION_GAS + 1), Just(GAS)]), 0..5),
                1..6,
            ),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let balances = (1..4).map(|number| (address(number), 1 << 60)).collect();
            let mut chain = Chain::init(directory.path(), &Genesis { balances, ..genesis() }, &config()).unwrap();
            let mut included = [0_u64; 4];
            for block in blocks {
                let mut nonces = included;
                let transactions: Vec<_> = block
                    .into_iter()
                    .map(|(from, to, value, gas_limit)| {
                        let nonce = nonces[usize::from(from)];
                        nonces[usize::from(from)] += 1;
                        let action = Action::Transfer { to: address(to) };
                        key(from).sign(Transaction { value, gas_limit, ..transaction(nonce, action) })
                    })
                    .collect();
                chain.execute_block(2_000, transactions).unwrap();
                included = nonces;
                prop_assert_eq!(supply(&chain), 3 << 60);
                for number in 1..4_u8 {
                    prop_assert_eq!(chain.next_nonce(&address(number)).unwrap(), included[usize::from(number)]);
                }
            }
            let report = chain.replay(&[config().level], &[1], &mut |_| {}).unwrap();
            prop_assert!(report.identical());
        }
    }
}

/// It is the price of the same in the virtual machine, and the specification says so.
#[test]
fn what_the_chain_does_for_a_transaction_costs_what_it_costs_elsewhere() {
    let prices = &noema_vm::rules::Rules::of(noema_abi::ProtocolVersion::V1).prices;
    let signature = noema_abi::ROWS.iter().find(|row| row.name == "ed25519_verify").unwrap().price.base;
    assert_eq!(noema_chain::TRANSACTION_GAS, signature + 2 * (prices.state_read + prices.state_write));
    let text = include_str!("../../../docs/spec/chain.md");
    assert_eq!(text.matches("730,000,000").count(), 2);
}
