//! Compute market: an honest provider, a liar, a thief of answers, and somebody who doubts too much.

use noema_import::ImportOptions;
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Done, Stage, coins, shown, signed};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "compute-market",
    title: "inference for sale; the chain computes what somebody doubts, and liars pay",
    cast: &[
        ("operator", coins(1_000)),
        ("customer", coins(1_000)),
        ("honest", coins(1_000)),
        ("liar", coins(1_000)),
        ("thief", coins(1_000)),
        ("watcher", coins(1_000)),
        ("doubter", coins(1_000)),
    ],
    play,
};

const PRICE: u128 = coins(10);
const STAKE: u128 = coins(50);
const BOND: u128 = coins(5);
const MINUTE_MS: u64 = 60_000;
/// The output of the model that is sold: its probabilities.
const PROBABILITIES: usize = 1;
/// What is sent beyond the price for deposits; the rest comes back.
const CHANGE: u128 = COIN;

/// A provider's answer to a job.
struct Sealed {
    who: &'static str,
    job: u64,
    values: Vec<i64>,
    salt: String,
}

impl Sealed {
    fn new(who: &'static str, job: u64, values: &[i64]) -> Sealed {
        // Real providers take salts that nobody can guess.
        Sealed { who, job, values: values.to_vec(), salt: format!("{job:064x}") }
    }

    fn seal(&self, stage: &Stage<'_>, market: &Contract) -> Result<Value, CliError> {
        stage.view(market, "seal", &json!([self.job, stage.address(self.who), self.values, self.salt]))
    }

    fn args(&self) -> Value {
        json!([self.job, self.values, self.salt])
    }
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let folder = "compute-market/model";
    let options = ImportOptions::new("digits", "CC-BY-4.0");
    let model = stage.network(&format!("{folder}/digits.onnx"), &format!("{folder}/calibration.csv"), options)?;
    let rows = stage.table(&format!("{folder}/heldout.csv"))?;
    let id = stage.upload("customer", &model.model)?;
    let terms = json!({
        "stake": STAKE.to_string(), "bond": BOND.to_string(), "window_ms": 10 * MINUTE_MS, "max_gas": 100_000_000_000_u64,
    });
    let market = stage.deploy("operator", "compute-market", &json!({ "terms": terms }))?;

    // Four jobs in one block: pictures of digits, each to be read within an hour.
    let deadline = stage.time_ms() + 60 * MINUTE_MS;
    let pictures: Vec<&Vec<f64>> = rows.rows.iter().take(4).collect();
    let post = |picture: &Vec<f64>| {
        let args = json!([id, PROBABILITIES, model.row(picture)?, PRICE.to_string(), deadline]);
        Ok(market.call("customer", "post", args).value(PRICE + CHANGE))
    };
    stage.block(pictures.iter().map(|picture| post(picture)).collect::<Result<_, CliError>>()?)?;
    let truth = |job: usize| Ok::<_, CliError>(model.infer(pictures[job])?.swap_remove(PROBABILITIES));
    let lie = |job: usize| Ok::<_, CliError>(truth(job)?.into_iter().rev().collect::<Vec<_>>());

    // Job 0 and 2 are answered honestly, job 1 with a lie. Job 3 nobody takes.
    let answers =
        [Sealed::new("honest", 0, &truth(0)?), Sealed::new("liar", 1, &lie(1)?), Sealed::new("honest", 2, &truth(2)?)];
    let seals: Vec<Value> = answers.iter().map(|each| each.seal(stage, &market)).collect::<Result<_, _>>()?;
    let commits = answers
        .iter()
        .zip(&seals)
        .map(|(each, seal)| market.call(each.who, "commit", json!([each.job, seal])).value(STAKE + CHANGE));
    stage.block(commits.collect())?;
    // The thief has seen the seal of job 0, and takes it for his own.
    stage.send(market.call("thief", "commit", json!([0, seals[0]])).value(STAKE + CHANGE))?;
    // Then he sees the reveal in flight: in the same block he can copy it, but nothing that he can commit to is old enough.
    let stolen = Sealed::new("thief", 0, &truth(0)?);
    let mut block = vec![market.call("thief", "reveal", stolen.args()).value(CHANGE).refused("WrongSeal")];
    block.extend(answers.iter().map(|each| market.call(each.who, "reveal", each.args()).value(CHANGE)));
    block.push(market.call("thief", "reveal", stolen.args()).value(CHANGE).refused("Answered"));
    block.push(market.call("thief", "withdraw", json!([0])));
    stage.block(block)?;

    // A doubt that is right, and one that is wrong.
    let caught = stage.send(market.call("watcher", "challenge", json!([1])).value(BOND))?;
    let confirmed = stage.send(market.call("doubter", "challenge", json!([2])).value(BOND))?;
    stage.send(market.call("honest", "settle", json!([0])).refused("TooEarly"))?;
    stage.later(11 * MINUTE_MS);
    stage.send(market.call("watcher", "settle", json!([0])))?;
    stage.later(60 * MINUTE_MS);
    stage.send(market.call("watcher", "refund", json!([3])))?;

    tell(stage, &market, &caught, &confirmed, &truth(1)?)
}

fn tell(
    stage: &Stage<'_>,
    market: &Contract,
    caught: &Done,
    confirmed: &Done,
    truth: &[i64],
) -> Result<Story, CliError> {
    let computed = caught.events.last().map(|(_, closed)| closed["truth"].clone()).unwrap_or_default();
    let parts = [
        ("customer", "4 jobs: one answered, one confirmed by the chain, one lie, one that nobody took"),
        ("honest", "two answers; the doubt about one of them earned the bond"),
        ("liar", "one lie, caught: the stake is gone"),
        ("thief", "copied a seal and an answer: neither was his to reveal"),
        ("watcher", "challenged the lie: half of the stake"),
        ("doubter", "challenged the truth: the bond is gone"),
    ];
    let mut people = table(&["who", "coins", "did"]);
    let mut gains = serde_json::Map::new();
    for (who, did) in parts {
        let gain = stage.gain(who)?;
        people.add_row([who, &signed(gain), did]);
        gains.insert(who.to_owned(), json!(gain.to_string()));
    }
    let facts = json!({
        "gains": gains,
        "verdicts": [caught.result, confirmed.result],
        "truth_computed": computed == json!(truth),
        "open_jobs": (0..4).filter(|job| !matches!(stage.view(market, "job", &json!([job])), Ok(Value::Null))).count(),
        "challenge_gas": caught.gas.used,
        "model_gas": caught.gas.tensor,
    });
    Ok(Story::new(facts)
        .say(format!(
            "price {}, stake {}, bond {} coins; the network reads a digit of 8 by 8 points",
            shown(PRICE),
            shown(STAKE),
            shown(BOND)
        ))
        .say(people)
        .say(format!(
            "\na challenge: {} gas, {} of it for the model; verdicts {} and {}\nwhat the liar kept back, the chain computed and gave to the customer",
            amount(caught.gas.used),
            amount(caught.gas.tensor),
            caught.result,
            confirmed.result
        )))
}
