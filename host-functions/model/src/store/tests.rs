use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
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

fn chunks_path(dir: &Path, id: ModelId) -> PathBuf {
    dir.join(format!("{id}.chunks"))
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
        }),
        (0, 1)
    );
    // Whoever brings bytes that are no model can ask for them to be put together again and again.
    stage(&store, b"no model");
    store.sync().unwrap();
    assert_eq!(waits(&|| assert!(finish(b"no model").is_err_and(|error| error.is_verdict()))), (0, 0));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "two models and what is staged");
}

/// Finishing gives the file of the chunks another name: it copies nothing and removes nothing.
#[cfg(unix)]
#[test]
fn a_finished_model_is_the_file_of_its_chunks() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let bytes = container(1);
    let id = stage(&store, &bytes);
    let inode = |path: PathBuf| path.metadata().unwrap().ino();
    let staged = inode(chunks_path(dir.path(), id));
    store.assemble(id, bytes.len() as u64).unwrap();
    assert_eq!(inode(store.model_path(id)), staged);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn chunks_come_in_any_order_and_more_than_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let bytes = container(1);
    let (id, total) = (merkle::root(&bytes), bytes.len() as u64);
    let chunks: Vec<(u32, &[u8])> = (0..).zip(merkle::chunks(&bytes)).collect();
    for (index, chunk) in chunks.iter().rev().chain(&chunks) {
        store.stage_chunk(id, *index, chunk).unwrap();
        let first = store.assemble(id, total);
        assert_eq!(first.is_ok(), store.open(id).is_ok());
        match first {
            // From the back, until the first one comes.
            Err(ModelStoreError::MissingChunk { index: 0, .. }) => assert!(*index > 0),
            first => first.unwrap(),
        }
    }
    assert_eq!(fs::read(store.model_path(id)).unwrap(), bytes);
    assert!(!chunks_path(dir.path(), id).exists(), "a chunk of a finished model is not kept again");
}

/// Whatever becomes of the file in which chunks wait, no model is made of it that is not the right one, and the chunks
/// that are wrong can come again.
#[test]
fn chunks_that_were_tampered_with_are_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let (id, total) = (merkle::root(&bytes), bytes.len() as u64);
    let path = chunks_path(dir.path(), id);
    let flipped = |at: usize| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        flipped
    };
    let mut hole = bytes.clone();
    hole[merkle::CHUNK_BYTES..2 * merkle::CHUNK_BYTES].fill(0);
    // What is there, and the chunk of which it is said that it did not come.
    let cases = [
        (flipped(0), None),
        (flipped(bytes.len() - 1), None),
        (bytes[..bytes.len() - 1].to_vec(), None),
        (bytes[..merkle::CHUNK_BYTES].to_vec(), Some(1)),
        (hole, Some(1)),
        (vec![], Some(0)),
        ([&flipped(0)[..], b"more"].concat(), None),
    ];
    for (there, missing) in cases {
        let store = DirModelStore::open_dir(dir.path()).unwrap();
        fs::write(&path, &there).unwrap();
        let error = store.assemble(id, total).unwrap_err();
        match missing {
            Some(missing) => assert!(matches!(error, ModelStoreError::MissingChunk { index, .. } if index == missing)),
            None => assert!(error.to_string().contains(path.to_str().unwrap()), "{error}"),
        }
        assert!(!error.is_verdict());
        assert!(matches!(store.open(id), Err(ModelStoreError::Missing(_))));
        stage(&store, &bytes);
        store.assemble(id, total).unwrap();
        assert_eq!(fs::read(store.model_path(id)).unwrap(), bytes);
        store.remove(id).unwrap();
    }
    // More than the container has is of no consequence.
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    store.assemble(id, total).unwrap();
    assert_eq!(fs::read(store.model_path(id)).unwrap(), bytes);
}

