//! A network as what can be quantised: features moved and scaled, then layers of weights.

use crate::{
    ImportError,
    network::{Activation, Affine, FloatOp, Network, Step},
};

/// `x * mul + add`, one of each for each feature, then perhaps a ReLU.
#[derive(Clone, Debug)]
pub(crate) struct Standardisation {
    pub(crate) mul: Vec<f64>,
    pub(crate) add: Vec<f64>,
    pub(crate) relu: bool,
    /// Whether the network itself scales its features.
    pub(crate) given: bool,
    /// The activation that it makes.
    pub(crate) result: Activation,
    /// The last node that it comes from.
    pub(crate) name: String,
}

/// `x W^T + b`, then perhaps a ReLU.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The node of the weights.
    pub(crate) name: String,
    /// `[outputs][inputs]`.
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) bias: Vec<f64>,
    pub(crate) relu: bool,
    /// The activation that it makes.
    pub(crate) result: Activation,
}

/// Folds every operation with a constant into the features or the weights before it.
pub(crate) fn fold(network: &Network) -> Result<(Standardisation, Vec<Layer>), ImportError> {
    let mut features = Standardisation {
        mul: vec![1.0; network.features],
        add: vec![0.0; network.features],
        relu: false,
        given: false,
        result: Activation(0),
        name: network.input.clone(),
    };
    let mut layers: Vec<Layer> = Vec::new();
    for index in network.path() {
        let step = &network.steps[index];
        let result = Activation(index + 1);
        match &step.op {
            FloatOp::Same | FloatOp::Softmax | FloatOp::ArgMax => {}
            FloatOp::Affine(kind, constant) => {
                let constant = |channel: usize| f64::from(*constant.get(channel).unwrap_or(&constant[0]));
                match layers.last_mut() {
                    None => fold_into_features(&mut features, step, *kind, constant)?,
                    Some(layer) => fold_into_layer(layer, step, *kind, constant)?,
                }
            }
            FloatOp::Linear { weights, bias } => {
                let inputs = network.dims(step.from).iter().product();
                let weights: Vec<Vec<f64>> =
                    weights.chunks_exact(inputs).map(|row| row.iter().copied().map(f64::from).collect()).collect();
                let bias = bias
                    .as_ref()
                    .map_or(vec![0.0; weights.len()], |bias| bias.iter().copied().map(f64::from).collect());
                layers.push(Layer { name: step.node.clone(), weights, bias, relu: false, result });
            }
            FloatOp::Relu => match layers.last_mut() {
                None => features.relu = true,
                Some(layer) => layer.relu = true,
            },
        }
        match layers.last_mut() {
            None => {
                features.result = result;
                features.name.clone_from(&step.node);
            }
            Some(layer) => layer.result = result,
        }
    }
    if layers.is_empty() {
        return Err(ImportError::Output("no Gemm or MatMul leads to it".into()));
    }
    Ok((features, layers))
}

fn fold_into_features(
    features: &mut Standardisation,
    step: &Step,
    kind: Affine,
    constant: impl Fn(usize) -> f64,
) -> Result<(), ImportError> {
    if features.relu {
        return Err(step.error("stands behind a Relu; only a Gemm or MatMul can"));
    }
    features.given = true;
    for (channel, (mul, add)) in features.mul.iter_mut().zip(&mut features.add).enumerate() {
        (*mul, *add) = apply(kind, constant(channel), *mul, *add);
    }
    Ok(())
}

fn fold_into_layer(
    layer: &mut Layer,
    step: &Step,
    kind: Affine,
    constant: impl Fn(usize) -> f64,
) -> Result<(), ImportError> {
    if layer.relu {
        return Err(step.error("stands behind a Relu; only a Gemm or MatMul can"));
    }
    for (channel, (weights, bias)) in layer.weights.iter_mut().zip(&mut layer.bias).enumerate() {
        let (mul, add) = apply(kind, constant(channel), 1.0, *bias);
        weights.iter_mut().for_each(|weight| *weight *= mul);
        *bias = add;
    }
    Ok(())
}

/// `x * mul + add`, followed by an operation with a constant.
fn apply(kind: Affine, constant: f64, mul: f64, add: f64) -> (f64, f64) {
    match kind {
        Affine::Add => (mul, add + constant),
        Affine::Sub => (mul, add - constant),
        Affine::Mul => (mul * constant, add * constant),
        Affine::Div => (mul / constant, add / constant),
    }
}
