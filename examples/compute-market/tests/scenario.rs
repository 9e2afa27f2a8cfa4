//! The compiled contract with the committed network, on the VM.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use compute_market::{Answer, Closed, Job, MarketError, Terms, Verdict};
use noema_import::{ImportOptions, Table, import_onnx, input_tensor, quantise_input};
use noema_model::Model;
use noema_sdk::borsh::{self, BorshSerialize};
use noema_sdk::{Amount, code};
use noema_tensor::{Kernels, Level};
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use proptest::prelude::*;

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

const PRICE: Amount = Amount(1_000);
const STAKE: Amount = Amount(501);
const BOND: Amount = Amount(50);
const WINDOW_MS: u64 = 60_000;
const TERMS: Terms = Terms { stake: STAKE, bond: BOND, window_ms: WINDOW_MS, max_gas: 100_000_000_000 };
/// Everybody has this in the beginning.
const PURSE: u128 = 1_000_000;
/// The output that is sold: probabilities.
const OUTPUT: u32 = 1;
const SALT: Hash = Hash([7; 32]);

/// The committed network: container, rows in its fixed point, digits, and what it says.
struct Network {
    container: Vec<u8>,
    rows: Vec<Vec<i32>>,
    labels: Vec<usize>,
    says: Vec<Vec<i32>>,
}

static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let file = |name: &str| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let table = |name: &str| Table::read_csv(&*file(name)).expect("the table can be read");
    let options =
        ImportOptions { calibration: table("calibration.csv").rows, ..ImportOptions::new("digits", "CC-BY-4.0") };
    let container = import_onnx(&file("digits.onnx"), &options).expect("the network can be imported").container;
    let model = Model::from_bytes(container.clone()).expect("the container is a model");
    let heldout = table("heldout.csv");
    let port = &model.manifest().inputs[0];
    let fixed = |row: &Vec<f64>| quantise_input(port, row).expect("the row fits the port");
    // A provider's own machine: the slowest kernels, which know nothing of those of the chain.
    let kernels = Kernels::new(Level::Reference, 1).expect("every machine has it");
    let says = |row: &Vec<f64>| {
        let input = input_tensor(port, std::slice::from_ref(row)).expect("the row fits the port");
        model.run(&kernels, &[&input]).expect("it runs")[1].to_vec().expect("probabilities are i32")
    };
    let rows = heldout.rows.iter().map(fixed).collect();
    Network { container, rows, says: heldout.rows.iter().map(says).collect(), labels: heldout.labels }
});

struct World {
    chain: TestChain,
    market: Address,
    model: Hash,
    people: BTreeMap<&'static str, Address>,
}

const PEOPLE: [&str; 4] = ["customer", "provider", "rival", "watcher"];

fn world() -> World {
    world_with_deposits(0)
}

/// The contract comes with the deposit for its code, and no more.
fn world_with_deposits(units_per_byte: u128) -> World {
    let mut chain = TestChain::new();
    let people: BTreeMap<_, _> = PEOPLE.into_iter().map(|name| (name, chain.account(name, PURSE))).collect();
    let owner = chain.account("owner", u128::from(u64::MAX));
    let model = chain.add_model(&NETWORK.container).unwrap();
    chain.set_deposit_per_byte(units_per_byte);
    let value = units_per_byte * (u128::try_from(WASM.len()).unwrap() + 1_000);
    let market = chain.deploy_with_value(owner, &WASM, value, &(TERMS,)).unwrap().value;
    World { chain, market, model, people }
}

