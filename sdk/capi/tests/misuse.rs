//! What callers do wrong: null pointers, impossible lengths, callbacks that fail. Each gets an error and loses nothing.
#![allow(unsafe_code, reason = "the other side of a C interface")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use noema_capi::noema_result::{NOEMA_INVALID_ARGUMENT, NOEMA_NODE_FAILED, NOEMA_OK};
use noema_capi::*;

const ROW: &str =
    "0x8001 mychain.act(what: u32, data: bytes, wide: out, fixed: out16) -> u64 since 1 price(1000, 10, 7)";
const GAS: u64 = 100_000_000_000;
const ALICE: noema_address = noema_address { bytes: [0xa1; 32] };
const NOTHING: noema_u128 = noema_u128 { low: 0, high: 0 };
const NO_BYTES: noema_slice = noema_slice { data: null(), len: 0 };

fn slice(bytes: &[u8]) -> noema_slice {
    noema_slice { data: bytes.as_ptr(), len: bytes.len() }
}

/// Runs a function with a place for its message, and returns both.
fn told(run: impl FnOnce(*mut *mut c_char) -> noema_result) -> (noema_result, String) {
    let mut error = null_mut();
    let result = run(&raw mut error);
    let text = if error.is_null() {
        String::new()
    } else {
        // SAFETY: a string of the library.
        unsafe { CStr::from_ptr(error) }.to_str().unwrap().to_owned()
    };
    assert_eq!(result == NOEMA_OK, text.is_empty(), "{result:?} {text:?}");
    // SAFETY: given back once.
    unsafe { noema_string_free(error) };
    (result, text)
}

#[track_caller]
fn invalid(what: &str, run: impl FnOnce(*mut *mut c_char) -> noema_result) {
    let (result, text) = told(run);
    assert_eq!(result, NOEMA_INVALID_ARGUMENT, "{text}");
    assert!(text.contains(what), "{text:?} does not contain {what:?}");
}

/// A state of which the test decides how it fails.
#[derive(Default)]
struct World {
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Fails,
    FailsWithText,
    TwoValues,
    EntryForValue,
    ValueForEntries,
    NullValue,
    Unordered,
    Twice,
    OtherPrefix,
    BelowStart,
    TooMany,
    HugeLength,
}

unsafe extern "C" fn get(context: *mut c_void, key: noema_slice, reply: *mut noema_reply) -> i32 {
    // SAFETY: the test passes its world, and the library a readable key.
    unsafe {
        let world = &*context.cast::<World>();
        let key = std::slice::from_raw_parts(key.data, key.len);
        if key[0] == b's' {
            match world.wrong {
                Some(Wrong::Fails) => return 7,
                Some(Wrong::FailsWithText) => {
                    noema_reply_fail(reply, slice("the cable is cut".as_bytes()));
                    return 1;
                }
                Some(Wrong::TwoValues) => noema_reply_value(reply, slice(b"one")),
                Some(Wrong::EntryForValue) => noema_reply_entry(reply, slice(b"s"), slice(b"v")),
                Some(Wrong::NullValue) => noema_reply_value(reply, noema_slice { data: null(), len: 3 }),
                Some(Wrong::HugeLength) => {
                    noema_reply_value(reply, noema_slice { data: key.as_ptr(), len: usize::MAX });
                }
                _ => {}
            }
            if world.wrong == Some(Wrong::TwoValues) {
                noema_reply_value(reply, slice(b"two"));
            }
        }
        // A reply that is null is no reason to crash.
        noema_reply_value(null_mut(), slice(b"nowhere"));
        noema_reply_entry(null_mut(), NO_BYTES, NO_BYTES);
        noema_reply_fail(null_mut(), NO_BYTES);
        if let Some(value) = world.state.get(key) {
            noema_reply_value(reply, slice(value));
        }
        0
    }
}

