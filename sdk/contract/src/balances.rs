//! Who has how much.

use crate::storage::{Entries, Map};
use crate::{Address, Amount, Error, Result, code};

/// Balances of a token, a pot or a market, kept by the contract itself: `const BALANCES: Balances = Balances::new("balances");`
///
/// An entry exists only for who has something, so that the deposit of an emptied one is free again. Native units need none of
/// this: the chain keeps those ([`env::balance`](crate::env::balance), [`call::transfer`](crate::call::transfer())).
#[derive(Clone, Copy, Debug)]
pub struct Balances {
    entries: Map<Address, Amount>,
}

fn insufficient() -> Error {
    crate::__failure!(code::INSUFFICIENT_BALANCE, "the balance is too small")
}

fn overflow() -> Error {
    crate::__failure!(code::OVERFLOW, "a balance would be too large")
}

impl Balances {
    /// The balances stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Balances {
        Balances { entries: Map::new(name) }
    }

    /// What somebody has.
    ///
    /// # Errors
    /// [`code::BAD_STATE`] where what is stored has another type.
    pub fn of(&self, owner: &Address) -> Result<Amount> {
        Ok(self.entries.get(owner)?.unwrap_or_default())
    }

    /// Gives somebody more; returns what they have then.
    ///
    /// # Errors
    /// [`code::OVERFLOW`].
    pub fn credit(&self, owner: &Address, amount: Amount) -> Result<Amount> {
        let sum = self.of(owner)?.checked_add(amount).ok_or_else(overflow)?;
        self.write(owner, sum)
    }

    /// Takes from somebody; returns what they have then.
    ///
    /// # Errors
    /// [`code::INSUFFICIENT_BALANCE`].
    pub fn debit(&self, owner: &Address, amount: Amount) -> Result<Amount> {
        let rest = self.of(owner)?.checked_sub(amount).ok_or_else(insufficient)?;
        self.write(owner, rest)
    }

    /// Moves from one to the other. To oneself it changes nothing, and still needs what it moves.
    ///
    /// # Errors
    /// [`code::INSUFFICIENT_BALANCE`], [`code::OVERFLOW`]: end the call then, for what came before them stays otherwise.
    pub fn transfer(&self, from: &Address, to: &Address, amount: Amount) -> Result<()> {
        self.debit(from, amount)?;
        self.credit(to, amount).map(|_| ())
    }

    /// Everybody who has something, in the order of addresses.
    pub fn iter(&self) -> Entries<Address, Amount> {
        self.entries.iter()
    }

    fn write(&self, owner: &Address, amount: Amount) -> Result<Amount> {
        if amount.is_zero() {
            self.entries.remove(owner)?;
        } else {
            self.entries.set(owner, &amount)?;
        }
        Ok(amount)
    }
}
