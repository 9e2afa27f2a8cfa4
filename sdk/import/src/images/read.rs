//! From the messages of a file to a [`Net`].

use std::collections::BTreeMap;

use noema_tensor::DType;

use super::{
    net::{Conv, Grid, Net, Op, Recurrent, Step},
    nodes,
    series::{self, Axis},
    site::Site,
};
use crate::{
    ImportError,
    budget::Budget,
    constant::Constant,
    network::{MAX_WIDTH, is_default_domain},
    order::{self, Made},
    proto::{self, GraphProto, NodeProto},
};

/// Most numbers of all activations of one row together.
const MAX_VALUES: usize = 1 << 26;
/// Most products of one row.
const MAX_PRODUCTS: usize = 1 << 34;

/// What a name stands for while the nodes are read.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Numbers of the file, and the 8-bit integers that they came from.
    Constant(Constant, Option<Integers>),
    /// An activation.
    Real(usize),
    /// An activation as the integers of a grid.
    Quantised(usize, Grid),
    /// Sums of integers: an activation in units of 1.
    Sums(usize),
    /// The input as integers of which nothing is said yet.
    Input(DType),
    /// A series, or states of one, whose axes do not lie as those of an activation.
    Series(usize, Vec<Axis>),
    /// Numbers that follow from the shape of something.
    Shape,
    /// Zeros of a shape that follows from that of something.
    Zeros,
    /// What an LSTM holds in its cells at the end.
    Cells,
}

/// Weights as integers.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    /// Less their zero point.
    pub(super) values: Vec<i8>,
    /// One for all, or one for each index of `axis`.
    pub(super) scales: Vec<f64>,
    pub(super) axis: usize,
}

/// Reads a graph node by node.
pub(super) struct Reader {
    pub(super) values: BTreeMap<String, Value>,
    pub(super) net: Net,
    elements: usize,
    products: usize,
    budget: Budget,
}

/// Reads a graph whose file was checked.
pub(super) fn read(graph: GraphProto) -> Result<Net, ImportError> {
    let net = Net {
        input: String::new(),
        dims: vec![],
        integers: None,
        steps: vec![],
        logits: 0,
        softmax: false,
        exact: false,
    };
    let mut reader = Reader { values: BTreeMap::new(), net, elements: 0, products: 0, budget: Budget::new() };
    for tensor in graph.initializer {
        let name = tensor.name.clone();
        let constant = Constant::read(tensor)?;
        reader.budget.found(constant.elements());
        reader.define(name, Value::Constant(constant, None))?;
    }
    reader.input(&graph.input)?;
    let made = Made::by(&graph.node)?;
    for (index, node) in graph.node.into_iter().enumerate() {
        let called = order::called(index, &node);
        made.check(&called, &node, |value| reader.values.contains_key(value))?;
        reader.node(called, &node)?;
    }
    reader.outputs(&graph.output)?;
    Ok(reader.net)
}

impl Reader {
    fn define(&mut self, name: String, value: Value) -> Result<(), ImportError> {
        if self.values.contains_key(&name) {
            return Err(ImportError::Duplicate(name));
        }
        self.values.insert(name, value);
        Ok(())
    }