unsafe extern "C" fn scan(
    context: *mut c_void,
    prefix: noema_slice,
    start: noema_slice,
    limit: usize,
    reply: *mut noema_reply,
) -> i32 {
    // SAFETY: as in `get`.
    unsafe {
        let world = &*context.cast::<World>();
        let read = |slice: noema_slice| std::slice::from_raw_parts(slice.data, slice.len).to_vec();
        let (prefix, start) = (read(prefix), read(start));
        let with = |end: &[u8]| [&prefix[..], end].concat();
        let put = |key: &[u8]| noema_reply_entry(reply, slice(key), slice(b"v"));
        match world.wrong {
            Some(Wrong::Fails) => return -1,
            Some(Wrong::ValueForEntries) => noema_reply_value(reply, slice(b"v")),
            Some(Wrong::Unordered) => {
                put(&with(b"z"));
                put(&with(b"y"));
            }
            Some(Wrong::Twice) => {
                put(&with(b"z"));
                put(&with(b"z"));
            }
            Some(Wrong::OtherPrefix) => put(b"zzz"),
            Some(Wrong::BelowStart) => put(&prefix),
            Some(Wrong::TooMany) => (0..=limit).for_each(|i| put(&with(&[b'z', u8::try_from(i).unwrap()]))),
            _ => {}
        }
        let found = world.state.iter().filter(|(key, _)| key.starts_with(&prefix) && **key >= start).take(limit);
        for (key, value) in found {
            noema_reply_entry(reply, slice(key), slice(value));
        }
        0
    }
}

/// Does what its first argument says.
unsafe extern "C" fn act(
    _: *mut c_void,
    call: *mut noema_call,
    arguments: *const noema_argument,
    count: usize,
    result: *mut u64,
) -> i32 {
    // SAFETY: the library passes what its documentation says.
    unsafe {
        let arguments = std::slice::from_raw_parts(arguments, count);
        let [what, data, wide, fixed] = arguments else { return -1 };
        assert_eq!((wide.capacity, fixed.capacity), (32, 16));
        *result = 11;
        let key = slice(b"key");
        let mut value = NO_BYTES;
        match what.number {
            0 => {
                assert_eq!(noema_call_write(call, 2, data.bytes), 0);
                assert_eq!(noema_call_write(call, 3, slice(&[9; 16])), 0);
                0
            }
            1 => NOEMA_STATUS_NOT_FOUND,
            2 => 4711,
            3 => -3,
            4 => noema_call_fail(call, slice(b"no disk")),
            5 => noema_call_abort(call, 42, slice(b"so be it")),
            6 => {
                // The abort stands, whatever comes after it.
                noema_call_abort(call, 43, NO_BYTES);
                assert!(noema_call_fail(call, NO_BYTES) < 0 && noema_call_set(call, key, key) < 0);
                0
            }
            7 => noema_call_charge(call, 3),
            8 => {
                noema_call_charge(call, u64::MAX);
                0
            }
            9 => {
                assert_eq!(noema_call_get(call, key, &raw mut value), 0);
                if noema_call_set(call, key, slice(b"value")) < 0 {
                    return 0; // in a view; what is returned means nothing
                }
                assert_eq!(noema_call_get(call, key, &raw mut value), 1);
                assert_eq!(std::slice::from_raw_parts(value.data, value.len), b"value");
                assert_eq!(noema_call_remove(call, key), 0);
                assert_eq!(noema_call_emit(call, key, key), 0);
                noema_call_set(call, slice(b"kept"), slice(b"1"))
            }
            10 => noema_call_write(call, 3, slice(&[9; 15])),
            11 => noema_call_write(call, 1, slice(&[9; 15])),
            12 => noema_call_write(call, 99, NO_BYTES),
            13 => noema_call_write(call, 2, noema_slice { data: null(), len: 9 }),
            14 => noema_call_get(call, key, null_mut()),
            15 => noema_call_describe(call, null_mut()),
            16 => {
                assert!(noema_call_write(null_mut(), 2, NO_BYTES) < 0 && noema_call_charge(null_mut(), 0) < 0);
                let mut info = std::mem::zeroed::<noema_call_info>();
                assert_eq!(noema_call_describe(call, &raw mut info), 0);
                assert_eq!((info.caller, info.height, info.time_ms, info.read_only), (ALICE, 5, 6, false));
                assert!(info.gas_left > 0 && info.gas_left < GAS);
                0
            }
            17 => noema_call_set(call, slice(&[0; 257]), key),
            _ => noema_call_set(call, key, noema_slice { data: null(), len: 1 }),
        }
    }
}

