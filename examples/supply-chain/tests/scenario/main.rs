//! Whole journeys with the real networks.

mod hostile;
mod world;

use noema_sdk::Amount;
use supply_chain::{ACCEPT_WITHIN_MS, ARBITRATION_MS, Disputed, HOUR_MS, NOBODY, Scored, Settled, Stage};
use world::{BOND, FEES, JOURNEYS, PAID, PRICE, THRESHOLD, World, journey, world};

#[test]
fn goods_travel_and_everybody_is_paid() {
    let mut world = world();
    let [north, south] = world.carriers;
    let readings = journey("good", 0);
    let id = world.picked_up(readings.len() as u64 + 24);
    let started = world.chain.time_ms();
    let change = readings.len() / 2;
    world.drive(north, id, 0, &readings[..change]);
    world.offer(north, id, 1).unwrap();
    world.accept(south, BOND, id, 1).unwrap();
    let worst = world.drive(south, id, change, &readings);
    assert!(worst < THRESHOLD, "{worst}");

    // The forecast is near the truth long before the end, and at the end.
    let shipment = world.shipment(id).unwrap();
    assert_eq!((shipment.posted as usize, shipment.at, shipment.named), (readings.len(), 2, NOBODY));
    let arrived = started + (readings.len() as u64 - 1) * HOUR_MS;
    assert!(shipment.arrival.abs_diff(arrived) <= 3 * HOUR_MS);

    world.offer(south, id, 2).unwrap();
    let done = world.accept(world.buyer, 0, id, 2).unwrap();
    assert_eq!(done.events::<Settled>(), [Settled { shipment: id, at_fault: NOBODY }]);
    assert_eq!((world.gains(), world.shipment(id)), (PAID, None));
    // The contract is as it was: neither money nor entries are left.
    assert_eq!(world.chain.deposit(world.contract).free(), 0);
}

#[test]
fn the_forecast_knows_more_than_distance_and_speed() {
    let mut world = world();
    let (mut ours, mut naive, mut count) = (0.0, 0.0, 0.0);
    for readings in &JOURNEYS["good"] {
        let id = world.picked_up(500);
        let started = world.chain.time_ms();
        for first in (0..readings.len() - 6).step_by(6) {
            world.chain.advance(1, 6 * HOUR_MS);
            let batch = &readings[first..first + 6];
            let signature = None::<[u8; 64]>;
            let first_hour = u32::try_from(first).unwrap();
            let done = world.call::<i32, _>(world.carriers[0], 0, "post", &(id, first_hour, batch, signature)).unwrap();
            let arrived = started + (readings.len() as u64 - 1) * HOUR_MS;
            let events: Vec<Scored> = done.events();
            ours += events[0].arrival.abs_diff(arrived) as f64 / HOUR_MS as f64;
            let seen = &readings[(first + 6usize).saturating_sub(12)..first + 6];
            let speed = seen.iter().map(|reading| reading.driven.bits() as f64).sum::<f64>() / seen.len() as f64;
            let hours = batch[5].to_go.bits() as f64 / speed.max(10.0 * 256.0);
            naive += (hours - (readings.len() - first - 6) as f64).abs();
            count += 1.0;
        }
        world.refill();
    }
    println!("off by {:.2} hours, distance by speed {:.2}", ours / count, naive / count);
    assert!(2.0 * ours < naive, "{ours} {naive}");
}

#[test]
fn a_broken_cold_chain_stops_the_payment_and_names_the_carrier() {
    let mut world = world();
    // This box fails behind hour 14; the carriers change before.
    let readings = journey("failing", failing_late());
    let id = world.delivered(&readings, 6);
    let shipment = world.shipment(id).unwrap();
    assert_eq!(shipment.named, 2);
    let done = world.accept(world.buyer, 0, id, 2).unwrap();
    assert_eq!(done.events::<Disputed>(), [Disputed { shipment: id, default: 2 }]);
    assert_eq!(world.shipment(id).unwrap().stage, Stage::Disputed);
    let arbiter = world.arbiter;
    world.call::<(), _>(arbiter, 0, "rule", &(id, 2u8)).unwrap();
    // The buyer is whole but for the leg that was done well; the second carrier's bond goes to the seller.
    assert_eq!(world.gains(), [-300, BOND as i128, 300, -(BOND as i128), 0]);
}

/// A failing journey that is in order for its first eight hours.
fn failing_late() -> usize {
    let early = |readings: &Vec<_>| {
        let hot = |reading: &supply_chain::Reading| reading.inside.bits() > 7 << 8;
        readings.iter().position(hot).is_some_and(|hour| hour > 13)
    };
    JOURNEYS["failing"].iter().position(early).expect("one of six fails late")
}

