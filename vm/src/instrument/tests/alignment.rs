//! Which stores are aligned, so that none of them lies across two pages.

use proptest::prelude::*;
use wasmtime::{Engine, Instance, Module, Store};

use super::{gas_of, stores_across};

/// Of each store of a function, whether it may lie across two pages, in a module with these globals.
fn across_with(globals: &str, body: &str) -> Vec<bool> {
    let text = format!(
        r#"(module (memory (export "memory") 1 1) {globals}
             (func (export "call"))
             (func (export "f") (param $p i32) (param $l i64) (local $q i32) (local $r i32) {body}))"#
    );
    stores_across(&text, 0)
}

fn is_across(body: &str) -> Vec<bool> {
    across_with("(global $g (mut i32) (i32.const 0))", body)
}

/// Stores of 2, 4, 8 and 16 bytes: of how many bytes the longest one is that is aligned there.
fn multiple(address: &str) -> u32 {
    let stores = [
        format!("(i32.store16 (i32.add {address} (local.get $q)) (i32.const 0))"),
        format!("(i32.store (i32.add {address} (local.get $q)) (i32.const 0))"),
        format!("(i64.store (i32.add {address} (local.get $q)) (i64.const 0))"),
        format!("(v128.store (i32.add {address} (local.get $q)) (v128.const i64x2 0 0))"),
    ];
    // `$q` is 0, which the analysis knows to be a multiple of anything; the sum is no constant, and no local.
    let found = is_across(&stores.concat());
    let aligned = found.iter().take_while(|is_across| !**is_across).count();
    assert!(found[aligned..].iter().all(|is_across| *is_across), "{address}: {found:?}");
    1 << aligned
}

#[test]
fn what_operators_give() {
    for (address, expected) in [
        ("(local.get $p)", 1),
        ("(i32.const 0)", 16),
        ("(i32.const 24)", 8),
        ("(i32.const -4)", 4),
        ("(i32.add (i32.const 8) (i32.const 32))", 8),
        ("(i32.sub (i32.const 64) (i32.const 4))", 4),
        ("(i32.or (i32.const 64) (i32.const 2))", 2),
        ("(i32.xor (i32.const 64) (i32.const 1))", 1),
        ("(i32.and (local.get $p) (i32.const -8))", 8),
        ("(i32.and (i32.const 16) (local.get $p))", 16),
        ("(i32.mul (i32.const 12) (i32.const 2))", 8),
        ("(i32.mul (local.get $p) (i32.const 24))", 8),
        ("(i32.mul (i32.const 48) (i32.const 48))", 16),
        ("(i32.shl (local.get $p) (i32.const 3))", 8),
        ("(i32.shl (local.get $p) (i32.const 35))", 8),
        ("(i32.shl (i32.const 2) (i32.const 1))", 4),
        ("(i32.shl (i32.const 4) (local.get $p))", 4),
        ("(i32.shr_u (i32.const 64) (i32.const 1))", 1),
        ("(i32.rotl (i32.const 64) (i32.const 1))", 1),
        ("(i32.load (i32.const 64))", 1),
        ("(select (i32.const 4) (i32.const 32) (local.get $p))", 4),
        ("(select (result i32) (i32.const 64) (i32.const 8) (local.get $p))", 8),
        ("(i32.wrap_i64 (i64.const 0x7_0000_0000))", 16),
        ("(i32.wrap_i64 (i64.mul (local.get $l) (i64.const 24)))", 8),
        ("(i32.wrap_i64 (i64.and (local.get $l) (i64.const -4)))", 4),
        ("(i32.wrap_i64 (i64.add (i64.extend_i32_u (i32.const 6)) (i64.extend_i32_s (i32.const 4))))", 2),
        ("(local.tee $r (i32.const 8))", 8),
        ("(global.get $g)", 16),
        ("(block (result i32) (i32.const 16))", 1),
        ("(memory.grow (i32.const 0))", 1),
    ] {
        assert_eq!(multiple(address), expected, "{address}");
    }
}

