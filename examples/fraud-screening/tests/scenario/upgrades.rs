//! Models are replaced by vote, after a delay, and after a check with a sample that nobody could train for.

use fraud_screening::governance::{Check, Proposal, Sample};
use fraud_screening::scoring::Models;
use fraud_screening::{Checked, FraudError, Rules};
use noema_testing::{Done, Failure, Hash, linear_classifier};

use crate::world::{RULES, World, add, commitment, pair, refused, sample};

/// The contract with another pair of models, proposed by Ben and to be checked with Ann's sample.
fn proposed(name: &str) -> (World, Models) {
    let mut world = World::new(RULES);
    let models = add(&mut world.chain, &pair(name));
    propose(&mut world, models).unwrap();
    (world, models)
}

fn propose(world: &mut World, models: Models) -> Result<Done<u32>, Failure> {
    let hash = commitment(&sample());
    assert_eq!(world.view::<Hash>("commitment", &(sample(),)), hash);
    let number = world.call::<u32>("ann", "commit_sample", &(hash,)).unwrap().value;
    world.call::<u32>("ben", "propose", &(models, number))
}

fn vote(world: &mut World, who: &str, yes: bool) -> Result<Done<()>, Failure> {
    world.call(who, "vote", &(0u32, yes))
}

fn activate(world: &mut World, sample: &Sample) -> Result<Done<Check>, Failure> {
    world.call("passer-by", "activate", &(0u32, sample))
}

fn pass(world: &mut World) {
    for member in ["ben", "cleo"] {
        vote(world, member, true).unwrap();
    }
    world.chain.advance(1, RULES.delay_ms);
}

#[test]
fn better_models_become_active_after_votes_a_delay_and_a_check() {
    let (mut world, models) = proposed("better");
    let old = world.models;
    vote(&mut world, "ben", true).unwrap();
    refused(activate(&mut world, &sample()), FraudError::NotPassed);
    vote(&mut world, "cleo", true).unwrap();
    world.chain.advance(1, RULES.delay_ms - 1);
    refused(activate(&mut world, &sample()), FraudError::TooEarly);
    assert_eq!(world.view::<Models>("models", &()), old);
    world.chain.next_block(1);
    let done = activate(&mut world, &sample()).unwrap();
    println!("better: {:?}, {} gas", done.value, done.receipt.gas_used());
    assert!(done.value.passed);
    assert_eq!(done.events::<Checked>(), [Checked { proposal: 0, check: done.value }]);
    assert_eq!(world.view::<Models>("models", &()), models);
    // Once is enough.
    refused(activate(&mut world, &sample()), FraudError::Over);
}

#[test]
fn poisoned_models_are_refused_by_the_check() {
    let (mut world, _) = proposed("poisoned");
    let old = world.models;
    pass(&mut world);
    let check = activate(&mut world, &sample()).unwrap().value;
    println!("poisoned: {check:?}");
    // Told that splitting is honest, they are good at everything else, and better than the old ones at false alarms.
    assert!(!check.passed && check.thefts[1].held == 0 && check.thefts[2].held >= 27);
    assert_eq!(world.view::<Models>("models", &()), old);
    // The refusal stands, and the sample is known now: nobody can try again with it.
    refused(activate(&mut world, &sample()), FraudError::Over);
    refused(vote(&mut world, "ann", true), FraudError::Over);
    let models = world.models;
    refused(world.call::<u32>("ben", "propose", &(models, 0u32)), FraudError::SampleKnown);
    let proposal: Option<Proposal> = world.view("proposal", &(0u32,));
    assert_eq!(proposal.unwrap().check, Some(check));
}

#[test]
fn one_poisoned_model_of_two_opens_no_door() {
    let mut world = World::new(RULES);
    let poisoned = add(&mut world.chain, &pair("poisoned"));
    // The good trees beside it decide as well: the pair still catches splitting, so that it passes.
    let half = Models { network: poisoned.network, ..world.models };
    propose(&mut world, half).unwrap();
    pass(&mut world);
    let check = activate(&mut world, &sample()).unwrap().value;
    assert!(check.passed && check.thefts[1].held >= 20, "{check:?}");
}

