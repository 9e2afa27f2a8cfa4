//! A network as the file means it: steps in float, each on one activation.

use std::collections::BTreeMap;

use prost::Message;

use crate::{
    ImportError,
    budget::Budget,
    constant::Constant,
    ml, node,
    order::{self, Made},
    proto::{self, GraphProto, ModelProto},
    wire,
};

/// Most nodes of a network.
const MAX_NODES: usize = 4096;
/// Most features of a row, and most values of any activation of one row.
pub(crate) const MAX_WIDTH: usize = 1 << 24;
const MIN_OPSET: i64 = 13;

/// A network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The name of its input.
    pub(crate) input: String,
    /// Features of a row, whatever axes they have in the file.
    pub(crate) features: usize,
    pub(crate) steps: Vec<Step>,
    /// The activation that holds the scores of the classes.
    pub(crate) logits: Activation,
    /// Whether the network turns the scores into probabilities.
    pub(crate) softmax: bool,
}

/// 0 is the input, `i + 1` the result of step `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Activation(pub(crate) usize);

/// An operator applied to an activation.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The node it comes from.
    pub(crate) node: String,
    /// Its operator in the file.
    pub(crate) operator: String,
    pub(crate) op: FloatOp,
    pub(crate) from: Activation,
    /// Shape of one row of the result.
    pub(crate) dims: Vec<usize>,
}

impl Step {
    pub(crate) fn error(&self, reason: impl Into<String>) -> ImportError {
        ImportError::Node { node: self.node.clone(), operator: self.operator.clone(), reason: reason.into() }
    }
}

/// What a step computes.
#[derive(Clone, Debug)]
pub(crate) enum FloatOp {
    /// With a constant: one number, or one for each element of the last axis.
    Affine(Affine, Vec<f32>),
    /// `x W^T + b`, `weights` as `[outputs][inputs]`.
    Linear {
        weights: Vec<f32>,
        bias: Option<Vec<f32>>,
    },
    Relu,
    Softmax,
    ArgMax,
    /// Moves nothing: `Identity`, `Flatten`, `Reshape` of a row.
    Same,
}

/// The four operations with a constant on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affine {
    Add,
    Sub,
    Mul,
    Div,
}

/// What a name stands for while the nodes are read.
pub(crate) enum Value {
    Constant(Constant),
    Activation(Activation),
}

impl Network {
    /// Reads a graph.
    pub(crate) fn read(graph: GraphProto) -> Result<Network, ImportError> {
        Reader::read(graph)
    }

    /// The width of an activation: how many numbers a row of it has.
    pub(crate) fn dims(&self, activation: Activation) -> Vec<usize> {
        match activation.0.checked_sub(1) {
            None => vec![self.features],
            Some(step) => self.steps[step].dims.clone(),
        }
    }

    /// The steps from the input to the scores, in order.
    pub(crate) fn path(&self) -> Vec<usize> {
        let mut path = Vec::new();
        let mut at = self.logits;
        while let Some(step) = at.0.checked_sub(1) {
            path.push(step);
            at = self.steps[step].from;
        }
        path.reverse();
        path
    }
}

/// The graph of a file, with operators of ONNX itself; any bytes may be passed.
pub(crate) fn open(bytes: &[u8]) -> Result<GraphProto, ImportError> {
    let mut graph = parse(bytes)?;
    ml::rewrite(&mut graph)?;
    Ok(graph)
}

/// The graph of a file as it stands there; any bytes may be passed.
pub(crate) fn parse(bytes: &[u8]) -> Result<GraphProto, ImportError> {
    wire::check(bytes)?;
    let model = ModelProto::decode(bytes).map_err(|error| ImportError::NotOnnx(error.to_string()))?;
    let graph = model.graph.ok_or_else(|| ImportError::NotOnnx("it has no graph".into()))?;
    let opsets = model.opset_import.iter().filter(|set| is_default_domain(&set.domain));
    let opset = opsets.map(|set| set.version).min().unwrap_or(0);
    if opset < MIN_OPSET {
        return Err(ImportError::Opset(opset));
    }
    if graph.node.len() > MAX_NODES {
        let (value, limit) = (graph.node.len() as u64, MAX_NODES as u64);
        return Err(ImportError::Limit { what: "number of nodes", value, limit });
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(ImportError::Input("sparse initialisers cannot be imported".into()));
    }
    Ok(graph)
}

pub(crate) fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// Reads a graph node by node.
pub(crate) struct Reader {
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) steps: Vec<Step>,
    pub(crate) budget: Budget,
    /// Shape of a row of the input.
    input_dims: Vec<usize>,
}

