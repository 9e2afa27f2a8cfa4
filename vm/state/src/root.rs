//! The state root: a sparse Merkle tree over [`Column::State`], kept in [`Column::Tree`].
//!
//! The tree is the Jellyfish Merkle tree of the crate `jmt`: a binary sparse Merkle tree of depth 256 in which a
//! subtree with one leaf is that leaf, stored as nodes of 16 children. The root is a function of the entries alone,
//! not of the order or the batches they were written in. Hashes are keccak256, each kind in a domain of its own:
//!
//! ```text
//! path of a key = keccak("noema/state/key/1:"   || key)
//! value hash    = keccak("noema/state/value/1:" || value)
//! leaf          = keccak("JMT::LeafNode"        || path || value hash)
//! inner node    = keccak("JMT::IntrnalNode"     || left || right)
//! empty subtree = "SPARSE_MERKLE_PLACEHOLDER_HASH__"
//! ```
//!
//! Decisions and measurements: `docs/decisions/0004-state-root.md`.

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, StaleNodeIndex, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, RootHash, SimpleHasher, Version};
use tiny_keccak::{Hasher, Keccak};

use crate::{Batch, Column, StateStore, StoreError, WriteSet};

mod proof;
pub use proof::{Proof, ProofError};

/// The root of the empty state.
pub const EMPTY_ROOT: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// How many versions before the newest can be proven. Nodes that only older versions use are removed.
pub const KEPT_VERSIONS: u64 = 128;

const KEY_DOMAIN: &[u8] = b"noema/state/key/1:";
const VALUE_DOMAIN: &[u8] = b"noema/state/value/1:";

/// Rows of [`Column::Tree`]: a node by version and path, and a note that a node is unused since a version.
const NODE_ROW: u8 = b'n';
const STALE_ROW: u8 = b's';

/// The tree could not be read or extended. This node's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no tree of this version: it is not written yet, or it is older than [`KEPT_VERSIONS`].
    #[error("there is no state tree of version {version}: not written yet, or no longer kept")]
    NoVersion {
        /// The version.
        version: u64,
    },
    /// This version was applied before.
    #[error("the state tree of version {version} exists already")]
    VersionExists {
        /// The version.
        version: u64,
    },
    /// The nodes contradict each other.
    #[error("the state tree is damaged: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
}

/// Extends the tree to `version` with these writes. The new nodes, and the removal of those no longer kept, go into
/// `batch`; the same batch must carry the writes themselves ([`Batch::write_state`]). Versions start at 0 and have no
/// gaps; a version may change nothing. Returns the root.
///
/// ```
/// use noema_state::{Batch, MemoryStore, StateStore, WriteSet, root};
///
/// let store = MemoryStore::new();
/// let writes = WriteSet::from([(b"colour".to_vec(), Some(b"blue".to_vec()))]);
/// let mut batch = Batch::new();
/// batch.write_state(&writes);
/// let state_root = root::apply(&store, 0, &writes, &mut batch)?;
/// store.commit(batch)?;
///
/// let proof = root::prove(&store, 0, b"colour")?;
/// proof.verify(&state_root, b"colour", Some(b"blue"))?;
/// root::prove(&store, 0, b"taste")?.verify(&state_root, b"taste", None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `NoVersion` where the version before is missing, `VersionExists`, `Store`, `Damaged`.
pub fn apply(
    store: &dyn StateStore,
    version: u64,
    writes: &WriteSet,
    batch: &mut Batch,
) -> Result<[u8; 32], RootError> {
    let reader = Reader { store };
    if reader.node(&root_key(version))?.is_some() {
        return Err(RootError::VersionExists { version });
    }
    // Without this check the tree would silently start again from nothing.
    let previous = match version.checked_sub(1) {
        None => None,
        Some(previous) => {
            let key = root_key(previous);
            reader.node(&key)?.ok_or(RootError::NoVersion { version: previous })?;
            Some(key)
        }
    };
    let leaves = writes.iter().map(|(key, value)| (path(key), value.clone()));
    let (RootHash(root), update) =
        JellyfishMerkleTree::<_, TreeHasher>::new(&reader).put_value_set(leaves, version).map_err(damaged)?;

    for (key, node) in update.node_batch.nodes() {
        batch.put(Column::Tree, node_row(key)?, encode(node)?);
    }
    for StaleNodeIndex { stale_since_version, node_key } in &update.stale_node_index_batch {
        batch.put(Column::Tree, stale_row(*stale_since_version, node_key)?, []);
    }
    // jmt does not list the old root where it was empty or where nothing changed.
    if let Some(key) = previous {
        batch.put(Column::Tree, stale_row(version, &key)?, []);
    }
    prune(store, version, batch)?;
    Ok(root)
}

