//! Blocks and what they prove.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_vm::{Address, Receipt};

use crate::hash::{hash, list_root};
use crate::transaction::bytes;
use crate::{SignedTransaction, ledger};

/// What a block commits to. Its hash names the block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Protocol version that its transactions were executed under.
    pub version: u32,
    /// Number of blocks before it; 0 is the genesis.
    pub height: u64,
    /// Time in milliseconds since the Unix epoch, as its producer wrote it; never before that of its parent.
    pub time_ms: u64,
    /// Hash of the block before it; hash of the [`crate::Genesis`] in block 0.
    pub parent: [u8; 32],
    /// Merkle root of the hashes of its transactions.
    pub transactions_root: [u8; 32],
    /// Merkle root of the hashes of their receipts.
    pub receipts_root: [u8; 32],
    /// Root of the state after it.
    pub state_root: [u8; 32],
    /// Gas that its transactions used.
    pub gas_used: u64,
}

impl Header {
    /// The domain-separated Keccak-256 of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash("noema block", &[&bytes(self)])
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// What it commits to.
    pub header: Header,
    /// Its transactions, in the order of execution.
    pub transactions: Vec<SignedTransaction>,
}

impl Block {
    /// The hash of its header.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.header.hash()
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TransactionReceipt {
    /// Hash of the transaction.
    pub transaction: [u8; 32],
    /// Height of its block.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: u32,
    /// Who sent it.
    pub sender: Address,
    /// What the sender paid: [`TransactionReceipt::gas_used`] times gas price.
    pub fee: u128,
    /// The result of its execution.
    pub receipt: Receipt,
}

impl TransactionReceipt {
    /// Gas of the block that the transaction used: that of its receipt, and [`crate::TRANSACTION_GAS`].
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        ledger::gas_used(&self.receipt)
    }
}

/// Merkle root over the hashes of transactions.
pub(crate) fn transactions_root(transactions: &[SignedTransaction]) -> [u8; 32] {
    list_root("noema transactions", transactions.iter().map(SignedTransaction::hash))
}

/// Merkle root over the hashes of receipts.
pub(crate) fn receipts_root(receipts: &[TransactionReceipt]) -> [u8; 32] {
    list_root("noema receipts", receipts.iter().map(|receipt| receipt.receipt.hash()))
}