#[test]
fn the_offset_counts_too_and_one_that_is_not_aligned_pays() {
    let at = |offset: u32, address: &str| format!("(i64.store offset={offset} {address} (i64.const 0))");
    let masked = "(i32.and (local.get $p) (i32.const -8))";
    assert_eq!(is_across(&(at(8, masked) + &at(4, masked))), [false, true]);
    // Beside one that is aligned, another one is not near anything that was paid for.
    let set = format!("(local.set $r {masked})");
    assert_eq!(is_across(&(set.clone() + &at(0, "(local.get $r)") + &at(12, "(local.get $r)"))), [false, true]);
    assert_eq!(is_across(&(set + &at(12, "(local.get $r)") + &at(4, "(local.get $r)"))), [true, false]);
}

#[test]
fn the_stack_pointer_is_one_as_long_as_the_module_keeps_it() {
    let store = "(v128.store (i32.add (global.get 0) (local.get $q)) (v128.const i64x2 0 0))";
    let global = |start: i32| format!("(global (mut i32) (i32.const {start})) (global (mut i32) (i32.const 0))");
    let frame = "(global.set 0 (local.tee $r (i32.sub (global.get 0) (i32.const 48))))";
    for (globals, body, expected) in [
        (global(1 << 20), "", false),
        (global(8), "", true),
        (global(0), frame, false),
        (global(0), "(global.set 0 (i32.and (local.get $p) (i32.const -16)))", false),
        (global(0), "(global.set 0 (i32.sub (global.get 0) (i32.const 8)))", true),
        (global(0), "(global.set 0 (local.get $p))", true),
        (global(0), "(global.set 1 (local.get $p))", false),
        ("(global i32 (i32.const 32))".into(), "", false),
        // Behind all that runs.
        (global(0), "(return) (global.set 0 (local.get $p))", false),
    ] {
        assert_eq!(across_with(&globals, &format!("{store} {body}"))[0], expected, "{globals} {body}");
    }
    // Another function that sets it, before and behind this one.
    for other in ["(func (global.set 0 (i32.const 8)))", "(func (param i32) (global.set 0 (local.get 0)))"] {
        assert_eq!(across_with(&format!("{} {other}", global(0)), store), [true], "{other}");
    }
    // And what admission makes of it is paid: 8 ns, not 2.3.
    let gas = |other: &str| {
        gas_of(&format!(
            r#"(module (memory (export "memory") 1 1) {} (func (param $p i32) {other})
                 (func (export "call") (i32.store (i32.add (global.get 0) (i32.const 8)) (i32.const 7))))"#,
            global(16)
        ))
    };
    assert_eq!(gas("(global.set 0 (local.get $p))") - gas("(global.set 1 (local.get $p))"), 8_000 - 2_300);
    // Other globals are not looked at.
    assert_eq!(across_with(&global(0), &store.replace("global.get 0", "global.get 1")), [true]);
}

#[test]
fn locals_are_followed_along_every_path() {
    let store = "(i64.store (i32.add (local.get $r) (local.get $q)) (i64.const 0))";
    let set = |value: i32| format!("(local.set $r (i32.const {value}))");
    let (eight, four) = (set(8), set(4));
    for (body, expected) in [
        // Locals begin as zero.
        (store.to_owned(), false),
        (format!("{four} {store}"), true),
        (format!("(if (local.get $p) (then {four})) {store}"), true),
        (format!("(if (local.get $p) (then {eight})) {store}"), false),
        (format!("{four} (if (local.get $p) (then {eight}) (else {eight})) {store}"), false),
        (format!("(if (local.get $p) (then {eight}) (else {four})) {store}"), true),
        (format!("{four} (if (local.get $p) (then {eight}) (else {store}))"), true),
        (format!("(if (local.get $p) (then {four}) (else {store}))"), false),
        (format!("(if (local.get $p) (then {four} (return))) {store}"), false),
        (format!("(if (local.get $p) (then {eight}) (else {four} unreachable)) {store}"), false),
        (format!("(block {four} (br_if 0 (local.get $p)) {eight}) {store}"), true),
        (format!("(block {four} (br_if 1 (local.get $p)) {eight}) {store}"), false),
        (format!("(block {four} (br_table 0 1 (local.get $p))) {store}"), true),
        (format!("(block {eight} (br 0) {four}) {store}"), false),
    ] {
        assert_eq!(is_across(&body), [expected], "{body}");
    }
}

