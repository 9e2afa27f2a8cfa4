//! Merkle ids of models: a model is named by the hash of its container, and every 64 KiB chunk of it can be
//! verified alone, so that a container can be uploaded in transactions that are each checked when they arrive.
//!
//! ```text
//! leaf(chunk)      = keccak256("noema.model.leaf.1" || chunk)
//! node(l, r)       = keccak256("noema.model.node.1" || l || r)
//! id(bytes)        = keccak256("noema.model.root.1" || u64 little-endian length || top of the tree)
//! ```
//!
//! The tree pairs neighbours level by level; a last one without a neighbour moves up unchanged. The three labels
//! have the same length, so a leaf can never be read as a node (`chunk` is data, `l || r` are hashes, the labels
//! differ), and the length in the id fixes the number of chunks, the length of the last one and the length of
//! every proof. An empty container has one empty chunk.
//!
//! ```
//! use noema_model::merkle;
//! let bytes = vec![7; 200_000];
//! let id = merkle::root(&bytes);
//! let proof = merkle::proof(&bytes, 3).unwrap();
//! assert!(merkle::verify(id, 200_000, 3, &bytes[3 * merkle::CHUNK_BYTES..], &proof));
//! assert!(!merkle::verify(id, 200_001, 3, &bytes[3 * merkle::CHUNK_BYTES..], &proof));
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use tiny_keccak::{Hasher, Keccak};

/// Bytes of a chunk; the last one of a container may be shorter.
pub const CHUNK_BYTES: usize = 64 * 1024;
const CHUNK_LEN: u64 = 64 * 1024;

const LEAF: &[u8] = b"noema.model.leaf.1";
const NODE: &[u8] = b"noema.model.node.1";
const ROOT: &[u8] = b"noema.model.root.1";

/// The name of a model: see the module documentation for the formula.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct ModelId(pub [u8; 32]);

impl std::fmt::Display for ModelId {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelId({self})")
    }
}

impl From<[u8; 32]> for ModelId {
    fn from(bytes: [u8; 32]) -> ModelId {
        ModelId(bytes)
    }
}

/// How many chunks a container of `total_len` bytes has: at least one.
#[must_use]
pub const fn chunk_count(total_len: u64) -> u64 {
    if total_len == 0 { 1 } else { total_len.div_ceil(CHUNK_LEN) }
}

/// The length of chunk `index` of a container of `total_len` bytes; `None` past the last one.
#[must_use]
pub fn chunk_len(total_len: u64, index: u64) -> Option<usize> {
    let start = index.checked_mul(CHUNK_LEN)?;
    if index >= chunk_count(total_len) {
        return None;
    }
    usize::try_from(total_len.saturating_sub(start).min(CHUNK_LEN)).ok()
}

/// The id of a container of `total_len` bytes whose tree of chunks has this top: so whoever knows both can show that an
/// id means this length, without any chunk.
///
/// ```
/// use noema_model::merkle::{MerkleTree, id_of, root};
/// let bytes = vec![7; 200_000];
/// assert_eq!(id_of(200_000, &MerkleTree::new(&bytes).top()), root(&bytes));
/// ```
#[must_use]
pub fn id_of(total_len: u64, top: &[u8; 32]) -> ModelId {
    ModelId(keccak(&[ROOT, &total_len.to_le_bytes(), top]))
}

/// The id of a container.
#[must_use]
pub fn root(bytes: &[u8]) -> ModelId {
    let mut roots = RootHasher::new();
    chunks(bytes).for_each(|chunk| roots.push(chunk));
    roots.finish()
}

/// The proof for chunk `index`: the sibling hashes from the leaf up. `None` past the last chunk.
///
/// It hashes the whole container; [`MerkleTree`] makes the proofs of all chunks from one pass.
#[must_use]
pub fn proof(bytes: &[u8], index: u64) -> Option<Vec<[u8; 32]>> {
    MerkleTree::new(bytes).proof(index)
}

