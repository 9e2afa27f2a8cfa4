//! Writes that are not committed yet, over a view.

use std::ops::Bound;

use crate::{Entry, StateView, StoreError, WriteSet};

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
#[derive(Debug)]
pub struct Overlay<V> {
    base: V,
    writes: WriteSet,
}

impl<V: StateView> Overlay<V> {
    /// No writes yet.
    pub fn new(base: V) -> Overlay<V> {
        Overlay { base, writes: WriteSet::new() }
    }

    /// Puts these writes on top.
    pub fn apply(&mut self, writes: WriteSet) {
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
}

/// How much is read at a time from the base at least, so that a run of removed entries is not skipped one by one.
const PAGE: usize = 64;

impl<V: StateView> StateView for Overlay<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        let mut from = prefix.max(start).to_vec();
        let mut written = self
            .writes
            .range::<[u8], _>((Bound::Included(from.as_slice()), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .peekable();
        while found.len() < limit {
            let wanted = (limit - found.len()).max(PAGE);
            let page = self.base.scan(prefix, &from, wanted)?;
            let exhausted = page.len() < wanted;
            if let Some((last, _)) = page.last() {
                // The smallest key above `last`.
                from = [last.as_slice(), &[0]].concat();
            }
            for (key, value) in page {
                while let Some((key, value)) = written.next_if(|(other, _)| **other < key) {
                    found.extend(value.clone().map(|value| (key.clone(), value)));
                }
                match written.next_if(|(other, _)| **other == key) {
                    Some((_, value)) => found.extend(value.clone().map(|value| (key, value))),
                    None => found.push((key, value)),
                }
            }
            if exhausted {
                found.extend(written.filter_map(|(key, value)| Some((key.clone(), value.clone()?))));
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
