//! A number that anybody may raise and its owner may reset: the shape of every contract.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Only the owner may do this.
pub const NOT_THE_OWNER: u32 = 1;

/// Loaded before a method runs, and stored after it if it changed.
#[noema::state]
pub struct Counter {
    owner: Address,
    value: u64,
}

/// Emitted at every change.
#[noema::event]
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// The value from now on.
    pub value: u64,
}

#[noema::contract(events(Changed))]
impl Counter {
    #[init]
    fn new(value: u64) -> Self {
        Counter { owner: env::caller(), value }
    }

    #[call]
    fn add(&mut self, amount: u64) -> Result<u64> {
        self.change(self.value + amount)
    }

    #[call]
    fn reset(&mut self) -> Result<u64> {
        ensure!(env::caller() == self.owner, NOT_THE_OWNER, "only the owner resets");
        self.change(0)
    }

    #[view]
    fn value(&self) -> u64 {
        self.value
    }
}

impl Counter {
    fn change(&mut self, value: u64) -> Result<u64> {
        self.value = value;
        event::emit(&Changed { value })?;
        Ok(value)
    }
}
