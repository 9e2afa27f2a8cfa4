use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use noema_abi::DType;

use super::{
    DirModelStore, MemoryModelStore, ModelStore, ModelStoreError,
    dir::{SYNCED, file_error, write_new},
};
use crate::{ModelError, ModelId, merkle, sample::network};

/// A container of several chunks.
fn container(seed: u64) -> Vec<u8> {
    network(DType::I8, vec![], 400, &[400], seed).container()
}

fn stage(store: &dyn ModelStore, bytes: &[u8]) -> ModelId {
    let id = merkle::root(bytes);
    for (index, chunk) in (0..).zip(merkle::chunks(bytes)) {
        store.stage_chunk(id, index, chunk).unwrap();
    }
    id
}

/// However many chunks and models a block brings, it waits for the disk once.
#[test]
fn a_block_waits_once_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirModelStore::open_dir(directory.path()).unwrap();
    let waits = |bring: &dyn Fn()| {
        let before = SYNCED.get();
        bring();
        let without = SYNCED.get() - before;
        store.sync().unwrap();
        (without, SYNCED.get() - before)
    };
    let chunks = |id: ModelId| directory.path().join("staging").join(id.to_string()).exists();
    let finish = |bytes: &[u8]| store.assemble(merkle::root(bytes), bytes.len() as u64);
    let (one, two) = (container(1), container(2));
    assert_eq!(waits(&|| {}), (0, 0));
    let both = || {
        stage(&store, &one);
        stage(&store, &two);
    };
    assert_eq!(waits(&both), (0, 1));
    // They are there, but it is not known for how long.
    assert_eq!(waits(&both), (0, 1));
    assert_eq!(
        waits(&|| {
            finish(&one).unwrap();
            finish(&two).unwrap();
            assert!(chunks(merkle::root(&one)), "a file that is not synced may be lost");
        }),
        (0, 1)
    );
    assert!(!chunks(merkle::root(&one)) && !chunks(merkle::root(&two)));
    // Whoever brings bytes that are no model can ask for them to be put together again and again.
    stage(&store, b"no model");
    store.sync().unwrap();
    assert_eq!(waits(&|| assert!(finish(b"no model").is_err_and(|error| error.is_verdict()))), (0, 0));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "two models and what is staged");
}

/// A machine that stops before anything is synced leaves names without bytes: the block was not committed, and comes again.
#[test]
fn what_a_machine_lost_is_brought_again() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let id = {
        let store = DirModelStore::open_dir(directory.path()).unwrap();
        let id = stage(&store, &bytes);
        store.assemble(id, bytes.len() as u64).unwrap();
        id
    };
    let staged = directory.path().join("staging").join(id.to_string());
    for path in [directory.path().join(format!("{id}.model")), staged.join("0"), staged.join("1")] {
        overwrite(&path, &[0; 1000]);
    }
    let store = DirModelStore::open_dir(directory.path()).unwrap();
    assert!(matches!(store.open(id), Err(ModelStoreError::Corrupt { .. })));
    stage(&store, &bytes);
    store.assemble(id, bytes.len() as u64).unwrap();
    store.sync().unwrap();
    let store = DirModelStore::open_dir(directory.path()).unwrap();
    assert_eq!(store.open(id).unwrap().container(), bytes);
}

