//! What goes wrong in a round, and what nobody learns.

use noema_sdk::code;
use noema_testing::{Address, Hash};
use private_health::rounds::Ending;
use private_health::{Finished, HealthError, WEIGHTS};
use private_health_client::masks::{add, expand};

use crate::world::{DATA, HOSPITALS, PHASE_MS, STAKE, TERMS, World, address, refused};

const UPDATE: [i32; WEIGHTS] = [77; WEIGHTS];

/// A round that these have joined.
fn joined(hospitals: &[&str]) -> (World, u64) {
    let mut world = World::new();
    let round = world.open();
    for hospital in hospitals {
        world.join(hospital, round).unwrap();
    }
    world.chain.advance(1, PHASE_MS);
    (world, round)
}

/// A useful update: what one hospital learns.
fn useful(world: &mut World) -> Vec<i32> {
    let patients = world.encoded(&DATA.hospitals[1]);
    world.update(&patients)
}

#[test]
fn no_single_update_is_visible() {
    let (mut world, round) = joined(&HOSPITALS);
    for hospital in &HOSPITALS[..4] {
        world.submit(hospital, round, &UPDATE).unwrap();
    }
    world.chain.advance(1, PHASE_MS);
    for hospital in &HOSPITALS[..4] {
        world.reveal(hospital, round).unwrap();
    }
    // Everything that is ever public: the masked update, the own mask, the masks shared with who is missing.
    let members = world.round().unwrap().members;
    let missing = address("erfurt");
    for member in members.iter().filter(|member| member.site != missing) {
        let (own, pairs) = member.opened.clone().unwrap();
        let mut rest = member.masked.unwrap();
        add(&mut rest, &expand(&own.0, WEIGHTS), true);
        assert_eq!(pairs.iter().map(|(site, _)| *site).collect::<Vec<_>>(), [missing]);
        add(&mut rest, &expand(&pairs[0].1.0, WEIGHTS), member.site < missing);
        // What the masks of the other three still hide has nothing of an update: numbers far outside of the clip.
        let near = rest.iter().filter(|number| number.cast_signed().unsigned_abs() <= TERMS.clip).count();
        assert!(near <= 2, "{near} numbers of {} look like an update", member.site);
    }
    // And the sum is theirs.
    assert!(matches!(world.finish(round).unwrap().value, Ending::Averaged { .. } | Ending::Worse { .. }));
}

#[test]
fn a_late_update_stays_hidden_though_the_masks_of_its_pairs_are_opened() {
    let (mut world, round) = joined(&HOSPITALS);
    for hospital in &HOSPITALS[..4] {
        world.submit(hospital, round, &UPDATE).unwrap();
    }
    // Erfurt's transaction was seen on its way, and comes a block too late.
    let late = world.masked("erfurt", round, &UPDATE);
    world.chain.advance(1, PHASE_MS);
    refused(world.call::<()>("erfurt", "submit", &(round, late)), HealthError::WrongPhase);
    for hospital in &HOSPITALS[..4] {
        world.reveal(hospital, round).unwrap();
    }
    // Whoever saw it takes off all the masks that are known by now.
    let mut rest = late;
    for member in world.round().unwrap().members {
        if let Some((_, pairs)) = member.opened {
            add(&mut rest, &expand(&pairs[0].1.0, WEIGHTS), address("erfurt") < member.site);
        }
    }
    assert!(rest.iter().filter(|number| number.cast_signed() == UPDATE[0]).count() == 0);
    let own = world.seeds("erfurt", round).own;
    add(&mut rest, &expand(&own, WEIGHTS), true);
    assert_eq!(rest.map(u32::cast_signed), UPDATE, "its own mask was all that hid it");
}

#[test]
fn who_drops_out_is_replaced_by_the_masks_that_others_open() {
    let (mut world, round) = joined(&HOSPITALS);
    let update = useful(&mut world);
    for hospital in ["astoria", "cairo", "erfurt"] {
        world.submit(hospital, round, &update).unwrap();
    }
    world.chain.advance(1, PHASE_MS);
    for hospital in ["astoria", "cairo", "erfurt"] {
        world.reveal(hospital, round).unwrap();
    }
    let done = world.finish(round).unwrap();
    assert!(matches!(done.value, Ending::Averaged { before, after } if after > before), "{:?}", done.value);
    // Three times the same: the average is exactly that.
    assert_eq!(world.weights().to_vec(), update);
    let penalised = done.events::<Finished>().pop().unwrap().penalised;
    assert_eq!(penalised, ["bergen", "dakar"].map(address));
    // Their stakes are the others': 2,002 units among three, none left over.
    let gains: Vec<i128> = HOSPITALS.map(|name| world.balance(name) as i128 - 1_000_000).to_vec();
    assert_eq!(gains, [668, -1_001, 667, -1_001, 667]);
    assert_eq!(world.chain.balance(world.contract), 0);
}

