//! How a window moves over an image: rows, columns, and behind them channels.

/// Sizes along rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Of the image that is read.
    pub input: [usize; 2],
    /// Of the result.
    pub output: [usize; 2],
    /// Taps of the window.
    pub kernel: [usize; 2],
    /// From one place of the window to the next.
    pub strides: [usize; 2],
    /// Rows above and columns to the left of the image.
    pub pads: [usize; 2],
    /// From one tap to the next.
    pub dilations: [usize; 2],
    /// Whether result and image change places: a transposed convolution.
    pub transposed: bool,
}

impl Window {
    /// Taps of the window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    /// Places of the window on one image.
    #[must_use]
    pub fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Which row (axis 0) or column (axis 1) of the image a tap reads at a place, if it lies in the image.
    #[inline(always)]
    pub(crate) fn source(&self, axis: usize, place: usize, tap: usize) -> Option<usize> {
        let (pad, stride, step) = (self.pads[axis], self.strides[axis], tap * self.dilations[axis]);
        let at = if self.transposed {
            let above = (place + pad).checked_sub(step)?;
            if above % stride != 0 {
                return None;
            }
            above / stride
        } else {
            (place * stride + step).checked_sub(pad)?
        };
        (at < self.input[axis]).then_some(at)
    }

    /// The image, the row and the column of a place, counted through all images.
    #[inline(always)]
    pub(crate) fn place(&self, index: usize) -> (usize, usize, usize) {
        let [rows, columns] = self.output;
        (index / (rows * columns), index / columns % rows, index % columns)
    }

    /// Calls `f` with the place in the image, counted in pixels through all images, that each tap reads at a place; taps
    /// in the order of rows.
    #[inline(always)]
    pub(super) fn each_tap(&self, index: usize, mut f: impl FnMut(Option<usize>)) {
        let (image, row, column) = self.place(index);
        for ky in 0..self.kernel[0] {
            let y = self.source(0, row, ky);
            for kx in 0..self.kernel[1] {
                let at = y.zip(self.source(1, column, kx));
                let pixel = at.map(|(y, x)| (image * self.input[0] + y) * self.input[1] + x);
                f(pixel);
            }
        }
    }
}
