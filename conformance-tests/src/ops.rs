//! Vectors of opcodes: `vectors/op.*.json`, in the format that `vectors/README.md` describes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use noema_abi::{DType, Status};
use noema_tensor::ops::{self, Arg};
use noema_tensor::{Kernels, OpError, Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;
use crate::report::{ConformanceError, Report, read};
use crate::vectors::{self, Kind};

/// A file: the vectors of one row.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) row: String,
    pub(crate) cases: Vec<Case>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) args: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
}

/// An argument or a result as it stands in a file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(crate) enum Value {
    Tensor(Elements),
    Bytes(String),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Elements {
    dtype: String,
    shape: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<i64>,
}

impl Elements {
    /// A tensor as it stands in a file.
    pub(crate) fn of(tensor: &Tensor) -> Result<Elements, OpError> {
        let data = match tensor.dtype() {
            DType::I8 => tensor.to_vec::<i8>()?.into_iter().map(i64::from).collect(),
            DType::U8 => tensor.to_vec::<u8>()?.into_iter().map(i64::from).collect(),
            DType::I16 => tensor.to_vec::<i16>()?.into_iter().map(i64::from).collect(),
            DType::I32 => tensor.to_vec::<i32>()?.into_iter().map(i64::from).collect(),
            DType::I64 => tensor.to_vec::<i64>()?,
        };
        let (dtype, shape) = (tensor.dtype().name().to_owned(), tensor.shape().dims().to_vec());
        Ok(Elements { dtype, shape, data: Some(data), fill: None })
    }

    /// The elements that stand there one by one.
    pub(crate) fn numbers(self) -> Vec<i64> {
        self.data.unwrap_or_default()
    }

    pub(crate) fn tensor(&self) -> Result<Tensor, String> {
        let known = DType::ALL.into_iter().find(|dtype| dtype.name() == self.dtype);
        let dtype = known.ok_or_else(|| format!("no element type is called {}", self.dtype))?;
        let shape = Shape::new(&self.shape).map_err(|status| format!("{:?}: {status}", self.shape))?;
        let bytes = match (&self.data, self.fill) {
            (Some(data), None) => {
                data.iter().map(|element| little_endian(dtype, *element)).collect::<Result<Vec<_>, _>>()?.concat()
            }
            (None, Some(element)) => {
                let count = shape.elements().ok().and_then(|count| usize::try_from(count).ok());
                little_endian(dtype, element)?.repeat(count.ok_or("too many elements")?)
            }
            _ => return Err("a tensor has either `data` or `fill`".to_owned()),
        };
        Tensor::from_le_bytes(dtype, shape, &bytes).map_err(|error| format!("{:?}: {error}", self.shape))
    }
}

/// The bytes of an element, which must fit its type.
fn little_endian(dtype: DType, element: i64) -> Result<Vec<u8>, String> {
    if element < dtype.min() || element > dtype.max() {
        return Err(format!("{element} is no {dtype}"));
    }
    Ok(element.to_le_bytes()[..dtype.size()].to_vec())
}

/// A case with its arguments as values.
struct Prepared {
    /// File and name.
    at: String,
    opcode: String,
    args: Vec<Argument>,
    expected: Result<Tensor, Status>,
}

/// An argument as a value.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A tensor.
    Tensor(Tensor),
    /// Bytes, of which lists are made.
    Bytes(Vec<u8>),
    /// A `u32`.
    U32(u32),
    /// An `i32`.
    I32(i32),
    /// A `u64`.
    U64(u64),
    /// An `i64`.
    I64(i64),
}

/// Types and shapes, lengths and numbers: `i8 [3, 4]`, `8 bytes`, `7`.
impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Tensor(tensor) => write!(f, "{} {:?}", tensor.dtype(), tensor.shape().dims()),
            Argument::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Argument::U32(number) => number.fmt(f),
            Argument::I32(number) => number.fmt(f),
            Argument::U64(number) => number.fmt(f),
            Argument::I64(number) => number.fmt(f),
        }
    }
}

impl Argument {
    fn of(value: &Value) -> Result<Argument, String> {
        Ok(match value {
            Value::Tensor(elements) => Argument::Tensor(elements.tensor()?),
            Value::Bytes(digits) => Argument::Bytes(hex::decode(digits).map_err(|error| format!("{digits}: {error}"))?),
            Value::U32(number) => Argument::U32(*number),
            Value::I32(number) => Argument::I32(*number),
            Value::U64(number) => Argument::U64(*number),
            Value::I64(number) => Argument::I64(*number),
        })
    }

