//! Tests of contracts: the compiled wasm on the real VM, over a state in memory.
//!
//! ```no_run
//! use noema_testing::{TestChain, build};
//!
//! let mut chain = TestChain::new();
//! let alice = chain.account("alice", 1_000_000);
//! let tally = chain.deploy(alice, &build(".")?, &())?.value;
//!
//! let done = chain.at(tally).from(alice).call::<u64, _>("vote", &(true,))?;
//! assert_eq!(done.value, 1);
//! assert!(done.receipt.gas_used() < 100_000_000_000);
//! assert_eq!(chain.at(tally).view::<u64, _>("votes", &())?.value, 1);
//!
//! let refused = chain.at(tally).from(alice).call::<u64, _>("vote", &(true,)).unwrap_err();
//! assert_eq!(refused.code(), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Arguments are a tuple in the order of the method's: `&(a, b)`, `&(a,)`, `&()`. Everything goes
//! the way it goes on a chain, admission, metering and receipts included; only transactions and blocks
//! (signatures, nonces, fees) are left out: the harness is told who sends, when and where.
//!
//! | to | see |
//! |---|---|
//! | go back to how it was, or to another time | [`TestChain::snapshot`], [`TestChain::restore`], [`TestChain::advance`] |
//! | let things go wrong | [`Saboteur`], [`At::call_starved`], [`TestChain::fail_reads_after`] |
//! | notice that a call has become dearer | [`check_gas`] |
//! | have a model before there is one | [`linear_classifier`] |
#![forbid(unsafe_code)]

mod chain;
mod failure;
mod faults;
mod gas;
mod model;

use std::path::Path;

use borsh::BorshDeserialize;
use noema_build::{BuildError, BuildOptions, build_contract};
use noema_sdk::Event;

pub use chain::{At, Snapshot, TestChain};
pub use failure::Failure;
pub use faults::Saboteur;
pub use gas::check_gas;
pub use model::linear_classifier;
pub use noema_sdk::{Address, Hash};
pub use noema_vm::{GasUsed, Receipt, ReceiptStatus};

/// What a successful message did.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// What it returned.
    pub value: T,
    /// The receipt: gas, events.
    pub receipt: Receipt,
    /// What the contracts logged.
    pub logs: Vec<String>,
}

impl<T> Done<T> {
    /// The events of this type, in order, from whichever contract.
    ///
    /// # Panics
    /// Where an event with its topic holds something else.
    #[must_use]
    pub fn events<E: Event + BorshDeserialize>(&self) -> Vec<E> {
        let events = self.receipt.events.iter().filter(|event| event.topic == E::TOPIC.as_bytes());
        events.map(|event| E::try_from_slice(&event.data).expect("the event holds what its topic says")).collect()
    }
}

/// Builds the contract crate in this folder, as `noema build` does. Tests run in the folder of their
/// crate, so a contract's own tests build `"."`.
///
/// # Errors
/// As [`build_contract`].
pub fn build(crate_dir: impl AsRef<Path>) -> Result<Vec<u8>, BuildError> {
    build_contract(&BuildOptions::new(crate_dir)).map(|built| built.wasm)
}
