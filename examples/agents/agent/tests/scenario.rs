//! The agent, its sellers and those who want its money, with the real networks.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use agent::{AgentError, Banned, Bought, KEEPERS, Limits, Misconduct, PAYMENTS, Purchased, Seller, TRIAL};
use noema_import::{ImportOptions, Table, import_onnx};
use noema_model::Model;
use noema_sdk::borsh::{BorshDeserialize, BorshSerialize};
use noema_sdk::{Address, Amount, Fixed, code};
use noema_testing::{Done, Failure, Saboteur, TestChain, build};
use proptest::prelude::*;
use trickster::Trick;

static AGENT: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the agent builds"));
static FORECASTER: LazyLock<Vec<u8>> = LazyLock::new(|| build("../forecaster").expect("the forecaster builds"));
static TRICKSTER: LazyLock<Vec<u8>> = LazyLock::new(|| build("../trickster").expect("the trickster builds"));

/// The network of this name as a container, and the fraction bits of what it gives first.
fn network(name: &str) -> (Vec<u8>, u8) {
    let file = |name: &str| fs::read(Path::new("../model").join(name)).expect("the files are committed");
    let calibration =
        Table::read_csv(&file(&format!("{name}.calibration.csv"))[..]).expect("the table can be read").rows;
    let options = ImportOptions { calibration, input_fraction_bits: Some(8), ..ImportOptions::new(name, "CC0-1.0") };
    let container =
        import_onnx(&file(&format!("{name}.onnx")), &options).expect("the network can be imported").container;
    let model = Model::from_bytes(container.clone()).expect("the container is a model");
    (container, model.manifest().outputs[0].fraction_bits)
}

static BUYER: LazyLock<(Vec<u8>, u8)> = LazyLock::new(|| network("buyer"));
static SELLER: LazyLock<(Vec<u8>, u8)> = LazyLock::new(|| network("seller"));
static DEMAND: LazyLock<(Vec<u8>, u8)> = LazyLock::new(|| network("demand"));

/// Hours of demand that training has not seen.
static SERIES: LazyLock<Vec<Fixed<8>>> = LazyLock::new(|| {
    let text = fs::read_to_string("../model/series.csv").expect("the file is committed");
    text.lines().skip(1).map(|line| line.parse().expect("a number")).collect()
});

const HOUR_MS: u64 = 3_600_000;
const FUNDS: u128 = 100_000;
const LIST: Amount = Amount(800);
const FLOOR: Amount = Amount(200);
const LIMITS: Limits = Limits {
    period_ms: 24 * HOUR_MS,
    period: Amount(20_000),
    counterparty: Amount(15_000),
    keep: Amount(1_000),
    worth: Amount(1_000),
    reward: Amount(10),
};

struct World {
    chain: TestChain,
    agent: Address,
    owner: Address,
    feed: Address,
    keeper: Address,
    eve: Address,
    hour: usize,
}

fn world(limits: Limits) -> World {
    let mut chain = TestChain::new();
    let [owner, feed, keeper, eve] = ["owner", "feed", "keeper", "eve"].map(|name| chain.account(name, 1_000_000));
    let policy = chain.add_model(&BUYER.0).unwrap();
    let agent = chain.deploy(owner, &AGENT, &(policy, limits)).unwrap().value;
    let mut world = World { chain, agent, owner, feed, keeper, eve, hour: 0 };
    world.by_owner::<bool, _>("set_feed", &(feed, true)).unwrap();
    world.chain.at(agent).from(owner).value(FUNDS).call::<(), _>("fund", &()).unwrap();
    for _ in 0..agent_hours() {
        world.observe();
    }
    world
}

fn agent_hours() -> usize {
    forecaster::HOURS
}

