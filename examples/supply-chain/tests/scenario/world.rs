//! The contract on the VM with the committed networks and journeys.

use std::path::Path;
use std::sync::LazyLock;
use std::{collections::BTreeMap, fs};

use ed25519_zebra::{SigningKey, VerificationKey};
use noema_import::{ImportOptions, Table, import_onnx};
use noema_model::Model;
use noema_sdk::borsh::{BorshDeserialize, BorshSerialize};
use noema_sdk::{Amount, Fixed};
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use supply_chain::{HOUR_MS, Leg, Reading, Scorers, Shipment, SupplyError, Terms, signed_bytes};

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

/// The network of this name as a container, and the fraction bits of what it gives first.
fn network(name: &str) -> (Vec<u8>, u8) {
    let file = |name: &str| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let calibration = Table::read_csv(&file("calibration.csv")[..]).expect("the table can be read").rows;
    let options = ImportOptions { calibration, input_fraction_bits: Some(8), ..ImportOptions::new(name, "CC0-1.0") };
    let imported = import_onnx(&file(&format!("{name}.onnx")), &options).expect("the network can be imported");
    println!("{}", imported.report);
    let model = Model::from_bytes(imported.container.clone()).expect("the container is a model");
    (imported.container, model.manifest().outputs[0].fraction_bits)
}

static ANOMALY: LazyLock<(Vec<u8>, u8)> = LazyLock::new(|| network("anomaly"));
static FORECAST: LazyLock<(Vec<u8>, u8)> = LazyLock::new(|| network("forecast"));

/// The simulated journeys that training has not seen, by kind.
pub(crate) static JOURNEYS: LazyLock<BTreeMap<String, Vec<Vec<Reading>>>> = LazyLock::new(|| {
    let text = fs::read_to_string("model/journeys.csv").expect("the file is committed");
    let mut journeys: BTreeMap<String, Vec<Vec<Reading>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let number = |at: usize| columns[at].parse::<Fixed<8>>().expect("a number");
        let [inside, outside, door, driven, to_go] = [3, 4, 5, 6, 7].map(number);
        let of_kind = journeys.entry(columns[1].to_owned()).or_default();
        if columns[2] == "0" {
            of_kind.push(Vec::new());
        }
        of_kind.last_mut().expect("hour 0 comes first").push(Reading { inside, outside, door, driven, to_go });
    }
    journeys
});

/// A journey of this kind.
pub(crate) fn journey(kind: &str, number: usize) -> Vec<Reading> {
    JOURNEYS[kind][number].clone()
}

pub(crate) const PRICE: u128 = 10_000;
/// What comes with an order beside price and freight: enough for the deposit of a shipment; the rest comes back.
pub(crate) const CHANGE: u128 = 30_000;
pub(crate) const FEES: [u128; 2] = [300, 500];
pub(crate) const BOND: u128 = 4_000;
pub(crate) const DEPOSIT_PER_BYTE: u128 = 10;
/// What each account has at first.
pub(crate) const MONEY: u128 = 100_000;
/// From this score on something is wrong: 0.8.
pub(crate) const THRESHOLD: i32 = 52_429;

pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) contract: Address,
    pub(crate) buyer: Address,
    pub(crate) seller: Address,
    pub(crate) carriers: [Address; 2],
    pub(crate) arbiter: Address,
    pub(crate) eve: Address,
    pub(crate) sensor: Option<SigningKey>,
}

pub(crate) fn world() -> World {
    let mut chain = TestChain::new();
    chain.set_deposit_per_byte(DEPOSIT_PER_BYTE);
    let [buyer, seller, north, south, arbiter, eve] =
        ["buyer", "seller", "north", "south", "arbiter", "eve"].map(|name| chain.account(name, MONEY));
    let deployer = chain.account("deployer", 10_000_000);
    let (anomaly, forecast) = (chain.add_model(&ANOMALY.0).unwrap(), chain.add_model(&FORECAST.0).unwrap());
    let scorers = Scorers { anomaly, forecast, forecast_bits: FORECAST.1, threshold: THRESHOLD };
    let deploy = |chain: &mut TestChain, value: u128| {
        chain.deploy_with_value(deployer, &WASM, value, &(&scorers,)).unwrap().value
    };
    // With the deposit for its code and no more, so that no shipment can live on what is left.
    let contract = deploy(&mut chain, 5_000_000);
    let free = chain.deposit(contract).free();
    let contract = deploy(&mut chain, 5_000_000 - free);
    assert_eq!(chain.deposit(contract).free(), 0);
    World { chain, contract, buyer, seller, carriers: [north, south], arbiter, eve, sensor: None }
}

