//! Operators of integers and their scales.

use noema_tensor::DType;

use super::{
    net::{Conv, Grid, Op, Product},
    nodes::{by_output, linear, spread, window},
    read::{Integers, Value},
    site::{Site, scales},
};
use crate::constant::{Constant, Data};

pub(super) fn quantize_linear(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 3)?;
    let (x, scale, zero_point) = (site.real(0)?, site.scale(1)?, site.zero_point(2)?);
    let grid = Grid { dtype: zero_point.dtype.unwrap_or(DType::U8), scale, zero_point: zero_point.value };
    let dims = site.dims(x);
    Ok(Value::Quantised(site.push(Op::Quantise(grid), vec![x], dims, 0)?, grid))
}

pub(super) fn dequantize_linear(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 3)?;
    let Value::Constant(constant, _) = site.value(0)? else {
        let (scale, zero_point) = (site.scale(1)?, site.zero_point(2)?);
        return site.quantised(0, scale, &zero_point).map(Value::Real);
    };
    let dims = constant.dims.clone();
    let axis = site.int("axis", 1);
    let rank = i64::try_from(dims.len()).unwrap_or(0);
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(usize::MAX);
    let of = scales(site.constant(1)?)?;
    let length = if of.len() == 1 { 1 } else { dims.get(axis).copied().unwrap_or(0) };
    if of.len() != length {
        return Err(format!("{} scales along axis {axis} of {dims:?}", of.len()));
    }
    let inner = dims.iter().skip(axis.saturating_add(1)).fold(1, |inner: usize, dim| inner.saturating_mul(*dim)).max(1);
    let scale_of = |at: usize| if of.len() == 1 { of[0] } else { of[at / inner % length] };
    let real =
        |values: &mut dyn Iterator<Item = f64>| values.enumerate().map(|(at, q)| (q * scale_of(at)) as f32).collect();
    let name = site.node.output[0].clone();
    if let Data::I32(values) = &constant.data {
        let zeros = site.optional(2).map(|_| site.constant(2)).transpose()?;
        let is_zero =
            |zeros: &Constant| matches!(&zeros.data, Data::I32(values) if values.iter().all(|zero| *zero == 0));
        if !zeros.is_none_or(is_zero) {
            return Err("32-bit integers with a zero point".into());
        }
        let values = real(&mut values.iter().map(|q| f64::from(*q)));
        return Ok(Value::Constant(Constant { name, dims, data: Data::Floats(values) }, None));
    }
    let (_, integers) = site.integers(0, Some(1), 2)?;
    let values = real(&mut integers.values.iter().map(|q| f64::from(*q)));
    Ok(Value::Constant(Constant { name, dims, data: Data::Floats(values) }, Some(Integers { axis, ..integers })))
}

/// What integer weights in some inputs make of integers: the product of what both stand for, in units of `unit`.
fn integer_product(dims: &[usize], integers: Integers, unit: f64) -> Result<Product, String> {
    let outputs = dims[0];
    let scales: Vec<f64> = spread(&integers.scales, outputs)?.into_iter().map(|scale| scale / unit).collect();
    let depth = (integers.values.len() / outputs.max(1)).max(1);
    let rows = integers.values.chunks(depth).zip(&scales);
    let weights =
        rows.flat_map(|(row, scale)| row.iter().map(move |weight| (f64::from(*weight) * scale) as f32)).collect();
    Ok(Product { weights, bias: vec![0.0; outputs], integers: Some((integers.values, scales)) })
}

pub(super) fn qlinear_conv(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(8, 9)?;
    let (scale, zero_point) = (site.scale(1)?, site.zero_point(2)?);
    let x = site.quantised(0, scale, &zero_point)?;
    let (dims, integers) = site.integers(3, Some(4), 5)?;
    let (sides, groups, result, products) = window(site, x, &dims)?;
    let mut product = integer_product(&dims, integers, 1.0)?;
    if site.optional(8).is_some() {
        let constant = site.constant(8)?;
        let (Data::I32(values), Some((_, scales))) = (&constant.data, &product.integers) else {
            return Err("a bias that is not of int32".into());
        };
        if values.len() != result[0] {
            return Err(format!("a bias of shape {:?} for {} outputs", constant.dims, result[0]));
        }
        product.bias = values.iter().zip(scales).map(|(bias, of)| f64::from(*bias) * of * scale).collect();
    }
    let at = site.push(Op::Conv(Conv { sides, groups, product }), vec![x], result, products)?;
    requantised(site, at, 6)
}

pub(super) fn qlinear_matmul(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(8, 8)?;
    let (scale, zero_point) = (site.scale(1)?, site.zero_point(2)?);
    let x = site.quantised(0, scale, &zero_point)?;
    let (dims, integers) = site.integers(3, Some(4), 5)?;
    let product = integer_dense(site, x, &dims, integers, 1.0)?;
    let at = linear(site, x, product)?;
    requantised(site, at, 6)
}

/// `[k][n]` weights of integers.
fn integer_dense(site: &Site<'_>, x: usize, dims: &[usize], integers: Integers, unit: f64) -> Result<Product, String> {
    let &[k, n] = dims else { return Err(format!("weights of shape {dims:?}")) };
    if k != site.width(x)? || n == 0 {
        return Err(format!("weights of shape {dims:?}, but a row has {} numbers", site.width(x)?));
    }
    let values = by_output(&integers.values, k, n, false);
    integer_product(&[n, k], Integers { values, ..integers }, unit)
}

/// What follows the sums of the operators `QLinear*`.
fn requantised(site: &mut Site<'_>, at: usize, scale: usize) -> Result<Value, String> {
    let zero_point = site.zero_point(scale + 1)?;
    let dtype = zero_point.dtype.unwrap_or(DType::U8);
    let grid = Grid { dtype, scale: site.scale(scale)?, zero_point: zero_point.value };
    let dims = site.dims(at);
    Ok(Value::Quantised(site.push(Op::Quantise(grid), vec![at], dims, 0)?, grid))
}

/// The integers that an operator `*Integer` reads, and what a unit of them stands for.
fn read_integers(site: &mut Site<'_>) -> Result<(usize, f64), String> {
    let zero_point = site.zero_point(2)?;
    let scale = match site.value(0)? {
        Value::Quantised(_, grid) => grid.scale,
        _ => 1.0,
    };
    Ok((site.quantised(0, scale, &zero_point)?, scale))
}

pub(super) fn conv_integer(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 4)?;
    let (x, unit) = read_integers(site)?;
    let (dims, integers) = site.integers(1, None, 3)?;
    let (sides, groups, result, products) = window(site, x, &dims)?;
    let product = integer_product(&dims, integers, unit)?;
    site.push(Op::Conv(Conv { sides, groups, product }), vec![x], result, products).map(Value::Sums)
}

pub(super) fn matmul_integer(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 4)?;
    let (x, unit) = read_integers(site)?;
    let (dims, integers) = site.integers(1, None, 3)?;
    let product = integer_dense(site, x, &dims, integers, unit)?;
    linear(site, x, product).map(Value::Sums)
}
