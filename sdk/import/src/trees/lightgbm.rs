//! The text format of LightGBM: a header of `key=value` lines, a block of them for each tree, `end of trees`.

use std::{collections::BTreeMap, str::FromStr};

use super::{
    MAX_TREE_FILE_BYTES,
    ensemble::{
        FloatDecision, FloatTree, FloatTrees, Library, MAX_CLASSES, MAX_DECISIONS, MAX_FEATURES, MAX_TREES, Task,
    },
    wiring::{self, FileNode},
};
use crate::ImportError;

/// What an importer accepts, for messages.
const OBJECTIVES: &str = "binary, cross_entropy, multiclass, multiclassova, regression, regression_l1, huber, fair, \
                          quantile, mape, lambdarank, rank_xendcg";

/// Most lines of a block. LightGBM writes about twenty.
const MAX_LINES: usize = 1000;

/// Lines of one block, by key.
type Block<'a> = BTreeMap<&'a str, &'a str>;

pub(super) fn read(bytes: &[u8]) -> Result<FloatTrees, ImportError> {
    if bytes.len() > MAX_TREE_FILE_BYTES {
        let (value, limit) = (bytes.len() as u64, MAX_TREE_FILE_BYTES as u64);
        return Err(ImportError::Limit { what: "size of the file", value, limit });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_lightgbm(format!("it is no text: {error}")))?;
    let mut lines = text.lines().map(str::trim);
    if lines.by_ref().find(|line| !line.is_empty()) != Some("tree") {
        return Err(not_lightgbm("it does not begin with the line `tree`".into()));
    }
    let (header, mut next) = block(&mut lines)?;
    let header = Header::read(&header)?;

    let mut file = FloatTrees {
        library: Library::LightGbm,
        objective: header.objective.clone(),
        task: header.task,
        features: header.features,
        outputs: header.outputs,
        votes: 1.0,
        base: vec![0.0; header.outputs],
        trees: vec![],
    };
    let mut decisions = 0_usize;
    let cut = || not_lightgbm("it is cut: the line `end of trees` is missing".into());
    loop {
        let title = next.ok_or_else(cut)?;
        if title == "end of trees" {
            break;
        }
        let index = file.trees.len();
        if title != format!("Tree={index}") {
            return Err(not_lightgbm(format!("`{}` stands where `Tree={index}` should", shown(title))));
        }
        if index >= MAX_TREES {
            return Err(ImportError::Limit {
                what: "number of trees",
                value: index as u64 + 1,
                limit: MAX_TREES as u64,
            });
        }
        let (lines, after) = block(&mut lines)?;
        // Before anything is said about lists that are too short.
        next = Some(after.ok_or_else(cut)?);
        let tree = tree(&lines, index % header.outputs, &header);
        let tree = tree.map_err(|reason| ImportError::Tree { tree: index, reason })?;
        decisions += tree.decisions.len();
        if decisions > MAX_DECISIONS {
            let (value, limit) = (decisions as u64, MAX_DECISIONS as u64);
            return Err(ImportError::Limit { what: "number of decisions", value, limit });
        }
        file.trees.push(tree);
    }
    if let Some(trees) = header.trees.filter(|trees| *trees != file.trees.len()) {
        return Err(not_lightgbm(format!("it has {} trees, its header says {trees}", file.trees.len())));
    }
    if file.trees.is_empty() || !file.trees.len().is_multiple_of(header.outputs) {
        let (trees, outputs) = (file.trees.len(), header.outputs);
        return Err(not_lightgbm(format!("{trees} trees for {outputs} scores")));
    }
    Ok(file)
}

/// The lines up to the title of the next block, and that title. Words alone, like `average_output`, have no value.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<(Block<'a>, Option<&'a str>), ImportError> {
    let mut block = Block::new();
    for line in lines {
        if line == "end of trees" || line.starts_with("Tree=") {
            return Ok((block, Some(line)));
        }
        if line.is_empty() {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if block.len() == MAX_LINES {
            let limit = MAX_LINES as u64;
            return Err(ImportError::Limit { what: "number of lines of a block", value: limit + 1, limit });
        }
        if block.insert(key, value).is_some() {
            return Err(not_lightgbm(format!("`{}` stands twice in one block", shown(key))));
        }
    }
    Ok((block, None))
}

