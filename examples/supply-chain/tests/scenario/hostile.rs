//! What people try, and what they get.

use ed25519_zebra::SigningKey;
use noema_sdk::{Address, Amount, Fixed, code};
use noema_testing::Failure;
use proptest::prelude::*;
use supply_chain::{ACCEPT_WITHIN_MS, ARBITRATION_MS, HOUR_MS, Leg, NOBODY, Reading, SupplyError, Terms};

use crate::world::{BOND, CHANGE, FEES, JOURNEYS, PRICE, THRESHOLD, World, journey, refused, world};

#[test]
fn forged_custody() {
    let mut world = world();
    let ([north, south], eve, seller) = (world.carriers, world.eve, world.seller);
    let id = world.order(100);
    // Nobody takes what was not offered, nobody offers what they do not have.
    refused(world.accept(north, BOND, id, 0), SupplyError::WrongStage);
    for thief in [eve, north, world.buyer, world.arbiter] {
        refused(world.offer(thief, id, 0), SupplyError::NotYours);
    }
    world.offer(seller, id, 0).unwrap();
    // Only the next on the route takes it: not a stranger, not a later carrier, not the buyer in passing over the carriers.
    for thief in [eve, south, world.buyer, seller] {
        refused(world.accept(thief, BOND, id, 0), SupplyError::NotYours);
    }
    refused(world.accept(north, BOND - 1, id, 0), SupplyError::WrongValue);
    world.accept(north, BOND, id, 0).unwrap();
    // A hand-over that was is not used again: neither side's old transaction fits.
    refused(world.offer(seller, id, 0), SupplyError::NotYours);
    refused(world.offer(north, id, 0), SupplyError::WrongStage);
    refused(world.accept(north, BOND, id, 0), SupplyError::WrongStage);
    world.offer(north, id, 1).unwrap();
    refused(world.accept(south, BOND, id, 0), SupplyError::WrongStage);
    world.accept(south, BOND, id, 1).unwrap();
    // Who has handed over answers for nothing that comes later, and says nothing any more.
    refused(world.post(north, id, 0, &journey("good", 0)[..1]), SupplyError::NotYours);
}

#[test]
fn readings_are_neither_replayed_nor_skipped_nor_made_up_in_advance() {
    let mut world = world();
    let [north, _] = world.carriers;
    let readings = journey("good", 0);
    let id = world.picked_up(100);
    // The first hour is now; the second has not come.
    refused(world.post(north, id, 0, &readings[..2]), SupplyError::FromTheFuture);
    world.post(north, id, 0, &readings[..1]).unwrap();
    world.chain.advance(1, 6 * HOUR_MS);
    refused(world.post(north, id, 0, &readings[..1]), SupplyError::AlreadyPosted);
    refused(world.post(north, id, 2, &readings[2..4]), SupplyError::ReadingsMissing);
    refused(world.post(north, id, u32::MAX, &readings[2..4]), SupplyError::ReadingsMissing);
    refused(world.post(north, id, 1, &readings[1..8]), SupplyError::BadReading);
    refused(world.post(north, id, 1, &[]), SupplyError::BadReading);
    let absurd = Reading { inside: Fixed::MAX, ..readings[1] };
    refused(world.post(north, id, 1, &[absurd]), SupplyError::BadReading);
    refused(world.post(world.eve, id, 1, &readings[1..2]), SupplyError::NotYours);
    // Who keeps bad hours back cannot hand over.
    refused(world.offer(north, id, 1), SupplyError::ReadingsMissing);
    world.post(north, id, 1, &readings[1..7]).unwrap();
    world.offer(north, id, 1).unwrap();
}

#[test]
fn a_sensor_signs_for_one_hour_of_one_shipment_at_one_contract() {
    let mut world = world();
    world.sensor = Some(SigningKey::from([7; 32]));
    let north = world.carriers[0];
    let readings = journey("good", 0);
    let [id, other] = [world.picked_up(100), world.picked_up(100)];
    world.chain.advance(1, 12 * HOUR_MS);
    let signed = world.sign(id, 0, &readings[..6]).unwrap();
    let post = |world: &mut World, id: u64, first: u32, readings: &[Reading], signature: Option<[u8; 64]>| {
        world.call::<i32, _>(north, 0, "post", &(id, first, readings, signature)).map(|_| ())
    };
    refused(post(&mut world, id, 0, &readings[..6], None), SupplyError::BadSignature);
    refused(post(&mut world, other, 0, &readings[..6], Some(signed)), SupplyError::BadSignature);
    refused(post(&mut world, id, 0, &readings[..5], Some(signed)), SupplyError::BadSignature);
    // One number, by its last bit.
    let mut changed = readings[..6].to_vec();
    changed[3].inside = Fixed::from_bits(changed[3].inside.bits() ^ 1);
    refused(post(&mut world, id, 0, &changed, Some(signed)), SupplyError::BadSignature);
    post(&mut world, id, 0, &readings[..6], Some(signed)).unwrap();
    // The same box six hours later has not signed these.
    refused(post(&mut world, id, 6, &readings[..6], Some(signed)), SupplyError::BadSignature);
}

