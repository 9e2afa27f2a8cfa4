//! The demo as a newcomer runs it, and as it must fail.

mod program;

use std::path::Path;

use borsh::BorshDeserialize;
use noema_chain::{Block, TransactionReceipt};
use noema_cli::demo;
use noema_cli::{CliError, Output};
use noema_state::{Batch, Column, DEFAULT_CACHE_BYTES, RedbStore, StateStore};
use noema_tensor::Level;
use program::{Workplace, assert_error, demo_options, number, repository, text};

/// Changes a stored row of a closed chain, as no honest program does.
fn alter<T: BorshDeserialize + borsh::BorshSerialize>(chain: &Path, row: &[u8], change: impl FnOnce(&mut T)) {
    let store = RedbStore::open(&chain.join("state.redb"), DEFAULT_CACHE_BYTES).expect("the chain is closed");
    let bytes = store.get(Column::Chain, row).expect("readable").expect("the row is there");
    let mut value = T::try_from_slice(&bytes).expect("the row reads");
    change(&mut value);
    let mut batch = Batch::new();
    batch.put(Column::Chain, row.to_vec(), borsh::to_vec(&value).expect("it encodes"));
    store.commit(batch).expect("written");
}

fn receipt_row(height: u64, index: u32) -> Vec<u8> {
    [&b"r"[..], &height.to_be_bytes(), &index.to_be_bytes()].concat()
}

#[test]
fn the_demo_ends_well_and_its_chain_can_be_used() {
    let workplace = Workplace::new();
    let run = workplace.run(&["demo", "--dir", "screening"]);
    println!("{}", run.stdout);
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_eq!(run.stdout.trim_end().lines().last(), Some("demo: ok"));
    let root = run.stdout.lines().find_map(|line| line.trim().strip_prefix("state root ")).expect("a state root");

    // Every level of this machine with one and with two threads, each on all 114 decisions.
    for level in Level::available() {
        for threads in ["1", "2"] {
            let lines = run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let line = lines.filter(|words| words.starts_with(&[level.name(), threads])).collect::<Vec<_>>();
            assert_eq!(line.len(), 1, "one line for {level} with {threads} threads");
            assert_eq!(line[0].last(), Some(&"identical"));
            assert!(root.starts_with(line[0][4].trim_end_matches('.')), "{line:?}");
        }
    }
    for words in [
        "network, float original",
        "network, model on the chain",
        "trees, float original",
        "trees, model on the chain",
        "benign where both say so",
        "malignant missed",
        "gas per decision",
        "wasm",
        "state",
        "tensor and model",
    ] {
        assert!(run.stdout.contains(words), "{words}");
    }

    // The trees on the chain are right as often as LightGBM itself, which wrote its classes down.
    let examples = repository().join("examples/screening");
    let column = |file: &str, at: usize| -> Vec<String> {
        let text = std::fs::read_to_string(examples.join(file)).expect("it is committed");
        text.lines().skip(1).map(|line| line.split(',').nth(at).expect("a column").to_owned()).collect()
    };
    let (library, truth) = (column("trees/expected.csv", 2), column("model/heldout.csv", 30));
    let right = library.iter().zip(&truth).filter(|(said, label)| said == label).count().to_string();
    let line = run.stdout.lines().find(|line| line.contains("trees, model on the chain")).expect("a line");
    assert!(line.split_whitespace().any(|word| word == right) && line.contains("114"), "{line}, LightGBM {right}");

    // The chain is an ordinary one: single commands work on it.
    let chain = ["--chain", "screening"];
    let json = |exit, arguments: &[&str]| workplace.json(exit, &[arguments, &chain].concat());
    let block = json(0, &["block"]);
    assert_eq!(text(&block, "/state_root"), root);
    let last = block["transactions"].as_array().expect("a list").last().expect("a transaction").clone();
    let receipt = json(0, &["receipt", text(&last, "/transaction")]);
    assert_eq!(number(&receipt, "/events/0/value/patient"), 113, "{receipt:#}");
    let contract = text(&receipt, "/events/0/contract");
    let decision = json(0, &["view", contract, "decision", "[113]"]);
    assert_eq!(decision["result"]["class"], receipt["result"]);
    assert_eq!(json(0, &["view", contract, "decision", "[114]"])["result"], serde_json::Value::Null);

    // A node without the model's bytes stops instead of disagreeing, and goes on when it has them again.
    let clinic = workplace.path("clinic.json");
    noema_cli::keys::write(&clinic, &demo::CLINIC).expect("a key file");
    let models = workplace.path("screening/models");
    let entries = std::fs::read_dir(&models).expect("it is there").map(|entry| entry.expect("readable").path());
    let network = format!("{}.model", text(&json(0, &["view", contract, "summary"])["result"], "/model"));
    let model = entries.filter(|path| path.ends_with(&network)).last().expect("the model's file");
    std::fs::rename(&model, workplace.path("elsewhere")).expect("moved");
    let row = format!("[114, {:?}]", [0; 30]);
    let decide = ["call", contract, "decide", &row, "--key", "clinic.json", "--time-ms", "1767225700000"];
    let error = json(2, &decide);
    assert_error(&error, "models", &["does not have the bytes of model", "noema model add"]);
    assert_eq!(text(&json(0, &["block"]), "/state_root"), root, "nothing was committed");
    let restored = json(0, &["model", "add", "elsewhere", "--key", "clinic.json"]);
    assert_eq!(restored["restored"], true);
    assert_eq!(text(&json(0, &["block"]), "/state_root"), root, "nothing was sent");

    // It is never overwritten.
    let again = workplace.json(2, &["demo", "--dir", "screening"]);
    assert_error(&again, "chain-exists", &["has a chain already"]);
    assert_eq!(text(&json(0, &["block"]), "/state_root"), root);

    // A receipt that was altered on the disk is found, by block, transaction and field.
    let height = number(&block, "/height") - 3;
    alter(&workplace.path("screening"), &receipt_row(height, 4), |receipt: &mut TransactionReceipt| {
        receipt.receipt.gas.wasm += 1;
    });
    let error = json(1, &["replay", "--levels", "portable", "--threads", "1"]);
    let place = format!("block {height}, transaction 4, gas of wasm");
    assert_error(&error, "replay-differs", &[&place, "portable", "1 threads"]);
    let difference = &error["error"]["details"]["results"][0]["difference"];
    assert_eq!((number(difference, "/block"), number(difference, "/transaction")), (height, 4));
    assert_eq!(text(difference, "/field"), "gas of wasm");
    let people = workplace.run(&["replay", "--chain", "screening", "--levels", "portable", "--threads", "1"]);
    assert_eq!(people.exit, Some(1));
    assert!(people.stderr.starts_with("error: ") && people.stderr.contains(&place), "{people:?}");
}

