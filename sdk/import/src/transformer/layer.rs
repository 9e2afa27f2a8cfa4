//! Layers in `f32` by candle, with everything that calibration wants to see.

use candle_core::{Device, Tensor};

use crate::ImportError;

/// A layer of weights: `[outputs][inputs]` and a bias.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) weights: Tensor,
    pub(crate) bias: Tensor,
}

/// Gain and bias of a layer normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Normal {
    pub(crate) gain: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// Where a layer normalises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// What was added: the stream itself is normalised (BERT).
    Post,
    /// What attention and the hidden layer read; the stream is what was added up (ViT).
    Pre,
}

/// What all layers of a transformer share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) order: Order,
    pub(crate) heads: usize,
    pub(crate) epsilon: f64,
}

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) query: Dense,
    pub(crate) key: Dense,
    pub(crate) value: Dense,
    pub(crate) back: Dense,
    pub(crate) hidden: Dense,
    pub(crate) out: Dense,
    /// Before or behind attention, by the order.
    pub(crate) attention_norm: Normal,
    /// Before or behind the hidden layer.
    pub(crate) hidden_norm: Normal,
}

/// What is seen on the way through a layer: `[tokens][channels]` each.
#[derive(Clone, Debug)]
pub(crate) struct LayerTrace {
    /// What attention reads.
    pub(crate) input: Tensor,
    pub(crate) query: Tensor,
    pub(crate) key: Tensor,
    pub(crate) value: Tensor,
    pub(crate) mixed: Tensor,
    /// The stream with what attention gave.
    pub(crate) sum: Tensor,
    /// What the hidden layer reads.
    pub(crate) middle: Tensor,
    pub(crate) hidden: Tensor,
    /// What the second one gave added to the stream.
    pub(crate) last_sum: Tensor,
    /// What the next layer goes on from.
    pub(crate) output: Tensor,
}

impl Layer {
    fn run(&self, x: &Tensor, form: Form) -> Result<LayerTrace, ImportError> {
        let (tokens, width) = x.dims2()?;
        let normalised = |x: &Tensor, normal| normalised(x, normal, form.epsilon);
        let input = if form.order == Order::Pre { normalised(x, &self.attention_norm)? } else { x.clone() };
        let (query, key, value) = (dense(&input, &self.query)?, dense(&input, &self.key)?, dense(&input, &self.value)?);
        let depth = width / form.heads;
        let split = |x: &Tensor| x.reshape((tokens, form.heads, depth))?.transpose(0, 1)?.contiguous();
        let (q, k, v) = (split(&query)?, split(&key)?, split(&value)?);
        #[allow(clippy::cast_precision_loss, reason = "the width of a head")]
        let scores = (q.matmul(&k.transpose(1, 2)?)? / (depth as f64).sqrt())?;
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        let mixed = weights.matmul(&v)?.transpose(0, 1)?.reshape((tokens, width))?;
        let sum = (x + dense(&mixed, &self.back)?)?;
        let (stream, middle) = match form.order {
            Order::Post => {
                let middle = normalised(&sum, &self.attention_norm)?;
                (middle.clone(), middle)
            }
            Order::Pre => (sum.clone(), normalised(&sum, &self.hidden_norm)?),
        };
        let hidden = dense(&middle, &self.hidden)?;
        let last_sum = (stream + dense(&hidden.gelu_erf()?, &self.out)?)?;
        let output = match form.order {
            Order::Post => normalised(&last_sum, &self.hidden_norm)?,
            Order::Pre => last_sum.clone(),
        };
        Ok(LayerTrace { input, query, key, value, mixed, sum, middle, hidden, last_sum, output })
    }
}

/// Runs layers one after the other; what is seen of each, and what the last one gives.
pub(crate) fn run(layers: &[Layer], x: &Tensor, form: Form) -> Result<(Vec<LayerTrace>, Tensor), ImportError> {
    let mut x = x.clone();
    let mut seen = Vec::with_capacity(layers.len());
    for layer in layers {
        let trace = layer.run(&x, form)?;
        x = trace.output.clone();
        seen.push(trace);
    }
    Ok((seen, x))
}

/// A layer normalisation along rows.
pub(crate) fn normalised(x: &Tensor, normal: &Normal, epsilon: f64) -> Result<Tensor, ImportError> {
    let x = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let variance = (x.sqr()?.mean_keepdim(1)? + epsilon)?;
    let (gain, bias) = (Tensor::new(&normal.gain[..], &Device::Cpu)?, Tensor::new(&normal.bias[..], &Device::Cpu)?);
    Ok(x.broadcast_div(&variance.sqrt()?)?.broadcast_mul(&gain)?.broadcast_add(&bias)?)
}

/// A layer of weights.
pub(crate) fn dense(x: &Tensor, layer: &Dense) -> Result<Tensor, ImportError> {
    Ok(x.matmul(&layer.weights.t()?)?.broadcast_add(&layer.bias)?)
}
