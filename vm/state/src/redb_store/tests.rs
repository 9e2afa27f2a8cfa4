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
