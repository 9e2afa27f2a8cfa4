//! Linear models and scalers of scikit-learn, as skl2onnx writes them in the domain `ai.onnx.ml`, said with the operators of ONNX itself.

use crate::{
    ImportError,
    proto::{Attribute, FLOAT, GraphProto, NodeProto, TensorProto},
};

/// The domain of these operators.
const DOMAIN: &str = "ai.onnx.ml";

fn is_ml(node: &NodeProto) -> bool {
    node.domain == DOMAIN
}

/// The names of the classes of a classifier; none where it says none.
pub(crate) fn labels(node: &NodeProto) -> Vec<String> {
    let of = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    if let Some(found) = of("classlabels_strings").filter(|found| !found.strings.is_empty()) {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
        return found.strings.iter().map(text).collect();
    }
    let numbers = ["classlabels_int64s", "classlabels_ints"].iter().find_map(|name| of(name));
    numbers.map_or_else(Vec::new, |found| found.ints.iter().map(i64::to_string).collect())
}

/// Whether labels only count, from 0 on.
pub(crate) fn is_counting(labels: &[String]) -> bool {
    labels.iter().enumerate().all(|(index, label)| *label == index.to_string())
}

/// The labels of the one classifier of a graph, where they say more than its number.
pub(crate) fn labels_of(graph: &GraphProto) -> Vec<String> {
    let classifier = graph.node.iter().find(|node| is_ml(node) && node.op_type == "LinearClassifier");
    classifier.map(labels).filter(|labels| !is_counting(labels)).unwrap_or_default()
}

/// Replaces the nodes of the domain; a graph without them stays what it is.
pub(crate) fn rewrite(graph: &mut GraphProto) -> Result<(), ImportError> {
    if !graph.node.iter().any(is_ml) {
        return Ok(());
    }
    let inputs: Vec<String> = graph.input.iter().map(|input| input.name.clone()).collect();
    let mut made = Made { nodes: vec![], constants: vec![], classes: vec![], probabilities: vec![] };
    for node in std::mem::take(&mut graph.node) {
        let refused =
            |reason: String| ImportError::Node { node: called(&node), operator: node.op_type.clone(), reason };
        let reads = node.input.first().cloned().unwrap_or_default();
        match (is_ml(&node), node.op_type.as_str()) {
            (true, "Scaler") => made.scaler(&node).map_err(refused)?,
            (true, "LinearClassifier") => made.classifier(&node).map_err(refused)?,
            (true, "LinearRegressor") => made.regressor(&node).map_err(refused)?,
            (true, "ZipMap") => made.same(&node),
            (true, "Normalizer") if made.probabilities.contains(&reads) && text(&node, "norm") == "L1" => {
                // They add up to 1 already.
                made.probabilities.extend(node.output.first().cloned());
                made.same(&node);
            }
            (true, "Normalizer") => {
                return Err(refused("behind probabilities, with the norm L1, it can be imported".into()));
            }
            (false, "Cast") if made.classes.contains(&reads) || inputs.contains(&reads) => made.same(&node),
            _ => made.nodes.push(node),
        }
    }
    graph.node = made.nodes;
    graph.initializer.extend(made.constants);
    Ok(())
}

/// What the graph has now.
struct Made {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    /// Values that are the number of a class.
    classes: Vec<String>,
    /// Values that are probabilities.
    probabilities: Vec<String>,
}

fn called(node: &NodeProto) -> String {
    if node.name.is_empty() { node.op_type.clone() } else { node.name.clone() }
}

fn text<'a>(node: &'a NodeProto, name: &str) -> &'a str {
    let attribute = node.attribute.iter().find(|attribute| attribute.name == name);
    attribute.map_or("", |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
}

fn floats<'a>(node: &'a NodeProto, name: &str) -> &'a [f32] {
    node.attribute.iter().find(|attribute| attribute.name == name).map_or(&[], |attribute| &attribute.floats)
}

fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: value, ..Attribute::default() }
}

