//! The one test that every store passes: those in this crate, and those of an embedder.
//!
//! ```
//! use noema_state::{MemoryStore, suite};
//!
//! suite::run(&|| Box::new(MemoryStore::new()), &|store| store);
//! ```
//!
//! A store on disk passes [`on_disk::run`], which runs this one and then what only a disk can do.

pub mod counting;
pub mod on_disk;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::view::scan_map;
use crate::{Batch, Column, StateStore, StateView, StoreError, root};

/// A store on which every test may work.
pub type Store = Box<dyn StateStore>;

/// Makes an empty store that shares nothing with an earlier one.
pub type Fresh<'a> = &'a dyn Fn() -> Store;

/// Closes a store and opens it again; a store that does not outlive its process returns it as it is.
pub type Reopen<'a> = &'a dyn Fn(Store) -> Store;

type Test = fn(Fresh, Reopen) -> Result<(), StoreError>;

/// What the store should contain.
type Model = BTreeMap<(Column, Vec<u8>), Vec<u8>>;

/// Runs every test.
///
/// # Panics
/// The store does not do what [`StateStore`] says.
pub fn run(fresh: Fresh, reopen: Reopen) {
    let tests: [Test; 7] = [
        entries_are_set_replaced_and_removed,
        columns_are_apart,
        scans_agree_with_a_map,
        the_last_change_of_a_batch_counts,
        snapshots_do_not_change,
        readers_see_whole_batches,
        random_batches_survive_reopening,
    ];
    for test in tests {
        if let Err(error) = test(fresh, reopen) {
            panic!("the store failed: {error}");
        }
    }
}

fn put(store: &Store, column: Column, entries: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(column, *key, *value);
    }
    store.commit(batch)
}

fn entries_are_set_replaced_and_removed(fresh: Fresh, reopen: Reopen) -> Result<(), StoreError> {
    let store = fresh();
    assert_eq!(store.get(Column::State, b"a")?, None);
    store.commit(Batch::new())?;
    let large = vec![0xA5; 300_000];
    put(&store, Column::State, &[(b"a", b"1"), (b"", b"empty key"), (b"empty value", b""), (b"large", &large)])?;
    put(&store, Column::State, &[(b"a", b"2")])?;
    let mut batch = Batch::new();
    batch.delete(Column::State, b"never there");
    store.commit(batch)?;

    let store = reopen(store);
    assert_eq!(store.get(Column::State, b"a")?.as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get(Column::State, b"")?.as_deref(), Some(&b"empty key"[..]));
    assert_eq!(store.get(Column::State, b"empty value")?.as_deref(), Some(&b""[..]));
    assert_eq!(store.get(Column::State, b"large")?.as_deref(), Some(&large[..]));
    assert_eq!(store.get(Column::State, b"never there")?, None);

    let mut batch = Batch::new();
    batch.delete(Column::State, b"a");
    batch.delete(Column::State, b"");
    store.commit(batch)?;
    let store = reopen(store);
    assert_eq!(store.get(Column::State, b"a")?, None);
    assert_eq!(store.get(Column::State, b"")?, None);
    assert_eq!(store.get(Column::State, b"large")?.as_deref(), Some(&large[..]));
    Ok(())
}

fn columns_are_apart(fresh: Fresh, reopen: Reopen) -> Result<(), StoreError> {
    let store = fresh();
    let mut batch = Batch::new();
    for column in Column::ALL {
        batch.put(column, b"key", column.name());
    }
    batch.delete(Column::Tree, b"key");
    store.commit(batch)?;
    let store = reopen(store);
    for column in Column::ALL {
        let expected = (column != Column::Tree).then(|| column.name().as_bytes().to_vec());
        assert_eq!(store.get(column, b"key")?, expected);
        assert_eq!(store.scan(column, b"", b"", 9)?.len(), expected.iter().len());
    }
    assert_eq!(store.snapshot()?.get(b"key")?.as_deref(), Some(&b"state"[..]));
    Ok(())
}

/// Keys around every edge of a prefix scan.
const KEYS: [&[u8]; 16] = [
    b"",
    b"\0",
    b"\0\0",
    b"\0\xff",
    b"\x01",
    b"a",
    b"a\0",
    b"a\xff",
    b"a\xff\xff",
    b"b",
    b"\xfe\xff",
    b"\xff",
    b"\xff\0",
    b"\xff\xff",
    b"\xff\xff\xff",
    b"\xff\xff\xff\xff\0",
];

fn scans_agree_with_a_map(fresh: Fresh, _: Reopen) -> Result<(), StoreError> {
    let store = fresh();
    let mut map = BTreeMap::new();
    for key in KEYS {
        map.insert(key.to_vec(), [key, b"!"].concat());
    }
    // Neighbours in the other columns must not be seen.
    for column in Column::ALL {
        let entries: Vec<(&[u8], &[u8])> = match column {
            Column::State => map.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect(),
            _ => KEYS.iter().map(|key| (*key, &b"elsewhere"[..])).collect(),
        };
        put(&store, column, &entries)?;
    }
    let snapshot = store.snapshot()?;
    let mut edges: Vec<&[u8]> = KEYS.to_vec();
    edges.extend([&b"a\x7f"[..], b"aa", b"c", b"\xff\xff\xff\xff\xff", b"\xff\xfe"]);
    for prefix in &edges {
        for start in &edges {
            for limit in [0, 1, 2, 5, KEYS.len(), usize::MAX] {
                let expected = scan_map(&map, prefix, start, limit);
                assert_eq!(
                    store.scan(Column::State, prefix, start, limit)?,
                    expected,
                    "{prefix:x?} {start:x?} {limit}"
                );
                assert_eq!(snapshot.scan(prefix, start, limit)?, expected, "snapshot {prefix:x?} {start:x?} {limit}");
            }
        }
    }
    Ok(())
}

