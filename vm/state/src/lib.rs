//! Where a chain's state lives.
//!
//! ```text
//!   vm, one transaction at a time          chain, one block at a time
//!            |                                      |
//!            v                                      v
//!      StateView  <-- Overlay                 Batch: state + tree + block
//!      get, scan      (writes not yet               |        ^
//!            ^         committed)                   v        | nodes
//!            |                                  StateStore   root::apply
//!            +------- snapshot ------------------   |
//!                         MemoryStore | RedbStore | RocksDbStore | the embedder's own
//! ```
//!
//! * [`StateView`] is all that the virtual machine needs; an embedder implements it over its own map.
//! * [`StateStore`] is a store with columns, atomic and durable batches and snapshots. [`MemoryStore`],
//!   [`RedbStore`] and, with the feature `rocksdb`, `RocksDbStore` are in the box; [`suite`] is the one test that every
//!   store passes. [`StoreKind`] chooses between those on disk by name.
//! * [`root`] is the sparse Merkle tree over the state. Its nodes are written in the same batch.
//!
//! ```
//! use noema_state::{Batch, Column, MemoryStore, StateStore, StateView};
//!
//! let store = MemoryStore::new();
//! let mut batch = Batch::new();
//! batch.put(Column::State, b"colour".to_vec(), b"blue".to_vec());
//! store.commit(batch)?;
//! assert_eq!(store.snapshot()?.get(b"colour")?, Some(b"blue".to_vec()));
//! # Ok::<(), noema_state::StoreError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod creation;
mod error;
mod hidden;
mod kind;
mod memory;
mod overlay;
mod redb_store;
#[cfg(feature = "rocksdb")]
mod rocksdb_store;
pub mod root;
mod store;
pub mod suite;
mod view;

pub use error::StoreError;
pub use hidden::HiddenRanges;
pub use kind::{StoreKind, UnknownStore};
pub use memory::MemoryStore;
pub use overlay::Overlay;
pub use redb_store::RedbStore;
#[cfg(feature = "rocksdb")]
pub use rocksdb_store::RocksDbStore;
pub use store::{Batch, Column, DEFAULT_CACHE_BYTES, STORE_FORMAT, StateStore};
pub use view::{Entry, StateView, WriteSet};
