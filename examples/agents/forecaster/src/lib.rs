//! An agent that sells forecasts of demand: a network forecasts, another one haggles over the price.
//!
//! `haggle` is one round: the buyer bids, the forecaster says what it asks for now. An ask is good for the transaction that it is made in and no longer: it is kept in
//! transient storage, so that nobody holds prices, and nobody fills the storage with negotiations. `forecast` takes the price that was asked for last.
//!
//! Whatever the network says, an ask never rises and never falls below the floor that the owner has set.
#![no_std]
#![forbid(unsafe_code)]

use noema_sdk::math::{Rounding, mul_div};
use noema_sdk::{self as noema, prelude::*};

/// Hours of demand that a forecast is made from.
pub const HOURS: usize = 12;
/// Rounds in which the forecaster moves; then its last ask stands.
pub const ROUNDS: u8 = 8;

/// Round, bid, ask and floor, in the list price, to scores of [accept, hold, close a quarter of the gap, close half], and the best of them.
type Policy = StaticModel<([[i32; 4]; 1],), ([[i32; 4]; 1], [i32; 1])>;
/// The hours, oldest first, to the next one, and a class that says nothing.
type Demand = StaticModel<([[i32; HOURS]; 1],), ([[i32; 1]; 1], [i32; 1])>;

/// Why it does not sell.
#[noema::error]
pub enum ForecasterError {
    /// nobody has asked for a price in this transaction
    NoPrice,
    /// the value that came is not what was asked for
    WrongPrice,
    /// the list price is above nothing, and not below the floor
    BadPrices,
    /// demand is from 0 to 10,000
    BadWindow,
}

/// What its owner has set.
#[noema::state]
pub struct Forecaster {
    owner: Owner,
    policy: Hash,
    demand: Hash,
    /// Fraction bits of what the second network gives.
    demand_bits: u8,
    list: Amount,
    floor: Amount,
}

/// A negotiation under way.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who bids.
    pub buyer: Address,
    /// How often.
    pub round: u8,
    /// What is asked for.
    pub ask: Amount,
}

/// A forecast was sold.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// To whom.
    pub buyer: Address,
    /// For how much.
    pub price: Amount,
}

const SESSION: transient::Item<Session> = transient::Item::new("session");

#[noema::contract(events(Sold), errors(ForecasterError))]
impl Forecaster {
    #[init]
    fn new(policy: Hash, demand: Hash, demand_bits: u8, list: Amount, floor: Amount) -> Result<Self> {
        Model::open(&policy)?;
        Model::open(&demand)?;
        ensure!(!list.is_zero() && floor <= list && demand_bits < 31, ForecasterError::BadPrices);
        Ok(Forecaster { owner: Owner::caller(), policy, demand, demand_bits, list, floor })
    }

    /// A round: what a forecast costs now, where the buyer offers this much. An ask of no more than the bid is a deal.
    #[call]
    fn haggle(&self, bid: Amount) -> Result<Amount> {
        let buyer = env::caller();
        let session = SESSION.get()?.filter(|session| session.buyer == buyer);
        let mut session = session.unwrap_or(Session { buyer, round: 0, ask: self.list });
        if session.round < ROUNDS {
            session.ask = self.next_ask(&session, bid)?;
            session.round += 1;
        }
        SESSION.set(&session)?;
        Ok(session.ask)
    }

    /// The forecast for the hour behind these, for the price that was asked for last.
    #[call(payable)]
    fn forecast(&self, window: [Fixed<8>; HOURS]) -> Result<Fixed<8>> {
        let buyer = env::caller();
        let session = SESSION.get()?.filter(|session| session.buyer == buyer).ok_or(ForecasterError::NoPrice)?;
        ensure!(Amount(env::value()) == session.ask, ForecasterError::WrongPrice);
        SESSION.remove()?;
        let mut row = [0; HOURS];
        for (place, value) in row.iter_mut().zip(window) {
            let bits = i32::try_from(value.bits()).ok().filter(|bits| (0..=10_000 << 8).contains(bits));
            *place = bits.ok_or(ForecasterError::BadWindow)?;
        }
        let (demand, _) = Demand::open(&self.demand)?.run(&(StaticTensor::of(&[row])?,))?;
        let [[demand]] = demand.read()?;
        event::emit(&Sold { buyer, price: session.ask })?;
        // Both are numbers of 32 bits: the shift loses nothing but fractions.
        Ok(Fixed::from_bits((i64::from(demand) << 8) >> self.demand_bits))
    }

    /// Sets the prices. Only the owner.
    #[call]
    fn set_prices(&mut self, list: Amount, floor: Amount) -> Result<()> {
        self.owner.only()?;
        ensure!(!list.is_zero() && floor <= list, ForecasterError::BadPrices);
        (self.list, self.floor) = (list, floor);
        Ok(())
    }

    /// Takes what was earned. Only the owner.
    #[call]
    fn withdraw(&self, amount: Amount) -> Result<()> {
        self.owner.only()?;
        Ok(call::transfer(&env::caller(), amount.0)?)
    }

    /// The list price.
    #[view]
    fn list_price(&self) -> Amount {
        self.list
    }
}

impl Forecaster {
    fn next_ask(&self, session: &Session, bid: Amount) -> Result<Amount> {
        let round = i32::from(session.round) * 256 / i32::from(ROUNDS);
        let of_list = |amount| share_bits(amount, self.list);
        let row = [round, of_list(bid), of_list(session.ask), of_list(self.floor)];
        let (_, choice) = Policy::open(&self.policy)?.run(&(StaticTensor::of(&[row])?,))?;
        let gap = Amount(session.ask.0.saturating_sub(bid.0));
        let part = |parts: u128| gap.share(parts, 4, Rounding::Down).unwrap_or_default();
        let ask = match choice.read()? {
            [0] if bid >= self.floor => bid.min(session.ask),
            [2] => session.ask - part(1),
            [3] => session.ask - part(2),
            _ => session.ask,
        };
        // The list price is not below the floor, and asks fall from there.
        Ok(ask.max(self.floor.min(session.ask)))
    }
}

/// `amount / whole` with 8 fraction bits, at most 4.
#[must_use]
pub fn share_bits(amount: Amount, whole: Amount) -> i32 {
    let share = mul_div(amount.0, 256, whole.0, Rounding::Down).unwrap_or(u128::MAX);
    i32::try_from(share.min(4 * 256)).unwrap_or(4 * 256)
}
