//! Rows for a model, from files of people: JSON, NumPy's arrays, CSV.

use std::path::{Path, PathBuf};

use noema_model::graph::SEQUENCE;
use noema_model::{Model, Port};
use noema_tensor::{DType, Shape, Tensor};
use serde_json::Value;

use super::import;
use crate::CliError;

/// Numbers of a file: `shape[0]` rows.
struct Array {
    shape: Vec<usize>,
    /// A missing number is NaN.
    values: Vec<f64>,
}

/// An argument `FILE` or `NAME=FILE`.
#[derive(Clone, Debug)]
pub struct InputFile {
    name: Option<String>,
    path: PathBuf,
}

impl std::str::FromStr for InputFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<InputFile, Self::Err> {
        Ok(match text.split_once('=') {
            Some((name, path)) => InputFile { name: Some(name.to_owned()), path: path.into() },
            None => InputFile { name: None, path: text.into() },
        })
    }
}

/// The inputs of a model, in its order. Real numbers become integers by the fraction bits of the input, unless they are
/// `raw`.
///
/// # Errors
/// A file that cannot be read, has no such numbers, or does not fit the model.
pub fn read(model: &Model, files: &[InputFile], raw: bool) -> Result<Vec<Tensor>, CliError> {
    let ports = &model.manifest().inputs;
    let names = || ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut given: Vec<(String, &Path, Array)> = vec![];
    for InputFile { name, path } in files {
        for (of_file, array) in arrays(path)? {
            let name = match (name.clone().or(of_file), &ports[..]) {
                (Some(name), _) => name,
                (None, [port]) => port.name.clone(),
                (None, _) => {
                    let hint = format!("say NAME={}, or give a JSON object; the model has {}", path.display(), names());
                    return Err(CliError::file(path, "which input is it for?", hint));
                }
            };
            given.push((name, path, array));
        }
    }
    if let Some((name, path, _)) = given.iter().find(|(name, ..)| !ports.iter().any(|port| port.name == *name)) {
        return Err(CliError::file(path, format!("the model has no input `{name}`"), format!("it has {}", names())));
    }
    let mut tensors = Vec::with_capacity(ports.len());
    for port in ports {
        let mut found = given.iter().filter(|(name, ..)| *name == port.name);
        let (Some((_, path, array)), None) = (found.next(), found.next()) else {
            let problem = format!("the input `{}` is not given exactly once", port.name);
            return Err(CliError::argument("--input", problem, format!("the model has {}", names())));
        };
        let refused = |problem: String| {
            let Port { name, dtype, shape, fraction_bits } = port;
            let hint = format!("`{name}` is {dtype} of shape [N, {}] with {fraction_bits} fraction bits", axes(shape));
            CliError::file(path, problem, hint)
        };
        tensors.push(tensor(port, array, raw).map_err(refused)?);
    }
    Ok(tensors)
}

fn axes(shape: &[u32]) -> String {
    let axis = |dim: &u32| if dim & SEQUENCE == 0 { dim.to_string() } else { format!("1 to {}", dim & !SEQUENCE) };
    shape.iter().map(axis).collect::<Vec<_>>().join(", ")
}

