//! The operators that can be imported, one function each.

use super::{
    integers::{conv_integer, dequantize_linear, matmul_integer, qlinear_conv, qlinear_matmul, quantize_linear},
    net::{Conv, Op, Product, Sides},
    read::{Integers, Value},
    series,
    site::Site,
};
use crate::{constant::Constant, proto::FLOAT};

pub(super) type Read = fn(&mut Site<'_>) -> Result<Value, String>;

/// The function of an operator, if it can be imported.
pub(super) fn reader_of(operator: &str) -> Option<Read> {
    Some(match operator {
        "Constant" => constant,
        "Identity" | "Dropout" => identity,
        "Cast" => cast,
        "Add" | "Sub" | "Mul" | "Div" => arithmetic,
        "Gemm" => gemm,
        "MatMul" => matmul,
        "Relu" => relu,
        "Clip" => clip,
        "Conv" => conv,
        "MaxPool" => max_pool,
        "AveragePool" => average_pool,
        "GlobalAveragePool" => global_average_pool,
        "ReduceMean" => reduce_mean,
        "BatchNormalization" => batch_normalization,
        "Concat" => concat,
        "Pad" => pad,
        "Flatten" => flatten,
        "Reshape" => reshape,
        "Softmax" => softmax,
        "ArgMax" => argmax,
        "QuantizeLinear" => quantize_linear,
        "DequantizeLinear" => dequantize_linear,
        "QLinearConv" => qlinear_conv,
        "QLinearMatMul" => qlinear_matmul,
        "ConvInteger" => conv_integer,
        "MatMulInteger" => matmul_integer,
        _ => return None,
    })
}

fn constant(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(0, 0)?;
    let tensor = site.attribute("value").and_then(|attribute| attribute.t.clone());
    let tensor = tensor.ok_or("needs an attribute `value` with a tensor")?;
    let mut constant = Constant::read(tensor).map_err(|error| error.to_string())?;
    constant.name.clone_from(&site.node.output[0]);
    Ok(Value::Constant(constant, None))
}

fn identity(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 3)?;
    match site.value(0)? {
        value @ (Value::Constant(..) | Value::Input(_) | Value::Series(..)) => Ok(value.clone()),
        _ => site.moved(Op::Same, 0, |dims| Ok(dims.to_vec())),
    }
}

/// Sums to float, or float to float.
fn cast(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    if site.int("to", 0) != i64::from(FLOAT) {
        return Err("only casts to float can be imported".into());
    }
    match site.value(0)? {
        Value::Sums(at) | Value::Real(at) => Ok(Value::Real(*at)),
        _ => Err("casts neither float nor 32-bit sums".into()),
    }
}

fn arithmetic(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 2)?;
    let operator = site.operator;
    let commutes = matches!(operator, "Add" | "Mul");
    let is_constant = |value: &Value| matches!(value, Value::Constant(..));
    let (left, right) = (is_constant(site.value(0)?), is_constant(site.value(1)?));
    if !left && !right {
        let (a, b) = (site.real(0)?, site.real(1)?);
        let (dims, other) = (site.dims(a), site.dims(b));
        if operator != "Add" || dims != other {
            return Err(format!(
                "of two computed values of shapes {dims:?} and {other:?}; Add of one shape can be imported"
            ));
        }
        return site.push(Op::Add, vec![a, b], dims, 0).map(Value::Real);
    }
    if left && !commutes {
        return Err("has the constant on the left".into());
    }
    let (x, constant) = (site.real(usize::from(left))?, site.constant(usize::from(!left))?);
    let (dims, values) = (site.dims(x), constant.floats()?.to_vec());
    // Without the axes of length 1 in front, among them the batch: one number, or one for each channel.
    let shape: Vec<usize> = constant.dims.iter().copied().skip_while(|dim| *dim == 1).collect();
    // Channels are the first axis of a row, but the last of a series.
    let by_channel = match dims[..] {
        [_, channels] => vec![channels],
        _ => [&dims[..1], &vec![1; dims.len() - 1]].concat(),
    };
    let channels = by_channel[0];
    let fits = values.len() == 1 || (values.len() == channels && shape == by_channel);
    if !fits || constant.dims.len() > dims.len() + 1 {
        let shape = &constant.dims;
        return Err(format!(
            "its constant of shape {shape:?} is neither one number nor one for each channel of {dims:?}"
        ));
    }
    let ones = || vec![1.0; values.len()];
    let zeros = || vec![0.0; values.len()];
    let (mul, add) = match operator {
        "Add" => (ones(), values),
        "Sub" => (ones(), values.iter().map(|value| -value).collect()),
        "Mul" => (values.clone(), zeros()),
        _ if values.contains(&0.0) => return Err("divides by zero".into()),
        _ => (values.iter().map(|value| 1.0 / value).collect(), zeros()),
    };
    site.made(Op::Affine { mul, add }, x, dims)
}

