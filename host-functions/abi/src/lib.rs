//! What guest and host must agree on, and nothing else: **the table** of host functions, the status
//! codes they return, element types, limits and protocol versions. `no_std`, without dependencies.
//!
//! ```text
//!                      host_functions!   (table.rs: one row per host function)
//!                              |
//!      +-----------+-----------+-----------+------------+--------------+
//!      v           v           v           v            v              v
//!   ROWS        admission   the shim    extern "C"   reference      ABI lock,
//!   (row.rs)    signature   and price   in the SDK   page           vectors, fuzz entry
//! ```
//!
//! A consumer passes the name of its own macro and receives every row:
//!
//! ```
//! macro_rules! count_rows {
//!     ($( $(#[doc = $gd:literal])* mod $group:ident {
//!         $( $(#[doc = $d:literal])* $id:literal since $since:literal
//!            $name:ident ( $($arg:ident : $kind:ident),* ) -> $ret:ident
//!            price($base:literal, $byte:literal, $work:literal) ; )*
//!     })*) => { [ $( $( stringify!($group.$name) ),* ),* ].len() };
//! }
//! assert_eq!(noema_abi::host_functions!(count_rows), noema_abi::ROWS.len());
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod dtype;
pub mod limits;
mod row;
mod status;
mod table;
mod version;

pub use dtype::DType;
pub use row::{CHAIN_IDS, HostFunction, Kind, Param, Price, ROWS, Return, WasmType, find};
pub use status::Status;
pub use version::ProtocolVersion;

/// Length of an address, a code hash, a model id and a block hash, in bytes.
pub const HASH_LEN: usize = 32;
