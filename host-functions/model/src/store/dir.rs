//! Models as files.
//!
//! ```text
//! DIR/<id>.model   a whole container, read-only
//! DIR/<id>.chunks  a container whose chunks are still coming, each at its place
//! *.tmp            being written; removed when the store is opened
//! ```
//!
//! A chunk is written where it stands in the container, so finishing a model is a look at all of it, after which the
//! file gets the model's name: nothing is copied, and nothing removed. Which chunks came is known to the chain; the
//! store only says whether the whole is what its id names.
//!
//! A file has the name of a model only once it was whole, whenever the process stops. Whoever brings many chunks does
//! not wait for the disk for each: [`ModelStore::sync`] does, once for all. Where the machine stops before, a file may
//! not be what its name says, though chunks that were synced are in it under either name. So what is there counts only
//! if it is what was asked for, and a model that is not goes on as chunks that came.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Cache, ModelStore, ModelStoreError, check_chunk, chunk_indices};
use crate::{Model, ModelBytes, ModelId, merkle};

/// A store in a directory that one process uses at a time.
#[derive(Debug)]
pub struct DirModelStore {
    dir: PathBuf,
    /// Held while files are written, so that two threads never write one of them. What a machine that stops may lose.
    unsynced: Mutex<BTreeSet<PathBuf>>,
    cache: Cache,
}

