//! What a message has changed so far: writes, transient entries and events over an unchanging view of the state, with
//! checkpoints that nest. Every read of the base goes through here, so it also knows what the message depended on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use noema_state::{HiddenRanges, StateView, StoreError, WriteSet};

use crate::Address;
use crate::receipt::Event;

#[cfg(test)]
mod tests;

/// Writes, transient entries and events of a message, on top of a state that does not change.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Current values of the keys that were written.
    writes: WriteSet,
    /// What ends with the message.
    transient: BTreeMap<Address, Transient>,
    undo: Vec<Undo>,
    events: Vec<Event>,
    /// What was read from the base.
    base: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What has not been paid for.
    due: Accesses,
    scans: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// Where all of the base is written over.
    hidden: HiddenRanges,
}

/// The transient entries of one contract.
#[derive(Debug, Default)]
struct Transient {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of keys and values.
    bytes: u64,
}

/// What a node may have to wait for its disk for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accesses {
    /// Keys of the base that were read for the first time, and scans of it.
    pub(crate) reads: u64,
    /// Keys that were written and had not been, or not any more.
    pub(crate) writes: u64,
}

/// A change, and what was there before it.
#[derive(Debug)]
enum Undo {
    Write { key: Vec<u8>, before: Option<Option<Vec<u8>>> },
    Transient { contract: Address, key: Vec<u8>, before: Option<Vec<u8>> },
}

/// A length as the limits count it.
fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A point to go back to. Points must be used in the reverse of the order in which they were taken.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Checkpoint {
    undo: usize,
    events: usize,
}

/// What a scan found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// These entries, after passing over this many removed keys.
    Found(Vec<(Vec<u8>, Vec<u8>)>, u64),
    /// More removed keys than allowed lie on the way.
    TooManyRemoved,
}

