//! An agent with a wallet: it needs to know what demand will be, and buys forecasts of it from whoever sells the best at the lowest price.
//!
//! Somebody who may (the feed) reports the demand of each hour. Anybody may then `tick` the agent, once for each hour with effect: a policy
//! network sees how much demand moves, haggles with one seller after the other, round by round, and buys or does not. Who ticks pays the gas, and gets a
//! reward when a forecast was bought.
//!
//! ```text
//!  tick -> for each seller that is not banned, the best first:
//!            haggle(0) -> ask -> network: walk away | accept | bid a quarter or half of the gap more -> haggle(bid) -> ..
//!            deal: purchase (a call of its own: pays, gets the forecast, checks it; if it cannot be, all of that is undone)
//! ```
//!
//! Whatever the network says and whoever ticks, money leaves the wallet only within [`Limits`], to sellers that the owner has allowed.
#![no_std]
#![forbid(unsafe_code)]

mod haggle;
mod limits;

use forecaster::{ForecasterClient, HOURS};
use haggle::Deal;
use noema_sdk::call::CallError;
use noema_sdk::{self as noema, prelude::*};

pub use limits::{KEEPERS, Limits, PAYMENTS, Payment, Wallet};

/// Gas that a seller gets for an answer. The agent goes on only while it can give that much, so that nobody makes an honest seller fail by giving too little.
pub const CALL_GAS: u64 = 3_000_000_000;
/// What it keeps for itself meanwhile.
pub const OWN_GAS: u64 = 1_000_000_000;
/// Sellers that an owner may allow.
pub const MAX_SELLERS: usize = 4;
/// After so many forecasts one that knows no more than the hour before is banned.
pub const TRIAL: u32 = 6;

/// Why the agent refuses.
#[noema::error]
pub enum AgentError {
    /// only the agent itself may call this
    NotMyself,
    /// the limits of the owner are reached
    OverLimit,
    /// a forecast that cannot be
    Garbage,
    /// too little gas is left to give a seller a fair chance
    TooLittleGas,
    /// the owner has allowed as many sellers as there can be
    TooManySellers,
    /// demand is from 0 to 10,000
    BadDemand,
}

/// The agent.
#[noema::state]
pub struct Agent {
    owner: Owner,
    pause: Pause,
    policy: Hash,
    wallet: Wallet,
    /// Demand of the last hours, oldest first, and how many have been reported.
    demand: [Fixed<8>; HOURS],
    hours: u64,
    /// The hour that the agent has ticked for.
    ticked: u64,
    /// What was bought for the next hour.
    bought: Bought,
}

/// A forecast.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bought {
    /// From whom.
    pub seller: Address,
    /// For how much.
    pub price: Amount,
    /// Of which hour; 0 for none.
    pub hour: u64,
    /// How much demand there will be.
    pub demand: Fixed<8>,
}

/// What the agent knows of a seller.
#[noema::data]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seller {
    /// It has cheated, or knows nothing.
    pub banned: bool,
    /// It did not answer when it was asked last. That may be its own doing or that of whoever ticked (from the bottom of a stack, or with a
    /// memory that is used up), so it is no reason for a ban: it is asked after all others.
    pub silent: bool,
    /// How many of its forecasts have met the truth.
    pub scored: u32,
    /// By how much they were off, in all.
    pub off: Fixed<8>,
    /// By how much the hour before would have been.
    pub naive: Fixed<8>,
}

/// A forecast was bought.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchased {
    /// From whom.
    pub seller: Address,
    /// What was asked for at first.
    pub asked: Amount,
    /// What was paid.
    pub price: Amount,
    /// After how many rounds.
    pub rounds: u8,
    /// What it says.
    pub demand: Fixed<8>,
}

/// A seller was banned.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// Which.
    pub seller: Address,
    /// Why.
    pub why: Misconduct,
}

/// Why a seller is banned.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misconduct {
    /// It asked for more than before.
    Raised,
    /// It took the price and gave nothing that can be; the price came back.
    Garbage,
    /// Its forecasts are no better than the hour before.
    KnowsNothing,
}

const FEED: Role = Role::new("feed");
const SELLERS: Map<Address, Seller> = Map::new("sellers");

