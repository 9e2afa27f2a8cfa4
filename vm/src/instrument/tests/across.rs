//! Which stores may lie across two pages.

use super::stores_across;

/// Of each store of a function, whether it may.
fn across(body: &str) -> Vec<bool> {
    let text = format!(
        r#"(module (memory (export "memory") 1 1) (func (export "call"))
             (func (export "f") (param $p i32) (param $q i32) (local $v v128) {body}))"#
    );
    stores_across(&text, 0)
}

/// A store of eight bytes behind `$p`.
fn at(offset: u32) -> String {
    format!("(i64.store offset={offset} (local.get $p) (i64.const 0))")
}

fn all(offsets: &[u32]) -> Vec<bool> {
    across(&offsets.iter().map(|offset| at(*offset)).collect::<String>())
}

#[test]
fn of_stores_near_one_address_the_first_may() {
    assert_eq!(all(&[0, 8, 16, 4088]), [true, false, false, false]);
    assert_eq!(all(&[4088, 4080, 0]), [true, false, false]);
    assert_eq!(all(&[100, 108, 92, 4188 - 8, 84]), [true, false, false, false, true]);
    // Over what is there, in between, and too far away.
    assert_eq!(all(&[0, 0, 4, 12]), [true, true, true, false]);
    assert_eq!(all(&[0, 100, 50]), [true, false, true]);
    assert_eq!(all(&[0, 4089]), [true, true]);
    assert_eq!(all(&[4089, 0]), [true, true]);
    assert_eq!(all(&[4, 8192 - 4, 8192 + 4, 4]), [true, true, false, true]);
}

#[test]
fn as_long_as_the_address_is_the_same() {
    let two = |between: &str| across(&format!("{} {between} {}", at(0), at(8)));
    for same in [
        "",
        "(local.set $q (i32.const 5))",
        "(i64.store (local.get $q) (i64.const 1))",
        "(i32.store8 (local.get $p) (i32.const 1))",
        "(block nop)",
        "(drop (i32.load (local.get $p)))",
    ] {
        let found = two(same);
        assert_eq!((found.first(), found.last()), (Some(&true), Some(&false)), "{same}");
    }
    for other in [
        "(local.set $p (i32.add (local.get $p) (i32.const 8)))",
        "(local.set $p (local.get $p))",
        "(block (br_if 0 (local.get $q)))",
        "(if (local.get $q) (then))",
    ] {
        assert_eq!(two(other), [true, true], "{other}");
    }
    assert_eq!(across(&format!("{} (loop {})", at(0), at(8))), [true, true]);
    // What the local was before it was set is another address; what it was set to is one.
    assert_eq!(
        across(&format!("(local.get $p) (local.set $p (local.get $q)) (i64.store (i64.const 1)) {}", at(8))),
        [true, true]
    );
    assert_eq!(across(&format!("(i64.store (local.tee $p (local.get $q)) (i64.const 1)) {}", at(8))), [true, false]);
}

#[test]
fn other_addresses() {
    // Computed: nothing is known.
    let computed = "(i64.store (i32.add (local.get $p) (i32.const 8)) (i64.const 0))";
    assert_eq!(across(&computed.repeat(2)), [true, true]);
    // Constants say it themselves.
    let constant =
        |address: u32, offset: u32| format!("(i64.store offset={offset} (i32.const {address}) (i64.const 0))");
    for (address, offset, expected) in
        [(0, 0, false), (4088, 0, false), (4089, 0, true), (4000, 88, false), (4000, 89, true), (4095, 1, false)]
    {
        assert_eq!(across(&constant(address, offset)), [expected], "{address} + {offset}");
    }
    // One byte is in one page; of others it depends on how many they are.
    let one = "(i32.store8 (local.get $p) (i32.const 0)) (i64.store8 (local.get $q) (i64.const 0))
               (v128.store8_lane 3 (local.get $q) (local.get $v))";
    assert_eq!(across(one), [false, false, false]);
    for (store, value, bytes) in [
        ("i32.store16", "(i32.const 0)", 2),
        ("i64.store16", "(i64.const 0)", 2),
        ("v128.store16_lane 1", "(local.get $v)", 2),
        ("i32.store", "(i32.const 0)", 4),
        ("f32.store", "(f32.const 0)", 4),
        ("i64.store32", "(i64.const 0)", 4),
        ("v128.store32_lane 1", "(local.get $v)", 4),
        ("i64.store", "(i64.const 0)", 8),
        ("f64.store", "(f64.const 0)", 8),
        ("v128.store64_lane 1", "(local.get $v)", 8),
        ("v128.store", "(local.get $v)", 16),
    ] {
        let last = 4096 - bytes;
        let (name, lane) = store.split_once(' ').unwrap_or((store, ""));
        let put = |address: i32| format!("({name} {lane} (i32.const {address}) {value})");
        assert_eq!(across(&(put(last) + &put(last + 1))), [false, true], "{store}");
    }
    // Where the stack of dead code has no address.
    assert_eq!(across("unreachable (i64.const 0) (i64.store)"), [true]);
}