    /// The argument as it stands in a file.
    pub(crate) fn value(&self) -> Result<Value, OpError> {
        Ok(match self {
            Argument::Tensor(tensor) => Value::Tensor(Elements::of(tensor)?),
            Argument::Bytes(bytes) => Value::Bytes(hex::encode(bytes)),
            Argument::U32(number) => Value::U32(*number),
            Argument::I32(number) => Value::I32(*number),
            Argument::U64(number) => Value::U64(*number),
            Argument::I64(number) => Value::I64(*number),
        })
    }

    /// The argument as opcodes take it.
    #[must_use]
    pub fn lend(&self) -> Arg<'_> {
        match self {
            Argument::Tensor(tensor) => Arg::Tensor(tensor),
            Argument::Bytes(bytes) => Arg::Bytes(bytes),
            Argument::U32(number) => Arg::U32(*number),
            Argument::I32(number) => Arg::I32(*number),
            Argument::U64(number) => Arg::U64(*number),
            Argument::I64(number) => Arg::I64(*number),
        }
    }
}

fn load(directory: &Path) -> Result<Vec<(String, File)>, ConformanceError> {
    let mut loaded = Vec::new();
    for path in vectors::files(directory, Kind::Opcode)? {
        let file: File =
            serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
        let known = file.row.strip_prefix("op.").is_some_and(|opcode| ops::NAMES.contains(&opcode));
        if !known {
            return Err(ConformanceError::format(path.display(), format!("there is no opcode {}", file.row)));
        }
        let mut names = BTreeSet::new();
        if let Some(case) = file.cases.iter().find(|case| !names.insert(case.name.as_str())) {
            return Err(ConformanceError::format(path.display(), format!("two cases are called {}", case.name)));
        }
        loaded.push((vectors::name_of(&path), file));
    }
    Ok(loaded)
}

fn prepare(directory: &Path) -> Result<Vec<Prepared>, ConformanceError> {
    let mut prepared = Vec::new();
    for (name, file) in load(directory)? {
        let opcode = file.row.strip_prefix("op.").unwrap_or(&file.row).to_owned();
        for case in &file.cases {
            let at = format!("{name}, {}", case.name);
            let wrong = |what: String| ConformanceError::format(&at, what);
            let args = case.args.iter().map(Argument::of).collect::<Result<_, _>>().map_err(wrong)?;
            let expected = match (&case.result, &case.status) {
                (Some(Value::Tensor(elements)), None) => Ok(elements.tensor().map_err(wrong)?),
                (None, Some(name)) => {
                    let known = Status::ALL.iter().find(|(status, _)| status.name() == name);
                    Err(known.ok_or_else(|| wrong(format!("no status is called {name}")))?.0)
                }
                _ => return Err(wrong("a case has either a tensor as `result`, or a `status`".to_owned())),
            };
            prepared.push(Prepared { at, opcode: opcode.clone(), args, expected });
        }
    }
    Ok(prepared)
}

/// Runs the vectors of opcodes in a directory on every level of this machine, with one and with two threads.
///
/// # Errors
/// A file cannot be read or is not in the format, or this machine cannot compute.
pub fn check(directory: &Path) -> Result<Report, ConformanceError> {
    let cases = prepare(directory)?;
    if cases.is_empty() {
        return Ok(Report::default());
    }
    let mut report = Report::default();
    for (level, threads) in vectors::machines() {
        let kernels = vectors::kernels(level, threads)?;
        for case in &cases {
            let what = run(&kernels, case)?.or_else(|| vectors::alarm(&kernels));
            report.compare(|| format!("{}, {level} with {threads}", case.at), what);
        }
    }
    Ok(report)
}

/// What differs in one case.
fn run(kernels: &Kernels, case: &Prepared) -> Result<Option<String>, ConformanceError> {
    let args: Vec<Arg<'_>> = case.args.iter().map(Argument::lend).collect();
    let found = match ops::call(kernels, &case.opcode, &args) {
        Ok(tensor) => Ok(tensor),
        Err(OpError::Status(status)) => Err(status),
        Err(error) => return Err(ConformanceError::Node(format!("{}: {error}", case.at))),
    };
    difference(&case.expected, &found)
}

/// What differs between the answer that is expected and the one found.
pub(crate) fn difference(
    expected: &Result<Tensor, Status>,
    found: &Result<Tensor, Status>,
) -> Result<Option<String>, ConformanceError> {
    Ok(match (expected, found) {
        (Err(expected), Err(found)) => (expected != found).then(|| format!("expected {expected}, found {found}")),
        (Err(expected), Ok(found)) => Some(format!("expected {expected}, found a tensor {:?}", found.shape().dims())),
        (Ok(_), Err(found)) => Some(format!("expected a tensor, found {found}")),
        (Ok(expected), Ok(found)) => {
            compare(expected, found).map_err(|error| ConformanceError::Node(error.to_string()))?
        }
    })
}

