//! Initialisers and constants.

use crate::{
    ImportError,
    proto::{DOUBLE, FLOAT, INT8, INT32, INT64, TensorProto, UINT8},
};

/// A constant of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Data,
}

/// The elements of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
    I32(Vec<i32>),
    I8(Vec<i8>),
    U8(Vec<u8>),
}

impl Constant {
    /// Checks a tensor of the file: as many elements as its shape says, all finite.
    pub(crate) fn read(tensor: TensorProto) -> Result<Constant, ImportError> {
        let name = tensor.name.clone();
        let refused = |reason: String| ImportError::Tensor { tensor: name.clone(), reason };
        if tensor.data_location != 0 {
            return Err(refused("its elements lie in another file; save the model as a single file".into()));
        }
        if tensor.dims.len() > 8 {
            return Err(refused(format!("it has {} axes, the limit is 8", tensor.dims.len())));
        }
        let mut dims = Vec::with_capacity(tensor.dims.len());
        let mut elements = Some(1_usize);
        for dim in &tensor.dims {
            let dim = usize::try_from(*dim).map_err(|_| refused(format!("an axis of length {dim}")))?;
            dims.push(dim);
            elements = elements.and_then(|elements| elements.checked_mul(dim));
        }
        let elements = elements.ok_or_else(|| refused(format!("its shape {dims:?} is beyond counting")))?;
        let data = match tensor.data_type {
            FLOAT => {
                Data::Floats(elements_of(&tensor, elements, &tensor.float_data, f32::from_le_bytes).map_err(refused)?)
            }
            DOUBLE => {
                let doubles =
                    elements_of(&tensor, elements, &tensor.double_data, f64::from_le_bytes).map_err(refused)?;
                Data::Floats(doubles.into_iter().map(to_f32).collect())
            }
            INT64 => {
                Data::Integers(elements_of(&tensor, elements, &tensor.int64_data, i64::from_le_bytes).map_err(refused)?)
            }
            INT32 => {
                Data::I32(elements_of(&tensor, elements, &tensor.int32_data, i32::from_le_bytes).map_err(refused)?)
            }
            INT8 => Data::I8(
                elements_of(&tensor, elements, &narrow(&tensor.int32_data).map_err(refused)?, i8::from_le_bytes)
                    .map_err(refused)?,
            ),
            UINT8 => Data::U8(
                elements_of(&tensor, elements, &narrow(&tensor.int32_data).map_err(refused)?, u8::from_le_bytes)
                    .map_err(refused)?,
            ),
            other => {
                let types = "float, double, int8, uint8, int32 and int64 can be read";
                return Err(refused(format!("element type {other}; {types}")));
            }
        };
        if let Data::Floats(values) = &data
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            return Err(refused(format!("element {at} is {}", values[at])));
        }
        Ok(Constant { name, dims, data })
    }

    /// How many elements there are.
    pub(crate) fn elements(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Integers(values) => values.len(),
            Data::I32(values) => values.len(),
            Data::I8(values) => values.len(),
            Data::U8(values) => values.len(),
        }
    }

    pub(crate) fn floats(&self) -> Result<&[f32], String> {
        match &self.data {
            Data::Floats(values) => Ok(values),
            _ => Err(format!("constant `{}` is of integers", self.name)),
        }
    }

    pub(crate) fn integers(&self) -> Result<&[i64], String> {
        match &self.data {
            Data::Integers(values) => Ok(values),
            Data::Floats(_) => Err(format!("constant `{}` is of floats", self.name)),
            _ => Err(format!("constant `{}` is not of 64-bit integers", self.name)),
        }
    }
}

/// The typed field of 8-bit integers has 32 bits for each.
fn narrow<T: TryFrom<i32>>(values: &[i32]) -> Result<Vec<T>, String> {
    let narrow = |value: &i32| T::try_from(*value).map_err(|_| format!("the element {value} does not fit its type"));
    values.iter().map(narrow).collect()
}

/// The elements, from the raw bytes or the typed field.
fn elements_of<T: Copy, const SIZE: usize>(
    tensor: &TensorProto,
    elements: usize,
    typed: &[T],
    read: fn([u8; SIZE]) -> T,
) -> Result<Vec<T>, String> {
    let shape = &tensor.dims;
    match &tensor.raw_data {
        Some(raw) => {
            if elements.checked_mul(SIZE) != Some(raw.len()) {
                return Err(format!("{} bytes of data for shape {shape:?} of {SIZE}-byte elements", raw.len()));
            }
            Ok(raw.as_chunks::<SIZE>().0.iter().map(|bytes| read(*bytes)).collect())
        }
        None if typed.len() != elements => Err(format!("{} elements for shape {shape:?}", typed.len())),
        None => Ok(typed.to_vec()),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "what does not fit becomes infinite, which is refused")]
fn to_f32(value: f64) -> f32 {
    value as f32
}
