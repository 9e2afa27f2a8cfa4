//! The modules that are called and compiled.

use std::fmt::Write as _;

/// Does nothing.
pub const EMPTY: &str = r#"(module (memory (export "memory") 1) (func (export "call")))"#;

/// Adds one to a number that is stored.
pub const STORAGE: &str = r#"(module
  (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
  (import "storage" "set" (func $set (param i32 i32 i32 i32) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "counter")
  (func (export "call")
    (drop (call $get (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 8)))
    (i64.store (i32.const 16) (i64.add (i64.load (i32.const 16)) (i64.const 1)))
    (drop (call $set (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 8)))))"#;

/// A module of so many functions with what compiled programs are made of: loops, branches, memory, calls, integers and
/// some floats. The same every time.
pub(crate) fn ordinary(functions: usize) -> String {
    let mut numbers = Numbers(1);
    let mut text =
        r#"(module (memory (export "memory") 2) (table 16 funcref) (type $f (func (param i64 i32) (result i64)))"#
            .to_owned();
    for index in 0..functions {
        let body: String = (0..24).map(|_| statement(&mut numbers, index)).collect();
        write!(
            text,
            "(func $f{index} (type $f) (local $a i64) (local $b i64) (local $c i32) (local $x f64) (local $y f64)
               (local.set $a (local.get 0)) (local.set $c (local.get 1))
               (loop $again {body}
                 (br_if $again (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
               (i64.xor (local.get $a) (i64.add (local.get $b) (i64.reinterpret_f64 (local.get $y)))))"
        )
        .expect("writing to memory");
    }
    text.push_str("(elem (i32.const 0)");
    (0..functions.min(16)).for_each(|index| write!(text, " $f{index}").expect("writing to memory"));
    text.push_str(r#") (func (export "call") (drop (call $f0 (i64.const 1) (i32.const 1)))))"#);
    text
}

fn statement(numbers: &mut Numbers, index: usize) -> String {
    let constant = numbers.below(1 << 20);
    let operator = ["add", "mul", "sub", "and", "xor", "shl", "rotl", "shr_u"][numbers.below(8)];
    let (to, from) = (["a", "b"][numbers.below(2)], ["a", "b"][numbers.below(2)]);
    let address = format!("(i32.and (local.get $c) (i32.const {}))", numbers.below(1 << 15));
    match numbers.below(9) {
        0 | 1 => format!("(local.set ${to} (i64.{operator} (local.get ${from}) (i64.const {constant})))"),
        2 => format!("(local.set ${to} (i64.{operator} (local.get $a) (local.get $b)))"),
        3 => format!("(i64.store offset={} {address} (local.get ${from}))", numbers.below(4096)),
        4 => format!("(local.set ${to} (i64.load offset={} {address}))", numbers.below(4096)),
        5 => format!(
            "(if (i64.lt_s (local.get $a) (i64.const {constant})) (then (local.set $b (i64.{operator} (local.get $b) (local.get $a))))
               (else (i32.store8 {address} (local.get $c))))"
        ),
        6 => format!("(local.set $x (f64.add (local.get $y) (f64.convert_i64_s (local.get ${from})))) (local.set $y (f64.mul (local.get $x) (f64.const 0.5)))"),
        7 if index > 0 => format!("(local.set ${to} (call $f{} (local.get ${from}) (i32.const 1)))", numbers.below(index)),
        _ => format!(
            "(local.set ${to} (select (local.get $a) (local.get $b) (i32.gt_u (local.get $c) (i32.const {}))))",
            numbers.below(1000)
        ),
    }
}

/// A linear congruential generator (Knuth's MMIX constants), upper bits.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, STORAGE, ordinary};
    use crate::calls::raw::Raw;
    use crate::deployed::Deployed;

    #[test]
    fn contracts_do_the_same_here_and_on_plain_wasmtime() {
        for text in [EMPTY, STORAGE] {
            let raw = Raw::new(&wat::parse_str(text).unwrap()).unwrap().call().unwrap();
            let written = Deployed::new(text).stored();
            assert_eq!(raw.into_values().collect::<Vec<_>>(), written);
        }
        assert_eq!(Deployed::new(STORAGE).stored(), [1u64.to_le_bytes()]);
    }

    #[test]
    fn the_generated_module_is_a_contract_of_some_size() {
        let code = wat::parse_str(ordinary(80)).unwrap();
        assert!((10_000..200_000).contains(&code.len()), "{} bytes", code.len());
        assert!(Deployed::of_code(&code).is_ok());
        assert_eq!(ordinary(5), ordinary(5));
    }
}