/// A machine with the function, and a contract that calls it with its input and shows what came back.
struct Machine {
    vm: *mut noema_vm,
    contract: noema_address,
    world: World,
}

impl Machine {
    fn new() -> Machine {
        let mut vm = null_mut();
        let compiled = tempfile::tempdir().unwrap();
        // SAFETY: everything passed is what the header asks for.
        unsafe {
            let config = noema_config_new();
            assert_eq!(
                told(|e| noema_config_add_function(config, slice(ROW.as_bytes()), Some(act), null_mut(), e)).0,
                NOEMA_OK
            );
            assert_eq!(noema_config_set_threads(config, 0), NOEMA_OK);
            assert_eq!(noema_config_set_concurrent_messages(config, 1), NOEMA_OK);
            assert_eq!(noema_config_set_module_cache_bytes(config, 1 << 20), NOEMA_OK);
            assert_eq!(told(|e| noema_config_set_level(config, slice(b"portable"), e)).0, NOEMA_OK);
            assert_eq!(told(|e| noema_config_set_engine(config, slice(b"pulley"), e)).0, NOEMA_OK);
            let compiled = slice(compiled.path().to_str().unwrap().as_bytes());
            assert_eq!(told(|e| noema_config_set_compiled_directory(config, compiled, 1 << 20, e)).0, NOEMA_OK);
            assert_eq!(told(|e| noema_vm_new(config, &raw mut vm, e)).0, NOEMA_OK);
            noema_config_free(config);
        }
        let mut machine = Machine { vm, contract: ALICE, world: World::default() };
        let code = contract();
        let outcome = machine.execute(|vm, state, block, outcome, error| unsafe {
            // SAFETY: as above.
            noema_vm_deploy(vm, state, block, ALICE, NOTHING, GAS, slice(&code), 0, NO_BYTES, outcome, error)
        });
        let outcome = outcome.unwrap();
        outcome.commit(&mut machine.world.state);
        assert_eq!(outcome.status(), noema_status::NOEMA_SUCCESS);
        // SAFETY: as above.
        let address = told(|e| unsafe { noema_contract_address(ALICE, 0, slice(&code), &raw mut machine.contract, e) });
        assert_eq!(address.0, NOEMA_OK);
        machine
    }

    fn execute(
        &self,
        run: impl FnOnce(
            *const noema_vm,
            *const noema_state,
            *const noema_block,
            *mut *mut noema_outcome,
            *mut *mut c_char,
        ) -> noema_result,
    ) -> Result<Outcome, (noema_result, String)> {
        let state =
            noema_state { context: (&raw const self.world).cast_mut().cast(), get: Some(get), scan: Some(scan) };
        let block = block();
        let mut outcome = null_mut();
        let (result, text) = told(|error| run(self.vm, &raw const state, &raw const block, &raw mut outcome, error));
        if result == NOEMA_OK { Ok(Outcome(outcome)) } else { Err((result, text)) }
    }

    fn call(&self, input: &[u8]) -> Result<Outcome, (noema_result, String)> {
        self.execute(|vm, state, block, outcome, error| unsafe {
            // SAFETY: everything passed is what the header asks for.
            noema_vm_call(vm, state, block, ALICE, NOTHING, GAS, self.contract, slice(input), outcome, error)
        })
    }

    fn act(&self, what: u32) -> Result<Outcome, (noema_result, String)> {
        self.call(&what.to_le_bytes())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { noema_vm_free(self.vm) };
    }
}

fn block() -> noema_block {
    let version = noema_protocol_version();
    noema_block {
        chain_id: slice(b"mychain"),
        height: 5,
        time_ms: 6,
        version,
        deposit_per_byte: noema_u128 { low: 0, high: 0 },
    }
}

struct Outcome(*mut noema_outcome);

impl Outcome {
    fn status(&self) -> noema_status {
        // SAFETY: a live outcome.
        unsafe { noema_outcome_status(self.0) }
    }

    fn output(&self) -> Vec<u8> {
        // SAFETY: a live outcome, from which the slice is borrowed.
        unsafe {
            let output = noema_outcome_output(self.0);
            std::slice::from_raw_parts(output.data, output.len).to_vec()
        }
    }

