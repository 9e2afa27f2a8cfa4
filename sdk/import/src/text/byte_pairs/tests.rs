//! The `tokenizers` library is the oracle: the same tokens for text in many scripts and for any bytes.

use std::sync::LazyLock;

use noema_model::Model;
use noema_tensor::{Kernels, Level};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::{
    AddedToken, Tokenizer, TokenizerBuilder, TruncationParams,
    models::bpe::{BPE, BpeTrainerBuilder},
    pre_tokenizers::byte_level::ByteLevel,
};

use super::{
    super::{
        TokenizerOptions, import_tokenizer, read_tokenizer,
        tests::{Numbers, same, text},
    },
    PATTERNS,
};

/// The token behind the end, of every tokenizer here.
const PADDING: i32 = 1;

/// Merges learnt from texts in many scripts, and words of languages that are written with few letters.
fn learnt() -> Value {
    static LEARNT: LazyLock<Value> = LazyLock::new(learn);
    LEARNT.clone()
}

fn learn() -> Value {
    let mut numbers = Numbers(17);
    let mut texts: Vec<String> = (0..3000).map(|_| text(&mut numbers, 40)).collect();
    let words = [
        "the",
        " there",
        " over",
        "don't",
        "Überraschung",
        "naïve",
        " слово",
        "языки",
        "日本語",
        "中文字",
        "한국어",
        "ไทย",
        "हिन्दी",
        " 123",
        "2026",
        "...",
        "\n\n",
        "    ",
    ];
    texts.extend((0..2000).map(|_| (0..12).map(|_| words[numbers.below(words.len())]).collect::<String>()));
    let special: Vec<AddedToken> = ["<s>", "<pad>", "</s>"].map(|token| AddedToken::from(token, true)).to_vec();
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(3000)
        .show_progress(false)
        .special_tokens(special)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut tokenizer = TokenizerBuilder::<_, tokenizers::NormalizerWrapper, _, ByteLevel, ByteLevel>::default()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
        .with_post_processor(None)
        .with_decoder(None)
        .build()
        .unwrap();
    tokenizer.train(&mut trainer, texts.iter().map(String::as_str)).unwrap();
    serde_json::from_str(&tokenizer.to_string(false).unwrap()).unwrap()
}

/// The file with these words and what stands around them.
fn file(learnt: &Value, words: Value, around: Value, whole: bool) -> Vec<u8> {
    let mut file = learnt.clone();
    file["pre_tokenizer"] = words;
    file["post_processor"] = around;
    file["model"]["ignore_merges"] = whole.into();
    file.to_string().into_bytes()
}

fn byte_level(prefix: bool, regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": regex})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        byte_level(false, false),
    ]})
}

fn template(single: &str) -> Value {
    let mut parts = vec![];
    for part in single.split(' ') {
        parts.push(match part {
            "$A" => json!({"Sequence": {"id": "A", "type_id": 0}}),
            token => json!({"SpecialToken": {"id": token, "type_id": 0}}),
        });
    }
    let token = |token: &str, id: u32| json!({"id": token, "ids": [id], "tokens": [token]});
    json!({
        "type": "TemplateProcessing", "single": parts, "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": token("<s>", 0), "</s>": token("</s>", 2)},
    })
}

fn roberta() -> Value {
    json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": false})
}

/// Ways to cut words and to put tokens around them.
fn kinds() -> Vec<(Value, Value, bool)> {
    vec![
        (byte_level(false, true), roberta(), false),
        (byte_level(true, true), byte_level(false, true), false),
        (split(PATTERNS[1].0), template("$A </s>"), true),
        (split(PATTERNS[2].0), template("<s> $A"), true),
        (split(PATTERNS[3].0), Value::Null, false),
        (split(PATTERNS[4].0), template("<s> $A </s>"), false),
    ]
}

/// A container and the library, both with room for so many tokens.
fn both(json: &[u8], tokens: u32) -> (Model, Tokenizer) {
    let options = TokenizerOptions { tokens, ..TokenizerOptions::new("pairs", "CC0-1.0") };
    let model = Model::from_bytes(import_tokenizer(json, &options).unwrap().container).unwrap();
    let mut oracle = read_tokenizer(json).unwrap();
    let max_length = usize::try_from(tokens).unwrap();
    oracle.with_truncation(Some(TruncationParams { max_length, ..TruncationParams::default() })).unwrap();
    (model, oracle)
}

const TEXTS: [&str; 30] = [
    "",
    " ",
    "  ",
    "\n",
    "a",
    " a",
    "  a",
    "a  ",
    "a \n b",
    "\r\n\r\n  x",
    "don't DON'T don'ſ I'LL we'Re 'sx ''s",
    "x'tall 'l 'v 're've",
    "12345678 1 22 333 ٣٤٥ Ⅷ½²",
    "a1b2,c3!?...\n\n\n",
    "!!\n",
    " !a",
    "\u{3000}\u{a0}b\u{85}c\u{2028}d",
    "\t\tindented\n\tcode();  // x",
    "Überraschung naïve слово 日本語 ไทย हिन्दी",
    "e\u{301}\u{327}",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\u{0}\u{1}\u{7f}",
    "\u{feff}x",
    "<s> </s> <pad>",
    "'",
    "''",
    "'S",
    "a'\n",
    "   \n   \n  x",
    "................................................................................",
];