impl World {
    fn call<R: noema_sdk::borsh::BorshDeserialize>(
        &mut self,
        who: &str,
        value: u128,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.market).from(self.people[who]).value(value).call(method, args)
    }

    /// A job about a picture, to be answered within an hour.
    fn post(&mut self, picture: usize) -> u64 {
        let deadline = self.chain.time_ms() + 3_600_000;
        let args = (self.model, OUTPUT, NETWORK.rows[picture].clone(), PRICE, deadline);
        self.call("customer", PRICE.0, "post", &args).unwrap().value
    }

    fn seal(&mut self, who: &str, job: u64, values: &[i32]) -> Hash {
        let args = (job, self.people[who], values.to_vec(), SALT);
        self.chain.at(self.market).view("seal", &args).unwrap().value
    }

    fn commit(&mut self, who: &str, job: u64, values: &[i32]) -> Result<Done<()>, Failure> {
        let seal = self.seal(who, job, values);
        self.call(who, STAKE.0, "commit", &(job, seal))
    }

    fn reveal(&mut self, who: &str, job: u64, values: &[i32]) -> Result<Done<()>, Failure> {
        self.call(who, 0, "reveal", &(job, values.to_vec(), SALT))
    }

    /// Commits to an answer and reveals it in the next block.
    fn answer(&mut self, who: &str, job: u64, values: &[i32]) {
        self.commit(who, job, values).unwrap();
        self.chain.next_block(1_000);
        self.reveal(who, job, values).unwrap();
    }

    /// What somebody has won or lost.
    fn gain(&self, who: &str) -> i128 {
        i128::try_from(self.chain.balance(self.people[who])).unwrap() - i128::try_from(PURSE).unwrap()
    }

    fn job(&mut self, job: u64) -> Option<Job> {
        self.chain.at(self.market).view("job", &(job,)).unwrap().value
    }

    /// Nobody has lost anything to the contract, and it has nothing of anybody's.
    fn assert_settled(&self, gains: &[(&str, i128)]) {
        for who in PEOPLE {
            let expected = gains.iter().find(|(name, _)| *name == who).map_or(0, |(_, gain)| *gain);
            assert_eq!(self.gain(who), expected, "{who}");
        }
        assert_eq!(gains.iter().map(|(_, gain)| gain).sum::<i128>(), 0);
    }
}

fn refused<T: std::fmt::Debug>(result: Result<Done<T>, Failure>, error: MarketError) {
    assert_eq!(result.unwrap_err().code(), Some(error.code()), "{error:?}");
}

fn lie(picture: usize) -> Vec<i32> {
    let mut values = NETWORK.says[picture].clone();
    values[3] ^= 1;
    values
}

#[test]
fn an_honest_answer_is_paid_after_the_window() {
    let mut world = world();
    let right = NETWORK.says.iter().zip(&NETWORK.labels).filter(|(says, label)| {
        let best = says.iter().max().unwrap();
        says.iter().position(|each| each == best) == Some(**label)
    });
    let right = right.count();
    assert!(right >= 93 && NETWORK.labels.len() == 100, "the network reads {right} of 100 digits");

    let job = world.post(0);
    world.answer("provider", job, &NETWORK.says[0]);
    let posted: Option<Answer> = world.chain.at(world.market).view("answer", &(job,)).unwrap().value;
    assert_eq!(posted.unwrap().values, NETWORK.says[0]);
    refused(world.call::<()>("provider", 0, "settle", &(job,)), MarketError::TooEarly);
    world.chain.next_block(WINDOW_MS - 1);
    refused(world.call::<()>("provider", 0, "settle", &(job,)), MarketError::TooEarly);
    world.chain.next_block(1);
    // Anybody may do it.
    let done = world.call::<()>("rival", 0, "settle", &(job,)).unwrap();
    let closed = Closed { job, provider: world.people["provider"], verdict: None, truth: None };
    assert_eq!(done.events::<Closed>(), [closed]);
    world.assert_settled(&[("customer", -1_000), ("provider", 1_000)]);
    assert_eq!(world.job(job), None);
    refused(world.call::<()>("provider", 0, "settle", &(job,)), MarketError::NoJob);
}

#[test]
fn a_model_run_elsewhere_and_the_chain_agree_on_every_picture() {
    let mut world = world();
    for picture in 0..20 {
        let job = world.post(picture);
        world.answer("provider", job, &NETWORK.says[picture]);
        let judged = world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)).unwrap();
        assert_eq!(judged.value, Verdict::True, "picture {picture}");
        assert!(judged.receipt.gas.tensor > 0);
    }
}