#[test]
fn a_difference_ends_the_demo_with_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let fails = |name: &str, tamper: &mut dyn FnMut(&Path)| -> CliError {
        demo::run(Output::new(true), &demo_options(Some(directory.path().join(name))), tamper)
            .expect_err("the chain was altered")
    };

    // An event of decision 57: block 14 is the sixth of ten decisions.
    let error = fails("event", &mut |chain| {
        alter(chain, &receipt_row(14, 6), |receipt: &mut TransactionReceipt| receipt.receipt.events[0].data[0] ^= 1);
    });
    assert_eq!(error.exit(), 1);
    assert!(error.to_string().contains("block 14, transaction 6, data of event 0"), "{error}");

    // The state root of a block.
    let row = |height: u64| [&b"b"[..], &height.to_be_bytes()].concat();
    let error = fails("root", &mut |chain| {
        alter(chain, &row(12), |block: &mut Block| block.header.state_root[31] ^= 1);
    });
    assert_eq!(error.exit(), 1);
    assert!(error.to_string().contains("block 12, state root"), "{error}");

    // A transaction: its signature no longer holds.
    let error = fails("transaction", &mut |chain| {
        alter(chain, &row(10), |block: &mut Block| block.transactions[3].transaction.gas_limit -= 1);
    });
    assert_eq!(error.exit(), 1);
    assert!(error.to_string().contains("block 10, transaction 3"), "{error}");
    assert!(error.to_string().contains("signature"), "{error}");
}

#[test]
fn a_demo_without_its_examples_says_so() {
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("empty")).unwrap();
    let error = workplace.json(2, &["demo", "--examples", "empty"]);
    assert_error(&error, "file", &["screening/Cargo.toml", "--examples DIR"]);
}
