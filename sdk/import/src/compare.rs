//! A float network beside the integer model that was made of it: how far apart they are, layer by layer and at the end.

use noema_model::{
    Manifest, Model, Port, container,
    graph::{Edge, EdgeId, Graph, sequence},
    parameters::{Array, NodeParameters, Parameters},
};
use noema_tensor::{DType, Kernels, Tensor};

use crate::{
    Accuracy, Agreement, FloatLayer, FloatModel, ImportError, LayerError, Prediction, import::predictions, input_tensor,
};

/// Rows that are run together.
const BLOCK: usize = 32;
/// Edges that a graph gives at once.
const MOST_OUTPUTS: usize = noema_model::graph::MAX_PORTS;

/// How far a model is from the float network that it was made of, on some rows.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every layer of weights, in order. A layer's unit is the one that fits best, so that only rounding counts.
    pub layers: Vec<LayerError>,
    /// The scores: the length of the difference as a share of the length of the original's.
    pub scores: f64,
    /// Classes and probabilities.
    pub agreement: Agreement,
    /// How many rows both get right, where their classes are known: see [`Comparison::with_labels`].
    pub accuracy: Option<Accuracy>,
    classes: Vec<[usize; 2]>,
}

impl Comparison {
    /// The same with the accuracy of both, if there is a class for each row.
    #[must_use]
    pub fn with_labels(self, labels: &[usize]) -> Comparison {
        let right =
            |which: usize| self.classes.iter().zip(labels).filter(|(classes, label)| classes[which] == **label).count();
        let accuracy = (labels.len() == self.classes.len()).then(|| Accuracy {
            rows: labels.len(),
            float_right: right(0),
            integer_right: right(1),
            different: self.classes.iter().filter(|[float, integer]| float != integer).count(),
        });
        Comparison { accuracy, ..self }
    }
}

/// Runs a float network and the container that was imported from it side by side.
///
/// # Errors
/// [`ImportError::Options`] for a container that was not made of this network; [`ImportError`] for rows that do not fit.
pub fn compare(
    original: &FloatModel,
    container: &[u8],
    rows: &[Vec<f64>],
    kernels: &Kernels,
) -> Result<Comparison, ImportError> {
    let model = Model::from_bytes(container.to_vec())?;
    let other = |what: &str| ImportError::Options(format!("the container was not made of this original: {what}"));
    let port = model.manifest().inputs.first().ok_or_else(|| other("it has no input"))?;
    let width: u64 = port.shape.iter().map(|dim| u64::from(*dim)).product();
    if width != original.features() as u64 {
        return Err(other(&format!("it takes {width} features, not {}", original.features())));
    }
    let (mut float, mut integer): (Vec<Prediction>, Vec<Prediction>) = (vec![], vec![]);
    let mut sums: Vec<(String, Sums)> = vec![];
    let mut scores = Sums::default();
    let mut probe = None;
    for rows in rows.chunks(BLOCK) {
        let layers = original.layers(rows)?;
        let input = input_tensor(port, rows)?;
        let probe = match &mut probe {
            Some(probe) => probe,
            None => {
                let edges = layers.iter().map(|layer| edge_of(&model, layer)).collect::<Option<Vec<_>>>();
                let edges = edges.ok_or_else(|| other("it has no layers of these names and shapes"))?;
                sums = layers.iter().map(|layer| (layer.name.clone(), Sums::default())).collect();
                probe.insert(Probe::new(&model, &edges)?)
            }
        };
        let values = probe.run(kernels, &[&input])?;
        for (((_, sums), layer), values) in sums.iter_mut().zip(&layers).zip(&values) {
            let size = values.len() / rows.len();
            for (real, values) in layer.rows.iter().zip(values.chunks_exact(size)) {
                sums.row(real, values, &layer.dims);
            }
        }
        let (theirs, ours) = (original.predict(rows)?, predictions(&model, rows, kernels)?);
        if theirs.len() != ours.len() {
            return Err(other("it has no scores"));
        }
        for (theirs, ours) in theirs.iter().zip(&ours) {
            if theirs.logits.len() != ours.logits.len() {
                return Err(other("it has other scores"));
            }
            let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
            scores.row(&wide(&theirs.logits), &wide(&ours.logits), &[theirs.logits.len()]);
        }
        float.extend(theirs);
        integer.extend(ours);
    }
    if float.is_empty() {
        return Err(ImportError::Options("there are no rows".into()));
    }
    let layers = sums.into_iter().map(|(name, sums)| LayerError { name, relative: sums.relative(true) }).collect();
    let classes = float.iter().zip(&integer).map(|(float, integer)| [float.class, integer.class]).collect();
    let agreement = Agreement::of(&float, &integer);
    Ok(Comparison { layers, scores: scores.relative(false), agreement, accuracy: None, classes })
}

/// The edge that holds what a layer gives: the last one that was made for its node.
fn edge_of(model: &Model, layer: &FloatLayer) -> Option<EdgeId> {
    let names = ["", " requantise", " relu", " scale", " scale requantise"].map(|end| format!("{}{end}", layer.name));
    let graph = model.graph();
    let index = graph.nodes.iter().rposition(|node| names.contains(&node.name))? + graph.inputs.len();
    let size: usize = layer.dims.iter().product();
    let fits = model.edges()[index].row_elements() == size as u64;
    u32::try_from(index).ok().filter(|_| fits).map(EdgeId)
}

