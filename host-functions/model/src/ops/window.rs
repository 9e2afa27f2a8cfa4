//! How a window moves over an image.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_tensor::kernel;

use super::length;
use crate::graph::{Edge, SEQUENCE};

/// A window that moves over the rows and columns of an image `[h, w, c]`; rows first.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [u32; 2],
    /// From one place to the next.
    pub strides: [u32; 2],
    /// Above, to the left, below, to the right.
    pub pads: [u32; 4],
    /// From one tap to the next.
    pub dilations: [u32; 2],
}

impl Window {
    /// A window that moves by one, without pads and gaps.
    #[must_use]
    pub fn new(rows: u32, columns: u32) -> Window {
        Window { kernel: [rows, columns], strides: [1; 2], pads: [0; 4], dilations: [1; 2] }
    }

    /// Places of the window on an image, along rows and columns.
    pub(super) fn places(&self, image: [u32; 2]) -> Result<[u32; 2], String> {
        if [self.kernel, self.strides, self.dilations].as_flattened().contains(&0) {
            return Err("a window, stride or dilation of 0".into());
        }
        let along = |axis: usize| {
            let padded = u64::from(image[axis]) + u64::from(self.pads[axis]) + u64::from(self.pads[axis + 2]);
            let extent = u64::from(self.kernel[axis] - 1) * u64::from(self.dilations[axis]) + 1;
            let free = padded.checked_sub(extent)?;
            u32::try_from(free / u64::from(self.strides[axis]) + 1).ok()
        };
        along(0)
            .zip(along(1))
            .map(<[u32; 2]>::from)
            .ok_or_else(|| format!("a window of {:?} over {image:?}", self.kernel))
    }

    /// Taps, saturating.
    pub(super) fn taps(&self) -> u64 {
        u64::from(self.kernel[0]).saturating_mul(self.kernel[1].into())
    }

    /// Whether there are rows or columns beside the image.
    pub(super) fn is_padded(&self) -> bool {
        self.pads != [0; 4]
    }

    /// For a kernel.
    pub(super) fn over(&self, image: [u32; 2]) -> Result<kernel::Window, String> {
        let both = |[rows, columns]: [u32; 2]| [length(rows), length(columns)];
        Ok(kernel::Window {
            input: both(image),
            output: both(self.places(image)?),
            kernel: both(self.kernel),
            strides: both(self.strides),
            pads: both([self.pads[0], self.pads[1]]),
            dilations: both(self.dilations),
            transposed: false,
        })
    }
}

impl Window {
    /// For a device, with the channels of the images; nothing where these are sequences of rows.
    pub(super) fn over_image_of_device(&self, x: &Edge) -> Option<(kernel::Window, usize)> {
        let (size, channels) = image(&x.dims).ok()?;
        let is_fixed = x.dims.iter().all(|dim| dim & SEQUENCE == 0);
        Some((self.over(size).ok()?, length(channels))).filter(|_| is_fixed)
    }
}

/// Rows, columns and channels of an image.
pub(super) fn image(dims: &[u32]) -> Result<([u32; 2], u32), String> {
    match *dims {
        [rows, columns, channels] => Ok(([rows, columns], channels)),
        _ => Err(format!("an image has three axes beside the batch, not {dims:?}")),
    }
}
