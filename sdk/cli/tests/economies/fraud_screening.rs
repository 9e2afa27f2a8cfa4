//! Thieves are held, Bob gets his car and what nobody reviewed, the poison is refused, and no cent is lost.

use super::told;

#[test]
fn fraud_screening() {
    let report = told("fraud-screening");
    let facts = &report.facts;
    for what in ["takeover_held", "car_held", "forgotten_held", "active_is_better"] {
        assert_eq!(facts[what], true, "{what}: {facts:#}");
    }
    let number = |what: &str| facts[what].as_u64().unwrap();
    assert!(number("stolen") * 5 < number("wanted"), "{facts:#}");
    assert_eq!(number("dealer"), 480_000);
    let [before, during, after] = [0, 1, 2].map(|i| facts["bob"][i].as_u64().unwrap());
    assert!(during < before && after == before, "{facts:#}");
    assert_eq!((&facts["poisoned"]["passed"], &facts["better"]["passed"]), (&false.into(), &true.into()));
    assert_eq!(facts["poisoned"]["thefts"][1]["held"], 0);
    assert_eq!(number("sum").to_string(), facts["supply"].as_str().map_or(facts["supply"].to_string(), str::to_owned));
}
