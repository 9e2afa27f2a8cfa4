//! What an import of an encoder did, and how well it went.

use std::fmt;

use noema_model::ModelId;

use super::cosine;
use crate::transformer::{Site, Sites};

/// What an import did.
#[derive(Clone, Debug)]
pub struct EncoderReport {
    /// The id of the container.
    pub id: ModelId,
    /// Its size.
    pub container_bytes: usize,
    /// The longest sentence, in tokens.
    pub longest: usize,
    /// Elements of an embedding.
    pub width: usize,
    /// How products read their inputs.
    pub sites: Sites,
    /// Whether the error is as small as was asked for; if not, this is the nearest that was found.
    pub is_within: bool,
    /// What was asked for.
    pub max_error: f64,
    /// The error layer by layer.
    pub layers: Vec<LayerError>,
    /// The error of the embeddings.
    pub nearness: Nearness,
}

/// How far a layer is from that of the original.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerError {
    /// Which one.
    pub name: String,
    /// The length of the difference, as a share of the length of what the original computes.
    pub relative: f64,
}

/// How near the embeddings of two models are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearness {
    /// How many sentences.
    pub sentences: usize,
    /// The mean of the cosines between both embeddings of a sentence.
    pub mean: f64,
    /// The smallest of them.
    pub worst: f64,
    /// For how many sentences both models name the same other sentence as the nearest; where that was looked at.
    pub same_nearest: Option<usize>,
}

impl Nearness {
    #[allow(clippy::cast_precision_loss, reason = "a number of sentences")]
    pub(super) fn of(cosines: &[f64]) -> Nearness {
        Nearness {
            sentences: cosines.len(),
            mean: cosines.iter().sum::<f64>() / cosines.len().max(1) as f64,
            worst: cosines.iter().copied().fold(1.0, f64::min),
            same_nearest: None,
        }
    }

    pub(super) fn of_pairs(pairs: &[(Vec<i16>, Vec<f32>)]) -> Nearness {
        let cosines: Vec<f64> = pairs.iter().map(|(integer, real)| cosine(integer, real)).collect();
        let nearest = |near: &dyn Fn(usize, usize) -> f64, of: usize| {
            let others = (0..pairs.len()).filter(|other| *other != of);
            others.max_by(|a, b| near(of, *a).total_cmp(&near(of, *b)))
        };
        let real =
            |a: usize, b: usize| pairs[a].1.iter().zip(&pairs[b].1).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let integer =
            |a: usize, b: usize| pairs[a].0.iter().zip(&pairs[b].0).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let same = (0..pairs.len()).filter(|of| nearest(&real, *of) == nearest(&integer, *of)).count();
        Nearness { same_nearest: Some(same), ..Nearness::of(&cosines) }
    }

    /// Whether the mean is at most `error` from 1, and the worst at most five times that.
    #[must_use]
    pub fn is_within(&self, error: f64) -> bool {
        1.0 - self.mean <= error && 1.0 - self.worst <= 5.0 * error
    }
}

impl fmt::Display for Nearness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Nearness { sentences, mean, worst, same_nearest } = self;
        write!(f, "cosine to the float original on {sentences} sentences: mean {mean:.5}, worst {worst:.5}")?;
        if let Some(same) = same_nearest {
            write!(f, "; the same nearest sentence for {same}")?;
        }
        Ok(())
    }
}

impl fmt::Display for EncoderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model {}, {} bytes", self.id, self.container_bytes)?;
        writeln!(f, "sentences of up to {} tokens to {} numbers", self.longest, self.width)?;
        let bits = |site| if site == Site::Eight { 8 } else { 16 };
        let Sites { attention, hidden, out } = self.sites;
        writeln!(
            f,
            "8-bit weights; attention reads {} bits, the hidden layer {}, the layer behind GELU {}",
            bits(attention),
            bits(hidden),
            bits(out)
        )?;
        for LayerError { name, relative } in &self.layers {
            writeln!(f, "{name}: {:.3} % from the original", relative * 100.0)?;
        }
        write!(f, "{}", self.nearness)?;
        if !self.is_within {
            write!(f, "\nnot as near as asked for ({}): the nearest that was found", self.max_error)?;
        }
        Ok(())
    }
}
