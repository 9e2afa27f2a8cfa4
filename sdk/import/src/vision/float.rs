//! The original, in `f32` by candle.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::folder::{Config, Folder, Scale};
use crate::{
    FloatLayer, ImportError, Prediction,
    float::finite,
    transformer::{
        layer::{self, Dense, Form, Layer, LayerTrace, Normal, Order, dense, normalised},
        ranges::{Channels, LayerRanges, widen},
    },
};

/// The whole network in `f32`.
#[derive(Debug)]
pub(crate) struct VisionModel {
    pub(crate) config: Config,
    pub(crate) labels: Vec<String>,
    pub(crate) scales: Vec<Scale>,
    /// `[hidden][channels * rows * columns of a patch]`
    pub(crate) patches: Dense,
    /// `[tokens][hidden]`, with the token of the class in the first row.
    pub(crate) positions: Tensor,
    pub(crate) layers: Vec<Layer>,
    pub(crate) form: Form,
    pub(crate) norm: Normal,
    pub(crate) classifier: Dense,
}

/// What is seen on the way through the network.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// What goes into the first layer, `[tokens][hidden]`.
    pub(crate) embedded: Tensor,
    pub(crate) layers: Vec<LayerTrace>,
    /// What the classifier reads, `[1][hidden]`.
    pub(crate) last: Tensor,
    pub(crate) logits: Vec<f32>,
}

/// What calibration images reach.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    pub(crate) embedded: Channels,
    pub(crate) layers: Vec<LayerRanges>,
    pub(crate) last: Channels,
    /// The largest score.
    pub(crate) logits: f64,
}

impl VisionModel {
    /// Reads a folder.
    pub(crate) fn read(path: &Path) -> Result<VisionModel, ImportError> {
        VisionModel::new(&Folder::read(path)?)
    }