#[test]
fn what_comes_around_a_loop_counts() {
    let store = "(i64.store (i32.add (local.get $r) (local.get $q)) (i64.const 0))";
    let by = |step: i32| format!("(local.set $r (i32.add (local.get $r) (i32.const {step})))");
    let again = "(br_if 0 (local.get $p))";
    for (body, expected) in [
        (format!("(loop {store} {} {again})", by(8)), false),
        (format!("(loop {store} {} {again})", by(-24)), false),
        (format!("(loop {store} {} {again})", by(4)), true),
        // It is set to what it was, only behind the loop, or before each round.
        (format!("(loop {store} {again} {})", by(4)), false),
        (format!("(loop (local.set $r (i32.const 16)) {store} {} {again})", by(4)), false),
        // An inner loop that begins with what comes around the outer one.
        (format!("(loop (loop {store} {again}) {} {again})", by(4)), true),
        (format!("(loop (loop {} {again}) (local.set $r (i32.const 0)) {store} {again})", by(4)), false),
    ] {
        assert_eq!(is_across(&body), [expected], "{body}");
    }
}

/// Locals that hand less and less on, from one to the next with every round.
#[test]
fn who_is_not_settled_in_four_rounds_is_not_looked_at() {
    let chain = |links: u32| {
        let hand_on: String =
            (0..links).map(|link| format!("(local.set $c{link} (local.get $c{}))", link + 1)).collect();
        let locals: String = (0..=links).map(|link| format!("(local $c{link} i32)")).collect();
        let store = "(i64.store (i32.add (local.get $q) (i32.const 8)) (i64.const 0))";
        let text = format!(
            r#"(module (memory (export "memory") 1 1) (func (export "call"))
                 (func (param $p i32) (local $q i32) {locals}
                   (loop {hand_on} (local.set $c{links} (local.get $p)) (br_if 0 (local.get $p))) {store}))"#
        );
        stores_across(&text, 0)
    };
    assert_eq!(chain(2), [false]);
    assert_eq!(chain(3), [true]);
}

/// Of the last function, whose parameters are `$p` and `$s`, whether its store may lie across two pages.
fn across_where(others: &str, address: &str) -> bool {
    let text = format!(
        r#"(module (memory (export "memory") 1 1) (table 4 funcref) (global (mut i32) (i32.const 64)) {others}
             (func $f (param $p i32) (param $s i32) (local $q i32)
               (i64.store (i32.add (local.get $q) {address}) (i64.const 0))))"#
    );
    let found = stores_across(&text, 0);
    assert_eq!(found.len(), 1);
    found[0]
}

