//! Private health: Dora's record, five hospitals that train together, one that drops out, one that poisons.

use noema_import::{ImportOptions, Table};
use private_health_client::masks::Seeds;
use private_health_client::sealed::{Sealed, decrypt, encrypt, open, seal};
use private_health_client::training::{Patients, clipped, logit, real, train};
use private_health_client::{Bytes32, Secret, hash};
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{COIN, Contract, Done, Imported, Stage, coins, shown, signed, unexpected};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "private-health",
    title: "records that only their owner reads; hospitals that train together and show nothing",
    cast: &[
        ("deployer", coins(1_000)),
        ("dora", coins(1_000)),
        ("carl", coins(1_000)),
        ("doctor", coins(1_000)),
        ("eve", coins(1_000)),
        ("astoria", coins(1_000)),
        ("bergen", coins(1_000)),
        ("cairo", coins(1_000)),
        ("dakar", coins(1_000)),
        ("erfurt", coins(1_000)),
    ],
    play,
};

const HOSPITALS: [&str; 5] = ["astoria", "bergen", "cairo", "dakar", "erfurt"];
const STAKE: u128 = coins(10);
const CHANGE: u128 = COIN;
const PHASE_MS: u64 = 3_600_000;
const CLIP: i32 = 1 << 15;
const STEPS: u32 = 60;
const RATE: f64 = 0.1;
/// Rounds in which everybody does what they should, before and after the two that go wrong.
const ROUNDS: u32 = 5;
const RECORD: &[u8] = b"2026-11-27 mammography: no finding";

/// What goes wrong in a round.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Nothing,
    /// Cairo joins and is not heard of again.
    DropOut,
    /// Dakar submits far more than the clip.
    Poison,
}

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let folder = "private-health/model";
    let options = ImportOptions::new("encoder", "CC-BY-4.0");
    let encoder = stage.network(&format!("{folder}/encoder.onnx"), &format!("{folder}/calibration.csv"), options)?;
    let id = stage.upload("deployer", &encoder.model)?;
    let bits = encoder.model.manifest().outputs.first().map_or(0, |port| port.fraction_bits);
    let validation = stage.table(&format!("{folder}/validation.csv"))?;
    let cases = validation.rows.iter().zip(&validation.labels);
    let cases = cases.map(|(row, label)| Ok(json!({"row": encoder.row(row)?, "malignant": *label == 1})));
    let terms = json!({
        "stake": STAKE.to_string(), "phase_ms": PHASE_MS, "least": 3, "patients": 2, "clip": CLIP, "tolerance": 1,
    });
    let args = json!({
        "terms": terms, "encoder": {"model": id, "fraction_bits": bits}, "sites": HOSPITALS.map(|name| stage.address(name)),
        "validation": cases.collect::<Result<Vec<_>, CliError>>()?,
    });
    let contract = stage.deploy("deployer", "private-health", &args)?;
    let mut clinic = Clinic { stage, contract, encoder, one: f64::from(1u32 << bits) };
    let trail = clinic.record()?;

    let mut patients = Vec::new();
    for rows in by_hospital(&clinic.stage.table(&format!("{folder}/hospitals.csv"))?) {
        patients.push(clinic.encoded(&rows)?);
    }
    let table = clinic.stage.table(&format!("{folder}/heldout.csv"))?;
    let heldout = clinic.encoded(&table)?;
    let zero = real(&clinic.weights()?);
    let alone: Vec<usize> =
        patients.iter().map(|own| right(&train(&zero, own, STEPS * ROUNDS, RATE), &heldout)).collect();
    let mut endings = Vec::new();
    for trouble in
        [Trouble::Nothing, Trouble::DropOut, Trouble::Poison, Trouble::Nothing, Trouble::Nothing, Trouble::Nothing]
    {
        endings.push(clinic.round(&patients, trouble)?);
    }
    let mut together = 0;
    for (row, label) in table.rows.iter().zip(&table.labels) {
        let args = json!([clinic.encoder.row(row)?]);
        let said = clinic.stage.view(&clinic.contract, "predict", &args)?;
        together += usize::from(said["malignant"] == (*label == 1));
    }
    let mut gains = serde_json::Map::new();
    for name in HOSPITALS {
        gains.insert(name.to_owned(), json!(clinic.stage.gain(name)?.to_string()));
    }
    let facts = json!({
        "trail": trail, "alone": alone, "together": together, "heldout": table.rows.len(), "gains": gains,
        "endings": endings.iter().map(|done| done.result.clone()).collect::<Vec<_>>(),
        "finish_gas": endings[0].gas.used,
    });
    tell(clinic.stage, facts, &endings)
}

struct Clinic<'s, 'a> {
    stage: &'s mut Stage<'a>,
    contract: Contract,
    encoder: Imported,
    /// One in the fixed point of the encoder's output.
    one: f64,
}

