//! What traders try against providers, and against each other.

use noema_sdk::code;
use noema_testing::{Failure, Hash, linear_classifier};
use trading::TradingError;
use trading::forecast::{FEES, Policy, SHARES, WINDOW};
use trading::pool::Side;

use crate::world::{EVER, NATIVE, TOKENS, WASM, World, address, path, refused};

/// A market that has seen some calm blocks.
fn calm() -> World {
    let mut world = World::new();
    for _ in 0..20 {
        world.block(100.0, 0.001);
    }
    world
}

#[test]
fn a_sandwich_around_a_protected_trade_costs_the_attacker() {
    let mut world = calm();
    let before = world.worth("attacker", 100.0);
    // The victim takes half a percent less than the quote, no more.
    let wanted = world.quote(Side::Native, NATIVE / 200).unwrap();
    let got = world.buy("attacker", NATIVE / 20, 0).unwrap();
    refused(world.buy("victim", NATIVE / 200, wanted * 995 / 1000), TradingError::LessThanWanted);
    world.sell("attacker", got, 0).unwrap();
    let after = world.worth("attacker", 100.0);
    println!("the attacker loses {:.4} % of what was moved", (before - after) / (NATIVE as f64 / 20.0) * 100.0);
    assert!(after < before);
    // With the attacker gone the trade goes through.
    assert!(world.buy("victim", NATIVE / 200, wanted * 995 / 1000).is_ok());
}

#[test]
fn the_oracle_cannot_be_moved_within_a_block() {
    let mut world = calm();
    let (before, fee) = (world.chain.snapshot(), world.pool().fee);
    // As far as the pool goes, and back: fees of this block stay as they are.
    let got = world.buy("attacker", NATIVE / 4, 0).unwrap();
    assert_eq!(world.pool().fee, fee);
    let moved = world.pool();
    world.sell("attacker", got, 0).unwrap();
    assert_eq!(world.pool().fee, fee);
    world.chain.next_block(1_000);
    world.buy("trader", 1_000_000, 0).unwrap();
    let there_and_back = world.seen().returns[WINDOW - 1];
    // Left there, it would have been seen.
    world.chain.restore(&before);
    world.buy("attacker", NATIVE / 4, 0).unwrap();
    world.chain.next_block(1_000);
    world.buy("trader", 1_000_000, 0).unwrap();
    let left = world.seen().returns[WINDOW - 1];
    println!("a return of {left} if left there, {there_and_back} there and back, at {:?}", moved.virtual_);
    assert!(there_and_back * 10 < left);
}

#[test]
fn moving_the_price_over_the_end_of_a_block_does_not_pay() {
    for part in [200, 50, 20, 8] {
        for sell in [false, true] {
            let mut world = calm();
            let before = world.worth("attacker", 100.0);
            if sell {
                let got = world.sell("attacker", TOKENS / part, 0).unwrap();
                world.chain.next_block(1_000);
                world.buy("attacker", got, 0).unwrap();
            } else {
                let got = world.buy("attacker", NATIVE / part, 0).unwrap();
                world.chain.next_block(1_000);
                world.sell("attacker", got, 0).unwrap();
            }
            // At the price that was there before anybody moved it.
            let after = world.worth("attacker", 100.0);
            assert!(after < before, "one part in {part}, sell {sell}: {}", after - before);
        }
    }
}

#[test]
fn front_running_a_new_fee_is_not_possible_within_its_block() {
    let mut world = calm();
    // A storm: the fee of the next block is known as soon as this one is over, and holds for the first trade already.
    world.buy("attacker", NATIVE / 10, 0).unwrap();
    let (cheap, next) = (world.pool().fee, world.view::<trading::pool::Pool>("next", &()));
    world.chain.next_block(1_000);
    let dear = world.pool().fee;
    assert!(dear > cheap);
    assert_eq!(next, world.pool());
    let done = world.call_with::<noema_sdk::Amount>("trader", 1_000_000_000, "buy", &(0u128, EVER)).unwrap();
    assert_eq!(done.events::<trading::Traded>()[0].fee, dear);
}

#[test]
fn replay_a_trade_that_waited_too_long_is_refused() {
    let mut world = calm();
    let now = world.chain.height();
    let buy = |world: &mut World| world.call_with::<noema_sdk::Amount>("victim", 1_000_000, "buy", &(0u128, now));
    buy(&mut world).unwrap();
    world.chain.next_block(1_000);
    refused(buy(&mut world), TradingError::TooLate);
}

#[test]
fn theft_nobody_takes_what_is_not_theirs() {
    let mut world = calm();
    refused(world.call_with::<(u128, u128)>("attacker", 0, "leave", &(1u128,)), TradingError::TooFewShares);
    let shares: u128 = world.view("shares_of", &(address("provider"),));
    let more = world.call_with::<(u128, u128)>("provider", 0, "leave", &(shares + 1,));
    refused(more, TradingError::TooFewShares);
    refused(world.buy("attacker", 0, 0), TradingError::TooLittle);
    refused(world.sell("attacker", u128::MAX / 2, 0), TradingError::OutOfRange);
    // Selling tokens that one does not have: the token says no, and nothing is paid.
    let before = world.chain.balance(world.market);
    world.chain.account("poor", 1_000);
    assert!(world.sell("poor", 1_000_000, 0).is_err());
    assert_eq!(world.chain.balance(world.market), before);
    refused(world.call_with::<u128>("attacker", 10, "begin", &(1_000_000u128, 10u128)), TradingError::TooLittle);
}

