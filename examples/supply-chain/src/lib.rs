//! A cold chain: goods go from hand to hand, sensor readings go with them, and the score of a recurrent network pays or stops the payment.
//!
//! ```text
//! buyer: order (price and freight in escrow)
//!   seller: offer -> carrier 1: accept (bond) -> post, post -> offer -> carrier 2: accept (bond) -> post -> offer
//!     -> buyer: accept -> good score: everybody is paid
//!                      -> bad score, or the buyer refuses: the arbiter rules, or a deadline passes and the score stands
//! ```
//!
//! A hand-over has two sides, each a transaction of its own: who has the goods offers them, the next on the route accepts. Between the two nothing
//! has changed hands. Whoever has the goods posts the readings, in order, none of them twice and none of the future; a GRU looks at the last
//! twelve after each post and says how likely it is that something is wrong, an LSTM when the goods will arrive. The first holder under whom
//! the score passes the threshold is the one it names.
//!
//! Nobody's absence locks money: every wait has an end, behind which anybody may call `lapse`, and what follows is written in this contract.
#![no_std]
#![forbid(unsafe_code)]

mod readings;
mod settle;
mod terms;

use noema_sdk::{self as noema, prelude::*};

pub use readings::{CHANNELS, Reading, WINDOW, signed_bytes};
pub use settle::shares;
pub use terms::{
    ACCEPT_WITHIN_MS, ARBITRATION_MS, Disputed, HOUR_MS, HandedOver, Leg, MAX_LEGS, MAX_READINGS, NEAR_KM, NOBODY,
    Scored, Scorers, Settled, Shipment, Stage, SupplyError, Terms,
};

/// What the contract remembers besides the shipments.
#[noema::state]
pub struct SupplyChain {
    scorers: Scorers,
    orders: u64,
}

const SHIPMENTS: Map<u64, Shipment> = Map::new("shipments");

#[noema::contract(events(HandedOver, Scored, Disputed, Settled), errors(SupplyError))]
impl SupplyChain {
    #[init]
    fn new(scorers: Scorers) -> Result<Self> {
        Model::open(&scorers.anomaly)?;
        Model::open(&scorers.forecast)?;
        Ok(SupplyChain { scorers, orders: 0 })
    }

    /// Orders goods; the number of the shipment. With the call come the price, the freight of all legs, and the deposit for what the
    /// contract will keep of the shipment: what is too much comes back now, the deposit in the end.
    #[call(payable)]
    fn order(&mut self, terms: Terms) -> Result<u64> {
        let (buyer, purse, id) = (env::caller(), Purse::open(), self.orders);
        let total = terms.check(buyer)?;
        self.orders += 1;
        SHIPMENTS.set(&id, &Shipment::new(buyer, terms))?;
        // Each shipment brings the deposit for its own entry; otherwise it would be taken from what others have in escrow.
        purse.close(total)?;
        Ok(id)
    }

    /// Takes an order back, as long as the seller has not offered the goods to anybody. Only the buyer.
    #[call]
    fn cancel(id: u64) -> Result<()> {
        let shipment = shipment(id)?;
        ensure!(env::caller() == shipment.buyer, SupplyError::NotYours);
        ensure!(shipment.at == 0 && shipment.stage == Stage::Held, SupplyError::WrongStage);
        settle(id, &shipment, 0)
    }

    /// Offers the goods to the next on the route. Only who has them; `hand_over` counts from 0, so that an old transaction cannot be used again.
    #[call]
    fn offer(id: u64, hand_over: u8) -> Result<()> {
        let mut shipment = shipment(id)?;
        ensure!(env::caller() == shipment.holder(), SupplyError::NotYours);
        ensure!(shipment.stage == Stage::Held && shipment.at == hand_over, SupplyError::WrongStage);
        let now = env::block_time_ms();
        ensure!(now <= shipment.terms.deliver_by, SupplyError::TooLate);
        // Who hands over has answered for every whole hour until now.
        ensure!(shipment.at == 0 || shipment.posted >= shipment.hours(now), SupplyError::ReadingsMissing);
        ensure!(!shipment.is_last() || shipment.to_go() <= NEAR_KM, SupplyError::StillFar);
        (shipment.stage, shipment.since) = (Stage::Offered, now);
        SHIPMENTS.set(&id, &shipment)
    }

    /// Takes over what was offered. Only the next on the route: a carrier with its bond; the buyer, who thereby has the goods.
    #[call(payable)]
    fn accept(id: u64, hand_over: u8) -> Result<()> {
        let mut shipment = shipment(id)?;
        let caller = env::caller();
        ensure!(shipment.stage == Stage::Offered && shipment.at == hand_over, SupplyError::WrongStage);
        ensure!(Some(caller) == shipment.next(), SupplyError::NotYours);
        event::emit(&HandedOver { shipment: id, from: shipment.holder(), to: caller })?;
        let bond = shipment.terms.legs.get(usize::from(shipment.at)).map_or(Amount::ZERO, |leg| leg.bond);
        ensure!(Amount(env::value()) == bond, SupplyError::WrongValue);
        if shipment.is_last() {
            return delivered(id, shipment);
        }
        ensure!(env::block_time_ms() <= shipment.terms.deliver_by, SupplyError::TooLate);
        if shipment.at == 0 {
            shipment.picked_up = env::block_time_ms();
        }
        shipment.at += 1;
        shipment.stage = Stage::Held;
        SHIPMENTS.set(&id, &shipment)
    }

