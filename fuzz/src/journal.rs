//! The state and transient entries under frames that succeed, abort and fault, against a map that is copied.

use std::collections::BTreeMap;

use noema_abi::Status;
use noema_vm::{Event, ReceiptStatus, layout};

use crate::contract::{
    Argument, BALANCE, BUFFER, BUFFER_AT, CONTRACTS, Digest, Image, World, ZERO_AT, address_at, apply, base_entries,
    contract_address, number, trap,
};
use crate::cursor::Cursor;

/// The bytes choose what contracts do: write, remove, read and scan their storage, keep transient entries, send value, emit events, call each
/// other, and in the end succeed, abort or trap. What every call returns and what is left in the end is what a plain map
/// says from which a copy is taken before each frame.
///
/// # Panics
/// Where it is not.
pub fn journal(bytes: &[u8]) {
    let mut frames = MAX_FRAMES;
    let frame = Frame::choose(&mut Cursor(bytes), 0, &mut frames);
    let mut model = Model::new();
    let expected = model.run(0, &frame);
    let outcome = World::two()[1].call(&frame.image());

    let mut state = World::two()[1].state.clone();
    let base = state.clone();
    apply(&mut state, outcome.writes);
    match expected {
        End::Success => {
            assert_eq!(outcome.receipt.status, ReceiptStatus::Success, "{:?}, {frame:?}", outcome.diagnostic);
            assert_eq!(outcome.receipt.output, model.output, "another result of {frame:?}");
            assert_eq!(outcome.receipt.events, model.events, "other events of {frame:?}");
            for (index, entries) in model.storage.iter().enumerate() {
                let prefix = layout::storage_key(&contract_address(index), b"");
                let stored: BTreeMap<Vec<u8>, Vec<u8>> = state
                    .range(prefix.clone()..)
                    .take_while(|(key, _)| key.starts_with(&prefix))
                    .map(|(key, value)| (key[prefix.len()..].to_vec(), value.clone()))
                    .collect();
                assert_eq!(&stored, entries, "other entries of contract {index} after {frame:?}");
                let balance = state.get(&layout::balance_key(&contract_address(index))).map(Vec::as_slice);
                assert_eq!(layout::decode_balance(balance), Some(model.balances[index]), "another balance: {frame:?}");
            }
        }
        End::Abort => {
            let aborted = ReceiptStatus::Abort { code: 7, message: b"over".to_vec() };
            assert_eq!((outcome.receipt.status, &state), (aborted, &base), "{frame:?}");
        }
        End::Trap => assert_eq!((outcome.receipt.status, &state), (ReceiptStatus::Fault, &base), "{frame:?}"),
    }
}

/// Frames of a message at most, and of one frame.
const MAX_FRAMES: usize = 16;
const MAX_CALLS: usize = 4;
const MAX_DEPTH: usize = 4;
/// Steps of a frame.
const MAX_STEPS: usize = 14;
/// Gas that a frame at each depth gets at most: enough, also when each of its calls faults and takes all it got.
const GAS: [u64; MAX_DEPTH + 1] = [0, 1_000_000_000_000, 100_000_000_000, 20_000_000_000, 4_000_000_000];

/// Few and short keys, so that steps meet each other.
const KEYS: [&[u8]; 10] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"ab", b"a\xff", b"a\xff\xff", b"\xff", b"\xff\xff"];
const VALUES: [u128; 6] = [0, 1, 7, BALANCE / 2, BALANCE, u128::MAX];

/// How a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Success,
    Abort,
    Trap,
}

#[derive(Clone, Debug)]
struct Frame {
    steps: Vec<Step>,
    end: End,
}