impl World {
    pub(crate) fn terms(&self, hours: u64) -> Terms {
        let leg = |n: usize| Leg { carrier: self.carriers[n], fee: Amount(FEES[n]), bond: Amount(BOND) };
        let sensor = self.sensor.as_ref().map(|key| Hash(VerificationKey::from(key).into()));
        let deliver_by = self.chain.time_ms() + hours * HOUR_MS;
        let (seller, arbiter, price) = (self.seller, self.arbiter, Amount(PRICE));
        Terms { seller, price, legs: vec![leg(0), leg(1)], arbiter, sensor, deliver_by }
    }

    pub(crate) fn call<R: BorshDeserialize, A: BorshSerialize>(
        &mut self,
        from: Address,
        value: u128,
        method: &str,
        args: &A,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.contract).from(from).value(value).call(method, args)
    }

    pub(crate) fn order(&mut self, hours: u64) -> u64 {
        let (buyer, terms) = (self.buyer, self.terms(hours));
        self.call(buyer, PRICE + FEES[0] + FEES[1] + CHANGE, "order", &(terms,)).unwrap().value
    }

    pub(crate) fn offer(&mut self, from: Address, id: u64, hand_over: u8) -> Result<(), Failure> {
        self.call(from, 0, "offer", &(id, hand_over)).map(|done| done.value)
    }

    pub(crate) fn accept(&mut self, from: Address, value: u128, id: u64, hand_over: u8) -> Result<Done<()>, Failure> {
        self.call(from, value, "accept", &(id, hand_over))
    }

    /// Signs for the sensor, where the box has one.
    pub(crate) fn sign(&self, id: u64, first: u32, readings: &[Reading]) -> Option<[u8; 64]> {
        self.sensor.as_ref().map(|key| key.sign(&signed_bytes(&self.contract, id, first, readings)).into())
    }

    pub(crate) fn post(&mut self, from: Address, id: u64, first: u32, readings: &[Reading]) -> Result<i32, Failure> {
        let signature = self.sign(id, first, readings);
        self.call(from, 0, "post", &(id, first, readings, signature)).map(|done| done.value)
    }

    /// Drives from the hour `first` on, six hours at a time, and posts what `readings` says; the highest score.
    pub(crate) fn drive(&mut self, carrier: Address, id: u64, first: usize, readings: &[Reading]) -> i32 {
        let mut worst = 0;
        for (at, batch) in (first..).step_by(6).zip(readings[first..].chunks(6)) {
            let hours = batch.len() as u64;
            self.chain.advance(60 * hours, hours * HOUR_MS);
            worst = worst.max(self.post(carrier, id, u32::try_from(at).unwrap(), batch).unwrap());
        }
        worst
    }

    /// An order that the first carrier has picked up.
    pub(crate) fn picked_up(&mut self, hours: u64) -> u64 {
        let id = self.order(hours);
        self.offer(self.seller, id, 0).unwrap();
        self.accept(self.carriers[0], BOND, id, 0).unwrap();
        id
    }

    /// The highest score of a journey with one carrier.
    pub(crate) fn worst_score(&mut self, readings: &[Reading]) -> i32 {
        let id = self.picked_up(500);
        self.refill();
        self.drive(self.carriers[0], id, 0, readings)
    }

    /// Whoever pays has again what it had at first.
    pub(crate) fn refill(&mut self) {
        self.chain.account("north", MONEY);
        self.chain.account("buyer", MONEY);
    }

    /// A journey whose carriers change after `change` hours, up to the offer to the buyer.
    pub(crate) fn delivered(&mut self, readings: &[Reading], change: usize) -> u64 {
        let [north, south] = self.carriers;
        let id = self.picked_up(readings.len() as u64 + 24);
        self.drive(north, id, 0, &readings[..change]);
        self.offer(north, id, 1).unwrap();
        self.accept(south, BOND, id, 1).unwrap();
        self.drive(south, id, change, readings);
        self.offer(south, id, 2).unwrap();
        id
    }

    pub(crate) fn lapse(&mut self, id: u64) -> Result<(), Failure> {
        let eve = self.eve;
        self.call(eve, 0, "lapse", &(id,)).map(|done| done.value)
    }

    pub(crate) fn shipment(&mut self, id: u64) -> Option<Shipment> {
        self.chain.at(self.contract).view("shipment", &(id,)).unwrap().value
    }

    /// What everybody has more, or less, than at first: buyer, seller, the carriers, the arbiter.
    pub(crate) fn gains(&self) -> [i128; 5] {
        let [north, south] = self.carriers;
        let gain = |who| i128::try_from(self.chain.balance(who)).unwrap() - i128::try_from(MONEY).unwrap();
        [self.buyer, self.seller, north, south, self.arbiter].map(gain)
    }
}

/// What the gains are where everybody did their part.
pub(crate) const PAID: [i128; 5] = [-10_800, 10_000, 300, 500, 0];

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, error: SupplyError) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code(), Some(error.code()), "{failure}");
}
