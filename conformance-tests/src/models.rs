//! Vectors of models: a container, its id, what it answers and what it costs. `vectors/README.md` describes the format.

use std::collections::BTreeMap;
use std::path::Path;

use noema_abi::{ProtocolVersion, Status};
use noema_model::{Extent, Model, merkle};
use noema_tensor::{Kernels, OpError, Tensor};
use serde::Deserialize;

use crate::ops::{Value, difference};
use crate::report::{ConformanceError, Report, read};
use crate::vectors::{self, Kind};

/// A file: the vectors of one container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it is about.
    #[allow(dead_code, reason = "for people")]
    about: String,
    /// The container, in a file beside this one.
    model: String,
    /// Its id, in hexadecimal.
    id: String,
    /// Whether it is no valid container, and so cannot be run.
    #[serde(default)]
    refused: bool,
    /// Gas of a batch, by the number of rows.
    #[serde(default)]
    cost: BTreeMap<u32, u64>,
    /// Gas of one row, by the length of the sequence.
    #[serde(default)]
    cost_of: BTreeMap<u32, u64>,
    /// Bytes that a batch is charged for, by the number of rows.
    #[serde(default)]
    memory: BTreeMap<u32, u64>,
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    inputs: Vec<Value>,
    outputs: Option<Vec<Value>>,
    status: Option<String>,
}

/// Reads a container: bytes, or hexadecimal digits in lines where the name ends in `.hex`.
///
/// # Errors
/// The file cannot be read, or has something else than digits.
pub fn container(path: &Path) -> Result<Vec<u8>, ConformanceError> {
    if path.extension().is_some_and(|extension| extension == "hex") {
        let digits: String = read(path)?.split_whitespace().collect();
        return hex::decode(digits).map_err(|error| ConformanceError::format(path.display(), error));
    }
    std::fs::read(path).map_err(ConformanceError::file(path))
}

/// Runs the vectors of models in a directory on every level of this machine, with one and with two threads.
///
/// # Errors
/// A file cannot be read or is not in the format, or this machine cannot compute.
pub fn check(directory: &Path) -> Result<Report, ConformanceError> {
    let paths = vectors::files(directory, Kind::Model)?;
    let mut report = Report::default();
    if paths.is_empty() {
        return Ok(report);
    }
    let machines = vectors::machines()
        .into_iter()
        .map(|(level, threads)| vectors::kernels(level, threads))
        .collect::<Result<Vec<_>, _>>()?;
    for path in paths {
        let file: File =
            serde_json::from_str(&read(&path)?).map_err(|error| ConformanceError::format(path.display(), error))?;
        let bytes = container(&path.parent().unwrap_or(directory).join(&file.model))?;
        let name = vectors::name_of(&path);
        report.equal(|| format!("{name}, id"), &file.id, &merkle::root(&bytes).to_string());
        let model = match (Model::from_bytes(bytes), file.refused) {
            (Ok(model), false) => model,
            (Ok(_), true) => {
                report.compare(|| name.clone(), Some("the container should have been refused".to_owned()));
                continue;
            }
            (Err(error), refused) => {
                report.compare(|| name.clone(), (!refused).then(|| error.to_string()));
                continue;
            }
        };
        for (batch, gas) in &file.cost {
            let found = model.cost(ProtocolVersion::LATEST, *batch);
            report.equal(|| format!("{name}, gas of {batch} rows"), &Ok(*gas), &found);
        }
        for (length, gas) in &file.cost_of {
            let found = model.cost_of(ProtocolVersion::LATEST, Extent { batch: 1, length: *length });
            report.equal(|| format!("{name}, gas of a sequence of {length}"), &Ok(*gas), &found);
        }
        for (batch, bytes) in &file.memory {
            report.equal(|| format!("{name}, bytes of {batch} rows"), &Ok(*bytes), &model.arena_bytes(*batch));
        }
        for case in &file.cases {
            let at = format!("{name}, {}", case.name);
            let case = Prepared::of(case).map_err(|what| ConformanceError::format(&at, what))?;
            for kernels in &machines {
                let what = case.run(&model, kernels)?.or_else(|| vectors::alarm(kernels));
                report.compare(|| format!("{at}, {} with {}", kernels.requested(), kernels.threads()), what);
            }
        }
    }
    Ok(report)
}

/// A case with tensors as values.
struct Prepared {
    inputs: Vec<Tensor>,
    expected: Result<Vec<Tensor>, Status>,
}

