//! A chain with a token and a market, traders, and somebody who knows the price outside.

use std::fs;
use std::sync::LazyLock;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_import::{ImportOptions, Table, import_onnx};
use noema_sdk::Amount;
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use trading::TradingError;
use trading::forecast::{Policy, Seen};
use trading::pool::{Pair, Pool, Side};

pub(crate) static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));
static TOKEN: LazyLock<Vec<u8>> = LazyLock::new(|| build("../token").expect("the token builds"));

/// Real reserves at the beginning: a hundred native units for a token.
pub(crate) const TOKENS: u128 = 1_000_000_000_000;
pub(crate) const NATIVE: u128 = 100 * TOKENS;
/// What everybody has of both.
pub(crate) const RICH: u128 = 1_000 * NATIVE;
pub(crate) const EVER: u64 = u64::MAX;
/// How much dearer trading is when people trade less by a factor e: as in `model/simulate.py`.
const COST_SCALE: f64 = 0.004;
const PEOPLE: [&str; 5] = ["provider", "trader", "arbitrageur", "attacker", "victim"];

/// The network as a container, and the bits behind the point of what it says.
pub(crate) fn network() -> (Vec<u8>, u8) {
    let file = |name: &str| fs::read(format!("model/{name}")).expect("the files are committed");
    let calibration = Table::read_csv(&*file("calibration.csv")).expect("the table can be read").rows;
    let options =
        ImportOptions { calibration, input_fraction_bits: Some(16), ..ImportOptions::new("volatility", "CC0-1.0") };
    let container = import_onnx(&file("volatility.onnx"), &options).expect("the network can be imported").container;
    let model = noema_model::Model::from_bytes(container.clone()).expect("the container is a model");
    (container, model.manifest().outputs[0].fraction_bits)
}

/// The policies that `model/train.py` chose: constant, forecast.
pub(crate) fn policies(chain: &mut TestChain) -> [Policy; 2] {
    let mut reader = csv::Reader::from_path("model/policies.csv").expect("the file is committed");
    let lines: Vec<(String, u32, u32, u32, u32)> = reader.deserialize().map(|line| line.unwrap()).collect();
    let (container, output_bits) = network();
    let model: Hash = chain.add_model(&container).unwrap();
    let [(_, fee, _, share, _), (_, base, fee_slope, share_base, share_slope)] = lines.try_into().unwrap();
    let follow = Policy::Forecast { model, output_bits, fee: base, fee_slope, share: share_base, share_slope };
    [Policy::Constant { fee, share }, follow]
}

pub(crate) struct World {
    pub(crate) chain: TestChain,
    pub(crate) token: Address,
    pub(crate) market: Address,
    pub(crate) policy: Policy,
}

pub(crate) fn address(name: &str) -> Address {
    let mut address = [0; 32];
    address[..name.len()].copy_from_slice(name.as_bytes());
    Address(address)
}

impl World {
    /// The market that follows the forecast, with liquidity.
    pub(crate) fn new() -> World {
        World::with(1)
    }

    pub(crate) fn with(policy: usize) -> World {
        let mut chain = TestChain::new();
        let deployer = chain.account("deployer", 0);
        let token = chain.deploy(deployer, &TOKEN, &("Gold", "GLD", 6u8, RICH * 10)).unwrap().value;
        let policy = policies(&mut chain)[policy];
        let market = chain.deploy(deployer, &WASM, &(token, policy)).unwrap().value;
        let mut world = World { chain, token, market, policy };
        for name in PEOPLE {
            let who = world.chain.account(name, RICH);
            world.chain.at(token).from(deployer).call::<(), _>("transfer", &(who, RICH)).unwrap();
            let approve = (market, u128::MAX, None::<u128>);
            world.chain.at(token).from(who).call::<(), _>("approve", &approve).unwrap();
        }
        world.call_with::<Amount>("provider", NATIVE, "begin", &(TOKENS, NATIVE)).unwrap();
        world.chain.next_block(1_000);
        world
    }

    pub(crate) fn call_with<R: BorshDeserialize>(
        &mut self,
        from: &str,
        value: u128,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.market).from(address(from)).value(value).call(method, args)
    }

    pub(crate) fn view<R: BorshDeserialize>(&mut self, method: &str, args: &impl BorshSerialize) -> R {
        self.chain.at(self.market).view(method, args).unwrap().value
    }

    pub(crate) fn buy(&mut self, from: &str, native: u128, least: u128) -> Result<u128, Failure> {
        self.call_with::<Amount>(from, native, "buy", &(least, EVER)).map(|done| done.value.0)
    }

    pub(crate) fn sell(&mut self, from: &str, tokens: u128, least: u128) -> Result<u128, Failure> {
        self.call_with::<Amount>(from, 0, "sell", &(tokens, least, EVER)).map(|done| done.value.0)
    }

    pub(crate) fn pool(&mut self) -> Pool {
        self.view("pool", &())
    }

    pub(crate) fn seen(&mut self) -> Seen {
        self.view("seen", &())
    }

    pub(crate) fn quote(&mut self, side: Side, amount: u128) -> Option<u128> {
        self.view::<Option<Amount>>("quote", &(side, amount)).map(|amount| amount.0)
    }

    pub(crate) fn tokens(&mut self, of: Address) -> u128 {
        self.chain.at(self.token).view::<Amount, _>("balance_of", &(of,)).unwrap().value.0
    }

    /// What somebody has, at a price of native units for a token.
    pub(crate) fn worth(&mut self, name: &str, price: f64) -> f64 {
        self.tokens(address(name)) as f64 * price + self.chain.balance(address(name)) as f64
    }

    /// One block: somebody trades for reasons of their own, and the arbitrageur brings the pool to the price outside.
    pub(crate) fn block(&mut self, price: f64, wish: f64) {
        let pool = self.pool();
        let (fee, first) = (f64::from(pool.fee) / 1e6, NATIVE as f64);
        let wanted = wish.abs() * first;
        let size = wanted * (-(fee + wanted / pool.virtual_.native as f64) / COST_SCALE).exp();
        // What is too small to be worth anything, or more than the pool has, does not happen.
        let _ = if wish > 0.0 {
            self.buy("trader", size as u128, 0)
        } else {
            self.sell("trader", (size / price) as u128, 0)
        };
        let pool = self.pool();
        let keep = 1.0 - fee;
        let Pair { token, native } = pool.virtual_;
        let (token, native) = (token as f64, native as f64);
        let here = native / token;
        if price * keep > here {
            let _ = self.buy("arbitrageur", (native * ((price * keep / here).sqrt() - 1.0) / keep) as u128, 0);
        } else if price < here * keep {
            let _ = self.sell("arbitrageur", (token * ((here * keep / price).sqrt() - 1.0) / keep) as u128, 0);
        }
        self.chain.next_block(1_000);
    }
}

/// The test path: the price outside, and who would like to trade how much.
pub(crate) fn path() -> Vec<(f64, f64)> {
    let mut reader = csv::Reader::from_path("model/prices.csv").expect("the file is committed");
    reader
        .deserialize::<(f64, f64)>()
        .map(|line| line.unwrap())
        .map(|(price, wish)| (price / 1e6, wish / 1e6))
        .collect()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>, error: TradingError) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code(), Some(error.code()), "{failure}");
}
