//! Branches, calls and much code.

use super::memory::{anywhere, walk};
use super::program::{NEAR_PAGES, Program, RANDOM, hostile, looped, module};

pub(super) fn programs() -> Vec<Program> {
    vec![
        mispredicted_branches(),
        mispredicted_table(),
        mispredicted_calls(),
        mispredicted_loops(1),
        mispredicted_loops(2),
        left_loops(1),
        left_loops(2),
        checks(),
        calls_by_loads(),
        results_as_addresses(),
        calls(),
        returns(),
        calls_of_many(4_000),
        calls_of_many(6_000),
        calls_of_many(8_000),
        frames(200),
        straight_code(),
        spilled_code(12),
        spilled_code(1),
        spilled_code(6),
        spilled_code(24),
        jumps_over_code(),
    ]
}

/// A branch on each of 32 random bits.
fn mispredicted_branches() -> Program {
    let branch = |bit: u32| {
        format!(
            "(block (br_if 0 (i32.and (local.get $w) (i32.const {}))) (local.set $x (i64.add (local.get $x) (local.get $r))))",
            1u32 << bit
        )
    };
    let bits: String = (0..31).map(branch).collect();
    let code = looped(
        60_000,
        &format!("{RANDOM} (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32)))) {bits}"),
    );
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $w i32) (local $x i64) (local $r i64) {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile("mispredicted branches", &module(1, &fields))
}

/// A jump to one of 64 places.
fn mispredicted_table() -> Program {
    let opened = "(block ".repeat(64);
    let targets: String = (0..64).map(|target| format!("{target} ")).collect();
    let arms: String = (0..63)
        .map(|arm| format!(") (local.set $x (i64.add (local.get $x) (i64.const {arm}))) (br {})", 63 - arm))
        .collect();
    let body = format!(
        "{RANDOM} (block {opened} (br_table {targets} (i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 40))) (i32.const 63))) {arms}))"
    );
    let code = looped(400_000, &body);
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $r i64) {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile("mispredicted tables", &module(1, &fields))
}

/// A random number below 64.
const BELOW_64: &str = "(i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 40))) (i32.const 63))";

/// A call of one of 64 functions.
fn mispredicted_calls() -> Program {
    indirect("mispredicted calls", 1, "", 300_000, BELOW_64)
}

/// The same, and the number of the function stands anywhere in a near memory.
fn calls_by_loads() -> Program {
    let fill = format!("{RANDOM} (i32.store8 (i32.sub (local.get $i) (i32.const 1)) {BELOW_64})");
    let fill = looped(NEAR_PAGES * 65_536, &fill);
    let index = format!("(i32.load8_u {})", anywhere(NEAR_PAGES));
    indirect("mispredicted calls by loads", NEAR_PAGES, &fill, 1_000_000, &index)
}

/// Calls through a table of 64 functions; `index` says of which.
fn indirect(name: &str, pages: u32, before: &str, times: u32, index: &str) -> Program {
    let functions: String = (0..64)
        .map(|number| format!("(func $f{number} (type $t) (i64.add (local.get 0) (i64.const {number})))"))
        .collect();
    let names: String = (0..64).map(|number| format!("$f{number} ")).collect();
    let code = looped(times, &format!("{RANDOM} (local.set $x (call_indirect (type $t) (local.get $x) {index}))"));
    let fields = format!(
        r#"(type $t (func (param i64) (result i64))) (table 64 funcref) (elem (i32.const 0) {names}) {functions}
           (func (export "call") (local $i i32) (local $x i64) (local $r i64) {before} {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile(name, &module(pages, &fields))
}

/// Loops that are left after a random number of rounds, once in `2^bits` on average.
fn mispredicted_loops(bits: u32) -> Program {
    let inner = format!(
        "(loop $again
           (local.set $w (i32.rotr (local.get $w) (i32.const {bits})))
           (br_if $again (i32.and (local.get $w) (i32.const {}))))",
        (1 << bits) - 1
    )
    .repeat(8);
    // Two bits stay clear, so that none of them goes on for ever.
    let code = looped(
        60_000,
        &format!(
            "{RANDOM} (local.set $w (i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 31))) (i32.const 0x3fffffff))) {inner}"
        ),
    );
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $w i32) (local $r i64) {code} (i64.store (i32.const 0) (local.get $r)))"#
    );
    hostile(&format!("mispredicted loops of {} rounds", 1 << bits), &module(1, &fields))
}

