//! What should happen, by maps that are copied.

use std::collections::{BTreeMap, BTreeSet};

use noema_abi::Status;
use noema_vm::{Event, Shortfall, WriteSet, layout};

use super::program::{Frame, Last, Step};
use super::{CONTRACTS, REENTRANT, RICH, Start, World};
use crate::world::ALICE;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a contract and an entry count beyond their own bytes.
const CONTRACT: u64 = 512;
const ENTRY: u64 = 96;

/// How a frame ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success(Vec<u8>),
    Abort(u32, Vec<u8>),
    Fault,
    Short(Shortfall),
}

/// What a failed call takes back.
#[derive(Clone, Debug, Default)]
struct Effects {
    storage: [Map; CONTRACTS],
    transient: [Map; CONTRACTS],
    balances: [u128; CONTRACTS],
    sender: u128,
    events: Vec<Event>,
    /// Keys of the state that were written.
    touched: BTreeSet<Vec<u8>>,
}

pub(super) struct Model {
    now: Effects,
    before: Effects,
    addresses: [noema_vm::Address; CONTRACTS],
    code_bytes: [u64; CONTRACTS],
    per_byte: u128,
    read_only: bool,
    running: Vec<usize>,
    /// Bytes of tensors, of the running frames and at most.
    tensors: u64,
    pub(super) tensor_peak: u64,
    pub(super) events: Vec<Event>,
    /// Whether any frame faulted.
    pub(super) faulted: bool,
    /// How often what happened.
    pub(super) seen: BTreeMap<&'static str, u32>,
}

/// A step that does not return.
struct Faulted;

impl Model {
    pub(super) fn new(world: &World, start: &Start) -> Model {
        Model {
            now: Effects { storage: start.entries.clone(), sender: RICH, ..Effects::default() },
            before: Effects::default(),
            addresses: world.addresses,
            code_bytes: world.code_bytes,
            per_byte: start.deposit_per_byte,
            read_only: start.view,
            running: Vec::new(),
            tensors: 0,
            tensor_peak: 0,
            events: Vec::new(),
            faulted: false,
            seen: BTreeMap::new(),
        }
    }

    pub(super) fn set_balance(&mut self, index: usize, balance: u128) {
        self.now.balances[index] = balance;
    }

    /// The message begins.
    pub(super) fn begin(&mut self) {
        self.before = self.now.clone();
    }

    pub(super) fn entries(&self, index: usize) -> &Map {
        &self.now.storage[index]
    }

    pub(super) fn balance(&self, index: usize) -> u128 {
        self.now.balances[index]
    }

    fn entry_bytes(effects: &Effects, index: usize) -> u64 {
        let bytes = |(key, value): (&Vec<u8>, &Vec<u8>)| ENTRY + u64::try_from(key.len() + value.len()).unwrap();
        effects.storage[index].iter().map(bytes).sum()
    }

    fn kept_of(&self, effects: &Effects, index: usize) -> u64 {
        CONTRACT + self.code_bytes[index] + Model::entry_bytes(effects, index)
    }

    pub(super) fn kept(&self, index: usize) -> u64 {
        self.kept_of(&self.now, index)
    }

    /// The write set: every key that was touched, with what is there now.
    pub(super) fn writes(&self, _: &World) -> WriteSet {
        let value = |key: &Vec<u8>| -> Option<Vec<u8>> {
            let (kind, address, name) = (key[0], &key[1..33], &key[33..]);
            if address == ALICE.0 {
                return layout::encode_balance(self.now.sender);
            }
            let index = self.addresses.iter().position(|known| known.0 == address).unwrap();
            match kind {
                b's' => self.now.storage[index].get(name).cloned(),
                b'u' => layout::encode_count(Model::entry_bytes(&self.now, index)),
                b'b' => layout::encode_balance(self.now.balances[index]),
                other => panic!("{other}"),
            }
        };
        self.now.touched.iter().map(|key| (key.clone(), value(key))).collect()
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_insert(0) += 1;
    }

