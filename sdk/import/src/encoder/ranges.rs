//! How large everything becomes on calibration sentences.

use candle_core::Tensor;

use super::float::{Float, Trace};
use crate::ImportError;

/// The largest magnitude of each channel.
pub(crate) type Channels = Vec<f64>;

/// The ranges of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerRanges {
    pub(crate) query: Channels,
    pub(crate) key: Channels,
    pub(crate) value: Channels,
    pub(crate) mixed: Channels,
    pub(crate) sum: Channels,
    pub(crate) middle: Channels,
    pub(crate) hidden: Channels,
    pub(crate) last_sum: Channels,
    pub(crate) output: Channels,
}

/// The ranges of an encoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    pub(crate) embedded: Channels,
    pub(crate) layers: Vec<LayerRanges>,
}

impl Ranges {
    /// Runs the original on every sentence.
    pub(crate) fn of(float: &Float, sentences: &[Vec<u32>]) -> Result<Ranges, ImportError> {
        let mut ranges = Ranges { layers: vec![LayerRanges::default(); float.layers.len()], ..Ranges::default() };
        for tokens in sentences {
            ranges.include(&float.run(tokens)?)?;
        }
        Ok(ranges)
    }

    fn include(&mut self, trace: &Trace) -> Result<(), ImportError> {
        widen(&mut self.embedded, &trace.embedded)?;
        for (ranges, layer) in self.layers.iter_mut().zip(&trace.layers) {
            widen(&mut ranges.query, &layer.query)?;
            widen(&mut ranges.key, &layer.key)?;
            widen(&mut ranges.value, &layer.value)?;
            widen(&mut ranges.mixed, &layer.mixed)?;
            widen(&mut ranges.sum, &layer.sum)?;
            widen(&mut ranges.middle, &layer.middle)?;
            widen(&mut ranges.hidden, &layer.hidden)?;
            widen(&mut ranges.last_sum, &layer.last_sum)?;
            widen(&mut ranges.output, &layer.output)?;
        }
        Ok(())
    }
}

fn widen(channels: &mut Channels, seen: &Tensor) -> Result<(), ImportError> {
    let most: Vec<f32> = seen.abs()?.max(0)?.to_vec1()?;
    channels.resize(most.len(), 0.0);
    for (channel, most) in channels.iter_mut().zip(most) {
        if !most.is_finite() {
            return Err(ImportError::Encoder("calibration sentences overflow f32".to_owned()));
        }
        *channel = channel.max(f64::from(most));
    }
    Ok(())
}

/// The largest of all channels; 1 where everything is 0.
pub(crate) fn largest(channels: &[f64]) -> f64 {
    let most = channels.iter().copied().fold(0.0, f64::max);
    if most > 0.0 { most } else { 1.0 }
}
