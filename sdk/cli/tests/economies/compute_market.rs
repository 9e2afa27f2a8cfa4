//! The liar pays, the thief gets nothing, the honest one is paid, and it adds up.

use super::{gain, is_coins, told};

#[test]
fn compute_market() {
    let report = told("compute-market");
    let facts = &report.facts;
    assert_eq!(facts["verdicts"], serde_json::json!(["Lie", "True"]));
    assert_eq!(facts["truth_computed"], true);
    assert_eq!(facts["open_jobs"], 0);
    for (who, thousandths) in [
        ("customer", 5_000),
        ("honest", 25_000),
        ("liar", -50_000),
        ("thief", 0),
        ("watcher", 25_000),
        ("doubter", -5_000),
    ] {
        assert!(is_coins(gain(facts, who), thousandths), "{who}: {}", gain(facts, who));
    }
    let sum: i128 =
        ["customer", "honest", "liar", "thief", "watcher", "doubter"].into_iter().map(|who| gain(facts, who)).sum();
    assert_eq!(sum, 0, "nothing is left in the contract, and every deposit is back");
    assert_eq!(report.totals.refused, 3);
}
