//! What each row does, and the mistakes it answers with a status.

use noema_abi::limits::{
    MAX_ABORT_BYTES, MAX_EVENT_BYTES, MAX_EVENTS, MAX_INPUT_BYTES, MAX_KEY_BYTES, MAX_LOG_BYTES, MAX_OPEN_MODELS,
    MAX_OUTPUT_BYTES, MAX_TENSOR_BYTES, MAX_TENSORS, MAX_TOPIC_BYTES, MAX_VALUE_BYTES,
};
use noema_abi::{ROWS, Return, Status, find};

use super::fake::{CALLER, CODE_LEN, Caller, DEPOSIT, KEPT, OTHER, SELF};
use super::scene::{OUT, call, good_call, guest_ranges, model, scene, scene_of};
use crate::{Fault, GasClass, HostContext, Stop};

fn run(guest: &mut Caller, name: &str, raw: &[i64]) -> Result<i64, Stop> {
    let (group, name) = name.split_once('.').unwrap();
    call(guest, find(group, name).unwrap(), raw)
}

fn ok(guest: &mut Caller, name: &str, raw: &[i64]) -> u64 {
    Status::from_return(run(guest, name, raw).unwrap()).unwrap_or_else(|status| panic!("{name}: {status}"))
}

fn refused(guest: &mut Caller, name: &str, raw: &[i64]) -> Status {
    Status::from_return(run(guest, name, raw).unwrap()).expect_err(name)
}

fn at(guest: &Caller, place: i64, length: usize) -> &[u8] {
    let place = usize::try_from(place).unwrap();
    &guest.memory[place..place + length]
}

#[test]
fn every_good_call_answers_and_charges_its_price() {
    for row in ROWS {
        let mut guest = scene_of(row);
        let raw = good_call(row);
        let bytes = guest_ranges(row, &raw).into_iter().filter(|range| range.length_at.is_some());
        let bytes = bytes.map(|range| u64::from(range.length)).sum();
        let result = call(&mut guest, row, &raw);
        let class = match row.group {
            "storage" => GasClass::State,
            "tensor" | "op" | "model" => GasClass::Tensor,
            _ => GasClass::Host,
        };
        assert_eq!(guest.frame.charges[0], (class, row.price.gas(bytes, 0)), "{}.{}", row.group, row.name);
        assert!(guest.frame.charges.iter().all(|charge| charge.0 == class));
        // The model of the scene has no sequence axis, so that no node is looked at for a length.
        let works = row.price.per_work > 0 && row.name != "cost_of";
        assert_eq!(guest.frame.charges.len() > 1, works, "{}.{}", row.group, row.name);
        assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes());
        if row.result == Return::never {
            assert_eq!(result, Err(Stop::Abort { code: 42, message: b"a value to write".to_vec() }));
            assert!(guest.frame.traced.is_empty());
        } else {
            let result = result.unwrap();
            assert!(result >= 0, "{}.{}: {:?}", row.group, row.name, Status::from_return(result));
            assert_eq!(guest.frame.traced, [(row.id, result)]);
        }
    }
}

