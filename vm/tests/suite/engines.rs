//! Every engine gives the same outcome: receipt, writes, reads and logs, for calls that end in all the ways there are.

use std::sync::Arc;

use noema_vm::{EngineKind, Outcome, ReceiptStatus, Vm, VmConfig};

use super::world::{GAS, World, bytes, calling, calling_in_large, config, module, succeeded};

/// All of them, those for tests too.
const KINDS: [EngineKind; 8] = [
    EngineKind::Cranelift,
    EngineKind::CraneliftUnoptimized,
    EngineKind::Pulley,
    EngineKind::Wasmi,
    EngineKind::CraneliftPerBlock,
    EngineKind::Observed,
    EngineKind::CraneliftFails,
    EngineKind::CraneliftPanics,
];

fn world(kind: EngineKind) -> World {
    World::on(Arc::new(Vm::new(VmConfig { engine: kind, ..config() }).unwrap()))
}

/// What does not depend on the words for people.
fn silent(outcome: Outcome) -> Outcome {
    Outcome { diagnostic: None, ..outcome }
}

/// Contracts that end in a trap, by the trap.
fn traps() -> Vec<(&'static str, Vec<u8>)> {
    let drop = |body: &str| calling(&format!("(drop {body})"));
    vec![
        ("unreachable", calling("unreachable")),
        ("load outside memory", drop("(i32.load (i32.const 65533))")),
        ("store outside memory", calling("(i64.store offset=4294967295 (i32.const -1) (i64.const 1))")),
        ("vector load outside memory", drop("(v128.load (i32.const 65521))")),
        ("fill outside memory", calling("(memory.fill (i32.const 65000) (i32.const 1) (i32.const 1000))")),
        ("copy outside memory", calling("(memory.copy (i32.const 65000) (i32.const 0) (i32.const 1000))")),
        (
            "data outside its segment",
            module(
                r#"(data $d "abc") (func (export "call") (memory.init $d (i32.const 0) (i32.const 1) (i32.const 3)))"#,
            ),
        ),
        ("division by zero", drop("(i32.div_s (i32.const 1) (i32.const 0))")),
        ("remainder by zero", drop("(i64.rem_u (i64.const 1) (i64.const 0))")),
        ("quotient too large", drop("(i64.div_s (i64.const -9223372036854775808) (i64.const -1))")),
        ("conversion of a NaN", drop("(i32.trunc_f32_s (f32.const nan))")),
        ("conversion out of range", drop("(i64.trunc_f64_u (f64.const 1e300))")),
        (
            "null in a table",
            module(
                r#"(type $t (func)) (table 1 funcref) (func (export "call") (call_indirect (type $t) (i32.const 0)))"#,
            ),
        ),
        (
            "outside a table",
            module(
                r#"(type $t (func)) (table 1 funcref) (func (export "call") (call_indirect (type $t) (i32.const 1)))"#,
            ),
        ),
        (
            "another type in a table",
            module(
                r#"(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f) (func $f (param i32))
                   (func (export "call") (call_indirect (type $t) (i32.const 0)))"#,
            ),
        ),
        (
            "table.set outside",
            module(r#"(table $t 1 funcref) (func (export "call") (table.set $t (i32.const 1) (ref.null func)))"#),
        ),
        (
            "table.init outside",
            module(
                r#"(table $t 1 funcref) (elem $e func $f) (func $f)
                   (func (export "call") (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 1)))"#,
            ),
        ),
        (
            "table.get outside",
            module(r#"(table $t 1 funcref) (func (export "call") (drop (table.get $t (i32.const 1))))"#),
        ),
        (
            "table.copy outside",
            module(
                r#"(table $t 9 funcref) (func (export "call") (table.copy $t $t (i32.const 1) (i32.const 2) (i32.const 8)))"#,
            ),
        ),
        (
            "table.fill outside",
            module(
                r#"(table $t 9 funcref) (func (export "call") (table.fill $t (i32.const 5) (ref.null func) (i32.const 5)))"#,
            ),
        ),
        ("a data segment that does not fit", module(r#"(data (i32.const 65535) "ab") (func (export "call"))"#)),
        (
            "an element segment that does not fit",
            module(r#"(table 1 funcref) (elem (i32.const 1) $f) (func $f) (func (export "call"))"#),
        ),
        ("a pointer outside memory", drop("(call $caller (i32.const 65530))")),
        ("endless", calling("(loop (br 0))")),
        ("endless recursion", module(r#"(func $f (export "call") (call $f))"#)),
    ]
}

/// Contracts that return, with what they found as output.
fn returning() -> Vec<(&'static str, Vec<u8>)> {
    let ending = |body: &str| format!("{body} (drop (call $output (i32.const 0) (i32.const 64)))");
    let output = |body: &str| calling(&ending(body));
    let large = |body: &str| calling_in_large(&ending(body));
    vec![
        (
            "growth up to the limit and beyond",
            large(
                "(i32.store (i32.const 0) (memory.grow (i32.const 1023))) (i32.store (i32.const 4) (memory.grow (i32.const 1)))
                 (i32.store (i32.const 8) (memory.size)) (i32.store (i32.const 67108860) (i32.const 7))
                 (i32.store (i32.const 12) (i32.load (i32.const 67108860)))",
            ),
        ),
        (
            "growth beyond what the type allows",
            wat::parse_str(
                r#"(module (import "context" "output_write" (func $output (param i32 i32) (result i64)))
                     (memory (export "memory") 1 2) (table $t 1 3 funcref) (table $u 1 funcref)
                     (func (export "call")
                       (i32.store (i32.const 0) (memory.grow (i32.const 2))) (i32.store (i32.const 4) (memory.grow (i32.const 1)))
                       (i32.store (i32.const 8) (memory.grow (i32.const 0))) (i32.store (i32.const 12) (memory.grow (i32.const 70000)))
                       (i32.store (i32.const 16) (table.grow $t (ref.null func) (i32.const 3)))
                       (i32.store (i32.const 20) (table.grow $t (ref.null func) (i32.const 2)))
                       (i32.store (i32.const 24) (table.grow $u (ref.null func) (i32.const 16384)))
                       (i32.store (i32.const 28) (table.grow $u (ref.null func) (i32.const 16383)))
                       (i32.store (i32.const 32) (table.size $u)) (i32.store (i32.const 36) (table.grow $u (ref.null func) (i32.const -1)))
                       (drop (call $output (i32.const 0) (i32.const 64)))))"#,
            )
            .unwrap(),
        ),
        (
            "NaN bits",
            output(
                "(f64.store (i32.const 0) (f64.div (f64.const 0) (f64.const 0)))
                 (f32.store (i32.const 8) (f32.sqrt (f32.const -1)))
                 (i64.store (i32.const 16) (i64.reinterpret_f64 (f64.add (f64.const nan:0x123) (f64.const -nan:0x456))))
                 (v128.store (i32.const 32) (f32x4.div (v128.const f32x4 0 1 2 -0) (v128.const f32x4 0 0 nan:0x77 0)))
                 (f32.store (i32.const 48) (f32.demote_f64 (f64.const -nan:0x123)))
                 (f64.store (i32.const 56) (f64.copysign (f64.const 3) (f64.mul (f64.const inf) (f64.const 0))))",
            ),
        ),
        ("the balance", output("(i64.store (i32.const 0) (call $gas_left)) (i64.store (i32.const 8) (call $gas_left))")),
        (
            "storage, events and a log",
            output(
                "(drop (call $set (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 100)))
                 (drop (call $emit (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 9)))
                 (drop (call $log (i32.const 0) (i32.const 3)))
                 (i64.store (i32.const 0) (call $get (i32.const 0) (i32.const 4) (i32.const 20) (i32.const 8)))
                 (i64.store (i32.const 8) (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 100) (i32.const 500)))
                 (i64.store (i32.const 16) (call $remove (i32.const 0) (i32.const 4)))",
            ),
        ),
        ("an abort", calling("(drop (call $abort (i32.const 9) (i32.const 0) (i32.const 5)))")),
        (
            "a tensor",
            output(
                "(i32.store (i32.const 100) (i32.const 4)) (i64.store (i32.const 200) (i64.const 0x1122334455667788))
                 (i64.store (i32.const 0) (call $tensor (i32.const 1) (i32.const 100) (i32.const 4) (i32.const 200) (i32.const 4)))
                 (i64.store (i32.const 8) (call $tensor_read (i32.const 1) (i32.const 16) (i32.const 4)))",
            ),
        ),
        (
            "an import through a table",
            module(
                r#"(type $t (func (result i64))) (table funcref (elem $gas_left $input_len))
                   (func (export "call")
                     (i64.store (i32.const 0) (call_indirect (type $t) (i32.const 0)))
                     (i64.store (i32.const 8) (call_indirect (type $t) (i32.const 1)))
                     (drop (call $output (i32.const 0) (i32.const 16))))"#,
            ),
        ),
    ]
}

#[test]
fn outcomes_do_not_depend_on_the_engine() {
    // What is endless ends soon; what grows can pay for it.
    let (traps, returning) = (traps(), returning());
    let trapped = traps.len();
    let contracts: Vec<_> = traps
        .into_iter()
        .map(|case| (case, GAS / 100))
        .chain(returning.into_iter().map(|case| (case, 100 * GAS)))
        .collect();
    let outcomes = KINDS.map(|kind| {
        let mut world = world(kind);
        let mut run = |code: &[u8], gas| {
            let contract = world.deploy(code);
            silent(world.call_with(contract, &[], gas))
        };
        contracts.iter().map(|((_, code), gas)| run(code, *gas)).collect::<Vec<_>>()
    });
    for (kind, found) in KINDS.iter().zip(&outcomes) {
        for (((name, _), _), (found, expected)) in contracts.iter().zip(found.iter().zip(&outcomes[0])) {
            assert_eq!(found, expected, "{name} on {kind}");
        }
    }
    for (at, (((name, _), _), outcome)) in contracts.iter().zip(&outcomes[0]).enumerate() {
        let status = &outcome.receipt.status;
        assert_eq!(*status == ReceiptStatus::Fault, at < trapped, "{name}: {status:?}");
    }
    let grown = |at: usize| {
        let output = &outcomes[0][trapped + at].receipt.output;
        output.chunks(4).map(|word| i32::from_le_bytes(word.try_into().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(grown(0)[..4], [1, -1, 1024, 7]);
    assert_eq!(grown(1)[..10], [-1, 1, 2, -1, -1, 1, -1, 1, 16_384, -1]);
}

#[test]
fn gas_runs_out_at_the_same_unit_on_every_engine() {
    let body = "(loop $l
        (drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)))
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (br_if $l (i32.lt_u (i32.load (i32.const 0)) (i32.const 50))))";
    let mut worlds = KINDS.map(world);
    let [first, others @ ..] = &mut worlds;
    let code = calling(body);
    let contract = first.deploy(&code);
    // The first one writes where nothing is: there is no value to replace, but the count of the entries changes too.
    let fresh = first.call(contract, &[]).receipt.gas_used();
    let needed = first.call(contract, &[]).receipt.gas_used();
    assert_ne!(fresh, needed);
    let limits = [needed, needed - 1, needed - 100, needed / 2, needed / 3, needed / 7, needed / 50, 0];
    let expected = limits.map(|limit| silent(first.call_with(contract, &[], limit)));
    assert_eq!(expected[0].receipt.status, ReceiptStatus::Success);
    assert!(expected[1..].iter().all(|outcome| outcome.receipt.status == ReceiptStatus::Fault));
    for other in others {
        assert_eq!(other.deploy(&code), contract);
        assert_eq!(silent(other.call(contract, &[])).receipt.gas_used(), fresh);
        assert_eq!(silent(other.call(contract, &[])).receipt.gas_used(), needed);
        assert_eq!(limits.map(|limit| silent(other.call_with(contract, &[], limit))), expected);
    }
}

#[test]
fn contracts_call_each_other_on_every_engine() {
    let run = |kind| {
        let mut world = world(kind);
        let inner = world.deploy(&calling(
            "(drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 8)))
             (i64.store (i32.const 0) (call $gas_left)) (drop (call $output (i32.const 0) (i32.const 8)))",
        ));
        let faulting = world.deploy(&calling("unreachable"));
        let call = |at: u32, target: u32| {
            format!(
                "(i64.store (i32.const {at}) (call $contract (i32.const {target}) (i32.const 64) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const {}) (i32.const 8)))",
                at + 8
            )
        };
        let outer = module(&format!(
            r#"(data (i32.const 0) "{}{}") (func (export "call") {} {} (i64.store (i32.const 144) (call $gas_left)) (drop (call $output (i32.const 96) (i32.const 64))))"#,
            bytes(&inner.0),
            bytes(&faulting.0),
            call(96, 0).replace("(i32.const 64)", "(i32.const 200)"),
            call(112, 32).replace("(i32.const 64)", "(i32.const 200)"),
        ));
        let outcome = world.run(&outer);
        assert!(world.stored(&inner, &[0; 4]).is_some());
        succeeded(&outcome);
        silent(outcome)
    };
    let expected = run(KINDS[0]);
    assert_ne!(expected.receipt.output[8..16], [0; 8], "the inner one told its balance");
    for kind in KINDS {
        assert_eq!(run(kind), expected, "{kind}");
    }
}
