//! Who may do what: an owner, roles, and a switch that stops everything for a while.
//!
//! ```
//! use noema_sdk::{self as noema, prelude::*};
//!
//! #[noema::state]
//! pub struct Vault {
//!     owner: Owner,
//!     pause: Pause,
//! }
//!
//! const KEEPER: Role = Role::new("keeper");
//!
//! #[noema::contract]
//! impl Vault {
//!     #[init]
//!     fn new() -> Self {
//!         Vault { owner: Owner::caller(), pause: Pause::default() }
//!     }
//!
//!     #[call]
//!     fn appoint(&mut self, keeper: Address) -> Result<bool> {
//!         self.owner.only()?;
//!         KEEPER.grant(&keeper)
//!     }
//!
//!     #[call]
//!     fn open(&mut self) -> Result<()> {
//!         self.pause.only_running()?;
//!         KEEPER.only()
//!     }
//!
//!     #[call]
//!     fn stop(&mut self) -> Result<()> {
//!         self.owner.only()?;
//!         self.pause.pause();
//!         Ok(())
//!     }
//!
//!     #[call]
//!     fn hand_over(&mut self, to: Address) -> Result<()> {
//!         self.owner.offer(to)
//!     }
//!
//!     #[call]
//!     fn take_over(&mut self) -> Result<()> {
//!         self.owner.accept()
//!     }
//! }
//! ```

use crate::storage::{Keys, Set};
use crate::{self as noema, Address, Error, Result, code, env};

/// One account that may do what others may not. A field of the state.
///
/// It is handed over in two steps, so that nobody gives a contract to an address that nobody has.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    address: Option<Address>,
    offered: Option<Address>,
}

fn not_owner() -> Error {
    crate::__failure!(code::NOT_OWNER, "only the owner may do this")
}

impl Owner {
    /// Whoever makes this call; in `init`, whoever deploys.
    #[must_use]
    pub fn caller() -> Owner {
        Owner::new(env::caller())
    }

    /// This one.
    #[must_use]
    pub const fn new(address: Address) -> Owner {
        Owner { address: Some(address), offered: None }
    }

    /// Who it is; nobody after [`Owner::renounce`].
    #[must_use]
    pub const fn address(&self) -> Option<Address> {
        self.address
    }

    /// Goes on only for the owner.
    ///
    /// # Errors
    /// [`code::NOT_OWNER`].
    pub fn only(&self) -> Result<()> {
        self.check(env::caller())
    }

    fn check(&self, caller: Address) -> Result<()> {
        if self.address == Some(caller) { Ok(()) } else { Err(not_owner()) }
    }

    /// Offers the contract to somebody, who becomes its owner with [`Owner::accept`]. A later offer replaces it.
    ///
    /// # Errors
    /// [`code::NOT_OWNER`].
    pub fn offer(&mut self, to: Address) -> Result<()> {
        self.only()?;
        self.offered = Some(to);
        Ok(())
    }

    /// Becomes the owner, for whom it was offered to.
    ///
    /// # Errors
    /// [`code::NOT_OWNER`] for everybody else.
    pub fn accept(&mut self) -> Result<()> {
        self.accept_as(env::caller())
    }

    fn accept_as(&mut self, caller: Address) -> Result<()> {
        if self.offered != Some(caller) {
            return Err(not_owner());
        }
        *self = Owner::new(caller);
        Ok(())
    }

    /// Leaves the contract without an owner, for ever.
    ///
    /// # Errors
    /// [`code::NOT_OWNER`].
    pub fn renounce(&mut self) -> Result<()> {
        self.only()?;
        *self = Owner { address: None, offered: None };
        Ok(())
    }
}

/// Accounts that may do something: `const KEEPER: Role = Role::new("keeper");` Each role is a set in the storage, under its
/// name. Who may grant and revoke it is up to the contract.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    holders: Set<Address>,
}

impl Role {
    /// The role stored under this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Role {
        Role { holders: Set::new(name) }
    }

    /// Goes on only for who has the role.
    ///
    /// # Errors
    /// [`code::MISSING_ROLE`].
    pub fn only(&self) -> Result<()> {
        if self.has(&env::caller())? {
            return Ok(());
        }
        Err(crate::__failure!(code::MISSING_ROLE, "the caller lacks the role for this"))
    }

    /// Whether somebody has it.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn has(&self, who: &Address) -> Result<bool> {
        self.holders.contains(who)
    }

    /// Gives it to somebody; returns whether they did not have it. Check first who asks.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn grant(&self, who: &Address) -> Result<bool> {
        self.holders.insert(who)
    }

    /// Takes it from somebody; returns whether they had it. Check first who asks.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn revoke(&self, who: &Address) -> Result<bool> {
        self.holders.remove(who)
    }

    /// Everybody who has it.
    pub fn holders(&self) -> Keys<Address> {
        self.holders.iter()
    }
}

/// A switch that methods look at. A field of the state; off at first.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    paused: bool,
}

impl Pause {
    /// Whether it is on.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Switches it on. Check first who asks.
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Switches it off. Check first who asks.
    pub const fn resume(&mut self) {
        self.paused = false;
    }

    /// Switches it on or off. Check first who asks.
    pub const fn set(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Goes on only while it is off.
    ///
    /// # Errors
    /// [`code::PAUSED`].
    pub fn only_running(&self) -> Result<()> {
        if self.paused { Err(crate::__failure!(code::PAUSED, "the contract is paused")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Owner, Pause};
    use crate::{Address, code};

    #[test]
    fn a_contract_is_handed_over_in_two_steps() {
        let [alice, bob, eve] = [1, 2, 3].map(|n| Address([n; 32]));
        let mut owner = Owner { offered: Some(bob), ..Owner::new(alice) };
        assert!(owner.check(alice).is_ok() && owner.check(bob).is_err());
        assert_eq!(owner.accept_as(eve).unwrap_err().code(), code::NOT_OWNER);
        assert!(owner.accept_as(bob).is_ok());
        assert_eq!((owner.address(), owner.check(alice).is_err()), (Some(bob), true));
        // The offer is used up.
        assert!(owner.accept_as(bob).is_err());
        let nobody = Owner { address: None, offered: None };
        assert!(nobody.check(Address([0; 32])).is_err());
    }

    #[test]
    fn a_pause_stops() {
        let mut pause = Pause::default();
        assert!(pause.only_running().is_ok());
        pause.pause();
        assert_eq!(pause.only_running().unwrap_err().code(), code::PAUSED);
        pause.resume();
        assert!(!pause.is_paused());
    }
}