fn the_last_change_of_a_batch_counts(fresh: Fresh, reopen: Reopen) -> Result<(), StoreError> {
    let store = fresh();
    put(&store, Column::Chain, &[(b"removed", b"0"), (b"kept", b"0")])?;
    let mut batch = Batch::new();
    batch.put(Column::Chain, b"removed", b"1");
    batch.delete(Column::Chain, b"removed");
    batch.delete(Column::Chain, b"kept");
    batch.put(Column::Chain, b"kept", b"2");
    store.commit(batch)?;
    let store = reopen(store);
    assert_eq!(store.scan(Column::Chain, b"", b"", 9)?, [(b"kept".to_vec(), b"2".to_vec())]);
    Ok(())
}

fn snapshots_do_not_change(fresh: Fresh, _: Reopen) -> Result<(), StoreError> {
    let store = fresh();
    let empty = store.snapshot()?;
    put(&store, Column::State, &[(b"a", b"1"), (b"b", b"1")])?;
    let first = store.snapshot()?;
    let mut batch = Batch::new();
    batch.put(Column::State, b"a", b"2");
    batch.delete(Column::State, b"b");
    batch.put(Column::State, b"c", b"2");
    store.commit(batch)?;
    let second = store.snapshot()?;

    let entry = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(empty.scan(b"", b"", 9)?, []);
    assert_eq!(empty.get(b"a")?, None);
    assert_eq!(first.scan(b"", b"", 9)?, [entry(b"a", b"1"), entry(b"b", b"1")]);
    assert_eq!(first.get(b"c")?, None);
    assert_eq!(second.scan(b"", b"", 9)?, [entry(b"a", b"2"), entry(b"c", b"2")]);
    // A snapshot needs nobody to keep the store for it.
    drop(second);
    assert_eq!(first.get(b"b")?.as_deref(), Some(&b"1"[..]));
    Ok(())
}

/// A writer stamps all keys with a new number again and again; a reader must never meet two different numbers.
fn readers_see_whole_batches(fresh: Fresh, _: Reopen) -> Result<(), StoreError> {
    const ROUNDS: u32 = 25;
    let store = fresh();
    let stamp = |round: u32| -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for key in 0..200_u32 {
            batch.put(Column::State, key.to_be_bytes(), round.to_be_bytes());
        }
        store.commit(batch)
    };
    stamp(0)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let reader = threads.spawn(|| -> Result<u32, StoreError> {
            let mut newest = 0;
            loop {
                let last = done.load(Ordering::Acquire);
                let snapshot = store.snapshot()?;
                let entries = snapshot.scan(b"", b"", usize::MAX)?;
                assert_eq!(entries.len(), 200);
                let (_, value) = &entries[0];
                assert!(entries.iter().all(|(_, other)| other == value), "half a batch was seen");
                assert_eq!(snapshot.get(&77_u32.to_be_bytes())?.as_ref(), Some(value));
                let round = u32::from_be_bytes(value.as_slice().try_into().expect("four bytes were written"));
                assert!(round >= newest, "an older state came back");
                newest = round;
                if last {
                    return Ok(newest);
                }
            }
        });
        for round in 1..=ROUNDS {
            stamp(round)?;
        }
        done.store(true, Ordering::Release);
        let newest = reader.join().expect("the reader found what it should")?;
        assert_eq!(newest, ROUNDS, "a reader that starts after a commit sees it");
        Ok(())
    })
}

fn random_batches_survive_reopening(fresh: Fresh, reopen: Reopen) -> Result<(), StoreError> {
    let mut store = fresh();
    let mut model = Model::new();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..40 {
        let mut batch = Batch::new();
        for _ in 0..random.below(60) {
            let column = Column::ALL[random.below(4)];
            let key: Vec<u8> = (0..random.below(4)).map(|_| [0, b'a', 0xff][random.below(3)]).collect();
            if random.below(3) == 0 {
                batch.delete(column, key.clone());
                model.remove(&(column, key));
            } else {
                let value = vec![u8::try_from(round).expect("below 40"); random.below(6000)];
                batch.put(column, key.clone(), value.clone());
                model.insert((column, key), value);
            }
        }
        store.commit(batch)?;
        if round % 8 == 7 {
            store = reopen(store);
        }
        for column in Column::ALL {
            let expected: Vec<_> = model
                .iter()
                .filter(|((other, _), _)| *other == column)
                .map(|((_, key), value)| (key.clone(), value.clone()))
                .collect();
            assert_eq!(store.scan(column, b"", b"", usize::MAX)?, expected, "round {round}, {column:?}");
        }
    }
    Ok(())
}

/// The root after a fixed series of random writes. It depends on no store, so every store has the same one.
///
/// # Panics
/// The store or the tree failed.
#[must_use]
pub fn known_root(store: &dyn StateStore) -> [u8; 32] {
    let mut random = Random(7);
    let mut last = root::EMPTY_ROOT;
    for version in 0..12 {
        let writes = (0..random.below(50))
            .map(|_| {
                let key = vec![u8::try_from(random.below(90)).expect("below 90"); 1 + random.below(3)];
                let value = (random.below(4) != 0).then(|| vec![1; random.below(100)]);
                (key, value)
            })
            .collect();
        let mut batch = Batch::new();
        batch.write_state(&writes);
        last = root::apply(store, version, &writes, &mut batch).expect("the tree grows");
        store.commit(batch).expect("the store commits");
    }
    last
}

/// A small fixed generator, so that every run does the same (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).expect("31 bits") % end
    }
}
