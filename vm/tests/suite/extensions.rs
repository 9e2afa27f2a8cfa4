//! Host functions of a chain's own, from admission to the receipt.

use std::sync::Arc;

use noema_abi::limits::MAX_KEY_BYTES;
use noema_abi::{ProtocolVersion, Status};
use noema_host::{Cost, HostCall, Out, Reply, Stop};
use noema_vm::{Action, AdmissionError, Extension, ReceiptStatus, Rejection, Vm, VmError, layout};

use super::world::{ALICE, BOB, GAS, World, bytes, config, faulted, rejected, succeeded};

noema_host::extension! {
    /// What this chain adds.
    mod mychain {
        /// `text` in capitals, and its length. Work: bytes.
        0x8001 since 1 shout(text: bytes, loud: out) -> u64 price(1_000_000, 1_000, 500);
        /// One more than the last time. In a view it is a fault.
        0x8002 since 1 count() -> u64 price(5_000_000, 0, 0);
        /// What `count` has counted to.
        0x8003 since 1 counted() -> u64 price(1_000_000, 0, 0);
        /// Does as it is told.
        0x8004 since 1 obey(order: u32) -> unit price(2_000_000, 0, 0);
        /// Belongs to a version that is not there yet.
        0x8005 since 2 later() -> unit price(1, 0, 0);
    }
}

struct Functions;

impl mychain::Functions for Functions {
    fn shout(&self, _: &mut HostCall<'_>, text: &[u8], loud: &mut Out<'_>) -> Reply<u64> {
        Ok(loud.set(text.to_ascii_uppercase()))
    }
    fn count(&self, call: &mut HostCall<'_>) -> Reply<u64> {
        let count = self.counted(call)? + 1;
        call.set(b"count", &count.to_le_bytes())?;
        Ok(count)
    }
    fn counted(&self, call: &mut HostCall<'_>) -> Reply<u64> {
        let bytes = call.get(b"count")?;
        Ok(bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap())))
    }
    fn obey(&self, call: &mut HostCall<'_>, order: u32) -> Reply<()> {
        match order {
            0 => Ok(()),
            1 => panic!("the chain's code has a bug"),
            2 => Err(Stop::Node("the chain's disk is full".into()).into()),
            3 => Err(call.abort(77, b"no")),
            4 => Err(Status::NotFound.into()),
            5 => call.transfer(&BOB.0, 5),
            6 => call.emit(b"obeyed", b"6"),
            7 => call.set(&[1; MAX_KEY_BYTES], b"longest"),
            _ => call.charge_work(u64::MAX),
        }
    }
    fn later(&self, _: &mut HostCall<'_>) -> Reply<()> {
        Ok(())
    }
}

impl mychain::Work for Functions {
    fn shout(&self, _: &mut HostCall<'_>, text: &[u8], _: &Out<'_>) -> Reply<Cost> {
        Ok(Cost::work(u64::try_from(text.len()).unwrap()))
    }
}

fn extension() -> Extension {
    mychain::extension(Functions)
}

fn world() -> World {
    World::on(Arc::new(Vm::new(config().with_extension(extension())).unwrap()))
}

fn code(fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
             (import "mychain" "shout" (func $shout (param i32 i32 i32 i32) (result i64)))
             (import "mychain" "count" (func $count (result i64)))
             (import "mychain" "counted" (func $counted (result i64)))
             (import "mychain" "obey" (func $obey (param i32) (result i64)))
             (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
             (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (import "context" "gas_left" (func $gas_left (result i64)))
             (import "control" "abort" (func $abort (param i32 i32 i32) (result i64)))
             (import "call" "contract" (func $contract (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
             (memory (export "memory") 1) {fields})"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{fields}"))
}

/// Calls `obey` with the input and returns what it answers; `view` does the same.
fn obedient() -> Vec<u8> {
    code(
        r#"(func $do (drop (call $input (i32.const 0) (i32.const 0) (i32.const 4)))
             (i64.store (i32.const 8) (call $obey (i32.load (i32.const 0))))
             (drop (call $output (i32.const 8) (i32.const 8))))
           (func (export "call") (call $do)) (func (export "view") (call $do))"#,
    )
}

fn counting() -> Vec<u8> {
    code(
        r#"(func (export "call") (i64.store (i32.const 0) (call $count)) (drop (call $output (i32.const 0) (i32.const 8)))
             (drop (call $input (i32.const 0) (i32.const 16) (i32.const 1)))
             (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 1)) (then unreachable))
             (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 2)) (then (drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0))))))
           (func (export "view") (drop (call $input (i32.const 0) (i32.const 16) (i32.const 1)))
             (if (i32.load8_u (i32.const 16)) (then (drop (call $count))))
             (i64.store (i32.const 0) (call $counted)) (drop (call $output (i32.const 0) (i32.const 8))))"#,
    )
}

