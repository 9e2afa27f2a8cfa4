//! What can be imported, what cannot, and what hostile files do.

use noema_model::{Model, ModelError, ops::Op};
use noema_tensor::DType;
use proptest::prelude::*;

use super::{FloatTrees, TreeOptions, ensemble::Library, grid::threshold, import_lightgbm, import_xgboost};
use crate::ImportError;

/// Two features; a tree with two decisions and a tree that is a leaf.
const LIGHTGBM: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=age size
tree_sizes=300 100

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=0.5 -2.25
decision_type=8 10
left_child=1 -1
right_child=-2 -3
leaf_value=0.25 -1.5 2
is_linear=0
shrinkage=1

Tree=1
num_leaves=1
num_cat=0
leaf_value=0.125

end of trees

parameters:
[boosting: gbdt]
end of parameters
";

/// The same trees, except for the comparison; the leaf is pruned from a decision, whose leaves are left over.
const XGBOOST: &str = r#"{"version": [3, 2, 0], "learner": {
    "learner_model_param": {"base_score": "[5E-1]", "num_class": "0", "num_feature": "2", "num_target": "1"},
    "objective": {"name": "binary:logistic"}, "feature_names": ["age", "size"],
    "gradient_booster": {"name": "gbtree", "model": {"tree_info": [0, 0], "trees": [
        {"left_children": [1, 3, -1, -1, -1], "right_children": [2, 4, -1, -1, -1], "split_indices": [0, 1, 0, 0, 0],
         "split_conditions": [0.5, -2.25, -1.5, 0.25, 2.0], "default_left": [0, 1, 0, 0, 0],
         "split_type": [0, 0, 0, 0, 0], "tree_param": {"num_nodes": "5", "num_deleted": "0", "size_leaf_vector": "1"}},
        {"left_children": [-1, -1, -1], "right_children": [-1, -1, -1], "split_indices": [0, 0, 0],
         "split_conditions": [0.125, 7.0, 7.0], "default_left": [0, 0, 0],
         "tree_param": {"num_nodes": "3", "num_deleted": "2"}}]}}}}"#;

fn options() -> TreeOptions {
    TreeOptions::new("sample", "CC0-1.0")
}

fn lightgbm_error(old: &str, new: &str) -> ImportError {
    assert!(LIGHTGBM.contains(old), "{old}");
    import_lightgbm(LIGHTGBM.replacen(old, new, 1).as_bytes(), &options()).unwrap_err()
}

fn xgboost_error(old: &str, new: &str) -> ImportError {
    assert!(XGBOOST.contains(old), "{old}");
    import_xgboost(XGBOOST.replacen(old, new, 1).as_bytes(), &options()).unwrap_err()
}

#[track_caller]
fn says(error: &ImportError, words: &[&str]) {
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn both_files_mean_what_they_say() {
    let nan = f64::NAN;
    let rows = [[0.5, -2.25], [0.5, -2.0], [0.75, 9.0], [0.25, -2.5], [nan, 0.0], [0.0, nan]].map(|row| row.to_vec());
    let lightgbm = FloatTrees::from_lightgbm(LIGHTGBM.as_bytes()).unwrap();
    // `<=`; a missing age goes right, a missing size left.
    let expected = [[0.375], [2.125], [-1.375], [0.375], [-1.375], [0.375]];
    assert_eq!(lightgbm.scores(&rows).unwrap(), expected);
    let xgboost = FloatTrees::from_xgboost(XGBOOST.as_bytes()).unwrap();
    // `<`: what equals the threshold goes right.
    let expected = [[-1.375], [-1.375], [-1.375], [0.375], [-1.375], [0.375]];
    assert_eq!(xgboost.scores(&rows).unwrap(), expected);
    let prediction = &lightgbm.predict(&rows).unwrap()[1];
    assert_eq!((prediction.class, &prediction.logits[..]), (1, &[0.0, 2.125][..]));
    let probability = prediction.probabilities.as_ref().unwrap()[1];
    assert!((f64::from(probability) - 1.0 / (1.0 + (-2.125_f64).exp())).abs() < 1e-6);
    assert_eq!((lightgbm.features(), lightgbm.trees.len()), (2, 2));
    assert!(matches!(lightgbm.scores(&[vec![1.0]]), Err(ImportError::Row { row: 0, .. })));

    let imported = import_lightgbm(LIGHTGBM.as_bytes(), &options()).unwrap();
    let report = imported.report;
    assert_eq!((report.trees, report.decisions, report.leaves, report.depth, report.steps), (2, 2, 4, 2, 2));
    assert_eq!((report.library, report.objective.as_str(), report.rounding), ("LightGBM", "binary", 0.0));
    let model = Model::from_bytes(imported.container).unwrap();
    let names: Vec<_> = model.manifest().outputs.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["logits", "probabilities", "class"]);
    assert!(matches!(&model.graph().nodes[0].op, Op::TreeEnsemble(trees) if trees.outputs == 2));
}

