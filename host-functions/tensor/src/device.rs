//! The seam to accelerators: a device runs a [`Program`]; an [`Accelerator`] decides whether its
//! answers are believed.
//!
//! A device never decides a result. What it computes is checked (products by Freivalds' method inside
//! the device, everything else by computing samples again on the CPU); where it is wrong, lost or
//! out of memory, the CPU computes instead and an [`Alarm`] is kept for the operator of the node. So a
//! broken card costs time, never agreement.

mod accelerator;
pub mod freivalds;
mod simulated;

use std::fmt;

#[cfg(feature = "cuda")]
pub(crate) use accelerator::secret;
pub use accelerator::{Accelerator, Alarm, Settings};
pub use simulated::{SimulatedDevice, SimulatedFault};

use crate::program::{Extent, Program};

/// Something that can run programs beside the CPU.
pub trait Device: fmt::Debug + Send + Sync {
    /// What it is, for people.
    fn name(&self) -> String;

    /// Uploads the parameters of a program and makes it ready to run.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn load(&self, program: &Program<'_>) -> Result<Box<dyn Loaded>, DeviceError>;
}

/// A program on a device.
pub trait Loaded: fmt::Debug + Send + Sync {
    /// Runs it for so many rows: the elements of each input, little-endian, give those of each
    /// output. Outputs have the right length already.
    ///
    /// # Errors
    /// [`DeviceError`]; what is in `outputs` then means nothing.
    fn run(&self, extent: Extent, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), DeviceError>;
}

/// Why a device gave no answer. Never a verdict: the CPU computes instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It has no memory for this one.
    #[error("out of device memory: {0}")]
    Memory(String),
    /// It cannot run this program; others may do.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// It computed wrong bits.
    #[error("wrong result: {0}")]
    Wrong(String),
    /// It does not answer any more.
    #[error("device lost: {0}")]
    Lost(String),
}

impl DeviceError {
    /// Whether the device must not be used again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, DeviceError::Wrong(_) | DeviceError::Lost(_))
    }
}
