//! Who provides to the market that follows the forecast has more than who provides to the other; the sandwich cost its maker.

use super::told;

#[test]
fn trading() {
    let report = told("trading");
    let facts = &report.facts;
    let [constant, forecast] = [0, 1].map(|market| facts["gains"][market].as_f64().unwrap());
    assert!(forecast > constant, "{facts:#}");
    let fee = |market: usize, end: usize| facts["fees"][market][end].as_u64().unwrap();
    assert_eq!(fee(0, 0), fee(0, 1));
    assert!(fee(1, 1) > fee(1, 0));
    assert!(facts["sandwich"].as_i64().unwrap() > 0);
    assert_eq!(report.totals.refused, 1);
}