#[test]
fn a_parameter_is_what_every_call_passes() {
    let caller = |p: &str| format!("(func (export \"call\") (call $f {p} (i32.const 0)))");
    let (p, s) = ("(local.get $p)", "(local.get $s)");
    for (others, address, expected) in [
        // Nobody calls it.
        (String::new(), p, false),
        (caller("(i32.const 24)"), p, false),
        (caller("(i32.const 20)"), p, true),
        (caller("(i32.const 20)"), s, false),
        (caller("(i32.sub (global.get 0) (i32.const 40))"), p, false),
        (caller("(i32.const 24)") + "(func (call $f (i32.const 4) (i32.const 4)))", p, true),
        // No path leads to the other call.
        (caller("(i32.const 24)") + "(func return (call $f (i32.const 4) (i32.const 4)))", p, false),
        (caller("(i32.const 24)") + "(func unreachable call $f)", p, false),
        // What is stored elsewhere in between, and what is called, is not known.
        (caller("(i32.load (i32.const 0))"), p, true),
        (caller("(call $g)") + "(func $g (result i32) (i32.const 8))", p, true),
    ] {
        assert_eq!(across_where(&others, address), expected, "{others} {address}");
    }
}

#[test]
fn a_parameter_that_is_passed_on_is_what_was_passed_at_first() {
    let entry = |value: i32| format!("(func (export \"call\") (call $g (i32.const {value}) (i32.const 64)))");
    let g = |body: &str| format!("(func $g (param $x i32) (param $y i32) (local $l i32) {body})");
    let again = "(call $g (local.get $y) (local.get $x))";
    for (others, expected) in [
        (entry(24) + &g("(call $f (local.get $x) (local.get $y))"), false),
        (entry(20) + &g("(call $f (local.get $x) (local.get $y))"), true),
        (entry(20) + &g("(call $f (local.get $y) (local.get $x))"), false),
        (entry(24) + &g("(call $f (i32.add (local.get $x) (i32.const 40)) (i32.const 0))"), false),
        (entry(24) + &g("(call $f (i32.add (local.get $x) (i32.const 4)) (i32.const 0))"), true),
        // In turn with another parameter, which goes to it only in a later call.
        (entry(20) + &g(&format!("{again} (call $f (local.get $y) (local.get $x))")), true),
        (entry(24) + &g(&format!("{again} (call $f (local.get $y) (local.get $x))")), false),
        // Less with every call.
        (
            entry(24)
                + &g(
                    "(call $g (i32.sub (local.get $x) (i32.const 4)) (i32.const 0)) (call $f (local.get $x) (i32.const 0))",
                ),
            true,
        ),
        // Two parameters are one too many, and so is one of two.
        (entry(24) + &g("(call $f (i32.add (local.get $x) (local.get $y)) (i32.const 0))"), true),
        (entry(24) + &g("(call $f (select (local.get $x) (local.get $y) (i32.const 1)) (i32.const 0))"), true),
        (entry(24) + &g("(call $f (select (local.get $x) (local.get $l) (i32.const 1)) (i32.const 0))"), false),
        // Products and shifts of it do not count on it; a mask, and a parameter as one, does.
        (entry(24) + &g("(call $f (i32.mul (local.get $x) (i32.const 4)) (i32.const 0))"), true),
        (entry(24) + &g("(call $f (i32.shl (local.get $x) (i32.const 0)) (i32.const 0))"), true),
        (entry(24) + &g("(call $f (i32.shl (local.get $x) (local.get $y)) (i32.const 0))"), false),
        (entry(1) + &g("(call $f (i32.and (local.get $x) (i32.const -8)) (i32.const 0))"), false),
        (entry(24) + &g("(call $f (i32.and (local.get $x) (i32.const 4)) (i32.const 0))"), true),
        (entry(24) + &g("(call $f (i32.and (local.get $x) (i32.load (i32.const 0))) (i32.const 0))"), false),
        // Around a loop.
        (
            entry(24)
                + &g(
                    "(loop (local.set $x (i32.add (local.get $x) (i32.const 8))) (call $f (local.get $x) (i32.const 0)) (br_if 0 (local.get $x)))",
                ),
            false,
        ),
        (
            entry(24)
                + &g(
                    "(loop (call $f (local.get $l) (i32.const 0)) (local.set $l (local.get $x)) (br_if 0 (local.get $x)))",
                ),
            false,
        ),
        (
            entry(20)
                + &g(
                    "(loop (call $f (local.get $l) (i32.const 0)) (local.set $l (local.get $x)) (br_if 0 (local.get $x)))",
                ),
            true,
        ),
    ] {
        assert_eq!(across_where(&others, "(local.get $p)"), expected, "{others}");
    }
}

