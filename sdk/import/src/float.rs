//! The original network in float, by candle: what the integer model is measured against.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};

use crate::{
    ImportError,
    images::{self, ImageModel},
    layers,
    network::{self, Activation, Affine, FloatOp, Network},
    vision::VisionModel,
};

/// A network of layers, in `f32`.
#[derive(Debug)]
pub(crate) struct DenseModel {
    network: Network,
    steps: Vec<Prepared>,
}

#[derive(Debug)]
enum Prepared {
    Affine(Affine, Tensor),
    Linear(Linear),
    Relu,
    /// Changes no number, or leads to no score.
    Same,
}

/// A network as its file means it, in `f32`.
///
/// Results are float and may differ in their last bits from machine to machine: they measure a model and never take
/// part in one.
#[derive(Debug)]
pub struct FloatModel(Kind);

#[derive(Debug)]
enum Kind {
    Dense(Box<DenseModel>),
    Images(Box<ImageModel>),
    Vision(Box<VisionModel>),
}

/// What a layer gives for some rows, with what is fused into it.
#[derive(Clone, Debug)]
pub struct FloatLayer {
    /// The node of the weights.
    pub name: String,
    /// Shape of a row: one axis, or channels, rows and columns.
    pub dims: Vec<usize>,
    /// Row after row.
    pub rows: Vec<Vec<f64>>,
}

impl FloatModel {
    /// Reads an ONNX file.
    ///
    /// # Errors
    /// [`ImportError`] as [`import_onnx`](crate::import_onnx) for the file alone.
    pub fn from_onnx(bytes: &[u8]) -> Result<FloatModel, ImportError> {
        let graph = network::open(bytes)?;
        Ok(FloatModel(if images::is_needed(&graph) {
            Kind::Images(Box::new(ImageModel::read(graph)?))
        } else {
            Kind::Dense(Box::new(DenseModel::new(Network::read(graph)?)?))
        }))
    }

    /// Reads the folder of a vision transformer.
    ///
    /// # Errors
    /// [`ImportError`] as [`import_vision`](crate::import_vision) for the folder alone.
    pub fn from_folder(path: &Path) -> Result<FloatModel, ImportError> {
        Ok(FloatModel(Kind::Vision(Box::new(VisionModel::read(path)?))))
    }

    /// Features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        match &self.0 {
            Kind::Dense(model) => model.network().features,
            Kind::Images(model) => model.features(),
            Kind::Vision(model) => model.features(),
        }
    }

    /// What the network says about each row.
    ///
    /// # Errors
    /// [`ImportError::Row`] for a row of another length, or with a number that is not finite in `f32`.
    pub fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
        match &self.0 {
            Kind::Dense(model) => model.predict(rows),
            Kind::Images(model) => model.predict(rows),
            Kind::Vision(model) => model.predict(rows),
        }
    }

    /// What every layer of weights gives for these rows, in order; of a vision transformer the tokens before the first layer, and
    /// what they are behind attention and behind the hidden layers of each.
    ///
    /// # Errors
    /// As [`FloatModel::predict`].
    pub fn layers(&self, rows: &[Vec<f64>]) -> Result<Vec<FloatLayer>, ImportError> {
        match &self.0 {
            Kind::Dense(model) => model.layers(rows),
            Kind::Images(model) => model.layers(rows),
            Kind::Vision(model) => model.layers(rows),
        }
    }
}

/// Rows as a network takes them: of its length, finite in `f32`.
pub(crate) fn finite(rows: &[Vec<f64>], features: usize) -> Result<Vec<Vec<f32>>, ImportError> {
    if rows.is_empty() {
        return Err(ImportError::Options("there are no rows".into()));
    }
    let narrow = |(row, numbers): (usize, &Vec<f64>)| {
        if numbers.len() != features {
            let reason = format!("it has {} features, the network takes {features}", numbers.len());
            return Err(ImportError::Row { row, reason });
        }
        let values = numbers.iter().enumerate().map(|(feature, number)| {
            #[allow(clippy::cast_possible_truncation, reason = "the network is in f32; infinite is refused")]
            let narrow = *number as f32;
            let refused = || ImportError::Row { row, reason: format!("feature {feature} is {number}") };
            if narrow.is_finite() { Ok(narrow) } else { Err(refused()) }
        });
        values.collect()
    };
    rows.iter().enumerate().map(narrow).collect()
}