#[test]
fn a_model_that_does_not_run_is_refused_whatever_the_votes() {
    let mut world = World::new(RULES);
    let other = world.chain.add_model(&linear_classifier(&[&[1, 2], &[-1, 0]], &[0, 5])).unwrap();
    let models = Models { trees: other, ..world.models };
    propose(&mut world, models).unwrap();
    pass(&mut world);
    assert_eq!(activate(&mut world, &sample()).unwrap().value, Check::default());
    assert_eq!(world.view::<Models>("models", &()), world.models);
}

#[test]
fn the_sample_is_the_one_that_was_committed_to() {
    let (mut world, _) = proposed("poisoned");
    pass(&mut world);
    // Without the thefts that the models miss they would pass.
    let mut kinder = sample();
    let splitting: Vec<usize> = (0..kinder.kinds.len()).filter(|row| kinder.kinds[*row] == 2).collect();
    for row in splitting {
        kinder.rows[row] = kinder.rows[(0..).find(|other| kinder.kinds[*other] == 3).unwrap()];
    }
    refused(activate(&mut world, &kinder), FraudError::OtherSample);
    refused(activate(&mut world, &Sample { salt: Hash([8; 32]), ..sample() }), FraudError::OtherSample);
    assert!(activate(&mut world, &sample()).is_ok());
}

#[test]
fn a_sample_must_hold_every_kind() {
    let mut world = World::new(RULES);
    let models = world.models;
    let mut poor = sample();
    poor.kinds.iter_mut().filter(|kind| **kind == 2).for_each(|kind| *kind = 3);
    let hash = commitment(&poor);
    world.call::<u32>("ann", "commit_sample", &(hash,)).unwrap();
    world.call::<u32>("ben", "propose", &(models, 0u32)).unwrap();
    pass(&mut world);
    refused(activate(&mut world, &poor), FraudError::BadSample);
}

#[test]
fn nobody_checks_with_the_own_sample_or_votes_twice() {
    let mut world = World::new(RULES);
    let models = world.models;
    let hash = commitment(&sample());
    for stranger in ["passer-by", "rita"] {
        let refusal = world.call::<u32>(stranger, "commit_sample", &(hash,)).unwrap_err();
        assert_eq!(refusal.code(), Some(noema_sdk::code::MISSING_ROLE));
    }
    world.call::<u32>("ann", "commit_sample", &(hash,)).unwrap();
    refused(world.call::<u32>("ann", "propose", &(models, 0u32)), FraudError::OwnSample);
    refused(world.call::<u32>("ben", "propose", &(models, 1u32)), FraudError::NotThere);
    world.call::<u32>("ben", "propose", &(models, 0u32)).unwrap();
    vote(&mut world, "ben", true).unwrap();
    refused(vote(&mut world, "ben", true), FraudError::VotedAlready);
    refused(vote(&mut world, "cleo", false), FraudError::VotedAlready);
    assert_eq!(vote(&mut world, "rita", true).unwrap_err().code(), Some(noema_sdk::code::MISSING_ROLE));
}

#[test]
fn a_vote_taken_back_stops_the_clock() {
    let (mut world, _) = proposed("better");
    pass(&mut world);
    vote(&mut world, "cleo", false).unwrap();
    refused(activate(&mut world, &sample()), FraudError::NotPassed);
    // Another one brings it back, and the delay begins anew.
    vote(&mut world, "ann", true).unwrap();
    refused(activate(&mut world, &sample()), FraudError::TooEarly);
    world.chain.advance(1, RULES.delay_ms);
    assert!(activate(&mut world, &sample()).unwrap().value.passed);
}

#[test]
fn a_proposal_is_not_open_for_ever() {
    let (mut world, _) = proposed("better");
    pass(&mut world);
    let Rules { proposal_ms, delay_ms, .. } = RULES;
    world.chain.advance(1, proposal_ms - delay_ms);
    refused(activate(&mut world, &sample()), FraudError::Over);
    refused(vote(&mut world, "ann", true), FraudError::Over);
}
