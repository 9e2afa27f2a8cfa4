//! Holds end: by their sender, by reviewers, or by themselves.

use fraud_screening::holds::{End, MOST_HOLDS};
use fraud_screening::{Ended, FraudError, Outcome};

use crate::world::{DAY_MS, RULES, World, refused};

const LOOT: u128 = 300_000;

/// Alice's transfer to somebody new is held.
fn held() -> (World, u64) {
    let mut world = World::with_a_past(RULES);
    let id = world.hold("alice", "dealer", LOOT);
    (world, id)
}

#[test]
fn nobodys_absence_locks_money() {
    let (mut world, id) = held();
    let rest = world.balance("alice");
    let alice = world.who("alice");
    world.call::<()>("alice", "appeal", &(alice, id, "a car")).unwrap();
    world.chain.advance(1, RULES.hold_ms - 1);
    assert_eq!((world.balance("alice"), world.holds("alice").len()), (rest, 1));
    // The reviewers are on holiday. The last millisecond passes, and nobody does anything:
    world.chain.next_block(1);
    assert_eq!((world.balance("alice"), world.holds("alice").len()), (rest + LOOT, 0));
    // what is hers can be spent at once, more of it than was not held.
    let done = world.try_pay("alice", "bob", 1_000).unwrap();
    assert_eq!(done.events::<Ended>()[0].end, End::Expired);
    assert_eq!(world.balance("alice"), rest + LOOT - 1_000);
    // Too late for anybody to decide.
    refused(world.call::<Option<End>>("rita", "review", &(alice, id, true)), FraudError::NotThere);
}

#[test]
fn what_expired_cannot_be_decided_or_paid_twice() {
    let (mut world, id) = held();
    let alice = world.who("alice");
    world.call::<()>("alice", "appeal", &(alice, id, "a car")).unwrap();
    world.call::<Option<End>>("rita", "review", &(alice, id, true)).unwrap();
    world.chain.advance(1, RULES.hold_ms);
    let whole = world.balance("alice");
    // Still in the storage, and over all the same.
    refused(world.call::<Option<End>>("rob", "review", &(alice, id, true)), FraudError::Over);
    refused(world.call::<()>("dealer", "appeal", &(alice, id, "late")), FraudError::Over);
    world.call::<()>("passer-by", "sweep", &(alice,)).unwrap();
    world.call::<()>("passer-by", "sweep", &(alice,)).unwrap();
    assert_eq!(world.balance("alice"), whole);
    refused(world.call::<()>("alice", "cancel", &(id,)), FraudError::NotThere);
}

#[test]
fn reviewers_release_what_is_in_order() {
    let (mut world, id) = held();
    let alice = world.who("alice");
    world.call::<()>("dealer", "appeal", &(alice, id, "invoice 17, a car")).unwrap();
    assert_eq!(world.holds("alice")[0].1.appeal.as_deref(), Some("invoice 17, a car"));
    assert_eq!(world.call::<Option<End>>("rita", "review", &(alice, id, true)).unwrap().value, None);
    assert_eq!(world.call::<Option<End>>("rob", "review", &(alice, id, false)).unwrap().value, None);
    let done = world.call::<Option<End>>("ron", "review", &(alice, id, true)).unwrap();
    assert_eq!(done.value, Some(End::Released));
    assert_eq!(world.balance("dealer"), LOOT);
    // Replay: the hold is gone.
    refused(world.call::<Option<End>>("ron", "review", &(alice, id, true)), FraudError::NotThere);
    refused(world.call::<()>("alice", "cancel", &(id,)), FraudError::NotThere);
}

#[test]
fn reviewers_give_back_what_is_not() {
    let (mut world, id) = held();
    let (alice, rest) = (world.who("alice"), world.balance("alice"));
    world.call::<()>("dealer", "appeal", &(alice, id, "trust me")).unwrap();
    for (reviewer, end) in [("rita", None), ("rob", Some(End::Refused))] {
        assert_eq!(world.call::<Option<End>>(reviewer, "review", &(alice, id, false)).unwrap().value, end);
    }
    assert_eq!((world.balance("alice"), world.balance("dealer")), (rest + LOOT, 0));
    // It was never paid, and does not count as received: her history is as before.
    let account: Option<fraud_screening::history::Account> = world.view("account", &(alice,));
    assert!(account.unwrap().hours.iter().all(|hour| hour.received.0 < LOOT));
}

#[test]
fn only_who_may_decides() {
    let (mut world, id) = held();
    let alice = world.who("alice");
    let review = |world: &mut World, who: &str| world.call::<Option<End>>(who, "review", &(alice, id, true));
    refused(review(&mut world, "rita"), FraudError::NoAppeal);
    refused(world.call::<()>("mule", "appeal", &(alice, id, "mine")), FraudError::NotYours);
    refused(world.call::<()>("alice", "appeal", &(alice, id, "x".repeat(201))), FraudError::ReasonTooLong);
    world.call::<()>("alice", "appeal", &(alice, id, "a car")).unwrap();
    refused(world.call::<()>("dealer", "appeal", &(alice, id, "another reason")), FraudError::AppealedAlready);
    assert_eq!(review(&mut world, "alice").unwrap_err().code(), Some(noema_sdk::code::MISSING_ROLE));
    review(&mut world, "rita").unwrap();
    refused(review(&mut world, "rita"), FraudError::VotedAlready);
    // Somebody else's number is nobody's.
    refused(world.call::<()>("bob", "cancel", &(id,)), FraudError::NotThere);
    // A reviewer's own transfer is decided by the others.
    world.issue("rita", 400_000);
    world.chain.advance(10, DAY_MS);
    let own = world.hold("rita", "thief", 390_000);
    let rita = world.who("rita");
    world.call::<()>("rita", "appeal", &(rita, own, "please")).unwrap();
    refused(world.call::<Option<End>>("rita", "review", &(rita, own, true)), FraudError::OwnCase);
}

#[test]
fn a_sender_has_a_bounded_number_of_holds() {
    let mut world = World::with_a_past(RULES);
    world.hold("alice", "thief", LOOT);
    for _ in 1..MOST_HOLDS {
        world.chain.next_block(1_000);
        world.hold("alice", "thief", 2_000);
    }
    refused(world.try_pay("alice", "thief", 2_000), FraudError::TooManyHolds);
    world.chain.advance(1, RULES.hold_ms);
    assert!(matches!(world.pay("alice", "bob", 1_000), Outcome::Settled));
    assert_eq!(world.holds("alice"), []);
}