#[test]
fn nothing_is_known_of_what_is_passed_from_elsewhere() {
    for named in [
        r#"(export "f" (func $f))"#,
        "(elem (i32.const 0) $f)",
        "(elem func $f)",
        "(elem funcref (ref.func $f))",
        "(global funcref (ref.func $f))",
    ] {
        assert!(across_where(named, "(local.get $p)"), "{named}");
        // And so of what it passes on.
        let passes = "(func $g (param i32) (call $f (local.get 0) (i32.const 0)))";
        assert!(across_where(&format!("{passes} {}", named.replace("$f", "$g")), "(local.get $p)"), "{named}");
    }
    assert!(!across_where(r#"(export "g" (func $g)) (func $g)"#, "(local.get $p)"));
    // Imports count where functions are numbered.
    let import = r#"(import "context" "height" (func $height (result i64))) "#;
    let text = |value: i32| {
        format!(
            r#"(module {import} (memory (export "memory") 1 1) (func (export "call") (drop (call $height)) (call $f (i32.const {value})))
                 (func $f (param $p i32) (local $q i32) (i64.store (i32.add (local.get $q) (local.get $p)) (i64.const 0))))"#
        )
    };
    let found = |value| stores_across(&text(value), 0);
    assert_eq!((found(8), found(4)), (vec![false], vec![true]));
}

/// Where not all paths are followed, anything is passed.
#[test]
fn who_is_not_looked_at_passes_anything() {
    let hand_on = "(local.set $a (local.get $b)) (local.set $b (local.get $c)) (local.set $c (local.get $d)) (local.set $d (local.get $p))";
    let caller = |hand_on: &str| {
        format!(
            r#"(func (export "call") (call $g (i32.const 1)))
               (func $g (param $p i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)
                 (loop {hand_on} (br_if 0 (local.get $p))) (call $f (i32.const 8) (i32.const 8)))"#
        )
    };
    assert!(across_where(&caller(hand_on), "(local.get $p)"));
    assert!(!across_where(&caller(""), "(local.get $p)"));
}

/// Text of a number that is made of `$a`, `$b`, `$p`, `$s` and the stack pointer.
fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-64i32..64).prop_map(|value| format!("(i32.const {value})")),
        prop_oneof![Just("$a"), Just("$b"), Just("$p"), Just("$s")].prop_map(|local| format!("(local.get {local})")),
        Just("(global.get 0)".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = prop_oneof![Just("add"), Just("sub"), Just("or"), Just("xor"), Just("and"), Just("mul"), Just("shl")];
        prop_oneof![
            (two, inner.clone(), inner.clone()).prop_map(|(name, a, b)| format!("(i32.{name} {a} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("(select {a} {b} {c})")),
            inner.prop_map(|a| format!("(i32.wrap_i64 (i64.mul (i64.extend_i32_u {a}) (i64.const 12)))")),
        ]
    })
}