/// Weights in input 1 (real or integers) as `[outputs][inputs]`, and a bias, of `x` with that many elements.
fn dense(site: &Site<'_>, transposed: bool, width: usize) -> Result<Product, String> {
    let Value::Constant(constant, integers) = site.value(1)? else {
        return Err("multiplies two computed values; the second must be a constant".into());
    };
    let (k, n) = match constant.dims[..] {
        [n, k] if transposed => (k, n),
        [k, n] if !transposed => (k, n),
        _ => return Err(format!("weights of shape {:?}", constant.dims)),
    };
    if k != width || n == 0 {
        return Err(format!("weights of shape {:?}, but a row has {width} numbers", constant.dims));
    }
    let integers = integers.as_ref().map(|integers| {
        let Integers { values, scales, axis } = integers;
        if scales.len() != 1 && *axis != usize::from(!transposed) {
            return Err("has a scale for each input; one for all or for each output can be imported".to_owned());
        }
        Ok((by_output(values, k, n, transposed), spread(scales, n)?))
    });
    let weights = by_output(constant.floats()?, k, n, transposed);
    Ok(Product { weights, bias: vec![0.0; n], integers: integers.transpose()? })
}

pub(super) fn by_output<T: Copy>(values: &[T], k: usize, n: usize, transposed: bool) -> Vec<T> {
    if transposed {
        return values.to_vec();
    }
    (0..n).flat_map(|output| (0..k).map(move |input| values[input * n + output])).collect()
}

/// One scale for each output.
pub(super) fn spread(scales: &[f64], outputs: usize) -> Result<Vec<f64>, String> {
    match scales {
        [scale] => Ok(vec![*scale; outputs]),
        scales if scales.len() == outputs => Ok(scales.to_vec()),
        scales => Err(format!("{} scales for {outputs} outputs", scales.len())),
    }
}

/// A bias of real numbers in an input.
fn bias(site: &Site<'_>, index: usize, outputs: usize) -> Result<Vec<f64>, String> {
    if site.optional(index).is_none() {
        return Ok(vec![0.0; outputs]);
    }
    let constant = site.constant(index)?;
    let values: Vec<f64> = constant.floats()?.iter().map(|value| f64::from(*value)).collect();
    match values.len() {
        1 => Ok(vec![values[0]; outputs]),
        count if count == outputs => Ok(values),
        _ => Err(format!("a bias of shape {:?} for {outputs} outputs", constant.dims)),
    }
}

fn gemm(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 3)?;
    let float = |name| site.attribute(name).map_or(1.0, |attribute| attribute.f);
    if float("alpha") != 1.0 || float("beta") != 1.0 {
        return Err("alpha and beta must be 1".into());
    }
    if site.int("transA", 0) != 0 {
        return Err("transA must be 0".into());
    }
    let x = site.real(0)?;
    let mut product = dense(site, site.int("transB", 0) != 0, site.width(x)?)?;
    product.bias = bias(site, 2, product.outputs())?;
    linear(site, x, product).map(Value::Real)
}

fn matmul(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 2)?;
    let x = site.real(0)?;
    let product = dense(site, false, site.width(x)?)?;
    linear(site, x, product).map(Value::Real)
}

pub(super) fn linear(site: &mut Site<'_>, x: usize, product: Product) -> Result<usize, String> {
    let (dims, products) = (vec![product.outputs()], product.weights.len());
    site.push(Op::Linear(product), vec![x], dims, products)
}

fn relu(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let x = site.real(0)?;
    let dims = site.dims(x);
    site.made(Op::Relu, x, dims)
}

fn clip(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 3)?;
    let x = site.real(0)?;
    let end = |index: usize| match site.optional(index) {
        None => Ok(None),
        Some(_) => match site.constant(index)?.floats()? {
            [end] => Ok(Some(*end)),
            _ => Err("an end that is not one number".to_owned()),
        },
    };
    let (least, most) = (end(1)?, end(2)?);
    let dims = site.dims(x);
    match (least, most) {
        (None, None) => site.made(Op::Same, x, dims),
        (Some(0.0), None) => site.made(Op::Relu, x, dims),
        (Some(0.0), Some(most)) if most > 0.0 => site.made(Op::Clip(most), x, dims),
        _ => Err(format!("between {least:?} and {most:?}; between 0 and a number above it can be imported")),
    }
}

