//! The operators that can be imported, one function each.

use crate::{
    ImportError,
    constant::Constant,
    network::{Activation, Affine, FloatOp, MAX_WIDTH, Reader, Step, Value, is_default_domain},
    proto::{Attribute, NodeProto},
};

/// Reads one node: its result becomes a value of the reader.
pub(crate) fn read(reader: &mut Reader, name: String, node: NodeProto) -> Result<(), ImportError> {
    let operator = if is_default_domain(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    };
    let read = match operator.as_str() {
        "Constant" => constant,
        "Identity" => identity,
        "Add" | "Sub" | "Mul" | "Div" => affine,
        "Gemm" => gemm,
        "MatMul" => matmul,
        "Relu" => relu,
        "Softmax" => softmax,
        "ArgMax" => argmax,
        "Flatten" => flatten,
        "Reshape" => reshape,
        _ => return Err(ImportError::UnsupportedOperator { node: name, operator }),
    };
    let refused = |reason| ImportError::Node { node: name.clone(), operator: operator.clone(), reason };
    let output = match node.output.split_first() {
        Some((first, rest)) if !first.is_empty() && rest.iter().all(String::is_empty) => first.clone(),
        _ => return Err(refused(format!("has {} results, not 1", node.output.len()))),
    };
    let made = read(&Site { reader, node: &node }).map_err(&refused)?;
    let weights = match &made {
        Made::Constant(constant) => constant.elements(),
        Made::Step { op: FloatOp::Linear { weights, .. }, .. } => weights.len(),
        Made::Step { .. } => 0,
    };
    if operator == "Constant" {
        reader.budget.found(weights);
    }
    reader.budget.take(weights).map_err(refused)?;
    let value = match made {
        Made::Constant(constant) => Value::Constant(Constant { name: output.clone(), ..constant }),
        Made::Step { op, from, dims } => {
            reader.steps.push(Step { node: name, operator, op, from, dims });
            Value::Activation(Activation(reader.steps.len()))
        }
    };
    reader.define(output, value)
}

/// What a node makes.
enum Made {
    Constant(Constant),
    Step { op: FloatOp, from: Activation, dims: Vec<usize> },
}

/// A node where it stands.
struct Site<'a> {
    reader: &'a Reader,
    node: &'a NodeProto,
}

impl<'a> Site<'a> {
    fn inputs(&self, least: usize, most: usize) -> Result<Vec<&'a Value>, String> {
        let given = self.node.input.len();
        if given < least || given > most {
            return Err(format!("has {given} inputs"));
        }
        let value = |name: &String| self.reader.values.get(name).ok_or_else(|| "leaves out an input".to_string());
        // An optional input at the end may be left empty.
        let named = self.node.input.iter().take(if self.node.input.last().is_some_and(String::is_empty) {
            given - 1
        } else {
            given
        });
        let values: Vec<_> = named.map(value).collect::<Result<_, _>>()?;
        if values.len() < least { Err("leaves out an input".into()) } else { Ok(values) }
    }

    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    fn step(&self, op: FloatOp, from: Activation) -> Made {
        Made::Step { op, from, dims: self.reader.dims(from).to_vec() }
    }

    /// The single axis of a row.
    fn width(&self, x: Activation) -> Result<usize, String> {
        match self.reader.dims(x) {
            [width] => Ok(*width),
            dims => Err(format!("its rows have shape {dims:?}; flatten them first")),
        }
    }

    /// Checks that an axis is the last one of rows with one axis.
    fn last_axis(&self, x: Activation, axis: i64) -> Result<usize, String> {
        let width = self.width(x)?;
        if axis == -1 || axis == 1 { Ok(width) } else { Err(format!("axis {axis}; only the last one can be imported")) }
    }
}

fn activation(value: &Value) -> Result<Activation, String> {
    match value {
        Value::Activation(activation) => Ok(*activation),
        Value::Constant(constant) => Err(format!("works on the constant `{}`; fold constants first", constant.name)),
    }
}

fn constant_of(value: &Value) -> Result<&Constant, String> {
    match value {
        Value::Constant(constant) => Ok(constant),
        Value::Activation(_) => Err("works on two computed values; one must be a constant".into()),
    }
}

fn constant(site: &Site<'_>) -> Result<Made, String> {
    site.inputs(0, 0)?;
    let tensor = site.attribute("value").and_then(|attribute| attribute.t.clone());
    let tensor = tensor.ok_or("needs an attribute `value` with a tensor")?;
    Constant::read(tensor).map(Made::Constant).map_err(|error| error.to_string())
}

fn identity(site: &Site<'_>) -> Result<Made, String> {
    Ok(match site.inputs(1, 1)?[0] {
        Value::Constant(constant) => Made::Constant(constant.clone()),
        Value::Activation(x) => site.step(FloatOp::Same, *x),
    })
}

