//! A market maker between a token and native units, whose fee and range follow a forecast of volatility.
//!
//! ```text
//!  first trade of a block -- price at the end of the block before --> 16 returns -- network --> forecast -- lines --> fee, share
//!                                                                                                                      |
//!  every trade of the block: X * Y = constant of the virtual reserves, at that fee and depth  <------------------------+
//! ```
//!
//! In calm blocks trading is cheap and deep, so that people come; before storms it is dear and shallow, so that those who know the
//! new price first take less from who provides the liquidity. The same contract with [`Policy::Constant`] is the baseline.
#![no_std]
#![forbid(unsafe_code)]

pub mod forecast;
pub mod pool;

use forecast::{Policy, Seen};
use noema_sdk::{self as noema, prelude::*};
use pool::{Pair, Pool, Side};
use token::TokenClient;

/// Shares that belong to nobody, so that a share never becomes so dear that small amounts round to nothing.
pub const LOCKED_SHARES: u128 = 1_000;

/// Why the market refuses.
#[noema::error]
pub enum TradingError {
    /// A fee or share outside its range.
    BadPolicy,
    /// The network is missing, or does not take 16 returns and give one number.
    UnfitModel,
    /// Too little to begin with, or nothing to trade.
    TooLittle,
    /// The pool would give less than the least that the trader takes.
    LessThanWanted,
    /// The block is later than the trader wants.
    TooLate,
    /// The pool does not have as much of the other side.
    OutOfRange,
    /// More shares than the caller has.
    TooFewShares,
}

/// The state.
#[noema::state]
pub struct Market {
    token: Address,
    policy: Policy,
    pool: Pool,
    seen: Seen,
    supply: u128,
}

/// Somebody has traded.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traded {
    /// Who.
    pub trader: Address,
    /// What went in.
    pub side: Side,
    /// How much of it.
    pub paid: Amount,
    /// How much came out of the other.
    pub got: Amount,
    /// The fee in millionths.
    pub fee: u32,
}

/// A block has a fee and a range.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBegan {
    /// The fee in millionths.
    pub fee: u32,
    /// The share in millionths.
    pub share: u32,
}

const SHARES: Balances = Balances::new("shares");

#[noema::contract(events(Traded, BlockBegan), errors(TradingError))]
impl Market {
    /// A market without anything: [`Market::begin`](MarketClient::begin) fills it.
    #[init]
    fn new(token: Address, policy: Policy) -> Result<Self> {
        let nothing = Pair { token: 0, native: 0 };
        let seen = Seen::new(env::block_height(), &nothing);
        policy.check(&seen)?;
        let (fee, share) = policy.decide(&seen)?;
        let pool = Pool { real: nothing, virtual_: nothing, fee, share };
        Ok(Market { token, policy, pool, seen, supply: 0 })
    }

    /// The first liquidity, at the price that both sides make. The tokens must have been approved.
    #[call(payable)]
    fn begin(&mut self, tokens: Amount, native: Amount) -> Result<Amount> {
        ensure!(self.supply == 0, TradingError::TooLittle);
        ensure!(tokens.0.min(native.0) >= LOCKED_SHARES * 1_000, TradingError::TooLittle);
        let (purse, provider) = (Purse::open(), env::caller());
        let (fee, share) = self.policy.decide(&self.seen)?;
        let real = Pair { token: tokens.0, native: native.0 };
        self.pool = Pool::new(real, fee, share).ok_or(TradingError::OutOfRange)?;
        self.seen = Seen::new(env::block_height(), &self.pool.virtual_);
        self.supply = native.0;
        let shares = Amount(native.0 - LOCKED_SHARES);
        SHARES.credit(&provider, shares)?;
        self.take_tokens(tokens)?;
        purse.close(native)?;
        Ok(shares)
    }

    /// Adds liquidity for so many new shares, in the proportion of the reserves: tokens must have been approved, native units come
    /// along, and what is not needed comes back.
    #[call(payable)]
    fn provide(&mut self, shares: Amount, most_tokens: Amount) -> Result<()> {
        let purse = Purse::open();
        self.begin_block()?;
        ensure!(self.supply > 0 && !shares.is_zero(), TradingError::TooLittle);
        let part = self.pool.scale(shares.0, self.supply, true).ok_or(TradingError::OutOfRange)?;
        ensure!(part.token <= most_tokens.0, TradingError::LessThanWanted);
        self.supply += shares.0;
        SHARES.credit(&env::caller(), shares)?;
        self.take_tokens(Amount(part.token))?;
        purse.close(Amount(part.native))
    }