    fn diagnostic(&self) -> String {
        // SAFETY: as above.
        unsafe {
            let text = noema_outcome_diagnostic(self.0);
            String::from_utf8(std::slice::from_raw_parts(text.data, text.len).to_vec()).unwrap()
        }
    }

    fn commit(&self, state: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        // SAFETY: as above; `write` is set where the answer is yes.
        unsafe {
            let read = |slice: noema_slice| match slice.len {
                0 => vec![],
                len => std::slice::from_raw_parts(slice.data, len).to_vec(),
            };
            let count = noema_outcome_writes(self.0);
            let mut write = std::mem::zeroed();
            for index in 0..count {
                assert!(noema_outcome_write(self.0, index, &raw mut write));
                if write.removed {
                    state.remove(&read(write.key))
                } else {
                    state.insert(read(write.key), read(write.value))
                };
            }
            assert!(!noema_outcome_write(self.0, count, &raw mut write));
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { noema_outcome_free(self.0) };
    }
}

/// `call`: what `act` returns (8 bytes), then its outputs (48). An input of 5 bytes reads storage, one of 6 scans it.
fn contract() -> Vec<u8> {
    wat::parse_str(
        r#"(module
             (import "mychain" "act" (func $act (param i32 i32 i32 i32 i32 i32) (result i64)))
             (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
             (import "context" "output_write" (func $output (param i32 i32) (result i64)))
             (import "storage" "get" (func $get (param i32 i32 i32 i32) (result i64)))
             (import "storage" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32) (result i64)))
             (memory (export "memory") 1) (data (i32.const 200) "data for the host")
             (func $do (local $length i32)
               (local.set $length (i32.wrap_i64 (call $input (i32.const 0) (i32.const 0) (i32.const 8))))
               (if (i32.eq (local.get $length) (i32.const 5))
                 (then (drop (call $get (i32.const 0) (i32.const 1) (i32.const 64) (i32.const 8))) (return)))
               (if (i32.eq (local.get $length) (i32.const 6))
                 (then (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 200) (i32.const 1) (i32.const 3) (i32.const 64) (i32.const 512))) (return)))
               (i64.store (i32.const 300)
                 (call $act (i32.load (i32.const 0)) (i32.const 200) (i32.const 17) (i32.const 308) (i32.const 32) (i32.const 340)))
               (drop (call $output (i32.const 300) (i32.const 56))))
             (func (export "call") (call $do)) (func (export "view") (call $do)))"#,
    )
    .unwrap()
}

