//! Operators that compute: each waiting for the one before, and many that wait for none.

use super::program::{Program, hostile, looped, module};

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
        chain("reinterpretation", 32, "(i64.reinterpret_f64 (f64.reinterpret_i64 (local.get $x)))"),
        chain(
            "reinterpretation and sums",
            32,
            "(i64.add (i64.const 1) (i64.reinterpret_f64 (f64.reinterpret_i64 (i64.xor (local.get $z) (local.get $x)))))",
        ),
        chain("shift of sums", 32, "(i64.shl (local.get $z) (local.tee $x (i64.add (local.get $y) (local.get $x))))"),
        chain("shift i64", 32, "(i64.shr_u (local.get $z) (i64.shl (local.get $z) (local.get $x)))"),
        chain(
            "comparisons",
            32,
            "(i64.extend_i32_u (i64.lt_u (local.get $x) (i64.extend_i32_u (i64.lt_u (local.get $z) (local.get $x)))))",
        ),
        chain("counts of zeros", 32, "(i64.clz (i64.ctz (local.get $x)))"),
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
        floats("comparisons f64", 32, "(f64.convert_i32_u (f64.lt (local.get $a) (local.get $b)))"),
        floats("choice f64", 32, "(select (local.get $a) (local.get $b) (f64.lt (local.get $b) (local.get $a)))"),
        in_turn("two chains in turn", 8),
        in_turn("two chains in turn, long", 40),
    ];
    for lanes in [8, 48] {
        programs.extend([
            many("addition i64", lanes, "i64", "(i64.add (local.get $x) (local.get $y))"),
            many("exclusive or i64", lanes, "i64", "(i64.xor (local.get $x) (i64.const 0x123456789abcdef))"),
            many("rotation i64", lanes, "i64", "(i64.rotl (local.get $x) (local.get $y))"),
            many("comparison i64", lanes, "i64", "(i64.extend_i32_u (i64.lt_s (local.get $x) (local.get $y)))"),
            many("multiplication i64", lanes, "i64", "(i64.mul (local.get $x) (local.get $y))"),
            many("population count", lanes, "i64", "(i64.popcnt (local.get $x))"),
            many("select", lanes, "i64", "(select (local.get $x) (local.get $y) (i32.wrap_i64 (local.get $x)))"),
            many(
                "remainder i64",
                lanes,
                "i64",
                "(i64.or (i64.rem_s (local.get $x) (local.get $y)) (i64.const 4000000000000000000))",
            ),
            many("addition f64", lanes, "f64", "(f64.add (local.get $x) (local.get $y))"),
            many("product f64", lanes, "f64", "(f64.mul (local.get $x) (local.get $y))"),
            many("minimum f64", lanes, "f64", "(f64.min (local.get $x) (local.get $y))"),
            many("rounding f64", lanes, "f64", "(f64.nearest (local.get $x))"),
            many("truncation", lanes, "f64", "(f64.convert_i64_u (i64.trunc_sat_f64_u (local.get $x)))"),
            many("quotient f64", lanes, "f64", "(f64.div (local.get $x) (local.get $y))"),
            many("quotient of subnormals", lanes, "f64", "(f64.div (f64.const 3e-310) (local.get $x))"),
            many("swizzle", lanes, "v128", "(i8x16.swizzle (local.get $x) (local.get $y))"),
            many("i64x2.mul", lanes, "v128", "(i64x2.mul (local.get $x) (local.get $y))"),
            many("i32x4.add", lanes, "v128", "(i32x4.add (local.get $x) (local.get $y))"),
            many("f32x4.max", lanes, "v128", "(f32x4.max (local.get $x) (local.get $y))"),
            many("f32x4.add", lanes, "v128", "(i32x4.add (f32x4.add (local.get $x) (local.get $y)) (local.get $y))"),
            many("f64x2.nearest", lanes, "v128", "(f64x2.nearest (local.get $x))"),
            many("i32x4.trunc_sat_f32x4_u", lanes, "v128", "(i32x4.trunc_sat_f32x4_u (local.get $x))"),
            many("i8x16.shr_s", lanes, "v128", "(i8x16.shr_s (local.get $x) (local.get $i))"),
            many("i8x16.popcnt", lanes, "v128", "(i8x16.popcnt (local.get $x))"),
            many("i8x16.bitmask", lanes, "v128", "(i8x16.splat (i8x16.bitmask (local.get $x)))"),
        ]);
    }
    programs
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

/// `$x = f($x)` in so many locals, none of which waits for another: registers hold eight, and not 48.
fn many(name: &str, lanes: usize, ty: &str, f: &str) -> Program {
    let body: String = (0..lanes)
        .map(|lane| format!("(local.set $x{lane} {})", f.replace("$x", &format!("$x{lane}"))))
        .collect::<String>()
        .repeat(64 / lanes.min(64));
    let locals: String = (0..lanes).map(|lane| format!("(local $x{lane} {ty})")).collect();
    let constant = |number: usize| match ty {
        "v128" => format!("(v128.const i32x4 0x3f8{number:02x}001 0x3f9{number:02x}002 0x3fa00003 0x3fb00004)"),
        "f64" => format!("(f64.const 1.00{number}1)"),
        _ => format!("(i64.const 0x123456789{number:03x})"),
    };
    let begin: String = (0..lanes).map(|lane| format!("(local.set $x{lane} {})", constant(lane))).collect();
    let end: String = (0..lanes)
        .map(|lane| format!("({ty}.store offset={} (i32.const 0) (local.get $x{lane}))", lane * 16))
        .collect();
    let code = looped(40_000, &body);
    let fields = format!(
        r#"(func (export "call") (local $i i32) {locals} (local $y {ty}) {begin} (local.set $y {}) {code} {end})"#,
        constant(77)
    );
    hostile(&format!("{lanes} of {name}"), &module(1, &fields))
}

/// So many products, each waiting for the one before, and then as many of another number.
fn in_turn(name: &str, length: usize) -> Program {
    let of = |x: &str| {
        format!("(local.set {x} (i64.xor (i64.mul (local.get {x}) (local.get {x})) (local.get $z)))").repeat(length)
    };
    let code = looped(100_000, &format!("{}{}", of("$x"), of("$y")));
    let fields = format!(
        r#"(func (export "call") (local $i i32) (local $x i64) (local $y i64) (local $z i64)
             (local.set $x (i64.const -7)) (local.set $y (i64.const 3)) (local.set $z (i64.const 0x123456789abcdef))
             {code} (i64.store (i32.const 0) (i64.xor (local.get $x) (local.get $y))))"#
    );
    hostile(name, &module(1, &fields))
}
