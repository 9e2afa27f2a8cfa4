//! Model incentives: a careful model, a plain one, one that knows the public rows by heart, and a copy that comes too late.

use noema_import::{ImportOptions, Table};
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Imported, Stage, coins, signed};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "model-incentives",
    title: "a bounty for accuracy on a test set that nobody has seen",
    cast: &[
        ("operator", coins(1_000)),
        ("sponsor", coins(1_000)),
        ("foundation", 0),
        ("careful", coins(10)),
        ("linear", coins(10)),
        ("memoriser", coins(10)),
        ("copycat", coins(10)),
    ],
    play,
};

const POT: u128 = coins(100);
const HOUR_MS: u64 = 3_600_000;
/// Fraction bits of the features: the sponsor announces them, so that one set of rows fits every model.
const BITS: u8 = 12;
const CHANGE: u128 = COIN;
const ENTRANTS: [&str; 3] = ["careful", "linear", "memoriser"];

/// A chunk as the contract takes it.
fn chunks(model: &Imported, table: &Table, rows: usize) -> Result<Vec<Value>, CliError> {
    let pairs: Vec<_> = table.rows.iter().zip(&table.labels).collect();
    let chunk = |(index, pairs): (usize, &[(&Vec<f64>, &usize)])| {
        let mut features = Vec::new();
        for (row, _) in pairs {
            features.extend(model.row(row)?);
        }
        let labels: Vec<usize> = pairs.iter().map(|(_, label)| **label).collect();
        // A real sponsor takes salts that nobody can guess.
        Ok(json!({ "rows": features, "labels": labels, "salt": format!("{index:064x}") }))
    };
    pairs.chunks(rows).enumerate().map(chunk).collect()
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let folder = "model-incentives/model";
    let network = |stage: &Stage<'_>, file: &str, name: &str| {
        let options = ImportOptions { input_fraction_bits: Some(BITS), ..ImportOptions::new(name, "CC0-1.0") };
        stage.network(&format!("{folder}/{file}.onnx"), &format!("{folder}/calibration.csv"), options)
    };
    let models = ENTRANTS.iter().map(|name| network(stage, name, name)).collect::<Result<Vec<_>, _>>()?;
    let validation = chunks(&models[0], &stage.table(&format!("{folder}/validation.csv"))?, 30)?;
    let test = chunks(&models[0], &stage.table(&format!("{folder}/test.csv"))?, 25)?;

    // What a chunk hashes to does not depend on the contract: any one says it.
    let start = stage.time_ms();
    let hashes = |set: &[Value]| set.iter().map(|_| json!("00".repeat(32))).collect::<Vec<_>>();
    let mut terms = json!({
        "features": 8, "class_output": 2, "chunk_rows": 30, "max_gas": 100_000_000_000_u64,
        "submit_until": start + HOUR_MS, "models_until": start + 2 * HOUR_MS,
        "test_until": start + 3 * HOUR_MS, "score_until": start + 4 * HOUR_MS,
        "validation": hashes(&validation), "test": hashes(&test),
        "floor": 500, "gap": 100, "shares": [600, 300, 100], "heir": stage.address("foundation"),
    });
    let draft = stage.deploy("operator", "model-incentives", &json!({ "terms": terms }))?;
    for (name, part, set) in [("validation", "Validation", &validation), ("test", "Test", &test)] {
        for (index, chunk) in set.iter().enumerate() {
            terms[name][index] = stage.view(&draft, "chunk_hash", &json!([part, index, chunk]))?;
        }
    }
    let bounty = stage.deploy("sponsor", "model-incentives", &json!({ "terms": terms }))?;
    stage.send(bounty.call("sponsor", "fund", json!([])).value(POT))?;

    // Seals first, all in one block. Models come to the chain when the last seal is in.
    let ids: Vec<String> = models.iter().map(|imported| imported.model.id().to_string()).collect();
    let salt = "aa".repeat(32);
    let mut seals = Vec::new();
    for (who, id) in ENTRANTS.iter().zip(&ids) {
        let seal = stage.view(&bounty, "seal", &json!([stage.address(who), id, salt]))?;
        seals.push(bounty.call(who, "enter", json!([seal])).value(CHANGE));
    }
    stage.block(seals)?;
    stage.later(HOUR_MS);
    for (who, imported) in ENTRANTS.iter().zip(&models) {
        stage.upload(who, &imported.model)?;
    }
    // The same weights under another name are another model, and still have no seal.
    let renamed = network(stage, "careful", "copycat")?;
    let copy = stage.upload("copycat", &renamed.model)?;
    let mut block = vec![
        bounty.call("copycat", "enter", json!(["11".repeat(32)])).value(CHANGE).refused("TooLate"),
        bounty.call("copycat", "unseal", json!([copy, salt])).value(CHANGE).refused("Submission"),
    ];
    let unseal = |(who, id): (&&'static str, &String)| bounty.call(who, "unseal", json!([id, salt])).value(CHANGE);
    block.extend(ENTRANTS.iter().zip(&ids).map(unseal));
    stage.block(block)?;

    // The sponsor would like other labels now that the models are known.
    stage.later(HOUR_MS);
    let mut better = test[0].clone();
    for label in better["labels"].as_array_mut().into_iter().flatten().take(2) {
        *label = json!((label.as_u64().unwrap_or(0) + 1) % 3);
    }
    let mut block = vec![bounty.call("sponsor", "reveal", json!([0, better])).refused("WrongChunk")];
    block.extend(test.iter().enumerate().map(|(index, chunk)| bounty.call("sponsor", "reveal", json!([index, chunk]))));
    stage.block(block)?;

    stage.later(HOUR_MS);
    let mut gas = 0;
    for who in ENTRANTS {
        let score = |part: &'static str, set: &[Value]| {
            let act =
                |(index, chunk)| bounty.call("operator", "score", json!([stage.address(who), part, index, chunk]));
            set.iter().enumerate().map(act).collect::<Vec<_>>()
        };
        let acts = [score("Validation", &validation), score("Test", &test)].concat();
        gas += stage.block(acts)?.iter().map(|done| done.gas.used).sum::<u64>();
    }
    stage.later(HOUR_MS);
    let paid = stage.send(bounty.call("operator", "pay", json!([])))?;
    stage.block(ENTRANTS.iter().map(|who| bounty.call(who, "leave", json!([]))).collect())?;
    let won: Vec<&Value> = paid.events.iter().map(|(_, won)| won).collect();
    tell(stage, &bounty, &json!(won), gas / 3)
}