/// What every store must do.
fn suite(store: &dyn ModelStore) {
    let bytes = container(1);
    let total = bytes.len() as u64;
    let id = merkle::root(&bytes);
    assert!(merkle::chunk_count(total) >= 3);

    assert!(matches!(store.open(id), Err(ModelStoreError::Missing(missing)) if missing == id));
    assert!(matches!(store.assemble(id, total), Err(ModelStoreError::MissingChunk { index: 0, .. })));
    store.stage_chunk(id, 0, &bytes[..merkle::CHUNK_BYTES]).unwrap();
    store.stage_chunk(id, 2, &bytes[2 * merkle::CHUNK_BYTES..]).unwrap();
    assert!(matches!(store.assemble(id, total), Err(ModelStoreError::MissingChunk { index: 1, .. })));
    assert!(matches!(store.open(id), Err(ModelStoreError::Missing(_))));

    for _ in 0..2 {
        assert_eq!(stage(store, &bytes), id);
        store.assemble(id, total).unwrap();
        let model = store.open(id).unwrap();
        assert_eq!((model.id(), model.container()), (id, &bytes[..]));
        assert!(Arc::ptr_eq(&model, &store.open(id).unwrap()), "loaded once");
    }

    // What is removed is gone, whether finished or staged, and can come again.
    assert_eq!(store.ids().unwrap(), [id]);
    let open = store.open(id).unwrap();
    for _ in 0..2 {
        store.remove(id).unwrap();
    }
    assert_eq!(store.ids().unwrap(), []);
    assert!(matches!(store.open(id), Err(ModelStoreError::Missing(_))));
    assert!(matches!(store.assemble(id, total), Err(ModelStoreError::MissingChunk { index: 0, .. })));
    assert_eq!(open.container(), bytes, "who has it open keeps it");
    store.stage_chunk(id, 0, &bytes[..merkle::CHUNK_BYTES]).unwrap();
    assert_eq!(store.ids().unwrap(), [id]);
    store.remove(id).unwrap();
    assert_eq!(store.ids().unwrap(), []);
    stage(store, &bytes);
    store.assemble(id, total).unwrap();
    assert_eq!(store.open(id).unwrap().container(), bytes);

    // Chunks of other models do not mix.
    let other = container(2);
    let other_id = stage(store, &other);
    assert!(other_id != id);
    store.assemble(other_id, other.len() as u64).unwrap();
    assert_eq!(store.open(other_id).unwrap().container(), other);
    assert_eq!(store.open(id).unwrap().container(), bytes);

    let too_long = vec![0; merkle::CHUNK_BYTES + 1];
    for (index, chunk) in [(0, &too_long[..]), (1, &[][..])] {
        let refused = store.stage_chunk(id, index, chunk);
        assert!(matches!(refused, Err(ModelStoreError::ChunkLength { .. })));
    }
    let far = store.assemble(ModelId([9; 32]), u64::MAX);
    assert!(matches!(far, Err(ModelStoreError::MissingChunk { .. })));

    // Wrong chunks under a right id are a fault of this node and leave no model.
    let third = container(3);
    let third_id = merkle::root(&third);
    for (index, chunk) in (0..).zip(merkle::chunks(&bytes)) {
        store.stage_chunk(third_id, index, chunk).unwrap();
    }
    let error = store.assemble(third_id, third.len() as u64).unwrap_err();
    assert!(matches!(error, ModelStoreError::Corrupt { .. }) && !error.is_verdict(), "{error}");
    assert!(matches!(store.open(third_id), Err(ModelStoreError::Missing(_))));
    stage(store, &third);
    store.assemble(third_id, third.len() as u64).unwrap();

    // Bytes that are what their id names, and no model: the same verdict however often it is asked for.
    for bad in [b"not a model".to_vec(), vec![], vec![7; 3 * merkle::CHUNK_BYTES], container(4)[..200].to_vec()] {
        let bad_id = stage(store, &bad);
        for _ in 0..2 {
            let error = store.assemble(bad_id, bad.len() as u64).unwrap_err();
            assert!(matches!(error, ModelStoreError::Invalid { .. }) && error.is_verdict(), "{error}");
            assert!(matches!(store.open(bad_id), Err(ModelStoreError::Missing(_))));
        }
    }
}

#[test]
fn memory_passes_the_suite() {
    suite(&MemoryModelStore::new());
}

#[test]
fn directories_pass_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    suite(&DirModelStore::open_dir(dir.path().join("models")).unwrap());
}

#[test]
fn memory_takes_whole_containers() {
    let store = MemoryModelStore::new();
    let id = store.insert(container(1)).unwrap();
    assert_eq!(store.open(id).unwrap().id(), id);
    assert_eq!(store.insert(vec![0; 64]), Err(ModelError::Magic));
}

#[test]
fn models_outlive_the_process_and_staged_chunks_too() {
    let dir = tempfile::tempdir().unwrap();
    let (done, half) = (container(1), container(2));
    let (done_id, half_id) = (merkle::root(&done), merkle::root(&half));
    {
        let store = DirModelStore::open_dir(dir.path()).unwrap();
        stage(&store, &done);
        store.assemble(done_id, done.len() as u64).unwrap();
        store.stage_chunk(half_id, 0, &half[..merkle::CHUNK_BYTES]).unwrap();
        store.sync().unwrap();
    }
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    assert_eq!(store.open(done_id).unwrap().container(), done);
    assert!(store.model_path(done_id).metadata().unwrap().permissions().readonly());
    assert!(!dir.path().join("staging").join(done_id.to_string()).exists(), "chunks of a finished model are gone");
    for (index, chunk) in (0..).zip(merkle::chunks(&half)).skip(1) {
        store.stage_chunk(half_id, index, chunk).unwrap();
    }
    store.assemble(half_id, half.len() as u64).unwrap();
}

