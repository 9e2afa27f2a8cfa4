//! Directories that are not what they should be.

mod scene;

use std::fs;
use std::path::Path;

use noema_chain::{CHAIN_FORMAT, Chain, ChainError, StoreKind};
use noema_state::StoreError;
use scene::{address, config, config_with, genesis, init, init_with, open, transfer};

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
fn a_chain_that_is_closed_soon_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let chain = init(directory.path());
    let (about_to_open, opens) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            opens.recv().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
            drop(chain);
        });
        about_to_open.send(()).unwrap();
        assert_eq!(open(directory.path()).unwrap().height(), 0);
    });
}

#[test]
fn another_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(init(directory.path()));
    let marker = directory.path().join("noema-chain");
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("format {CHAIN_FORMAT}\nstore redb\n"));
    fs::write(&marker, "format 1\n").unwrap();
    let refused = error(open(directory.path()));
    assert!(matches!(refused, ChainError::Version { found: 1, expected: 2, .. }));
    assert!(refused.to_string().contains("use the version that wrote it"));
    for text in ["", "format", "format 2", "format x\n", "something else"] {
        fs::write(&marker, text).unwrap();
        assert!(matches!(error(open(directory.path())), ChainError::NotAChain { .. }), "{text}");
    }
    // A marker without a store means the first store there was.
    fs::write(&marker, "format 2\n").unwrap();
    assert_eq!(open(directory.path()).unwrap().store_kind(), StoreKind::Redb);
}

#[test]
fn a_chain_keeps_its_store() {
    for kind in StoreKind::available() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut chain = init_with(path, kind);
        chain.execute_block(2_000, vec![transfer(1, 0, address(9), 1)]).unwrap();
        drop(chain);
        let marker = path.join("noema-chain");
        assert_eq!(fs::read_to_string(&marker).unwrap(), format!("format 2\nstore {kind}\n"));
        for other in StoreKind::ALL {
            let opened = Chain::open(path, &config_with(other));
            if other == kind {
                assert_eq!(opened.unwrap().height(), 1);
            } else {
                let error = error(opened);
                assert!(
                    matches!(error, ChainError::OtherStore { found, asked, .. } if (found, asked) == (kind, other)),
                    "{error:?}"
                );
                assert!(error.to_string().contains(&format!("has the store {kind}, not {other}")), "{error}");
            }
        }
        // Without a wish, the chain decides.
        let chain = open(path).unwrap();
        assert_eq!((chain.store_kind(), chain.height()), (kind, 1));
        drop(chain);

        // Its creation was interrupted before the marker; another store is not begun beside it.
        fs::remove_file(&marker).unwrap();
        for other in StoreKind::available().into_iter().filter(|other| *other != kind) {
            let refused = error(Chain::init(path, &genesis(), &config_with(other)));
            assert!(matches!(refused, ChainError::OtherStore { .. }), "{refused:?}");
            assert!(!path.join(other.file_name()).exists());
        }
        for text in ["format 2\nstore \n", "format 2\nstore etcd\n", "format 2\nstore redb", "format 2\nshop redb\n"] {
            fs::write(&marker, text).unwrap();
            assert!(matches!(error(open(path)), ChainError::NotAChain { .. }), "{text}");
        }
        fs::write(&marker, format!("format 2\nstore {kind}\n")).unwrap();
        assert_eq!(open(path).unwrap().height(), 1);
    }
}

#[test]
fn a_store_that_this_build_does_not_have_is_named() {
    for kind in StoreKind::ALL.into_iter().filter(|kind| !kind.is_available()) {
        let directory = tempfile::tempdir().unwrap();
        let unavailable = |result| {
            let error = error(result);
            assert!(matches!(error, ChainError::Store(StoreError::Unavailable { .. })), "{error:?}");
            assert!(error.to_string().contains(&format!("built without the store `{kind}`")), "{error}");
        };
        unavailable(Chain::init(directory.path(), &genesis(), &config_with(kind)));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was written");
        drop(init(directory.path()));
        fs::write(directory.path().join("noema-chain"), format!("format 2\nstore {kind}\n")).unwrap();
        unavailable(open(directory.path()));
    }
}