/// Loops of one round that are left before its end once in `2^bits`.
fn left_loops(bits: u32) -> Program {
    let inner = format!(
        "(block $out (loop
           (local.set $w (i32.rotr (local.get $w) (i32.const {bits})))
           (br_if $out (i32.eqz (i32.and (local.get $w) (i32.const {}))))
           (local.set $x (i64.add (local.get $x) (local.get $r)))))",
        (1 << bits) - 1
    )
    .repeat(16);
    let code = looped(
        60_000,
        &format!("{RANDOM} (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32)))) {inner}"),
    );
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $w i32) (local $x i64) (local $r i64) {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile(&format!("loops left one time in {}", 1 << bits), &module(1, &fields))
}

/// Checks that always hold, of numbers that were just computed, and nothing else.
fn checks() -> Program {
    let check = |bit: u32| format!("(br_if $out (i64.eq (i64.shr_u (local.get $r) (i64.const {bit})) (i64.const -1)))");
    let code = looped(60_000, &format!("{RANDOM} {}", (0..31).map(check).collect::<String>()));
    let fields =
        format!(r#"(func (export "call") (local $i i32) (local $r i64) (block $out {code} (return)) unreachable)"#);
    hostile("checks that hold", &module(1, &fields))
}

/// A walk whose steps are calls: what each brings is where the next one loads.
fn results_as_addresses() -> Program {
    let next = "(func $next (param i32) (result i32) (i32.load (i32.shl (local.get 0) (i32.const 6))))";
    walk("1 MiB, by calls", 1024, next, 1 << 16, "(call $next (local.get $p))")
}

/// Calls that do nothing else, ten thousand deep.
fn calls() -> Program {
    let code = looped(200, "(call $deep (i32.const 8000))");
    let fields = format!(
        r#"(func $deep (param i32) (br_if 0 (i32.eqz (local.get 0))) (call $deep (i32.sub (local.get 0) (i32.const 1))))
           (func (export "call") (local $i i32) {code})"#
    );
    hostile("deep calls", &module(1, &fields))
}

/// Calls eight thousand deep from one of two places, so that nobody foresees where a return leads.
fn returns() -> Program {
    let code = looped(200, "(local.set $r (call $deep (i32.const 8000) (i64.add (local.get $r) (i64.const 12345))))");
    let fields = format!(
        r#"(func $deep (param $n i32) (param $r i64) (result i64)
             (if (result i64) (i32.eqz (local.get $n)) (then (local.get $r)) (else {RANDOM}
               (if (result i64) (i64.lt_s (local.get $r) (i64.const 0))
                 (then (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $r)))
                 (else (i64.add (i64.const 7) (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $r))))))))
           (func (export "call") (local $i i32) (local $r i64) {code} (i64.store (i32.const 0) (local.get $r)))"#
    );
    hostile("returns to two places", &module(1, &fields))
}