/// What the network says about a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The scores of the classes before any softmax.
    pub logits: Vec<f32>,
    /// Their softmax, where the network ends in one.
    pub probabilities: Option<Vec<f32>>,
    /// The class with the largest score, the lowest among equals.
    pub class: usize,
}

impl Prediction {
    /// The class of scores, and their softmax where the network ends in one.
    pub(crate) fn of(logits: Vec<f32>, softmax: bool) -> Prediction {
        let class = (1..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
        let largest = logits[class];
        let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f32 = powers.iter().sum();
        let probabilities = softmax.then(|| powers.iter().map(|power| power / sum).collect());
        Prediction { class, logits, probabilities }
    }
}

impl DenseModel {
    pub(crate) fn new(network: Network) -> Result<DenseModel, ImportError> {
        let path = network.path();
        let prepare = |index: usize| -> Result<Prepared, ImportError> {
            let step = &network.steps[index];
            if !path.contains(&index) {
                return Ok(Prepared::Same);
            }
            Ok(match &step.op {
                FloatOp::Affine(kind, values) => Prepared::Affine(*kind, vector(values)?),
                FloatOp::Linear { weights, bias } => {
                    let outputs = step.dims.iter().product::<usize>();
                    let inputs = weights.len() / outputs;
                    let weights = Tensor::from_slice(weights, (outputs, inputs), &Device::Cpu)?;
                    Prepared::Linear(Linear::new(weights, bias.as_deref().map(vector).transpose()?))
                }
                FloatOp::Relu => Prepared::Relu,
                FloatOp::Softmax | FloatOp::ArgMax | FloatOp::Same => Prepared::Same,
            })
        };
        let steps = (0..network.steps.len()).map(prepare).collect::<Result<_, _>>()?;
        Ok(DenseModel { network, steps })
    }

    /// What the network says about each row.
    pub(crate) fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
        let logits = self.activations(rows)?[self.network.logits.0].to_vec2::<f32>()?;
        Ok(logits.into_iter().map(|logits| Prediction::of(logits, self.network.softmax)).collect())
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Every activation on the way to the scores for these rows, one row of the tensor for each.
    pub(crate) fn activations(&self, rows: &[Vec<f64>]) -> Result<Vec<Tensor>, ImportError> {
        let mut activations = vec![self.input(rows)?];
        for (step, prepared) in self.network.steps.iter().zip(&self.steps) {
            let x = &activations[step.from.0];
            activations.push(match prepared {
                Prepared::Affine(Affine::Add, constant) => x.broadcast_add(constant)?,
                Prepared::Affine(Affine::Sub, constant) => x.broadcast_sub(constant)?,
                Prepared::Affine(Affine::Mul, constant) => x.broadcast_mul(constant)?,
                Prepared::Affine(Affine::Div, constant) => x.broadcast_div(constant)?,
                Prepared::Linear(linear) => linear.forward(x)?,
                Prepared::Relu => x.relu()?,
                Prepared::Same => x.clone(),
            });
        }
        Ok(activations)
    }

    /// The values of an activation for these rows, row after row.
    pub(crate) fn values(activations: &[Tensor], activation: Activation) -> Result<Vec<Vec<f64>>, ImportError> {
        let rows = activations[activation.0].to_vec2::<f32>()?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect())
    }

    /// What every layer gives, with its ReLU.
    fn layers(&self, rows: &[Vec<f64>]) -> Result<Vec<FloatLayer>, ImportError> {
        let activations = self.activations(rows)?;
        let (_, layers) = layers::fold(&self.network)?;
        let layer = |layer: layers::Layer| {
            let rows = DenseModel::values(&activations, layer.result)?;
            Ok(FloatLayer { name: layer.name, dims: vec![layer.weights.len()], rows })
        };
        layers.into_iter().map(layer).collect()
    }

    fn input(&self, rows: &[Vec<f64>]) -> Result<Tensor, ImportError> {
        let features = self.network.features;
        let values = finite(rows, features)?.concat();
        Ok(Tensor::from_vec(values, (rows.len(), features), &Device::Cpu)?)
    }
}

fn vector(values: &[f32]) -> Result<Tensor, ImportError> {
    Ok(Tensor::from_slice(values, values.len(), &Device::Cpu)?)
}
