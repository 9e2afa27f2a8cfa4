//! Compiled code on disk, so that a node that starts again need not compile.
//!
//! What is in a file is executed, so nothing is taken from one that this node has not written: every file carries a
//! KMAC under a key that only this node has. A file is read once, and what was checked is what is loaded. Whatever is
//! wrong with one (missing, cut short, altered, of another version, of another node), the answer is `None`, and the code
//! is compiled again. No receipt depends on it.
//!
//! ```text
//! DIR/key                    32 random bytes of this node, readable by its owner only
//! DIR/<name>.artifact        magic, name, tag, payload        tag = KMAC256(key, name | payload)
//! ```
//!
//! The name is a hash of all that the payload depends on (`Machinery::artifact_name`).
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "which file is old, and a key that nobody else has, are this node's own"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tiny_keccak::{Hasher, Kmac};

/// Begins every file; a new form of file is a new number.
const MAGIC: [u8; 8] = *b"noemaAC1";
const NAME: usize = 32;
const TAG: usize = 32;
const HEADER: usize = MAGIC.len() + NAME + TAG;
const KEY_FILE: &str = "key";
const ENDING: &str = "artifact";

/// Where a node keeps compiled code, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactCache {
    /// A folder of its own. It is made, if it is not there. Whoever can write there cannot make this node execute
    /// anything, as long as they cannot read the key in it.
    pub directory: PathBuf,
    /// Bytes of all files. Above it those that were written longest ago are removed.
    pub capacity: u64,
}

impl ArtifactCache {
    /// At most 4 GiB in this folder.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> ArtifactCache {
        ArtifactCache { directory: directory.into(), capacity: 4 << 30 }
    }
}

/// An open cache.
#[derive(Debug)]
pub(super) struct Artifacts {
    directory: PathBuf,
    capacity: u64,
    key: [u8; 32],
}

impl Artifacts {
    /// Opens the folder, with a new key if it has none that can be used.
    pub(super) fn open(cache: &ArtifactCache) -> io::Result<Artifacts> {
        fs::create_dir_all(&cache.directory)?;
        let key = node_key(&cache.directory)?;
        Ok(Artifacts { directory: cache.directory.clone(), capacity: cache.capacity, key })
    }

    fn path(&self, name: &[u8; NAME]) -> PathBuf {
        let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(hex).with_extension(ENDING)
    }

    /// What was put under this name, if this node has put it there.
    pub(super) fn get(&self, name: &[u8; NAME]) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(name)).ok()?;
        let (header, payload) = bytes.split_at_checked(HEADER)?;
        let tag = self.tag(name, payload);
        // Every byte is compared, wherever the first difference is.
        let expected = MAGIC.iter().chain(name).chain(&tag);
        let difference = header.iter().zip(expected).fold(0, |all, (found, expected)| all | (found ^ expected));
        if difference != 0 {
            tracing::warn!(path = %self.path(name).display(), "compiled code that this node did not write is left alone");
            return None;
        }
        bytes.drain(..HEADER);
        Some(bytes)
    }

    /// Keeps a payload. Failing to is no fault of anyone: it is said in the log.
    pub(super) fn put(&self, name: &[u8; NAME], payload: &[u8]) {
        let path = self.path(name);
        if let Err(error) = self.write(&path, name, payload) {
            tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept");
        }
        if let Err(error) = self.shrink(&path) {
            tracing::warn!(directory = %self.directory.display(), %error, "old compiled code cannot be removed");
        }
    }

    fn write(&self, path: &Path, name: &[u8; NAME], payload: &[u8]) -> io::Result<()> {
        // A name of its own for every writer, and renamed when it is whole.
        let mut file = new_file(&self.directory)?;
        file.1.write_all(&MAGIC)?;
        file.1.write_all(name)?;
        file.1.write_all(&self.tag(name, payload))?;
        file.1.write_all(payload)?;
        drop(file.1);
        fs::rename(&file.0, path).inspect_err(|_| {
            let _ = fs::remove_file(&file.0);
        })
    }

    /// Removes what was written longest ago, and what other writers have left behind, above the capacity; never `newest`.
    fn shrink(&self, newest: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Ok(metadata) = fs::metadata(&path)
            {
                files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), path));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
        files.sort();
        for (_, len, path) in files {
            if bytes <= self.capacity {
                break;
            }
            if path != newest {
                fs::remove_file(&path)?;
                bytes -= len;
            }
        }
        Ok(())
    }

    fn tag(&self, name: &[u8; NAME], payload: &[u8]) -> [u8; TAG] {
        let mut kmac = Kmac::v256(&self.key, b"noema compiled code");
        kmac.update(name);
        kmac.update(payload);
        let mut tag = [0; TAG];
        kmac.finalize(&mut tag);
        tag
    }
}

