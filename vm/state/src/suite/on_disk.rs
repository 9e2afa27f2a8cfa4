//! What every store on disk does beyond [`super::run`]: the same errors for the same trouble, and nothing lost by it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Store, put};
use crate::{Column, STORE_FORMAT, StoreError, creation};

/// A store on disk, as the tests handle it.
pub struct OnDisk<'a> {
    /// Creates an empty store.
    pub create: &'a dyn Fn(&Path) -> Result<Store, StoreError>,
    /// Opens a store.
    pub open: &'a dyn Fn(&Path) -> Result<Store, StoreError>,
    /// Makes what the library behind the store makes for somebody else.
    pub foreign: &'a dyn Fn(&Path),
    /// Makes a closed store say that it has another format.
    pub set_format: &'a dyn Fn(&Path, u64),
}

type Test = fn(&Path, &OnDisk);

/// Runs every test, in an empty directory.
///
/// # Panics
/// The store does not do what [`crate::StateStore`] says, or says something else where it cannot do it.
pub fn run(directory: &Path, disk: &OnDisk) {
    let made = AtomicU64::new(0);
    let path = |number: u64| directory.join(format!("store-{number}"));
    super::run(&|| succeed((disk.create)(&path(made.fetch_add(1, Ordering::Relaxed)))), &|store| {
        drop(store);
        succeed((disk.open)(&path(made.load(Ordering::Relaxed) - 1)))
    });
    let tests: [(&str, Test); 5] = [
        ("once", a_store_is_created_and_opened_once),
        ("others", what_is_not_a_store_is_refused_and_stays),
        ("format", another_format_is_refused_and_nothing_is_lost),
        ("interrupted", an_interrupted_creation_is_no_store_and_can_be_repeated),
        ("read-only", a_place_that_cannot_be_written_is_named),
    ];
    for (name, test) in tests {
        let directory = directory.join(name);
        fs::create_dir(&directory).expect("the directory of the tests is empty and can be written");
        test(&directory, disk);
    }
}

fn succeed(result: Result<Store, StoreError>) -> Store {
    result.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

/// The error of something that must not work.
fn refused(result: Result<Store, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("the store was opened"),
        Err(error) => error,
    }
}

macro_rules! assert_refused {
    ($result:expr, $pattern:pat) => {
        let error = refused($result);
        assert!(matches!(error, $pattern), "{error:?}");
    };
}

/// Every file under a path, with its bytes; a directory has none.
fn contents(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    if path.is_dir() {
        all.insert(path.to_path_buf(), None);
        for entry in fs::read_dir(path).expect("it can be read") {
            all.extend(contents(&entry.expect("it can be read").path()));
        }
    } else if path.exists() {
        all.insert(path.to_path_buf(), Some(fs::read(path).expect("it can be read")));
    }
    all
}

fn a_store_is_created_and_opened_once(directory: &Path, disk: &OnDisk) {
    let path = directory.join("state");
    assert_refused!((disk.open)(&path), StoreError::Missing { .. });
    assert_refused!((disk.create)(&directory.join("no").join("state")), StoreError::Missing { .. });
    assert_refused!((disk.open)(&directory.join("no").join("state")), StoreError::Missing { .. });
    assert_eq!(contents(directory).len(), 1, "looking creates nothing");

    let store = succeed((disk.create)(&path));
    assert_refused!((disk.open)(&path), StoreError::Busy { .. });
    assert!(refused((disk.open)(&path)).to_string().contains("in use by another process"));
    assert_refused!((disk.create)(&path), StoreError::Exists { .. });
    // Whoever was refused has disturbed nothing.
    put(&store, Column::State, &[(b"a", b"1")]).expect("it is still open");
    drop(store);
    assert_refused!((disk.create)(&path), StoreError::Exists { .. });
    let store = succeed((disk.open)(&path));
    assert_eq!(store.get(Column::State, b"a").expect("it reads").as_deref(), Some(&b"1"[..]));
}