fn tell(stage: &Stage<'_>, bounty: &Contract, won: &Value, gas: u64) -> Result<Story, CliError> {
    let scored = stage.events(bounty, "scored")?;
    let share = |count: &Value| format!("{} of {}", count["right"], count["rows"]);
    let mut people = table(&["who", "public rows", "hidden rows", "ranked", "coins"]);
    let (mut gains, mut scores) = (serde_json::Map::new(), serde_json::Map::new());
    for who in ENTRANTS {
        let event = scored.iter().find(|event| event["submitter"] == json!(stage.address(who)));
        let event = event.cloned().unwrap_or_default();
        let (public, hidden) = (share(&event["scores"]["validation"]), share(&event["scores"]["test"]));
        let ranked = if event["ranked"] == json!(true) { "yes" } else { "no: the gap is over 10 %" };
        people.add_row([who, &public, &hidden, ranked, &signed(stage.gain(who)?)]);
        scores.insert(who.to_owned(), event);
    }
    people.add_row(["copycat", "", "", "no: it had no seal", &signed(stage.gain("copycat")?)]);
    people.add_row(["foundation", "", "", "what nobody won", &signed(stage.gain("foundation")?)]);
    people.add_row(["sponsor", "", "", "", &signed(stage.gain("sponsor")?)]);
    for who in ["careful", "linear", "memoriser", "copycat", "foundation", "sponsor"] {
        gains.insert(who.to_owned(), json!(stage.gain(who)?.to_string()));
    }
    let podium = stage.view(bounty, "podium", &json!([]))?;
    Ok(Story::new(json!({ "gains": gains, "scores": scores, "podium": podium, "won": won, "score_gas": gas }))
        .say("100 coins for models that tell three sorts of grain apart; 60 public rows, 100 sealed ones")
        .say(people)
        .say(format!(
            "\nthe sponsor tried to change two labels of the sealed rows: refused by the hash\nscoring a model on all rows: {} gas",
            amount(gas)
        )))
}
