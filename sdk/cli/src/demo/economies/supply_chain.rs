//! Supply chain: a journey that is in order, one whose cooling fails, one whose readings were smoothed, and a buyer who vanishes.

use std::fs;

use noema_chain::KeyPair;
use noema_import::ImportOptions;
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Stage, coins, shown, signed};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "supply-chain",
    title: "custody and a cold chain; a recurrent network stops the payment",
    cast: &[
        ("operator", coins(1_000)),
        ("buyer", coins(1_000)),
        ("seller", coins(1_000)),
        ("north", coins(1_000)),
        ("south", coins(1_000)),
        ("arbiter", coins(1_000)),
        ("eve", coins(1_000)),
    ],
    play,
};

const HOUR_MS: u64 = 3_600_000;
const PRICE: u128 = coins(100);
const FEES: [u128; 2] = [coins(3), coins(5)];
const BOND: u128 = coins(40);
/// Of 65,536: 0.8.
const THRESHOLD: u32 = 52_429;
/// What is sent beyond price and freight for the deposit; the rest comes back.
const CHANGE: u128 = COIN;
/// The carriers change after so many hours.
const CHANGE_OVER: usize = 6;

/// The readings of one simulated journey, hour by hour, as JSON.
fn journey(stage: &Stage<'_>, kind: &str, number: usize) -> Result<Vec<Value>, CliError> {
    let file = stage.file("supply-chain/model/journeys.csv")?;
    let text = fs::read_to_string(&file).map_err(|error| CliError::io("read", &file, error))?;
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>()).filter(|row| row.get(1) == Some(&kind));
    let mut journeys: Vec<Vec<Value>> = Vec::new();
    for row in rows {
        let [_, _, hour, inside, outside, door, driven, to_go] = row[..] else { continue };
        if hour == "0" {
            journeys.push(Vec::new());
        }
        let reading = json!({ "inside": inside, "outside": outside, "door": door, "driven": driven, "to_go": to_go });
        if let Some(journey) = journeys.last_mut() {
            journey.push(reading);
        }
    }
    journeys.into_iter().nth(number).ok_or_else(|| super::super::internal(format!("no journey {kind} {number}")))
}

/// A shipment under way.
struct Trip<'a> {
    contract: &'a Contract,
    id: Value,
    readings: Vec<Value>,
    sensor: Option<&'a KeyPair>,
    /// Score, and hours until arrival by the forecast, after each post.
    scores: Vec<u64>,
    forecasts: Vec<u64>,
    /// Hours that have passed since the last reading.
    waited: u64,
    gas: u64,
    tensor_gas: u64,
}