impl World {
    fn call<R: BorshDeserialize, A: BorshSerialize>(
        &mut self,
        from: Address,
        method: &str,
        args: &A,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.agent).from(from).call(method, args)
    }

    fn by_owner<R: BorshDeserialize, A: BorshSerialize>(&mut self, method: &str, args: &A) -> Result<Done<R>, Failure> {
        self.call(self.owner, method, args)
    }

    /// An hour passes, and the feed reports it.
    fn observe(&mut self) {
        let demand = SERIES[self.hour % SERIES.len()];
        self.hour += 1;
        self.chain.advance(60, HOUR_MS);
        self.call::<(), _>(self.feed, "observe", &(demand,)).unwrap();
    }

    fn tick(&mut self) -> Done<Option<Bought>> {
        self.call(self.keeper, "tick", &()).unwrap()
    }

    /// An honest forecaster, allowed.
    fn forecaster(&mut self, list: Amount, floor: Amount) -> Address {
        let (policy, demand) = (self.chain.add_model(&SELLER.0).unwrap(), self.chain.add_model(&DEMAND.0).unwrap());
        let args = (policy, demand, DEMAND.1, list, floor);
        let seller = self.chain.deploy(self.eve, &FORECASTER, &args).unwrap().value;
        self.by_owner::<(), _>("set_seller", &(seller, true)).unwrap();
        seller
    }

    /// One that cheats, allowed by an owner who does not know.
    fn trickster(&mut self, trick: Trick, price: u128) -> Address {
        let seller = self.chain.deploy(self.eve, &TRICKSTER, &(trick, Amount(price))).unwrap().value;
        self.by_owner::<(), _>("set_seller", &(seller, true)).unwrap();
        seller
    }

    fn known(&mut self, seller: Address) -> Seller {
        let sellers = self.chain.at(self.agent).view::<Vec<(Address, Seller)>, _>("sellers", &()).unwrap().value;
        sellers.into_iter().find(|(address, _)| *address == seller).expect("it is allowed").1
    }

    fn spent(&self) -> u128 {
        FUNDS - self.chain.balance(self.agent)
    }

    fn allowance(&mut self, payee: Address) -> Amount {
        self.chain.at(self.agent).view("allowance", &(payee,)).unwrap().value
    }
}

fn bans(done: &Done<Option<Bought>>) -> Vec<Misconduct> {
    done.events::<Banned>().into_iter().map(|banned| banned.why).collect()
}

#[test]
fn two_networks_agree_on_a_price_and_the_forecasts_are_good() {
    let mut world = world(Limits { period: Amount(1_000_000), counterparty: Amount(1_000_000), ..LIMITS });
    let seller = world.forecaster(LIST, FLOOR);
    let (mut deals, mut asked, mut paid, mut rounds) = (0u32, 0, 0, 0u32);
    for _ in 0..60 {
        let done = world.tick();
        for purchased in done.events::<Purchased>() {
            assert!(purchased.price >= FLOOR && purchased.price <= LIMITS.worth.min(purchased.asked));
            (deals, rounds) = (deals + 1, rounds + u32::from(purchased.rounds));
            (asked, paid) = (asked + purchased.asked.0, paid + purchased.price.0);
        }
        world.observe();
    }
    let known = world.known(seller);
    println!(
        "{deals} deals in 60 hours, {rounds} rounds; asked {asked}, paid {paid}; off {} naive {}",
        known.off, known.naive
    );
    assert!(deals >= 20 && rounds > deals && paid * 10 < asked * 9, "{deals} {rounds} {asked} {paid}");
    assert_eq!((known.scored, world.spent()), (deals, paid + u128::from(deals) * 10));
    assert_eq!(
        (world.chain.balance(seller), world.chain.balance(world.keeper)),
        (paid, 1_000_000 + u128::from(deals) * 10)
    );
    assert!(known.off.bits() * 3 < known.naive.bits() * 2, "{known:?}");
}

#[test]
fn what_does_not_move_needs_no_forecast() {
    let mut world = world(LIMITS);
    world.forecaster(LIST, FLOOR);
    for _ in 0..agent_hours() {
        world.chain.advance(60, HOUR_MS);
        world.call::<(), _>(world.feed, "observe", &(Fixed::<8>::from_int(90).unwrap(),)).unwrap();
    }
    assert_eq!((world.tick().value, world.spent()), (None, 0));
}