#[test]
fn context_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    assert_eq!(ok(guest, "context.input_len", &[]), 21);
    assert_eq!(ok(guest, "context.input_read", &[4, OUT, 5]), 17);
    assert_eq!(at(guest, OUT, 5), b"input");
    assert_ne!(at(guest, OUT + 5, 3), b" of", "nothing beyond the capacity");
    assert_eq!(ok(guest, "context.input_read", &[21, OUT, 5]), 0);
    assert_eq!(refused(guest, "context.input_read", &[22, OUT, 5]), Status::IndexOutOfRange);
    assert_eq!(refused(guest, "context.input_read", &[-1, OUT, 5]), Status::IndexOutOfRange);
    ok(guest, "context.output_write", &[0x120, 16]);
    ok(guest, "context.output_write", &[0x120, 7]);
    assert_eq!(guest.frame.effects.output, b"a value");
    ok(guest, "context.caller", &[OUT]);
    assert_eq!(at(guest, OUT, 32), CALLER);
    ok(guest, "context.self_address", &[OUT]);
    assert_eq!(at(guest, OUT, 32), SELF);
    ok(guest, "context.value", &[OUT]);
    assert_eq!(at(guest, OUT, 16), [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(ok(guest, "context.block_height", &[]), 77);
    assert_eq!(ok(guest, "context.block_time", &[]), 1_700_000_000_123);
    assert_eq!(ok(guest, "context.chain_id", &[OUT, 32]), 10);
    assert_eq!(at(guest, OUT, 10), b"noema-test");
    ok(guest, "context.balance", &[0x140, OUT]);
    assert_eq!(at(guest, OUT, 16), 9_000u128.to_le_bytes());
    ok(guest, "context.balance", &[0x110, OUT]);
    assert_eq!(at(guest, OUT, 16), [0; 16]);
    assert_eq!(ok(guest, "context.deposit", &[OUT]), KEPT);
    assert_eq!(at(guest, OUT, 16), DEPOSIT.to_le_bytes());

    guest.frame.gas = 1_000_000;
    assert_eq!(ok(guest, "context.gas_left", &[]), 980_000);
    guest.frame.gas = u64::MAX;
    assert_eq!(run(guest, "context.gas_left", &[]), Ok(i64::MAX), "a number of 2^63 or more reads as the largest");

    guest.memory.resize(MAX_OUTPUT_BYTES + 1, 0);
    let most = i64::try_from(MAX_OUTPUT_BYTES).unwrap();
    ok(guest, "context.output_write", &[0, most]);
    assert_eq!(refused(guest, "context.output_write", &[0, most + 1]), Status::LimitExceeded);
    assert_eq!(guest.frame.effects.output.len(), MAX_OUTPUT_BYTES);
}

#[test]
fn storage_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    assert_eq!(ok(guest, "storage.get", &[0x100, 5, OUT, 2]), 5);
    assert_eq!(at(guest, OUT, 2), b"fi");
    assert_ne!(at(guest, OUT + 2, 3), b"rst");
    assert_eq!(refused(guest, "storage.get", &[0x110, 2, OUT, 9]), Status::NotFound);
    ok(guest, "storage.set", &[0x110, 2, 0x120, 16]);
    assert_eq!(ok(guest, "storage.get", &[0x110, 2, OUT, 64]), 16);
    assert_eq!(at(guest, OUT, 16), b"a value to write");
    ok(guest, "storage.set", &[0x110, 2, 0, 0]);
    assert_eq!(ok(guest, "storage.get", &[0x110, 2, OUT, 64]), 0, "an empty value is a value");
    assert_eq!(ok(guest, "storage.remove", &[0x110, 2]), 1);
    assert_eq!(ok(guest, "storage.remove", &[0x110, 2]), 0);

    let long = i64::try_from(MAX_KEY_BYTES).unwrap() + 1;
    ok(guest, "storage.set", &[0x400, long - 1, 0x120, 1]);
    for (name, raw) in [
        ("storage.get", &[0x400, long, OUT, 9][..]),
        ("storage.set", &[0x400, long, 0, 0]),
        ("storage.remove", &[0x400, long]),
        ("storage.scan", &[0x400, long, 0, 0, 1, OUT, 9]),
        ("storage.scan", &[0x110, 2, 0x400, long, 1, OUT, 9]),
    ] {
        assert_eq!(refused(guest, name, raw), Status::LimitExceeded, "{name}");
    }
    guest.memory.resize(MAX_VALUE_BYTES + 1, 0);
    let most = i64::try_from(MAX_VALUE_BYTES).unwrap();
    ok(guest, "storage.set", &[0x100, 5, 0, most]);
    assert_eq!(refused(guest, "storage.set", &[0x100, 5, 0, most + 1]), Status::LimitExceeded);
    let before = guest.frame.charged();
    assert_eq!(ok(guest, "storage.get", &[0x100, 5, OUT, 0]), u64::try_from(MAX_VALUE_BYTES).unwrap());
    let work = u64::try_from(MAX_VALUE_BYTES).unwrap() * 500;
    assert_eq!(guest.frame.charged() - before, 2_000_000 + 5 * 100 + work, "a value found is paid for whole");
    // So is one that is written over or removed.
    let before = guest.frame.charged();
    ok(guest, "storage.set", &[0x100, 5, 0, 3]);
    assert_eq!(guest.frame.charged() - before, 10_000_000 + (5 + 3) * 5_000 + work);
    let before = guest.frame.charged();
    ok(guest, "storage.remove", &[0x100, 5]);
    assert_eq!(guest.frame.charged() - before, 10_000_000 + 5 * 500 + 3 * 500);
    guest.frame.full = true;
    assert_eq!(refused(guest, "storage.set", &[0x100, 5, 0, 3]), Status::LimitExceeded);
}

