//! The compiled contract with a small encoder of random weights, on the VM.

use std::sync::LazyLock;

use noema_import::{EncoderOptions, TokenizerOptions, import_encoder, import_tokenizer};
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};
use noema_testing::{Address, Failure, TestChain, build};
use semantic_search::{EMPTY, Found, ONE, Sentence, TOO_LITTLE_GAS};

#[path = "../../../sdk/import/src/encoder/tiny.rs"]
#[allow(dead_code, unreachable_pub, reason = "the importer's own tests use all of it")]
mod tiny;

static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| build(".").expect("the contract builds"));

/// Tokenizer and encoder as containers.
static MODELS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), 21, "pooling_mode_mean_tokens");
    let json = std::fs::read(folder.path().join("tokenizer.json")).unwrap();
    let options = TokenizerOptions { tokens: 12, bytes: 200, ..TokenizerOptions::new("words", "CC0-1.0") };
    let tokenizer = import_tokenizer(&json, &options).unwrap().container;
    let calibration = tiny::sentences(40, 3);
    let options = EncoderOptions { calibration, max_error: 0.01, ..EncoderOptions::new("tiny", "CC0-1.0") };
    [tokenizer, import_encoder(folder.path(), &options).unwrap().container]
});

fn world() -> (TestChain, Address, Address) {
    let mut chain = TestChain::new();
    let alice = chain.account("alice", 0);
    let [tokenizer, encoder] = [0, 1].map(|model| chain.add_model(&MODELS[model]).unwrap());
    let contract = chain.deploy(alice, &WASM, &(tokenizer, encoder)).unwrap().value;
    (chain, alice, contract)
}

/// What the models give beside the chain, at the reference level.
fn embedding(text: &str) -> Vec<i16> {
    let kernels = Kernels::new(Level::Reference, 1).unwrap();
    let [tokenizer, encoder] = [0, 1].map(|model: usize| Model::from_bytes(MODELS[model].clone()).unwrap());
    let count = u32::try_from(text.len()).unwrap();
    let bytes = Tensor::from_vec(Shape::new(&[1, count]).unwrap(), text.as_bytes().to_vec()).unwrap();
    let length = Tensor::from_vec(Shape::new(&[1]).unwrap(), vec![i32::try_from(count).unwrap()]).unwrap();
    let pieces = tokenizer.run(&kernels, &[&bytes, &length]).unwrap();
    // Padded to the end: the contract cuts it off.
    encoder.run(&kernels, &[&pieces[0], &pieces[1]]).unwrap()[0].to_vec().unwrap()
}

fn cosine(a: &[i16], b: &[i16]) -> i64 {
    a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

#[test]
fn sentences_are_found_by_their_meaning() {
    let (mut chain, alice, contract) = world();
    let none: Vec<Found> = chain.at(contract).view("rank", &("rain", 3u32)).unwrap().value;
    assert!(none.is_empty());

    let mut texts = tiny::sentences(12, 77);
    texts.push("The contract pays its owner, when rain falls.".to_owned());
    texts.push("Zürich 北京 \u{1f327}".to_owned());
    for (number, text) in (0u64..).zip(&texts) {
        let done = chain.at(contract).from(alice).call::<u64, _>("add", &(text,)).unwrap();
        assert_eq!(done.value, number);
        assert!(done.receipt.gas.tensor > 0);
        let kept: Option<Sentence> = chain.at(contract).view("sentence", &(number,)).unwrap().value;
        assert_eq!(kept, Some(Sentence { text: text.clone(), embedding: embedding(text) }));
    }

    for question in ["the contract PAYS its owner when rain falls", "every node agree .", &texts[3]] {
        let asked = embedding(question);
        let mut expected: Vec<Found> = (0..)
            .zip(&texts)
            .map(|(number, text)| Found { number, text: text.clone(), cosine: cosine(&embedding(text), &asked) })
            .collect();
        expected.sort_by(|a, b| b.cosine.cmp(&a.cosine).then(a.number.cmp(&b.number)));
        let all: Vec<Found> = chain.at(contract).view("rank", &(question, 100u32)).unwrap().value;
        assert_eq!(all, expected);
        let few: Vec<Found> = chain.at(contract).view("rank", &(question, 2u32)).unwrap().value;
        assert_eq!(few, expected[..2]);
    }
    // A sentence is nearest to itself.
    let found: Vec<Found> = chain.at(contract).view("rank", &(&texts[3], 1u32)).unwrap().value;
    assert!(found[0].text == texts[3] && (found[0].cosine - ONE).abs() < ONE / 1000, "{found:?}");
}

#[test]
fn what_a_longer_text_costs_and_what_is_refused() {
    let (mut chain, alice, contract) = world();
    let mut gas = |text: &str| {
        let done = chain.at(contract).from(alice).call::<u64, _>("add", &(text,)).unwrap();
        done.receipt.gas.tensor
    };
    let (short, long) = (gas("rain"), gas("rain falls on a field and every node agree"));
    assert!(short < long && long < 12 * short, "{short} and {long}");
    let refused = |failure: Failure| failure.code();
    let empty = chain.at(contract).from(alice).call::<u64, _>("add", &("",)).unwrap_err();
    assert_eq!(refused(empty), Some(EMPTY));
    let poor = chain.at(contract).from(alice).gas(short / 2).call::<u64, _>("add", &("rain",));
    let poor = poor.unwrap_err();
    assert!(matches!(poor.code(), Some(TOO_LITTLE_GAS) | None), "{poor}");
    // Longer than the tokenizer takes: a status, nothing is kept.
    let long = "rain ".repeat(100);
    assert!(chain.at(contract).from(alice).call::<u64, _>("add", &(long,)).is_err());
    let kept: Option<Sentence> = chain.at(contract).view("sentence", &(2u64,)).unwrap().value;
    assert_eq!(kept, None);
}
