//! Programs of operators alone, each of the kind that makes a processor slow.

use super::{Class, Program};

/// The most that a memory can have; that a middle one can have, and a near one.
const PAGES: u32 = 1024;
const MIDDLE_PAGES: u32 = 64;
const NEAR_PAGES: u32 = 16;

pub(super) fn programs() -> Vec<Program> {
    let mut programs = vec![
        chain("division i64", 8, "(i64.or (i64.div_u (local.get $x) (local.get $y)) (i64.const -9000000000000000000))"),
        chain("remainder i64", 8, "(i64.or (i64.rem_s (local.get $x) (local.get $z)) (i64.const 4000000000000000000))"),
        chain(
            "division i32",
            8,
            "(i64.extend_i32_u (i32.or (i32.div_u (i32.wrap_i64 (local.get $x)) (i32.const 3)) (i32.const -9)))",
        ),
        chain(
            "multiplication i64",
            16,
            "(i64.mul (local.get $x) (local.tee $z (i64.xor (local.get $z) (local.get $x))))",
        ),
        chain("addition i64", 32, "(i64.add (local.get $x) (local.tee $z (i64.xor (local.get $z) (local.get $x))))"),
        chain("rotation i64", 32, "(i64.rotl (local.get $z) (local.tee $z (i64.add (local.get $z) (local.get $x))))"),
        chain("population count", 64, "(i64.popcnt (local.get $x))"),
        chain("select", 32, "(select (local.get $y) (local.get $z) (i32.wrap_i64 (local.get $x)))"),
        floats("division f64", 16, "(f64.div (local.get $a) (local.get $b))"),
        floats("square root f64", 16, "(f64.sqrt (f64.add (local.get $a) (local.get $b)))"),
        floats("addition f64", 32, "(f64.add (local.get $a) (local.get $b))"),
        floats("minimum f64", 32, "(f64.min (local.get $a) (local.get $b))"),
        floats("rounding f64", 32, "(f64.nearest (local.get $a))"),
        floats("copysign f64", 32, "(f64.copysign (local.get $a) (local.get $b))"),
        floats("product of subnormals", 16, "(f64.mul (local.get $s) (local.get $a))"),
        floats("sum of subnormals", 16, "(f64.add (local.get $s) (local.get $s))"),
        floats("quotient of subnormals", 16, "(f64.div (local.get $s) (local.get $a))"),
        floats("root of subnormals", 16, "(f64.sqrt (f64.mul (local.get $a) (local.get $s)))"),
        floats(
            "demotion to subnormals",
            16,
            "(f64.promote_f32 (f32.demote_f64 (f64.mul (local.get $t) (local.get $a))))",
        ),
        floats("truncation", 16, "(f64.convert_i64_u (i64.trunc_sat_f64_u (local.get $a)))"),
        floats(
            "conversion of NaN",
            16,
            "(f64.convert_i64_s (i64.trunc_sat_f64_s (f64.div (local.get $z) (local.get $z))))",
        ),
        vectors("swizzle", "(i8x16.swizzle (local.get $v) (local.get $w))"),
        vectors("i64x2.mul", "(i64x2.mul (local.get $v) (local.get $w))"),
        vectors("f64x2.div", "(f64x2.div (local.get $v) (local.get $w))"),
        vectors(
            "f64x2.div of subnormals",
            "(f64x2.div (v128.const f64x2 3e-310 4e-310) (v128.or (local.get $v) (v128.const f64x2 1 1)))",
        ),
        vectors("f32x4.sqrt", "(f32x4.sqrt (local.get $v))"),
        vectors("f32x4.max", "(f32x4.max (local.get $v) (local.get $w))"),
        vectors("f32x4.add, its bits seen", "(i32x4.add (f32x4.add (local.get $v) (local.get $w)) (local.get $w))"),
        vectors("f64x2.mul, its bits seen", "(v128.xor (f64x2.mul (local.get $v) (local.get $w)) (local.get $w))"),
        vectors("f64x2.nearest", "(f64x2.nearest (local.get $v))"),
        vectors("i32x4.trunc_sat_f32x4_u", "(i32x4.trunc_sat_f32x4_u (local.get $v))"),
        vectors("i8x16.shr_s", "(i8x16.shr_s (local.get $v) (i32.wrap_i64 (local.get $x)))"),
        vectors("i8x16.popcnt", "(i8x16.popcnt (local.get $v))"),
        vectors("i8x16.bitmask", "(i8x16.splat (i8x16.bitmask (local.get $v)))"),
        vectors("i64x2.abs", "(i64x2.abs (local.get $v))"),
        vectors("i64x2.gt_s", "(i64x2.gt_s (local.get $v) (local.get $w))"),
        vectors("i8x16.avgr_u", "(i8x16.avgr_u (local.get $v) (local.get $w))"),
        vectors("i32x4.dot_i16x8_s", "(i32x4.dot_i16x8_s (local.get $v) (local.get $w))"),
        vectors("i32x4.extract_lane", "(i32x4.splat (i32x4.extract_lane 3 (local.get $v)))"),
        vectors("i8x16.all_true", "(i8x16.splat (i8x16.all_true (local.get $v)))"),
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
        straight_code(),
        jumps_over_code(),
        store_and_load(),
        across_pages(),
        stores_across_pages("stores across pages", 1, ""),
        stores_across_pages("stores across pages, read", 1, "(local.set $x (i64.load32_u offset=AT (local.get $p)))"),
        stores_across_pages(
            "stores across one border, read",
            0,
            "(local.set $x (i64.load32_u offset=AT (local.get $p)))",
        ),
        globals(),
        growth(),
        first_touch(),
        copies("copies of one byte", 1, 200_000, 64),
        copies("copies of 4 KiB", 4096, 2_000, 64),
        copies("copies of 16 MiB", 16 << 20, 4, 32 << 20),
        fill(),
    ];
    for (name, kib) in [
        ("16 KiB", 16u32),
        ("256 KiB", 256),
        ("1 MiB", 1024),
        ("2 MiB", 2048),
        ("4 MiB", 4096),
        ("16 MiB", 16_384),
        ("63 MiB", 64_512),
    ] {
        programs.push(chase(name, kib));
    }
    for (name, pages) in [("near", NEAR_PAGES), ("middle", MIDDLE_PAGES), ("far", PAGES)] {
        programs.extend([
            random_loads(&format!("random loads, {name}"), pages, &anywhere(pages)),
            random_stores(&format!("random stores, {name}"), pages, &anywhere(pages)),
            random_loads(&format!("random loads across pages, {name}"), pages, &across(pages)),
            random_stores(&format!("random stores across pages, {name}"), pages, &across(pages)),
            branches_on_loads(name, pages),
            loops_left_by_loads(name, pages),
            choices_by_loads(name, pages),
        ]);
    }
    programs
}

