//! Data sets as trees of encrypted rows.
//!
//! A leaf binds the number of a row, the hash of what it is, and what it is encrypted to: so that one path shows a row of a sample,
//! and one path shows a row that a key opens to something else.
//!
//! | hash (SHA-256) | of |
//! |---|---|
//! | row | the borsh encoding of [`Row`], which has a salt |
//! | leaf | a zero byte, number, hash of the row, encrypted row |
//! | node | a one byte, left, right; places after the last leaf are zero |
//! | block `j` of the key stream of row `i` | a two byte, key, `i`, `j` |

use noema_sdk::{self as noema, prelude::*};

/// A row as it is sold.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its measurements, in the fixed point of the encoder.
    pub features: Vec<i32>,
    /// What it is.
    pub label: u8,
    /// So that nobody can guess it from its hash.
    pub salt: Hash,
}

/// A row of a sample, open.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The row.
    pub row: Row,
    /// What it is encrypted to.
    pub cipher: Vec<u8>,
    /// The siblings on its way to the root.
    pub path: Vec<Hash>,
}

/// A row as it is published.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Its number.
    pub index: u32,
    /// The hash of what it is.
    pub plain: Hash,
    /// What it is encrypted to.
    pub cipher: Vec<u8>,
    /// The siblings on its way to the root.
    pub path: Vec<Hash>,
}

impl Opened {
    /// Whether it is row `index` of the tree.
    pub(crate) fn is_in(&self, root: &Hash, rows: u32, index: u32) -> bool {
        is_in(root, rows, index, &leaf(index, &plain(&self.row), &self.cipher), &self.path)
    }
}

impl SealedRow {
    /// Whether it is a row of the tree.
    pub(crate) fn is_in(&self, root: &Hash, rows: u32) -> bool {
        is_in(root, rows, self.index, &leaf(self.index, &self.plain, &self.cipher), &self.path)
    }

    /// Whether the key opens it to what the tree says it is.
    pub(crate) fn opens_with(&self, key: &Hash) -> bool {
        crypto::sha256(&crypt(key, self.index, &self.cipher)) == self.plain
    }
}

/// Encrypts rows; the root, and each row with its path.
pub(crate) fn seal(key: &Hash, rows: &[Row]) -> (Hash, Vec<SealedRow>) {
    let sealed = |(index, row): (u32, &Row)| {
        let cipher = crypt(key, index, &noema::encoding::encode(row));
        SealedRow { index, plain: plain(row), cipher, path: Vec::new() }
    };
    let mut sealed: Vec<SealedRow> = (0..).zip(rows).map(sealed).collect();
    let mut level: Vec<Hash> = sealed.iter().map(|row| leaf(row.index, &row.plain, &row.cipher)).collect();
    level.resize(level.len().next_power_of_two(), Hash([0; 32]));
    let mut depth = 0;
    while level.len() > 1 {
        for row in &mut sealed {
            row.path.extend(level.get(row.index as usize >> depth ^ 1));
        }
        level = level.as_chunks().0.iter().map(|[left, right]| node(left, right)).collect();
        depth += 1;
    }
    (level.first().copied().unwrap_or(Hash([0; 32])), sealed)
}

/// Bit by bit.
pub(crate) fn xor(a: &Hash, b: &Hash) -> Hash {
    let mut result = *a;
    result.0.iter_mut().zip(&b.0).for_each(|(a, b)| *a ^= b);
    result
}

/// Encrypts or decrypts. A key is for one data set, so that no two rows share a part of the stream.
fn crypt(key: &Hash, index: u32, bytes: &[u8]) -> Vec<u8> {
    let mut result = bytes.to_vec();
    for (block, part) in (0u32..).zip(result.chunks_mut(32)) {
        let Hash(stream) = crypto::sha256(&noema::encoding::encode(&(2u8, *key, index, block)));
        part.iter_mut().zip(stream).for_each(|(byte, stream)| *byte ^= stream);
    }
    result
}

fn plain(row: &Row) -> Hash {
    crypto::sha256(&noema::encoding::encode(row))
}

fn leaf(index: u32, plain: &Hash, cipher: &[u8]) -> Hash {
    crypto::sha256(&noema::encoding::encode(&(0u8, index, *plain, cipher.to_vec())))
}

fn node(left: &Hash, right: &Hash) -> Hash {
    crypto::sha256(&noema::encoding::encode(&(1u8, *left, *right)))
}

/// The path has the length that the number of rows asks for: a shorter or longer one would show something that is no leaf.
fn is_in(root: &Hash, rows: u32, index: u32, leaf: &Hash, path: &[Hash]) -> bool {
    let depth = rows.next_power_of_two().trailing_zeros() as usize;
    let mut hash = *leaf;
    for (level, sibling) in path.iter().enumerate().take(depth) {
        hash = if index >> level & 1 == 0 { node(&hash, sibling) } else { node(sibling, &hash) };
    }
    index < rows && path.len() == depth && hash == *root
}
