//! A node where it stands: its inputs and attributes, and what is made of it.

use noema_tensor::DType;

use super::{
    net::{Grid, Op, Sides, Step},
    read::{Integers, Reader, Value},
};
use crate::{
    constant::{Constant, Data},
    proto::{Attribute, NodeProto},
};

/// A node where it stands.
pub(super) struct Site<'a> {
    pub(super) reader: &'a mut Reader,
    pub(super) node: &'a NodeProto,
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
}

impl Site<'_> {
    /// How many inputs there are, without empty ones at the end.
    pub(super) fn count(&self, least: usize, most: usize) -> Result<usize, String> {
        let given = self.node.input.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        if given < least || given > most { Err(format!("has {given} inputs")) } else { Ok(given) }
    }

    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.node.input.get(index).filter(|name| !name.is_empty()).and_then(|name| self.reader.values.get(name))
    }

    pub(super) fn value(&self, index: usize) -> Result<&Value, String> {
        self.optional(index).ok_or_else(|| "leaves out an input".to_owned())
    }

    pub(super) fn constant(&self, index: usize) -> Result<&Constant, String> {
        match self.value(index)? {
            Value::Constant(constant, _) => Ok(constant),
            _ => Err(format!("computes its input {index}; it must be a constant")),
        }
    }

    /// An input that is a real activation.
    pub(super) fn real(&self, index: usize) -> Result<usize, String> {
        match self.value(index)? {
            Value::Real(at) => Ok(*at),
            Value::Constant(constant, _) => {
                Err(format!("works on the constant `{}`; fold constants first", constant.name))
            }
            Value::Sums(_) => Err("works on 32-bit sums of integers; cast them to float first".into()),
            Value::Quantised(..) | Value::Input(_) => Err("works on 8-bit integers; dequantise them first".into()),
            Value::Series(_, axes) => {
                Err(format!("works on a series of axes {axes:?}; turn it to batch, steps, channels"))
            }
            Value::Shape | Value::Zeros => Err("computes with the shape of a value".into()),
            Value::Cells => Err("reads the cells of an LSTM; its states can be imported".into()),
        }
    }

    /// An input that is an activation as integers of this scale and zero point.
    pub(super) fn quantised(&mut self, index: usize, scale: f64, zero_point: &ZeroPoint) -> Result<usize, String> {
        match self.value(index)? {
            Value::Quantised(at, grid) => {
                let stated =
                    Grid { dtype: zero_point.dtype.unwrap_or(grid.dtype), scale, zero_point: zero_point.value };
                if *grid == stated {
                    return Ok(*at);
                }
                Err(format!("reads integers with scale {scale} and zero point {}, made with others", zero_point.value))
            }
            Value::Input(dtype) => {
                let grid = Grid { dtype: *dtype, scale, zero_point: zero_point.value };
                self.reader.input_grid(grid)?;
                Ok(0)
            }
            _ => Err("works on 8-bit integers; quantise its input first".into()),
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..]).filter(|ints| !ints.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.attribute(name).map_or("", |attribute| std::str::from_utf8(&attribute.s).unwrap_or("?"))
    }

    pub(super) fn dims(&self, at: usize) -> Vec<usize> {
        self.reader.net.dims(at).to_vec()
    }

    /// Channels, rows and columns.
    pub(super) fn image(&self, at: usize) -> Result<[usize; 3], String> {
        let dims = self.dims(at);
        <[usize; 3]>::try_from(dims)
            .map_err(|dims| format!("its rows have shape {dims:?}, not channels, rows and columns"))
    }

    pub(super) fn width(&self, at: usize) -> Result<usize, String> {
        match self.dims(at)[..] {
            [width] => Ok(width),
            ref dims => Err(format!("its rows have shape {dims:?}; flatten them first")),
        }
    }

    pub(super) fn push(
        &mut self,
        op: Op,
        from: Vec<usize>,
        dims: Vec<usize>,
        products: usize,
    ) -> Result<usize, String> {
        let step = Step { node: self.name.to_owned(), operator: self.operator.to_owned(), op, from, dims };
        self.reader.push(step, products)
    }

    pub(super) fn made(&mut self, op: Op, from: usize, dims: Vec<usize>) -> Result<Value, String> {
        self.push(op, vec![from], dims, 0).map(Value::Real)
    }

    /// The same for input 0 in whatever form it has: what only moves numbers or picks them.
    pub(super) fn moved(
        &mut self,
        op: Op,
        looks: usize,
        dims: impl Fn(&[usize]) -> Result<Vec<usize>, String>,
    ) -> Result<Value, String> {
        let value = self.value(0)?.clone();
        let at = match &value {
            Value::Real(at) | Value::Quantised(at, _) | Value::Sums(at) => *at,
            Value::Input(_) => return Err("works on the input as integers; dequantise it first".into()),
            Value::Constant(constant, _) => {
                return Err(format!("works on the constant `{}`; fold constants first", constant.name));
            }
            Value::Series(..) | Value::Shape | Value::Zeros | Value::Cells => self.real(0)?,
        };
        let dims = dims(&self.dims(at))?;
        let at = self.push(op, vec![at], dims, looks)?;
        Ok(match value {
            Value::Quantised(_, grid) => Value::Quantised(at, grid),
            Value::Sums(_) => Value::Sums(at),
            _ => Value::Real(at),
        })
    }

    /// A window from the attributes, over an image, with the taps that weights or `kernel_shape` say.
    pub(super) fn sides(
        &self,
        [_, rows, columns]: [usize; 3],
        kernel: Option<[usize; 2]>,
    ) -> Result<(Sides, [usize; 2]), String> {
        let pair = |name: &str| match self.ints(name) {
            None => Ok(None),
            Some([a, b]) => {
                let size = |value: &i64| usize::try_from(*value).ok().filter(|value| (1..=1 << 20).contains(value));
                let both = size(a).zip(size(b)).ok_or_else(|| format!("{name} {:?}", [a, b]))?;
                Ok(Some(<[usize; 2]>::from(both)))
            }
            Some(other) => Err(format!("{name} of {} axes; images have two", other.len())),
        };
        let stated = pair("kernel_shape")?;
        let kernel = kernel.or(stated).ok_or("has no kernel_shape")?;
        if let Some(stated) = stated.filter(|stated| *stated != kernel) {
            return Err(format!("kernel_shape {stated:?} and weights for {kernel:?}"));
        }
        let (strides, dilations) = (pair("strides")?.unwrap_or([1; 2]), pair("dilations")?.unwrap_or([1; 2]));
        if self.int("ceil_mode", 0) != 0 {
            return Err("ceil_mode must be 0".into());
        }
        let mut sides = Sides { kernel, strides, pads: [0; 4], dilations };
        match self.text("auto_pad") {
            "" | "NOTSET" => {
                if let Some(pads) = self.ints("pads") {
                    let pads: Result<Vec<usize>, _> = pads.iter().map(|pad| usize::try_from(*pad)).collect();
                    let pads = pads.ok().and_then(|pads| <[usize; 4]>::try_from(pads).ok());
                    sides.pads = pads
                        .filter(|pads| pads.iter().all(|pad| *pad <= 1 << 20))
                        .ok_or("pads that are not four numbers")?;
                }
            }
            "VALID" => {}
            mode @ ("SAME_UPPER" | "SAME_LOWER") => {
                for (axis, length) in [rows, columns].into_iter().enumerate() {
                    let places = length.div_ceil(strides[axis]);
                    let extent = (kernel[axis].saturating_sub(1)).saturating_mul(dilations[axis]).saturating_add(1);
                    let pad = ((places - 1) * strides[axis]).saturating_add(extent).saturating_sub(length);
                    let (less, more) = (pad / 2, pad - pad / 2);
                    (sides.pads[axis], sides.pads[axis + 2]) =
                        if mode == "SAME_UPPER" { (less, more) } else { (more, less) };
                }
            }
            other => return Err(format!("auto_pad `{other}`")),
        }
        let places = sides.places(0, rows).zip(sides.places(1, columns));
        let places = places.ok_or_else(|| format!("a window of {kernel:?} over {rows} by {columns}"))?;
        Ok((sides, places.into()))
    }

    /// The scale in an input: one number above 0.
    pub(super) fn scale(&self, index: usize) -> Result<f64, String> {
        match self.constant(index)?.floats()? {
            [scale] if *scale > 0.0 => Ok(f64::from(*scale)),
            scales => Err(format!("{} scales of an activation; one number above 0 is needed", scales.len())),
        }
    }

    /// The zero point in an input; 0 where it is left out.
    pub(super) fn zero_point(&self, index: usize) -> Result<ZeroPoint, String> {
        if self.optional(index).is_none() {
            return Ok(ZeroPoint { dtype: None, value: 0 });
        }
        let constant = self.constant(index)?;
        match &constant.data {
            Data::U8(values) if values.len() == 1 => Ok(ZeroPoint { dtype: Some(DType::U8), value: values[0].into() }),
            Data::I8(values) if values.len() == 1 => Ok(ZeroPoint { dtype: Some(DType::I8), value: values[0].into() }),
            _ => Err(format!("the zero point `{}` is not one number of uint8 or int8", constant.name)),
        }
    }

    /// 8-bit weights less their zero point, and their scales, of inputs `index` and what follows.
    pub(super) fn integers(
        &self,
        weights: usize,
        scale: Option<usize>,
        zero: usize,
    ) -> Result<(Vec<usize>, Integers), String> {
        let constant = self.constant(weights)?;
        let scales = match scale {
            None => vec![1.0],
            Some(scale) => scales(self.constant(scale)?)?,
        };
        let zeros = match self.optional(zero) {
            None => vec![0],
            Some(_) => small(self.constant(zero)?)?,
        };
        if zeros.iter().any(|zero| *zero != zeros[0]) {
            return Err("has weights with several zero points".into());
        }
        let zero = zeros.first().copied().unwrap_or(0);
        let values = small(constant)?.into_iter().map(|weight| i8::try_from(weight - zero));
        let values =
            values.collect::<Result<_, _>>().map_err(|_| "has weights that do not fit 8 bits less their zero point")?;
        Ok((constant.dims.clone(), Integers { values, scales, axis: 0 }))
    }
}

pub(super) struct ZeroPoint {
    pub(super) dtype: Option<DType>,
    pub(super) value: i32,
}

pub(super) fn scales(constant: &Constant) -> Result<Vec<f64>, String> {
    let values = constant.floats()?;
    if values.is_empty() || values.iter().any(|scale| *scale <= 0.0) {
        return Err(format!("the scale `{}` is not above 0", constant.name));
    }
    Ok(values.iter().map(|scale| f64::from(*scale)).collect())
}

/// 8-bit integers of either kind.
pub(super) fn small(constant: &Constant) -> Result<Vec<i32>, String> {
    match &constant.data {
        Data::I8(values) => Ok(values.iter().map(|value| i32::from(*value)).collect()),
        Data::U8(values) => Ok(values.iter().map(|value| i32::from(*value)).collect()),
        _ => Err(format!("constant `{}` is not of 8-bit integers", constant.name)),
    }
}
