//! Whoever does what in a round: the stakes are all paid out, and nobody who did their duty loses.

use noema_sdk::code;
use private_health::WEIGHTS;
use private_health::records::Purpose;
use private_health::rounds::Ending;
use proptest::prelude::*;

use crate::world::{BALANCE, HOSPITALS, PHASE_MS, STAKE, World, address};

/// Where storage takes a deposit, who makes entries pays for them, and what a round took comes back at its end.
#[test]
fn griefing_entries_are_paid_for_and_a_round_gives_its_deposit_back() {
    let mut world = World::new();
    world.chain.set_deposit_per_byte(10);
    // Just what the contract needs: any growth that nobody pays for would make every call fail.
    let locked = world.chain.deposit(world.contract).locked;
    world.chain.set_balance(world.contract, locked);
    let spam = (address("eve"), Purpose::Research, u64::MAX);
    let refused = world.call::<()>("eve", "consent", &spam).unwrap_err();
    assert_eq!(refused.code(), Some(code::UNDERPAID), "{refused}");
    let eve = world.chain.account("eve", 100_000);
    world.chain.at(world.contract).from(eve).value(100_000).call::<(), _>("consent", &spam).unwrap();
    let deposit = world.chain.deposit(world.contract);
    assert_eq!((100_000 - world.balance("eve"), deposit.free()), (deposit.locked - locked, 0));

    let paid = |world: &mut World, hospital: &str, method: &str| {
        let before = world.chain.deposit(world.contract).locked;
        let done = world.chain.at(world.contract).from(address(hospital)).value(50_000).call::<u64, _>(method, &());
        done.unwrap();
        world.chain.deposit(world.contract).locked - before
    };
    let before = world.chain.deposit(world.contract).locked;
    assert!(paid(&mut world, "bergen", "open_round") > 0);
    world.chain.advance(1, PHASE_MS);
    // Nobody has joined: there is nobody to give it to, and the contract may spend it on the next round.
    assert_eq!(world.finish(0).unwrap().value, Ending::Void);
    assert_eq!(world.chain.deposit(world.contract).locked, before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn stakes_are_conserved(
        rounds in prop::collection::vec(prop::collection::vec(0u8..4, 5), 1..3),
        update in prop::collection::vec(-40_000i32..40_000, WEIGHTS),
    ) {
        let mut world = World::new();
        for does in rounds {
            let before = HOSPITALS.map(|name| world.balance(name));
            let round = world.open();
            // 0 stays away, 1 joins, 2 submits as well, 3 reveals as well.
            let who = |least: u8| HOSPITALS.iter().zip(&does).filter(move |(_, does)| **does >= least).map(|(name, _)| *name);
            for name in who(1) {
                world.join(name, round).unwrap();
            }
            world.chain.advance(1, PHASE_MS);
            let enough = who(1).count() >= 3;
            for name in who(2) {
                prop_assert_eq!(world.submit(name, round, &update).is_ok(), enough);
            }
            world.chain.advance(1, PHASE_MS);
            let could = enough && who(2).count() >= 3;
            for name in who(3) {
                prop_assert_eq!(world.reveal(name, round).is_ok(), could);
            }
            world.chain.advance(1, PHASE_MS);
            world.finish(round).unwrap();
            // By hand.
            let dutiful = |does: u8| if could { does == 3 } else { !enough || does >= 2 };
            let (good, bad) = (does.iter().filter(|d| **d >= 1 && dutiful(**d)).count(), does.iter().filter(|d| **d >= 1 && !dutiful(**d)).count());
            for ((name, does), before) in HOSPITALS.iter().zip(&does).zip(before) {
                let gain = world.balance(name) as i128 - before as i128;
                if *does == 0 || good == 0 {
                    prop_assert_eq!(gain, 0, "{}", name);
                } else if dutiful(*does) {
                    let share = (STAKE as i128) * bad as i128 / good as i128;
                    prop_assert!((share..=share + 1).contains(&gain), "{}: {}", name, gain);
                } else {
                    prop_assert_eq!(gain, -(STAKE as i128), "{}", name);
                }
            }
            let sum: u128 = HOSPITALS.iter().map(|name| world.balance(name)).sum();
            prop_assert_eq!((sum, world.chain.balance(world.contract)), (5 * BALANCE, 0));
        }
    }
}
