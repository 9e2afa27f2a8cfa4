//! Entering a contract that is running: refused, unless its code has an entry point for it.

use noema_abi::Status;
use noema_vm::Address;

use super::world::{World, faulted, module, succeeded};

/// The input is a path of addresses: the first is called with the rest; with no input it returns a letter: `c` from
/// `call`, `v` from `view`, `C` and `V` from their re-entrant twins, if it has them. What came of the call is returned
/// behind its result in 8 bytes.
fn node(reentrant: &[&str]) -> Vec<u8> {
    let entry = |name: &str| {
        let letter = match name {
            "call" => b'c',
            "view" => b'v',
            "call_reentrant" => b'C',
            _ => b'V',
        };
        format!(r#"(func (export "{name}") (call $go (i32.const {letter})))"#)
    };
    let entries: String = ["call", "view"].iter().chain(reentrant).map(|name| entry(name)).collect();
    module(&format!(
        r#"(func $go (param $letter i32)
             (i32.store8 (i32.const 1000) (local.get $letter))
             (if (i64.eqz (call $input_len)) (then (drop (call $output (i32.const 1000) (i32.const 1))) return))
             (drop (call $input_read (i32.const 0) (i32.const 0) (i32.const 500)))
             (i64.store (i32.const 2000)
               (call $contract (i32.const 0) (i32.const 900) (i64.const 900000000000) (i32.const 32)
                 (i32.sub (i32.wrap_i64 (call $input_len)) (i32.const 32)) (i32.const 2008) (i32.const 200)))
             (drop (call $output (i32.const 2000)
               (i32.add (i32.const 8)
                 (i32.wrap_i64 (call $output_read (i32.const 0) (i32.const 2008) (i32.const 200)))))))
           {entries}"#
    ))
}

fn path(contracts: &[Address]) -> Vec<u8> {
    contracts.iter().flat_map(|contract| contract.0).collect()
}

/// What the innermost call returned: the letter, or the status.
fn innermost(mut output: &[u8]) -> Result<u8, Status> {
    while output.len() > 8 {
        output = &output[8..];
    }
    match output {
        [letter] => Ok(*letter),
        _ => Err(Status::from_return(i64::from_le_bytes(output.try_into().unwrap())).unwrap_err()),
    }
}

#[test]
fn a_running_contract_is_entered_only_where_its_code_says_so() {
    let mut world = World::new();
    let closed = world.deploy(&node(&[]));
    let open = world.deploy(&node(&["call_reentrant"]));
    let open_view = world.deploy(&node(&["view_reentrant"]));
    for (route, call, view) in [
        (vec![closed], Ok(b'c'), Ok(b'v')),
        (vec![closed, closed], Err(Status::Reentrant), Err(Status::Reentrant)),
        // The twin of the other kind does not help.
        (vec![open, open], Ok(b'C'), Err(Status::Reentrant)),
        (vec![open_view, open_view], Err(Status::Reentrant), Ok(b'V')),
        // Through another one.
        (vec![open, closed, open], Ok(b'C'), Err(Status::Reentrant)),
        (vec![closed, open, closed], Err(Status::Reentrant), Err(Status::Reentrant)),
        // Who is not running is entered by the usual door.
        (vec![closed, open], Ok(b'c'), Ok(b'v')),
        // Again and again.
        (vec![open, open, closed, open, open], Ok(b'C'), Err(Status::Reentrant)),
    ] {
        let (first, rest) = (route[0], path(&route[1..]));
        assert_eq!(innermost(&succeeded(&world.call(first, &rest)).output), call, "{route:?}");
        assert_eq!(innermost(&succeeded(&world.view(first, &rest)).output), view, "{route:?}");
    }
    // Re-entrance counts for the depth like everything else.
    let deep = succeeded(&world.call(open, &path(&[open; 15]))).output.clone();
    assert_eq!((deep.len() / 8, innermost(&deep)), (10, Err(Status::CallDepth)));
}

/// Adds to `n`: once before it calls itself with the rest of its input, once after. The inner call fails at the end if
/// its first byte says so.
#[test]
fn a_re_entered_contract_sees_and_undoes_what_is_its_own() {
    let mut world = World::new();
    let add = r#"
        (drop (call $get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)))
        (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (i32.const 1)))
        (drop (call $set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)))"#;
    let contract = world.deploy(&module(&format!(
        r#"(data (i32.const 0) "n")
           (func (export "call")
             {add} (drop (call $input_read (i32.const 0) (i32.const 64) (i32.const 1)))
             (drop (call $self (i32.const 32)))
             (i64.store (i32.const 100)
               (call $contract (i32.const 32) (i32.const 900) (i64.const 1000000000) (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0)))
             {add} (drop (call $output (i32.const 100) (i32.const 8))))
           (func (export "call_reentrant")
             {add} (drop (call $input_read (i32.const 0) (i32.const 64) (i32.const 1)))
             (if (i32.eq (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable)))"#
    )));
    assert_eq!(succeeded(&world.call(contract, &[0])).output, 0i64.to_le_bytes());
    assert_eq!(world.stored(&contract, b"n"), Some(&[3][..]));
    assert_eq!(succeeded(&world.call(contract, &[1])).output, Status::CallFaulted.to_return().to_le_bytes());
    assert_eq!(world.stored(&contract, b"n"), Some(&[5][..]), "the inner one's is undone, the outer one's stays");
}

#[test]
fn a_view_that_re_enters_still_changes_nothing() {
    let mut world = World::new();
    let contract = world.deploy(&module(
        r#"(func (export "view")
             (drop (call $self (i32.const 32)))
             (i64.store (i32.const 100)
               (call $contract (i32.const 32) (i32.const 900) (i64.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
             (drop (call $output (i32.const 100) (i32.const 8))))
           (func (export "view_reentrant") (drop (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))))"#,
    ));
    let outcome = world.view(contract, &[]);
    assert_eq!(succeeded(&outcome).output, Status::CallFaulted.to_return().to_le_bytes());
    assert!(outcome.writes.is_empty());
    // From outside nobody enters by the inner door.
    let only_inner = world.deploy(&module(r#"(func (export "call_reentrant")) (func (export "view_reentrant"))"#));
    assert_eq!(super::world::rejected(&world.call(only_inner, &[])), noema_vm::Rejection::NoEntryPoint);
    assert_eq!(super::world::rejected(&world.view(only_inner, &[])), noema_vm::Rejection::NoEntryPoint);
}

#[test]
fn re_entrant_entry_points_are_checked_like_the_others() {
    for fields in [
        r#"(func (export "call_reentrant") (param i32))"#,
        r#"(func (export "view_reentrant") (result i32) i32.const 0)"#,
        r#"(global (export "call_reentrant") i32 (i32.const 0))"#,
        r#"(export "view_reentrant" (func $gas_left))"#,
    ] {
        let error = noema_vm::admit(noema_abi::ProtocolVersion::V1, &module(fields)).unwrap_err().to_string();
        assert!(error.contains("_reentrant"), "{error}");
    }
    let admitted = noema_vm::admit(noema_abi::ProtocolVersion::V1, &node(&["call_reentrant"])).unwrap();
    assert!(admitted.entry_points.call_reentrant && !admitted.entry_points.view_reentrant);
    // Endless recursion through the guest's own twin ends like any other.
    let mut world = World::new();
    let contract =
        world.deploy(&module(r#"(func $go (export "call") (call $go)) (func (export "call_reentrant") (call $go))"#));
    faulted(&world.call(contract, &[]), "stack");
}
