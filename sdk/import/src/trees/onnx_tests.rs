//! Ensembles in ONNX that are malformed, or that mean what cannot be imported.

use prost::Message;

use super::{TreeOptions, import_onnx_trees, onnx};
use crate::{
    ImportError,
    proto::{Attribute, ModelProto, NodeProto},
    sample::{graph, model, node},
};

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: ints.to_vec(), ..Attribute::default() }
}

fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute { name: name.into(), floats: floats.to_vec(), ..Attribute::default() }
}

fn texts(name: &str, texts: &[&str]) -> Attribute {
    Attribute {
        name: name.into(),
        strings: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ..Attribute::default()
    }
}

fn text(name: &str, text: &str) -> Attribute {
    Attribute { name: name.into(), s: text.into(), ..Attribute::default() }
}

/// One tree, `x[1] <= 0.5`, for three classes.
fn attributes() -> Vec<Attribute> {
    vec![
        ints("nodes_treeids", &[0, 0, 0]),
        ints("nodes_nodeids", &[0, 1, 2]),
        ints("nodes_featureids", &[1, 0, 0]),
        ints("nodes_truenodeids", &[1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF"]),
        floats("nodes_values", &[0.5, 0.0, 0.0]),
        ints("nodes_missing_value_tracks_true", &[1, 0, 0]),
        ints("class_treeids", &[0, 0, 0]),
        ints("class_nodeids", &[1, 1, 2]),
        ints("class_ids", &[0, 1, 2]),
        floats("class_weights", &[0.25, 0.75, 1.0]),
        texts("classlabels_strings", &["a", "b", "c"]),
        text("post_transform", "NONE"),
    ]
}

fn file(attributes: Vec<Attribute>) -> ModelProto {
    let ensemble =
        NodeProto { attribute: attributes, domain: "ai.onnx.ml".into(), ..node("TreeEnsembleClassifier", &["x"], "y") };
    model(vec![ensemble], vec![])
}

fn with(attribute: Attribute) -> ModelProto {
    let mut all = attributes();
    all.retain(|other| other.name != attribute.name);
    all.push(attribute);
    file(all)
}

fn refused(file: &ModelProto, words: &str) {
    let error = import_onnx_trees(&file.encode_to_vec(), &TreeOptions::new("trees", "CC0-1.0")).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn an_ensemble_by_hand() {
    let bytes = file(attributes()).encode_to_vec();
    let (trees, labels) = onnx::read(&bytes).unwrap();
    assert_eq!(labels, ["a", "b", "c"]);
    let rows = [[0.0, 0.5, 0.0], [0.0, 0.501, 0.0], [0.0, f64::NAN, 0.0]].map(Vec::from);
    let scores = trees.scores(&rows).unwrap();
    assert_eq!(scores, [vec![0.25, 0.75, 0.0], vec![0.0, 0.0, 1.0], vec![0.25, 0.75, 0.0]]);
    let imported = import_onnx_trees(&bytes, &TreeOptions::new("trees", "CC0-1.0")).unwrap();
    let model = noema_model::Model::from_bytes(imported.container).unwrap();
    assert_eq!(model.manifest().labels, ["a", "b", "c"]);
    // Less than, not at most; and leaves of two classes with one score.
    let less = with(texts("nodes_modes", &["BRANCH_LT", "LEAF", "LEAF"])).encode_to_vec();
    assert_eq!(onnx::read(&less).unwrap().0.scores(&rows[..1]).unwrap()[0], [0.0, 0.0, 1.0]);
    let mut two = attributes();
    two.retain(|attribute| !attribute.name.starts_with("class"));
    two.extend([ints("class_treeids", &[0, 0]), ints("class_nodeids", &[1, 2]), ints("class_ids", &[0, 0])]);
    two.extend([floats("class_weights", &[0.25, 0.75]), ints("classlabels_int64s", &[0, 1])]);
    let classes = |file: ModelProto| {
        let predictions = onnx::read(&file.encode_to_vec()).unwrap().0.predict(&rows[..2]).unwrap();
        predictions.into_iter().map(|prediction| prediction.class).collect::<Vec<_>>()
    };
    assert_eq!(classes(file(two.clone())), [0, 1], "above one half");
    two.retain(|attribute| attribute.name != "class_weights");
    two.push(floats("class_weights", &[0.25, -0.75]));
    assert_eq!(classes(file(two)), [1, 0], "above 0");
}

#[test]
fn what_is_no_ensemble_is_refused() {
    refused(&with(ints("nodes_treeids", &[0, 0])), "lists of 2");
    refused(&with(ints("nodes_nodeids", &[0, 1, 1])), "one number");
    refused(&with(ints("nodes_featureids", &[3, 0, 0])), "feature 3 of 3");
    refused(&with(ints("nodes_featureids", &[-1, 0, 0])), "feature -1");
    refused(&with(ints("nodes_truenodeids", &[0, 0, 0])), "two ways lead to node 0");
    refused(&with(ints("nodes_truenodeids", &[7, 0, 0])), "a way leads to node");
    refused(&with(ints("nodes_truenodeids", &[2, 0, 0])), "two ways lead to node 2");
    refused(&with(texts("nodes_modes", &["LEAF", "LEAF", "LEAF"])), "no way leads to 2 of its 3 nodes");
    refused(&with(texts("nodes_modes", &["BRANCH_GT", "LEAF", "LEAF"])), "BRANCH_GT");
    refused(&with(texts("nodes_modes", &["BRANCH_LEQ", "BRANCH_LT", "LEAF"])), "one of them");
    refused(&with(floats("nodes_values", &[f32::NAN, 0.0, 0.0])), "threshold NaN");
    refused(&with(floats("class_weights", &[f32::INFINITY, 0.0, 0.0])), "inf");
    refused(&with(floats("class_weights", &[])), "for its leaves");
    refused(&with(ints("class_ids", &[0, 1, 3])), "beyond 3");
    refused(&with(ints("class_ids", &[0, 1, -1])), "class -1");
    refused(&with(texts("classlabels_strings", &[])), "0 classes");
    refused(&with(texts("classlabels_strings", &["a", "b"])), "beyond 2");
    refused(&with(text("post_transform", "PROBIT")), "PROBIT");
    refused(&with(floats("base_values", &[1.0])), "1 base_values for 3 scores");
    let mut double = file(attributes());
    graph(&mut double).input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = crate::proto::DOUBLE;
    refused(&double, "not of floats");
    let mut scaled = file(attributes());
    graph(&mut scaled).node.insert(0, node("Relu", &["x"], "r"));
    refused(&scaled, "`the Relu` (Relu)");
    let mut twice = file(attributes());
    let again = graph(&mut twice).node[0].clone();
    graph(&mut twice).node.push(NodeProto { output: vec!["z".into()], ..again });
    refused(&twice, "several ensembles");
    assert!(matches!(onnx::read(b"\xff\xff"), Err(ImportError::NotOnnx(_))));
    assert!(matches!(onnx::read(b""), Err(ImportError::NotOnnx(_))));
}
