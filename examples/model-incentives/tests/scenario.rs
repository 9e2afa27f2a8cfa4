//! The compiled contract with the committed networks, on the VM.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use model_incentives::{BountyError, Chunk, Part, Place, Scored, Submission, Terms, Unsealed, Won};
use noema_import::{ImportOptions, Table, import_onnx, quantise_input};
use noema_model::Model;
use noema_sdk::borsh::{BorshDeserialize, BorshSerialize};
use noema_sdk::{Amount, code};
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use proptest::prelude::*;

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

const POT: u128 = 10_001;
const HOUR: u64 = 3_600_000;
const SALT: Hash = Hash([5; 32]);
/// Fraction bits of the features, as the sponsor has announced them.
const BITS: u8 = 12;

fn table(name: &str) -> Table {
    Table::read_csv(&*fs::read(Path::new("model").join(name)).expect("the files are committed")).expect("a table")
}

/// A committed network under a name of its own: another name is another model.
fn network(file: &str, name: &str) -> Vec<u8> {
    let bytes = fs::read(Path::new("model").join(file)).expect("the files are committed");
    let calibration = table("calibration.csv").rows;
    let options = ImportOptions { calibration, input_fraction_bits: Some(BITS), ..ImportOptions::new(name, "CC0-1.0") };
    import_onnx(&bytes, &options).expect("the network can be imported").container
}

static MODELS: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    [
        network("careful.onnx", "careful"),
        network("linear.onnx", "linear"),
        network("memoriser.onnx", "memoriser"),
        network("careful.onnx", "renamed"),
    ]
});
const CAREFUL: usize = 0;
const LINEAR: usize = 1;
const MEMORISER: usize = 2;
const RENAMED: usize = 3;

/// The chunks of a set, in the fixed point of the bounty.
fn chunks(name: &str, rows: usize) -> Vec<Chunk> {
    let model = Model::from_bytes(MODELS[CAREFUL].clone()).expect("it is a model");
    let table = table(name);
    let pairs: Vec<_> = table.rows.iter().zip(&table.labels).collect();
    let chunk = |pairs: &[(&Vec<f64>, &usize)]| Chunk {
        rows: pairs.iter().flat_map(|(row, _)| quantise_input(&model.manifest().inputs[0], row).unwrap()).collect(),
        labels: pairs.iter().map(|(_, label)| u8::try_from(**label).unwrap()).collect(),
        salt: SALT,
    };
    pairs.chunks(rows).map(chunk).collect()
}

static VALIDATION: LazyLock<Vec<Chunk>> = LazyLock::new(|| chunks("validation.csv", 30));
static TEST: LazyLock<Vec<Chunk>> = LazyLock::new(|| chunks("test.csv", 25));

const PEOPLE: [&str; 6] = ["sponsor", "heir", "anna", "bela", "cleo", "dora"];
const PURSE: u128 = 1_000_000;

struct World {
    chain: TestChain,
    bounty: Address,
    people: BTreeMap<&'static str, Address>,
    models: [Hash; 4],
    start: u64,
}

fn terms(world: &BTreeMap<&'static str, Address>, start: u64, hash: &dyn Fn(Part, u32, &Chunk) -> Hash) -> Terms {
    let hashes = |part: Part, set: &[Chunk]| (0..).zip(set).map(|(index, chunk)| hash(part, index, chunk)).collect();
    Terms {
        features: 8,
        class_output: 2,
        chunk_rows: 30,
        max_gas: 100_000_000_000,
        submit_until: start + HOUR,
        models_until: start + 2 * HOUR,
        test_until: start + 3 * HOUR,
        score_until: start + 4 * HOUR,
        validation: hashes(Part::Validation, &VALIDATION),
        test: hashes(Part::Test, &TEST),
        floor: 500,
        gap: 100,
        shares: vec![600, 300, 100],
        heir: world["heir"],
    }
}

