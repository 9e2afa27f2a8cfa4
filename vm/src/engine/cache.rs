//! Compiled modules in memory. An optimisation that no receipt can see: what a module costs is decided by its size,
//! before anyone looks in here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use noema_abi::ProtocolVersion;

/// What compiled code depends on, on one machine: the code, the rules that instrumented it, and the host functions that
/// it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) version: ProtocolVersion,
    /// `identity::extensions_hash`
    pub(crate) extensions: [u8; 32],
    pub(crate) code_hash: [u8; 32],
}

/// Values by key, the least recently used thrown away above a number of bytes; those that are pinned never are, and do not
/// count. Whoever still runs one that is thrown away keeps it alive. One thread at a time makes the value of a key, the others wait for it; a failure is not kept.
pub(crate) struct ModuleCache<T> {
    capacity: u64,
    state: Mutex<State<T>>,
    made: Condvar,
}

struct State<T> {
    entries: BTreeMap<Key, Entry<T>>,
    pinned: BTreeSet<Key>,
    /// Of all that is ready and not pinned.
    bytes: u64,
    clock: u64,
}

enum Entry<T> {
    /// Some thread is making it.
    Making,
    Ready {
        value: Arc<T>,
        bytes: u64,
        used: u64,
    },
}

impl<T> ModuleCache<T> {
    pub(crate) fn new(capacity: u64) -> ModuleCache<T> {
        let state = State { entries: BTreeMap::new(), pinned: BTreeSet::new(), bytes: 0, clock: 0 };
        ModuleCache { capacity, state: Mutex::new(state), made: Condvar::new() }
    }

    /// Bytes above which values are thrown away.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The value of a key, made by `make` where it is not there. `bytes` says what it takes.
    pub(crate) fn get_or_make<E>(
        &self,
        key: Key,
        bytes: impl FnOnce(&T) -> u64,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E> {
        if let Some(value) = self.get_or_claim(key) {
            return Ok(value);
        }
        // From here on this thread owes the others an answer, also if `make` fails or panics.
        let claim = Claim { cache: self, key, kept: false };
        let value = make()?;
        claim.keep(Arc::clone(&value), bytes(&value));
        Ok(value)
    }

    fn get_or_claim(&self, key: Key) -> Option<Arc<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            state.clock += 1;
            let now = state.clock;
            match state.entries.get_mut(&key) {
                Some(Entry::Ready { value, used, .. }) => {
                    *used = now;
                    return Some(Arc::clone(value));
                }
                Some(Entry::Making) => {
                    state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    state.entries.insert(key, Entry::Making);
                    return None;
                }
            }
        }
    }

    /// Keeps the value of a key from now on, whether or not it is there yet.
    pub(crate) fn pin(&self, key: Key) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.pinned.insert(key) {
            state.bytes -= state.ready_bytes(&key);
        }
    }

    /// Takes a pin back: the value may be thrown away like any other.
    pub(crate) fn unpin(&self, key: &Key) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.pinned.remove(key) {
            state.bytes = state.bytes.saturating_add(state.ready_bytes(key));
            state.shrink(self.capacity);
        }
    }

    /// Bytes of all values that are not pinned.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Throws away everything that is ready, pinned or not; the pins stay.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.retain(|_, entry| matches!(entry, Entry::Making));
        state.bytes = 0;
    }
}

impl<T> State<T> {
    fn ready_bytes(&self, key: &Key) -> u64 {
        match self.entries.get(key) {
            Some(Entry::Ready { bytes, .. }) => *bytes,
            Some(Entry::Making) | None => 0,
        }
    }

    fn shrink(&mut self, capacity: u64) {
        while self.bytes > capacity {
            let oldest = self
                .entries
                .iter()
                .filter_map(|(key, entry)| match entry {
                    Entry::Ready { used, bytes, .. } if !self.pinned.contains(key) => Some((*used, *key, *bytes)),
                    Entry::Ready { .. } | Entry::Making => None,
                })
                .min();
            let Some((_, key, bytes)) = oldest else { return };
            self.entries.remove(&key);
            self.bytes -= bytes;
        }
    }
}

