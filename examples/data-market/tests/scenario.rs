//! The compiled contract with the committed encoder and rows, on the VM.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use data_market::{
    Appraised, DataError, Delivery, Ending, HeldOut, Opened, Part, Purchase, Row, Rows, SealedRow, Settled, Terms,
};
use noema_import::{ImportOptions, Table, import_onnx, quantise_input};
use noema_model::Model;
use noema_sdk::borsh::{self, BorshDeserialize, BorshSerialize};
use noema_sdk::{Amount, code};
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

const PRICE: u128 = 1_000;
const BOND: u128 = 50;
const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;
const FEATURES: u32 = 10;
const PURSE: u128 = 1_000_000;

/// Contributors and what they offer, in the order in which they register.
const OFFERS: [(&str, &str); 4] =
    [("cleo", "stale.csv"), ("anna", "meadow.csv"), ("dora", "poison.csv"), ("bela", "forest.csv")];
const STALE: u32 = 0;
const MEADOW: u32 = 1;
const POISON: u32 = 2;
const FOREST: u32 = 3;
const PEOPLE: [&str; 7] = ["curator", "buyer", "anna", "bela", "cleo", "dora", "eve"];

fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

struct Files {
    encoder: Vec<u8>,
    known: Rows,
    held_out: HeldOut,
    offers: Vec<Vec<Row>>,
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let file = |name: &str| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let table = |name: &str| Table::read_csv(&*file(name)).expect("a table");
    let options =
        ImportOptions { calibration: table("calibration.csv").rows, ..ImportOptions::new("encoder", "CC0-1.0") };
    let encoder = import_onnx(&file("encoder.onnx"), &options).expect("the encoder can be imported").container;
    let model = Model::from_bytes(encoder.clone()).expect("the container is a model");
    let fixed = |row: &Vec<f64>| quantise_input(&model.manifest().inputs[0], row).expect("the row fits");
    let label = |label: &usize| u8::try_from(*label).expect("few varieties");
    let rows = |name: &str| {
        let table = table(name);
        Rows { features: table.rows.iter().flat_map(fixed).collect(), labels: table.labels.iter().map(label).collect() }
    };
    let offer = |(at, (_, name)): (usize, &(&str, &str))| {
        let table = table(name);
        let pairs = table.rows.iter().zip(&table.labels).enumerate();
        let salt = |index: usize| sha256(format!("{at} {index}").as_bytes());
        pairs.map(|(index, (row, of))| Row { features: fixed(row), label: label(of), salt: salt(index) }).collect()
    };
    Files {
        known: rows("base.csv"),
        held_out: HeldOut { rows: rows("heldout.csv"), seed: sha256(b"drawn by lot") },
        offers: OFFERS.iter().enumerate().map(offer).collect(),
        encoder,
    }
});

struct World {
    chain: TestChain,
    market: Address,
    people: BTreeMap<&'static str, Address>,
    model: Hash,
    /// Each data set, sealed with a key of its own.
    sealed: Vec<(Hash, Vec<SealedRow>)>,
    start: u64,
}

fn key(part: u32) -> Hash {
    sha256(format!("key of {part}").as_bytes())
}

fn pad(part: u32) -> Hash {
    sha256(format!("pad for {part}").as_bytes())
}

fn xor(a: Hash, b: Hash) -> Hash {
    let mut result = a;
    result.0.iter_mut().zip(b.0).for_each(|(a, b)| *a ^= b);
    result
}

fn world() -> World {
    world_with_deposits(0)
}

fn world_with_deposits(units_per_byte: u128) -> World {
    let mut chain = TestChain::new();
    let people: BTreeMap<_, _> = PEOPLE.into_iter().map(|name| (name, chain.account(name, PURSE))).collect();
    let model = chain.add_model(&FILES.encoder).unwrap();
    chain.set_deposit_per_byte(units_per_byte);
    let start = chain.time_ms();
    let terms = terms(model, start);
    let value = units_per_byte * (u128::try_from(WASM.len()).unwrap() + 2_000);
    let curator = chain.account("curator", PURSE + value);
    let market = chain.deploy_with_value(curator, &WASM, value, &(terms, FILES.known.clone())).unwrap().value;
    let mut seal =
        |(part, rows): (u32, &Vec<Row>)| chain.at(market).view("seal", &(key(part), rows.clone())).unwrap().value;
    let sealed = (0..).zip(&FILES.offers).map(&mut seal).collect();
    World { chain, market, people, model, sealed, start }
}