/// What the contract hashes a chunk to, made here from the interface: SHA-256 of part, index and chunk.
fn hash(part: Part, index: u32, chunk: &Chunk) -> Hash {
    let mut chain = TestChain::new();
    let person = chain.account("person", 0);
    let people = PEOPLE.into_iter().map(|name| (name, person)).collect();
    let terms = terms(&people, chain.time_ms(), &|_, _, _| Hash([0; 32]));
    let any = chain.deploy(person, &WASM, &(terms,)).unwrap().value;
    chain.at(any).view("chunk_hash", &(part, index, chunk.clone())).unwrap().value
}

static HASHES: LazyLock<[Vec<Hash>; 2]> = LazyLock::new(|| {
    let all = |part: Part, set: &[Chunk]| (0..).zip(set).map(|(index, chunk)| hash(part, index, chunk)).collect();
    [all(Part::Validation, &VALIDATION), all(Part::Test, &TEST)]
});

fn world() -> World {
    world_with_deposits(0)
}

fn world_with_deposits(units_per_byte: u128) -> World {
    let mut chain = TestChain::new();
    let people: BTreeMap<_, _> = PEOPLE.into_iter().map(|name| (name, chain.account(name, PURSE))).collect();
    let models = [0, 1, 2, 3].map(|model| chain.add_model(&MODELS[model]).unwrap());
    chain.set_deposit_per_byte(units_per_byte);
    let start = chain.time_ms();
    let terms = terms(&people, start, &|part, index, _| HASHES[usize::from(part == Part::Test)][index as usize]);
    let value = units_per_byte * (u128::try_from(WASM.len()).unwrap() + 2_000);
    let sponsor = chain.account("sponsor", PURSE + value);
    let bounty = chain.deploy_with_value(sponsor, &WASM, value, &(terms,)).unwrap().value;
    let mut world = World { chain, bounty, people, models, start };
    world.call::<()>("sponsor", POT, "fund", &()).unwrap();
    world
}

impl World {
    fn call<R: BorshDeserialize>(
        &mut self,
        who: &str,
        value: u128,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.bounty).from(self.people[who]).value(value).call(method, args)
    }

    /// To a moment in one of the phases: 0 seals, 1 models, 2 the test set, 3 scores, 4 after them.
    fn phase(&mut self, phase: u64) {
        let height = self.chain.height() + 1;
        self.chain.travel_to(height, self.start + phase * HOUR + 1);
    }

    fn enter(&mut self, who: &str, model: usize) -> Result<Done<()>, Failure> {
        let args = (self.people[who], self.models[model], SALT);
        let seal: Hash = self.chain.at(self.bounty).view("seal", &args).unwrap().value;
        self.call(who, 0, "enter", &(seal,))
    }

    fn unseal(&mut self, who: &str, model: usize) -> Result<Done<()>, Failure> {
        self.call(who, 0, "unseal", &(self.models[model], SALT))
    }

    fn reveal(&mut self, index: usize) -> Result<Done<()>, Failure> {
        self.call("sponsor", 0, "reveal", &(u32::try_from(index).unwrap(), TEST[index].clone()))
    }

    fn score(&mut self, who: &str, part: Part, index: usize) -> Result<Done<u32>, Failure> {
        let chunk = if part == Part::Test { TEST[index].clone() } else { VALIDATION[index].clone() };
        // The submitter calls for themselves; anybody could.
        self.call(who, 0, "score", &(self.people[who], part, u32::try_from(index).unwrap(), chunk))
    }

    /// Scores somebody on everything; returns the last receipt.
    fn score_all(&mut self, who: &str) -> Done<u32> {
        (0..VALIDATION.len()).for_each(|index| drop(self.score(who, Part::Validation, index).unwrap()));
        let scores: Vec<_> = (0..TEST.len()).map(|index| self.score(who, Part::Test, index).unwrap()).collect();
        scores.into_iter().next_back().unwrap()
    }

    /// Everybody enters with a model and unseals it, and the test set is shown; now scores are computed.
    fn up_to_scores(&mut self, submissions: &[(&str, usize)]) {
        submissions.iter().for_each(|(who, model)| drop(self.enter(who, *model).unwrap()));
        self.phase(1);
        submissions.iter().for_each(|(who, model)| drop(self.unseal(who, *model).unwrap()));
        self.phase(2);
        (0..TEST.len()).for_each(|index| drop(self.reveal(index).unwrap()));
        self.phase(3);
    }

    fn podium(&mut self) -> Vec<Place> {
        self.chain.at(self.bounty).view("podium", &()).unwrap().value
    }

    fn submission(&mut self, who: &str) -> Submission {
        let submitter = self.people[who];
        let found: Option<Submission> = self.chain.at(self.bounty).view("submission", &(submitter,)).unwrap().value;
        found.unwrap()
    }

    fn gain(&self, who: &str) -> i128 {
        i128::try_from(self.chain.balance(self.people[who])).unwrap() - i128::try_from(PURSE).unwrap()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<Done<T>, Failure>, error: BountyError) {
    assert_eq!(result.unwrap_err().code(), Some(error.code()), "{error:?}");
}

