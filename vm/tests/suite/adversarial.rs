//! What hostile contracts have done to other machines, by class. `docs/adversarial.md` says which tests stand for which
//! class; those that are not elsewhere are here, named after theirs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use noema_abi::Status;
use noema_abi::limits::MAX_CALL_DEPTH;
use noema_vm::{
    Action, Address, EngineKind, Outcome, ReceiptStatus, Rejection, Vm, VmConfig, code_hash, intrinsic_gas, layout,
};

use super::world::{ALICE, BOB, GAS, World, bytes, calling, config, faulted, module, rejected, succeeded};

fn number(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().unwrap())
}

/// Runs on a thread with a stack of this many bytes.
fn on_a_thread<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(bytes).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Calls itself, through calls or through views, until it is told that it is deep enough; returns how deep that was.
fn endless_calls() -> Vec<u8> {
    let go = r#"
        (drop (call $self (i32.const 0)))
        (i64.store (i32.const 64)
          (call $contract (i32.const 0) (i32.const 32) (i64.const 900000000000) (i32.const 0) (i32.const 0) (i32.const 72) (i32.const 8)))
        (if (i64.lt_s (i64.load (i32.const 64)) (i64.const 0)) (then (i64.store (i32.const 72) (i64.load (i32.const 64)))))
        (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
        (drop (call $output (i32.const 72) (i32.const 8)))"#;
    module(&format!(
        r#"(func $go {go}) (export "call" (func $go)) (export "call_reentrant" (func $go))
           (export "view" (func $go)) (export "view_reentrant" (func $go))"#
    ))
}

#[test]
fn stack_recursion_through_nested_calls_and_queries() {
    let run = |bytes: usize, engine: EngineKind| {
        on_a_thread(bytes, move || {
            let mut world = World::on(Arc::new(Vm::new(VmConfig { engine, ..config() }).unwrap()));
            let contract = world.deploy(&endless_calls());
            let outcomes = [world.call(contract, &[]), world.view(contract, &[])];
            for outcome in &outcomes {
                // Every level hands up what the deepest one was told.
                assert_eq!(number(&succeeded(outcome).output), Status::CallDepth.to_return());
            }
            outcomes
        })
    };
    let expected = run(2 * 1024 * 1024, EngineKind::Cranelift);
    for kind in [EngineKind::CraneliftUnoptimized, EngineKind::Pulley, EngineKind::Wasmi] {
        assert_eq!(run(256 * 1024, kind), expected, "{kind}");
    }
}

/// Stacks are used again. What a deep call left on one is nothing that a later one can see or trip over.
#[test]
fn stack_stale_pooled_stacks() {
    let vm = Arc::new(Vm::new(VmConfig { concurrent_messages: 1, ..config() }).unwrap());
    let mut world = World::on(vm);
    let deep = world.deploy(&module(
        r#"(func $f (param i64) (local i64 i64 i64 v128)
             (local.set 1 (i64.const -1)) (local.set 4 (v128.const i64x2 -1 -1))
             (call $f (local.get 1)))
           (func (export "call") (call $f (i64.const 1)))"#,
    ));
    // Declared locals begin at zero, whatever lay there.
    let shallow = world.deploy(&module(
        r#"(func $f (param i32) (result i64) (local i64 i64 i64 v128)
             (i64.or (i64.or (local.get 1) (local.get 2)) (i64.or (local.get 3) (i64x2.extract_lane 0 (local.get 4))))
             (if (result i64) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (i64.const 0)))
             (i64.or))
           (func (export "call")
             (i64.store (i32.const 0) (call $f (i32.const 500))) (drop (call $output (i32.const 0) (i32.const 8))))"#,
    ));
    let first: [Outcome; 2] = [world.call(deep, &[]), world.call(shallow, &[])];
    faulted(&first[0], "stack");
    assert_eq!(succeeded(&first[1]).output, [0; 8]);
    for _ in 0..20 {
        assert_eq!([world.call(deep, &[]), world.call(shallow, &[])], first);
    }
}

