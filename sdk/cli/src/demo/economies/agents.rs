//! Agents: one buys forecasts within its owner's limits, one sells them, two cheat, and somebody ticks too often.

use std::fs;

use noema_import::ImportOptions;
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Done, Stage, coins, shown, signed};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "agents",
    title: "an agent with a wallet haggles with another one for forecasts, within its owner's limits",
    cast: &[
        ("owner", coins(1_000)),
        ("vendor", coins(1_000)),
        ("feed", coins(1_000)),
        ("keeper", coins(1_000)),
        ("mallory", coins(1_000)),
        ("eve", coins(1_000)),
    ],
    play,
};

const HOUR_MS: u64 = 3_600_000;
/// Hours that a forecast is made from.
const WINDOW: usize = 12;
/// Hours that the story goes on.
const HOURS: usize = 36;
const FUNDS: u128 = coins(100);
const LIST: u128 = 8 * COIN / 10;
const FLOOR: u128 = 2 * COIN / 10;
/// What the cheats ask for: cheap, so that the agent is tempted.
const BAIT: u128 = COIN / 10;
const REWARD: u128 = COIN / 100;

/// What the agent bought.
#[derive(Default)]
struct Diary {
    deals: u128,
    rounds: u64,
    asked: u128,
    paid: u128,
    bans: Vec<String>,
    gas: u64,
    tensor_gas: u64,
}

impl Diary {
    /// Notes what a tick has done; whether it bought something.
    fn note(&mut self, done: &Done) -> bool {
        let before = self.deals;
        for (topic, event) in &done.events {
            let units =
                |field: &str| event[field].as_str().and_then(|text| text.parse::<u128>().ok()).unwrap_or_default();
            match topic.as_str() {
                "purchased" => {
                    self.deals += 1;
                    self.rounds += event["rounds"].as_u64().unwrap_or_default();
                    (self.asked, self.paid) = (self.asked + units("asked"), self.paid + units("price"));
                    (self.gas, self.tensor_gas) = (done.gas.used, done.gas.tensor);
                }
                "banned" => self.bans.push(event["why"].as_str().unwrap_or_default().to_owned()),
                _ => {}
            }
        }
        self.deals > before
    }
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let import = |stage: &Stage<'_>, name: &str| {
        let options = ImportOptions { input_fraction_bits: Some(8), ..ImportOptions::new(name, "CC0-1.0") };
        let files = format!("agents/model/{name}");
        stage.network(&format!("{files}.onnx"), &format!("{files}.calibration.csv"), options)
    };
    let [buyer, seller, demand] = ["buyer", "seller", "demand"].map(|name| import(stage, name));
    let (buyer, seller, demand) = (buyer?.model, seller?.model, demand?.model);
    let demand_bits = demand.manifest().outputs.first().map(|port| port.fraction_bits);
    let policy = stage.upload("owner", &buyer)?;
    let limits = json!({
        "period_ms": 24 * HOUR_MS, "period": coins(8).to_string(), "counterparty": coins(7).to_string(),
        "keep": coins(80).to_string(), "worth": COIN.to_string(), "reward": REWARD.to_string(),
    });
    let agent = stage.deploy("owner", "agents/agent", &json!({ "policy": policy, "limits": limits }))?;
    let honest = json!({
        "policy": stage.upload("vendor", &seller)?, "demand": stage.upload("vendor", &demand)?,
        "demand_bits": demand_bits, "list": LIST.to_string(), "floor": FLOOR.to_string(),
    });
    let forecaster = stage.deploy("vendor", "agents/forecaster", &honest)?;
    let cheat = |trick: &str, price: u128| json!({ "trick": trick, "price": price.to_string() });
    let raises = stage.deploy("mallory", "agents/trickster", &cheat("Raises", 6 * BAIT))?;
    let garbage = stage.deploy("mallory", "agents/trickster", &cheat("Garbage", BAIT))?;
    let echoes = stage.deploy("mallory", "agents/trickster", &cheat("Echoes", BAIT))?;

    let mut rules = vec![
        agent.call("owner", "fund", json!([])).value(FUNDS),
        agent.call("owner", "set_feed", json!([stage.address("feed"), true])),
    ];
    for seller in [&forecaster, &raises, &garbage, &echoes] {
        rules.push(agent.call("owner", "set_seller", json!([seller.address.to_string(), true])));
    }
    stage.block(rules)?;
    let contracts = [
        ("agent", &agent),
        ("forecaster", &forecaster),
        ("raises", &raises),
        ("garbage", &garbage),
        ("echoes", &echoes),
    ];
    let wallets =
        |stage: &Stage<'_>| contracts.iter().map(|(_, contract)| stage.free(contract)).collect::<Result<Vec<_>, _>>();
    let before = wallets(stage)?;

    let series = series(stage)?;
    for demand in &series[..WINDOW] {
        stage.later(HOUR_MS);
        stage.send(agent.call("feed", "observe", json!([demand])))?;
    }
    let mut diary = Diary::default();
    for demand in &series[WINDOW..WINDOW + HOURS] {
        // Two tick in the same block; the second one finds nothing to do, and nothing to earn.
        let ticks = stage.block(vec![agent.call("keeper", "tick", json!([])), agent.call("eve", "tick", json!([]))])?;
        let mut first = ticks.iter();
        if first.next().is_some_and(|done| diary.note(done)) && first.any(|done| diary.note(done)) {
            return Err(super::super::internal("an hour was ticked twice".to_owned()));
        }
        stage.later(HOUR_MS);
        stage.send(agent.call("feed", "observe", json!([demand])))?;
    }
    let known = stage.view(&agent, "sellers", &json!([]))?;

    let mut gains = Vec::new();
    for ((who, _), (before, after)) in contracts.iter().zip(before.into_iter().zip(wallets(stage)?)) {
        gains.push((*who, after as i128 - before as i128));
    }
    for who in ["keeper", "eve", "feed"] {
        gains.push((who, stage.gain(who)?));
    }

    // The owner has seen enough.
    stage.block(vec![
        agent.call("eve", "withdraw", json!(["1"])).refused("only the owner may do this"),
        agent.call("owner", "set_paused", json!([true])),
        agent.call("keeper", "tick", json!([])).refused("the contract is paused"),
    ])?;
    let left = FUNDS - diary.paid - REWARD * diary.deals;
    stage.send(agent.call("owner", "withdraw", json!([left.to_string()])))?;
    Ok(tell(&gains, [&forecaster, &echoes], &known, &diary))
}