#[test]
fn griefing_who_submits_and_does_not_reveal_loses_the_stake() {
    let (mut world, round) = joined(&HOSPITALS);
    let before = world.weights();
    for hospital in HOSPITALS {
        world.submit(hospital, round, &UPDATE).unwrap();
    }
    for hospital in &HOSPITALS[1..] {
        world.reveal(hospital, round).unwrap();
    }
    refused(world.finish(round), HealthError::WrongPhase);
    world.chain.advance(1, 2 * PHASE_MS);
    let done = world.finish(round).unwrap();
    assert_eq!((done.value, world.weights()), (Ending::Abandoned, before));
    assert_eq!(done.events::<Finished>()[0].penalised, [address("astoria")]);
    assert_eq!(world.balance("astoria"), 1_000_000 - STAKE);
    // The next round can begin.
    assert_eq!(world.open(), round + 1);
}

#[test]
fn nobodys_absence_locks_stakes() {
    // Nobody submits: nobody is left to be paid, and everybody has the own stake back.
    let (mut world, round) = joined(&HOSPITALS);
    refused(world.finish(round), HealthError::WrongPhase);
    world.chain.advance(1, PHASE_MS);
    assert_eq!(world.finish(round).unwrap().value, Ending::Abandoned);
    assert!(HOSPITALS.iter().all(|name| world.balance(name) == 1_000_000));
    // Too few join.
    let (mut world, round) = joined(&HOSPITALS[..2]);
    refused(world.submit("astoria", round, &UPDATE), HealthError::WrongPhase);
    assert_eq!(world.finish(round).unwrap().value, Ending::Void);
    assert!(HOSPITALS.iter().all(|name| world.balance(name) == 1_000_000));
    // Too few submit: they have done what they should, with nothing to reveal.
    let (mut world, round) = joined(&HOSPITALS[..3]);
    world.submit("astoria", round, &UPDATE).unwrap();
    world.chain.advance(1, PHASE_MS);
    refused(world.reveal("astoria", round), HealthError::WrongPhase);
    assert_eq!(world.finish(round).unwrap().value, Ending::Abandoned);
    assert_eq!(world.balance("astoria"), 1_000_000 + 2 * STAKE);
}

#[test]
fn poisoned_updates_beyond_the_clip_are_thrown_away() {
    let (mut world, round) = joined(&HOSPITALS);
    let before = world.weights();
    let mut poison = UPDATE;
    poison[4] = 1 << 29;
    for hospital in HOSPITALS {
        let update = if hospital == "dakar" { poison } else { UPDATE };
        world.submit(hospital, round, &update).unwrap();
    }
    for hospital in HOSPITALS {
        world.reveal(hospital, round).unwrap();
    }
    assert_eq!((world.finish(round).unwrap().value, world.weights()), (Ending::OutOfRange, before));
}

#[test]
fn poisoned_updates_within_the_clip_are_bounded_and_checked() {
    let mut world = World::new();
    let patients: Vec<_> = DATA.hospitals.iter().map(|cases| world.encoded(cases)).collect();
    let honest = |world: &mut World| -> [Vec<i32>; 5] { std::array::from_fn(|site| world.update(&patients[site])) };
    let updates = honest(&mut world);
    world.whole_round(&updates);
    let before = world.weights();
    // Dakar knows what the others will send (it cannot: this is the worst case), and spends their allowance as well.
    let mut updates = honest(&mut world);
    let clip = i32::try_from(TERMS.clip).unwrap();
    for i in 0..WEIGHTS {
        let others: i32 = (0..5).filter(|site| *site != 3).map(|site| updates[site][i]).sum();
        let wanted = if before[i] > 0 { -5 * clip } else { 5 * clip };
        updates[3][i] = wanted - others;
    }
    let ending = world.whole_round(&updates).value;
    // No weight could have moved by more than the clip; and as it is, the public patients say no.
    assert!(matches!(ending, Ending::Worse { .. }), "{ending:?}");
    assert_eq!(world.weights(), before);
}

#[test]
fn seeds_are_the_promised_ones_and_no_more_than_needed() {
    let (mut world, round) = joined(&HOSPITALS);
    for hospital in &HOSPITALS[..4] {
        world.submit(hospital, round, &UPDATE).unwrap();
    }
    world.chain.advance(1, PHASE_MS);
    let seeds = world.seeds("astoria", round);
    let pairs = |names: &[&str]| -> Vec<(Address, Hash)> {
        let missing: Vec<_> = names.iter().map(|name| address(name).0).collect();
        seeds.with(&missing).into_iter().map(|(site, seed)| (Address(site), Hash(seed))).collect()
    };
    let own = Hash(seeds.own);
    let mut try_reveal =
        |own: Hash, pairs: Vec<(Address, Hash)>| world.call::<()>("astoria", "reveal", &(round, own, pairs));
    refused(try_reveal(Hash([0; 32]), pairs(&["erfurt"])), HealthError::OtherSeed);
    refused(try_reveal(own, vec![(address("erfurt"), Hash([0; 32]))]), HealthError::OtherSeed);
    refused(try_reveal(own, vec![]), HealthError::OtherSeed);
    // A hospital cannot be talked into opening what it shares with who has submitted.
    refused(try_reveal(own, pairs(&["bergen", "erfurt"])), HealthError::OtherSeed);
    try_reveal(own, pairs(&["erfurt"])).unwrap();
    refused(try_reveal(own, pairs(&["erfurt"])), HealthError::Done);
}