#[test]
fn stack_deep_nested_input() {
    let nested = |opener: &str, depth: usize| calling(&format!("{}{}", opener.repeat(depth), "end ".repeat(depth)));
    let mut world = World::new();
    // As deep as may be.
    succeeded(&world.run(&nested("block ", 1_000)));
    for opener in ["block ", "loop ", "i32.const 1 if "] {
        let code = nested(opener, 50_000);
        // On a small stack, where a recursive reader would end.
        let outcome = on_a_thread(256 * 1024, || {
            let action = Action::Deploy { code: code.clone(), salt: 77, input: vec![] };
            World::new().send(ALICE, 0, GAS, action)
        });
        assert_eq!(rejected(&outcome), Rejection::Inadmissible, "{opener}");
        assert!(outcome.receipt.gas_used() < GAS);
    }
}

/// A block whose price is most of what a body has room for, again and again: sums pass 2^31 and 2^32, and none is cut.
#[test]
fn gas_block_prices_beyond_31_bits() {
    let drops = "data.drop 0 ".repeat(80_000);
    let code = module(&format!(
        r#"(data "x") (func (export "call") (local $n i32)
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
             (local.set $n (i32.load (i32.const 0)))
             (loop $again {drops}
               (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $again (local.get $n))))"#
    ));
    let mut world = World::new();
    let contract = world.deploy_with(&code, noema_vm::MAX_GAS);
    let limit = 20 * GAS;
    let wasm = |world: &mut World, rounds: u32| {
        let outcome = world.call_with(contract, &rounds.to_le_bytes(), limit);
        succeeded(&outcome).gas.wasm
    };
    let (one, two, seven) = (wasm(&mut world, 1), wasm(&mut world, 2), wasm(&mut world, 7));
    // What is waited for in the end, and the branch.
    let round = 80_000 * 20_000 + 225 + 300;
    assert_eq!((two - one, seven - one), (round, 6 * round));
    assert!(round < 1 << 31 && 2 * round > 1 << 31 && 3 * round > 1 << 32);
    // One picosecond less than it takes is not enough.
    let used = world.call_with(contract, &7u32.to_le_bytes(), limit).receipt.gas_used();
    succeeded(&world.call_with(contract, &7u32.to_le_bytes(), used));
    faulted(&world.call_with(contract, &7u32.to_le_bytes(), used - 1), "gas");
    // And a count that would take days ends at once by its price.
    faulted(&world.call_with(contract, &0u32.to_le_bytes(), GAS / 50), "gas");
}