struct Claim<'c, T> {
    cache: &'c ModuleCache<T>,
    key: Key,
    kept: bool,
}

impl<T> Claim<'_, T> {
    fn keep(mut self, value: Arc<T>, bytes: u64) {
        let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let used = state.clock;
        state.entries.insert(self.key, Entry::Ready { value, bytes, used });
        if !state.pinned.contains(&self.key) {
            state.bytes = state.bytes.saturating_add(bytes);
            state.shrink(self.cache.capacity);
        }
        self.kept = true;
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        if !self.kept {
            let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.entries.remove(&self.key);
        }
        self.cache.made.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Barrier};

    use noema_abi::ProtocolVersion;

    use super::{Key, ModuleCache};

    fn key(number: u8) -> Key {
        Key { version: ProtocolVersion::V1, extensions: [0; 32], code_hash: [number; 32] }
    }

    fn get(cache: &ModuleCache<u8>, number: u8, made: &AtomicU32) -> Arc<u8> {
        let make = || {
            made.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(Arc::new(number))
        };
        cache.get_or_make(key(number), |_| 10, make).unwrap()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (cache, made) = (ModuleCache::new(30), AtomicU32::new(0));
        for number in [1, 2, 3, 1, 4] {
            assert_eq!(*get(&cache, number, &made), number);
        }
        assert_eq!((made.load(Ordering::SeqCst), cache.bytes()), (4, 30));
        get(&cache, 1, &made);
        assert_eq!(made.load(Ordering::SeqCst), 4, "1 was used after 2");
        get(&cache, 2, &made);
        assert_eq!(made.load(Ordering::SeqCst), 5, "2 was thrown away");
        cache.clear();
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn what_is_pinned_stays_and_takes_no_room() {
        let (cache, made) = (ModuleCache::new(20), AtomicU32::new(0));
        // Before it is there, and after.
        cache.pin(key(1));
        get(&cache, 1, &made);
        get(&cache, 2, &made);
        cache.pin(key(2));
        cache.pin(key(2));
        assert_eq!(cache.bytes(), 0);
        for number in 3..9 {
            get(&cache, number, &made);
        }
        assert_eq!((made.load(Ordering::SeqCst), cache.bytes()), (8, 20));
        get(&cache, 1, &made);
        get(&cache, 2, &made);
        assert_eq!(made.load(Ordering::SeqCst), 8);
        // Given back, the oldest goes: 7, since 2 was just used.
        cache.unpin(&key(2));
        cache.unpin(&key(2));
        assert_eq!(cache.bytes(), 20);
        get(&cache, 2, &made);
        get(&cache, 8, &made);
        assert_eq!(made.load(Ordering::SeqCst), 8);
        get(&cache, 7, &made);
        assert_eq!(made.load(Ordering::SeqCst), 9);
    }

    #[test]
    fn what_does_not_fit_is_made_but_not_kept() {
        let (cache, made) = (ModuleCache::new(5), AtomicU32::new(0));
        assert_eq!(*get(&cache, 1, &made), 1);
        assert_eq!(cache.bytes(), 0);
    }

    #[test]
    fn failures_and_panics_are_not_kept() {
        let (cache, made) = (ModuleCache::<u8>::new(30), AtomicU32::new(0));
        assert_eq!(cache.get_or_make(key(1), |_| 10, || Err("no disk")), Err("no disk"));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = cache.get_or_make::<()>(key(1), |_| 10, || panic!("as it happens"));
        }));
        assert!(panicked.is_err());
        assert_eq!(*get(&cache, 1, &made), 1);
    }

    #[test]
    fn one_thread_makes_and_the_others_wait() {
        let (cache, made, start) = (ModuleCache::new(30), AtomicU32::new(0), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    assert_eq!(*get(&cache, 1, &made), 1);
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }
}