#[test]
fn the_most_accurate_model_wins_most() {
    let mut world = world();
    world.up_to_scores(&[("bela", LINEAR), ("anna", CAREFUL)]);
    world.score_all("bela");
    let done = world.score_all("anna");
    let scores = done.events::<Scored>()[0].scores;
    assert!(done.events::<Scored>()[0].ranked && scores.test.rows == 100 && scores.validation.rows == 60);
    let podium = world.podium();
    assert_eq!(
        podium.iter().map(|place| place.submitter).collect::<Vec<_>>(),
        ["anna", "bela"].map(|who| world.people[who])
    );
    assert!(podium[0].right > podium[1].right && podium[1].right >= 70, "{podium:?}");
    refused(world.call::<()>("anna", 0, "pay", &()), BountyError::TooEarly);
    world.phase(4);
    let done = world.call::<()>("dora", 0, "pay", &()).unwrap();
    // Shares are rounded down; the third prize, which nobody won, and what does not divide is the heir's.
    let won = |to: &str, amount, place| Won { to: world.people[to], amount: Amount(amount), place };
    assert_eq!(done.events::<Won>(), [won("anna", 6_000, 1), won("bela", 3_000, 2), won("heir", 1_001, 0)]);
    let gains = ["anna", "bela", "heir", "sponsor"].map(|who| world.gain(who));
    assert_eq!(gains, [6_000, 3_000, 1_001, -10_001]);
    assert_eq!(world.chain.balance(world.bounty), 0);
    refused(world.call::<()>("dora", 0, "pay", &()), BountyError::Paid);
}

#[test]
fn a_model_that_knows_the_public_rows_by_heart_is_not_ranked() {
    let mut world = world();
    world.up_to_scores(&[("cleo", MEMORISER), ("bela", LINEAR)]);
    let done = world.score_all("cleo");
    let Scored { scores, ranked, .. } = done.events::<Scored>()[0];
    // Right on every public row, and often enough on the hidden ones to win something, were it not for the gap.
    assert_eq!(scores.validation.right, 60);
    assert!(!ranked && scores.test.right >= 60, "{scores:?}");
    world.score_all("bela");
    world.phase(4);
    world.call::<()>("bela", 0, "pay", &()).unwrap();
    assert_eq!((world.gain("cleo"), world.gain("bela")), (0, 6_000));
}

#[test]
fn a_copy_of_a_model_seen_on_the_chain_has_no_seal() {
    let mut world = world();
    world.enter("anna", CAREFUL).unwrap();
    // Before the seals are in nobody unseals.
    refused(world.unseal("anna", CAREFUL), BountyError::TooEarly);
    world.phase(1);
    let done = world.unseal("anna", CAREFUL).unwrap();
    let unsealed = Unsealed { submitter: world.people["anna"], model: world.models[CAREFUL] };
    assert_eq!(done.events::<Unsealed>(), [unsealed]);
    // Now everybody has it; under another name it is even another model. But nobody can enter any more.
    refused(world.enter("bela", CAREFUL), BountyError::TooLate);
    refused(world.enter("bela", RENAMED), BountyError::TooLate);
    refused(world.unseal("bela", RENAMED), BountyError::Submission);
}