#[test]
fn a_liar_loses_the_stake() {
    let mut world = world();
    let job = world.post(1);
    world.answer("provider", job, &lie(1));
    let done = world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)).unwrap();
    assert_eq!(done.value, Verdict::Lie);
    // The customer even has the answer.
    let closed = done.events::<Closed>();
    assert_eq!((closed[0].verdict, closed[0].truth.as_ref()), (Some(Verdict::Lie), Some(&NETWORK.says[1])));
    // An odd stake: the unit that does not divide is the customer's.
    world.assert_settled(&[("customer", 251), ("provider", -501), ("watcher", 250)]);
}

#[test]
fn a_liar_who_challenges_himself_still_loses() {
    let mut world = world();
    let job = world.post(1);
    world.answer("provider", job, &lie(1));
    world.call::<Verdict>("provider", BOND.0, "challenge", &(job,)).unwrap();
    world.assert_settled(&[("customer", 251), ("provider", -251)]);
}

#[test]
fn a_false_doubt_costs_its_bond() {
    let mut world = world();
    let job = world.post(2);
    world.answer("provider", job, &NETWORK.says[2]);
    let short = world.call::<Verdict>("watcher", BOND.0 - 1, "challenge", &(job,));
    assert_eq!(short.unwrap_err().code(), Some(code::UNDERPAID));
    assert_eq!(world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)).unwrap().value, Verdict::True);
    // What the chain has computed is final: the provider need not wait.
    world.assert_settled(&[("customer", -1_000), ("provider", 1_050), ("watcher", -50)]);
    refused(world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)), MarketError::NoJob);
}

#[test]
fn a_doubt_after_the_window_is_too_late() {
    let mut world = world();
    let job = world.post(1);
    world.answer("provider", job, &lie(1));
    world.chain.next_block(WINDOW_MS);
    refused(world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)), MarketError::Final);
}

#[test]
fn a_copied_answer_comes_too_late() {
    let mut world = world();
    let (job, truth) = (world.post(3), NETWORK.says[3].clone());
    let seal = world.seal("provider", job, &truth);
    world.commit("provider", job, &truth).unwrap();
    // A seal that was seen in flight is of no use to who is not in it ..
    world.call::<()>("rival", STAKE.0, "commit", &(job, seal)).unwrap();
    world.chain.next_block(1_000);
    refused(world.reveal("rival", job, &truth), MarketError::WrongSeal);
    world.call::<()>("rival", 0, "withdraw", &(job,)).unwrap();
    // .. and an answer that was seen in flight needs a seal from an earlier block.
    world.commit("rival", job, &truth).unwrap();
    refused(world.reveal("rival", job, &truth), MarketError::TooEarly);
    world.reveal("provider", job, &truth).unwrap();
    world.chain.next_block(1_000);
    refused(world.reveal("rival", job, &truth), MarketError::Answered);
    world.call::<()>("rival", 0, "withdraw", &(job,)).unwrap();
    assert_eq!(world.gain("rival"), 0);
}

#[test]
fn a_seal_cannot_be_replayed_for_another_job() {
    let mut world = world();
    let (first, second) = (world.post(3), world.post(3));
    let seal = world.seal("provider", first, &NETWORK.says[3]);
    world.call::<()>("provider", STAKE.0, "commit", &(second, seal)).unwrap();
    world.chain.next_block(1_000);
    refused(world.reveal("provider", second, &NETWORK.says[3]), MarketError::WrongSeal);
}

#[test]
fn commitments_that_come_to_nothing_block_nobody() {
    let mut world = world();
    let job = world.post(4);
    // The rival was first, and never reveals.
    world.commit("rival", job, &NETWORK.says[4]).unwrap();
    refused(world.commit("rival", job, &NETWORK.says[4]), MarketError::Commitment);
    world.answer("provider", job, &NETWORK.says[4]);
    world.chain.next_block(WINDOW_MS);
    world.call::<()>("watcher", 0, "settle", &(job,)).unwrap();
    // Its stake waits for it even after the job is gone, once.
    world.call::<()>("rival", 0, "withdraw", &(job,)).unwrap();
    refused(world.call::<()>("rival", 0, "withdraw", &(job,)), MarketError::Commitment);
    world.assert_settled(&[("customer", -1_000), ("provider", 1_000)]);
}

