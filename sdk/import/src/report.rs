//! What an import did, and how well it went.

use std::fmt;

use noema_model::{Model, ModelId, graph::EdgeId, ops::Op};
use noema_tensor::DType;

use crate::{Prediction, Width, Widths};

/// What an import did.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The id of the container.
    pub id: ModelId,
    /// Its size.
    pub container_bytes: usize,
    /// Features of a row.
    pub features: usize,
    /// Fraction bits of the features.
    pub input_fraction_bits: u8,
    /// Fraction bits of the scores.
    pub logit_fraction_bits: u8,
    /// Bits of the activations.
    pub widths: Widths,
    /// The layers.
    pub layers: Vec<LayerReport>,
    /// How near the integer model is to the original on the calibration rows.
    pub calibration: Agreement,
    /// How accurate both are on rows that neither has seen.
    pub heldout: Option<Accuracy>,
    /// Of a file that is quantised: its integers on the calibration rows, and those of the model.
    pub integers: Option<SameIntegers>,
}

/// The integers of a quantised file beside those of the model, through the whole network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SameIntegers {
    /// How many were compared.
    pub all: usize,
    /// How many are the same.
    pub equal: usize,
    /// How many units the others are away at most.
    pub largest: f64,
}

/// A layer of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerReport {
    /// Its node.
    pub name: String,
    /// How many inputs it has; channels, of a convolution.
    pub inputs: u32,
    /// How many outputs it has.
    pub outputs: u32,
    /// Type of its sums.
    pub accumulator: DType,
    /// The largest absolute value that a sum can reach on the way, proven.
    pub peak: u64,
}

impl LayerReport {
    pub(crate) fn of(model: &Model, name: &str) -> Option<LayerReport> {
        let graph = model.graph();
        let of = |op: &Op| match op {
            Op::Linear(linear) => Some((linear.outputs, linear.accumulator)),
            Op::Conv2d(conv) => Some((conv.outputs, conv.accumulator)),
            Op::Lstm(lstm) => Some((lstm.hidden, DType::I64)),
            Op::Gru(gru) => Some((gru.hidden, DType::I64)),
            _ => None,
        };
        let (index, node) =
            graph.nodes.iter().enumerate().find(|(_, node)| node.name == name && of(&node.op).is_some())?;
        let (outputs, accumulator) = of(&node.op)?;
        let edge = |id: &EdgeId| usize::try_from(id.0).ok();
        let peak = model.certificate().edges.get(graph.inputs.len() + index)?.peak;
        let inputs = model.edges().get(edge(node.inputs.first()?)?)?.last();
        let is_recurrent = matches!(node.op, Op::Lstm(_) | Op::Gru(_));
        // Sums of a state have as many bits as its weights need.
        let (inputs, accumulator) = match is_recurrent {
            true if i32::try_from(peak).is_ok() => (outputs, DType::I32),
            true => (outputs, accumulator),
            false => (inputs, accumulator),
        };
        Some(LayerReport { name: name.into(), inputs, outputs, accumulator, peak })
    }
}

/// How near two models are on some rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// How many rows.
    pub rows: usize,
    /// In how many the class is the same.
    pub same_class: usize,
    /// Whether what follows is about probabilities, or about scores of a network that has none.
    pub probabilities: bool,
    /// The largest difference of a probability, or of a score as a share of the largest score.
    pub largest_difference: f64,
}

impl Agreement {
    pub(crate) fn of(float: &[Prediction], integer: &[Prediction]) -> Agreement {
        let pairs = || float.iter().zip(integer);
        let scores = |prediction: &Prediction| prediction.probabilities.clone().unwrap_or(prediction.logits.clone());
        let difference = pairs()
            .flat_map(|(a, b)| scores(a).into_iter().zip(scores(b)).map(|(a, b)| (f64::from(a) - f64::from(b)).abs()));
        let largest_score = float.iter().flat_map(scores).map(|score| f64::from(score).abs()).fold(0.0, f64::max);
        let probabilities = float.first().is_some_and(|first| first.probabilities.is_some());
        let unit = if probabilities || largest_score == 0.0 { 1.0 } else { largest_score };
        Agreement {
            rows: float.len(),
            same_class: pairs().filter(|(a, b)| a.class == b.class).count(),
            probabilities,
            largest_difference: difference.fold(0.0, f64::max) / unit,
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement { rows, same_class, probabilities, largest_difference } = self;
        write!(f, "on {rows} calibration rows the class of the float original in {same_class}, ")?;
        if *probabilities {
            write!(f, "probabilities at most {largest_difference:.5} away")
        } else {
            write!(f, "scores at most {largest_difference:.5} of the largest one away")
        }
    }
}

/// How accurate two models are on rows with known classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// How many rows.
    pub rows: usize,
    /// How many the float original gets right.
    pub float_right: usize,
    /// How many the integer model gets right.
    pub integer_right: usize,
    /// In how many the two differ.
    pub different: usize,
}

impl Accuracy {
    pub(crate) fn of(labels: &[usize], float: &[Prediction], integer: &[Prediction]) -> Accuracy {
        let right = |predictions: &[Prediction]| predictions.iter().zip(labels).filter(|(a, b)| a.class == **b).count();
        Accuracy {
            rows: labels.len(),
            float_right: right(float),
            integer_right: right(integer),
            different: float.iter().zip(integer).filter(|(a, b)| a.class != b.class).count(),
        }
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accuracy { rows, float_right, integer_right, different } = self;
        write!(f, "on {rows} held-out rows right in {integer_right}, the float original in {float_right}, ")?;
        write!(f, "different in {different}")
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model {}, {} bytes", self.id, self.container_bytes)?;
        let bits = |width| if width == Width::Eight { 8 } else { 16 };
        let (features, hidden) = (bits(self.widths.features), bits(self.widths.hidden));
        writeln!(f, "{} features with {} fraction bits", self.features, self.input_fraction_bits)?;
        writeln!(f, "standardised to {features} bits, {hidden} bits between layers, 8-bit weights")?;
        for LayerReport { name, inputs, outputs, accumulator, peak } in &self.layers {
            writeln!(f, "layer {name}: {inputs} to {outputs}, sums in {accumulator}, proven to stay within {peak}")?;
        }
        writeln!(f, "scores with {} fraction bits", self.logit_fraction_bits)?;
        write!(f, "{}", self.calibration)?;
        if let Some(accuracy) = &self.heldout {
            write!(f, "\n{accuracy}")?;
        }
        if let Some(SameIntegers { all, equal, largest }) = &self.integers {
            write!(
                f,
                "\n{equal} of {all} integers are those of the file in float arithmetic, the others at most {largest} units away"
            )?;
        }
        Ok(())
    }
}