#[test]
fn the_library_gives_the_same_tokens() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let learnt = learnt();
    assert!(learnt["model"]["merges"].as_array().unwrap().len() > 2000);
    for (index, (words, around, whole)) in kinds().into_iter().enumerate() {
        let (model, oracle) = both(&file(&learnt, words, around, whole), 90);
        let mut numbers = Numbers(5);
        for _ in 0..800 {
            let most = if numbers.below(8) == 0 { 300 } else { 60 };
            let length = numbers.below(most);
            same(&model, &kernels, &oracle, &text(&mut numbers, length), PADDING);
        }
        // Any bytes, as far as they are text.
        for _ in 0..400 {
            let length = numbers.below(80);
            let bytes: Vec<u8> = (0..length).map(|_| numbers.below(256).to_le_bytes()[0]).collect();
            same(&model, &kernels, &oracle, &String::from_utf8_lossy(&bytes), PADDING);
        }
        // Every character once with the first of both patterns, between others.
        let sampled = |point: &u32| matches!(index, 0 | 3) && *point < 0x3_0000 || point.is_multiple_of(37);
        let characters: Vec<char> = (0..=0x10_ffff_u32).filter(sampled).filter_map(char::from_u32).collect();
        for some in characters.chunks(8) {
            let words = some.iter().map(|character| format!("a{character}1{character} {character}'"));
            same(&model, &kernels, &oracle, &words.collect::<String>(), PADDING);
        }
        for text in TEXTS {
            same(&model, &kernels, &oracle, text, PADDING);
        }
    }
}

#[test]
fn fuzzed_texts_give_the_same_tokens() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let learnt = learnt();
    let all: Vec<_> =
        kinds().into_iter().map(|(words, around, whole)| both(&file(&learnt, words, around, whole), 40)).collect();
    proptest!(ProptestConfig::with_cases(300), |(
        text in prop_oneof!["\\PC{0,60}", ".{0,60}", "[ \\n\\ra-c'sStTlLvVeEſ0-9!.]{0,60}", "[\\s\\p{L}\\p{N}\\p{P}]{0,40}"]
    )| {
        for (model, oracle) in &all {
            same(model, &kernels, oracle, &text, PADDING);
        }
    });
}

/// Long words, for which looking at every pair again and again would take forever.
#[test]
fn a_text_without_words_is_one_long_word() {
    let learnt = learnt();
    let (words, around, whole) = kinds().swap_remove(0);
    let json = file(&learnt, words, around, whole);
    let options = TokenizerOptions { tokens: 65_000, bytes: 60_000, ..TokenizerOptions::new("pairs", "CC0-1.0") };
    let model = Model::from_bytes(import_tokenizer(&json, &options).unwrap().container).unwrap();
    let oracle = read_tokenizer(&json).unwrap();
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let mut numbers = Numbers(3);
    let letters = ["e", "th", "er", "a", "日", "слово", "o"];
    for text in ["t".repeat(60_000), (0..16_000).map(|_| letters[numbers.below(letters.len())]).collect()] {
        same(&model, &kernels, &oracle, &text, PADDING);
    }
}

#[test]
fn what_cannot_be_imported_is_named() {
    let learnt = learnt();
    let good: Value = serde_json::from_slice(&file(&learnt, byte_level(false, true), roberta(), false)).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut json = good.clone();
        change(&mut json);
        let options = TokenizerOptions::new("pairs", "CC0-1.0");
        import_tokenizer(json.to_string().as_bytes(), &options).unwrap_err().to_string()
    };
    let with = |key: &'static str, value: Value| refused(&move |json| json[key] = value.clone());
    let in_model = |key: &'static str, value: Value| refused(&move |json| json["model"][key] = value.clone());
    assert!(with("normalizer", json!({"type": "NFC"})).contains("normalizer"));
    for words in [
        Value::Null,
        byte_level(false, false),
        json!({"type": "Whitespace"}),
        split("\\w+"),
        json!({"type": "Sequence", "pretokenizers": [byte_level(false, true)]}),
    ] {
        assert!(with("pre_tokenizer", words).contains("pre_tokenizer"));
    }
    assert!(in_model("dropout", json!(0.5)).contains("dropout"));
    assert!(in_model("unk_token", json!("<s>")).contains("unk_token"));
    assert!(in_model("byte_fallback", json!(true)).contains("byte_fallback"));
    assert!(in_model("end_of_word_suffix", json!("</w>")).contains("tokenizer.json"));
    assert!(in_model("merges", json!([["t", "nothing"]])).contains("tokenizer.json"));
    assert!(in_model("merges", json!("t h")).contains("tokenizer.json"));
    let fewer = refused(&|json| {
        json["model"]["merges"] = json!([]);
        json["model"]["vocab"].as_object_mut().unwrap().remove("a");
    });
    assert!(fewer.contains("byte"), "{fewer}");
    let two = json!({"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}});
    assert!(with("post_processor", two).contains("post_processor"));
}