#[test]
fn a_price_that_rises_is_a_ban_and_costs_nothing() {
    let mut world = world(LIMITS);
    let seller = world.trickster(Trick::Raises, 900);
    let honest = world.forecaster(LIST, FLOOR);
    world.by_owner::<(), _>("set_seller", &(honest, false)).unwrap();
    let done = world.tick();
    assert_eq!((bans(&done), done.value, world.spent()), (vec![Misconduct::Raised], None, 0));
    // For ever: it is not asked again.
    world.observe();
    assert!(bans(&world.tick()).is_empty() && world.known(seller).banned);
    // The next one in the same tick gets its chance.
    world.by_owner::<(), _>("set_seller", &(seller, true)).unwrap();
    world.by_owner::<(), _>("set_seller", &(honest, true)).unwrap();
    world.observe();
    assert!(world.tick().value.is_some());
}

#[test]
fn a_price_above_what_the_owner_allows_is_never_paid() {
    let mut world = world(LIMITS);
    world.trickster(Trick::Stubborn, 1_001);
    world.trickster(Trick::Stubborn, u128::MAX);
    for _ in 0..20 {
        assert_eq!(world.tick().value, None);
        world.observe();
    }
    assert_eq!(world.spent(), 0);
}

#[test]
fn garbage_is_not_paid_for_and_is_a_ban() {
    let mut world = world(LIMITS);
    let seller = world.trickster(Trick::Garbage, 100);
    let done = world.tick();
    assert_eq!((bans(&done), done.value), (vec![Misconduct::Garbage], None));
    assert_eq!((world.spent(), world.chain.balance(seller), world.known(seller).banned), (0, 0, true));
    assert_eq!(world.allowance(seller), LIMITS.counterparty);
}

#[test]
fn a_seller_that_knows_nothing_is_found_out() {
    let mut world = world(LIMITS);
    let seller = world.trickster(Trick::Echoes, 100);
    for _ in 0..24 {
        world.tick();
        world.observe();
    }
    let known = world.known(seller);
    assert_eq!((known.banned, known.scored, known.off), (true, TRIAL, known.naive));
    assert_eq!(world.spent(), u128::from(TRIAL) * 110);
}

#[test]
fn calling_back_pays_nobody_twice() {
    for trick in [Trick::Reenters, Trick::ReentersAtPayment] {
        let mut world = world(LIMITS);
        let seller = world.trickster(trick, 100);
        let done = world.tick();
        assert_eq!(done.value.map(|bought| bought.price), Some(Amount(100)), "{trick:?}");
        assert_eq!((world.chain.balance(seller), world.spent()), (100, 110), "{trick:?}");
    }
    // From outside the method that may run again is nobody's.
    let mut world = world(LIMITS);
    let args = (world.eve, Amount(100), [Fixed::<8>::ZERO; 12], Fixed::<8>::MIN, Fixed::<8>::MAX);
    for thief in [world.eve, world.owner, world.keeper] {
        let stolen = world.call::<Fixed<8>, _>(thief, "purchase", &args).unwrap_err();
        assert_eq!(stolen.code(), Some(AgentError::NotMyself.code()));
    }
}

#[test]
fn a_seller_that_does_not_answer_does_not_stop_the_agent() {
    for silent in [Saboteur::Spins, Saboteur::Faults, Saboteur::Swallows, Saboteur::Returns(vec![1])] {
        let mut world = world(LIMITS);
        let seller = world.trickster(Trick::Stubborn, 100);
        world.chain.sabotage(seller, &silent);
        let honest = world.forecaster(LIST, FLOOR);
        let bought = world.tick().value.expect("the other one sells");
        assert_eq!((bought.seller, world.chain.balance(seller)), (honest, 0), "{silent:?}");
        assert!(!world.known(seller).banned);
    }
}

/// Whoever ticks decides how much gas there is and how deep the stack is already. With too little of either, nothing happens to sellers that would have answered.
#[test]
fn a_tick_that_is_made_to_fail_bans_nobody_and_uses_up_no_hour() {
    let mut world = world(LIMITS);
    let honest = world.forecaster(LIST, FLOOR);
    let digger = world.chain.deploy(world.eve, &TRICKSTER, &(Trick::Aborts, Amount(1))).unwrap().value;
    for depth in 0..64u32 {
        let before = world.chain.snapshot();
        let (agent, eve) = (world.agent, world.eve);
        let _ = world.chain.at(digger).from(eve).call::<(), _>("dig", &(agent, depth));
        assert!(!world.known(honest).banned);
        if world.spent() == 0 {
            // Nothing was bought from so deep; but the hour is still there for an honest keeper.
            assert!(world.tick().value.is_some(), "{depth}");
        }
        world.chain.restore(&before);
    }
    let (agent, eve) = (world.agent, world.eve);
    world.chain.at(agent).from(eve).call_starved::<Option<Bought>, _>(16, "tick", &()).unwrap();
    assert!(!world.known(honest).banned);
}

