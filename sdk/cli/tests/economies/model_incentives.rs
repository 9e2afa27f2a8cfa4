//! The best model wins most, the memoriser and the copy nothing, and the pot is all paid.

use noema_cli::demo::stage::COIN;
use serde_json::json;

use super::{gain, is_coins, told};

#[test]
fn model_incentives() {
    let report = told("model-incentives");
    let facts = &report.facts;
    for (who, thousandths) in
        [("careful", 60_000), ("linear", 30_000), ("memoriser", 0), ("copycat", 0), ("foundation", 10_000)]
    {
        assert!(is_coins(gain(facts, who), thousandths), "{who}: {}", gain(facts, who));
    }
    // The sponsor has also left the contract the deposit for its code, which is less than a coin.
    let rest = gain(facts, "sponsor") + 100 * i128::try_from(COIN).unwrap();
    assert!(rest < 0 && -rest < i128::try_from(COIN).unwrap(), "{rest}");
    let scores = &facts["scores"];
    assert_eq!(scores["memoriser"]["scores"]["validation"]["right"], 60);
    assert_eq!((&scores["memoriser"]["ranked"], &scores["careful"]["ranked"]), (&json!(false), &json!(true)));
    let right = |who: &str| scores[who]["scores"]["test"]["right"].as_u64().unwrap();
    assert!(right("careful") > right("linear") && right("linear") >= 70, "{scores:#}");
    assert_eq!(facts["podium"].as_array().unwrap().len(), 2);
    assert_eq!(report.totals.refused, 3);
}
