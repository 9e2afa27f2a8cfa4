//! A folder with a small encoder of random weights, as sentence-transformers writes one: for tests here and elsewhere.

use std::{collections::BTreeMap, path::Path};

use safetensors::{Dtype, tensor::TensorView};

pub(crate) const HIDDEN: usize = 12;
pub(crate) const INNER: usize = 20;
pub(crate) const HEADS: usize = 3;
pub(crate) const LAYERS: usize = 2;
pub(crate) const PLACES: usize = 16;
pub(crate) const WORDS: &[&str] = &[
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "contract", "pays", "its", "owner", "when", "rain", "falls", "on", "a",
    "field", "##s", "##ing", "pay", "and", "every", "node", "agree", ".", ",",
];

struct Numbers(u64);

impl Numbers {
    /// From about -1 to 1, small ones more often.
    fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        for _ in 0..3 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(u32::MAX >> 1) - 0.5;
        }
        #[allow(clippy::cast_possible_truncation)]
        let small = (sum / 1.5) as f32;
        small
    }
}

/// Adds a tensor: name, shape, scale, centre.
type AddTensor<'a> = dyn FnMut(String, &[usize], f32, f32) + 'a;

/// All weights, by their names.
pub(crate) fn tensors(seed: u64) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut numbers = Numbers(seed);
    let mut all = BTreeMap::new();
    let mut add = |name: String, shape: &[usize], scale: f32, centre: f32| {
        let values = (0..shape.iter().product()).map(|_| centre + scale * numbers.next()).collect();
        all.insert(name, (shape.to_vec(), values));
    };
    for (name, rows) in [("word", WORDS.len()), ("position", PLACES), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, HIDDEN], 1.0, 0.0);
    }
    let norm = |add: &mut AddTensor<'_>, name: &str| {
        add(format!("{name}.weight"), &[HIDDEN], 0.5, 1.0);
        add(format!("{name}.bias"), &[HIDDEN], 0.2, 0.0);
    };
    norm(&mut add, "embeddings.LayerNorm");
    for layer in 0..LAYERS {
        let at = |rest: &str| format!("encoder.layer.{layer}.{rest}");
        let dense = [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INNER, HIDDEN),
            ("output.dense", HIDDEN, INNER),
        ];
        for (name, outputs, inputs) in dense {
            add(format!("{}.weight", at(name)), &[outputs, inputs], 0.6, 0.0);
            add(format!("{}.bias", at(name)), &[outputs], 0.3, 0.0);
        }
        norm(&mut add, &at("attention.output.LayerNorm"));
        norm(&mut add, &at("output.LayerNorm"));
    }
    all
}

/// Writes `model.safetensors`.
pub(crate) fn write_weights(folder: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, _))| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Writes everything that an import needs into a folder.
pub(crate) fn write(folder: &Path, seed: u64, pooling: &str) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("config.json", config().to_string());
    std::fs::create_dir(folder.join("1_Pooling")).unwrap();
    write("1_Pooling/config.json", serde_json::json!({ pooling: true }).to_string());
    write("sentence_bert_config.json", r#"{"max_seq_length": 12}"#.to_owned());
    let vocab: BTreeMap<&str, usize> = WORDS.iter().enumerate().map(|(id, word)| (*word, id)).collect();
    let special = |id: usize| serde_json::json!({"id": WORDS[id], "ids": [id], "tokens": [WORDS[id]]});
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": special(2), "[SEP]": special(3)}
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": vocab
        }
    });
    write("tokenizer.json", tokenizer.to_string());
    write_weights(folder, &tensors(seed));
}

/// `config.json`.
pub(crate) fn config() -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
        "intermediate_size": INNER, "vocab_size": WORDS.len(), "max_position_embeddings": PLACES, "hidden_act": "gelu",
        "layer_norm_eps": 1e-12
    })
}

/// Sentences of the words that the tokenizer knows.
pub(crate) fn sentences(count: usize, seed: u64) -> Vec<String> {
    let mut numbers = Numbers(seed);
    let mut below = |limit: usize| {
        numbers.next();
        usize::try_from(numbers.0 >> 40).unwrap() % limit
    };
    (0..count)
        .map(|_| (0..1 + below(9)).map(|_| WORDS[4 + below(WORDS.len() - 4)]).collect::<Vec<_>>().join(" "))
        .collect()
}
