//! The compiled contract with the committed network and rows, on the VM.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use noema_import::{ImportOptions, Table, TreeOptions, import_lightgbm, import_onnx, quantise_input};
use noema_model::Model;
use noema_schema::Schema;
use noema_testing::{Address, Done, Failure, Hash, TestChain, build};
use screening::{
    BAD_POLICY, CERTAIN, Class, DECIDED, Decided, Decision, ModelChanged, NOT_THE_CLINIC, Policy, Summary,
    TOO_LITTLE_GAS, TreesChanged, WRONG_LENGTH,
};
use serde_json::json;

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

/// A model as a container, and the held-out rows in its fixed point.
struct Network {
    container: Vec<u8>,
    rows: Vec<Vec<i32>>,
    labels: Vec<usize>,
}

static NETWORK: LazyLock<Network> = LazyLock::new(|| network("screening"));

fn network(name: &str) -> Network {
    let file = |name: &str| fs::read(Path::new("model").join(name)).expect("the files are committed");
    let table = |name: &str| Table::read_csv(&*file(name)).expect("the table can be read");
    let options = ImportOptions { calibration: table("calibration.csv").rows, ..ImportOptions::new(name, "CC-BY-4.0") };
    let container = import_onnx(&file("screening.onnx"), &options).expect("the network can be imported").container;
    let model = Model::from_bytes(container.clone()).expect("the container is a model");
    let heldout = table("heldout.csv");
    let fixed = |row: &Vec<f64>| quantise_input(&model.manifest().inputs[0], row).expect("the row fits the port");
    Network { rows: heldout.rows.iter().map(fixed).collect(), labels: heldout.labels, container }
}

/// The trees as a container, in the fixed point of the network.
static TREES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let network = Model::from_bytes(NETWORK.container.clone()).expect("the container is a model");
    let input_fraction_bits = Some(network.manifest().inputs[0].fraction_bits);
    let file = fs::read("trees/screening.lightgbm.txt").expect("the file is committed");
    let options = TreeOptions { input_fraction_bits, ..TreeOptions::new("screening trees", "CC-BY-4.0") };
    import_lightgbm(&file, &options).expect("the trees can be imported").container
});

/// The class that LightGBM gives to each held-out row.
fn lightgbm_classes() -> Vec<Class> {
    let text = fs::read_to_string("trees/expected.csv").expect("the file is committed");
    let class = |line: &str| match line.split(',').nth(2) {
        Some("0") => Class::Benign,
        Some("1") => Class::Malignant,
        other => panic!("{other:?}"),
    };
    text.lines().skip(1).map(class).collect()
}

struct World {
    chain: TestChain,
    clinic: Address,
    model: Hash,
    trees: Option<Hash>,
    contract: Address,
}

fn world(policy: Option<Policy>) -> World {
    start(policy, false)
}

fn start(policy: Option<Policy>, with_trees: bool) -> World {
    let mut chain = TestChain::new();
    let clinic = chain.account("clinic", 0);
    let model = chain.add_model(&NETWORK.container).unwrap();
    let trees = with_trees.then(|| chain.add_model(&TREES).unwrap());
    let contract = chain.deploy(clinic, &WASM, &(model, policy, trees)).unwrap().value;
    World { chain, clinic, model, trees, contract }
}

impl World {
    fn decide(&mut self, patient: u64, row: &[i32]) -> Result<Done<Class>, Failure> {
        self.chain.at(self.contract).from(self.clinic).call("decide", &(patient, row))
    }

    fn decision(&mut self, patient: u64) -> Option<Decision> {
        self.chain.at(self.contract).view("decision", &(patient,)).unwrap().value
    }

    fn summary(&mut self) -> Summary {
        self.chain.at(self.contract).view("summary", &()).unwrap().value
    }
}

