//! Value: it moves, or nothing happens; it is never made or lost.

use noema_abi::Status;
use noema_vm::{Action, Address, ReceiptStatus, Rejection, intrinsic_gas};

use super::world::{ALICE, BOB, GAS, World, bytes, calling, module, rejected, succeeded};

#[test]
fn transfers_move_what_is_there() {
    let mut world = World::new();
    succeeded(&world.send(ALICE, 400, GAS, Action::Transfer { to: BOB }));
    assert_eq!((world.balance(&ALICE), world.balance(&BOB)), (999_600, 400));
    assert_eq!(rejected(&world.send(BOB, 401, GAS, Action::Transfer { to: ALICE })), Rejection::InsufficientBalance);
    assert_eq!((world.balance(&ALICE), world.balance(&BOB)), (999_600, 400));
    // To oneself nothing moves, but it must be there.
    succeeded(&world.send(BOB, 400, GAS, Action::Transfer { to: BOB }));
    assert_eq!(rejected(&world.send(BOB, 401, GAS, Action::Transfer { to: BOB })), Rejection::InsufficientBalance);
    // All of it: the entry is gone.
    succeeded(&world.send(BOB, 400, GAS, Action::Transfer { to: ALICE }));
    assert!(!world.state.contains_key(&noema_vm::layout::balance_key(&BOB)));
    world.fund(&BOB, u128::MAX);
    assert_eq!(rejected(&world.send(ALICE, 1, GAS, Action::Transfer { to: BOB })), Rejection::BalanceOverflow);
}

#[test]
fn value_goes_with_a_call_and_comes_back_when_it_fails() {
    let mut world = World::new();
    let keeps = world.deploy(&calling("nop"));
    let fails = world.deploy(&calling("unreachable"));
    succeeded(&world.send(ALICE, 10, GAS, Action::Call { contract: keeps, input: vec![] }));
    assert_eq!(world.balance(&keeps), 10);
    let outcome = world.send(ALICE, 10, GAS, Action::Call { contract: fails, input: vec![] });
    assert_eq!(outcome.receipt.status, ReceiptStatus::Fault);
    assert_eq!((world.balance(&fails), world.balance(&ALICE)), (0, 999_990));
    let too_much = Action::Call { contract: keeps, input: vec![] };
    assert_eq!(rejected(&world.send(ALICE, 10_000_000, GAS, too_much)), Rejection::InsufficientBalance);
}

/// Calls (or sends to) the contract at 0 with the value at 32.
fn spender(target: &Address, value: u128, transfer: bool) -> Vec<u8> {
    let spend = if transfer {
        "(call $transfer (i32.const 0) (i32.const 32))"
    } else {
        "(call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"
    };
    module(&format!(
        r#"(data (i32.const 0) "{}{}")
           (func (export "call") (i64.store (i32.const 64) {spend}) (drop (call $output (i32.const 64) (i32.const 8))))"#,
        bytes(&target.0),
        bytes(&value.to_le_bytes())
    ))
}

#[test]
fn contracts_spend_only_what_they_have() {
    let mut world = World::new();
    let fails = world.deploy(&calling("unreachable"));
    let works = world.deploy(&calling("nop"));
    for (target, value, transfer, expected, arrives) in [
        (works, 60u128, true, 0, true),
        (works, 60, false, 0, true),
        (works, 101, true, Status::InsufficientBalance.to_return(), false),
        (works, 101, false, Status::InsufficientBalance.to_return(), false),
        (works, u128::MAX, false, Status::InsufficientBalance.to_return(), false),
        (fails, 60, false, Status::CallFaulted.to_return(), false),
        (fails, 60, true, 0, true),
    ] {
        let spender = world.deploy(&spender(&target, value, transfer));
        world.fund(&spender, 100);
        let (before, sum) = (world.balance(&target), world.balance(&target) + 100);
        let outcome = world.call(spender, &[]);
        assert_eq!(succeeded(&outcome).output, expected.to_le_bytes(), "{value} {transfer}");
        assert_eq!(world.balance(&target) - before, if arrives { value } else { 0 });
        assert_eq!(world.balance(&target) + world.balance(&spender), sum);
    }
}

#[test]
fn a_message_that_cannot_pay_its_own_bytes_faults_with_all_it_has() {
    let mut world = World::new();
    let contract = world.deploy(&calling("nop"));
    let action = Action::Call { contract, input: vec![1; 1000] };
    let intrinsic = intrinsic_gas(noema_abi::ProtocolVersion::V1, &action);
    for limit in [0, 1, intrinsic - 1, intrinsic] {
        let outcome = world.send(ALICE, 0, limit, action.clone());
        assert_eq!(outcome.receipt.status, ReceiptStatus::Fault);
        assert_eq!(outcome.receipt.gas_used(), limit);
    }
    // Its own gas is enough, and one less is not.
    let used = world.send(ALICE, 0, GAS, action.clone()).receipt.gas_used();
    succeeded(&world.send(ALICE, 0, used, action.clone()));
    assert_eq!(world.send(ALICE, 0, used - 1, action).receipt.status, ReceiptStatus::Fault);
}
