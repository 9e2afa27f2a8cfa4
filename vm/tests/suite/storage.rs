//! Storage as a contract sees it.

use noema_abi::Status;
use noema_abi::limits::MAX_VALUE_BYTES;
use noema_state::suite::counting::Counting;
use noema_vm::{Action, Message, layout};

use super::world::{ALICE, GAS, World, calling, faulted, module, succeeded};

#[test]
fn contracts_do_not_see_each_others_entries() {
    let mut world = World::new();
    let write = module(
        r#"(data (i32.const 0) "key") (func (export "call") (drop (call $set (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3))))"#,
    );
    let read = module(
        r#"(data (i32.const 0) "key") (func (export "call")
             (i64.store (i32.const 8) (call $get (i32.const 0) (i32.const 3) (i32.const 16) (i32.const 8)))
             (drop (call $output (i32.const 8) (i32.const 8))))"#,
    );
    let (a, b) = (world.deploy(&write), world.deploy(&read));
    succeeded(&world.call(a, &[]));
    assert_eq!(succeeded(&world.call(b, &[])).output, Status::NotFound.to_return().to_le_bytes());
    assert_eq!(world.stored(&a, b"key"), Some(&b"key"[..]));
}

#[test]
fn a_scan_merges_what_was_written_in_the_same_call() {
    let mut world = World::new();
    let contract = world.deploy(&module(
        r#"(data (i32.const 0) "a1b2c3")
           (func (export "call")
             (drop (call $set (i32.const 0) (i32.const 2) (i32.const 4) (i32.const 2)))
             (drop (call $remove (i32.const 2) (i32.const 2)))
             (drop (call $output (i32.const 100) (i32.wrap_i64
               (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 100) (i32.const 200))))))"#,
    ));
    world.store(&contract, b"b2", b"gone");
    world.store(&contract, b"d4", b"stays");
    let outcome = world.call(contract, &[]);
    let entry = |key: &[u8], value: &[u8]| {
        [&2u32.to_le_bytes()[..], &u32::try_from(value.len()).unwrap().to_le_bytes(), key, value].concat()
    };
    assert_eq!(succeeded(&outcome).output, [entry(b"a1", b"c3"), entry(b"d4", b"stays")].concat());
    assert!(outcome.reads.contains(&layout::storage_key(&contract, b"b2")));
    assert_eq!(outcome.scans.len(), 1);
    // What the result depends on does not depend on what happens to be compiled already.
    assert!(!outcome.reads.iter().any(|key| key.starts_with(b"c")));
}

#[test]
fn passing_over_removed_entries_is_paid_for() {
    let scan_after_removing = |count: u8| {
        let mut world = World::new();
        let contract = world.deploy(&module(&format!(
            r#"(global $i (mut i32) (i32.const 0))
               (func (export "call")
                 (block (loop
                   (br_if 1 (i32.eq (global.get $i) (i32.const {count})))
                   (i32.store8 (i32.const 0) (global.get $i))
                   (drop (call $remove (i32.const 0) (i32.const 1)))
                   (global.set $i (i32.add (global.get $i) (i32.const 1)))
                   (br 0)))
                 (i64.store (i32.const 8) (call $gas_left))
                 (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 8)))
                 (i64.store (i32.const 16) (i64.sub (i64.load (i32.const 8)) (call $gas_left)))
                 (drop (call $output (i32.const 16) (i32.const 8))))"#
        )));
        for number in 0..100 {
            world.store(&contract, &[number], b"");
        }
        let outcome = world.call(contract, &[]);
        u64::from_le_bytes(succeeded(&outcome).output.clone().try_into().unwrap())
    };
    let (none, some) = (scan_after_removing(0), scan_after_removing(60));
    assert_eq!(some - none, 60 * 256 * 5_000);
}

#[test]
fn what_a_contract_cannot_pay_is_not_written() {
    let mut world = World::new();
    let contract =
        world.deploy(&calling("(drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 60000)))"));
    let outcome = world.call_with(contract, &[], 200_000_000);
    faulted(&outcome, "gas");
    assert!(world.stored(&contract, &[0]).is_none());
    succeeded(&world.call(contract, &[]));
    assert_eq!(world.stored(&contract, &[0]).map(<[u8]>::len), Some(60_000));
}

/// State gas of a call, beyond the record of the contract.
fn state_gas(world: &mut World, contract: noema_vm::Address) -> u64 {
    succeeded(&world.call(contract, &[])).gas.state - READ
}

/// What a key costs when it is read or written first.
const READ: u64 = 40_000_000;
const WRITE: u64 = 250_000_000;

#[test]
fn a_key_costs_more_when_a_message_reads_it_first() {
    let get = |key: u32| format!("(drop (call $get (i32.const {key}) (i32.const 2) (i32.const 100) (i32.const 8)))");
    let mut world = World::new();
    let mut gas = |keys: &[u32]| {
        let contract = world.deploy(&module(&format!(
            r#"(data (i32.const 0) "a1b2") (func (export "call") {})"#,
            keys.iter().map(|key| get(*key)).collect::<String>()
        )));
        state_gas(&mut world, contract)
    };
    // `storage.get` of nothing, and one byte of work for each of its parameters.
    let plain = gas(&[0]) - READ;
    assert_eq!(gas(&[0, 0, 0]), 3 * plain + READ);
    assert_eq!(gas(&[0, 2, 0]), 3 * plain + 2 * READ);
}