fn terms(model: Hash, start: u64) -> Terms {
    Terms {
        licence: "CC0-1.0".into(),
        price: Amount(PRICE),
        bond: Amount(BOND),
        model,
        features: FEATURES,
        held_out: sha256(&borsh::to_vec(&FILES.held_out).unwrap()),
        sample: 12,
        register_until: start + HOUR,
        show_until: start + 2 * HOUR,
        slot_ms: MINUTE,
        release_ms: HOUR,
        dispute_ms: HOUR,
    }
}

impl World {
    fn call<R: BorshDeserialize>(
        &mut self,
        who: &str,
        value: u128,
        method: &str,
        args: &impl BorshSerialize,
    ) -> Result<Done<R>, Failure> {
        self.chain.at(self.market).from(self.people[who]).value(value).call(method, args)
    }

    fn at(&mut self, milliseconds: u64) {
        let height = self.chain.height() + 1;
        self.chain.travel_to(height, self.start + milliseconds);
    }

    fn later(&mut self, milliseconds: u64) {
        self.chain.next_block(milliseconds);
    }

    fn register(&mut self, part: u32) -> Result<Done<u32>, Failure> {
        let (who, _) = OFFERS[part as usize];
        let (root, rows) = (self.sealed[part as usize].0, self.sealed[part as usize].1.len());
        let args = (root, u32::try_from(rows).unwrap(), sha256(&key(part).0));
        self.call(who, BOND, "register", &args)
    }

    fn show(&mut self) -> Result<Done<()>, Failure> {
        self.call("curator", 0, "show", &(FILES.held_out.clone(),))
    }

    /// The rows that were drawn of a data set, opened.
    fn sample(&mut self, part: u32) -> Vec<Opened> {
        let drawn: Vec<u32> = self.chain.at(self.market).view("drawn", &(part,)).unwrap().value;
        let open = |index: u32| {
            let SealedRow { cipher, path, .. } = self.sealed[part as usize].1[index as usize].clone();
            Opened { row: FILES.offers[part as usize][index as usize].clone(), cipher, path }
        };
        drawn.into_iter().map(open).collect()
    }

    fn appraise(&mut self, part: u32) -> Done<u32> {
        let sample = self.sample(part);
        self.at(2 * HOUR + u64::from(part) * MINUTE + 1);
        self.call(OFFERS[part as usize].0, 0, "appraise", &(part, sample)).unwrap()
    }

    /// All four are registered and measured, and the sale is open.
    fn up_to_sale(&mut self) {
        (0..4).for_each(|part| drop(self.register(part).unwrap()));
        self.at(HOUR + 1);
        self.show().unwrap();
        (0..4).for_each(|part| drop(self.appraise(part)));
        self.at(3 * HOUR);
    }

    fn buy(&mut self, value: u128) -> Result<Done<u64>, Failure> {
        let pads = [MEADOW, FOREST].map(|part| (part, sha256(&pad(part).0))).to_vec();
        self.call("buyer", value, "buy", &(pads,))
    }

    fn release(&mut self, purchase: u64, part: u32, key: Hash) -> Result<Done<()>, Failure> {
        self.call(OFFERS[part as usize].0, 0, "release", &(purchase, part, xor(key, pad(part))))
    }

    fn dispute(&mut self, part: u32, row: Option<SealedRow>) -> Result<Done<()>, Failure> {
        self.call("buyer", 0, "dispute", &(0u64, part, pad(part), row))
    }

    fn settle(&mut self, purchase: u64, part: u32) -> Result<Done<()>, Failure> {
        self.call("eve", 0, "settle", &(purchase, part))
    }

    fn part(&mut self, part: u32) -> Part {
        self.chain.at(self.market).view::<Option<Part>, _>("part", &(part,)).unwrap().value.unwrap()
    }

    /// What the parts that are sold get of the price: meadow, forest.
    fn shares(&mut self) -> [i128; 2] {
        let worth = [MEADOW, FOREST].map(|part| u128::from(self.part(part).worth));
        worth.map(|each| i128::try_from(PRICE * each / (worth[0] + worth[1])).unwrap())
    }

