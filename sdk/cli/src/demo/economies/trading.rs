//! Trading: two markets on the same prices, one with the best constant fee, one that follows a forecast; and a sandwich.

use noema_import::ImportOptions;
use serde_json::{Value, json};

use super::{Economy, Story};
use crate::CliError;
use crate::demo::stage::{Act, Contract, Done, Stage, coins, unexpected};
use crate::output::table;
use crate::receipts::amount;

pub(super) const ECONOMY: Economy = Economy {
    name: "trading",
    title: "a market maker whose fee and range follow a forecast of volatility",
    cast: &[
        ("provider", coins(1_000_000)),
        ("trader", coins(1_000_000)),
        ("arbitrageur", coins(1_000_000)),
        ("attacker", coins(1_000_000)),
        ("victim", coins(1_000_000)),
    ],
    play,
};

/// Real reserves of each market at first: a hundred native units for a token.
const TOKENS: u128 = 1_000_000_000_000;
const NATIVE: u128 = 100 * TOKENS;
/// As in `model/simulate.py`.
const COST_SCALE: f64 = 0.004;
/// Blocks of the committed path that the story tells.
const BLOCKS: usize = 200;
const EVER: u64 = u64::MAX;
const MARKETS: usize = 2;

fn play(stage: &mut Stage<'_>) -> Result<Story, CliError> {
    let folder = "trading/model";
    let options = ImportOptions { input_fraction_bits: Some(16), ..ImportOptions::new("volatility", "CC0-1.0") };
    let network = stage.network(&format!("{folder}/volatility.onnx"), &format!("{folder}/calibration.csv"), options)?;
    let id = stage.upload("provider", &network.model)?;
    let output_bits = network.model.manifest().outputs.first().map_or(0, |port| port.fraction_bits);
    let lines = policies(stage)?;
    let [fee, _, share, _] = lines[0];
    let constant = json!({"Constant": {"fee": fee, "share": share}});
    let [fee, fee_slope, share, share_slope] = lines[1];
    let follow = json!({"Forecast": {
        "model": id, "output_bits": output_bits, "fee": fee, "fee_slope": fee_slope, "share": share, "share_slope": share_slope,
    }});
    let all = TOKENS * 100_000;
    let gold = json!({"name": "Gold", "symbol": "GLD", "decimals": 6, "supply": (10 * all).to_string()});
    let token = stage.deploy("provider", "token", &gold)?;
    let mut markets = Vec::new();
    for policy in [constant, follow] {
        let market =
            stage.deploy("provider", "trading", &json!({"token": token.address.to_string(), "policy": policy}))?;
        for who in ["provider", "trader", "arbitrageur", "attacker", "victim"] {
            let args = json!([market.address.to_string(), u128::MAX.to_string(), null]);
            stage.send(token.call(who, "approve", args))?;
        }
        markets.push(market);
    }
    for who in ["trader", "arbitrageur", "attacker", "victim"] {
        let args = json!([stage.address(who), all.to_string()]);
        stage.send(token.call("provider", "transfer", args))?;
    }
    let begin = json!([TOKENS.to_string(), NATIVE.to_string()]);
    let acts = markets.iter().map(|market| market.call("provider", "begin", begin.clone()).value(NATIVE + coins(1)));
    stage.block(acts.collect())?;

    let mut books = [Book::default(), Book::default()];
    let prices = stage.table(&format!("{folder}/prices.csv"))?;
    let mut gas = 0;
    for row in prices.rows.iter().take(BLOCKS) {
        let &[price, wish] = row.as_slice() else {
            return Err(unexpected("a line of prices has two numbers", &Value::Null));
        };
        let mut acts = Vec::new();
        for (market, book) in markets.iter().zip(&mut books) {
            let pool = Pool::of(&stage.view(market, "next", &json!([]))?);
            book.note(&pool, price / 1e6);
            acts.extend(trades(market, pool, price / 1e6, wish / 1e6));
        }
        gas = stage.block(acts)?.last().map_or(gas, |done| done.gas.used);
    }
    let sandwich = sandwich(stage, &markets[1])?;
    let mut gains = Vec::new();
    for (market, book) in markets.iter().zip(&books) {
        gains.push(book.gain(&Pool::of(&stage.view(market, "next", &json!([]))?)));
    }
    let facts = json!({
        "blocks": BLOCKS, "gains": gains, "fees": books.each_ref().map(|book| [book.lowest, book.highest]),
        "sandwich": sandwich, "trade_gas": gas,
    });
    Ok(tell(facts))
}

/// The policies that `model/train.py` chose: constant, forecast; each fee, slope, share, slope in millionths.
fn policies(stage: &Stage<'_>) -> Result<[[u32; 4]; MARKETS], CliError> {
    let path = stage.file("trading/model/policies.csv")?;
    let text = std::fs::read_to_string(&path).map_err(|error| CliError::io("read", &path, error))?;
    let line = |line: &str| line.split(',').skip(1).map(|field| field.parse().ok()).collect::<Option<Vec<u32>>>();
    let lines: Option<Vec<[u32; 4]>> = text.lines().skip(1).map(|text| line(text)?.try_into().ok()).collect();
    let lines = lines.and_then(|lines| lines.try_into().ok());
    lines.ok_or_else(|| CliError::file(&path, "expected two lines of a name and four numbers", ""))
}

/// A pool as its market tells it, in real numbers.
#[derive(Clone, Copy)]
struct Pool {
    real: [f64; 2],
    virtual_: [f64; 2],
    fee: f64,
}

