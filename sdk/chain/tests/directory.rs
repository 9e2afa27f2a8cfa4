//! Directories that are not what they should be.

mod scene;

use std::fs;
use std::path::Path;

use noema_chain::{CHAIN_FORMAT, Chain, ChainError};
use noema_state::StoreError;
use scene::{address, config, genesis, init, open, transfer};

fn error(result: Result<Chain, ChainError>) -> ChainError {
    match result {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

fn create(path: &Path) -> Result<Chain, ChainError> {
    Chain::init(path, &genesis(), &config())
}

#[test]
fn a_directory_that_is_no_chain_is_named() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(error(open(directory.path())), ChainError::Missing { .. }));
    let nowhere = directory.path().join("nowhere");
    assert!(matches!(error(open(&nowhere)), ChainError::Missing { .. }));
    assert!(error(open(&nowhere)).to_string().contains("there is no chain in"));
    assert!(!nowhere.exists(), "looking creates nothing");

    let file = directory.path().join("file");
    fs::write(&file, "text").unwrap();
    assert!(matches!(error(open(&file)), ChainError::NotAChain { .. }));
    assert!(matches!(error(open(directory.path())), ChainError::NotAChain { .. }));
    let ChainError::NotEmpty { entry, .. } = error(create(directory.path())) else { panic!() };
    assert_eq!(entry, "file");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "looking creates nothing");
}

#[test]
fn a_chain_is_not_created_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = init(directory.path());
    assert!(matches!(error(create(directory.path())), ChainError::Exists { .. }));
    chain.execute_block(2_000, vec![transfer(1, 0, address(9), 1)]).unwrap();
    drop(chain);
    assert!(matches!(error(create(directory.path())), ChainError::Exists { .. }));
    assert_eq!(open(directory.path()).unwrap().height(), 1);
}

#[test]
fn a_chain_is_open_once() {
    let directory = tempfile::tempdir().unwrap();
    let chain = init(directory.path());
    assert!(matches!(error(open(directory.path())), ChainError::Busy { .. }));
    assert!(error(open(directory.path())).to_string().contains("in use by another process"));
    drop(chain);
    open(directory.path()).unwrap();
}

#[test]
fn another_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(init(directory.path()));
    let marker = directory.path().join("noema-chain");
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("format {CHAIN_FORMAT}\n"));
    fs::write(&marker, "format 2\n").unwrap();
    let refused = error(open(directory.path()));
    assert!(matches!(refused, ChainError::Version { found: 2, expected: 1, .. }));
    assert!(refused.to_string().contains("use the version that wrote it"));
    for text in ["", "format", "format 1", "format x\n", "something else"] {
        fs::write(&marker, text).unwrap();
        assert!(matches!(error(open(directory.path())), ChainError::NotAChain { .. }), "{text}");
    }
    fs::write(&marker, "format 1\n").unwrap();
    open(directory.path()).unwrap();
}

#[test]
fn a_creation_that_was_interrupted_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    // Killed after the store was begun, before it had its name.
    fs::write(directory.path().join("lock"), "").unwrap();
    fs::write(directory.path().join("state.redb.unfinished"), "half").unwrap();
    assert!(error(open(directory.path())).to_string().contains("interrupted"));
    let chain = create(directory.path()).unwrap();
    let root = chain.root();
    drop(chain);

    // Killed before the last file was written: the same genesis goes on, another one does not replace it.
    fs::remove_file(directory.path().join("noema-chain")).unwrap();
    assert!(matches!(error(open(directory.path())), ChainError::NotAChain { .. }));
    let mut other = genesis();
    other.time_ms += 1;
    assert!(matches!(error(Chain::init(directory.path(), &other, &config())), ChainError::Exists { .. }));
    assert_eq!(create(directory.path()).unwrap().root(), root);

    // A chain whose marker was lost is not overwritten.
    let mut chain = open(directory.path()).unwrap();
    chain.execute_block(2_000, vec![]).unwrap();
    drop(chain);
    fs::remove_file(directory.path().join("noema-chain")).unwrap();
    assert!(matches!(error(create(directory.path())), ChainError::Exists { .. }));
}

#[test]
fn a_lost_store_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    drop(init(directory.path()));
    let store = directory.path().join("state.redb");
    fs::remove_file(&store).unwrap();
    assert!(matches!(error(open(directory.path())), ChainError::Store(StoreError::Missing { .. })));
    fs::write(&store, "not a store").unwrap();
    assert!(matches!(error(open(directory.path())), ChainError::Store(StoreError::NotAStore { .. })));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    // Nobody creates files here, not even the superuser.
    #[cfg(target_os = "linux")]
    assert!(matches!(error(create(Path::new("/sys/noema"))), ChainError::Store(StoreError::ReadOnly { .. })));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain");
    drop(init(&path));
    let change = |path: &Path, readonly: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(readonly);
        fs::set_permissions(path, permissions).unwrap();
    };
    for name in ["lock", "state.redb"] {
        change(&path.join(name), true);
    }
    change(&path, true);
    // The superuser is not bound by permissions.
    let bound = fs::File::create(path.join("probe")).is_err();
    if bound {
        assert!(matches!(error(open(&path)), ChainError::Store(StoreError::ReadOnly { .. })));
        let inside = path.join("inside");
        assert!(matches!(error(create(&inside)), ChainError::Store(StoreError::ReadOnly { .. })));
    }
    change(&path, false);
    for name in ["lock", "state.redb"] {
        change(&path.join(name), false);
    }
    open(&path).unwrap();
}