struct Header<'a> {
    objective: String,
    task: Task,
    features: usize,
    /// Names of the features with blanks between them.
    names: &'a str,
    outputs: usize,
    /// How many trees there should be.
    trees: Option<usize>,
}

impl<'a> Header<'a> {
    fn read(block: &Block<'a>) -> Result<Header<'a>, ImportError> {
        let missing = |key: &str| not_lightgbm(format!("its header has no `{key}`"));
        let number = |key: &str| -> Result<usize, ImportError> {
            let value = block.get(key).ok_or_else(|| missing(key))?;
            value.parse().map_err(|_| not_lightgbm(format!("`{key}` is `{}`", shown(value))))
        };
        if let Some(version) = block.get("version").filter(|version| !matches!(**version, "v2" | "v3" | "v4")) {
            return Err(not_lightgbm(format!("version `{}` is not known; v2, v3 and v4 are", shown(version))));
        }
        if block.contains_key("average_output") {
            return Err(unsupported("boosting `rf` (average_output)", "boosting gbdt, dart and goss"));
        }
        let last = number("max_feature_idx")?;
        if last >= MAX_FEATURES {
            let (value, limit) = ((last as u64).saturating_add(1), MAX_FEATURES as u64);
            return Err(ImportError::Limit { what: "number of features", value, limit });
        }
        let outputs = number("num_tree_per_iteration")?;
        if outputs == 0 || outputs > MAX_CLASSES {
            let (value, limit) = (outputs as u64, MAX_CLASSES as u64);
            return Err(ImportError::Limit { what: "number of scores", value, limit });
        }
        let objective = block.get("objective").ok_or_else(|| unsupported("a custom objective", OBJECTIVES))?;
        Ok(Header {
            objective: objective.split_whitespace().next().unwrap_or_default().to_owned(),
            task: task(objective, outputs)?,
            features: last + 1,
            names: block.get("feature_names").copied().unwrap_or_default(),
            outputs,
            trees: block.get("tree_sizes").map(|sizes| sizes.split_whitespace().count()),
        })
    }
}

/// What the objective, a name and parameters as `key:value`, makes of the scores.
fn task(objective: &str, outputs: usize) -> Result<Task, ImportError> {
    let mut words = objective.split_whitespace();
    let name = words.next().unwrap_or_default();
    let parameters: BTreeMap<&str, &str> = words.map(|word| word.split_once(':').unwrap_or((word, ""))).collect();
    let refused = || unsupported(&format!("the objective `{}`", shown(objective)), OBJECTIVES);
    let sigmoid = || {
        let slope = parameters.get("sigmoid").map_or(Ok(1.0), |value| value.parse::<f64>());
        slope.ok().filter(|slope| slope.is_finite() && *slope > 0.0).ok_or_else(refused)
    };
    let (task, expected) = match name {
        "binary" => (Task::Binary { slope: Some(sigmoid()?) }, 1),
        "cross_entropy" | "xentropy" => (Task::Binary { slope: Some(1.0) }, 1),
        "multiclass" | "softmax" => (Task::Classes { softmax: true }, outputs),
        // Each class has a probability of its own, which do not add up to 1.
        "multiclassova" => {
            sigmoid()?;
            (Task::Classes { softmax: false }, outputs)
        }
        // With `sqrt`, predictions are the squares of the scores.
        "regression" if parameters.contains_key("sqrt") => return Err(refused()),
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg" => {
            (Task::Number, 1)
        }
        _ => return Err(refused()),
    };
    if outputs != expected || (matches!(task, Task::Classes { .. }) && outputs < 2) {
        return Err(not_lightgbm(format!("{outputs} scores for the objective `{name}`")));
    }
    Ok(task)
}