/// What a message did to the state and what it depended on.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) writes: WriteSet,
    pub(crate) events: Vec<Event>,
    pub(crate) reads: BTreeSet<Vec<u8>>,
    /// Prefix and start of every scan of the base.
    pub(crate) scans: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl Journal {
    /// The value under a key.
    pub(crate) fn get(&mut self, view: &dyn StateView, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.find(view, key)?.map(<[u8]>::to_vec))
    }

    /// The length of the value under a key.
    pub(crate) fn len(&mut self, view: &dyn StateView, key: &[u8]) -> Result<Option<u64>, StoreError> {
        Ok(self.find(view, key)?.map(length))
    }

    fn find(&mut self, view: &dyn StateView, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        if self.writes.contains_key(key) {
            return Ok(self.written(key).flatten());
        }
        self.get_base(view, key)
    }

    /// The value that was under a key when the message began.
    pub(crate) fn get_base(&mut self, view: &dyn StateView, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        if !self.base.contains_key(key) {
            self.due.reads += 1;
            self.base.insert(key.to_vec(), view.get(key)?);
        }
        Ok(self.base.get(key).and_then(Option::as_deref))
    }

    /// What the message has written under a key, if it has: `Some(None)` where it removed it.
    pub(crate) fn written(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.writes.get(key).map(Option::as_deref)
    }

    /// Writes a value, or removes the key with `None`.
    pub(crate) fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.writes.insert(key.clone(), value);
        self.due.writes += u64::from(before.is_none());
        self.undo.push(Undo::Write { key, before });
    }

    /// The transient value of a contract under a key.
    pub(crate) fn transient(&self, contract: &Address, key: &[u8]) -> Option<&[u8]> {
        self.transient.get(contract)?.entries.get(key).map(Vec::as_slice)
    }

    /// Bytes of transient keys and values that a contract would have with this entry.
    pub(crate) fn transient_bytes_with(&self, contract: &Address, key: &[u8], value: &[u8]) -> u64 {
        let Some(transient) = self.transient.get(contract) else {
            return length(key).saturating_add(length(value));
        };
        let there = transient.entries.get(key).map_or(0, |value| length(key) + length(value));
        (transient.bytes - there).saturating_add(length(key)).saturating_add(length(value))
    }

    /// Writes a transient value, or removes the key with `None`.
    pub(crate) fn set_transient(&mut self, contract: Address, key: &[u8], value: Option<Vec<u8>>) {
        let before = self.replace_transient(contract, key, value);
        self.undo.push(Undo::Transient { contract, key: key.to_vec(), before });
    }

    fn replace_transient(&mut self, contract: Address, key: &[u8], value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let transient = self.transient.entry(contract).or_default();
        let added = value.as_deref().map_or(0, |value| length(key) + length(value));
        let before = match value {
            Some(value) => transient.entries.insert(key.to_vec(), value),
            None => transient.entries.remove(key),
        };
        let taken = before.as_deref().map_or(0, |value| length(key) + length(value));
        transient.bytes = transient.bytes + added - taken;
        before
    }

    /// The first `limit` entries whose key starts with `prefix` and is not below `start`, ascending. Removed keys on the
    /// way are counted, and the scan gives up above `max_removed` of them: passing over them is work.
    pub(crate) fn scan(
        &mut self,
        view: &dyn StateView,
        prefix: &[u8],
        start: &[u8],
        limit: usize,
        max_removed: u64,
    ) -> Result<Scan, StoreError> {
        self.due.reads += u64::from(self.scans.insert((prefix.to_vec(), start.to_vec())));
        let mut merge = Merge { limit, max_removed, found: Vec::new(), removed: 0 };
        let mut from = prefix.max(start).to_vec();
        while merge.found.len() < limit {
            let wanted = limit - merge.found.len();
            // What was passed over is paid for by its number, so the base is read no more than once for it, whatever lies there.
            let mut from_base = from.clone();
            self.hidden.skip(&mut from_base);
            let page = view.scan(prefix, &from_base, wanted)?;
            for (key, _) in &page {
                self.hidden.pass(&mut from_base, key, self.writes.contains_key(key));
            }
            let next = match page.last() {
                // The smallest key above the last one: everything below it has been seen.
                Some((last, _)) if page.len() == wanted => Some([last.as_slice(), &[0]].concat()),
                _ => None,
            };
            let end = next.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let written = self.writes.range::<[u8], _>((Bound::Included(from.as_slice()), end));
            if !merge.page(page, written.take_while(|(key, _)| key.starts_with(prefix))) {
                return Ok(Scan::TooManyRemoved);
            }
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(Scan::Found(merge.found, merge.removed))
    }

    /// The accesses since this was last asked.
    pub(crate) fn take_due(&mut self) -> Accesses {
        std::mem::take(&mut self.due)
    }

    /// Adds an event.
    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// How many events stand.
    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    /// A point to go back to.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { undo: self.undo.len(), events: self.events.len() }
    }

    /// Takes back everything since the point.
    pub(crate) fn rollback(&mut self, point: Checkpoint) {
        self.events.truncate(point.events);
        while self.undo.len() > point.undo {
            match self.undo.pop() {
                Some(Undo::Write { key, before: Some(value) }) => drop(self.writes.insert(key, value)),
                Some(Undo::Write { key, before: None }) => {
                    self.writes.remove(&key);
                    self.hidden.show(&key);
                }
                Some(Undo::Transient { contract, key, before }) => {
                    self.replace_transient(contract, &key, before);
                }
                None => break,
            }
        }
    }

    /// Ends the message.
    pub(crate) fn finish(self) -> Effects {
        Effects { writes: self.writes, events: self.events, reads: self.base.into_keys().collect(), scans: self.scans }
    }
}

/// A scan under way.
struct Merge {
    limit: usize,
    max_removed: u64,
    found: Vec<(Vec<u8>, Vec<u8>)>,
    removed: u64,
}

impl Merge {
    /// Merges one page of the base with what was written in the same range. `false`: too many removed keys.
    fn page<'w>(
        &mut self,
        page: Vec<(Vec<u8>, Vec<u8>)>,
        written: impl Iterator<Item = (&'w Vec<u8>, &'w Option<Vec<u8>>)>,
    ) -> bool {
        let mut written = written.peekable();
        let mut base = page.into_iter().peekable();
        while self.found.len() < self.limit {
            let base_first = match (base.peek(), written.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((from_base, _)), Some((from_written, _))) => from_base < *from_written,
            };
            if base_first {
                self.found.extend(base.next());
                continue;
            }
            let Some((key, value)) = written.next() else { break };
            // A written key hides the one below it.
            base.next_if(|(from_base, _)| from_base == key);
            match value {
                Some(value) => self.found.push((key.clone(), value.clone())),
                None => {
                    self.removed += 1;
                    if self.removed > self.max_removed {
                        return false;
                    }
                }
            }
        }
        true
    }
}