impl Clinic<'_, '_> {
    fn send(&mut self, who: &str, method: &str, args: Value) -> Result<Done, CliError> {
        self.stage.send(self.contract.call(who, method, args).value(CHANGE))
    }

    /// The doctor adds a record that only Dora can read, and reads it with her consent; Eve does not. Returns the trail.
    fn record(&mut self) -> Result<Value, CliError> {
        let [dora, doctor] = ["dora", "doctor"].map(|name| self.stage.address(name));
        for who in ["dora", "doctor"].into_iter().chain(HOSPITALS) {
            self.send(who, "set_key", json!([hex::encode(secret(who).public())]))?;
        }
        let until = self.stage.time_ms() + 90 * 24 * PHASE_MS;
        self.send("dora", "consent", json!([doctor, "Treatment", until]))?;
        let key = hash(&[b"the key of one record"]);
        let sealed = seal(&Secret::new([1; 32]), &secret("dora").public(), &key, b"dora");
        let ciphertext = encrypt(&key, RECORD, b"dora");
        self.send("doctor", "add_record", json!([dora, bytes(&ciphertext), sealed_key(&sealed)]))?;
        let ask = |who| self.contract.call(who, "request", json!([dora, 0, "Treatment"])).value(CHANGE);
        let acts = vec![ask("eve").refused("NoConsent"), ask("doctor")];
        self.stage.block(acts)?;
        let sealed = seal(&Secret::new([2; 32]), &secret("doctor").public(), &key, b"doctor");
        self.send("dora", "release", json!([0, sealed_key(&sealed)]))?;
        // The doctor opens the key with the own secret, and Eve cannot.
        let opened = open(&secret("doctor"), &sealed, b"doctor").and_then(|key| Bytes32::try_from(key).ok());
        let read = opened.and_then(|key| decrypt(&key, &ciphertext, b"dora"));
        if read.as_deref() != Some(RECORD) || open(&secret("eve"), &sealed, b"doctor").is_some() {
            return Err(unexpected("a record was read by who should not, or not by who should", &Value::Null));
        }
        self.send("dora", "revoke", json!([doctor, "Treatment"]))?;
        self.stage.send(self.contract.call("doctor", "request", json!([dora, 0, "Treatment"])).refused("NoConsent"))?;
        for patient in ["carl", "dora"] {
            for hospital in HOSPITALS {
                let hospital = self.stage.address(hospital);
                self.send(patient, "consent", json!([hospital, "Training", until]))?;
            }
        }
        self.stage.view(&self.contract, "trail", &json!([dora]))
    }

    /// What the encoder makes of patients, asked of the own node.
    fn encoded(&self, table: &Table) -> Result<Patients, CliError> {
        let mut patients = Patients { encoded: Vec::new(), labels: table.labels.clone() };
        for row in &table.rows {
            let numbers = self.stage.view(&self.contract, "encode", &json!([self.encoder.row(row)?]))?;
            let numbers = numbers.as_array().into_iter().flatten().filter_map(Value::as_f64);
            patients.encoded.push(numbers.map(|number| number / self.one).collect());
        }
        Ok(patients)
    }

    fn weights(&self) -> Result<Vec<i32>, CliError> {
        let weights = self.stage.view(&self.contract, "weights", &json!([]))?;
        Ok(weights.as_array().into_iter().flatten().filter_map(Value::as_i64).map(|weight| weight as i32).collect())
    }

    /// A round; returns how it ended.
    fn round(&mut self, patients: &[Patients], trouble: Trouble) -> Result<Done, CliError> {
        let opened = self.send("astoria", "open_round", json!([]))?;
        let round = opened.result.as_u64().unwrap_or_default();
        let mut consenting = ["carl", "dora"].map(|name| self.stage.address(name));
        consenting.sort_unstable();
        let seeds: Vec<Seeds> = HOSPITALS.iter().map(|name| self.seeds(name, round)).collect::<Result<_, _>>()?;
        let join = |(name, seeds): (&&'static str, &Seeds)| {
            let (own, pairs) = seeds.commitments();
            let args = json!([round, hex::encode(own), hex_pairs(&pairs), consenting]);
            self.contract.call(name, "join", args).value(STAKE + CHANGE)
        };
        let acts = HOSPITALS.iter().zip(&seeds).map(join).collect();
        self.stage.block(acts)?;

        let from = real(&self.weights()?);
        let group: Vec<Bytes32> = HOSPITALS.iter().map(|name| self.address(name)).collect::<Result<_, _>>()?;
        let here = |name: &str| trouble != Trouble::DropOut || name != "cairo";
        let mut acts = Vec::new();
        for ((name, seeds), own) in HOSPITALS.iter().zip(&seeds).zip(patients).filter(|((name, _), _)| here(name)) {
            let mut update = clipped(&from, &train(&from, own, STEPS, RATE), CLIP);
            if trouble == Trouble::Poison && *name == "dakar" {
                update.iter_mut().for_each(|number| *number = 1 << 24);
            }
            let masked = seeds.mask(&self.address(name)?, &group, &update);
            acts.push(self.contract.call(name, "submit", json!([round, masked])).value(CHANGE));
        }
        self.stage.block(acts)?;
        let missing: Vec<Bytes32> =
            HOSPITALS.iter().filter(|name| !here(name)).map(|name| self.address(name)).collect::<Result<_, _>>()?;
        if !missing.is_empty() {
            self.stage.later(2 * PHASE_MS);
        }
        let reveal = |(name, seeds): (&&'static str, &Seeds)| {
            let args = json!([round, hex::encode(seeds.own), hex_pairs(&seeds.with(&missing))]);
            self.contract.call(name, "reveal", args).value(CHANGE)
        };
        let acts = HOSPITALS.iter().zip(&seeds).filter(|(name, _)| here(name)).map(reveal).collect();
        self.stage.block(acts)?;
        self.stage.send(self.contract.call("eve", "finish", json!([round])))
    }

