//! Tree ensembles in ONNX, as scikit-learn's are written by skl2onnx: `TreeEnsembleClassifier` and `TreeEnsembleRegressor` of `ai.onnx.ml`.
//!
//! A leaf with numbers for several classes becomes a leaf of a tree for each class. Of two classes with one score the second is meant
//! where the score is above 0, or above one half where no leaf is below 0: so onnxruntime does it, and files rely on it.

use std::collections::BTreeMap;

use super::{
    ensemble::{FloatDecision, FloatTrees, Library, MAX_CLASSES, MAX_DECISIONS, MAX_FEATURES, MAX_TREES, Task},
    wiring::{self, FileNode},
};
use crate::{
    ImportError, ml, network,
    proto::{self, Attribute, GraphProto, NodeProto},
};

const SUPPORTED: &str = "a TreeEnsembleClassifier or TreeEnsembleRegressor that reads the input (float), with Cast, Identity and ZipMap around it";

/// Whether a node is an ensemble.
pub(super) fn is_ensemble(operator: &str) -> bool {
    matches!(operator, "TreeEnsembleClassifier" | "TreeEnsembleRegressor")
}

/// The ensemble of a file, and the names of its classes where it has any.
pub(super) fn read(bytes: &[u8]) -> Result<(FloatTrees, Vec<String>), ImportError> {
    let graph = network::parse(bytes)?;
    let node = ensemble_of(&graph)?;
    let refused =
        |reason: String| ImportError::Node { node: node.name.clone(), operator: node.op_type.clone(), reason };
    let features = features(&graph)?;
    let labels = ml::labels(node);
    let is_classifier = node.op_type == "TreeEnsembleClassifier";
    let leaves = Leaves::of(node, is_classifier).map_err(refused)?;
    let count = if is_classifier { labels.len() } else { 1 };
    if !(1..=MAX_CLASSES).contains(&count) {
        return Err(refused(format!("{count} classes")));
    }
    let (task, outputs) = task(node, is_classifier, &leaves, count).map_err(refused)?;
    let (library, nodes) = nodes(node, features).map_err(refused)?;
    let many = nodes.len() as f64;
    let votes = if leaves.are_votes(text(node, "post_transform", "NONE"), task, many) { many } else { 1.0 };
    let base = base(node, task, outputs, &leaves).map_err(refused)?;
    let base = base.into_iter().map(|base| base * votes).collect();
    let mut trees = FloatTrees {
        library,
        objective: format!("{} {}", node.op_type, text(node, "post_transform", "NONE")),
        task,
        features,
        outputs,
        votes,
        base,
        trees: vec![],
    };
    let mut decisions = 0_usize;
    let scale = if text(node, "aggregate_function", "SUM") == "AVERAGE" { 1.0 / many } else { 1.0 };
    for (index, (tree, nodes)) in nodes.iter().enumerate() {
        for output in 0..outputs {
            let of_output = |node: &Node| {
                let found = leaves.weights.get(&(*tree, node.id)).into_iter().flatten();
                found
                    .filter(|(class, _)| outputs == 1 || *class == output)
                    .map(|(_, weight)| if votes > 1.0 { whole(weight * votes) } else { weight * scale })
                    .sum::<f64>()
            };
            let any = nodes.iter().any(|node| {
                let weights = leaves.weights.get(&(*tree, node.id)).into_iter().flatten();
                weights.into_iter().any(|(class, _)| outputs == 1 || *class == output)
            });
            // Boosting has a tree for each class, with nothing for the others.
            if !any && outputs > 1 {
                continue;
            }
            let places: BTreeMap<i64, usize> = nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect();
            let place = |id: i64| places.get(&id).copied().unwrap_or(usize::MAX);
            let (converted, reached) = wiring::follow(output, nodes.len(), |at| match &nodes[at].decision {
                None => Ok(FileNode::Leaf(of_output(&nodes[at]))),
                Some((decision, [yes, no])) => Ok(FileNode::Decision(*decision, [place(*yes), place(*no)])),
            })
            .map_err(|reason| ImportError::Tree { tree: index, reason })?;
            if reached != nodes.len() {
                let reason = format!("no way leads to {} of its {} nodes", nodes.len() - reached, nodes.len());
                return Err(ImportError::Tree { tree: index, reason });
            }
            decisions += converted.decisions.len();
            trees.trees.push(converted);
            for (what, value, limit) in
                [("number of decisions", decisions, MAX_DECISIONS), ("number of trees", trees.trees.len(), MAX_TREES)]
            {
                if value > limit {
                    return Err(ImportError::Limit { what, value: value as u64, limit: limit as u64 });
                }
            }
        }
    }
    Ok((trees, labels))
}

