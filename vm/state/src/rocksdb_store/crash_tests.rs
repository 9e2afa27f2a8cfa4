//! Disks that lose power, and files that were cut or altered.

use std::fs::File;
use std::path::PathBuf;

use super::tests::{batch, contents, create, open};
use super::*;

/// Copies a store as it is on the disk at this moment, as a crash would leave it.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The files of a store whose name ends so, the newest last.
fn files(path: &Path, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().ends_with(end));
    files.sort();
    files
}

fn newest_log(path: &Path) -> PathBuf {
    files(path, ".log").pop().expect("an open database has a log")
}

/// Without the zeros at the end.
fn written(file: &Path) -> usize {
    let bytes = fs::read(file).unwrap();
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

/// The power goes at every moment of a commit: the log ends anywhere in the batch that is being written, and pages of
/// it before the end may be missing, but nothing before it is touched, because that was synced.
#[test]
fn a_power_cut_leaves_whole_batches_and_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let (path, after) = (directory.path().join("state"), directory.path().join("after"));
    let store = create(&path).unwrap();
    let log = newest_log(&path);
    let (mut old, mut new) = (0, 0);
    // From 1 on: no batch ends with a zero, which `written` would not see.
    for round in 1..=6_u8 {
        let synced = written(&log);
        store.commit(batch(&[(b"round", &[round]), (&[round], &[round; 3000])])).unwrap();
        let end = written(&log);
        assert!(end > synced + 6000, "a batch is in the log when the commit returns");
        let step = (end - synced) / 12;
        let cuts = (synced..end).step_by(step).chain([synced + 1, synced + 7, end - 1, end]);
        for (number, cut) in cuts.enumerate() {
            copy(&path, &after);
            let torn = after.join(log.file_name().unwrap());
            let mut bytes = fs::read(&torn).unwrap();
            // The file has its new length, or not yet; a page in the middle did not arrive.
            match number % 3 {
                0 => bytes.truncate(cut),
                1 => bytes[cut..].fill(0),
                _ => bytes[cut..end.min(cut + 512)].fill(0),
            }
            let whole = cut == end || (number % 3 != 0 && bytes == fs::read(&log).unwrap());
            fs::write(&torn, bytes).unwrap();

            let cut_off = open(&after).unwrap_or_else(|error| panic!("round {round}, cut {cut}: {error}"));
            let newest = cut_off.get(Column::State, b"round").unwrap();
            let entries = contents(&cut_off).len();
            if newest == Some(vec![round]) {
                assert!(whole, "round {round}, cut {cut}: a torn batch was taken");
                assert_eq!(entries, usize::from(round) + 1);
                new += 1;
            } else {
                assert!(!whole, "round {round}, cut {cut}: a commit that had returned was lost");
                assert_eq!(newest, (round > 1).then(|| vec![round - 1]), "cut {cut} of {synced} to {end}");
                assert_eq!(entries, if round > 1 { usize::from(round) } else { 0 });
                old += 1;
            }
            cut_off.commit(batch(&[(b"next", b"batch")])).unwrap();
            assert_eq!(contents(&cut_off).len(), entries + 1);
            drop(cut_off);
            assert_eq!(contents(&open(&after).unwrap()).len(), entries + 1);
        }
    }
    assert!(old > 30 && new >= 6, "the cuts fell on both sides of the commits: {old} before, {new} after");
}

/// A store in sorted files alone: whatever is cut or altered in them is noticed when it is read, at the latest.
#[test]
fn a_file_that_was_cut_or_altered_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (path, altered) = (directory.path().join("state"), directory.path().join("altered"));
    let store = create(&path).unwrap();
    store.commit(batch(&[(b"a", &[7; 50_000]), (b"b", b"1")])).unwrap();
    for column in Column::ALL {
        store.database.flush_cf(family(&path, &store.database, column).unwrap()).unwrap();
    }
    let before = contents(&store);
    drop(store);
    let read = |path: &Path| -> Result<Vec<Entry>, StoreError> {
        let store = open(path)?;
        let state = store.scan(Column::State, b"", b"", usize::MAX)?;
        assert_eq!(store.scan(Column::Chain, b"", b"", usize::MAX)?, state);
        Ok(state)
    };
    let tables = files(&path, ".sst");
    assert!(tables.len() >= 2, "two columns have something");
    let current = path.join("CURRENT");
    let manifest = path.join(fs::read_to_string(&current).unwrap().trim());
    let check = |name: &Path, what: &str, change: &dyn Fn(&Path)| {
        copy(&path, &altered);
        change(&altered.join(name.file_name().unwrap()));
        let error = read(&altered).expect_err(&format!("{} {what}", name.display()));
        assert!(matches!(error, StoreError::Corrupt { .. }), "{} {what}: {error:?}", name.display());
        assert!(error.to_string().contains("is damaged"), "{error}");
    };
    for file in tables.iter().chain([&current, &manifest]) {
        check(file, "removed", &|file| fs::remove_file(file).unwrap());
        check(file, "emptied", &|file| fs::write(file, b"").unwrap());
    }
    for table in &tables {
        let length = fs::metadata(table).unwrap().len();
        for keep in [1, length / 2, length - 1] {
            check(table, "cut", &|file| File::options().write(true).open(file).unwrap().set_len(keep).unwrap());
        }
        check(table, "altered", &|file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[100] ^= 1;
            fs::write(file, bytes).unwrap();
        });
    }
    // What was read is a copy: the store itself is whole.
    assert_eq!(read(&path).unwrap(), before);
}

/// A log that the database says it wrote and synced is gone.
#[test]
fn a_lost_log_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = create(&path).unwrap();
    store.commit(batch(&[(b"a", b"1")])).unwrap();
    // One column moves on to a new log, the others still need the old one.
    let lost = newest_log(&path);
    store.database.flush_cf(family(&path, &store.database, Column::State).unwrap()).unwrap();
    store.commit(batch(&[(b"a", b"2")])).unwrap();
    assert_ne!(newest_log(&path), lost);
    drop(store);
    fs::remove_file(&lost).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}