#[test]
fn a_function_in_c_does_everything_it_may() {
    let mut machine = Machine::new();
    let done = machine.act(0).unwrap();
    let mut expected = [&11u64.to_le_bytes()[..], b"data for the host"].concat();
    expected.resize(40, 0);
    expected.extend([9; 16]);
    assert_eq!(done.output(), expected);
    // Price: base, and bytes of `bytes` and `out`; then work.
    let gas = |outcome: &Outcome| unsafe {
        // SAFETY: a live outcome.
        noema_outcome_gas_used(outcome.0)
    };
    assert_eq!(gas(&machine.act(7).unwrap()) - gas(&done), 3 * 7);

    for (what, code) in [(1, 8i64), (17, 9)] {
        let outcome = machine.act(what).unwrap();
        assert_eq!(outcome.output()[..8], (-code).to_le_bytes(), "{what}");
        assert_eq!(outcome.output()[8..], [0; 48], "a status writes nothing");
    }
    for (what, code, message) in [(5, 42, &b"so be it"[..]), (6, 43, b"")] {
        let outcome = machine.act(what).unwrap();
        assert_eq!(outcome.status(), noema_status::NOEMA_ABORT);
        // SAFETY: a live outcome.
        unsafe {
            assert_eq!(noema_outcome_abort_code(outcome.0), code);
            let found = noema_outcome_abort_message(outcome.0);
            assert_eq!(std::slice::from_raw_parts(found.data, found.len), message);
        }
    }
    let outcome = machine.act(8).unwrap();
    assert_eq!((outcome.status(), outcome.diagnostic().as_str()), (noema_status::NOEMA_FAULT, "out of gas"));
    assert_eq!(gas(&outcome), GAS);

    let outcome = machine.act(9).unwrap();
    assert_eq!(outcome.status(), noema_status::NOEMA_SUCCESS);
    outcome.commit(&mut machine.world.state);
    let kept = ::noema_vm::layout::extension_key("mychain", b"kept");
    assert_eq!(machine.world.state.get(&kept).map(Vec::as_slice), Some(&b"1"[..]));
    // SAFETY: a live outcome; places with room.
    unsafe {
        assert_eq!(noema_outcome_events(outcome.0), 1);
        let mut event = std::mem::zeroed::<noema_event>();
        assert!(noema_outcome_event(outcome.0, 0, &raw mut event) && event.contract == machine.contract);
        assert!(!noema_outcome_event(outcome.0, 1, &raw mut event));
        let reads = noema_outcome_reads(outcome.0);
        let mut key = NO_BYTES;
        let found = (0..reads).any(|index| {
            noema_outcome_read(outcome.0, index, &raw mut key)
                && std::slice::from_raw_parts(key.data, key.len) == ::noema_vm::layout::extension_key("mychain", b"key")
        });
        assert!(found && !noema_outcome_read(outcome.0, reads, &raw mut key));
    }
    machine.act(16).unwrap();
    // In a view nothing changes.
    let viewed = machine.execute(|vm, state, block, outcome, error| unsafe {
        // SAFETY: everything passed is what the header asks for.
        noema_vm_view(vm, state, block, GAS, machine.contract, slice(&9u32.to_le_bytes()), outcome, error)
    });
    assert!(viewed.unwrap().diagnostic().contains("mychain.act would change something in a view"));
}

#[test]
fn a_function_that_fails_is_no_receipt() {
    let machine = Machine::new();
    for (what, text) in [
        (2, "4711, which is no status"),
        (3, "failed with -3"),
        (4, "no disk"),
        (10, "takes 16 bytes, not 15"),
        (11, "argument 1 is no output"),
        (12, "argument 99 is no output"),
        (13, "null"),
        (14, "value is null"),
        (15, "info is null"),
        (99, "value is null"),
    ] {
        let (result, found) = machine.act(what).err().unwrap_or_else(|| panic!("{what}"));
        assert_eq!(result, NOEMA_NODE_FAILED, "{what}");
        assert!(found.contains(text), "{what}: {found}");
    }
    machine.act(0).unwrap();
}

#[test]
fn a_state_that_fails_is_no_receipt() {
    let mut machine = Machine::new();
    for (wrong, text) in [
        (Wrong::Fails, "`get` failed with 7"),
        (Wrong::FailsWithText, "`get` failed: the cable is cut"),
        (Wrong::TwoValues, "a second value"),
        (Wrong::EntryForValue, "handed over entries"),
        (Wrong::NullValue, "the value is null and has 3 bytes"),
        (Wrong::HugeLength, "cannot have"),
    ] {
        machine.world.wrong = Some(wrong);
        let (result, found) = machine.call(b"12345").err().unwrap_or_else(|| panic!("{wrong:?}"));
        assert_eq!(result, NOEMA_NODE_FAILED);
        assert!(found.contains(text), "{wrong:?}: {found}");
    }
    for wrong in
        [Wrong::ValueForEntries, Wrong::Unordered, Wrong::Twice, Wrong::OtherPrefix, Wrong::BelowStart, Wrong::TooMany]
    {
        machine.world.wrong = Some(wrong);
        let (result, found) = machine.call(b"123456").err().unwrap_or_else(|| panic!("{wrong:?}"));
        assert_eq!(result, NOEMA_NODE_FAILED);
        assert!(found.contains("other entries than were asked for"), "{wrong:?}: {found}");
    }
    machine.world.wrong = Some(Wrong::Fails);
    assert!(machine.call(b"123456").err().unwrap().1.contains("`scan` failed with -1"));
    machine.world.wrong = None;
    for input in [&b"12345"[..], b"123456"] {
        let outcome = machine.call(input).unwrap();
        assert_eq!(outcome.status(), noema_status::NOEMA_SUCCESS);
        // SAFETY: a live outcome; a place with room.
        unsafe {
            let mut range = std::mem::zeroed::<noema_range>();
            assert_eq!(noema_outcome_scan(outcome.0, 0, &raw mut range), input.len() == 6);
            assert_eq!(noema_outcome_scans(outcome.0), usize::from(input.len() == 6));
        }
    }
}