    /// Takes the part of so many shares out again.
    #[call]
    fn leave(&mut self, shares: Amount) -> Result<(Amount, Amount)> {
        let (purse, provider) = (Purse::open(), env::caller());
        self.begin_block()?;
        ensure!(!shares.is_zero() && SHARES.of(&provider)? >= shares, TradingError::TooFewShares);
        SHARES.debit(&provider, shares)?;
        let part = self.pool.scale(shares.0, self.supply, false).ok_or(TradingError::OutOfRange)?;
        self.supply -= shares.0;
        self.give_tokens(provider, Amount(part.token))?;
        call::transfer(&provider, part.native + purse.freed().0)?;
        Ok((Amount(part.token), Amount(part.native)))
    }

    /// Buys tokens for the native units that come along: at least `least` of them, no later than in block `until`.
    #[call(payable)]
    fn buy(&mut self, least: Amount, until: u64) -> Result<Amount> {
        let tokens = self.swap(Side::Native, Amount(env::value()), least, until)?;
        self.give_tokens(env::caller(), tokens)?;
        Ok(tokens)
    }

    /// Sells tokens, which must have been approved: for at least `least` native units, no later than in block `until`.
    #[call]
    fn sell(&mut self, tokens: Amount, least: Amount, until: u64) -> Result<Amount> {
        let native = self.swap(Side::Token, tokens, least, until)?;
        self.take_tokens(tokens)?;
        call::transfer(&env::caller(), native.0)?;
        Ok(native)
    }

    /// The pool as a trade in this block would find it.
    #[view]
    fn pool(&self) -> Result<Pool> {
        let mut now = self.copy();
        now.observe(env::block_height())?;
        Ok(now.pool)
    }

    /// The pool as the first trade of the next block would find it, if nobody came in this one any more. A view that is asked of
    /// a node is answered as of the newest block, which is over: what a trader will meet is this.
    #[view]
    fn next(&self) -> Result<Pool> {
        let mut next = self.copy();
        next.observe(env::block_height() + 1)?;
        Ok(next.pool)
    }

    /// What a trade would give in this block; nothing where it cannot be made.
    #[view]
    fn quote(&self, side: Side, amount: Amount) -> Result<Option<Amount>> {
        let mut now = self.copy();
        now.observe(env::block_height())?;
        Ok(now.pool.swap(side, amount.0).map(Amount))
    }

    #[view]
    fn seen(&self) -> Seen {
        self.seen
    }

    #[view]
    fn policy(&self) -> Policy {
        self.policy
    }

    #[view]
    fn shares_of(provider: Address) -> Result<Amount> {
        SHARES.of(&provider)
    }

    #[view]
    fn supply(&self) -> Amount {
        Amount(self.supply)
    }
}

impl Market {
    fn copy(&self) -> Market {
        Market { token: self.token, policy: self.policy, pool: self.pool, seen: self.seen, supply: self.supply }
    }

    /// Notes how the block before ended, if nobody has in this one, and sets fee and range of this block by it.
    fn observe(&mut self, height: u64) -> Result<bool> {
        if self.supply == 0 || !self.seen.observe(height, &self.pool.virtual_) {
            return Ok(false);
        }
        let (fee, share) = self.policy.decide(&self.seen)?;
        self.pool.set(fee, share).ok_or(TradingError::OutOfRange)?;
        Ok(true)
    }

    fn begin_block(&mut self) -> Result<()> {
        if self.observe(env::block_height())? {
            let Pool { fee, share, .. } = self.pool;
            event::emit(&BlockBegan { fee, share })?;
        }
        Ok(())
    }

    fn swap(&mut self, side: Side, paid: Amount, least: Amount, until: u64) -> Result<Amount> {
        ensure!(env::block_height() <= until, TradingError::TooLate);
        self.begin_block()?;
        ensure!(self.supply > 0 && !paid.is_zero(), TradingError::TooLittle);
        let got = self.pool.swap(side, paid.0).map(Amount).ok_or(TradingError::OutOfRange)?;
        ensure!(got >= least, TradingError::LessThanWanted);
        event::emit(&Traded { trader: env::caller(), side, paid, got, fee: self.pool.fee })?;
        Ok(got)
    }

    fn take_tokens(&self, tokens: Amount) -> Result<()> {
        Ok(TokenClient::at(&self.token).transfer_from(env::caller(), env::self_address(), tokens)?)
    }

    fn give_tokens(&self, to: Address, tokens: Amount) -> Result<()> {
        Ok(TokenClient::at(&self.token).transfer(to, tokens)?)
    }
}