#[noema::contract(events(Purchased, Banned), errors(AgentError))]
impl Agent {
    #[init]
    fn new(policy: Hash, limits: Limits) -> Result<Self> {
        Model::open(&policy)?;
        let nothing = Bought { seller: KEEPERS, price: Amount::ZERO, hour: 0, demand: Fixed::ZERO };
        Ok(Agent {
            owner: Owner::caller(),
            pause: Pause::default(),
            policy,
            wallet: Wallet::new(limits),
            demand: [Fixed::ZERO; HOURS],
            hours: 0,
            ticked: 0,
            bought: nothing,
        })
    }

    /// Puts money into the wallet.
    #[call(payable)]
    fn fund() {}

    /// Reports the demand of the next hour. Only the feed.
    #[call]
    fn observe(&mut self, demand: Fixed<8>) -> Result<()> {
        FEED.only()?;
        ensure!((0..=10_000 << 8).contains(&demand.bits()), AgentError::BadDemand);
        let before = self.demand[HOURS - 1];
        self.demand.rotate_left(1);
        self.demand[HOURS - 1] = demand;
        self.hours += 1;
        if self.bought.hour == self.hours { self.judge(before) } else { Ok(()) }
    }

    /// Lets the agent act on the hour that was reported last; what it bought, if anything. Anybody, and each hour once with effect.
    #[call]
    fn tick(&mut self) -> Result<Option<Bought>> {
        self.pause.only_running()?;
        if self.hours < HOURS as u64 || self.ticked == self.hours {
            return Ok(None);
        }
        let (bought, all_answered) = self.shop()?;
        if bought.is_some() || all_answered {
            self.ticked = self.hours;
        }
        if let Some(bought) = bought {
            self.bought = bought;
            // Out of the same limits; without a reward nobody would tick.
            let reward = self.wallet.limits.reward;
            self.wallet.spend(KEEPERS, reward)?;
            call::transfer(&env::caller(), reward.0)?;
        }
        Ok(bought)
    }

    /// Pays and checks in one: if the forecast cannot be, the payment has not been. Only the agent itself, while it ticks.
    #[call(reentrant)]
    fn purchase(
        seller: Address,
        price: Amount,
        window: [Fixed<8>; HOURS],
        least: Fixed<8>,
        most: Fixed<8>,
    ) -> Result<Fixed<8>> {
        ensure!(env::caller() == env::self_address(), AgentError::NotMyself);
        let demand = ForecasterClient::at(&seller).with_value(price.0).with_gas(CALL_GAS).forecast(window)?;
        ensure!((least..=most).contains(&demand), AgentError::Garbage);
        Ok(demand)
    }

    /// Allows a seller, also one that was banned, or no longer; that holds from the next transaction on. Only the owner.
    #[call]
    fn set_seller(&self, seller: Address, allowed: bool) -> Result<()> {
        self.owner.only()?;
        if !allowed {
            return SELLERS.remove(&seller).map(|_| ());
        }
        ensure!(SELLERS.contains(&seller)? || SELLERS.iter().count() < MAX_SELLERS, AgentError::TooManySellers);
        SELLERS.set(&seller, &Seller::default())
    }

    /// Lets somebody report demand, or no longer. Only the owner.
    #[call]
    fn set_feed(&self, who: Address, reports: bool) -> Result<bool> {
        self.owner.only()?;
        if reports { FEED.grant(&who) } else { FEED.revoke(&who) }
    }

    /// Changes what is allowed. What has been spent counts on. Only the owner.
    #[call]
    fn set_limits(&mut self, limits: Limits) -> Result<()> {
        self.owner.only()?;
        self.wallet.limits = limits;
        Ok(())
    }

    /// Stops the agent, or lets it go on. Only the owner.
    #[call]
    fn set_paused(&mut self, paused: bool) -> Result<()> {
        self.owner.only()?;
        self.pause.set(paused);
        Ok(())
    }

    /// Takes money out, also below the least balance. Only the owner.
    #[call]
    fn withdraw(&self, amount: Amount) -> Result<()> {
        self.owner.only()?;
        Ok(call::transfer(&env::caller(), amount.0)?)
    }