impl<'a> Trip<'a> {
    /// Ordered, offered by the seller, and in the hands of the first carrier.
    fn begin(
        stage: &mut Stage<'_>,
        contract: &'a Contract,
        readings: Vec<Value>,
        sensor: Option<&'a KeyPair>,
    ) -> Result<Trip<'a>, CliError> {
        let leg = |carrier: &str, fee: u128| json!({ "carrier": stage.address(carrier), "fee": fee.to_string(), "bond": BOND.to_string() });
        let terms = json!({
            "seller": stage.address("seller"),
            "price": PRICE.to_string(),
            "legs": [leg("north", FEES[0]), leg("south", FEES[1])],
            "arbiter": stage.address("arbiter"),
            "sensor": sensor.map(|key| hex::encode(key.public_key())),
            "deliver_by": stage.time_ms() + (readings.len() as u64 + 24) * HOUR_MS,
        });
        let order = contract.call("buyer", "order", json!([terms])).value(PRICE + FEES[0] + FEES[1] + CHANGE);
        let id = stage.send(order)?.result;
        stage.send(contract.call("seller", "offer", json!([id, 0])))?;
        stage.send(contract.call("north", "accept", json!([id, 0])).value(BOND))?;
        Ok(Trip { contract, id, readings, sensor, scores: vec![], forecasts: vec![], waited: 0, gas: 0, tensor_gas: 0 })
    }

    /// The arguments of a post of up to six readings from the hour `first` on, signed where there is a sensor.
    fn post(&self, stage: &Stage<'_>, first: usize, until: usize) -> Result<Value, CliError> {
        let readings = &self.readings[first..until];
        let signature = match self.sensor {
            None => Value::Null,
            Some(key) => {
                let bytes = stage.view(self.contract, "signed_bytes", &json!([self.id, first, readings]))?;
                let bytes = bytes.as_str().and_then(|text| hex::decode(text.trim_start_matches("0x")).ok());
                json!(format!("0x{}", hex::encode(key.sign_bytes(&bytes.unwrap_or_default()))))
            }
        };
        Ok(json!([self.id, first, readings, signature]))
    }

    /// Drives for the hours from `first` to `until`, and posts every six.
    fn drive(&mut self, stage: &mut Stage<'_>, who: &str, first: usize, until: usize) -> Result<(), CliError> {
        for from in (first..until).step_by(6) {
            let to = until.min(from + 6);
            let args = self.post(stage, from, to)?;
            stage.later(((to - from) as u64 - std::mem::take(&mut self.waited)) * HOUR_MS);
            let done = stage.send(self.contract.call(who, "post", args))?;
            let arrival = done.events.first().and_then(|(_, scored)| scored["arrival"].as_u64()).unwrap_or_default();
            self.scores.push(done.result.as_u64().unwrap_or_default());
            self.forecasts.push(arrival.saturating_sub(stage.time_ms()).div_ceil(HOUR_MS));
            (self.gas, self.tensor_gas) = (done.gas.used, done.gas.tensor);
        }
        Ok(())
    }

    fn hand_over(&self, stage: &mut Stage<'_>) -> Result<(), CliError> {
        stage.send(self.contract.call("north", "offer", json!([self.id, 1])))?;
        stage.send(self.contract.call("south", "accept", json!([self.id, 1])).value(BOND)).map(|_| ())
    }

    /// To the buyer's door.
    fn complete(&mut self, stage: &mut Stage<'_>) -> Result<(), CliError> {
        self.drive(stage, "north", 0, CHANGE_OVER)?;
        self.hand_over(stage)?;
        self.drive(stage, "south", CHANGE_OVER, self.readings.len())?;
        stage.send(self.contract.call("south", "offer", json!([self.id, 2]))).map(|_| ())
    }

    fn worst(&self) -> f64 {
        *self.scores.iter().max().unwrap_or(&0) as f64 / 65_536.0
    }
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let import = |stage: &Stage<'_>, name: &str| {
        let options = ImportOptions { input_fraction_bits: Some(8), ..ImportOptions::new(name, "CC0-1.0") };
        stage.network(&format!("supply-chain/model/{name}.onnx"), "supply-chain/model/calibration.csv", options)
    };
    let (anomaly, forecast) = (import(stage, "anomaly")?.model, import(stage, "forecast")?.model);
    let scorers = json!({ "scorers": {
        "anomaly": stage.upload("operator", &anomaly)?,
        "forecast": stage.upload("operator", &forecast)?,
        "forecast_bits": forecast.manifest().outputs.first().map(|port| port.fraction_bits),
        "threshold": THRESHOLD,
    }});
    let contract = stage.deploy("operator", "supply-chain", &scorers)?;

    // In order, with a sensor that signs. Eve takes what was not offered to her; a carrier posts hours twice, and changes one.
    let sensor = KeyPair::from_seed([7; 32]);
    let mut good = Trip::begin(stage, &contract, journey(stage, "good", 0)?, Some(&sensor))?;
    let (id, north) = (good.id.clone(), "north");
    good.drive(stage, north, 0, CHANGE_OVER)?;
    stage.send(contract.call(north, "offer", json!([id, 1])))?;
    stage.block(vec![
        contract.call("eve", "accept", json!([id, 1])).value(BOND).refused("NotYours"),
        contract.call(north, "post", good.post(stage, 0, CHANGE_OVER)?).refused("AlreadyPosted"),
        contract.call("south", "accept", json!([id, 1])).value(BOND),
    ])?;
    let mut changed = good.post(stage, CHANGE_OVER, 2 * CHANGE_OVER)?;
    changed[2][0]["inside"] = json!("4.5");
    good.waited = 6;
    stage.later(good.waited * HOUR_MS);
    stage.send(contract.call("south", "post", changed).refused("BadSignature"))?;
    good.drive(stage, "south", CHANGE_OVER, good.readings.len())?;
    stage.send(contract.call("south", "offer", json!([id, 2])))?;
    stage.send(contract.call("buyer", "accept", json!([id, 2])))?;

    // The cooling fails on the second leg; the arbiter sees it as the network does.
    let mut failing = Trip::begin(stage, &contract, journey(stage, "failing", 0)?, None)?;
    failing.complete(stage)?;
    stage.send(contract.call("buyer", "accept", json!([failing.id, 2])))?;
    stage.send(contract.call("south", "rule", json!([failing.id, 255])).refused("NotYours"))?;
    stage.send(contract.call("arbiter", "rule", json!([failing.id, 2])))?;

    // A failing box again, but the carrier averages what it posts; neither buyer nor arbiter ever says anything.
    let mut smoothed = Trip::begin(stage, &contract, journey(stage, "smoothed", 1)?, None)?;
    smoothed.complete(stage)?;
    stage.later(49 * HOUR_MS);
    stage.send(contract.call("eve", "lapse", json!([smoothed.id])))?;
    stage.later(8 * 24 * HOUR_MS);
    let smoothed_end = stage.send(contract.call("eve", "lapse", json!([smoothed.id])))?;

    // In order, and the buyer vanishes.
    let mut alone = Trip::begin(stage, &contract, journey(stage, "good", 5)?, None)?;
    alone.complete(stage)?;
    stage.send(contract.call("south", "lapse", json!([alone.id])).refused("TooEarly"))?;
    stage.later(49 * HOUR_MS);
    stage.send(contract.call("south", "lapse", json!([alone.id])))?;

    let named = smoothed_end.events.last().map(|(_, settled)| settled["at_fault"].clone()).unwrap_or_default();
    let trips = [
        (&good, "signed readings", "paid"),
        (&failing, "cooling fails on leg 2", "arbiter: south at fault"),
        (&smoothed, "averaged readings", "nobody rules: the score stands"),
        (&alone, "buyer vanishes", "paid after two days"),
    ];
    tell(stage, &contract, &trips, &named)
}

