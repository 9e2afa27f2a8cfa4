//! Programs of the interpreter contract: what they are, how they are drawn, and how they are written down.

use std::collections::BTreeMap;

use noema_vm::Address;
use proptest::prelude::*;

use super::CONTRACTS;

/// Few and short keys, so that steps meet each other.
pub(super) const KEYS: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"ab", b"a\xff", b"\xff", b"\xff\xff"];
/// Gas of the message, and of a call at each depth below: enough for all that a frame does, also where every call in it
/// takes all it got.
pub(super) const GAS: [u64; 6] = [10_000_000_000_000, 800_000_000_000, 60_000_000_000, 5_000_000_000, 700_000_000, 0];
/// Gas with which no frame begins.
const TINY: u64 = 1_000;

/// How a frame ends, unless a step ends it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Return,
    Abort(u8),
    Trap,
    /// Asks for more gas than there is.
    Burn,
}

#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) steps: Vec<Step>,
    pub(super) last: Last,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Set { key: &'static [u8], value: Vec<u8> },
    Remove { key: &'static [u8] },
    Get { key: &'static [u8], capacity: u16 },
    Scan { prefix: &'static [u8], start: &'static [u8], limit: u8, capacity: u16 },
    TransientSet { key: &'static [u8], value: Vec<u8> },
    TransientRemove { key: &'static [u8] },
    TransientGet { key: &'static [u8], capacity: u16 },
    Emit(u8),
    Balance(usize),
    Transfer { to: usize, value: u128 },
    Call { target: usize, value: u128, tiny: bool, capacity: u16, frame: Frame },
    Last { capacity: u16 },
    Value,
    Tensor(u32),
    Deposit,
}

fn key() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(KEYS.to_vec())
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn amount() -> impl Strategy<Value = u128> {
    prop::sample::select(vec![0u128, 0, 0, 1, 7, 97, 1_000, 50_000, u128::MAX])
}

fn capacity() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..24, 200u16..260]
}

fn leaf() -> impl Strategy<Value = Step> {
    let contract = || 0..CONTRACTS;
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Step::Set { key, value }),
        2 => key().prop_map(|key| Step::Remove { key }),
        2 => (key(), capacity()).prop_map(|(key, capacity)| Step::Get { key, capacity }),
        2 => (key(), key(), 0u8..10, capacity())
            .prop_map(|(prefix, start, limit, capacity)| Step::Scan { prefix, start, limit, capacity }),
        2 => (key(), value()).prop_map(|(key, value)| Step::TransientSet { key, value }),
        1 => key().prop_map(|key| Step::TransientRemove { key }),
        2 => (key(), capacity()).prop_map(|(key, capacity)| Step::TransientGet { key, capacity }),
        1 => any::<u8>().prop_map(Step::Emit),
        1 => contract().prop_map(Step::Balance),
        2 => (contract(), amount()).prop_map(|(to, value)| Step::Transfer { to, value }),
        1 => capacity().prop_map(|capacity| Step::Last { capacity }),
        1 => Just(Step::Value),
        1 => (0u32..2_000).prop_map(Step::Tensor),
        1 => Just(Step::Deposit),
    ]
}

fn last() -> impl Strategy<Value = Last> {
    prop_oneof![
        10 => Just(Last::Return),
        1 => any::<u8>().prop_map(Last::Abort),
        1 => Just(Last::Trap),
        1 => Just(Last::Burn),
    ]
}

fn frame_of(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Frame> {
    (prop::collection::vec(step, 0..8), last()).prop_map(|(steps, last)| Frame { steps, last })
}

/// Frames that call each other, up to five deep.
pub(super) fn frames() -> impl Strategy<Value = Frame> {
    let steps = leaf().prop_recursive(4, 48, 6, |inner| {
        let call = (0..CONTRACTS, amount(), prop::bool::weighted(0.05), capacity(), frame_of(inner))
            .prop_map(|(target, value, tiny, capacity, frame)| Step::Call { target, value, tiny, capacity, frame });
        prop_oneof![2 => leaf(), 3 => call]
    });
    (prop::collection::vec(steps, 0..10), last()).prop_map(|(steps, last)| Frame { steps, last })
}

impl Frame {
    /// The input that makes a contract do it.
    pub(super) fn input(&self, addresses: &[Address; CONTRACTS]) -> Vec<u8> {
        let mut input: Vec<u8> = addresses.iter().flat_map(|address| address.0).collect();
        self.write(&mut input, 0);
        input
    }

    fn write(&self, to: &mut Vec<u8>, depth: usize) {
        let byte = |length: usize| u8::try_from(length).unwrap();
        for step in &self.steps {
            let named = |to: &mut Vec<u8>, key: &[u8]| {
                to.push(byte(key.len()));
                to.extend(key);
            };
            to.push(step.number());
            match step {
                Step::Set { key, value } | Step::TransientSet { key, value } => {
                    named(to, key);
                    to.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
                    to.extend(value);
                }
                Step::Remove { key } | Step::TransientRemove { key } => named(to, key),
                Step::Get { key, capacity } | Step::TransientGet { key, capacity } => {
                    named(to, key);
                    to.extend(capacity.to_le_bytes());
                }
                Step::Scan { prefix, start, limit, capacity } => {
                    named(to, prefix);
                    named(to, start);
                    to.push(*limit);
                    to.extend(capacity.to_le_bytes());
                }
                Step::Emit(topic) => to.push(*topic),
                Step::Balance(of) => to.push(byte(*of)),
                Step::Transfer { to: target, value } => {
                    to.push(byte(*target));
                    to.extend(value.to_le_bytes());
                }
                Step::Call { target, value, tiny, capacity, frame } => {
                    to.push(byte(*target));
                    to.extend(value.to_le_bytes());
                    to.extend(if *tiny { TINY } else { GAS[depth + 1] }.to_le_bytes());
                    to.extend(capacity.to_le_bytes());
                    let mut inner = Vec::new();
                    frame.write(&mut inner, depth + 1);
                    to.extend(u32::try_from(inner.len()).unwrap().to_le_bytes());
                    to.extend(inner);
                }
                Step::Last { capacity } => to.extend(capacity.to_le_bytes()),
                Step::Tensor(length) => to.extend(length.to_le_bytes()),
                Step::Value | Step::Deposit => {}
            }
        }
        match self.last {
            Last::Return => to.push(0),
            Last::Abort(code) => to.extend([13, code, code, b'!']),
            Last::Trap => to.push(14),
            Last::Burn => to.push(15),
        }
    }

    /// How often each instruction comes up.
    pub(super) fn count(&self, counts: &mut BTreeMap<u8, u32>) {
        let last = match self.last {
            Last::Return => None,
            Last::Abort(_) => Some(13),
            Last::Trap => Some(14),
            Last::Burn => Some(15),
        };
        for number in self.steps.iter().map(Step::number).chain(last) {
            *counts.entry(number).or_insert(0) += 1;
        }
        for step in &self.steps {
            if let Step::Call { frame, .. } = step {
                frame.count(counts);
            }
        }
    }
}

impl Step {
    /// Its instruction.
    fn number(&self) -> u8 {
        match self {
            Step::Set { .. } => 1,
            Step::Remove { .. } => 2,
            Step::Get { .. } => 3,
            Step::Scan { .. } => 4,
            Step::TransientSet { .. } => 5,
            Step::TransientRemove { .. } => 6,
            Step::TransientGet { .. } => 7,
            Step::Emit(_) => 8,
            Step::Balance(_) => 9,
            Step::Transfer { .. } => 10,
            Step::Call { .. } => 11,
            Step::Last { .. } => 12,
            Step::Value => 16,
            Step::Tensor(_) => 17,
            Step::Deposit => 18,
        }
    }
}
