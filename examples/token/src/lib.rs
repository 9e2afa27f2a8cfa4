//! A fungible token: balances, allowances, and an owner who mints and may stop transfers.
//!
//! Whoever owns tokens moves them with `transfer`, or lets somebody else move up to an allowance with `approve` and
//! `transfer_from`. Nothing is created but by `mint`, nothing disappears but by `burn`: the balances always add up to
//! `total_supply`.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::{self as noema, prelude::*};

/// Why the token refuses.
#[noema::error]
pub enum TokenError {
    /// The balance is smaller than what was to be moved.
    InsufficientBalance,
    /// The allowance is smaller than what was to be moved.
    InsufficientAllowance,
    /// There would be more tokens than can be counted.
    SupplyOverflow,
    /// Nobody has the zero address: burn tokens instead.
    ZeroAddress,
    /// The allowance is not what the caller expected it to be.
    AllowanceChanged,
}

/// What the token is called, and who may mint.
#[noema::state]
pub struct Token {
    name: String,
    symbol: String,
    decimals: u8,
    supply: Amount,
    owner: Owner,
    pause: Pause,
}

/// What a token is called.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its short name.
    pub symbol: String,
    /// How many decimal digits of an amount stand behind the point, where it is shown to people.
    pub decimals: u8,
}

/// Tokens have moved. New ones come from the zero address, burnt ones go there.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Whose they were.
    pub from: Address,
    /// Whose they are.
    pub to: Address,
    /// How many.
    pub amount: Amount,
}

/// Somebody may move tokens of somebody else.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Whose.
    pub owner: Address,
    /// Who may.
    pub spender: Address,
    /// How many, from now on.
    pub amount: Amount,
}

const BALANCES: Balances = Balances::new("balances");
/// By owner, then spender.
const ALLOWANCES: Map<(Address, Address), Amount> = Map::new("allowances");
const NOBODY: Address = Address([0; 32]);

#[noema::contract(events(Transferred, Approved), errors(TokenError))]
impl Token {
    #[init]
    fn new(name: String, symbol: String, decimals: u8, supply: Amount) -> Result<Self> {
        let owner = env::caller();
        BALANCES.credit(&owner, supply)?;
        event::emit(&Transferred { from: NOBODY, to: owner, amount: supply })?;
        Ok(Token { name, symbol, decimals, supply, owner: Owner::new(owner), pause: Pause::default() })
    }

    /// Moves tokens of the caller.
    #[call]
    fn transfer(&self, to: Address, amount: Amount) -> Result<()> {
        self.pause.only_running()?;
        move_tokens(env::caller(), to, amount)
    }

    /// Lets `spender` move up to `amount` of the caller's tokens, instead of what was allowed before. Where that is given as
    /// `expected` and has been used meanwhile, nothing changes: so that nobody spends an old allowance and the new one.
    #[call]
    fn approve(spender: Address, amount: Amount, expected: Option<Amount>) -> Result<()> {
        let owner = env::caller();
        if let Some(expected) = expected {
            ensure!(allowance_of(owner, spender)? == expected, TokenError::AllowanceChanged);
        }
        set_allowance(owner, spender, amount)?;
        event::emit(&Approved { owner, spender, amount })
    }

    /// Moves tokens of `owner`, who has allowed it.
    #[call]
    fn transfer_from(&self, owner: Address, to: Address, amount: Amount) -> Result<()> {
        self.pause.only_running()?;
        let spender = env::caller();
        let rest = allowance_of(owner, spender)?.checked_sub(amount).ok_or(TokenError::InsufficientAllowance)?;
        set_allowance(owner, spender, rest)?;
        move_tokens(owner, to, amount)
    }

    /// Makes new tokens. Only the owner.
    #[call]
    fn mint(&mut self, to: Address, amount: Amount) -> Result<()> {
        self.owner.only()?;
        ensure!(to != NOBODY, TokenError::ZeroAddress);
        self.supply = self.supply.checked_add(amount).ok_or(TokenError::SupplyOverflow)?;
        BALANCES.credit(&to, amount)?;
        event::emit(&Transferred { from: NOBODY, to, amount })
    }

    /// Destroys tokens of the caller.
    #[call]
    fn burn(&mut self, amount: Amount) -> Result<()> {
        let from = env::caller();
        take(from, amount)?;
        self.supply -= amount;
        event::emit(&Transferred { from, to: NOBODY, amount })
    }

    /// Stops or resumes transfers. Only the owner.
    #[call]
    fn set_paused(&mut self, paused: bool) -> Result<()> {
        self.owner.only()?;
        self.pause.set(paused);
        Ok(())
    }

    /// Offers the ownership to somebody. Only the owner.
    #[call]
    fn offer_ownership(&mut self, to: Address) -> Result<()> {
        self.owner.offer(to)
    }

    /// Takes the ownership that was offered to the caller.
    #[call]
    fn accept_ownership(&mut self) -> Result<()> {
        self.owner.accept()
    }

    #[view]
    fn describe(&self) -> Description {
        Description { name: self.name.clone(), symbol: self.symbol.clone(), decimals: self.decimals }
    }

    #[view]
    fn owner(&self) -> Option<Address> {
        self.owner.address()
    }

    #[view]
    fn total_supply(&self) -> Amount {
        self.supply
    }

    #[view]
    fn balance_of(owner: Address) -> Result<Amount> {
        BALANCES.of(&owner)
    }

    #[view]
    fn allowance(owner: Address, spender: Address) -> Result<Amount> {
        allowance_of(owner, spender)
    }
}

fn move_tokens(from: Address, to: Address, amount: Amount) -> Result<()> {
    ensure!(to != NOBODY, TokenError::ZeroAddress);
    take(from, amount)?;
    BALANCES.credit(&to, amount)?;
    event::emit(&Transferred { from, to, amount })
}

fn take(from: Address, amount: Amount) -> Result<()> {
    ensure!(BALANCES.of(&from)? >= amount, TokenError::InsufficientBalance);
    BALANCES.debit(&from, amount).map(|_| ())
}

fn allowance_of(owner: Address, spender: Address) -> Result<Amount> {
    Ok(ALLOWANCES.get(&(owner, spender))?.unwrap_or_default())
}

/// An allowance of nothing is not kept.
fn set_allowance(owner: Address, spender: Address, amount: Amount) -> Result<()> {
    if amount.is_zero() {
        ALLOWANCES.remove(&(owner, spender)).map(|_| ())
    } else {
        ALLOWANCES.set(&(owner, spender), &amount)
    }
}
