//! Which loads and calls are awaited, and what that costs; and what the ends of loops cost.

use noema_abi::ProtocolVersion;
use wasmparser::Operator;

use super::super::operators::{Access, access};
use super::{found_in, gas_of};
use crate::admission::findings;

/// A function in a memory of a size.
fn module(memory: &str, body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") {memory}) (global $g (mut i32) (i32.const 0)) (table 1 funcref)
             (type $t (func (param i32) (result i32)))
             (func (export "call")) (func $f (type $t) (local.get 0))
             (func $two (param i32) (result i32 i32) (local.get 0) (local.get 0))
             (func (param $p i32) (param $q i32) (result i32) (local $x i32) (local $y i32) (local $l i64) (local $d f64) (local $v v128) {body}))"#
    )
}

/// Of each load in its function, whether it is awaited.
fn awaited_in(memory: &str, body: &str) -> Vec<bool> {
    awaited_of(memory, body, |operator| access(operator) == Some(Access::Load))
}

/// Of each call in its function, whether it is awaited.
fn awaited_calls_in(memory: &str, body: &str) -> Vec<bool> {
    awaited_of(memory, body, |operator| matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. }))
}

fn awaited_of(memory: &str, body: &str, counts: impl Fn(&Operator<'_>) -> bool) -> Vec<bool> {
    found_in(&module(memory, body), counts, |findings| findings.awaited)
}

fn near(body: &str) -> Vec<bool> {
    awaited_in("1 1", body)
}

#[test]
fn what_becomes_an_address_is_awaited() {
    let uses = [
        "(i32.load (i32.load (local.get $p)))",
        "(i32.load offset=8 (i32.add (i32.const 4) (i32.load (local.get $p))))",
        "(i32.load (i32.shl (i32.mul (i32.load (local.get $p)) (local.get $q)) (i32.const 3)))",
        "(i32.load (i32.wrap_i64 (i64.load (local.get $p))))",
        "(i32.load (i32.wrap_i64 (i64.extend_i32_s (i32.load8_s (local.get $p)))))",
        "(i32.load (i32.trunc_sat_f64_u (f64.load (local.get $p))))",
        "(i32.load (i32.reinterpret_f32 (f32.load (local.get $p))))",
        "(i32.load (i32x4.extract_lane 1 (v128.load (local.get $p))))",
        // By what it is compared with, and by what it chooses.
        "(i32.load (i32.lt_u (i32.load (local.get $p)) (local.get $q)))",
        "(i32.load (select (local.get $p) (local.get $q) (i32.load (local.get $p))))",
        "(i32.load (select (local.get $q) (i32.load (local.get $p)) (local.get $q)))",
        "(local.set $x (i32.load (local.get $p))) (i32.load (local.get $x))",
        "(i32.load (i32.add (local.tee $x (i32.load (local.get $p))) (i32.const 4)))",
        "(local.set $x (i32.load (local.get $p))) (local.set $y (local.get $x)) (i32.load (i32.xor (local.get $y) (local.get $q)))",
        "(drop (i32.load (local.tee $x (i32.load (local.get $p))))) (local.get $q)",
        // Where nobody follows them.
        "(call $f (i32.load (local.get $p))) (drop (i32.load (i32.const 0)))",
        "(call_indirect (type $t) (i32.load (local.get $p)) (local.get $q)) (drop (i32.load (i32.const 0)))",
        "(global.set $g (i32.load (local.get $p))) (drop (i32.load (i32.const 0))) (local.get $q)",
        "(drop (block (result i32) (i32.load (local.get $p)))) (drop (i32.load (i32.const 0))) (local.get $q)",
        "(memory.copy (i32.const 0) (i32.load (local.get $p)) (i32.const 1)) (drop (i32.load (i32.const 0))) (local.get $q)",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.load (local.get $p))) (drop (i32.load (i32.const 0))) (local.get $q)",
        "(drop (table.get 0 (i32.load (local.get $p)))) (drop (i32.load (i32.const 0))) (local.get $q)",
        // A lane is loaded into a vector that was loaded.
        "(i32.load (i32x4.extract_lane 0 (v128.load32_lane 1 (i32.const 0) (v128.load (local.get $p))))) (drop (i32.load (i32.const 0)))",
        "(i32.store (i32.load (local.get $p)) (i32.const 1)) (drop (i32.load (i32.const 0))) (local.get $q)",
    ];
    for body in uses {
        let found = near(body);
        assert!(found.contains(&true), "{body}: {found:?}");
    }
    // The first of two is; the second goes into the result of the function, which is looked at where that is called.
    assert_eq!(near(uses[0]), [true, false]);
    assert_eq!(near(uses[14]), [true, false]);
}