    fn address(&self, name: &str) -> Result<Bytes32, CliError> {
        crate::arguments::hash(&self.stage.address(name)).map_err(crate::demo::internal)
    }

    fn seeds(&self, name: &str, round: u64) -> Result<Seeds, CliError> {
        let others = HOSPITALS.iter().filter(|other| **other != name);
        let others: Result<Vec<_>, CliError> =
            others.map(|other| Ok((self.address(other)?, secret(other).public()))).collect();
        Ok(Seeds::of_round(&secret(name), &self.contract.address.0, round, &others?))
    }
}

/// Somebody's secret key. It is none, so that everybody's demo is the same chain.
fn secret(name: &str) -> Secret {
    Secret::new(hash(&[b"a secret of the demo", name.as_bytes()]))
}

fn bytes(bytes: &[u8]) -> Value {
    json!(format!("0x{}", hex::encode(bytes)))
}

fn sealed_key(sealed: &Sealed) -> Value {
    json!({"ephemeral": hex::encode(sealed.ephemeral), "ciphertext": bytes(&sealed.ciphertext)})
}

fn hex_pairs(pairs: &[(Bytes32, Bytes32)]) -> Value {
    pairs.iter().map(|(site, hash)| json!([hex::encode(site), hex::encode(hash)])).collect()
}

/// The rows of each hospital, by the number in the last column.
fn by_hospital(table: &Table) -> Vec<Table> {
    let mut hospitals = vec![Table::default(); HOSPITALS.len()];
    for (row, label) in table.rows.iter().zip(&table.labels) {
        for (number, hospital) in (0u32..).zip(&mut hospitals) {
            if let Some((_, row)) = row.split_last().filter(|(last, _)| **last == f64::from(number)) {
                hospital.rows.push(row.to_vec());
                hospital.labels.push(*label);
            }
        }
    }
    hospitals
}

fn right(weights: &[f64], patients: &Patients) -> usize {
    let pairs = patients.encoded.iter().zip(&patients.labels);
    pairs.filter(|(row, label)| (logit(weights, row) > 0.0) == (**label == 1)).count()
}

fn tell(stage: &Stage<'_>, facts: Value, endings: &[Done]) -> Result<Story, CliError> {
    let what =
        ["five hospitals", "cairo drops out", "dakar poisons", "five hospitals", "five hospitals", "five hospitals"];
    let mut rounds = table(&["round", "what happens", "ends", "public patients right, of 40"]);
    for (number, (what, done)) in what.into_iter().zip(endings).enumerate() {
        let (name, right) = match &done.result {
            Value::String(name) => (name.clone(), String::new()),
            other => {
                let (name, inner) = other.as_object().and_then(|fields| fields.iter().next()).unzip();
                let inner = inner.cloned().unwrap_or_default();
                (name.cloned().unwrap_or_default(), format!("{} before, {} after", inner["before"], inner["after"]))
            }
        };
        rounds.add_row([number.to_string(), what.to_owned(), name, right]);
    }
    let lines = facts["trail"].as_array().map_or(0, Vec::len);
    let record = format!(
        "Dora's record: added, asked for, released, read by her doctor; refused to Eve, and to the doctor\nonce she took her consent back. Her audit trail has {lines} lines."
    );
    let cairo = signed(stage.gain("cairo")?);
    let end = format!(
        "\nof {} patients that nobody trained with: right together {}, alone {}\ncairo {cairo} coins (stake {}); no update was ever visible; a round's end {} gas",
        facts["heldout"],
        facts["together"],
        facts["alone"],
        shown(STAKE),
        amount(endings[0].gas.used)
    );
    Ok(Story::new(facts).say(record).say(rounds).say(end))
}
