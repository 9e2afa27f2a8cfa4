//! A chain with the contract, five hospitals with their patients' rows, and people.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_import::{ImportOptions, Table, import_onnx, quantise_input};
use noema_sdk::Amount;
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use private_health::model::{Case, Encoder, FEATURES, HIDDEN};
use private_health::records::Purpose;
use private_health::rounds::{Ending, Round};
use private_health::{HealthError, Terms, WEIGHTS};
use private_health_client::masks::Seeds;
use private_health_client::training::{Patients, clipped, real, train};
use private_health_client::{Secret, hash};

pub(crate) const HOSPITALS: [&str; 5] = ["astoria", "bergen", "cairo", "dakar", "erfurt"];
pub(crate) const PHASE_MS: u64 = 3_600_000;
pub(crate) const STAKE: u128 = 1_001;
pub(crate) const TERMS: Terms =
    Terms { stake: Amount(STAKE), phase_ms: PHASE_MS, least: 3, patients: 2, clip: 1 << 15, tolerance: 1 };
pub(crate) const BALANCE: u128 = 1_000_000;
const FOREVER: u64 = 10_000_000_000_000;

pub(crate) static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

/// The encoder, and rows in its fixed point.
pub(crate) struct Data {
    pub(crate) container: Vec<u8>,
    pub(crate) bits: u8,
    pub(crate) validation: Vec<Case>,
    /// By hospital.
    pub(crate) hospitals: Vec<Vec<Case>>,
    pub(crate) heldout: Vec<Case>,
}

pub(crate) static DATA: LazyLock<Data> = LazyLock::new(|| {
    let file = |name: &str| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let table = |name: &str| Table::read_csv(&*file(name)).expect("the table can be read");
    let options =
        ImportOptions { calibration: table("calibration.csv").rows, ..ImportOptions::new("encoder", "CC-BY-4.0") };
    let container = import_onnx(&file("encoder.onnx"), &options).expect("the encoder can be imported").container;
    let model = noema_model::Model::from_bytes(container.clone()).expect("the container is a model");
    let case = |row: &[f64], label: usize| {
        let row = quantise_input(&model.manifest().inputs[0], row).expect("the row fits the port");
        Case { row: row.try_into().expect("30 measurements"), malignant: label == 1 }
    };
    let cases = |name: &str| {
        let table = table(name);
        table.rows.iter().zip(&table.labels).map(|(row, label)| case(row, *label)).collect::<Vec<_>>()
    };
    let mut hospitals = vec![vec![]; HOSPITALS.len()];
    let table = table("hospitals.csv");
    for (row, label) in table.rows.iter().zip(&table.labels) {
        let (hospital, row) = row.split_last().expect("a hospital behind the measurements");
        hospitals[*hospital as usize].push(case(row, *label));
    }
    let bits = model.manifest().outputs[0].fraction_bits;
    Data { bits, validation: cases("validation.csv"), heldout: cases("heldout.csv"), hospitals, container }
});

pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) contract: Address,
}

pub(crate) fn address(name: &str) -> Address {
    let mut address = [0; 32];
    address[..name.len()].copy_from_slice(name.as_bytes());
    Address(address)
}

pub(crate) fn secret(name: &str) -> Secret {
    Secret::new(hash(&[b"a secret of the tests", name.as_bytes()]))
}

impl World {
    pub(crate) fn new() -> World {
        World::with(TERMS)
    }

    /// Five hospitals with keys, and two patients each who consent to training.
    pub(crate) fn with(terms: Terms) -> World {
        let mut chain = TestChain::new();
        let deployer = chain.account("deployer", 0);
        let model = chain.add_model(&DATA.container).unwrap();
        let sites = HOSPITALS.map(|name| chain.account(name, BALANCE)).to_vec();
        let encoder = Encoder { model, fraction_bits: DATA.bits };
        let contract = chain.deploy(deployer, &WASM, &(terms, encoder, sites, &DATA.validation)).unwrap().value;
        let mut world = World { chain, contract };
        for hospital in HOSPITALS {
            world.call::<()>(hospital, "set_key", &(Hash(secret(hospital).public()),)).unwrap();
            for patient in patients(hospital) {
                let args = (address(hospital), Purpose::Training, FOREVER);
                world.chain.at(contract).from(patient).call::<(), _>("consent", &args).unwrap();
            }
        }
        world
    }

