//! The smallest contract: what the SDK itself weighs.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk as noema;

/// Holds nothing.
#[noema::state]
pub struct Empty;

#[noema::contract]
impl Empty {
    #[init]
    fn new() -> Self {
        Empty
    }
}