fn tensor(port: &Port, array: &Array, raw: bool) -> Result<Tensor, String> {
    let Array { shape, values } = array;
    let rows = *shape.first().filter(|rows| **rows > 0).ok_or("it has no rows")?;
    let row = values.len() / rows;
    let mut dims = vec![u32::try_from(rows).map_err(|_| "it has too many rows")?];
    if port.shape.iter().any(|dim| dim & SEQUENCE != 0) {
        if shape.len() != port.shape.len() + 1 {
            return Err(format!("numbers of shape {shape:?}"));
        }
        let inner = shape[1..].iter().map(|dim| u32::try_from(*dim).map_err(|error| error.to_string()));
        dims.extend(inner.collect::<Result<Vec<_>, _>>()?);
    } else {
        let width: u64 = port.shape.iter().map(|dim| u64::from(*dim)).product();
        if width != row as u64 {
            return Err(format!("rows of {row} numbers"));
        }
        dims.extend(&port.shape);
    }
    let factor = if raw { 1.0 } else { 2.0_f64.powi(port.fraction_bits.into()) };
    let (least, most) = (port.dtype.min(), port.dtype.max());
    let mut integers = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the range is checked")]
        let integer = match (value * factor).round_ties_even() {
            missing if missing.is_nan() => least,
            fits if fits >= least as f64 && fits <= most as f64 => fits as i64,
            _ => return Err(format!("row {}, number {}: {value} does not fit {}", at / row, at % row, port.dtype)),
        };
        integers.push(integer);
    }
    let shape = Shape::new(&dims).map_err(|status| status.to_string())?;
    let made = match port.dtype {
        DType::I8 => Tensor::from_vec(shape, fitting::<i8>(&integers)),
        DType::U8 => Tensor::from_vec(shape, fitting::<u8>(&integers)),
        DType::I16 => Tensor::from_vec(shape, fitting::<i16>(&integers)),
        DType::I32 => Tensor::from_vec(shape, fitting::<i32>(&integers)),
        DType::I64 => Tensor::from_vec(shape, integers),
    };
    made.map_err(|error| error.to_string())
}

/// Integers that were found to fit.
fn fitting<T: TryFrom<i64>>(integers: &[i64]) -> Vec<T> {
    integers.iter().filter_map(|integer| T::try_from(*integer).ok()).collect()
}

/// What a file holds: arrays, with names where it gives them.
fn arrays(path: &Path) -> Result<Vec<(Option<String>, Array)>, CliError> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        let table = import::read_table(path)?;
        let shape = vec![table.rows.len(), table.features.len()];
        return Ok(vec![(None, Array { shape, values: table.rows.concat() })]);
    }
    let bytes = std::fs::read(path).map_err(|error| CliError::io("read", path, error))?;
    let hint =
        "give a JSON array of rows, a JSON object with an array for each input, a NumPy array (.npy) or a CSV file";
    let refused = |problem: String| CliError::file(path, problem, hint);
    if bytes.starts_with(b"\x93NUMPY") {
        return Ok(vec![(None, npy(&bytes).map_err(refused)?)]);
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| refused(format!("not JSON: {error}")))?;
    let array = |value: &Value| json(value).map_err(refused);
    match &value {
        Value::Object(inputs) => inputs.iter().map(|(name, value)| Ok((Some(name.clone()), array(value)?))).collect(),
        value => Ok(vec![(None, array(value)?)]),
    }
}

/// Nested arrays of numbers; `null` is a missing one.
fn json(value: &Value) -> Result<Array, String> {
    let mut shape = vec![];
    let mut at = value;
    while let Value::Array(items) = at {
        shape.push(items.len());
        match items.first() {
            Some(first) if shape.len() <= 8 => at = first,
            _ => break,
        }
    }
    if shape.is_empty() {
        return Err("not an array of rows".into());
    }
    let mut values = vec![];
    flatten(value, &shape, &mut values)?;
    Ok(Array { shape, values })
}

fn flatten(value: &Value, shape: &[usize], values: &mut Vec<f64>) -> Result<(), String> {
    match (value, shape.split_first()) {
        (Value::Array(items), Some((length, inner))) if items.len() == *length => {
            items.iter().try_for_each(|item| flatten(item, inner, values))
        }
        (Value::Null, None) => {
            values.push(f64::NAN);
            Ok(())
        }
        (value, None) => {
            values.push(value.as_f64().ok_or_else(|| format!("`{value}` where a number should be"))?);
            Ok(())
        }
        _ => Err("arrays of several lengths beside each other".into()),
    }
}