/// Demand, hour by hour, as text.
fn series(stage: &Stage<'_>) -> Result<Vec<String>, CliError> {
    let file = stage.file("agents/model/series.csv")?;
    let text = fs::read_to_string(&file).map_err(|error| CliError::io("read", &file, error))?;
    let series: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    if series.len() < WINDOW + HOURS {
        return Err(super::super::internal(format!("{} hours of demand", series.len())));
    }
    Ok(series)
}

fn tell(gains: &[(&str, i128)], [forecaster, echoes]: [&Contract; 2], known: &Value, diary: &Diary) -> Story {
    let all = known.as_array().map(Vec::as_slice).unwrap_or_default();
    let record = |contract: &Contract| -> Value {
        let address = json!(contract.address.to_string());
        all.iter().find(|entry| entry[0] == address).map(|entry| entry[1].clone()).unwrap_or_default()
    };
    let honest = record(forecaster);
    let scored = honest["scored"].as_u64().unwrap_or_default().max(1) as f64;
    let mean =
        |field: &str| honest[field].as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default() / scored;
    let [off, naive] = [mean("off"), mean("naive")];
    let mut people = table(&["who", "coins", "did"]);
    for &(who, gain) in gains {
        let did = match who {
            "agent" => "bought within its limits: 8 coins a day, 7 to one seller",
            "forecaster" => &format!("haggled; off by {off:.2} an hour, the hour before by {naive:.2}"),
            "raises" => "asked for more in every round: banned, nothing was paid",
            "garbage" => "took the money for nonsense: banned, the payment was undone",
            "echoes" => "sold the hour before as a forecast, cheaply: banned after six",
            "keeper" => "ticked the agent every hour, for rewards",
            "eve" => "ticked it again in the same block, every hour",
            _ => "reported demand",
        };
        people.add_row([who, &signed(gain), did]);
    }
    let facts = json!({
        "gains": gains.iter().map(|(who, gain)| ((*who).to_owned(), json!(gain.to_string()))).collect::<serde_json::Map<_, _>>(),
        "deals": diary.deals.to_string(), "rounds": diary.rounds,
        "asked": diary.asked.to_string(), "paid": diary.paid.to_string(), "rewards": (REWARD * diary.deals).to_string(),
        "bans": diary.bans, "banned": all.iter().filter(|entry| entry[1]["banned"] == true).count(),
        "off": off, "naive": naive,
        "echoes_scored": record(echoes)["scored"],
        "tick_gas": diary.gas, "model_gas": diary.tensor_gas,
    });
    let [asked, paid] = [diary.asked, diary.paid].map(shown);
    Story::new(facts)
        .say(format!(
            "{} forecasts in {HOURS} hours, {} rounds: asked {asked} coins, paid {paid}",
            diary.deals, diary.rounds
        ))
        .say(people)
        .say(format!(
            "the owner stopped the agent and took the rest\nthe last tick: {} gas, models {} of it",
            amount(diary.gas),
            amount(diary.tensor_gas)
        ))
}
