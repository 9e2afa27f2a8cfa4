//! Good journeys pay, a broken one and a smoothed one do not, whoever keeps silent.

use super::{gain, is_coins, told};

#[test]
fn supply_chain() {
    let report = told("supply-chain");
    let facts = &report.facts;
    let worst: Vec<f64> = facts["worst"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert!(worst[0] < 0.8 && worst[1] >= 0.8 && worst[2] >= 0.8 && worst[3] < 0.8, "{worst:?}");
    assert_eq!((&facts["open"], &facts["smoothed_at_fault"]), (&serde_json::json!(0), &serde_json::json!(2)));
    for (who, thousandths) in [
        // Two journeys at the price with their freight; two at the first leg's alone.
        ("buyer", -2 * 108_000 - 2 * 3_000),
        // Two prices, and two bonds for what was lost.
        ("seller", 2 * 100_000 + 2 * 40_000),
        ("north", 4 * 3_000),
        ("south", 2 * 5_000 - 2 * 40_000),
        ("arbiter", 0),
        ("eve", 0),
    ] {
        assert!(is_coins(gain(facts, who), thousandths), "{who}: {}", gain(facts, who));
    }
    let all = ["buyer", "seller", "north", "south", "arbiter", "eve"];
    assert_eq!(all.into_iter().map(|who| gain(facts, who)).sum::<i128>(), 0);
    assert_eq!(report.totals.refused, 5);
}
