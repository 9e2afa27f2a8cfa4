//! Writes that are not committed yet, over a view.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use crate::{Entry, HiddenRanges, StateView, StoreError, WriteSet};

/// A view with writes on top of it: what the next transaction of a block sees.
///
/// ```
/// use noema_state::{Overlay, StateView, WriteSet};
/// use std::collections::BTreeMap;
///
/// let base = BTreeMap::from([(b"a".to_vec(), vec![1]), (b"b".to_vec(), vec![2])]);
/// let mut overlay = Overlay::new(&base);
/// overlay.apply(WriteSet::from([(b"a".to_vec(), None), (b"c".to_vec(), Some(vec![3]))]));
/// assert_eq!(overlay.get(b"a")?, None);
/// assert_eq!(overlay.scan(b"", b"", 9)?, [(b"b".to_vec(), vec![2]), (b"c".to_vec(), vec![3])]);
/// # Ok::<(), noema_state::StoreError>(())
/// ```
///
/// A scan reads no more than a few times what it gives, whatever was written: contracts decide what they scan, and pay
/// for what they get.
#[derive(Debug)]
pub struct Overlay<V> {
    base: V,
    writes: WriteSet,
    /// The keys among them that have a value.
    there: BTreeSet<Vec<u8>>,
    /// What is written stays written, so nothing is taken out of these.
    hidden: Mutex<HiddenRanges>,
}

impl<V: StateView> Overlay<V> {
    /// No writes yet.
    pub fn new(base: V) -> Overlay<V> {
        Overlay { base, writes: WriteSet::new(), there: BTreeSet::new(), hidden: Mutex::default() }
    }

    /// Puts these writes on top.
    pub fn apply(&mut self, writes: WriteSet) {
        for (key, value) in &writes {
            match value {
                Some(_) => self.there.insert(key.clone()),
                None => self.there.remove(key),
            };
        }
        self.writes.extend(writes);
    }

    /// Everything written so far.
    #[must_use]
    pub fn writes(&self) -> &WriteSet {
        &self.writes
    }

    /// Everything written, without the view.
    #[must_use]
    pub fn into_writes(self) -> WriteSet {
        self.writes
    }

    /// An entry that was written.
    fn written(&self, key: &[u8]) -> Option<Entry> {
        self.writes.get(key)?.clone().map(|value| (key.to_vec(), value))
    }

    /// The next entries of the base that nothing is written over, at most `wanted`, and whether they are the last; at
    /// least one, where they are not. `from` is moved behind them.
    fn shown(&self, prefix: &[u8], from: &mut Vec<u8>, wanted: usize) -> Result<(Vec<Entry>, bool), StoreError> {
        let mut size = wanted;
        loop {
            let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
            hidden.skip(from);
            let page = self.base.scan(prefix, from, size)?;
            let ended = page.len() < size;
            let mut shown = Vec::new();
            for (key, value) in page {
                if hidden.pass(from, &key, self.writes.contains_key(&key)) {
                    shown.push((key, value));
                }
            }
            if ended || !shown.is_empty() {
                return Ok((shown, ended));
            }
            // Passed over for the first and last time.
            size = size.max(PAGE.min(size.saturating_mul(2)));
        }
    }
}

/// How much is read at a time from the base at most where nothing of it is shown.
const PAGE: usize = 64;

impl<V: StateView> StateView for Overlay<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut found: Vec<Entry> = Vec::new();
        let mut from = prefix.max(start).to_vec();
        let mut written = self
            .there
            .range::<[u8], _>((Bound::Included(from.as_slice()), Bound::Unbounded))
            .take_while(|key| key.starts_with(prefix))
            .peekable();
        let mut ended = false;
        while found.len() < limit && !ended {
            let page;
            (page, ended) = self.shown(prefix, &mut from, limit - found.len())?;
            for (key, value) in page {
                while found.len() < limit
                    && let Some(other) = written.next_if(|other| **other < key)
                {
                    found.extend(self.written(other));
                }
                if found.len() == limit {
                    break;
                }
                found.push((key, value));
            }
        }
        let rest = written.take(limit - found.len()).filter_map(|key| self.written(key));
        found.extend(rest);
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