#[test]
fn transient_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    assert_eq!(ok(guest, "transient.get", &[0x100, 5, OUT, 2]), 7);
    assert_eq!(at(guest, OUT, 2), b"pa");
    assert_ne!(at(guest, OUT + 2, 3), b"ssi", "nothing beyond the capacity");
    assert_eq!(refused(guest, "transient.get", &[0x110, 2, OUT, 9]), Status::NotFound);
    let storage = guest.frame.effects.storage.clone();
    ok(guest, "transient.set", &[0x110, 2, 0x120, 16]);
    assert_eq!(ok(guest, "transient.get", &[0x110, 2, OUT, 64]), 16);
    assert_eq!(at(guest, OUT, 16), b"a value to write");
    ok(guest, "transient.set", &[0x110, 2, 0, 0]);
    assert_eq!(ok(guest, "transient.get", &[0x110, 2, OUT, 64]), 0, "an empty value is a value");
    assert_eq!(ok(guest, "transient.remove", &[0x110, 2]), 1);
    assert_eq!(ok(guest, "transient.remove", &[0x110, 2]), 0);
    assert_eq!(guest.frame.effects.storage, storage, "storage is another thing");

    let long = i64::try_from(MAX_KEY_BYTES).unwrap() + 1;
    ok(guest, "transient.set", &[0x400, long - 1, 0x120, 1]);
    for (name, raw) in [
        ("transient.get", &[0x400, long, OUT, 9][..]),
        ("transient.set", &[0x400, long, 0, 0]),
        ("transient.remove", &[0x400, long]),
    ] {
        assert_eq!(refused(guest, name, raw), Status::LimitExceeded, "{name}");
    }
    guest.memory.resize(MAX_VALUE_BYTES + 1, 0);
    let most = i64::try_from(MAX_VALUE_BYTES).unwrap();
    assert_eq!(refused(guest, "transient.set", &[0x100, 5, 0, most + 1]), Status::LimitExceeded);
    guest.frame.full = true;
    assert_eq!(refused(guest, "transient.set", &[0x100, 5, 0, 3]), Status::LimitExceeded);

    guest.frame.info.read_only = true;
    assert_eq!(ok(guest, "transient.get", &[0x100, 5, OUT, 2]), 7);
    for (name, raw) in [("transient.set", &[0x100, 5, 0, 3][..]), ("transient.remove", &[0x100, 5])] {
        assert!(matches!(run(guest, name, raw), Err(Stop::Fault(Fault::WriteInView { .. }))), "{name}");
    }
}

/// `u32 key length, u32 value length, key, value`, again and again.
fn entries(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
        let (key, value) = (number(0), number(4));
        entries.push((bytes[8..8 + key].to_vec(), bytes[8 + key..8 + key + value].to_vec()));
        bytes = &bytes[8 + key + value..];
    }
    entries
}

#[test]
fn scan_returns_whole_entries_in_order() {
    let mut guest = scene();
    let guest = &mut guest;
    let length = ok(guest, "storage.scan", &[0x110, 2, 0, 0, 10, OUT, 200]);
    let found = entries(at(guest, OUT, usize::try_from(length).unwrap()));
    assert_eq!(found, [(b"alpha".to_vec(), b"first".to_vec()), (b"alpine".to_vec(), b"second value".to_vec())]);

    // From a key on, with a limit, and with room for the first entry only.
    guest.memory[0x400..0x406].copy_from_slice(b"alphaa");
    assert_eq!(ok(guest, "storage.scan", &[0x110, 2, 0x400, 6, 10, OUT, 200]), 26);
    assert_eq!(entries(at(guest, OUT, 26))[0].0, b"alpine");
    assert_eq!(ok(guest, "storage.scan", &[0x110, 2, 0, 0, 1, OUT, 200]), 18);
    assert_eq!(ok(guest, "storage.scan", &[0x110, 2, 0, 0, 10, OUT, 18 + 25]), 18);
    assert_eq!(ok(guest, "storage.scan", &[0x110, 2, 0, 0, 0, OUT, 200]), 0);
    assert_eq!(ok(guest, "storage.scan", &[0x120, 4, 0, 0, 10, OUT, 200]), 0);
    assert_eq!(refused(guest, "storage.scan", &[0x110, 2, 0, 0, 10, OUT, 17]), Status::LimitExceeded);
}