#[test]
fn a_base_score_is_a_probability_where_the_objective_says_so() {
    let base = |score: &str, objective: &str| {
        let text = XGBOOST.replace("[5E-1]", score).replace("binary:logistic", objective);
        FloatTrees::from_xgboost(text.as_bytes()).map(|trees| trees.base)
    };
    assert_eq!(base("2E0", "reg:squarederror").unwrap(), [2.0]);
    assert_eq!(base("[2.5E0]", "rank:ndcg").unwrap(), [2.5]);
    let logit = base("7.5E-1", "binary:logistic").unwrap()[0];
    assert!((logit - 3.0_f64.ln()).abs() < 1e-7, "{logit}");
    for (score, objective) in [
        ("1", "binary:logistic"),
        ("0", "binary:logitraw"),
        ("[1", "rank:map"),
        ("nan", "rank:map"),
        ("[1,2]", "rank:map"),
    ] {
        says(&base(score, objective).unwrap_err(), &["not a XGBoost model file", "base_score"]);
    }
}

#[test]
fn what_lightgbm_files_cannot_hold_is_named() {
    says(
        &lightgbm_error("decision_type=8 10", "decision_type=8 1"),
        &["tree 0", "node 1", "categorical", "`size`", "numbers"],
    );
    says(&lightgbm_error("binary sigmoid:1", "poisson"), &["objective `poisson`", "what can: binary", "multiclass"]);
    says(&lightgbm_error("binary sigmoid:1", "regression sqrt"), &["`regression sqrt`"]);
    says(&lightgbm_error("binary sigmoid:1", "binary sigmoid:-1"), &["sigmoid:-1"]);
    says(&lightgbm_error("objective=binary sigmoid:1\n", ""), &["a custom objective"]);
    says(&lightgbm_error("version=v4", "version=v9"), &["version `v9`"]);
    says(&lightgbm_error("label_index=0", "average_output"), &["rf", "gbdt"]);
    says(&lightgbm_error("is_linear=0", "is_linear=1"), &["tree 0", "linear trees"]);
    says(&lightgbm_error("binary sigmoid:1", "multiclass num_class:1"), &["1 scores", "multiclass"]);
    says(&lightgbm_error("num_tree_per_iteration=1", "num_tree_per_iteration=3"), &["3 scores", "binary"]);
}

