//! Together the hospitals are better than each alone; poison is thrown away; who drops out pays; the trail is whole.

use serde_json::json;

use super::{COIN, gain, told};

#[test]
fn private_health() {
    let report = told("private-health");
    let facts = &report.facts;
    let together = facts["together"].as_u64().unwrap();
    for alone in facts["alone"].as_array().unwrap() {
        assert!(together > alone.as_u64().unwrap(), "{facts:#}");
    }
    let endings = facts["endings"].as_array().unwrap();
    assert_eq!(endings[2], json!("OutOfRange"));
    for (round, ending) in endings.iter().enumerate().filter(|(round, _)| *round != 2) {
        assert!(ending["Averaged"].is_object(), "round {round}: {ending}");
    }
    // The stake of who dropped out went to the other four: a quarter each, less the deposit for lines in the trails of patients.
    for (hospital, coins) in [("cairo", -10.0), ("astoria", 2.5), ("bergen", 2.5), ("dakar", 2.5), ("erfurt", 2.5)] {
        let gain = gain(facts, hospital) as f64 / COIN as f64;
        assert!((gain - coins).abs() < 0.01, "{hospital}: {gain}");
    }
    // Consent, record, request, release, revocation, and five consents to training; then a line for each hospital's round.
    assert_eq!(facts["trail"].as_array().unwrap().len(), 10);
    assert_eq!(report.totals.refused, 2);
}
