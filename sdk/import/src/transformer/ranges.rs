//! How large everything becomes on calibration data.

use candle_core::Tensor;

use super::layer::LayerTrace;
use crate::ImportError;

/// The largest magnitude of each channel.
pub(crate) type Channels = Vec<f64>;

/// The ranges of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerRanges {
    pub(crate) input: Channels,
    pub(crate) query: Channels,
    pub(crate) key: Channels,
    pub(crate) value: Channels,
    pub(crate) mixed: Channels,
    pub(crate) sum: Channels,
    pub(crate) middle: Channels,
    pub(crate) hidden: Channels,
    pub(crate) last_sum: Channels,
}

impl LayerRanges {
    /// Takes in what was seen of one input.
    pub(crate) fn include(&mut self, seen: &LayerTrace) -> Result<(), ImportError> {
        widen(&mut self.input, &seen.input)?;
        widen(&mut self.query, &seen.query)?;
        widen(&mut self.key, &seen.key)?;
        widen(&mut self.value, &seen.value)?;
        widen(&mut self.mixed, &seen.mixed)?;
        widen(&mut self.sum, &seen.sum)?;
        widen(&mut self.middle, &seen.middle)?;
        widen(&mut self.hidden, &seen.hidden)?;
        widen(&mut self.last_sum, &seen.last_sum)
    }
}

/// Takes in the rows of a tensor.
pub(crate) fn widen(channels: &mut Channels, seen: &Tensor) -> Result<(), ImportError> {
    let most: Vec<f32> = seen.abs()?.max(0)?.to_vec1()?;
    channels.resize(most.len(), 0.0);
    for (channel, most) in channels.iter_mut().zip(most) {
        if !most.is_finite() {
            return Err(ImportError::Encoder("calibration data overflow f32".to_owned()));
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
