use std::fs;

use super::*;
use crate::DEFAULT_CACHE_BYTES;
use crate::suite::on_disk;

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
    on_disk::run(
        directory.path(),
        &on_disk::OnDisk {
            create: &|path| Ok(Box::new(RedbStore::create(path, DEFAULT_CACHE_BYTES)?)),
            open: &|path| Ok(Box::new(open(path)?)),
            foreign: &|path| drop(Database::create(path).unwrap()),
            set_format: &|path, format| {
                let database = Database::open(path).unwrap();
                let transaction = database.begin_write().unwrap();
                transaction.open_table(FORMAT).unwrap().insert(FORMAT_KEY, format).unwrap();
                transaction.commit().unwrap();
            },
        },
    );
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

/// redb trusts its pages and panics on some that are damaged.
#[test]
fn a_file_with_damaged_pages_is_an_error_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    for round in 0..20_u8 {
        store.commit(batch(&[(&[round], &[round; 3000]), (&[round, 1], b"short")])).unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (4096..whole.len()).step_by(4096) {
        for (from, len, byte) in [(0, 64, 0xff), (0, 4096, b'g'), (0, 1, 0), (8, 8, 0xff)] {
            let mut bytes = whole.clone();
            bytes[at + from..][..len].fill(byte);
            fs::write(&path, &bytes).unwrap();
            let asked = open(&path).and_then(|store| {
                let found = store.scan(Column::State, b"", b"", usize::MAX)?;
                store.get(Column::Chain, &[7])?;
                store.snapshot()?.get(&[7])?;
                store.commit(batch(&[(b"more", &[1; 5000])]))?;
                Ok(found)
            });
            match asked {
                // Bytes of a value, or of a page that nothing uses.
                Ok(_) => {}
                Err(StoreError::Corrupt { detail, .. }) => {
                    assert!(!detail.is_empty());
                    refused += 1;
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::NotAStore { .. } | StoreError::Io { .. }), "{error:?}")
                }
            }
        }
    }
    assert!(refused > 0);
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(&path).unwrap().scan(Column::State, b"", b"", usize::MAX).unwrap().len(), 40);
}