/// The key in the folder, or a new one: then nothing that is there will be taken for this node's.
fn node_key(directory: &Path) -> io::Result<[u8; 32]> {
    let path = directory.join(KEY_FILE);
    if let Some(key) = fs::read(&path).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        return Ok(key);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let (temporary, mut file) = new_file(directory)?;
    file.write_all(&key)?;
    file.sync_all()?;
    drop(file);
    // Two machines that open a new folder at once: the key that was there first counts.
    let linked = fs::hard_link(&temporary, &path);
    if linked.is_err() && fs::read(&path).is_ok_and(|bytes| bytes.len() != key.len()) {
        fs::rename(&temporary, &path)?;
        return Ok(key);
    }
    fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) => {
            let found = fs::read(&path).map_err(|_| error)?;
            found.try_into().map_err(|_| io::Error::other("the key of the folder has another length"))
        }
    }
}

/// A new file that only its owner can read.
fn new_file(directory: &Path) -> io::Result<(PathBuf, fs::File)> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let path = directory.join(format!("{:016x}.new", u64::from_le_bytes(random)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok((path.clone(), options.open(&path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, capacity: u64) -> Artifacts {
        Artifacts::open(&ArtifactCache { directory: directory.to_path_buf(), capacity }).unwrap()
    }

    #[test]
    fn what_was_put_comes_back_also_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = open(folder.path(), 1 << 20);
        assert_eq!(artifacts.get(&[1; 32]), None);
        artifacts.put(&[1; 32], b"some code");
        assert_eq!(artifacts.get(&[1; 32]).as_deref(), Some(&b"some code"[..]));
        assert_eq!(open(folder.path(), 1 << 20).get(&[1; 32]).as_deref(), Some(&b"some code"[..]));
        assert_eq!(artifacts.get(&[2; 32]), None);
    }

    #[test]
    fn nothing_altered_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = open(folder.path(), 1 << 20);
        artifacts.put(&[1; 32], b"some code");
        let path = artifacts.path(&[1; 32]);
        let whole = fs::read(&path).unwrap();
        // Every bit.
        for bit in 0..whole.len() * 8 {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, altered).unwrap();
            assert_eq!(artifacts.get(&[1; 32]), None, "bit {bit}");
        }
        // Every length.
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(artifacts.get(&[1; 32]), None, "{len} bytes");
        }
        let longer = [whole.as_slice(), b"x"].concat();
        fs::write(&path, longer).unwrap();
        assert_eq!(artifacts.get(&[1; 32]), None);
        // Under another name.
        fs::write(artifacts.path(&[2; 32]), &whole).unwrap();
        assert_eq!(artifacts.get(&[2; 32]), None);
        // And written again over what was wrong.
        artifacts.put(&[1; 32], b"some code");
        assert!(artifacts.get(&[1; 32]).is_some());
    }

    #[test]
    fn files_of_another_node_are_not_taken() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, theirs) = (open(one.path(), 1 << 20), open(other.path(), 1 << 20));
        theirs.put(&[1; 32], b"their code");
        fs::copy(theirs.path(&[1; 32]), ours.path(&[1; 32])).unwrap();
        assert_eq!(ours.get(&[1; 32]), None);
        // A key that was damaged is replaced, and what it signed is gone with it.
        ours.put(&[1; 32], b"our code");
        fs::write(one.path().join(KEY_FILE), b"short").unwrap();
        let again = open(one.path(), 1 << 20);
        assert_eq!(again.get(&[1; 32]), None);
        again.put(&[1; 32], b"our code");
        assert!(open(one.path(), 1 << 20).get(&[1; 32]).is_some());
    }

    #[test]
    fn old_files_make_room_for_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = u64::try_from(HEADER).unwrap() + 100;
        let artifacts = open(folder.path(), 2 * bytes);
        for number in 1..=4u8 {
            artifacts.put(&[number; 32], &[number; 100]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let there: Vec<bool> = (1..=4).map(|number| artifacts.get(&[number; 32]).is_some()).collect();
        assert_eq!(there, [false, false, true, true]);
        assert!(folder.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_nothing_and_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = open(folder.path(), 1 << 20);
        fs::remove_dir_all(folder.path()).unwrap();
        artifacts.put(&[1; 32], b"some code");
        assert_eq!(artifacts.get(&[1; 32]), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Artifacts::open(&ArtifactCache::new(file.path())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 1);
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
