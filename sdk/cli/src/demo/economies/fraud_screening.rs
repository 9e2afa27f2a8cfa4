//! Fraud screening: a thief with Alice's key, a dealer who is none, and models that somebody has poisoned.

use noema_import::{ImportOptions, TreeOptions};
use noema_model::Model;
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Done, Stage, coins};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "fraud-screening",
    title: "transfers scored before they settle; holds, appeals, and models replaced by vote",
    cast: &[
        ("issuer", coins(1_000)),
        ("alice", coins(1_000)),
        ("bob", coins(1_000)),
        ("shop", coins(1_000)),
        ("dealer", coins(1_000)),
        ("thief", coins(1_000)),
        ("ann", coins(1_000)),
        ("ben", coins(1_000)),
        ("cleo", coins(1_000)),
        ("rita", coins(1_000)),
        ("rob", coins(1_000)),
    ],
    play,
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const HOLD_MS: u64 = 3 * DAY_MS;
const DELAY_MS: u64 = 2 * DAY_MS;
/// What comes with a transfer for the deposit of its entries; the rest comes back.
const CHANGE: u128 = COIN;
/// Fraction bits of the features, as the contract computes them.
const FEATURE_BITS: u8 = 8;
const HOLD_FROM: i32 = 1 << 15;
const PIECES: u64 = 30;
const CAR: u64 = 480_000;

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let first = upload(stage, "issuer", "first")?;
    let rules = json!({
        "hold_from": HOLD_FROM, "hold_ms": HOLD_MS, "reviewer_quorum": 2, "member_quorum": 2, "delay_ms": DELAY_MS,
        "proposal_ms": 14 * DAY_MS, "least_caught": 500, "most_alarms": 50, "most_gas": 1_000_000_000,
    });
    let [ann, ben, cleo, rita, rob] = ["ann", "ben", "cleo", "rita", "rob"].map(|name| stage.address(name));
    let args = json!({"rules": rules, "models": first, "members": [ann, ben, cleo], "reviewers": [rita, rob]});
    let token = stage.deploy("issuer", "fraud-screening", &args)?;
    let mut town = Town { stage, token };
    town.past()?;

    // With Alice's key the thief takes nearly all at once. She takes the hold back.
    let has = town.balance("alice")?;
    let takeover = town.pay("alice", "thief", has * 9 / 10)?;
    if let Some(id) = held(&takeover) {
        town.stage.send(town.token.call("alice", "cancel", json!([id])))?;
    }
    // Then in thirty pieces, one every four minutes. Holds are taken back by the thief himself, to try again.
    let (mut stolen, mut settled) = (0, 0);
    town.stage.later(DAY_MS);
    for _ in 0..PIECES {
        town.stage.later(4 * 60_000);
        let piece = has * 9 / 10 / PIECES;
        let done = town.pay("alice", "thief", piece)?;
        match held(&done) {
            Some(id) => drop(town.stage.send(town.token.call("alice", "cancel", json!([id])))?),
            None => (stolen, settled) = (stolen + piece, settled + 1),
        }
    }
    // Bob buys a car, is held, and appeals; later he buys another one, and the reviewers are on holiday.
    let car = town.pay("bob", "dealer", CAR)?;
    let bob = town.stage.address("bob");
    if let Some(id) = held(&car) {
        town.stage.send(town.token.call("dealer", "appeal", json!([bob, id, "invoice 17: a car"])).value(CHANGE))?;
        town.stage.send(town.token.call("dealer", "review", json!([bob, id, true])).refused(MISSING_ROLE))?;
        town.stage.send(town.token.call("rita", "review", json!([bob, id, true])))?;
        town.stage.send(town.token.call("rob", "review", json!([bob, id, true])))?;
    }
    let dealer = town.balance("dealer")?;
    let before = town.balance("bob")?;
    let forgotten = town.pay("bob", "thief", before * 9 / 10)?;
    let during = town.balance("bob")?;
    town.stage.later(HOLD_MS);
    town.stage.blocks(1)?;
    let after = town.balance("bob")?;

    let poisoned = upgrade(&mut town, "poisoned", 0)?;
    let better = upgrade(&mut town, "better", 1)?;
    let active = town.stage.view(&town.token, "models", &json!([]))?;
    let supply = town.stage.view(&town.token, "total_supply", &json!([]))?;
    let mut sum = 0;
    for who in ["alice", "bob", "shop", "dealer", "thief"] {
        sum += town.balance(who)?;
    }
    let facts = json!({
        "takeover_held": held(&takeover).is_some(), "pieces_settled": settled, "stolen": stolen, "wanted": has * 9 / 10,
        "car_held": held(&car).is_some(), "dealer": dealer, "forgotten_held": held(&forgotten).is_some(),
        "bob": [before, during, after], "poisoned": poisoned.result, "better": better.result,
        "active_is_better": active != json!(first), "supply": supply, "sum": sum, "transfer_gas": car.gas.used,
    });
    tell(facts, has, &car, [&poisoned, &better])
}

/// In the words of the SDK.
const MISSING_ROLE: &str = "the caller lacks the role for this";

struct Town<'s, 'a> {
    stage: &'s mut Stage<'a>,
    token: Contract,
}

impl Town<'_, '_> {
    /// Ten days of everyday life.
    fn past(&mut self) -> Result<(), CliError> {
        for (name, cents) in [("alice", 400_000), ("bob", 600_000), ("shop", 500_000), ("thief", 5_000)] {
            let to = self.stage.address(name);
            self.stage.send(self.token.call("issuer", "issue", json!([to, cents.to_string()])))?;
        }
        for day in 0..10 {
            for (from, to, cents) in [("alice", "shop", 3_100), ("bob", "shop", 2_600), ("bob", "alice", 1_500)] {
                self.stage.later(8 * HOUR_MS);
                self.pay(from, to, cents + 137 * day)?;
            }
        }
        Ok(())
    }