/// Declared as large as it is.
fn module(pages: u32, fields: &str) -> String {
    format!(r#"(module (memory (export "memory") {pages} {pages}) {fields})"#)
}

fn hostile(name: &str, text: &str) -> Program {
    Program::new(name, Class::Adversarial, text)
}

/// `body`, so many times.
fn looped(times: u32, body: &str) -> String {
    format!(
        "(local.set $i (i32.const {times}))
         (loop $again {body} (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"
    )
}

/// `$x = f($x)`, again and again: each waits for the one before.
fn chain(name: &str, unrolled: usize, f: &str) -> Program {
    let body = format!("(local.set $x {f})").repeat(unrolled);
    let code = looped(400_000 / u32::try_from(unrolled).expect("small") * 4, &body);
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $y i64) (local $z i64)
             (local.set $x (i64.const -7)) (local.set $y (i64.const 3)) (local.set $z (i64.const 0x123456789abcdef))
             {code} (i64.store (i32.const 0) (local.get $x)))"#
    );
    hostile(name, &module(1, &fields))
}

fn floats(name: &str, unrolled: usize, f: &str) -> Program {
    let body = format!("(local.set $a {f})").repeat(unrolled);
    let code = looped(100_000, &body);
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $a f64) (local $b f64) (local $s f64) (local $t f64) (local $z f64)
             (local.set $a (f64.const 1.0000001)) (local.set $b (f64.const 1.0000002)) (local.set $s (f64.const 3e-310))
             (local.set $t (f64.const 1e-40))
             {code} (f64.store (i32.const 0) (local.get $a)))"#
    );
    hostile(name, &module(1, &fields))
}

fn vectors(name: &str, f: &str) -> Program {
    let body = format!("(local.set $v {f})").repeat(16);
    let code = looped(100_000, &body);
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $v v128) (local $w v128)
             (local.set $v (v128.const i32x4 0x3f800001 0x3f900002 0x3fa00003 0x3fb00004))
             (local.set $w (v128.const i32x4 0x3f810001 0x3f920002 0x3fa30003 0x3fb40004)) (local.set $x (i64.const 3))
             {code} (v128.store (i32.const 0) (local.get $v)))"#
    );
    hostile(name, &module(1, &fields))
}

