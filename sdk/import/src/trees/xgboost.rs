//! The JSON format of XGBoost.

use serde::{Deserialize, Deserializer, de};

use super::{
    MAX_TREE_FILE_BYTES,
    ensemble::{
        FloatDecision, FloatTree, FloatTrees, Library, MAX_CLASSES, MAX_DECISIONS, MAX_FEATURES, MAX_TREES, Task,
    },
    wiring::{self, FileNode},
};
use crate::ImportError;

/// What an importer accepts, for messages.
const OBJECTIVES: &str = "binary:logistic, binary:logitraw, binary:hinge, reg:logistic, multi:softmax, multi:softprob, \
                          reg:squarederror, reg:squaredlogerror, reg:pseudohubererror, reg:absoluteerror, \
                          reg:quantileerror, rank:ndcg, rank:map, rank:pairwise";

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    gradient_booster: Booster,
    learner_model_param: ModelParameters,
    objective: Objective,
    #[serde(default)]
    feature_names: Names,
}

/// Names of features, for messages: no more of them than there may be features.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Names;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {MAX_FEATURES} names")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Names, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    if all.len() == MAX_FEATURES {
                        return Err(de::Error::invalid_length(all.len() + 1, &self));
                    }
                    all.push(name);
                }
                Ok(Names(all))
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Trees>,
}