    fn pay(&mut self, from: &str, to: &str, cents: u64) -> Result<Done, CliError> {
        let to = self.stage.address(to);
        self.stage.send(self.token.call(from, "transfer", json!([to, cents.to_string()])).value(CHANGE))
    }

    fn balance(&self, who: &str) -> Result<u64, CliError> {
        let balance = self.stage.view(&self.token, "balance_of", &json!([self.stage.address(who)]))?;
        Ok(number(&balance))
    }
}

/// An amount of cents, which is a text because it could be larger than what JSON numbers hold.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(u64::MAX)
}

/// The number of the hold, if the transfer was held.
fn held(done: &Done) -> Option<u64> {
    done.result.get("Held").map(|held| number(held.get(0).unwrap_or(held)))
}

/// Imports and uploads a pair of models.
fn upload(stage: &mut Stage<'_>, who: &str, name: &str) -> Result<Value, CliError> {
    let folder = "fraud-screening/model";
    let input_fraction_bits = Some(FEATURE_BITS);
    let network = ImportOptions { input_fraction_bits, ..ImportOptions::new(&format!("{name} network"), "CC0-1.0") };
    let network = stage.network(&format!("{folder}/{name}.onnx"), &format!("{folder}/calibration.csv"), network)?.model;
    let trees = TreeOptions { input_fraction_bits, ..TreeOptions::new(&format!("{name} trees"), "CC0-1.0") };
    let trees = stage.trees(&format!("{folder}/{name}.lightgbm.txt"), &trees)?.model;
    let mut send = |model: &Model| stage.upload(who, model);
    Ok(json!({"trees": send(&trees)?, "network": send(&network)?}))
}

/// Ben proposes models, Cleo and he vote for them, and Ann opens the sample that she committed to before.
fn upgrade(town: &mut Town<'_, '_>, name: &str, number: u32) -> Result<Done, CliError> {
    let Town { stage, token } = town;
    let table = stage.table("fraud-screening/model/sample.csv")?;
    // The last column is the kind. The salts of a real sample are ones that nobody can guess.
    let rows: Vec<Vec<i32>> = table.rows.iter().map(|row| row.iter().map(|x| *x as i32).collect()).collect();
    let split = |mut row: Vec<i32>| {
        let kind = row.pop().unwrap_or_default();
        (row, kind)
    };
    let (rows, kinds): (Vec<Vec<i32>>, Vec<i32>) = rows.into_iter().map(split).unzip();
    let sample = json!({"rows": rows, "kinds": kinds, "salt": format!("{:064x}", number + 1)});
    let hash = stage.view(token, "commitment", &json!([sample]))?;
    stage.send(token.call("ann", "commit_sample", json!([hash])))?;
    let models = upload(stage, "ben", name)?;
    stage.send(token.call("ann", "propose", json!([models, number])).refused("OwnSample"))?;
    stage.send(token.call("ben", "propose", json!([models, number])))?;
    stage.send(token.call("ben", "vote", json!([number, true])))?;
    stage.send(token.call("cleo", "vote", json!([number, true])))?;
    stage.send(token.call("ann", "activate", json!([number, sample])).refused("TooEarly"))?;
    stage.later(DELAY_MS);
    stage.send(token.call("ann", "activate", json!([number, sample])))
}

fn tell(facts: Value, has: u64, car: &Done, checks: [&Done; 2]) -> Result<Story, CliError> {
    let outcome = |what: &str| if facts[what] == true { "held" } else { "settled" };
    let mut happened = table(&["who", "does", "and then"]);
    let taken = format!("{} of {has} cents at once", facts["wanted"]);
    happened.add_row(["thief", &taken, &format!("{}; Alice takes it back", outcome("takeover_held"))]);
    let pieces = format!("the same in {PIECES} pieces");
    happened.add_row(["", &pieces, &format!("{} settled: {} cents", facts["pieces_settled"], facts["stolen"])]);
    let released = format!("{}, appealed, released by two reviewers", outcome("car_held"));
    happened.add_row(["bob", &format!("a car for {CAR} cents"), &released]);
    let [before, during, after] = [0, 1, 2].map(|i| facts["bob"][i].to_string());
    let back = format!("{}; has {before}, {during}, {after}: back by itself", outcome("forgotten_held"));
    happened.add_row(["", "something that nobody reviews", &back]);
    let mut upgrades = table(&["models", "honest held", "takeover", "splitting", "mules", "and then"]);
    for (name, check) in ["poisoned", "better"].into_iter().zip(checks) {
        let share = |count: &Value| format!("{} of {}", count["held"], count["rows"]);
        let thefts = [0, 1, 2].map(|kind| share(&check.result["thefts"][kind]));
        let end = if check.result["passed"] == true { "active" } else { "refused, with all votes" };
        let [takeover, splitting, mules] = thefts;
        upgrades.add_row([name, &share(&check.result["honest"]), &takeover, &splitting, &mules, end]);
    }
    let gas =
        format!("\na scored transfer: {} gas, {} of it for the models", amount(car.gas.used), amount(car.gas.tensor));
    let lines = [happened.to_string(), upgrades.to_string(), gas];
    Ok(lines.into_iter().fold(Story::new(facts), Story::say))
}