    /// Does not take what was delivered; the arbiter decides. Only the buyer.
    #[call]
    fn refuse(id: u64) -> Result<()> {
        let shipment = shipment(id)?;
        ensure!(env::caller() == shipment.buyer, SupplyError::NotYours);
        ensure!(shipment.stage == Stage::Offered && shipment.is_last(), SupplyError::WrongStage);
        let named = shipment.named;
        dispute(id, shipment, named)
    }

    /// Posts readings, one for each hour since the goods were picked up; `first` is the hour of the first one. Where the terms name a sensor, it has
    /// signed [`signed_bytes`]. Only who has the goods. Returns how likely it is that something is wrong, of 65,536.
    #[call]
    fn post(&self, id: u64, first: u32, readings: Vec<Reading>, signature: Option<[u8; 64]>) -> Result<i32> {
        let mut shipment = shipment(id)?;
        ensure!(env::caller() == shipment.holder() && shipment.at > 0, SupplyError::NotYours);
        ensure!(shipment.stage != Stage::Disputed, SupplyError::WrongStage);
        shipment.append(id, first, &readings, signature)?;
        let (score, hours) = readings::score(&self.scorers, &shipment.window)?;
        let read = shipment.picked_up + u64::from(shipment.posted - 1) * HOUR_MS;
        shipment.arrival = read + hours * HOUR_MS;
        if score >= self.scorers.threshold && shipment.named == NOBODY {
            shipment.named = shipment.at;
        }
        shipment.worst = shipment.worst.max(score);
        event::emit(&Scored { shipment: id, readings: shipment.posted, score, arrival: shipment.arrival })?;
        SHIPMENTS.set(&id, &shipment)?;
        Ok(score)
    }

    /// Decides a dispute: who is at fault, counted along the route (0 the seller, 1 the first carrier and so on, only who has had the goods), or
    /// [`NOBODY`]. The arbiter; the buyer may say that nobody is.
    #[call]
    fn rule(id: u64, at_fault: u8) -> Result<()> {
        let shipment = shipment(id)?;
        let caller = env::caller();
        let may = caller == shipment.terms.arbiter || (caller == shipment.buyer && at_fault == NOBODY);
        ensure!(may, SupplyError::NotYours);
        ensure!(shipment.stage == Stage::Disputed, SupplyError::WrongStage);
        ensure!(env::block_time_ms() <= shipment.since + ARBITRATION_MS, SupplyError::TooLate);
        ensure!(at_fault <= shipment.at || at_fault == NOBODY, SupplyError::NotOnRoute);
        settle(id, &shipment, at_fault)
    }

    /// Does what is due where somebody has let a deadline pass. Anybody.
    ///
    /// - The goods never left the seller: the buyer has the money back.
    /// - A carrier did not take them over: the journey ends there, and by default the seller answers for the carriers that it has chosen.
    /// - A carrier still has them behind `deliver_by`: by default it is at fault.
    /// - The buyer does not say anything about a delivery: it counts as accepted.
    /// - The arbiter does not say anything about a dispute: the default stands.
    #[call]
    fn lapse(id: u64) -> Result<()> {
        let shipment = shipment(id)?;
        let deadline = match shipment.stage {
            _ if shipment.at == 0 => shipment.terms.deliver_by,
            Stage::Held => shipment.terms.deliver_by,
            Stage::Offered => shipment.since + ACCEPT_WITHIN_MS,
            Stage::Disputed => shipment.since + ARBITRATION_MS,
        };
        ensure!(env::block_time_ms() > deadline, SupplyError::TooEarly);
        match shipment.stage {
            _ if shipment.at == 0 => settle(id, &shipment, 0),
            Stage::Held => {
                let holder = shipment.at;
                dispute(id, shipment, holder)
            }
            Stage::Offered if shipment.is_last() => delivered(id, shipment),
            Stage::Offered => dispute(id, shipment, 0),
            Stage::Disputed => settle(id, &shipment, shipment.default),
        }
    }

    #[view]
    fn scorers(&self) -> Scorers {
        self.scorers.clone()
    }

    /// What a sensor signs for these readings.
    #[view]
    fn signed_bytes(id: u64, first: u32, readings: Vec<Reading>) -> Vec<u8> {
        signed_bytes(&env::self_address(), id, first, &readings)
    }

    /// A shipment; nothing after it is settled.
    #[view]
    fn shipment(id: u64) -> Result<Option<Shipment>> {
        SHIPMENTS.get(&id)
    }
}

fn shipment(id: u64) -> Result<Shipment> {
    Ok(SHIPMENTS.get(&id)?.ok_or(SupplyError::NoShipment)?)
}

/// The buyer has the goods: a good score pays, a bad one is a dispute.
fn delivered(id: u64, shipment: Shipment) -> Result<()> {
    match shipment.named {
        NOBODY => settle(id, &shipment, NOBODY),
        named => dispute(id, shipment, named),
    }
}

/// Waits for the arbiter; `default` is at fault if it says nothing.
fn dispute(id: u64, mut shipment: Shipment, default: u8) -> Result<()> {
    (shipment.stage, shipment.since, shipment.default) = (Stage::Disputed, env::block_time_ms(), default);
    event::emit(&Disputed { shipment: id, default })?;
    SHIPMENTS.set(&id, &shipment)
}

/// Pays out all that came with the shipment, and forgets it.
fn settle(id: u64, shipment: &Shipment, at_fault: u8) -> Result<()> {
    // First the entry, so that its deposit is free.
    let purse = Purse::open();
    SHIPMENTS.remove(&id)?;
    for (to, amount) in shares(shipment, at_fault, purse.freed()) {
        // Runs no code of the receiver, which therefore can neither refuse nor call back.
        call::transfer(&to, amount.0)?;
    }
    event::emit(&Settled { shipment: id, at_fault })
}
