//! A guest book: everybody may leave one line, and its owner may close it.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Why the guest book refuses.
#[noema::error]
pub enum GuestBookError {
    /// A line has 1 to 200 bytes.
    BadLine,
    /// The guest book is closed.
    Closed,
}

/// What is loaded before a method runs, and stored after it if it changed.
#[noema::state]
pub struct GuestBook {
    owner: Owner,
    guests: u64,
    closed: bool,
}

/// Emitted for every new line.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub guest: Address,
    /// What.
    pub line: String,
}

/// Entries beside the state, loaded one by one.
const LINES: Map<Address, String> = Map::new("lines");

#[noema::contract(events(Signed), errors(GuestBookError))]
impl GuestBook {
    #[init]
    fn new() -> Self {
        GuestBook { owner: Owner::caller(), guests: 0, closed: false }
    }

    /// Leaves a line, or replaces the one that the caller has left.
    #[call]
    fn sign(&mut self, line: String) -> Result<u64> {
        ensure!(!self.closed, GuestBookError::Closed);
        ensure!((1..=200).contains(&line.len()), GuestBookError::BadLine);
        let guest = env::caller();
        if !LINES.contains(&guest)? {
            self.guests += 1;
        }
        LINES.set(&guest, &line)?;
        event::emit(&Signed { guest, line })?;
        Ok(self.guests)
    }

    /// Closes the book. Only the owner.
    #[call]
    fn close(&mut self) -> Result<()> {
        self.owner.only()?;
        self.closed = true;
        Ok(())
    }

    #[view]
    fn guests(&self) -> u64 {
        self.guests
    }

    #[view]
    fn line(guest: Address) -> Result<Option<String>> {
        LINES.get(&guest)
    }
}