/// A machine that stops before a block is synced: the block was not committed, and comes again. What blocks before it
/// brought does not come again, and has to be there, whichever name the file has.
#[test]
fn what_a_machine_lost_is_brought_again() {
    let bytes = container(1);
    let (id, total) = (merkle::root(&bytes), bytes.len() as u64);
    let chunks: Vec<&[u8]> = merkle::chunks(&bytes).collect();
    let tail = 2 * merkle::CHUNK_BYTES;
    let zeros = [&bytes[..tail], &vec![0; bytes.len() - tail][..]].concat();
    let torn = [&bytes[..tail + 100], &vec![0; bytes.len() - tail - 100][..]].concat();
    for lost in [&bytes[..tail], &bytes[..bytes.len() - 1], &zeros, &torn, &bytes] {
        for renamed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            {
                let store = DirModelStore::open_dir(dir.path()).unwrap();
                for (index, chunk) in (0..2).zip(&chunks) {
                    store.stage_chunk(id, index, chunk).unwrap();
                }
                store.sync().unwrap();
                store.stage_chunk(id, 2, chunks[2]).unwrap();
                store.assemble(id, total).unwrap();
                let model = store.model_path(id);
                if !renamed {
                    fs::rename(&model, chunks_path(dir.path(), id)).unwrap();
                }
                overwrite(&if renamed { model } else { chunks_path(dir.path(), id) }, lost);
            }
            let store = DirModelStore::open_dir(dir.path()).unwrap();
            assert_eq!(store.ids().unwrap(), [id]);
            assert_eq!(store.open(id).is_ok(), renamed && lost == bytes);
            store.stage_chunk(id, 2, chunks[2]).unwrap();
            // It may stop again before that is finished, and while it makes room for it.
            let store = DirModelStore::open_dir(dir.path()).unwrap();
            if renamed && lost != bytes {
                assert!(store.model_path(id).exists() && chunks_path(dir.path(), id).exists());
                fs::rename(chunks_path(dir.path(), id), store.model_path(id).with_extension("tmp")).unwrap();
            }
            let store = DirModelStore::open_dir(dir.path()).unwrap();
            store.stage_chunk(id, 2, chunks[2]).unwrap();
            store.assemble(id, total).unwrap();
            store.sync().unwrap();
            let store = DirModelStore::open_dir(dir.path()).unwrap();
            assert_eq!(store.open(id).unwrap().container(), bytes);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }
}

/// A finished model that the disk has damaged is made whole by the chunks that are wrong.
#[test]
fn a_block_that_finishes_a_damaged_model_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = container(1);
    let (id, total) = (merkle::root(&bytes), bytes.len() as u64);
    {
        let store = DirModelStore::open_dir(dir.path()).unwrap();
        stage(&store, &bytes);
        store.assemble(id, total).unwrap();
    }
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    let mut flipped = bytes.clone();
    flipped[merkle::CHUNK_BYTES] ^= 1;
    overwrite(&store.model_path(id), &flipped);
    let error = store.assemble(id, total).unwrap_err();
    assert!(matches!(error, ModelStoreError::Corrupt { .. }) && !error.is_verdict());
    store.stage_chunk(id, 1, merkle::chunks(&bytes).nth(1).unwrap()).unwrap();
    store.assemble(id, total).unwrap();
    assert_eq!(store.open(id).unwrap().container(), bytes);
}

/// Files that this store has not made are left alone.
#[test]
fn unknown_files_are_no_models() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("staging").join(ModelId([7; 32]).to_string());
    fs::create_dir_all(&folder).unwrap();
    let unknown = [folder.join("0"), dir.path().join("x.chunks"), dir.path().join("x.model"), dir.path().join("0")];
    for path in &unknown {
        fs::write(path, [1]).unwrap();
    }
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    assert_eq!(store.ids().unwrap(), []);
    let bytes = container(1);
    let id = stage(&store, &bytes);
    store.assemble(id, bytes.len() as u64).unwrap();
    store.sync().unwrap();
    assert_eq!(store.ids().unwrap(), [id]);
    assert!(unknown.iter().all(|path| path.exists()));
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
    assert!(!chunks_path(dir.path(), done_id).exists(), "chunks of a finished model are the model");
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
    fs::write(&model_leftover, &bytes[..1000]).unwrap();
    assert!(matches!(store.open(id), Err(ModelStoreError::Missing(_))));
    let store = DirModelStore::open_dir(dir.path()).unwrap();
    assert!(!model_leftover.exists());
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
        let (store, id) = (DirModelStore::open_dir(dir.path()).unwrap(), ModelId([7; 32]));
        std::os::unix::fs::symlink("/dev/full", chunks_path(dir.path(), id)).unwrap();
        let error = store.stage_chunk(id, 0, &[7; 1000]).unwrap_err();
        assert!(matches!(error, ModelStoreError::DiskFull(_)), "{error}");
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