    /// Runs the message.
    pub(super) fn message(&mut self, start: &Start, frame: &Frame) -> End {
        let value = u128::from(start.value);
        if value > 0 {
            self.now.sender -= value;
            self.now.balances[0] += value;
            self.now.touched.insert(layout::balance_key(&ALICE));
            self.now.touched.insert(layout::balance_key(&self.addresses[0]));
        }
        let end = self.run(0, value, frame);
        if !matches!(end, End::Success(_)) {
            self.now = self.before.clone();
        }
        self.note(match &end {
            End::Success(_) => "success",
            End::Abort(..) => "abort",
            End::Fault => "fault",
            End::Short(_) => "short",
        });
        self.events.clone_from(&self.now.events);
        end
    }

    /// Runs a frame; what a failed one did is taken back by whoever called it.
    fn run(&mut self, index: usize, value: u128, frame: &Frame) -> End {
        let (held, peak) = (self.tensors, self.tensor_peak);
        self.running.push(index);
        if self.running.len() >= 4 {
            self.note("deep");
        }
        self.tensor_peak = held;
        let mut end = self.steps(index, value, frame).unwrap_or(End::Fault);
        self.running.pop();
        self.tensors = held;
        if end == End::Fault {
            self.faulted = true;
            self.tensor_peak = peak;
        } else {
            self.tensor_peak = self.tensor_peak.max(peak);
        }
        if matches!(end, End::Success(_))
            && let Some(shortfall) = self.shortfall(index)
        {
            end = End::Short(shortfall);
        }
        end
    }

    fn shortfall(&self, index: usize) -> Option<Shortfall> {
        let (bytes, balance) = (self.kept(index), self.balance(index));
        let worse = bytes > self.kept_of(&self.before, index) || balance < self.before.balances[index];
        let needed = self.per_byte * u128::from(bytes);
        (!self.read_only && worse && balance < needed).then_some(Shortfall {
            holder: self.addresses[index],
            bytes,
            needed,
            balance,
        })
    }

    fn steps(&mut self, own: usize, value: u128, frame: &Frame) -> Result<End, Faulted> {
        let mut output = Vec::new();
        let mut last_output = Vec::new();
        let mut handles = 0;
        for step in &frame.steps {
            let before = output.len();
            output.extend([0; 8]);
            let result = self.step(own, value, step, &mut output, &mut last_output, &mut handles)?;
            let result = result.unwrap_or_else(Status::to_return);
            output[before..before + 8].copy_from_slice(&result.to_le_bytes());
        }
        Ok(match frame.last {
            Last::Return => End::Success(output),
            Last::Abort(code) => End::Abort(u32::from(code), vec![code, b'!']),
            Last::Trap | Last::Burn => End::Fault,
        })
    }