fn what_is_not_a_store_is_refused_and_stays(directory: &Path, disk: &OnDisk) {
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, bytes).expect("it can be written");
        path
    };
    let folder = |name: &str| {
        let path = directory.join(name);
        fs::create_dir(&path).expect("it can be created");
        path
    };
    let documents = folder("documents");
    write("documents/letter", b"Dear Sir or Madam");
    let others =
        [write("text", &b"not a database at all".repeat(1000)), write("nothing", b""), folder("folder"), documents];
    let before = contents(directory);
    for path in &others {
        assert_refused!((disk.open)(path), StoreError::NotAStore { .. });
        assert!(refused((disk.open)(path)).to_string().contains("is not a state store"));
        assert_refused!((disk.create)(path), StoreError::Exists { .. });
    }
    assert_eq!(contents(directory), before, "what is not ours is left alone");

    let foreign = directory.join("foreign");
    (disk.foreign)(&foreign);
    assert_refused!((disk.open)(&foreign), StoreError::NotAStore { .. });
}

fn another_format_is_refused_and_nothing_is_lost(directory: &Path, disk: &OnDisk) {
    let path = directory.join("state");
    put(&succeed((disk.create)(&path)), Column::Chain, &[(b"a", b"1")]).expect("it is new");
    let newer = STORE_FORMAT + 1;
    (disk.set_format)(&path, newer);
    let error = refused((disk.open)(&path));
    assert!(matches!(error, StoreError::Version { found, expected: STORE_FORMAT, .. } if found == newer), "{error:?}");
    assert!(error.to_string().contains("use the version that wrote it"), "{error}");
    (disk.set_format)(&path, STORE_FORMAT);
    let store = succeed((disk.open)(&path));
    assert_eq!(store.get(Column::Chain, b"a").expect("it reads").as_deref(), Some(&b"1"[..]));
}

fn an_interrupted_creation_is_no_store_and_can_be_repeated(directory: &Path, disk: &OnDisk) {
    let file = directory.join("file");
    fs::write(creation::unfinished(&file), b"half of a file").expect("it can be written");
    let folder = directory.join("folder");
    fs::create_dir(creation::unfinished(&folder)).expect("it can be created");
    fs::write(creation::unfinished(&folder).join("CURRENT"), b"half of a file").expect("it can be written");
    for path in [file, folder] {
        assert_refused!((disk.open)(&path), StoreError::Missing { .. });
        put(&succeed((disk.create)(&path)), Column::State, &[(b"a", b"1")]).expect("it is new");
        assert!(!creation::unfinished(&path).exists());
        let store = succeed((disk.open)(&path));
        assert_eq!(store.get(Column::State, b"a").expect("it reads").as_deref(), Some(&b"1"[..]));
    }
}

fn a_place_that_cannot_be_written_is_named(directory: &Path, disk: &OnDisk) {
    // Nobody creates files here, not even the superuser.
    #[cfg(target_os = "linux")]
    {
        assert_refused!((disk.create)(Path::new("/sys/noema-state")), StoreError::ReadOnly { .. });
    }
    let path = directory.join("state");
    put(&succeed((disk.create)(&path)), Column::State, &[(b"a", b"1")]).expect("it is new");
    let all: Vec<PathBuf> = contents(directory).into_keys().collect();
    let set_readonly = |readonly: bool| {
        for path in &all {
            let mut permissions = fs::metadata(path).expect("it is there").permissions();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let writable = if path.is_dir() { 0o755 } else { 0o644 };
                permissions.set_mode(if readonly { writable & 0o555 } else { writable });
            }
            #[cfg(not(unix))]
            permissions.set_readonly(readonly);
            fs::set_permissions(path, permissions).expect("they are ours");
        }
    };
    set_readonly(true);
    // The superuser writes where permissions forbid it.
    let probe = directory.join("probe");
    let bound = fs::write(&probe, b"").is_err();
    if bound {
        assert_refused!((disk.open)(&path), StoreError::ReadOnly { .. });
        assert_refused!((disk.create)(&directory.join("new")), StoreError::ReadOnly { .. });
    }
    set_readonly(false);
    let store = succeed((disk.open)(&path));
    assert_eq!(store.get(Column::State, b"a").expect("it reads").as_deref(), Some(&b"1"[..]));
}