#[test]
fn hospitals_that_disagree_about_a_seed_end_the_round_before_anything_is_sent() {
    let mut world = World::new();
    let round = world.open();
    for hospital in &HOSPITALS[1..] {
        world.join(hospital, round).unwrap();
    }
    let (own, mut pairs) = world.seeds("astoria", round).commitments();
    pairs[2].1 = [0; 32];
    let pairs: Vec<_> = pairs.into_iter().map(|(site, hash)| (Address(site), Hash(hash))).collect();
    let args = (round, Hash(own), pairs, crate::world::patients("astoria"));
    world.chain.at(world.contract).from(address("astoria")).value(STAKE).call::<(), _>("join", &args).unwrap();
    refused(world.submit("bergen", round, &UPDATE), HealthError::WrongPhase);
    assert_eq!(world.finish(round).unwrap().value, Ending::Void);
    assert!(HOSPITALS.iter().all(|name| world.balance(name) == 1_000_000));
}

#[test]
fn replays_and_strangers_are_refused() {
    let (mut world, round) = joined(&HOSPITALS);
    refused(world.join("astoria", round), HealthError::WrongPhase);
    let masked = world.masked("astoria", round, &UPDATE);
    world.submit("astoria", round, &UPDATE).unwrap();
    refused(world.submit("astoria", round, &UPDATE), HealthError::Done);
    refused(world.call::<()>("eve", "submit", &(round, masked)), HealthError::NotInRound);
    refused(world.call::<()>("bergen", "submit", &(round + 1, masked)), HealthError::OtherRound);
    refused(world.reveal("astoria", round), HealthError::WrongPhase);
    refused(world.call::<u64>("bergen", "open_round", &()), HealthError::RoundOpen);
    assert_eq!(world.call::<u64>("eve", "open_round", &()).unwrap_err().code(), Some(code::MISSING_ROLE));
    world.chain.advance(1, PHASE_MS);
    world.finish(round).unwrap();
    refused(world.finish(round), HealthError::OtherRound);
    // What was submitted in one round is noise in the next.
    let round = world.open();
    let poor = (round, Hash([0; 32]), Vec::<(Address, Hash)>::new(), crate::world::patients("bergen"));
    let short = world.chain.at(world.contract).from(address("bergen")).value(STAKE - 1).call::<(), _>("join", &poor);
    refused(short, HealthError::WrongStake);
    for hospital in HOSPITALS {
        world.join(hospital, round).unwrap();
    }
    refused(world.join("bergen", round), HealthError::WrongPhase);
    world.call::<()>("astoria", "submit", &(round, masked)).unwrap();
    for hospital in &HOSPITALS[1..] {
        world.submit(hospital, round, &UPDATE).unwrap();
    }
    for hospital in HOSPITALS {
        world.reveal(hospital, round).unwrap();
    }
    assert_eq!(world.finish(round).unwrap().value, Ending::OutOfRange);
}

#[test]
fn terms_that_would_show_an_update_are_refused() {
    let mut world = World::new();
    let deployer = world.chain.account("deployer", 0);
    let model = world.chain.add_model(&DATA.container).unwrap();
    let encoder = private_health::model::Encoder { model, fraction_bits: DATA.bits };
    let sites: Vec<Address> = HOSPITALS.map(address).to_vec();
    let wasm = &*crate::world::WASM;
    for (terms, sites) in [
        (private_health::Terms { least: 2, ..TERMS }, sites.clone()),
        (private_health::Terms { least: 6, ..TERMS }, sites.clone()),
        (private_health::Terms { clip: 1 << 30, ..TERMS }, sites.clone()),
        // The same hospital five times is one.
        (TERMS, vec![sites[0]; 5]),
    ] {
        let deployed = world.chain.deploy(deployer, wasm, &(terms, encoder, sites, &DATA.validation));
        refused(deployed, HealthError::BadTerms);
    }
    let other = private_health::model::Encoder { model: Hash([1; 32]), ..encoder };
    refused(world.chain.deploy(deployer, wasm, &(TERMS, other, sites, &DATA.validation)), HealthError::UnfitModel);
}
