//! Whatever anybody does, in whatever order: what the contract has is what the pool says, and nothing is made or lost.

use noema_sdk::Amount;
use proptest::prelude::*;

use crate::world::{NATIVE, RICH, TOKENS, World, address};

const WHO: [&str; 3] = ["provider", "trader", "attacker"];

#[derive(Clone, Debug)]
enum Step {
    Buy { who: usize, native: u128 },
    Sell { who: usize, tokens: u128 },
    Provide { who: usize, shares: u128 },
    Leave { who: usize, shares: u128 },
    Wait { blocks: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0usize..3, 0..NATIVE / 4).prop_map(|(who, native)| Step::Buy { who, native }),
        3 => (0usize..3, 0..TOKENS / 4).prop_map(|(who, tokens)| Step::Sell { who, tokens }),
        1 => (0usize..3, 0..NATIVE / 2).prop_map(|(who, shares)| Step::Provide { who, shares }),
        2 => (0usize..3, 0..NATIVE / 2).prop_map(|(who, shares)| Step::Leave { who, shares }),
        2 => (1u64..30).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn reserves_are_what_the_contract_has(steps in prop::collection::vec(step(), 1..24)) {
        let mut world = World::new();
        let mut shares: [u128; 3] = WHO.map(|name| world.view("shares_of", &(address(name),)));
        for step in &steps {
            let before = world.pool();
            match *step {
                Step::Buy { who, native } => {
                    let quote = world.quote(trading::pool::Side::Native, native);
                    let got = world.buy(WHO[who], native, 0).ok();
                    prop_assert_eq!(got, quote.filter(|_| native > 0));
                }
                Step::Sell { who, tokens } => {
                    let quote = world.quote(trading::pool::Side::Token, tokens);
                    let got = world.sell(WHO[who], tokens, 0).ok();
                    prop_assert_eq!(got, quote.filter(|_| tokens > 0));
                }
                Step::Provide { who, shares: some } => {
                    let done = world.call_with::<()>(WHO[who], RICH / 4, "provide", &(some, RICH));
                    shares[who] += if done.is_ok() { some } else { 0 };
                }
                Step::Leave { who, shares: some } => {
                    let done = world.call_with::<(Amount, Amount)>(WHO[who], 0, "leave", &(some,));
                    prop_assert_eq!(done.is_ok(), some > 0 && some <= shares[who], "{:?}: {:?}", step, done);
                    shares[who] -= if done.is_ok() { some } else { 0 };
                }
                Step::Wait { blocks } => world.chain.advance(blocks, blocks * 1_000),
            }
            let (pool, market) = (world.pool(), world.market);
            prop_assert_eq!(world.chain.balance(market), pool.real.native);
            prop_assert_eq!(world.tokens(market), pool.real.token);
            if matches!(step, Step::Buy { .. } | Step::Sell { .. }) {
                // In one block the product never falls.
                let ratio = |pair: &trading::pool::Pair| (pair.token as f64) * (pair.native as f64);
                prop_assert!(ratio(&pool.virtual_) >= ratio(&before.virtual_) * (1.0 - 1e-12));
            }
            prop_assert_eq!(world.view::<u128>("supply", &()), shares.iter().sum::<u128>() + trading::LOCKED_SHARES);
            let names = ["provider", "trader", "arbitrageur", "attacker", "victim"];
            let native: u128 = names.iter().map(|name| world.chain.balance(address(name))).sum();
            prop_assert_eq!(native + pool.real.native, 5 * RICH);
        }
    }
}
