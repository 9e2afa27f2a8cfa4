//! Where storage takes a deposit, everybody pays for the own entries.

use fraud_screening::Outcome;
use noema_sdk::code;

use crate::world::{RULES, World};

#[test]
fn griefing_a_spammer_pays_for_the_entries_and_not_the_contract() {
    let mut world = World::with_a_past(RULES);
    world.chain.set_deposit_per_byte(10);
    let locked = world.chain.deposit(world.contract).locked;
    // Just what the contract needs: any growth that nobody pays for would make every call fail.
    world.chain.set_balance(world.contract, locked);
    let bob = world.chain.account("bob", 1_000_000);
    let call = |world: &mut World, to: &str, value: u128| {
        let to = world.who(to);
        world.chain.at(world.contract).from(bob).value(value).call::<Outcome, _>("transfer", &(to, 1u128))
    };
    let refused = call(&mut world, "new1", 0).unwrap_err();
    assert_eq!(refused.code(), Some(code::UNDERPAID), "{refused}");
    for name in ["new1", "new2", "new3"] {
        call(&mut world, name, 100_000).unwrap();
    }
    let deposit = world.chain.deposit(world.contract);
    assert!(deposit.locked > locked, "three accounts more are kept");
    // He has paid exactly that, got the rest back, and the contract is as free as before.
    assert_eq!(world.chain.balance(bob), 1_000_000 - (deposit.locked - locked));
    assert_eq!(deposit.free(), 0);
}