#[test]
fn the_arbiter_may_see_it_otherwise_and_so_may_the_buyer() {
    for ruler in ["arbiter", "buyer"] {
        let mut world = world();
        let id = world.delivered(&journey("failing", failing_late()), 6);
        world.accept(world.buyer, 0, id, 2).unwrap();
        let who = if ruler == "buyer" { world.buyer } else { world.arbiter };
        world.call::<(), _>(who, 0, "rule", &(id, NOBODY)).unwrap();
        assert_eq!(world.gains(), PAID, "{ruler}");
    }
}

#[test]
fn without_a_ruling_the_score_stands() {
    for (kind, number, expected) in [
        ("failing", failing_late(), [-300, BOND as i128, 300, -(BOND as i128), 0]),
        // The buyer refuses goods whose journey was in order, and nobody says that it is right.
        ("good", 1, PAID),
    ] {
        let mut world = world();
        let id = world.delivered(&journey(kind, number), 6);
        let buyer = world.buyer;
        world.call::<(), _>(buyer, 0, "refuse", &(id,)).unwrap();
        world.chain.advance(1, ARBITRATION_MS);
        world::refused(world.lapse(id), supply_chain::SupplyError::TooEarly);
        world.chain.advance(1, 1);
        world.lapse(id).unwrap();
        assert_eq!((world.gains(), world.shipment(id)), (expected, None), "{kind}");
    }
}

#[test]
fn what_the_networks_catch_on_chain() {
    let mut caught = Vec::new();
    for (kind, journeys) in JOURNEYS.iter() {
        let mut world = world();
        let scores = journeys.iter().map(|readings| world.worst_score(readings));
        let count = scores.filter(|score| *score >= THRESHOLD).count();
        println!("{kind}: {count} of {}", journeys.len());
        caught.push((kind.as_str(), count));
    }
    for (kind, count) in caught {
        match kind {
            "good" => assert!(count <= 1, "{count} of 6 good journeys"),
            // A good journey's temperatures with another box: nothing in the numbers is wrong.
            "forged" => assert!(count <= 2, "{count} of 6 forged journeys"),
            _ => assert!(count >= 5, "{kind}: {count} of 6"),
        }
    }
}

#[test]
fn every_absence_ends() {
    let all = PRICE + FEES[0] + FEES[1];
    let (price, bond) = (PRICE as i128, BOND as i128);
    let good = journey("good", 0);
    // The seller never offers, or the first carrier never comes.
    for offered in [false, true] {
        let mut world = world();
        let locked = world.chain.deposit(world.contract).locked;
        let id = world.order(10);
        // Price, freight and the deposit are in the contract, and no more.
        let locked = world.chain.deposit(world.contract).locked - locked;
        assert_eq!(world.gains()[0], -((all + locked) as i128));
        if offered {
            world.offer(world.seller, id, 0).unwrap();
        }
        ended(&mut world, id, 10 * HOUR_MS, [0; 5]);
    }
    // The carrier drives away with the goods, or never posts anything: it loses bond and fee, after the arbiter had its time.
    let mut world = self::world();
    let id = world.picked_up(10);
    world.chain.advance(1, 10 * HOUR_MS + 1);
    world.lapse(id).unwrap();
    ended(&mut world, id, ARBITRATION_MS, [0, bond, -bond, 0, 0]);
    // The second carrier does not come: the seller, who chose it, gets no price (and has the goods back), the first one is paid.
    let mut world = self::world();
    let id = world.picked_up(100);
    world.offer(world.carriers[0], id, 1).unwrap();
    world.chain.advance(1, ACCEPT_WITHIN_MS + 1);
    world.lapse(id).unwrap();
    ended(&mut world, id, ARBITRATION_MS, [-300, 0, 300, 0, 0]);
    // The buyer vanishes: everybody is paid all the same.
    let mut world = self::world();
    let id = world.delivered(&good, 6);
    ended(&mut world, id, ACCEPT_WITHIN_MS, [-price - 800, price, 300, 500, 0]);
    // The buyer changes its mind before anything has moved.
    let mut world = self::world();
    let id = world.order(10);
    let buyer = world.buyer;
    world.call::<(), _>(buyer, 0, "cancel", &(id,)).unwrap();
    assert_eq!(world.gains(), [0; 5]);
}

/// After so long, and not before, anybody ends it, and these are the gains.
fn ended(world: &mut World, id: u64, milliseconds: u64, gains: [i128; 5]) {
    world.chain.advance(1, milliseconds);
    world::refused(world.lapse(id), supply_chain::SupplyError::TooEarly);
    world.chain.advance(1, 1);
    world.lapse(id).unwrap();
    assert_eq!((world.gains(), world.shipment(id)), (gains, None));
    assert_eq!(Amount(world.chain.deposit(world.contract).free()), Amount::ZERO);
}
