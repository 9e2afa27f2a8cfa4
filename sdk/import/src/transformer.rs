//! What transformers have in common, whatever they read: files of a Hugging Face folder, layers in `f32` by candle, what
//! calibration sees of them, and the graph of integers that becomes of a layer.

pub(crate) mod build;
pub(crate) mod files;
#[cfg(test)]
pub(crate) mod folders;
pub(crate) mod layer;
pub(crate) mod ranges;

use crate::{Width, Widths};

/// How a product reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Site {
    /// 8 bits: a scale for each channel, or for each token (behind GELU).
    Eight,
    /// 16 bits, one scale.
    Sixteen,
}

/// The sites of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sites {
    /// Before queries, keys and values.
    pub attention: Site,
    /// Before the hidden layer.
    pub hidden: Site,
    /// Behind GELU.
    pub out: Site,
}

impl From<Widths> for Sites {
    /// Behind GELU values reach furthest: 8 bits with a step for each token are enough for longer than elsewhere.
    fn from(widths: Widths) -> Sites {
        let site = |width| if width == Width::Eight { Site::Eight } else { Site::Sixteen };
        let features = site(widths.features);
        Sites { attention: features, hidden: features, out: site(widths.hidden) }
    }
}