    /// What may be spent now: for a seller, or on rewards for the zero address.
    #[view]
    fn allowance(&self, payee: Address) -> Amount {
        self.wallet.allowance(&payee)
    }

    /// The forecast for the next hour, if there is one.
    #[view]
    fn forecast(&self) -> Option<Bought> {
        (self.bought.hour == self.hours + 1).then_some(self.bought)
    }

    /// The sellers, and what the agent knows of them.
    #[view]
    fn sellers() -> Result<Vec<(Address, Seller)>> {
        SELLERS.iter().collect()
    }
}

impl Agent {
    /// Goes from seller to seller until one has sold something; and whether all that were asked have answered.
    fn shop(&mut self) -> Result<(Option<Bought>, bool)> {
        let mut sellers: Vec<(Address, Seller)> = SELLERS.iter().collect::<Result<_>>()?;
        sellers.retain(|(_, seller)| !seller.banned);
        sellers.sort_by_key(|(_, seller)| (seller.silent, seller.rank()));
        let mut all_answered = true;
        for (address, before) in sellers {
            let mut seller = before;
            let outcome = self.deal(address)?;
            seller.silent = matches!(outcome, Outcome::Silence);
            all_answered &= !seller.silent;
            if let Outcome::Banned(why) = outcome {
                seller.banned = true;
                event::emit(&Banned { seller: address, why })?;
            }
            if seller != before {
                SELLERS.set(&address, &seller)?;
            }
            if let Outcome::Bought(bought) = outcome {
                return Ok((Some(bought), all_answered));
            }
        }
        Ok((None, all_answered))
    }

    /// Haggles, and buys where that ends in a deal.
    fn deal(&mut self, seller: Address) -> Result<Outcome> {
        let most = self.wallet.price_limit(&seller);
        let deal = match haggle::haggle(&self.policy, &self.demand, &self.wallet.limits, &seller, most)? {
            Ok(deal) => deal,
            Err(outcome) => return Ok(outcome),
        };
        self.wallet.spend(seller, deal.price)?;
        let (least, most) = haggle::plausible(&self.demand);
        haggle::enough_gas(2)?;
        let args = (seller, deal.price, self.demand, least, most);
        let demand: Fixed<8> = match call::contract(&env::self_address()).method("purchase", &args) {
            Ok(demand) => demand,
            Err(failed) => {
                // The payment has not been.
                self.wallet.undo();
                let garbage = matches!(failed, CallError::Aborted(abort) if abort.code == AgentError::Garbage.code());
                return Ok(if garbage { Outcome::Banned(Misconduct::Garbage) } else { Outcome::Silence });
            }
        };
        let Deal { asked, price, rounds } = deal;
        event::emit(&Purchased { seller, asked, price, rounds, demand })?;
        Ok(Outcome::Bought(Bought { seller, price, hour: self.hours + 1, demand }))
    }

    /// Compares what was bought with what has come.
    fn judge(&self, before: Fixed<8>) -> Result<()> {
        let address = self.bought.seller;
        // The owner may have taken it off the list meanwhile.
        let Some(mut seller) = SELLERS.get(&address)? else { return Ok(()) };
        let now = self.demand[HOURS - 1];
        let distance = |value: Fixed<8>| Fixed::from_bits((value.bits() - now.bits()).abs());
        seller.scored += 1;
        seller.off += distance(self.bought.demand);
        seller.naive += distance(before);
        if seller.scored >= TRIAL && seller.off >= seller.naive && !seller.banned {
            seller.banned = true;
            event::emit(&Banned { seller: address, why: Misconduct::KnowsNothing })?;
        }
        SELLERS.set(&address, &seller)
    }
}

impl Seller {
    /// The least error first, as a share of that of who knows nothing, with 8 fraction bits; who is new counts as that.
    fn rank(&self) -> i128 {
        if self.scored == 0 { 256 } else { i128::from(self.off.bits()) * 256 / i128::from(self.naive.bits().max(1)) }
    }
}

/// What came of talking to a seller.
pub(crate) enum Outcome {
    /// A forecast, paid for.
    Bought(Bought),
    /// No deal.
    Nothing,
    /// No answer.
    Silence,
    /// It is banned.
    Banned(Misconduct),
}
