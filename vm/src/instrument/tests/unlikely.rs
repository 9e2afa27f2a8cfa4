//! Which branches have an unlikely way, and what is paid on it.

use wasmparser::Operator;

use super::{found_in, gas_of};

/// Of each `br_if` and `if` of a function, whether one way of it is unlikely.
fn unlikely(body: &str) -> Vec<bool> {
    let text = format!(
        r#"(module (memory (export "memory") 1 1) (func $f)
             (func (export "call") (local $p i32) {body}))"#
    );
    let is_conditional = |operator: &Operator<'_>| matches!(operator, Operator::BrIf { .. } | Operator::If { .. });
    found_in(&text, is_conditional, |findings| findings.unlikely.branches)
}

#[test]
fn what_comes_to_an_unreachable() {
    for (body, expected) in [
        // What a bound looks like in what compilers write, and with more than one check.
        ("(block (br_if 0 (local.get $p)) (return)) unreachable", &[true][..]),
        ("(block (br_if 0 (local.get $p)) (return)) (call $f) unreachable", &[true]),
        ("(block (br_if 0 (local.get $p)) (br_if 0 (local.get $p)) (return)) unreachable", &[true, true]),
        ("(block (block (br_if 0 (local.get $p)) (br_if 1 (local.get $p)) (return)) unreachable) nop", &[true, false]),
        // The way that goes on.
        ("(block (br_if 0 (local.get $p)) unreachable)", &[true]),
        ("(block (br_if 0 (local.get $p)) (br_if 0 (local.get $p)) unreachable)", &[false, true]),
        ("(if (local.get $p) (then unreachable))", &[true]),
        ("(if (local.get $p) (then) (else unreachable))", &[true]),
        ("(if (local.get $p) (then (return)) (else)) unreachable", &[false]),
        ("(if (local.get $p) (then (return))) unreachable", &[true]),
        ("(if (local.get $p) (then (br_if 0 (local.get $p)) (return))) unreachable", &[true, true]),
        // Another block begins before it, or none does.
        ("(block (block (br_if 0 (local.get $p)) (return)) (br_if 0 (local.get $p))) unreachable", &[false, true]),
        ("(block (br_if 0 (local.get $p)) (return)) (loop unreachable)", &[false]),
        ("(block (br_if 0 (local.get $p)) (return)) (block unreachable)", &[true]),
        ("(block (br_if 0 (local.get $p)) (return)) (br 0) unreachable", &[false]),
        ("(block (br_if 0 (local.get $p)) (return)) (return) unreachable", &[false]),
        ("(block (br_if 0 (local.get $p)) (return)) (block (br_table 0 (local.get $p))) unreachable", &[false]),
        ("(block (loop (br_if 0 (local.get $p)) (br 1))) unreachable", &[false]),
        ("(br_if 0 (local.get $p))", &[false]),
        ("(br_if 0 (local.get $p)) unreachable", &[true]),
    ] {
        assert_eq!(unlikely(body), expected, "{body}");
    }
}

#[test]
fn what_leaves_a_loop() {
    for (body, expected) in [
        ("(block (loop (br_if 1 (local.get $p)) (br 0)))", &[true][..]),
        ("(block (loop (block (br_if 2 (local.get $p))) (br 0)))", &[true]),
        ("(block (loop (loop (br_if 2 (local.get $p)))))", &[true]),
        ("(if (local.get $p) (then (loop (br_if 1 (local.get $p)))))", &[false, true]),
        // Inside of it, to where another loop begins, and out of the function.
        ("(loop (block (br_if 0 (local.get $p)) nop) nop)", &[false]),
        ("(loop (loop (br_if 1 (local.get $p)) nop))", &[false]),
        ("(loop (br_if 1 (local.get $p)))", &[false]),
        ("(block (loop nop) (br_if 0 (local.get $p)) nop)", &[false]),
    ] {
        assert_eq!(unlikely(body), expected, "{body}");
    }
}

#[test]
fn who_goes_there_pays() {
    let gas = |body: &str| {
        gas_of(&format!(r#"(module (memory (export "memory") 1 1) (func (export "call") (local $i i32) {body}))"#))
    };
    let around = 25 + 100;
    // Two rounds and a half; then what is behind the loop, which costs more however it is reached, and once.
    let step = "(local.tee $i (i32.add (local.get $i) (i32.const 1)))";
    // The comparison waits for the sum.
    let round = 225 + 425;
    let left = format!("(block (loop (br_if 1 (i32.eq {step} (i32.const 3))) (br 0))) (drop (local.get $i))");
    assert_eq!(gas(&left), around + 3 * (round + 300) + 2 * 75 + 4_000 + 25 + 25);
    let two = format!(
        "(block (loop (br_if 1 (i32.eq {step} (i32.const 3))) (br_if 1 (i32.eq (local.get $i) (i32.const 9))) (br 0)))"
    );
    assert_eq!(gas(&two), around + 3 * (round + 300) + 2 * (425 + 300) + 2 * 75 + 4_000);
    assert_eq!(gas(&format!("(block (br 0) (loop (br_if 1 {step})))")), around + 75 + 4_000);
    // A check that holds.
    let check = "(block (br_if 0 (local.get $i)) (return)) unreachable";
    assert_eq!(gas(check), around + 25 + 300 + 75);
}