/// However a message fails, what comes before is paid: for itself, its bytes, finding and loading code, the instance.
#[test]
fn gas_no_failure_skips_the_set_up() {
    let mut world = World::new();
    let fails = [
        ("traps", calling("unreachable")),
        ("aborts", calling("(drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0)))")),
        ("has a segment outside its memory", module(r#"(data (i32.const 65534) "abcd") (func (export "call"))"#)),
        ("lacks the entry point", module(r#"(func (export "view"))"#)),
        ("succeeds", calling("")),
    ];
    let input = vec![7; 1_000];
    for (name, code) in fails {
        let contract = world.deploy(&code);
        let action = Action::Call { contract, input: input.clone() };
        let outcome = world.send(ALICE, 0, GAS, action.clone());
        let code_len = u64::try_from(code.len()).unwrap();
        let set_up = intrinsic_gas(world.block().version, &action) + 20_000_000 + 10 * code_len;
        let instance = if name == "lacks the entry point" { 0 } else { 10_000_000 };
        let gas = outcome.receipt.gas;
        assert!(gas.host + gas.code >= set_up + instance, "{name}: {gas:?}");
        // So is what a contract calls.
        let caller = world.deploy(&module(&format!(
            r#"(data (i32.const 0) "{}") (func (export "call")
                 (i64.store (i32.const 64) (call $gas_left))
                 (drop (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
                 (i64.store (i32.const 72) (call $gas_left))
                 (drop (call $output (i32.const 64) (i32.const 16))))"#,
            bytes(&contract.0)
        )));
        let output = succeeded(&world.call(caller, &[])).output.clone();
        let spent = number(&output[..8]) - number(&output[8..]);
        assert!(u64::try_from(spent).unwrap() >= 20_000_000 + 10 * code_len + instance, "{name}: {spent}");
    }
    let nobody = world.call(Address([9; 32]), &input);
    assert_eq!(rejected(&nobody), Rejection::NoContract);
    assert!(nobody.receipt.gas_used() >= 20_000_000 + 1_000 * 1_000 + 20_000_000);
}

/// What a node knows of a fault (which trap, where, in which compiler's words) is in its diagnostic and in no receipt.
#[test]
fn nondeterminism_no_words_of_a_node_in_a_receipt() {
    let run = |engine| {
        let mut world = World::on(Arc::new(Vm::new(VmConfig { engine, ..config() }).unwrap()));
        [
            "unreachable",
            "(drop (i32.load (i32.const -1)))",
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            "(loop br 0)",
        ]
        .map(|body| world.run(&calling(body)))
    };
    let (compiled, interpreted) = (run(EngineKind::Cranelift), run(EngineKind::Wasmi));
    let words: BTreeSet<&str> = compiled.iter().filter_map(|outcome| outcome.diagnostic.as_deref()).collect();
    assert_eq!(words.len(), 4, "nodes have something to say: {words:?}");
    for (one, other) in compiled.iter().zip(&interpreted) {
        assert_eq!(one.receipt.to_bytes(), other.receipt.to_bytes());
        let text = String::from_utf8_lossy(&one.receipt.to_bytes()).into_owned();
        assert!(!text.contains("unreachable") && !text.contains("bounds") && !text.contains("gas"), "{text:?}");
        assert_eq!(one.receipt.status, ReceiptStatus::Fault);
    }
}

/// Settings of a node change nothing that nodes agree on.
#[test]
fn nondeterminism_settings_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        config(),
        VmConfig { module_cache_bytes: 0, concurrent_messages: 1, ..config() },
        VmConfig { engine: EngineKind::CraneliftUnoptimized, ..config() },
        VmConfig { engine: EngineKind::Wasmi, ..config() },
        VmConfig { artifacts: Some(noema_vm::ArtifactCache::new(folder.path())), ..config() },
        VmConfig { kernels: Arc::new(noema_tensor::Kernels::new(noema_tensor::Level::best(), 2).unwrap()), ..config() },
    ];
    let mut all = settings.map(|settings| {
        let mut world = World::on(Arc::new(Vm::new(settings).unwrap()));
        world.deposit_per_byte = 1;
        world.fund(&ALICE, 1_000_000_000);
        let code = module(
            r#"(data (i32.const 0) "\02\00\00\00") (data (i32.const 8) "\07\08")
               (func (export "call")
                 (drop (call $tensor (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 2)))
                 (drop (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 2)))
                 (drop (call $transient_set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 2)))
                 (drop (call $log (i32.const 0) (i32.const 4)))
                 (i64.store (i32.const 64) (call $gas_left)) (drop (call $output (i32.const 64) (i32.const 8))))"#,
        );
        let action = Action::Deploy { code: code.clone(), salt: 5, input: vec![] };
        let deployed = world.send(ALICE, 1_000_000, GAS, action);
        let contract = Address::of_contract(ALICE, 5, &code_hash(&code));
        let called = [0, 1, 100_000_000].map(|less| world.call_with(contract, &[], GAS - less));
        (deployed, called, world.state)
    });
    let first = all[0].clone();
    assert_eq!(first.1[0].receipt.status, ReceiptStatus::Success);
    for other in &mut all[1..] {
        assert_eq!(*other, first);
    }
}

/// Names that begin like a row, or end like one, or hide something behind a zero byte, are no rows.
#[test]
fn imports_whose_names_look_like_rows() {
    let import = |group: &str, name: &str| {
        let text = format!(
            r#"(module (import "{group}" "{name}" (func (param i32 i32) (result i64))) (memory (export "memory") 1))"#
        );
        noema_vm::admit(noema_abi::ProtocolVersion::V1, &wat::parse_str(text).unwrap())
    };
    import("storage", "remove").unwrap();
    for (group, name) in [
        ("storage", "remove2"),
        ("storage", "remov"),
        ("storage", "remove "),
        ("storage", "Remove"),
        ("storage", r"remove\00"),
        ("storage", r"remove\00get"),
        ("storag", "eremove"),
        ("storage.remove", ""),
        ("", "storage.remove"),
        ("storage2", "remove"),
        ("transient ", "remove"),
        ("env", "storage_remove"),
        ("noema", "remove"),
    ] {
        let error = import(group, name).unwrap_err().to_string();
        assert!(error.contains("no such host function"), "{group}.{name}: {error}");
    }
}

/// Who calls is what the machine says, whatever the input claims, and however the call came about.
#[test]
fn authority_a_caller_cannot_be_spoofed() {
    let mut world = World::new();
    // Returns the caller.
    let who = world.deploy(&module(
        r#"(func $who (drop (call $caller (i32.const 200))) (drop (call $output (i32.const 200) (i32.const 32))))
           (export "call" (func $who)) (export "view" (func $who)) (export "call_reentrant" (func $who))"#,
    ));
    // Overwrites its own idea of the caller with the administrator's address, and passes its input on.
    let liar = world.deploy(&module(&format!(
        r#"(data (i32.const 0) "{}") (data (i32.const 64) "{}")
           (func $lie
             (drop (call $caller (i32.const 200)))
             (memory.copy (i32.const 200) (i32.const 64) (i32.const 32))
             (drop (call $contract (i32.const 0) (i32.const 300) (i64.const 1000000000) (i32.const 64) (i32.const 32) (i32.const 400) (i32.const 32)))
             (drop (call $output (i32.const 400) (i32.const 32))))
           (export "call" (func $lie)) (export "view" (func $lie))"#,
        bytes(&who.0),
        bytes(&ALICE.0)
    )));
    let call = |world: &mut World, sender, contract| {
        let outcome = world.send(sender, 0, GAS, Action::Call { contract, input: ALICE.0.to_vec() });
        succeeded(&outcome).output.clone()
    };
    assert_eq!(call(&mut world, BOB, who), BOB.0);
    assert_eq!(call(&mut world, ALICE, liar), liar.0, "the contract, not who sent the message");
    assert_eq!(succeeded(&world.view(liar, &[])).output, liar.0);
    assert_eq!(succeeded(&world.view(who, &[])).output, [0; 32]);
    // Nor can a contract be migrated in somebody's name.
    let code = calling("nop");
    let migrate = Action::Migrate { contract: who, code, input: vec![] };
    assert_eq!(rejected(&world.send(BOB, 0, GAS, migrate.clone())), Rejection::NotAdministrator);
    assert_eq!(rejected(&world.send(liar, 0, GAS, migrate)), Rejection::NotAdministrator);
}

/// A view that writes faults whatever it writes with, also behind further views and re-entrance.
#[test]
fn authority_a_view_cannot_write_through_others() {
    let mut world = World::new();
    let writes = [
        "(call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))",
        "(call $remove (i32.const 0) (i32.const 1))",
        "(call $transient_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))",
        "(call $transient_remove (i32.const 0) (i32.const 1))",
        "(call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))",
        "(call $transfer (i32.const 700) (i32.const 800))",
    ];
    for write in writes {
        let writer = world.deploy(&module(&format!(r#"(func (export "view") (drop {write}))"#)));
        world.fund(&writer, 1_000);
        let before = world.state.clone();
        // Three views deep.
        let mut target = writer;
        for _ in 0..3 {
            target = world.deploy(&module(&format!(
                r#"(data (i32.const 0) "{}") (func (export "view")
                     (i64.store (i32.const 64)
                       (call $contract (i32.const 0) (i32.const 32) (i64.const 400000000000) (i32.const 0) (i32.const 0) (i32.const 72) (i32.const 8)))
                     (if (i64.gt_s (i64.load (i32.const 64)) (i64.const 0)) (then
                       (i64.store (i32.const 64) (i64.load (i32.const 72)))))
                     (drop (call $output (i32.const 64) (i32.const 8))))"#,
                bytes(&target.0)
            )));
        }
        let outcome = world.view(target, &[]);
        assert_eq!(number(&succeeded(&outcome).output), Status::CallFaulted.to_return(), "{write}");
        assert!(outcome.writes.is_empty());
        faulted(&world.view(writer, &[]), "view");
        assert!(before.iter().all(|(key, value)| world.state.get(key) == Some(value)));
    }
}

/// Value that comes with a call is there once, however often the callee spends it, calls back or fails.
#[test]
fn authority_value_is_not_moved_twice() {
    let mut world = World::new();
    // Sends what it got to Bob twice, and then back to its caller.
    let greedy = world.deploy(&module(&format!(
        r#"(data (i32.const 0) "{}") (func (export "call")
             (drop (call $value (i32.const 64)))
             (i64.store (i32.const 128) (call $transfer (i32.const 0) (i32.const 64)))
             (i64.store (i32.const 136) (call $transfer (i32.const 0) (i32.const 64)))
             (drop (call $caller (i32.const 32)))
             (i64.store (i32.const 144) (call $transfer (i32.const 32) (i32.const 64)))
             (drop (call $output (i32.const 128) (i32.const 24))))"#,
        bytes(&BOB.0)
    )));
    let before = world.balance(&ALICE);
    let outcome = world.send(ALICE, 500, GAS, Action::Call { contract: greedy, input: vec![] });
    let short = Status::InsufficientBalance.to_return();
    let results: Vec<i64> = succeeded(&outcome).output.chunks(8).map(number).collect();
    assert_eq!(results, [0, short, short]);
    assert_eq!((world.balance(&BOB), world.balance(&greedy), world.balance(&ALICE)), (500, 0, before - 500));
}

/// A length that was checked is not used again for something that has grown since.
#[test]
fn state_size_that_grows_after_validation() {
    let mut world = World::new();
    world.deposit_per_byte = 10;
    world.fund(&ALICE, 1_000_000_000);
    // Looks at a value with room for all of it, lets another contract make it longer, and reads it into the same room:
    // what does not fit is not written, and the length says so.
    let store = world.deploy_funded(
        &module(
            r#"(data (i32.const 0) "k")
               (func (export "call")
                 (i64.store (i32.const 8) (call $get (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 4)))
                 (drop (call $set (i32.const 0) (i32.const 1) (i32.const 200) (i32.const 64)))
                 (i64.store (i32.const 16) (call $get (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 4)))
                 (i64.store (i32.const 24) (i64.load (i32.const 104)))
                 (drop (call $output (i32.const 8) (i32.const 24))))"#,
        ),
        1_000_000,
    );
    world.store(&store, b"k", b"four");
    let outcome = world.call(store, &[]);
    let results: Vec<i64> = succeeded(&outcome).output.chunks(8).map(number).collect();
    assert_eq!(results, [4, 64, 0], "nothing beyond the room");
    // A contract whose deposit was right when it was looked at grows until it is not: it is looked at again at the end.
    let grows = module(
        r#"(func (export "call") (local $n i32)
             (loop $again
               (i32.store (i32.const 0) (local.get $n))
               (if (i64.ne (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 8)) (i64.const 0)) (then unreachable))
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))))"#,
    );
    let kept = 512 + u64::try_from(grows.len()).unwrap() + 100 * (96 + 4 + 8);
    let grower = world.deploy_funded(&grows, 10 * u128::from(kept) - 1);
    let outcome = world.call(grower, &[]);
    assert_eq!(super::world::short(&outcome).bytes, kept);
    assert!(!world.state.contains_key(&layout::entries_key(&grower)));
    succeeded(&world.send(ALICE, 1, GAS, Action::Call { contract: grower, input: vec![] }));
    assert_eq!(world.deposit(&grower).free(), 0);
}

