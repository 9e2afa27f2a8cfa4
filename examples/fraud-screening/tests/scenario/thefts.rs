//! What thieves try, and what they could do to others.

use fraud_screening::scoring::{CERTAIN, Models};
use fraud_screening::{FraudError, Outcome};
use noema_testing::{Address, linear_classifier};

use crate::world::{HOUR_MS, RULES, WASM, World, refused};

#[test]
fn theft_a_takeover_is_held() {
    let mut world = World::with_a_past(RULES);
    let has = world.balance("alice");
    world.hold("alice", "thief", has * 9 / 10);
    assert_eq!((world.balance("thief"), world.balance("alice")), (5_000, has - has * 9 / 10));
    // Everyday life goes on meanwhile.
    world.chain.advance(100, 8 * HOUR_MS);
    assert_eq!(world.pay("alice", "shop", 3_300), Outcome::Settled);
}

#[test]
fn splitting_a_theft_into_small_transfers_is_caught() {
    let mut world = World::with_a_past(RULES);
    let has = world.balance("alice");
    let pieces = 30;
    let piece = has * 9 / 10 / pieces;
    let (mut settled, mut held, mut refused) = (0, 0, 0);
    for _ in 0..pieces {
        world.chain.advance(10, 4 * 60_000);
        match world.try_pay("alice", "thief", piece).map(|done| done.value) {
            Ok(Outcome::Settled) => settled += 1,
            Ok(Outcome::Held(_)) => held += 1,
            Err(failure) => {
                assert_eq!(failure.code(), Some(FraudError::TooManyHolds.code()));
                refused += 1;
            }
        }
    }
    println!("of {pieces} pieces of {piece} {settled} settled, {held} held, {refused} refused");
    // Each piece alone is what an account of this kind may well pay; together they are not.
    assert!((1..=4).contains(&settled) && held + refused == pieces - settled);
    assert_eq!(world.balance("thief"), 5_000 + settled * piece);
    // Patience gets a thief further, at a price: one piece an hour for another day, with what is held taken back each time.
    let mut patient = 0;
    for _ in 0..24 {
        world.chain.advance(100, HOUR_MS);
        for (id, _) in world.holds("alice") {
            world.call::<()>("alice", "cancel", &(id,)).unwrap();
        }
        patient += u128::from(world.pay("alice", "thief", piece) == Outcome::Settled);
    }
    println!("of 24 pieces, one an hour, {patient} settled");
    assert!(settled + patient <= pieces / 2);
}

#[test]
fn a_sender_cannot_say_what_the_models_see() {
    let mut world = World::with_a_past(RULES);
    let has = world.balance("alice");
    // Recipient and amount are all there is to say: more bytes are no argument of the method.
    let thief = world.who("thief");
    let wrong = world.call::<Outcome>("alice", "transfer", &(thief, has / 2, [0i32; 13]));
    assert_eq!(wrong.unwrap_err().code(), Some(noema_sdk::code::BAD_INPUT));
    // A first cent makes nobody a known recipient: what counts is how much was paid.
    let before = world.chain.snapshot();
    let cold = world.scored("alice", "thief", has * 9 / 10);
    world.chain.restore(&before);
    world.pay("alice", "thief", 1);
    let warmed = world.scored("alice", "thief", has * 9 / 10);
    assert!(matches!((cold.outcome, warmed.outcome), (Outcome::Held(_), Outcome::Held(_))));
    // A hold that is taken back leaves its trace in the counts, and none in what is usual.
    let Outcome::Held(id) = warmed.outcome else { unreachable!() };
    world.call::<()>("alice", "cancel", &(id,)).unwrap();
    let again = world.scored("alice", "thief", has * 9 / 10);
    assert_eq!(again.features[3], warmed.features[3] + 256);
    assert_eq!(again.features[11], warmed.features[11]);
}

#[test]
fn griefing_dust_makes_nobody_suspicious() {
    let mut world = World::with_a_past(RULES);
    world.issue("griefer", 100_000);
    let before = world.chain.snapshot();
    let clean = world.scored("alice", "shop", 4_000);
    world.chain.restore(&before);
    for _ in 0..60 {
        let _ = world.try_pay("griefer", "alice", 1);
        let _ = world.try_pay("griefer", "shop", 1);
    }
    let dusted = world.scored("alice", "shop", 4_000);
    assert_eq!((clean.outcome, dusted.outcome), (Outcome::Settled, Outcome::Settled));
    // Only the sum that Alice has received has changed, and by a few cents.
    let differ: Vec<_> = (0..13).filter(|i| clean.features[*i] != dusted.features[*i]).collect();
    assert!(differ.iter().all(|feature| [1, 9].contains(feature)), "{differ:?}");
}

#[test]
fn a_model_that_is_none_is_refused() {
    let mut world = World::new(RULES);
    let (good, issuer) = (world.models, world.issuer);
    let other = world.chain.add_model(&linear_classifier(&[&[1, 2], &[-1, 0]], &[0, 5])).unwrap();
    let names: Vec<Address> = vec![world.who("ann"), world.who("ben")];
    for models in [
        Models { trees: other, ..good },
        Models { network: other, ..good },
        Models { network: noema_testing::Hash([9; 32]), ..good },
    ] {
        let deployed = world.chain.deploy(issuer, &WASM, &(RULES, models, names.clone(), names.clone()));
        refused(deployed, FraudError::UnfitModel);
    }
    let dear = fraud_screening::Rules { most_gas: 1, ..RULES };
    refused(world.chain.deploy(issuer, &WASM, &(dear, good, names.clone(), names.clone())), FraudError::UnfitModel);
    for rules in [
        fraud_screening::Rules { member_quorum: 3, ..RULES },
        fraud_screening::Rules { reviewer_quorum: 0, ..RULES },
        fraud_screening::Rules { hold_ms: 0, ..RULES },
        fraud_screening::Rules { delay_ms: RULES.proposal_ms, ..RULES },
        fraud_screening::Rules { hold_from: -1, ..RULES },
    ] {
        let deployed = world.chain.deploy(issuer, &WASM, &(rules, good, names.clone(), names.clone()));
        refused(deployed, FraudError::BadRules);
    }
    // The same name twice is one member.
    let twice = vec![names[0], names[0]];
    refused(world.chain.deploy(issuer, &WASM, &(RULES, good, twice, names)), FraudError::BadRules);
}

#[test]
fn a_model_that_is_taken_away_locks_nothing_and_lets_nothing_through() {
    let mut world = World::with_a_past(RULES);
    world.chain.withdraw_model(world.models.network).unwrap();
    let scored = world.scored("alice", "shop", 3_000);
    assert_eq!(scored.scores.network, CERTAIN);
    let Outcome::Held(id) = scored.outcome else { panic!("what nobody scored was settled") };
    // People decide until there are models again.
    let alice = world.who("alice");
    world.call::<()>("shop", "appeal", &(alice, id, "rent")).unwrap();
    for reviewer in ["rita", "ron"] {
        world.call::<Option<fraud_screening::holds::End>>(reviewer, "review", &(alice, id, true)).unwrap();
    }
    assert_eq!(world.holds("alice"), []);
}

#[test]
fn too_little_gas_settles_nothing_unscored() {
    let mut world = World::with_a_past(RULES);
    let (alice, shop) = (world.who("alice"), world.who("shop"));
    let done =
        world.chain.at(world.contract).from(alice).call_starved::<Outcome, _>(60, "transfer", &(shop, 3_000u128));
    assert_eq!(done.unwrap().value, Outcome::Settled);
}