/// Text of what a body does. An address stands in brackets, with its offset and the bytes less one.
fn statements() -> impl Strategy<Value = String> {
    let store = prop_oneof![Just(("i32.store16", 2u32)), Just(("i32.store", 4))];
    let offset = prop_oneof![Just(0u32), Just(4), Just(6), 0u32..32];
    let leaf = prop_oneof![
        (prop_oneof![Just("$a"), Just("$b")], number()).prop_map(|(local, value)| format!("(local.set {local} {value})")),
        (store, offset, number()).prop_map(|((name, bytes), offset, address)| format!(
            "({name} offset={offset} [{offset} {} (i32.and (i32.const 0xffff) {address})] (i32.const 7))",
            bytes - 1
        )),
        (number(), number(), number()).prop_map(|(a, b, c)| format!(
            "(i64.store [0 7 (i32.and (i32.const 0xffff) {a})] (i64.const 7)) (local.set $a (i32.add (local.get $a) (i32.and {b} {c})))"
        )),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = proptest::collection::vec(inner, 1..5).prop_map(|all| all.concat());
        // However loops lie in each other, no more than forty rounds are gone in all.
        let again = "(br_if 0 (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (i32.const 40)))";
        prop_oneof![
            (number(), several.clone(), several.clone())
                .prop_map(|(condition, then, other)| format!("(if {condition} (then {then}) (else {other}))")),
            (number(), several.clone(), several.clone())
                .prop_map(|(condition, before, behind)| format!("(block {before} (br_if 0 {condition}) {behind})")),
            several.prop_map(move |round| format!("(loop {round} {again})")),
        ]
    })
}

/// A call of the other function, or of itself, as long as there were not too many.
fn call() -> impl Strategy<Value = String> {
    let which = prop_oneof![Just("$f"), Just("$g")];
    (which, number(), number()).prop_map(|(which, p, s)| {
        format!(
            "(if (i32.lt_u (global.get $calls) (i32.const 20))
               (then (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (call {which} {p} {s})))"
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever runs: a store that is said to be aligned is aligned.
    #[test]
    fn what_is_aligned_never_lies_elsewhere(
        f in (statements(), call(), statements()),
        g in (statements(), call()),
        p in any::<i32>(),
        shift in 0..6,
    ) {
        let (f, g) = (f.0 + &f.1 + &f.2, g.0 + &g.1);
        let addresses = |body: &str| body.matches('[').count();
        let of = |with: &dyn Fn(usize, &str) -> String| {
            let bodies = [(0, &f), (addresses(&f), &g)].map(|(before, body)| {
                let mut parts = body.split('[');
                let first = parts.next().unwrap_or_default().to_owned();
                let others = parts.enumerate().map(|(number, part)| {
                    let (address, behind) = part.split_once(']').expect("it is closed");
                    with(before + number, address) + behind
                });
                first + &others.collect::<String>()
            });
            let (head, p) = ("(param $p i32) (param $s i32) (local $a i32) (local $b i32) (local $c i32)", p << shift);
            format!(
                r#"(module (memory (export "memory") 2 2) (global (mut i32) (i32.const 48)) (global $calls (mut i32) (i32.const 0))
                     (func $check (param $offset i32) (param $mask i32) (param $address i32) (result i32)
                       (if (i32.and (local.get $mask) (i32.add (local.get $offset) (local.get $address))) (then unreachable))
                       (local.get $address))
                     (func $f {head} {}) (func $g {head} {})
                     (func (export "call") (call $f (i32.const {p}) (i32.const 16))))"#,
                bodies[0], bodies[1]
            )
        };
        let last = |address: &str| address.splitn(3, ' ').nth(2).expect("there are three").to_owned();
        let plain = of(&|_, address| last(address));
        let is_across = [stores_across(&plain, 2), stores_across(&plain, 1)].concat();
        prop_assert_eq!(is_across.len(), addresses(&f) + addresses(&g));
        let checked = of(&|number, address| {
            let mut parts = address.splitn(3, ' ');
            let mut part = || parts.next().expect("there are three");
            let (offset, mask, address) = (part(), part(), part());
            if is_across[number] {
                address.to_owned()
            } else {
                format!("(call $check (i32.const {offset}) (i32.const {mask}) {address})")
            }
        });
        let engine = Engine::default();
        let module = Module::new(&engine, wat::parse_str(&checked).expect("it is well-formed")).expect("it is valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("it has no imports");
        let call = instance.get_typed_func::<(), ()>(&mut store, "call").expect("it is there");
        prop_assert!(call.call(&mut store, ()).is_ok(), "{}", checked);
    }
}
