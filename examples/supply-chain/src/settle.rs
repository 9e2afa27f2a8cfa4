//! Who gets what in the end.

use noema_sdk::prelude::*;

use crate::terms::{NOBODY, Shipment};

/// What everybody gets, if this one is at fault. It is all that the shipment brought, to the unit: price, fees of all legs, bonds of the carriers that have had
/// the goods, and the `deposit` for its entry. Nothing is divided, so nothing is rounded.
///
/// - Nobody at fault: the seller gets the price, each carrier its fee and its bond.
/// - The seller: the buyer gets the price; who has carried is paid.
/// - A carrier: the buyer gets the price and that carrier's fee, the seller, whose goods are lost, its bond; who else has carried is paid.
///
/// The fees of legs to which it never came, and the deposit, go back to the buyer.
#[must_use]
pub fn shares(shipment: &Shipment, at_fault: u8, deposit: Amount) -> Vec<(Address, Amount)> {
    let terms = &shipment.terms;
    let mut buyer = deposit;
    let mut seller = Amount::ZERO;
    let mut shares = Vec::new();
    if at_fault == NOBODY {
        seller += terms.price;
    } else {
        buyer += terms.price;
    }
    for (place, leg) in (1u8..).zip(&terms.legs) {
        if place > shipment.at {
            buyer += leg.fee;
        } else if place == at_fault {
            buyer += leg.fee;
            seller += leg.bond;
        } else {
            shares.push((leg.carrier, leg.fee + leg.bond));
        }
    }
    shares.push((terms.seller, seller));
    shares.push((shipment.buyer, buyer));
    shares.retain(|(_, amount)| !amount.is_zero());
    shares
}

#[cfg(test)]
mod tests {
    use super::shares;
    use crate::{Leg, NOBODY, Shipment, Terms};
    use noema_sdk::{Address, Amount};

    fn shipment(at: u8) -> Shipment {
        let who = |n: u8| Address([n; 32]);
        let leg = |n: u8| Leg { carrier: who(n), fee: Amount(u128::from(n)), bond: Amount(u128::from(n) * 100) };
        let legs = [1, 2, 3].map(leg).to_vec();
        let (seller, arbiter, price) = (who(10), who(11), Amount(10_000));
        let terms = Terms { seller, price, legs, arbiter, sensor: None, deliver_by: 1 };
        Shipment { at, ..Shipment::new(who(12), terms) }
    }

    #[test]
    fn all_that_came_in_goes_out_and_innocents_are_paid() {
        for at in 0..=3u8 {
            let shipment = shipment(at);
            let bonds: u128 = (1..=u128::from(at)).map(|place| place * 100).sum();
            for at_fault in (0..=at).chain([NOBODY]) {
                let shares = shares(&shipment, at_fault, Amount(7));
                assert_eq!(shares.iter().map(|share| share.1.0).sum::<u128>(), 10_000 + 6 + 7 + bonds);
                let of = |n: u8| shares.iter().filter(|s| s.0 == Address([n; 32])).map(|s| s.1.0).sum::<u128>();
                for place in 1..=3 {
                    let paid = if place > at || place == at_fault { 0 } else { u128::from(place) * 101 };
                    assert_eq!(of(place), paid, "carrier {place} of {at}, {at_fault} at fault");
                }
                let lost = if (1..=3).contains(&at_fault) { u128::from(at_fault) * 100 } else { 0 };
                assert_eq!(of(10), if at_fault == NOBODY { 10_000 } else { lost });
            }
        }
    }
}