#[test]
fn rounding_dust_trades_gain_nothing() {
    let mut world = calm();
    let before = world.worth("attacker", 100.0);
    for amount in [1, 2, 99, 100, 101, 199, 1_001] {
        if let Ok(got) = world.buy("attacker", amount, 0) {
            let _ = world.sell("attacker", got, 0);
        }
    }
    assert!(world.worth("attacker", 100.0) <= before);
}

#[test]
fn gifts_do_not_move_the_price() {
    let mut world = calm();
    let (before, market) = (world.pool(), world.market);
    world.chain.at(world.token).from(address("attacker")).call::<(), _>("transfer", &(market, TOKENS)).unwrap();
    let has = world.chain.balance(market);
    world.chain.set_balance(market, has + NATIVE);
    assert_eq!(world.pool(), before);
}

#[test]
fn providers_come_and_go_at_any_time() {
    let mut world = calm();
    let before = world.worth("victim", 100.0);
    let supply: u128 = world.view("supply", &());
    let few = world.call_with::<()>("victim", NATIVE, "provide", &(supply / 10, 1u128));
    refused(few, TradingError::LessThanWanted);
    world.call_with::<()>("victim", NATIVE, "provide", &(supply / 10, TOKENS)).unwrap();
    // Storms, and nobody but the providers left.
    for (price, wish) in &path()[..40] {
        world.block(*price, *wish);
    }
    for provider in ["victim", "provider"] {
        let shares: u128 = world.view("shares_of", &(address(provider),));
        world.call_with::<(u128, u128)>(provider, 0, "leave", &(shares,)).unwrap();
    }
    assert!(world.worth("victim", 100.0) > before * 0.99);
    // What is left belongs to nobody, and is next to nothing.
    assert!(world.pool().real.native < 10_000);
}

#[test]
fn a_model_that_is_taken_away_makes_trading_dear_and_locks_nothing() {
    let mut world = calm();
    let Policy::Forecast { model, .. } = world.policy else { unreachable!() };
    world.chain.withdraw_model(model).unwrap();
    world.chain.next_block(1_000);
    let pool = world.pool();
    assert_eq!((pool.fee, pool.share), (*FEES.end(), *SHARES.end()));
    assert!(world.buy("trader", NATIVE / 1_000, 0).is_ok());
    let shares: u128 = world.view("shares_of", &(address("provider"),));
    world.call_with::<(u128, u128)>("provider", 0, "leave", &(shares,)).unwrap();
}

#[test]
fn policies_that_cannot_be_followed_are_refused() {
    let mut world = World::new();
    let deployer = world.chain.account("deployer", 0);
    let other = world.chain.add_model(&linear_classifier(&[&[1, 2], &[-1, 0]], &[0, 5])).unwrap();
    let Policy::Forecast { model, output_bits, fee, fee_slope, share, share_slope } = world.policy else {
        unreachable!()
    };
    let follow = |model, output_bits| Policy::Forecast { model, output_bits, fee, fee_slope, share, share_slope };
    for (policy, error) in [
        (follow(other, output_bits), TradingError::UnfitModel),
        (follow(Hash([9; 32]), output_bits), TradingError::UnfitModel),
        (follow(model, 32), TradingError::BadPolicy),
        (Policy::Constant { fee: 1_000_000, share: 1_000_000 }, TradingError::BadPolicy),
        (Policy::Constant { fee: 3_000, share: 0 }, TradingError::BadPolicy),
    ] {
        refused(world.chain.deploy(deployer, &WASM, &(world.token, policy)), error);
    }
}

#[test]
fn griefing_whoever_holds_shares_pays_for_the_entry() {
    let mut world = calm();
    world.chain.set_deposit_per_byte(10);
    let locked = world.chain.deposit(world.market).locked;
    let reserves = world.pool().real.native;
    world.chain.set_balance(world.market, reserves + locked);
    let exact = world.call_with::<()>("attacker", 1_000, "provide", &(1u128, TOKENS)).unwrap_err();
    assert_eq!(exact.code(), Some(code::UNDERPAID), "{exact}");
    world.call_with::<()>("attacker", 100_000, "provide", &(1u128, TOKENS)).unwrap();
    let deposit = world.chain.deposit(world.market);
    assert_eq!(deposit.free(), world.pool().real.native);
    // The entry goes with the shares, and its deposit back.
    world.call_with::<(u128, u128)>("attacker", 0, "leave", &(1u128,)).unwrap();
    assert_eq!(world.chain.deposit(world.market).locked, locked);
}

#[test]
fn too_little_gas_trades_nothing() {
    let mut world = calm();
    let call = world.chain.at(world.market).from(address("trader")).value(NATIVE / 1_000);
    let done: Result<noema_testing::Done<noema_sdk::Amount>, Failure> = call.call_starved(60, "buy", &(0u128, EVER));
    assert!(done.unwrap().value.0 > 0);
}
