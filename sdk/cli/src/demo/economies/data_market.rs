//! Data market: two contributors with something new, one with nothing new, one with wrong names; and a cheat among the first two.

use noema_import::{ImportOptions, Table};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Imported, Stage, coins, signed};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "data-market",
    title: "data sets measured by a model, paid by their worth, handed over by provable keys",
    cast: &[
        ("curator", coins(1_000)),
        ("stale", coins(10)),
        ("meadow", coins(10)),
        ("poison", coins(10)),
        ("forest", coins(10)),
        ("buyer", coins(1_000)),
    ],
    play,
};

/// Contributors, named after what they offer, in the order in which they register.
const OFFERS: [&str; 4] = ["stale", "meadow", "poison", "forest"];
const PRICE: u128 = coins(100);
const BOND: u128 = coins(1);
const CHANGE: u128 = COIN;
const HOUR_MS: u64 = 3_600_000;
const SLOT_MS: u64 = 60_000;

fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Real keys, pads and seeds are drawn by lot.
fn secret(name: &str) -> [u8; 32] {
    sha256(name)
}

fn shown(hash: [u8; 32]) -> String {
    crate::arguments::show(hash)
}

/// What a contributor puts on the chain for a buyer who has given them a pad.
fn hidden(key: [u8; 32], pad: [u8; 32]) -> String {
    let mut both = key;
    both.iter_mut().zip(pad).for_each(|(a, b)| *a ^= b);
    shown(both)
}

fn rows(encoder: &Imported, table: &Table) -> Result<Value, CliError> {
    let mut features = Vec::new();
    for row in &table.rows {
        features.extend(encoder.row(row)?);
    }
    Ok(json!({ "features": features, "labels": table.labels }))
}

/// A data set as its contributor has it: the rows, and the rows sealed with their paths.
struct Offer {
    who: &'static str,
    rows: Vec<Value>,
    root: Value,
    sealed: Value,
}

impl Offer {
    fn new(stage: &Stage<'_>, market: &Contract, who: &'static str, encoder: &Imported) -> Result<Offer, CliError> {
        let table = stage.table(&format!("data-market/model/{who}.csv"))?;
        let pairs = table.rows.iter().zip(&table.labels).enumerate();
        let row = |(index, (row, label)): (usize, (&Vec<f64>, &usize))| {
            let salt = shown(secret(&format!("salt of {who} {index}")));
            Ok::<_, CliError>(json!({ "features": encoder.row(row)?, "label": label, "salt": salt }))
        };
        let rows: Vec<Value> = pairs.map(row).collect::<Result<_, _>>()?;
        let sealed = stage.view(market, "seal", &json!([shown(secret(who)), rows]))?;
        Ok(Offer { who, rows, root: sealed[0].clone(), sealed: sealed[1].clone() })
    }

