//! Transient storage: entries that last as long as the message.

use noema_abi::Status;
use noema_abi::limits::{MAX_TRANSIENT_BYTES, MAX_WRITTEN_BYTES};
use noema_vm::Address;

use super::world::{World, bytes, calling, faulted, module, succeeded};

/// Input byte 0: `g`et, `s`et or `r`emove of the key that is byte 1, byte 2: the value; then it traps if byte 3 is 1 and
/// aborts if it is 2. Returns the result in 8 bytes, and the value that it got.
fn cell() -> Vec<u8> {
    let body = r#"
        (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 8)))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 103)) (then
          (i64.store (i32.const 16) (call $transient_get (i32.const 1) (i32.const 1) (i32.const 24) (i32.const 8)))))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 115)) (then
          (i64.store (i32.const 16) (call $transient_set (i32.const 1) (i32.const 1) (i32.const 2) (i32.const 1)))))
        (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 114)) (then
          (i64.store (i32.const 16) (call $transient_remove (i32.const 1) (i32.const 1)))))
        (if (i32.eq (i32.load8_u (i32.const 3)) (i32.const 1)) (then unreachable))
        (if (i32.eq (i32.load8_u (i32.const 3)) (i32.const 2)) (then
          (drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0)))))
        (drop (call $output (i32.const 16) (i32.const 9)))"#;
    module(&format!(r#"(func $all {body}) (func (export "call") (call $all)) (func (export "view") (call $all))"#))
}

/// The input is steps of five bytes: the number of a target and an input for it. Returns for each what the target
/// returned, in 9 bytes; where it failed, the status.
fn script(targets: &[Address]) -> Vec<u8> {
    let addresses: String = targets.iter().map(|target| bytes(&target.0)).collect();
    module(&format!(
        r#"(data (i32.const 0) "{addresses}")
           (func (export "call") (local $at i32) (local $end i32) (local $out i32)
             (local.set $at (i32.const 4096)) (local.set $out (i32.const 8192))
             (drop (call $input_read (i32.const 0) (i32.const 4096) (i32.const 1000)))
             (local.set $end (i32.add (local.get $at) (i32.wrap_i64 (call $input_len))))
             (block $done (loop $next
               (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
               (i64.store (local.get $out)
                 (call $contract (i32.shl (i32.load8_u (local.get $at)) (i32.const 5)) (i32.const 3000)
                   (i64.const 10000000000) (i32.add (local.get $at) (i32.const 1)) (i32.const 4) (i32.const 0) (i32.const 0)))
               (if (i64.gt_s (i64.load (local.get $out)) (i64.const 0)) (then
                 (drop (call $output_read (i32.const 0) (local.get $out) (i32.const 9)))))
               (local.set $at (i32.add (local.get $at) (i32.const 5)))
               (local.set $out (i32.add (local.get $out) (i32.const 9)))
               (br $next)))
             (drop (call $output (i32.const 8192) (i32.sub (local.get $out) (i32.const 8192)))))"#
    ))
}

/// What the steps returned: the result, and the value behind it.
fn steps(world: &mut World, contract: Address, script: &[[u8; 5]]) -> Vec<(i64, u8)> {
    let outcome = world.call(contract, script.as_flattened());
    let output = &succeeded(&outcome).output;
    assert!(outcome.writes.is_empty(), "nothing of it is in the state");
    output.chunks(9).map(|step| (i64::from_le_bytes(step[..8].try_into().unwrap()), step[8])).collect()
}

const MISSING: (i64, u8) = (Status::NotFound.to_return(), 0);

#[test]
fn transient_entries_last_for_the_message_and_belong_to_one_contract() {
    let mut world = World::new();
    let code = cell();
    let (a, b) = (world.deploy(&code), world.deploy(&code));
    let both = world.deploy(&script(&[a, b]));
    let get = |of: u8| [of, b'g', b'k', 0, 0];
    let set = |of: u8, value: u8| [of, b's', b'k', value, 0];
    let found = |value: u8| (1, value);
    // Written in one call, seen by a later one; the other contract has its own.
    let seen =
        steps(&mut world, both, &[get(0), set(0, 7), get(0), get(1), set(1, 8), get(0), get(1), set(0, 9), get(0)]);
    assert_eq!(seen, [MISSING, (0, 0), found(7), MISSING, (0, 0), found(7), found(8), (0, 0), found(9)]);
    // Gone with the message.
    assert_eq!(steps(&mut world, both, &[get(0), get(1)]), [MISSING, MISSING]);
    // Removed, and it says whether it was there.
    let remove = [0, b'r', b'k', 0, 0];
    assert_eq!(steps(&mut world, both, &[remove, set(0, 1), remove, get(0)]), [(0, 0), (0, 0), (1, 0), MISSING]);
}

#[test]
fn transient_entries_go_back_with_the_call_that_wrote_them() {
    let mut world = World::new();
    let cell = world.deploy(&cell());
    let script = world.deploy(&script(&[cell]));
    for (end, status) in [(1, Status::CallFaulted), (2, Status::CallAborted)] {
        let failed = (status.to_return(), 0);
        let get = [0, b'g', b'k', 0, 0];
        let seen = steps(
            &mut world,
            script,
            &[
                [0, b's', b'k', 7, end],
                get,
                [0, b's', b'k', 5, 0],
                [0, b's', b'k', 6, end],
                get,
                [0, b'r', b'k', 0, end],
                get,
            ],
        );
        assert_eq!(seen, [failed, MISSING, (0, 0), failed, (1, 5), failed, (1, 5)]);
    }
}

#[test]
fn transient_entries_cannot_be_written_in_a_view() {
    let mut world = World::new();
    let cell = world.deploy(&cell());
    assert_eq!(succeeded(&world.view(cell, b"gk")).output[..8], MISSING.0.to_le_bytes());
    faulted(&world.view(cell, b"skv"), "view");
    faulted(&world.view(cell, b"rk"), "view");
}

#[test]
fn transient_entries_are_limited_by_their_bytes() {
    let mut world = World::new();
    let most = MAX_TRANSIENT_BYTES;
    // A key of one byte and this value, then another entry, then the first again, shorter, and the other once more.
    let contract = world.deploy(&calling(&format!(
        r#"(drop (memory.grow (i32.const 3)))
           (i64.store (i32.const 0) (call $transient_set (i32.const 100) (i32.const 1) (i32.const 100) (i32.const {})))
           (i64.store (i32.const 8) (call $transient_set (i32.const 100) (i32.const 1) (i32.const 100) (i32.const {})))
           (i64.store (i32.const 16) (call $transient_set (i32.const 100) (i32.const 2) (i32.const 100) (i32.const 0)))
           (i64.store (i32.const 24) (call $transient_set (i32.const 100) (i32.const 1) (i32.const 100) (i32.const {})))
           (i64.store (i32.const 32) (call $transient_set (i32.const 100) (i32.const 2) (i32.const 100) (i32.const 0)))
           (drop (call $output (i32.const 0) (i32.const 40)))"#,
        most,
        most - 1,
        most - 3
    )));
    let outcome = world.call(contract, &[]);
    let output = succeeded(&outcome).output.clone();
    let results: Vec<i64> = output.chunks(8).map(|result| i64::from_le_bytes(result.try_into().unwrap())).collect();
    let limit = Status::LimitExceeded.to_return();
    assert_eq!(results, [limit, 0, limit, 0, 0]);
}

/// A message cannot make a node hold more than so many bytes of writes, however often it writes the same entry and
/// whatever it takes back.
#[test]
fn what_a_message_writes_is_limited() {
    let mut world = World::new();
    let value = 100_000u64;
    let times = MAX_WRITTEN_BYTES / (value + 1);
    for call in ["set", "transient_set"] {
        let value = if call == "set" { value } else { 50_000 };
        let times = if call == "set" { times } else { MAX_WRITTEN_BYTES / (value + 1) };
        let contract = world.deploy(&calling(&format!(
            r#"(local $n i64) (local $result i64)
               (drop (memory.grow (i32.const 3)))
               (loop $again
                 (local.set $result (call ${call} (i32.const 100) (i32.const 1) (i32.const 100) (i32.const {value})))
                 (local.set $n (i64.add (local.get $n) (i64.const 1)))
                 (br_if $again (i64.eqz (local.get $result))))
               (i64.store (i32.const 0) (local.get $n)) (i64.store (i32.const 8) (local.get $result))
               (drop (call $output (i32.const 0) (i32.const 16)))"#
        )));
        let outcome = world.call(contract, &[]);
        let expected = [(times + 1).to_le_bytes(), Status::LimitExceeded.to_return().to_le_bytes()].concat();
        assert_eq!(succeeded(&outcome).output, expected, "{call}");
    }
}
