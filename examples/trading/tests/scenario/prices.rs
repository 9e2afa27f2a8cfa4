//! Both policies on the same prices; and what a block's fee may depend on.

use crate::world::{NATIVE, TOKENS, World, path};

/// What providers gained, in parts of what they put in.
#[derive(Debug)]
struct Gain {
    /// Beside a portfolio with as many tokens as the pool had, traded for nothing at the price outside: fees less what arbitrage took.
    rebalancing: f64,
    /// Beside having kept what they put in: fees less the impermanent loss.
    keeping: f64,
    /// Lowest and highest fee, in millionths.
    fees: (u32, u32),
}

fn run(policy: usize) -> Gain {
    let mut world = World::with(policy);
    let path = path();
    let (mut rebalanced, mut before, mut fees) = (0.0, 100.0, (u32::MAX, 0));
    for (price, wish) in &path {
        let pool = world.pool();
        rebalanced += pool.real.token as f64 * (price - before);
        before = *price;
        fees = (fees.0.min(pool.fee), fees.1.max(pool.fee));
        world.block(*price, *wish);
    }
    let real = world.pool().real;
    let value = real.token as f64 * before + real.native as f64;
    let (first, kept) = (2.0 * NATIVE as f64, TOKENS as f64 * before + NATIVE as f64);
    Gain { rebalancing: (value - first - rebalanced) / first, keeping: value / kept - 1.0, fees }
}

#[test]
fn following_the_forecast_gains_more_than_the_best_constant_fee() {
    let [constant, forecast] = [0, 1].map(run);
    println!("constant {constant:?}\nforecast {forecast:?}");
    assert_eq!(constant.fees.0, constant.fees.1);
    assert!(forecast.fees.1 > 2 * forecast.fees.0);
    assert!(forecast.rebalancing > constant.rebalancing && forecast.keeping > constant.keeping);
}

#[test]
fn no_look_ahead_another_future_changes_no_fee_before_it() {
    let path = path();
    let (past, future) = path[..80].split_at(40);
    let run = |turn: f64| {
        let mut world = World::new();
        let mut fees = Vec::new();
        for (price, wish) in past {
            fees.push(world.pool().fee);
            world.block(*price, *wish);
        }
        for (price, wish) in future {
            fees.push(world.pool().fee);
            // In the other world everything is different from here on, and ever wilder.
            world.block(100.0 + (price - 100.0) * turn + (turn - 1.0), wish * turn);
        }
        fees
    };
    let [one, other] = [1.0, 4.0].map(run);
    // The first block of the future has the fee that the past gave it.
    assert_eq!(one[..41], other[..41]);
    assert!(one[41..].iter().zip(&other[41..]).filter(|(a, b)| a != b).count() > 30);
}
