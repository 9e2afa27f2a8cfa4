//! What a message has changed so far: writes and events over an unchanging view of the state, with checkpoints that
//! nest. Every read of the base goes through here, so it also knows what the message depended on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use noema_state::{StateView, StoreError, WriteSet};

use crate::receipt::Event;

#[cfg(test)]
mod tests;

/// Writes and events of a message, on top of a state that does not change.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Current values of the keys that were written.
    writes: WriteSet,
    undo: Vec<Undo>,
    events: Vec<Event>,
    /// What was read from the base.
    base: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    scans: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

/// A write, and what stood in `writes` before it.
#[derive(Debug)]
struct Undo {
    key: Vec<u8>,
    before: Option<Option<Vec<u8>>>,
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
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        if let Some(read) = self.base.get(key) {
            return Ok(read.clone());
        }
        let value = view.get(key)?;
        self.base.insert(key.to_vec(), value.clone());
        Ok(value)
    }

    /// Writes a value, or removes the key with `None`.
    pub(crate) fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.writes.insert(key.clone(), value);
        self.undo.push(Undo { key, before });
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
        self.scans.insert((prefix.to_vec(), start.to_vec()));
        let mut merge = Merge { limit, max_removed, found: Vec::new(), removed: 0 };
        let mut from = prefix.max(start).to_vec();
        while merge.found.len() < limit {
            let wanted = limit - merge.found.len();
            let page = view.scan(prefix, &from, wanted)?;
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
            let Some(Undo { key, before }) = self.undo.pop() else { break };
            match before {
                Some(value) => self.writes.insert(key, value),
                None => self.writes.remove(&key),
            };
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