/// An iterator over keys that the same call changes: every page is of what is there when it is read.
#[test]
fn state_iterator_over_keys_changed_in_the_same_call() {
    let mut world = World::new();
    // Removes the entry that a scan of one found and writes one behind it, until nothing is found; counts.
    let contract = world.deploy(&module(
        r#"(func (export "call") (local $n i32)
             (loop $again
               (if (i64.gt_s (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 64))
                     (i64.const 0)) (then
                 (local.set $n (i32.add (local.get $n) (i32.const 1)))
                 (drop (call $remove (i32.const 108) (i32.load (i32.const 100))))
                 (i32.store8 (i32.const 50) (i32.add (i32.load8_u (i32.const 108)) (i32.const 10)))
                 (if (i32.lt_u (i32.load8_u (i32.const 50)) (i32.const 60)) (then
                   (drop (call $set (i32.const 50) (i32.const 1) (i32.const 0) (i32.const 0)))))
                 (br $again))))
             (i32.store (i32.const 0) (local.get $n)) (drop (call $output (i32.const 0) (i32.const 4))))"#,
    ));
    for key in [1u8, 2, 3] {
        world.store(&contract, &[key], b"v");
    }
    let outcome = world.call(contract, &[]);
    // Each of the three comes back 10 higher until it passes 60.
    assert_eq!(succeeded(&outcome).output, (3u32 * 6).to_le_bytes());
    assert_eq!(world.deposit(&contract).bytes, 512 + world.code_len(&contract));
}