    fn gain(&self, who: &str) -> i128 {
        i128::try_from(self.chain.balance(self.people[who])).unwrap() - i128::try_from(PURSE).unwrap()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<Done<T>, Failure>, error: DataError) {
    assert_eq!(result.unwrap_err().code(), Some(error.code()), "{error:?}");
}

/// Opens what a contributor has published, as a buyer does: with nothing of the contract's code.
fn open(key: Hash, row: &SealedRow) -> Row {
    let mut bytes = row.cipher.clone();
    for (block, part) in (0u32..).zip(bytes.chunks_mut(32)) {
        let stream = sha256(&[&[2], &key.0[..], &row.index.to_le_bytes(), &block.to_le_bytes()].concat());
        part.iter_mut().zip(stream.0).for_each(|(byte, stream)| *byte ^= stream);
    }
    Row::try_from_slice(&bytes).expect("the row opens")
}

#[test]
fn data_are_measured_by_a_model_and_sold_by_their_worth() {
    let mut world = world();
    (0..4).for_each(|part| drop(world.register(part).unwrap()));
    world.at(HOUR + 1);
    world.show().unwrap();
    let worth: Vec<Appraised> = (0..4).map(|part| world.appraise(part).events::<Appraised>()[0].clone()).collect();
    // Rows of what everybody has bring nothing, wrong names nothing or less; what is new brings much.
    assert_eq!(worth[STALE as usize].after, worth[STALE as usize].before);
    assert!(worth[POISON as usize].after <= worth[POISON as usize].before, "{worth:?}");
    assert!([MEADOW, FOREST].iter().all(|part| worth[*part as usize].after >= worth[*part as usize].before + 10));
    assert_eq!([STALE, POISON].map(|part| world.part(part).worth), [0, 0]);
    // Each is measured with what was accepted before it, and without what was not.
    assert_eq!(worth[FOREST as usize].before, worth[MEADOW as usize].after);
    assert!(PEOPLE.iter().all(|who| world.gain(who) == 0), "every bond is back");

    refused(world.buy(PRICE), DataError::TooEarly);
    world.at(3 * HOUR);
    let purchase = world.buy(PRICE).unwrap().value;
    for part in [MEADOW, FOREST] {
        world.release(purchase, part, key(part)).unwrap();
        let delivery: Option<Delivery> =
            world.chain.at(world.market).view("delivery", &(purchase, part)).unwrap().value;
        let got = xor(delivery.unwrap().sealed_key, pad(part));
        let rows: Vec<Row> = world.sealed[part as usize].1.iter().map(|row| open(got, row)).collect();
        assert_eq!(rows, FILES.offers[part as usize], "the buyer has the data");
    }
    refused(world.settle(purchase, MEADOW), DataError::TooEarly);
    world.later(2 * HOUR + 1);
    let shares = world.shares();
    let done = world.settle(purchase, MEADOW).unwrap();
    let share = Amount(u128::try_from(shares[0]).unwrap());
    assert_eq!(done.events::<Settled>(), [Settled { purchase, part: MEADOW, ending: Ending::Paid, share }]);
    refused(world.settle(purchase, MEADOW), DataError::Unknown);
    world.settle(purchase, FOREST).unwrap();
    // What does not divide is the buyer's.
    assert!(shares[0] + shares[1] <= 1_000 && shares[0] + shares[1] >= 999);
    assert_eq!(["anna", "bela", "buyer"].map(|who| world.gain(who)), [shares[0], shares[1], -shares[0] - shares[1]]);
    assert_eq!(world.chain.balance(world.market), 0);
    assert_eq!(world.chain.at(world.market).view::<Option<Purchase>, _>("purchase", &(purchase,)).unwrap().value, None);
}

#[test]
fn the_tree_is_what_its_documentation_says() {
    let mut world = world();
    let rows = FILES.offers[0][..3].to_vec();
    let (root, sealed): (Hash, Vec<SealedRow>) =
        world.chain.at(world.market).view("seal", &(key(9), rows.clone())).unwrap().value;
    let node = |left: Hash, right: Hash| sha256(&[&[1], &left.0[..], &right.0[..]].concat());
    let leaf = |row: &SealedRow| {
        let length = u32::try_from(row.cipher.len()).unwrap().to_le_bytes();
        sha256(&[&[0], &row.index.to_le_bytes()[..], &row.plain.0, &length, &row.cipher].concat())
    };
    let leaves: Vec<Hash> = sealed.iter().map(leaf).collect();
    assert_eq!(root, node(node(leaves[0], leaves[1]), node(leaves[2], Hash([0; 32]))));
    assert_eq!(sealed[1].path, [leaves[0], node(leaves[2], Hash([0; 32]))]);
    for (row, sealed) in rows.iter().zip(&sealed) {
        assert_eq!(sealed.plain, sha256(&borsh::to_vec(row).unwrap()));
        assert_eq!(&open(key(9), sealed), row);
        assert_ne!(sealed.cipher, borsh::to_vec(row).unwrap());
    }
}

#[test]
fn a_contributor_who_does_not_hand_over_is_not_paid() {
    let mut world = world();
    world.up_to_sale();
    world.buy(PRICE).unwrap();
    world.release(0, MEADOW, key(MEADOW)).unwrap();
    world.later(HOUR);
    refused(world.settle(0, FOREST), DataError::TooEarly);
    world.later(1);
    refused(world.release(0, FOREST, key(FOREST)), DataError::TooLate);
    let done = world.settle(0, FOREST).unwrap();
    assert_eq!(done.events::<Settled>()[0].ending, Ending::Late);
    world.later(HOUR);
    world.settle(0, MEADOW).unwrap();
    let [share, _] = world.shares();
    assert_eq!(["anna", "bela", "buyer"].map(|who| world.gain(who)), [share, 0, -share]);
}

#[test]
fn a_wrong_key_is_proven_by_its_hash() {
    let mut world = world();
    world.up_to_sale();
    world.buy(PRICE).unwrap();
    refused(world.dispute(FOREST, None), DataError::TooEarly);
    world.release(0, FOREST, key(77)).unwrap();
    refused(world.release(0, FOREST, key(FOREST)), DataError::Again);
    // Only the pad that was committed to says what was handed over.
    refused(
        world.call::<()>("buyer", 0, "dispute", &(0u64, FOREST, pad(9), None::<SealedRow>)),
        DataError::WrongOpening,
    );
    let done = world.dispute(FOREST, None).unwrap();
    assert_eq!(done.events::<Settled>()[0].ending, Ending::Cheated);
    refused(world.dispute(FOREST, None), DataError::Unknown);
    refused(world.settle(0, FOREST), DataError::Unknown);
    let [_, share] = world.shares();
    assert_eq!((world.gain("bela"), world.gain("buyer")), (0, share - 1_000));
}

#[test]
fn a_false_dispute_of_a_right_key_gets_nothing() {
    let mut world = world();
    world.up_to_sale();
    world.buy(PRICE).unwrap();
    world.release(0, MEADOW, key(MEADOW)).unwrap();
    refused(world.dispute(MEADOW, None), DataError::NothingWrong);
    // Nor does a row that is as the tree says, one that is not in the tree, or one of another data set.
    let honest = world.sealed[MEADOW as usize].1[5].clone();
    refused(world.dispute(MEADOW, Some(honest.clone())), DataError::NothingWrong);
    let altered = SealedRow { cipher: vec![0; honest.cipher.len()], ..honest.clone() };
    refused(world.dispute(MEADOW, Some(altered)), DataError::WrongOpening);
    let elsewhere = SealedRow { index: honest.index + 32, ..honest };
    refused(world.dispute(MEADOW, Some(elsewhere)), DataError::WrongOpening);
    let other = world.sealed[FOREST as usize].1[5].clone();
    refused(world.dispute(MEADOW, Some(other)), DataError::WrongOpening);
    world.later(2 * HOUR + 1);
    refused(world.dispute(MEADOW, None), DataError::TooLate);
    world.settle(0, MEADOW).unwrap();
    assert_eq!(world.gain("anna"), world.shares()[0]);
}

#[test]
fn rubbish_under_a_right_key_is_proven_by_one_row() {
    let mut world = world();
    // The forest is sealed so that row 3 opens to something else than the tree has: the leaf of another key's row.
    let (_, other): (Hash, Vec<SealedRow>) =
        world.chain.at(world.market).view("seal", &(key(88), FILES.offers[FOREST as usize].clone())).unwrap().value;
    let mut rows = world.sealed[FOREST as usize].1.clone();
    rows[3].cipher.clone_from(&other[3].cipher);
    world.sealed[FOREST as usize] = tree_of(rows);
    world.up_to_sale();
    world.buy(PRICE).unwrap();
    world.release(0, FOREST, key(FOREST)).unwrap();
    let row = |world: &World, index: usize| world.sealed[FOREST as usize].1[index].clone();
    let (honest, rubbish) = (row(&world, 2), row(&world, 3));
    refused(world.dispute(FOREST, Some(honest)), DataError::NothingWrong);
    let done = world.dispute(FOREST, Some(rubbish)).unwrap();
    assert_eq!(done.events::<Settled>()[0].ending, Ending::Cheated);
    assert_eq!(world.gain("bela"), 0);
}

/// The tree over rows that no contract has made.
fn tree_of(mut rows: Vec<SealedRow>) -> (Hash, Vec<SealedRow>) {
    let leaf = |row: &SealedRow| sha256(&borsh::to_vec(&(0u8, row.index, row.plain, &row.cipher)).unwrap());
    let mut level: Vec<Hash> = rows.iter().map(leaf).collect();
    rows.iter_mut().for_each(|row| row.path.clear());
    let mut depth = 0;
    while level.len() > 1 {
        rows.iter_mut().for_each(|row| row.path.push(level[row.index as usize >> depth ^ 1]));
        level = level.chunks(2).map(|pair| sha256(&[&[1], &pair[0].0[..], &pair[1].0[..]].concat())).collect();
        depth += 1;
    }
    (level[0], rows)
}

#[test]
fn a_sample_is_what_was_drawn_and_nothing_else() {
    let mut world = world();
    (0..4).for_each(|part| drop(world.register(part).unwrap()));
    refused(world.show(), DataError::TooEarly);
    world.at(HOUR + 1);
    let mut easier = FILES.held_out.clone();
    easier.rows.labels.fill(2);
    refused(world.call::<()>("curator", 0, "show", &(easier,)), DataError::WrongOpening);
    world.show().unwrap();
    refused(world.show(), DataError::Again);
    let sample = world.sample(MEADOW);
    refused(world.call::<u32>("anna", 0, "appraise", &(MEADOW, sample.clone())), DataError::TooEarly);
    world.at(2 * HOUR + MINUTE + 1);
    let offer = |world: &mut World, sample: Vec<Opened>| world.call::<u32>("anna", 0, "appraise", &(MEADOW, sample));
    // Better rows than those that were drawn, rows with other names, fewer rows.
    let mut chosen = sample.clone();
    chosen.swap(0, 1);
    refused(offer(&mut world, chosen), DataError::WrongOpening);
    let mut renamed = sample.clone();
    renamed[0].row.label ^= 1;
    refused(offer(&mut world, renamed), DataError::WrongOpening);
    refused(offer(&mut world, sample[..11].to_vec()), DataError::WrongOpening);
    offer(&mut world, sample.clone()).unwrap();
    refused(offer(&mut world, sample), DataError::Again);
    // Too late for who was before, too early for who comes after.
    for (part, error) in [(STALE, DataError::TooLate), (FOREST, DataError::TooEarly)] {
        let sample = world.sample(part);
        refused(world.call::<u32>("eve", 0, "appraise", &(part, sample)), error);
    }
}

#[test]
fn who_registers_and_is_not_there_delays_nobody_further() {
    let mut world = world();
    (0..4).for_each(|part| drop(world.register(part).unwrap()));
    world.at(HOUR + 1);
    world.show().unwrap();
    // Only the forest is measured, in its own slot, as if nobody were before it.
    world.appraise(FOREST);
    world.at(3 * HOUR);
    // The bonds of the others are forfeited, once.
    for part in [STALE, MEADOW, POISON] {
        world.call::<()>("eve", 0, "unbond", &(part,)).unwrap();
        refused(world.call::<()>("eve", 0, "unbond", &(part,)), DataError::Again);
    }
    refused(world.call::<()>("eve", 0, "unbond", &(FOREST,)), DataError::Again);
    assert_eq!((world.gain("curator"), world.gain("anna"), world.gain("bela")), (150, -50, 0));
    let pads = vec![(FOREST, sha256(&pad(FOREST).0))];
    world.call::<u64>("buyer", PRICE, "buy", &(pads,)).unwrap();
}

#[test]
fn a_curator_who_shows_nothing_keeps_no_bond() {
    let mut world = world();
    world.register(STALE).unwrap();
    refused(world.call::<()>("cleo", 0, "unbond", &(0u32,)), DataError::TooEarly);
    world.at(2 * HOUR + 1);
    refused(world.show(), DataError::TooLate);
    world.call::<()>("curator", 0, "unbond", &(0u32,)).unwrap();
    assert_eq!((world.gain("curator"), world.gain("cleo")), (0, 0));
    world.at(9 * HOUR);
    refused(world.buy(PRICE), DataError::TooEarly);
}

#[test]
fn a_curator_cannot_collect_bonds_by_making_measuring_impossible() {
    let mut world = world();
    let good = terms(world.model, world.start);
    let bad = [
        Terms { features: 9, ..good.clone() },
        Terms { features: 0, ..good.clone() },
        Terms { sample: 0, ..good.clone() },
        // All samples together would not fit into an entry.
        Terms { sample: 40, ..good.clone() },
        Terms { sample: u32::MAX, ..good.clone() },
        Terms { slot_ms: u64::MAX, ..good.clone() },
        Terms { show_until: u64::MAX, ..good.clone() },
        Terms { register_until: world.start, ..good.clone() },
        Terms { model: Hash([1; 32]), ..good.clone() },
    ];
    for terms in bad {
        let refused = world.chain.deploy(world.people["curator"], &WASM, &(terms.clone(), FILES.known.clone()));
        assert!(refused.is_err_and(|failure| failure.code().is_some()), "{terms:?}");
    }
    // More held-out rows than can be measured with are not taken, whatever was committed to: then every bond goes back.
    let mut many = FILES.held_out.clone();
    many.rows.features = many.rows.features.repeat(5);
    many.rows.labels = many.rows.labels.repeat(5);
    let terms = Terms { held_out: sha256(&borsh::to_vec(&many).unwrap()), ..good };
    let strict = world.chain.deploy(world.people["curator"], &WASM, &(terms, FILES.known.clone())).unwrap().value;
    world.at(HOUR + 1);
    let shown = world.chain.at(strict).from(world.people["curator"]).call::<(), _>("show", &(many,));
    refused(shown, DataError::WrongOpening);
}

#[test]
fn an_encoder_that_is_gone_costs_nobody_a_bond() {
    let mut world = world();
    (0..4).for_each(|part| drop(world.register(part).unwrap()));
    world.at(HOUR + 1);
    world.show().unwrap();
    world.appraise(STALE);
    world.chain.withdraw_model(world.model).unwrap();
    assert_eq!(world.appraise(MEADOW).value, 0);
    assert_eq!((world.gain("anna"), world.gain("curator")), (0, 0));
}

#[test]
fn a_collection_of_nothing_is_not_sold() {
    let mut world = world();
    world.register(STALE).unwrap();
    world.at(HOUR + 1);
    world.show().unwrap();
    world.appraise(STALE);
    world.at(3 * HOUR);
    refused(world.buy(PRICE), DataError::NothingForSale);
}

#[test]
fn pads_are_for_what_is_sold() {
    let mut world = world();
    world.up_to_sale();
    let pad = |part: u32| (part, Hash([1; 32]));
    for pads in [vec![pad(MEADOW)], vec![pad(FOREST), pad(MEADOW)], vec![pad(STALE), pad(FOREST)], vec![pad(MEADOW); 2]]
    {
        refused(world.call::<u64>("buyer", PRICE, "buy", &(pads,)), DataError::WrongPads);
    }
    assert_eq!(world.buy(PRICE - 1).unwrap_err().code(), Some(code::UNDERPAID));
    world.buy(PRICE).unwrap();
    // A key is handed over by who has it.
    refused(world.call::<()>("eve", 0, "release", &(0u64, MEADOW, Hash([0; 32]))), DataError::NotYours);
}

#[test]
fn a_data_set_is_registered_once() {
    let mut world = world();
    world.register(MEADOW).unwrap();
    let root = world.sealed[MEADOW as usize].0;
    refused(world.call::<u32>("eve", BOND, "register", &(root, 32u32, Hash([3; 32]))), DataError::NotTaken);
    refused(world.call::<u32>("eve", BOND, "register", &(Hash([3; 32]), 0u32, Hash([3; 32]))), DataError::NotTaken);
    for at in 1..64u32 {
        let root = sha256(&at.to_le_bytes());
        world.call::<u32>("eve", BOND, "register", &(root, 32u32, Hash([3; 32]))).unwrap();
    }
    refused(world.register(FOREST), DataError::NotTaken);
    world.at(HOUR + 1);
    refused(world.register(STALE), DataError::TooLate);
}

#[test]
fn entries_are_paid_for_by_who_makes_them() {
    let mut world = world_with_deposits(2);
    let root = world.sealed[MEADOW as usize].0;
    let args = (root, 32u32, sha256(&key(MEADOW).0));
    assert_eq!(world.call::<u32>("anna", BOND, "register", &args).unwrap_err().code(), Some(code::UNDERPAID));
    world.call::<u32>("anna", BOND + 5_000, "register", &args).unwrap();
    world.at(HOUR + 1);
    world.call::<()>("curator", 50_000, "show", &(FILES.held_out.clone(),)).unwrap();
    world.at(2 * HOUR + 1);
    // Registered first here: its number is 0.
    let drawn: Vec<u32> = world.chain.at(world.market).view("drawn", &(0u32,)).unwrap().value;
    let open = |index: &u32| {
        let SealedRow { cipher, path, .. } = world.sealed[MEADOW as usize].1[*index as usize].clone();
        Opened { row: FILES.offers[MEADOW as usize][*index as usize].clone(), cipher, path }
    };
    let sample: Vec<Opened> = drawn.iter().map(open).collect();
    world.call::<u32>("anna", 5_000, "appraise", &(0u32, sample)).unwrap();
    world.at(3 * HOUR);
    let (before, spent) = (world.chain.deposit(world.market).free(), world.gain("buyer"));
    let pads = vec![(0u32, sha256(&pad(0).0))];
    assert_eq!(world.call::<u64>("buyer", PRICE, "buy", &(pads.clone(),)).unwrap_err().code(), Some(code::UNDERPAID));
    world.call::<u64>("buyer", PRICE + 5_000, "buy", &(pads,)).unwrap();
    world.later(HOUR + 1);
    world.settle(0, 0).unwrap();
    assert_eq!((world.chain.deposit(world.market).free(), world.gain("buyer")), (before, spent));
}

/// How a purchase goes, part by part.
#[derive(Clone, Copy, Debug)]
enum Way {
    Released,
    WrongKey,
    Nothing,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However purchases go, and in whatever order they are settled: each share is paid once, to whom it belongs to, and nothing
    /// is left.
    #[test]
    fn money_is_conserved(
        ways in prop::collection::vec(prop::array::uniform2(prop_oneof![Just(Way::Released), Just(Way::WrongKey), Just(Way::Nothing)]), 1..4),
        backwards in any::<bool>(),
    ) {
        let mut world = world();
        world.up_to_sale();
        let shares = world.shares();
        let mut books = BTreeMap::from([("anna", 0i128), ("bela", 0), ("buyer", 0)]);
        let parts = [(MEADOW, "anna"), (FOREST, "bela")];
        for _ in &ways {
            world.buy(PRICE).unwrap();
        }
        let mut open = Vec::new();
        for (purchase, way) in (0..).zip(&ways) {
            for (at, (part, seller)) in parts.into_iter().enumerate() {
                match way[at] {
                    Way::Released => {
                        world.release(purchase, part, key(part)).unwrap();
                        *books.get_mut(seller).unwrap() += shares[at];
                        *books.get_mut("buyer").unwrap() -= shares[at];
                        open.push((purchase, part));
                    }
                    Way::WrongKey => {
                        world.release(purchase, part, key(50)).unwrap();
                        world.call::<()>("buyer", 0, "dispute", &(purchase, part, pad(part), None::<SealedRow>)).unwrap();
                    }
                    Way::Nothing => open.push((purchase, part)),
                }
            }
        }
        world.later(2 * HOUR + 1);
        if backwards {
            open.reverse();
        }
        for (purchase, part) in open {
            world.settle(purchase, part).unwrap();
        }
        for (who, gain) in books {
            prop_assert_eq!(world.gain(who), gain, "{}", who);
        }
        prop_assert_eq!(world.chain.balance(world.market), 0);
    }
}