fn tell(
    stage: &Stage<'_>,
    contract: &Contract,
    trips: &[(&Trip<'_>, &str, &str)],
    named: &Value,
) -> Result<Story, CliError> {
    let mut journeys = table(&["shipment", "hours", "worst score", "forecast half way", "left", "ends"]);
    for (trip, what, end) in trips {
        let half = trip.forecasts.len() / 2;
        journeys.add_row([
            (*what).to_owned(),
            trip.readings.len().to_string(),
            format!("{:.3}", trip.worst()),
            trip.forecasts.get(half).copied().unwrap_or_default().to_string(),
            trip.readings.len().saturating_sub(6 * (half + 1)).to_string(),
            (*end).to_owned(),
        ]);
    }
    let mut people = table(&["who", "coins"]);
    let mut gains = serde_json::Map::new();
    for who in ["buyer", "seller", "north", "south", "arbiter", "eve"] {
        let gain = stage.gain(who)?;
        people.add_row([who, &signed(gain)]);
        gains.insert(who.to_owned(), json!(gain.to_string()));
    }
    let last = trips.first().map_or((0, 0), |(trip, ..)| (trip.gas, trip.tensor_gas));
    let open = |id: &Value| !matches!(stage.view(contract, "shipment", &json!([id])), Ok(Value::Null));
    let facts = json!({
        "gains": gains,
        "worst": trips.iter().map(|(trip, ..)| trip.worst()).collect::<Vec<_>>(),
        "smoothed_at_fault": named,
        "open": trips.iter().filter(|(trip, ..)| open(&trip.id)).count(),
        "post_gas": last.0,
        "model_gas": last.1,
    });
    Ok(Story::new(facts)
        .say(format!(
            "price {}, freight {} and {}, bonds of {} coins; payment stops from 0.800 on",
            shown(PRICE),
            shown(FEES[0]),
            shown(FEES[1]),
            shown(BOND)
        ))
        .say(journeys)
        .say(people)
        .say(format!(
            "eve took no custody, replayed and changed readings were refused\na post: {} gas, models {} of it",
            amount(last.0),
            amount(last.1)
        )))
}
