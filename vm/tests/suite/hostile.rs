//! Contracts that mean no good.

use noema_abi::Status;
use noema_vm::{ReceiptStatus, Rejection};

use super::world::{World, calling, calling_in_large, faulted, module, succeeded};

#[test]
fn an_endless_loop_runs_out_of_gas() {
    let mut world = World::new();
    let contract = world.deploy(&calling("(loop (br 0))"));
    // `br` is the only thing it does.
    let outcome = world.call_with(contract, &[], 10_000_000_000);
    faulted(&outcome, "gas");
    let empty = world.deploy(&calling("(loop (br_if 0 (i32.const 1)))"));
    faulted(&world.call_with(empty, &[], 1_000_000_000), "gas");
}

#[test]
fn memory_grows_to_the_limit_and_not_beyond() {
    let mut world = World::new();
    let growing = |first: i32, second: i32| {
        format!(
            "(i32.store (i32.const 0) (memory.grow (i32.const {first})))
             (i32.store (i32.const 4) (memory.grow (i32.const {second})))
             (i32.store (i32.const 8) (memory.size)) (drop (call $output (i32.const 0) (i32.const 12)))"
        )
    };
    let grow = |first: i32, second: i32| calling_in_large(&growing(first, second));
    let sizes = |outcome: &noema_vm::Outcome| {
        let output = succeeded(outcome).output.clone();
        [0, 4, 8].map(|at| i32::from_le_bytes(output[at..at + 4].try_into().unwrap()))
    };
    const LIMIT: i32 = 1024;
    assert_eq!(sizes(&world.run(&grow(1, 2))), [1, 2, 4]);
    assert_eq!(sizes(&world.run(&grow(LIMIT - 1, 1))), [1, -1, LIMIT]);
    assert_eq!(sizes(&world.run(&grow(LIMIT, 0))), [-1, 1, 1]);
    // Beyond what a 32-bit memory can be, after a growth that was granted.
    let contract = world.deploy(&grow(1, 65_535));
    assert_eq!(sizes(&world.call_with(contract, &[], 10_000_000_000_000)), [1, -1, 2]);
    let contract = world.deploy(&grow(1, -1));
    faulted(&world.call(contract, &[]), "gas");
    // Without a maximum there are 64 pages.
    assert_eq!(sizes(&world.run(&calling(&growing(63, 1)))), [1, -1, 64]);
    assert_eq!(sizes(&world.run(&calling(&growing(64, 63)))), [-1, 1, 64]);
    // The module's own maximum counts too.
    let own = noema_vm_module_with_maximum();
    assert_eq!(sizes(&world.run(&own)), [1, -1, 3]);
}

fn noema_vm_module_with_maximum() -> Vec<u8> {
    wat::parse_str(
        r#"(module (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (memory (export "memory") 1 3)
             (func (export "call")
               (i32.store (i32.const 0) (memory.grow (i32.const 2)))
               (i32.store (i32.const 4) (memory.grow (i32.const 1)))
               (i32.store (i32.const 8) (memory.size)) (drop (call $output (i32.const 0) (i32.const 12)))))"#,
    )
    .unwrap()
}

#[test]
fn tables_grow_to_the_limit_and_not_beyond() {
    let mut world = World::new();
    let code = module(
        r#"(table $t 1 funcref) (func (export "call")
             (i32.store (i32.const 0) (table.grow $t (ref.null func) (i32.const 16383)))
             (i32.store (i32.const 4) (table.grow $t (ref.null func) (i32.const 1)))
             (i32.store (i32.const 8) (table.grow $t (ref.null func) (i32.const -1)))
             (drop (call $output (i32.const 0) (i32.const 12))))"#,
    );
    let contract = world.deploy(&code);
    let outcome = world.call_with(contract, &[], 100_000_000_000_000);
    assert_eq!(succeeded(&outcome).output, [1i32, -1, -1].map(i32::to_le_bytes).concat());
}

#[test]
fn memory_growth_without_end_ends() {
    let mut world = World::new();
    let contract = world.deploy(&calling("(loop (drop (memory.grow (i32.const 1))) (br 0))"));
    faulted(&world.call(contract, &[]), "gas");
}