#[test]
fn null_pointers_and_impossible_lengths_are_refused() {
    let machine = Machine::new();
    let state = noema_state { context: (&raw const machine.world).cast_mut().cast(), get: Some(get), scan: Some(scan) };
    let block = block();
    let mut outcome = null_mut::<noema_outcome>();
    let call = |vm: *const noema_vm, state: *const noema_state, block: *const noema_block, input, place, error| unsafe {
        // SAFETY: what is not null is what the header asks for.
        noema_vm_call(vm, state, block, ALICE, NOTHING, GAS, machine.contract, input, place, error)
    };
    let place = &raw mut outcome;
    invalid("vm is null", |e| call(null(), &raw const state, &raw const block, NO_BYTES, place, e));
    invalid("state is null", |e| call(machine.vm, null(), &raw const block, NO_BYTES, place, e));
    invalid("block is null", |e| call(machine.vm, &raw const state, null(), NO_BYTES, place, e));
    invalid("outcome is null", |e| call(machine.vm, &raw const state, &raw const block, NO_BYTES, null_mut(), e));
    let hole = noema_slice { data: null(), len: 1 };
    invalid("input is null", |e| call(machine.vm, &raw const state, &raw const block, hole, place, e));
    let endless = noema_slice { data: b"x".as_ptr(), len: usize::MAX };
    invalid("cannot have", |e| call(machine.vm, &raw const state, &raw const block, endless, place, e));
    let half = noema_state { get: None, ..state };
    invalid("state.get is null", |e| call(machine.vm, &raw const half, &raw const block, NO_BYTES, place, e));
    let half = noema_state { scan: None, ..state };
    invalid("state.scan is null", |e| call(machine.vm, &raw const half, &raw const block, NO_BYTES, place, e));
    let other = noema_block { version: 99, ..block };
    invalid("protocol version 99", |e| call(machine.vm, &raw const state, &raw const other, NO_BYTES, place, e));
    let other = noema_block { chain_id: slice(&[0xff]), ..block };
    invalid("not UTF-8", |e| call(machine.vm, &raw const state, &raw const other, NO_BYTES, place, e));
    assert!(outcome.is_null(), "nothing was handed out");
    // Without a place for the message there is only the result.
    assert_eq!(call(null(), null(), null(), NO_BYTES, place, null_mut()), NOEMA_INVALID_ARGUMENT);

    let row = slice(ROW.as_bytes());
    // SAFETY: what is not null is what the header asks for.
    unsafe {
        invalid("config is null", |e| noema_config_add_function(null_mut(), row, Some(act), null_mut(), e));
        invalid("config is null", |e| noema_config_set_level(null_mut(), slice(b"portable"), e));
        assert_eq!(noema_config_set_threads(null_mut(), 1), NOEMA_INVALID_ARGUMENT);
        invalid("vm is null", |e| noema_vm_new(null(), null_mut(), e));
        let config = noema_config_new();
        let mut vm = null_mut();
        invalid("function is null", |e| noema_config_add_function(config, row, None, null_mut(), e));
        invalid("is not of the form", |e| noema_config_add_function(config, slice(b"x"), Some(act), null_mut(), e));
        invalid("path is empty", |e| noema_config_set_model_directory(config, NO_BYTES, e));
        invalid("path is empty", |e| noema_config_set_compiled_directory(config, NO_BYTES, 1, e));
        invalid("no engine \"warp\"", |e| noema_config_set_engine(config, slice(b"warp"), e));
        invalid("program is empty", |e| noema_config_set_compiler(config, NO_BYTES, 1, 1, e));
        let other = noema_config_new();
        assert_eq!(told(|e| noema_config_set_compiler(other, slice(b"/bin/true"), 1, 1 << 30, e)).0, NOEMA_OK);
        let (result, why) = told(|e| noema_vm_new(other, &raw mut vm, e));
        assert!(result != NOEMA_OK && why.contains("/bin/true"), "{why}");
        noema_config_free(other);
        invalid("warp", |e| noema_config_set_level(config, slice(b"warp"), e));
        let taken = slice(b"0x8001 storage.get() -> unit since 1 price(1, 2, 3)");
        assert_eq!(told(|e| noema_config_add_function(config, taken, Some(act), null_mut(), e)).0, NOEMA_OK);
        invalid("module of the built-in table", |e| noema_vm_new(config, &raw mut vm, e));
        assert!(vm.is_null());
        noema_config_free(config);

        let mut hash = noema_hash { bytes: [0; 32] };
        invalid("hash is null", |e| noema_vm_rules_hash(machine.vm, 1, null_mut(), e));
        invalid("version 0", |e| noema_vm_rules_hash(machine.vm, 0, &raw mut hash, e));
        assert_eq!(told(|e| noema_vm_rules_hash(machine.vm, 1, &raw mut hash, e)).0, NOEMA_OK);
        assert_ne!(hash.bytes, [0; 32]);
        invalid("address is null", |e| noema_contract_address(ALICE, 0, NO_BYTES, null_mut(), e));
        invalid("invalid at offset", |e| noema_vm_admit(machine.vm, 1, slice(b"no wasm"), e));
        let code = contract();
        assert_eq!(told(|e| noema_vm_admit(machine.vm, 1, slice(&code), e)).0, NOEMA_OK);
        let execute = |bytes: &[u8], place, e| {
            noema_vm_execute(machine.vm, &raw const state, &raw const block, slice(bytes), place, e)
        };
        invalid("message:", |e| execute(b"no message", place, e));
    }
    assert!(outcome.is_null());
}

