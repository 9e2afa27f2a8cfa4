use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::suite;

pub(super) fn batch(entries: &[(&[u8], &[u8])]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(Column::State, *key, *value);
        batch.put(Column::Chain, *key, *value);
    }
    batch
}

pub(super) fn open(path: &Path) -> Result<RedbStore, StoreError> {
    RedbStore::open(path, DEFAULT_CACHE_BYTES)
}

#[test]
fn passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let made = AtomicU64::new(0);
    let path = |number: u64| directory.path().join(format!("{number}"));
    suite::run(
        &|| {
            let number = made.fetch_add(1, Ordering::Relaxed);
            Box::new(RedbStore::create(&path(number), DEFAULT_CACHE_BYTES).unwrap())
        },
        &|store| {
            drop(store);
            Box::new(open(&path(made.load(Ordering::Relaxed) - 1)).unwrap())
        },
    );
}

#[test]
fn says_what_is_wrong_with_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    assert!(matches!(open(&path), Err(StoreError::Missing { .. })));
    let nowhere = directory.path().join("no").join("state");
    assert!(matches!(RedbStore::create(&nowhere, 0), Err(StoreError::Missing { .. })));

    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    assert!(matches!(open(&path), Err(StoreError::Busy { .. })));
    assert!(open(&path).unwrap_err().to_string().contains("in use by another process"));
    assert!(matches!(RedbStore::create(&path, 0), Err(StoreError::Exists { .. })));
    drop(store);
    assert!(matches!(RedbStore::create(&path, 0), Err(StoreError::Exists { .. })));
    assert_eq!(open(&path).unwrap().path(), path);

    let text = directory.path().join("text");
    fs::write(&text, b"not a database at all".repeat(1000)).unwrap();
    assert!(matches!(open(&text), Err(StoreError::NotAStore { .. })));
    let nothing = directory.path().join("nothing");
    fs::write(&nothing, b"").unwrap();
    assert!(matches!(open(&nothing), Err(StoreError::NotAStore { .. })), "{:?}", open(&nothing));
    assert!(matches!(open(directory.path()), Err(StoreError::Io { .. })), "{:?}", open(directory.path()));
}

#[test]
fn refuses_files_of_others_and_of_other_versions() {
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("foreign");
    drop(Database::create(&foreign).unwrap());
    assert!(matches!(open(&foreign), Err(StoreError::NotAStore { .. })));

    let path = directory.path().join("state");
    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(FORMAT).unwrap().insert(FORMAT_KEY, STORE_FORMAT + 1).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Version { found: 2, expected: 1, .. }), "{error}");
}

#[test]
fn an_interrupted_creation_is_not_a_store_and_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    fs::write(unfinished(&path), b"half of a file").unwrap();
    assert!(matches!(open(&path), Err(StoreError::Missing { .. })));
    RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap().commit(batch(&[(b"a", b"1")])).unwrap();
    assert!(!unfinished(&path).exists());
    assert_eq!(open(&path).unwrap().get(Column::State, b"a").unwrap().as_deref(), Some(&b"1"[..]));
}

/// A user who is not the superuser; the superuser writes where permissions forbid it.
fn permissions_count(directory: &Path) -> bool {
    let probe = directory.join("probe");
    let allowed = fs::write(&probe, b"").is_ok();
    let _ = fs::remove_file(probe);
    !allowed
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    // Nobody creates files here, not even the superuser.
    #[cfg(target_os = "linux")]
    {
        let error = RedbStore::create(Path::new("/sys/noema-state"), 0).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap());
    let change = |path: &Path, readonly: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(readonly);
        fs::set_permissions(path, permissions).unwrap();
    };
    change(&path, true);
    change(directory.path(), true);
    if permissions_count(directory.path()) {
        assert!(matches!(open(&path), Err(StoreError::ReadOnly { .. })));
        let error = RedbStore::create(&directory.path().join("new"), 0).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    change(directory.path(), false);
    change(&path, false);
    open(&path).unwrap();
}

#[test]
fn a_cut_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    store.commit(batch(&[(b"a", &[7; 100_000])])).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    for keep in [0, 1, 63, 64, 320, 4096, 8192, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        let error = open(&path).expect_err("a part of the file is not a store");
        assert!(
            matches!(error, StoreError::NotAStore { .. } | StoreError::Corrupt { .. } | StoreError::Io { .. }),
            "{keep}: {error:?}"
        );
    }
    fs::write(&path, &whole).unwrap();
    open(&path).unwrap();
}
