//! A town of 24 people that no model has seen, line by line through the contract.

use fraud_screening::scoring::CERTAIN;
use fraud_screening::{Outcome, Rules, Scored};
use noema_testing::Address;

use crate::world::{RULES, WATCHING, World};

/// One line of `model/stream.csv`: time, sender (nobody where money is issued), recipient, amount, kind, theft, features.
struct Line {
    time_ms: u64,
    from: Option<Address>,
    to: Address,
    amount: u128,
    kind: usize,
    theft: usize,
    features: Vec<i32>,
}

fn lines(world: &mut World) -> Vec<Line> {
    let mut reader = csv::Reader::from_path("model/stream.csv").expect("the file is committed");
    let line = |record: csv::StringRecord| {
        let from = (!record[1].is_empty()).then(|| world.who(&record[1]));
        let features = record.iter().skip(6).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
        Line {
            time_ms: record[0].parse().unwrap(),
            from,
            to: world.who(&record[2]),
            amount: record[3].parse().unwrap(),
            kind: record[4].parse().unwrap(),
            theft: record[5].parse().unwrap(),
            features: features.collect(),
        }
    };
    reader.records().map(|record| record.unwrap()).map(line).collect()
}

/// Sends the line; what became of it, if it was a transfer. A thief who lacks what was held before sends what there is.
fn send(world: &mut World, line: &Line) -> Option<Scored> {
    world.chain.travel_to(world.chain.height() + 1, line.time_ms);
    let Some(from) = line.from else {
        world.chain.at(world.contract).from(world.issuer).call::<(), _>("issue", &(line.to, line.amount)).unwrap();
        return None;
    };
    let has: u128 = world.view("balance_of", &(from,));
    let amount = line.amount.min(has);
    if amount == 0 {
        return None;
    }
    let done = world.chain.at(world.contract).from(from).call::<Outcome, _>("transfer", &(line.to, amount));
    done.ok().map(|done| done.events::<Scored>().pop().unwrap())
}

#[test]
fn the_contract_computes_the_features_that_the_models_were_trained_with() {
    let mut world = World::new(WATCHING);
    let (mut seen, mut held) = ([0; 4], [0; 4]);
    for line in lines(&mut world) {
        let Some(scored) = send(&mut world, &line) else { continue };
        assert_eq!(scored.features[..], line.features, "{} at {}", line.amount, line.time_ms);
        assert_eq!((scored.amount.0, scored.outcome), (line.amount, Outcome::Settled));
        seen[line.kind] += 1;
        held[line.kind] += usize::from(scored.scores.trees.max(scored.scores.network) >= CERTAIN / 2);
    }
    println!("of {seen:?} transfers (honest, takeover, splitting, mule) {held:?} would be held");
    assert!(seen[0] > 300 && seen[1..].iter().all(|count| *count > 2));
    assert!(held[0] * 50 <= seen[0], "{} of {} honest transfers would be held", held[0], seen[0]);
    assert!(held[2] * 10 >= seen[2] * 8 && held[3] * 10 >= seen[3] * 9);
}

/// What thieves got away with, under these rules.
fn stolen(rules: Rules) -> (u128, u128) {
    let mut world = World::new(rules);
    let (mut wanted, mut got) = (0, 0);
    for line in lines(&mut world) {
        let scored = send(&mut world, &line);
        // What leaves a victim; what mules pass on is the same money once more.
        if line.theft > 0 && line.kind < 3 {
            wanted += line.amount;
            got += scored.filter(|scored| scored.outcome == Outcome::Settled).map_or(0, |scored| scored.amount.0);
        }
    }
    (wanted, got)
}

#[test]
fn most_of_what_thieves_want_stays_with_its_owners() {
    let (wanted, all) = stolen(WATCHING);
    let (_, some) = stolen(RULES);
    println!("thieves want {wanted}, get {all} without screening and {some} with it");
    assert_eq!(wanted, all);
    assert!(some * 4 < all, "{some} of {all}");
}