fn compare(expected: &Tensor, found: &Tensor) -> Result<Option<String>, OpError> {
    let kind = |tensor: &Tensor| (tensor.dtype(), tensor.shape().dims().to_vec());
    if kind(expected) != kind(found) {
        return Ok(Some(format!("expected {:?}, found {:?}", kind(expected), kind(found))));
    }
    let (old, new) = (expected.to_le_bytes()?, found.to_le_bytes()?);
    let size = expected.dtype().size();
    let first = old.chunks(size).zip(new.chunks(size)).position(|(old, new)| old != new);
    Ok(first.map(|index| {
        let element = |bytes: &[u8]| hex::encode(&bytes[index * size..(index + 1) * size]);
        format!("element {index}: expected {}, found {} (little-endian bytes)", element(&old), element(&new))
    }))
}

/// Notes what the vectors of opcodes in a directory show.
///
/// # Errors
/// A file cannot be read or is not in the format.
pub fn note(directory: &Path, coverage: &mut Coverage) -> Result<(), ConformanceError> {
    for (_, file) in load(directory)? {
        for case in &file.cases {
            coverage.note(&file.row, case.status.as_deref());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::ConformanceError;

    #[test]
    fn opcodes_answer_as_the_vectors_say_on_every_level() {
        let report = check(&crate::vectors::directory()).unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.cases > 1_000, "{report}");
    }

    /// Runs one case of `op.add`.
    fn add(case: &str) -> Result<String, ConformanceError> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("op.add.json"), format!(r#"{{"row": "op.add", "cases": [{case}]}}"#))
            .unwrap();
        check(directory.path()).map(|report| report.to_string())
    }

    #[test]
    fn what_is_wrong_in_a_vector_is_found() {
        let x = r#"{"tensor": {"dtype": "i8", "shape": [2], "data": [100, -3]}}"#;
        let case = |expected: &str| add(&format!(r#"{{"name": "it", "args": [{x}, {x}], {expected}}}"#)).unwrap();
        let tensor = |dtype: &str, shape: &str, data: &str| {
            format!(r#""result": {{"tensor": {{"dtype": "{dtype}", "shape": {shape}, "data": {data}}}}}"#)
        };
        assert!(case(&tensor("i8", "[2]", "[127, -6]")).contains(", 0 different"));
        assert!(case(&tensor("i8", "[2]", "[127, -7]")).contains("element 1: expected f9, found fa"));
        assert!(case(&tensor("i16", "[2]", "[127, -6]")).contains("expected (I16, [2]), found (I8, [2])"));
        assert!(case(&tensor("i8", "[1, 2]", "[127, -6]")).contains("found (I8, [2])"));
        assert!(case(r#""status": "TypeMismatch""#).contains("expected TypeMismatch, found a tensor [2]"));
        let mixed = r#"{"tensor": {"dtype": "u8", "shape": [2], "fill": 1}}"#;
        let found =
            add(&format!(r#"{{"name": "it", "args": [{x}, {mixed}], {}}}"#, tensor("i8", "[2]", "[0, 0]"))).unwrap();
        assert!(found.contains("expected a tensor, found TypeMismatch"), "{found}");
    }

    #[test]
    fn what_is_not_in_the_format_is_named() {
        for (wrong, part) in [
            (
                r#"{"name": "it", "args": [{"tensor": {"dtype": "i8", "shape": [1], "data": [128]}}], "status": "Overflow"}"#,
                "128 is no i8",
            ),
            (
                r#"{"name": "it", "args": [{"tensor": {"dtype": "f32", "shape": [1], "data": [1]}}], "status": "Overflow"}"#,
                "f32",
            ),
            (
                r#"{"name": "it", "args": [{"tensor": {"dtype": "i8", "shape": [2], "data": [1]}}], "status": "Overflow"}"#,
                "ShapeMismatch",
            ),
            (r#"{"name": "it", "args": [{"bytes": "0"}], "status": "Overflow"}"#, "0: "),
            (r#"{"name": "it", "args": [], "status": "Overflown"}"#, "no status is called Overflown"),
            (r#"{"name": "it", "args": []}"#, "a case has either"),
            (
                r#"{"name": "it", "args": [], "status": "Overflow"}, {"name": "it", "args": [], "status": "Overflow"}"#,
                "two cases",
            ),
        ] {
            let error = add(wrong).unwrap_err().to_string();
            assert!(error.contains(part), "{wrong}\n{error}");
        }
    }
}