/// Calls nested as deep as they go, with a caught failure at every level: what failed is undone, and nothing else.
#[test]
fn state_rollback_after_a_caught_inner_failure() {
    let mut world = World::new();
    // Writes its depth, calls itself with one more, writes again if that failed; the one at the limit traps.
    let contract = world.deploy(&module(
        r#"(func $go
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 1)))
             (drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
             (drop (call $transient_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
             (drop (call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
             (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
             (drop (call $self (i32.const 32)))
             (i64.store (i32.const 16)
               (call $contract (i32.const 32) (i32.const 96) (i64.const 900000000000) (i32.const 8) (i32.const 1) (i32.const 0) (i32.const 0)))
             ;; Odd depths fail in the end, whatever came of the inner ones.
             (if (i32.and (i32.load8_u (i32.const 0)) (i32.const 1)) (then
               (drop (call $abort (i32.const 1) (i32.const 0) (i32.const 0))))))
           (export "call" (func $go)) (export "call_reentrant" (func $go))"#,
    ));
    let outcome = world.call(contract, &[0]);
    let receipt = succeeded(&outcome);
    // Depth 1 fails, so whatever is deeper is undone with it.
    let topics: Vec<&[u8]> = receipt.events.iter().map(|event| &event.topic[..]).collect();
    assert_eq!(topics, [&[0u8][..]]);
    assert_eq!(world.stored(&contract, &[0]), Some(&[0u8][..]));
    for depth in 1..u8::try_from(MAX_CALL_DEPTH).unwrap() {
        assert_eq!(world.stored(&contract, &[depth]), None, "{depth}");
    }
    assert_eq!(world.deposit(&contract).bytes, 512 + world.code_len(&contract) + 96 + 1 + 1);
}

/// A shape of three numbers that would have 2^40 elements is refused before memory is taken, also in sums and products.
#[test]
fn models_shape_bombs_in_tensors() {
    let mut world = World::new();
    let million = 1_048_576u32;
    for shape in [
        vec![million, million],
        vec![1 << 20, 1 << 10, 1 << 10],
        vec![u32::MAX; 8],
        vec![0x8000_0000, 2],
        vec![u32::MAX, u32::MAX, 0, u32::MAX],
    ] {
        let data: Vec<u8> = shape.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        let code = module(&format!(
            r#"(data (i32.const 0) "{}") (func (export "call")
                 (i64.store (i32.const 100) (call $tensor (i32.const 0) (i32.const 0) (i32.const {}) (i32.const 200) (i32.const 1)))
                 (drop (call $output (i32.const 100) (i32.const 8))))"#,
            bytes(&data),
            data.len()
        ));
        let outcome = world.run(&code);
        let status = Status::from_return(number(&succeeded(&outcome).output));
        assert!(matches!(status, Err(Status::ShapeMismatch | Status::LimitExceeded)), "{shape:?}: {status:?}");
        assert_eq!(outcome.receipt.tensor_bytes, 0);
    }
}

/// Every test that the table names is in the file that it names, and every class has one.
#[test]
fn every_class_of_the_table_has_its_tests() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(home.join("docs/adversarial.md")).unwrap();
    let mut group = "";
    let mut classes: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            group = name;
        }
        let Some(row) = line.strip_prefix("| ").filter(|row| !row.starts_with("class |")) else { continue };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [class, tests, ..] = cells[..] else { panic!("{line}") };
        classes.push((group, class.to_owned()));
        // `file`: `test`, `test`; `file`: ..
        let mut named = 0;
        for part in tests.split(';') {
            let (file, names) = part.split_once("`: ").unwrap_or_else(|| panic!("{part:?} in {line}"));
            let file = file.trim().trim_start_matches('`');
            let source = std::fs::read_to_string(home.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            for name in names.split(',').map(|name| name.trim().trim_matches('`')) {
                let function = source.split_once(&format!("fn {name}("));
                let (before, _) = function.unwrap_or_else(|| panic!("{file} has no {name}"));
                let head: Vec<&str> = before.lines().rev().take(6).collect();
                assert!(
                    head.iter().any(|line| line.contains("#[test]") || line.contains("proptest")),
                    "{file}: {name} is no test"
                );
                named += 1;
            }
        }
        assert!(named > 0, "{class} has no test");
    }
    let count = |name: &str| classes.iter().filter(|(group, _)| *group == name).count();
    for (name, at_least) in [
        ("Stack", 8),
        ("Compilation", 9),
        ("Gas", 7),
        ("Caches", 6),
        ("Nondeterminism", 8),
        ("Imports and authority", 6),
        ("State", 4),
        ("Models", 4),
        ("Accelerators", 3),
    ] {
        assert!(count(name) >= at_least, "{name} has {} classes", count(name));
    }
    let unique: BTreeSet<_> = classes.iter().collect();
    assert_eq!(unique.len(), classes.len());
}