#[derive(Deserialize)]
struct ModelParameters {
    base_score: String,
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: Option<String>,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct Trees {
    tree_info: Vec<u32>,
    trees: Vec<Tree>,
    cats: Option<Categories>,
}

/// How categories of a data frame were numbered.
#[derive(Deserialize)]
struct Categories {
    #[serde(default)]
    enc: Vec<de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Tree {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    split_conditions: Vec<Single>,
    default_left: Vec<Flag>,
    #[serde(default)]
    split_type: Vec<u8>,
    tree_param: TreeParameters,
}

#[derive(Deserialize)]
struct TreeParameters {
    num_nodes: String,
    #[serde(default)]
    num_deleted: Option<String>,
    #[serde(default)]
    size_leaf_vector: Option<String>,
}

/// 0 or 1; older versions wrote `false` and `true`.
#[derive(Clone, Copy)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Flag;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("0, 1, false or true")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 | 1 => Ok(Flag(value == 1)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The `f32` that a decimal number is nearest to.
///
/// XGBoost writes the shortest decimal that names one `f32`. `serde_json` reads an `f64` that may be two units away from
/// the decimal; where such an error could decide between two `f32`, the number is refused, so that what is read is what
/// was meant.
#[derive(Clone, Copy)]
struct Single(f32);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Single, D::Error> {
        nearest(f64::deserialize(deserializer)?).map(Single).map_err(de::Error::custom)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn nearest(value: f64) -> Result<f32, String> {
    let (mut below, mut above) = (value, value);
    for _ in 0..4 {
        (below, above) = (below.next_down(), above.next_up());
    }
    // Zero is exact: nothing small enough to become it is written as anything else.
    if value != 0.0 && (below as f32).to_bits() != (above as f32).to_bits() {
        return Err(format!("{value:e} lies between two numbers of 32 bits"));
    }
    if (value as f32).is_finite() { Ok(value as f32) } else { Err(format!("{value:e} is no number of 32 bits")) }
}

pub(super) fn read(bytes: &[u8]) -> Result<FloatTrees, ImportError> {
    if bytes.len() > MAX_TREE_FILE_BYTES {
        let (value, limit) = (bytes.len() as u64, MAX_TREE_FILE_BYTES as u64);
        return Err(ImportError::Limit { what: "size of the file", value, limit });
    }
    if is_binary(bytes) {
        let supported = "JSON: write it again with Booster.save_model(\"model.json\")";
        return Err(unsupported("binary JSON (UBJ)", supported));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| not_xgboost(error.to_string()))?;
    let Learner { gradient_booster, learner_model_param: parameters, objective, feature_names } = file.learner;
    let (Some(model), "gbtree") = (gradient_booster.model, gradient_booster.name.as_str()) else {
        return Err(unsupported(&format!("the booster `{}`", shown(&gradient_booster.name)), "gbtree"));
    };
    if model.cats.is_some_and(|categories| !categories.enc.is_empty()) {
        return Err(unsupported("categorical features", "numerical ones: encode the categories as numbers"));
    }
    if parameters.num_target.as_deref().is_some_and(|targets| !matches!(targets, "0" | "1")) {
        return Err(unsupported("several targets", "one target, or classes"));
    }
    let features: usize = number("num_feature", &parameters.num_feature)?;
    if features == 0 || features > MAX_FEATURES {
        let limit = MAX_FEATURES as u64;
        return Err(ImportError::Limit { what: "number of features", value: features as u64, limit });
    }
    let (task, outputs) = task(&objective.name, number("num_class", &parameters.num_class)?)?;
    let base = base(&parameters.base_score, &objective.name, outputs)?;

    if model.trees.len() > MAX_TREES {
        let (value, limit) = (model.trees.len() as u64, MAX_TREES as u64);
        return Err(ImportError::Limit { what: "number of trees", value, limit });
    }
    if model.trees.len() != model.tree_info.len() || model.trees.is_empty() {
        let (trees, classes) = (model.trees.len(), model.tree_info.len());
        return Err(not_xgboost(format!("{trees} trees, and `tree_info` for {classes}")));
    }
    let mut decisions = 0_usize;
    let mut trees = Vec::with_capacity(model.trees.len());
    for (index, (tree, output)) in model.trees.iter().zip(&model.tree_info).enumerate() {
        let output = usize::try_from(*output).unwrap_or(usize::MAX);
        let tree = convert(tree, output, outputs, features, &feature_names.0);
        let tree = tree.map_err(|reason| ImportError::Tree { tree: index, reason })?;
        decisions += tree.decisions.len();
        if decisions > MAX_DECISIONS {
            let (value, limit) = (decisions as u64, MAX_DECISIONS as u64);
            return Err(ImportError::Limit { what: "number of decisions", value, limit });
        }
        trees.push(tree);
    }
    Ok(FloatTrees {
        library: Library::XgBoost,
        objective: objective.name,
        task,
        features,
        outputs,
        votes: 1.0,
        base,
        trees,
    })
}

/// Whether this is the start of an object in UBJSON: a brace, then the type of the length of a key.
fn is_binary(bytes: &[u8]) -> bool {
    matches!(bytes, [b'{', b'i' | b'U' | b'I' | b'l' | b'L' | b'$' | b'#', ..])
}

fn task(objective: &str, classes: usize) -> Result<(Task, usize), ImportError> {
    let (task, several) = match objective {
        "binary:logistic" | "reg:logistic" => (Task::Binary { slope: Some(1.0) }, false),
        // Their predictions are scores or classes, no probabilities.
        "binary:logitraw" | "binary:hinge" => (Task::Binary { slope: None }, false),
        "multi:softmax" | "multi:softprob" => (Task::Classes { softmax: true }, true),
        "reg:squarederror"
        | "reg:squaredlogerror"
        | "reg:pseudohubererror"
        | "reg:absoluteerror"
        | "reg:quantileerror"
        | "rank:ndcg"
        | "rank:map"
        | "rank:pairwise" => (Task::Number, false),
        _ => return Err(unsupported(&format!("the objective `{}`", shown(objective)), OBJECTIVES)),
    };
    match (several, classes) {
        (false, 0 | 1) => Ok((task, 1)),
        (true, 2..=MAX_CLASSES) => Ok((task, classes)),
        _ => Err(not_xgboost(format!("{classes} classes for the objective `{objective}`"))),
    }
}

/// What each score begins with. The file holds it as a prediction: one number, or since version 3.1 a list.
#[allow(clippy::cast_possible_truncation, reason = "XGBoost keeps the margin in f32")]
fn base(text: &str, objective: &str, outputs: usize) -> Result<Vec<f64>, ImportError> {
    let refused = || not_xgboost(format!("`base_score` is `{}`", shown(text)));
    let inner = text.strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']')).ok_or_else(refused)?;
    let mut values = Vec::new();
    for value in inner.split(',') {
        let value: f32 = value.trim().parse().map_err(|_| refused())?;
        let margin = match objective {
            "binary:logistic" | "binary:logitraw" | "reg:logistic" => {
                // -ln(1 / p - 1), in the float type of the library.
                f64::from(-(f64::from(1.0 / value - 1.0).ln()) as f32)
            }
            _ => f64::from(value),
        };
        if !margin.is_finite() {
            return Err(refused());
        }
        values.push(margin);
    }
    match values.len() {
        1 => Ok(vec![values[0]; outputs]),
        count if count == outputs => Ok(values),
        count => Err(not_xgboost(format!("`base_score` has {count} numbers for {outputs} scores"))),
    }
}

fn convert(tree: &Tree, output: usize, outputs: usize, features: usize, names: &[String]) -> Result<FloatTree, String> {
    let count = tree.left_children.len();
    let lengths = [
        ("right_children", tree.right_children.len()),
        ("split_indices", tree.split_indices.len()),
        ("split_conditions", tree.split_conditions.len()),
        ("default_left", tree.default_left.len()),
        // Files of old versions know no categorical splits.
        ("split_type", if tree.split_type.is_empty() { count } else { tree.split_type.len() }),
    ];
    if let Some((name, length)) = lengths.into_iter().find(|(_, length)| *length != count) {
        return Err(format!("`left_children` has {count} numbers, `{name}` has {length}"));
    }
    let TreeParameters { num_nodes, num_deleted, size_leaf_vector } = &tree.tree_param;
    if num_nodes.parse() != Ok(count) {
        return Err(format!("it has {count} nodes, `num_nodes` is `{}`", shown(num_nodes)));
    }
    if size_leaf_vector.as_deref().is_some_and(|size| !matches!(size, "0" | "1")) {
        return Err("trees with several numbers in a leaf cannot be imported, one tree for each class can".into());
    }
    if output >= outputs {
        return Err(format!("it adds to score {output} of {outputs}"));
    }
    // A number that no node has stands for a wrong one.
    let id = |child: i32| usize::try_from(child).unwrap_or(usize::MAX);
    let (converted, nodes) = wiring::follow(output, count, |node| {
        let (left, right) = (tree.left_children[node], tree.right_children[node]);
        let condition = f64::from(tree.split_conditions[node].0);
        if left == -1 && right == -1 {
            return Ok(FileNode::Leaf(condition));
        }
        let feature = usize::try_from(tree.split_indices[node]).unwrap_or(usize::MAX);
        if feature >= features {
            return Err(format!("node {node} asks for feature {feature} of {features}"));
        }
        if tree.split_type.get(node).is_some_and(|kind| *kind != 0) {
            let name = names.get(feature).map_or_else(|| format!("f{feature}"), |name| shown(name));
            return Err(format!(
                "node {node} splits the categorical feature {feature} (`{name}`), which cannot be imported; numerical \
                 splits can: encode the categories as numbers"
            ));
        }
        let decision = FloatDecision {
            feature,
            threshold: condition,
            missing_left: tree.default_left[node].0,
            zero_is_missing: false,
            left: 0,
            right: 0,
        };
        Ok(FileNode::Decision(decision, [id(left), id(right)]))
    })?;
    // Pruning leaves nodes behind that nothing leads to.
    let deleted = num_deleted.as_deref().map_or(Ok(0), str::parse::<usize>);
    if deleted != Ok(count - nodes) {
        let stated = num_deleted.as_deref().unwrap_or("0");
        return Err(format!(
            "no way leads to {} of its {count} nodes, `num_deleted` is `{}`",
            count - nodes,
            shown(stated)
        ));
    }
    Ok(converted)
}

fn number(key: &str, text: &str) -> Result<usize, ImportError> {
    text.parse().map_err(|_| not_xgboost(format!("`{key}` is `{}`", shown(text))))
}

/// Text of a file in a message: not all of it, and nothing that moves a cursor.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn not_xgboost(reason: String) -> ImportError {
    ImportError::NotTrees { library: Library::XgBoost.name(), reason }
}

fn unsupported(what: &str, supported: &'static str) -> ImportError {
    ImportError::UnsupportedTrees { what: what.to_owned(), supported }
}
