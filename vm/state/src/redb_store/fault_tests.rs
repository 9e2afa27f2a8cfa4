//! Disks that fill up, fail, or lose power.

use std::fs::{self, File};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::tests::{batch, open};
use super::*;
use crate::DEFAULT_CACHE_BYTES;

/// A file on a disk that can fill up, and whose operations can be made to fail.
#[derive(Debug)]
struct FailingFile {
    file: FileBackend,
    fault: Arc<Fault>,
}

#[derive(Debug)]
struct Fault {
    /// Writing operations still to succeed.
    operations: AtomicU64,
    /// The largest length of the file.
    capacity: AtomicU64,
}

impl Fault {
    fn none() -> Arc<Fault> {
        Arc::new(Fault { operations: AtomicU64::new(u64::MAX), capacity: AtomicU64::new(u64::MAX) })
    }
}

impl FailingFile {
    fn check(&self, end: u64) -> io::Result<()> {
        let left = self.fault.operations.load(Ordering::Relaxed);
        let next = left.checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(5))?;
        self.fault.operations.store(next, Ordering::Relaxed);
        if end > self.fault.capacity.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(len)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check(0)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(offset + data.len() as u64)?;
        self.file.write(offset, data)
    }
}

fn open_failing(path: &Path, fault: &Arc<Fault>) -> RedbStore {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let backend = FailingFile { file: FileBackend::new(file).unwrap(), fault: Arc::clone(fault) };
    let database = Database::builder().create_with_backend(backend).unwrap();
    RedbStore { path: path.to_path_buf(), database }
}

fn contents(store: &RedbStore) -> Vec<Entry> {
    let state = store.scan(Column::State, b"", b"", usize::MAX).unwrap();
    assert_eq!(store.scan(Column::Chain, b"", b"", usize::MAX).unwrap(), state, "columns changed apart");
    state
}

#[test]
fn a_full_disk_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    store.commit(batch(&[(b"a", &[1; 50_000])])).unwrap();
    let before = contents(&store);
    drop(store);

    let fault = Fault::none();
    let store = open_failing(&path, &fault);
    fault.capacity.store(fs::metadata(&path).unwrap().len() + 100_000, Ordering::Relaxed);
    let error = store.commit(batch(&[(b"a", b"changed"), (b"b", &[2; 1_000_000])])).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("no space left"));
    // Until it is opened again it may refuse, but it never shows a part of what failed.
    match store.scan(Column::State, b"", b"", usize::MAX) {
        Ok(state) => assert_eq!(state, before),
        Err(error) => assert!(matches!(error, StoreError::Failed { .. }), "{error:?}"),
    }
    drop(store);

    let store = open(&path).unwrap();
    assert_eq!(contents(&store), before);
    store.commit(batch(&[(b"b", &[2; 1_000_000])])).unwrap();
    assert_eq!(contents(&store).len(), 2);
}

#[test]
fn whichever_operation_fails_a_batch_is_there_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = RedbStore::create(&path, DEFAULT_CACHE_BYTES).unwrap();
    store.commit(batch(&[(b"a", &[1; 9000]), (b"b", b"1")])).unwrap();
    let before = contents(&store);
    drop(store);
    let image = fs::read(&path).unwrap();

    let mut failed = 0;
    for operations in 0.. {
        fs::write(&path, &image).unwrap();
        let fault = Fault::none();
        let store = open_failing(&path, &fault);
        fault.operations.store(operations, Ordering::Relaxed);
        let result = store.commit(batch(&[(b"a", &[2; 9000]), (b"c", b"2")]));
        drop(store);

        let after = contents(&open(&path).unwrap());
        match result {
            Ok(()) => {
                assert_eq!(after.len(), 3);
                break;
            }
            Err(error) => {
                failed += 1;
                assert!(matches!(error, StoreError::Io { .. }), "{operations}: {error:?}");
                assert!(after == before || (after.len() == 3 && after[0].1 == [2; 9000]), "{operations}: half a batch");
            }
        }
    }
    assert!(failed >= 3, "the commit was not interrupted often enough to show anything: {failed}");
}

/// A disk with a cache: what was not synced yet may reach it or not, each write by itself, when the power goes.
#[derive(Clone, Debug, Default)]
struct CachingDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    first: Vec<u8>,
    current: Vec<u8>,
    events: Vec<Event>,
}

#[derive(Clone, Debug)]
enum Event {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

impl CachingDisk {
    fn with(bytes: Vec<u8>) -> CachingDisk {
        CachingDisk(Arc::new(Mutex::new(Disk { first: bytes.clone(), current: bytes, events: Vec::new() })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// What a power cut after `time` events leaves, where `keep` chooses among the writes since the last sync.
    fn after_power_cut(&self, time: usize, mut keep: impl FnMut() -> bool) -> CachingDisk {
        let disk = self.disk();
        let synced = disk.events[..time].iter().rposition(|event| matches!(event, Event::Sync)).map_or(0, |at| at + 1);
        let mut bytes = disk.first.clone();
        for (number, event) in disk.events[..time].iter().enumerate() {
            match event {
                Event::Sync => {}
                Event::Length(length) => bytes.resize(*length, 0),
                Event::Write(offset, data) => {
                    if number < synced || keep() {
                        bytes[*offset..*offset + data.len()].copy_from_slice(data);
                    }
                }
            }
        }
        CachingDisk::with(bytes)
    }

    fn store(&self) -> RedbStore {
        let database = Database::builder().create_with_backend(self.clone()).unwrap();
        RedbStore { path: PathBuf::from("disk"), database }
    }
}

impl StorageBackend for CachingDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.disk().current[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let length = usize::try_from(len).unwrap();
        disk.current.resize(length, 0);
        disk.events.push(Event::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk().events.push(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let offset = usize::try_from(offset).unwrap();
        disk.current[offset..offset + data.len()].copy_from_slice(data);
        disk.events.push(Event::Write(offset, data.to_vec()));
        Ok(())
    }
}

/// The power goes at every moment of a series of commits.
#[test]
fn a_power_cut_leaves_whole_batches_and_loses_none() {
    let disk = CachingDisk::default();
    let store = disk.store();
    store.initialise().unwrap();
    let mut random = 0x1234_5678_9ABC_DEF1_u64;
    let mut time = disk.disk().events.len();
    let (mut old, mut new) = (0, 0);
    for round in 0..10_u8 {
        store.commit(batch(&[(b"round", &[round]), (&[round], &[round; 3000])])).unwrap();
        let end = disk.disk().events.len();
        assert!(end > time + 3, "a commit writes and syncs");
        for cut in time + 1..=end {
            for _ in 0..3 {
                let after = disk.after_power_cut(cut, || {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random & 1 == 0
                });
                let after = after.store();
                assert_eq!(after.format().unwrap(), Some(STORE_FORMAT));
                let entries = contents(&after).len();
                let newest = after.get(Column::State, b"round").unwrap();
                if newest == Some(vec![round]) {
                    assert_eq!(entries, usize::from(round) + 2);
                    new += 1;
                } else {
                    assert!(cut < end, "a commit that had returned was lost");
                    assert_eq!(newest, round.checked_sub(1).map(|round| vec![round]));
                    assert_eq!(entries, round.checked_sub(1).map_or(0, |round| usize::from(round) + 2));
                    old += 1;
                }
                after.commit(batch(&[(b"next", b"batch")])).unwrap();
                assert_eq!(contents(&after).len(), entries + 1);
            }
        }
        time = end;
    }
    assert!(old > 10 && new > 10, "the cuts fell on both sides of the commits: {old} before, {new} after");
}
