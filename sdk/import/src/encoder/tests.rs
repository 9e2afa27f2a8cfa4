//! Encoders of random weights: small folders as sentence-transformers writes them.

use std::{collections::BTreeMap, path::Path};

use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};
use safetensors::{Dtype, tensor::TensorView};

use super::{EncoderOptions, Site, compare_encoder, import_encoder};
use crate::ImportError;

const HIDDEN: usize = 12;
const INNER: usize = 20;
const HEADS: usize = 3;
const LAYERS: usize = 2;
const PLACES: usize = 16;
const WORDS: &[&str] = &[
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

fn tensors(seed: u64) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut numbers = Numbers(seed);
    let mut all = BTreeMap::new();
    let mut add = |name: String, shape: &[usize], scale: f32, centre: f32| {
        let values = (0..shape.iter().product()).map(|_| centre + scale * numbers.next()).collect();
        all.insert(name, (shape.to_vec(), values));
    };
    for (name, rows) in [("word", WORDS.len()), ("position", PLACES), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, HIDDEN], 1.0, 0.0);
    }
    let norm = |add: &mut dyn FnMut(String, &[usize], f32, f32), name: &str| {
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

fn write_weights(folder: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (shape, _))| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A folder with everything that an import needs.
fn folder(seed: u64, pooling: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("config.json", config().to_string());
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
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
    write_weights(folder.path(), &tensors(seed));
    folder
}

fn config() -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
        "intermediate_size": INNER, "vocab_size": WORDS.len(), "max_position_embeddings": PLACES, "hidden_act": "gelu",
        "layer_norm_eps": 1e-12
    })
}

/// Sentences of the words that the tokenizer knows.
fn sentences(count: usize, seed: u64) -> Vec<String> {
    let mut numbers = Numbers(seed);
    let mut below = |limit: usize| {
        numbers.next();
        usize::try_from(numbers.0 >> 40).unwrap() % limit
    };
    (0..count)
        .map(|_| (0..1 + below(9)).map(|_| WORDS[4 + below(WORDS.len() - 4)]).collect::<Vec<_>>().join(" "))
        .collect()
}

fn options(max_error: f64) -> EncoderOptions {
    EncoderOptions { calibration: sentences(60, 7), max_error, ..EncoderOptions::new("tiny", "CC0-1.0") }
}

#[test]
fn an_imported_encoder_is_near_its_original() {
    for (seed, pooling) in
        [(1, "pooling_mode_mean_tokens"), (2, "pooling_mode_cls_token"), (3, "pooling_mode_mean_tokens")]
    {
        let folder = folder(seed, pooling);
        let imported = import_encoder(folder.path(), &options(0.0005)).unwrap();
        let report = &imported.report;
        assert!(report.is_within && report.nearness.mean > 0.9995, "{report}");
        assert_eq!((report.longest, report.width, report.layers.len()), (12, HIDDEN, LAYERS + 1));
        assert!(report.layers.iter().all(|layer| layer.relative < 0.05), "{report}");
        // On sentences that nothing was chosen by.
        let near = compare_encoder(folder.path(), &imported.container, &sentences(80, 99)).unwrap();
        assert!(near.mean > 0.999 && near.worst > 0.99 && near.same_nearest.unwrap() > 60, "{near}");
        // What runs is the container alone, and it says how near it is.
        let model = Model::from_bytes(imported.container).unwrap();
        assert_eq!((model.longest(), model.id()), (12, report.id));
        assert!(model.manifest().accuracy.contains("cosine"), "{}", model.manifest().accuracy);
    }
}

/// What is asked for decides between 8 and 16 bits.
#[test]
fn the_error_chooses_the_bits() {
    let folder = folder(4, "pooling_mode_mean_tokens");
    let loose = import_encoder(folder.path(), &options(0.5)).unwrap().report;
    assert!(loose.is_within && loose.sites.hidden == Site::Eight && loose.sites.out == Site::Eight, "{loose}");
    let tight = import_encoder(folder.path(), &options(1.0e-12)).unwrap().report;
    assert!(!tight.is_within && tight.nearness.mean >= loose.nearness.mean, "{tight}");
    assert!(tight.to_string().contains("not as near as asked for"));
}

