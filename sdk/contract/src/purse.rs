//! Who pays for what a contract keeps.

use crate::{Amount, Error, Result, call, code, env};

/// The value that came with a call, less the deposit for what the call makes the contract keep.
///
/// Every byte that a contract keeps locks some of its balance. A contract that holds other people's money must not let
/// strangers lock it by making entries: whoever makes an entry brings its deposit along. [`Purse::open`] notes what is locked
/// at the beginning of a method, [`Purse::close`] takes the price and the deposit for what has been added, and returns the rest
/// of the value. Where entries go, [`Purse::freed`] says what that set free, for whom it belongs to.
///
/// ```no_run
/// use noema_sdk::storage::Map;
/// use noema_sdk::{Address, Amount, Purse, Result, call, env};
///
/// const PRICES: Map<Address, Amount> = Map::new("prices");
///
/// fn enter(price: Amount) -> Result<()> {
///     let purse = Purse::open();
///     PRICES.set(&env::caller(), &price)?;
///     purse.close(price) // whatever was sent beyond the price and the deposit goes back
/// }
///
/// fn leave(price: Amount) -> Result<()> {
///     let purse = Purse::open();
///     PRICES.remove(&env::caller())?;
///     Ok(call::transfer(&env::caller(), (price + purse.freed()).0)?)
/// }
/// ```
///
/// What the state struct takes counts when the method has ended: keep its length the same, or leave the contract some balance of its own.
#[derive(Debug)]
#[must_use = "nothing is taken before `close`"]
pub struct Purse {
    locked: u128,
}

impl Purse {
    /// Notes what is locked now.
    pub fn open() -> Purse {
        Purse { locked: env::locked_balance() }
    }

    /// Takes `price` and the deposit for what has been added since, and returns the rest of the value that came with this call,
    /// and what has become free, to the caller.
    ///
    /// # Errors
    /// [`code::UNDERPAID`].
    pub fn close(self, price: Amount) -> Result<()> {
        let locked = env::locked_balance();
        let due = price.checked_add(Amount(locked.saturating_sub(self.locked)));
        let has = Amount(env::value()) + self.freed();
        let rest = due.and_then(|due| has.checked_sub(due)).ok_or_else(underpaid)?;
        if !rest.is_zero() {
            call::transfer(&env::caller(), rest.0)?;
        }
        Ok(())
    }

    /// What has become free since; nothing where more is locked than before.
    #[must_use]
    pub fn freed(&self) -> Amount {
        Amount(self.locked.saturating_sub(env::locked_balance()))
    }
}

#[cold]
fn underpaid() -> Error {
    crate::__failure!(code::UNDERPAID, "the value is less than the price and the deposit for what is to be kept")
}