#[test]
fn the_held_out_patients_are_screened() {
    let mut world = world(None);
    let mut right = 0;
    let mut malignant = 0;
    for (patient, (row, label)) in (0..).zip(NETWORK.rows.iter().zip(&NETWORK.labels)) {
        let done = world.decide(patient, row).unwrap();
        let decision = world.decision(patient).unwrap();
        assert_eq!((decision.class, decision.model, decision.height), (done.value, world.model, world.chain.height()));
        assert_eq!(done.events::<Decided>(), [decided(patient, &decision)]);
        assert_eq!((decision.trees, decision.tree_malignancy), (None, None));
        assert_eq!(done.value == Class::Malignant, decision.malignancy * 2 > CERTAIN, "patient {patient}");
        assert!(done.receipt.gas.tensor > 0 && done.receipt.gas.state > 0 && done.receipt.gas.wasm > 0);
        right += u32::from(usize::from(done.value == Class::Malignant) == *label);
        malignant += u64::from(done.value == Class::Malignant);
        world.chain.next_block(1000);
    }
    // The float original decides 111 of 114 rightly; eight bits may differ at the boundary.
    assert_eq!(NETWORK.rows.len(), 114);
    assert!(right >= 109, "{right} of 114 right");
    let summary = world.summary();
    assert_eq!((summary.malignant, summary.benign), (malignant, 114 - malignant));
}

fn decided(patient: u64, decision: &Decision) -> Decided {
    let Decision { class, malignancy, tree_malignancy, .. } = *decision;
    Decided { patient, class, malignancy, tree_malignancy }
}

#[test]
fn only_who_both_models_call_benign_is_cleared() {
    let mut alone = world(None);
    let mut world = start(None, true);
    let [mut missed_alone, mut missed, mut disagreements] = [0; 3];
    let (mut referred, classes) = (0, lightgbm_classes());
    assert_eq!(classes.len(), NETWORK.rows.len());
    for (patient, (row, label)) in (0..).zip(NETWORK.rows.iter().zip(&NETWORK.labels)) {
        let network = alone.decide(patient, row).unwrap().value;
        let trees = classes[usize::try_from(patient).unwrap()];
        let done = world.decide(patient, row).unwrap();
        let expected =
            if (network, trees) == (Class::Benign, Class::Benign) { Class::Benign } else { Class::Malignant };
        assert_eq!(done.value, expected, "patient {patient}: network {network:?}, LightGBM {trees:?}");
        let decision = world.decision(patient).unwrap();
        assert_eq!(done.events::<Decided>(), [decided(patient, &decision)]);
        assert_eq!((decision.model, decision.trees), (world.model, world.trees));
        assert_eq!(decision.malignancy, alone.decision(patient).unwrap().malignancy);
        let of_trees = decision.tree_malignancy.unwrap();
        assert_eq!(trees == Class::Malignant, of_trees * 2 > CERTAIN, "patient {patient}: {of_trees}");
        missed_alone += u32::from(*label == 1 && network == Class::Benign);
        missed += u32::from(*label == 1 && done.value == Class::Benign);
        disagreements += u32::from(network != trees);
        referred += u64::from(done.value == Class::Malignant);
    }
    println!("missed by the network alone {missed_alone}, by both {missed}; they disagree in {disagreements}");
    assert!(disagreements > 0 && missed <= missed_alone);
    let summary = world.summary();
    assert_eq!((summary.malignant, summary.benign, summary.trees), (referred, 114 - referred, world.trees));
}