#[test]
fn the_price_of_an_unanswered_job_comes_back() {
    let mut world = world();
    let job = world.post(5);
    world.commit("provider", job, &NETWORK.says[5]).unwrap();
    refused(world.call::<()>("customer", 0, "refund", &(job,)), MarketError::TooEarly);
    world.chain.next_block(3_600_000);
    // The very last moment still belongs to providers, the next one to the customer.
    refused(world.call::<()>("customer", 0, "refund", &(job,)), MarketError::TooEarly);
    world.chain.next_block(1);
    refused(world.reveal("provider", job, &NETWORK.says[5]), MarketError::TooLate);
    world.call::<()>("rival", 0, "refund", &(job,)).unwrap();
    world.call::<()>("provider", 0, "withdraw", &(job,)).unwrap();
    world.assert_settled(&[]);
    // An answered one is not refunded.
    let job = world.post(5);
    world.answer("provider", job, &NETWORK.says[5]);
    world.chain.next_block(4_000_000);
    refused(world.call::<()>("customer", 0, "refund", &(job,)), MarketError::Answered);
    world.call::<()>("provider", 0, "settle", &(job,)).unwrap();
}

#[test]
fn an_answer_to_a_job_that_cannot_run_is_a_lie() {
    let mut world = world();
    let deadline = world.chain.time_ms() + 3_600_000;
    for (output, input) in [(OUTPUT, vec![1; 63]), (OUTPUT, vec![]), (99, NETWORK.rows[0].clone())] {
        let args = (world.model, output, input, PRICE, deadline);
        let job = world.call::<u64>("customer", PRICE.0, "post", &args).unwrap().value;
        world.answer("provider", job, &[0; 10]);
        let judged = world.call::<Verdict>("watcher", BOND.0, "challenge", &(job,)).unwrap();
        assert_eq!(judged.value, Verdict::Lie);
        assert_eq!(judged.events::<Closed>()[0].truth, None);
    }
}

#[test]
fn a_challenge_with_too_little_gas_judges_nobody() {
    let mut world = world();
    let job = world.post(6);
    world.answer("provider", job, &NETWORK.says[6]);
    let (market, watcher) = (world.market, world.people["watcher"]);
    let at = world.chain.at(market).from(watcher).value(BOND.0);
    // At every limit below what it takes it fails and leaves everything as it was; then the truth is the truth.
    assert_eq!(at.call_starved::<Verdict, _>(60, "challenge", &(job,)).unwrap().value, Verdict::True);
}

/// Calls the contract that its input begins with, after it has taken almost all the memory that a transaction has for tensors.
/// Answers with the status, and the code of an abort.
const HOARDER: &str = r#"(module
    (import "context" "input_read" (func $input (param i32 i32 i32) (result i64)))
    (import "context" "output_write" (func $output (param i32 i32) (result i64)))
    (import "tensor" "create" (func $create (param i32 i32 i32 i32 i32) (result i64)))
    (import "op" "expand" (func $expand (param i32 i32 i32) (result i64)))
    (import "call" "contract" (func $contract (param i32 i32 i64 i32 i32 i32 i32) (result i64)))
    (import "call" "output_read" (func $reply (param i32 i32 i32) (result i64)))
    (memory (export "memory") 1)
    (data (i32.const 256) "\32")                          ;; the bond: 50 units, in 16 bytes
    (data (i32.const 288) "\9c\ff\ff\0f\01\00\00\00")     ;; shapes: all bytes but a hundred, and one
    (func (export "call") (local $len i32)
        (local.set $len (i32.wrap_i64 (call $input (i32.const 0) (i32.const 0) (i32.const 200))))
        (drop (call $expand
            (i32.wrap_i64 (call $create (i32.const 0) (i32.const 292) (i32.const 4) (i32.const 300) (i32.const 1)))
            (i32.const 288) (i32.const 4)))
        (i64.store (i32.const 512) (call $contract (i32.const 0) (i32.const 256) (i64.const -1)
            (i32.const 32) (i32.sub (local.get $len) (i32.const 32)) (i32.const 600) (i32.const 8)))
        (drop (call $reply (i32.const 0) (i32.const 520) (i32.const 4)))
        (drop (call $output (i32.const 512) (i32.const 12)))))"#;