#[test]
fn every_page_of_a_new_instance_is_zero() {
    let mut world = World::new();
    let dirty = world.deploy(&calling(
        "(drop (memory.grow (i32.const 30))) (memory.fill (i32.const 0) (i32.const 255) (i32.const 2031616))",
    ));
    // Adds up all words of 31 pages.
    let clean = world.deploy(&module(
        r#"(global $at (mut i32) (i32.const 0)) (global $sum (mut i64) (i64.const 0))
           (func (export "call") (drop (memory.grow (i32.const 30)))
             (loop
               (global.set $sum (i64.or (global.get $sum) (i64.load (global.get $at))))
               (global.set $at (i32.add (global.get $at) (i32.const 8)))
               (br_if 0 (i32.lt_u (global.get $at) (i32.const 2031616))))
             (i64.store (i32.const 0) (global.get $sum)) (drop (call $output (i32.const 0) (i32.const 8))))"#,
    ));
    for _ in 0..30 {
        succeeded(&world.call(dirty, &[]));
        assert_eq!(succeeded(&world.call(clean, &[])).output, [0; 8]);
    }
}

#[test]
fn ranges_outside_memory_are_faults() {
    let mut world = World::new();
    for call in [
        "(call $output (i32.const 65536) (i32.const 1))",
        "(call $output (i32.const 65535) (i32.const 2))",
        "(call $output (i32.const -1) (i32.const -1))",
        "(call $output (i32.const 4) (i32.const -4))",
        "(call $input_read (i32.const 0) (i32.const 65530) (i32.const 100))",
        "(call $caller (i32.const 65505))",
        "(call $get (i32.const -8) (i32.const 8) (i32.const 0) (i32.const 0))",
        "(call $set (i32.const 0) (i32.const 8) (i32.const 70000) (i32.const 8))",
        "(call $emit (i32.const 0) (i32.const 4) (i32.const 65536) (i32.const 1))",
        "(call $log (i32.const 65530) (i32.const 7))",
        "(call $abort (i32.const 1) (i32.const 65536) (i32.const 1))",
        "(call $transfer (i32.const 65520) (i32.const 0))",
        "(call $contract (i32.const 0) (i32.const 65530) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $tensor (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 65536) (i32.const 4))",
    ] {
        let contract = world.deploy(&calling(&format!("(drop {call})")));
        let outcome = world.call_with(contract, &[], 100_000_000_000);
        assert_eq!(outcome.receipt.status, ReceiptStatus::Fault, "{call}: {:?}", outcome.diagnostic);
    }
    // At the very end there is room for nothing, and nothing fits.
    succeeded(&world.run(&calling("(drop (call $output (i32.const 65536) (i32.const 0)))")));
}

#[test]
fn forged_handles_are_statuses() {
    let mut world = World::new();
    let read = |handle: &str| {
        module(&format!(
            r#"(data (i32.const 0) "\02\00\00\00") (data (i32.const 8) "\07\08")
               (func (export "call") (local $x i32)
                 (local.set $x (i32.wrap_i64 (call $tensor (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 2))))
                 {handle}
                 (i64.store (i32.const 100) (call $tensor_read (local.get $x) (i32.const 16) (i32.const 2)))
                 (drop (call $output (i32.const 100) (i32.const 8))))"#
        ))
    };
    let bad = Status::BadHandle.to_return();
    for (handle, expected) in [
        ("", 2),
        ("(local.set $x (i32.const 0))", bad),
        ("(local.set $x (i32.const -1))", bad),
        ("(local.set $x (i32.add (local.get $x) (i32.const 1)))", bad),
        ("(drop (call $tensor_drop (local.get $x)))", bad),
    ] {
        assert_eq!(succeeded(&world.run(&read(handle))).output, i64::to_le_bytes(expected), "{handle}");
    }
}