/// Weights in an input for windows over `x`, checked.
pub(super) fn window(site: &Site<'_>, x: usize, dims: &[usize]) -> Result<(Sides, usize, Vec<usize>, usize), String> {
    let image = site.image(x)?;
    let &[outputs, depth, rows, columns] = dims else {
        return Err(format!("weights of shape {dims:?}; images have two axes to move along"));
    };
    let groups =
        usize::try_from(site.int("group", 1)).ok().filter(|groups| *groups > 0).ok_or("group is not above 0")?;
    if dims.contains(&0) || depth.checked_mul(groups) != Some(image[0]) || !outputs.is_multiple_of(groups) {
        return Err(format!("weights of shape {dims:?} in {groups} groups over {} channels", image[0]));
    }
    let (sides, [h, w]) = site.sides(image, Some([rows, columns]))?;
    let products =
        [outputs, h, w, depth, rows, columns].iter().fold(1_usize, |product, side| product.saturating_mul(*side));
    Ok((sides, groups, vec![outputs, h, w], products))
}

fn conv(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 3)?;
    let x = site.real(0)?;
    let Value::Constant(constant, integers) = site.value(1)? else {
        return Err("computes its weights; they must be a constant".into());
    };
    let (sides, groups, dims, products) = window(site, x, &constant.dims)?;
    let integers = integers.as_ref().map(|Integers { values, scales, axis }| match (scales.len(), axis) {
        (1, _) | (_, 0) => Ok((values.clone(), spread(scales, dims[0])?)),
        _ => Err("has a scale for each input channel; one for all or for each output can be imported".to_owned()),
    });
    let (weights, integers) = (constant.floats()?.to_vec(), integers.transpose()?);
    let product = Product { weights, bias: bias(site, 2, dims[0])?, integers };
    site.push(Op::Conv(Conv { sides, groups, product }), vec![x], dims, products).map(Value::Real)
}

fn max_pool(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    if site.int("storage_order", 0) != 0 {
        return Err("storage_order must be 0".into());
    }
    let at = match site.value(0)? {
        Value::Real(at) | Value::Quantised(at, _) => *at,
        _ => site.real(0)?,
    };
    let image = site.image(at)?;
    let (sides, [rows, columns]) = site.sides(image, None)?;
    let looks = looks(&sides, [image[0], rows, columns]);
    site.moved(Op::MaxPool(sides), looks, |_| Ok(vec![image[0], rows, columns]))
}

/// How many numbers a pool looks at.
fn looks(sides: &Sides, places: [usize; 3]) -> usize {
    places.iter().chain(&sides.kernel).fold(1, |product: usize, side| product.saturating_mul(*side))
}

fn average_pool(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let x = site.real(0)?;
    let image = site.image(x)?;
    let (sides, [rows, columns]) = site.sides(image, None)?;
    if sides.dilations != [1; 2] {
        return Err("dilations must be 1".into());
    }
    let count_pads = site.int("count_include_pad", 0) != 0;
    let looks = looks(&sides, [image[0], rows, columns]);
    let dims = vec![image[0], rows, columns];
    site.push(Op::AveragePool { sides, count_pads }, vec![x], dims, looks).map(Value::Real)
}

fn global_average_pool(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let x = site.real(0)?;
    let channels = site.image(x)?[0];
    site.made(Op::GlobalAveragePool, x, vec![channels, 1, 1])
}

/// Over rows and columns: another way to write [`global_average_pool`].
fn reduce_mean(site: &mut Site<'_>) -> Result<Value, String> {
    let count = site.count(1, 2)?;
    let x = site.real(0)?;
    let channels = site.image(x)?[0];
    let axes =
        if count == 2 { site.constant(1)?.integers()?.to_vec() } else { site.ints("axes").unwrap_or(&[]).to_vec() };
    if !matches!(axes[..], [2, 3] | [-2, -1] | [3, 2] | [-1, -2]) {
        return Err(format!("over the axes {axes:?}; [2, 3] can be imported"));
    }
    let at = site.push(Op::GlobalAveragePool, vec![x], vec![channels, 1, 1], 0)?;
    if site.int("keepdims", 1) != 0 {
        return Ok(Value::Real(at));
    }
    site.made(Op::Flatten, at, vec![channels])
}