impl Pool {
    fn of(told: &Value) -> Pool {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(f64::NAN);
        let pair = |pair: &Value| [number(&pair["token"]), number(&pair["native"])];
        Pool { real: pair(&told["real"]), virtual_: pair(&told["virtual_"]), fee: number(&told["fee"]) / 1e6 }
    }

    /// What remains after somebody has paid in on one side.
    fn after(mut self, side: usize, amount: f64) -> Pool {
        let effective = amount * (1.0 - self.fee);
        let out = self.virtual_[1 - side] * effective / (self.virtual_[side] + effective);
        self.virtual_[side] += effective;
        self.virtual_[1 - side] -= out;
        self
    }
}

/// What was seen of a market, for its gain.
#[derive(Default)]
struct Book {
    price: f64,
    rebalanced: f64,
    lowest: u32,
    highest: u32,
}

impl Book {
    fn note(&mut self, pool: &Pool, price: f64) {
        let before = if self.price == 0.0 { (NATIVE / TOKENS) as f64 } else { self.price };
        self.rebalanced += pool.real[0] * (price - before);
        self.price = price;
        let fee = (pool.fee * 1e6).round() as u32;
        self.lowest = if self.lowest == 0 { fee } else { self.lowest.min(fee) };
        self.highest = self.highest.max(fee);
    }

    /// In parts of what was put in, beside a portfolio with as many tokens as the pool had, traded for nothing at the price outside.
    fn gain(&self, pool: &Pool) -> f64 {
        let first = 2.0 * NATIVE as f64;
        (pool.real[0] * self.price + pool.real[1] - first - self.rebalanced) / first
    }
}

/// A trade for reasons of its own, and the one that brings the pool to the price outside.
fn trades<'m>(market: &'m Contract, pool: Pool, price: f64, wish: f64) -> Vec<Act<'m>> {
    let wanted = wish.abs() * NATIVE as f64;
    let size = wanted * (-(pool.fee + wanted / pool.virtual_[1]) / COST_SCALE).exp();
    let (side, size) = if wish > 0.0 { (1, size) } else { (0, size / price) };
    let mut acts = Vec::new();
    let mut pool = pool;
    // What is too small to be worth a fee does not happen.
    if size > 1e6 {
        acts.push(trade(market, "trader", side, size));
        pool = pool.after(side, size);
    }
    let (keep, here) = (1.0 - pool.fee, pool.virtual_[1] / pool.virtual_[0]);
    let (side, ratio) = if price > here { (1, price * keep / here) } else { (0, here * keep / price) };
    let size = pool.virtual_[side] * (ratio.sqrt() - 1.0) / keep;
    if size > 1e6 {
        acts.push(trade(market, "arbitrageur", side, size));
    }
    acts
}

fn trade<'m>(market: &'m Contract, who: &'m str, side: usize, size: f64) -> Act<'m> {
    let units = u128::from(size as u64);
    match side {
        0 => market.call(who, "sell", json!([units.to_string(), "0", EVER])),
        _ => market.call(who, "buy", json!(["0", EVER])).value(units),
    }
}

/// The attacker buys before the victim and sells behind it, in one block. The victim has said what it takes at least. Returns what the
/// attacker lost, in native units.
fn sandwich(stage: &mut Stage<'_>, market: &Contract) -> Result<i128, CliError> {
    let (large, small) = (NATIVE / 20, NATIVE / 200);
    let pool = Pool::of(&stage.view(market, "next", &json!([]))?);
    let out = |pool: &Pool, native: u128| {
        let effective = native as f64 * (1.0 - pool.fee);
        pool.virtual_[0] * effective / (pool.virtual_[1] + effective)
    };
    let (bought, least) = (out(&pool, large), out(&pool, small) * 0.995);
    let before = stage.gain("attacker")?;
    let acts = vec![
        market.call("attacker", "buy", json!(["0", EVER])).value(large),
        market.call("victim", "buy", json!([format!("{least:.0}"), EVER])).value(small).refused("LessThanWanted"),
        market.call("attacker", "sell", json!([format!("{:.0}", bought * 0.999_999), "0", EVER])),
    ];
    let done: Vec<Done> = stage.block(acts)?;
    drop(done);
    Ok(before - stage.gain("attacker")?)
}

fn tell(facts: Value) -> Story {
    let mut markets = table(&["market", "fee, in millionths", "providers gain, beside rebalancing"]);
    for (which, name) in ["the best constant fee", "follows the forecast"].into_iter().enumerate() {
        let [low, high] = [0, 1].map(|end| facts["fees"][which][end].to_string());
        let gain = facts["gains"][which].as_f64().unwrap_or(f64::NAN) * 100.0;
        markets.add_row([name, &format!("{low} to {high}"), &format!("{gain:+.4} %")]);
    }
    let lost = facts["sandwich"].as_i64().unwrap_or_default();
    let text = format!(
        "{BLOCKS} blocks of simulated prices that neither was chosen on; both markets see the same ones,\nthe same traders, and an arbitrageur who knows the price outside"
    );
    let moved = NATIVE / 20;
    let end = format!(
        "\na sandwich around a trade that says what it takes at least: the trade is not made, and\nthe attacker has lost {lost} of {moved} native units\na trade: {} gas",
        amount(facts["trade_gas"].as_u64().unwrap_or_default())
    );
    Story::new(facts).say(text).say(markets).say(end)
}