#[test]
fn a_seal_is_of_no_use_to_others_and_for_other_models() {
    let mut world = world();
    let args = (world.people["anna"], world.models[CAREFUL], SALT);
    let seal: Hash = world.chain.at(world.bounty).view("seal", &args).unwrap().value;
    world.call::<()>("bela", 0, "enter", &(seal,)).unwrap();
    world.call::<()>("anna", 0, "enter", &(seal,)).unwrap();
    refused(world.enter("anna", LINEAR), BountyError::Submission);
    world.phase(1);
    refused(world.unseal("bela", CAREFUL), BountyError::WrongSeal);
    refused(world.unseal("anna", RENAMED), BountyError::WrongSeal);
    world.unseal("anna", CAREFUL).unwrap();
    refused(world.unseal("anna", CAREFUL), BountyError::Again);
}

#[test]
fn of_two_seals_of_one_model_the_earlier_counts() {
    for thief_first in [false, true] {
        let mut world = world();
        world.enter("anna", CAREFUL).unwrap();
        // Who has got the model before the seals are in can seal it too, but later.
        world.enter("bela", CAREFUL).unwrap();
        world.phase(1);
        if thief_first {
            world.unseal("bela", CAREFUL).unwrap();
            world.unseal("anna", CAREFUL).unwrap();
            assert_eq!(world.submission("bela").model, None);
        }
        if !thief_first {
            world.unseal("anna", CAREFUL).unwrap();
        }
        refused(world.unseal("bela", CAREFUL), BountyError::Copied);
        world.phase(3);
        refused(world.score("bela", Part::Validation, 0), BountyError::Submission);
        world.score("anna", Part::Validation, 0).unwrap();
    }
}

#[test]
fn a_test_set_that_was_chosen_later_is_not_shown() {
    let mut world = world();
    world.enter("anna", CAREFUL).unwrap();
    refused(world.reveal(0), BountyError::TooEarly);
    world.phase(1);
    world.unseal("anna", CAREFUL).unwrap();
    world.phase(2);
    let mut better = TEST[0].clone();
    better.labels[0] ^= 1;
    refused(world.call::<()>("sponsor", 0, "reveal", &(0u32, better.clone())), BountyError::WrongChunk);
    refused(world.call::<()>("sponsor", 0, "reveal", &(1u32, TEST[0].clone())), BountyError::WrongChunk);
    refused(world.call::<()>("sponsor", 0, "reveal", &(9u32, TEST[0].clone())), BountyError::WrongChunk);
    world.reveal(0).unwrap();
    refused(world.reveal(0), BountyError::Again);
    (1..TEST.len()).for_each(|index| drop(world.reveal(index).unwrap()));
    world.phase(3);
    // Nor is anybody scored on something else.
    let anna = world.people["anna"];
    refused(world.call::<u32>("bela", 0, "score", &(anna, Part::Test, 0u32, better)), BountyError::WrongChunk);
    refused(
        world.call::<u32>("bela", 0, "score", &(anna, Part::Test, 0u32, VALIDATION[0].clone())),
        BountyError::WrongChunk,
    );
}

#[test]
fn a_sponsor_who_hides_a_chunk_of_the_test_set_gets_nothing_back() {
    let mut world = world();
    world.enter("anna", CAREFUL).unwrap();
    world.phase(1);
    world.unseal("anna", CAREFUL).unwrap();
    world.phase(2);
    (1..TEST.len()).for_each(|index| drop(world.reveal(index).unwrap()));
    world.phase(3);
    refused(world.reveal(0), BountyError::TooLate);
    refused(world.score("anna", Part::Test, 1), BountyError::Hidden);
    world.phase(4);
    world.call::<()>("anna", 0, "pay", &()).unwrap();
    assert_eq!((world.gain("sponsor"), world.gain("heir")), (-10_001, 10_001));
}

#[test]
fn a_bounty_that_nobody_answers_goes_back() {
    let mut world = world();
    world.enter("anna", CAREFUL).unwrap();
    // Sealed, and never unsealed.
    world.phase(4);
    world.call::<()>("sponsor", 0, "pay", &()).unwrap();
    assert_eq!((world.gain("sponsor"), world.gain("heir")), (0, 0));
    refused(world.call::<()>("sponsor", 1, "fund", &()), BountyError::TooLate);
}