/// Without a sensor that signs, a carrier can post what it likes. Averaged readings of a failing box are seen, because a box that answers to neither door nor
/// sun is not a box; temperatures of another, good journey are not.
#[test]
fn a_carrier_that_smooths_is_seen_and_one_that_forges_well_is_not() {
    let mut world = world();
    let seen = |world: &mut World, kind: &str| {
        let scores = JOURNEYS[kind].iter().map(|readings| world.worst_score(readings));
        scores.filter(|score| *score >= THRESHOLD).count()
    };
    let (smoothed, forged) = (seen(&mut world, "smoothed"), seen(&mut world, "forged"));
    assert!(smoothed >= 5 && forged <= 2, "{smoothed} {forged} of 6");
    // With one, the carrier that forges has nothing to post: see `a_sensor_signs_for_one_hour_of_one_shipment_at_one_contract`.
}

#[test]
fn a_carrier_that_is_far_away_does_not_deliver_to_a_buyer_that_has_vanished() {
    let mut world = world();
    let [north, south] = world.carriers;
    let readings = journey("good", 0);
    let id = world.picked_up(100);
    world.offer(north, id, 1).unwrap();
    world.accept(south, BOND, id, 1).unwrap();
    refused(world.offer(south, id, 2), SupplyError::StillFar);
    world.drive(south, id, 0, &readings[..12]);
    refused(world.offer(south, id, 2), SupplyError::StillFar);
}

#[test]
fn only_the_arbiter_rules_and_only_about_who_had_the_goods() {
    let mut world = world();
    let [north, _] = world.carriers;
    let id = world.picked_up(10);
    let rule = |world: &mut World, from: Address, at_fault: u8| {
        world.call::<(), _>(from, 0, "rule", &(id, at_fault)).map(|_| ())
    };
    let arbiter = world.arbiter;
    refused(rule(&mut world, arbiter, 1), SupplyError::WrongStage);
    world.chain.advance(1, 10 * HOUR_MS + 1);
    world.lapse(id).unwrap();
    for other in [world.eve, world.seller, north] {
        refused(rule(&mut world, other, NOBODY), SupplyError::NotYours);
    }
    let buyer = world.buyer;
    refused(rule(&mut world, buyer, 1), SupplyError::NotYours);
    // The second carrier never had them.
    refused(rule(&mut world, arbiter, 2), SupplyError::NotOnRoute);
    world.chain.advance(1, ARBITRATION_MS + 1);
    refused(rule(&mut world, arbiter, 0), SupplyError::TooLate);
}

#[test]
fn terms_that_somebody_would_gain_by_breaking_are_refused() {
    let mut world = world();
    let good = world.terms(100);
    let cases: [fn(&mut Terms, &World); 8] = [
        |terms, _| terms.legs.clear(),
        |terms, _| terms.legs = vec![terms.legs[0].clone(); 9],
        |terms, world| terms.arbiter = world.buyer,
        |terms, _| terms.arbiter = terms.seller,
        |terms, _| terms.arbiter = terms.legs[1].carrier,
        |terms, world| terms.seller = world.buyer,
        // The seller would gain by the carrier's misfortune.
        |terms, _| terms.legs[0].bond = Amount(PRICE + 1),
        |terms, world| terms.deliver_by = world.chain.time_ms(),
    ];
    for case in cases {
        let mut terms = good.clone();
        case(&mut terms, &world);
        let buyer = world.buyer;
        refused(world.call::<u64, _>(buyer, 50_000, "order", &(terms,)), SupplyError::BadTerms);
    }
    // Fees that add up to less than nothing.
    let mut terms = good;
    terms.legs[0].fee = Amount(u128::MAX);
    let buyer = world.buyer;
    refused(world.call::<u64, _>(buyer, 50_000, "order", &(terms,)), SupplyError::BadTerms);
}

/// Griefing: entries take a deposit out of the contract's balance, which is other people's escrow. So each order brings its own.
#[test]
fn worthless_orders_do_not_lock_what_others_have_in_escrow() {
    let mut world = world();
    let id = world.order(1_000);
    let eve = world.eve;
    let nothing = Terms {
        seller: world.seller,
        price: Amount::ZERO,
        legs: vec![Leg { carrier: world.carriers[0], fee: Amount::ZERO, bond: Amount::ZERO }],
        arbiter: world.arbiter,
        sensor: None,
        deliver_by: u64::MAX,
    };
    for value in [0, 1, 1_000] {
        let poor = world.call::<u64, _>(eve, value, "order", &(&nothing,)).unwrap_err();
        assert_eq!(poor.code(), Some(code::UNDERPAID), "{poor}");
    }
    world.call::<u64, _>(eve, CHANGE, "order", &(&nothing,)).unwrap();
    let buyer = world.buyer;
    world.call::<(), _>(buyer, 0, "cancel", &(id,)).unwrap();
    assert_eq!(world.gains(), [0; 5]);
}

