//! The agent pays less than it is asked for, cheats are banned, and every unit that left the wallet is with somebody.

use super::{gain, told};

#[test]
fn agents() {
    let report = told("agents");
    let facts = &report.facts;
    let units = |name: &str| {
        facts[name].as_str().and_then(|units| units.parse::<i128>().ok()).unwrap_or_else(|| panic!("{name}"))
    };
    assert!(units("deals") >= 12 && units("paid") < units("asked"), "{facts:#}");
    assert_eq!(facts["bans"].as_array().map(Vec::len), Some(2), "two cheats are found out while they sell");
    assert_eq!((&facts["banned"], &facts["echoes_scored"]), (&serde_json::json!(3), &serde_json::json!(6)));
    assert!(facts["off"].as_f64().unwrap() < facts["naive"].as_f64().unwrap());
    // What left the wallet is with sellers and the keeper, to the unit.
    let all = ["agent", "forecaster", "raises", "garbage", "echoes", "keeper", "eve", "feed"];
    assert_eq!(all.into_iter().map(|who| gain(facts, who)).sum::<i128>(), 0);
    assert_eq!(gain(facts, "agent"), -units("paid") - units("rewards"));
    assert_eq!(gain(facts, "keeper"), units("rewards"));
    for who in ["raises", "garbage", "eve", "feed"] {
        assert_eq!(gain(facts, who), 0, "{who}");
    }
    assert_eq!(report.totals.refused, 2);
}