#[test]
fn a_challenge_with_too_little_memory_judges_nobody() {
    let mut world = world();
    let job = world.post(6);
    world.answer("provider", job, &NETWORK.says[6]);
    let code = wat::parse_str(HOARDER).expect("the text is a module");
    let hoarder = world.chain.deploy_with_value(world.people["rival"], &code, BOND.0, &()).unwrap().value;
    let mut input = world.market.0.to_vec();
    input.extend(borsh::to_vec(&("challenge", job)).unwrap());
    let done = world.chain.at(hoarder).call_raw(input).unwrap();
    // The market was called, and refused: the provider must not lose because there was no room for the truth.
    let status = i64::from_le_bytes(done.value[..8].try_into().unwrap());
    assert_eq!(status, -i64::from(noema_sdk::Status::CallAborted.code()));
    assert_eq!(u32::from_le_bytes(done.value[8..].try_into().unwrap()), MarketError::CannotJudge.code());
    assert_eq!(world.chain.balance(hoarder), BOND.0);
    world.chain.next_block(WINDOW_MS);
    world.call::<()>("provider", 0, "settle", &(job,)).unwrap();
}

#[test]
fn an_answer_by_a_model_that_is_gone_stands() {
    let mut world = world();
    let job = world.post(6);
    world.answer("provider", job, &NETWORK.says[6]);
    // The customer, who holds the model, would like to have the answer for nothing.
    world.chain.withdraw_model(world.model).unwrap();
    refused(world.call::<Verdict>("customer", BOND.0, "challenge", &(job,)), MarketError::CannotJudge);
    world.chain.next_block(WINDOW_MS);
    world.call::<()>("provider", 0, "settle", &(job,)).unwrap();
    world.assert_settled(&[("customer", -1_000), ("provider", 1_000)]);
}

#[test]
fn jobs_that_could_not_be_judged_are_not_taken() {
    let mut world = world();
    let (now, owner) = (world.chain.time_ms(), world.chain.account("owner", 0));
    let cheap = Terms { max_gas: 1_000, ..TERMS };
    let strict = world.chain.deploy(owner, &WASM, &(cheap,)).unwrap().value;
    let args = (world.model, OUTPUT, NETWORK.rows[0].clone(), PRICE, now + 1);
    let dear = world.chain.at(strict).from(world.people["customer"]).value(PRICE.0).call::<u64, _>("post", &args);
    refused(dear, MarketError::TooDear);
    let unknown = (Hash([9; 32]), OUTPUT, NETWORK.rows[0].clone(), PRICE, now + 1);
    assert!(world.call::<u64>("customer", PRICE.0, "post", &unknown).is_err());
    let late = (world.model, OUTPUT, NETWORK.rows[0].clone(), PRICE, now);
    refused(world.call::<u64>("customer", PRICE.0, "post", &late), MarketError::TooLate);
    let unpaid = (world.model, OUTPUT, NETWORK.rows[0].clone(), PRICE, now + 1);
    let unpaid = world.call::<u64>("customer", PRICE.0 - 1, "post", &unpaid);
    assert_eq!(unpaid.unwrap_err().code(), Some(code::UNDERPAID));
    for terms in [Terms { stake: Amount::ZERO, ..TERMS }, Terms { bond: Amount::ZERO, ..TERMS }] {
        let refused = world.chain.deploy(owner, &WASM, &(terms,)).unwrap_err();
        assert_eq!(refused.code(), Some(MarketError::BadTerms.code()));
    }
}

