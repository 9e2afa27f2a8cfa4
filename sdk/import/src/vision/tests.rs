//! Folders that are not as they should be.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::import_vision;
use crate::{FloatModel, ImportError, ImportOptions, transformer::folders};

const FILES: [&str; 3] = ["config.json", "preprocessor_config.json", "model.safetensors"];

fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vit")
}

fn options() -> ImportOptions {
    let row = |seed: usize| (0..64).map(|at| ((at * seed) % 17) as f64).collect();
    ImportOptions { calibration: (1..9).map(row).collect(), ..ImportOptions::new("digits", "CC-BY-4.0") }
}

/// A copy of the folder, changed.
fn refused(change: &dyn Fn(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        std::fs::copy(sample().join(name), folder.path().join(name)).unwrap();
    }
    change(folder.path());
    let error = import_vision(folder.path(), &options()).unwrap_err();
    assert!(!matches!(error, ImportError::Compute(_)), "{error}");
    error.to_string()
}

#[test]
fn what_cannot_be_imported_is_named() {
    folders::every_file_is_needed(&FILES, &refused);
    let with = |file: &str, key: &str, value: Value| refused(&|folder| folders::set(folder, file, key, &value));
    let config = |key: &str, value: Value| with("config.json", key, value);
    assert!(config("model_type", json!("swin")).contains("model_type `swin`"));
    assert!(config("hidden_act", json!("relu")).contains("hidden_act `relu`"));
    assert!(config("num_attention_heads", json!(5)).contains("5 heads of 48"));
    assert!(config("num_hidden_layers", json!(4)).contains("encoder.layer.3"));
    assert!(config("num_hidden_layers", json!(u64::MAX)).contains("config.json"));
    assert!(config("patch_size", json!(3)).contains("patches of 3 x 3"));
    assert!(config("patch_size", json!(0)).contains("config.json"));
    assert!(config("patch_size", json!([4, 2])).contains("projection.weight"));
    assert!(config("image_size", json!([1 << 20, 1 << 20])).contains("images of"));
    assert!(config("image_size", json!(1024)).contains("number of patches"));
    assert!(config("num_channels", json!(3)).contains("1 means and 1 deviations for 3 channels"));
    assert!(config("id2label", json!({"0": "zero", "1": "one"})).contains("2 labels for 10 classes"));
    let processor = |key: &str, value: Value| with("preprocessor_config.json", key, value);
    assert!(processor("image_std", json!([0.0])).contains("a deviation of 0"));
    assert!(processor("image_std", json!([0.5, 0.5])).contains("2 deviations for 1 channels"));
    assert!(processor("rescale_factor", json!(0.0)).contains("a factor of 0"));
    assert!(processor("rescale_factor", json!(1.0e300)).contains("a factor of 1"));
}

#[test]
fn rows_that_are_no_images_are_refused() {
    let with = |calibration: Vec<Vec<f64>>| {
        import_vision(&sample(), &ImportOptions { calibration, ..options() }).unwrap_err().to_string()
    };
    assert!(with(vec![]).contains("no rows"));
    assert!(with(vec![vec![1.0; 63]]).contains("63"));
    assert!(with(vec![vec![f64::NAN; 64]]).contains("NaN"));
    assert!(with(vec![vec![256.0; 64]]).contains("256"), "more than a pixel has");
    let bits = ImportOptions { input_fraction_bits: Some(4), ..options() };
    assert!(matches!(import_vision(&sample(), &bits), Err(ImportError::Options(_))));
}

/// Patches that are not square, several channels, no bias before attention, another name for a tensor's owner.
#[test]
fn sides_and_channels_may_differ() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = crate::sample::Numbers(5);
    let (hidden, inner, channels) = (8_usize, 12_usize, 3_usize);
    let mut tensors = std::collections::BTreeMap::new();
    let mut add = |name: &str, dims: &[usize], centre: f32| {
        let values = numbers.take(dims.iter().product()).into_iter().map(|x| centre + 0.5 * x).collect::<Vec<f32>>();
        tensors.insert(name.to_owned(), (dims.to_vec(), values));
    };
    add("embeddings.cls_token", &[1, 1, hidden], 0.0);
    add("embeddings.position_embeddings", &[1, 7, hidden], 0.0);
    add("embeddings.patch_embeddings.projection.weight", &[hidden, channels, 2, 3], 0.0);
    add("embeddings.patch_embeddings.projection.bias", &[hidden], 0.0);
    let at = |rest: &str| format!("encoder.layer.0.{rest}");
    for name in ["query", "key", "value"] {
        add(&at(&format!("attention.attention.{name}.weight")), &[hidden, hidden], 0.0);
    }
    for (name, outputs, inputs) in [
        ("attention.output.dense", hidden, hidden),
        ("intermediate.dense", inner, hidden),
        ("output.dense", hidden, inner),
    ] {
        add(&at(&format!("{name}.weight")), &[outputs, inputs], 0.0);
        add(&at(&format!("{name}.bias")), &[outputs], 0.0);
    }
    for name in [at("layernorm_before"), at("layernorm_after"), "layernorm".to_owned()] {
        add(&format!("{name}.weight"), &[hidden], 1.0);
        add(&format!("{name}.bias"), &[hidden], 0.0);
    }
    add("classifier.weight", &[4, hidden], 0.0);
    add("classifier.bias", &[4], 0.0);
    crate::encoder::tiny::write_weights(folder.path(), &tensors);
    let write = |name: &str, value: Value| std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    write(
        "config.json",
        json!({
            "model_type": "vit", "hidden_size": hidden, "num_attention_heads": 2, "num_hidden_layers": 1,
            "intermediate_size": inner, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": [6, 6],
            "patch_size": [2, 3], "num_channels": channels, "qkv_bias": false
        }),
    );
    write("preprocessor_config.json", json!({ "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3] }));
    let mut pixels = crate::sample::Numbers(6);
    let mut rows = |count: usize| -> Vec<Vec<f64>> {
        pixels
            .rows(count, channels * 36)
            .into_iter()
            .map(|row| row.into_iter().map(|x| (x * 127.0 + 128.0).round()).collect())
            .collect()
    };
    let options = ImportOptions { calibration: rows(30), ..options() };
    let imported = import_vision(folder.path(), &options).unwrap();
    assert!(imported.report.calibration.largest_difference < 0.01, "{}", imported.report);
    let model = noema_model::Model::from_bytes(imported.container).unwrap();
    assert_eq!(model.manifest().inputs[0].shape, [3, 6, 6]);
    assert!(model.manifest().labels.is_empty());
    // On images that nothing was chosen by.
    let fresh = rows(40);
    let float = FloatModel::from_folder(folder.path()).unwrap().predict(&fresh).unwrap();
    let kernels = noema_tensor::Kernels::new(noema_tensor::Level::best(), 1).unwrap();
    let integer = crate::import::predictions(&model, &fresh, &kernels).unwrap();
    let same = float.iter().zip(&integer).filter(|(a, b)| a.class == b.class).count();
    assert!(same >= 38, "{same} of 40 classes");
}