fn batch_normalization(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(5, 5)?;
    if site.int("training_mode", 0) != 0 {
        return Err("training_mode must be 0".into());
    }
    let x = site.real(0)?;
    let dims = site.dims(x);
    let of = |index: usize| {
        let values = site.constant(index)?.floats()?;
        if values.len() == dims[0] {
            Ok(values)
        } else {
            Err(format!("{} numbers for {} channels", values.len(), dims[0]))
        }
    };
    let (gain, shift, mean, variance) = (of(1)?, of(2)?, of(3)?, of(4)?);
    let epsilon = site.attribute("epsilon").map_or(1e-5, |attribute| attribute.f);
    let (mut mul, mut add) = (vec![], vec![]);
    for channel in 0..dims[0] {
        let deviation = (f64::from(variance[channel]) + f64::from(epsilon)).sqrt();
        if deviation.is_nan() || deviation <= 0.0 {
            return Err(format!("channel {channel} has the variance {}", variance[channel]));
        }
        let factor = f64::from(gain[channel]) / deviation;
        mul.push(factor as f32);
        add.push((f64::from(shift[channel]) - f64::from(mean[channel]) * factor) as f32);
    }
    site.made(Op::Affine { mul, add }, x, dims)
}

fn concat(site: &mut Site<'_>) -> Result<Value, String> {
    let count = site.count(1, 64)?;
    let from = (0..count).map(|index| site.real(index)).collect::<Result<Vec<_>, _>>()?;
    let mut dims = site.dims(from[0]);
    let axis = site.int("axis", 0);
    let rank = i64::try_from(dims.len()).unwrap_or(i64::MAX);
    if axis != 1 && axis != -rank {
        return Err(format!("axis {axis}; only axis 1, channels of images or steps of series, can be imported"));
    }
    for other in &from[1..] {
        let other = site.dims(*other);
        if other[1..] != dims[1..] || other.len() != dims.len() {
            return Err(format!("of shapes {dims:?} and {other:?}"));
        }
        dims[0] = dims[0].saturating_add(other[0]);
    }
    site.push(Op::Concat, from, dims, 0).map(Value::Real)
}

fn pad(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 4)?;
    let mode = site.text("mode");
    if !matches!(mode, "" | "constant") {
        return Err(format!("mode `{mode}`; constant can be imported"));
    }
    if site.optional(2).is_some() && site.constant(2)?.floats()? != [0.0] {
        return Err("pads with another number than 0".into());
    }
    if site.optional(3).is_some() {
        return Err("names axes".into());
    }
    let x = site.real(0)?;
    let [channels, rows, columns] = site.image(x)?;
    let pads = site.constant(1)?.integers()?;
    let size = |pad: i64| usize::try_from(pad).ok().filter(|pad| *pad <= 1 << 20);
    let sides = match pads {
        [0, 0, above, left, 0, 0, below, right] => size(*above).zip(size(*left)).zip(size(*below).zip(size(*right))),
        _ => None,
    };
    let Some(((above, left), (below, right))) = sides else {
        return Err(format!("pads {pads:?}; rows and columns can be padded"));
    };
    site.made(Op::Pad([above, left, below, right]), x, vec![channels, rows + above + below, columns + left + right])
}

fn flatten(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let axis = site.int("axis", 1);
    if axis != 1 {
        return Err(format!("axis {axis} mixes rows; only 1 can be imported"));
    }
    site.moved(Op::Flatten, 0, |dims| Ok(vec![dims.iter().product()]))
}

fn reshape(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 2)?;
    let shape = site.constant(1)?.integers()?.to_vec();
    if let Value::Series(at, axes) = site.value(0)? {
        let (at, axes) = (*at, axes.clone());
        return series::reshape(site, at, axes, &shape);
    }
    site.moved(Op::Flatten, 0, |dims| {
        let width: usize = dims.iter().product();
        let is = |wanted: i64| wanted == -1 || usize::try_from(wanted) == Ok(width);
        match shape[..] {
            [batch, row] if (batch == -1 && row != -1 || batch == 0) && is(row) => Ok(vec![width]),
            _ => Err(format!("to {shape:?}; only [-1, {width}] and [0, -1] can be imported")),
        }
    })
}

fn softmax(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let x = site.real(0)?;
    last_axis(site, x, -1)?;
    let dims = site.dims(x);
    site.made(Op::Softmax, x, dims)
}

fn argmax(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let x = match site.value(0)? {
        Value::Real(at) | Value::Sums(at) | Value::Quantised(at, _) => *at,
        _ => site.real(0)?,
    };
    last_axis(site, x, 0)?;
    if site.int("select_last_index", 0) != 0 {
        return Err("select_last_index must be 0".into());
    }
    let dims = site.dims(x);
    site.made(Op::ArgMax, x, dims)
}

fn last_axis(site: &Site<'_>, x: usize, default: i64) -> Result<(), String> {
    site.width(x)?;
    match site.int("axis", default) {
        -1 | 1 => Ok(()),
        axis => Err(format!("axis {axis}; only the last one can be imported")),
    }
}
