//! A negotiation, from the buyer's side.

use forecaster::{ForecasterClient, HOURS, share_bits};
use noema_sdk::call::{CallError, Client};
use noema_sdk::math::Rounding;
use noema_sdk::prelude::*;

use crate::{AgentError, CALL_GAS, Limits, Misconduct, OWN_GAS, Outcome};

/// After so many rounds without a deal the agent walks away.
const ROUNDS: u8 = 8;

/// Uncertainty, round, ask and bid to scores of [walk away, accept, close a quarter of the gap, close half], and the best of them.
type Policy = StaticModel<([[i32; 4]; 1],), ([[i32; 4]; 1], [i32; 1])>;

/// What was agreed on.
pub(crate) struct Deal {
    pub(crate) asked: Amount,
    pub(crate) price: Amount,
    pub(crate) rounds: u8,
}

/// Haggles with a seller for a forecast that may cost `most`.
pub(crate) fn haggle(
    policy: &Hash,
    demand: &[Fixed<8>; HOURS],
    limits: &Limits,
    seller: &Address,
    most: Amount,
) -> Result<Result<Deal, Outcome>> {
    let worth = limits.worth;
    if most.is_zero() || worth.is_zero() {
        return Ok(Err(Outcome::Nothing));
    }
    let policy = Policy::open(policy)?;
    let uncertainty = uncertainty(demand);
    let mut bid = Amount::ZERO;
    let asked = match ask(seller, bid)? {
        Ok(asked) => asked,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let mut price = asked;
    for round in 0..ROUNDS {
        let of_worth = |amount| share_bits(amount, worth);
        let row = [uncertainty, i32::from(round) * 256 / i32::from(ROUNDS), of_worth(price), of_worth(bid)];
        let (_, choice) = policy.run(&(StaticTensor::of(&[row])?,))?;
        let gap = Amount(price.min(worth).min(most).0.saturating_sub(bid.0));
        let part = |parts: u128| gap.share(parts, 4, Rounding::Down).unwrap_or_default();
        match choice.read()? {
            [1] if price <= most && price <= worth => return Ok(Ok(Deal { asked, price, rounds: round + 1 })),
            [2] => bid += part(1),
            [3] => bid += part(2),
            // To walk away; or to accept what is more than the owner allows, which is the same.
            _ => return Ok(Err(Outcome::Nothing)),
        }
        match ask(seller, bid)? {
            Ok(next) if next > price => return Ok(Err(Outcome::Banned(Misconduct::Raised))),
            Ok(next) => price = next,
            Err(outcome) => return Ok(Err(outcome)),
        }
        // A bid is within all limits, and so is what is no more than the bid.
        if price <= bid {
            return Ok(Ok(Deal { asked, price, rounds: round + 1 }));
        }
    }
    Ok(Err(Outcome::Nothing))
}

/// What the seller wants, where this is bid.
fn ask(seller: &Address, bid: Amount) -> Result<Result<Amount, Outcome>> {
    enough_gas(1)?;
    Ok(match ForecasterClient::at(seller).with_gas(CALL_GAS).haggle(bid) {
        Ok(ask) => Ok(ask),
        // It does not want to talk.
        Err(CallError::Aborted(_)) => Err(Outcome::Nothing),
        Err(_) => Err(Outcome::Silence),
    })
}

/// Goes on only where a seller can have all of its gas, through so many calls.
pub(crate) fn enough_gas(calls: u64) -> Result<()> {
    ensure!(env::gas_left() > CALL_GAS + calls * OWN_GAS, AgentError::TooLittleGas);
    Ok(())
}

/// Mean change from hour to hour over mean demand, with 8 fraction bits, at most 4.
fn uncertainty(demand: &[Fixed<8>; HOURS]) -> i32 {
    let changes: i64 = demand.windows(2).map(|pair| (pair[1].bits() - pair[0].bits()).abs()).sum();
    let level: i64 = demand.iter().map(|value| value.bits()).sum();
    // Eleven changes, twelve hours.
    let changes = changes * 256 * HOURS as i64 / (HOURS as i64 - 1);
    i32::try_from((changes / level.max(1)).min(4 * 256)).unwrap_or(4 * 256)
}

/// Between what and what the next hour can be: as far outside the last hours as these are apart.
pub(crate) fn plausible(demand: &[Fixed<8>; HOURS]) -> (Fixed<8>, Fixed<8>) {
    let bits = || demand.iter().map(|value| value.bits());
    let (least, most) = (bits().min().unwrap_or(0), bits().max().unwrap_or(0));
    let span = most - least;
    (Fixed::from_bits((least - span).max(0)), Fixed::from_bits(most + span))
}