fn number(outcome: &noema_vm::Outcome) -> u64 {
    u64::from_le_bytes(succeeded(outcome).output.as_slice().try_into().unwrap())
}

#[test]
fn a_contract_calls_it_and_pays_its_price() {
    let mut world = world();
    let contract = world.deploy(&code(
        r#"(data (i32.const 0) "hello") (global $before (mut i64) (i64.const 0))
           (func (export "call")
             (global.set $before (call $gas_left))
             (drop (call $shout (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 8)))
             (i64.store (i32.const 32) (i64.sub (global.get $before) (call $gas_left)))
             (drop (call $output (i32.const 16) (i32.const 24))))"#,
    ));
    let outcome = world.call(contract, &[]);
    let output = &succeeded(&outcome).output;
    assert_eq!(output[..8], *b"HELLO\0\0\0");
    // `gas_left` (10,000) and a few operators, and the price of the row: base, 5 + 8 bytes, 5 of work.
    let spent = u64::from_le_bytes(output[16..24].try_into().unwrap());
    let price = 1_000_000 + 1_000 * 13 + 500 * 5;
    assert!((price + 10_000..price + 60_000).contains(&spent), "{spent}");
}

#[test]
fn imports_are_checked_like_those_of_the_table() {
    let admit = |vm: &Vm, import: &str| {
        let text = format!(r#"(module {import} (memory (export "memory") 1) (func (export "call")))"#);
        vm.admit(ProtocolVersion::V1, &wat::parse_str(text).unwrap())
    };
    let with = Vm::new(config().with_extension(extension())).unwrap();
    let without = Vm::new(config()).unwrap();
    let good = r#"(import "mychain" "shout" (func (param i32 i32 i32 i32) (result i64)))"#;
    admit(&with, good).unwrap();
    let refused = admit(&without, good).unwrap_err();
    assert!(matches!(refused, AdmissionError::Import { reason: "there is no such host function", .. }), "{refused}");
    for import in [
        r#"(import "mychain" "shout" (func (param i32 i32 i32) (result i64)))"#,
        r#"(import "mychain" "shout" (func (param i32 i32 i32 i32 i64) (result i64 i64)))"#,
        r#"(import "mychain" "shout" (func (param i32 i32 i32 i64) (result i64)))"#,
        r#"(import "mychain" "shout" (func (param i32 i32 i32 i32)))"#,
        r#"(import "mychain" "shout" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "mychain" "shou" (func (param i32 i32 i32 i32) (result i64)))"#,
        r#"(import "mychain2" "shout" (func (param i32 i32 i32 i32) (result i64)))"#,
        r#"(import "mychain" "shout" (global i32))"#,
        r#"(import "storage" "shout" (func (param i32 i32 i32 i32) (result i64)))"#,
        r#"(import "mychain" "later" (func (result i64)))"#,
    ] {
        assert!(matches!(admit(&with, import), Err(AdmissionError::Import { .. })), "{import}");
    }
    // And so is a deployment.
    let mut world = world();
    let bad = wat::parse_str(
        r#"(module (import "mychain" "count" (func (param i32) (result i64))) (memory (export "memory") 1) (func (export "call")))"#,
    );
    let action = Action::Deploy { code: bad.unwrap(), salt: 0, input: vec![] };
    assert_eq!(rejected(&world.send(ALICE, 0, GAS, action)), Rejection::Inadmissible);
}

#[test]
fn forged_ranges_are_faults() {
    let mut world = world();
    for call in [
        "(call $shout (i32.const 65535) (i32.const 2) (i32.const 0) (i32.const 0))",
        "(call $shout (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))",
        "(call $shout (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 1))",
        "(call $shout (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536))",
    ] {
        let contract = world.deploy(&code(&format!(r#"(func (export "call") (drop {call}))"#)));
        // Enough for the price of 4 GiB, which comes first.
        faulted(&world.call_with(contract, &[], 100_000_000_000_000), "outside the memory");
    }
}

#[test]
fn out_of_gas_comes_before_the_function() {
    let mut world = world();
    let contract = world.deploy(&counting());
    let enough = world.call(contract, &[0]);
    assert_eq!(number(&enough), 1);
    let used = enough.receipt.gas_used();
    // Less than the price of `count` is left for it, which is smaller than what its first write costs behind it.
    let outcome = world.call_with(contract, &[0], used - 295_000_000);
    faulted(&outcome, "gas");
    assert!(outcome.reads.iter().all(|key| !key.starts_with(&layout::extension_key("mychain", b""))));
    assert_eq!(number(&world.call(contract, &[0])), 2, "it was not counted");
    // A price that no limit pays for.
    let contract = world.deploy(&obedient());
    let outcome = world.call(contract, &8u32.to_le_bytes());
    assert_eq!(number(&outcome), 0, "its price for work is zero");
}

#[test]
fn its_state_is_its_own_and_follows_the_frame() {
    let mut world = world();
    let contract = world.deploy(&counting());
    let other = world.deploy(&counting_through(contract));
    assert_eq!(number(&world.call(contract, &[0])), 1);
    let first = world.call(contract, &[0]);
    assert_eq!(number(&first), 2);
    let key = layout::extension_key("mychain", b"count");
    assert_eq!(first.writes.get(&key), Some(&Some(2u64.to_le_bytes().to_vec())), "it is in the write set");
    assert!(first.reads.contains(&key), "and in the read set");
    // A trap and an abort undo it.
    faulted(&world.call(contract, &[1]), "unreachable");
    let aborted = world.call(contract, &[2]);
    assert_eq!(aborted.receipt.status, ReceiptStatus::Abort { code: 1, message: vec![] });
    assert_eq!(number(&world.view(contract, &[0])), 2);
    // So does a failed inner call, and its caller goes on.
    assert_eq!(number(&world.call(other, &[1])), u64::MAX - u64::from(Status::CallFaulted.code()) + 1);
    assert_eq!(number(&world.view(contract, &[0])), 2);
    assert_eq!(number(&world.call(other, &[0])), 8, "the inner call answers eight bytes");
    assert_eq!(number(&world.view(contract, &[0])), 3);
    // A view may ask, and not count.
    faulted(&world.view(contract, &[1]), "mychain.count would change something in a view");
}

/// Passes its input on to another contract and returns what the call answers.
fn counting_through(inner: noema_vm::Address) -> Vec<u8> {
    code(&format!(
        r#"(data (i32.const 0) "{}")
           (func (export "call") (drop (call $input (i32.const 0) (i32.const 64) (i32.const 1)))
             (i64.store (i32.const 128) (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 64) (i32.const 1) (i32.const 256) (i32.const 8)))
             (drop (call $output (i32.const 128) (i32.const 8))))"#,
        bytes(&inner.0)
    ))
}

#[test]
fn outcomes_stay_apart() {
    let mut world = world();
    let contract = world.deploy(&obedient());
    let call = |order: u32| Action::Call { contract, input: order.to_le_bytes().to_vec() };
    let message = |order| noema_vm::Message { sender: ALICE, value: 0, gas_limit: GAS, action: call(order) };
    // Bugs and failures of the node are no receipts, and the machine goes on after them.
    let error = world.try_execute(&message(1)).unwrap_err();
    assert!(matches!(&error, VmError::Panic(text) if text.contains("has a bug")), "{error}");
    let error = world.try_execute(&message(2)).unwrap_err();
    assert!(matches!(&error, VmError::Host(text) if text.contains("disk is full")), "{error}");

    let outcome = world.call(contract, &3u32.to_le_bytes());
    assert_eq!(outcome.receipt.status, ReceiptStatus::Abort { code: 77, message: b"no".to_vec() });
    assert!(outcome.receipt.gas_used() < GAS);
    assert_eq!(
        succeeded(&world.call(contract, &4u32.to_le_bytes())).output,
        Status::NotFound.to_return().to_le_bytes()
    );
    assert_eq!(
        succeeded(&world.call(contract, &5u32.to_le_bytes())).output,
        Status::InsufficientBalance.to_return().to_le_bytes()
    );
    world.fund(&contract, 7);
    succeeded(&world.call(contract, &5u32.to_le_bytes()));
    assert_eq!((world.balance(&contract), world.balance(&BOB)), (2, 5));
    let outcome = world.call(contract, &6u32.to_le_bytes());
    assert_eq!(succeeded(&outcome).events.len(), 1);
    assert_eq!(outcome.receipt.events[0].contract, contract);
    for order in [5u32, 6, 7] {
        faulted(&world.view(contract, &order.to_le_bytes()), "mychain.obey would change something in a view");
    }
    succeeded(&world.view(contract, &0u32.to_le_bytes()));
}

#[test]
fn names_that_are_taken_are_refused_when_the_machine_is_built() {
    for extensions in [vec![extension(), extension()], vec![Extension::new("storage", [])]] {
        let mut config = config();
        config.extensions = extensions;
        let error = Vm::new(config).unwrap_err();
        assert!(matches!(error, VmError::Extension(_)), "{error}");
    }
}

#[test]
fn code_that_needs_an_extension_stops_a_node_without_it() {
    let mut with = world();
    let contract = with.deploy(&counting());
    let mut without = World::on(Arc::new(Vm::new(config()).unwrap()));
    without.state = with.state.clone();
    let call = Action::Call { contract, input: vec![0] };
    let message = noema_vm::Message { sender: ALICE, value: 0, gas_limit: GAS, action: call };
    let error = without.try_execute(&message).unwrap_err();
    assert!(
        matches!(&error, VmError::CorruptState { what } if what.contains("this node does not admit it") && what.contains("mychain")),
        "{error}"
    );
}

#[test]
fn the_hash_of_the_rules_sees_every_row() {
    mod other {
        noema_host::extension! {
            /// The same as far as it goes, but for one price.
            pub(super) mod mychain {
                /// One more than the last time.
                0x8002 since 1 count() -> u64 price(5_000_001, 0, 0);
            }
        }
        noema_host::extension! {
            /// Another one.
            pub(super) mod yourchain {
                /// Nothing.
                0x8100 since 1 nothing() -> unit price(1, 0, 0);
            }
        }
    }
    struct Nothing;
    impl other::mychain::Functions for Nothing {
        fn count(&self, _: &mut HostCall<'_>) -> Reply<u64> {
            Ok(0)
        }
    }
    impl other::yourchain::Functions for Nothing {
        fn nothing(&self, _: &mut HostCall<'_>) -> Reply<()> {
            Ok(())
        }
    }
    let hash = |extensions: Vec<Extension>| {
        let mut config = config();
        config.extensions = extensions;
        Vm::new(config).unwrap().rules_hash(ProtocolVersion::V1)
    };
    let yours = || other::yourchain::extension(Nothing);
    let hashes = [
        hash(vec![]),
        hash(vec![extension()]),
        hash(vec![other::mychain::extension(Nothing)]),
        hash(vec![yours()]),
        hash(vec![yours(), extension()]),
    ];
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(hash), "{index}");
    }
    assert_eq!(hash(vec![extension(), yours()]), hashes[4], "whatever the order");
    assert_eq!(hash(vec![extension()]), hashes[1]);
}

#[test]
fn receipts_of_other_contracts_do_not_change() {
    let code = super::world::calling("(drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)))");
    assert_eq!(world().run(&code), World::new().run(&code));
}