#[test]
fn nothing_is_scored_twice() {
    let mut world = world();
    world.up_to_scores(&[("anna", CAREFUL)]);
    let right = world.score("anna", Part::Test, 0).unwrap().value;
    refused(world.score("anna", Part::Test, 0), BountyError::Again);
    assert_eq!(world.submission("anna").scores.test.right, right);
    world.phase(4);
    refused(world.score("anna", Part::Test, 1), BountyError::TooLate);
}

#[test]
fn a_model_that_is_gone_holds_up_nobody() {
    let mut world = world();
    world.up_to_scores(&[("anna", CAREFUL), ("bela", LINEAR)]);
    world.score("anna", Part::Test, 0).unwrap();
    world.chain.withdraw_model(world.models[CAREFUL]).unwrap();
    refused(world.score("anna", Part::Test, 1), BountyError::CannotScore);
    world.score_all("bela");
    world.phase(4);
    world.call::<()>("bela", 0, "pay", &()).unwrap();
    assert_eq!((world.gain("anna"), world.gain("bela")), (0, 6_000));
}

#[test]
fn scoring_with_too_little_gas_counts_nothing() {
    let mut world = world();
    world.up_to_scores(&[("anna", CAREFUL)]);
    let (bounty, anna) = (world.bounty, world.people["anna"]);
    let args = (anna, Part::Test, 0u32, TEST[0].clone());
    let done = world.chain.at(bounty).from(anna).call_starved::<u32, _>(40, "score", &args).unwrap();
    assert_eq!(world.submission("anna").scores.test.right, done.value);
}

#[test]
fn many_submissions_do_not_make_paying_dearer() {
    let mut world = world();
    let crowd: Vec<Address> = (0..40).map(|index| world.chain.account(&format!("sybil {index}"), 0)).collect();
    let alone = world.chain.snapshot();
    let pay = |world: &mut World| {
        world.phase(4);
        world.call::<()>("anna", 0, "pay", &()).unwrap().receipt.gas_used()
    };
    let before = pay(&mut world);
    world.chain.restore(&alone);
    for sybil in crowd {
        world.chain.at(world.bounty).from(sybil).call::<(), _>("enter", &(Hash([1; 32]),)).unwrap();
    }
    let after = pay(&mut world);
    assert!(after < before + before / 100, "{before} gas with nobody, {after} with forty");
}

#[test]
fn bad_terms_are_refused() {
    let mut world = world();
    let (sponsor, good) =
        (world.people["sponsor"], world.chain.at(world.bounty).view::<Terms, _>("terms", &()).unwrap());
    let good = good.value;
    let bad = [
        Terms { submit_until: world.start, ..good.clone() },
        Terms { score_until: good.test_until, ..good.clone() },
        Terms { test: vec![], ..good.clone() },
        Terms { validation: vec![Hash([0; 32]); 65], ..good.clone() },
        Terms { shares: vec![600, 401], ..good.clone() },
        Terms { shares: vec![], ..good.clone() },
        Terms { features: 0, ..good.clone() },
    ];
    for terms in bad {
        let failure = world.chain.deploy(sponsor, &WASM, &(terms.clone(),)).unwrap_err();
        assert_eq!(failure.code(), Some(BountyError::BadTerms.code()), "{terms:?}");
    }
}

