//! Storage as a contract sees it.

use noema_abi::Status;
use noema_vm::layout;

use super::world::{World, calling, faulted, module, succeeded};

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