#[derive(Clone, Debug)]
enum Step {
    Set { key: &'static [u8], value: Vec<u8> },
    Remove { key: &'static [u8] },
    Get { key: &'static [u8], capacity: usize },
    Scan { prefix: &'static [u8], start: &'static [u8], limit: u32, capacity: usize },
    TransientSet { key: &'static [u8], value: Vec<u8> },
    TransientRemove { key: &'static [u8] },
    TransientGet { key: &'static [u8], capacity: usize },
    Emit { topic: u8 },
    Balance { of: usize },
    Transfer { to: usize, value: u128 },
    Call { target: usize, value: u128, depth: usize, capacity: usize, frame: Frame },
}

impl Frame {
    fn choose(cursor: &mut Cursor<'_>, depth: usize, frames: &mut usize) -> Frame {
        let end = match cursor.byte() % 8 {
            6 => End::Abort,
            7 => End::Trap,
            _ => End::Success,
        };
        let mut steps = Vec::new();
        let mut calls = 0;
        for _ in 0..1 + cursor.below(MAX_STEPS) {
            if cursor.is_empty() {
                break;
            }
            let key = |cursor: &mut Cursor<'_>| cursor.choose(&KEYS);
            steps.push(match cursor.byte() % 15 {
                12 => Step::TransientSet { key: key(cursor), value: cursor.bytes(40).to_vec() },
                13 => Step::TransientRemove { key: key(cursor) },
                14 => Step::TransientGet { key: key(cursor), capacity: cursor.below(BUFFER + 1) },
                0 | 1 => Step::Set { key: key(cursor), value: cursor.bytes(40).to_vec() },
                2 | 3 => Step::Remove { key: key(cursor) },
                4 => Step::Get { key: key(cursor), capacity: cursor.below(BUFFER + 1) },
                5 | 6 => Step::Scan {
                    prefix: key(cursor),
                    start: key(cursor),
                    limit: u32::from(cursor.byte() % 12),
                    capacity: cursor.below(BUFFER + 1),
                },
                7 => Step::Emit { topic: cursor.byte() },
                8 => Step::Balance { of: cursor.below(CONTRACTS) },
                9 => Step::Transfer { to: cursor.below(CONTRACTS), value: cursor.choose(&VALUES) },
                _ if depth == MAX_DEPTH || calls == MAX_CALLS || *frames == 0 => Step::Get { key: b"a", capacity: 9 },
                _ => {
                    (calls, *frames) = (calls + 1, *frames - 1);
                    let (target, value) = (cursor.below(CONTRACTS), cursor.choose(&VALUES));
                    let capacity = cursor.below(12);
                    let frame = Frame::choose(cursor, depth + 1, frames);
                    Step::Call { target, value, depth: depth + 1, capacity, frame }
                }
            });
        }
        Frame { steps, end }
    }

    /// The input that makes a contract do it.
    fn image(&self) -> Vec<u8> {
        let mut image = Image::new();
        for step in &self.steps {
            step.write(&mut image);
        }
        match self.end {
            End::Success => {}
            End::Abort => {
                let message = image.put(b"over");
                image.call(number("control", "abort"), &[7, message, 4].map(Argument::from));
            }
            End::Trap => {
                image.call(trap(), &[]);
            }
        }
        image.finish()
    }
}

impl Step {
    fn write(&self, image: &mut Image) {
        let bytes = |image: &mut Image, bytes: &[u8]| -> [Argument; 2] {
            [image.put(bytes), length(bytes.len())].map(Argument::from)
        };
        let out = |capacity: usize| [BUFFER_AT, length(capacity)].map(Argument::from);
        let (function, arguments): (usize, Vec<Argument>) = match self {
            Step::Set { key, value } => (number("storage", "set"), [bytes(image, key), bytes(image, value)].concat()),
            Step::Remove { key } => (number("storage", "remove"), bytes(image, key).to_vec()),
            Step::Get { key, capacity } => (number("storage", "get"), [bytes(image, key), out(*capacity)].concat()),
            Step::Scan { prefix, start, limit, capacity } => (
                number("storage", "scan"),
                [&bytes(image, prefix)[..], &bytes(image, start), &[Argument::from(*limit)], &out(*capacity)].concat(),
            ),
            Step::TransientSet { key, value } => {
                (number("transient", "set"), [bytes(image, key), bytes(image, value)].concat())
            }
            Step::TransientRemove { key } => (number("transient", "remove"), bytes(image, key).to_vec()),
            Step::TransientGet { key, capacity } => {
                (number("transient", "get"), [bytes(image, key), out(*capacity)].concat())
            }
            Step::Emit { topic } => {
                (number("event", "emit"), [bytes(image, &[*topic]), bytes(image, b"data")].concat())
            }
            Step::Balance { of } => {
                (number("context", "balance"), [address_at(*of), BUFFER_AT].map(Argument::from).to_vec())
            }
            Step::Transfer { to, value } => {
                let value = image.put(&value.to_le_bytes());
                (number("call", "transfer"), [address_at(*to), value].map(Argument::from).to_vec())
            }
            Step::Call { target, value, depth, capacity, frame } => {
                let value = if *value == 0 { ZERO_AT } else { image.put(&value.to_le_bytes()) };
                let gas = Argument::Literal(i64::try_from(GAS[*depth]).expect("small"));
                let input = bytes(image, &frame.image());
                let to = [Argument::from(address_at(*target)), Argument::from(value), gas];
                (number("call", "contract"), [&to[..], &input, &out(*capacity)].concat())
            }
        };
        image.call(function, &arguments);
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("images are small")
}

/// What should be.
#[derive(Clone)]
struct Model {
    storage: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
    transient: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
    balances: Vec<u128>,
    events: Vec<Event>,
    running: Vec<usize>,
    /// Return data of the last frame that succeeded.
    output: Vec<u8>,
}

impl Model {
    fn new() -> Model {
        Model {
            storage: (0..CONTRACTS).map(|index| base_entries(index).into_iter().collect()).collect(),
            transient: vec![BTreeMap::new(); CONTRACTS],
            balances: vec![BALANCE; CONTRACTS],
            events: Vec::new(),
            running: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Runs a frame; after one that does not succeed everything is as it was.
    fn run(&mut self, index: usize, frame: &Frame) -> End {
        let before = self.clone();
        self.running.push(index);
        let mut digest = Digest::default();
        let mut buffer = [0; BUFFER];
        for step in &frame.steps {
            let result = self.step(index, step, &mut buffer).unwrap_or_else(Status::to_return);
            digest.add(result, &buffer);
        }
        self.running.pop();
        self.output = digest.0.to_le_bytes().to_vec();
        if frame.end != End::Success {
            *self = before;
        }
        frame.end
    }

    fn step(&mut self, own: usize, step: &Step, buffer: &mut [u8; BUFFER]) -> Result<i64, Status> {
        let mut copy = |bytes: &[u8], capacity: usize| {
            let copied = bytes.len().min(capacity);
            buffer[..copied].copy_from_slice(&bytes[..copied]);
            i64::try_from(bytes.len()).expect("small")
        };
        match step {
            Step::Set { key, value } => {
                self.storage[own].insert(key.to_vec(), value.clone());
                Ok(0)
            }
            Step::Remove { key } => Ok(i64::from(self.storage[own].remove(*key).is_some())),
            Step::Get { key, capacity } => {
                let value = self.storage[own].get(*key).ok_or(Status::NotFound)?;
                Ok(copy(value, *capacity))
            }
            Step::Scan { prefix, start, limit, capacity } => {
                let entries = self.storage[own].iter().filter(|(key, _)| key.starts_with(prefix) && &key[..] >= *start);
                let mut encoded = Vec::new();
                for (key, value) in entries.take(usize::try_from(*limit).expect("small")) {
                    let lengths = [length(key.len()).to_le_bytes(), length(value.len()).to_le_bytes()].concat();
                    let entry = [&lengths[..], key, value].concat();
                    if encoded.len() + entry.len() > *capacity {
                        if encoded.is_empty() {
                            return Err(Status::LimitExceeded);
                        }
                        break;
                    }
                    encoded.extend(entry);
                }
                Ok(copy(&encoded, *capacity))
            }
            Step::TransientSet { key, value } => {
                self.transient[own].insert(key.to_vec(), value.clone());
                Ok(0)
            }
            Step::TransientRemove { key } => Ok(i64::from(self.transient[own].remove(*key).is_some())),
            Step::TransientGet { key, capacity } => {
                let value = self.transient[own].get(*key).ok_or(Status::NotFound)?;
                Ok(copy(value, *capacity))
            }
            Step::Emit { topic } => {
                let event = Event { contract: contract_address(own), topic: vec![*topic], data: b"data".to_vec() };
                self.events.push(event);
                Ok(0)
            }
            Step::Balance { of } => {
                copy(&self.balances[*of].to_le_bytes(), 16);
                Ok(0)
            }
            Step::Transfer { to, value } => self.send(own, *to, *value).map(|()| 0),
            Step::Call { target, value, capacity, frame, .. } => {
                if self.running.contains(target) {
                    return Err(Status::Reentrant);
                }
                let before = self.clone();
                self.send(own, *target, *value)?;
                match self.run(*target, frame) {
                    End::Success => Ok(copy(&self.output.clone(), *capacity)),
                    failed => {
                        *self = before;
                        Err(if failed == End::Abort { Status::CallAborted } else { Status::CallFaulted })
                    }
                }
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, value: u128) -> Result<(), Status> {
        let rest = self.balances[from].checked_sub(value).ok_or(Status::InsufficientBalance)?;
        self.balances[from] = rest;
        self.balances[to] += value;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, End, Frame, MAX_FRAMES, Step};
    use crate::Mutator;

    /// That arbitrary bytes make frames worth running.
    #[test]
    fn frames_nest_and_end_in_every_way() {
        let mut seen = [0u32; 5];
        let mut pending = Vec::new();
        for seed in 0..300 {
            let bytes = Mutator::new(seed).bytes(400);
            pending.push((0usize, Frame::choose(&mut Cursor(&bytes), 0, &mut MAX_FRAMES.clone())));
        }
        while let Some((depth, frame)) = pending.pop() {
            let end = [End::Success, End::Abort, End::Trap].iter().position(|end| *end == frame.end).unwrap();
            seen[end] += 1;
            seen[3] += u32::from(depth >= 3);
            for step in frame.steps {
                match step {
                    Step::Call { frame, .. } => pending.push((depth + 1, frame)),
                    Step::Scan { .. } => seen[4] += 1,
                    _ => {}
                }
            }
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }
}
