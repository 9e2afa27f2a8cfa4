//! A contract of a chain that has host functions of its own, and the rows of that chain. Host and contract make their
//! sides of the same rows.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// The rows: calls a macro with them.
#[macro_export]
macro_rules! mychain_functions {
    ($($callback:ident)::+) => { $($callback)::+ ! {
        /// What this chain adds.
        pub mod mychain {
            /// Copies `text` in capitals into `loud`; returns its length.
            0x8001 since 1 shout(text: bytes, loud: out) -> u64 price(1_000_000, 1_000, 0);
            /// The number of members. `NotFound` for a list that there is not.
            0x8002 since 1 members(list: u32) -> u64 price(2_000_000, 0, 0);
            /// A greeting of exactly sixteen bytes for somebody.
            0x8003 since 1 greet(somebody: in32, greeting: out16) -> unit price(1_500_000, 0, 0);
        }
    } };
}

mychain_functions!(noema_sdk::extension);

/// Holds nothing.
#[noema::state]
pub struct Extended;

#[noema::contract]
impl Extended {
    #[init]
    fn new() -> Self {
        Extended
    }

    #[view]
    fn shout(&self, text: String) -> Result<String> {
        let mut loud = vec![0; text.len()];
        let length = mychain::shout(text.as_bytes(), &mut loud)?;
        ensure!(length == text.len() as u64, 1, "it has another length");
        String::from_utf8(loud).map_err(|_| Error::new(2, "it is no text"))
    }

    #[view]
    fn members(&self, list: u32) -> Result<u64> {
        Ok(mychain::members(list)?)
    }

    #[view]
    fn greet(&self, somebody: Address) -> Result<Vec<u8>> {
        let mut greeting = [0; 16];
        mychain::greet(&somebody.0, &mut greeting)?;
        Ok(greeting.to_vec())
    }
}
