//! From the bytes of a file to a container.

use noema_model::{
    Manifest, Model, Port, container,
    graph::{Edge, EdgeId},
};
use noema_tensor::{Kernels, Level};

use crate::{
    Accuracy, Agreement, ImportError, ImportReport, LayerReport, Prediction, Table, Width, Widths,
    float::DenseModel,
    images::{self, ImageModel},
    input_tensor, layers, ml,
    network::{self, Network},
    quantise::{self, Calibration, Quantised},
    scale::magnitude,
};

/// How to import a network.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// What the model shall be called.
    pub name: String,
    /// Its licence, as an SPDX expression where there is one.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// Names of the classes; none, or one for each.
    pub labels: Vec<String>,
    /// Rows of features like those that the model will meet; at least one. Ranges are taken from them.
    pub calibration: Vec<Vec<f64>>,
    /// Rows with classes that neither training nor calibration has seen: their accuracy goes into the manifest.
    pub heldout: Option<Table>,
    /// Fraction bits of the features; as many as leave room for four times the calibration rows where not said.
    pub input_fraction_bits: Option<u8>,
    /// How many bits activations have.
    pub precision: Precision,
}

impl ImportOptions {
    /// Options that let the importer choose; calibration rows must be added.
    #[must_use]
    pub fn new(name: &str, licence: &str) -> ImportOptions {
        ImportOptions {
            name: name.into(),
            licence: licence.into(),
            version: "1".into(),
            labels: vec![],
            calibration: vec![],
            heldout: None,
            input_fraction_bits: None,
            precision: Precision::Auto { tolerance: 0.01 },
        }
    }
}

/// How many bits activations have. Weights always have 8, with a scale for each output.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Precision {
    /// The fewest bits with which no probability of a calibration row moves by more than the tolerance (for a network
    /// without probabilities: no score by more than that share of the largest one); the nearest where none does it.
    Auto {
        /// The tolerance.
        tolerance: f64,
    },
    /// These.
    Fixed(Widths),
}

/// An imported network.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The container, ready for a model store.
    pub container: Vec<u8>,
    /// What was done and how well it went.
    pub report: ImportReport,
}

/// What [`Precision::Auto`] tries, in order.
const LADDER: [Widths; 3] = [
    Widths { features: Width::Eight, hidden: Width::Eight },
    Widths { features: Width::Sixteen, hidden: Width::Eight },
    Widths { features: Width::Sixteen, hidden: Width::Sixteen },
];

/// Imports a network: one input `features` (`i32`, fixed point), outputs `logits` (`i32`, fixed point),
/// `probabilities` (`i32`, 16 fraction bits; only where the network has a softmax) and `class` (`i32`).
///
/// # Errors
/// [`ImportError`]; any bytes may be passed.
pub fn import_onnx(bytes: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    let mut graph = network::parse(bytes)?;
    // The names that a classifier of scikit-learn gives its classes.
    let labels = if options.labels.is_empty() { ml::labels_of(&graph) } else { options.labels.clone() };
    let options = &ImportOptions { labels, ..options.clone() };
    ml::rewrite(&mut graph)?;
    if images::is_needed(&graph) {
        return ImageModel::read(graph)?.import(options);
    }
    let float = DenseModel::new(Network::read(graph)?)?;
    let (features, layers) = layers::fold(float.network())?;
    let activations = float.activations(&options.calibration)?;
    let ranges = layers.iter().map(|layer| {
        let values = DenseModel::values(&activations, layer.result)?;
        let largest = magnitude(values.iter().flatten());
        if largest.is_finite() { Ok(largest) } else { Err(overflow(&layer.name)) }
    });
    let calibration = Calibration { rows: &options.calibration, layers: ranges.collect::<Result<_, _>>()? };
    let largest = magnitude(options.calibration.iter().flatten());
    let input_bits = input_bits(options, &float.network().input, largest)?;
    let softmax = float.network().softmax;
    Import {
        options,
        classes: layers.last().map_or(0, |layer| layer.weights.len()),
        features: features.mul.len(),
        layers: layers.iter().map(|layer| layer.name.clone()).collect(),
        input_bits,
        predict: &|rows| float.predict(rows),
        quantise: &|widths| quantise::quantise(&features, &layers, &calibration, input_bits, widths, softmax),
    }
    .run()
}

/// Fraction bits of the features.
pub(crate) fn input_bits(options: &ImportOptions, input: &str, largest: f64) -> Result<u8, ImportError> {
    match options.input_fraction_bits {
        Some(bits) if bits <= 30 => Ok(bits),
        Some(bits) => Err(ImportError::Options(format!("{bits} fraction bits of the input, the limit is 30"))),
        None => quantise::fraction_bits(input, largest, 30),
    }
}

pub(crate) fn overflow(node: &str) -> ImportError {
    ImportError::Quantise { what: node.into(), reason: "calibration rows overflow f32".into() }
}

/// What predicts rows in float.
type Predict<'a> = dyn Fn(&[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> + 'a;

/// An import of whatever kind of network: what it says in float, and its graph with activations of some widths.
pub(crate) struct Import<'a> {
    pub(crate) options: &'a ImportOptions,
    pub(crate) classes: usize,
    pub(crate) features: usize,
    /// Names of the layers of weights.
    pub(crate) layers: Vec<String>,
    pub(crate) input_bits: u8,
    pub(crate) predict: &'a Predict<'a>,
    pub(crate) quantise: &'a dyn Fn(Widths) -> Result<Quantised, ImportError>,
}

struct Candidate {
    widths: Widths,
    quantised: Quantised,
    manifest: Manifest,
    agreement: Agreement,
}

