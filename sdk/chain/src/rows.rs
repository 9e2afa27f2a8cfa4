//! How blocks, receipts and indexes stand in the store.
//!
//! | column | key | value |
//! |---|---|---|
//! | chain | `b` height | [`Block`] |
//! | chain | `r` height, index in 4 bytes | [`TransactionReceipt`] |
//! | chain | `t` hash of a transaction | height, index |
//! | chain | `h` hash of a block | height |
//! | meta | `genesis` | [`Genesis`] |
//! | meta | `head` | height and hash of the newest block |
//!
//! Heights in keys have 8 bytes; all numbers in keys are big-endian, so that rows lie in the order of the chain. Values
//! are borsh.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_state::{Batch, Column, StateStore};

use crate::transaction::bytes;
use crate::{Block, ChainError, Genesis, TransactionReceipt};

/// The newest block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Head {
    pub(crate) height: u64,
    pub(crate) hash: [u8; 32],
}

pub(crate) fn block_row(height: u64) -> Vec<u8> {
    [&b"b"[..], &height.to_be_bytes()].concat()
}

pub(crate) fn receipts_of(height: u64) -> Vec<u8> {
    [&b"r"[..], &height.to_be_bytes()].concat()
}

pub(crate) fn receipt_row(height: u64, index: u32) -> Vec<u8> {
    [&b"r"[..], &height.to_be_bytes(), &index.to_be_bytes()].concat()
}

fn transaction_row(hash: &[u8; 32]) -> Vec<u8> {
    [&b"t"[..], hash].concat()
}

fn hash_row(hash: &[u8; 32]) -> Vec<u8> {
    [&b"h"[..], hash].concat()
}

const GENESIS_ROW: &[u8] = b"genesis";
const HEAD_ROW: &[u8] = b"head";

/// Adds a block and everything that finds it, and makes it the newest.
pub(crate) fn record(batch: &mut Batch, block: &Block, receipts: &[TransactionReceipt]) {
    let height = block.header.height;
    let hash = block.hash();
    batch.put(Column::Chain, block_row(height), bytes(block));
    batch.put(Column::Chain, hash_row(&hash), bytes(&height));
    for receipt in receipts {
        batch.put(Column::Chain, receipt_row(height, receipt.index), bytes(receipt));
        batch.put(Column::Chain, transaction_row(&receipt.transaction), bytes(&(height, receipt.index)));
    }
    batch.put(Column::Meta, HEAD_ROW, bytes(&Head { height, hash }));
}

pub(crate) fn record_genesis(batch: &mut Batch, genesis: &Genesis) {
    batch.put(Column::Meta, GENESIS_ROW, bytes(genesis));
}

pub(crate) fn genesis(store: &dyn StateStore) -> Result<Option<Genesis>, ChainError> {
    read(store, Column::Meta, GENESIS_ROW, "the genesis")
}

pub(crate) fn head(store: &dyn StateStore) -> Result<Option<Head>, ChainError> {
    read(store, Column::Meta, HEAD_ROW, "the record of the newest block")
}

pub(crate) fn block(store: &dyn StateStore, height: u64) -> Result<Option<Block>, ChainError> {
    read(store, Column::Chain, &block_row(height), "a block")
}

pub(crate) fn receipt(
    store: &dyn StateStore,
    height: u64,
    index: u32,
) -> Result<Option<TransactionReceipt>, ChainError> {
    read(store, Column::Chain, &receipt_row(height, index), "a receipt")
}

/// Height and place of a transaction.
pub(crate) fn transaction(store: &dyn StateStore, hash: &[u8; 32]) -> Result<Option<(u64, u32)>, ChainError> {
    read(store, Column::Chain, &transaction_row(hash), "the place of a transaction")
}

pub(crate) fn height_of(store: &dyn StateStore, hash: &[u8; 32]) -> Result<Option<u64>, ChainError> {
    read(store, Column::Chain, &hash_row(hash), "the height of a block")
}

fn read<T: BorshDeserialize>(
    store: &dyn StateStore,
    column: Column,
    key: &[u8],
    what: &str,
) -> Result<Option<T>, ChainError> {
    let Some(bytes) = store.get(column, key)? else { return Ok(None) };
    decode(&bytes, what).map(Some)
}

pub(crate) fn decode<T: BorshDeserialize>(bytes: &[u8], what: &str) -> Result<T, ChainError> {
    borsh::from_slice(bytes).map_err(|error| ChainError::damaged(format!("{what} cannot be read: {error}")))
}