#[test]
fn nothing_is_given_back_without_harm() {
    // SAFETY: null is allowed everywhere here.
    unsafe {
        noema_string_free(null_mut());
        noema_config_free(null_mut());
        noema_vm_free(null_mut());
        noema_outcome_free(null_mut());
        assert_eq!(noema_outcome_status(null()), noema_status::NOEMA_REJECTED);
        assert_eq!(noema_outcome_abort_code(null()), 0);
        assert_eq!(noema_outcome_gas_used(null()), 0);
        assert_eq!(noema_outcome_receipt_hash(null()).bytes, [0; 32]);
        for slice in [
            noema_outcome_receipt(null()),
            noema_outcome_output(null()),
            noema_outcome_diagnostic(null()),
            noema_outcome_abort_message(null()),
        ] {
            assert!(slice.data.is_null() && slice.len == 0);
        }
        assert!(noema_outcome_json(null()).is_null());
        for count in
            [noema_outcome_writes, noema_outcome_events, noema_outcome_reads, noema_outcome_scans, noema_outcome_logs]
        {
            assert_eq!(count(null()), 0);
        }
        assert!(!noema_outcome_write(null(), 0, null_mut()) && !noema_outcome_log(null(), 0, null_mut()));
    }
    let machine = Machine::new();
    let outcome = machine.act(9).unwrap();
    // SAFETY: a live outcome; a null place is allowed.
    unsafe {
        assert!(!noema_outcome_write(outcome.0, 0, null_mut()) && !noema_outcome_event(outcome.0, 0, null_mut()));
    }
}

#[test]
fn messages_in_canonical_bytes_and_receipts_in_json() {
    let machine = Machine::new();
    let action = ::noema_vm::Action::Transfer { to: ::noema_vm::Address([2; 32]) };
    let message = ::noema_vm::Message { sender: ::noema_vm::Address(ALICE.bytes), value: 1, gas_limit: GAS, action };
    let bytes = borsh::to_vec(&message).unwrap();
    let outcome = machine
        .execute(|vm, state, block, outcome, error| unsafe {
            // SAFETY: everything passed is what the header asks for.
            noema_vm_execute(vm, state, block, slice(&bytes), outcome, error)
        })
        .unwrap();
    assert_eq!(outcome.status(), noema_status::NOEMA_REJECTED);
    // SAFETY: a live outcome; the string is given back once.
    unsafe {
        let receipt = noema_outcome_receipt(outcome.0);
        let receipt = ::noema_vm::Receipt::from_bytes(std::slice::from_raw_parts(receipt.data, receipt.len)).unwrap();
        assert_eq!(receipt.hash(), noema_outcome_receipt_hash(outcome.0).bytes);
        let text = noema_outcome_json(outcome.0);
        let json: serde_json::Value = serde_json::from_str(CStr::from_ptr(text).to_str().unwrap()).unwrap();
        noema_string_free(text);
        assert_eq!(json["status"], "rejected");
        assert_eq!(json["receipt_hash"], hex::encode(receipt.hash()));
        assert_eq!(json["gas"]["used"], receipt.gas_used());
    }
}

