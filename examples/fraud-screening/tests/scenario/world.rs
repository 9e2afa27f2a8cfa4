//! A chain with the contract, the models, and people with a past.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use borsh::BorshSerialize;
use fraud_screening::governance::Sample;
use fraud_screening::holds::Hold;
use fraud_screening::scoring::{FEATURES, Models};
use fraud_screening::{FraudError, Outcome, Rules, Scored};
use noema_import::{ImportOptions, Table, TreeOptions, import_lightgbm, import_onnx};
use noema_sdk::Amount;
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use sha2::{Digest, Sha256};

pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;
pub(crate) const RULES: Rules = Rules {
    hold_from: 1 << 15,
    hold_ms: 3 * DAY_MS,
    reviewer_quorum: 2,
    member_quorum: 2,
    delay_ms: 2 * DAY_MS,
    proposal_ms: 14 * DAY_MS,
    least_caught: 500,
    most_alarms: 50,
    most_gas: 1_000_000_000,
};
/// Everything is scored and nothing held.
pub(crate) const WATCHING: Rules = Rules { hold_from: (1 << 16) + 1, ..RULES };

pub(crate) static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

/// Trees and network of this name as containers.
pub(crate) fn pair(name: &str) -> [Vec<u8>; 2] {
    let file = |name: String| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let input_fraction_bits = Some(8);
    let trees = TreeOptions { input_fraction_bits, ..TreeOptions::new(name, "CC0-1.0") };
    let trees = import_lightgbm(&file(format!("{name}.lightgbm.txt")), &trees).expect("the trees can be imported");
    let calibration = Table::read_csv(&*file("calibration.csv".into())).expect("the table can be read").rows;
    let network = ImportOptions { calibration, input_fraction_bits, ..ImportOptions::new(name, "CC0-1.0") };
    let network = import_onnx(&file(format!("{name}.onnx")), &network).expect("the network can be imported");
    [trees.container, network.container]
}

static FIRST: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| pair("first"));

/// The sample of `model/sample.csv`.
pub(crate) fn sample() -> Sample {
    let mut reader = csv::Reader::from_path("model/sample.csv").expect("the file is committed");
    let mut sample = Sample { rows: vec![], kinds: vec![], salt: Hash([7; 32]) };
    for line in reader.deserialize() {
        let mut line: Vec<i32> = line.expect("lines of integers");
        sample.kinds.push(line.pop().unwrap().try_into().unwrap());
        sample.rows.push(<[i32; FEATURES]>::try_from(line).unwrap());
    }
    sample
}

pub(crate) fn commitment(sample: &Sample) -> Hash {
    Hash(Sha256::digest(borsh::to_vec(sample).unwrap()).into())
}

pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) contract: Address,
    pub(crate) issuer: Address,
    pub(crate) models: Models,
}

impl World {
    /// Nobody has anything yet.
    pub(crate) fn new(rules: Rules) -> World {
        let mut chain = TestChain::new();
        let issuer = chain.account("issuer", 0);
        let models = add(&mut chain, &FIRST);
        let members = ["ann", "ben", "cleo"].map(|name| chain.account(name, 0));
        let reviewers = ["rita", "rob", "ron"].map(|name| chain.account(name, 0));
        let args = (rules, models, members.to_vec(), reviewers.to_vec());
        let contract = chain.deploy(issuer, &WASM, &args).unwrap().value;
        World { chain, contract, issuer, models }
    }

    /// Alice, Bob and a shop have been paying each other for ten days; the thief opened accounts on the first.
    pub(crate) fn with_a_past(rules: Rules) -> World {
        let mut world = World::new(rules);
        for (name, amount) in
            [("alice", 400_000), ("bob", 300_000), ("shop", 500_000), ("thief", 5_000), ("mule", 5_000)]
        {
            world.issue(name, amount);
        }
        for day in 0..10u128 {
            for (from, to, amount) in [("alice", "shop", 3_100), ("bob", "shop", 2_600), ("bob", "alice", 1_500)] {
                world.chain.advance(100, 7 * HOUR_MS);
                assert_eq!(world.pay(from, to, amount + 137 * day), Outcome::Settled, "{from} on day {day}");
            }
            world.chain.advance(100, 3 * HOUR_MS);
        }
        world
    }

    pub(crate) fn who(&mut self, name: &str) -> Address {
        let mut address = [0; 32];
        address[..name.len()].copy_from_slice(name.as_bytes());
        Address(address)
    }

    pub(crate) fn call<R: borsh::BorshDeserialize>(
        &mut self,
        from: &str,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        let from = self.who(from);
        self.chain.at(self.contract).from(from).call(method, args)
    }

    pub(crate) fn view<R: borsh::BorshDeserialize>(&mut self, method: &str, args: &impl BorshSerialize) -> R {
        self.chain.at(self.contract).view(method, args).unwrap().value
    }

    pub(crate) fn issue(&mut self, to: &str, amount: u128) {
        let to = self.who(to);
        self.call::<()>("issuer", "issue", &(to, amount)).unwrap();
    }

    pub(crate) fn try_pay(&mut self, from: &str, to: &str, amount: u128) -> Result<Done<Outcome>, Failure> {
        let to = self.who(to);
        self.call(from, "transfer", &(to, amount))
    }

    pub(crate) fn pay(&mut self, from: &str, to: &str, amount: u128) -> Outcome {
        self.try_pay(from, to, amount).unwrap().value
    }

    /// Pays, and what the models saw and said.
    pub(crate) fn scored(&mut self, from: &str, to: &str, amount: u128) -> Scored {
        self.try_pay(from, to, amount).unwrap().events::<Scored>().pop().unwrap()
    }

    /// Pays what is suspicious.
    pub(crate) fn hold(&mut self, from: &str, to: &str, amount: u128) -> u64 {
        match self.pay(from, to, amount) {
            Outcome::Held(id) => id,
            Outcome::Settled => panic!("{amount} from {from} to {to} was settled"),
        }
    }

    pub(crate) fn balance(&mut self, name: &str) -> u128 {
        let who = self.who(name);
        self.view::<Amount>("balance_of", &(who,)).0
    }

    pub(crate) fn holds(&mut self, name: &str) -> Vec<(u64, Hold)> {
        let who = self.who(name);
        self.view("holds_of", &(who,))
    }
}

/// Gives the chain a pair of models.
pub(crate) fn add(chain: &mut TestChain, [trees, network]: &[Vec<u8>; 2]) -> Models {
    Models { trees: chain.add_model(trees).unwrap(), network: chain.add_model(network).unwrap() }
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, error: FraudError) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code(), Some(error.code()), "{failure}");
}