#[test]
fn what_does_not_is_not() {
    for body in [
        "(drop (i32.load (local.get $p))) (local.get $q)",
        "(i32.store (local.get $p) (i32.load (local.get $q))) (local.get $q)",
        "(i64.store (local.get $p) (i64.mul (i64.load (local.get $q)) (i64.load offset=8 (local.get $q)))) (local.get $q)",
        "(local.set $l (i64.add (local.get $l) (i64.load (local.get $p)))) (i64.store (i32.const 0) (local.get $l)) (local.get $q)",
        "(f64.store (i32.const 0) (f64.mul (f64.load (local.get $p)) (local.get $d))) (local.get $q)",
        "(if (i32.load (local.get $p)) (then)) (local.get $q)",
        "(block (br_if 0 (i32.load (local.get $p)))) (local.get $q)",
        "(block (br_table 0 0 (i32.load (local.get $p)))) (local.get $q)",
        "(drop (memory.grow (i32.load (local.get $p)))) (local.get $q)",
        "(return (i32.load (local.get $p)))",
        "(i32.load (local.get $p))",
        "(call_indirect (type $t) (local.get $q) (i32.load (local.get $p)))",
        // The local holds something else by then.
        "(local.set $x (i32.load (local.get $p))) (i32.store (i32.const 0) (local.get $x)) (local.set $x (local.get $q)) (i32.load8_u (local.get $x)) drop (local.get $q)",
        // What is stored may be loaded again: that load is the one that is looked at.
        "(i32.store (i32.const 0) (i32.load (local.get $p))) (local.get $q)",
        // Nothing leads there.
        "(unreachable) (drop (i32.load (i32.load (local.get $p)))) (local.get $q)",
        "(block (br 0) (drop (i32.load (i32.load (local.get $p)))) (block (drop (i32.load (i32.load (local.get $p)))))) (local.get $q)",
    ] {
        let found = near(body);
        assert!(!found.is_empty() && !found.contains(&true), "{body}: {found:?}");
    }
}

#[test]
fn values_are_followed_along_every_path() {
    let around = "(loop $again
        (local.set $y (i32.load (i32.add (local.get $x) (i32.const 64))))
        (local.set $x (local.get $y))
        (br_if $again (local.get $q))) (local.get $q)";
    assert_eq!(near(around), [true], "the address of the next round");
    let sum = "(loop $again
        (local.set $y (i32.add (local.get $y) (i32.load (local.get $x))))
        (local.set $x (i32.add (local.get $x) (i32.const 4)))
        (br_if $again (i32.ne (local.get $x) (local.get $q))))
        (i32.store (i32.const 0) (local.get $y)) (local.get $q)";
    assert_eq!(near(sum), [false]);
    // One local for data in one loop and for addresses in the next.
    let twice = format!("{} drop (local.set $y (local.get $p)) (i32.load (local.get $y)) drop (local.get $q)", sum);
    assert_eq!(near(&twice), [false, false]);
    let out_of_both = |condition: &str| {
        format!(
            "(local.set $x (local.get $p))
             (if (local.get $q) (then (local.set $x (i32.load (local.get $p)))) {condition})
             (drop (i32.load (local.get $x))) (local.get $q)"
        )
    };
    assert_eq!(near(&out_of_both("")), [true, false], "around an `if`");
    assert_eq!(near(&out_of_both("(else (local.set $x (i32.load (i32.const 4))))")), [true, true, false]);
    assert_eq!(near(&out_of_both("(else (return (local.get $q)))")), [true, false]);
    // Code that is dead takes nothing from what lies below it.
    assert_eq!(
        near(
            "(local.set $x (local.get $q)) (i32.load (i32.const 4)) (block (br 0) (drop) (drop)) (drop (i32.load)) (local.get $q)"
        ),
        [true, false]
    );
    let by_branch = |branch: &str| {
        format!(
            "(block $out (local.set $x (i32.load (local.get $p))) {branch} (local.set $x (i32.const 8)))
             (drop (i32.load (local.get $x))) (local.get $q)"
        )
    };
    assert_eq!(near(&by_branch("")), [false, false], "overwritten");
    assert_eq!(near(&by_branch("(br_if $out (local.get $q))")), [true, false]);
    assert_eq!(near(&by_branch("(br $out)")), [true, false]);
    assert_eq!(near(&by_branch("(block (br_table $out 0 (local.get $q)))")), [true, false]);
    assert_eq!(near(&by_branch("(return (local.get $q))")), [false, false]);
    // Three ways that meet.
    let three = "(block $out (block $in
        (local.set $x (i32.load (local.get $p))) (br_if $out (local.get $q))
        (local.set $x (i32.load (i32.const 4))) (br_if $in (local.get $q))
        (local.set $x (i32.load (i32.const 8)))) (br_if $out (local.get $p)) (local.set $x (i32.load (i32.const 12))) (i32.store (i32.const 0) (local.get $x)) (return (local.get $q)))
        (drop (i32.load (local.get $x))) (local.get $q)";
    assert_eq!(near(three), [true, true, true, false, false]);
}

