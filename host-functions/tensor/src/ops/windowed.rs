//! What convolutions and pools share: the numbers that say how a window moves over rows and columns.

use crate::{Status, kernel::Window};

/// Exactly `N` numbers, as a contract writes them.
pub(super) fn numbers<const N: usize>(bytes: &[u8]) -> Result<[u32; N], Status> {
    let (words, []) = bytes.as_chunks::<4>() else { return Err(Status::ShapeMismatch) };
    let words: &[[u8; 4]; N] = words.try_into().map_err(|_| Status::ShapeMismatch)?;
    Ok(words.map(u32::from_le_bytes))
}

/// Rows first, then columns.
pub(super) struct Moves {
    pub(super) kernel: [u32; 2],
    strides: [u32; 2],
    /// Above, to the left, below, to the right.
    pads: [u32; 4],
    dilations: [u32; 2],
}

impl Moves {
    /// `ShapeMismatch` where there are more or fewer numbers.
    pub(super) fn new(kernel: [u32; 2], strides: &[u8], pads: &[u8], dilations: &[u8]) -> Result<Moves, Status> {
        let (strides, pads, dilations) = (numbers(strides)?, numbers(pads)?, numbers(dilations)?);
        Ok(Moves { kernel, strides, pads, dilations })
    }

    /// `BadArgument` for a window, a stride or a dilation of 0.
    pub(super) fn check(&self) -> Result<(), Status> {
        let zero = [self.kernel, self.strides, self.dilations].as_flattened().contains(&0);
        if zero { Err(Status::BadArgument) } else { Ok(()) }
    }

    /// From the first tap to the last one, and one more.
    fn extent(&self, axis: usize) -> u64 {
        // At most (2^32 - 1)^2.
        u64::from(self.kernel[axis].saturating_sub(1)) * u64::from(self.dilations[axis])
    }

    /// Places of the window on an image: `ShapeMismatch` where it is larger than the image with its pads, or there are
    /// too many.
    pub(super) fn places(&self, input: [u32; 2]) -> Result<[u32; 2], Status> {
        let along = |axis: usize| {
            let padded = u64::from(input[axis]) + u64::from(self.pads[axis]) + u64::from(self.pads[axis + 2]);
            let free = padded.checked_sub(1).and_then(|last| last.checked_sub(self.extent(axis)));
            let places = free.map(|free| free / u64::from(self.strides[axis].max(1)) + 1);
            places.and_then(|places| u32::try_from(places).ok()).ok_or(Status::ShapeMismatch)
        };
        Ok([along(0)?, along(1)?])
    }

    /// Rows and columns of which [`Moves::places`] would be `input`, and `more` behind them.
    pub(super) fn spread(&self, input: [u32; 2], more: [u32; 2]) -> Result<[u32; 2], Status> {
        let along = |axis: usize| {
            let steps = u64::from(input[axis].checked_sub(1)?) * u64::from(self.strides[axis]);
            let all = steps.checked_add(self.extent(axis))?.checked_add(1 + u64::from(more[axis]))?;
            u32::try_from(all.checked_sub(u64::from(self.pads[axis]) + u64::from(self.pads[axis + 2]))?).ok()
        };
        Ok([along(0).ok_or(Status::ShapeMismatch)?, along(1).ok_or(Status::ShapeMismatch)?])
    }

    /// For a kernel.
    pub(super) fn window(&self, input: [u32; 2], output: [u32; 2], transposed: bool) -> Result<Window, Status> {
        let length = |number: u32| usize::try_from(number).map_err(|_| Status::LimitExceeded);
        let both = |[rows, columns]: [u32; 2]| Ok::<_, Status>([length(rows)?, length(columns)?]);
        Ok(Window {
            input: both(input)?,
            output: both(output)?,
            kernel: both(self.kernel)?,
            strides: both(self.strides)?,
            pads: both([self.pads[0], self.pads[1]])?,
            dilations: both(self.dilations)?,
            transposed,
        })
    }

    /// Taps of the window.
    pub(super) fn taps(&self) -> u64 {
        u64::from(self.kernel[0]) * u64::from(self.kernel[1])
    }
}