#[test]
fn strangers_cannot_lock_escrow_with_entries() {
    let mut world = world_with_deposits(3);
    // Without the deposit for its entry nothing is kept.
    let deadline = world.chain.time_ms() + 3_600_000;
    let args = (world.model, OUTPUT, NETWORK.rows[0].clone(), PRICE, deadline);
    let bare = world.call::<u64>("customer", PRICE.0, "post", &args);
    assert_eq!(bare.unwrap_err().code(), Some(code::UNDERPAID));
    let free = |world: &World| world.chain.deposit(world.market).free();
    let before = free(&world);

    let job = world.call::<u64>("customer", PRICE.0 + 5_000, "post", &args).unwrap().value;
    assert_eq!(free(&world), before + PRICE.0, "the rest came back");
    for who in ["provider", "rival"] {
        let seal = world.seal(who, job, &NETWORK.says[0]);
        let bare = world.call::<()>(who, STAKE.0, "commit", &(job, seal));
        assert_eq!(bare.unwrap_err().code(), Some(code::UNDERPAID));
        world.call::<()>(who, STAKE.0 + 5_000, "commit", &(job, seal)).unwrap();
    }
    world.chain.next_block(1_000);
    let reveal = (job, NETWORK.says[0].clone(), SALT);
    world.call::<()>("provider", 5_000, "reveal", &reveal).unwrap();
    assert_eq!(free(&world), before + PRICE.0 + 2 * STAKE.0);
    world.chain.next_block(WINDOW_MS);
    world.call::<()>("watcher", 0, "settle", &(job,)).unwrap();
    world.call::<()>("rival", 0, "withdraw", &(job,)).unwrap();
    // Everybody has their deposits again.
    world.assert_settled(&[("customer", -1_000), ("provider", 1_000)]);
    assert_eq!(free(&world), before);
}