/// The one ensemble, if the rest of the graph changes nothing that matters.
fn ensemble_of(graph: &GraphProto) -> Result<&NodeProto, ImportError> {
    let unsupported = |what: String| ImportError::UnsupportedTrees { what, supported: SUPPORTED };
    let mut ensembles = graph.node.iter().filter(|node| is_ensemble(&node.op_type));
    let (Some(node), None) = (ensembles.next(), ensembles.next()) else {
        return Err(unsupported("a graph with several ensembles, or none".into()));
    };
    for other in &graph.node {
        if !is_ensemble(&other.op_type) && !matches!(other.op_type.as_str(), "Cast" | "Identity" | "ZipMap") {
            return Err(unsupported(format!("node `{}` ({})", other.name, other.op_type)));
        }
    }
    // What it reads is the input, whatever name that got on the way.
    let mut name = node.input.first().map_or("", String::as_str);
    for _ in 0..=graph.node.len() {
        match graph.node.iter().find(|other| other.output.iter().any(|output| output == name)) {
            Some(before) => name = before.input.first().map_or("", String::as_str),
            None => break,
        }
    }
    if graph.input.len() == 1 && graph.input[0].name == name {
        return Ok(node);
    }
    Err(unsupported(format!("an ensemble that reads `{name}`, which is not the one input")))
}

/// How many features the input has.
fn features(graph: &GraphProto) -> Result<usize, ImportError> {
    let input = &graph.input[0];
    let refused = |reason: &str| ImportError::Input(format!("`{}` {reason}", input.name));
    let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| refused("is no tensor"))?;
    if tensor.elem_type != proto::FLOAT {
        return Err(refused("is not of floats, in which the ensemble compares"));
    }
    match tensor.shape.as_ref().map(|shape| &shape.dim[..]) {
        Some([_, features]) => usize::try_from(features.dim_value)
            .ok()
            .filter(|features| (1..=MAX_FEATURES).contains(features))
            .ok_or_else(|| refused("needs a fixed number of features")),
        _ => Err(refused("needs a shape of a batch and features")),
    }
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn text<'a>(node: &'a NodeProto, name: &str, default: &'static str) -> &'a str {
    attribute(node, name).map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    attribute(node, name).map_or(&[], |attribute| &attribute.ints)
}

fn floats<'a>(node: &'a NodeProto, name: &str) -> &'a [f32] {
    attribute(node, name).map_or(&[], |attribute| &attribute.floats)
}

/// What stands in the leaves: by tree and node, classes and numbers.
struct Leaves {
    weights: BTreeMap<(i64, i64), Vec<(usize, f64)>>,
    /// Whether only one class has numbers.
    single: bool,
    all_positive: bool,
}

impl Leaves {
    fn of(node: &NodeProto, is_classifier: bool) -> Result<Leaves, String> {
        let prefix = if is_classifier { "class" } else { "target" };
        let name = |end: &str| format!("{prefix}_{end}");
        let [trees, nodes, classes] = ["treeids", "nodeids", "ids"].map(|end| ints(node, &name(end)));
        let weights = floats(node, &name("weights"));
        if [trees.len(), nodes.len(), classes.len()] != [weights.len(); 3] || weights.is_empty() {
            return Err(format!(
                "lists of {}, {}, {} and {} for its leaves",
                trees.len(),
                nodes.len(),
                classes.len(),
                weights.len()
            ));
        }
        let mut leaves = Leaves {
            weights: BTreeMap::new(),
            single: classes.iter().all(|class| *class == classes[0]),
            all_positive: weights.iter().all(|weight| *weight >= 0.0),
        };
        for (((tree, node), class), weight) in trees.iter().zip(nodes).zip(classes).zip(weights) {
            if !weight.is_finite() {
                return Err(format!("a leaf has the value {weight}"));
            }
            let class = usize::try_from(*class).map_err(|_| format!("class {class}"))?;
            leaves.weights.entry((*tree, *node)).or_default().push((class, f64::from(*weight)));
        }
        Ok(leaves)
    }

    /// Whether these are probabilities divided by the number of trees, as those of a forest are.
    fn are_votes(&self, post: &str, task: Task, trees: f64) -> bool {
        let sums =
            || self.weights.values().map(|of_leaf| of_leaf.iter().map(|(_, weight)| weight * trees).sum::<f64>());
        const NEAR: f64 = 1e-5;
        post == "NONE"
            && self.all_positive
            && match task {
                Task::Binary { .. } => sums().all(|sum| sum < 1.0 + NEAR),
                Task::Classes { .. } => sums().all(|sum| (sum - 1.0).abs() < NEAR),
                Task::Number => false,
            }
    }
}

/// What a number of a file was before it was divided by the number of trees in `f32`.
#[allow(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn whole(value: f64) -> f64 {
    f64::from(value as f32)
}