#[test]
fn one_import_gives_one_container_and_every_level_the_same_bits() {
    let folder = folder(5, "pooling_mode_mean_tokens");
    let [one, other] = [(); 2].map(|()| import_encoder(folder.path(), &options(0.01)).unwrap().container);
    assert_eq!(one, other);
    let model = Model::from_bytes(one).unwrap();
    let tokens = Tensor::from_vec(Shape::new(&[2, 5]).unwrap(), vec![2, 4, 5, 3, 0, 2, 13, 10, 11, 3]).unwrap();
    let lengths = Tensor::from_vec(Shape::new(&[2]).unwrap(), vec![4, 5]).unwrap();
    let mut all = Level::available().into_iter().map(|level| {
        let kernels = Kernels::new(level, 1).unwrap();
        model.run(&kernels, &[&tokens, &lengths]).unwrap()[0].to_vec::<i16>().unwrap()
    });
    let first = all.next().unwrap();
    assert!(first.iter().any(|x| *x != 0) && all.all(|other| other == first));
}

#[test]
fn what_cannot_be_imported_is_named() {
    let refused = |change: &dyn Fn(&Path)| {
        let folder = folder(6, "pooling_mode_mean_tokens");
        change(folder.path());
        let error = import_encoder(folder.path(), &options(0.01)).unwrap_err();
        assert!(!matches!(error, ImportError::Compute(_)), "{error}");
        error.to_string()
    };
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let missing = refused(&|folder| std::fs::remove_file(folder.join(file)).unwrap());
        assert!(missing.contains("has no") && missing.contains(file), "{missing}");
        let cut = refused(&|folder| {
            let bytes = std::fs::read(folder.join(file)).unwrap();
            std::fs::write(folder.join(file), &bytes[..bytes.len() / 2]).unwrap();
        });
        assert!(cut.contains(file), "{cut}");
    }
    let with = |key: &str, value: serde_json::Value| {
        refused(&|folder| {
            let mut config = config();
            config[key] = value.clone();
            std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        })
    };
    assert!(with("model_type", "gpt2".into()).contains("model_type `gpt2`"));
    assert!(with("hidden_act", "swish".into()).contains("hidden_act `swish`"));
    assert!(with("position_embedding_type", "relative_key".into()).contains("relative_key"));
    assert!(with("hidden_size", 13.into()).contains("heads"));
    assert!(with("num_attention_heads", 0.into()).contains("heads"));
    assert!(with("num_hidden_layers", 3.into()).contains("encoder.layer.2"));
    assert!(with("num_hidden_layers", u64::MAX.into()).contains("config.json"));
    assert!(with("intermediate_size", 21.into()).contains("intermediate.dense.weight"));
    assert!(with("vocab_size", (1u64 << 40).into()).contains("config.json"));
    assert!(with("layer_norm_eps", 2.0.into()).contains("layer_norm_eps"));
    let nan = refused(&|folder| {
        let mut tensors = tensors(6);
        tensors.get_mut("embeddings.LayerNorm.bias").unwrap().1[3] = f32::NAN;
        write_weights(folder, &tensors);
    });
    assert!(nan.contains("embeddings.LayerNorm.bias") && nan.contains("not finite"), "{nan}");
    let pooling = refused(&|folder| {
        std::fs::write(folder.join("1_Pooling/config.json"), r#"{"pooling_mode_max_tokens": true}"#).unwrap();
    });
    assert!(pooling.contains("pooling"), "{pooling}");
    let few = EncoderOptions { calibration: vec!["one".into()], ..options(0.01) };
    let error = import_encoder(folder(6, "pooling_mode_mean_tokens").path(), &few).unwrap_err();
    assert!(matches!(error, ImportError::Options(_)));
}
