//! Networks of images and of series, and networks that their file has quantised.
//!
//! ```text
//!   graph --read, nodes--> net: steps in float, with the grids of the file
//!                            |            \
//!                  fold: constants moved   float: the original, row by row
//!                            |            /
//!             quantise: integers, scales from the file or from calibration rows
//! ```
//!
//! The operators are those of [`SUPPORTED`](crate::error::SUPPORTED). What is quantised in the file keeps its integers: weights
//! as they are, activations with the file's scale and zero point. Sums of `MatMulInteger` and `ConvInteger` are those of the
//! file; behind `QLinearConv`, `QLinearMatMul` and pairs of `QuantizeLinear` and `DequantizeLinear` an activation can be one unit
//! away, because float arithmetic rounds where ours does not.

mod float;
mod fold;
mod integers;
mod net;
mod nodes;
mod quantise;
mod read;
mod recurrent;
mod series;
#[cfg(test)]
mod series_tests;
mod site;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use net::{Net, Op};
use noema_model::{Model, graph::EdgeId};
use noema_tensor::{Kernels, Level};
use quantise::{OnGrid, Seen};

use crate::{
    FloatLayer, ImportError, ImportOptions, Imported, Prediction, SameIntegers,
    compare::Probe,
    float::finite,
    import::{Import, input_bits, overflow},
    input_tensor,
    network::is_default_domain,
    proto::GraphProto,
    scale::magnitude,
};

/// Operators that only this importer reads.
const OF_IMAGES: [&str; 19] = [
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "ConvInteger",
    "DequantizeLinear",
    "Dropout",
    "GRU",
    "GlobalAveragePool",
    "LSTM",
    "MatMulInteger",
    "MaxPool",
    "Pad",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "ReduceMean",
];

/// Whether a graph has operators that only this importer reads.
pub(crate) fn is_needed(graph: &GraphProto) -> bool {
    let is_ours = |name: &str| OF_IMAGES.contains(&name);
    graph.node.iter().any(|node| is_default_domain(&node.domain) && is_ours(&node.op_type))
}

/// A network of images in float.
#[derive(Debug)]
pub(crate) struct ImageModel(Net);

impl ImageModel {
    /// Reads a graph whose file was checked.
    pub(crate) fn read(graph: GraphProto) -> Result<ImageModel, ImportError> {
        read::read(graph).map(ImageModel)
    }

    /// Features of a row.
    pub(crate) fn features(&self) -> usize {
        self.0.dims.iter().product()
    }

