//! The `tokenizers` library is the oracle: the same tokens for text in many scripts and for any bytes.

use std::collections::BTreeMap;

use noema_model::Model;
use noema_tensor::{Kernels, Level, OpError, Shape, Status, Tensor};
use tokenizers::{Tokenizer, TruncationParams};

use super::{TokenizerOptions, import_tokenizer, read_tokenizer};

pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Where texts take their characters from: letters, marks, Hangul, ideographs, signs, spaces, controls, anything.
const BLOCKS: &[(u32, u32)] = &[
    (0x20, 0x7f),
    (0x20, 0x7f),
    (0x20, 0x7f),
    (0x00, 0x20),
    (0xa0, 0x250),
    (0x300, 0x370),
    (0x370, 0x400),
    (0x400, 0x530),
    (0x590, 0x600),
    (0x600, 0x700),
    (0x900, 0x980),
    (0x980, 0xa00),
    (0xb80, 0xc00),
    (0xe00, 0xe80),
    (0xf00, 0x1000),
    (0x1100, 0x1200),
    (0x1b00, 0x1b80),
    (0x1e00, 0x2000),
    (0x2000, 0x2070),
    (0x2070, 0x2c00),
    (0x3000, 0x3100),
    (0x3400, 0x3500),
    (0x4e00, 0x5000),
    (0xac00, 0xd7a4),
    (0xf900, 0xfb00),
    (0xfb00, 0xfe00),
    (0xff00, 0x1_0000),
    (0x1_d100, 0x1_d200),
    (0x1_f300, 0x1_f700),
    (0x2_f800, 0x2_fa20),
    (0, 0x11_0000),
];

pub(super) fn text(numbers: &mut Numbers, characters: usize) -> String {
    let mut block = BLOCKS[0];
    (0..characters)
        .filter_map(|_| {
            if numbers.below(4) == 0 {
                block = BLOCKS[numbers.below(BLOCKS.len())];
            }
            let span = usize::try_from(block.1 - block.0).unwrap();
            char::from_u32(block.0 + u32::try_from(numbers.below(span)).unwrap())
        })
        .collect()
}

/// A tokenizer of pieces that texts of these scripts have, with the switches of the normaliser.
fn tokenizer(lowercase: bool, strip_accents: Option<bool>, clean: bool, chinese: bool) -> Vec<u8> {
    let mut numbers = Numbers(11);
    let mut pieces: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned).to_vec();
    // What words of these scripts consist of, once the library has normalised them; single characters, and some of two
    // and three in a row.
    let bert = tokenizers::normalizers::BertNormalizer::new(clean, chinese, strip_accents, lowercase);
    for _ in 0..3000 {
        let length = 1 + numbers.below(4);
        let word = text(&mut numbers, length);
        let mut normalised = tokenizers::NormalizedString::from(word);
        tokenizers::Normalizer::normalize(&bert, &mut normalised).unwrap();
        for piece in normalised.get().split_whitespace() {
            pieces.push(piece.to_owned());
            pieces.push(format!("##{piece}"));
        }
    }
    for letter in 'a'..='z' {
        pieces.extend([letter.to_string(), format!("##{letter}"), format!("{letter}e"), format!("##{letter}e")]);
    }
    let mut vocab = BTreeMap::new();
    for piece in pieces {
        let next = vocab.len();
        vocab.entry(piece).or_insert(next);
    }
    let special = |token: &str| serde_json::json!({"id": token, "ids": [vocab[token]], "tokens": [token]});
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": vocab["[CLS]"], "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "normalizer": {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip_accents, "lowercase": lowercase},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")}
        },
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 12, "vocab": vocab}
    });
    json.to_string().into_bytes()
}

pub(super) fn run(model: &Model, kernels: &Kernels, text: &[u8], count: i32) -> Result<(Vec<i32>, i32), OpError> {
    let bytes = Tensor::from_vec(Shape::new(&[1, u32::try_from(text.len()).unwrap()])?, text.to_vec())?;
    let count = Tensor::from_vec(Shape::new(&[1])?, vec![count])?;
    let outputs = model.run(kernels, &[&bytes, &count])?;
    Ok((outputs[0].to_vec()?, outputs[1].to_vec::<i32>()?[0]))
}

/// The tokens of the library, and padding behind them.
pub(super) fn same(model: &Model, kernels: &Kernels, oracle: &Tokenizer, text: &str, padding: i32) {
    // An empty text has no sequence: it is one byte of which none counts.
    let bytes = if text.is_empty() { b" " } else { text.as_bytes() };
    let (tokens, length) = run(model, kernels, bytes, i32::try_from(text.len()).unwrap()).unwrap();
    let length = usize::try_from(length).unwrap();
    let expected: Vec<i32> =
        oracle.encode(text, true).unwrap().get_ids().iter().map(|id| i32::try_from(*id).unwrap()).collect();
    assert_eq!(tokens[..length], expected[..], "{text:?} ({})", text.escape_unicode());
    assert!(tokens[length..].iter().all(|token| *token == padding), "padding");
}