    fn new(folder: &Folder) -> Result<VisionModel, ImportError> {
        let (config, weights) = (folder.config.clone(), &folder.weights);
        let (hidden, inner) = (config.stack.hidden_size, config.stack.intermediate_size);
        let input = |name: &str| -> Result<Dense, ImportError> {
            if config.qkv_bias {
                return weights.dense(name, hidden, hidden);
            }
            let weights = weights.tensor(&format!("{name}.weight"), &[hidden, hidden])?;
            Ok(Dense { bias: weights.get(0)?.zeros_like()?, weights })
        };
        let layer = |index: usize| -> Result<Layer, ImportError> {
            let at = |rest: &str| format!("encoder.layer.{index}.{rest}");
            Ok(Layer {
                query: input(&at("attention.attention.query"))?,
                key: input(&at("attention.attention.key"))?,
                value: input(&at("attention.attention.value"))?,
                back: weights.dense(&at("attention.output.dense"), hidden, hidden)?,
                attention_norm: weights.normal(&at("layernorm_before"), hidden)?,
                hidden: weights.dense(&at("intermediate.dense"), inner, hidden)?,
                out: weights.dense(&at("output.dense"), hidden, inner)?,
                hidden_norm: weights.normal(&at("layernorm_after"), hidden)?,
            })
        };
        let [height, width] = config.patch_size.pair();
        let projection = "embeddings.patch_embeddings.projection";
        let filters = weights.tensor(&format!("{projection}.weight"), &[hidden, config.num_channels, height, width])?;
        let class = weights.tensor("embeddings.cls_token", &[1, 1, hidden])?.reshape((1, hidden))?;
        let positions = weights.tensor("embeddings.position_embeddings", &[1, config.tokens(), hidden])?.get(0)?;
        let first = (positions.narrow(0, 0, 1)? + class)?;
        let classes = weights.dims("classifier.bias").and_then(|dims| dims.first().copied()).unwrap_or(0);
        if classes < 2 {
            let reason = "model.safetensors has no tensor `classifier.bias` of two classes or more: what can be imported is a ViTForImageClassification";
            return Err(ImportError::Encoder(reason.to_owned()));
        }
        Ok(VisionModel {
            patches: Dense {
                weights: filters.flatten_from(1)?,
                bias: weights.tensor(&format!("{projection}.bias"), &[hidden])?,
            },
            positions: Tensor::cat(&[first, positions.narrow(0, 1, config.tokens() - 1)?], 0)?,
            layers: (0..config.stack.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            form: config.stack.form(Order::Pre),
            norm: weights.normal("layernorm", hidden)?,
            classifier: weights.dense("classifier", classes, hidden)?,
            labels: folder.labels.clone(),
            scales: folder.scales.clone(),
            config,
        })
    }

    /// Pixels of an image, over all channels.
    pub(crate) fn features(&self) -> usize {
        self.config.image_size.pair().into_iter().product::<usize>() * self.config.num_channels
    }

    pub(crate) fn classes(&self) -> usize {
        self.classifier.weights.dims()[0]
    }

    /// Runs one image.
    pub(crate) fn run(&self, pixels: &[f32]) -> Result<Trace, ImportError> {
        let embedded = self.embed(pixels)?;
        let (layers, x) = layer::run(&self.layers, &embedded, self.form)?;
        let last = normalised(&x.narrow(0, 0, 1)?, &self.norm, self.form.epsilon)?;
        let logits = dense(&last, &self.classifier)?.get(0)?.to_vec1()?;
        Ok(Trace { embedded, layers, last, logits })
    }

    /// Patches and the class as tokens.
    fn embed(&self, pixels: &[f32]) -> Result<Tensor, ImportError> {
        let channels = self.config.num_channels;
        let ([rows, columns], [height, width]) = (self.config.grid(), self.config.patch_size.pair());
        #[allow(clippy::cast_possible_truncation, reason = "the network is in f32")]
        let scaled = |(at, pixel): (usize, &f32)| {
            let scale = self.scales[at / (pixels.len() / channels)];
            (f64::from(*pixel) * scale.factor + scale.offset) as f32
        };
        let scaled: Vec<f32> = pixels.iter().enumerate().map(scaled).collect();
        let image = Tensor::from_vec(scaled, &[channels, rows, height, columns, width][..], &Device::Cpu)?;
        let patches = image.permute([1, 3, 0, 2, 4])?.reshape((rows * columns, channels * height * width))?;
        let patches = dense(&patches, &self.patches)?;
        let class = patches.narrow(0, 0, 1)?.zeros_like()?;
        Ok((Tensor::cat(&[class, patches], 0)? + &self.positions)?)
    }

    /// What the network says about each row.
    pub(crate) fn predict(&self, rows: &[Vec<f64>]) -> Result<Vec<Prediction>, ImportError> {
        let images = finite(rows, self.features())?;
        images.iter().map(|image| Ok(Prediction::of(self.run(image)?.logits, true))).collect()
    }
}

impl VisionModel {
    /// The stream of tokens before the first layer, and behind attention and the hidden layers of each.
    pub(crate) fn layers(&self, rows: &[Vec<f64>]) -> Result<Vec<FloatLayer>, ImportError> {
        let dims = vec![self.config.tokens(), self.config.stack.hidden_size];
        let names =
            (0..self.layers.len()).flat_map(|at| ["back", "out"].map(|part| format!("layer {at} {part} added")));
        let names = std::iter::once("positions".to_owned()).chain(names);
        let mut layers: Vec<_> = names.map(|name| FloatLayer { name, dims: dims.clone(), rows: vec![] }).collect();
        for image in finite(rows, self.features())? {
            let seen = self.run(&image)?;
            let stream = seen.layers.iter().flat_map(|layer| [&layer.sum, &layer.last_sum]);
            for (layer, stream) in layers.iter_mut().zip(std::iter::once(&seen.embedded).chain(stream)) {
                let values: Vec<f32> = stream.flatten_all()?.to_vec1()?;
                layer.rows.push(values.into_iter().map(f64::from).collect());
            }
        }
        Ok(layers)
    }
}

impl Ranges {
    /// Takes in what was seen of one image.
    pub(crate) fn include(&mut self, seen: &Trace) -> Result<(), ImportError> {
        widen(&mut self.embedded, &seen.embedded)?;
        for (ranges, layer) in self.layers.iter_mut().zip(&seen.layers) {
            ranges.include(layer)?;
        }
        widen(&mut self.last, &seen.last)?;
        self.logits = seen.logits.iter().fold(self.logits, |largest, logit| largest.max(f64::from(logit.abs())));
        Ok(())
    }
}