#[test]
fn scan_of_many_entries_pays_for_each_before_it_reads_on() {
    let mut guest = scene();
    for i in 0..600u32 {
        guest.frame.effects.storage.insert([b"k".as_slice(), &i.to_be_bytes()].concat(), vec![7; 3]);
    }
    guest.memory[0x400] = b'k';
    let guest = &mut guest;
    let length = ok(guest, "storage.scan", &[0x400, 1, 0, 0, -1, OUT, 0x7000]);
    let found = entries(at(guest, OUT, usize::try_from(length).unwrap()));
    assert_eq!(found.len(), 256, "MAX_SCAN_ENTRIES");
    for (i, (key, value)) in (0u32..).zip(&found) {
        assert_eq!((key[1..].to_vec(), value.len()), (i.to_be_bytes().to_vec(), 3));
    }
    let entry_price = 5_000 * (5 + 3 + 256);
    assert_eq!(guest.frame.charged(), 5_000_000 + 100 * (1 + 0x7000) + 256 * entry_price);

    // Gas for ten entries: the state is not read past the batch that holds the eleventh.
    let mut poor = scene();
    poor.frame.effects.storage.clone_from(&guest.frame.effects.storage);
    poor.memory[0x400] = b'k';
    poor.frame.gas = 5_000_000 + 100 * (1 + 0x7000) + 10 * entry_price;
    let before = poor.memory.clone();
    assert_eq!(run(&mut poor, "storage.scan", &[0x400, 1, 0, 0, -1, OUT, 0x7000]), Err(Stop::OutOfGas));
    assert_eq!(poor.frame.scanned, [8, 8]);
    assert_eq!(poor.memory, before);
}

#[test]
fn scan_pays_a_little_for_what_it_reads_behind_an_entry_that_does_not_fit() {
    for (limit, capacity, unseen) in [(9, 0, 7), (3, 0, 2), (1, 0, 0), (9, 2 * (8 + 5 + 1000), 5)] {
        let mut guest = scene();
        for i in 0..9u32 {
            guest.frame.effects.storage.insert([b"k".as_slice(), &i.to_be_bytes()].concat(), vec![7; 1000]);
        }
        guest.memory[0x400] = b'k';
        let before = guest.frame.charged();
        let reply = run(&mut guest, "storage.scan", &[0x400, 1, 0, 0, limit, OUT, capacity]);
        let fit = u64::try_from(capacity).unwrap() / 1013;
        assert!(reply.is_ok(), "{reply:?}");
        let work = (fit + 1) * (5 + 1000 + 256) + (unseen * 1005u64).div_ceil(32);
        let expected = 5_000_000 + 100 * (1 + u64::try_from(capacity).unwrap()) + 5_000 * work;
        assert_eq!(guest.frame.charged() - before, expected, "limit {limit}, capacity {capacity}");
        assert_eq!(guest.frame.scanned, [u32::try_from(limit).unwrap().min(8)]);
    }
}

#[test]
fn event_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    ok(guest, "event.emit", &[0x100, 5, 0x120, 7]);
    assert_eq!(guest.frame.effects.events, [(b"alpha".to_vec(), b"a value".to_vec())]);
    let topic = i64::try_from(MAX_TOPIC_BYTES).unwrap();
    let data = i64::try_from(MAX_EVENT_BYTES).unwrap();
    guest.memory.resize(MAX_EVENT_BYTES + 1, 0);
    ok(guest, "event.emit", &[0, topic, 0, data]);
    assert_eq!(refused(guest, "event.emit", &[0, topic + 1, 0, 0]), Status::LimitExceeded);
    assert_eq!(refused(guest, "event.emit", &[0, 0, 0, data + 1]), Status::LimitExceeded);
    for _ in 2..MAX_EVENTS {
        ok(guest, "event.emit", &[0, 0, 0, 0]);
    }
    assert_eq!(refused(guest, "event.emit", &[0, 0, 0, 0]), Status::LimitExceeded);
}

