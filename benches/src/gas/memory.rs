//! Loads, stores, globals and pages.

use super::program::{MIDDLE_PAGES, NEAR_PAGES, PAGES, Program, RANDOM, hostile, looped, module};

pub(super) fn programs() -> Vec<Program> {
    let mut programs = vec![
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
    for (name, pages) in [("one page", 0), ("near", NEAR_PAGES), ("middle", MIDDLE_PAGES), ("far", PAGES)] {
        programs.extend([
            eight_at_once(
                &format!("eight loads, {name}"),
                pages,
                "(local.set $x (i64.add (local.get $x) (i64.load AT)))",
            ),
            eight_at_once(&format!("eight stores, {name}"), pages, "(i64.store AT (local.get $r))"),
            eight_at_once(&format!("eight loads and stores, {name}"), pages, "(i64.store AT (i64.load AT))"),
        ]);
    }
    programs
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
pub(super) fn walk(name: &str, kib: u32, functions: &str, rounds: u32, step: &str) -> Program {
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
pub(super) fn anywhere(pages: u32) -> String {
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

/// Eight accesses at random addresses that do not wait for each other.
fn eight_at_once(name: &str, pages: u32, access: &str) -> Program {
    let mask = if pages == 0 { 4096 - 16 } else { pages * 65_536 - 16 };
    let body: String = (0..8)
        .map(|number| {
            let at = format!(
                "(i32.and (i32.wrap_i64 (i64.rotl (local.get $r) (i64.const {}))) (i32.const {mask}))",
                number * 8 + 3
            );
            access.replace("AT", &at)
        })
        .collect();
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $r i64)
             (memory.fill (i32.const 0) (i32.const 1) (i32.const {})) {} (i64.store (i32.const 0) (local.get $x)))"#,
        pages.max(1) * 65_536,
        looped(300_000, &format!("{RANDOM} {body}"))
    );
    hostile(name, &module(pages.max(1), &fields))
}