#[test]
fn conditions_wait_where_memories_are_larger() {
    for condition in [
        "(if (i32.load (local.get $p)) (then))",
        "(block (br_if 0 (i32.load (local.get $p))))",
        "(drop (call_indirect (type $t) (local.get $q) (i32.load (local.get $p))))",
    ] {
        let body = format!("{condition} (local.get $q)");
        assert_eq!(awaited_in("1 16", &body), [false]);
        assert_eq!(awaited_in("1 17", &body), [true]);
    }
}

#[test]
fn what_a_call_brings_is_like_what_a_load_brings() {
    let calls = |body: &str| awaited_calls_in("1 1", body);
    for body in [
        "(i32.load (call $f (local.get $p)))",
        "(i32.load (call_indirect (type $t) (local.get $p) (local.get $q)))",
        "(i32.store (call $f (local.get $p)) (i32.const 1)) (local.get $q)",
        "(local.set $x (call $f (local.get $p))) (i32.load (i32.add (local.get $x) (local.get $q)))",
        // Each of several results.
        "(drop (call $two (local.get $p))) (i32.load)",
        "(local.set $x (call $two (local.get $p))) drop (i32.load (local.get $x))",
        // What it brings goes into another call, or where nobody follows it.
        "(global.set $g (call $f (local.get $p))) (local.get $q)",
    ] {
        assert_eq!(calls(body), [true], "{body}");
    }
    for body in [
        "(call $f (local.get $p))",
        "(drop (call $f (local.get $p))) (local.get $q)",
        "(i32.store (local.get $p) (call $f (local.get $p))) (local.get $q)",
        "(if (call $f (local.get $p)) (then)) (local.get $q)",
        "(call $two (local.get $p)) drop",
    ] {
        assert_eq!(calls(body), [false], "{body}");
    }
    assert_eq!(calls("(call $f (call $f (local.get $p)))"), [true, false]);
    assert_eq!(awaited_calls_in("1 64", "(if (call $f (local.get $p)) (then)) (local.get $q)"), [true]);
}

#[test]
fn a_call_that_is_awaited_costs_what_an_awaited_load_costs_more() {
    let gas = |memory: &str, body: &str| {
        gas_of(&format!(
            r#"(module (memory (export "memory") {memory}) (func $f (result i32) (i32.const 8)) (func (export "call") {body}))"#
        ))
    };
    let called = 25 + 4_000 + 25 + 50;
    // The load waits, or takes its time and that of what drops its result.
    for (memory, load, more) in [("1 16", 1_000, 4_000), ("1 64", 1_500 + 25, 32_000), ("1 65", 18_000 + 25, 132_000)] {
        assert_eq!(gas(memory, "(drop (call $f))"), called + 25, "{memory}");
        assert_eq!(gas(memory, "(drop (i32.load (call $f)))"), called + load + more, "{memory}");
    }
}