#[test]
fn call_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    let price = find("call", "contract").unwrap().price;
    assert_eq!(ok(guest, "call.contract", &[0x140, 0x160, -1, 0x120, 16, OUT, 4]), 23);
    assert_eq!(at(guest, OUT, 4), b"what");
    assert_eq!(guest.frame.charged(), price.gas(16 + 4, CODE_LEN));
    assert_eq!(guest.frame.effects.calls, [(OTHER, 500, u64::MAX, b"a value to write".to_vec())]);
    assert_eq!(ok(guest, "call.output_read", &[5, OUT, 64]), 18);
    assert_eq!(at(guest, OUT, 18), b"the other answered");
    assert_eq!(refused(guest, "call.output_read", &[24, OUT, 64]), Status::IndexOutOfRange);

    assert_eq!(refused(guest, "call.contract", &[0x180, 0x160, 5, 0, 0, OUT, 4]), Status::NotFound);
    for status in [Status::CallAborted, Status::CallFaulted, Status::Reentrant, Status::CallDepth] {
        guest.frame.call_answer = Err(status);
        let before = guest.memory.clone();
        assert_eq!(refused(guest, "call.contract", &[0x140, 0x160, 5, 0, 0, OUT, 4]), status);
        assert_eq!(guest.memory, before);
    }
    guest.memory.resize(MAX_INPUT_BYTES + 1, 0);
    let most = i64::try_from(MAX_INPUT_BYTES).unwrap();
    let calls = guest.frame.effects.calls.len();
    assert_eq!(refused(guest, "call.contract", &[0x140, 0x160, 5, 0, most + 1, OUT, 4]), Status::LimitExceeded);
    assert_eq!(guest.frame.effects.calls.len(), calls);

    ok(guest, "call.transfer", &[0x140, 0x160]);
    assert_eq!(guest.frame.effects.transfers, [(OTHER, 500)]);
    assert_eq!(refused(guest, "call.transfer", &[0x140, 0x140]), Status::InsufficientBalance);
}

#[test]
fn control_rows() {
    let mut guest = scene();
    guest.memory = vec![b'x'; 2 * MAX_LOG_BYTES];
    let long = i64::try_from(guest.memory.len()).unwrap();
    let guest = &mut guest;
    let message = vec![b'x'; MAX_ABORT_BYTES];
    assert_eq!(run(guest, "control.abort", &[-1, 0, long]), Err(Stop::Abort { code: u32::MAX, message }));
    ok(guest, "control.log", &[0, long]);
    ok(guest, "control.log", &[0, 3]);
    assert_eq!(guest.frame.effects.logs, [vec![b'x'; MAX_LOG_BYTES], b"xxx".to_vec()]);
}

#[test]
fn nothing_changes_in_a_view() {
    let writing = [
        "storage.set",
        "storage.remove",
        "transient.set",
        "transient.remove",
        "event.emit",
        "call.transfer",
        "call.contract",
    ]
    .map(|name| name.split_once('.').unwrap());
    for row in ROWS {
        let mut guest = scene_of(row);
        guest.frame.info.read_only = true;
        let before = guest.frame.effects.clone();
        let result = call(&mut guest, row, &good_call(row));
        if writing.contains(&(row.group, row.name)) {
            let fault = Fault::WriteInView { group: row.group, name: row.name };
            assert_eq!(result, Err(Stop::Fault(fault)));
            assert_eq!(guest.frame.effects, before);
        } else {
            assert!(!matches!(result, Err(Stop::Fault(_))), "{}.{}: {result:?}", row.group, row.name);
        }
    }
    // Without value, a view may call.
    let mut guest = scene();
    guest.frame.info.read_only = true;
    guest.memory[0x160..0x170].fill(0);
    assert_eq!(ok(&mut guest, "call.contract", &good_call(find("call", "contract").unwrap())), 23);
}

