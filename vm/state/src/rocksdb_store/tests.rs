use super::*;
use crate::suite::on_disk;
use crate::{DEFAULT_CACHE_BYTES, STORE_FORMAT};

pub(super) fn batch(entries: &[(&[u8], &[u8])]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(Column::State, *key, *value);
        batch.put(Column::Chain, *key, *value);
    }
    batch
}

pub(super) fn create(path: &Path) -> Result<RocksDbStore, StoreError> {
    RocksDbStore::create(path, DEFAULT_CACHE_BYTES)
}

pub(super) fn open(path: &Path) -> Result<RocksDbStore, StoreError> {
    RocksDbStore::open(path, DEFAULT_CACHE_BYTES)
}

/// Everything, where the two columns that [`batch`] writes are the same.
pub(super) fn contents(store: &RocksDbStore) -> Vec<Entry> {
    let state = store.scan(Column::State, b"", b"", usize::MAX).unwrap();
    assert_eq!(store.scan(Column::Chain, b"", b"", usize::MAX).unwrap(), state, "columns changed apart");
    state
}

#[test]
fn passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    on_disk::run(
        directory.path(),
        &on_disk::OnDisk {
            create: &|path| Ok(Box::new(create(path)?)),
            open: &|path| Ok(Box::new(open(path)?)),
            foreign: &|path| drop(DB::open_default(path).unwrap()),
            set_format: &|path, format| fs::write(path.join(marker::NAME), format!("format {format}\n")).unwrap(),
        },
    );
}

#[test]
fn a_marker_that_says_nothing_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(create(&path).unwrap());
    let marker = path.join(marker::NAME);
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("format {STORE_FORMAT}\n"));
    for text in [&b""[..], b"format", b"format 1", b"format x\n", b"format 1\nmore\n", b"\xff\xfe"] {
        fs::write(&marker, text).unwrap();
        assert!(matches!(open(&path), Err(StoreError::NotAStore { .. })), "{text:?}");
    }
    fs::write(&marker, "format 1\n").unwrap();
    open(&path).unwrap();
}

#[test]
fn the_database_of_somebody_else_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs");
    DB::open_default(&path).unwrap().put(b"a", b"1").unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    assert!(matches!(open(&path), Err(StoreError::NotAStore { .. })));
    assert_eq!(names(), before, "not even a line in its log");
    assert_eq!(DB::open_default(&path).unwrap().get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
}

/// Values of many sizes over many commits and several sorted files, read while files are written and merged.
#[test]
fn sorted_files_are_read_like_what_is_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let mut store = create(&path).unwrap();
    let value = |round: u8, key: u8| vec![round; usize::from(key) * 40];
    for round in 0..8_u8 {
        let mut batch = Batch::new();
        for key in 0..100_u8 {
            match (key + round) % 7 {
                0 => batch.delete(Column::State, [key]),
                _ => batch.put(Column::State, [key], value(round, key)),
            }
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        store.database.flush_cf(family(&path, &store.database, Column::State).unwrap()).unwrap();
        let expected: Vec<Entry> =
            (0..100_u8).filter(|key| (key + round) % 7 != 0).map(|key| (vec![key], value(round, key))).collect();
        assert_eq!(store.scan(Column::State, b"", b"", usize::MAX).unwrap(), expected, "round {round}");
        assert_eq!(snapshot.scan(b"", b"", usize::MAX).unwrap(), expected, "round {round}");
        assert_eq!(store.get(Column::State, &[7 - round % 7]).unwrap(), None);
        drop(snapshot);
        drop(store);
        store = open(&path).unwrap();
        assert_eq!(store.scan(Column::State, &[50], b"", 9).unwrap().len(), usize::from((50 + round) % 7 != 0));
    }
}

#[test]
fn a_checkpoint_is_the_last_commit_and_a_store_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("state"), directory.path().join("copy"));
    let store = create(&path).unwrap();
    store.commit(batch(&[(b"a", b"1"), (b"large", &[5; 100_000])])).unwrap();
    fs::write(creation::unfinished(&copy), b"of an interrupted one").unwrap();
    store.checkpoint(&copy).unwrap();
    let then = contents(&store);
    store.commit(batch(&[(b"a", b"2"), (b"b", b"2")])).unwrap();

    let copied = open(&copy).unwrap();
    assert_eq!(contents(&copied), then);
    copied.commit(batch(&[(b"a", b"copy")])).unwrap();
    assert_eq!(store.get(Column::State, b"a").unwrap().as_deref(), Some(&b"2"[..]));
    drop(copied);
    drop(store);
    assert_eq!(open(&copy).unwrap().get(Column::State, b"a").unwrap().as_deref(), Some(&b"copy"[..]));

    let store = open(&path).unwrap();
    assert_eq!(contents(&store).len(), 3);
    assert!(matches!(store.checkpoint(&copy), Err(StoreError::Exists { .. })));
    assert!(matches!(store.checkpoint(&directory.path().join("no").join("copy")), Err(StoreError::Missing { .. })));
    #[cfg(target_os = "linux")]
    {
        let error = store.checkpoint(Path::new("/sys/noema-copy")).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    store.commit(batch(&[(b"c", b"3")])).unwrap();
}

#[test]
fn a_snapshot_outlives_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = create(&path).unwrap();
    store.commit(batch(&[(b"a", b"1")])).unwrap();
    let snapshot = store.snapshot().unwrap();
    store.commit(batch(&[(b"a", b"2")])).unwrap();
    drop(store);
    assert_eq!(snapshot.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert!(matches!(open(&path), Err(StoreError::Busy { .. })), "the snapshot holds it");
    drop(snapshot);
    open(&path).unwrap();
}