#[test]
fn not_a_number_has_one_form() {
    let mut world = World::new();
    let code = module(
        r#"(func (export "call") (local $a f32) (local $b f64) (local $v v128)
             (local.set $a (f32.reinterpret_i32 (i32.const 0xffabcdef)))
             (local.set $b (f64.reinterpret_i64 (i64.const 0xfff123456789abcd)))
             (local.set $v (v128.const i32x4 0xffabcdef 0x7fc00001 0x7f800001 0xff800000))
             (f32.store (i32.const 0) (f32.add (local.get $a) (f32.const 1)))
             (f64.store (i32.const 8) (f64.mul (local.get $b) (f64.const 2)))
             (f32.store (i32.const 16) (f32.div (f32.const 0) (f32.const 0)))
             (f64.store (i32.const 24) (f64.sqrt (f64.const -1)))
             (f32.store (i32.const 32) (f32.demote_f64 (local.get $b)))
             (f64.store (i32.const 40) (f64.promote_f32 (local.get $a)))
             (f32.store (i32.const 48) (f32.min (local.get $a) (f32.const 1)))
             (f32.store (i32.const 52) (f32.sub (f32.const inf) (f32.const inf)))
             (v128.store (i32.const 64) (f32x4.add (local.get $v) (local.get $v)))
             (drop (call $output (i32.const 0) (i32.const 80))))"#,
    );
    let output = succeeded(&world.run(&code)).output.clone();
    let single = 0x7fc0_0000u32.to_le_bytes();
    let double = 0x7ff8_0000_0000_0000u64.to_le_bytes();
    for (at, expected) in [
        (0, &single[..]),
        (8, &double),
        (16, &single),
        (24, &double),
        (32, &single),
        (40, &double),
        (48, &single),
        (52, &single),
    ] {
        assert_eq!(&output[at..at + expected.len()], expected, "at {at}");
    }
    assert_eq!(output[64..80], [single, single, single, 0xff80_0000u32.to_le_bytes()].concat());
}

#[test]
fn traps_are_faults_whatever_they_are() {
    let mut world = World::new();
    for (body, diagnostic) in [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "overflow"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "integer"),
        ("(drop (i32.load (i32.const 65533)))", "out of bounds"),
        ("(drop (i32.load offset=4294967295 (i32.const -1)))", "out of bounds"),
        ("(memory.fill (i32.const 65530) (i32.const 0) (i32.const 7))", "out of bounds"),
    ] {
        let contract = world.deploy(&calling(body));
        let outcome = world.call(contract, &[]);
        faulted(&outcome, diagnostic);
        // A trap leaves no trace of where in the run it was.
        assert_eq!((outcome.receipt.gas.wasm, outcome.receipt.depth), (0, 0));
    }
    let table = module(
        r#"(type $a (func)) (type $b (func (param i32))) (table 3 funcref) (elem (i32.const 0) $f) (func $f (type $b))
           (func (export "call") (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
             (call_indirect (type $a) (i32.load (i32.const 0))))"#,
    );
    let contract = world.deploy(&table);
    for (index, diagnostic) in
        [(0u32, "indirect call type mismatch"), (1, "uninitialized element"), (3, "out of bounds")]
    {
        faulted(&world.call(contract, &index.to_le_bytes()), diagnostic);
    }
}

#[test]
fn logs_are_kept_apart() {
    let mut world = World::new();
    let code = |text: &str| {
        module(&format!(
            r#"(data (i32.const 0) "{text}") (func (export "call") (drop (call $log (i32.const 0) (i32.const 2))))"#
        ))
    };
    let (a, b) = (world.deploy(&code("hi")), world.deploy(&code("\\ff\\fe")));
    let (first, second) = (world.call(a, &[]), world.call(b, &[]));
    assert_eq!(first.logs, ["hi"]);
    assert_eq!(second.logs.len(), 1);
    assert_eq!(first.receipt, second.receipt, "what is logged is no part of a receipt");
    let flood = world.deploy(&calling("(loop (drop (call $log (i32.const 0) (i32.const 2))) (br 0))"));
    assert!(world.call(flood, &[]).logs.len() <= 1024);
}

#[test]
fn events_are_limited_in_number() {
    let mut world = World::new();
    let contract = world.deploy(&module(
        r#"(global $last (mut i64) (i64.const 0)) (global $n (mut i32) (i32.const 0))
           (func (export "call")
             (loop
               (global.set $last (call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (br_if 0 (i32.lt_u (global.get $n) (i32.const 1025))))
             (i64.store (i32.const 0) (global.get $last)) (drop (call $output (i32.const 0) (i32.const 8))))"#,
    ));
    let outcome = world.call(contract, &[]);
    let receipt = succeeded(&outcome);
    assert_eq!(receipt.events.len(), 1024);
    assert_eq!(receipt.output, Status::LimitExceeded.to_return().to_le_bytes());
}

#[test]
fn a_contract_cannot_name_the_accounts() {
    let mut world = World::new();
    let code = wat::parse_str(
        r#"(module (memory (export "memory") 1) (global (export "noema.gas") (mut i64) (i64.const 0)) (func (export "call")))"#,
    )
    .unwrap();
    let action = noema_vm::Action::Deploy { code, salt: 0, input: vec![] };
    let outcome = world.send(super::world::ALICE, 0, super::world::GAS, action);
    assert_eq!(super::world::rejected(&outcome), Rejection::Inadmissible);
}