#[test]
fn ticking_often_burns_no_money_but_ones_own() {
    let mut world = world(LIMITS);
    world.forecaster(LIST, FLOOR);
    let eve = world.eve;
    let first = world.call::<Option<Bought>, _>(eve, "tick", &()).unwrap().value.unwrap();
    for _ in 0..20 {
        world.chain.advance(1, 1_000);
        assert_eq!(world.call::<Option<Bought>, _>(eve, "tick", &()).unwrap().value, None);
    }
    assert_eq!(world.spent(), first.price.0 + LIMITS.reward.0);
    // And it reports no demand to make the agent buy.
    let forged = world.call::<(), _>(eve, "observe", &(Fixed::<8>::ONE,)).unwrap_err();
    assert_eq!(forged.code(), Some(code::MISSING_ROLE));
}

#[test]
fn limits_hold_for_every_stretch_of_time() {
    let limits = Limits { period: Amount(2_000), counterparty: Amount(1_500), ..LIMITS };
    let mut world = world(limits);
    world.forecaster(LIST, FLOOR);
    // A tick that finds a limit in its way buys nothing, and does not fail: not for the reward either.
    let mut paid: Vec<(u64, u128)> = Vec::new();
    for _ in 0..80 {
        for purchased in world.tick().events::<Purchased>() {
            paid.push((world.chain.time_ms(), purchased.price.0));
        }
        world.observe();
    }
    assert!(paid.len() > 5);
    for (from, _) in &paid {
        let day = paid.iter().filter(|(time, _)| time >= from && time - from < limits.period_ms);
        assert!(day.map(|(_, price)| price).sum::<u128>() <= 1_500);
    }
    // A clock that goes back to long ago, or another length of the period and back, does not make spent money new.
    let seller = Address([9; 32]);
    let before = world.allowance(seller);
    let (height, now) = (world.chain.height(), world.chain.time_ms());
    world.chain.travel_to(height + 1, 0);
    assert!(world.allowance(seller) <= before);
    world.chain.travel_to(height + 2, now);
    for period_ms in [1, limits.period_ms] {
        world.by_owner::<(), _>("set_limits", &(Limits { period_ms, ..limits },)).unwrap();
    }
    assert_eq!(world.allowance(seller), before);
}

#[test]
fn a_full_memory_of_payments_buys_nothing_more() {
    let mut world =
        world(Limits { period_ms: 100 * HOUR_MS, period: Amount(FUNDS), counterparty: Amount(FUNDS), ..LIMITS });
    world.forecaster(LIST, FLOOR);
    let mut deals = 0;
    for _ in 0..40 {
        deals += world.tick().events::<Purchased>().len();
        world.observe();
    }
    // Each deal is two payments: its price, and the reward.
    assert_eq!(2 * deals, PAYMENTS);
}

#[test]
fn the_last_money_stays_in_the_wallet() {
    let mut world = world(Limits { keep: Amount(FUNDS - 700), ..LIMITS });
    world.forecaster(LIST, FLOOR);
    for _ in 0..30 {
        world.tick();
        world.observe();
    }
    assert!(world.spent() > 0 && world.spent() <= 700, "{}", world.spent());
    assert_eq!(world.allowance(KEEPERS), Amount(700 - world.spent()));
}

#[test]
fn the_owner_revokes_at_once() {
    let mut world = world(LIMITS);
    let seller = world.forecaster(LIST, FLOOR);
    for (method, args) in [
        ("set_paused", vec![1u8]),
        ("withdraw", 1u128.to_le_bytes().to_vec()),
        ("set_seller", [&seller.0[..], &[0]].concat()),
        ("set_feed", [&seller.0[..], &[1]].concat()),
    ] {
        let input = [&u32::try_from(method.len()).unwrap().to_le_bytes()[..], method.as_bytes(), &args].concat();
        let refused = world.chain.at(world.agent).from(world.eve).call_raw(input).unwrap_err();
        assert_eq!(refused.code(), Some(code::NOT_OWNER), "{method}");
    }
    world.by_owner::<(), _>("set_paused", &(true,)).unwrap();
    assert_eq!(world.call::<Option<Bought>, _>(world.keeper, "tick", &()).unwrap_err().code(), Some(code::PAUSED));
    world.by_owner::<(), _>("set_paused", &(false,)).unwrap();
    world.by_owner::<(), _>("set_seller", &(seller, false)).unwrap();
    assert_eq!(world.tick().value, None);
    world.by_owner::<(), _>("withdraw", &(Amount(FUNDS),)).unwrap();
    assert_eq!(world.chain.balance(world.agent), 0);
}