/// The root of a version that is still kept.
///
/// # Errors
/// `NoVersion`, `Store`, `Damaged`.
pub fn root_of(store: &dyn StateStore, version: u64) -> Result<[u8; 32], RootError> {
    let reader = Reader { store };
    reader.node(&root_key(version))?.ok_or(RootError::NoVersion { version })?;
    let RootHash(root) = JellyfishMerkleTree::<_, TreeHasher>::new(&reader).get_root_hash(version).map_err(damaged)?;
    Ok(root)
}

/// Proves what a version has under `key`: a value, or that there is none.
///
/// # Errors
/// `NoVersion`, `Store`, `Damaged`.
pub fn prove(store: &dyn StateStore, version: u64, key: &[u8]) -> Result<Proof, RootError> {
    let reader = Reader { store };
    reader.node(&root_key(version))?.ok_or(RootError::NoVersion { version })?;
    let (_, proof) =
        JellyfishMerkleTree::<_, TreeHasher>::new(&reader).get_with_proof(path(key), version).map_err(damaged)?;
    Ok(Proof::new(proof))
}

/// Removes the nodes that became unused `KEPT_VERSIONS` ago: version `oldest` itself does not use them, and those of
/// earlier versions went when their turn came. Nothing before them is read, because a store that writes sorted files
/// (RocksDB) passes over everything that was removed there and is not merged away yet.
fn prune(store: &dyn StateStore, version: u64, batch: &mut Batch) -> Result<(), RootError> {
    let Some(oldest) = version.checked_sub(KEPT_VERSIONS) else { return Ok(()) };
    let since_oldest = [&[STALE_ROW][..], &oldest.to_be_bytes()].concat();
    for (row, _) in store.scan(Column::Tree, &since_oldest, &[], usize::MAX)? {
        let node = row.get(since_oldest.len()..).unwrap_or_default();
        batch.delete(Column::Tree, [&[NODE_ROW], node].concat());
        batch.delete(Column::Tree, row);
    }
    Ok(())
}

fn path(key: &[u8]) -> KeyHash {
    let mut hasher = TreeHasher::new();
    hasher.update(KEY_DOMAIN);
    hasher.update(key);
    KeyHash(hasher.finalize())
}

fn node_row(key: &NodeKey) -> Result<Vec<u8>, RootError> {
    let mut row = vec![NODE_ROW];
    row.extend(node_name(key)?);
    Ok(row)
}

/// `'s' || version, big-endian || node`: ascending versions.
fn stale_row(since: Version, key: &NodeKey) -> Result<Vec<u8>, RootError> {
    let mut row = vec![STALE_ROW];
    row.extend(since.to_be_bytes());
    row.extend(node_name(key)?);
    Ok(row)
}

/// `version, big-endian || path`: the nodes of one version lie together.
fn node_name(key: &NodeKey) -> Result<Vec<u8>, RootError> {
    let mut name = key.version().to_be_bytes().to_vec();
    name.extend(encode(key.nibble_path())?);
    Ok(name)
}

fn root_key(version: Version) -> NodeKey {
    NodeKey::new(version, core::iter::empty().collect())
}

fn encode(value: &impl borsh::BorshSerialize) -> Result<Vec<u8>, RootError> {
    borsh::to_vec(value).map_err(|error| RootError::Damaged { detail: error.to_string() })
}

/// What jmt reports: our own store error on its way back, or nodes that contradict each other.
fn damaged(error: anyhow::Error) -> RootError {
    match error.downcast::<RootError>() {
        Ok(error) => error,
        Err(error) => RootError::Damaged { detail: format!("{error:#}") },
    }
}

struct Reader<'a> {
    store: &'a dyn StateStore,
}

impl Reader<'_> {
    fn node(&self, key: &NodeKey) -> Result<Option<Node>, RootError> {
        let Some(bytes) = self.store.get(Column::Tree, &node_row(key)?)? else { return Ok(None) };
        Node::try_from_slice(&bytes)
            .map(Some)
            .map_err(|error| RootError::Damaged { detail: format!("node {key:?}: {error}") })
    }
}

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.node(key)?)
    }

    /// Values are in [`Column::State`] already and are not stored twice: a proof needs their hash only, which is in
    /// the leaf.
    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(Some(OwnedValue::new()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only a restore asks for the rightmost leaf")
    }
}

/// keccak256; `hash`, which jmt uses for values only, adds their domain.
struct TreeHasher(Keccak);

impl SimpleHasher for TreeHasher {
    fn new() -> Self {
        TreeHasher(Keccak::v256())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        let mut hash = [0; 32];
        self.0.finalize(&mut hash);
        hash
    }

    fn hash(value: impl AsRef<[u8]>) -> [u8; 32] {
        let mut hasher = TreeHasher::new();
        hasher.update(VALUE_DOMAIN);
        hasher.update(value.as_ref());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests;