#[test]
fn malformed_lightgbm_files_are_refused_with_their_place() {
    says(&lightgbm_error("left_child=1 -1", "left_child=0 -1"), &["tree 0", "two ways lead to node 0"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1 0"), &["tree 0", "two ways lead to node 0"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=-1 -1"), &["tree 0", "no way leads to 2 of its 5 nodes"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=2 -1"), &["tree 0", "a way leads to node"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1 -4"), &["tree 0", "a way leads to node"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1"), &["tree 0", "`left_child` has 1 numbers, 2"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1 -1 3"), &["tree 0", "more than 2 numbers"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1 x"), &["`left_child` has `x` at place 1"]);
    says(&lightgbm_error("left_child=1 -1", "left_child=1 -99999999999"), &["`-99999999999`"]);
    says(&lightgbm_error("threshold=0.5", "threshold=nan"), &["tree 0", "node 0 has the threshold NaN"]);
    for everything in ["inf", "1e300", "-inf"] {
        let text = LIGHTGBM.replace("threshold=0.5", &format!("threshold={everything}"));
        let report = import_lightgbm(text.as_bytes(), &options()).unwrap().report;
        assert_eq!(report.input_fraction_bits, 27, "as the other threshold, 2.25, allows");
    }
    says(&lightgbm_error("leaf_value=0.125", "leaf_value=nan"), &["tree 1", "leaf 0 has the value NaN"]);
    says(&lightgbm_error("leaf_value=0.125", "leaf_value=1e300"), &["the leaves", "1e300"]);
    says(&lightgbm_error("threshold=0.5", "threshold=1e30"), &["thresholds up to", "i64 may hold"]);
    says(&lightgbm_error("split_feature=0 1", "split_feature=0 2"), &["node 1 asks for feature 2 of 2"]);
    says(&lightgbm_error("num_leaves=3", "num_leaves=0"), &["0 leaves"]);
    says(&lightgbm_error("num_leaves=3", "num_leaves=4294967295"), &["4294967295 leaves"]);
    says(&lightgbm_error("num_leaves=3", "num_leaves=1000000"), &["`leaf_value` has 3 numbers, 1000000"]);
    says(
        &lightgbm_error("max_feature_idx=1", "max_feature_idx=18446744073709551615"),
        &["number of features", "limit"],
    );
    says(&lightgbm_error("num_tree_per_iteration=1", "num_tree_per_iteration=9999999"), &["number of scores", "limit"]);
    says(&lightgbm_error("num_tree_per_iteration=1", "num_tree_per_iteration=0"), &["number of scores"]);
    says(&lightgbm_error("Tree=1", "Tree=2"), &["`Tree=2` stands where `Tree=1`"]);
    says(&lightgbm_error("tree_sizes=300 100", "tree_sizes=300"), &["2 trees, its header says 1"]);
    says(&lightgbm_error("label_index=0", "num_class=1"), &["`num_class` stands twice"]);
    says(&lightgbm_error("decision_type=8", "decision_type=12"), &["node 0 has the decision type 12"]);
    says(&import_lightgbm(b"\xff\xfetree\n", &options()).unwrap_err(), &["no text"]);
    says(&import_lightgbm(b"", &options()).unwrap_err(), &["does not begin with the line `tree`"]);
    let trees = LIGHTGBM.find("\nend of trees").unwrap();
    for length in 0..trees {
        assert!(import_lightgbm(&LIGHTGBM.as_bytes()[..length], &options()).is_err(), "cut at {length}");
    }
}

#[test]
fn what_xgboost_files_cannot_hold_is_named() {
    says(&xgboost_error("\"gbtree\"", "\"dart\""), &["the booster `dart`", "gbtree"]);
    says(&xgboost_error("\"gbtree\", \"model\": {", "\"gblinear\", \"m\": {"), &["the booster `gblinear`"]);
    says(&xgboost_error("binary:logistic", "count:poisson"), &["`count:poisson`", "multi:softprob"]);
    says(&xgboost_error("binary:logistic", "multi:softprob"), &["0 classes", "multi:softprob"]);
    says(&xgboost_error("\"num_class\": \"0\"", "\"num_class\": \"5\""), &["5 classes"]);
    says(&xgboost_error("\"num_target\": \"1\"", "\"num_target\": \"2\""), &["several targets"]);
    says(&xgboost_error("\"tree_info\"", "\"cats\": {\"enc\": [1]}, \"tree_info\""), &["categorical features"]);
    says(
        &xgboost_error("\"split_type\": [0, 0", "\"split_type\": [0, 1"),
        &["tree 0", "node 1", "categorical", "`size`"],
    );
    says(
        &xgboost_error("\"size_leaf_vector\": \"1\"", "\"size_leaf_vector\": \"3\""),
        &["tree 0", "several numbers in a leaf"],
    );
    says(
        &import_xgboost(b"{L\0\0\0\0\0\0\0\x07learner{", &options()).unwrap_err(),
        &["UBJ", "save_model(\"model.json\")"],
    );
}

#[test]
fn malformed_xgboost_files_are_refused_with_their_place() {
    let bad = [
        ("\"left_children\": [1, 3", "\"left_children\": [0, 3", "two ways lead to node 0"),
        ("\"left_children\": [1, 3", "\"left_children\": [1, 0", "two ways lead to node 0"),
        ("\"left_children\": [1, 3", "\"left_children\": [1, 2", "two ways lead to node 2"),
        ("\"left_children\": [1, 3", "\"left_children\": [1, 9", "a way leads to node 9 of 5"),
        ("\"left_children\": [1, 3", "\"left_children\": [1, -1", "a way leads to node"),
        ("\"left_children\": [1, 3", "\"left_children\": [1, -2147483648", "a way leads to node"),
        ("\"left_children\": [1, 3", "\"left_children\": [3", "`left_children` has 4 numbers, `right_children` has 5"),
        ("\"split_indices\": [0, 1", "\"split_indices\": [0, 2", "node 1 asks for feature 2 of 2"),
        ("\"num_nodes\": \"5\"", "\"num_nodes\": \"6\"", "`num_nodes` is `6`"),
        ("\"num_nodes\": \"5\"", "\"num_nodes\": \"99999999999999999999\"", "`num_nodes` is `9999"),
        ("\"num_deleted\": \"2\"", "\"num_deleted\": \"0\"", "no way leads to 2 of its 3 nodes"),
        ("\"num_deleted\": \"2\"", "\"num_deleted\": \"-2\"", "`num_deleted` is `-2`"),
        ("\"tree_info\": [0, 0]", "\"tree_info\": [0, 1]", "tree 1: it adds to score 1 of 1"),
        ("\"tree_info\": [0, 0]", "\"tree_info\": [0]", "2 trees, and `tree_info` for 1"),
        ("\"num_feature\": \"2\"", "\"num_feature\": \"99999999\"", "number of features"),
        ("\"num_feature\": \"2\"", "\"num_feature\": \"0\"", "number of features"),
        ("\"num_feature\": \"2\"", "\"num_feature\": \"two\"", "`num_feature` is `two`"),
        ("-2.25", "NaN", "not a XGBoost model file"),
        ("-2.25", "1e99", "1e99 is no number of 32 bits"),
        ("0.125", "-1e40", "-1e40 is no number of 32 bits"),
        ("0.125", "16777217.0", "1.6777217e7 lies between two numbers of 32 bits"),
        ("\"default_left\": [0, 1", "\"default_left\": [0, 2", "not a XGBoost model file"),
        ("\"split_type\": [0, 0", "\"split_type\": [0, 300", "not a XGBoost model file"),
        ("\"tree_param\": {\"num_nodes\": \"5\"", "\"tree_param\": {\"n\": \"5\"", "missing field `num_nodes`"),
        ("{\"version\"", "[\"version\"", "not a XGBoost model file"),
    ];
    for (old, new, words) in bad {
        says(&xgboost_error(old, new), &[words]);
    }
    for length in 0..XGBOOST.len() {
        assert!(import_xgboost(&XGBOOST.as_bytes()[..length], &options()).is_err(), "cut at {length}");
    }
    // Deeper than any stack.
    let deep = [b"{\"learner\":".as_slice(), &b"[".repeat(1 << 20)].concat();
    says(&import_xgboost(&deep, &options()).unwrap_err(), &["not a XGBoost model file"]);
    // Old files have words for flags, and no list of kinds.
    let old = XGBOOST
        .replace("\"default_left\": [0, 1, 0, 0, 0]", "\"default_left\": [false, true, false, false, false]")
        .replace("\"split_type\": [0, 0, 0, 0, 0], ", "");
    assert!(old.contains("true") && !old.contains("split_type"));
    assert_eq!(
        import_xgboost(old.as_bytes(), &options()).unwrap().container,
        import_xgboost(XGBOOST.as_bytes(), &options()).unwrap().container
    );
}

#[test]
fn options_that_cannot_be_are_refused() {
    let import = |options: TreeOptions| import_lightgbm(LIGHTGBM.as_bytes(), &options).unwrap_err();
    says(&import(TreeOptions { labels: vec!["one".into()], ..options() }), &["1 labels for 2 classes"]);
    says(&import(TreeOptions { input_type: DType::I16, ..options() }), &["i32 or i64, not i16"]);
    says(&import(TreeOptions { input_fraction_bits: Some(63), ..options() }), &["63 fraction bits"]);
    let number = LIGHTGBM.replace("binary sigmoid:1", "regression");
    let table = crate::Table { rows: vec![vec![0.0, 0.0]], labels: vec![1], ..crate::Table::default() };
    let heldout = TreeOptions { heldout: Some(table), ..options() };
    says(&import_lightgbm(number.as_bytes(), &heldout).unwrap_err(), &["regression", "no classes"]);
    let model = Model::from_bytes(import_lightgbm(number.as_bytes(), &options()).unwrap().container).unwrap();
    assert_eq!((model.manifest().outputs.len(), model.manifest().outputs[0].name.as_str()), (1, "score"));
}

#[test]
fn trees_deeper_than_a_container_holds_are_refused() {
    let chain = |decisions: usize| {
        let list = |of: &dyn Fn(usize) -> String, count| (0..count).map(of).collect::<Vec<_>>().join(" ");
        let left = list(&|at| if at + 1 < decisions { (at + 1).to_string() } else { "-1".into() }, decisions);
        let right = list(&|at| format!("-{}", at + 2), decisions);
        let block = format!(
            "num_leaves={}\nsplit_feature={}\nthreshold={}\ndecision_type={}\nleft_child={left}\nright_child={right}\nleaf_value={}\n",
            decisions + 1,
            list(&|_| "0".into(), decisions),
            list(&|_| "1".into(), decisions),
            list(&|_| "2".into(), decisions),
            list(&|at| at.to_string(), decisions + 1),
        );
        let start = LIGHTGBM.find("num_leaves=3").unwrap();
        let end = LIGHTGBM.find("\nTree=1").unwrap();
        [&LIGHTGBM[..start], &block, &LIGHTGBM[end..]].concat()
    };
    assert_eq!(import_lightgbm(chain(1024).as_bytes(), &options()).unwrap().report.depth, 1024);
    let error = import_lightgbm(chain(1025).as_bytes(), &options()).unwrap_err();
    assert!(matches!(&error, ImportError::Model(ModelError::Node { .. })), "{error}");
    says(&error, &["1025 decisions on the longest way", "1024"]);
    // Far beyond any stack.
    assert!(import_lightgbm(chain(300_000).as_bytes(), &options()).is_err());
}

/// A threshold close to something on the grid, or anywhere.
fn thresholds() -> impl Strategy<Value = f64> {
    prop_oneof![
        (any::<i32>(), 0..31_i32).prop_map(|(q, bits)| f64::from(q) * 0.5_f64.powi(bits)),
        (any::<i32>(), 0..31_i32, prop::bool::ANY).prop_map(|(q, bits, up)| {
            let on_grid = f64::from(q) * 0.5_f64.powi(bits);
            if up { on_grid.next_up() } else { on_grid.next_down() }
        }),
        any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(f64::from),
        -1000.0..1000.0_f64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// On both sides of the integer threshold the library decides as the integers do, and order does the rest.
    #[test]
    fn integer_thresholds_decide_as_float_ones(
        at in thresholds(), bits in 0..31_u8, xgboost in prop::bool::ANY, wide in prop::bool::ANY, other in any::<i32>(),
    ) {
        let library = if xgboost { Library::XgBoost } else { Library::LightGbm };
        let at = if xgboost { f64::from(at as f32) } else { at };
        let dtype = if wide { DType::I64 } else { DType::I32 };
        let q = threshold(library, dtype, bits, at);
        for x in [q.saturating_sub(1), q, q.saturating_add(1), other.into()] {
            if x <= dtype.min() || x > dtype.max() {
                continue;
            }
            // The row as the library meets it: a real number, then its own float type.
            let real = x as f64 * 0.5_f64.powi(bits.into());
            let real = if xgboost { f64::from(x as f32 * 0.5_f32.powi(bits.into())) } else { real };
            let goes_left = if xgboost { real < at } else { real <= at };
            prop_assert_eq!(goes_left, x <= q, "{} at {} with {} bits", x, at, bits);
        }
    }
}