/// The next random number in `$r`.
const RANDOM: &str =
    "(local.set $r (i64.add (i64.mul (local.get $r) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))";

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

/// Loads of what has just been written in pieces.
fn store_and_load() -> Program {
    let body =
        "(i32.store8 offset=3 (local.get $p) (i32.wrap_i64 (local.get $x))) (local.set $x (i64.load (local.get $p)))"
            .repeat(16);
    let code = looped(60_000, &body);
    let fields = format!(r#"(func (export "call") (local $i i32) (local $p i32) (local $x i64) {code})"#);
    hostile("loads of stores in pieces", &module(1, &fields))
}

/// Loads and stores across the borders of pages.
fn across_pages() -> Program {
    let body: String = (1..16)
        .map(|page| {
            let at = page * 4096 - 4;
            format!(
                "(i64.store offset={at} (local.get $p) (local.get $x)) (local.set $x (i64.load offset={at} (local.get $p)))
                 (local.set $p (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 63))))"
            )
        })
        .collect();
    let code = looped(60_000, &body);
    let fields = format!(r#"(func (export "call") (local $i i32) (local $p i32) (local $x i64) {code})"#);
    hostile("accesses across pages", &module(2, &fields))
}

/// Stores across borders of pages that are so far apart, each of which looks two pages up: nothing reads them, or the next operator
/// does.
fn stores_across_pages(name: &str, apart: u32, behind: &str) -> Program {
    let store = |number: u32| {
        let at = (number * apart + 1) * 4096 - 4;
        let behind = behind.replace("AT", &(at + 2).to_string());
        format!("(i64.store offset={at} (local.get $p) (local.get $x)) {behind}")
    };
    let code = looped(60_000, &(0..15).map(store).collect::<String>());
    let fields = format!(r#"(func (export "call") (local $i i32) (local $p i32) (local $x i64) {code})"#);
    hostile(name, &module(2, &fields))
}

fn globals() -> Program {
    let body = "(global.set $g (i64.add (global.get $g) (i64.const 7)))".repeat(32);
    let code = looped(60_000, &body);
    let fields = format!(r#"(global $g (mut i64) (i64.const 1)) (func (export "call") (local $i i32) {code})"#);
    hostile("globals", &module(1, &fields))
}

/// Every page that is asked for, touched.
fn growth() -> Program {
    let touch: String =
        (0..16).map(|part| format!("(i64.store offset={} (local.get $p) (i64.const 1))", part * 4096)).collect();
    let body = format!("(local.set $p (i32.mul (memory.grow (i32.const 1)) (i32.const 65536))) {touch}");
    let fields = format!(r#"(func (export "call") (local $i i32) (local $p i32) {})"#, looped(1000, &body));
    hostile("growth page by page", &format!(r#"(module (memory (export "memory") 1 {PAGES}) {fields})"#))
}

/// A memory that is large from the beginning, touched once.
fn first_touch() -> Program {
    let body = "(i64.store (local.get $p) (i64.const 1)) (local.set $p (i32.add (local.get $p) (i32.const 4096)))";
    let fields = format!(r#"(func (export "call") (local $i i32) (local $p i32) {})"#, looped(PAGES * 16, body));
    Program { with_instance: true, ..hostile("first touch", &module(PAGES, &fields)) }
}

fn copies(name: &str, bytes: u32, times: u32, from: u32) -> Program {
    let code = looped(times, &format!("(memory.copy (i32.const {from}) (i32.const 8) (i32.const {bytes}))"));
    hostile(name, &module(PAGES, &format!(r#"(func (export "call") (local $i i32) {code})"#)))
}

fn fill() -> Program {
    let code = looped(4, "(memory.fill (i32.const 0) (local.get $i) (i32.const 67108864))");
    hostile("filling 64 MiB", &module(PAGES, &format!(r#"(func (export "call") (local $i i32) {code})"#)))
}

/// A walk by loads.
fn chase(name: &str, kib: u32) -> Program {
    walk(name, kib, "", 1 << 17, "(i32.load (i32.shl (local.get $p) (i32.const 6)))")
}

/// A walk through a random cycle of cache lines, sixteen steps in a round; `step` says where `$p` leads.
fn walk(name: &str, kib: u32, functions: &str, rounds: u32, step: &str) -> Program {
    let lines = kib * 16;
    // Sattolo's shuffle of the identity is one cycle.
    let fill = "(i32.store (i32.shl (local.get $j) (i32.const 6)) (local.get $j))
         (local.set $j (i32.add (local.get $j) (i32.const 1)))";
    let swap = format!(
        "(local.set $j (local.get $i)) {RANDOM}
         (local.set $k (i32.rem_u (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 33))) (local.get $j)))
         (local.set $t (i32.load (i32.shl (local.get $j) (i32.const 6))))
         (i32.store (i32.shl (local.get $j) (i32.const 6)) (i32.load (i32.shl (local.get $k) (i32.const 6))))
         (i32.store (i32.shl (local.get $k) (i32.const 6)) (local.get $t))"
    );
    let steps = format!("(local.set $p {step})").repeat(16);
    let fields = format!(
        r#"{functions}
           (func (export "call") (local $i i32) (local $j i32) (local $k i32) (local $t i32) (local $p i32) (local $r i64)
             {} {} {} (i32.store (i32.const 0) (local.get $p)))"#,
        looped(lines, fill),
        looped(lines - 1, &swap),
        looped(rounds, &steps)
    );
    hostile(&format!("pointers through {name}"), &module(kib.div_ceil(64), &fields))
}

/// Where anything in a memory of so many pages may be, at a multiple of 16.
fn anywhere(pages: u32) -> String {
    format!("(i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.const {}))", pages * 65_536 - 16)
}

/// A program that does this again and again, in a memory that has been touched.
fn scattered(name: &str, pages: u32, body: &str) -> Program {
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $r i64)
             (memory.fill (i32.const 0) (i32.const 1) (i32.const {})) {} (i64.store (i32.const 0) (local.get $x)))"#,
        pages * 65_536,
        looped(2_000_000, body)
    );
    hostile(name, &module(pages, &fields))
}

/// Loads at addresses that do not wait for each other.
fn random_loads(name: &str, pages: u32, at: &str) -> Program {
    let body = format!("{RANDOM} (local.set $x (i64.add (local.get $x) (i64.load {at})))");
    scattered(name, pages, &body)
}

fn random_stores(name: &str, pages: u32, at: &str) -> Program {
    scattered(name, pages, &format!("{RANDOM} (i64.store {at} (local.get $r))"))
}

/// An address from which eight bytes lie in two pages of 4 KiB.
fn across(pages: u32) -> String {
    let page = pages * 65_536 - 8_192;
    format!(
        "(i32.add (i32.const 4092) (i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.const {page})))"
    )
}

/// Branches on what was loaded from anywhere: where they are not predicted, what comes next waits for it.
fn branches_on_loads(name: &str, pages: u32) -> Program {
    let at = anywhere(pages);
    let body = format!(
        "{RANDOM} (block
           (br_if 0 (i32.and (i32.const 1) (i32.wrap_i64 (i64.xor (i64.load {at}) (i64.shr_u (local.get $r) (i64.const 63))))))
           (local.set $x (i64.add (local.get $x) (local.get $r))))"
    );
    scattered(&format!("branches on random loads, {name}"), pages, &body)
}

/// Loops of one round that are left before its end by what was loaded from anywhere.
fn loops_left_by_loads(name: &str, pages: u32) -> Program {
    let at = anywhere(pages);
    let body = format!(
        "{RANDOM} (block $out (loop
           (br_if $out (i32.and (i32.const 1) (i32.wrap_i64 (i64.xor (i64.load {at}) (i64.shr_u (local.get $r) (i64.const 63))))))
           (local.set $x (i64.add (local.get $x) (local.get $r)))))"
    );
    scattered(&format!("loops left by random loads, {name}"), pages, &body)
}

/// Each load is where the last one says, by one bit that a comparison gives: as long a way as through pointers.
fn choices_by_loads(name: &str, pages: u32) -> Program {
    let at = anywhere(pages);
    let body = format!(
        "{RANDOM} (local.set $x (i64.extend_i32_u (i64.lt_u (i64.const 7)
           (i64.load (i32.add {at} (i32.shl (i32.wrap_i64 (local.get $x)) (i32.const 2)))))))"
    );
    scattered(&format!("loads by comparison, {name}"), pages, &body)
}
