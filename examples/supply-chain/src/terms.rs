//! What is agreed, what is remembered, and what is told.

use noema_sdk::{self as noema, prelude::*};

use crate::readings::{CHANNELS, WINDOW};

/// An hour, in milliseconds: how far readings are apart.
pub const HOUR_MS: u64 = 3_600_000;
/// How long an offer stands before anybody may end the wait: two days.
pub const ACCEPT_WITHIN_MS: u64 = 48 * HOUR_MS;
/// How long the arbiter has: seven days.
pub const ARBITRATION_MS: u64 = 7 * 24 * HOUR_MS;
/// Readings of one post. The network looks after each, so that it sees every reading at least twice in its [`WINDOW`].
pub const MAX_READINGS: usize = 6;
/// Legs of a route.
pub const MAX_LEGS: usize = 8;
/// The last reading before a delivery says that no more is to go than this, in kilometres.
pub const NEAR_KM: i32 = 25;
/// No place on the route: nobody is at fault.
pub const NOBODY: u8 = u8::MAX;

/// Why the contract refuses.
#[noema::error]
pub enum SupplyError {
    /// there is no such shipment, or it is settled
    NoShipment,
    /// somebody else has to do this
    NotYours,
    /// not now: the shipment is at another point of its way
    WrongStage,
    /// the value that came is not what this takes
    WrongValue,
    /// the terms cannot be kept by anybody
    BadTerms,
    /// the deadline has passed
    TooLate,
    /// the deadline has not passed
    TooEarly,
    /// readings of this hour have been posted
    AlreadyPosted,
    /// readings of an earlier hour are missing
    ReadingsMissing,
    /// readings of an hour that has not come
    FromTheFuture,
    /// a post has 1 to 6 readings, of what a sensor can measure
    BadReading,
    /// the sensor has not signed these readings for this shipment and hour
    BadSignature,
    /// the goods are far from where they are to go
    StillFar,
    /// only who has had the goods can be at fault
    NotOnRoute,
}

/// The networks that look at readings, and from where on something is wrong.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scorers {
    /// `[1, 12, 5]` to logits, probabilities and class of [as it should be, anomalous].
    pub anomaly: Hash,
    /// `[1, 12, 5]` to hours to go.
    pub forecast: Hash,
    /// How many fraction bits those hours have (`noema model inspect`).
    pub forecast_bits: u8,
    /// From this score on, of 65,536, payment stops.
    pub threshold: i32,
}

/// One carrier's part of the way.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Who carries.
    pub carrier: Address,
    /// For how much.
    pub fee: Amount,
    /// What it gives as a bond when it takes the goods over; not more than the price.
    pub bond: Amount,
}

/// What buyer, seller and carriers agree on. Everybody sees it before accepting anything; nobody can change it.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who sells.
    pub seller: Address,
    /// What the goods cost.
    pub price: Amount,
    /// Who carries, in order.
    pub legs: Vec<Leg>,
    /// Who decides disputes; none of the others.
    pub arbiter: Address,
    /// The Ed25519 key of the sensor in the box, if it has one.
    pub sensor: Option<Hash>,
    /// Until when the goods are to be offered to the buyer, in milliseconds since 1970.
    pub deliver_by: u64,
}

impl Terms {
    /// Price and freight, where the terms can be kept.
    pub(crate) fn check(&self, buyer: Address) -> Result<Amount> {
        let carriers = || self.legs.iter().map(|leg| leg.carrier);
        let parties = [buyer, self.seller].into_iter().chain(carriers());
        let fair = (1..=MAX_LEGS).contains(&self.legs.len())
            && parties.clone().all(|party| party != self.arbiter)
            && buyer != self.seller
            && carriers().all(|carrier| carrier != buyer)
            // Nobody gains by what a carrier loses.
            && self.legs.iter().all(|leg| leg.bond <= self.price)
            && self.deliver_by > env::block_time_ms();
        ensure!(fair, SupplyError::BadTerms);
        let total = self.legs.iter().try_fold(self.price, |sum, leg| sum.checked_add(leg.fee));
        Ok(total.ok_or(SupplyError::BadTerms)?)
    }
}

/// At which point of its way a shipment is.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Somebody has the goods.
    Held,
    /// Who has them has offered them to the next.
    Offered,
    /// The arbiter has to decide.
    Disputed,
}

/// A shipment. After the order all that changes has one length, so that the deposit that came with the order is enough to its end.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// Who ordered and will receive.
    pub buyer: Address,
    /// What was agreed.
    pub terms: Terms,
    /// Who has the goods: 0 the seller, 1 the first carrier and so on.
    pub at: u8,
    /// At which point it is.
    pub stage: Stage,
    /// Since when it is offered or disputed.
    pub since: u64,
    /// When the first carrier took the goods over.
    pub picked_up: u64,
    /// How many readings there are.
    pub posted: u32,
    /// The last of them, oldest first, as the networks read them.
    pub window: [[i32; CHANNELS]; WINDOW],
    /// The highest score so far.
    pub worst: i32,
    /// The first holder under whom the score passed the threshold, or [`NOBODY`].
    pub named: u8,
    /// When the goods will arrive, by the last forecast; 0 without one.
    pub arrival: u64,
    /// In a dispute, who is at fault if the arbiter says nothing.
    pub default: u8,
}

impl Shipment {
    pub(crate) fn new(buyer: Address, terms: Terms) -> Shipment {
        Shipment {
            buyer,
            terms,
            at: 0,
            stage: Stage::Held,
            since: 0,
            picked_up: 0,
            posted: 0,
            window: [[0; CHANNELS]; WINDOW],
            worst: 0,
            named: NOBODY,
            arrival: 0,
            default: NOBODY,
        }
    }

    /// Who has the goods.
    #[must_use]
    pub fn holder(&self) -> Address {
        let leg = self.at.checked_sub(1).and_then(|index| self.terms.legs.get(usize::from(index)));
        leg.map_or(self.terms.seller, |leg| leg.carrier)
    }

    /// Whether the next one is the buyer.
    #[must_use]
    pub fn is_last(&self) -> bool {
        usize::from(self.at) == self.terms.legs.len()
    }

    /// To whom they go next.
    #[must_use]
    pub fn next(&self) -> Option<Address> {
        if self.is_last() { Some(self.buyer) } else { Some(self.terms.legs.get(usize::from(self.at))?.carrier) }
    }

    /// Whole hours since they were picked up.
    pub(crate) fn hours(&self, now: u64) -> u32 {
        u32::try_from(now.saturating_sub(self.picked_up) / HOUR_MS).unwrap_or(u32::MAX)
    }
}

/// The goods have changed hands.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// Which.
    pub shipment: u64,
    /// Who gave them.
    pub from: Address,
    /// Who has them now.
    pub to: Address,
}

/// Readings were posted, and the networks have looked at them.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// Of which shipment.
    pub shipment: u64,
    /// How many readings there are now.
    pub readings: u32,
    /// How likely it is that something is wrong, of 65,536.
    pub score: i32,
    /// When the goods will arrive, in milliseconds since 1970.
    pub arrival: u64,
}

/// The arbiter has to decide.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    /// About which shipment.
    pub shipment: u64,
    /// Who is at fault if it does not, or [`NOBODY`].
    pub default: u8,
}

/// All is paid.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// For which shipment.
    pub shipment: u64,
    /// Who was at fault, or [`NOBODY`].
    pub at_fault: u8,
}