/// Calls of so many functions in no order: neither caches nor what foresees branches hold them.
fn calls_of_many(functions: u32) -> Program {
    let bodies: String = (0..functions)
        .map(|number| {
            let body = format!("(i64.xor (i64.mul (local.get 0) (i64.const {})) (i64.const {number}))", number * 2 + 1);
            format!("(func $f{number} (type $t) {body})")
        })
        .collect();
    let names: String = (0..functions).map(|number| format!("$f{number} ")).collect();
    let index = format!("(i32.rem_u (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 33))) (i32.const {functions}))");
    let code = looped(1_000_000, &format!("{RANDOM} (local.set $x (call_indirect (type $t) (local.get $x) {index}))"));
    let fields = format!(
        r#"(type $t (func (param i64) (result i64))) (table {functions} funcref) (elem (i32.const 0) {names}) {bodies}
           (func (export "call") (local $i i32) (local $x i64) (local $r i64) {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile(&format!("calls of {functions} functions"), &module(1, &fields))
}

/// Calls of a function with so many locals, all of which its first round needs.
fn frames(locals: u32) -> Program {
    let round: String = (0..locals)
        .map(|local| {
            format!("(local.set $x{local} (i64.add (local.get $x{local}) (local.get $x{})))", (local + 1) % locals)
        })
        .collect();
    let declared: String = (0..locals).map(|local| format!("(local $x{local} i64)")).collect();
    let code = looped(60_000, "(local.set $s (i64.add (local.get $s) (call $f (local.get $s))))");
    let fields = format!(
        r#"(func $f (param $p i64) (result i64) {declared}
             (loop (local.set $x1 (local.get $p)) {round} (br_if 0 (i64.eq (local.get $p) (i64.const -1))))
             (local.get $x0))
           (func (export "call") (local $i i32) (local $s i64) {code} (i64.store (i32.const 0) (local.get $s)))"#
    );
    hostile("frames of many locals", &module(1, &fields))
}

/// More code than caches of instructions hold, without a loop inside.
fn straight_code() -> Program {
    let line = |number: u32| {
        format!(
            "(local.set {} (i64.rotl (i64.xor (local.get {}) (i64.const {})) (local.get {})))",
            number % 13 + 1,
            (number + 12) % 13 + 1,
            u64::from(number) * 0x9e37_79b9_7f4b,
            number * 7 % 13 + 1,
        )
    };
    much("much code", 12, |function| {
        let body: String = (0..4000).map(|number| line(function * 4000 + number)).collect();
        let locals = "i64 ".repeat(14);
        format!(
            "(local {locals}) (local.set 13 (i64.extend_i32_u (local.get 0))) {body} (i64.store (i32.const 0) (local.get 3))"
        )
    })
}

/// The same with a hundred values, which registers do not hold.
fn spilled_code(functions: u32) -> Program {
    const LOCALS: u32 = 100;
    let line = |number: u32| {
        let [a, b, c] = [31, 57, 73].map(|step| number * step % LOCALS + 1);
        format!("(local.set {a} (i64.xor (i64.add (local.get {a}) (local.get {b})) (local.get {c})))")
    };
    much(&format!("much code with many locals, {functions} functions"), functions, |function| {
        let body: String = (0..4000).map(|number| line(function * 4000 + number)).collect();
        let each = |f: &dyn Fn(u32) -> String| (1..=LOCALS).map(f).collect::<String>();
        let begin = each(&|local| format!("(local.set {local} (i64.load (i32.const {})))", local * 8));
        let end = each(&|local| format!("(i64.store (i32.const {}) (local.get {local}))", local * 8));
        format!("(local {}) {begin} {body} {end}", "i64 ".repeat(100))
    })
}

/// Functions of a number, each called with the same one after the other.
fn much(name: &str, functions: u32, function: impl Fn(u32) -> String) -> Program {
    let each = |index: u32| format!("(func $f{index} (param i32) {})", function(index));
    let calls: String = (0..functions).map(|index| format!("(call $f{index} (local.get $i))")).collect();
    let (functions, code) = ((0..functions).map(each).collect::<String>(), looped(60, &calls));
    hostile(name, &module(1, &format!(r#"{functions} (func (export "call") (local $i i32) {code})"#)))
}

/// Branches over code that never runs, more of both than a processor remembers: none is predicted, and each leads to a line
/// that no near cache holds.
fn jumps_over_code() -> Program {
    let never = |number: u32| {
        let body = "(local.set $x (i64.rem_s (local.get $x) (local.get $y)))".repeat(3);
        format!("(if (i32.eq (local.get 0) (i32.const {})) (then {body}))", number + 1_000)
    };
    much("jumps over much code", 14, |function| {
        let body: String = (0..1900).map(|number| never(function * 1900 + number)).collect();
        format!(
            "(local $x i64) (local $y i64) (local.set $y (i64.extend_i32_u (local.get 0))) {body}
             (i64.store (i32.const 0) (local.get $x))"
        )
    })
}