/// What somebody does to one of two jobs.
#[derive(Clone, Debug)]
enum Step {
    Post { picture: usize },
    Commit { who: usize, job: u64, honest: bool },
    Reveal { who: usize, job: u64, honest: bool },
    Challenge { who: usize, job: u64 },
    Settle { job: u64 },
    Refund { job: u64 },
    Withdraw { who: usize, job: u64 },
    Wait { milliseconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, job) = (0usize..4, 0u64..2);
    prop_oneof![
        2 => (0usize..4).prop_map(|picture| Step::Post { picture }),
        4 => (who.clone(), job.clone(), any::<bool>()).prop_map(|(who, job, honest)| Step::Commit { who, job, honest }),
        4 => (who.clone(), job.clone(), any::<bool>()).prop_map(|(who, job, honest)| Step::Reveal { who, job, honest }),
        2 => (who.clone(), job.clone()).prop_map(|(who, job)| Step::Challenge { who, job }),
        1 => job.clone().prop_map(|job| Step::Settle { job }),
        1 => job.clone().prop_map(|job| Step::Refund { job }),
        1 => (who, job).prop_map(|(who, job)| Step::Withdraw { who, job }),
        4 => prop_oneof![Just(1_000u64), Just(WINDOW_MS), Just(3_600_000)].prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

/// An answer: who, whether it is true, and when it is final.
type Given = (usize, bool, u64);

/// The market as a person would keep its books.
#[derive(Default)]
struct Books {
    now: u64,
    height: u64,
    next: u64,
    gains: [i128; 4],
    /// By job: deadline, and the answer.
    jobs: BTreeMap<u64, (u64, Option<Given>)>,
    /// By job and provider: honest, height.
    promises: BTreeMap<(u64, usize), (bool, u64)>,
}

impl Books {
    /// Whether the step is allowed, and what it does then. Person 0 is the customer.
    fn take(&mut self, step: &Step) -> Option<()> {
        let [price, stake, bond] = [PRICE, STAKE, BOND].map(|amount| i128::try_from(amount.0).unwrap());
        let Books { now, height, .. } = *self;
        match *step {
            Step::Wait { milliseconds } => (self.now, self.height) = (now + milliseconds, height + 1),
            Step::Post { .. } => {
                self.jobs.insert(self.next, (now + 3_600_000, None));
                (self.next, self.gains[0]) = (self.next + 1, self.gains[0] - price);
            }
            Step::Commit { who, job, honest } => {
                let open = self.jobs.get(&job)?.1.is_none() && now <= self.jobs[&job].0;
                (open && !self.promises.contains_key(&(job, who))).then_some(())?;
                self.promises.insert((job, who), (honest, height));
                self.gains[who] -= stake;
            }
            Step::Reveal { who, job, honest } => {
                let (deadline, answer) = self.jobs.get_mut(&job)?;
                let promise = self.promises.get(&(job, who))?;
                (answer.is_none() && now <= *deadline && height > promise.1 && honest == promise.0).then_some(())?;
                *answer = Some((who, honest, now + WINDOW_MS));
                self.promises.remove(&(job, who));
            }
            Step::Challenge { who, job } => {
                let (provider, honest, last) = self.jobs.get(&job)?.1?;
                (now < last).then_some(())?;
                self.jobs.remove(&job);
                if honest {
                    self.gains[who] -= bond;
                    self.gains[provider] += price + stake + bond;
                } else {
                    self.gains[who] += stake / 2;
                    self.gains[0] += price + stake - stake / 2;
                }
            }
            Step::Settle { job } => {
                let (provider, _, last) = self.jobs.get(&job)?.1?;
                (now >= last).then_some(())?;
                self.jobs.remove(&job);
                self.gains[provider] += price + stake;
            }
            Step::Refund { job } => {
                let (deadline, answer) = self.jobs.get(&job)?;
                (answer.is_none() && now > *deadline).then_some(())?;
                self.jobs.remove(&job);
                self.gains[0] += price;
            }
            Step::Withdraw { who, job } => {
                self.promises.remove(&(job, who))?;
                self.gains[who] += stake;
            }
        }
        Some(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever anybody does, in whatever order, the contract does what the books do, and has what they say it owes.
    #[test]
    fn money_is_conserved(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = world();
        let mut books = Books { now: world.chain.time_ms(), height: world.chain.height(), ..Books::default() };
        let mut pictures = BTreeMap::<u64, usize>::new();
        for step in &steps {
            let values = |job: u64, honest: bool| match pictures.get(&job) {
                Some(&picture) if honest => NETWORK.says[picture].clone(),
                Some(&picture) => lie(picture),
                None => vec![],
            };
            let done = match *step {
                Step::Wait { milliseconds } => {
                    world.chain.next_block(milliseconds);
                    true
                }
                Step::Post { picture } => {
                    let job = world.post(picture);
                    pictures.insert(job, picture);
                    true
                }
                Step::Commit { who, job, honest } => world.commit(PEOPLE[who], job, &values(job, honest)).is_ok(),
                Step::Reveal { who, job, honest } => world.reveal(PEOPLE[who], job, &values(job, honest)).is_ok(),
                Step::Challenge { who, job } => {
                    world.call::<Verdict>(PEOPLE[who], BOND.0, "challenge", &(job,)).is_ok()
                }
                Step::Settle { job } => world.call::<()>("watcher", 0, "settle", &(job,)).is_ok(),
                Step::Refund { job } => world.call::<()>("watcher", 0, "refund", &(job,)).is_ok(),
                Step::Withdraw { who, job } => world.call::<()>(PEOPLE[who], 0, "withdraw", &(job,)).is_ok(),
            };
            prop_assert_eq!(done, books.take(step).is_some(), "{:?}", step);
            for (who, gain) in PEOPLE.into_iter().zip(books.gains) {
                prop_assert_eq!(world.gain(who), gain, "{} after {:?}", who, step);
            }
            prop_assert_eq!(i128::try_from(world.chain.balance(world.market)).unwrap(), -books.gains.iter().sum::<i128>());
        }
    }
}