impl Reader {
    fn read(graph: GraphProto) -> Result<Network, ImportError> {
        let mut reader =
            Reader { values: BTreeMap::new(), steps: Vec::new(), budget: Budget::new(), input_dims: Vec::new() };
        for tensor in graph.initializer {
            let name = tensor.name.clone();
            let constant = Constant::read(tensor)?;
            reader.budget.found(constant.elements());
            reader.define(name, Value::Constant(constant))?;
        }
        let input = reader.read_input(&graph.input)?;

        let made = Made::by(&graph.node)?;
        for (index, node) in graph.node.into_iter().enumerate() {
            let called = order::called(index, &node);
            made.check(&called, &node, |value| reader.values.contains_key(value))?;
            node::read(&mut reader, called, node)?;
        }
        let (logits, softmax) = reader.read_outputs(&graph.output)?;
        let features = reader.input_dims.iter().product();
        Ok(Network { input, features, steps: reader.steps, logits, softmax })
    }

    pub(crate) fn define(&mut self, name: String, value: Value) -> Result<(), ImportError> {
        if self.values.contains_key(&name) {
            return Err(ImportError::Duplicate(name));
        }
        self.values.insert(name, value);
        Ok(())
    }

    /// Shape of one row of an activation.
    pub(crate) fn dims(&self, activation: Activation) -> &[usize] {
        activation.0.checked_sub(1).map_or(&self.input_dims, |step| &self.steps[step].dims)
    }

    fn read_input(&mut self, inputs: &[proto::ValueInfo]) -> Result<String, ImportError> {
        // Old files list initialisers among the inputs.
        let mut real = inputs.iter().filter(|input| !self.values.contains_key(&input.name));
        let (Some(input), None) = (real.next(), real.next()) else {
            let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
            return Err(ImportError::Input(format!("exactly one is needed, the graph has {names:?}")));
        };
        let refused = |reason: String| ImportError::Input(format!("`{}` {reason}", input.name));
        let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| refused("is no tensor".into()))?;
        if tensor.elem_type != proto::FLOAT && tensor.elem_type != proto::DOUBLE {
            return Err(refused(format!("has element type {}; float or double is needed", tensor.elem_type)));
        }
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let Some((_, row)) = dims.split_first().filter(|(_, row)| !row.is_empty() && row.len() < 8) else {
            return Err(refused("needs a shape of a batch and features".into()));
        };
        let mut width = Some(1);
        for dim in row {
            let dim = usize::try_from(dim.dim_value).ok().filter(|dim| *dim > 0);
            let dim = dim.ok_or_else(|| refused("has features without a fixed size".into()))?;
            self.input_dims.push(dim);
            width = width.and_then(|width: usize| width.checked_mul(dim));
        }
        if width.is_none_or(|width| width > MAX_WIDTH) {
            return Err(refused(format!("has more than {MAX_WIDTH} features")));
        }
        self.define(input.name.clone(), Value::Activation(Activation(0)))?;
        Ok(input.name.clone())
    }

    /// The scores behind the outputs, and whether one of them is a softmax of these.
    fn read_outputs(&self, outputs: &[proto::ValueInfo]) -> Result<(Activation, bool), ImportError> {
        let mut found: Option<Activation> = None;
        let mut softmax = false;
        for output in outputs {
            let refused = |reason: &str| Err(ImportError::Output(format!("`{}` {reason}", output.name)));
            let mut at = match self.values.get(&output.name) {
                Some(Value::Activation(activation)) => *activation,
                Some(Value::Constant(_)) => return refused("is a constant"),
                None => return refused("is made by no node"),
            };
            while let Some(step) = at.0.checked_sub(1).map(|step| &self.steps[step]) {
                match step.op {
                    FloatOp::Softmax => softmax = true,
                    FloatOp::ArgMax | FloatOp::Same => {}
                    _ => break,
                }
                at = step.from;
            }
            if found.is_some_and(|found| found != at) {
                return refused("comes from other scores than the outputs before it");
            }
            found = Some(at);
        }
        let logits = found.ok_or_else(|| ImportError::Output("the graph has none".into()))?;
        let mut at = logits;
        while let Some(step) = at.0.checked_sub(1).map(|step| &self.steps[step]) {
            if matches!(step.op, FloatOp::Softmax | FloatOp::ArgMax) {
                return Err(step.error("stands before the end of the network"));
            }
            at = step.from;
        }
        match self.dims(logits) {
            [width] if *width > 0 => Ok((logits, softmax)),
            dims => Err(ImportError::Output(format!("scores of shape {dims:?}; one axis of classes is needed"))),
        }
    }
}