/// An array as `numpy.save` writes it.
fn npy(bytes: &[u8]) -> Result<Array, String> {
    let cut = || "it is cut".to_owned();
    let (length, start): (Option<usize>, usize) = match bytes.get(6) {
        Some(1) => (bytes.get(8..10).map(|word| usize::from(word[0]) | usize::from(word[1]) << 8), 10),
        Some(2 | 3) => {
            let word = bytes.get(8..12).and_then(|word| <[u8; 4]>::try_from(word).ok());
            (word.and_then(|word| usize::try_from(u32::from_le_bytes(word)).ok()), 12)
        }
        _ => return Err("its format is not version 1, 2 or 3 of NumPy's".into()),
    };
    let end = length.and_then(|length| start.checked_add(length)).ok_or_else(cut)?;
    let header = std::str::from_utf8(bytes.get(start..end).ok_or_else(cut)?).map_err(|error| error.to_string())?;
    let field = |name: &str| {
        let (_, rest) =
            header.split_once(&format!("'{name}':")).ok_or_else(|| format!("its header has no `{name}`"))?;
        Ok::<&str, String>(rest.trim_start())
    };
    if !field("fortran_order")?.starts_with("False") {
        return Err("its order is Fortran's; save numpy.ascontiguousarray(...)".into());
    }
    let shape =
        field("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("its shape cannot be read")?;
    let shape = shape.0.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let shape =
        shape.map(|dim| dim.parse::<usize>().map_err(|error| error.to_string())).collect::<Result<Vec<_>, _>>()?;
    let count =
        shape.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim)).ok_or("its shape is beyond counting")?;
    let kind = field("descr")?.split('\'').nth(1).unwrap_or_default();
    let data = &bytes[end..];
    #[allow(clippy::cast_precision_loss, reason = "numbers above 2^53 are in no fixed-point input")]
    let values: Vec<f64> = match kind {
        "<f4" => data.as_chunks().0.iter().map(|word| f64::from(f32::from_le_bytes(*word))).collect(),
        "<f8" => data.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word)).collect(),
        "|u1" => data.iter().map(|byte| f64::from(*byte)).collect(),
        "|i1" => data.iter().map(|byte| f64::from(byte.cast_signed())).collect(),
        "<i2" => data.as_chunks().0.iter().map(|word| f64::from(i16::from_le_bytes(*word))).collect(),
        "<i4" => data.as_chunks().0.iter().map(|word| f64::from(i32::from_le_bytes(*word))).collect(),
        "<i8" => data.as_chunks().0.iter().map(|word| i64::from_le_bytes(*word) as f64).collect(),
        other => return Err(format!("element type `{other}`; f4, f8, u1, i1, i2, i4 and i8 can be read")),
    };
    if values.len() != count || shape.is_empty() {
        return Err(format!("{} numbers for shape {shape:?}", values.len()));
    }
    Ok(Array { shape, values })
}

#[cfg(test)]
mod tests {
    use super::{json, npy};

    #[test]
    fn arrays_of_numpy() {
        let file = |header: &str, data: &[u8]| {
            let length = u16::try_from(header.len()).unwrap().to_le_bytes();
            [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
        };
        let header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n";
        let array = npy(&file(header, &[1, 0, 2, 0, 255, 255, 3, 0, 4, 0, 0, 1])).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], vec![1.0, 2.0, -1.0, 3.0, 4.0, 256.0]));
        let bad = |header: &str| npy(&file(header, &[0; 12])).err().unwrap();
        assert!(bad("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }").contains("Fortran"));
        assert!(bad("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }").contains("<c8"));
        assert!(bad("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 4), }").contains("6 numbers"));
        let huge = format!("{{'descr': '<i2', 'fortran_order': False, 'shape': ({0}, {0}), }}", u64::MAX);
        assert!(bad(&huge).contains("beyond counting"));
        assert!(bad("{}").contains("fortran_order"));
        for cut in 0..40 {
            assert!(npy(&file(header, &[0; 12])[..cut]).is_err());
        }
    }

    #[test]
    fn arrays_of_json() {
        let read = |text: &str| json(&serde_json::from_str(text).unwrap());
        let array = read("[[1, 2.5], [null, -3]]").unwrap();
        assert_eq!(array.shape, [2, 2]);
        assert!(array.values[2].is_nan() && array.values[3] == -3.0);
        assert_eq!(read("[1, 2]").unwrap().shape, [2]);
        for bad in ["1", "[[1], [2, 3]]", "[[1], 2]", "[[\"a\"]]", "[[[1]], [2]]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