#[test]
fn a_key_costs_more_when_a_message_writes_it_first() {
    let set = "(drop (call $set (i32.const 0) (i32.const 2) (i32.const 4) (i32.const 2)))";
    let remove = "(drop (call $remove (i32.const 0) (i32.const 2)))";
    let get = "(drop (call $get (i32.const 0) (i32.const 2) (i32.const 100) (i32.const 8)))";
    let gas = |body: &[&str]| {
        let mut world = World::new();
        let contract = world
            .deploy(&module(&format!(r#"(data (i32.const 0) "a1b2c3") (func (export "call") {})"#, body.concat())));
        // Of the same length, so that the count of the entries does not change.
        world.store(&contract, b"a1", b"zz");
        state_gas(&mut world, contract)
    };
    let again = gas(&[set, set]) - gas(&[set]);
    assert_eq!(gas(&[set]), again + READ + WRITE);
    // What was read costs only the write, and what was written nothing to read.
    assert_eq!(gas(&[get, set]) - gas(&[get]), again + WRITE);
    assert_eq!(gas(&[set, set, get]) - gas(&[set, get]), again);
    // To remove changes the count of the entries: another key.
    let removed = gas(&[remove, get]) - gas(&[get, get]);
    assert!((2 * WRITE + READ..2 * WRITE + READ + 50_000_000).contains(&removed), "{removed}");
}

#[test]
fn what_was_taken_back_is_written_first_once_more() {
    let mut world = World::new();
    // Calls itself with one byte of input; that frame writes and aborts.
    let body = |before: &str, times: usize| {
        module(&format!(
            r#"(data (i32.const 0) "a1b2c3")
               (func (export "call_reentrant") (drop (call $set (i32.const 0) (i32.const 2) (i32.const 4) (i32.const 2)))
                 (drop (call $abort (i32.const 7) (i32.const 0) (i32.const 0))))
               (func (export "call") {before} (drop (call $self (i32.const 64))) {})"#,
            "(drop (call $contract (i32.const 64) (i32.const 128) (i64.const 100000000000) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))"
                .repeat(times)
        ))
    };
    let mut gas = |before: &str, times: usize| {
        let contract = world.deploy(&body(before, times));
        world.store(&contract, b"a1", b"zz");
        state_gas(&mut world, contract)
    };
    let set = "(drop (call $set (i32.const 0) (i32.const 2) (i32.const 4) (i32.const 2)))";
    let (one, two) = (gas("", 1), gas("", 2));
    assert_eq!(two - one, one - READ, "it is known by now, but written first again");
    assert!(two - one > WRITE);
    let (one, two) = (gas(set, 1), gas(set, 2));
    assert!(two - one < WRITE, "it was written outside, and stays");
}

#[test]
fn balances_and_scans_are_read_like_entries() {
    let scan = "(drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 100) (i32.const 200)))";
    let balance = "(drop (call $balance (i32.const 64) (i32.const 200)))";
    let gas = |body: &str| {
        let mut world = World::new();
        let contract = world.deploy(&module(&format!(r#"(func (export "call") {body})"#)));
        let receipt = succeeded(&world.call(contract, &[])).gas;
        receipt.state + receipt.host
    };
    for what in [scan, balance] {
        let (none, one, two) = (gas(""), gas(what), gas(&what.repeat(2)));
        assert_eq!(one - none, two - one + READ, "{what}");
    }
}

#[test]
fn who_cannot_pay_for_the_disk_changes_nothing() {
    let set = "(drop (call $set (i32.const 0) (i32.const 2) (i32.const 4) (i32.const 2)))";
    let mut world = World::new();
    let contract = world.deploy(&module(&format!(r#"(data (i32.const 0) "a1b2c3") (func (export "call") {set})"#)));
    // The second call writes over an entry, and leaves the count of them as it is.
    succeeded(&world.call(contract, &[]));
    let needed = succeeded(&world.call(contract, &[])).gas_used();
    for limit in [needed / 2, needed - WRITE, needed - 50_000_000] {
        let outcome = world.call_with(contract, &[], limit);
        faulted(&outcome, "gas");
        assert!(outcome.writes.is_empty());
    }
}

/// An entry that does not fit, and seven of the largest behind it, over and over.
#[test]
fn a_scan_pays_for_what_it_reads() {
    let mut world = World::new();
    let contract = world.deploy(&calling(
        "(local $n i32)
         (loop $again
           (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0)))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.ne (local.get $n) (i32.const 100))))",
    ));
    world.store(&contract, b"a", b"");
    for key in 0..7u8 {
        world.store(&contract, &[b'b', key], &vec![0; MAX_VALUE_BYTES]);
    }
    let view = Counting::new(&world.state);
    let message = Message { sender: ALICE, value: 0, gas_limit: GAS, action: Action::Call { contract, input: vec![] } };
    let outcome = world.vm.execute(&view, &world.block(), &message).unwrap();
    // Of each byte that it gives, a scan asks 5000; what is only copied costs 100 elsewhere.
    let (state, bytes) = (succeeded(&outcome).gas.state, view.take().bytes);
    assert!(state > 100 * bytes, "{state} for {bytes} bytes");
}