#[test]
fn trees_come_and_go() {
    let mut world = start(None, true);
    let (contract, clinic) = (world.contract, world.clinic);
    world.decide(0, &NETWORK.rows[0]).unwrap();
    let done: Done<()> = world.chain.at(contract).from(clinic).call("set_trees", &(None::<Hash>,)).unwrap();
    assert_eq!(done.events::<TreesChanged>(), [TreesChanged { trees: None }]);
    world.decide(1, &NETWORK.rows[0]).unwrap();
    let decisions = [0, 1].map(|patient| world.decision(patient).unwrap());
    assert!(decisions[0].tree_malignancy.is_some() && decisions[1].tree_malignancy.is_none());
    assert_eq!(decisions[0].malignancy, decisions[1].malignancy);
    let missing = world.chain.at(contract).from(clinic).call::<(), _>("set_trees", &(Some(Hash([7; 32])),));
    assert!(matches!(missing, Err(Failure::Abort { message, .. }) if message == "NotFound"));
    let stranger = world.chain.account("stranger", 0);
    let refused = world.chain.at(contract).from(stranger).call::<(), _>("set_trees", &(world.trees,));
    assert!(matches!(refused, Err(Failure::Abort { code: NOT_THE_CLINIC, .. })));
    assert_eq!(world.summary().trees, None);
}

#[test]
fn every_kernel_level_gives_the_same_receipts() {
    let receipts = |level: noema_tensor::Level| {
        let mut chain = TestChain::with_level(level);
        let clinic = chain.account("clinic", 0);
        let model = chain.add_model(&NETWORK.container).unwrap();
        let trees = chain.add_model(&TREES).unwrap();
        let deployed = chain.deploy(clinic, &WASM, &(model, None::<Policy>, Some(trees))).unwrap();
        let mut hashes = vec![deployed.receipt.hash()];
        for (patient, row) in (0u64..).zip(&NETWORK.rows[..10]) {
            let done: Done<Class> = chain.at(deployed.value).from(clinic).call("decide", &(patient, row)).unwrap();
            hashes.push(done.receipt.hash());
        }
        hashes
    };
    let reference = receipts(noema_tensor::Level::Reference);
    for level in noema_tensor::Level::available() {
        assert_eq!(receipts(level), reference, "{level}");
    }
}

#[test]
fn mistakes_are_refused_with_a_reason() {
    let mut world = world(None);
    let (contract, clinic, model) = (world.contract, world.clinic, world.model);
    let row = NETWORK.rows[0].clone();
    world.decide(1, &row).unwrap();
    let refusal = |failure: Failure| match failure {
        Failure::Abort { code, message, receipt, .. } => {
            assert!(receipt.gas_used() < receipt.gas_limit);
            (code, message)
        }
        other => panic!("{other}"),
    };
    assert_eq!(refusal(world.decide(1, &row).unwrap_err()), (DECIDED, "patient 1 has a decision".into()));
    assert_eq!(refusal(world.decide(2, &row[1..]).unwrap_err()).0, WRONG_LENGTH);
    assert_eq!(refusal(world.decide(2, &[]).unwrap_err()).0, WRONG_LENGTH);
    let stranger = world.chain.account("stranger", 0);
    let mut from = |sender: Address, method: &str, args: &(u64, &[i32])| {
        refusal(world.chain.at(contract).from(sender).call::<Class, _>(method, args).unwrap_err())
    };
    assert_eq!(from(stranger, "decide", &(2, &row)), (NOT_THE_CLINIC, format!("only {clinic} may do this")));
    let set = world.chain.at(contract).from(stranger).call::<(), _>("set_model", &(model,));
    assert_eq!(refusal(set.unwrap_err()).0, NOT_THE_CLINIC);
    let missing = world.chain.at(contract).from(clinic).call::<(), _>("set_model", &(Hash([7; 32]),));
    assert_eq!(refusal(missing.unwrap_err()).1, "NotFound");
    let missing = world.chain.deploy(clinic, &WASM, &(Hash([7; 32]), None::<Policy>, None::<Hash>));
    assert_eq!(refusal(missing.unwrap_err()).1, "NotFound");
    let missing = world.chain.deploy(clinic, &WASM, &(model, None::<Policy>, Some(Hash([7; 32]))));
    assert_eq!(refusal(missing.unwrap_err()).1, "NotFound");
    for examine_from in [-1, CERTAIN + 1] {
        let refused = world.chain.deploy(clinic, &WASM, &(model, Some(Policy { examine_from }), None::<Hash>));
        assert_eq!(refusal(refused.unwrap_err()).0, BAD_POLICY);
    }
    assert_eq!(world.decision(2), None);
    assert_eq!(world.summary().benign + world.summary().malignant, 1);
}

