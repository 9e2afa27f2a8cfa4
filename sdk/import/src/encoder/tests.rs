//! Small encoders of random weights, imported and compared with their originals.

use std::path::Path;

use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

use super::tiny::{self, HIDDEN, LAYERS, sentences, tensors, write_weights};
use super::{EncoderOptions, compare_encoder, import_encoder};
use crate::{
    ImportError,
    transformer::{Site, folders},
};

fn folder(seed: u64, pooling: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny::write(folder.path(), seed, pooling);
    folder
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
        let kernels = Kernels::new(Level::best(), 1).unwrap();
        let near = compare_encoder(folder.path(), &imported.container, &sentences(80, 99), &kernels).unwrap();
        assert_eq!(
            near.layers.iter().map(|layer| &layer.name[..]).collect::<Vec<_>>(),
            ["embeddings", "layer 0", "layer 1"]
        );
        assert!(near.layers.iter().all(|layer| layer.relative < 0.05), "{near:?}");
        let near = near.nearness;
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
    folders::every_file_is_needed(&["config.json", "tokenizer.json", "model.safetensors"], &refused);
    let with =
        |key: &str, value: serde_json::Value| refused(&|folder| folders::set(folder, "config.json", key, &value));
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