    /// What the network says about each row.
    pub(crate) fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
        let rows = finite(rows, self.features())?;
        let logits = |row: &Vec<f32>| float::activations(&self.0, row).swap_remove(self.0.logits);
        Ok(rows.iter().map(|row| Prediction::of(logits(row), self.0.softmax)).collect())
    }

    /// What every layer of weights gives, with what is fused into it.
    pub(crate) fn layers(&self, rows: &[Vec<f64>]) -> Result<Vec<FloatLayer>, ImportError> {
        let rows = finite(rows, self.features())?;
        let mut folded = self.0.clone();
        fold::fold(&mut folded)?;
        let readers = folded.readers();
        let products = folded.steps.iter().enumerate().filter(|(_, step)| step.op.is_layer());
        let mut layers: Vec<(usize, FloatLayer)> = products
            .map(|(index, step)| {
                let at = folded.last_states(&readers, index + 1).map_or(index + 1, |pick| pick + 1);
                let end = if at == index + 1 { fold::fused(&folded, &readers, at).end } else { at };
                (end, FloatLayer { name: step.node.clone(), dims: folded.dims(end).to_vec(), rows: vec![] })
            })
            .collect();
        for row in &rows {
            let activations = float::activations(&self.0, row);
            for (end, layer) in &mut layers {
                layer.rows.push(activations[*end].iter().copied().map(f64::from).collect());
            }
        }
        Ok(layers.into_iter().map(|(_, layer)| layer).collect())
    }

    /// As [`import_onnx`](crate::import_onnx).
    pub(crate) fn import(&self, options: &ImportOptions) -> Result<Imported, ImportError> {
        let net = &self.0;
        let mut seen = vec![Seen::default(); net.steps.len() + 1];
        for row in &finite(&options.calibration, self.features())? {
            for (seen, values) in seen.iter_mut().zip(float::activations(net, row)) {
                seen.largest = values.iter().fold(seen.largest, |largest: f64, x| largest.max(f64::from(x.abs())));
                // A number that is none is smaller than nothing.
                seen.negative |= values.iter().any(|x| *x < 0.0);
                if values.iter().any(|x| !x.is_finite()) {
                    seen.largest = f64::INFINITY;
                }
            }
        }
        if let Some(at) = seen.iter().position(|seen| !seen.largest.is_finite()) {
            return Err(overflow(at.checked_sub(1).map_or(&net.input, |step| &net.steps[step].node)));
        }
        let input_bits = match net.integers {
            Some(_) => 0,
            None => input_bits(options, &net.input, magnitude(options.calibration.iter().flatten()))?,
        };
        let mut folded = net.clone();
        let input = fold::fold(&mut folded)?;
        let layer = |step: &net::Step| match &step.op {
            Op::Recurrent(layer) => recurrent::names(&step.node, layer),
            op if op.is_layer() => vec![step.node.clone()],
            _ => vec![],
        };
        // Of the candidate that was built last, which is the one that is taken.
        let on_grid = RefCell::new(vec![]);
        let mut imported = Import {
            options,
            classes: net.dims(net.logits).iter().product(),
            features: self.features(),
            layers: folded.steps.iter().flat_map(layer).collect(),
            input_bits,
            predict: &|rows| self.predict(rows),
            quantise: &|widths| {
                let (quantised, found) = quantise::quantise(&folded, &input, &seen, input_bits, widths)?;
                on_grid.replace(found);
                Ok(quantised)
            },
        }
        .run()?;
        let on_grid = on_grid.into_inner();
        if !on_grid.is_empty() {
            imported.report.integers = Some(self.same_integers(&imported.container, &on_grid, &options.calibration)?);
        }
        Ok(imported)
    }

    /// How many of the integers of the file a container computes too, through the whole network.
    fn same_integers(
        &self,
        container: &[u8],
        on_grid: &[OnGrid],
        rows: &[Vec<f64>],
    ) -> Result<SameIntegers, ImportError> {
        let model = Model::from_bytes(container.to_vec())?;
        let kernels = Kernels::new(Level::best(), 1).map_err(|error| ImportError::Compute(error.to_string()))?;
        let edges: Vec<EdgeId> = on_grid.iter().map(|found| found.edge).collect();
        let probe = Probe::new(&model, &edges)?;
        let mut same = SameIntegers { all: 0, equal: 0, largest: 0.0 };
        for row in rows {
            let input = input_tensor(&model.manifest().inputs[0], std::slice::from_ref(row))?;
            let found = probe.run(&kernels, &[&input])?;
            let float = float::activations(&self.0, &finite(std::slice::from_ref(row), self.features())?[0]);
            for (OnGrid { activation, grid, .. }, integers) in on_grid.iter().zip(&found) {
                let dims = self.0.dims(*activation);
                let (channels, pixels) = (dims[0], integers.len() / dims[0]);
                for (at, real) in float[*activation].iter().enumerate() {
                    // Channels come last in the graph.
                    let q = if dims.len() != 3 { integers[at] } else { integers[at % pixels * channels + at / pixels] };
                    let difference = (grid.integer(*real) - q).abs();
                    same.all += 1;
                    same.equal += usize::from(difference == 0.0);
                    same.largest = same.largest.max(difference);
                }
            }
        }
        Ok(same)
    }
}