#[test]
fn too_little_gas_for_the_model_is_an_abort() {
    let mut world = world(None);
    let (contract, clinic) = (world.contract, world.clinic);
    let needed = world.decide(0, &NETWORK.rows[0]).unwrap().receipt.gas_used();
    // Somewhere below what it needs, the contract sees that the model will not fit.
    let mut seen = 0;
    for gas in (1..2000).map(|part| needed / 2000 * part) {
        let failure = world
            .chain
            .at(contract)
            .from(clinic)
            .gas(gas)
            .call::<Class, _>("decide", &(1u64, &NETWORK.rows[0]))
            .unwrap_err();
        match failure {
            Failure::Abort { code: TOO_LITTLE_GAS, .. } => seen += 1,
            Failure::Fault { .. } => {}
            other => panic!("{other}"),
        }
    }
    assert!(seen > 0);
    assert_eq!(world.decision(1), None);
}

#[test]
fn a_policy_examines_more_patients() {
    let count = |policy: Option<Policy>| {
        let mut world = world(policy);
        for (patient, row) in (0..).zip(&NETWORK.rows[..40]) {
            world.decide(patient, row).unwrap();
        }
        world.summary().malignant
    };
    let likelier = count(None);
    assert!(likelier > 0 && likelier < 40);
    assert_eq!(count(Some(Policy { examine_from: 0 })), 40);
    assert!(count(Some(Policy { examine_from: CERTAIN / 100 })) >= likelier);
}

#[test]
fn another_model_decides_from_then_on() {
    let mut world = world(None);
    let (contract, clinic, first) = (world.contract, world.clinic, world.model);
    world.decide(0, &NETWORK.rows[0]).unwrap();
    // The same weights under another name are another model.
    let second = world.chain.add_model(&network("renamed").container).unwrap();
    assert_ne!(first, second);
    let done: Done<()> = world.chain.at(contract).from(clinic).call("set_model", &(second,)).unwrap();
    assert_eq!(done.events::<ModelChanged>(), [ModelChanged { model: second }]);
    world.decide(1, &NETWORK.rows[0]).unwrap();
    let decisions = [0, 1].map(|patient| world.decision(patient).unwrap());
    assert_eq!((decisions[0].model, decisions[1].model), (first, second));
    assert_eq!(decisions[0].malignancy, decisions[1].malignancy);
}

#[test]
fn json_arguments_decide_as_well() {
    let mut world = world(None);
    let schema = Schema::from_wasm(&WASM).unwrap();
    let signatures: Vec<_> = schema.methods.iter().map(ToString::to_string).collect();
    assert_eq!(
        signatures,
        [
            "new(model: Hash, policy: Option<Policy>, trees: Option<Hash>)",
            "decide(patient: u64, row: Vec<i32>) -> Class",
            "set_model(model: Hash)",
            "set_trees(trees: Option<Hash>)",
            "decision(patient: u64) -> Option<Decision>",
            "summary() -> Summary",
        ]
    );
    let init = schema.encode_args("new", &json!({"model": world.model.to_string()})).unwrap();
    assert_eq!(init, [&world.model.0[..], &[0, 0]].concat());
    let input = schema.encode_args("decide", &json!({"patient": 5, "row": NETWORK.rows[0]})).unwrap();
    let done = world.chain.at(world.contract).from(world.clinic).call_raw(input).unwrap();
    let class = schema.decode_result("decide", &done.value).unwrap();
    assert!(class == "Benign" || class == "Malignant", "{class}");
    let event = &done.receipt.events[0];
    let event = schema.decode_event(&event.topic, &event.data).unwrap().unwrap();
    assert_eq!(
        event,
        json!({
            "patient": 5,
            "class": class,
            "malignancy": world.decision(5).unwrap().malignancy,
            "tree_malignancy": null,
        })
    );
}