#[test]
fn tensor_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    let first = ok(guest, "tensor.create", &[0, 0x180, 8, 0x190, 6]);
    assert_eq!(first, 8, "handles count on from the seven of the scene");
    let handle = i64::try_from(first).unwrap();
    assert_eq!(ok(guest, "tensor.dtype", &[handle]), 0);
    assert_eq!(ok(guest, "tensor.shape", &[handle, OUT, 4]), 8);
    assert_eq!(at(guest, OUT, 4), [2, 0, 0, 0]);
    assert_eq!(ok(guest, "tensor.read", &[handle, OUT, 64]), 6);
    assert_eq!(at(guest, OUT, 6), [1, 2, 3, 4, 5, 6]);
    guest.memory[OUT as usize..OUT as usize + 8].fill(0xee);
    assert_eq!(ok(guest, "tensor.read", &[6, OUT, 3]), 16, "three bytes of the first of two 64-bit numbers");
    assert_eq!(at(guest, OUT, 4), [0, 0, 0, 0xee]);
    ok(guest, "tensor.drop", &[handle]);
    assert_eq!(refused(guest, "tensor.read", &[handle, OUT, 3]), Status::BadHandle);
    assert_eq!(refused(guest, "tensor.drop", &[handle]), Status::BadHandle);
    assert_eq!(ok(guest, "tensor.create", &[0, 0x180, 8, 0x190, 6]), 9, "a number is never used again");
    assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes());

    assert_eq!(refused(guest, "tensor.create", &[5, 0x180, 8, 0x190, 6]), Status::TypeMismatch);
    for (shape, length, data) in
        [(0x180, 8, 5), (0x180, 8, 7), (0x180, 7, 6), (0x180, 0, 6), (0x400, 36, 6), (0x400, 32, 6)]
    {
        let raw = [0, shape, length, 0x190, data];
        assert_eq!(refused(guest, "tensor.create", &raw), Status::ShapeMismatch, "{shape:x} {length} {data}");
    }
    assert_eq!(ok(guest, "tensor.create", &[1, 0, 0, 0x190, 1]), 10, "no dimensions: one element");
}

#[test]
fn tensors_have_limits() {
    let mut guest = scene();
    let guest = &mut guest;
    for _ in guest.frame.tensors.len()..MAX_TENSORS {
        ok(guest, "op.relu", &[1]);
    }
    let reserved = guest.frame.effects.reserved;
    for (name, raw) in
        [("op.relu", &[1][..]), ("tensor.create", &[0, 0x180, 8, 0x190, 6]), ("model.run", &[1, 0x1d0, 4, OUT, 16])]
    {
        assert_eq!(refused(guest, name, raw), Status::LimitExceeded, "{name}");
        assert_eq!(guest.frame.effects.reserved, reserved);
    }
    ok(guest, "tensor.drop", &[2]);
    ok(guest, "op.relu", &[1]);

    // All memory of the transaction is taken elsewhere, but for five bytes.
    let mut guest = scene();
    let guest = &mut guest;
    let rest = MAX_TENSOR_BYTES - guest.frame.effects.reserved - 5;
    guest.frame.reserve_memory(rest).unwrap();
    let count = guest.frame.tensors.len();
    for (name, raw) in
        [("op.relu", &[1][..]), ("tensor.create", &[0, 0x180, 8, 0x190, 6]), ("model.run", &[1, 0x1d0, 4, OUT, 16])]
    {
        assert_eq!(refused(guest, name, raw), Status::LimitExceeded, "{name}");
        assert_eq!((guest.frame.effects.reserved, guest.frame.tensors.len()), (MAX_TENSOR_BYTES - 5, count));
    }
    assert_eq!(ok(guest, "op.relu", &[5]), 8, "one byte is there");
}