impl Made {
    fn node(&mut self, name: &str, operator: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn constant(&mut self, name: String, dims: &[usize], values: Vec<f32>) -> String {
        let dims = dims.iter().map(|dim| i64::try_from(*dim).unwrap_or(i64::MAX)).collect();
        let tensor =
            TensorProto { dims, data_type: FLOAT, name: name.clone(), float_data: values, ..TensorProto::default() };
        self.constants.push(tensor);
        name
    }

    /// Another name for what is read.
    fn same(&mut self, node: &NodeProto) {
        let input = node.input.first().map_or("", String::as_str);
        let output = node.output.first().map_or("", String::as_str);
        self.node(&called(node), "Identity", &[input], output, vec![]);
    }

    fn ends(node: &NodeProto, outputs: usize) -> Result<(String, Vec<String>), String> {
        match (&node.input[..], node.output.len()) {
            ([input], given) if (1..=outputs).contains(&given) => Ok((input.clone(), node.output.clone())),
            _ => Err(format!("{} inputs and {} results", node.input.len(), node.output.len())),
        }
    }

    fn scaler(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = Made::ends(node, 1)?;
        let name = called(node);
        let (offset, scale) = (floats(node, "offset").to_vec(), floats(node, "scale").to_vec());
        if offset.is_empty() || scale.is_empty() {
            return Err("has no offset or no scale".into());
        }
        let (offsets, scales) = (offset.len(), scale.len());
        let offset = self.constant(format!("{name} offset"), &[offsets], offset);
        let scale = self.constant(format!("{name} scale"), &[scales], scale);
        let centred = format!("{name} centred");
        self.node(&format!("{name} centre"), "Sub", &[&input, &offset], &centred, vec![]);
        self.node(&name, "Mul", &[&centred, &scale], &output[0], vec![]);
        Ok(())
    }

    /// Rows of weights and an intercept for each, of so many scores.
    fn weights(node: &NodeProto, rows: usize) -> Result<(Vec<f32>, Vec<f32>, usize), String> {
        let (weights, intercepts) = (floats(node, "coefficients").to_vec(), floats(node, "intercepts").to_vec());
        let features = weights.len() / rows.max(1);
        if rows == 0 || features == 0 || weights.len() != rows * features {
            return Err(format!("{} coefficients for {rows} scores", weights.len()));
        }
        match intercepts.len() {
            0 => Ok((weights, vec![0.0; rows], features)),
            count if count == rows => Ok((weights, intercepts, features)),
            count => Err(format!("{count} intercepts for {rows} scores")),
        }
    }

    fn linear(&mut self, name: &str, input: &str, output: &str, weights: Vec<f32>, intercepts: Vec<f32>) {
        let rows = intercepts.len();
        let features = weights.len() / rows;
        let weights = self.constant(format!("{name} coefficients"), &[rows, features], weights);
        let intercepts = self.constant(format!("{name} intercepts"), &[rows], intercepts);
        self.node(name, "Gemm", &[input, &weights, &intercepts], output, vec![int("transB", 1)]);
    }

    fn regressor(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = Made::ends(node, 1)?;
        let targets = node.attribute.iter().find(|attribute| attribute.name == "targets").map_or(1, |found| found.i);
        if !matches!(text(node, "post_transform"), "" | "NONE") {
            return Err("post_transform must be NONE".into());
        }
        let targets = usize::try_from(targets).map_err(|_| format!("{targets} targets"))?;
        let (weights, intercepts, _) = Made::weights(node, targets)?;
        self.linear(&called(node), &input, &output[0], weights, intercepts);
        Ok(())
    }

    fn classifier(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = Made::ends(node, 2)?;
        let name = called(node);
        let classes = labels(node).len();
        let rows = floats(node, "intercepts").len();
        let (mut weights, mut intercepts, features) = Made::weights(node, if rows == 0 { classes } else { rows })?;
        let mut post = text(node, "post_transform");
        if classes == 2 && intercepts.len() == 1 {
            // The score of the second class; the first has none.
            weights.splice(0..0, vec![0.0; features]);
            intercepts.insert(0, 0.0);
        } else if post == "LOGISTIC" && classes == 2 {
            let opposite = |values: &[f32]| {
                let (first, second) = values.split_at(values.len() / 2);
                first.iter().zip(second).all(|(a, b)| *a == -*b)
            };
            if !opposite(&weights) || !opposite(&intercepts) {
                return Err("two classes with post_transform LOGISTIC whose scores are not opposite".into());
            }
            // The sigmoid of s is the softmax of s / 2 and -s / 2.
            weights.iter_mut().chain(&mut intercepts).for_each(|value| *value /= 2.0);
        }
        if classes != intercepts.len() {
            return Err(format!("{} scores for {classes} classes", intercepts.len()));
        }
        if post == "LOGISTIC" && classes == 2 {
            post = "SOFTMAX";
        }
        let scores = format!("{name} scores");
        self.linear(&name, &input, &scores, weights, intercepts);
        self.node(&format!("{name} class"), "ArgMax", &[&scores], &output[0], vec![int("axis", 1), int("keepdims", 0)]);
        self.classes.push(output[0].clone());
        if let Some(output) = output.get(1) {
            match post {
                "SOFTMAX" => {
                    self.node(&format!("{name} probabilities"), "Softmax", &[&scores], output, vec![int("axis", -1)]);
                    self.probabilities.push(output.clone());
                }
                "" | "NONE" => self.node(&format!("{name} raw"), "Identity", &[&scores], output, vec![]),
                other => {
                    return Err(format!(
                        "post_transform {other} of {classes} classes; NONE, SOFTMAX, and LOGISTIC of two can be imported"
                    ));
                }
            }
        }
        Ok(())
    }
}