#[test]
fn a_forecaster_sells_for_what_it_asked_and_to_whom_it_asked() {
    let mut world = world(LIMITS);
    let seller = world.forecaster(LIST, FLOOR);
    let window = ([Fixed::<8>::ONE; 12],);
    // A price of an earlier transaction is no price.
    let asked = world.chain.at(seller).from(world.eve).call::<Amount, _>("haggle", &(Amount(0),)).unwrap().value;
    let late = world.chain.at(seller).from(world.eve).value(asked.0).call::<Fixed<8>, _>("forecast", &window);
    assert_eq!(late.unwrap_err().code(), Some(forecaster::ForecasterError::NoPrice.code()));
    for bid in [0, 1, FLOOR.0 - 1, FLOOR.0, LIST.0, u128::MAX] {
        let ask = world.chain.at(seller).from(world.eve).call::<Amount, _>("haggle", &(Amount(bid),)).unwrap().value;
        assert!((FLOOR..=LIST).contains(&ask), "{bid}: {ask}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Observe,
    Tick(bool),
    Allow(usize, bool),
    Pause(bool),
    Withdraw(u128),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Observe),
        4 => any::<bool>().prop_map(Step::Tick),
        3 => (0usize..4, any::<bool>()).prop_map(|(seller, allowed)| Step::Allow(seller, allowed)),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (0u128..30_000).prop_map(Step::Withdraw),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens, the wallet has what was funded less what events and rewards say, sellers have what events say, and no unit is anywhere else.
    #[test]
    fn the_wallet_keeps_the_same_books(steps in prop::collection::vec(step(), 1..40)) {
        let limits = Limits { period: Amount(3_000), counterparty: Amount(1_200), ..LIMITS };
        let mut world = world(limits);
        let sellers = [
            world.forecaster(LIST, FLOOR),
            world.trickster(Trick::Echoes, 90),
            world.trickster(Trick::Garbage, 80),
            world.trickster(Trick::Reenters, 70),
        ];
        let (mut wallet, mut earned, mut rewards) = (FUNDS, [0u128; 4], 0u128);
        for step in &steps {
            match *step {
                Step::Observe => world.observe(),
                Step::Tick(by_eve) => {
                    let who = if by_eve { world.eve } else { world.keeper };
                    if let Ok(done) = world.call::<Option<Bought>, _>(who, "tick", &()) {
                        for purchased in done.events::<Purchased>() {
                            let place = sellers.iter().position(|seller| *seller == purchased.seller).unwrap();
                            earned[place] += purchased.price.0;
                            rewards += 10;
                            wallet -= purchased.price.0 + 10;
                        }
                    }
                }
                Step::Allow(place, allowed) => {
                    world.by_owner::<(), _>("set_seller", &(sellers[place], allowed)).unwrap();
                }
                Step::Pause(paused) => {
                    world.by_owner::<(), _>("set_paused", &(paused,)).unwrap();
                }
                Step::Withdraw(amount) => {
                    if world.by_owner::<(), _>("withdraw", &(Amount(amount),)).is_ok() {
                        wallet -= amount;
                    }
                }
            }
            prop_assert_eq!(world.chain.balance(world.agent), wallet, "{:?}", step);
            for (seller, earned) in sellers.into_iter().zip(earned) {
                prop_assert_eq!(world.chain.balance(seller), earned);
            }
            let got = [world.keeper, world.eve].map(|who| world.chain.balance(who));
            prop_assert_eq!(got.iter().sum::<u128>(), 2_000_000 + rewards);
        }
        prop_assert_eq!(earned[2], 0);
    }
}
