//! However a contract recurses, it ends in the same fault, at the same depth, on whatever thread it runs.

use std::sync::Arc;

use noema_abi::Status;
use noema_vm::{Address, EngineKind, Outcome, Vm, VmConfig};

use super::world::{World, bytes, calling, config, faulted, module, succeeded};

/// Contracts that never return, each in its own way.
fn endless() -> Vec<(&'static str, Vec<u8>)> {
    let many = |ty: &str, count: usize| vec![ty; count].join(" ");
    vec![
        ("direct", module(r#"(func $f (export "call") (call $f))"#)),
        ("mutual", module(r#"(func $f (export "call") (call $g)) (func $g (local i64 i64) (call $f))"#)),
        (
            "indirect",
            module(
                r#"(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
                   (func $f (export "call") (call_indirect (type $t) (i32.const 0)))"#,
            ),
        ),
        (
            "with results on the stack",
            module(
                r#"(func $f (param i64) (result i64) (i64.add (call $f (local.get 0)) (call $f (i64.const 1))))
                      (func (export "call") (drop (call $f (i64.const 0))))"#,
            ),
        ),
        (
            "huge frames",
            module(&format!(
                r#"(func $f (param i64) (local {}) (local.set 1 (v128.const i64x2 1 2)) (call $f (local.get 0)) (local.set 2 (local.get 1)))
                   (func (export "call") (call $f (i64.const 0)))"#,
                many("v128", 2000)
            )),
        ),
        (
            "many parameters and results",
            module(&format!(
                "(func $f (param {}) (result {}) (call $f {})) (func (export \"call\") (call $f {}) {})",
                many("i64", 64),
                many("i64", 8),
                (0..64).map(|index| format!("(local.get {index})")).collect::<String>(),
                many("(i64.const 1)", 64),
                many("drop", 8),
            )),
        ),
        (
            "through a host function",
            module(r#"(func $f (export "call") (drop (call $caller (i32.const 0))) (call $f))"#),
        ),
    ]
}

/// All engines but the first. The last one has so little native stack that all of these overflow it, and are interpreted then.
const OTHERS: [EngineKind; 5] = [
    EngineKind::CraneliftUnoptimized,
    EngineKind::CraneliftPerBlock,
    EngineKind::Pulley,
    EngineKind::Wasmi,
    EngineKind::CraneliftShallow,
];

/// Runs each on a thread with this much stack.
fn on_a_thread(stack_size: usize, kind: EngineKind) -> Vec<Outcome> {
    let vm = Arc::new(Vm::new(VmConfig { engine: kind, ..config() }).unwrap());
    let spawned = std::thread::Builder::new().stack_size(stack_size).spawn(move || {
        let mut world = World::on(vm);
        let run = |(name, code): (&str, Vec<u8>)| {
            let outcome = world.run(&code);
            assert_eq!(outcome.diagnostic.as_deref(), Some("out of stack"), "{name} on {kind}");
            outcome
        };
        let mut outcomes: Vec<Outcome> = endless().into_iter().map(run).collect();
        outcomes.extend(nested(&mut world));
        outcomes
    });
    spawned.unwrap().join().unwrap()
}

/// Contracts that each call the next one from inside a recursion of their own, the last of which never returns.
fn nested(world: &mut World) -> Vec<Outcome> {
    let mut next = world.deploy(&module(r#"(func $f (export "call") (call $f))"#));
    let deeper = |next: &Address| {
        module(&format!(
            r#"(data (i32.const 0) "{}") (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else
                 (i64.store (i32.const 100)
                   (call $contract (i32.const 0) (i32.const 32) (i64.const 500000000000) (i32.const 0) (i32.const 0) (i32.const 108) (i32.const 64))))))
               (func (export "call") (call $f (i32.const 700)) (drop (call $output (i32.const 100) (i32.const 64))))"#,
            bytes(&next.0)
        ))
    };
    let depths = 0..12;
    let outcomes = depths.map(|_| {
        next = world.deploy(&deeper(&next));
        world.call(next, &[])
    });
    outcomes.collect()
}

#[test]
fn recursion_ends_alike_on_small_and_large_threads() {
    let small = on_a_thread(256 * 1024, EngineKind::Cranelift);
    assert_eq!(small, on_a_thread(2 * 1024 * 1024, EngineKind::Cranelift));
    assert_eq!(small, on_a_thread(64 * 1024 * 1024, EngineKind::Cranelift));
    for outcome in &small[..endless().len()] {
        faulted(outcome, "out of stack");
    }
    // Where recursion ends in a contract that was called, the caller goes on, and knows.
    let inner = &succeeded(&small[endless().len()]).output;
    assert_eq!(inner[..8], Status::CallFaulted.to_return().to_le_bytes());
    let deepest = small.last().unwrap();
    assert!(succeeded(deepest).depth > 60_000, "{}", deepest.receipt.depth);
}

/// The depth of a frame that faults is in no receipt: that it is the same one is seen in what the contract has logged.
#[test]
fn recursion_ends_in_the_same_fault_at_the_same_depth_on_every_engine() {
    let run = |kind| on_a_thread(2 * 1024 * 1024, kind);
    let expected = run(EngineKind::Cranelift);
    for kind in OTHERS {
        assert_eq!(run(kind), expected, "{kind}");
    }
    let logged = |kind| {
        let mut world = World::on(Arc::new(Vm::new(VmConfig { engine: kind, ..config() }).unwrap()));
        let ways = [
            r#"(func $f (param i64 i32) LOG (call $f (local.get 0) (i32.const 7)))
               (func (export "call") (call $f (i64.const 1) (i32.const 1)))"#,
            r#"(func $f (param i64) (local f64 v128) LOG (call $g (local.get 0))) (func $g (param i64) (call $f (local.get 0)))
               (func (export "call") (call $f (i64.const 1)))"#,
            r#"(type $t (func (param i64) (result v128))) (table funcref (elem $f))
               (func $f (type $t) LOG (call_indirect (type $t) (local.get 0) (i32.const 0)))
               (func (export "call") (drop (call_indirect (type $t) (i64.const 1) (i32.const 0))))"#,
        ];
        // One letter of the text in memory for each frame, and the last lines of the log are what there was at the end.
        let log = "(global.set $n (i32.add (global.get $n) (i32.const 1)))
                   (if (i32.eqz (i32.and (global.get $n) (i32.const 63)))
                     (then (i32.store (i32.const 0) (global.get $n)) (drop (call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
                           (call $digits (global.get $n)) (drop (call $log (i32.const 0) (i32.const 6)))))";
        let digits = r#"(global $n (mut i32) (i32.const 0))
            (func $digits (param i32) (local i32) (local.set 1 (i32.const 5))
              (loop $l (i32.store8 (local.get 1) (i32.add (i32.const 48) (i32.rem_u (local.get 0) (i32.const 10))))
                (local.set 0 (i32.div_u (local.get 0) (i32.const 10))) (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
                (br_if $l (i32.ge_s (local.get 1) (i32.const 0)))))"#;
        ways.map(|way| {
            let outcome = world.run(&module(&format!("{digits} {}", way.replace("LOG", log))));
            faulted(&outcome, "");
            outcome.logs
        })
    };
    let expected = logged(EngineKind::Cranelift);
    for logs in &expected {
        let deepest: u32 = logs.last().expect("it logs").parse().unwrap();
        assert!(deepest > 4_000, "{deepest}");
    }
    for kind in OTHERS {
        assert_eq!(logged(kind), expected, "{kind}");
    }
}

/// Recurses as deep as its input says, then does what is between.
fn recursing(then: &str) -> Vec<u8> {
    module(&format!(
        r#"(func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else {then})))
           (func (export "call")
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 4)))
             (call $f (i32.load (i32.const 0))))"#
    ))
}

#[test]
fn the_depth_is_in_the_receipt_and_exact_at_the_limit() {
    let mut world = World::new();
    let contract = world.deploy(&recursing(""));
    let depth = |outcome: &Outcome| succeeded(outcome).depth;
    let (one, two) =
        (depth(&world.call(contract, &1u32.to_le_bytes())), depth(&world.call(contract, &2u32.to_le_bytes())));
    let frame = two - one;
    // The parameter, an operand on top of it twice, and eight.
    assert_eq!(frame, 8 + 1 + 2);
    let rounds = (131_072 - one) / frame + 1;
    let deepest = world.call(contract, &u32::try_from(rounds).unwrap().to_le_bytes());
    assert_eq!(depth(&deepest), one + (rounds - 1) * frame);
    let beyond = world.call(contract, &u32::try_from(rounds + 1).unwrap().to_le_bytes());
    assert_eq!(faulted(&beyond, "out of stack").depth, 0);
}

#[test]
fn nested_calls_share_one_stack() {
    let mut world = World::new();
    // The inner one needs half of the stack; the outer one has used more than that when it calls.
    let inner = world.deploy(&recursing(""));
    let outer = |depth: u32| {
        module(&format!(
            r#"(data (i32.const 0) "{}") (data (i32.const 64) "{}")
               (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else
                 (i64.store (i32.const 100)
                   (call $contract (i32.const 0) (i32.const 32) (i64.const 10000000000) (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0))))))
               (func (export "call") (call $f (i32.const {depth})) (drop (call $output (i32.const 100) (i32.const 8))))"#,
            bytes(&inner.0),
            bytes(&6_000u32.to_le_bytes()),
        ))
    };
    let shallow = world.run(&outer(10));
    assert_eq!(succeeded(&shallow).output, 0i64.to_le_bytes());
    assert!(shallow.receipt.depth > 6_000 * 11);
    let deep = world.run(&outer(4_000));
    assert_eq!(succeeded(&deep).output, Status::CallFaulted.to_return().to_le_bytes());
    // What the faulted frame reached does not count.
    assert!(deep.receipt.depth < 4_000 * 20);
}

#[test]
fn calls_nest_to_ten_and_recursion_through_them_ends() {
    // Each calls the next one, on a thread with little stack, with a frame of its own each time.
    let vm = Arc::new(super::world::machine());
    let results = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || {
            let mut world = World::on(vm);
            let mut next = world.deploy(&calling("(drop (call $output (i32.const 0) (i32.const 0)))"));
            let mut statuses = Vec::new();
            for _ in 0..12 {
                let code = module(&format!(
                    r#"(data (i32.const 0) "{}") (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else
                         (i64.store (i32.const 100)
                           (call $contract (i32.const 0) (i32.const 32) (i64.const 1000000000000) (i32.const 0) (i32.const 0) (i32.const 108) (i32.const 8)))
                         (if (i64.eq (i64.load (i32.const 100)) (i64.const 8)) (then (i64.store (i32.const 100) (i64.load (i32.const 108))))))))
                       (func (export "call") (call $f (i32.const 500)) (drop (call $output (i32.const 100) (i32.const 8))))"#,
                    bytes(&next.0)
                ));
                next = world.deploy(&code);
                let outcome = world.call(next, &[]);
                statuses.push(i64::from_le_bytes(succeeded(&outcome).output.clone().try_into().unwrap()));
            }
            statuses
        })
        .unwrap()
        .join()
        .unwrap();
    let mut expected = vec![0; 9];
    expected.extend([Status::CallDepth.to_return(); 3]);
    assert_eq!(results, expected);
}