impl Prepared {
    fn of(case: &Case) -> Result<Prepared, String> {
        let tensors = |values: &[Value]| values.iter().map(tensor).collect::<Result<Vec<_>, _>>();
        let expected = match (&case.outputs, &case.status) {
            (Some(outputs), None) => Ok(tensors(outputs)?),
            (None, Some(name)) => {
                let known = Status::ALL.iter().find(|(status, _)| status.name() == name);
                Err(known.ok_or_else(|| format!("no status is called {name}"))?.0)
            }
            _ => return Err("a case has either `outputs` or a `status`".to_owned()),
        };
        Ok(Prepared { inputs: tensors(&case.inputs)?, expected })
    }

    /// What differs.
    fn run(&self, model: &Model, kernels: &Kernels) -> Result<Option<String>, ConformanceError> {
        let inputs: Vec<&Tensor> = self.inputs.iter().collect();
        let found = match model.run(kernels, &inputs) {
            Ok(outputs) => Ok(outputs),
            Err(OpError::Status(status)) => Err(status),
            Err(error) => return Err(ConformanceError::Node(error.to_string())),
        };
        let (expected, found) = match (&self.expected, found) {
            (Ok(expected), Ok(found)) => (expected, found),
            (Err(expected), Err(found)) => {
                return Ok((*expected != found).then(|| format!("expected {expected}, found {found}")));
            }
            (Ok(_), Err(found)) => return Ok(Some(format!("expected outputs, found {found}"))),
            (Err(expected), Ok(_)) => return Ok(Some(format!("expected {expected}, found outputs"))),
        };
        if expected.len() != found.len() {
            return Ok(Some(format!("expected {} outputs, found {}", expected.len(), found.len())));
        }
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            if let Some(what) = difference(&Ok(expected.clone()), &Ok(found))? {
                return Ok(Some(format!("output {index}: {what}")));
            }
        }
        Ok(None)
    }
}

fn tensor(value: &Value) -> Result<Tensor, String> {
    match value {
        Value::Tensor(elements) => elements.tensor(),
        _ => Err("inputs and outputs are tensors".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::vectors;

    #[test]
    fn models_answer_as_the_vectors_say_on_every_level() {
        let report = check(&vectors::directory()).unwrap();
        assert!(report.is_clean(), "{report}");
        assert!(report.cases > 20, "{report}");
    }

    /// Runs one file about a copy of the sample model.
    fn file(rest: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let bytes = crate::sample_model("two-scores").unwrap();
        std::fs::write(directory.path().join("m.noema"), &bytes).unwrap();
        std::fs::write(directory.path().join("cut.noema"), &bytes[..bytes.len() - 1]).unwrap();
        std::fs::write(directory.path().join("it.json"), format!(r#"{{"about": "a test", {rest}}}"#)).unwrap();
        check(directory.path()).map_or_else(|error| error.to_string(), |report| report.to_string())
    }

    #[test]
    fn what_is_wrong_in_a_vector_is_found() {
        let id = noema_model::merkle::root(&crate::sample_model("two-scores").unwrap()).to_string();
        let of = |rest: &str| file(&format!(r#""model": "m.noema", "id": "{id}", {rest}"#));
        let case = |rest: &str| {
            let x = r#"{"tensor": {"dtype": "i8", "shape": [1, 3], "data": [1, 1, 1]}}"#;
            of(&format!(r#""cases": [{{"name": "it", "inputs": [{x}], {rest}}}]"#))
        };
        let outputs = |scores: &str, class: &str| {
            case(&format!(
                r#""outputs": [{{"tensor": {{"dtype": "i32", "shape": [1, 2], "data": {scores}}}}}, {{"tensor": {{"dtype": "i32", "shape": [1], "data": {class}}}}}]"#
            ))
        };
        assert!(outputs("[6, 100]", "[1]").contains(", 0 different"), "{}", outputs("[6, 100]", "[1]"));
        assert!(outputs("[6, 101]", "[1]").contains("output 0: element 1"));
        assert!(outputs("[6, 100]", "[0]").contains("output 1: element 0"));
        assert!(case(r#""status": "Overflow""#).contains("expected Overflow, found outputs"));
        assert!(case(r#""outputs": []"#).contains("expected 0 outputs, found 2"));
        assert!(case(r#""outputs": [], "status": "Overflow""#).contains("either `outputs` or a `status`"));
        assert!(of(r#""cost": {"1": 1}"#).contains("gas of 1 rows"));
        assert!(of(r#""memory": {"1": 1}"#).contains("bytes of 1 rows"));
        assert!(of(r#""refused": true"#).contains("should have been refused"));
        assert!(file(r#""model": "m.noema", "id": "00""#).contains("id: expected \"00\""));
        assert!(file(r#""model": "cut.noema", "id": "00""#).contains("weights section"));
        assert!(file(r#""model": "none.noema", "id": "00""#).contains("none.noema"));
    }
}