#[test]
fn the_library_gives_the_same_tokens() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    let switches = [
        (true, None, true, true),
        (false, None, true, true),
        (false, Some(true), false, true),
        (true, Some(false), true, false),
    ];
    for (index, (lowercase, strip, clean, chinese)) in switches.into_iter().enumerate() {
        let json = tokenizer(lowercase, strip, clean, chinese);
        let options = TokenizerOptions { tokens: 90, ..TokenizerOptions::new("pieces", "CC0-1.0") };
        let imported = import_tokenizer(&json, &options).unwrap();
        let model = Model::from_bytes(imported.container).unwrap();
        let mut oracle = read_tokenizer(&json).unwrap();
        let truncation = TruncationParams { max_length: 90, ..TruncationParams::default() };
        oracle.with_truncation(Some(truncation)).unwrap();
        let mut numbers = Numbers(5);
        for _ in 0..2000 {
            let most = if numbers.below(8) == 0 { 300 } else { 60 };
            let length = numbers.below(most);
            let text = text(&mut numbers, length);
            same(&model, &kernels, &oracle, &text, 0);
        }
        // Any bytes, as far as they are text.
        for _ in 0..1000 {
            let length = numbers.below(80);
            let bytes: Vec<u8> = (0..length).map(|_| numbers.below(256).to_le_bytes()[0]).collect();
            same(&model, &kernels, &oracle, &String::from_utf8_lossy(&bytes), 0);
        }
        // Every character once (with the first switches), between letters and before a mark.
        let sampled = |point: &u32| {
            let some = if index == 0 { *point < 0x3_0000 } else { point.is_multiple_of(37) };
            some || point.is_multiple_of(512) || (0xe_0000..0xe_0200).contains(point)
        };
        let characters: Vec<char> = (0..=0x10_ffff_u32).filter(sampled).filter_map(char::from_u32).collect();
        for some in characters.chunks(8) {
            let words = some.iter().map(|character| format!("a{character}e{character}\u{1d165}"));
            same(&model, &kernels, &oracle, &words.collect::<Vec<_>>().join(" "), 0);
        }
        for text in [
            "",
            " ",
            "\u{0}",
            "Émile ÉMILE",
            "don't stop",
            "北京ab",
            "[CLS] [SEP]",
            "İstanbul ΣΑΣ",
            "a\u{1d16d}\u{1d165}b",
            "ﬁne Å",
        ] {
            same(&model, &kernels, &oracle, text, 0);
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_a_status() {
    let json = tokenizer(true, None, true, true);
    let imported = import_tokenizer(&json, &TokenizerOptions::new("pieces", "CC0-1.0")).unwrap();
    let model = Model::from_bytes(imported.container).unwrap();
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let status = |text: &[u8], count: i32| match run(&model, &kernels, text, count) {
        Ok(_) => None,
        Err(OpError::Status(status)) => Some(status),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(status(b"abc", 3), None);
    for bad in [&b"ab\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"] {
        assert_eq!(status(bad, i32::try_from(bad.len()).unwrap()), Some(Status::BadArgument));
    }
    // What does not count may be anything.
    assert_eq!(
        (status(b"ab\xff", 2), status(b"ab", 3), status(b"ab", -1)),
        (None, Some(Status::IndexOutOfRange), Some(Status::IndexOutOfRange))
    );
}

#[test]
fn what_cannot_be_imported_is_named() {
    let good: serde_json::Value = serde_json::from_slice(&tokenizer(true, None, true, true)).unwrap();
    let refused = |key: &str, value: serde_json::Value| {
        let mut json = good.clone();
        json[key] = value;
        import_tokenizer(json.to_string().as_bytes(), &TokenizerOptions::new("pieces", "CC0-1.0"))
            .unwrap_err()
            .to_string()
    };
    assert!(refused("normalizer", serde_json::json!({"type": "NFC"})).contains("BertNormalizer"));
    assert!(refused("normalizer", serde_json::Value::Null).contains("missing"));
    assert!(refused("pre_tokenizer", serde_json::json!({"type": "Whitespace"})).contains("BertPreTokenizer"));
    assert!(refused("post_processor", serde_json::Value::Null).contains("post_processor"));
    assert!(
        refused("model", serde_json::json!({"type": "WordLevel", "vocab": {}, "unk_token": "a"}))
            .contains("WordPiece, BPE")
    );
    for bytes in [&b""[..], b"{}", b"[1]", b"\xff"] {
        let error = import_tokenizer(bytes, &TokenizerOptions::new("pieces", "CC0-1.0")).unwrap_err();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }
}