#[test]
fn every_store_has_the_same_blocks_and_roots() {
    let heads: Vec<_> = StoreKind::available()
        .into_iter()
        .map(|kind| {
            let directory = tempfile::tempdir().unwrap();
            let mut chain = init_with(directory.path(), kind);
            for nonce in 0..5 {
                chain.execute_block(2_000 + nonce, vec![transfer(1, nonce, address(9), 7)]).unwrap();
            }
            assert!(chain.replay(&[noema_tensor::Level::Portable], &[1], &mut |_| {}).unwrap().identical());
            (chain.root(), chain.head().hash())
        })
        .collect();
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:?}");
}

#[test]
fn a_creation_that_was_interrupted_can_be_repeated() {
    StoreKind::available().into_iter().for_each(repeat_an_interrupted_creation);
}

fn repeat_an_interrupted_creation(kind: StoreKind) {
    let directory = tempfile::tempdir().unwrap();
    let create = |path: &Path| Chain::init(path, &genesis(), &config_with(kind));
    // Killed after the store was begun, before it had its name.
    fs::write(directory.path().join("lock"), "").unwrap();
    fs::write(directory.path().join(format!("{}.unfinished", kind.file_name())), "half").unwrap();
    assert!(error(open(directory.path())).to_string().contains("interrupted"));
    let chain = create(directory.path()).unwrap();
    let root = chain.root();
    drop(chain);

    // Killed before the last file was written: the same genesis goes on, another one does not replace it.
    fs::remove_file(directory.path().join("noema-chain")).unwrap();
    assert!(matches!(error(open(directory.path())), ChainError::NotAChain { .. }));
    let mut other = genesis();
    other.time_ms += 1;
    assert!(matches!(error(Chain::init(directory.path(), &other, &config_with(kind))), ChainError::Exists { .. }));
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
    for kind in StoreKind::available() {
        let directory = tempfile::tempdir().unwrap();
        drop(init_with(directory.path(), kind));
        let store = directory.path().join(kind.file_name());
        if store.is_dir() {
            fs::remove_dir_all(&store).unwrap()
        } else {
            fs::remove_file(&store).unwrap()
        }
        assert!(matches!(error(open(directory.path())), ChainError::Store(StoreError::Missing { .. })));
        fs::write(&store, "not a store").unwrap();
        assert!(matches!(error(open(directory.path())), ChainError::Store(StoreError::NotAStore { .. })));
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    // Nobody creates files here, not even the superuser.
    #[cfg(target_os = "linux")]
    assert!(matches!(error(create(Path::new("/sys/noema"))), ChainError::Store(StoreError::ReadOnly { .. })));

    for kind in StoreKind::available() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain");
        drop(init_with(&path, kind));
        let change = |path: &Path, readonly: bool| {
            let mut permissions = fs::metadata(path).unwrap().permissions();
            permissions.set_readonly(readonly);
            fs::set_permissions(path, permissions).unwrap();
        };
        for name in ["lock", kind.file_name()] {
            change(&path.join(name), true);
        }
        change(&path, true);
        // The superuser is not bound by permissions.
        let bound = fs::File::create(path.join("probe")).is_err();
        if bound {
            assert!(matches!(error(open(&path)), ChainError::Store(StoreError::ReadOnly { .. })));
            let inside = Chain::init(&path.join("inside"), &genesis(), &config_with(kind));
            assert!(matches!(error(inside), ChainError::Store(StoreError::ReadOnly { .. })));
        }
        change(&path, false);
        for name in ["lock", kind.file_name()] {
            change(&path.join(name), false);
        }
        open(&path).unwrap();
    }
}