impl DirModelStore {
    /// Opens a store, making the directory where it is not there. A directory that cannot be written can still be
    /// read from.
    ///
    /// # Errors
    /// [`ModelStoreError`] of the file system.
    pub fn open_dir(dir: impl Into<PathBuf>) -> Result<DirModelStore, ModelStoreError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|error| file_error(&dir, error))?;
        let store = DirModelStore { dir, unsynced: Mutex::default(), cache: Cache::default() };
        store.remove_leftovers()?;
        Ok(store)
    }

    /// The file of a model.
    #[must_use]
    pub fn model_path(&self, id: ModelId) -> PathBuf {
        self.dir.join(format!("{id}.model"))
    }

    fn chunks_path(&self, id: ModelId) -> PathBuf {
        self.dir.join(format!("{id}.chunks"))
    }

    /// What a process that was stopped in the middle of writing has left.
    fn remove_leftovers(&self) -> Result<(), ModelStoreError> {
        for path in entries(&self.dir)? {
            if path.extension().is_some_and(|extension| extension == "tmp") {
                // A directory that cannot be written keeps them; they are never read.
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    /// Whether the model is there, finished. If it is not what its name says, the machine stopped before it was synced,
    /// or the disk has damaged it: then what is there are chunks that came.
    fn is_finished(&self, id: ModelId) -> Result<bool, ModelStoreError> {
        let (model, chunks) = (self.model_path(id), self.chunks_path(id));
        if !model.exists() {
            return Ok(false);
        }
        if self.open(id).is_ok() {
            return Ok(true);
        }
        if !chunks.exists() {
            // A copy, because another thread may have mapped what has the name of a model; on the disk before it has
            // its own, because chunks that were synced have to stay.
            let temporary = model.with_extension("tmp");
            write_new(&temporary, |file| {
                io::copy(&mut File::open(&model)?, file)?;
                file.sync_all()
            })?;
            rename(&temporary, &chunks)?;
        }
        Ok(false)
    }

    /// Why the chunks of a container of `total_len` bytes are not what the id names.
    fn wrong_chunks(&self, id: ModelId, total_len: u64, error: ModelStoreError) -> ModelStoreError {
        match self.first_missing(id, total_len) {
            Ok(None) => error,
            Ok(Some(index)) => ModelStoreError::MissingChunk { id, index: index.into() },
            Err(error) => error,
        }
    }

    /// The first chunk that does not seem to have come: nothing is there, or nothing but zeros.
    fn first_missing(&self, id: ModelId, total_len: u64) -> Result<Option<u32>, ModelStoreError> {
        let path = self.chunks_path(id);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(0)),
            opened => opened.map_err(|error| read_error(&path, error))?,
        };
        let mut chunk = Vec::with_capacity(merkle::CHUNK_BYTES);
        for index in chunk_indices(id, total_len)? {
            let length = merkle::chunk_len(total_len, index.into()).unwrap_or_default();
            read_chunk(&mut file, index, length, &mut chunk).map_err(|error| read_error(&path, error))?;
            if length > 0 && chunk.iter().all(|byte| *byte == 0) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Maps the file of a model and verifies everything.
    fn load(&self, id: ModelId, path: &Path) -> Result<Arc<Model>, ModelStoreError> {
        let bytes = map(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ModelStoreError::Missing(id),
            _ => read_error(path, error),
        })?;
        let found = merkle::root(bytes.as_ref());
        if found != id {
            let detail = format!("the file {} has the id {found}", path.display());
            return Err(ModelStoreError::Corrupt { id, detail });
        }
        let model = Model::from_bytes_of(id, bytes).map_err(|error| ModelStoreError::Invalid { id, error })?;
        Ok(Arc::new(model))
    }
}

impl ModelStore for DirModelStore {
    fn stage_chunk(&self, id: ModelId, index: u32, bytes: &[u8]) -> Result<(), ModelStoreError> {
        check_chunk(id, index, bytes)?;
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.chunks_path(id);
        // What is there may have been brought by a block that was never committed, and not be synced.
        if !path.exists() && self.is_finished(id)? {
            unsynced.insert(self.model_path(id));
            return Ok(());
        }
        unsynced.insert(path.clone());
        let write = || {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let mut there = Vec::with_capacity(bytes.len());
            read_chunk(&mut file, index, bytes.len(), &mut there)?;
            if there == bytes {
                return Ok(());
            }
            file.seek(SeekFrom::Start(chunk_start(index)))?;
            file.write_all(bytes)
        };
        write().map_err(|error| file_error(&path, error))
    }

    fn assemble(&self, id: ModelId, total_len: u64) -> Result<(), ModelStoreError> {
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        let (chunks, path) = (self.chunks_path(id), self.model_path(id));
        if self.is_finished(id)? {
            unsynced.insert(path);
            return Ok(());
        }
        // What stands behind the last chunk would never be written over.
        let length = chunks.metadata().map_or(0, |metadata| metadata.len());
        if length > total_len {
            let cut = OpenOptions::new().write(true).open(&chunks).and_then(|file| file.set_len(total_len));
            cut.map_err(|error| file_error(&chunks, error))?;
        }
        let model = self.load(id, &chunks).map_err(|error| match error {
            ModelStoreError::Missing(_) | ModelStoreError::Corrupt { .. } => self.wrong_chunks(id, total_len, error),
            error => error,
        })?;
        rename(&chunks, &path)?;
        unsynced.insert(path.clone());
        // Only now, so that chunks can be written whatever becomes of this.
        set_readonly(&path).map_err(|error| file_error(&path, error))?;
        self.cache.put(model);
        Ok(())
    }

    fn sync(&self) -> Result<(), ModelStoreError> {
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        if unsynced.is_empty() {
            return Ok(());
        }
        sync(&self.dir, &unsynced)?;
        unsynced.clear();
        Ok(())
    }

    fn open(&self, id: ModelId) -> Result<Arc<Model>, ModelStoreError> {
        self.cache.get(id, || self.load(id, &self.model_path(id)))
    }

    fn ids(&self) -> Result<Vec<ModelId>, ModelStoreError> {
        let mut ids = BTreeSet::new();
        for path in entries(&self.dir)? {
            if path.extension().is_some_and(|extension| extension == "model" || extension == "chunks") {
                ids.extend(id_of(path.file_stem()));
            }
        }
        Ok(ids.into_iter().collect())
    }

    fn remove(&self, id: ModelId) -> Result<(), ModelStoreError> {
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        self.cache.remove(id);
        for path in [self.model_path(id), self.chunks_path(id)] {
            unsynced.remove(&path);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The model that a file is named after; none for what this store has not made.
fn id_of(name: Option<&std::ffi::OsStr>) -> Option<ModelId> {
    let name = name?.to_str().filter(|name| name.len() == 64)?;
    let mut id = [0; 32];
    for (byte, digits) in id.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    // Only the one spelling that names have.
    Some(ModelId(id)).filter(|id| id.to_string() == name)
}

/// Where a chunk stands in its container.
fn chunk_start(index: u32) -> u64 {
    u64::from(index) * merkle::CHUNK_BYTES as u64
}

/// Reads what a file has in place of a chunk of `length` bytes.
fn read_chunk(file: &mut File, index: u32, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    file.seek(SeekFrom::Start(chunk_start(index)))?;
    file.take(length as u64).read_to_end(into)?;
    Ok(())
}

/// The entries of a directory; none where it does not exist.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, ModelStoreError> {
    let listed = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        listed => listed,
    };
    let paths = listed.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    paths.map_err(|error| read_error(dir, error))
}

/// Writes a new file; leaves none where that fails.
pub(super) fn write_new(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ModelStoreError> {
    let attempt = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        write(&mut OpenOptions::new().write(true).create_new(true).open(path)?)
    };
    attempt().map_err(|error| {
        let _ = fs::remove_file(path);
        file_error(path, error)
    })
}

fn set_readonly(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}

/// Waits until these files of this directory and their names are on the disk. Linux waits for the whole file system at
/// once; from 5.8 on it says what could not be written.
fn sync(dir: &Path, files: &BTreeSet<PathBuf>) -> Result<(), ModelStoreError> {
    #[cfg(test)]
    SYNCED.set(SYNCED.get() + 1);
    #[cfg(target_os = "linux")]
    {
        let _ = files;
        let synced = File::open(dir).and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
        synced.map_err(|error| file_error(dir, error))
    }
    #[cfg(not(target_os = "linux"))]
    {
        // The directory last.
        let mut paths = files.iter().map(PathBuf::as_path).chain([dir]);
        paths.try_for_each(|path| match File::open(path).and_then(|file| file.sync_all()) {
            // It has another name by now, which is among them.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced.map_err(|error| file_error(path, error)),
        })
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has waited for the disk.
    pub(super) static SYNCED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Gives a file its name.
fn rename(from: &Path, to: &Path) -> Result<(), ModelStoreError> {
    fs::rename(from, to).map_err(|error| file_error(to, error))
}

/// Maps a whole file.
#[allow(unsafe_code, reason = "mapping a file")]
fn map(path: &Path) -> io::Result<ModelBytes> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        // Nothing to map.
        return Ok(ModelBytes::from(Vec::new()));
    }
    // SAFETY: the bytes must not change while they are mapped. What has the name of a model is only ever replaced as a
    // whole or removed, which leaves a mapping as it is. Chunks are mapped by whoever holds the lock that writing them
    // takes, and have the name of a model before it is given up, or are no longer mapped. The directory belongs to the
    // node; whoever can write there runs the node.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    Ok(ModelBytes::Mapped(Arc::new(map)))
}

/// An error of writing, by what to do about it.
pub(super) fn file_error(path: &Path, error: io::Error) -> ModelStoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ModelStoreError::DiskFull(path.into()),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => ModelStoreError::ReadOnly(path.into()),
        _ => ModelStoreError::Io { path: path.into(), error },
    }
}

fn read_error(path: &Path, error: io::Error) -> ModelStoreError {
    ModelStoreError::Io { path: path.into(), error }
}