#[test]
fn deposits_are_shown_and_what_is_missing_is_said() {
    let machine = Machine::new();
    let state = noema_state { context: (&raw const machine.world).cast_mut().cast(), get: Some(get), scan: Some(scan) };
    let amount = |low: u64, high: u64| noema_u128 { low, high };
    let priced = noema_block { deposit_per_byte: amount(3, 1), ..block() };
    let mut deposit = noema_deposit { bytes: 7, locked: NOTHING, balance: amount(7, 7) };
    // SAFETY: everything passed is what the header asks for.
    let found = told(|error| unsafe {
        noema_deposit_of(&raw const state, &raw const priced, machine.contract, &raw mut deposit, error)
    });
    assert_eq!(found.0, NOEMA_OK, "{}", found.1);
    let bytes = deposit.bytes;
    assert!(bytes > 512);
    assert_eq!((deposit.locked, deposit.balance), (amount(3 * bytes, bytes), NOTHING));
    // SAFETY: null pointers are allowed to be wrong.
    unsafe {
        invalid("state", |e| noema_deposit_of(null(), &raw const priced, ALICE, &raw mut deposit, e));
        invalid("block", |e| noema_deposit_of(&raw const state, null(), ALICE, &raw mut deposit, e));
        invalid("deposit", |e| noema_deposit_of(&raw const state, &raw const priced, ALICE, null_mut(), e));
    }
    // Nobody has the deposit for a model.
    let action = ::noema_vm::Action::BeginModel { total_len: 1, top: [0; 32] };
    let message = ::noema_vm::Message { sender: ::noema_vm::Address(ALICE.bytes), value: 0, gas_limit: GAS, action };
    let message = borsh::to_vec(&message).unwrap();
    let begin = |priced: &noema_block| {
        let block = &raw const *priced;
        machine
            .execute(|vm, state, _, outcome, error| unsafe {
                // SAFETY: everything passed is what the header asks for.
                noema_vm_execute(vm, state, block, slice(&message), outcome, error)
            })
            .unwrap()
    };
    let outcome = begin(&priced);
    assert_eq!(outcome.status(), noema_status::NOEMA_INSUFFICIENT_DEPOSIT);
    // SAFETY: live outcomes; `short` is set where the answer is yes.
    unsafe {
        let mut short = std::mem::zeroed();
        assert!(noema_outcome_shortfall(outcome.0, &raw mut short));
        assert_eq!((short.holder, short.bytes, short.balance), (ALICE, 513, NOTHING));
        assert_eq!(short.needed, amount(3 * 513, 513));
        assert!(!noema_outcome_shortfall(outcome.0, null_mut()) && !noema_outcome_shortfall(null(), &raw mut short));
        assert!(outcome.diagnostic().contains("513 bytes"));
        let free = begin(&block());
        assert_eq!(free.status(), noema_status::NOEMA_SUCCESS);
        assert!(!noema_outcome_shortfall(free.0, &raw mut short));
    }
}

#[test]
fn threads_share_a_machine() {
    let machine = Machine::new();
    let expected = machine.act(0).unwrap().output();
    struct Shared<'m>(&'m Machine);
    // SAFETY: the header says that a machine may be used by several threads; the world is only read.
    unsafe impl Sync for Shared<'_> {}
    let shared = Shared(&machine);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let shared = &shared;
                for _ in 0..20 {
                    assert_eq!(shared.0.act(0).unwrap().output(), expected);
                }
            });
        }
    });
}
