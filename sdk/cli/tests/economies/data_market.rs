//! What is new is worth something, the rest is not sold; the cheat is found out; shares are pro rata.

use noema_cli::demo::stage::COIN;
use serde_json::Value;

use super::{gain, told};

#[test]
fn data_market() {
    let report = told("data-market");
    let facts = &report.facts;
    let appraised = facts["appraised"].as_array().unwrap();
    let worth = |part: usize| {
        let count = |name: &str| i128::from(appraised[part][name].as_i64().unwrap());
        count("after") - count("before")
    };
    assert!(worth(0) <= 0 && worth(2) <= 0 && worth(1) >= 10 && worth(3) >= 10, "{appraised:?}");
    let price = 100 * i128::try_from(COIN).unwrap();
    let share = |part: usize| price * worth(part) / (worth(1) + worth(3));
    // Their samples stay public: the deposits for those are less than a thousandth of a coin each, and theirs.
    let near = |who: &str, units: i128| (gain(facts, who) - units).abs() < i128::try_from(COIN / 500).unwrap();
    assert!(near("meadow", 2 * share(1)) && near("forest", share(3)), "{facts:#}");
    assert!(near("stale", 0) && near("poison", 0), "{facts:#}");
    assert!(near("buyer", -2 * share(1) - share(3)), "{facts:#}");
    let endings: Vec<&Value> = facts["settled"].as_array().unwrap().iter().map(|event| &event["ending"]).collect();
    assert_eq!(endings, ["Cheated", "Paid", "Paid", "Paid"]);
    assert_eq!(facts["open_purchases"], 0);
    assert_eq!(report.totals.refused, 2);
}