    /// The rows that were drawn, opened.
    fn sample(&self, drawn: &Value) -> Vec<Value> {
        let indices = drawn.as_array().into_iter().flatten().filter_map(Value::as_u64);
        let open = |index: u64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let (row, sealed) = (self.rows.get(index).cloned().unwrap_or_default(), &self.sealed[index]);
            json!({ "row": row, "cipher": sealed["cipher"], "path": sealed["path"] })
        };
        indices.map(open).collect()
    }
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let file = |name: &str| format!("data-market/model/{name}");
    let options = ImportOptions::new("encoder", "CC0-1.0");
    let encoder = stage.network(&file("encoder.onnx"), &file("calibration.csv"), options)?;
    let known = rows(&encoder, &stage.table(&file("base.csv"))?)?;
    let held_out = rows(&encoder, &stage.table(&file("heldout.csv"))?)?;
    let held_out = json!({ "rows": held_out, "seed": shown(secret("drawn by lot")) });
    let model = stage.upload("curator", &encoder.model)?;

    let start = stage.time_ms();
    let mut terms = json!({
        "licence": "CC0-1.0", "price": PRICE.to_string(), "bond": BOND.to_string(), "model": model, "features": 10,
        "held_out": "00".repeat(32), "sample": 12, "register_until": start + HOUR_MS,
        "show_until": start + 2 * HOUR_MS, "slot_ms": SLOT_MS, "release_ms": HOUR_MS, "dispute_ms": HOUR_MS,
    });
    // What something hashes to does not depend on the contract: any one says it.
    let draft = stage.deploy("curator", "data-market", &json!({ "terms": terms, "known": known }))?;
    terms["held_out"] = stage.view(&draft, "held_out_hash", &json!([held_out]))?;
    let market = stage.deploy("curator", "data-market", &json!({ "terms": terms, "known": known }))?;

    let offers = OFFERS.iter().map(|who| Offer::new(stage, &market, who, &encoder)).collect::<Result<Vec<_>, _>>()?;
    let register = |offer: &Offer| {
        let args = json!([offer.root, offer.rows.len(), shown(sha256(secret(offer.who)))]);
        market.call(offer.who, "register", args).value(BOND + CHANGE)
    };
    stage.block(offers.iter().map(register).collect())?;
    stage.later(HOUR_MS);
    stage.send(market.call("curator", "show", json!([held_out])).value(CHANGE))?;

    // Each in its slot. The one with wrong names would rather open rows that were not drawn.
    stage.later(start + 2 * HOUR_MS - stage.time_ms());
    let mut gas = 0;
    for (number, offer) in offers.iter().enumerate() {
        let sample = offer.sample(&stage.view(&market, "drawn", &json!([number]))?);
        let open = |sample: &[Value]| market.call(offer.who, "appraise", json!([number, sample])).value(CHANGE);
        if offer.who == "poison" {
            let mut chosen = sample.clone();
            chosen.reverse();
            stage.send(open(&chosen).refused("WrongOpening"))?;
        }
        gas = stage.send(open(&sample))?.gas.used.max(gas);
        stage.later(SLOT_MS);
    }

    // Two purchases. In the first one the forest's key is a wrong one; in the second all goes well.
    let pad = |purchase: u64, part: usize| secret(&format!("pad {purchase} {part}"));
    let sold = [1usize, 3];
    for purchase in 0..2 {
        let pads: Vec<Value> = sold.iter().map(|&part| json!([part, shown(sha256(pad(purchase, part)))])).collect();
        stage.send(market.call("buyer", "buy", json!([pads])).value(PRICE + CHANGE))?;
        let release = |&part: &usize| {
            let cheats = purchase == 0 && OFFERS[part] == "forest";
            let key = if cheats { secret("another key") } else { secret(OFFERS[part]) };
            market.call(OFFERS[part], "release", json!([purchase, part, hidden(key, pad(purchase, part))]))
        };
        stage.block(sold.iter().map(release).collect())?;
    }
    let dispute = |purchase: u64, part: usize| {
        market.call("buyer", "dispute", json!([purchase, part, shown(pad(purchase, part)), null]))
    };
    stage.send(dispute(0, 3))?;
    stage.send(dispute(1, 3).refused("NothingWrong"))?;
    stage.later(2 * HOUR_MS);
    let settle = |(purchase, part): (u64, usize)| market.call("curator", "settle", json!([purchase, part]));
    stage.block([(0, 1), (1, 1), (1, 3)].into_iter().map(settle).collect())?;
    tell(stage, &market, gas)
}

fn tell(stage: &Stage<'_>, market: &Contract, gas: u64) -> Result<Story, CliError> {
    let appraised = stage.events(market, "appraised")?;
    let mut people = table(&["who", "held-out rows right", "worth", "coins", "what came of it"]);
    let mut gains = serde_json::Map::new();
    let ends = ["nothing new: not sold", "sold twice", "wrong names: not sold", "sold once; the other key was wrong"];
    for ((who, event), end) in OFFERS.iter().zip(&appraised).zip(ends) {
        let gain = stage.gain(who)?;
        let (before, after) = (event["before"].as_u64().unwrap_or(0), event["after"].as_u64().unwrap_or(0));
        let counted = format!("{before}, with it {after} of 60");
        people.add_row([who, &counted[..], &after.saturating_sub(before).to_string(), &signed(gain), end]);
        gains.insert((*who).to_owned(), json!(gain.to_string()));
    }
    let buyer = stage.gain("buyer")?;
    people.add_row(["buyer", "", "", &signed(buyer), "200 paid, one share back"]);
    gains.insert("buyer".to_owned(), json!(buyer.to_string()));
    let settled = stage.events(market, "settled")?;
    let open = (0..2).filter(|at| !matches!(stage.view(market, "purchase", &json!([at])), Ok(Value::Null))).count();
    let facts = json!({
        "gains": gains, "appraised": appraised, "settled": settled, "open_purchases": open, "appraise_gas": gas,
    });
    Ok(Story::new(facts)
        .say("a seed's variety by its nearest known seed, where an encoder puts them; 100 coins for the collection")
        .say(people)
        .say(format!(
            "\nmeasuring a data set by 12 drawn rows: up to {} gas; opening other rows was refused",
            amount(gas)
        ))
        .say("the buyer also disputed a right key: refused"))
}