    fn change(&mut self) -> Result<(), Faulted> {
        if self.read_only {
            self.note("fault in view");
            return Err(Faulted);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the registers of a frame")]
    fn step(
        &mut self,
        own: usize,
        value: u128,
        step: &Step,
        output: &mut Vec<u8>,
        last_output: &mut Vec<u8>,
        handles: &mut i64,
    ) -> Result<Result<i64, Status>, Faulted> {
        let mut copy = |bytes: &[u8], capacity: u16| {
            output.extend(&bytes[..bytes.len().min(usize::from(capacity))]);
            i64::try_from(bytes.len()).unwrap()
        };
        let address = self.addresses[own];
        Ok(match step {
            Step::Set { key, value } => {
                self.change()?;
                let before = self.now.storage[own].insert(key.to_vec(), value.clone());
                self.now.touched.insert(layout::storage_key(&address, key));
                if before.map(|before| before.len()) != Some(value.len()) {
                    self.now.touched.insert(layout::entries_key(&address));
                }
                Ok(0)
            }
            Step::Remove { key } => {
                self.change()?;
                let there = self.now.storage[own].remove(*key).is_some();
                if there {
                    self.now.touched.insert(layout::storage_key(&address, key));
                    self.now.touched.insert(layout::entries_key(&address));
                }
                Ok(i64::from(there))
            }
            Step::Get { key, capacity } => {
                self.now.storage[own].get(*key).map(|value| copy(value, *capacity)).ok_or(Status::NotFound)
            }
            Step::Scan { prefix, start, limit, capacity } => {
                let entries = &self.now.storage[own];
                let entries = entries.iter().filter(|(key, _)| key.starts_with(prefix) && &key[..] >= *start);
                let mut encoded = Vec::new();
                for (key, value) in entries.take(usize::from(*limit)) {
                    let lengths = [key.len(), value.len()].map(|length| u32::try_from(length).unwrap().to_le_bytes());
                    let entry = [lengths.as_flattened(), key, value].concat();
                    if encoded.len() + entry.len() > usize::from(*capacity) {
                        if encoded.is_empty() {
                            return Ok(Err(Status::LimitExceeded));
                        }
                        break;
                    }
                    encoded.extend(entry);
                }
                Ok(copy(&encoded, u16::MAX))
            }
            Step::TransientSet { key, value } => {
                self.change()?;
                self.now.transient[own].insert(key.to_vec(), value.clone());
                Ok(0)
            }
            Step::TransientRemove { key } => {
                self.change()?;
                Ok(i64::from(self.now.transient[own].remove(*key).is_some()))
            }
            Step::TransientGet { key, capacity } => {
                self.now.transient[own].get(*key).map(|value| copy(value, *capacity)).ok_or(Status::NotFound)
            }
            Step::Emit(topic) => {
                self.change()?;
                self.now.events.push(Event { contract: address, topic: vec![*topic], data: vec![*topic] });
                Ok(0)
            }
            Step::Balance(of) => Ok(copy(&self.now.balances[*of].to_le_bytes(), 16)),
            Step::Transfer { to, value } => {
                self.change()?;
                self.send(own, *to, *value).map(|()| 0)
            }
            Step::Call { target, value, tiny, capacity, frame } => {
                if *value > 0 {
                    self.change()?;
                }
                last_output.clear();
                if self.running.contains(target) {
                    if *target >= REENTRANT {
                        self.note("reentrant");
                        return Ok(Err(Status::Reentrant));
                    }
                    self.note("re-entered");
                }
                let before = self.now.clone();
                if let Err(status) = self.send(own, *target, *value) {
                    self.note("insufficient balance");
                    return Ok(Err(status));
                }
                let end = if *tiny {
                    self.note("tiny gas");
                    self.faulted = true;
                    End::Fault
                } else {
                    self.run(*target, *value, frame)
                };
                if let End::Success(returned) = end {
                    *last_output = returned;
                    return Ok(Ok(copy(last_output, *capacity)));
                }
                let changed = |of: fn(&Effects) -> &[Map; CONTRACTS]| of(&self.now) != of(&before);
                let (write, transient) = (changed(|it| &it.storage), changed(|it| &it.transient));
                if write {
                    self.note("undone write");
                }
                if transient {
                    self.note("undone transient");
                }
                self.now = before;
                Err(match end {
                    End::Abort(code, message) => {
                        self.note("inner abort");
                        *last_output = [&code.to_le_bytes()[..], &message].concat();
                        Status::CallAborted
                    }
                    End::Short(_) => {
                        self.note("inner short");
                        Status::InsufficientDeposit
                    }
                    _ => {
                        self.note("inner fault");
                        Status::CallFaulted
                    }
                })
            }
            Step::Last { capacity } => Ok(copy(last_output, *capacity)),
            Step::Value => Ok(copy(&value.to_le_bytes(), 16)),
            Step::Tensor(length) => {
                self.tensors += u64::from(*length);
                self.tensor_peak = self.tensor_peak.max(self.tensors);
                *handles += 1;
                Ok(*handles)
            }
            Step::Deposit => {
                let bytes = self.kept(own);
                let deposit = self.per_byte * u128::from(bytes);
                Ok(copy(&[&deposit.to_le_bytes()[..], &bytes.to_le_bytes()].concat(), 24))
            }
        })
    }

    fn send(&mut self, from: usize, to: usize, value: u128) -> Result<(), Status> {
        let rest = self.now.balances[from].checked_sub(value).ok_or(Status::InsufficientBalance)?;
        if value > 0 && from != to {
            self.now.balances[from] = rest;
            self.now.balances[to] += value;
            for index in [from, to] {
                self.now.touched.insert(layout::balance_key(&self.addresses[index]));
            }
        }
        Ok(())
    }
}
