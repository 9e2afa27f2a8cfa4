//! Entry points, input and output, nested calls, abort and fault.

use noema_abi::Status;
use noema_vm::{Action, Address, ReceiptStatus, Rejection};

use super::world::{ALICE, BOB, GAS, World, bytes, calling, faulted, module, rejected, succeeded};

/// `call` and `view` that return their input.
fn echo() -> Vec<u8> {
    let body = "(drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 100)))
                (drop (call $output (i32.const 0) (i32.wrap_i64 (call $input_len))))";
    module(&format!(r#"(func (export "call") {body}) (func (export "view") {body})"#))
}

/// Calls the contract at 0 with value 0 (at 32), this gas and 4 bytes of input at 64; returns the status at 100 and the
/// last output behind it.
fn caller_of(target: &Address, gas: u64, before: &str) -> Vec<u8> {
    module(&format!(
        r#"(data (i32.const 0) "{}") (data (i32.const 64) "ping")
           (func (export "call")
             {before}
             (i64.store (i32.const 100)
               (call $contract (i32.const 0) (i32.const 32) (i64.const {gas}) (i32.const 64) (i32.const 4) (i32.const 108) (i32.const 100)))
             (drop (call $output (i32.const 100)
               (i32.add (i32.const 8) (i32.wrap_i64 (call $output_read (i32.const 0) (i32.const 108) (i32.const 100)))))))"#,
        bytes(&target.0)
    ))
}

fn status(outcome: &noema_vm::Outcome) -> (i64, Vec<u8>) {
    let output = &succeeded(outcome).output;
    (i64::from_le_bytes(output[..8].try_into().unwrap()), output[8..].to_vec())
}

#[test]
fn input_goes_in_and_output_comes_out() {
    let mut world = World::new();
    let contract = world.deploy(&echo());
    let outcome = world.call(contract, b"hello");
    let receipt = succeeded(&outcome);
    assert_eq!(receipt.output, b"hello");
    assert!(receipt.gas.wasm > 0 && receipt.gas.host > 0 && receipt.gas.code > 0 && receipt.gas.forfeited == 0);
    // The record of the contract was read.
    assert_eq!((receipt.gas.state, receipt.gas.tensor), (40_000_000, 0));
    assert!(outcome.writes.is_empty());
    assert_eq!(world.view(contract, b"look").receipt.output, b"look");
}

#[test]
fn the_context_says_who_calls_whom() {
    let mut world = World::new();
    let code = calling(
        "(drop (call $caller (i32.const 0))) (drop (call $self (i32.const 32))) (drop (call $value (i32.const 64)))
         (drop (call $output (i32.const 0) (i32.const 80)))",
    );
    let inner = world.deploy(&code);
    let outcome = world.send(ALICE, 77, GAS, Action::Call { contract: inner, input: vec![] });
    let output = &succeeded(&outcome).output;
    assert_eq!((&output[..32], &output[32..64]), (&ALICE.0[..], &inner.0[..]));
    assert_eq!(output[64..80], 77u128.to_le_bytes());
    assert_eq!(world.balance(&inner), 77);
    // Through another contract, that contract is the caller, whoever sent the message.
    let outer = world.deploy(&caller_of(&inner, GAS, ""));
    let (code, output) = status(&world.call(outer, &[]));
    assert_eq!(code, 80);
    assert_eq!((&output[..32], &output[32..64]), (&outer.0[..], &inner.0[..]));
    assert_eq!(output[64..80], 0u128.to_le_bytes());
}

#[test]
fn host_functions_can_be_called_through_tables_and_references() {
    let mut world = World::new();
    let code = module(
        r#"(type $len (func (result i64))) (table $t 3 3 funcref) (elem (i32.const 1) $input_len) (elem declare func $gas_left)
           (export "shown" (func $gas_left))
           (func (export "call")
             (i64.store (i32.const 0) (call_indirect $t (type $len) (i32.const 1)))
             (table.set $t (i32.const 2) (ref.func $gas_left))
             (i64.store (i32.const 8) (call_indirect $t (type $len) (i32.const 2)))
             (i64.store (i32.const 16) (call $gas_left))
             (drop (call $output (i32.const 0) (i32.const 24))))"#,
    );
    let contract = world.deploy(&code);
    let outcome = world.call(contract, b"12345");
    let output = &succeeded(&outcome).output;
    let number = |at: usize| u64::from_le_bytes(output[at..at + 8].try_into().unwrap());
    assert_eq!(number(0), 5);
    // Between the two: what is in the same metering block is paid already, so only the host call itself.
    assert_eq!(number(8) - number(16), 20_000);
}

#[test]
fn missing_contracts_and_entry_points_are_refused() {
    let mut world = World::new();
    let nobody = Address([9; 32]);
    assert_eq!(rejected(&world.call(nobody, &[])), Rejection::NoContract);
    let only_init = world.deploy(&module(r#"(func (export "init"))"#));
    assert_eq!(rejected(&world.call(only_init, &[])), Rejection::NoEntryPoint);
    assert_eq!(rejected(&world.view(only_init, &[])), Rejection::NoEntryPoint);
    let outer = world.deploy(&caller_of(&nobody, GAS, ""));
    assert_eq!(status(&world.call(outer, &[])).0, Status::NotFound.to_return());
    let outer = world.deploy(&caller_of(&only_init, GAS, ""));
    assert_eq!(status(&world.call(outer, &[])).0, Status::NotFound.to_return());
    let too_long = vec![0; noema_abi::limits::MAX_INPUT_BYTES + 1];
    assert_eq!(rejected(&world.call(only_init, &too_long)), Rejection::InputTooLong);
}

#[test]
fn an_abort_returns_what_is_left_and_undoes_the_rest() {
    let mut world = World::new();
    let contract = world.deploy(&module(
        r#"(data (i32.const 0) "why") (func (export "call")
             (drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
             (drop (call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
             (drop (call $output (i32.const 0) (i32.const 3)))
             (drop (call $abort (i32.const 42) (i32.const 0) (i32.const 3)))
             unreachable)"#,
    ));
    let outcome = world.call(contract, &[]);
    assert_eq!(outcome.receipt.status, ReceiptStatus::Abort { code: 42, message: b"why".to_vec() });
    assert!(outcome.receipt.gas_used() < GAS / 1000);
    assert!(outcome.receipt.gas.state > 0, "what was done is paid");
    assert_eq!(world.stored(&contract, b"w"), None);
}

#[test]
fn an_inner_failure_is_reported_and_rolled_back() {
    let mut world = World::new();
    let write = "(drop (call $set (i32.const 64) (i32.const 4) (i32.const 64) (i32.const 4)))
                 (drop (call $emit (i32.const 64) (i32.const 4) (i32.const 64) (i32.const 4)))";
    let data = r#"(data (i32.const 64) "ping")"#;
    let inner = |end: &str| module(&format!(r#"{data} (func (export "call") {write} {end})"#));
    let succeeds = world.deploy(&inner(""));
    let aborts = world.deploy(&inner("(drop (call $abort (i32.const 513) (i32.const 64) (i32.const 4)))"));
    let traps = world.deploy(&inner("unreachable"));
    for (target, expected, output) in [
        (succeeds, 0, vec![]),
        (aborts, Status::CallAborted.to_return(), b"\x01\x02\0\0ping".to_vec()),
        (traps, Status::CallFaulted.to_return(), vec![]),
    ] {
        // The outer one writes before and goes on after.
        let outer = world.deploy(&caller_of(&target, GAS / 2, write));
        let outcome = world.call(outer, &[]);
        assert_eq!(status(&outcome), (expected, output));
        assert_eq!(world.stored(&outer, b"ping"), Some(&b"ping"[..]));
        let receipt = &outcome.receipt;
        if expected == 0 {
            assert_eq!(world.stored(&target, b"ping"), Some(&b"ping"[..]));
            assert_eq!(receipt.events.iter().map(|event| event.contract).collect::<Vec<_>>(), [outer, target]);
        } else {
            assert_eq!(world.stored(&target, b"ping"), None);
            assert_eq!(receipt.events.len(), 1);
        }
        let faulted = expected == Status::CallFaulted.to_return();
        // The gas given to a call that faults is gone; otherwise what it leaves comes back.
        assert_eq!(receipt.gas.forfeited > 0, faulted);
        assert_eq!(receipt.gas_used() >= GAS / 2, faulted);
    }
}

#[test]
fn a_nested_call_gets_its_cap_and_never_the_last_sixty_fourth() {
    let mut world = World::new();
    let inner = world.deploy(&calling(
        "(i64.store (i32.const 0) (call $gas_left)) (drop (call $output (i32.const 0) (i32.const 8)))",
    ));
    let gas_inside = |world: &mut World, cap: u64| {
        let outer = world.deploy(&caller_of(&inner, cap, ""));
        let (code, output) = status(&world.call(outer, &[]));
        assert_eq!(code, 8);
        u64::from_le_bytes(output.try_into().unwrap())
    };
    let capped = gas_inside(&mut world, 1_000_000_000);
    assert!(capped < 1_000_000_000 && capped > 900_000_000, "{capped}");
    let greedy = gas_inside(&mut world, u64::MAX >> 1);
    assert!(greedy < GAS - GAS / 64 && greedy > GAS - GAS / 32, "{greedy}");
}

#[test]
fn re_entering_a_running_contract_is_refused() {
    let mut world = World::new();
    // Calls whatever its input names; with no input it returns.
    let relay = |before: &str| {
        calling(&format!(
            "{before} (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 64)))
             (if (i64.eqz (call $input_len)) (then return))
             (i64.store (i32.const 100)
               (call $contract (i32.const 0) (i32.const 200) (i64.const 100000000000) (i32.const 32) (i32.sub (i32.wrap_i64 (call $input_len)) (i32.const 32)) (i32.const 108) (i32.const 100)))
             (drop (call $output (i32.const 100)
               (i32.add (i32.const 8) (i32.wrap_i64 (call $output_read (i32.const 0) (i32.const 108) (i32.const 100))))))"
        ))
    };
    let a = world.deploy(&relay(""));
    let b = world.deploy(&relay("nop"));
    // Itself.
    assert_eq!(status(&world.call(a, &a.0)).0, Status::Reentrant.to_return());
    // Through another: a -> b -> a.
    let (outer, inner) = status(&world.call(a, &[b.0, a.0].concat()));
    assert_eq!(outer, 8);
    assert_eq!(i64::from_le_bytes(inner[..8].try_into().unwrap()), Status::Reentrant.to_return());
    // One after the other is no re-entrance.
    let (outer, inner) = status(&world.call(a, &b.0));
    assert_eq!((outer, inner.len()), (0, 0));
}

#[test]
fn views_change_nothing_and_hand_that_down() {
    let mut world = World::new();
    let data = r#"(data (i32.const 0) "k")"#;
    for (name, write) in [
        ("set", "(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))"),
        ("remove", "(call $remove (i32.const 0) (i32.const 1))"),
        ("emit", "(call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))"),
        ("transfer", "(call $transfer (i32.const 64) (i32.const 0))"),
    ] {
        let code =
            module(&format!(r#"{data} (func (export "call") (drop {write})) (func (export "view") (drop {write}))"#));
        let contract = world.deploy(&code);
        world.fund(&contract, 1000);
        succeeded(&world.call(contract, &[]));
        let outcome = world.view(contract, &[]);
        let receipt = faulted(&outcome, "view");
        assert!(outcome.writes.is_empty() && receipt.events.is_empty(), "{name}");
        // Through a view of another contract it is a fault of the called one.
        let outer = module(&format!(
            r#"(data (i32.const 0) "{}") (func (export "view")
                 (i64.store (i32.const 100)
                   (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 64) (i32.const 0) (i32.const 108) (i32.const 0)))
                 (drop (call $output (i32.const 100) (i32.const 8))))"#,
            bytes(&contract.0)
        ));
        let outer = world.deploy(&outer);
        let outcome = world.view(outer, &[]);
        assert_eq!(succeeded(&outcome).output, Status::CallFaulted.to_return().to_le_bytes(), "{name}");
        assert!(outcome.writes.is_empty());
    }
}

#[test]
fn init_runs_once_and_a_failed_deployment_leaves_nothing() {
    let mut world = World::new();
    let code = module(
        r#"(func (export "init")
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
             (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 33)) (then (drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0)))))
             (drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4))))
           (func (export "call"))"#,
    );
    let before = world.state.clone();
    let deploy = |salt, input: &[u8]| Action::Deploy { code: code.clone(), salt, input: input.to_vec() };
    let outcome = world.send(ALICE, 5, GAS, deploy(0, b"!no!"));
    assert_eq!(outcome.receipt.status, ReceiptStatus::Abort { code: 1, message: vec![] });
    assert_eq!(world.state, before);
    succeeded(&world.send(ALICE, 5, GAS, deploy(0, b"yes!")));
    let address = Address::of_contract(ALICE, 0, &noema_vm::code_hash(&code));
    assert_eq!(world.stored(&address, b"y"), Some(&b"yes!"[..]));
    assert_eq!(world.balance(&address), 5);
    assert_eq!(rejected(&world.send(ALICE, 5, GAS, deploy(0, b"yes!"))), Rejection::ContractExists);
    succeeded(&world.send(ALICE, 0, GAS, deploy(1, b"yes!")));
    // Someone else's contract has another address.
    assert_ne!(address, Address::of_contract(BOB, 0, &noema_vm::code_hash(&code)));
}

#[test]
fn only_the_administrator_migrates() {
    let mut world = World::new();
    world.fund(&BOB, 100);
    let contract = world.deploy(&module(
        r#"(data (i32.const 0) "k1") (func (export "call") (drop (call $set (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1))))"#,
    ));
    succeeded(&world.call(contract, &[]));
    let new = module(
        r#"(data (i32.const 0) "m2") (func (export "migrate") (drop (call $set (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1))))
           (func (export "call") (drop (call $output (i32.const 0) (i32.const 2))))"#,
    );
    let migrate = |code: &[u8]| Action::Migrate { contract, code: code.to_vec(), input: vec![] };
    assert_eq!(rejected(&world.send(BOB, 0, GAS, migrate(&new))), Rejection::NotAdministrator);
    let silent = module(r#"(func (export "call"))"#);
    assert_eq!(rejected(&world.send(ALICE, 0, GAS, migrate(&silent))), Rejection::NoEntryPoint);
    assert!(succeeded(&world.call(contract, &[])).output.is_empty(), "the old code is still there");
    succeeded(&world.send(ALICE, 0, GAS, migrate(&new)));
    assert_eq!(succeeded(&world.call(contract, &[])).output, b"m2");
    assert_eq!(world.stored(&contract, b"k"), Some(&b"1"[..]), "storage stays");
    assert_eq!(world.stored(&contract, b"m"), Some(&b"2"[..]));
    let nobody = Action::Migrate { contract: BOB, code: new, input: vec![] };
    assert_eq!(rejected(&world.send(BOB, 0, GAS, nobody)), Rejection::NoContract);
}

/// The receipt knows one word for it; who wrote the contract asks why.
#[test]
fn who_gives_up_behind_a_call_that_faulted_is_told_why_it_did() {
    let mut world = World::new();
    let target = world.deploy(&calling("unreachable"));
    let faulted = format!("a call of {target} faulted: the contract reached `unreachable`");
    for (end, expected) in [
        ("(drop (call $abort (i32.const 9) (i32.const 0) (i32.const 0)))", faulted.clone()),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", format!("; before, {faulted}")),
    ] {
        let caller = world.deploy(&module(&format!(
            r#"(data (i32.const 0) "{}")
               (func (export "call")
                 (drop (call $contract
                   (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 64) (i32.const 4) (i32.const 108) (i32.const 100)))
                 {end})"#,
            bytes(&target.0)
        )));
        let diagnostic = world.call(caller, &[]).diagnostic.unwrap();
        assert!(diagnostic.ends_with(&expected), "{diagnostic}");
    }
    // Who goes on has nothing to tell.
    let goes_on = world.deploy(&caller_of(&target, GAS / 2, ""));
    assert_eq!(world.call(goes_on, &[]).diagnostic, None);
}

/// The receipt splits gas as the specification says: what the row of a call costs is a host function's.
#[test]
fn gas_of_a_call_is_that_of_a_host_function() {
    let mut world = World::new();
    let callee = world.deploy(&calling(""));
    let caller = world.deploy(&caller_of(&callee, GAS, ""));
    let gas = succeeded(&world.call(caller, &[])).gas;
    let prices = &noema_vm::rules::Rules::of(noema_abi::ProtocolVersion::V1).prices;
    let row = 20_000_000 + 100 * (4 + 100) + 10 * world.code_len(&callee);
    let output = 25_000 + 100 * 100 + 40_000 + 10_000 * 8;
    assert_eq!(gas.host, prices.message + row + output);
    let instance = prices.instantiate + prices.instantiate_page;
    let code = prices.load + prices.load_byte * world.code_len(&caller);
    assert!(gas.code - code - 2 * instance < 1_000_000, "functions and data: {gas:?}");
    assert_eq!(gas.state, 2 * prices.state_read);
}
