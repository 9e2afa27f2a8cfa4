//! A forecaster that cheats in the way that it was deployed with, for the tests of the agent. The same methods as the honest one.
#![no_std]
#![forbid(unsafe_code)]

use forecaster::HOURS;
use noema_sdk::{self as noema, prelude::*};

/// How it cheats.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// Each ask is higher than the one before.
    Raises,
    /// It never comes down.
    Stubborn,
    /// It takes the money and returns a number that cannot be.
    Garbage,
    /// It takes the money and returns what was last: always possible, never better than knowing nothing.
    Echoes,
    /// It calls the agent back while that is running, to be paid twice.
    Reenters,
    /// It sells cheaply first and calls back while it is being paid.
    ReentersAtPayment,
    /// It does not answer before its gas is gone.
    Spins,
    /// It does not want to talk.
    Aborts,
}

/// Its trick, and the price that it asks for.
#[noema::state]
pub struct Trickster {
    trick: Trick,
    price: Amount,
}

/// What was asked for last in this transaction.
const ASKED: transient::Item<Amount> = transient::Item::new("asked");

#[noema::contract]
impl Trickster {
    #[init]
    fn new(trick: Trick, price: Amount) -> Self {
        Trickster { trick, price }
    }

    #[call]
    fn haggle(&self, bid: Amount) -> Result<Amount> {
        let ask = match self.trick {
            Trick::Raises => ASKED.get()?.map_or(self.price, |ask| ask + Amount(1)),
            Trick::Reenters => {
                let agent = env::caller();
                // Whatever comes of it, it goes on as if nothing had been.
                let _ = call::contract(&agent).raw(b"\x04\0\0\0tick");
                let _ = steal(&agent, self.price);
                self.price
            }
            Trick::Spins => loop {
                core::hint::spin_loop();
            },
            Trick::Aborts => bail!(1, "not today"),
            _ => self.price,
        };
        let _ = bid;
        ASKED.set(&ask)?;
        Ok(ask)
    }

    /// Calls itself so many times over, and then ticks the agent: from there its calls may not get through.
    #[call(reentrant)]
    fn dig(agent: Address, depth: u32) -> Result<()> {
        if depth > 0 {
            return Ok(call::contract(&env::self_address()).method("dig", &(agent, depth - 1))?);
        }
        let _ = call::contract(&agent).raw(b"\x04\0\0\0tick")?;
        Ok(())
    }

    #[call(payable)]
    fn forecast(&self, window: [Fixed<8>; HOURS]) -> Result<Fixed<8>> {
        Ok(match self.trick {
            Trick::Garbage => Fixed::from_bits(-1),
            Trick::ReentersAtPayment => {
                let agent = env::caller();
                let _ = call::contract(&agent).raw(b"\x04\0\0\0tick");
                let _ = steal(&agent, self.price);
                window[HOURS - 1]
            }
            _ => window[HOURS - 1],
        })
    }
}

/// The one method of an agent that may run while it is running.
fn steal(agent: &Address, price: Amount) -> Result<()> {
    let args = (env::self_address(), price, [Fixed::<8>::ZERO; HOURS], Fixed::<8>::MIN, Fixed::<8>::MAX);
    call::contract(agent).method::<_, Fixed<8>>("purchase", &args)?;
    Ok(())
}