#[test]
fn a_branch_at_the_end_of_a_loop_costs_little_and_leaving_it_much() {
    let gas = |body: &str| {
        gas_of(&format!(r#"(module (memory (export "memory") 1 1) (func (export "call") (local $i i32) {body}))"#))
    };
    let setup = "(local.set $i (i32.const 5))";
    let step = "(local.tee $i (i32.sub (local.get $i) (i32.const 1)))";
    // Entry with a local, and what is around the loop; then each round.
    let around = 25 + 100 + 50 + 25;
    // It waits for the difference.
    let round = 225;
    assert_eq!(gas(&format!("{setup} (loop $a (br_if $a {step}))")), around + 5 * (round + 300) + 4_000);
    // Anything between them, another target or another kind of block makes it a branch like others.
    assert_eq!(gas(&format!("{setup} (loop $a (br_if $a {step}) (nop))")), around + 5 * (round + 1_900));
    assert_eq!(gas(&format!("{setup} (loop $a (block (br_if $a {step})))")), around + 5 * (round + 1_900));
    assert_eq!(gas(&format!("{setup} (block $a (br_if $a {step}))")), around + (25 + 50 + 75 + 25) + 1_900);
    assert_eq!(gas(&format!("{setup} (loop (if {step} (then)))")), around + round + 1_900);
    // An `end` behind the loop is not the loop's.
    let inner = format!("{setup} (block (loop $a (br_if $a {step})))");
    assert_eq!(gas(&inner), around + 5 * (round + 300) + 4_000);
    // Two branches in a row: only the last one.
    let two = format!("{setup} (loop $a (br_if $a (i32.const 0)) (br_if $a {step}))");
    assert_eq!(gas(&two), around + 5 * (round + 50 + 1_900 + 300) + 4_000);
}

/// As many branches and locals as nobody looks at.
#[test]
fn in_a_function_that_is_too_large_every_load_is_awaited() {
    let many = |count: usize| {
        format!(
            "(local {}) {} (drop (i32.load (local.get $p))) (local.get $q)",
            "i64 ".repeat(2000),
            "(if (local.get $q) (then))".repeat(count)
        )
    };
    let found = |count| {
        let wat = module("1 1", "")
            .replace(r#"(local $x i32) (local $y i32) (local $l i64) (local $d f64) (local $v v128) "#, &many(count));
        let findings = findings(ProtocolVersion::V1, &wat::parse_str(wat).unwrap()).unwrap();
        findings.last().unwrap().awaited.len()
    };
    assert_eq!(found(100), 0);
    assert_eq!(found(250), 1);
}

#[test]
fn prices_depend_on_what_the_memory_can_become() {
    let gas = |memory: &str, body: &str| {
        gas_of(&format!(r#"(module (memory (export "memory") {memory}) (func (export "call") {body}))"#))
    };
    let load = "(drop (i32.load (i32.const 0)))";
    let walk = "(drop (i32.load (i32.load (i32.const 0))))";
    let store = "(i32.store (i32.const 0) (i32.const 0))";
    let across = "(i32.store (i32.const 4093) (i32.const 0))";
    // What is waited for, or the times together: constants and what drops the result are among them.
    let near = (1_000, 5_000 + 1_000, 2_300, 8_000);
    let middle = (50 + 1_500 + 25, 33_000 + 1_000, 50 + 50 + 2_500, 50 + 50 + 10_000);
    let far = (50 + 18_000 + 25, 150_000 + 18_000, 50 + 50 + 13_000, 50 + 50 + 28_000);
    for (memory, (loaded, walked, stored, stored_across)) in [
        ("1 1", near),
        ("1 16", near),
        ("1 17", middle),
        ("1 64", middle),
        // Without a maximum it can become 64 pages, or what it is.
        ("1", middle),
        ("64", middle),
        ("65", far),
        ("1 65", far),
        ("1 65536", far),
    ] {
        for (body, expected) in [(load, loaded), (walk, walked), (store, stored), (across, stored_across)] {
            assert_eq!(gas(memory, body), 25 + expected, "{memory} {body}");
        }
    }
    // What it cannot become is refused to it.
    let grown = |memory: &str, by: u32| {
        gas_of(&format!(
            r#"(module (memory (export "memory") {memory})
                 (func (export "call") (if (i32.eq (i32.const -1) (memory.grow (i32.const {by}))) (then unreachable))))"#
        ))
    };
    grown("1 16", 15);
    grown("1", 63);
    for (memory, by) in [("1 16", 16), ("1", 64), ("70", 1)] {
        let refused = std::panic::catch_unwind(|| grown(memory, by));
        assert!(refused.is_err(), "{memory} grows by {by}");
    }
}
