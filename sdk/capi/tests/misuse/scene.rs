//! A chain, a function and a state on the other side of the interface, which the tests make fail.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use noema_capi::noema_result::{NOEMA_INVALID_ARGUMENT, NOEMA_OK};
use noema_capi::*;

pub(crate) const ROW: &str =
    "0x8001 mychain.act(what: u32, data: bytes, wide: out, fixed: out16) -> u64 since 1 price(1000, 10, 7)";
pub(crate) const GAS: u64 = 100_000_000_000;
pub(crate) const ALICE: noema_address = noema_address { bytes: [0xa1; 32] };
pub(crate) const NOTHING: noema_u128 = noema_u128 { low: 0, high: 0 };
pub(crate) const NO_BYTES: noema_slice = noema_slice { data: null(), len: 0 };

pub(crate) fn slice(bytes: &[u8]) -> noema_slice {
    noema_slice { data: bytes.as_ptr(), len: bytes.len() }
}

/// Runs a function with a place for its message, and returns both.
pub(crate) fn told(run: impl FnOnce(*mut *mut c_char) -> noema_result) -> (noema_result, String) {
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
pub(crate) fn invalid(what: &str, run: impl FnOnce(*mut *mut c_char) -> noema_result) {
    let (result, text) = told(run);
    assert_eq!(result, NOEMA_INVALID_ARGUMENT, "{text}");
    assert!(text.contains(what), "{text:?} does not contain {what:?}");
}

/// A state of which the test decides how it fails.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wrong {
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

pub(crate) unsafe extern "C" fn get(context: *mut c_void, key: noema_slice, reply: *mut noema_reply) -> i32 {
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

pub(crate) unsafe extern "C" fn scan(
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
pub(crate) unsafe extern "C" fn act(
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
pub(crate) struct Machine {
    pub(crate) vm: *mut noema_vm,
    pub(crate) contract: noema_address,
    pub(crate) world: World,
}

impl Machine {
    pub(crate) fn new() -> Machine {
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

    pub(crate) fn execute(
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

    pub(crate) fn call(&self, input: &[u8]) -> Result<Outcome, (noema_result, String)> {
        self.execute(|vm, state, block, outcome, error| unsafe {
            // SAFETY: everything passed is what the header asks for.
            noema_vm_call(vm, state, block, ALICE, NOTHING, GAS, self.contract, slice(input), outcome, error)
        })
    }

    pub(crate) fn act(&self, what: u32) -> Result<Outcome, (noema_result, String)> {
        self.call(&what.to_le_bytes())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { noema_vm_free(self.vm) };
    }
}

pub(crate) fn block() -> noema_block {
    let version = noema_protocol_version();
    noema_block {
        chain_id: slice(b"mychain"),
        height: 5,
        time_ms: 6,
        version,
        deposit_per_byte: noema_u128 { low: 0, high: 0 },
    }
}

pub(crate) struct Outcome(pub(crate) *mut noema_outcome);

impl Outcome {
    pub(crate) fn status(&self) -> noema_status {
        // SAFETY: a live outcome.
        unsafe { noema_outcome_status(self.0) }
    }

    pub(crate) fn output(&self) -> Vec<u8> {
        // SAFETY: a live outcome, from which the slice is borrowed.
        unsafe {
            let output = noema_outcome_output(self.0);
            std::slice::from_raw_parts(output.data, output.len).to_vec()
        }
    }

    pub(crate) fn diagnostic(&self) -> String {
        // SAFETY: as above.
        unsafe {
            let text = noema_outcome_diagnostic(self.0);
            String::from_utf8(std::slice::from_raw_parts(text.data, text.len).to_vec()).unwrap()
        }
    }

    pub(crate) fn commit(&self, state: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
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
pub(crate) fn contract() -> Vec<u8> {
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