#[test]
fn opcodes_compute_and_are_priced_by_work() {
    let mut guest = scene();
    let guest = &mut guest;
    let product = i64::try_from(ok(guest, "op.matmul", &[1, 2])).unwrap();
    assert_eq!(
        guest.frame.charged(),
        1_000_000 + 10 * (2 * (16 * 16 + 1500) + 50 * 2 * 3 + 60 * 3 * 16 + 200_000),
        "16 columns and a depth of 16 for each of 2 rows, the elements of both sides, and one product"
    );
    assert_eq!(ok(guest, "tensor.read", &[product, OUT, 64]), 16);
    assert_eq!(at(guest, OUT, 16), [4i32, 1, -10, -1].map(i32::to_le_bytes).concat());
    assert_eq!(refused(guest, "op.matmul", &[1, 1]), Status::ShapeMismatch);
    assert_eq!(refused(guest, "op.matmul", &[3, 3]), Status::TypeMismatch);
    assert_eq!(refused(guest, "op.requantise", &[3, 4, 5, 3, 9]), Status::TypeMismatch);
    assert_eq!(refused(guest, "op.requantise", &[1, 4, 5, 3, 0]), Status::TypeMismatch);
    // What only the elements can tell is found when the row runs; the memory comes back.
    assert_eq!(refused(guest, "op.requantise", &[3, 3, 5, 3, 0]), Status::ShapeMismatch);
    let held = guest.frame.effects.reserved;
    guest.memory[0x400..0x404].copy_from_slice(&7i32.to_le_bytes());
    let bad = i64::try_from(ok(guest, "tensor.create", &[3, 0, 0, 0x400, 4])).unwrap();
    assert_eq!(refused(guest, "op.requantise", &[3, bad, 5, 3, 0]), Status::BadArgument);
    assert_eq!(guest.frame.effects.reserved, held + 4);
    assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes());
}

#[test]
fn model_rows() {
    let mut guest = scene();
    let guest = &mut guest;
    assert_eq!(ok(guest, "model.open", &[0x200]), 1, "it is open already");
    assert_eq!(refused(guest, "model.open", &[0x201]), Status::NotFound);
    let cost = model().cost(guest.frame.version(), 2).unwrap();
    assert_eq!(ok(guest, "model.cost", &[1, 2]), cost);
    assert_eq!(ok(guest, "model.cost_of", &[1, 2, 1]), cost);
    assert_eq!(refused(guest, "model.cost_of", &[1, 2, 2]), Status::ShapeMismatch);
    assert_eq!(refused(guest, "model.cost_of", &[1, 2, 0]), Status::ShapeMismatch);
    let before = guest.frame.charged();
    assert_eq!(ok(guest, "model.run", &[1, 0x1d0, 4, OUT, 64]), 2);
    assert_eq!(guest.frame.charged() - before, 2_000_000 + 100 * (4 + 64) + cost);
    assert_eq!(at(guest, OUT, 8), [8, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes(), "only the outputs are still reserved");
    // [1, -2, 3] and [-4, 5, -6] by [1, 2, 3; -1, 0, 1] and [0, 100].
    assert_eq!(ok(guest, "tensor.read", &[8, OUT, 64]), 16);
    assert_eq!(at(guest, OUT, 16), [6i32, 102, -12, 98].map(i32::to_le_bytes).concat());
    assert_eq!(ok(guest, "tensor.read", &[9, OUT, 64]), 8);
    assert_eq!(at(guest, OUT, 8), [1i32, 1].map(i32::to_le_bytes).concat());

    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 4, OUT, 7]), Status::LimitExceeded, "room for one of two");
    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 3, OUT, 64]), Status::ShapeMismatch);
    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 0, OUT, 64]), Status::ShapeMismatch);
    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 8, OUT, 64]), Status::ShapeMismatch);
    assert_eq!(refused(guest, "model.run", &[1, 0x180, 4, OUT, 64]), Status::ShapeMismatch, "tensor 2 has rows of two");
    guest.memory[0x1d0] = 3;
    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 4, OUT, 64]), Status::TypeMismatch);
    guest.memory[0x1d0] = 99;
    assert_eq!(refused(guest, "model.run", &[1, 0x1d0, 4, OUT, 64]), Status::BadHandle);
    assert_eq!(refused(guest, "model.run", &[2, 0x1d0, 4, OUT, 64]), Status::BadHandle);
    assert_eq!(guest.frame.effects.reserved, guest.frame.tensors.bytes());

    let shared = guest.frame.models.values().next().unwrap().clone();
    for i in 1..MAX_OPEN_MODELS {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&u64::try_from(i).unwrap().to_le_bytes());
        guest.frame.models.insert(id, shared.clone());
        guest.memory[0x400..0x420].copy_from_slice(&id);
        assert_eq!(ok(guest, "model.open", &[0x400]), u64::try_from(i).unwrap() + 1);
    }
    guest.frame.models.insert([0xff; 32], shared);
    guest.memory[0x400..0x420].fill(0xff);
    assert_eq!(refused(guest, "model.open", &[0x400]), Status::LimitExceeded);
}
