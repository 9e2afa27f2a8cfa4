//! The original, in `f32` by candle, with everything that calibration wants to see.

use candle_core::{Device, Tensor};

use super::folder::{Config, Folder, Pooling};
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

/// One layer of the encoder.
#[derive(Clone, Debug)]
pub(crate) struct EncoderLayer {
    pub(crate) query: Dense,
    pub(crate) key: Dense,
    pub(crate) value: Dense,
    pub(crate) back: Dense,
    pub(crate) norm: Normal,
    pub(crate) hidden: Dense,
    pub(crate) out: Dense,
    pub(crate) last_norm: Normal,
}

/// The whole encoder in `f32`.
#[derive(Debug)]
pub(crate) struct Float {
    pub(crate) config: Config,
    pub(crate) pooling: Pooling,
    /// `[vocabulary][hidden]`
    pub(crate) words: Tensor,
    /// `[positions][hidden]`, with the embedding of the first token type in it.
    pub(crate) positions: Tensor,
    pub(crate) norm: Normal,
    pub(crate) layers: Vec<EncoderLayer>,
}

/// What is seen on the way through a layer: `[tokens][channels]` each.
#[derive(Clone, Debug)]
pub(crate) struct LayerTrace {
    pub(crate) query: Tensor,
    pub(crate) key: Tensor,
    pub(crate) value: Tensor,
    pub(crate) mixed: Tensor,
    pub(crate) sum: Tensor,
    pub(crate) middle: Tensor,
    pub(crate) hidden: Tensor,
    pub(crate) last_sum: Tensor,
    pub(crate) output: Tensor,
}

/// What is seen on the way through the encoder.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// What goes into the first layer.
    pub(crate) embedded: Tensor,
    pub(crate) layers: Vec<LayerTrace>,
    /// The embedding of the sentence, of length 1.
    pub(crate) embedding: Vec<f32>,
}

impl Float {
    /// Takes the weights out of a folder.
    pub(crate) fn new(folder: &Folder) -> Result<Float, ImportError> {
        let config = folder.config.clone();
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let normal = |name: &str| -> Result<Normal, ImportError> {
            let gain = folder.numbers(&format!("{name}.weight"), &[hidden])?;
            Ok(Normal { gain, bias: folder.numbers(&format!("{name}.bias"), &[hidden])? })
        };
        let dense = |name: &str, outputs: usize, inputs: usize| -> Result<Dense, ImportError> {
            let weights = folder.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
            Ok(Dense { weights, bias: folder.tensor(&format!("{name}.bias"), &[outputs])? })
        };
        let layer = |index: usize| -> Result<EncoderLayer, ImportError> {
            let at = |rest: &str| format!("encoder.layer.{index}.{rest}");
            Ok(EncoderLayer {
                query: dense(&at("attention.self.query"), hidden, hidden)?,
                key: dense(&at("attention.self.key"), hidden, hidden)?,
                value: dense(&at("attention.self.value"), hidden, hidden)?,
                back: dense(&at("attention.output.dense"), hidden, hidden)?,
                norm: normal(&at("attention.output.LayerNorm"))?,
                hidden: dense(&at("intermediate.dense"), inner, hidden)?,
                out: dense(&at("output.dense"), hidden, inner)?,
                last_norm: normal(&at("output.LayerNorm"))?,
            })
        };
        let places = config.max_position_embeddings;
        let positions = folder.tensor("embeddings.position_embeddings.weight", &[places, hidden])?;
        let types = folder.tensor("embeddings.token_type_embeddings.weight", &[2, hidden])?;
        Ok(Float {
            words: folder.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions: positions.narrow(0, 0, folder.longest)?.broadcast_add(&types.get(0)?)?,
            norm: normal("embeddings.LayerNorm")?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            pooling: folder.pooling,
            config,
        })
    }

    /// Runs one sentence.
    pub(crate) fn run(&self, tokens: &[u32]) -> Result<Trace, ImportError> {
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let words = self.words.index_select(&ids, 0)?;
        let embedded = self.normalised((words + self.positions.narrow(0, 0, tokens.len())?)?, &self.norm)?;
        let mut x = embedded.clone();
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let trace = self.layer(&x, layer)?;
            x = trace.output.clone();
            layers.push(trace);
        }
        let pooled = match self.pooling {
            Pooling::Mean => x.mean(0)?,
            Pooling::First => x.get(0)?,
        };
        let pooled: Vec<f32> = pooled.to_vec1()?;
        let length = pooled.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        Ok(Trace { embedded, layers, embedding: pooled.into_iter().map(|x| x / length).collect() })
    }

    fn layer(&self, x: &Tensor, layer: &EncoderLayer) -> Result<LayerTrace, ImportError> {
        let (query, key, value) = (dense(x, &layer.query)?, dense(x, &layer.key)?, dense(x, &layer.value)?);
        let (tokens, heads) = (x.dim(0)?, self.config.num_attention_heads);
        let depth = self.config.hidden_size / heads;
        let split = |x: &Tensor| x.reshape((tokens, heads, depth))?.transpose(0, 1)?.contiguous();
        let (q, k, v) = (split(&query)?, split(&key)?, split(&value)?);
        #[allow(clippy::cast_precision_loss, reason = "the width of a head")]
        let scores = (q.matmul(&k.transpose(1, 2)?)? / (depth as f64).sqrt())?;
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        let mixed = weights.matmul(&v)?.transpose(0, 1)?.reshape((tokens, heads * depth))?;
        let sum = (x + dense(&mixed, &layer.back)?)?;
        let middle = self.normalised(sum.clone(), &layer.norm)?;
        let hidden = dense(&middle, &layer.hidden)?;
        let last_sum = (&middle + dense(&hidden.gelu_erf()?, &layer.out)?)?;
        let output = self.normalised(last_sum.clone(), &layer.last_norm)?;
        Ok(LayerTrace { query, key, value, mixed, sum, middle, hidden, last_sum, output })
    }

    fn normalised(&self, x: Tensor, normal: &Normal) -> Result<Tensor, ImportError> {
        let x = x.broadcast_sub(&x.mean_keepdim(1)?)?;
        let variance = (x.sqr()?.mean_keepdim(1)? + self.config.layer_norm_eps)?;
        let (gain, bias) = (Tensor::new(&normal.gain[..], &Device::Cpu)?, Tensor::new(&normal.bias[..], &Device::Cpu)?);
        Ok(x.broadcast_div(&variance.sqrt()?)?.broadcast_mul(&gain)?.broadcast_add(&bias)?)
    }
}

fn dense(x: &Tensor, layer: &Dense) -> Result<Tensor, ImportError> {
    Ok(x.matmul(&layer.weights.t()?)?.broadcast_add(&layer.bias)?)
}