/// What a process leaves behind that was stopped while it wrote.
#[test]
fn nothing_half_written_is_visible() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let id = stage(&store, &bytes);
    let model_leftover = store.model_path(id).with_extension("tmp");
    let chunk_leftover = dir.path().join("staging").join(id.to_string()).join("1.tmp");
    for leftover in [&model_leftover, &chunk_leftover] {
        fs::write(leftover, &bytes[..1000]).unwrap();
    }
    assert!(matches!(store.open(id), Err(ModelStoreError::Missing(_))));
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    assert!(!model_leftover.exists() && !chunk_leftover.exists());
    fs::write(&model_leftover, &bytes[..1000]).unwrap();
    store.assemble(id, bytes.len() as u64).unwrap();
    assert_eq!(store.open(id).unwrap().container(), bytes);
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_files_are_named_and_can_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let (id, total) = (merkle::root(&bytes), bytes.len() as u64);
    {
        let store = DirModelStore::open_dir(dir.path()).unwrap();
        stage(&store, &bytes);
        store.assemble(id, total).unwrap();
    }
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for damaged in [&flipped[..], &bytes[..bytes.len() - 1], &[]] {
        let store = DirModelStore::open_dir(dir.path()).unwrap();
        let path = store.model_path(id);
        overwrite(&path, damaged);
        let error = store.open(id).unwrap_err();
        assert!(matches!(error, ModelStoreError::Corrupt { .. }) && !error.is_verdict());
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        // An error is not remembered: the right bytes are found once they are there.
        overwrite(&path, &bytes);
        assert_eq!(store.open(id).unwrap().container(), bytes);
    }
    // A damaged file is replaced from chunks.
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    overwrite(&store.model_path(id), &flipped);
    fs::remove_file(store.model_path(id)).unwrap();
    stage(&store, &bytes);
    fs::write(store.model_path(id), &flipped).unwrap();
    store.assemble(id, total).unwrap();
    assert_eq!(fs::read(store.model_path(id)).unwrap(), bytes);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tmp");
    #[cfg(target_os = "linux")]
    {
        // The device on which every write finds no space.
        let full = |_: &mut fs::File| fs::OpenOptions::new().write(true).open("/dev/full")?.write_all(&[0; 100_000]);
        let error = write_new(&path, full).unwrap_err();
        assert!(matches!(error, ModelStoreError::DiskFull(_)), "{error}");
        assert!(error.to_string().contains("no space is left") && error.to_string().contains("x.tmp"));
        assert!(!path.exists());
    }
    let quota = file_error(&path, io::ErrorKind::QuotaExceeded.into());
    assert!(matches!(quota, ModelStoreError::DiskFull(_)) && !quota.is_verdict());
}

#[test]
fn a_read_only_place_is_said() {
    // Nobody, whatever their rights, can make a directory there.
    #[cfg(target_os = "linux")]
    {
        let error = DirModelStore::open_dir("/sys/noema-models").unwrap_err();
        assert!(matches!(error, ModelStoreError::ReadOnly(_)), "{error}");
        assert!(error.to_string().contains("/sys/noema-models cannot be written"), "{error}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(DirModelStore::open_dir(file.path()), Err(ModelStoreError::Io { .. })));
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
        assert!(matches!(file_error(file.path(), kind.into()), ModelStoreError::ReadOnly(_)));
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_can_be_read_from() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let id = stage(&DirModelStore::open_dir(dir.path()).unwrap(), &bytes);
    DirModelStore::open_dir(dir.path()).unwrap().assemble(id, bytes.len() as u64).unwrap();
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    assert_eq!(store.open(id).unwrap().container(), bytes);
    let write = store.stage_chunk(ModelId([1; 32]), 0, &[1]);
    let rights = fs::write(dir.path().join("probe"), []).is_ok();
    mode(0o755);
    // Whoever may write anywhere (root) may write here too.
    assert!(rights || matches!(write, Err(ModelStoreError::ReadOnly(_))), "{write:?}");
}

#[test]
fn threads_that_open_at_once_share_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let bytes = container(1);
    let id = stage(&store, &bytes);
    store.assemble(id, bytes.len() as u64).unwrap();
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let models: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| store.open(id).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(models.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
}
