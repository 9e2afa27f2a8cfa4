//! Models as files.
//!
//! ```text
//! DIR/<id>.model            a whole container, read-only, complete from the moment it has this name
//! DIR/staging/<id>/<index>  a chunk that waits for the others
//! *.tmp                     being written; removed when the store is opened
//! ```
//!
//! Every file is written under a temporary name and renamed, so a file that has its name is whole, whenever the process
//! stops. Whoever brings many chunks does not wait for the disk for each: [`ModelStore::sync`] does, once for all. Where the machine stops
//! before, a file may not be what its name says; so what is there already counts only if it is what was asked for, and the
//! chunks of a model stay until it is synced.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Cache, ModelStore, ModelStoreError, check_chunk, chunk_indices};
use crate::{Model, ModelBytes, ModelId, merkle};

/// A store in a directory that one process uses at a time.
#[derive(Debug)]
pub struct DirModelStore {
    dir: PathBuf,
    /// Held while files are written, so that two threads never write one temporary file.
    writing: Mutex<Unsynced>,
    cache: Cache,
}

/// What a machine that stops may lose.
#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeSet<PathBuf>,
    /// The models among them, whose chunks are still there.
    models: BTreeSet<ModelId>,
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
        let store = DirModelStore { dir, writing: Mutex::default(), cache: Cache::default() };
        store.remove_leftovers(&store.dir)?;
        for staged in entries(&store.staging())? {
            store.remove_leftovers(&staged)?;
        }
        Ok(store)
    }

    /// The file of a model.
    #[must_use]
    pub fn model_path(&self, id: ModelId) -> PathBuf {
        self.dir.join(format!("{id}.model"))
    }

    fn staging(&self) -> PathBuf {
        self.dir.join("staging")
    }

    fn chunk_path(&self, id: ModelId, index: u32) -> PathBuf {
        self.staging().join(id.to_string()).join(index.to_string())
    }

    /// What a process that was stopped in the middle of writing has left.
    fn remove_leftovers(&self, dir: &Path) -> Result<(), ModelStoreError> {
        for path in entries(dir)? {
            if path.extension().is_some_and(|extension| extension == "tmp") {
                // A directory that cannot be written keeps them; they are never read.
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
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
        let mut unsynced = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.chunk_path(id, index);
        // What is there may have been brought by a block that was never committed, and not be synced.
        let model = self.model_path(id);
        if model.exists() && self.open(id).is_ok() {
            unsynced.files.insert(model);
            return Ok(());
        }
        unsynced.files.insert(path.clone());
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).map_err(|error| file_error(parent, error))?;
        let temporary = path.with_extension("tmp");
        write_new(&temporary, |file| file.write_all(bytes))?;
        rename(&temporary, &path)
    }

    fn assemble(&self, id: ModelId, total_len: u64) -> Result<(), ModelStoreError> {
        let mut unsynced = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.model_path(id);
        if path.exists() && self.open(id).is_ok() {
            unsynced.files.insert(path);
            unsynced.models.insert(id);
            return Ok(());
        }
        let temporary = path.with_extension("tmp");
        let indices = chunk_indices(id, total_len)?;
        if let Some(index) = indices.clone().find(|index| !self.chunk_path(id, *index).exists()) {
            return Err(ModelStoreError::MissingChunk { id, index: index.into() });
        }
        let mut chunk_error = None;
        let written = write_new(&temporary, |file| {
            let mut chunk = Vec::with_capacity(merkle::CHUNK_BYTES);
            for index in indices {
                let path = self.chunk_path(id, index);
                chunk.clear();
                // One byte more than a chunk may have shows one that is too long, without reading all of it.
                let read = File::open(&path).and_then(|file| file.take(CHUNK_LIMIT).read_to_end(&mut chunk));
                if let Err(error) = read {
                    chunk_error = Some(read_error(&path, error));
                    return Ok(());
                }
                file.write_all(&chunk)?;
            }
            Ok(())
        });
        let loaded = match (written, chunk_error) {
            (Err(error), _) | (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) => self.load(id, &temporary),
        };
        let model = loaded.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        rename(&temporary, &path)?;
        self.cache.put(model);
        unsynced.files.insert(path);
        unsynced.models.insert(id);
        Ok(())
    }

    fn sync(&self) -> Result<(), ModelStoreError> {
        let mut unsynced = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if unsynced.files.is_empty() {
            return Ok(());
        }
        sync(&self.dir, &unsynced.files)?;
        // The models are safe; chunks that cannot be removed only take space.
        for id in &unsynced.models {
            let _ = fs::remove_dir_all(self.staging().join(id.to_string()));
        }
        *unsynced = Unsynced::default();
        Ok(())
    }

    fn open(&self, id: ModelId) -> Result<Arc<Model>, ModelStoreError> {
        self.cache.get(id, || self.load(id, &self.model_path(id)))
    }

    fn ids(&self) -> Result<Vec<ModelId>, ModelStoreError> {
        let mut ids = BTreeSet::new();
        for path in entries(&self.dir)? {
            if path.extension().is_some_and(|extension| extension == "model") {
                ids.extend(id_of(path.file_stem()));
            }
        }
        for path in entries(&self.staging())? {
            ids.extend(id_of(path.file_name()));
        }
        Ok(ids.into_iter().collect())
    }

    fn remove(&self, id: ModelId) -> Result<(), ModelStoreError> {
        let mut unsynced = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.cache.remove(id);
        let (model, chunks) = (self.model_path(id), self.staging().join(id.to_string()));
        unsynced.models.remove(&id);
        unsynced.files.retain(|path| *path != model && !path.starts_with(&chunks));
        for (path, removed) in [(&model, fs::remove_file(&model)), (&chunks, fs::remove_dir_all(&chunks))] {
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(path, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The model that a file or directory is named after; none for what this store has not made.
fn id_of(name: Option<&std::ffi::OsStr>) -> Option<ModelId> {
    let name = name?.to_str().filter(|name| name.len() == 64)?;
    let mut id = [0; 32];
    for (byte, digits) in id.iter_mut().zip(name.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    // Only the one spelling that names have.
    Some(ModelId(id)).filter(|id| id.to_string() == name)
}

const CHUNK_LIMIT: u64 = 64 * 1024 + 1;

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

/// Writes a new read-only file; leaves none where that fails.
pub(super) fn write_new(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ModelStoreError> {
    let attempt = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        write(&mut file)?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)
    };
    attempt().map_err(|error| {
        let _ = fs::remove_file(path);
        file_error(path, error)
    })
}

/// Waits until these files, which are in this directory and below, and their names are on the disk. Linux waits for the whole file system
/// at once; from 5.8 on it says what could not be written.
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
        let parents = files.iter().filter_map(|path| path.parent());
        // From the inside to the outside.
        let mut dirs: BTreeSet<&Path> =
            parents.flat_map(Path::ancestors).filter(|path| path.starts_with(dir)).collect();
        let mut paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        while let Some(last) = dirs.pop_last() {
            paths.push(last);
        }
        paths.into_iter().try_for_each(|path| match File::open(path).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
            _ => Ok(()),
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
    // SAFETY: the bytes must not change while they are mapped. Files of this store are written under a temporary
    // name, made read-only before anything maps them, and only ever renamed or removed afterwards, which leaves a
    // mapping as it is. The directory belongs to the node; whoever can write there runs the node.
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
