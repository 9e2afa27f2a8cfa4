//! The original, in `f32` by candle.

use candle_core::{Device, Tensor};

use super::folder::{Config, Folder, Pooling};
use crate::{
    ImportError,
    transformer::{
        layer::{self, Form, Layer, LayerTrace, Normal, Order, normalised},
        ranges::LayerRanges,
    },
};

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
    pub(crate) layers: Vec<Layer>,
    pub(crate) form: Form,
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
        let (config, weights) = (folder.config.clone(), &folder.weights);
        let (hidden, inner) = (config.stack.hidden_size, config.stack.intermediate_size);
        let layer = |index: usize| -> Result<Layer, ImportError> {
            let at = |rest: &str| format!("encoder.layer.{index}.{rest}");
            Ok(Layer {
                query: weights.dense(&at("attention.self.query"), hidden, hidden)?,
                key: weights.dense(&at("attention.self.key"), hidden, hidden)?,
                value: weights.dense(&at("attention.self.value"), hidden, hidden)?,
                back: weights.dense(&at("attention.output.dense"), hidden, hidden)?,
                attention_norm: weights.normal(&at("attention.output.LayerNorm"), hidden)?,
                hidden: weights.dense(&at("intermediate.dense"), inner, hidden)?,
                out: weights.dense(&at("output.dense"), hidden, inner)?,
                hidden_norm: weights.normal(&at("output.LayerNorm"), hidden)?,
            })
        };
        let places = config.max_position_embeddings;
        let positions = weights.tensor("embeddings.position_embeddings.weight", &[places, hidden])?;
        let types = weights.tensor("embeddings.token_type_embeddings.weight", &[2, hidden])?;
        Ok(Float {
            words: weights.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions: positions.narrow(0, 0, folder.longest)?.broadcast_add(&types.get(0)?)?,
            norm: weights.normal("embeddings.LayerNorm", hidden)?,
            layers: (0..config.stack.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            pooling: folder.pooling,
            form: config.stack.form(Order::Post),
            config,
        })
    }

    /// Runs one sentence.
    pub(crate) fn run(&self, tokens: &[u32]) -> Result<Trace, ImportError> {
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let words = self.words.index_select(&ids, 0)?;
        let sum = (words + self.positions.narrow(0, 0, tokens.len())?)?;
        let embedded = normalised(&sum, &self.norm, self.form.epsilon)?;
        let (layers, x) = layer::run(&self.layers, &embedded, self.form)?;
        let pooled = match self.pooling {
            Pooling::Mean => x.mean(0)?,
            Pooling::First => x.get(0)?,
        };
        let pooled: Vec<f32> = pooled.to_vec1()?;
        let length = pooled.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        Ok(Trace { embedded, layers, embedding: pooled.into_iter().map(|x| x / length).collect() })
    }

    /// What sentences reach in every layer.
    pub(crate) fn ranges(&self, sentences: &[Vec<u32>]) -> Result<Vec<LayerRanges>, ImportError> {
        let mut ranges = vec![LayerRanges::default(); self.layers.len()];
        for tokens in sentences {
            for (ranges, layer) in ranges.iter_mut().zip(&self.run(tokens)?.layers) {
                ranges.include(layer)?;
            }
        }
        Ok(ranges)
    }
}