/// Products of real numbers and integers, added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    real: f64,
    both: f64,
    integer: f64,
}

impl Sums {
    /// A row of an image lies channel after channel in the float network, and pixel after pixel in the integer one.
    pub(crate) fn row(&mut self, real: &[f64], integers: &[f64], dims: &[usize]) {
        let [channels, pixels] = match dims {
            [channels, rows, columns] => [*channels, rows * columns],
            _ => [1, integers.len()],
        };
        for (at, real) in real.iter().enumerate() {
            let q = if channels == 1 { integers[at] } else { integers[at % pixels * channels + at / pixels] };
            self.real += real * real;
            self.both += real * q;
            self.integer += q * q;
        }
    }

    /// The length of the difference as a share of that of the real numbers, with the unit that fits best or the unit 1.
    pub(crate) fn relative(self, fit: bool) -> f64 {
        if self.real == 0.0 {
            return if self.integer == 0.0 { 0.0 } else { 1.0 };
        }
        let unit = match fit {
            true if self.integer > 0.0 => self.both / self.integer,
            true => 0.0,
            false => 1.0,
        };
        let difference = self.real - 2.0 * unit * self.both + unit * unit * self.integer;
        (difference.max(0.0) / self.real).sqrt()
    }
}

/// The edge that a node of this name makes.
pub(crate) fn edge_named(model: &Model, name: &str) -> Option<EdgeId> {
    let graph = model.graph();
    let index = graph.nodes.iter().position(|node| node.name == name)? + graph.inputs.len();
    u32::try_from(index).ok().map(EdgeId)
}

/// A model whose outputs are some of its edges.
#[derive(Debug)]
pub(crate) struct Probe(Vec<Model>);

impl Probe {
    /// Looks at these edges.
    pub(crate) fn new(model: &Model, edges: &[EdgeId]) -> Result<Probe, ImportError> {
        let parameters = parameters(model)?;
        let at = |id: &EdgeId| usize::try_from(id.0).unwrap_or(usize::MAX);
        let looking = |edges: &[EdgeId]| -> Result<Model, ImportError> {
            let graph = Graph { outputs: edges.to_vec(), ..model.graph().clone() };
            // Where the length of a sequence is the length of an axis, they differ.
            let (longest, shortest) = (model.edges(), graph.edges_at(1)?);
            let port = |(place, id): (usize, &EdgeId)| {
                let (longest, shortest) = (&longest[at(id)], &shortest[at(id)]);
                let dims = longest.dims.iter().zip(&shortest.dims);
                let dims: Vec<u32> = dims.map(|(l, s)| if l == s { *l } else { sequence(*l) }).collect();
                Port::with_sequence(&format!("edge {place}"), longest.dtype, &dims, 0)
            };
            let outputs = edges.iter().enumerate().map(port).collect();
            let manifest = Manifest { outputs, labels: vec![], ..model.manifest().clone() };
            Ok(Model::from_bytes(container::encode(&manifest, &graph, &parameters)?)?)
        };
        Ok(Probe(edges.chunks(MOST_OUTPUTS).map(looking).collect::<Result<_, _>>()?))
    }

    /// What they hold, edge after edge.
    pub(crate) fn run(&self, kernels: &Kernels, inputs: &[&Tensor]) -> Result<Vec<Vec<f64>>, ImportError> {
        let mut values = vec![];
        for model in &self.0 {
            for output in model.run(kernels, inputs)? {
                values.push(integers(&output)?);
            }
        }
        Ok(values)
    }
}

#[allow(clippy::cast_precision_loss, reason = "measured, not computed with")]
fn integers(tensor: &Tensor) -> Result<Vec<f64>, ImportError> {
    Ok(match tensor.dtype() {
        DType::I8 => tensor.to_vec::<i8>()?.into_iter().map(f64::from).collect(),
        DType::U8 => tensor.to_vec::<u8>()?.into_iter().map(f64::from).collect(),
        DType::I16 => tensor.to_vec::<i16>()?.into_iter().map(f64::from).collect(),
        DType::I32 => tensor.to_vec::<i32>()?.into_iter().map(f64::from).collect(),
        DType::I64 => tensor.to_vec::<i64>()?.into_iter().map(|value| value as f64).collect(),
    })
}

/// The parameters of a model, as an importer gives them.
fn parameters(model: &Model) -> Result<Vec<NodeParameters>, ImportError> {
    let edges = model.edges();
    let of_node = |(index, node): (usize, &noema_model::graph::Node)| {
        let inputs: Vec<&Edge> =
            node.inputs.iter().map(|id| &edges[usize::try_from(id.0).unwrap_or(usize::MAX)]).collect();
        let specs = node.op.parameters(&inputs).map_err(ImportError::Options)?;
        let arrays = model.parameters(index);
        Ok(specs.iter().enumerate().map(|(at, spec)| array(&arrays, at, spec.dtype)).collect())
    };
    model.graph().nodes.iter().enumerate().map(of_node).collect()
}

fn array(arrays: &Parameters<'_>, at: usize, dtype: DType) -> Array {
    match dtype {
        DType::I8 => Array::I8(arrays.i8s(at).to_vec()),
        DType::U8 => Array::U8(arrays.u8s(at).to_vec()),
        DType::I16 => Array::I16(arrays.i16s(at).collect()),
        DType::I32 => Array::I32(arrays.i32s(at).collect()),
        DType::I64 => Array::I64(arrays.i64s(at).collect()),
    }
}
