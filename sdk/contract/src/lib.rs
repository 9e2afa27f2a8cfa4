//! Contracts for Noema, in Rust.
//!
//! A contract is a struct (its state), an `impl` block with entry points, and nothing else:
//!
//! ```
//! use noema_sdk::{self as noema, prelude::*};
//!
//! #[noema::state]
//! pub struct Tally {
//!     owner: Address,
//!     votes: u64,
//! }
//!
//! /// Entries beside the state, loaded one by one.
//! const BALLOTS: Map<Address, Ballot> = Map::new("ballots");
//!
//! #[noema::data]
//! pub enum Ballot {
//!     Yes,
//!     No,
//! }
//!
//! #[noema::event]
//! pub struct Voted {
//!     voter: Address,
//! }
//!
//! const ALREADY_VOTED: u32 = 1;
//!
//! #[noema::contract(events(Voted))]
//! impl Tally {
//!     #[init]
//!     fn new() -> Self {
//!         Tally { owner: env::caller(), votes: 0 }
//!     }
//!
//!     #[call]
//!     fn vote(&mut self, ballot: Ballot) -> Result<u64> {
//!         let voter = env::caller();
//!         ensure!(!BALLOTS.contains(&voter)?, ALREADY_VOTED, "{voter} has voted");
//!         BALLOTS.set(&voter, &ballot)?;
//!         self.votes += 1;
//!         event::emit(&Voted { voter })?;
//!         Ok(self.votes)
//!     }
//!
//!     #[view]
//!     fn votes(&self) -> u64 {
//!         self.votes
//!     }
//! }
//! ```
//!
//! What happens around a method:
//!
//! ```text
//! export `call` -> entry::run -> input -> method name, arguments (borsh, all of it or nothing)
//!      state (one storage entry) -> the method -> state, if it changed -> output (borsh)
//!      an `Err`, a panic, a wrong argument: control.abort with a code and a message
//! ```
//!
//! Crates of contracts are `#![no_std]` libraries. Compiled for `wasm32-unknown-unknown` they bring
//! the allocator and panic handler of this crate; compiled for anything else the same code builds,
//! so that plain unit tests of plain functions run, and a host function panics.
//!
//! | to | see |
//! |---|---|
//! | keep values | the state struct, [`storage`] ([`Item`](storage::Item), [`Map`](storage::Map), [`Set`](storage::Set), [`List`](storage::List)) |
//! | keep values for the transaction only | [`transient`] |
//! | know who, where, when, and the own deposit | [`mod@env`] |
//! | tell the world | [`mod@event`], [`log!`] |
//! | call and pay | [`call`]; methods of another contract as methods of a type: [`Client`](call::Client) |
//! | let only some do it, or nobody for a while | [`access`] ([`Owner`](access::Owner), [`Role`](access::Role), [`Pause`](access::Pause)) |
//! | let callers pay for what is kept for them | [`Purse`] |
//! | calculate with money and fractions | [`Amount`], [`Balances`], [`Fixed`], [`math`] |
//! | be called back while running | `#[call(reentrant)]`, `#[view(reentrant)]` ([`macro@contract`]) |
//! | fail | [`Error`], [`macro@error`], [`ensure!`], [`bail!`] |
//! | hash and verify | [`crypto`] |
//! | compute with tensors | [`Tensor`], [`op`]; with shapes that the compiler checks: [`StaticTensor`] |
//! | run models | [`Model`]; with inputs and outputs of constant shapes: [`StaticModel`] |
//! | call what one chain adds | [`extension!`] |
#![no_std]

extern crate alloc;
// The generated code names this crate from outside; so do its own tests.
extern crate self as noema_sdk;

pub mod access;
mod address;
mod amount;
mod balances;
pub mod call;
pub mod crypto;
pub mod encoding;
#[doc(hidden)]
pub mod entry;
pub mod env;
mod error;
pub mod event;
pub mod fixed;
pub mod math;
mod model;
pub mod op;
mod purse;
pub mod schema;
pub mod storage;
pub mod sys;
mod tensor;
pub mod transient;

pub use address::{Address, Hash, ParseHexError};
pub use amount::Amount;
pub use balances::Balances;
pub use borsh;
#[doc(hidden)]
pub use error::Failure;
pub use error::{Error, ErrorCode, Result, TypedError, code};
pub use event::Event;
pub use fixed::Fixed;
pub use model::{Model, StaticModel};
pub use noema_abi::{DType, Status, limits};
#[doc(hidden)]
pub mod __private {
    pub use alloc::vec::Vec;
}
#[doc(hidden)]
pub use noema_macros::extension_imports as __extension_imports;
pub use noema_macros::{Type, contract, data, error, event, state};
pub use purse::Purse;
pub use schema::Type;
pub use tensor::{Element, Elements, StaticTensor, Tensor};

/// What almost every contract needs: `use noema_sdk::{self as noema, prelude::*};`
pub mod prelude {
    pub use crate::access::{self, Owner, Pause, Role};
    pub use crate::call::Client;
    pub use crate::storage::{Item, List, Map, Set};
    pub use crate::{
        Address, Amount, Balances, DType, Error, Fixed, Hash, Model, Purse, Result, StaticModel, StaticTensor, Status,
        Tensor, bail, call, crypto, ensure, env, event, log, math, op, storage, transient,
    };
    pub use alloc::borrow::ToOwned;
    pub use alloc::boxed::Box;
    pub use alloc::collections::BTreeMap;
    pub use alloc::string::{String, ToString};
    pub use alloc::vec::Vec;
    pub use alloc::{format, vec};
}