/// What the scores mean, and how many there are.
fn task(node: &NodeProto, is_classifier: bool, leaves: &Leaves, classes: usize) -> Result<(Task, usize), String> {
    let aggregate = text(node, "aggregate_function", "SUM");
    let post = text(node, "post_transform", "NONE");
    let out_of_range = leaves.weights.values().flatten().any(|(class, _)| *class >= classes);
    if out_of_range {
        return Err(format!("leaves of a class beyond {classes}"));
    }
    if !is_classifier {
        let targets = attribute(node, "n_targets").map_or(1, |attribute| attribute.i);
        return match (targets, post, aggregate) {
            (1, "NONE", "SUM" | "AVERAGE") => Ok((Task::Number, 1)),
            _ => Err(format!(
                "{targets} targets, post_transform {post} and aggregate_function {aggregate}; 1, NONE, and SUM or AVERAGE can be imported"
            )),
        };
    }
    match (classes, post) {
        (2, "NONE") if leaves.single => Ok((Task::Binary { slope: None }, 1)),
        (2, "LOGISTIC") if leaves.single && !leaves.all_positive => Ok((Task::Binary { slope: Some(1.0) }, 1)),
        (3.., "NONE" | "LOGISTIC") => Ok((Task::Classes { softmax: false }, classes)),
        (3.., "SOFTMAX") => Ok((Task::Classes { softmax: true }, classes)),
        _ => Err(format!(
            "{classes} classes with post_transform {post}; two classes with one score (NONE, or LOGISTIC with leaves below 0) and more classes (NONE, LOGISTIC, SOFTMAX) can be imported"
        )),
    }
}

/// What each score begins with.
fn base(node: &NodeProto, task: Task, outputs: usize, leaves: &Leaves) -> Result<Vec<f64>, String> {
    let given: Vec<f64> = floats(node, "base_values").iter().map(|value| f64::from(*value)).collect();
    if given.iter().any(|value| !value.is_finite()) || !(given.is_empty() || given.len() == outputs) {
        return Err(format!("{} base_values for {outputs} scores", given.len()));
    }
    let mut base = if given.is_empty() { vec![0.0; outputs] } else { given };
    if matches!(task, Task::Binary { .. }) && leaves.all_positive {
        base[0] -= 0.5;
    }
    Ok(base)
}

struct Node {
    id: i64,
    /// None for a leaf; otherwise where it leads to if it holds and if it does not.
    decision: Option<(FloatDecision, [i64; 2])>,
}

type Trees = Vec<(i64, Vec<Node>)>;

/// The nodes of every tree, the root first, and how they compare.
fn nodes(node: &NodeProto, features: usize) -> Result<(Library, Trees), String> {
    let [trees, ids, of_feature, yes, no] = ["treeids", "nodeids", "featureids", "truenodeids", "falsenodeids"]
        .map(|end| ints(node, &format!("nodes_{end}")));
    let modes = attribute(node, "nodes_modes").map_or(&[][..], |attribute| &attribute.strings);
    let values = floats(node, "nodes_values");
    let tracks = ints(node, "nodes_missing_value_tracks_true");
    let count = trees.len();
    let lengths = [ids.len(), of_feature.len(), yes.len(), no.len(), modes.len(), values.len()];
    if lengths != [count; 6] || count == 0 || !(tracks.is_empty() || tracks.len() == count) {
        return Err(format!("lists of {count}, {lengths:?} and {} for its nodes", tracks.len()));
    }
    let mut library = None;
    let mut all: Trees = vec![];
    let mut places: BTreeMap<i64, usize> = BTreeMap::new();
    for at in 0..count {
        let decision = match &modes[at][..] {
            b"LEAF" => None,
            mode @ (b"BRANCH_LEQ" | b"BRANCH_LT") => {
                let own = Library::Onnx { or_equal: mode == b"BRANCH_LEQ" };
                if *library.get_or_insert(own) != own {
                    return Err("compares by BRANCH_LEQ and by BRANCH_LT; one of them can be imported".into());
                }
                let feature = usize::try_from(of_feature[at]).ok().filter(|feature| *feature < features);
                let feature =
                    feature.ok_or_else(|| format!("node {at} asks for feature {} of {features}", of_feature[at]))?;
                let decision = FloatDecision {
                    feature,
                    threshold: f64::from(values[at]),
                    missing_left: tracks.get(at).is_some_and(|tracks| *tracks != 0),
                    zero_is_missing: false,
                    left: 0,
                    right: 0,
                };
                Some((decision, [yes[at], no[at]]))
            }
            mode => {
                let mode = String::from_utf8_lossy(&mode[..mode.len().min(20)]).into_owned();
                return Err(format!("node {at} has the mode {mode:?}; BRANCH_LEQ, BRANCH_LT and LEAF can be imported"));
            }
        };
        let place = *places.entry(trees[at]).or_insert(all.len());
        if place == all.len() {
            all.push((trees[at], vec![]));
        }
        all[place].1.push(Node { id: ids[at], decision });
    }
    for (tree, nodes) in &all {
        let mut ids: Vec<i64> = nodes.iter().map(|node| node.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("two nodes of tree {tree} have one number"));
        }
    }
    Ok((library.unwrap_or(Library::Onnx { or_equal: true }), all))
}
