//! What stands in the folder of a vision transformer: configuration, weights, and how pixels become numbers.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    ImportError,
    transformer::files::{Stack, Weights, config, json, missing, unsupported},
};

/// Most pixels of an image, over all channels, and most tokens.
const MAX_PIXELS: usize = 1 << 24;
const MAX_TOKENS: usize = 4096;

/// `config.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) model_type: String,
    #[serde(flatten)]
    pub(crate) stack: Stack,
    pub(crate) image_size: Side,
    pub(crate) patch_size: Side,
    pub(crate) num_channels: usize,
    #[serde(default = "yes")]
    pub(crate) qkv_bias: bool,
    #[serde(default)]
    id2label: BTreeMap<usize, String>,
}

fn yes() -> bool {
    true
}

/// The height and the width of something, which are the same where one number stands.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Side {
    /// Both.
    Square(usize),
    /// Height and width.
    Both([usize; 2]),
}

impl Side {
    /// Height and width.
    pub(crate) fn pair(self) -> [usize; 2] {
        match self {
            Side::Square(side) => [side; 2],
            Side::Both(sides) => sides,
        }
    }
}

/// `preprocessor_config.json`: what comes after an image has the right size.
#[derive(Clone, Debug, Deserialize)]
struct Preprocessor {
    #[serde(default = "yes")]
    do_rescale: bool,
    #[serde(default = "over_255")]
    rescale_factor: f64,
    #[serde(default = "yes")]
    do_normalize: bool,
    #[serde(default)]
    image_mean: Vec<f64>,
    #[serde(default)]
    image_std: Vec<f64>,
}

fn over_255() -> f64 {
    1.0 / 255.0
}

/// What a channel's pixels become: `pixel * factor + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) factor: f64,
    pub(crate) offset: f64,
}

/// A folder that was read and found complete.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) config: Config,
    pub(crate) weights: Weights,
    /// For each channel.
    pub(crate) scales: Vec<Scale>,
    /// Names of the classes, or none.
    pub(crate) labels: Vec<String>,
}

impl Config {
    fn check(&self) -> Result<(), ImportError> {
        if self.model_type != "vit" {
            return Err(unsupported(&format!("model_type `{}`", self.model_type), "bert, vit"));
        }
        let ([height, width], [patch_height, patch_width]) = (self.image_size.pair(), self.patch_size.pair());
        let images = [("image_size", height), ("image_size", width)];
        let patches = [("patch_size", patch_height), ("patch_size", patch_width)];
        self.stack.check(&[&images[..], &patches, &[("num_channels", self.num_channels)]].concat())?;
        let pixels = height.saturating_mul(width).saturating_mul(self.num_channels);
        if !height.is_multiple_of(patch_height) || !width.is_multiple_of(patch_width) || pixels > MAX_PIXELS {
            let patch = format!("patches of {patch_height} x {patch_width}");
            let reason = format!("images of {} x {height} x {width} in {patch}", self.num_channels);
            return Err(ImportError::Encoder(format!("config.json: {reason}")));
        }
        let tokens = self.tokens();
        if tokens > MAX_TOKENS {
            return Err(ImportError::Limit {
                what: "number of patches",
                value: tokens as u64,
                limit: MAX_TOKENS as u64,
            });
        }
        Ok(())
    }

    /// Rows and columns of patches.
    pub(crate) fn grid(&self) -> [usize; 2] {
        let ([height, width], [patch_height, patch_width]) = (self.image_size.pair(), self.patch_size.pair());
        [height / patch_height, width / patch_width]
    }

    /// One for each patch, and one for the class.
    pub(crate) fn tokens(&self) -> usize {
        self.grid().into_iter().product::<usize>() + 1
    }
}

impl Folder {
    /// Reads a folder.
    pub(crate) fn read(path: &Path) -> Result<Folder, ImportError> {
        let config: Config = config(path)?;
        config.check()?;
        let name = "preprocessor_config.json";
        let preprocessor: Preprocessor = json(path, name)?.ok_or_else(|| missing(path, name))?;
        let scales = preprocessor.scales(config.num_channels)?;
        let weights = Weights::read(path, &["", "vit."])?;
        let labels: Vec<String> = config.id2label.values().cloned().collect();
        // What transformers writes where nobody said anything.
        let unnamed = labels.iter().enumerate().all(|(at, label)| *label == format!("LABEL_{at}"));
        Ok(Folder { config, weights, scales, labels: if unnamed { vec![] } else { labels } })
    }
}

impl Preprocessor {
    fn scales(&self, channels: usize) -> Result<Vec<Scale>, ImportError> {
        let refused = |reason: String| ImportError::Encoder(format!("preprocessor_config.json: {reason}"));
        let factor = if self.do_rescale { self.rescale_factor } else { 1.0 };
        let of = |values: &[f64], at: usize, otherwise: f64| if self.do_normalize { values[at] } else { otherwise };
        if self.do_normalize && (self.image_mean.len() != channels || self.image_std.len() != channels) {
            let counts = format!("{} means and {} deviations", self.image_mean.len(), self.image_std.len());
            return Err(refused(format!("{counts} for {channels} channels")));
        }
        let scales = (0..channels).map(|at| {
            let (mean, deviation) = (of(&self.image_mean, at, 0.0), of(&self.image_std, at, 1.0));
            let scale = Scale { factor: factor / deviation, offset: -mean / deviation };
            let fits = |value: f64| value.is_finite() && value.abs() < 1.0e9;
            if !fits(scale.factor) || !fits(scale.offset) || scale.factor == 0.0 {
                let numbers = format!("a factor of {factor}, a mean of {mean} and a deviation of {deviation}");
                return Err(refused(format!("channel {at} has {numbers}")));
            }
            Ok(scale)
        });
        scales.collect()
    }
}
