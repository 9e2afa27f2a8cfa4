//! What callers do wrong: null pointers, impossible lengths, callbacks that fail. Each gets an error and loses nothing.
#![allow(unsafe_code, reason = "the other side of a C interface")]

mod scene;

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use noema_capi::noema_result::{NOEMA_INVALID_ARGUMENT, NOEMA_NODE_FAILED, NOEMA_OK};
use noema_capi::*;

use scene::*;

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