#[test]
fn entries_are_paid_for_by_who_makes_them() {
    let mut world = world_with_deposits(3);
    assert_eq!(world.enter("anna", CAREFUL).unwrap_err().code(), Some(code::UNDERPAID));
    let args = (world.people["anna"], world.models[CAREFUL], SALT);
    let seal: Hash = world.chain.at(world.bounty).view("seal", &args).unwrap().value;
    world.call::<()>("anna", 5_000, "enter", &(seal,)).unwrap();
    world.call::<()>("bela", 5_000, "enter", &(seal,)).unwrap();
    world.call::<()>("bela", 0, "leave", &()).unwrap();
    world.phase(1);
    world.call::<()>("anna", 5_000, "unseal", &(world.models[CAREFUL], SALT)).unwrap();
    refused(world.call::<()>("anna", 0, "leave", &()), BountyError::TooEarly);
    world.phase(2);
    (0..TEST.len()).for_each(|index| drop(world.reveal(index).unwrap()));
    world.phase(3);
    world.score_all("anna");
    assert!(world.gain("anna") < 0, "the deposit");
    world.phase(4);
    world.call::<()>("sponsor", 0, "pay", &()).unwrap();
    world.call::<()>("anna", 0, "leave", &()).unwrap();
    assert_eq!((world.gain("anna"), world.gain("bela"), world.gain("heir")), (6_000, 0, 4_001));
}

/// What three people do with a model each.
#[derive(Clone, Debug)]
struct Run {
    pot: u128,
    enter: [bool; 3],
    unseal: [bool; 3],
    shown: [bool; 4],
    scored: [bool; 3],
    backwards: bool,
}

fn run() -> impl Strategy<Value = Run> {
    let mostly = || prop::array::uniform3(prop::bool::weighted(0.8));
    let shown = prop::array::uniform4(prop::bool::weighted(0.93));
    (0u128..3_000, mostly(), mostly(), shown, mostly(), any::<bool>())
        .prop_map(|(pot, enter, unseal, shown, scored, backwards)| Run { pot, enter, unseal, shown, scored, backwards })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whoever takes part, and in whatever order scores are computed: the whole pot is paid, to those whom plain Rust would pay.
    #[test]
    fn the_whole_pot_is_paid_by_rank(run in run()) {
        let mut world = world();
        let people = ["anna", "bela", "cleo"];
        world.call::<()>("dora", run.pot, "fund", &()).unwrap();
        let pot = POT + run.pot;
        let took_part: Vec<usize> = (0..3).filter(|at| run.enter[*at]).collect();
        took_part.iter().for_each(|&at| drop(world.enter(people[at], at).unwrap()));
        world.phase(1);
        let unsealed: Vec<usize> = took_part.into_iter().filter(|at| run.unseal[*at]).collect();
        unsealed.iter().for_each(|&at| drop(world.unseal(people[at], at).unwrap()));
        world.phase(2);
        (0..4).filter(|chunk| run.shown[*chunk]).for_each(|chunk| drop(world.reveal(chunk).unwrap()));
        world.phase(3);
        let all_shown = run.shown == [true; 4];
        let mut scored: Vec<usize> = unsealed.iter().copied().filter(|at| run.scored[*at] && all_shown).collect();
        if run.backwards {
            scored.reverse();
        }
        let mut ranking = Vec::new();
        for at in scored {
            let event = world.score_all(people[at]).events::<Scored>()[0].clone();
            let (test, public) = (f64::from(event.scores.test.right) / 100.0, f64::from(event.scores.validation.right) / 60.0);
            prop_assert_eq!(event.ranked, test >= 0.5 && public - test <= 0.1 + 1e-9);
            if event.ranked {
                ranking.push((std::cmp::Reverse(event.scores.test.right), at));
            }
        }
        ranking.sort();
        world.phase(4);
        world.call::<()>("dora", 0, "pay", &()).unwrap();
        let mut rest = pot;
        for (place, (_, at)) in ranking.iter().enumerate() {
            let prize = pot * [600, 300, 100][place] / 1000;
            rest -= prize;
            prop_assert_eq!(world.gain(people[*at]), i128::try_from(prize).unwrap());
        }
        let rest = i128::try_from(rest).unwrap();
        let [pot, own] = [POT, run.pot].map(|units| i128::try_from(units).unwrap());
        let expected = if unsealed.is_empty() { (rest - pot, 0) } else { (-pot, rest) };
        prop_assert_eq!((world.gain("sponsor"), world.gain("heir")), expected);
        prop_assert_eq!(world.gain("dora"), -own);
        prop_assert_eq!(world.chain.balance(world.bounty), 0);
    }
}