    pub(crate) fn call<R: BorshDeserialize>(
        &mut self,
        from: &str,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.contract).from(address(from)).call(method, args)
    }

    pub(crate) fn view<R: BorshDeserialize>(&mut self, method: &str, args: &impl BorshSerialize) -> R {
        self.chain.at(self.contract).view(method, args).unwrap().value
    }

    pub(crate) fn weights(&mut self) -> [i32; WEIGHTS] {
        self.view("weights", &())
    }

    pub(crate) fn round(&mut self) -> Option<Round> {
        self.view("round", &())
    }

    pub(crate) fn open(&mut self) -> u64 {
        self.call(HOSPITALS[0], "open_round", &()).unwrap().value
    }

    /// Seeds of a hospital for a round, from its key and everybody else's.
    pub(crate) fn seeds(&self, hospital: &str, round: u64) -> Seeds {
        let others = HOSPITALS.iter().filter(|other| **other != hospital);
        let others: Vec<_> = others.map(|other| (address(other).0, secret(other).public())).collect();
        Seeds::of_round(&secret(hospital), &self.contract.0, round, &others)
    }

    pub(crate) fn join(&mut self, hospital: &str, round: u64) -> Result<Done<()>, Failure> {
        let (own, pairs) = self.seeds(hospital, round).commitments();
        let pairs: Vec<_> = pairs.into_iter().map(|(site, hash)| (Address(site), Hash(hash))).collect();
        let args = (round, Hash(own), pairs, patients(hospital));
        self.chain.at(self.contract).from(address(hospital)).value(STAKE).call("join", &args)
    }

    pub(crate) fn masked(&mut self, hospital: &str, round: u64, update: &[i32]) -> [u32; WEIGHTS] {
        let group: Vec<_> = self.round().unwrap().members.iter().map(|member| member.site.0).collect();
        let masked = self.seeds(hospital, round).mask(&address(hospital).0, &group, update);
        masked.try_into().unwrap()
    }

    pub(crate) fn submit(&mut self, hospital: &str, round: u64, update: &[i32]) -> Result<Done<()>, Failure> {
        let masked = self.masked(hospital, round, update);
        self.call(hospital, "submit", &(round, masked))
    }

    pub(crate) fn reveal(&mut self, hospital: &str, round: u64) -> Result<Done<()>, Failure> {
        let members = self.round().unwrap().members;
        let missing: Vec<_> = members.iter().filter(|m| m.masked.is_none()).map(|m| m.site.0).collect();
        let seeds = self.seeds(hospital, round);
        let pairs: Vec<_> = seeds.with(&missing).into_iter().map(|(site, seed)| (Address(site), Hash(seed))).collect();
        self.call(hospital, "reveal", &(round, Hash(seeds.own), pairs))
    }

    pub(crate) fn finish(&mut self, round: u64) -> Result<Done<Ending>, Failure> {
        self.call("passer-by", "finish", &(round,))
    }

    /// A round in which everybody does what they should.
    pub(crate) fn whole_round(&mut self, updates: &[Vec<i32>; 5]) -> Done<Ending> {
        let round = self.open();
        for hospital in HOSPITALS {
            self.join(hospital, round).unwrap();
        }
        for (hospital, update) in HOSPITALS.iter().zip(updates) {
            self.submit(hospital, round, update).unwrap();
        }
        for hospital in HOSPITALS {
            self.reveal(hospital, round).unwrap();
        }
        self.finish(round).unwrap()
    }

    /// What the hospitals have, as the common layer sees it, from their own nodes.
    pub(crate) fn encoded(&mut self, cases: &[Case]) -> Patients {
        let one = f64::from(1 << DATA.bits);
        let encode = |case: &Case| {
            let numbers: [i32; HIDDEN] = self.view("encode", &(case.row,));
            numbers.map(|number| f64::from(number) / one).to_vec()
        };
        Patients {
            encoded: cases.iter().map(encode).collect(),
            labels: cases.iter().map(|case| usize::from(case.malignant)).collect(),
        }
    }

    /// What a hospital has learnt from these weights on, clipped.
    pub(crate) fn update(&mut self, patients: &Patients) -> Vec<i32> {
        let from = real(&self.weights());
        clipped(&from, &train(&from, patients, STEPS, RATE), i32::try_from(TERMS.clip).unwrap())
    }

    pub(crate) fn balance(&self, name: &str) -> u128 {
        self.chain.balance(address(name))
    }
}

pub(crate) const STEPS: u32 = 60;
pub(crate) const RATE: f64 = 0.1;

/// Two patients of a hospital, in rising order.
pub(crate) fn patients(hospital: &str) -> Vec<Address> {
    ["1", "2"].map(|number| address(&format!("patient {number} of {hospital}"))).to_vec()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, error: HealthError) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code(), Some(error.code()), "{failure}");
}

const _: () = assert!(FEATURES == 30);