impl Import<'_> {
    pub(crate) fn run(&self) -> Result<Imported, ImportError> {
        let Import { options, classes, .. } = self;
        if !options.labels.is_empty() && options.labels.len() != *classes {
            let reason = format!("{} labels for {classes} classes", options.labels.len());
            return Err(ImportError::Options(reason));
        }
        let expected = (self.predict)(&options.calibration)?;
        let (ladder, tolerance) = match options.precision {
            Precision::Auto { tolerance } => (LADDER.to_vec(), tolerance),
            Precision::Fixed(widths) => (vec![widths], f64::INFINITY),
        };
        let mut best: Option<Candidate> = None;
        for widths in ladder {
            let candidate = self.build(widths, &expected)?;
            let off = |candidate: &Candidate| candidate.agreement.largest_difference;
            let good = off(&candidate) <= tolerance;
            // Of equally near ones the widest, which has the most room.
            if good || best.as_ref().is_none_or(|best| off(&candidate) <= off(best)) {
                best = Some(candidate);
            }
            if good {
                break;
            }
        }
        self.finish(best.ok_or_else(|| ImportError::Options("there are no rows".into()))?)
    }

    fn build(&self, widths: Widths, expected: &[Prediction]) -> Result<Candidate, ImportError> {
        let quantised = (self.quantise)(widths)?;
        let manifest = self.manifest(&quantised)?;
        let container = container::encode(&manifest, &quantised.graph, &quantised.parameters)?;
        let actual = predict(&Model::from_bytes(container)?, &self.options.calibration)?;
        let agreement = Agreement::of(expected, &actual);
        Ok(Candidate { widths, quantised, manifest, agreement })
    }

    fn manifest(&self, quantised: &Quantised) -> Result<Manifest, ImportError> {
        let Quantised { graph, outputs, .. } = quantised;
        let edges = graph.edges()?;
        let edge = |id: EdgeId| -> &Edge { &edges[usize::try_from(id.0).unwrap_or(usize::MAX)] };
        let outputs = outputs.iter().zip(&graph.outputs);
        Ok(Manifest {
            name: self.options.name.clone(),
            licence: self.options.licence.clone(),
            version: self.options.version.clone(),
            inputs: vec![Port::new("features", edge(EdgeId(0)), self.input_bits)],
            outputs: outputs.map(|((name, bits), id)| Port::new(name, edge(*id), *bits)).collect(),
            labels: self.options.labels.clone(),
            accuracy: String::new(),
        })
    }

    fn finish(&self, candidate: Candidate) -> Result<Imported, ImportError> {
        let Candidate { widths, quantised, mut manifest, agreement } = candidate;
        let encode = |manifest: &Manifest| container::encode(manifest, &quantised.graph, &quantised.parameters);
        let accuracy = match &self.options.heldout {
            None => None,
            Some(table) if table.labels.len() != table.rows.len() || table.rows.is_empty() => {
                return Err(ImportError::no_classes());
            }
            Some(table) => {
                let model = Model::from_bytes(encode(&manifest)?)?;
                let both = (self.predict)(&table.rows).and_then(|float| Ok((float, predict(&model, &table.rows)?)));
                let (float, integer) = both.map_err(ImportError::heldout)?;
                Some(Accuracy::of(&table.labels, &float, &integer))
            }
        };
        manifest.accuracy = agreement.to_string();
        if let Some(accuracy) = &accuracy {
            manifest.accuracy = format!("{accuracy}; {agreement}");
        }
        let container = encode(&manifest)?;
        let model = Model::from_bytes(container.clone())?;
        let layers = self.layers.iter().filter_map(|layer| LayerReport::of(&model, layer)).collect();
        let report = ImportReport {
            id: model.id(),
            container_bytes: container.len(),
            features: self.features,
            input_fraction_bits: self.input_bits,
            logit_fraction_bits: manifest.outputs[0].fraction_bits,
            widths,
            layers,
            calibration: agreement,
            heldout: accuracy,
            integers: None,
        };
        Ok(Imported { container, report })
    }
}

fn predict(model: &Model, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
    let kernels = Kernels::new(Level::best(), 1).map_err(|error| ImportError::Compute(error.to_string()))?;
    predictions(model, rows, &kernels)
}

/// Runs an imported model on real rows, and reads its outputs as the numbers that they stand for.
pub(crate) fn predictions(model: &Model, rows: &[Vec<f64>], kernels: &Kernels) -> Result<Vec<Prediction>, ImportError> {
    let manifest = model.manifest();
    let features = input_tensor(&manifest.inputs[0], rows)?;
    let outputs = model.run(kernels, &[&features])?;
    let real = |name: &str| -> Result<Option<Vec<Vec<f32>>>, ImportError> {
        let Some(index) = manifest.output(name) else { return Ok(None) };
        let values = outputs[index].to_vec::<i32>()?;
        let unit = 2.0_f64.powi(-i32::from(manifest.outputs[index].fraction_bits));
        #[allow(clippy::cast_possible_truncation, reason = "compared with f32")]
        let row = |row: &[i32]| row.iter().map(|value| (f64::from(*value) * unit) as f32).collect();
        Ok(Some(values.chunks(values.len() / rows.len()).map(row).collect()))
    };
    let logits = real("logits")?.unwrap_or_default();
    let classes = real("class")?.unwrap_or_default();
    let mut probabilities = real("probabilities")?.map(Vec::into_iter);
    let rows = logits.into_iter().zip(classes);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small index")]
    let predictions = rows.map(|(logits, class)| Prediction {
        class: class[0] as usize,
        logits,
        probabilities: probabilities.as_mut().and_then(Iterator::next),
    });
    Ok(predictions.collect())
}