#[test]
fn a_call_that_runs_out_of_gas_leaves_nothing() {
    let mut world = world();
    let readings = journey("good", 0);
    let id = world.picked_up(100);
    let (contract, north) = (world.contract, world.carriers[0]);
    let args = (id, 0u32, &readings[..1], None::<[u8; 64]>);
    world.chain.at(contract).from(north).call_starved::<i32, _>(12, "post", &args).unwrap();
}

/// What somebody does at some time.
#[derive(Clone, Debug)]
enum Step {
    Order,
    Offer(usize, u8),
    Accept(usize, u8),
    Post(usize, bool),
    Cancel(usize),
    Refuse,
    Rule(u8),
    Lapse,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = prop_oneof![0u8..4, Just(NOBODY)];
    prop_oneof![
        1 => Just(Step::Order),
        6 => (0usize..4, 0u8..4).prop_map(|(who, hand_over)| Step::Offer(who, hand_over)),
        6 => (0usize..4, 0u8..4).prop_map(|(who, hand_over)| Step::Accept(who, hand_over)),
        4 => (0usize..4, any::<bool>()).prop_map(|(who, good)| Step::Post(who, good)),
        1 => (0usize..4).prop_map(Step::Cancel),
        1 => Just(Step::Refuse),
        2 => place.prop_map(Step::Rule),
        2 => Just(Step::Lapse),
        3 => prop_oneof![0u64..4, Just(49), Just(200)].prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever anybody does, the contract has what the books say, nobody gains out of nothing, and when everybody has gone away and time has passed, all
    /// money is back with somebody.
    #[test]
    fn money_is_conserved_and_comes_back(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = world();
        let [north, south] = world.carriers;
        let people = [world.seller, north, south, world.buyer];
        let (base, arbiter, buyer) = (world.chain.balance(world.contract), world.arbiter, world.buyer);
        // What is in the contract for each shipment that is not settled.
        let mut books: Vec<u128> = Vec::new();
        for step in steps.iter().chain([&Step::Offer(0, 0), &Step::Accept(1, 0)]) {
            let id = (books.len() as u64).saturating_sub(1);
            let done: Result<u128, Failure> = match *step {
                Step::Order if world.chain.balance(buyer) > 40_000 => {
                    let locked = world.chain.deposit(world.contract).locked;
                    world.order(60);
                    let deposit = world.chain.deposit(world.contract).locked - locked;
                    books.push(PRICE + FEES[0] + FEES[1] + deposit);
                    Ok(0)
                }
                Step::Order => Ok(0),
                Step::Offer(who, hand_over) => world.offer(people[who], id, hand_over).map(|()| 0),
                Step::Accept(who, hand_over) => {
                    let value = if who == 3 { 0 } else { BOND };
                    world.accept(people[who], value, id, hand_over).map(|_| value)
                }
                Step::Post(who, good) => {
                    let posted = world.shipment(id).map_or(0, |shipment| shipment.posted);
                    let mut reading = journey("good", 0)[0];
                    reading.to_go = Fixed::ZERO;
                    if !good {
                        reading.inside = Fixed::from_int(40).unwrap();
                    }
                    world.post(people[who], id, posted, &[reading]).map(|_| 0)
                }
                Step::Cancel(who) => world.call::<(), _>(people[who], 0, "cancel", &(id,)).map(|_| 0),
                Step::Refuse => world.call::<(), _>(buyer, 0, "refuse", &(id,)).map(|_| 0),
                Step::Rule(at_fault) => world.call::<(), _>(arbiter, 0, "rule", &(id, at_fault)).map(|_| 0),
                Step::Lapse => world.lapse(id).map(|()| 0),
                Step::Wait(hours) => {
                    world.chain.advance(1, hours * HOUR_MS);
                    Ok(0)
                }
            };
            if let (Ok(value), false) = (&done, books.is_empty()) {
                let at = books.len() - 1;
                let id = at as u64;
                books[at] = if world.shipment(id).is_some() { books[at] + value } else { 0 };
            }
            prop_assert_eq!(world.chain.balance(world.contract), base + books.iter().sum::<u128>(), "{:?} {:?}", step, done);
            prop_assert_eq!(
                world.gains().iter().sum::<i128>() + i128::try_from(books.iter().sum::<u128>()).unwrap(), 0, "{:?}", step
            );
        }
        // Everybody has gone away.
        for _ in 0..3 {
            world.chain.advance(1, 60 * HOUR_MS + ACCEPT_WITHIN_MS + ARBITRATION_MS);
            for id in 0..books.len() as u64 {
                let _ = world.lapse(id);
            }
        }
        prop_assert_eq!((world.chain.balance(world.contract), world.gains().iter().sum::<i128>()), (base, 0));
    }
}
