//! The local chain: signed transactions, blocks, receipts, a state root, replay.
//!
//! It is built on `noema-vm` and `noema-state` alone, as any chain could be: read [`Chain::execute_block`] to see how a
//! chain embeds the virtual machine.
//!
//! ```text
//!  SignedTransaction --> check: chain id, signature, nonce, balance, block gas   (transaction.rs, ledger.rs)
//!                           |
//!                           v
//!                        Vm::execute over an overlay of the last commit          (ledger.rs)
//!                           |
//!                           v  writes, receipts
//!                        state root over the tree                                (noema_state::root)
//!                           |
//!                           v  one batch: state, tree, block, receipts, indexes
//!                        store on disk; model files are durable before it        (chain.rs, directory.rs)
//!
//!  replay: the same from the genesis on, in memory, for every kernel level       (replay.rs)
//! ```
//!
//! **Fees.** Before a transaction runs, its gas limit times its gas price is set aside from the sender's balance;
//! what it does not use comes back. What all transactions of a block used is credited to [`fee_account`] at the end
//! of the block. Nobody has a key for that account, so fees are out of circulation but the sum of all balances never
//! changes. A transaction that aborts, faults or is rejected keeps its nonce and its fee.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod block;
mod chain;
mod directory;
mod error;
mod genesis;
mod hash;
mod key;
mod ledger;
mod replay;
mod rows;
mod transaction;

pub use block::{Block, Header, TransactionReceipt};
pub use chain::{Chain, ChainConfig, ExecutedBlock, Notes};
pub use directory::CHAIN_FORMAT;
pub use error::ChainError;
pub use genesis::{DEFAULT_BLOCK_GAS, DEFAULT_DEPOSIT_PER_BYTE, Genesis, GenesisError, MAX_CHAIN_ID_BYTES};
pub use key::{KeyPair, address_of};
pub use ledger::{Account, MAX_BLOCK_BYTES, TRANSACTION_GAS, fee_account};
pub use noema_state::StoreKind;
pub use noema_state::root::{Proof, ProofError};
pub use noema_vm::{Action, Address, CompilerProcess, EngineKind, Receipt, ReceiptStatus};
pub use replay::{Difference, ReplayProgress, ReplayReport, ReplayResult};
pub use transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, Transaction, TransactionError};
