//! What the harness itself does: other times, other states, and things that go wrong.

use std::sync::LazyLock;

use noema_abi::Status;
use noema_contract_exercise::{Nested, Surroundings};
use noema_sdk::Address;
use noema_testing::{Failure, Saboteur, TestChain, build, check_gas};

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build("contracts/exercise").expect("the contract builds"));

fn world() -> (TestChain, Address, [Address; 2]) {
    let mut chain = TestChain::new();
    let alice = chain.account("alice", 1_000_000);
    let contracts = [10u64, 20].map(|count| chain.deploy(alice, &WASM, &(count,)).unwrap().value);
    (chain, alice, contracts)
}

#[test]
fn snapshots_bring_everything_back() {
    let (mut chain, alice, [one, two]) = world();
    let before = chain.snapshot();
    chain.at(one).from(alice).call::<u64, _>("add", &(5u64,)).unwrap();
    chain.at(two).from(alice).value(70).call::<Surroundings, _>("surroundings", &()).unwrap();
    chain.advance(3, 5_000);
    let after = chain.snapshot();
    chain.restore(&before);
    assert_eq!(chain.at(one).view::<u64, _>("count", &()).unwrap().value, 10);
    assert_eq!((chain.balance(two), chain.height()), (0, 1));
    chain.restore(&after);
    assert_eq!(chain.at(one).view::<u64, _>("count", &()).unwrap().value, 15);
    assert_eq!((chain.balance(two), chain.height()), (70, 4));
}

#[test]
fn contracts_see_the_time_that_the_test_chose() {
    let (mut chain, alice, [one, _]) = world();
    chain.travel_to(1_000, 9_999);
    let seen: Surroundings = chain.at(one).from(alice).call("surroundings", &()).unwrap().value;
    assert_eq!((seen.height, seen.time_ms), (1_000, 9_999));
    chain.travel_to(2, 5);
    assert_eq!(chain.at(one).call::<Surroundings, _>("surroundings", &()).unwrap().value.height, 2);
}

#[test]
fn saboteurs_take_the_place_of_contracts() {
    let (mut chain, alice, [one, two]) = world();
    let whole = chain.snapshot();
    let mut ask = |saboteur: Saboteur| {
        chain.restore(&whole);
        chain.sabotage(two, &saboteur);
        let call = chain.at(one).from(alice).value(9);
        let nested: Nested = call.call("nested", &(two, "count", 1u64, Some(1_000_000_000u64))).unwrap().value;
        (nested, chain.balance(two))
    };
    let aborted = Nested::Aborted { code: 77, message: "no \"today\"".into() };
    assert_eq!(ask(Saboteur::Aborts(77, "no \"today\"".into())), (aborted, 0));
    assert_eq!(ask(Saboteur::Faults), (Nested::Status(Status::CallFaulted.code()), 0));
    assert_eq!(ask(Saboteur::Spins), (Nested::Status(Status::CallFaulted.code()), 0));
    assert_eq!(ask(Saboteur::Returns(4u64.to_le_bytes().to_vec())), (Nested::Returned(4), 9));
    assert_eq!(ask(Saboteur::Returns(vec![1, 2])), (Nested::Other, 9));
    assert_eq!(ask(Saboteur::Swallows), (Nested::Other, 9));
    chain.restore(&whole);
    assert_eq!(chain.at(two).view::<u64, _>("count", &()).unwrap().value, 20);
}

#[test]
fn a_failing_disk_is_the_nodes_fault_and_changes_nothing() {
    let (mut chain, alice, [one, _]) = world();
    let before = chain.snapshot();
    let mut failed = 0;
    for reads in 0..50 {
        chain.fail_reads_after(Some(reads));
        match chain.at(one).from(alice).call::<u64, _>("add", &(5u64,)) {
            Err(Failure::Node(_)) => failed += 1,
            Err(other) => panic!("after {reads} reads: {other}"),
            Ok(_) => break,
        }
        assert_eq!(chain.snapshot(), before);
    }
    assert!((1..50).contains(&failed), "{failed} reads failed");
    chain.fail_reads_after(None);
    chain.restore(&before);
    assert_eq!(chain.at(one).from(alice).call::<u64, _>("add", &(5u64,)).unwrap().value, 15);
}

#[test]
fn calls_without_enough_gas_leave_nothing() {
    let (mut chain, alice, [one, _]) = world();
    let done = chain.at(one).from(alice).call_starved::<u64, _>(40, "add", &(5u64,)).unwrap();
    assert_eq!((done.value, done.receipt.events.len()), (15, 1));
    assert_eq!(chain.at(one).view::<u64, _>("count", &()).unwrap().value, 15);
}

/// A contract that calls the one whose address is its input, and does not look at what became of it.
#[test]
#[should_panic(expected = "did something else")]
fn a_call_that_hides_the_failure_of_another_is_found() {
    let (mut chain, alice, [one, _]) = world();
    let input = borsh::to_vec(&("add", 5u64)).unwrap();
    let careless = wat::parse_str(format!(
        r#"(module
             (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
             (import "call" "contract" (func $call (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
             (memory (export "memory") 1 1) (data (i32.const 100) "{}")
             (func (export "call")
               (drop (call $input (i32.const 8) (i32.const 0) (i32.const 32)))
               (drop (call $call (i32.const 0) (i32.const 64) (i64.const -1) (i32.const 100) (i32.const {}) (i32.const 200) (i32.const 8)))))"#,
        input.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>(),
        input.len()
    ));
    let careless = chain.deploy(alice, &careless.unwrap(), &()).unwrap().value;
    // What `call_starved` puts before the arguments is the name of the method: four bytes of its length, and four of its letters.
    let _ = chain.at(careless).from(alice).call_starved::<(), _>(40, "name", &(one,));
}

/// Two contracts that no compiler has made, so that the numbers are the same everywhere.
#[test]
fn gas_is_as_it_was() {
    let (mut chain, alice, _) = world();
    for (name, body) in [
        ("nothing", ""),
        (
            "a thousand rounds",
            "(local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))",
        ),
    ] {
        let wasm = wat::parse_str(format!(r#"(module (memory (export "memory") 1) (func (export "call") {body}))"#));
        let contract = chain.deploy(alice, &wasm.unwrap(), &()).unwrap().value;
        check_gas(name, &chain.at(contract).call_raw(vec![]).unwrap().receipt);
    }
}