    fn node(&mut self, name: String, node: &NodeProto) -> Result<(), ImportError> {
        let operator = if is_default_domain(&node.domain) {
            node.op_type.clone()
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        let reader = nodes::reader_of(&operator).or_else(|| series::reader_of(&operator));
        let Some(read) = reader else {
            return Err(ImportError::UnsupportedOperator { node: name, operator });
        };
        let refused = |reason| ImportError::Node { node: name.clone(), operator: operator.clone(), reason };
        let mut site = Site { reader: self, node, name: &name, operator: &operator };
        if series::is_recurrent(&operator) {
            for (output, value) in series::recurrent(&mut site).map_err(refused)? {
                self.define(output, value)?;
            }
            return Ok(());
        }
        let output = match node.output.split_first() {
            Some((first, rest)) if !first.is_empty() && rest.iter().all(String::is_empty) => first.clone(),
            _ => return Err(refused(format!("has {} results, not 1", node.output.len()))),
        };
        let of_shape = series::of_shapes(&site).map_err(refused)?;
        let value = of_shape.map_or_else(|| read(&mut site), Ok).map_err(refused)?;
        if let Value::Constant(constant, _) = &value {
            if operator == "Constant" {
                self.budget.found(constant.elements());
            }
            self.budget.take(constant.elements()).map_err(refused)?;
        }
        self.define(output, value)
    }

    /// Appends a step.
    pub(super) fn push(&mut self, step: Step, products: usize) -> Result<usize, String> {
        let elements = step.dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim));
        let elements = elements.filter(|elements| *elements <= MAX_WIDTH && *elements > 0);
        let elements =
            elements.ok_or_else(|| format!("a result of shape {:?}; the limit is {MAX_WIDTH} numbers", step.dims))?;
        self.elements = self.elements.saturating_add(elements);
        self.products = self.products.saturating_add(products);
        if self.elements > MAX_VALUES || self.products > MAX_PRODUCTS {
            return Err(format!(
                "a row has {} numbers and {} products up to here; the limits are {MAX_VALUES} and {MAX_PRODUCTS}",
                self.elements, self.products
            ));
        }
        if let Op::Conv(Conv { product, .. }) | Op::Linear(product) = &step.op {
            self.budget.take(product.weights.len())?;
        }
        if let Op::Recurrent(Recurrent { ways, .. }) = &step.op {
            let weights = ways.iter().flat_map(|way| [&way.input, &way.state]).map(|product| product.weights.len());
            self.budget.take(weights.sum())?;
        }
        self.net.steps.push(step);
        Ok(self.net.steps.len())
    }

    /// The input as integers of this grid: what the first node says that reads it.
    pub(super) fn input_grid(&mut self, grid: Grid) -> Result<(), String> {
        match self.net.integers.replace(grid) {
            Some(other) if other != grid => {
                Err("reads the input with another scale or zero point than a node before it".into())
            }
            _ => Ok(()),
        }
    }

    fn input(&mut self, inputs: &[proto::ValueInfo]) -> Result<(), ImportError> {
        let mut real = inputs.iter().filter(|input| !self.values.contains_key(&input.name));
        let (Some(input), None) = (real.next(), real.next()) else {
            let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
            return Err(ImportError::Input(format!("exactly one is needed, the graph has {names:?}")));
        };
        let refused = |reason: String| ImportError::Input(format!("`{}` {reason}", input.name));
        let tensor = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| refused("is no tensor".into()))?;
        let value = match tensor.elem_type {
            proto::FLOAT | proto::DOUBLE => Value::Real(0),
            proto::UINT8 => Value::Input(DType::U8),
            proto::INT8 => Value::Input(DType::I8),
            other => {
                return Err(refused(format!(
                    "has element type {other}; float, double, uint8 and int8 can be imported"
                )));
            }
        };
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let row = dims.split_first().map(|(_, row)| row).filter(|row| matches!(row.len(), 1..=3));
        let row = row.ok_or_else(|| {
            refused(
                "needs a shape of a batch and features, of a batch, steps and channels, or of a batch, channels, rows and columns"
                    .into(),
            )
        })?;
        let mut width = Some(1_usize);
        for dim in row {
            let dim = usize::try_from(dim.dim_value).ok().filter(|dim| *dim > 0);
            let dim = dim.ok_or_else(|| refused("has an axis without a fixed size".into()))?;
            self.net.dims.push(dim);
            width = width.and_then(|width| width.checked_mul(dim));
        }
        if width.is_none_or(|width| width > MAX_WIDTH) {
            return Err(refused(format!("has more than {MAX_WIDTH} features")));
        }
        self.net.input.clone_from(&input.name);
        self.define(input.name.clone(), value)
    }

    /// The scores behind the outputs, and whether one of them is a softmax of these.
    fn outputs(&mut self, outputs: &[proto::ValueInfo]) -> Result<(), ImportError> {
        let steps = &self.net.steps;
        let step = |at: usize| at.checked_sub(1).map(|step| &steps[step]);
        // What is behind numbers that were only rounded or moved.
        let behind = |mut at: usize| {
            while let Some(Step { op: Op::Quantise(_) | Op::Same, from, .. }) = step(at) {
                at = from[0];
            }
            at
        };
        let mut found = None;
        for output in outputs {
            let refused = |reason: &str| Err(ImportError::Output(format!("`{}` {reason}", output.name)));
            let mut at = match self.values.get(&output.name) {
                Some(Value::Real(at) | Value::Quantised(at, _)) => *at,
                Some(Value::Sums(at)) => {
                    self.net.exact = true;
                    *at
                }
                Some(Value::Constant(..)) => return refused("is a constant"),
                Some(Value::Input(_)) => return refused("is the input"),
                Some(Value::Series(..)) => return refused("is a series; scores of a row are needed"),
                Some(Value::Shape | Value::Zeros) => return refused("follows from a shape"),
                Some(Value::Cells) => return refused("is the cells of an LSTM; its states can be imported"),
                None => return refused("is made by no node"),
            };
            loop {
                let of = behind(at);
                match step(of) {
                    Some(Step { op: Op::Softmax, from, .. }) => {
                        self.net.softmax = true;
                        at = from[0];
                    }
                    Some(Step { op: Op::ArgMax, from, .. }) => at = from[0],
                    _ => break,
                }
            }
            while let Some(Step { op: Op::Same, from, .. }) = step(at) {
                at = from[0];
            }
            if found.is_some_and(|found| found != at) {
                return refused("comes from other scores than the outputs before it");
            }
            found = Some(at);
        }
        let logits = found.ok_or_else(|| ImportError::Output("the graph has none".into()))?;
        // Steps that no score depends on are left out.
        let mut needed = vec![false; steps.len() + 1];
        needed[logits] = true;
        for index in (0..steps.len()).rev().filter(|index| *index < logits) {
            if needed[index + 1] {
                let Step { node, operator, op, from, .. } = &steps[index];
                if matches!(op, Op::Softmax | Op::ArgMax) {
                    let reason = "stands before the end of the network".into();
                    return Err(ImportError::Node { node: node.clone(), operator: operator.clone(), reason });
                }
                from.iter().for_each(|from| needed[*from] = true);
            }
        }
        if !needed[0] {
            return Err(ImportError::Output("does not depend on the input".into()));
        }
        match self.net.dims(logits) {
            [width] if *width > 0 => self.net.logits = logits,
            dims => {
                return Err(ImportError::Output(format!("scores of shape {dims:?}; one axis of classes is needed")));
            }
        }
        self.net.keep(&needed);
        Ok(())
    }
}

impl Net {
    /// Leaves out the steps whose results are not needed.
    fn keep(&mut self, needed: &[bool]) {
        let mut places = vec![0; needed.len()];
        let mut kept = Vec::new();
        for (index, mut step) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            if needed[index + 1] {
                step.from.iter_mut().for_each(|from| *from = places[*from]);
                kept.push(step);
                places[index + 1] = kept.len();
            }
        }
        self.logits = places[self.logits];
        self.steps = kept;
    }
}