fn affine(site: &Site<'_>) -> Result<Made, String> {
    let inputs = site.inputs(2, 2)?;
    let (kind, commutes) = match site.node.op_type.as_str() {
        "Add" => (Affine::Add, true),
        "Mul" => (Affine::Mul, true),
        "Sub" => (Affine::Sub, false),
        _ => (Affine::Div, false),
    };
    let (x, constant) = match (inputs[0], inputs[1]) {
        (Value::Constant(constant), x) if commutes => (activation(x)?, constant),
        (Value::Constant(_), _) => return Err("has the constant on the left".into()),
        (x, other) => (activation(x)?, constant_of(other)?),
    };
    let values = constant.floats()?;
    let dims = site.reader.dims(x);
    // One number, or one for each element of the only axis of a row.
    let leading = constant.dims.split_last().map_or(&[][..], |(_, leading)| leading);
    let by_channel = matches!(dims, [width] if *width == values.len()) && leading.iter().all(|dim| *dim == 1);
    let scalar = values.len() == 1 && constant.dims.len() <= dims.len() + 1;
    if !(scalar || by_channel && constant.dims.len() <= 2) {
        let shape = &constant.dims;
        return Err(format!("its constant of shape {shape:?} is neither one number nor one for each of {dims:?}"));
    }
    if kind == Affine::Div && values.contains(&0.0) {
        return Err("divides by zero".into());
    }
    Ok(site.step(FloatOp::Affine(kind, values.to_vec()), x))
}

fn gemm(site: &Site<'_>) -> Result<Made, String> {
    let inputs = site.inputs(2, 3)?;
    let float = |name| site.attribute(name).map_or(1.0, |attribute| attribute.f);
    if float("alpha") != 1.0 || float("beta") != 1.0 {
        return Err("alpha and beta must be 1".into());
    }
    if site.int("transA", 0) != 0 {
        return Err("transA must be 0".into());
    }
    let transposed = match site.int("transB", 0) {
        0 => false,
        1 => true,
        other => return Err(format!("transB is {other}")),
    };
    let bias = inputs.get(2).map(|bias| constant_of(bias)).transpose()?;
    linear(site, activation(inputs[0])?, constant_of(inputs[1])?, transposed, bias)
}

fn matmul(site: &Site<'_>) -> Result<Made, String> {
    let inputs = site.inputs(2, 2)?;
    linear(site, activation(inputs[0])?, constant_of(inputs[1])?, false, None)
}

fn linear(
    site: &Site<'_>,
    x: Activation,
    weights: &Constant,
    transposed: bool,
    bias: Option<&Constant>,
) -> Result<Made, String> {
    let width = site.width(x)?;
    let values = weights.floats()?;
    let (k, n) = match weights.dims[..] {
        [n, k] if transposed => (k, n),
        [k, n] if !transposed => (k, n),
        _ => return Err(format!("weights of shape {:?}", weights.dims)),
    };
    if k != width {
        return Err(format!("weights for {k} inputs, but a row has {width}"));
    }
    if n == 0 || n > MAX_WIDTH {
        return Err(format!("{n} outputs"));
    }
    let weights = if transposed {
        values.to_vec()
    } else {
        (0..n).flat_map(|output| values.iter().skip(output).step_by(n).copied()).collect()
    };
    let bias = match bias {
        None => None,
        Some(bias) => {
            let values = bias.floats()?;
            match bias.dims[..] {
                [] | [1] | [1, 1] => Some(vec![values[0]; n]),
                [width] | [1, width] if width == n => Some(values.to_vec()),
                _ => return Err(format!("a bias of shape {:?} for {n} outputs", bias.dims)),
            }
        }
    };
    Ok(Made::Step { op: FloatOp::Linear { weights, bias }, from: x, dims: vec![n] })
}

fn relu(site: &Site<'_>) -> Result<Made, String> {
    Ok(site.step(FloatOp::Relu, activation(site.inputs(1, 1)?[0])?))
}

fn softmax(site: &Site<'_>) -> Result<Made, String> {
    let x = activation(site.inputs(1, 1)?[0])?;
    site.last_axis(x, site.int("axis", -1))?;
    Ok(site.step(FloatOp::Softmax, x))
}

fn argmax(site: &Site<'_>) -> Result<Made, String> {
    let x = activation(site.inputs(1, 1)?[0])?;
    site.last_axis(x, site.int("axis", 0))?;
    if site.int("select_last_index", 0) != 0 {
        return Err("select_last_index must be 0".into());
    }
    Ok(Made::Step { op: FloatOp::ArgMax, from: x, dims: if site.int("keepdims", 1) == 0 { vec![] } else { vec![1] } })
}

fn flatten(site: &Site<'_>) -> Result<Made, String> {
    let x = activation(site.inputs(1, 1)?[0])?;
    match site.int("axis", 1) {
        1 => Ok(Made::Step { op: FloatOp::Same, from: x, dims: vec![site.reader.dims(x).iter().product()] }),
        axis => Err(format!("axis {axis} mixes rows; only 1 can be imported")),
    }
}

/// Only what keeps the batch and makes rows flat, or changes nothing.
fn reshape(site: &Site<'_>) -> Result<Made, String> {
    let inputs = site.inputs(2, 2)?;
    let x = activation(inputs[0])?;
    let shape = constant_of(inputs[1])?.integers()?;
    let dims = site.reader.dims(x);
    let width: usize = dims.iter().product();
    let is = |wanted: i64, length: usize| wanted == -1 || usize::try_from(wanted) == Ok(length);
    let flat = matches!(shape, [batch, row] if (*batch == -1 && *row != -1 || *batch == 0) && is(*row, width));
    if !flat {
        return Err(format!("to {shape:?}; only [-1, {width}] and [0, -1] can be imported"));
    }
    Ok(Made::Step { op: FloatOp::Same, from: x, dims: vec![width] })
}