/// Whether `chunk` is chunk `index` of the container named `id`, which has `total_len` bytes. Any bytes may be
/// passed: the proof must have exactly the length that position and length call for.
#[must_use]
pub fn verify(id: ModelId, total_len: u64, index: u64, chunk: &[u8], proof: &[[u8; 32]]) -> bool {
    if chunk_len(total_len, index) != Some(chunk.len()) {
        return false;
    }
    let mut siblings = proof.iter();
    let mut hash = leaf(chunk);
    let (mut position, mut width) = (index, chunk_count(total_len));
    while width > 1 {
        if position % 2 == 1 || position + 1 < width {
            let Some(sibling) = siblings.next() else { return false };
            hash = if position % 2 == 1 { node(sibling, &hash) } else { node(&hash, sibling) };
        }
        position /= 2;
        width = width.div_ceil(2);
    }
    siblings.next().is_none() && id_of(total_len, &hash) == id
}

/// All hashes of a container, for making many proofs: 64 bytes of memory for each chunk.
#[derive(Clone, Debug)]
pub struct MerkleTree {
    total_len: u64,
    /// From the leaves up; the last level has one hash.
    levels: Vec<Vec<[u8; 32]>>,
}

impl MerkleTree {
    /// Hashes a container.
    #[must_use]
    pub fn new(bytes: &[u8]) -> MerkleTree {
        let mut level: Vec<[u8; 32]> = chunks(bytes).map(leaf).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    [alone] => *alone,
                    _ => unreachable!("chunks(2) gives one or two"),
                })
                .collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        MerkleTree { total_len: bytes.len() as u64, levels }
    }

    /// The id of the container.
    #[must_use]
    pub fn id(&self) -> ModelId {
        id_of(self.total_len, &self.top())
    }

    /// The top of the tree: see [`id_of`].
    #[must_use]
    pub fn top(&self) -> [u8; 32] {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_else(|| leaf(&[]))
    }

    /// How many chunks the container has.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        chunk_count(self.total_len)
    }

    /// The proof for chunk `index`: the sibling hashes from the leaf up. `None` past the last chunk.
    #[must_use]
    pub fn proof(&self, index: u64) -> Option<Vec<[u8; 32]>> {
        let mut position = usize::try_from(index).ok().filter(|_| index < self.chunk_count())?;
        let mut siblings = Vec::new();
        for level in &self.levels {
            siblings.extend(level.get(position ^ 1));
            position /= 2;
        }
        Some(siblings)
    }
}

/// The id of a container that arrives chunk by chunk: 32 bytes of memory for each level of the tree.
#[derive(Clone, Debug)]
pub struct RootHasher {
    total_len: u64,
    /// Finished subtrees from left to right, with their height; heights fall strictly.
    stack: Vec<(u32, [u8; 32])>,
}

impl RootHasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> RootHasher {
        RootHasher { total_len: 0, stack: Vec::new() }
    }

    /// Adds the next chunk. Every one but the last must have [`CHUNK_BYTES`] bytes, or the id names nothing.
    pub fn push(&mut self, chunk: &[u8]) {
        self.total_len = self.total_len.saturating_add(chunk.len() as u64);
        let mut hash = leaf(chunk);
        let mut height = 0;
        while let Some((_, left)) = self.stack.pop_if(|(left_height, _)| *left_height == height) {
            hash = node(&left, &hash);
            height += 1;
        }
        self.stack.push((height, hash));
    }

    /// The id of what was pushed.
    #[must_use]
    pub fn finish(self) -> ModelId {
        let hash = self.stack.into_iter().map(|(_, hash)| hash).rev().reduce(|right, left| node(&left, &right));
        id_of(self.total_len, &hash.unwrap_or_else(|| leaf(&[])))
    }
}

impl Default for RootHasher {
    fn default() -> RootHasher {
        RootHasher::new()
    }
}

/// The chunks of a container, at least one.
pub fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(CHUNK_BYTES).chain(bytes.is_empty().then_some(bytes))
}

fn leaf(chunk: &[u8]) -> [u8; 32] {
    keccak(&[LEAF, chunk])
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    keccak(&[NODE, left, right])
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak::v256();
    parts.iter().for_each(|part| hasher.update(part));
    let mut digest = [0; 32];
    hasher.finalize(&mut digest);
    digest
}

#[cfg(test)]
mod tests;