fn tree(block: &Block<'_>, output: usize, header: &Header<'_>) -> Result<FloatTree, String> {
    let field = |key: &str| block.get(key).copied().ok_or_else(|| format!("it has no `{key}`"));
    let leaves = field("num_leaves")?;
    let leaves: usize = leaves.parse().map_err(|_| format!("`num_leaves` is `{}`", shown(leaves)))?;
    if block.get("is_linear").is_some_and(|linear| *linear != "0") {
        return Err("linear trees cannot be imported, constant leaves can".into());
    }
    if leaves == 0 || leaves > MAX_DECISIONS {
        return Err(format!("it has {leaves} leaves"));
    }
    let count = leaves - 1;
    let values: Vec<f64> = list(field("leaf_value")?, "leaf_value", leaves)?;
    let columns = |key: &'static str| if count == 0 { Ok("") } else { field(key) };
    let split: Vec<usize> = list(columns("split_feature")?, "split_feature", count)?;
    let thresholds: Vec<f64> = list(columns("threshold")?, "threshold", count)?;
    let kinds: Vec<u8> = list(columns("decision_type")?, "decision_type", count)?;
    let left: Vec<i32> = list(columns("left_child")?, "left_child", count)?;
    let right: Vec<i32> = list(columns("right_child")?, "right_child", count)?;

    // Decisions are nodes 0 to count - 1, leaves follow.
    let id = |child: i32| match usize::try_from(child) {
        Ok(decision) if decision >= count => usize::MAX,
        Ok(decision) => decision,
        Err(_) => usize::try_from(!child).map_or(usize::MAX, |leaf| count.saturating_add(leaf)),
    };
    let (tree, nodes) = wiring::follow(output, count + leaves, |node| {
        if let Some(leaf) = node.checked_sub(count) {
            return Ok(FileNode::Leaf(values[leaf]));
        }
        let feature = split[node];
        if feature >= header.features {
            return Err(format!("node {node} asks for feature {feature} of {}", header.features));
        }
        let (threshold, kind) = (thresholds[node], kinds[node]);
        if kind & 1 != 0 {
            let name = shown(header.names.split_ascii_whitespace().nth(feature).unwrap_or_default());
            return Err(format!(
                "node {node} splits the categorical feature {feature} (`{name}`), which cannot be imported; numerical \
                 splits can: encode the categories as numbers"
            ));
        }
        // Bit 1: missing goes left. Bits 2 and 3: what is missing: nothing (then a NaN is 0), zero (and NaN), NaN.
        let default_left = kind & 2 != 0;
        let (missing_left, zero_is_missing) = match kind >> 2 {
            0 => (0.0 <= threshold, false),
            1 => (default_left, true),
            2 => (default_left, false),
            _ => return Err(format!("node {node} has the decision type {kind}")),
        };
        let decision = FloatDecision { feature, threshold, missing_left, zero_is_missing, left: 0, right: 0 };
        Ok(FileNode::Decision(decision, [id(left[node]), id(right[node])]))
    })?;
    if nodes != count + leaves {
        return Err(format!("no way leads to {} of its {} nodes", count + leaves - nodes, count + leaves));
    }
    Ok(tree)
}

/// Numbers with blanks between them, exactly `count`.
fn list<T: FromStr>(text: &str, key: &str, count: usize) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    for word in text.split_ascii_whitespace() {
        if values.len() == count {
            return Err(format!("`{key}` has more than {count} numbers"));
        }
        let index = values.len();
        values.push(word.parse().map_err(|_| format!("`{key}` has `{}` at place {index}", shown(word)))?);
    }
    if values.len() < count {
        return Err(format!("`{key}` has {} numbers, {count} are needed", values.len()));
    }
    Ok(values)
}

/// Text of a file in a message: not all of it, and nothing that moves a cursor.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn not_lightgbm(reason: String) -> ImportError {
    ImportError::NotTrees { library: Library::LightGbm.name(), reason }
}

fn unsupported(what: &str, supported: &'static str) -> ImportError {
    ImportError::UnsupportedTrees { what: what.to_owned(), supported }
}
